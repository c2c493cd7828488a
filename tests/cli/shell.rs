//! The shell, statements from a pipe: no prompt, and the first error ends it.

use crate::harness::Case;

#[test]
fn the_first_error_of_a_pipe_ends_it_with_1() {
    let ran = Case::new().pipe(&["repl", "--output", "csv"], "SHOW STREAMS;\nSHOW NONSENSE;\nSHOW TOPICS;\n").expect(1);
    assert_eq!(
        ran.out,
        "Stream,Topic,Key format,Value format\nKSQL_PROCESSING_LOG,default_ksql_processing_log,KAFKA,JSON\n"
    );
}

#[test]
fn streams_and_queries_of_a_folder_come_back() {
    let case = Case::new();
    let first = "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON');
CREATE STREAM t AS SELECT id FROM s;
CREATE STREAM u AS SELECT id FROM t;
INSERT INTO s (id) VALUES (1);\n";
    case.pipe(&["repl", "--data", "d"], first).expect(0).says("stopping CSAS_T").says("--data d");
    let second = "INSERT INTO s (id) VALUES (2);\nSELECT id FROM t EMIT CHANGES LIMIT 2;\nDROP STREAM t;\n";
    let ran = case.pipe(&["repl", "--data", "d", "--output", "json"], second).expect(1);
    assert_eq!(ran.out, "{\"ID\":1}\n{\"ID\":2}\n");
    // In use by another query: DROP says so. Its own query ends with it.
    ran.says("read by CSAS_U");
    let third = "TERMINATE CSAS_U;\nDROP STREAM t;\nSHOW STREAMS;\n";
    let ran = case.pipe(&["repl", "--data", "d", "--output", "csv"], third).expect(0);
    assert_eq!(
        ran.out,
        "Stream,Topic,Key format,Value format\nKSQL_PROCESSING_LOG,default_ksql_processing_log,KAFKA,JSON\nS,s,KAFKA,JSON\nU,U,KAFKA,JSON\n"
    );
}

#[test]
fn what_stops_with_the_shell_is_named_connectors_too() {
    let text = "CREATE SOURCE CONNECTOR sensors WITH ('connector.class'='datagen', 'kafka.topic'='r', 'rate'='10');\n";
    Case::new().pipe(&["repl"], text).expect(0).says("stopping connector SENSORS; ");
    let query = "CREATE STREAM r (id INTEGER) WITH (kafka_topic='r', value_format='JSON');
CREATE STREAM t AS SELECT id FROM r;\n";
    let ran = Case::new().pipe(&["repl"], &format!("{text}{query}")).expect(0);
    ran.says("stopping CSAS_T, connector SENSORS; ");
}

#[test]
fn fields_of_json_stand_in_the_order_of_the_select_and_of_the_declaration() {
    let text = "CREATE STREAM s (z INTEGER, a STRUCT<y INTEGER, b STRING>) WITH (kafka_topic='s', value_format='JSON');
INSERT INTO s VALUES (1, STRUCT(y := 2, b := 'x'));
SELECT z, a, z + 1 AS m, a->b AS c FROM s EMIT CHANGES LIMIT 1;
PRINT 's' FROM BEGINNING LIMIT 1;
SHOW QUERIES; SHOW STREAMS;\n";
    let ran = Case::new().pipe(&["repl", "--output", "json"], text).expect(0);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[0], r#"{"Z":1,"A":{"Y":2,"B":"x"},"M":2,"C":"x"}"#);
    let topic = r#""Topic":"default_ksql_processing_log","Key format":"KAFKA","Value format":"JSON"}"#;
    assert_eq!(lines[lines.len() - 2], format!("{{\"Stream\":\"KSQL_PROCESSING_LOG\",{topic}"), "{}", ran.out);
}

#[test]
fn a_pipe_is_read_statement_by_statement() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};
    let case = Case::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_alcedo"))
        .args(["--output", "csv"])
        .current_dir(case.path("."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    // The answer comes while the pipe is still open.
    stdin.write_all(b"SHOW\n VARIABLES;\nSHOW TYP").expect("it reads");
    assert_eq!(lines.next().expect("it answers").expect("text"), "Variable,Value");
    stdin.write_all(b"ES;\n").expect("it reads");
    assert_eq!(lines.next().expect("it answers").expect("text"), "Type,Stands for");
    drop(stdin);
    assert!(lines.next().is_none());
    assert!(child.wait().expect("it is ours").success());
}

#[test]
fn a_place_in_a_pipe_counts_from_its_start_and_nothing_is_said_that_only_a_user_wants() {
    let text = "-- a comment\nSHOW TYPES;\nSELECT *\n  FROM nothing EMIT CHANGES;\n";
    let ran = Case::new().pipe(&["--output", "csv"], text).expect(1);
    assert_eq!(ran.out, "Type,Stands for\n");
    let expected = "error: unknown stream or table NOTHING
 --> line 4, column 8
  |
4 |   FROM nothing EMIT CHANGES;
  |        ^^^^^^^
";
    let (first, rest) = ran.err.split_once('\n').expect("two lines at least");
    assert!(first.contains("topics in memory, gone at the end"), "{first}");
    assert_eq!(rest, expected);
}
