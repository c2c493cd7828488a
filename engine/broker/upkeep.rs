//! What happens to data without a request: retention, compaction, and the expiry of offsets, producers and ids.
//!
//! Runs at intervals, or whenever a manual clock is advanced, on a thread that may block. Each kind looks at the topics or
//! the journal as they are then; a failure is told and tried again next time.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::node::Node;
use super::partition::compaction::MOST_KEYS;
use super::state::{Event, Offsets};

impl Node {
    /// Looks after everything until the broker stops.
    pub async fn run_upkeep(self: Arc<Self>) {
        let mut advances = self.config.clock.watch();
        loop {
            advances.wait(self.config.upkeep_interval.max(Duration::from_millis(1))).await;
            let node = Arc::clone(&self);
            if tokio::task::spawn_blocking(move || node.keep_up()).await.is_err() {
                self.config.warn("looking after the topics failed; it is tried again");
            }
        }
    }

    /// One round.
    fn keep_up(&self) {
        let now = self.now();
        self.topics.retain(&self.journal, now);
        self.compact(now);
        self.expire(now);
    }

    fn compact(&self, now: i64) {
        let pace = || match self.stopping.load(Ordering::Relaxed) {
            true => Err(io::Error::from(io::ErrorKind::Interrupted)),
            false => Ok(()),
        };
        for topic in self.topics.all() {
            for index in 0..topic.partition_count() {
                let Some((partition, rules)) = topic.partition(index) else { continue };
                match partition.compact(&rules, now, MOST_KEYS, &pace) {
                    Ok(_) => {}
                    Err(_) if self.stopping.load(Ordering::Relaxed) => return,
                    Err(error) => {
                        self.alarm.failed(&format!("partition {index} of {} cannot be compacted", topic.name), &error);
                    }
                }
            }
        }
    }

    fn expire(&self, now: i64) {
        let before = |age: Duration| now.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let producers = before(self.config.producer_id_expiration);
        for topic in self.topics.all() {
            topic.partitions().iter().for_each(|partition| partition.expire_producers(producers));
        }
        // What was noted without a time counts from the start of the broker.
        let ids = before(self.config.transactional_id_expiration);
        if self.started_ms < ids {
            self.transactions.expire(ids);
        }
        let offsets = before(self.config.offsets_retention);
        self.expire_offsets(offsets);
        self.groups.forget_before(offsets);
    }

    /// Forgets offsets that were committed before `before`, of groups that have had no members since.
    fn expire_offsets(&self, before: i64) {
        let old = |offsets: &Offsets| -> Vec<(String, i32)> {
            let of_topic = |(topic, of): (&String, &BTreeMap<i32, super::state::Committed>)| {
                let old = of.iter().filter(|(_, one)| one.at_ms.max(self.started_ms) < before);
                old.map(|(partition, _)| (topic.clone(), *partition)).collect::<Vec<_>>()
            };
            offsets.iter().flat_map(of_topic).collect()
        };
        let groups: Vec<String> = {
            let journal = self.journal.lock();
            let some = |(group, offsets): (&String, &Offsets)| (!old(offsets).is_empty()).then(|| group.clone());
            journal.state().offsets.iter().filter_map(some).collect()
        };
        for group in
            groups.into_iter().filter(|group| self.groups.empty_since(group).is_none_or(|since| since < before))
        {
            // Members that came meanwhile keep everything; a failure is tried again next time.
            let _ = self.groups.while_empty(&group, || {
                let mut journal = self.journal.lock();
                let Some(offsets) = journal.state().offsets.get(&group) else { return Ok(()) };
                let partitions = old(offsets);
                let all = offsets.values().map(BTreeMap::len).sum::<usize>() == partitions.len();
                let group = group.clone();
                let event = match all {
                    true => Event::GroupDeleted { group },
                    false => Event::OffsetsDeleted { group, partitions },
                };
                journal.record(event).map_err(|_| kafka_protocol::ResponseError::CoordinatorNotAvailable)
            });
        }
    }
}
