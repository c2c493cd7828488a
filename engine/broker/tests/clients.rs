//! librdkafka against the broker in this process. The conformance suite in `tests/` goes much further; these are the
//! few things that must never break while the broker is worked on.

use std::collections::HashMap;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::*;

const WAIT: Duration = Duration::from_secs(20);

type Sender = ThreadedProducer<DefaultProducerContext>;

fn config(broker: &Broker) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.addr().to_string());
    config
}

fn producer(broker: &Broker, settings: &[(&str, &str)]) -> Sender {
    let mut config = config(broker);
    config.set("linger.ms", "0");
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config.create().expect("a producer")
}

fn consumer(broker: &Broker, group: &str, settings: &[(&str, &str)]) -> BaseConsumer {
    let mut config = config(broker);
    config.set("group.id", group).set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
    config.set("session.timeout.ms", "6000").set("enable.partition.eof", "false");
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config.create().expect("a consumer")
}

fn send(producer: &Sender, topic: &str, key: &str, value: &str) {
    producer.send(BaseRecord::to(topic).key(key).payload(value)).map_err(|(error, _)| error).expect("queued");
}

/// The values of the next `count` messages.
fn values(consumer: &BaseConsumer, count: usize) -> Vec<String> {
    let mut values = Vec::new();
    while values.len() < count {
        let message = eventually("a message", || consumer.poll(Duration::from_millis(100)));
        let message = message.expect("no error while consuming");
        values.push(String::from_utf8(message.payload().unwrap_or_default().to_vec()).expect("text"));
    }
    values
}

#[test]
fn keys_values_headers_and_times_come_back_over_a_group() {
    let broker = in_memory();
    let producer = producer(&broker, &[]);
    let headers = OwnedHeaders::new().insert(Header { key: "unit", value: Some("K") });
    let record = BaseRecord::to("readings").key("k").payload("v").timestamp(1234).headers(headers);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(WAIT).unwrap();
    let consumer = consumer(&broker, "g", &[]);
    consumer.subscribe(&["readings"]).unwrap();
    let message = eventually("the message", || consumer.poll(Duration::from_millis(100))).unwrap();
    assert_eq!((message.key(), message.payload()), (Some(&b"k"[..]), Some(&b"v"[..])));
    assert_eq!(message.timestamp().to_millis(), Some(1234));
    let header = message.headers().unwrap().get(0);
    assert_eq!((header.key, header.value), ("unit", Some(&b"K"[..])));
}

#[test]
fn a_group_goes_on_at_its_committed_offset_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let broker = in_dir(dir.path());
    let sender = producer(&broker, &[("enable.idempotence", "true")]);
    (0..10).for_each(|n| send(&sender, "t", "k", &n.to_string()));
    sender.flush(WAIT).unwrap();
    let reader = consumer(&broker, "g", &[]);
    reader.subscribe(&["t"]).unwrap();
    assert_eq!(values(&reader, 4), ["0", "1", "2", "3"]);
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("t", 0, Offset::Offset(4)).unwrap();
    reader.commit(&offsets, CommitMode::Sync).unwrap();
    drop((reader, sender));
    broker.shutdown_blocking();
    let broker = in_dir(dir.path());
    let reader = consumer(&broker, "g", &[]);
    reader.subscribe(&["t"]).unwrap();
    assert_eq!(values(&reader, 6), ["4", "5", "6", "7", "8", "9"]);
}

#[test]
fn consume_transform_produce_is_exactly_once_for_committed_readers() {
    let broker = in_memory();
    let plain = producer(&broker, &[]);
    (0..4).for_each(|n| send(&plain, "in", "k", &n.to_string()));
    plain.flush(WAIT).unwrap();
    let reader = consumer(&broker, "g", &[]);
    reader.subscribe(&["in"]).unwrap();
    let sender = producer(&broker, &[("transactional.id", "x")]);
    sender.init_transactions(WAIT).unwrap();
    for outcome in ["aborted", "committed"] {
        sender.begin_transaction().unwrap();
        for value in values(&reader, 4) {
            send(&sender, "out", "k", &format!("{value} {outcome}"));
        }
        let metadata = reader.group_metadata().expect("a member has metadata");
        let offsets = reader.position().unwrap();
        sender.send_offsets_to_transaction(&offsets, &metadata, WAIT).unwrap();
        if outcome == "committed" {
            sender.commit_transaction(WAIT).unwrap();
            assert_eq!(committed(&reader), Some(4));
        } else {
            sender.abort_transaction(WAIT).unwrap();
            assert_eq!(committed(&reader), None);
            reader.seek("in", 0, Offset::Beginning, WAIT).unwrap();
        }
    }
    let check = consumer(&broker, "check", &[("isolation.level", "read_committed")]);
    check.subscribe(&["out"]).unwrap();
    assert_eq!(values(&check, 4), ["0 committed", "1 committed", "2 committed", "3 committed"]);
}

fn committed(reader: &BaseConsumer) -> Option<i64> {
    let mut asked = TopicPartitionList::new();
    asked.add_partition("in", 0);
    match reader.committed_offsets(asked, WAIT).unwrap().elements()[0].offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    }
}

#[test]
fn two_members_share_the_partitions() {
    let broker = Broker::start_blocking(Config { default_partitions: 4, ..Config::default() }).unwrap();
    for strategy in ["range", "cooperative-sticky"] {
        let topic = format!("shared-{strategy}");
        let sender = producer(&broker, &[]);
        send(&sender, &topic, "k", "v");
        sender.flush(WAIT).unwrap();
        let settings = [("partition.assignment.strategy", strategy), ("heartbeat.interval.ms", "200")];
        let members = [0, 1].map(|_| consumer(&broker, &topic, &settings));
        members.iter().for_each(|member| member.subscribe(&[&topic]).unwrap());
        eventually("two partitions each", || {
            let counts = members.each_ref().map(|member| {
                let _ = member.poll(Duration::from_millis(20));
                member.assignment().map_or(0, |assigned| assigned.count())
            });
            (counts == [2, 2]).then_some(())
        });
        let [one, other] = members;
        drop(other);
        eventually("all four again", || {
            let _ = one.poll(Duration::from_millis(20));
            one.assignment().is_ok_and(|assigned| assigned.count() == 4).then_some(())
        });
    }
}

#[test]
fn every_record_of_many_partitions_arrives_once_and_in_order() {
    let broker = Broker::start_blocking(Config { default_partitions: 8, ..Config::default() }).unwrap();
    let sender = producer(&broker, &[("enable.idempotence", "true"), ("compression.type", "lz4")]);
    for n in 0..20_000 {
        let (key, value) = ((n % 50).to_string(), n.to_string());
        while producer_full(&sender, &key, &value) {}
    }
    sender.flush(WAIT).unwrap();
    let reader = consumer(&broker, "g", &[("fetch.wait.max.ms", "10")]);
    reader.subscribe(&["t"]).unwrap();
    let mut last: HashMap<Vec<u8>, u32> = HashMap::new();
    for _ in 0..20_000 {
        let message = eventually("a message", || reader.poll(Duration::from_millis(100))).unwrap();
        let value: u32 = std::str::from_utf8(message.payload().unwrap()).unwrap().parse().unwrap();
        let before = last.insert(message.key().unwrap().to_vec(), value);
        assert!(before.is_none_or(|before| before + 50 == value), "{before:?} then {value}");
    }
}

fn producer_full(sender: &Sender, key: &str, value: &str) -> bool {
    sender.send(BaseRecord::to("t").key(key).payload(value)).is_err()
}
