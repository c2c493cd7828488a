//! The client against a broker.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::murmur2::partition_of;
use super::*;
use crate::error::Result;
use crate::record::{OutBatch, RawBatch};

const WAIT: Duration = Duration::from_secs(20);

/// The broker's address, or `None`, which skips the test with a line.
fn broker(test: &str) -> Option<ClientConfig> {
    match std::env::var("ALCEDO_TEST_BOOTSTRAP") {
        Ok(bootstrap) => Some(ClientConfig::new(bootstrap)),
        Err(_) => {
            println!("skipped: {test} needs ALCEDO_TEST_BOOTSTRAP");
            None
        }
    }
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
    let Some(config) = broker("topics") else { return Ok(()) };
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
    let Some(config) = broker("round trip") else { return Ok(()) };
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
    let Some(config) = broker("partitions") else { return Ok(()) };
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
fn committed_transactions_are_seen_and_aborted_ones_are_not() -> Result<()> {
    let Some(config) = broker("transactions") else { return Ok(()) };
    let topic = topic(&config, "txn", 1);
    let mut writer = Writer::transactional(&config, &unique("id"), WAIT)?;
    writer.write(&numbers(&topic, 0..10))?;
    writer.commit(&[], None)?;
    writer.write(&numbers(&topic, 10..20))?;
    writer.abort()?;
    writer.write(&numbers(&topic, 20..30))?;
    writer.commit(&[], None)?;
    let options = ReaderOptions { ends: true, ..ReaderOptions::default() };
    let mut reader = Reader::assigned(&config, options, &all_of(&topic, 1))?;
    let mut next = 0;
    let (seen, _) = read_until(&mut reader, &mut (), |_, events| {
        next =
            events.iter().map(|event| if let Event::End { next, .. } = event { *next } else { 0 }).max().unwrap_or(0);
        next > 0
    });
    let wanted: Vec<_> = (0..10).chain(20..30).map(|number| number.to_string()).collect();
    assert_eq!(seen, wanted);
    assert!(next > 20, "the end is behind the markers: {next}");
    assert_eq!(reader.position(&TopicPartition::new(topic, 0)), Some(next));
    Ok(())
}

#[test]
fn an_abort_with_records_in_flight_does_not_wait_for_its_timeout() -> Result<()> {
    let Some(config) = broker("abort") else { return Ok(()) };
    let topic = topic(&config, "abort", 4);
    let mut writer = Writer::transactional(&config, &unique("id"), WAIT)?;
    for round in 0..3 {
        writer.write(&numbers(&topic, 0..50_000))?;
        let started = Instant::now();
        writer.abort()?;
        assert!(started.elapsed() < WAIT / 2, "round {round}: {:?}", started.elapsed());
        assert_eq!(writer.in_flight(), 0);
    }
    assert_eq!(writer.failures(), 0, "records an abort threw away are no failures");
    writer.write(&numbers(&topic, 0..1))?;
    writer.commit(&[], None)?;
    Ok(())
}

#[test]
fn a_second_writer_of_one_id_fences_the_first() -> Result<()> {
    let Some(config) = broker("fencing") else { return Ok(()) };
    let (topic, id) = (topic(&config, "fence", 1), unique("id"));
    let mut first = Writer::transactional(&config, &id, WAIT)?;
    first.write(&numbers(&topic, 0..5))?;
    first.flush(WAIT)?;
    fence(&config, &id, WAIT)?;
    let failed = first.commit(&[], None).expect_err("fenced");
    assert!(matches!(failed, Failure::Fenced(_)), "{failed:?}");
    let admin = Admin::connect(&config, WAIT)?;
    let ends = admin.topic_watermarks(&topic, WAIT)?;
    assert_eq!(ends[0].1.stable, ends[0].1.latest, "the fence ended the open transaction");
    Ok(())
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
fn offsets_and_texts_commit_with_the_transaction_and_can_be_peeked_before() -> Result<()> {
    let Some(config) = broker("offsets in transactions") else { return Ok(()) };
    let (topic, group) = (topic(&config, "offsets", 1), unique("group"));
    let at = TopicPartition::new(Arc::clone(&topic), 0);
    let mut plain = Writer::plain(&config)?;
    plain.write(&numbers(&topic, 0..10))?;
    plain.flush(WAIT)?;
    let mut reader = Reader::group(&config, ReaderOptions::default(), &group, &[&topic])?;
    read_until(&mut reader, &mut FromCommitted, |seen, _| seen.len() == 10);
    let admin = Admin::connect(&config, WAIT)?;
    let ours = std::slice::from_ref(&at);
    assert_eq!(admin.committed(&group, ours, WAIT)?, [None]);
    let offset = |next| PartitionOffset { at: at.clone(), next, metadata: format!("stream time {next}") };
    let mut writer = Writer::transactional(&config, &unique("id"), WAIT)?;
    writer.commit(&[offset(4)], Some(&reader.group_handle().metadata()?))?;
    assert_eq!(reader.group_handle().committed(ours, WAIT)?, [Some(offset(4))]);
    // Offsets in an open transaction: a peek sees the old ones at once, a member waits for the new ones.
    writer.write(&numbers(&topic, 10..11))?;
    writer.add_offsets(&[offset(10)], &reader.group_handle().metadata()?)?;
    assert_eq!(admin.committed(&group, ours, WAIT)?, [Some(offset(4))]);
    let waits = reader.group_handle().committed(ours, Duration::from_millis(300)).expect_err("not stable");
    assert!(waits.is_retryable(), "{waits:?}");
    writer.commit(&[], None)?;
    assert_eq!(reader.group_handle().committed(ours, WAIT)?, [Some(offset(10))]);
    reader.commit(&[offset(7)])?;
    assert_eq!(admin.committed(&group, ours, WAIT)?, [Some(offset(7))]);
    reader.close(&mut FromCommitted)?;
    admin.set_committed(&group, &[offset(3)], WAIT)?;
    assert_eq!(admin.committed(&group, ours, WAIT)?, [Some(offset(3))]);
    assert!(admin.delete_committed(&group, ours, WAIT)?);
    assert_eq!(admin.committed(&group, ours, WAIT)?, [None]);
    assert!(admin.delete_group(&group, WAIT)?);
    assert!(!admin.delete_group(&group, WAIT)?);
    Ok(())
}

#[test]
fn the_stable_end_stands_before_an_open_transaction() -> Result<()> {
    let Some(config) = broker("watermarks") else { return Ok(()) };
    let topic = topic(&config, "ends", 2);
    let admin = Admin::connect(&config, WAIT)?;
    let mut plain = Writer::plain(&config)?;
    let mut batch = numbers(&topic, 0..10);
    batch.partition = Some(1);
    plain.write(&batch)?;
    plain.flush(WAIT)?;
    let mut writer = Writer::transactional(&config, &unique("id"), WAIT)?;
    writer.write(&batch)?;
    writer.flush(WAIT)?;
    let ends = admin.topic_watermarks(&topic, WAIT)?;
    assert_eq!(ends[0].1, Watermarks { earliest: 0, stable: 0, latest: 0 });
    assert_eq!(ends[1].1, Watermarks { earliest: 0, stable: 10, latest: 20 });
    let partitions: Vec<_> = ends.into_iter().map(|(at, _)| at).collect();
    assert_eq!(admin.offsets_at(&partitions, 1004, WAIT)?, [0, 4]);
    assert_eq!(admin.offsets_at(&partitions, 5000, WAIT)?, [0, 10]);
    writer.abort()?;
    Ok(())
}

#[test]
fn an_offset_out_of_range_is_reported_and_the_reset_policy_holds() -> Result<()> {
    let Some(config) = broker("out of range") else { return Ok(()) };
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
    let Some(config) = broker("seek and pause") else { return Ok(()) };
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
    let Some(config) = broker("waking") else { return Ok(()) };
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
fn a_writer_that_waits_for_a_broker_can_be_interrupted() -> Result<()> {
    // Nobody listens there, so the flush would wait its full time.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
    let mut writer = Writer::plain(&ClientConfig::new(format!("127.0.0.1:{port}")))?;
    writer.write(&numbers(&"t".into(), 0..10))?;
    let interrupter = writer.interrupter();
    let started = Instant::now();
    let other = std::thread::spawn(move || interrupter.interrupt());
    let failed = writer.flush(WAIT).expect_err("nobody answers");
    assert!(matches!(failed, Failure::Fatal(_)), "{failed:?}");
    drop(writer);
    assert!(started.elapsed() < WAIT / 2);
    other.join().expect("interrupts");
    Ok(())
}

#[test]
fn every_delivery_is_told_where_it_went() -> Result<()> {
    let Some(config) = broker("deliveries") else { return Ok(()) };
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

/// Copies records from one topic to another in transactions, committing before partitions go away.
struct Copier {
    config: ClientConfig,
    to: Arc<str>,
    id: String,
    writer: Option<Writer>,
    pending: Vec<(TopicPartition, i64)>,
    rebalances: usize,
}

impl Copier {
    fn commit(&mut self, group: &Group) -> Result<()> {
        let offsets: Vec<_> =
            self.pending.drain(..).map(|(at, next)| PartitionOffset { at, next, metadata: String::new() }).collect();
        match &mut self.writer {
            Some(writer) => Ok(writer.commit(&offsets, Some(&group.metadata()?))?),
            None => Ok(()),
        }
    }

    fn copy(&mut self, batch: &RawBatch) -> Result<()> {
        let mut out = OutBatch::new(Arc::clone(&self.to));
        for row in 0..batch.len() {
            out.push(batch.timestamps[row], batch.keys.get(row), batch.values.get(row));
        }
        let at = TopicPartition::new(Arc::clone(&batch.topic), batch.partition);
        let next = batch.offsets.last().expect("not empty") + 1;
        self.pending.retain(|(of, _)| *of != at);
        self.pending.push((at, next));
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(Writer::transactional(&self.config, &self.id, WAIT)?),
        };
        Ok(writer.write(&out)?)
    }
}

impl RebalanceHandler for Copier {
    fn assigned(&mut self, group: &Group, partitions: &[TopicPartition]) -> Result<Vec<i64>> {
        self.rebalances += 1;
        FromCommitted.assigned(group, partitions)
    }

    fn revoked(&mut self, group: &Group, _: &[TopicPartition], lost: bool) -> Result<()> {
        assert!(!lost);
        self.commit(group)
    }
}

#[test]
fn members_that_come_and_go_neither_lose_nor_repeat_a_record() -> Result<()> {
    let Some(config) = broker("rebalance") else { return Ok(()) };
    let (from, to, group) = (topic(&config, "from", 4), topic(&config, "to", 1), unique("group"));
    const COUNT: i64 = 20_000;
    let member = |number: usize| -> Result<(Reader, Copier)> {
        let reader = Reader::group(&config, ReaderOptions::default(), &group, &[&from])?;
        let id = format!("{group}-{number}");
        let (config, to) = (config.clone(), Arc::clone(&to));
        Ok((reader, Copier { config, to, id, writer: None, pending: Vec::new(), rebalances: 0 }))
    };
    let mut writer = Writer::plain(&config)?;
    let mut members = vec![member(0)?];
    let deadline = Instant::now() + WAIT * 3;
    let (mut written, mut copied, mut joined) = (0, 0, 1);
    while copied < COUNT as usize {
        assert!(Instant::now() < deadline, "{copied} of {COUNT} copied");
        if written < COUNT {
            writer.write(&numbers(&from, written..written + 100))?;
            written += 100;
        }
        for (reader, copier) in &mut members {
            // Small polls leave records in the client when a rebalance comes.
            copied += reader.poll(50, Duration::from_millis(5), copier)?;
            for batch in reader.batches() {
                copier.copy(batch)?;
            }
        }
        if written % 2000 == 0 {
            for (reader, copier) in &mut members {
                copier.commit(reader.group_handle())?;
            }
        }
        // A second member joins, a third, and the first leaves.
        if joined < 3 && copied > joined * 4000 && members.iter().all(|(_, copier)| copier.rebalances > 0) {
            members.push(member(joined)?);
            joined += 1;
        } else if joined == 3 && copied > 13_000 && members.iter().all(|(_, copier)| copier.rebalances > 0) {
            let (reader, mut copier) = members.remove(0);
            reader.close(&mut copier)?;
            joined += 1;
        }
    }
    for (reader, mut copier) in members {
        reader.close(&mut copier)?;
    }
    assert!(joined >= 3, "members joined: {joined}");
    let options = ReaderOptions { ends: true, ..ReaderOptions::default() };
    let mut check = Reader::assigned(&config, options, &all_of(&to, 1))?;
    let (seen, _) =
        read_until(&mut check, &mut (), |_, events| events.iter().any(|event| matches!(event, Event::End { .. })));
    assert_eq!(seen.len(), COUNT as usize);
    let distinct: BTreeSet<_> = seen.iter().collect();
    assert_eq!(distinct.len(), COUNT as usize);
    Ok(())
}
