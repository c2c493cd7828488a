//! The one Kafka client: bytes and positions in and out; no SQL, no format.
//!
//! It stands on librdkafka's C interface, because the two things that decide our speed are only there: taking messages
//! from the consumer's queue in batches (a third of the CPU of taking them one by one), and waiting for deliveries on
//! a condition instead of in steps of 100 ms (what a commit costs). This folder and the plugin host are the only
//! places with `unsafe`; `native` holds the objects, each file above it the calls of its subject.
//!
//! Above it: the runtime (readers and writers of queries), the catalog, `ingest` (the shared producer) and the shell
//! (topics). Below it: `record`, whose columns it fills and empties.
//!
//! Invariants:
//! - An offset always means the next one to read.
//! - A reader never hands out a record of a partition it does not own, nor one below the position it stands at.
//! - No error of librdkafka is dropped: it is retried, reported as an event, or returned.

mod native;
mod produce;
mod slots;

mod client;
mod errors;
mod health;

mod group;
mod reader;

mod producer;
mod writer;

mod admin;
mod membership;
mod offsets;
mod replay;

pub mod murmur2;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use admin::{Admin, NewTopic, TopicInfo};
pub use client::ClientConfig;
pub use group::{Group, GroupMetadata, RebalanceHandler};
pub use health::{Connection, Health};
pub use offsets::Watermarks;
pub use producer::{Delivered, Delivery, Producer, Record};
pub use reader::{Event, Reader, ReaderOptions, Reset, Waker};
pub use replay::{EachRecord, replay, replay_partitions};
pub use writer::{Failure, Interrupter, Writer, fence};

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
}

impl TopicPartition {
    /// A partition of a topic.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.topic, self.partition)
    }
}

/// A position in a partition, as a group commits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionOffset {
    /// The partition.
    pub at: TopicPartition,
    /// The next offset to read.
    pub next: i64,
    /// A text kept with the offset; empty for none.
    pub metadata: String,
}
