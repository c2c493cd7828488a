//! Reports about bad records: counted always, told a few times, never with a value from the data; and written to the
//! processing log, if there is one.

use std::time::{Duration, Instant};

use super::processing_log::QueryLog;
use crate::notice::Notices;
use crate::topology::Report;

/// Tells reports of one query as notices: the first few at once, then a count now and then.
#[derive(Debug)]
pub struct Reporter {
    subject: String,
    topic: String,
    notices: Notices,
    log: Option<QueryLog>,
    told: u64,
    held_back: u64,
    last_told: Instant,
}

impl Reporter {
    const AT_ONCE: u64 = 5;
    const INTERVAL: Duration = Duration::from_secs(10);

    /// A reporter for a query over a topic, or over several, which are named together.
    pub fn new(subject: &str, topic: &str, notices: Notices, log: Option<QueryLog>) -> Self {
        Reporter {
            subject: subject.to_string(),
            topic: topic.to_string(),
            notices,
            log,
            told: 0,
            held_back: 0,
            last_told: Instant::now(),
        }
    }

    /// Takes the reports of a batch; `bad` is how many there were, those not kept included.
    pub fn take(&mut self, reports: &mut Vec<Report>, bad: u64) {
        if let Some(log) = &mut self.log {
            log.write(reports, bad.saturating_sub(reports.len() as u64));
        }
        self.held_back += bad.saturating_sub(reports.len() as u64);
        for report in reports.drain(..) {
            let fresh = self.told < Self::AT_ONCE || self.last_told.elapsed() >= Self::INTERVAL;
            if !fresh {
                self.held_back += 1;
                continue;
            }
            let held_back = match std::mem::take(&mut self.held_back) {
                0 => String::new(),
                n => format!(" (and {n} more since the last report)"),
            };
            let Report { topic, partition, offset, message, .. } = report;
            let text = format!("topic {topic}, partition {partition}, offset {offset}: {message}{held_back}");
            self.notices.warning(&self.subject, text);
            self.told += 1;
            self.last_told = Instant::now();
        }
    }

    /// Writes into the log what it has not said yet; for now and then.
    pub fn settle(&mut self) {
        if let Some(log) = &mut self.log {
            log.settle();
        }
    }

    /// Tells how many reports were held back; for the end of a query.
    pub fn finish(&mut self) {
        if self.held_back > 0 {
            let text = format!("topic {}: {} more bad records were not told one by one", self.topic, self.held_back);
            self.notices.warning(&self.subject, text);
            self.held_back = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::topology::Stage;

    #[test]
    fn a_flood_of_bad_records_is_counted_and_told_briefly() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&told);
        let notices = Notices::new(move |notice| sink.lock().unwrap().push(notice.text));
        let mut reporter = Reporter::new("Q", "temperature", notices, None);
        let report = |offset| Report {
            topic: "temperature".into(),
            partition: 1,
            offset,
            stage: Stage::ReadValue,
            message: "field 2 is missing".into(),
            bytes: None,
        };
        reporter.take(&mut (0..100).map(report).collect(), 100);
        reporter.finish();
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 6);
        assert_eq!(told[0], "topic temperature, partition 1, offset 0: field 2 is missing");
        assert_eq!(told[5], "topic temperature: 95 more bad records were not told one by one");
    }
}
