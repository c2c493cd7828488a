//! The connectors that run, by name, and how fast each is.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::ingest::connector::{DELIVERED, RunningConnector, State};

/// How often the counts are looked at.
const TICK: Duration = Duration::from_secs(1);

/// How often a wait for the end looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Over how many looks a rate is taken.
const LOOKS: usize = 10;

/// One connector that was started.
#[derive(Clone)]
pub(in crate::session) struct Live {
    pub running: Arc<dyn RunningConnector>,
    meter: Arc<Mutex<Meter>>,
}

/// All connectors that were started and not dropped.
#[derive(Default)]
pub(in crate::session) struct Connectors {
    live: Mutex<BTreeMap<String, Live>>,
    /// Whether the thread that looks at the counts runs.
    is_watched: AtomicBool,
}

impl Connectors {
    /// The connector of a name, if it was started.
    pub fn get(&self, name: &str) -> Option<Live> {
        self.live.lock().get(name).cloned()
    }

    /// All of them, by name.
    pub fn all(&self) -> Vec<(String, Live)> {
        self.live.lock().iter().map(|(name, live)| (name.clone(), live.clone())).collect()
    }

    /// Keeps a connector that was started.
    pub fn insert(self: &Arc<Self>, name: &str, running: Arc<dyn RunningConnector>) {
        let meter = Arc::new(Mutex::new(Meter::default()));
        meter.lock().look(Instant::now(), 0);
        self.live.lock().insert(name.to_string(), Live { running, meter });
        if !self.is_watched.swap(true, Ordering::AcqRel) {
            let watched = Arc::downgrade(self);
            // Without the thread rates are averages since the start; nothing else depends on it.
            let _ = std::thread::Builder::new().name("connector-rates".into()).spawn(move || watch(&watched));
        }
    }

    /// Takes a connector out, still running.
    pub fn remove(&self, name: &str) -> Option<Live> {
        self.live.lock().remove(name)
    }

    /// Stops all of them at the same time.
    pub fn stop_all(&self, patience: Duration) {
        let all = std::mem::take(&mut *self.live.lock());
        std::thread::scope(|scope| {
            for live in all.values() {
                scope.spawn(|| live.running.stop(patience));
            }
        });
    }

    /// Names and addresses of those that listen.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        let with_name =
            |(name, live): (String, Live)| live.running.addresses().into_iter().map(move |at| (name.clone(), at));
        self.all().into_iter().flat_map(with_name).collect()
    }

    /// Names of those that may still bring records.
    pub fn alive(&self) -> Vec<String> {
        self.all().into_iter().filter(|(_, live)| !live.running.state().is_over()).map(|(name, _)| name).collect()
    }

    /// The failure of one that ended for good, if there is one.
    pub fn failure(&self) -> Option<Error> {
        self.all().into_iter().find(|(_, live)| live.running.state() == State::Failed).map(|(name, live)| {
            let error = Error::external(format!("connector {name} failed"));
            match live.running.last_error() {
                Some(last) => error.detail(last.text),
                None => error,
            }
        })
    }

    /// Waits until every one of them has brought all there is; `keep_waiting` is asked all the time.
    ///
    /// # Errors
    /// The failure of one that ended for good, and one that is paused, which nobody could resume.
    pub fn wait_finished(&self, keep_waiting: &dyn Fn() -> bool) -> Result<()> {
        loop {
            let all = self.all();
            if let Some(error) = self.failure() {
                return Err(error);
            }
            if let Some((name, _)) = all.iter().find(|(_, live)| live.running.state() == State::Paused) {
                return Err(Error::external(format!("connector {name} is paused and never ends"))
                    .hint(format!("RESUME CONNECTOR {name}; in a shell on the same topics, then run again.")));
            }
            if all.iter().all(|(_, live)| live.running.state() == State::Finished) || !keep_waiting() {
                return Ok(());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

impl Live {
    /// Records that became safe since the start.
    pub fn delivered(&self) -> u64 {
        self.running.counts().into_iter().find(|(name, _)| *name == DELIVERED).map_or(0, |(_, count)| count)
    }

    /// Records a second over the last seconds.
    pub fn rate(&self) -> f64 {
        self.meter.lock().rate(Instant::now(), self.delivered())
    }
}

/// Counts at the last few moments.
#[derive(Debug, Default)]
struct Meter(VecDeque<(Instant, u64)>);

impl Meter {
    fn look(&mut self, now: Instant, count: u64) {
        if self.0.len() > LOOKS {
            self.0.pop_front();
        }
        self.0.push_back((now, count));
    }

    fn rate(&self, now: Instant, count: u64) -> f64 {
        let Some((since, before)) = self.0.front() else { return 0.0 };
        let seconds = now.saturating_duration_since(*since).as_secs_f64();
        if seconds > 0.0 { count.saturating_sub(*before) as f64 / seconds } else { 0.0 }
    }
}

/// Looks at the counts until no connector is left or the engine is gone.
fn watch(connectors: &Weak<Connectors>) {
    loop {
        std::thread::sleep(TICK);
        let Some(connectors) = connectors.upgrade() else { return };
        let all = connectors.all();
        if all.is_empty() {
            connectors.is_watched.store(false, Ordering::Release);
            // One may have come between the two lines above, and found the flag still set.
            if connectors.all().is_empty() || connectors.is_watched.swap(true, Ordering::AcqRel) {
                return;
            }
        }
        for (_, live) in all {
            let delivered = live.delivered();
            live.meter.lock().look(Instant::now(), delivered);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_taken_over_the_last_looks_only() {
        let start = Instant::now();
        let mut meter = Meter::default();
        assert_eq!(meter.rate(start, 5), 0.0);
        for second in 0..100 {
            // A thousand a second for 80 s, then none.
            meter.look(start + Duration::from_secs(second), second.min(80) * 1000);
        }
        assert_eq!(meter.rate(start + Duration::from_secs(99), 80_000), 0.0);
        let mut steady = Meter::default();
        (0..100).for_each(|second| steady.look(start + Duration::from_secs(second), second * 10));
        assert_eq!(steady.rate(start + Duration::from_secs(100), 1000), 10.0);
    }
}
