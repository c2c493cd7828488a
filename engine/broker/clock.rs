//! The broker's time. Everything that expires asks the clock it was started with, and nothing else reads one.
//!
//! [`Clock::system`] is the wall clock. A [`Clock::manual`] stands still until a test advances it, so that retention of
//! a week, or an expiry of a day, is tested in milliseconds. Delays of faults and waits of fetches stay real.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// Where a broker's time comes from. Clones show the same time.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<watch::Sender<i64>>>);

impl Clock {
    /// The wall clock.
    pub fn system() -> Clock {
        Clock(None)
    }

    /// A clock that stands at `now_ms` milliseconds since 1970 until it is advanced.
    pub fn manual(now_ms: i64) -> Clock {
        Clock(Some(Arc::new(watch::Sender::new(now_ms))))
    }

    /// Moves a manual clock on; brokers notice at once. The wall clock cannot be moved, and nothing happens.
    pub fn advance(&self, by: Duration) {
        if let Some(manual) = &self.0 {
            let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            manual.send_modify(|now| *now = now.saturating_add(by));
        }
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Some(manual) => *manual.borrow(),
            None => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as i64),
        }
    }

    /// Tells one waiter of every later advance.
    pub(super) fn watch(&self) -> Advances {
        Advances(self.0.as_ref().map(|manual| manual.subscribe()))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(manual) => write!(f, "Clock({} ms)", *manual.borrow()),
            None => f.write_str("Clock(system)"),
        }
    }
}

/// The advances of a manual clock; the wall clock has none, it just goes on.
#[derive(Debug)]
pub(super) struct Advances(Option<watch::Receiver<i64>>);

impl Advances {
    /// Waits for the next advance, or until the wall clock has gone on by `at_most`.
    pub(super) async fn wait(&mut self, at_most: Duration) {
        match &mut self.0 {
            None => tokio::time::sleep(at_most).await,
            // An error means that the clock is gone; it stands still for ever then.
            Some(advances) => match advances.changed().await {
                Ok(()) => {}
                Err(_) => std::future::pending().await,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told_and_for_all_its_clones() {
        let clock = Clock::manual(1_000);
        let other = clock.clone();
        clock.advance(Duration::from_secs(2));
        assert_eq!(other.now_ms(), 3_000);
    }

    #[tokio::test]
    async fn an_advance_ends_a_wait_however_long() {
        let clock = Clock::manual(0);
        let mut advances = clock.watch();
        clock.advance(Duration::from_millis(1));
        advances.wait(Duration::from_secs(3600)).await;
        assert_eq!(clock.now_ms(), 1);
    }
}
