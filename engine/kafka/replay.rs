//! A small topic of one partition read from its first record to its end: what a compacted topic says now.

use std::time::{Duration, Instant};

use super::admin::Admin;
use super::client::ClientConfig;
use super::reader::{Event, Reader, ReaderOptions};
use crate::error::{Error, Result};

/// Takes key and value of one record after the other.
pub type EachRecord<'a> = dyn FnMut(Option<&[u8]>, Option<&[u8]>) + 'a;

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
    let marks = admin.topic_watermarks(topic, wait)?;
    let from: Vec<_> = marks.iter().map(|(at, marks)| (at.clone(), marks.earliest)).collect();
    let end: i64 = marks.iter().map(|(_, marks)| marks.stable).sum();
    if marks.iter().all(|(_, marks)| marks.earliest >= marks.stable) {
        return Ok(true);
    }
    let options = ReaderOptions { ends: true, ..ReaderOptions::default() };
    let mut reader = Reader::assigned(client, options, &from)?;
    let deadline = Instant::now() + wait;
    let mut position = 0;
    while position < end {
        if Instant::now() > deadline {
            return Err(Error::external(format!("topic {topic} cannot be read to its end")).retryable());
        }
        reader.poll(10_000, Duration::from_millis(100), &mut ())?;
        for batch in reader.batches() {
            for row in 0..batch.len() {
                each(batch.keys.get(row), batch.values.get(row));
                position = batch.offsets[row] + 1;
            }
        }
        for event in reader.events() {
            if let Event::End { next, .. } = event {
                position = next;
            }
        }
    }
    Ok(true)
}
