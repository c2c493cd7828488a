//! Records that a query cannot process, on their way to its dead-letter topic.
//!
//! Invariant: a record of the batch is either among the outputs or among the dead letters, never both. Whoever mends dead
//! letters and sends them again gets each result once.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use datafusion::arrow::array::BooleanArray;

use super::report::Stage;
use crate::error::Result;
use crate::record::{Batch, OutBatch, RawBatch};

/// Prefix of the headers that say why a record is a dead letter.
const PREFIX: &str = "__alcedo.errors.";

/// The dead letters of one batch.
#[derive(Debug)]
pub struct DeadLetters {
    query: String,
    topic: Arc<str>,
    /// By record of the raw batch: the first thing that was wrong with it.
    noted: BTreeMap<usize, (Stage, String)>,
}

impl DeadLetters {
    /// None yet, of a query into a topic.
    pub fn new(query: &str, topic: &str) -> DeadLetters {
        DeadLetters { query: query.to_string(), topic: Arc::from(topic), noted: BTreeMap::new() }
    }

    /// Notes that a record could not be processed; what was wrong first stands.
    pub fn note(&mut self, record: usize, stage: Stage, message: &dyn Display) {
        self.noted.entry(record).or_insert_with(|| (stage, message.to_string()));
    }

    /// The rows of a batch that do not come from a dead letter.
    pub fn without_dead(&self, batch: Batch) -> Result<Batch> {
        if self.noted.is_empty() {
            return Ok(batch);
        }
        let alive = (0..batch.len()).map(|row| !self.noted.contains_key(&batch.record_of(row)));
        let alive = BooleanArray::from(alive.collect::<Vec<bool>>());
        let all: Vec<usize> = (0..batch.columns.num_columns()).collect();
        batch.filter(&alive, &all)
    }

    /// Adds the dead letters to `out`, in the order of the records: key, value, time and headers as they came, and headers
    /// `__alcedo.errors.` with `query`, `topic`, `partition`, `offset`, `stage` and `message`. Forgets them.
    pub fn hand_over(&mut self, raw: &RawBatch, out: &mut OutBatch) {
        if self.noted.is_empty() {
            return;
        }
        if out.topic.is_empty() {
            out.topic = Arc::clone(&self.topic);
        }
        for (record, (stage, message)) in std::mem::take(&mut self.noted) {
            for (name, value) in raw.headers.get(record) {
                out.headers.push(name, value);
            }
            let mut why = |name: &str, value: &str| {
                out.headers.push(&format!("{PREFIX}{name}"), Some(value.as_bytes()));
            };
            why("query", &self.query);
            why("topic", &raw.topic);
            why("partition", &raw.partition.to_string());
            why("offset", &raw.offsets[record].to_string());
            why("stage", stage.as_str());
            why("message", &message);
            out.push(raw.timestamps[record], raw.keys.get(record), raw.values.get(record));
        }
    }
}
