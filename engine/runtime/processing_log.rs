//! The processing log: reports about bad records as records of a topic, in ksqlDB's shape and with their place.
//!
//! It tells, it does not keep: entries are sent and not waited for, so many a second and query at most, and what is left out
//! is counted in the next entry. Nothing here can hold a query up or fail it. A query that reads the log does not write
//! it, so a report about an entry cannot make the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::kafka::{Producer, Record};
use crate::notice::Notices;
use crate::topology::{Report, Stage};

/// Entries a second that one query writes at most, over time.
const PER_SECOND: f64 = 20.0;

/// Entries that one query writes at most at once.
const AT_ONCE: f64 = 100.0;

/// Where the log of an engine goes.
pub struct ProcessingLog {
    producer: Arc<Producer>,
    topic: String,
    shows_values: bool,
    failed: AtomicBool,
}

impl ProcessingLog {
    /// A log into a topic, which must exist. With `shows_values` its entries hold the values of bad records.
    pub fn new(producer: Arc<Producer>, topic: &str, shows_values: bool) -> ProcessingLog {
        ProcessingLog { producer, topic: topic.to_string(), shows_values, failed: AtomicBool::new(false) }
    }

    /// Whether its entries hold values of bad records.
    pub fn shows_values(&self) -> bool {
        self.shows_values
    }

    /// The part of a query, or `None` for one that reads the log itself.
    pub fn of_query(self: &Arc<Self>, query: &str, source: &str, notices: &Notices) -> Option<QueryLog> {
        (source != self.topic).then(|| QueryLog {
            log: Arc::clone(self),
            query: query.to_string(),
            source: source.to_string(),
            notices: notices.clone(),
            allowance: AT_ONCE,
            since: Instant::now(),
            left_out: 0,
        })
    }
}

impl std::fmt::Debug for ProcessingLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProcessingLog").field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// The processing log of one query.
#[derive(Debug)]
pub struct QueryLog {
    log: Arc<ProcessingLog>,
    query: String,
    source: String,
    notices: Notices,
    allowance: f64,
    since: Instant,
    left_out: u64,
}

impl QueryLog {
    /// Writes reports; `unkept` is how many more there were.
    pub fn write(&mut self, reports: &[Report], unkept: u64) {
        let now = Instant::now();
        let earned = now.duration_since(self.since).as_secs_f64() * PER_SECOND;
        self.allowance = (self.allowance + earned).min(AT_ONCE);
        self.since = now;
        for report in reports {
            if self.allowance < 1.0 {
                self.left_out += 1;
                continue;
            }
            self.allowance -= 1.0;
            let entry = entry(&self.query, &self.source, report, self.left_out).to_string();
            let record =
                Record { topic: &self.log.topic, value: Some(entry.as_bytes()), timestamp: -1, ..Record::default() };
            match self.log.producer.send(record) {
                // Its delivery is not waited for.
                Ok(_) => self.left_out = 0,
                Err(error) => {
                    self.left_out += 1;
                    if !self.log.failed.swap(true, Ordering::Relaxed) {
                        let text = format!("the processing log is not written to topic {}: {error}", self.log.topic);
                        self.notices.warning(&self.query, text);
                    }
                }
            }
        }
        self.left_out += unkept;
    }
}

/// One entry, as ksqlDB names its fields; `queryId`, `sourceTopic`, `sourcePartition`, `sourceOffset` and `leftOut` are
/// ours.
fn entry(query: &str, topic: &str, report: &Report, left_out: u64) -> Value {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    let message = &report.message;
    let text = report.value.as_deref().map(String::from_utf8_lossy);
    let detail = match report.stage {
        Stage::Read => json!({
            "type": 0,
            "deserializationError": {
                "target": if message.starts_with("key ") { "key" } else { "value" },
                "errorMessage": message,
                "recordB64": report.value.as_deref().map(base64),
                "cause": [],
                "topic": topic,
            },
        }),
        Stage::Compute => json!({
            "type": 1,
            "recordProcessingError": { "errorMessage": message, "record": text, "cause": [] },
        }),
        Stage::Write => json!({
            "type": 3,
            "serializationError": {
                "target": "value",
                "errorMessage": message,
                "record": text,
                "cause": [],
                "topic": topic,
            },
        }),
    };
    json!({
        "level": "ERROR",
        "logger": format!("processing.{query}.{}", report.stage.as_str()),
        "time": millis,
        "message": detail,
        "queryId": query,
        "sourceTopic": topic,
        "sourcePartition": report.partition,
        "sourceOffset": report.offset,
        "leftOut": left_out,
    })
}

fn base64(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    crate::types::text::base64::encode(bytes, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(stage: Stage) -> Report {
        let message = "value cannot be read: field temp is no number".to_string();
        Report { partition: 2, offset: 41, stage, message, value: None }
    }

    #[test]
    fn an_entry_has_ksqldbs_fields_and_the_place() {
        let read = entry("CSAS_HOT", "t", &report(Stage::Read), 3);
        assert_eq!(read["message"]["type"], 0);
        assert_eq!(read["message"]["deserializationError"]["target"], "value");
        assert_eq!(read["message"]["deserializationError"]["recordB64"], Value::Null);
        assert_eq!(
            (&read["sourcePartition"], &read["sourceOffset"], &read["leftOut"]),
            (&json!(2), &json!(41), &json!(3))
        );
        assert_eq!(entry("Q", "t", &report(Stage::Compute), 0)["message"]["type"], 1);
        assert_eq!(entry("Q", "t", &report(Stage::Write), 0)["message"]["type"], 3);
    }
}
