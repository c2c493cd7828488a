//! `PRINT topic`: records as text, formats guessed.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use datafusion::arrow::temporal_conversions::timestamp_ms_to_datetime;

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
    let mut guess = Guess::default();
    let (mut seen, mut left) = (0i64, limit.unwrap_or(i64::MAX));
    let counters = Arc::clone(&query);
    let process = move |batch: &RawBatch, emit: &mut dyn FnMut(Vec<String>) -> bool| {
        let mut lines = Vec::new();
        Counters::add(&counters.counters.records_in, batch.len() as u64);
        for row in 0..batch.len() {
            seen += 1;
            if (seen - 1) % interval != 0 || left == 0 {
                continue;
            }
            lines.extend(guess.headline(batch.keys.get(row), batch.values.get(row)));
            lines.push(line(batch, row));
            left -= 1;
        }
        if !lines.is_empty() {
            emit(lines);
        }
        Ok(left == 0)
    };
    let spec = push_spec(shared, id.clone(), topic, from, 10_000);
    start(spec, false, Arc::clone(&query), sender, limit == Some(0), process)?;
    remember(shared, &query, topic.to_string());
    Ok(RowStream::new(id, shown.to_string(), Vec::new(), Feed::Lines(receiver), query))
}

/// One record, as ksqlDB prints it.
fn line(batch: &RawBatch, row: usize) -> String {
    let mut line = String::with_capacity(80);
    let time = batch.timestamps[row];
    match timestamp_ms_to_datetime(time).filter(|_| time >= 0) {
        Some(time) => {
            let _ = write!(line, "rowtime: {}Z, ", time.format("%Y-%m-%dT%H:%M:%S%.3f"));
        }
        None => line.push_str("rowtime: none, "),
    }
    let _ = write!(line, "key: {}, ", text(batch.keys.get(row)));
    let _ = write!(line, "value: {}, partition: {}", text(batch.values.get(row)), batch.partition);
    line
}

/// The formats told last; they are told again when they change.
#[derive(Default)]
struct Guess {
    told: Option<(&'static str, &'static str)>,
}

impl Guess {
    fn headline(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Vec<String> {
        let (key, value) = (format_of(key), format_of(value));
        let (old_key, old_value) = self.told.unwrap_or(("", ""));
        // A null tells nothing about the format.
        let key = if key == "none" && !old_key.is_empty() { old_key } else { key };
        let value = if value == "none" && !old_value.is_empty() { old_value } else { value };
        if self.told == Some((key, value)) {
            return Vec::new();
        }
        self.told = Some((key, value));
        vec![format!("Key format: {key}, value format: {value}")]
    }
}

/// The format that bytes look like.
fn format_of(bytes: Option<&[u8]>) -> &'static str {
    let Some(bytes) = bytes else { return "none" };
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(|c| c.is_control() && !c.is_whitespace()) => {
            let trimmed = text.trim_start();
            let is_json =
                trimmed.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            if is_json { "JSON" } else { "KAFKA_STRING or DELIMITED" }
        }
        _ => match bytes.len() {
            4 => "KAFKA_INT",
            8 => "KAFKA_BIGINT or KAFKA_DOUBLE",
            _ => "bytes",
        },
    }
}

/// Bytes as text; numbers of Kafka's own serializers as numbers, anything else in hexadecimal digits.
fn text(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "<null>".to_string() };
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.chars().any(|c| c.is_control() && !c.is_whitespace())
    {
        return text.replace('\n', "\\n").replace('\r', "\\r");
    }
    match *bytes {
        [a, b, c, d] => i32::from_be_bytes([a, b, c, d]).to_string(),
        [a, b, c, d, e, f, g, h] => i64::from_be_bytes([a, b, c, d, e, f, g, h]).to_string(),
        _ => bytes.iter().fold(String::from("0x"), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_prints_like_in_ksqldb() {
        let mut batch = RawBatch::new("t".into(), 0);
        batch.push(7, 1_534_854_969_000, Some(b"car/engine/temperature"), Some(b"99999,4.193955593608823"));
        batch.push(8, 0, None, Some(&[0, 0, 0, 9]));
        assert_eq!(
            line(&batch, 0),
            "rowtime: 2018-08-21T12:36:09.000Z, key: car/engine/temperature, value: 99999,4.193955593608823, partition: 0"
        );
        assert_eq!(line(&batch, 1), "rowtime: 1970-01-01T00:00:00.000Z, key: <null>, value: 9, partition: 0");
    }

    #[test]
    fn formats_are_guessed_and_told_when_they_change() {
        let mut guess = Guess::default();
        assert_eq!(guess.headline(None, Some(br#"{"a":1}"#)), ["Key format: none, value format: JSON"]);
        assert!(guess.headline(None, None).is_empty());
        assert_eq!(
            guess.headline(Some(b"k"), Some(b"1,2")),
            ["Key format: KAFKA_STRING or DELIMITED, value format: KAFKA_STRING or DELIMITED"]
        );
    }
}
