//! What is said of bad lines: the first few one by one, then one now and then with how many there were. Never their text.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::notice::Notices;

/// Bad lines told one by one.
const AT_ONCE: u64 = 5;

/// How often one is told after that.
const INTERVAL: Duration = Duration::from_secs(10);

/// Tells bad lines of one connector.
#[derive(Debug)]
pub(super) struct BadLines {
    subject: String,
    notices: Notices,
    told: u64,
    held_back: u64,
    last_told: Instant,
}

impl BadLines {
    pub(super) fn new(subject: &str, notices: Notices) -> BadLines {
        BadLines { subject: subject.to_string(), notices, told: 0, held_back: 0, last_told: Instant::now() }
    }

    /// Tells, or counts, one bad line.
    pub(super) fn tell(&mut self, file: &Path, line: u64, why: &str) {
        if self.told >= AT_ONCE && self.last_told.elapsed() < INTERVAL {
            self.held_back += 1;
            return;
        }
        let more = match std::mem::take(&mut self.held_back) {
            0 if self.told + 1 == AT_ONCE => format!(" (others are counted: DESCRIBE CONNECTOR {};)", self.subject),
            0 => String::new(),
            held_back => format!(" (and {held_back} more since the last report)"),
        };
        let text = format!("{}, line {line}: {why}; the line is left out{more}", file.display());
        self.notices.warning(&self.subject, text);
        self.told += 1;
        self.last_told = Instant::now();
    }

    /// Tells how many were held back, at the end.
    pub(super) fn finish(&mut self) {
        if self.held_back > 0 {
            let text = format!("{} more bad lines were not told one by one", self.held_back);
            self.notices.warning(&self.subject, text);
            self.held_back = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_flood_of_bad_lines_is_told_briefly() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&told);
        let mut bad = BadLines::new("C", Notices::new(move |notice| sink.lock().unwrap().push(notice.text)));
        (1..=100).for_each(|line| bad.tell(Path::new("a.csv"), line, "it is not UTF-8"));
        bad.finish();
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 6);
        assert_eq!(told[0], "a.csv, line 1: it is not UTF-8; the line is left out");
        assert_eq!(
            told[4],
            "a.csv, line 5: it is not UTF-8; the line is left out (others are counted: DESCRIBE CONNECTOR C;)"
        );
        assert_eq!(told[5], "95 more bad lines were not told one by one");
    }
}
