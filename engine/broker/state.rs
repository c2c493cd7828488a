//! Everything a broker remembers besides the records: topics, committed offsets, transactions, producer ids.
//!
//! [`State`] is a pure fold over [`Event`]s. The journal writes an event before it is applied, so that what was
//! acknowledged is what a restart replays; a snapshot is just another sequence of events.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// A group's committed offsets: topic, partition, offset.
pub type Offsets = BTreeMap<String, BTreeMap<i32, Committed>>;

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// The next offset to read.
    #[serde(rename = "o")]
    pub offset: i64,
    /// Leader epoch the client gave, -1 without one.
    #[serde(rename = "e")]
    pub leader_epoch: i32,
    /// The client's own text.
    #[serde(rename = "m", default, skip_serializing_if = "String::is_empty")]
    pub metadata: String,
    /// When it was committed, in milliseconds since 1970; 0 when that was not noted.
    #[serde(rename = "t", default)]
    pub at_ms: i64,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicMeta {
    /// Its id as 32 hexadecimal digits: a topic made again under the same name is another one.
    pub id: String,
    /// Number of partitions.
    pub partitions: i32,
    /// The replication factor it was asked for; there is one node.
    pub replicas: i16,
    /// Settings that differ from the defaults.
    pub configs: BTreeMap<String, String>,
    /// First readable offsets that are not 0.
    #[serde(default)]
    pub starts: BTreeMap<i32, i64>,
}

/// How far a transaction is (KIP-98's coordinator states).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// None was begun since the producer id was given.
    Empty,
    /// Partitions or offsets were added.
    Ongoing,
    /// Decided to commit; markers may be missing.
    PrepareCommit,
    /// Decided to abort; markers may be missing.
    PrepareAbort,
    /// Committed everywhere.
    CompleteCommit,
    /// Aborted everywhere.
    CompleteAbort,
}

impl Phase {
    /// Its name in Kafka's tools.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Empty => "Empty",
            Phase::Ongoing => "Ongoing",
            Phase::PrepareCommit => "PrepareCommit",
            Phase::PrepareAbort => "PrepareAbort",
            Phase::CompleteCommit => "CompleteCommit",
            Phase::CompleteAbort => "CompleteAbort",
        }
    }
}

/// A transactional id's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Txn {
    /// Its producer id.
    pub producer_id: i64,
    /// The epoch that is not fenced.
    pub epoch: i16,
    /// The epoch the producer itself asked to have raised, so that it may ask again; -1 without one.
    pub last_epoch: i16,
    /// How long a transaction may stay open, in milliseconds.
    pub timeout_ms: i32,
    /// How far the transaction is.
    pub phase: Phase,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// When it was last used, in milliseconds since 1970; 0 when that was not noted.
    #[serde(default)]
    pub used_ms: i64,
    /// Partitions it wrote to.
    pub partitions: BTreeSet<(String, i32)>,
    /// Groups it commits offsets of.
    pub groups: BTreeSet<String>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The cluster got its id.
    Cluster { id: String },
    /// A topic was made or changed.
    Topic { name: String, meta: TopicMeta },
    /// A topic was deleted, and with it the offsets committed for it.
    TopicDeleted { name: String },
    /// Records below an offset were deleted.
    LogStart { topic: String, partition: i32, offset: i64 },
    /// Offsets were committed.
    Offsets { group: String, offsets: Offsets },
    /// Committed offsets were deleted.
    OffsetsDeleted { group: String, partitions: Vec<(String, i32)> },
    /// A group was deleted.
    GroupDeleted { group: String },
    /// Offsets were sent to a transaction; they count when it commits.
    PendingOffsets { producer_id: i64, group: String, offsets: Offsets },
    /// A transactional id changed. Completing a commit or an abort also settles its pending offsets.
    Txn { id: String, txn: Txn },
    /// A transactional id was not used for too long.
    TxnExpired { id: String },
    /// Producer ids below this one are given away.
    ProducerIds { next: i64 },
}

/// The fold of all events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// The cluster's id.
    pub cluster_id: String,
    /// Topics by name.
    pub topics: BTreeMap<String, TopicMeta>,
    /// Committed offsets by group.
    pub offsets: BTreeMap<String, Offsets>,
    /// Offsets in open transactions, by producer id and group.
    pub pending: BTreeMap<i64, BTreeMap<String, Offsets>>,
    /// Transactional ids.
    pub txns: BTreeMap<String, Txn>,
    /// The next producer id to give away.
    pub next_producer_id: i64,
}

impl State {
    /// Takes in one event.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Cluster { id } => self.cluster_id = id,
            Event::Topic { name, meta } => {
                self.topics.insert(name, meta);
            }
            Event::TopicDeleted { name } => self.topic_deleted(&name),
            Event::LogStart { topic, partition, offset } => {
                if let Some(meta) = self.topics.get_mut(&topic) {
                    meta.starts.insert(partition, offset);
                }
            }
            Event::Offsets { group, offsets } => merge(self.offsets.entry(group).or_default(), offsets),
            Event::OffsetsDeleted { group, partitions } => {
                if let Some(offsets) = self.offsets.get_mut(&group) {
                    for (topic, partition) in partitions {
                        if let Some(of_topic) = offsets.get_mut(&topic) {
                            of_topic.remove(&partition);
                        }
                    }
                    offsets.retain(|_, of_topic| !of_topic.is_empty());
                }
            }
            Event::GroupDeleted { group } => {
                self.offsets.remove(&group);
            }
            Event::PendingOffsets { producer_id, group, offsets } => {
                merge(self.pending.entry(producer_id).or_default().entry(group).or_default(), offsets);
            }
            Event::Txn { id, txn } => {
                match txn.phase {
                    Phase::CompleteCommit => {
                        for (group, offsets) in self.pending.remove(&txn.producer_id).unwrap_or_default() {
                            merge(self.offsets.entry(group).or_default(), offsets);
                        }
                    }
                    Phase::CompleteAbort => {
                        self.pending.remove(&txn.producer_id);
                    }
                    _ => {}
                }
                self.txns.insert(id, txn);
            }
            Event::TxnExpired { id } => {
                self.txns.remove(&id);
            }
            Event::ProducerIds { next } => self.next_producer_id = next,
        }
    }

    fn topic_deleted(&mut self, name: &str) {
        self.topics.remove(name);
        for offsets in self.offsets.values_mut() {
            offsets.remove(name);
        }
        for groups in self.pending.values_mut() {
            for offsets in groups.values_mut() {
                offsets.remove(name);
            }
        }
        for txn in self.txns.values_mut() {
            txn.partitions.retain(|(topic, _)| topic != name);
        }
    }

    /// Whether a transaction holds an uncommitted offset of this partition for the group.
    pub fn is_pending(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.pending.values().any(|groups| {
            groups.get(group).and_then(|offsets| offsets.get(topic)).is_some_and(|of| of.contains_key(&partition))
        })
    }

    /// The events that lead to this state from nothing.
    pub fn snapshot(&self) -> Vec<Event> {
        let mut events =
            vec![Event::Cluster { id: self.cluster_id.clone() }, Event::ProducerIds { next: self.next_producer_id }];
        let topic = |(name, meta): (&String, &TopicMeta)| Event::Topic { name: name.clone(), meta: meta.clone() };
        events.extend(self.topics.iter().map(topic));
        let offsets = |(group, of): (&String, &Offsets)| Event::Offsets { group: group.clone(), offsets: of.clone() };
        events.extend(self.offsets.iter().map(offsets));
        // A completed transaction has no pending offsets, so the transactions may come first.
        let txn = |(id, txn): (&String, &Txn)| Event::Txn { id: id.clone(), txn: txn.clone() };
        events.extend(self.txns.iter().map(txn));
        for (&producer_id, groups) in &self.pending {
            let of = |(group, offsets): (&String, &Offsets)| Event::PendingOffsets {
                producer_id,
                group: group.clone(),
                offsets: offsets.clone(),
            };
            events.extend(groups.iter().map(of));
        }
        events
    }
}

fn merge(into: &mut Offsets, from: Offsets) {
    for (topic, partitions) in from {
        into.entry(topic).or_default().extend(partitions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(topic: &str, offset: i64) -> Offsets {
        let committed = Committed { offset, leader_epoch: -1, metadata: String::new(), at_ms: 0 };
        BTreeMap::from([(topic.to_string(), BTreeMap::from([(0, committed)]))])
    }

    fn txn(phase: Phase) -> Event {
        let partitions = BTreeSet::from([("t".to_string(), 0)]);
        let groups = BTreeSet::from(["g".to_string()]);
        let (producer_id, epoch, last_epoch, timeout_ms, started_ms, used_ms) = (7, 0, -1, 1, 0, 0);
        let txn = Txn { producer_id, epoch, last_epoch, timeout_ms, phase, started_ms, used_ms, partitions, groups };
        Event::Txn { id: "x".into(), txn }
    }

    fn pending(offset: i64) -> Event {
        Event::PendingOffsets { producer_id: 7, group: "g".into(), offsets: offsets("t", offset) }
    }

    fn state(events: impl IntoIterator<Item = Event>) -> State {
        let mut state = State::default();
        events.into_iter().for_each(|event| state.apply(event));
        state
    }

    #[test]
    fn pending_offsets_count_when_the_commit_is_complete() {
        let mut state = state([txn(Phase::Ongoing), pending(5)]);
        assert!(state.is_pending("g", "t", 0));
        assert!(!state.offsets.contains_key("g"));
        state.apply(txn(Phase::PrepareCommit));
        assert!(state.is_pending("g", "t", 0) && !state.offsets.contains_key("g"));
        state.apply(txn(Phase::CompleteCommit));
        assert_eq!(state.offsets["g"], offsets("t", 5));
        assert!(!state.is_pending("g", "t", 0));
    }

    #[test]
    fn pending_offsets_vanish_when_the_abort_is_complete() {
        let state = state([txn(Phase::Ongoing), pending(5), txn(Phase::PrepareAbort), txn(Phase::CompleteAbort)]);
        assert!(state.offsets.is_empty() && state.pending.is_empty());
    }

    #[test]
    fn a_deleted_topic_takes_its_offsets_along() {
        let meta =
            TopicMeta { id: "0".into(), partitions: 1, replicas: 1, configs: BTreeMap::new(), starts: BTreeMap::new() };
        let events = [
            Event::Topic { name: "t".into(), meta },
            Event::Offsets { group: "g".into(), offsets: offsets("t", 3) },
            txn(Phase::Ongoing),
            pending(5),
            Event::TopicDeleted { name: "t".into() },
        ];
        let state = state(events);
        assert!(state.offsets["g"].is_empty() && !state.is_pending("g", "t", 0));
        assert!(state.txns["x"].partitions.is_empty());
    }

    #[test]
    fn a_snapshot_leads_to_the_same_state() {
        for last in [Phase::Ongoing, Phase::PrepareCommit, Phase::PrepareAbort, Phase::CompleteCommit] {
            let meta = TopicMeta {
                id: "a1".into(),
                partitions: 4,
                replicas: 3,
                configs: BTreeMap::from([("cleanup.policy".into(), "compact".into())]),
                starts: BTreeMap::from([(2, 9)]),
            };
            let state = state([
                Event::Cluster { id: "c".into() },
                Event::Topic { name: "t".into(), meta },
                Event::ProducerIds { next: 12 },
                Event::Offsets { group: "h".into(), offsets: offsets("t", 3) },
                txn(Phase::Ongoing),
                pending(5),
                txn(last),
            ]);
            let mut again = State::default();
            for event in state.snapshot() {
                let bytes = serde_json::to_vec(&event).unwrap();
                again.apply(serde_json::from_slice(&bytes).unwrap());
            }
            assert_eq!(again, state);
        }
    }
}
