//! What statements ask of topics: that they are of this shape, of this kind, or gone.

use crate::harness::Case;

const STREAM: &str = "CREATE STREAM s (k VARCHAR KEY, id INT) WITH (kafka_topic='s', value_format='JSON', partitions=2, retention_ms=60000);\n";

#[test]
fn a_topic_of_another_shape_is_refused_at_the_property_that_asks_for_one() {
    let case = Case::new();
    for (statement, says, place) in [
        (
            "WITH (kafka_topic='s', value_format='JSON', partitions=3)",
            "topic s has 2 partitions, the statement says 3",
            82,
        ),
        (
            "WITH (kafka_topic='s', value_format='JSON', retention_ms=1)",
            "topic s has retention.ms = 60000, the statement says 1",
            82,
        ),
    ] {
        let input =
            format!("{STREAM}CREATE STREAM other (k VARCHAR KEY, id INT)\n    {}{statement};\n", " ".repeat(33));
        case.pipe(&["repl"], &input).expect(1).says(says).says(&format!("line 3, column {place}"));
    }
    let sink = format!("{STREAM}CREATE STREAM c WITH (kafka_topic='s', partitions=1) AS SELECT * FROM s;\n");
    case.pipe(&["repl"], &sink)
        .expect(1)
        .says("topic s has 2 partitions, the statement says 1")
        .says("line 2, column 40");
    // What is the same, and what the embedded broker cannot have, is taken.
    let same = format!(
        "{STREAM}CREATE STREAM b (id INT) WITH (kafka_topic='s', value_format='JSON', partitions=2, retention_ms=60000, \
         replicas=3, sourced_by_connector='c');\n"
    );
    case.pipe(&["repl"], &same).expect(0);
}

#[test]
fn the_topics_of_tables_are_compacted() {
    let text = "CREATE TABLE t (k VARCHAR PRIMARY KEY, id INT) WITH (kafka_topic='t', value_format='JSON');
CREATE TABLE w (k VARCHAR PRIMARY KEY, id INT) WITH (kafka_topic='w', value_format='JSON', window_type='SESSION', retention_ms=5000);
CREATE TABLE c AS SELECT * FROM t;
CREATE STREAM s (k VARCHAR KEY, id INT) WITH (kafka_topic='s', value_format='JSON');
INSERT INTO t VALUES ('a', 1);
INSERT INTO t VALUES ('a', 2);
SELECT k, id FROM c EMIT CHANGES LIMIT 2;
SHOW TOPICS EXTENDED;
";
    let ran = Case::new().pipe(&["repl", "--output", "csv"], text).expect(0);
    assert!(ran.out.starts_with("K,ID\na,1\na,2\n"), "{}", ran.out);
    for line in ["C,1,1,compact,", "t,1,1,compact,2,", "w,1,1,\"compact,delete\",", "s,1,1,delete,"] {
        assert!(ran.out.lines().any(|found| found.starts_with(line)), "missing {line}\n{}", ran.out);
    }
}

#[test]
fn a_topic_that_others_stand_for_is_not_deleted() {
    let made = format!("{STREAM}CREATE SOURCE STREAM other (id INT) WITH (kafka_topic='s', value_format='JSON');\n");
    let case = Case::new();
    let refused = |statement: &str, says: &str| {
        case.pipe(&["repl"], &format!("{made}{statement}\n")).expect(1).says("topic s cannot be deleted").says(says);
    };
    refused("DROP STREAM s DELETE TOPIC;", "OTHER stands for it too");
    refused("DROP STREAM other DELETE TOPIC;", "OTHER was created as a SOURCE");
    let both =
        format!("{made}DROP STREAM other;\nDROP STREAM s DELETE TOPIC;\nASSERT NOT EXISTS TOPIC s;\nSHOW TOPICS;\n");
    let ran = case.pipe(&["repl", "--output", "csv"], &both).expect(0);
    ran.says("Dropped stream S and deleted topic s.").says("Topic s does not exist, as asserted.");
}
