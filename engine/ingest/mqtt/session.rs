//! What a device and a listener both remember beyond one connection: messages under way, and QoS 2 packet ids.
//!
//! A session moves as a whole from a connection to its successor, with the deliveries that are not settled yet. So a
//! QoS 2 message whose first delivery is still under way when the device comes back is neither delivered twice nor
//! acknowledged too early: the repeat waits behind the first one in the same queue.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use hashbrown::HashMap;
use tokio::time::Instant;

use crate::ingest::deliver::{Delivery, Outcomes, Receipt, Window};

/// What the entry at the front of the queue waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Its receipt.
    Receipt,
    /// Nothing: no rule matched its topic.
    Unmatched,
    /// Nothing: it is larger than allowed.
    TooLarge,
    /// The first message with its QoS 2 packet id, which stands before it.
    Repeat,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    Failed,
    Refused,
    Unmatched,
    TooLarge,
    Repeat,
}

/// A message received and not yet acknowledged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) id: u16,
    pub(super) qos: u8,
    /// Whether the connection that holds the session is the one it came on, and so is owed an answer.
    pub(super) owed: bool,
    pub(super) since: Instant,
    wait: Wait,
    bytes: u32,
}

/// What is known about a QoS 2 packet id between its PUBLISH and its PUBREL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exchange {
    /// Being delivered.
    Delivering,
    /// Delivered: a repeat is acknowledged and not delivered.
    Kept,
    /// Never to be delivered, for the reason with this code.
    Dropped(u8),
    /// Its delivery failed after its connection was gone: a repeat is delivered like a new message.
    Lost,
}

/// A QoS 2 packet id in use.
#[derive(Debug, Clone, Copy)]
pub(super) struct PacketId {
    pub(super) exchange: Exchange,
    /// Whether it counts against the receive maximum of the present connection.
    pub(super) counted: bool,
}

/// The state of one client id.
#[derive(Debug)]
pub(super) struct Session {
    window: Arc<Window>,
    queue: VecDeque<Entry>,
    /// The sequence number of the queue's front.
    front: u64,
    /// Payload bytes in the queue.
    bytes: usize,
    pub(super) ids: HashMap<u16, PacketId, ahash::RandomState>,
}

impl Session {
    /// A new session with room for `capacity` messages at a time.
    pub(super) fn new(capacity: usize, outcomes: Arc<Outcomes>) -> Session {
        Session {
            window: Window::new(capacity, outcomes),
            queue: VecDeque::new(),
            front: 0,
            bytes: 0,
            ids: HashMap::default(),
        }
    }

    /// Makes the session ready for its next connection, which is owed nothing of what came on the last one.
    pub(super) fn resume(&mut self, now: Instant) {
        for entry in &mut self.queue {
            entry.owed = false;
            entry.since = now;
        }
        for id in self.ids.values_mut() {
            id.counted = false;
        }
    }

    /// Messages in the queue.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Payload bytes in the queue.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the message at the front came.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.queue.front().map(|entry| entry.since)
    }

    /// Queues a message and gives the receipt for its record. The queue is shorter than the capacity.
    pub(super) fn push(&mut self, id: u16, qos: u8, bytes: usize, now: Instant) -> Receipt {
        let sequence = self.enqueue(id, qos, Wait::Receipt, bytes, now);
        self.window.open(sequence)
    }

    /// Queues a message that nothing is delivered for, so that its answer keeps its place.
    pub(super) fn push_settled(&mut self, id: u16, qos: u8, wait: Wait, now: Instant) {
        self.enqueue(id, qos, wait, 0, now);
    }

    fn enqueue(&mut self, id: u16, qos: u8, wait: Wait, bytes: usize, now: Instant) -> u64 {
        let sequence = self.front + self.queue.len() as u64;
        self.bytes += bytes;
        self.queue.push_back(Entry { id, qos, owed: true, since: now, wait, bytes: bytes as u32 });
        sequence
    }

    /// Takes the front of the queue if it is settled.
    pub(super) fn pop(&mut self) -> Option<(Entry, Outcome)> {
        let outcome = self.front_outcome()?;
        let entry = self.queue.pop_front()?;
        self.front += 1;
        self.bytes -= entry.bytes as usize;
        Some((entry, outcome))
    }

    fn front_outcome(&self) -> Option<Outcome> {
        match self.queue.front()?.wait {
            Wait::Unmatched => Some(Outcome::Unmatched),
            Wait::TooLarge => Some(Outcome::TooLarge),
            Wait::Repeat => Some(Outcome::Repeat),
            Wait::Receipt => match self.window.state(self.front) {
                Delivery::Pending => None,
                Delivery::Delivered => Some(Outcome::Delivered),
                Delivery::Failed => Some(Outcome::Failed),
                Delivery::Refused => Some(Outcome::Refused),
            },
        }
    }

    /// Ready when the front of the queue is settled.
    pub(super) fn poll_settled(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.queue.is_empty() {
            return Poll::Pending;
        }
        self.window.register(cx.waker());
        if self.front_outcome().is_some() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// What the producer said about the latest failure.
    pub(super) fn failure(&self) -> String {
        self.window.take_error().map_or_else(|| "delivery failed".to_string(), |error| error.to_string())
    }
}
