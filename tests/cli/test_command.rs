//! `alcedo test`.

use crate::harness::Case;

const CASES: &str = r#"{"tests": [
  {"name": "passes", "format": ["JSON", "DELIMITED"], "statements": [
     "CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON');",
     "CREATE STREAM t WITH (value_format='{FORMAT}', kafka_topic='{FORMAT}') AS SELECT k, v + 1 AS w FROM s;"],
   "inputs": [{"topic": "s", "key": "a", "value": {"v": 1}, "timestamp": 7}],
   "outputs": [{"topic": "JSON", "key": "a", "value": {"W": 2}, "timestamp": 7}]},
  {"name": "differs", "statements": [
     "CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON');",
     "CREATE STREAM t AS SELECT k, v FROM s;"],
   "inputs": [{"topic": "s", "key": "a", "value": {"v": 1}}, {"topic": "s", "key": "b", "value": {"v": 2}}],
   "outputs": [{"topic": "T", "key": "a", "value": {"V": 1}}, {"topic": "T", "key": "b", "value": {"V": 3}}]},
  {"name": "is refused", "statements": ["CREATE STREAM s (v INT) WITH (kafka_topic='s');"],
   "expectedException": {"type": "KsqlException", "message": "missing the 'VALUE_FORMAT' property"}},
  {"name": "is not refused", "statements": ["CREATE STREAM s (v INT) WITH (kafka_topic='s', value_format='JSON');"],
   "expectedException": {"message": "anything"}},
  {"name": "is for later", "statements": ["CREATE STREAM s (v INT) WITH (kafka_topic='s', value_format='AVRO');"]}
]}"#;

#[test]
fn failures_are_shown_side_by_side_and_counted() {
    let case = Case::new().file("a.json", CASES);
    let ran = case.run(&["test", "."]).expect(1);
    let differs = "FAIL a.json - differs
     topic T, record 2: value.V: expected 3, found 2
     expected    | found
     \"a\" {\"V\":1} | \"a\" {\"V\":1} @0
   > \"b\" {\"V\":3} | \"b\" {\"V\":2} @0
";
    // With DELIMITED nothing arrives on the topic JSON.
    assert!(ran.out.contains(differs), "{}", ran.out);
    assert!(ran.out.contains("a.json - is not refused\n     the last statement was accepted"), "{}", ran.out);
    assert!(ran.out.ends_with("2 passed, 3 failed, 1 skipped\n"), "{}", ran.out);
    let one = case.run(&["test", ".", "--filter", "passes - JSON", "--mode", "single"]).expect(0);
    assert_eq!(one.out, "1 passed, 0 failed, 0 skipped\n");
    let fast = case.run(&["test", ".", "--fail-fast"]).expect(1);
    assert!(fast.out.ends_with("1 passed, 1 failed, 0 skipped\n"), "{}", fast.out);
    case.run(&["test", "nowhere"]).expect(2).says("nowhere cannot be read");
}

#[test]
fn the_report_is_a_line_for_each_case() {
    let case = Case::new().file("a.json", CASES);
    let ran = case.run(&["test", "a.json", "--report", "json", "--filter", "is refused"]).expect(0);
    let line = r#"{"file":"a.json","case":"is refused","format":"","config":"","kind":"refused","result":"pass","reason":"VALUE_FORMAT is missing, at `s`","message_matches":true}"#;
    assert_eq!(ran.out, format!("{line}\n1 passed, 0 failed, 0 skipped\n"));
}
