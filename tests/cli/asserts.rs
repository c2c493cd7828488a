//! `ASSERT` in files and in the shell.

use crate::harness::Case;

const STREAM: &str =
    "CREATE STREAM s (id INT KEY, v STRING) WITH (kafka_topic='s', value_format='JSON', partitions=2);\n";

#[test]
fn what_holds_lets_a_file_go_on() {
    let text = format!(
        "{STREAM}ASSERT STREAM s (id INT KEY, v STRING) WITH (kafka_topic='s', value_format='JSON');
ASSERT TOPIC s WITH (PARTITIONS=2, REPLICAS=1) TIMEOUT 5 SECONDS;
ASSERT NOT EXISTS TOPIC nowhere;
INSERT INTO s VALUES (1, 'a');
SELECT id FROM s EMIT CHANGES LIMIT 1;
"
    );
    let ran = Case::new().file("a.sql", &text).run(&["run", "a.sql", "--output", "csv"]).expect(0);
    assert_eq!(ran.out, "ID\n1\n");
}

#[test]
fn a_topic_that_is_not_as_asserted_stops_the_file() {
    let text = format!("{STREAM}ASSERT TOPIC s WITH (PARTITIONS=3) TIMEOUT 200 MILLISECONDS;\nSHOW STREAMS;\n");
    let ran = Case::new().file("a.sql", &text).run(&["run", "a.sql"]).expect(1);
    assert_eq!(ran.out, "");
    ran.says("topic s has 2 partitions, expected 3").says("a.sql:2:33").says("not reached: SHOW STREAMS");
    let there = format!("{STREAM}ASSERT NOT EXISTS TOPIC s TIMEOUT 1 MILLISECOND;\n");
    Case::new().file("a.sql", &there).run(&["run", "a.sql"]).expect(1).says("topic s exists").says("a.sql:2:25");
}

#[test]
fn an_interrupt_ends_the_wait_for_a_topic() {
    let text = format!("{STREAM}ASSERT TOPIC nowhere TIMEOUT 1 HOUR;\nSHOW STREAMS;\n");
    let case = Case::new().file("a.sql", &text);
    let live = case.spawn(&["run", "a.sql"]);
    live.address("broker on 127.0.0.1:");
    live.signal("INT");
    let ran = live.finish().expect(1);
    ran.says("topic nowhere does not exist").says("s before its timeout").says("not reached: SHOW STREAMS");
}

#[test]
fn a_stream_that_is_another_stops_the_file_before_anything_starts() {
    let text = format!("{STREAM}ASSERT STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON');\n");
    let ran = Case::new().file("a.sql", &text).run(&["run", "a.sql"]).expect(1);
    ran.says("the schema of S is not as expected")
        .says("expected ID INTEGER KEY, V INTEGER, found ID INTEGER KEY, V STRING")
        .says("a.sql:2:18");
    let table = format!("{STREAM}ASSERT TABLE s (id INT PRIMARY KEY) WITH (kafka_topic='s', value_format='JSON');\n");
    let ran = Case::new().pipe(&["repl", "--output", "json"], &table).expect(1);
    ran.says(r#""code":"assertion_failed""#).says("the type of S is not as expected");
}

#[test]
fn asserts_that_a_session_cannot_judge_are_refused_by_name() {
    let values = format!("{STREAM}ASSERT VALUES s (id) VALUES (1);\n");
    Case::new().pipe(&["repl"], &values).expect(1).says("ASSERT of records is for files of tests").says("alcedo test");
    Case::new().pipe(&["repl"], "ASSERT SCHEMA SUBJECT a;\n").expect(1).says("ASSERT SCHEMA is not supported yet");
}
