//! Several processes of one service, and brokers that stay away.

use crate::harness::{Case, Live};

const COPY: &str = "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON', partitions=4);
CREATE STREAM t AS SELECT id FROM s;
";

fn broker(case: &Case) -> (Live, String) {
    let broker = case.spawn(&["broker", "--listen", "127.0.0.1:0"]);
    let address = broker.address("broker listens on ");
    (broker, address)
}

fn feed(range: std::ops::Range<u32>) -> String {
    let mut text = COPY.lines().next().unwrap_or_default().to_string();
    range.for_each(|id| text += &format!("\nINSERT INTO s (id) VALUES ({id});"));
    text
}

#[test]
fn processes_of_one_service_never_repeat_an_output_even_when_one_is_killed() {
    let read =
        "CREATE STREAM x (id INTEGER) WITH (kafka_topic='T', value_format='JSON');\nSELECT id FROM x EMIT CHANGES";
    let case = Case::new()
        .variable("ALCEDO_SESSION_TIMEOUT_MS", "2000")
        .file("a.sql", COPY)
        .file("one.sql", &feed(0..100))
        .file("two.sql", &feed(100..200))
        .file("wait.sql", &format!("{read} LIMIT 200;"))
        .file("all.sql", &format!("{read};"));
    let (_broker, address) = broker(&case);
    let start = || case.spawn(&["run", "a.sql", "-b", &address, "--from", "earliest"]);
    let feed = |file| case.spawn(&["run", file, "-b", &address, "--service-id", "feed"]);
    let first = start();
    first.wait_err("running: ");
    let second = start();
    second.wait_err("running: ");
    let feeding = feed("one.sql");
    feeding.wait_err("Inserted 1 row");
    first.signal("KILL");
    feeding.finish().expect(0);
    feed("two.sql").finish().expect(0);
    let read = |file| ["run", file, "-b", &address, "--service-id", "see", "--from", "earliest", "--output", "json"];
    let first_rows = case.run(&read("wait.sql")).expect(0);
    assert_eq!(first_rows.sorted().len(), 200);
    second.signal("INT");
    second.finish().expect(0);
    let all = case.run(&[&read("all.sql")[..], &["--until-end"]].concat()).expect(0);
    let mut wanted: Vec<String> = (0..200).map(|id| format!("{{\"ID\":{id}}}")).collect();
    wanted.sort();
    assert_eq!(all.sorted(), wanted);
}

#[test]
fn a_stop_without_a_broker_ends_in_time_and_says_what_was_not_committed() {
    let case = Case::new().file("a.sql", COPY);
    let (broker, address) = broker(&case);
    let query = case.spawn(&["run", "a.sql", "-b", &address]);
    query.wait_err("running: ");
    broker.signal("KILL");
    broker.finish();
    let asked = std::time::Instant::now();
    query.signal("INT");
    let ran = query.finish();
    assert!(asked.elapsed() < std::time::Duration::from_secs(15), "{:?}", asked.elapsed());
    assert!(ran.code == 0 || ran.code == 3, "{}\n{}", ran.code, ran.err);
    assert_eq!(ran.code == 3, ran.err.contains("no commit in time"), "{}", ran.err);
}
