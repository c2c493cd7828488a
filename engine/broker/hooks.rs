//! Faults on demand, for tests of whoever uses the broker: refuse, delay or cut the n-th request, hold markers back.
//!
//! A [`Hooks`] is given to a broker in its [`Config`](super::Config) and kept by the test, which adds [`Fault`]s while
//! the broker runs. A broker without hooks asks one `Option` per request. A crash is [`Broker::crash`](super::Broker::crash).
//!
//! ```
//! use alcedo::broker::hooks::{ApiKey, Fault, Hooks, ResponseError};
//! use alcedo::broker::{Broker, Config};
//!
//! let hooks = Hooks::new();
//! let broker = Broker::start_blocking(Config { hooks: Some(hooks.clone()), ..Config::default() })?;
//! // The third produce request takes effect, and its answer is lost with the connection.
//! let lost = hooks.add(Fault::cut().of(ApiKey::Produce).nth(3).after());
//! // Whoever asks for committed offsets is told twice that the coordinator is elsewhere.
//! hooks.add(Fault::refuse(ResponseError::NotCoordinator).of(ApiKey::OffsetFetch).times(2));
//! assert_eq!(lost.struck(), 0);
//! # drop(broker);
//! # Ok::<(), alcedo::Error>(())
//! ```

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

pub use kafka_protocol::ResponseError;
pub use kafka_protocol::messages::ApiKey;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// What happens to a request that a fault meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Refuse(ResponseError),
    Fail,
    Delay(Duration),
    Cut,
}

/// Something that goes wrong: what, with which request, and whether before or after that takes effect.
///
/// Without further words it meets the next request of any kind and client, once, before its effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    action: Action,
    api: Option<ApiKey>,
    client: Option<String>,
    nth: u64,
    times: u64,
    after: bool,
}

impl Fault {
    fn new(action: Action) -> Fault {
        Fault { action, api: None, client: None, nth: 1, times: 1, after: false }
    }

    /// The answer carries this error wherever it has a place for one. An answer without such a place (ApiVersions) is
    /// not sent, and the connection is cut.
    pub fn refuse(error: ResponseError) -> Fault {
        Fault::new(Action::Refuse(error))
    }

    /// As [`refuse`](Fault::refuse), with an error of the kind that passes and that a client has to expect in answer to
    /// the request it meets: the leader or the coordinator is elsewhere, or busy.
    pub fn fail() -> Fault {
        Fault::new(Action::Fail)
    }

    /// The connection is closed instead of an answer.
    pub fn cut() -> Fault {
        Fault::new(Action::Cut)
    }

    /// The request, or with [`after`](Fault::after) its answer, waits this long, and with it all that come behind it on
    /// its connection.
    pub fn delay(by: Duration) -> Fault {
        Fault::new(Action::Delay(by))
    }

    /// Only requests of this kind count.
    pub fn of(self, api: ApiKey) -> Fault {
        Fault { api: Some(api), ..self }
    }

    /// Only requests of clients with this name (`client.id`) count.
    pub fn from_client(self, id: impl Into<String>) -> Fault {
        Fault { client: Some(id.into()), ..self }
    }

    /// It meets the n-th of the requests that count, from 1 on, counted since it was added.
    pub fn nth(self, nth: u64) -> Fault {
        Fault { nth: nth.max(1), ..self }
    }

    /// It meets this many of them in a row.
    pub fn times(self, times: u64) -> Fault {
        Fault { times, ..self }
    }

    /// The request takes effect first.
    pub fn after(self) -> Fault {
        Fault { after: true, ..self }
    }
}

/// A fault that was added, to ask what became of it.
#[derive(Debug, Clone)]
pub struct Placed(Arc<Entry>);

#[derive(Debug)]
struct Entry {
    fault: Fault,
    seen: AtomicU64,
    struck: AtomicU64,
    last: Mutex<Option<ApiKey>>,
}

impl Placed {
    /// How many requests it has met.
    pub fn struck(&self) -> u64 {
        self.0.struck.load(Ordering::SeqCst)
    }

    /// The kind of the last request it met.
    pub fn last(&self) -> Option<ApiKey> {
        *self.0.last.lock()
    }

    /// How many requests it has counted.
    pub fn seen(&self) -> u64 {
        self.0.seen.load(Ordering::SeqCst)
    }
}

impl Entry {
    /// Counts a request; whether the fault meets it.
    fn meets(&self, api: ApiKey, client: &str) -> bool {
        let counts = self.fault.api.is_none_or(|wanted| wanted == api)
            && self.fault.client.as_ref().is_none_or(|wanted| wanted == client);
        if !counts {
            return false;
        }
        let number = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        let met = number >= self.fault.nth && number - self.fault.nth < self.fault.times;
        if met {
            *self.last.lock() = Some(api);
            self.struck.fetch_add(1, Ordering::SeqCst);
        }
        met
    }

    fn is_spent(&self) -> bool {
        self.struck.load(Ordering::SeqCst) >= self.fault.times
    }
}

/// The faults of one broker, or of several. Clones share them.
#[derive(Clone, Default)]
pub struct Hooks(Arc<Inner>);

#[derive(Default)]
struct Inner {
    faults: Mutex<Vec<Arc<Entry>>>,
    /// How many want markers held back.
    holders: AtomicUsize,
    /// Tells the brokers that markers may be written again.
    released: Notify,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").field("faults", &self.0.faults.lock().len()).finish_non_exhaustive()
    }
}

impl Hooks {
    /// Without faults.
    pub fn new() -> Hooks {
        Hooks::default()
    }

    /// Adds a fault, which counts requests from now on.
    pub fn add(&self, fault: Fault) -> Placed {
        let entry =
            Arc::new(Entry { fault, seen: AtomicU64::new(0), struck: AtomicU64::new(0), last: Mutex::new(None) });
        self.0.faults.lock().push(Arc::clone(&entry));
        Placed(entry)
    }

    /// Takes all faults away.
    pub fn clear(&self) {
        self.0.faults.lock().clear();
    }

    /// Holds the markers that end transactions back until the guard is dropped: commits and aborts are decided and
    /// answered, as on a cluster whose partitions are slow, and neither records nor offsets become stable.
    pub fn hold_markers(&self) -> HeldMarkers {
        self.0.holders.fetch_add(1, Ordering::SeqCst);
        HeldMarkers(self.clone())
    }

    pub(super) fn markers_are_held(&self) -> bool {
        self.0.holders.load(Ordering::SeqCst) > 0
    }

    pub(super) async fn markers_released(&self) {
        self.0.released.notified().await;
    }

    /// What is to happen to this request.
    pub(super) fn strike(&self, api: ApiKey, client: &str) -> Strike {
        let mut strike = Strike::default();
        let mut faults = self.0.faults.lock();
        for entry in faults.iter().filter(|entry| entry.meets(api, client)) {
            let action = match entry.fault.action {
                Action::Fail => Action::Refuse(passing_error(api)),
                action => action,
            };
            strike.actions.push((entry.fault.after, action));
        }
        faults.retain(|entry| !entry.is_spent());
        strike
    }
}

/// Keeps markers held back until dropped.
#[derive(Debug)]
pub struct HeldMarkers(Hooks);

impl Drop for HeldMarkers {
    fn drop(&mut self) {
        self.0.0.holders.fetch_sub(1, Ordering::SeqCst);
        self.0.0.released.notify_one();
    }
}

/// An error that such a request may be answered with for a while on a cluster in which nothing is lost.
fn passing_error(api: ApiKey) -> ResponseError {
    match api {
        ApiKey::Produce
        | ApiKey::Fetch
        | ApiKey::ListOffsets
        | ApiKey::OffsetForLeaderEpoch
        | ApiKey::DeleteRecords => ResponseError::NotLeaderOrFollower,
        ApiKey::Metadata => ResponseError::LeaderNotAvailable,
        ApiKey::OffsetCommit | ApiKey::OffsetFetch | ApiKey::Heartbeat | ApiKey::JoinGroup | ApiKey::SyncGroup => {
            ResponseError::NotCoordinator
        }
        ApiKey::AddPartitionsToTxn | ApiKey::AddOffsetsToTxn => ResponseError::ConcurrentTransactions,
        ApiKey::CreateTopics | ApiKey::DeleteTopics | ApiKey::CreatePartitions => ResponseError::NotController,
        ApiKey::DescribeConfigs | ApiKey::AlterConfigs | ApiKey::IncrementalAlterConfigs => {
            ResponseError::RequestTimedOut
        }
        _ => ResponseError::CoordinatorNotAvailable,
    }
}

/// All that happens to one request: usually nothing.
#[derive(Debug, Default)]
pub(super) struct Strike {
    actions: Vec<(bool, Action)>,
}

impl Strike {
    /// Does what is to happen before or after the effect, but for refusals; an error cuts the connection.
    pub(super) async fn carry_out(&self, after: bool) -> Result<(), &'static str> {
        for (_, action) in self.actions.iter().filter(|(when, _)| *when == after) {
            match action {
                Action::Delay(by) => tokio::time::sleep(*by).await,
                Action::Cut => return Err("a fault of a test cuts it"),
                Action::Refuse(_) | Action::Fail => {}
            }
        }
        Ok(())
    }

    /// The error to answer, and whether the request takes effect all the same.
    pub(super) fn refusal(&self) -> Option<(i16, bool)> {
        self.actions.iter().find_map(|(after, action)| match action {
            Action::Refuse(error) => Some((error.code(), *after)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(hooks: &Hooks, requests: &[ApiKey]) -> Vec<bool> {
        requests.iter().map(|api| !hooks.strike(*api, "c").actions.is_empty()).collect()
    }

    #[test]
    fn a_fault_counts_its_own_kind_from_when_it_was_added() {
        use ApiKey::{Fetch, Produce};
        let hooks = Hooks::new();
        assert_eq!(hits(&hooks, &[Produce]), [false]);
        let placed = hooks.add(Fault::cut().of(Produce).nth(2).times(2));
        assert_eq!(
            hits(&hooks, &[Produce, Fetch, Produce, Fetch, Produce, Produce]),
            [false, false, true, false, true, false]
        );
        assert_eq!((placed.struck(), placed.last()), (2, Some(Produce)));
        assert!(hooks.0.faults.lock().is_empty(), "a spent fault is forgotten");
    }

    #[test]
    fn a_fault_of_one_client_leaves_the_others_alone() {
        let hooks = Hooks::new();
        hooks.add(Fault::cut().from_client("engine"));
        assert!(hooks.strike(ApiKey::Fetch, "reader").actions.is_empty());
        assert!(!hooks.strike(ApiKey::Fetch, "engine").actions.is_empty());
    }

    #[test]
    fn markers_are_held_until_the_last_guard_goes() {
        let hooks = Hooks::new();
        let guards = (hooks.hold_markers(), hooks.hold_markers());
        drop(guards.0);
        assert!(hooks.markers_are_held());
        drop(guards.1);
        assert!(!hooks.markers_are_held());
    }
}
