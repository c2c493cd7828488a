//! Tells the operator that writing fails, without telling it a thousand times a second.

use std::io;
use std::sync::atomic::{AtomicI64, Ordering};

use super::clock::Clock;
use super::config::Warn;

/// Between two warnings pass this many milliseconds at least.
const PAUSE_MS: i64 = 10_000;

/// A voice for failing disks.
#[derive(Default)]
pub struct Alarm {
    warn: Option<Warn>,
    clock: Clock,
    last: AtomicI64,
}

impl std::fmt::Debug for Alarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alarm").finish_non_exhaustive()
    }
}

impl Alarm {
    /// An alarm that speaks through `warn`, and to `tracing` either way.
    pub fn new(warn: Option<Warn>, clock: Clock) -> Self {
        Alarm { warn, clock, last: AtomicI64::new(i64::MIN / 2) }
    }

    /// Something could not be done for this reason.
    pub fn failed(&self, what: &str, error: &io::Error) {
        tracing::warn!(target: "alcedo::broker", "{what}: {error}");
        let (now, last) = (self.clock.now_ms(), self.last.load(Ordering::Relaxed));
        if now - last < PAUSE_MS || self.last.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        if let Some(warn) = &self.warn {
            warn(&format!("{what}: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn many_failures_in_a_row_are_told_once() {
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        let clock = Clock::manual(0);
        let warn: Warn = Arc::new(move |line: &str| {
            assert!(line.starts_with("a batch could not be written: "));
            count.fetch_add(1, Ordering::Relaxed);
        });
        let alarm = Alarm::new(Some(warn), clock.clone());
        for _ in 0..100 {
            alarm.failed("a batch could not be written", &io::Error::from(io::ErrorKind::StorageFull));
        }
        assert_eq!(told.load(Ordering::Relaxed), 1);
        clock.advance(std::time::Duration::from_secs(11));
        alarm.failed("a batch could not be written", &io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(told.load(Ordering::Relaxed), 2);
    }
}
