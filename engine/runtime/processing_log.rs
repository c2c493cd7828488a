//! The processing log: reports about bad records as records of a topic, in ksqlDB's shape and with their place.
//!
//! It tells, it does not keep: entries are sent and not waited for, so many a second and query at most, and what is left out
//! is counted in the next entry, or in one of its own when there is none for a while. Nothing here can hold a query up or
//! fail it. A query that reads the log, or what other queries made of it, does not write it: a report about an entry cannot
//! make the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::kafka::{Producer, Record};
use crate::notice::Notices;
use crate::plan::{OnError, QueryKind, QueryPlan};
use crate::topology::{Report, Stage};

/// Entries a second that one query writes at most, over time.
const PER_SECOND: f64 = 20.0;

/// Entries that one query writes at most at once.
const AT_ONCE: f64 = 100.0;

/// How long what was left out waits for an entry to be counted in, before it gets one of its own.
const QUIET: Duration = Duration::from_secs(1);

/// Where the log of an engine goes.
pub struct ProcessingLog {
    producer: Arc<Producer>,
    topic: String,
    shows_bytes: bool,
    failed: AtomicBool,
    flows: Mutex<Flows>,
}

impl ProcessingLog {
    /// A log into a topic, which must exist. With `shows_bytes` its entries hold the bytes of bad records.
    pub fn new(producer: Arc<Producer>, topic: &str, shows_bytes: bool) -> ProcessingLog {
        let (topic, failed) = (topic.to_string(), AtomicBool::new(false));
        let flows = Mutex::new(Flows::new(&topic));
        ProcessingLog { producer, topic, shows_bytes, failed, flows }
    }

    /// Whether its entries hold the bytes of bad records.
    pub fn shows_bytes(&self) -> bool {
        self.shows_bytes
    }

    /// The part of a query.
    pub fn of_query(self: &Arc<Self>, plan: &QueryPlan, notices: &Notices) -> QueryLog {
        let mut written = BTreeSet::new();
        if let QueryKind::Persistent(sink) = &plan.kind {
            written.insert(sink.topic.name.clone());
        }
        if let OnError::DeadLetter(topic) = &plan.on_error {
            written.insert(topic.name.clone());
        }
        if !written.is_empty() {
            self.flows.lock().add(&plan.query_id, sources_of(plan), written);
        }
        QueryLog {
            log: Arc::clone(self),
            query: plan.query_id.clone(),
            sources: sources_of(plan),
            topic: plan.source.topic.clone(),
            notices: notices.clone(),
            allowance: AT_ONCE,
            since: Instant::now(),
            told: Instant::now(),
            left_out: 0,
        }
    }

    /// Writes that a query failed as a whole, and why.
    pub fn write_failure(&self, plan: &QueryPlan, why: &str) {
        if !self.flows.lock().is_of_log(&sources_of(plan)) {
            // It is told as a notice too, so a failure to write it is nobody's loss.
            let _ = self.send(&failure(&plan.query_id, &plan.source.topic, why));
        }
    }

    fn send(&self, entry: &Value) -> crate::error::Result<()> {
        let entry = entry.to_string();
        let record = Record { topic: &self.topic, value: Some(entry.as_bytes()), timestamp: -1, ..Record::default() };
        // Its delivery is not waited for.
        self.producer.send(record).map(drop)
    }
}

/// Which topics hold what queries made of the log.
#[derive(Debug)]
struct Flows {
    /// By query: the topics it reads and those it writes.
    queries: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)>,
    /// The log's own topic, and all behind it.
    of_log: BTreeSet<String>,
}

impl Flows {
    fn new(log: &str) -> Flows {
        Flows { queries: BTreeMap::new(), of_log: BTreeSet::from([log.to_string()]) }
    }

    /// Notes a query. What its topics hold once came from where it came from, also when the query is gone.
    fn add(&mut self, query: &str, sources: BTreeSet<String>, written: BTreeSet<String>) {
        self.queries.insert(query.to_string(), (sources, written));
        loop {
            let before = self.of_log.len();
            for (sources, written) in self.queries.values() {
                if !self.of_log.is_disjoint(sources) {
                    self.of_log.extend(written.iter().cloned());
                }
            }
            if self.of_log.len() == before {
                return;
            }
        }
    }

    /// Whether one of these topics is.
    fn is_of_log(&self, topics: &BTreeSet<String>) -> bool {
        !self.of_log.is_disjoint(topics)
    }
}

/// The topics that a query reads.
fn sources_of(plan: &QueryPlan) -> BTreeSet<String> {
    plan.topics().into_iter().map(str::to_string).collect()
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
    sources: BTreeSet<String>,
    /// The first of them, for what is said of none.
    topic: String,
    notices: Notices,
    allowance: f64,
    since: Instant,
    /// When the last entry was written.
    told: Instant,
    left_out: u64,
}

impl QueryLog {
    /// Writes reports; `unkept` is how many more there were.
    pub fn write(&mut self, reports: &[Report], unkept: u64) {
        if self.log.flows.lock().is_of_log(&self.sources) {
            return;
        }
        for report in reports {
            if !self.may_write() {
                self.left_out += 1;
                continue;
            }
            if !self.send(&entry(&self.query, report, self.left_out)) {
                self.left_out += 1;
            }
        }
        self.left_out += unkept;
    }

    /// Writes how many reports were left out, when no entry has said so for a while; for now and then.
    pub fn settle(&mut self) {
        if self.left_out > 0 && self.told.elapsed() >= QUIET && self.may_write() {
            self.send(&left_out(&self.query, &self.topic, self.left_out));
        }
    }

    fn may_write(&mut self) -> bool {
        let now = Instant::now();
        let earned = now.duration_since(self.since).as_secs_f64() * PER_SECOND;
        self.allowance = (self.allowance + earned).min(AT_ONCE);
        self.since = now;
        if self.allowance < 1.0 {
            return false;
        }
        self.allowance -= 1.0;
        true
    }

    /// Sends an entry that says how many were left out before it.
    fn send(&mut self, entry: &Value) -> bool {
        match self.log.send(entry) {
            Ok(()) => {
                self.left_out = 0;
                self.told = Instant::now();
                true
            }
            Err(error) => {
                if !self.log.failed.swap(true, Ordering::Relaxed) {
                    let text = format!("the processing log is not written to topic {}: {error}", self.log.topic);
                    self.notices.warning(&self.query, text);
                }
                false
            }
        }
    }
}

impl Drop for QueryLog {
    /// The query ends, or begins again: nobody else will say what was left out.
    fn drop(&mut self) {
        if self.left_out > 0 {
            self.send(&left_out(&self.query, &self.topic, self.left_out));
        }
    }
}

/// One entry, as ksqlDB names its fields; `queryId`, `sourceTopic`, `sourcePartition`, `sourceOffset` and `leftOut` are
/// ours.
fn entry(query: &str, report: &Report, left_out: u64) -> Value {
    let (message, topic) = (&report.message, &*report.topic);
    let text = report.bytes.as_deref().map(String::from_utf8_lossy);
    let detail = match report.stage {
        Stage::ReadKey | Stage::ReadValue => json!({
            "type": 0,
            "deserializationError": {
                "target": if report.stage == Stage::ReadKey { "key" } else { "value" },
                "errorMessage": message,
                "recordB64": report.bytes.as_deref().map(base64),
                "cause": [],
                "topic": topic,
            },
        }),
        Stage::Compute | Stage::Time => json!({
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
        "time": now_millis(),
        "message": detail,
        "queryId": query,
        "sourceTopic": topic,
        "sourcePartition": report.partition,
        "sourceOffset": report.offset,
        "leftOut": left_out,
    })
}

/// The entry of a query that failed as a whole.
fn failure(query: &str, topic: &str, why: &str) -> Value {
    json!({
        "level": "ERROR",
        "logger": format!("processing.{query}.query"),
        "time": now_millis(),
        "message": {
            "type": 4,
            "kafkaStreamsThreadError": { "errorMessage": why, "threadName": query, "cause": [] },
        },
        "queryId": query,
        "sourceTopic": topic,
        "leftOut": 0,
    })
}

/// The entry that only says how many reports have none.
fn left_out(query: &str, topic: &str, left_out: u64) -> Value {
    json!({
        "level": "WARN",
        "logger": format!("processing.{query}"),
        "time": now_millis(),
        "message": null,
        "queryId": query,
        "sourceTopic": topic,
        "leftOut": left_out,
    })
}

fn now_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
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
        Report { topic: "t".into(), partition: 2, offset: 41, stage, message, bytes: None }
    }

    #[test]
    fn what_queries_make_of_the_log_is_of_the_log_whatever_their_order() {
        let mut flows = Flows::new("log");
        let written = |topics: &[&str]| topics.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        let is_of_log = |flows: &Flows, topic: &str| flows.is_of_log(&written(&[topic]));
        flows.add("THIRD", written(&["second"]), written(&["third", "dead"]));
        flows.add("OTHER", written(&["readings"]), written(&["hot"]));
        assert!(is_of_log(&flows, "log") && !is_of_log(&flows, "second") && !is_of_log(&flows, "third"));
        flows.add("SECOND", written(&["log"]), written(&["second"]));
        assert!(["log", "second", "third", "dead"].iter().all(|topic| is_of_log(&flows, topic)));
        assert!(!is_of_log(&flows, "readings") && !is_of_log(&flows, "hot"));
        // Rows of the log that are joined with others are of the log too.
        flows.add("JOINED", written(&["readings", "third"]), written(&["joined"]));
        assert!(is_of_log(&flows, "joined") && flows.is_of_log(&written(&["readings", "third"])));
    }

    #[test]
    fn what_cannot_be_read_says_whether_it_is_the_key() {
        let report = Report { bytes: Some(b"k".to_vec()), ..report(Stage::ReadKey) };
        let of_key = entry("Q", &report, 0);
        assert_eq!(of_key["message"]["deserializationError"]["target"], "key");
        assert_eq!(of_key["message"]["deserializationError"]["recordB64"], "aw==");
        let time = entry("Q", &Report { bytes: None, stage: Stage::Time, ..report }, 0);
        assert_eq!(time["message"]["type"], 1, "as in ksqlDB, where a time is an expression");
        assert_eq!(failure("Q", "t", "gone")["message"]["kafkaStreamsThreadError"]["errorMessage"], "gone");
        assert_eq!(left_out("Q", "t", 7)["leftOut"], 7);
    }

    #[test]
    fn an_entry_has_ksqldbs_fields_and_the_place() {
        let read = entry("CSAS_HOT", &report(Stage::ReadValue), 3);
        assert_eq!(read["message"]["type"], 0);
        assert_eq!(read["message"]["deserializationError"]["target"], "value");
        assert_eq!(read["message"]["deserializationError"]["recordB64"], Value::Null);
        assert_eq!(
            (&read["sourcePartition"], &read["sourceOffset"], &read["leftOut"]),
            (&json!(2), &json!(41), &json!(3))
        );
        assert_eq!(entry("Q", &report(Stage::Compute), 0)["message"]["type"], 1);
        assert_eq!(entry("Q", &report(Stage::Write), 0)["message"]["type"], 3);
    }
}
