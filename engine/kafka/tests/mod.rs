//! The client against a broker: topics, records, positions; groups and transactions have files of their own.

mod groups;
mod outage;
mod purge;
mod transactions;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::murmur2::partition_of;
use super::*;
use crate::broker::{Broker, Config};
use crate::error::Result;
use crate::record::{OutBatch, RawBatch};

const WAIT: Duration = Duration::from_secs(20);

/// A cluster: the one `ALCEDO_TEST_BOOTSTRAP` names, or an embedded broker that all these tests share.
fn broker() -> ClientConfig {
    static EMBEDDED: OnceLock<Broker> = OnceLock::new();
    if let Ok(bootstrap) = std::env::var("ALCEDO_TEST_BOOTSTRAP") {
        return ClientConfig::new(bootstrap);
    }
    let embedded =
        EMBEDDED.get_or_init(|| Broker::start_blocking(Config::default()).expect("the embedded broker starts"));
    ClientConfig::new(embedded.addr().to_string())
}

/// A name no other test and no earlier run has used.
fn unique(name: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    format!("{name}-{}-{}", std::process::id(), now.as_nanos())
}

fn topic(config: &ClientConfig, name: &str, partitions: i32) -> Arc<str> {
    let name = unique(name);
    let admin = Admin::connect(config, WAIT).expect("broker answers");
    assert!(admin.create_topic(&NewTopic::new(&name, partitions), WAIT).expect("topic is created"));
    name.into()
}

fn numbers(topic: &Arc<str>, range: std::ops::Range<i64>) -> OutBatch {
    let mut batch = OutBatch::new(Arc::clone(topic));
    for number in range {
        let text = number.to_string();
        batch.push(1000 + number, Some(text.as_bytes()), Some(text.as_bytes()));
    }
    batch
}

fn values(batch: &RawBatch) -> Vec<String> {
    batch.values.iter().map(|value| String::from_utf8_lossy(value.unwrap_or(b"null")).into_owned()).collect()
}

/// Polls until `done` says so, and fails after a while; gives the values in the order they came.
fn read_until(
    reader: &mut Reader,
    handler: &mut dyn RebalanceHandler,
    mut done: impl FnMut(&[String], &[Event]) -> bool,
) -> (Vec<String>, Vec<Event>) {
    let deadline = Instant::now() + WAIT;
    let (mut all, mut events) = (Vec::new(), Vec::new());
    loop {
        reader.poll(1000, Duration::from_millis(50), handler).expect("reads");
        for batch in reader.batches() {
            all.extend(values(batch));
        }
        events.extend(reader.events());
        if done(&all, &events) {
            return (all, events);
        }
        assert!(Instant::now() < deadline, "not done in time: {} values, events {events:?}", all.len());
    }
}

fn all_of(topic: &Arc<str>, partitions: i32) -> Vec<(TopicPartition, i64)> {
    (0..partitions).map(|partition| (TopicPartition::new(Arc::clone(topic), partition), 0)).collect()
}

/// Starts where the group stands (else at 0), commits nothing on its own.
struct FromCommitted;

impl RebalanceHandler for FromCommitted {
    fn assigned(&mut self, group: &Group, partitions: &[TopicPartition]) -> Result<Vec<i64>> {
        let committed = group.committed(partitions, WAIT)?;
        Ok(committed.into_iter().map(|offset| offset.map_or(0, |offset| offset.next)).collect())
    }

    fn revoked(&mut self, _: &Group, _: &[TopicPartition], _: bool) -> Result<()> {
        Ok(())
    }
}

#[test]
fn an_unreachable_broker_is_named_with_the_connection_error() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
    let config = ClientConfig::new(format!("127.0.0.1:{port}"));
    let error = Admin::connect(&config, Duration::from_millis(1500)).err().expect("nobody listens");
    assert_eq!(error.message(), format!("no broker answers at 127.0.0.1:{port} (waited 1 s)"));
    assert!(error.detail_text().is_some_and(|text| text.contains("Connection refused")), "{error:?}");
    assert!(error.is_retryable());
    assert_eq!(config.health.connection_state(), Connection::Connecting);
}

#[test]
fn topics_are_created_once_described_grown_and_deleted() -> Result<()> {
    let config = broker();
    let admin = Admin::connect(&config, WAIT)?;
    let name = unique("topics");
    assert_eq!(admin.topic(&name, WAIT)?, None);
    let new = NewTopic::new(&name, 3).config("retention.ms", 123_456_789);
    assert!(admin.create_topic(&new, WAIT)?);
    assert!(!admin.create_topic(&new, WAIT)?, "the second time it is there");
    let info = admin.topic(&name, WAIT)?.expect("created");
    assert_eq!((info.partitions, info.replicas, info.is_ready), (3, 1, true));
    assert_eq!(admin.topic_configs(&name, WAIT)?.get("retention.ms").map(String::as_str), Some("123456789"));
    assert!(admin.topics(WAIT)?.iter().any(|topic| topic.name == name));
    admin.create_partitions(&name, 5, WAIT)?;
    assert_eq!(admin.topic(&name, WAIT)?.expect("still there").partitions, 5);
    assert!(admin.delete_topic(&name, WAIT)?);
    assert!(!admin.delete_topic(&name, WAIT)?);
    Ok(())
}

#[test]
fn a_record_comes_back_as_it_was_written() -> Result<()> {
    let config = broker();
    let topic = topic(&config, "trip", 1);
    let mut writer = Writer::plain(&config)?;
    let mut batch = OutBatch::new(Arc::clone(&topic));
    batch.push(5, Some(b"key"), Some(b"value"));
    batch.push(6, None, Some(b""));
    batch.headers.push("qos", Some(b"1"));
    batch.headers.push("none", None);
    batch.push(7, Some(b""), None);
    writer.write(&batch)?;
    writer.flush(WAIT)?;
    let options = ReaderOptions { headers: true, ..ReaderOptions::default() };
    let mut reader = Reader::assigned(&config, options, &all_of(&topic, 1))?;
    let mut got = RawBatch::default();
    let deadline = Instant::now() + WAIT;
    while got.len() < 3 && Instant::now() < deadline {
        reader.poll(10, Duration::from_millis(50), &mut ())?;
        for batch in reader.batches() {
            for row in 0..batch.len() {
                for (name, value) in batch.headers.get(row) {
                    got.headers.push(name, value);
                }
                got.push(batch.offsets[row], batch.timestamps[row], batch.keys.get(row), batch.values.get(row));
            }
        }
    }
    assert_eq!(got.keys.iter().collect::<Vec<_>>(), [Some(&b"key"[..]), None, Some(b"")]);
    assert_eq!(got.values.iter().collect::<Vec<_>>(), [Some(&b"value"[..]), Some(b""), None]);
    assert_eq!(got.timestamps, [5, 6, 7]);
    assert_eq!(got.offsets, [0, 1, 2]);
    assert_eq!(got.headers.get(1).count(), 0);
    assert_eq!(got.headers.get(2).collect::<Vec<_>>(), [("qos", Some(&b"1"[..])), ("none", None)]);
    assert_eq!(reader.position(&TopicPartition::new(topic, 0)), Some(3));
    Ok(())
}

#[test]
fn keys_go_to_the_partitions_of_the_java_client() -> Result<()> {
    let config = broker();
    let topic = topic(&config, "keys", 4);
    let mut writer = Writer::plain(&config)?;
    writer.write(&numbers(&topic, 0..200))?;
    writer.flush(WAIT)?;
    let mut reader = Reader::assigned(&config, ReaderOptions::default(), &all_of(&topic, 4))?;
    let (mut seen, deadline) = (0, Instant::now() + WAIT);
    while seen < 200 && Instant::now() < deadline {
        seen += reader.poll(1000, Duration::from_millis(50), &mut ())?;
        for batch in reader.batches() {
            for key in batch.keys.iter() {
                assert_eq!(partition_of(key.expect("a key"), 4), batch.partition);
            }
        }
    }
    assert_eq!(seen, 200);
    Ok(())
}

#[test]
fn an_offset_out_of_range_is_reported_and_the_reset_policy_holds() -> Result<()> {
    let config = broker();
    let topic = topic(&config, "range", 1);
    let at = TopicPartition::new(Arc::clone(&topic), 0);
    let mut writer = Writer::plain(&config)?;
    writer.write(&numbers(&topic, 0..10))?;
    writer.flush(WAIT)?;
    let options = ReaderOptions { reset: Reset::Earliest, ..ReaderOptions::default() };
    let mut reader = Reader::assigned(&config, options, &[(at.clone(), 500)])?;
    let (_, events) = read_until(&mut reader, &mut (), |seen, _| seen.len() == 10);
    assert!(
        matches!(&events[..], [Event::OutOfRange { at: of, wanted: 500, resumed: Some(0) }] if *of == at),
        "{events:?}"
    );
    let mut reader = Reader::assigned(&config, ReaderOptions::default(), &[(at.clone(), 500)])?;
    let (seen, _) = read_until(&mut reader, &mut (), |_, events| !events.is_empty());
    assert!(seen.is_empty());
    reader.seek(&[(at, 8)])?;
    let (seen, _) = read_until(&mut reader, &mut (), |seen, _| seen.len() == 2);
    assert_eq!(seen, ["8", "9"]);
    Ok(())
}

#[test]
fn a_reader_can_go_back_and_can_pause() -> Result<()> {
    let config = broker();
    let topic = topic(&config, "seek", 2);
    let partitions: Vec<_> = all_of(&topic, 2);
    let mut writer = Writer::plain(&config)?;
    for partition in 0..2 {
        let mut batch = numbers(&topic, 0..1000);
        batch.partition = Some(partition);
        writer.write(&batch)?;
    }
    writer.flush(WAIT)?;
    let mut reader = Reader::assigned(&config, ReaderOptions::default(), &partitions)?;
    read_until(&mut reader, &mut (), |seen, _| seen.len() == 2000);
    reader.seek(&[(partitions[0].0.clone(), 990)])?;
    let (seen, _) = read_until(&mut reader, &mut (), |seen, _| seen.len() >= 10);
    assert_eq!(seen, (990..1000).map(|number| number.to_string()).collect::<Vec<_>>());
    reader.pause(&[partitions[0].0.clone()])?;
    reader.seek(&[(partitions[0].0.clone(), 0), (partitions[1].0.clone(), 999)])?;
    let (seen, _) = read_until(&mut reader, &mut (), |seen, _| !seen.is_empty());
    assert_eq!(seen, ["999"], "only the partition that is not paused");
    reader.resume(&[partitions[0].0.clone()])?;
    let (seen, _) = read_until(&mut reader, &mut (), |seen, _| seen.len() >= 1000);
    assert_eq!(seen.len(), 1000);
    Ok(())
}

#[test]
fn a_waiting_reader_can_be_woken_and_waking_before_the_wait_counts() -> Result<()> {
    let config = broker();
    let topic = topic(&config, "wake", 1);
    let mut reader = Reader::assigned(&config, ReaderOptions::default(), &all_of(&topic, 1))?;
    let waker = reader.waker();
    let started = Instant::now();
    waker.wake();
    assert_eq!(reader.poll(10, WAIT, &mut ())?, 0);
    let other = std::thread::spawn(move || waker.wake());
    reader.poll(10, WAIT, &mut ())?;
    other.join().expect("wakes");
    assert!(started.elapsed() < WAIT);
    Ok(())
}

#[test]
fn every_delivery_is_told_where_it_went() -> Result<()> {
    let config = broker();
    let topic = topic(&config, "deliver", 1);
    let producer = Producer::new(&config)?;
    let record = Record { topic: &topic, value: Some(b"x"), timestamp: -1, ..Record::default() };
    let sent: Vec<_> = (0..100).map(|_| producer.send(record)).collect::<Result<_>>()?;
    for (number, delivery) in sent.into_iter().enumerate() {
        assert_eq!(delivery.wait()?, Delivered { partition: 0, offset: number as i64 });
    }
    let missing = unique("missing");
    let lost = producer.send(Record { topic: &missing, value: Some(b"x"), ..Record::default() })?;
    drop(producer);
    let error = lost.wait().expect_err("never delivered");
    assert_eq!(error.message(), format!("cannot write to topic `{missing}`"));
    Ok(())
}
