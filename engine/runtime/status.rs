//! What a running query tells about itself, and what it can be told.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::rate::Rate;
use crate::error::Error;
use crate::kafka::{Interrupter, TopicPartition, Waker};

/// Where topics end, by topic and partition.
pub type Ends = BTreeMap<Arc<str>, Vec<i64>>;

/// Where a persistent query is in its life.
///
/// `Starting -> Running -> (Paused <-> Running) -> Stopped`; a failure leads to `Retrying` and back to `Starting`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryState {
    /// Connecting, joining its group, reading its positions.
    Starting,
    /// Processing records, or waiting for some.
    Running,
    /// Suspended by `PAUSE`; keeps its positions.
    Paused,
    /// Failed, and about to be tried again; the text says why.
    Retrying(String),
    /// Ended with a commit: terminated, shut down, or at the end of what the topics held.
    Stopped,
}

impl fmt::Display for QueryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            QueryState::Starting => "STARTING",
            QueryState::Running => "RUNNING",
            QueryState::Paused => "PAUSED",
            QueryState::Retrying(_) => "RETRYING",
            QueryState::Stopped => "STOPPED",
        })
    }
}

/// Counts of one query since its start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Records read from the source's topic.
    pub records_in: AtomicU64,
    /// Records written to the sink's topic and committed.
    pub records_out: AtomicU64,
    /// Records, or expressions over them, that were reported as bad.
    pub bad: AtomicU64,
    /// Commits.
    pub commits: AtomicU64,
    /// Event time of the last record read, milliseconds since the epoch; 0 while there was none.
    pub last_time_ms: AtomicU64,
    /// How fast records are read.
    pub rate_in: Rate,
}

impl Counters {
    /// Adds to a count.
    pub fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    /// Reads a count.
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

/// What the thread of a query and its owner share.
#[derive(Default)]
pub struct Shared {
    /// Counts.
    pub counters: Counters,
    stop: AtomicBool,
    pause: AtomicBool,
    state: Mutex<Inner>,
    changed: Condvar,
    waker: Mutex<Option<Waker>>,
    interrupter: Mutex<Option<Interrupter>>,
    positions: Mutex<BTreeMap<TopicPartition, i64>>,
    /// Records ahead of the position and one more; 0 when that is not known.
    behind: AtomicU64,
    asked_group: Mutex<Option<Instant>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("state", &self.state()).field("counters", &self.counters).finish_non_exhaustive()
    }
}

struct Inner {
    state: QueryState,
    /// Where the query is done; the sink of a query above may still grow, so it is told when that query has ended.
    finish_at: Option<Arc<Ends>>,
    last_error: Option<String>,
    gave_up: Option<Arc<Error>>,
}

impl Default for Inner {
    fn default() -> Self {
        Inner { state: QueryState::Starting, finish_at: None, last_error: None, gave_up: None }
    }
}

impl Shared {
    /// The state right now.
    pub fn state(&self) -> QueryState {
        self.state.lock().state.clone()
    }

    /// Moves to another state and wakes whoever waits for one.
    pub fn set_state(&self, state: QueryState) {
        let mut inner = self.state.lock();
        if let QueryState::Retrying(why) = &state {
            inner.last_error = Some(why.clone());
        }
        inner.state = state;
        self.changed.notify_all();
    }

    /// The last failure, also when the query runs again.
    pub fn last_error(&self) -> Option<String> {
        self.state.lock().last_error.clone()
    }

    /// Ends the query for good after a failure.
    pub fn give_up(&self, why: Error) {
        let mut inner = self.state.lock();
        inner.last_error = Some(one_line(&why));
        inner.gave_up = Some(Arc::new(why));
        drop(inner);
        self.request_stop();
    }

    /// Why the query ended for good, if it did because of a failure.
    pub fn gave_up(&self) -> Option<Arc<Error>> {
        self.state.lock().gave_up.clone()
    }

    /// Waits until the query has ended; false when the deadline passed first.
    pub fn wait_stopped(&self, deadline: Instant) -> bool {
        self.wait(deadline, |state| *state == QueryState::Stopped)
    }

    /// Waits until the state satisfies `wanted`; false when the deadline passed first.
    pub fn wait(&self, deadline: Instant, wanted: impl Fn(&QueryState) -> bool) -> bool {
        let mut inner = self.state.lock();
        while !wanted(&inner.state) {
            if self.changed.wait_until(&mut inner, deadline).timed_out() {
                return wanted(&inner.state);
            }
        }
        true
    }

    /// Asks the query to commit and end.
    pub fn request_stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake();
    }

    /// Lets whoever tells the query something wake its reader.
    pub fn set_waker(&self, waker: Waker) {
        *self.waker.lock() = Some(waker);
    }

    /// Lets whoever cannot wait any longer end the query's waits for a broker.
    pub fn set_interrupter(&self, interrupter: Interrupter) {
        *self.interrupter.lock() = Some(interrupter);
    }

    /// Ends the query's waits for a broker; false when it has not got as far as to have any.
    pub fn interrupt(&self) -> bool {
        match &*self.interrupter.lock() {
            Some(interrupter) => {
                interrupter.interrupt();
                true
            }
            None => false,
        }
    }

    fn wake(&self) {
        self.changed.notify_all();
        if let Some(waker) = &*self.waker.lock() {
            waker.wake();
        }
    }

    /// Notes what is committed, by partition.
    pub fn set_positions(&self, committed: &BTreeMap<TopicPartition, i64>) {
        self.positions.lock().clone_from(committed);
    }

    /// The next offset to read of each partition this process owns, as committed.
    pub fn positions(&self) -> BTreeMap<TopicPartition, i64> {
        self.positions.lock().clone()
    }

    /// Notes how many records are between the position and the ends of the partitions.
    pub fn set_behind(&self, records: u64) {
        self.behind.store(records.saturating_add(1), Ordering::Relaxed);
    }

    /// Records between the position and the ends of the partitions, as last noted.
    pub fn behind(&self) -> Option<u64> {
        self.behind.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Whether it is time to ask the cluster again what the group has committed: twice a second.
    pub fn ask_group_again(&self) -> bool {
        let mut asked = self.asked_group.lock();
        let due = asked.is_none_or(|asked| asked.elapsed() >= Duration::from_millis(500));
        if due {
            *asked = Some(Instant::now());
        }
        due
    }

    /// Whether it was asked to end.
    pub fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Asks the query to suspend (true) or to go on (false).
    pub fn request_pause(&self, pause: bool) {
        self.pause.store(pause, Ordering::Release);
        self.wake();
    }

    /// Whether it was asked to suspend.
    pub fn pause_requested(&self) -> bool {
        self.pause.load(Ordering::Acquire)
    }

    /// Waits until it may go on, or is told to end in one way or the other.
    pub fn wait_while_paused(&self) {
        let mut inner = self.state.lock();
        while self.pause_requested() && !self.stop_requested() && inner.finish_at.is_none() {
            // Whoever tells it something does not hold the lock, so what is told may come just before the wait.
            let _ = self.changed.wait_for(&mut inner, Duration::from_millis(200));
        }
    }

    /// Says at which offsets the query is done.
    pub fn finish_at(&self, ends: Ends) {
        self.state.lock().finish_at = Some(Arc::new(ends));
        self.wake();
    }

    /// The offsets at which the query is done, if it was told.
    pub fn finish_offsets(&self) -> Option<Arc<Ends>> {
        self.state.lock().finish_at.clone()
    }

    /// Waits a few milliseconds, or until something changes.
    pub fn wait_briefly(&self) {
        let mut inner = self.state.lock();
        let _ = self.changed.wait_for(&mut inner, Duration::from_millis(5));
    }

    /// Waits before another try, or until the query is asked to end.
    pub fn back_off(&self, pause: Duration) {
        let deadline = Instant::now() + pause;
        let mut inner = self.state.lock();
        while !self.stop_requested() && !self.changed.wait_until(&mut inner, deadline).timed_out() {}
    }
}

/// Pauses between tries: doubled each time from 100 ms up to 15 s, short again after a success.
#[derive(Debug)]
pub struct BackOff {
    next: Duration,
}

impl BackOff {
    const FIRST: Duration = Duration::from_millis(100);
    const LAST: Duration = Duration::from_secs(15);

    /// Ready for a first failure.
    pub fn new() -> Self {
        BackOff { next: BackOff::FIRST }
    }

    /// The pause before the next try.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (self.next * 2).min(BackOff::LAST);
        pause
    }

    /// Work succeeded: the next failure waits briefly again.
    pub fn reset(&mut self) {
        self.next = BackOff::FIRST;
    }
}

impl Default for BackOff {
    fn default() -> Self {
        BackOff::new()
    }
}

/// One line of the text of an error, for a state or a notice.
pub fn one_line(error: &Error) -> String {
    error.to_string().replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_for_a_state_ends_with_it_or_with_the_deadline() {
        let shared = Arc::new(Shared::default());
        assert!(!shared.wait_stopped(Instant::now()));
        let other = Arc::clone(&shared);
        let thread = std::thread::spawn(move || other.set_state(QueryState::Stopped));
        assert!(shared.wait_stopped(Instant::now() + Duration::from_secs(10)));
        thread.join().unwrap();
    }

    #[test]
    fn a_stop_request_cuts_a_back_off_short() {
        let shared = Shared::default();
        shared.request_stop();
        let start = Instant::now();
        shared.back_off(Duration::from_secs(60));
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn pauses_double_up_to_a_bound() {
        let mut back_off = BackOff::new();
        let pauses: Vec<u64> = (0..10).map(|_| back_off.pause().as_millis() as u64).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 15000, 15000]);
        back_off.reset();
        assert_eq!(back_off.pause(), Duration::from_millis(100));
    }
}
