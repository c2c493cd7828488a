//! The events of a kill test: a producer that is paced from outside, and a reader that follows the query's output.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::Producer as _;
use rdkafka::{Offset, TopicPartitionList};

use super::verify::Output;
use crate::conformance::client::{Outcome, PATIENCE, Producer, Step, ensure, keyed, read_with, reader, until};
use crate::conformance::wire::Wire;

/// Partitions of input and output.
pub const PARTITIONS: i32 = 4;
const DEVICES: usize = 100;

/// Writes the events `0, 1, 2, …` in a thread of its own, into each of its topics, never beyond what it is allowed, about five
/// in a millisecond. It goes on through the death of its broker: the idempotent producer repeats what was not acknowledged.
pub struct Feed {
    allowed: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Outcome>>,
}

impl Feed {
    /// Starts with nothing allowed.
    pub fn start(bootstrap: &str, topics: &'static [&'static str]) -> Outcome<Feed> {
        // Patient: with the broker inside the killed process, deliveries wait for the next start. Partitions are those in
        // which a join looks for a key.
        let patient = [("message.timeout.ms", "300000"), ("partitioner", "murmur2")];
        let producer = Producer::new(bootstrap, &patient)?;
        let feed = Feed {
            allowed: Arc::new(AtomicUsize::new(0)),
            sent: Arc::new(AtomicUsize::new(0)),
            stop: Arc::new(AtomicBool::new(false)),
            thread: None,
        };
        let (allowed, sent, stop) = (feed.allowed.clone(), feed.sent.clone(), feed.stop.clone());
        let thread = std::thread::spawn(move || write_events(&producer, topics, &allowed, &sent, &stop));
        Ok(Feed { thread: Some(thread), ..feed })
    }

    /// Lets it write the events below `count`.
    pub fn allow(&self, count: usize) {
        self.allowed.store(count, Ordering::SeqCst);
    }

    /// How many events have been handed to the client.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    /// Stops it once all that is allowed has been acknowledged.
    pub fn finish(mut self) -> Outcome {
        self.stop.store(true, Ordering::SeqCst);
        let thread = self.thread.take().ok_or("the feed was finished before")?;
        thread.join().map_err(|_| "the feed panicked".to_owned())?
    }
}

fn write_events(
    p: &Producer,
    topics: &[&str],
    allowed: &AtomicUsize,
    sent: &AtomicUsize,
    stop: &AtomicBool,
) -> Outcome {
    loop {
        let stopping = stop.load(Ordering::SeqCst);
        let from = sent.load(Ordering::SeqCst);
        let to = allowed.load(Ordering::SeqCst).min(from + 5);
        for id in from..to {
            let device = id % DEVICES;
            let key = format!("device-{device}");
            let (n, reading) = (id / DEVICES, id as f64 / 4.0);
            let value = format!("{{\"id\":{id},\"device\":\"{key}\",\"n\":{n},\"reading\":{reading}}}");
            for topic in topics {
                p.send(keyed(topic, id).key(key.as_bytes()).payload(value.as_bytes()))?;
            }
            sent.store(id + 1, Ordering::SeqCst);
        }
        p.inner.poll(Duration::from_millis(1));
        if let Some(failed) = p.inner.context().take().iter().find(|report| report.error.is_some()) {
            return Err(format!("an event could not be written: {failed:?}"));
        }
        if stopping && from == to {
            return p.flush().map(drop);
        }
    }
}

/// Follows the output as a `read_committed` reader while the query runs.
pub struct Follower {
    consumer: BaseConsumer,
    seen: HashSet<usize>,
}

impl Follower {
    /// From the beginning of the topic.
    pub fn start(bootstrap: &str, topic: &str) -> Outcome<Follower> {
        let consumer = reader(bootstrap, &[("isolation.level", "read_committed"), ("enable.partition.eof", "false")])?;
        let mut assignment = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            assignment.add_partition_offset(topic, partition, Offset::Offset(0)).step("assignment")?;
        }
        consumer.assign(&assignment).step("assign")?;
        Ok(Follower { consumer, seen: HashSet::new() })
    }

    /// Reads until it sees an event for the first time whose number is at least `id`, or until the deadline; tells which.
    pub fn look(&mut self, deadline: Instant, id: usize) -> Outcome<bool> {
        while Instant::now() < deadline {
            // Errors are those of a broker that is away; the client reconnects by itself.
            if let Some(Ok(message)) = self.consumer.poll(Duration::from_millis(5)) {
                let output = output(&message)?;
                if self.seen.insert(output.id) && output.id >= id {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Reads until all events below `sent` are there, as long as new ones come.
    pub fn await_all(&mut self, sent: usize) -> Outcome {
        while self.seen.len() < sent {
            if self.look(Instant::now() + PATIENCE, 0)? {
                continue;
            }
            let missing: Vec<usize> = (0..sent).filter(|id| !self.seen.contains(id)).collect();
            let first = &missing[..missing.len().min(5)];
            let count = missing.len();
            return Err(format!("no new event within {PATIENCE:?}, {count} of {sent} are missing, first {first:?}"));
        }
        Ok(())
    }
}

/// Everything that a `read_committed` reader sees in the output once no transaction is open, by partition in order.
pub fn read_output(bootstrap: &str, topic: &str) -> Outcome<Vec<Output>> {
    let mut wire = Wire::connect(bootstrap)?;
    for partition in 0..PARTITIONS {
        until("the end of every transaction", || {
            let (stable, end) = (wire.end_offset(topic, partition, true)?, wire.end_offset(topic, partition, false)?);
            Ok((stable == end).then_some(()))
        })?;
    }
    let (mut outputs, mut bad) = (Vec::new(), None);
    read_with(bootstrap, topic, PARTITIONS, 0, &[("isolation.level", "read_committed")], |message| {
        match output(message) {
            Ok(output) => outputs.push(output),
            Err(error) => drop(bad.get_or_insert(error)),
        }
    })?;
    bad.map_or(Ok(outputs), Err)
}

/// How many records the input holds; more than were sent would be the producer's repetitions, not the query's.
pub fn count_input(bootstrap: &str, topic: &str) -> Outcome<usize> {
    let mut count = 0;
    read_with(bootstrap, topic, PARTITIONS, 0, &[], |_| count += 1)?;
    Ok(count)
}

fn output(message: &BorrowedMessage<'_>) -> Outcome<Output> {
    let place = format!("output {} {}", message.partition(), message.offset());
    let value: serde_json::Value = serde_json::from_slice(message.payload().unwrap_or_default()).step(&place)?;
    let number = |name: &str| value[name].as_u64().map(|n| n as usize).ok_or(format!("{place} has no {name}"));
    let device = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
    ensure!(device.starts_with("device-"), "{place} has another key than its device's name");
    let half = value["HALF"].as_f64().ok_or(format!("{place} has no HALF"))?;
    Ok(Output { partition: message.partition(), device, id: number("ID")?, n: number("N")?, half })
}
