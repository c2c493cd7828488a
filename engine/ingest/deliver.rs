//! The contract between an edge and what keeps its records: a record goes over, a receipt comes back.
//!
//! The hand-over is a plain call and the answer a call on the receipt, not a future: a future for each record would
//! cost two allocations and a wake-up, while thousands of delivery reports come back together and wake their edge
//! once. A receipt is an `Arc` and an index; giving one out and settling it allocates nothing and takes no lock.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::Waker;

use bytes::Bytes;
use futures::task::AtomicWaker;
use parking_lot::Mutex;

use crate::error::{Error, Kind, Result};

/// Record headers, in order. Shared, because a device's readings nearly always carry the same ones.
pub type Headers = Arc<[(Cow<'static, str>, Bytes)]>;

/// One record on its way into a topic.
#[derive(Debug, Clone)]
pub struct IngestRecord {
    /// The Kafka topic.
    pub topic: Arc<str>,
    /// The record's key; without one the partition is the producer's choice.
    pub key: Option<Bytes>,
    /// The record's value, as it came. May be empty, which is not a tombstone.
    pub value: Bytes,
    /// When it was received: milliseconds since 1970, UTC.
    pub timestamp_ms: i64,
    /// Where it came from.
    pub headers: Headers,
}

/// What became of an attempt to hand a record over.
#[must_use = "a record that was not taken has to be offered again"]
pub enum Handover {
    /// Taken: the receipt will be settled, now or later, from any thread.
    Taken,
    /// No room at the moment. Both come back and are to be offered again before any other record, so that order holds.
    Full(Box<(IngestRecord, Receipt)>),
}

/// Keeps records: a Kafka producer, or a fake one in a test.
pub trait Deliver: Send + Sync + 'static {
    /// Takes a record, or says that there is no room. Never blocks.
    ///
    /// Records offered from one thread keep their order per topic and key. The receipt is settled with
    /// [`Receipt::done`] when the record is as safe as it will get (Kafka's delivery report), with an error when it
    /// could not be kept: of kind [`Kind::Data`] when this record can never be kept (too large for the topic), so that
    /// sending it again is pointless; of any other kind when trying again may help.
    fn deliver(&self, record: IngestRecord, receipt: Receipt) -> Handover;
}

/// How the records of one edge ended.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// Records kept.
    pub delivered: AtomicU64,
    /// Records that could not be kept, though trying again may help.
    pub failed: AtomicU64,
    /// Records that can never be kept.
    pub refused: AtomicU64,
}

/// The state of one record's delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Not known yet.
    Pending,
    /// Kept.
    Delivered,
    /// Not kept; trying again may help.
    Failed,
    /// Never to be kept.
    Refused,
}

const PENDING: u8 = 0;
const DELIVERED: u8 = 1;
const FAILED: u8 = 2;
const REFUSED: u8 = 3;

/// The deliveries one connection has under way: a ring of states, by sequence number modulo its capacity.
///
/// Whoever owns the window opens slots in order and never has more open than it holds, so a slot is settled before it
/// is used again.
#[derive(Debug)]
pub(crate) struct Window {
    states: Box<[AtomicU8]>,
    waker: AtomicWaker,
    error: Mutex<Option<Error>>,
    outcomes: Arc<Outcomes>,
}

impl Window {
    /// A window for `capacity` deliveries at a time, at least one.
    pub(crate) fn new(capacity: usize, outcomes: Arc<Outcomes>) -> Arc<Window> {
        let states = (0..capacity.max(1)).map(|_| AtomicU8::new(DELIVERED)).collect();
        Arc::new(Window { states, waker: AtomicWaker::new(), error: Mutex::new(None), outcomes })
    }

    /// Opens the slot of sequence number `sequence` and gives out its receipt.
    pub(crate) fn open(self: &Arc<Self>, sequence: u64) -> Receipt {
        let slot = self.slot(sequence);
        self.states[slot].store(PENDING, Ordering::Relaxed);
        Receipt { window: Some(self.clone()), slot: slot as u32 }
    }

    /// The state of sequence number `sequence`, which is open.
    pub(crate) fn state(&self, sequence: u64) -> Delivery {
        match self.states[self.slot(sequence)].load(Ordering::Acquire) {
            PENDING => Delivery::Pending,
            DELIVERED => Delivery::Delivered,
            REFUSED => Delivery::Refused,
            _ => Delivery::Failed,
        }
    }

    /// Whom to wake when a receipt is settled. Register first, then look at the state.
    pub(crate) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// The latest failure, if it was not taken yet.
    pub(crate) fn take_error(&self) -> Option<Error> {
        self.error.lock().take()
    }

    fn slot(&self, sequence: u64) -> usize {
        (sequence % self.states.len() as u64) as usize
    }

    fn settle(&self, slot: u32, outcome: Result<()>) {
        let (state, count) = match &outcome {
            Ok(()) => (DELIVERED, &self.outcomes.delivered),
            Err(error) if error.kind() == Kind::Data => (REFUSED, &self.outcomes.refused),
            Err(_) => (FAILED, &self.outcomes.failed),
        };
        if let Err(error) = outcome {
            *self.error.lock() = Some(error);
        }
        count.fetch_add(1, Ordering::Relaxed);
        self.states[slot as usize].store(state, Ordering::Release);
        self.waker.wake();
    }
}

/// The right, and the duty, to say what became of one record. Dropping it says that the record was lost.
#[derive(Debug)]
pub struct Receipt {
    window: Option<Arc<Window>>,
    slot: u32,
}

impl Receipt {
    /// A receipt that nobody waits for; how it ends is only counted.
    pub(crate) fn unattended(outcomes: Arc<Outcomes>) -> Receipt {
        Window::new(1, outcomes).open(0)
    }

    /// Says how the delivery ended; see [`Deliver::deliver`] for what kind of error means what.
    pub fn done(mut self, outcome: Result<()>) {
        if let Some(window) = self.window.take() {
            window.settle(self.slot, outcome);
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(window) = self.window.take() {
            window.settle(self.slot, Err(Error::external("a record was dropped before it was delivered").retryable()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window() -> (Arc<Window>, Arc<Outcomes>) {
        let outcomes = Arc::new(Outcomes::default());
        (Window::new(2, outcomes.clone()), outcomes)
    }

    #[test]
    fn a_receipt_settles_its_own_slot_and_is_counted() {
        let (window, outcomes) = window();
        let (first, second) = (window.open(4), window.open(5));
        assert_eq!(window.state(4), Delivery::Pending);
        second.done(Ok(()));
        assert_eq!((window.state(4), window.state(5)), (Delivery::Pending, Delivery::Delivered));
        first.done(Err(Error::external("broker is down")));
        assert_eq!(window.state(4), Delivery::Failed);
        assert_eq!(outcomes.delivered.load(Ordering::Relaxed), 1);
        assert_eq!(outcomes.failed.load(Ordering::Relaxed), 1);
        assert_eq!(window.take_error().map(|error| error.to_string()).as_deref(), Some("broker is down"));
    }

    #[test]
    fn an_error_of_the_data_is_a_refusal() {
        let (window, outcomes) = window();
        window.open(0).done(Err(Error::data("too large")));
        assert_eq!(window.state(0), Delivery::Refused);
        assert_eq!(outcomes.refused.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_dropped_receipt_is_a_failure() {
        let (window, outcomes) = window();
        drop(window.open(0));
        assert_eq!(window.state(0), Delivery::Failed);
        assert_eq!(outcomes.failed.load(Ordering::Relaxed), 1);
    }
}
