//! Where the value of a setting comes from.

use crate::harness::Case;

#[test]
fn set_wins_over_flags_over_the_environment_over_the_file_over_defaults() {
    let case = Case::new()
        .variable("ALCEDO_BATCH_ROWS", "6")
        .variable("ALCEDO_SERVICE_ID", "environment")
        .variable("ALCEDO_SESSION_TIMEOUT_MS", "5000")
        .file("c.conf", "commit.interval.ms=70\nbatch.rows=5\nsasl.password=hunter2\n")
        .file("a.sql", "SET 'batch.rows' = '7'; SHOW PROPERTIES;");
    let flags = ["--config", "c.conf", "--from", "latest", "--service-id", "plant", "--output", "csv"];
    let ran = case.run(&[&["run", "a.sql"], &flags[..]].concat()).expect(0);
    for line in [
        "auto.offset.reset,latest,flag",
        "batch.rows,7,SET",
        "commit.interval.ms,70,config file",
        "processing.guarantee,exactly_once_v2,default",
        "service.id,plant,flag",
        "session.timeout.ms,5000,environment",
        "sasl.password,********,config file",
    ] {
        assert!(ran.out.lines().any(|found| found == line), "missing {line}\n{}", ran.out);
    }
}

#[test]
fn variables_come_from_define_and_backslashes_end_lines() {
    let text =
        "CREATE STREAM s (id INTEGER) \\\nWITH (kafka_topic='${topic}', \\\nvalue_format='JSON'); \\\nSHOW TOPICS;";
    let case = Case::new().file("a.sql", text);
    let ran = case.run(&["run", "a.sql", "--define", "topic=cars", "--output", "csv"]).expect(0);
    assert_eq!(ran.out, "Topic,Partitions,Replicas\ncars,1,1\ndefault_ksql_processing_log,1,1\n");
}
