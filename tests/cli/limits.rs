//! Bounds and moments: memory, start times, a second signal, what others aborted.

use std::time::{Duration, Instant};

use super::CHAIN;
use rdkafka::TopicPartitionList;
use rdkafka::admin::NewPartitions;
use rdkafka::topic_partition_list::Offset;

use crate::conformance::client::{Producer, admin, create_with, options, wait, watermarks};
use crate::harness::Case;

#[test]
fn topics_in_memory_are_bounded_and_a_warning_comes_before_the_oldest_go() {
    let case = Case::new();
    let broker = case.spawn(&["broker", "--listen", "127.0.0.1:0", "--memory-topics", "2MB"]);
    let address = broker.address("broker listens on ");
    create_with(&address, "t", 1, &[]).expect("a topic");
    let producer = Producer::new(&address, &[]).expect("a producer");
    let values: Vec<String> = (0..5_000).map(|id| format!("{id} {}", "x".repeat(1_000))).collect();
    producer.put_all("t", 0, &values).expect("everything is acknowledged");
    let (earliest, latest) = watermarks(&address, "t", 0).expect("the ends of the topic");
    assert_eq!(latest, 5_000);
    assert!((2_500..4_500).contains(&earliest), "{earliest}: about 2 MB of 5 are kept");
    broker.wait_err("warning: ");
    broker.signal("INT");
    let ran = broker.finish().expect(0);
    assert_eq!(ran.err.matches("warning: ").count(), 1, "{}", ran.err);
}

#[test]
fn a_start_time_skips_what_is_older() {
    let text = "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON');
INSERT INTO s (ROWTIME, id) VALUES (1000, 1);
INSERT INTO s (ROWTIME, id) VALUES (5000, 2);
INSERT INTO s (ROWTIME, id) VALUES (9000, 3);
SELECT id, ROWTIME AS moment FROM s EMIT CHANGES;
";
    let case = Case::new().file("a.sql", text);
    for from in ["1970-01-01T00:00:05", "5000"] {
        let ran = case.run(&["run", "a.sql", "--from", from, "--until-end", "--output", "csv"]).expect(0);
        assert_eq!(ran.out, "ID,MOMENT\n2,5000\n3,9000\n");
    }
    case.run(&["run", "a.sql", "--from", "soon"]).expect(2).says("--from");
}

#[test]
fn a_second_signal_ends_at_once_with_130() {
    let case = Case::new().file("a.sql", &format!("{CHAIN}SELECT id FROM bigger EMIT CHANGES;"));
    let broker = case.spawn(&["broker", "--data", "cluster", "--listen", "127.0.0.1:0"]);
    let address = broker.address("broker listens on ");
    let live = case.spawn(&["run", "a.sql", "-b", &address, "--from", "earliest", "--output", "json"]);
    live.wait_out("{\"ID\":2}");
    // A broker that does not answer keeps the first signal's clean end waiting.
    broker.signal("STOP");
    let deadline = Instant::now() + Duration::from_secs(60);
    let code = loop {
        live.signal("INT");
        if let Some(code) = live.ended_within(Duration::from_millis(100)) {
            break code;
        }
        assert!(Instant::now() < deadline, "never ended");
    };
    broker.signal("CONT");
    assert_eq!(code, 130);
}

#[test]
fn what_another_producer_aborted_neither_shows_nor_delays_the_end() {
    let text = "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON', partitions=2);
CREATE STREAM t AS SELECT id FROM s;
SELECT id FROM t EMIT CHANGES;
";
    let case = Case::new().file("a.sql", text);
    let broker = case.spawn(&["broker", "--listen", "127.0.0.1:0"]);
    let address = broker.address("broker listens on ");
    create_with(&address, "s", 2, &[]).expect("a topic");
    let producer = Producer::transactional(&address, "other", &[]).expect("a producer");
    producer.begin().expect("a transaction");
    producer.put("s", 0, "{\"id\":1}").expect("a record");
    producer.commit().expect("a commit");
    producer.begin().expect("a transaction");
    producer.put("s", 0, "{\"id\":2}").expect("a record");
    producer.flush().expect("it is written");
    producer.abort().expect("an abort");
    let began = Instant::now();
    let ran = case.run(&["run", "a.sql", "-b", &address, "--until-end", "--output", "json"]).expect(0);
    assert_eq!(ran.out, "{\"ID\":1}\n");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_connector_that_is_dropped_frees_its_port() {
    let connector = "CREATE SOURCE CONNECTOR cars WITH ('connector.class'='mqtt-listener', 'listeners'='127.0.0.1:0', 'topic.regex.list'='t:.*');";
    let ran = Case::new().pipe(
        &["repl", "--output", "csv"],
        &format!("{connector}\nDROP CONNECTOR cars;\n{connector}\nSHOW CONNECTORS;\n"),
    );
    let ran = ran.expect(0);
    assert_eq!(ran.out.lines().count(), 2, "{}", ran.out);
    ran.says("Dropped connector CARS.");
}

#[test]
fn an_offset_that_is_gone_is_reported_and_reading_goes_on_at_the_first_that_is_there() {
    let text = "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE STREAM t AS SELECT id FROM s;
SELECT id FROM t EMIT CHANGES;
";
    let case = Case::new().file("a.sql", text);
    let broker = case.spawn(&["broker", "--listen", "127.0.0.1:0"]);
    let address = broker.address("broker listens on ");
    create_with(&address, "s", 1, &[]).expect("a topic");
    let producer = Producer::new(&address, &[]).expect("a producer");
    let run = ["run", "a.sql", "-b", &address, "--until-end", "--output", "json"];
    producer.put_all("s", 0, &["{\"id\":0}", "{\"id\":1}"]).expect("two records");
    case.run(&run).expect(0);
    let more: Vec<String> = (2..6).map(|id| format!("{{\"id\":{id}}}")).collect();
    producer.put_all("s", 0, &more).expect("four records");
    let mut before = TopicPartitionList::new();
    before.add_partition_offset("s", 0, Offset::Offset(4)).expect("an offset");
    wait(admin(&address).expect("an admin client").delete_records(&before, &options())).expect("records are deleted");
    let ran = case.run(&run).expect(0);
    assert_eq!(ran.out, "{\"ID\":0}\n{\"ID\":1}\n{\"ID\":4}\n{\"ID\":5}\n");
    ran.says("offset 2 of s[0] does not exist any more; goes on at offset 4");
}

#[test]
fn a_partition_that_is_added_is_read_from_its_first_record() {
    let text = "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON');
CREATE STREAM t AS SELECT id FROM s;
SELECT id FROM t EMIT CHANGES LIMIT 2;
";
    let case = Case::new().file("a.sql", text).file("a.conf", "topic.metadata.refresh.interval.ms=300\n");
    let broker = case.spawn(&["broker", "--listen", "127.0.0.1:0"]);
    let address = broker.address("broker listens on ");
    create_with(&address, "s", 1, &[]).expect("a topic");
    let producer = Producer::new(&address, &[]).expect("a producer");
    // On a cluster a query starts at the end; the partition that is added is read whole all the same.
    let live = case.spawn(&["run", "a.sql", "-b", &address, "--config", "a.conf", "--output", "json"]);
    live.wait_err("SELECT_1: starts at the end");
    producer.put_all("s", 0, &["{\"id\":1}"]).expect("a record");
    live.wait_out("{\"ID\":1}");
    let added = admin(&address).expect("an admin client");
    wait(added.create_partitions([&NewPartitions::new("s", 2)], &options())).expect("a second partition");
    let producer = Producer::new(&address, &[]).expect("a producer that knows it");
    producer.put_all("s", 1, &["{\"id\":2}"]).expect("a record");
    live.wait_out("{\"ID\":2}");
    live.signal("INT");
    live.finish().expect(0);
}
