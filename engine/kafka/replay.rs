//! Topics read from their first record to their end: what compacted topics say now.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::TopicPartition;
use super::admin::Admin;
use super::client::ClientConfig;
use super::reader::{Reader, ReaderOptions};
use crate::error::{Error, Result};
use crate::record::RawBatch;

/// Takes key and value of one record after the other.
pub type EachRecord<'a> = dyn FnMut(Option<&[u8]>, Option<&[u8]>) + 'a;

/// Takes the records of a partition, a batch after the other.
pub type EachBatch<'a> = dyn FnMut(&RawBatch) + 'a;

/// Gives key and value of every committed record of a topic, in order; nothing when there is no such topic. A null value is a
/// tombstone. Gives whether the topic exists.
///
/// # Errors
/// When the end is not reached within `wait`.
pub fn replay(
    client: &ClientConfig,
    admin: &Admin,
    topic: &str,
    wait: Duration,
    each: &mut EachRecord<'_>,
) -> Result<bool> {
    if admin.topic(topic, wait)?.is_none() {
        return Ok(false);
    }
    let partitions: Vec<_> = admin.topic_partitions(topic, wait)?;
    let ends = admin.watermarks(&partitions, wait)?.into_iter().map(|marks| (marks.earliest, marks.stable)).collect();
    read(client, &partitions, ends, wait, &mut |batch| {
        (0..batch.len()).for_each(|row| each(batch.keys.get(row), batch.values.get(row)));
    })?;
    Ok(true)
}

/// Gives every committed record of some partitions, those of each in order, also those of transactions whose end is not
/// written there yet: waits until it is. For partitions that nobody writes any more.
///
/// # Errors
/// When nothing comes for as long as `wait` and the ends are not reached.
pub fn replay_partitions(
    client: &ClientConfig,
    admin: &Admin,
    partitions: &[TopicPartition],
    wait: Duration,
    each: &mut EachBatch<'_>,
) -> Result<()> {
    let ends = admin.watermarks(partitions, wait)?.into_iter().map(|marks| (marks.earliest, marks.latest)).collect();
    read(client, partitions, ends, wait, each)
}

/// Reads partitions from their first record to an end.
fn read(
    client: &ClientConfig,
    partitions: &[TopicPartition],
    ends: Vec<(i64, i64)>,
    wait: Duration,
    each: &mut EachBatch<'_>,
) -> Result<()> {
    let held = || partitions.iter().zip(&ends).filter(|(_, (first, end))| first < end);
    let mut left: BTreeMap<&TopicPartition, i64> = held().map(|(at, (_, end))| (at, *end)).collect();
    if left.is_empty() {
        return Ok(());
    }
    let from: Vec<_> = held().map(|(at, (first, _))| (at.clone(), *first)).collect();
    let options = ReaderOptions { ends: true, ..ReaderOptions::default() };
    let mut reader = Reader::assigned(client, options, &from)?;
    let mut deadline = Instant::now() + wait;
    while !left.is_empty() {
        if Instant::now() > deadline {
            let topic = left.keys().next().map_or("", |at| &at.topic);
            return Err(Error::external(format!("topic {topic} cannot be read to its end")).retryable());
        }
        if reader.poll(10_000, Duration::from_millis(100), &mut ())? > 0 {
            deadline = Instant::now() + wait;
        }
        for batch in reader.batches() {
            each(batch);
        }
        // Also over transaction markers and aborted records.
        drop(reader.events());
        for (at, next) in reader.positions() {
            if left.get(&at).is_some_and(|end| next >= *end) {
                left.remove(&at);
            }
        }
    }
    Ok(())
}
