//! What a session leaves with `--data` is there again in the next one.

use std::fmt::Write;
use std::time::{Duration, Instant};

use alcedo::notice::Notices;
use alcedo::{Engine, Storage};

use crate::harness::{Case, Ran};

const DATA: [&str; 5] = ["repl", "--data", "d", "--output", "csv"];

fn repl(case: &Case, sql: &str) -> Ran {
    case.pipe(&DATA, sql)
}

#[test]
fn everything_that_has_a_name_comes_back() {
    let case = Case::new().file("lines.csv", "id,v\n1,2.5\n");
    let made = "CREATE TYPE point AS STRUCT<x INT, y INT>;
DEFINE place = 'somewhere';
CREATE STREAM put (id INT) WITH (kafka_topic='${place}', value_format='JSON');
CREATE STREAM s (k VARCHAR KEY, id INT, p point) WITH (kafka_topic='s', value_format='JSON', partitions=2);
ALTER STREAM s ADD COLUMN extra VARCHAR;
CREATE SOURCE STREAM read_only (id INT) WITH (kafka_topic='s', value_format='JSON');
CREATE TABLE latest (k VARCHAR PRIMARY KEY, id INT) WITH (kafka_topic='latest', value_format='JSON');
CREATE TABLE copied AS SELECT k, id FROM latest;
CREATE STREAM t AS SELECT k, id, p->x AS x FROM s;
INSERT INTO t SELECT k, id + 100 AS id, p->y AS x FROM s;
CREATE SOURCE CONNECTOR lines WITH ('connector.class'='file', 'file'='lines.csv', 'topic'='lines');
PAUSE CSAS_T;
INSERT INTO s VALUES ('a', 1, STRUCT(x := 2, y := 3), 'e');
";
    repl(&case, made).expect(0);
    let listed = "SHOW TYPES;\nSHOW QUERIES;\nSHOW CONNECTORS;\nDESCRIBE s;\nSHOW TABLES;\nSHOW STREAMS;\n";
    let ran = repl(&case, listed).expect(0);
    for text in [
        "POINT,\"STRUCT<`X` INTEGER, `Y` INTEGER>\"",
        "CSAS_T,PAUSED,T,",
        "INSERTQUERY_T_S,",
        "CTAS_COPIED,",
        "LINES,",
        "EXTRA,STRING",
        "LATEST,latest,KAFKA,JSON",
        "PUT,somewhere,KAFKA,JSON",
    ] {
        assert!(ran.out.contains(text), "missing {text}\n{}\n{}", ran.out, ran.err);
    }
    ran.says("CSAS_T: is paused; RESUME CSAS_T; lets it go on");
    repl(&case, "INSERT INTO read_only VALUES (1);").expect(1).says("READ_ONLY is read-only");
    // The one that was not paused has gone on; the other goes on when it is told to, also in a session after that.
    let rows = "SELECT id, x FROM t EMIT CHANGES LIMIT";
    assert_eq!(repl(&case, &format!("{rows} 1;\n")).expect(0).out, "ID,X\n101,3\n");
    assert_eq!(repl(&case, &format!("RESUME CSAS_T;\n{rows} 2;\n")).expect(0).sorted(), ["1,2", "101,3", "ID,X"]);
    let ran = repl(&case, &format!("{rows} 2;\nSHOW QUERIES;\n")).expect(0);
    assert!(!ran.out.contains("PAUSED"), "{}", ran.out);
    // What a query made stays when the query is terminated.
    repl(&case, "TERMINATE CTAS_COPIED;").expect(0);
    let ran = repl(&case, "SHOW TABLES;\nSHOW QUERIES;\n").expect(0);
    assert!(ran.out.contains("COPIED,COPIED,KAFKA,JSON") && !ran.out.contains("CTAS_COPIED"), "{}", ran.out);
    // A paused query does not hold up a file that ends with what there is.
    let paused =
        |line: &&str| ["CREATE TYPE", "CREATE STREAM s", "CREATE STREAM t"].iter().any(|w| line.starts_with(w));
    let case = case.file("a.sql", &made.lines().filter(paused).collect::<Vec<_>>().join("\n"));
    repl(&case, "PAUSE ALL;").expect(0);
    case.run(&["run", "a.sql", "--data", "d", "--until-end"])
        .expect(0)
        .says("CSAS_T: is paused, and stays where it was");
}

#[test]
fn statements_come_back_with_what_set_had_said_and_queries_under_their_ids() {
    let case = Case::new();
    let made = "SET 'ksql.persistence.default.format.value'='JSON';
SET 'processing.guarantee'='at_least_once';
CREATE STREAM s (id INT) WITH (kafka_topic='s', partitions=1);
CREATE STREAM t (id INT) WITH (kafka_topic='t', partitions=1);
INSERT INTO t SELECT id FROM s WHERE id > 10;
UNSET 'processing.guarantee';
INSERT INTO t SELECT id FROM s WHERE id < 0;
SHOW QUERIES;
";
    let queries = ["INSERTQUERY_T_S,", "INSERTQUERY_T_S_2,"];
    let made = repl(&case, made).expect(0);
    assert!(queries.iter().all(|id| made.out.contains(id)), "{}", made.out);
    let rows = "INSERT INTO s VALUES (11);\nINSERT INTO s VALUES (5);\nINSERT INTO s VALUES (-1);\n\
                SELECT id FROM t EMIT CHANGES LIMIT 2;\nSHOW QUERIES;\nSHOW PROPERTIES;\n";
    let again = repl(&case, rows).expect(0).says("4 statements of earlier sessions are back");
    assert!(queries.iter().all(|id| again.out.contains(id)), "{}", again.out);
    assert!(again.out.contains("\n11\n") && again.out.contains("\n-1\n"), "{}", again.out);
    // What was said then is not said now.
    assert!(!again.out.contains("at_least_once"), "{}", again.out);
    // A third one gets a number of its own; one that is gone leaves its number to the next.
    let more = "TERMINATE INSERTQUERY_T_S;\nINSERT INTO t SELECT id FROM s WHERE id = 0;\nSHOW QUERIES;\n";
    let ran = repl(&case, more).expect(0).says("Created query INSERTQUERY_T_S.");
    assert!(queries.iter().all(|id| ran.out.contains(id)), "{}", ran.out);
}

#[test]
fn a_query_keeps_the_columns_that_there_were_when_it_was_made() {
    let case = Case::new();
    let made = "CREATE STREAM s (k VARCHAR KEY, a INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE STREAM t AS SELECT * FROM s;
INSERT INTO t SELECT * FROM s WHERE a > 1 PARTITION BY k;
ALTER STREAM s ADD COLUMN b INT;
CREATE STREAM u AS SELECT * FROM s;
CREATE OR REPLACE STREAM s (k VARCHAR KEY, a INT, b INT, c INT) WITH (kafka_topic='s', value_format='JSON');
";
    let columns = "DESCRIBE s;\nDESCRIBE t;\nDESCRIBE u;\nSHOW QUERIES;\n";
    let before = repl(&case, &format!("{made}{columns}")).expect(0);
    for _ in 0..2 {
        let again = repl(&case, columns).expect(0).says("4 statements of earlier sessions are back");
        assert!(!again.err.contains("did not come back"), "{}", again.err);
        assert_eq!(again.out, before.out, "{}", again.err);
    }
    let rows = "INSERT INTO s VALUES ('x', 1, 2, 3);\nSELECT * FROM u EMIT CHANGES LIMIT 1;\nSELECT * FROM t EMIT CHANGES LIMIT 1;\n";
    assert_eq!(repl(&case, rows).expect(0).out, "K,A,B\nx,1,2\nK,A\nx,1\n");
    // Nor does what an INSERT writes get more columns, though its stream does.
    let target = "CREATE STREAM w (k VARCHAR KEY, a INT) WITH (kafka_topic='w', value_format='JSON', partitions=1);\n";
    let insert = "INSERT INTO w SELECT k, a FROM s;\nALTER STREAM w ADD COLUMN b INT;\n";
    repl(&case, &format!("{target}{insert}")).expect(0);
    let ran = repl(&case, "SELECT * FROM w EMIT CHANGES LIMIT 1;\n").expect(0);
    assert!(ran.out == "K,A,B\nx,1,\n" && !ran.err.contains("did not come back"), "{}\n{}", ran.out, ran.err);
    repl(&case, "TERMINATE INSERTQUERY_W_S;\nDROP STREAM w;\n").expect(0);
    // What is added to the new one comes back; one that replaces it has that itself.
    let replaced = "CREATE OR REPLACE STREAM v (a INT) WITH (kafka_topic='v', value_format='JSON', partitions=1);";
    repl(&case, &format!("{replaced}\nALTER STREAM v ADD COLUMN b INT;\n")).expect(0);
    for _ in 0..2 {
        let ran = repl(&case, "DESCRIBE v;\n").expect(0).says("6 statements of earlier sessions are back");
        assert!(ran.out.contains("B,INTEGER"), "{}", ran.out);
    }
    repl(&case, &replaced.replace("a INT", "a INT, b INT")).expect(0);
    let ran = repl(&case, "DESCRIBE v;\n").expect(0).says("5 statements of earlier sessions are back");
    assert!(ran.out.contains("B,INTEGER"), "{}", ran.out);
    // A query that is made again has what there is now.
    repl(&case, "CREATE OR REPLACE STREAM u AS SELECT * FROM s;\n").expect(0);
    let ran = repl(&case, "SELECT * FROM u EMIT CHANGES LIMIT 1;\nINSERT INTO s VALUES ('y', 4, 5, 6);\n").expect(0);
    assert!(ran.out.starts_with("K,A,B,C\n"), "{}", ran.out);
}

#[test]
fn a_corrupt_entry_is_named_with_what_depended_on_it_and_the_rest_lives() {
    let case = Case::new();
    let made = "CREATE STREAM s (id INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE STREAM u (id INT) WITH (kafka_topic='u', value_format='JSON', partitions=1);
CREATE STREAM t AS SELECT id FROM s;
CREATE STREAM v AS SELECT id FROM u;
CREATE STREAM log (entry VARCHAR KEY, text VARCHAR) WITH (kafka_topic='_alcedo_default_statements', value_format='KAFKA');
INSERT INTO log (entry) VALUES ('relation/S');
INSERT INTO log VALUES ('relation/S', 'no entry');
";
    repl(&case, made).expect(0);
    let ran =
        repl(&case, "INSERT INTO u VALUES (7);\nSELECT id FROM v EMIT CHANGES LIMIT 1;\nSHOW QUERIES;\n").expect(0);
    assert!(ran.out.starts_with("ID\n7\n") && !ran.out.contains("CSAS_T"), "{}", ran.out);
    ran.says("entry relation/S of the statements topic cannot be read and is skipped")
        .says("query CSAS_T did not come back: unknown stream or table S");
    // What was left out can be made again, and the query with it goes on.
    let again = "CREATE STREAM s (id INT) WITH (kafka_topic='s', value_format='JSON');\n";
    repl(&case, again).expect(0);
    let ran = repl(&case, "INSERT INTO s VALUES (8);\nSELECT id FROM t EMIT CHANGES LIMIT 1;\n").expect(0);
    assert_eq!(ran.out, "ID\n8\n", "{}", ran.err);
}

#[test]
fn a_thousand_statements_are_back_in_a_moment() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = |folder: &std::path::Path| {
        let builder = Engine::builder().storage(Storage::Folder(folder.to_path_buf()));
        builder.notices(Notices::silent()).start().expect("the engine starts")
    };
    let first = engine(folder.path());
    let mut made = String::new();
    for number in 0..100 {
        let _ = writeln!(made, "CREATE TYPE type_{number} AS STRUCT<a INT, b ARRAY<STRING>>;");
    }
    for number in 0..450 {
        let _ = writeln!(
            made,
            "CREATE STREAM stream_{number} (k VARCHAR KEY, id INT, reading DOUBLE, more type_{}) \
             WITH (kafka_topic='shared', value_format='JSON', partitions=1);
             ALTER STREAM stream_{number} ADD COLUMN note VARCHAR;",
            number % 100
        );
    }
    first.session().execute(&made).expect("they are made");
    first.shutdown(Duration::from_secs(10)).expect("it stops");

    let second = engine(folder.path());
    let began = Instant::now();
    let restored = second.session().restore();
    let took = began.elapsed();
    assert_eq!(restored, 1000);
    let catalog = second.catalog();
    let relation = catalog.find_relation("STREAM_449").expect("it is there");
    assert_eq!(relation.schema.columns.len(), 5);
    eprintln!("1000 statements came back in {took:?}");
    // An optimized binary starts with 1,000 streams within 0.16 s; the bound is for a build without optimizations, busy.
    assert!(took < Duration::from_secs(5), "{took:?}");
    second.shutdown(Duration::from_secs(10)).expect("it stops");
}
