//! What a check finds, on files.

use super::*;
use crate::session::Engine;

fn check(text: &str) -> Vec<Checked> {
    let engine = Engine::builder().plans_only().start().expect("nothing is started");
    let mut session = engine.session();
    session.define("topic", "t").expect("a good name");
    session.check(&SourceText { name: "f.sql".to_string(), text: text.to_string() })
}

/// A word a statement: `ok`, `error`, `unsupported`, or what it depends on.
fn verdicts(text: &str) -> Vec<String> {
    let word = |checked: &Checked| match &checked.verdict {
        Verdict::Ok => "ok".to_string(),
        Verdict::Error(error) => format!("error: {}", error.message()),
        Verdict::Unsupported(error) => format!("unsupported: {}", error.message()),
        Verdict::NotChecked(names) => format!("depends on {}", names.join(", ")),
    };
    check(text).iter().map(word).collect()
}

const STREAM: &str =
    "CREATE STREAM s (id INT KEY, v DOUBLE) WITH (kafka_topic='s', value_format='JSON', partitions=1);\n";

#[test]
fn statements_build_on_each_other_and_nothing_runs() {
    let text = format!(
        "{STREAM}CREATE STREAM t WITH (kafka_topic='${{topic}}') AS SELECT id, v * 2 AS w FROM s;
INSERT INTO s (id, v) VALUES (1, 2.0);
SELECT w FROM t EMIT CHANGES;
DEFINE name = 'T';
DESCRIBE ${{name}};
PRINT 't' FROM BEGINNING;
TERMINATE CSAS_T;
DROP STREAM t;
SHOW STREAMS;"
    );
    assert_eq!(verdicts(&text), ["ok"; 10]);
}

#[test]
fn an_error_has_its_place_in_the_file_and_the_check_goes_on() {
    let text = format!("{STREAM}SELECT idd FROM s EMIT CHANGES;\nSELECT FORM s;\nSELECT id FROM s EMIT CHANGES;");
    let checked = check(&text);
    let Verdict::Error(error) = &checked[1].verdict else { panic!("{:?}", checked[1]) };
    let span = error.span().expect("it has a place");
    assert_eq!(&text[span.start..span.end], "idd");
    assert!(matches!(checked[2].verdict, Verdict::Error(_)));
    assert!(matches!(checked[3].verdict, Verdict::Ok));
}

#[test]
fn a_query_that_feeds_itself_deserves_a_look() {
    let text = format!(
        "{STREAM}CREATE STREAM t AS SELECT * FROM s;
CREATE STREAM again (id INT KEY, v DOUBLE) WITH (kafka_topic='s', value_format='JSON');
INSERT INTO again SELECT * FROM t;
INSERT INTO s SELECT * FROM s;"
    );
    let checked = check(&text);
    assert!(checked[..3].iter().all(|checked| !format!("{:?}", checked.notes).contains("round")));
    let warning = |text: &str| [Note::Warning(text.to_string())];
    let through = "reads what it writes, through CSAS_T: a row that passes goes round without end";
    assert_eq!(checked[3].notes, warning(through));
    assert_eq!(checked[4].notes, warning("reads what it writes: a row that passes goes round without end"));
}

#[test]
fn one_statement_that_is_not_supported_does_not_drown_the_rest() {
    let text = format!(
        "{STREAM}CREATE TABLE counts AS SELECT id, COUNT(*) AS n FROM s GROUP BY id EMIT CHANGES;
CREATE STREAM high AS SELECT * FROM counts WHERE n > 3 EMIT CHANGES;
SELECT * FROM high EMIT CHANGES;
TERMINATE CTAS_COUNTS_3;
INSERT INTO high SELECT id FROM s;
SELECT id FROM s EMIT CHANGES;"
    );
    let expected = [
        "ok",
        "unsupported: GROUP BY is not supported yet",
        "depends on COUNTS",
        "depends on HIGH",
        "depends on COUNTS",
        "depends on HIGH",
        "ok",
    ];
    let found = verdicts(&text);
    // CREATE TABLE ... AS SELECT may be refused as a whole first.
    assert!(found[1].starts_with("unsupported: "), "{found:?}");
    assert_eq!((&found[0], &found[2..]), (&expected[0].to_string(), &expected.map(String::from)[2..]));
}

#[test]
fn columns_of_a_stream_that_cannot_be_created_are_known_all_the_same() {
    let text = "CREATE STREAM a (id INT, v DOUBLE) WITH (kafka_topic='a', value_format='AVRO');
SELECT v * 2 FROM a EMIT CHANGES;
SELECT w FROM a EMIT CHANGES;";
    let checked = check(text);
    assert!(
        matches!(&checked[0].verdict, Verdict::Unsupported(error) if error.message() == "format AVRO is not supported yet")
    );
    assert!(matches!(checked[1].verdict, Verdict::Ok));
    let said = format!("{:?}", checked[1].notes);
    assert!(said.contains("needs A, which the statement in line 1 does not create yet"), "{said}");
    assert!(matches!(&checked[2].verdict, Verdict::Error(error) if error.message() == "unknown column W"));
}

#[test]
fn types_and_added_columns_of_statements_that_do_not_run_yet_are_known() {
    let text = "CREATE TYPE point AS STRUCT<x DOUBLE, y DOUBLE>;
CREATE STREAM p (id INT, place point) WITH (kafka_topic='p', value_format='JSON', partitions=1);
ALTER STREAM p ADD COLUMN z DOUBLE;
SELECT place->x, z FROM p EMIT CHANGES;
SELECT place->w FROM p EMIT CHANGES;";
    let found = verdicts(text);
    assert_eq!((&*found[1], &*found[3]), ("ok", "ok"), "{found:?}");
    assert!(found[4].starts_with("error: "), "{found:?}");
}

#[test]
fn a_statement_that_cannot_be_read_still_declares_its_name() {
    let text = "CREATE OR REPLACE TABLE IF NOT EXISTS t (id INT PRIMARY KEY, v DUBLE(3 WITH (x=1);
SELECT * FROM t EMIT CHANGES;
SELECT * FROM u EMIT CHANGES;";
    let found = verdicts(text);
    assert!(found[0].starts_with("error: "), "{found:?}");
    assert_eq!(found[1..], ["depends on T", "error: unknown stream or table U"]);
}

#[test]
fn functions_of_ksqldb_that_are_missing_differ_from_unknown_ones() {
    let text = format!(
        "{STREAM}SELECT GEO_DISTANCE(v, v, v, v) FROM s EMIT CHANGES;\nSELECT NONSENSE(v) FROM s EMIT CHANGES;"
    );
    let found = verdicts(&text);
    // It is an error no more when the function is there.
    assert!(found[1] == "unsupported: function GEO_DISTANCE is not supported yet" || found[1] == "ok", "{found:?}");
    assert!(found[2].starts_with("error: unknown function NONSENSE"), "{found:?}");
}

#[test]
fn a_function_that_the_file_makes_is_not_unknown() {
    let text = format!(
        "{STREAM}CREATE OR REPLACE FUNCTION twice FROM 'udfs/twice/src/lib.rs';
CREATE STREAM d AS SELECT id, TWICE(v) AS w FROM s;
SELECT * FROM d EMIT CHANGES;"
    );
    let found = verdicts(&text);
    // The file of its source is not there: nothing looks for it.
    assert_eq!(found[1..], ["ok", "depends on TWICE", "depends on D"], "{found:?}");
}

#[test]
fn columns_that_would_be_read_off_records_are_not_looked_for() {
    let text = "CREATE STREAM j WITH (kafka_topic='j', value_format='JSON', infer_schema=true);
SELECT * FROM j EMIT CHANGES;";
    assert_eq!(verdicts(text), ["ok", "depends on J"]);
}

#[test]
fn properties_of_java_are_translated_or_refused_and_said_so() {
    let text = "SET 'ksql.streams.auto.offset.reset' = 'earliest';
SET 'ksql.streams.consumer.max.poll.records' = '100';
SET 'ksql.streams.num.stream.threads' = '4';
SET 'ksql.schema.registry.url' = 'http://x';
SET 'ksql.strems.auto.offset.reset' = 'earliest';";
    let checked = check(text);
    let notes: Vec<String> = checked.iter().map(|checked| format!("{:?}", checked.notes)).collect();
    assert_eq!(notes[0], "[]");
    assert!(notes[1].contains("Differs") && notes[1].contains("is 'batch.rows' here"), "{}", notes[1]);
    assert!(notes[2].contains("Warning") && notes[2].contains("has no meaning here, because"), "{}", notes[2]);
    assert!(matches!(checked[3].verdict, Verdict::Unsupported(_)));
    assert!(matches!(checked[4].verdict, Verdict::Error(_)));
}

#[test]
fn a_statement_on_several_lines_is_shown_without_values_of_the_environment() {
    // `PATH` is set wherever tests run.
    let checked = check(&format!("{STREAM}SELECT id FROM s WHERE '${{env:PATH}}' = x EMIT CHANGES;"));
    let path = std::env::var("PATH").expect("it is set");
    assert!(checked[1].statement.contains("${env:PATH}"));
    assert!(!format!("{:?}", checked[1]).contains(&path));
}
