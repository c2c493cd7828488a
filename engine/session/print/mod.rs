//! `PRINT topic`: records as text, formats guessed.
//!
//! - `guess`: what bytes look like
//!
//! The lines are those of ksqlDB's CLI: what keys and values can be, each on a line when that changes, and a record a line.

mod guess;

use std::fmt::Write;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use datafusion::arrow::temporal_conversions::timestamp_ms_to_datetime;

pub(super) use guess::Side;

use super::engine::Shared;
use super::outcome::{Feed, RowStream};
use super::queries::{push_spec, remember};
use crate::error::Result;
use crate::record::RawBatch;
use crate::runtime::push::start;
use crate::runtime::start::{StartPolicy, by_policy};
use crate::runtime::status::{Counters, Shared as QueryShared};

/// Starts to print a topic.
pub(super) fn start_print(
    shared: &Shared,
    topic: &str,
    policy: StartPolicy,
    interval: i64,
    limit: Option<i64>,
    shown: &str,
) -> Result<RowStream> {
    let id = format!("PRINT_{}", shared.next_ordinal());
    let from = by_policy(&shared.admin, topic, &policy)?;
    shared.notices.info(&id, from.describe(topic, &policy));
    let query = Arc::new(QueryShared::default());
    let (sender, receiver) = sync_channel(4);
    let (mut keys, mut values) = (Side::keys(), Side::values());
    let (mut seen, mut left) = (0i64, limit.unwrap_or(i64::MAX));
    let counters = Arc::clone(&query);
    let process = move |batch: &RawBatch, emit: &mut dyn FnMut(Vec<String>) -> bool| {
        let mut lines = Vec::new();
        Counters::add(&counters.counters.records_in, batch.len() as u64);
        for row in 0..batch.len() {
            seen += 1;
            keys.see(batch.keys.get(row));
            values.see(batch.values.get(row));
            if (seen - 1) % interval != 0 || left == 0 {
                continue;
            }
            lines.extend(keys.news().map(|formats| format!("Key format: {formats}")));
            lines.extend(values.news().map(|formats| format!("Value format: {formats}")));
            lines.push(line(batch, row, &keys, &values));
            left -= 1;
        }
        if !lines.is_empty() {
            emit(lines);
        }
        Ok(left == 0)
    };
    let topic: Arc<str> = Arc::from(topic);
    let spec = push_spec(shared, id.clone(), vec![(Arc::clone(&topic), from)], 10_000);
    start(spec, false, Arc::clone(&query), sender, limit == Some(0), process)?;
    remember(shared, &query, vec![topic]);
    Ok(RowStream::new(id, shown.to_string(), Vec::new(), Feed::Lines(receiver), query))
}

/// One record, as ksqlDB prints it.
fn line(batch: &RawBatch, row: usize, keys: &Side, values: &Side) -> String {
    let mut line = String::with_capacity(80);
    let time = batch.timestamps[row];
    match timestamp_ms_to_datetime(time).filter(|_| time >= 0) {
        Some(time) => {
            let _ = write!(line, "rowtime: {}Z, ", time.format("%Y-%m-%dT%H:%M:%S%.3f"));
        }
        None => line.push_str("rowtime: none, "),
    }
    line.push_str("key: ");
    keys.show(batch.keys.get(row), &mut line);
    line.push_str(", value: ");
    values.show(batch.values.get(row), &mut line);
    let _ = write!(line, ", partition: {}", batch.partition);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_prints_like_in_ksqldb() {
        let (keys, values) = (Side::keys(), Side::values());
        let mut batch = RawBatch::new("t".into(), 0);
        batch.push(7, 1_534_854_969_000, Some(b"car/engine/temperature"), Some(b"99999,4.193955593608823"));
        batch.push(8, 0, None, Some(&[0, 0, 0, 9]));
        assert_eq!(
            line(&batch, 0, &keys, &values),
            "rowtime: 2018-08-21T12:36:09.000Z, key: car/engine/temperature, value: 99999,4.193955593608823, partition: 0"
        );
        assert_eq!(
            line(&batch, 1, &keys, &values),
            "rowtime: 1970-01-01T00:00:00.000Z, key: <null>, value: 9, partition: 0"
        );
    }
}
