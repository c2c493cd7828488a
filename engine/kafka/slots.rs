//! The partitions a reader owns: where it stands in each, and the batch it fills.

use std::sync::Arc;

use rdkafka::bindings as ffi;

use super::TopicPartition;
use super::native::text_of;
use crate::record::RawBatch;

/// One owned partition.
pub(super) struct Slot {
    pub(super) at: TopicPartition,
    /// The next offset to read; records below it are dropped.
    pub(super) next: i64,
    pub(super) paused: bool,
    pub(super) batch: RawBatch,
}

/// All owned partitions, found by librdkafka's topic pointer and the partition's number.
#[derive(Default)]
pub(super) struct Slots {
    pub(super) list: Vec<Slot>,
    topics: Vec<Topic>,
}

struct Topic {
    name: Arc<str>,
    /// librdkafka's object of this topic; unchanged for as long as one of its partitions is assigned.
    pointer: *const ffi::rd_kafka_topic_t,
    /// Slot of each partition, or `NONE`.
    slots: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Slots {
    /// Replaces the partitions. Batches of partitions that stay keep their buffers.
    pub(super) fn assign(&mut self, partitions: &[(TopicPartition, i64)]) {
        let mut old = std::mem::take(&mut self.list);
        self.topics.clear();
        for (at, next) in partitions {
            let mut batch = match old.iter_mut().find(|slot| slot.at == *at) {
                Some(slot) => std::mem::take(&mut slot.batch),
                None => RawBatch::default(),
            };
            batch.clear();
            batch.topic = Arc::clone(&at.topic);
            batch.partition = at.partition;
            let topic = match self.topics.iter().position(|topic| topic.name == at.topic) {
                Some(found) => &mut self.topics[found],
                None => {
                    let name = Arc::clone(&at.topic);
                    self.topics.push(Topic { name, pointer: std::ptr::null(), slots: Vec::new() });
                    self.topics.last_mut().expect("just pushed")
                }
            };
            let partition = at.partition.max(0) as usize;
            if topic.slots.len() <= partition {
                topic.slots.resize(partition + 1, NONE);
            }
            topic.slots[partition] = self.list.len() as u32;
            self.list.push(Slot { at: at.clone(), next: *next, paused: false, batch });
        }
    }

    /// The slot of a message's partition, or `None` when it is not (or no longer) ours.
    ///
    /// # Safety
    /// `topic` is null or the topic object of a message that is alive.
    pub(super) unsafe fn find(&mut self, topic: *mut ffi::rd_kafka_topic_t, partition: i32) -> Option<usize> {
        if topic.is_null() || partition < 0 {
            return None;
        }
        let known = self.topics.iter().position(|known| std::ptr::eq(known.pointer, topic));
        let topic = match known {
            Some(known) => &self.topics[known],
            None => {
                // SAFETY: the caller promises a live topic object.
                let name = unsafe { text_of(ffi::rd_kafka_topic_name(topic)) };
                let found = self.topics.iter_mut().find(|known| *known.name == *name)?;
                found.pointer = topic;
                found
            }
        };
        topic.slots.get(partition as usize).filter(|slot| **slot != NONE).map(|slot| *slot as usize)
    }

    /// The slot of a partition.
    pub(super) fn of(&self, at: &TopicPartition) -> Option<usize> {
        self.list.iter().position(|slot| slot.at == *at)
    }

    /// Where the reader stands in each partition.
    pub(super) fn positions(&self) -> Vec<(TopicPartition, i64)> {
        self.list.iter().map(|slot| (slot.at.clone(), slot.next)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_that_is_not_assigned_any_more_has_no_slot() {
        let (a, b) = (TopicPartition::new("t", 0), TopicPartition::new("t", 3));
        let mut slots = Slots::default();
        slots.assign(&[(a.clone(), 5), (b.clone(), 7)]);
        assert_eq!(slots.of(&b), Some(1));
        slots.list[1].batch.push(7, 0, None, Some(b"x"));
        slots.assign(&[(b.clone(), 8)]);
        assert_eq!(slots.of(&a), None);
        assert_eq!(slots.of(&b), Some(0));
        assert_eq!(slots.positions(), [(b, 8)]);
        assert!(slots.list[0].batch.is_empty(), "records read before an assignment do not outlive it");
    }
}
