//! Processes that run: signals, closed outputs, clusters, brokers that come and go.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::CHAIN;
use crate::harness::{Case, Live};

fn broker(case: &Case, listen: &str) -> (Live, String) {
    let broker = case.spawn(&["broker", "--data", "cluster", "--listen", listen]);
    let address = broker.address("broker listens on ");
    (broker, address)
}

#[test]
fn a_signal_ends_everything_with_a_commit() {
    let case = Case::new().file("a.sql", &format!("{CHAIN}SELECT id FROM bigger EMIT CHANGES;"));
    for signal in ["INT", "TERM"] {
        let live = case.spawn(&["run", "a.sql", "--output", "json", "--stats", "json"]);
        live.wait_out("{\"ID\":2}").signal(signal);
        let ran = live.finish().expect(0);
        assert_eq!(ran.out, "{\"ID\":2}\n");
        ran.says("{\"query\":\"CSAS_BIG\",\"state\":\"").says("\"records_in\":3,\"records_out\":2,\"bad\":0,");
    }
}

#[test]
fn a_closed_standard_output_ends_quietly() {
    let mut text = "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON');\n".to_string();
    for id in 0..20 {
        text += &format!("INSERT INTO s (id) VALUES ({id});\n");
    }
    // Two queries: the rows of the second come when the first's reader is gone.
    text += "SELECT id FROM s EMIT CHANGES;\nCREATE STREAM t AS SELECT id FROM s;\nSELECT id FROM t EMIT CHANGES;\n";
    let case = Case::new().file("a.sql", &text);
    let mut command = Command::new(env!("CARGO_BIN_EXE_alcedo"));
    command.args(["run", "a.sql", "--output", "json", "--until-end"]).current_dir(case.path("."));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with('{'), "{line}");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(!err.contains("error") && !err.contains("panicked"), "{err}");
}

#[test]
fn a_cluster_has_its_own_rules_for_topics_and_starts() {
    let case = Case::new()
        .file("missing.sql", "CREATE STREAM s (id INTEGER) WITH (kafka_topic='none', value_format='JSON');")
        .file("make.sql", "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON', partitions=2);\nINSERT INTO s (id) VALUES (1);")
        .file("other.sql", "CREATE OR REPLACE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON', partitions=3);")
        .file("late.sql", "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON', partitions=2);\nSELECT id FROM s EMIT CHANGES;");
    let (_broker, address) = broker(&case, "127.0.0.1:0");
    case.run(&["run", "missing.sql", "-b", &address]).expect(1).says("topic none does not exist").says("PARTITIONS");
    case.run(&["run", "make.sql", "-b", &address]).expect(0);
    case.run(&["run", "other.sql", "-b", &address]).expect(1).says("topic s has 2 partitions, the statement says 3");
    let late = case.spawn(&["run", "late.sql", "-b", &address, "--output", "json"]);
    late.wait_err("starts at the end of topic s").wait_err("no new record in 2 s").wait_err("--from earliest");
    late.signal("INT");
    assert_eq!(late.finish().expect(0).out, "");
    let early = case.run(&["run", "late.sql", "-b", &address, "--from", "earliest", "--until-end", "--output", "json"]);
    assert_eq!(early.expect(0).out, "{\"ID\":1}\n");
}

#[test]
fn a_broker_that_comes_back_is_found_again_and_nothing_is_lost_or_repeated() {
    let case = Case::new()
        .file("a.sql", "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON', partitions=1);\nCREATE STREAM t AS SELECT id FROM s;\n")
        .file("feed.sql", "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON', partitions=1);\nINSERT INTO s (id) VALUES (1);\nINSERT INTO s (id) VALUES (2);\n")
        .file("wait.sql", "CREATE STREAM x (id INTEGER) WITH (kafka_topic='T', value_format='JSON');\nSELECT id FROM x EMIT CHANGES LIMIT 4;")
        .file("see.sql", "CREATE STREAM x (id INTEGER) WITH (kafka_topic='T', value_format='JSON');\nSELECT id FROM x EMIT CHANGES;");
    let (first, address) = broker(&case, "127.0.0.1:0");
    let query = case.spawn(&["run", "a.sql", "-b", &address, "--from", "earliest"]);
    query.wait_err("running: ");
    let feed = ["run", "feed.sql", "-b", &address, "--service-id", "feed"];
    case.run(&feed).expect(0);
    first.signal("KILL");
    first.finish();
    query.wait_err("lost the broker at ");
    let (_second, _) = broker(&case, &address);
    query.wait_err("is back");
    case.run(&feed).expect(0);
    let reader = |file| ["run", file, "-b", &address, "--service-id", "see", "--from", "earliest", "--output", "json"];
    let rows = case.run(&reader("wait.sql")).expect(0);
    assert_eq!(rows.sorted().len(), 4, "{}", rows.err);
    query.signal("INT");
    query.finish().expect(0);
    let all = case.run(&[&reader("see.sql")[..], &["--until-end"]].concat()).expect(0);
    assert_eq!(all.sorted(), ["{\"ID\":1}", "{\"ID\":1}", "{\"ID\":2}", "{\"ID\":2}"]);
}
