//! Statements about running queries, and what a file does when one of them fails outside.

use crate::harness::Case;

const STREAM: &str = "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON');\n";

#[test]
fn a_failure_at_a_statement_stops_the_earlier_ones_and_names_the_later_ones() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = format!(
        "{STREAM}CREATE STREAM t AS SELECT id FROM s;
CREATE SOURCE CONNECTOR c WITH ('connector.class'='mqtt-listener', 'listeners'='{address}', 'topic.regex.list'='s:.*');
INSERT INTO s (id) VALUES (1);
SELECT * FROM t EMIT CHANGES;"
    );
    let ran = Case::new().file("a.sql", &text).run(&["run", "a.sql"]).expect(3);
    assert_eq!(ran.out, "");
    ran.says("is taken")
        .says("not reached: INSERT INTO s (id) VALUES (1)\nnot reached: SELECT * FROM t EMIT CHANGES\n")
        .says("stopped what was started before, with a commit");
}

#[test]
fn a_paused_query_goes_on_where_it_was() {
    let text = format!(
        "{STREAM}CREATE STREAM t AS SELECT id FROM s;
PAUSE CSAS_T;
INSERT INTO s (id) VALUES (1);
RESUME CSAS_T;
INSERT INTO s (id) VALUES (2);
SELECT id FROM t EMIT CHANGES LIMIT 2;
"
    );
    let ran = Case::new().pipe(&["repl", "--output", "csv"], &text).expect(0);
    assert_eq!(ran.out, "id\n1\n2\n".to_uppercase());
}

#[test]
fn what_is_in_use_is_not_dropped_and_the_place_counts_from_the_start_of_the_pipe() {
    let text = format!("{STREAM}CREATE STREAM t AS SELECT id FROM s;\nDROP STREAM s;\n");
    Case::new()
        .pipe(&["repl"], &text)
        .expect(1)
        .says("cannot drop stream S")
        .says("line 3, column 13")
        .says("TERMINATE");
}

#[test]
fn quoted_names_keep_their_case_and_others_are_folded() {
    let text = "CREATE STREAM \"s\" (\"id\" INTEGER, iD INTEGER) WITH (kafka_topic='q', value_format='JSON');
INSERT INTO \"s\" (\"id\", ID) VALUES (3, 4);
SELECT \"id\", id FROM \"s\" EMIT CHANGES LIMIT 1;
SELECT id FROM S EMIT CHANGES;
";
    let ran = Case::new().pipe(&["repl", "--output", "csv"], text).expect(1);
    assert_eq!(ran.out, "id,ID\n3,4\n");
    ran.says("unknown stream or table S").says("line 4, column 16");
}

#[test]
fn one_query_can_feed_the_sink_of_another() {
    let text = format!(
        "{STREAM}CREATE STREAM t AS SELECT id FROM s;
INSERT INTO t SELECT id + 10 AS id FROM s;
INSERT INTO s (id) VALUES (1);
SELECT id FROM t EMIT CHANGES;
"
    );
    let case = Case::new().file("a.sql", &text);
    let ran = case.run(&["run", "a.sql", "--until-end", "--output", "json"]).expect(0);
    assert_eq!(ran.sorted(), ["{\"ID\":11}", "{\"ID\":1}"]);
}

#[test]
fn at_least_once_gives_the_same_rows_when_nothing_fails() {
    let text = format!(
        "SET 'processing.guarantee' = 'at_least_once';
{STREAM}CREATE STREAM t AS SELECT id FROM s;
INSERT INTO s (id) VALUES (1);
INSERT INTO s (id) VALUES (2);
SELECT id FROM t EMIT CHANGES;
"
    );
    let case = Case::new().file("a.sql", &text);
    let run = || case.run(&["run", "a.sql", "--until-end", "--output", "json", "--data", "d"]).expect(0);
    assert_eq!(run().sorted(), ["{\"ID\":1}", "{\"ID\":2}"]);
    assert_eq!(run().sorted(), ["{\"ID\":1}", "{\"ID\":1}", "{\"ID\":2}", "{\"ID\":2}"]);
}

#[test]
fn at_least_once_emits_before_it_commits() {
    let text = format!(
        "SET 'processing.guarantee' = 'at_least_once';
SET 'commit.interval.ms' = '3600000';
{STREAM}CREATE STREAM t AS SELECT id FROM s;
INSERT INTO s (id) VALUES (1);
SELECT id FROM t EMIT CHANGES LIMIT 1;
"
    );
    let ran = Case::new().pipe(&["repl", "--output", "csv"], &text).expect(0);
    assert_eq!(ran.out, "ID\n1\n");
}

#[test]
fn a_deep_expression_is_evaluated_on_a_query_thread() {
    let sum = vec!["id"; 400].join(" + ");
    let nested = format!("{}id{}", "(".repeat(90), ")".repeat(90));
    let text = format!(
        "{STREAM}CREATE STREAM t AS SELECT {sum} AS a, {nested} AS b FROM s;
INSERT INTO s (id) VALUES (1);
SELECT a, b FROM t EMIT CHANGES;
"
    );
    let case = Case::new().file("a.sql", &text);
    let ran = case.run(&["run", "a.sql", "--until-end", "--output", "csv"]).expect(0);
    assert_eq!(ran.out, "A,B\n400,1\n");
}

#[test]
fn extended_tells_who_reads_how_fast_and_how_far_behind() {
    let text = format!(
        "{STREAM}CREATE STREAM t AS SELECT id FROM s;
INSERT INTO s (ROWTIME, id) VALUES (1700000000000, 1);
SELECT id FROM t EMIT CHANGES LIMIT 1;
DESCRIBE s EXTENDED;
SHOW QUERIES EXTENDED;
SHOW TOPICS EXTENDED;
SHOW TABLES EXTENDED;
DESCRIBE STREAMS;
"
    );
    let ran = Case::new().pipe(&["repl", "--output", "csv"], &text).expect(0);
    for part in [
        "Stream S over topic s",
        "topic: s (1 partition, 1 replica)",
        "read by: CSAS_T",
        "Query CSAS_T",
        "state: RUNNING",
        "records: 1 in, ",
        "last event: 2023-11-14T22:13:20",
        // The transaction's marker takes an offset too.
        "partition 0: from 0 to ",
        "in group alcedo-default-CSAS_T",
        "s,1,1,delete,",
        "There is no table.",
        "Stream T over topic T",
    ] {
        assert!(ran.out.contains(part), "missing {part:?} in\n{}", ran.out);
    }
}

#[test]
fn columns_are_read_off_the_records_once() {
    let case = Case::new();
    let first = "\
CREATE STREAM lines (k VARCHAR KEY, line VARCHAR) WITH (kafka_topic='t', value_format='KAFKA', partitions=2);
INSERT INTO lines VALUES ('a', '{\"id\":1,\"temp\":20,\"tags\":[\"x\"]}');
INSERT INTO lines VALUES ('b', '{\"id\":2,\"temp\":21.5,\"pos\":{\"x\":1}}');
INSERT INTO lines VALUES ('b', 'no json');
";
    case.pipe(&["repl", "--data", "d"], first).expect(0);
    let infer = "CREATE STREAM s WITH (kafka_topic='t', value_format='JSON', infer_schema=true);\n";
    let ran = case
        .pipe(
            &["repl", "--data", "d", "--output", "csv"],
            &format!("{infer}SELECT rowkey, temp, pos->x FROM s WHERE id = 2;\n"),
        )
        .expect(0);
    assert_eq!(ran.out, "ROWKEY,TEMP,X\nb,21.5,1\n");
    ran.says("from 2 records: CREATE STREAM S (ROWKEY STRING KEY, ID BIGINT, TEMP DOUBLE, TAGS ARRAY<STRING>, ")
        .says("POS STRUCT<X BIGINT>)");
    // Later records do not change what was settled on, in a new session or in a file.
    let more = "INSERT INTO lines VALUES ('c', '{\"id\":\"three\",\"new\":1}');\nDESCRIBE s;\n";
    let ran = case.pipe(&["repl", "--data", "d", "--output", "csv"], more).expect(0);
    assert!(ran.out.contains("ID,BIGINT") && !ran.out.contains("NEW"), "{}", ran.out);
    std::fs::write(case.path("a.sql"), infer).unwrap();
    case.run(&["run", "a.sql", "--data", "d", "--until-end"]).expect(0);
    std::fs::write(
        case.path("a.sql"),
        "CREATE STREAM e WITH (kafka_topic='none', value_format='JSON', infer_schema=true);",
    )
    .unwrap();
    case.run(&["run", "a.sql", "--until-end"]).expect(3).says("topic `none` does not exist");
}

#[test]
fn keys_and_bare_values_are_found_and_what_records_do_not_agree_on_is_told() {
    let text = "\
CREATE STREAM a (k INT KEY, v VARCHAR) WITH (kafka_topic='a', value_format='KAFKA');
CREATE STREAM b (k VARCHAR KEY, v VARCHAR) WITH (kafka_topic='b', value_format='KAFKA');
CREATE STREAM c (k VARCHAR KEY, v VARCHAR) WITH (kafka_topic='c', value_format='KAFKA');
INSERT INTO a VALUES (5, '{\"mix\":1,\"gone\":null}');
INSERT INTO a VALUES (6, '{\"mix\":\"x\"}');
INSERT INTO b VALUES ('press-1', '23.5');
INSERT INTO b VALUES ('press-2', '7');
INSERT INTO c VALUES ('{\"site\":\"x\"}', '{\"id\":1}');
CREATE STREAM ints WITH (kafka_topic='a', value_format='JSON', infer_schema=true);
CREATE STREAM bare WITH (kafka_topic='b', value_format='JSON', infer_schema=true);
CREATE STREAM objects WITH (kafka_topic='c', format='JSON', infer_schema=true);
SELECT * FROM ints;
SELECT * FROM bare;
SELECT rowkey->site, id FROM objects;
CREATE STREAM none (v INT) WITH (kafka_topic='none', value_format='JSON');
CREATE STREAM nothing WITH (kafka_topic='none', value_format='JSON', infer_schema=true);
";
    let ran = Case::new().pipe(&["repl", "--output", "csv"], text).expect(1);
    assert_eq!(ran.out, "ROWKEY,MIX,GONE\n5,1,\n6,x,\nROWKEY,ROWVAL\npress-1,23.5\npress-2,7.0\nSITE,ID\nx,1\n");
    ran.says("MIX holds values of several kinds, and is taken for a STRING")
        .says("GONE is null in all of them, and is taken for a STRING")
        .says("(ROWKEY INTEGER KEY, MIX STRING, GONE STRING)")
        .says("(ROWKEY STRING KEY, ROWVAL DOUBLE) WITH (KAFKA_TOPIC = 'b', VALUE_FORMAT = 'JSON', WRAP_SINGLE_VALUE = FALSE)")
        .says("INFER_SCHEMA finds no JSON in topic none")
        .says("it holds no record");
}

#[test]
fn types_and_added_columns_come_back_and_what_is_there_is_not_added_twice() {
    let case = Case::new();
    let first = "CREATE TYPE point AS STRUCT<x INT, y INT>;
CREATE STREAM s (id INT, p point) WITH (kafka_topic='s', value_format='JSON', partitions=1);
ALTER STREAM s ADD COLUMN z point;
ALTER STREAM s ADD COLUMN w INT;
INSERT INTO s VALUES (1, STRUCT(x := 1, y := 2), STRUCT(x := 3, y := 4), 5);
DROP TYPE point;
";
    let ran = case.pipe(&["repl", "--data", "d"], first).expect(0);
    let shown = format!("{}{}", ran.out, ran.err);
    for text in
        ["Created type POINT", "Altered stream S.", "Dropped type POINT; it comes back with S, whose statements"]
    {
        assert!(shown.contains(text), "{text}\n{shown}");
    }
    let second = "SELECT id, p->x AS x, z->y AS y, w FROM s EMIT CHANGES LIMIT 1;\n";
    let ran = case.pipe(&["repl", "--data", "d", "--output", "csv"], second).expect(0);
    assert_eq!(ran.out, "ID,X,Y,W\n1,1,4,5\n");
    case.pipe(&["repl", "--data", "d"], "ALTER STREAM s ADD COLUMN w INT;\n")
        .expect(1)
        .says("S has a column W already");
    case.pipe(&["repl", "--data", "d"], "CREATE TYPE point AS INT;\n").expect(1).says("type POINT exists already");
    let dropped = "DROP STREAM s;\nDROP TYPE point;\nDROP TYPE IF EXISTS point;\nSHOW TYPES;\n";
    let ran = case.pipe(&["repl", "--data", "d", "--output", "csv"], dropped).expect(0);
    assert_eq!(ran.out, "Type,Stands for\n");
}
