//! Positions as the cluster knows them: ends of partitions, offsets by time, and what groups have committed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::bindings as ffi;
use rdkafka::bindings::rd_kafka_IsolationLevel_t as Isolation;
use rdkafka::bindings::rd_kafka_admin_op_t as Op;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::admin::Admin;
use super::errors::Fault;
use super::native::{PartitionList, Queue, check, committed_of, cstring, elements, partition_of, text_of};
use super::{PartitionOffset, TopicPartition};
use crate::error::{Error, Result};

/// Pause before a question is asked again.
pub(super) const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// The ends of one partition; each is the next offset to read there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset that is still kept.
    pub earliest: i64,
    /// The end for readers of committed records: the first open transaction, or `latest` (the last stable offset).
    pub stable: i64,
    /// The end of the log, open transactions included.
    pub latest: i64,
}

impl Admin {
    /// The ends of all partitions, in the same order: three requests per broker, sent at once.
    pub fn watermarks(&self, partitions: &[TopicPartition], wait: Duration) -> Result<Vec<Watermarks>> {
        let earliest = self.ask_offsets(partitions, -2, Isolation::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED, wait)?;
        let stable = self.ask_offsets(partitions, -1, Isolation::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED, wait)?;
        let latest = self.ask_offsets(partitions, -1, Isolation::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED, wait)?;
        let earliest = self.offsets(&earliest, partitions, wait)?;
        let stable = self.offsets(&stable, partitions, wait)?;
        let latest = self.offsets(&latest, partitions, wait)?;
        let ends = earliest.into_iter().zip(stable).zip(latest);
        Ok(ends.map(|((earliest, stable), latest)| Watermarks { earliest, stable, latest }).collect())
    }

    /// The partitions of a topic, which must exist.
    pub fn topic_partitions(&self, topic: &str, wait: Duration) -> Result<Vec<TopicPartition>> {
        let Some(info) = self.topic(topic, wait)? else {
            return Err(Error::external(format!("topic `{topic}` does not exist"))
                .hint("SHOW TOPICS lists the topics of the cluster."));
        };
        let name: std::sync::Arc<str> = topic.into();
        Ok((0..info.partitions).map(|at| TopicPartition::new(name.clone(), at)).collect())
    }

    /// The watermarks of all partitions of a topic, which must exist, in the partitions' order.
    pub fn topic_watermarks(&self, topic: &str, wait: Duration) -> Result<Vec<(TopicPartition, Watermarks)>> {
        let partitions = self.topic_partitions(topic, wait)?;
        let watermarks = self.watermarks(&partitions, wait)?;
        Ok(partitions.into_iter().zip(watermarks).collect())
    }

    /// For each partition the offset of the first record at or after `timestamp_ms`, or the end when there is none.
    pub fn offsets_at(&self, partitions: &[TopicPartition], timestamp_ms: i64, wait: Duration) -> Result<Vec<i64>> {
        let isolation = Isolation::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED;
        let found = self.ask_offsets(partitions, timestamp_ms.max(0), isolation, wait)?;
        let ends = self.ask_offsets(partitions, -1, isolation, wait)?;
        let found = self.offsets(&found, partitions, wait)?;
        let ends = self.offsets(&ends, partitions, wait)?;
        Ok(found.into_iter().zip(ends).map(|(found, end)| if found < 0 { end } else { found }).collect())
    }

    /// Sends a ListOffsets request; `spec` is -2 for the first offset, -1 for the end, or a time in milliseconds.
    fn ask_offsets(
        &self,
        partitions: &[TopicPartition],
        spec: i64,
        isolation: Isolation,
        wait: Duration,
    ) -> Result<Queue> {
        let specs: Vec<_> = partitions.iter().map(|at| (at.clone(), spec)).collect();
        let list = PartitionList::at(&specs)?;
        // SAFETY: all arguments are alive; the request copies the list.
        Ok(self.send(Op::RD_KAFKA_ADMIN_OP_LISTOFFSETS, wait, Some(isolation), |rk, options, queue| unsafe {
            ffi::rd_kafka_ListOffsets(rk, list.raw(), options, queue);
        }))
    }

    /// The answer to [`ask_offsets`](Self::ask_offsets), in the order of `partitions`.
    fn offsets(&self, queue: &Queue, partitions: &[TopicPartition], wait: Duration) -> Result<Vec<i64>> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let what = "read the ends of partitions";
        let event = self.answer(queue, wait, what)?;
        let mut found = HashMap::new();
        // SAFETY: results live as long as the event.
        unsafe {
            let result = ffi::rd_kafka_event_ListOffsets_result(event.raw());
            let mut count = 0;
            let infos = ffi::rd_kafka_ListOffsets_result_infos(result, &mut count);
            for at in 0..count {
                let element = &*ffi::rd_kafka_ListOffsetsResultInfo_topic_partition(*infos.add(at));
                let partition = partition_of(element);
                check(element.err).map_err(|fault| fault.error(&format!("read the ends of {partition}")))?;
                found.insert(partition, element.offset);
            }
        }
        let of = |at: &TopicPartition| {
            found.get(at).copied().ok_or_else(|| Error::external(format!("the broker left out the end of {at}")))
        };
        partitions.iter().map(of).collect()
    }

    /// What a group has committed for each partition, in the same order, as it is now: offsets of a transaction that
    /// is still open are not waited for, and those of one just committed may take a moment to show, because the broker
    /// writes its markers after it has answered. [`Group::committed`](super::Group::committed) waits for both.
    pub fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
        wait: Duration,
    ) -> Result<Vec<Option<PartitionOffset>>> {
        patiently(wait, || self.committed_once(group, partitions, false, wait))
    }

    /// The same, once nothing of it is in an open transaction any more: that of a member that died ends with its timeout.
    pub fn committed_for_good(
        &self,
        group: &str,
        partitions: &[TopicPartition],
        wait: Duration,
    ) -> Result<Vec<Option<PartitionOffset>>> {
        patiently(wait, || self.committed_once(group, partitions, true, wait))
    }

    fn committed_once(
        &self,
        group: &str,
        partitions: &[TopicPartition],
        for_good: bool,
        wait: Duration,
    ) -> Result<Vec<Option<PartitionOffset>>> {
        let what = format!("fetch the committed offsets of group `{group}`");
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let list = PartitionList::of(partitions)?;
        let name = cstring(group)?;
        let mut found = HashMap::new();
        // SAFETY: all arguments are alive; the request object is destroyed once; results live as long as the event.
        unsafe {
            let mut requests = [ffi::rd_kafka_ListConsumerGroupOffsets_new(name.as_ptr(), list.raw())];
            let answer = self.ask(Op::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, wait, &what, |rk, options, queue| {
                if for_good {
                    // The options are this request's own; one that does not know the setting would give an error to free.
                    let error = ffi::rd_kafka_AdminOptions_set_require_stable_offsets(options.cast_mut(), 1);
                    if !error.is_null() {
                        ffi::rd_kafka_error_destroy(error);
                    }
                }
                ffi::rd_kafka_ListConsumerGroupOffsets(rk, requests.as_mut_ptr(), 1, options, queue);
            });
            ffi::rd_kafka_ListConsumerGroupOffsets_destroy(requests[0]);
            let event = answer?;
            let result = ffi::rd_kafka_event_ListConsumerGroupOffsets_result(event.raw());
            let mut count = 0;
            let groups = ffi::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &mut count);
            group_result(groups, count).map_err(|fault| fault.error(&what))?;
            for element in group_partitions(groups, count) {
                check(element.err).map_err(|fault| fault.error(&what))?;
                if let Some(offset) = committed_of(element) {
                    found.insert(offset.at.clone(), offset);
                }
            }
        }
        Ok(partitions.iter().map(|at| found.remove(at)).collect())
    }

    /// Commits offsets for a group that has no members, such as the start positions of a query not yet started.
    pub fn set_committed(&self, group: &str, offsets: &[PartitionOffset], wait: Duration) -> Result<()> {
        patiently(wait, || self.set_committed_once(group, offsets, wait))
    }

    fn set_committed_once(&self, group: &str, offsets: &[PartitionOffset], wait: Duration) -> Result<()> {
        if offsets.is_empty() {
            return Ok(());
        }
        let what = format!("commit offsets of group `{group}`");
        let list = PartitionList::commits(offsets)?;
        let name = cstring(group)?;
        // SAFETY: as in `committed`.
        unsafe {
            let mut requests = [ffi::rd_kafka_AlterConsumerGroupOffsets_new(name.as_ptr(), list.raw())];
            let answer =
                self.ask(Op::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, wait, &what, |rk, options, queue| {
                    ffi::rd_kafka_AlterConsumerGroupOffsets(rk, requests.as_mut_ptr(), 1, options, queue);
                });
            ffi::rd_kafka_AlterConsumerGroupOffsets_destroy(requests[0]);
            let event = answer?;
            let result = ffi::rd_kafka_event_AlterConsumerGroupOffsets_result(event.raw());
            let mut count = 0;
            let groups = ffi::rd_kafka_AlterConsumerGroupOffsets_result_groups(result, &mut count);
            group_result(groups, count).map_err(|fault| fault.error(&what))?;
            for element in group_partitions(groups, count) {
                check(element.err).map_err(|fault| fault.error(&what))?;
            }
        }
        Ok(())
    }

    /// Deletes a group without members, with its offsets; gives false when there is none.
    pub fn delete_group(&self, group: &str, wait: Duration) -> Result<bool> {
        patiently(wait, || self.delete_group_once(group, wait))
    }

    fn delete_group_once(&self, group: &str, wait: Duration) -> Result<bool> {
        let what = format!("delete group `{group}`");
        let name = cstring(group)?;
        // SAFETY: as in `committed`.
        let outcome = unsafe {
            let mut groups = [ffi::rd_kafka_DeleteGroup_new(name.as_ptr())];
            let answer = self.ask(Op::RD_KAFKA_ADMIN_OP_DELETEGROUPS, wait, &what, |rk, options, queue| {
                ffi::rd_kafka_DeleteGroups(rk, groups.as_mut_ptr(), 1, options, queue);
            });
            ffi::rd_kafka_DeleteGroup_destroy(groups[0]);
            let event = answer?;
            let result = ffi::rd_kafka_event_DeleteGroups_result(event.raw());
            let mut count = 0;
            group_result(ffi::rd_kafka_DeleteGroups_result_groups(result, &mut count), count)
        };
        match outcome {
            Ok(()) => Ok(true),
            Err(fault) if fault.code == Code::GroupIdNotFound => Ok(false),
            Err(fault) => Err(fault.error(&what)),
        }
    }

    /// Deletes what a group has committed for some partitions; gives false when there is no such group.
    pub fn delete_committed(&self, group: &str, partitions: &[TopicPartition], wait: Duration) -> Result<bool> {
        patiently(wait, || self.delete_committed_once(group, partitions, wait))
    }

    fn delete_committed_once(&self, group: &str, partitions: &[TopicPartition], wait: Duration) -> Result<bool> {
        let what = format!("delete offsets of group `{group}`");
        let list = PartitionList::of(partitions)?;
        let name = cstring(group)?;
        // SAFETY: as in `committed`.
        let outcome = unsafe {
            let mut requests = [ffi::rd_kafka_DeleteConsumerGroupOffsets_new(name.as_ptr(), list.raw())];
            let op = Op::RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS;
            let answer = self.ask(op, wait, &what, |rk, options, queue| {
                ffi::rd_kafka_DeleteConsumerGroupOffsets(rk, requests.as_mut_ptr(), 1, options, queue);
            });
            ffi::rd_kafka_DeleteConsumerGroupOffsets_destroy(requests[0]);
            let event = answer?;
            let result = ffi::rd_kafka_event_DeleteConsumerGroupOffsets_result(event.raw());
            let mut count = 0;
            let groups = ffi::rd_kafka_DeleteConsumerGroupOffsets_result_groups(result, &mut count);
            let whole = group_result(groups, count);
            whole.and_then(|()| group_partitions(groups, count).iter().try_for_each(|element| check(element.err)))
        };
        match outcome {
            Ok(()) => Ok(true),
            Err(fault) if fault.code == Code::GroupIdNotFound => Ok(false),
            Err(fault) => Err(fault.error(&what)),
        }
    }
}

/// The outcome for the one group of a request.
///
/// # Safety
/// `groups` are `count` results of an event that is alive.
unsafe fn group_result(groups: *mut *const ffi::rd_kafka_group_result_t, count: usize) -> Result<(), Fault> {
    if count == 0 {
        return Ok(());
    }
    // SAFETY: the caller's promise; the error belongs to the result.
    unsafe {
        let error = ffi::rd_kafka_group_result_error(*groups);
        if error.is_null() {
            return Ok(());
        }
        let text = text_of(ffi::rd_kafka_error_string(error));
        check(ffi::rd_kafka_error_code(error)).map_err(|fault| Fault { text, ..fault })
    }
}

/// The partitions of the one group of a request.
///
/// # Safety
/// As for [`group_result`], for as long as the slice is used.
unsafe fn group_partitions<'a>(
    groups: *mut *const ffi::rd_kafka_group_result_t,
    count: usize,
) -> &'a [ffi::rd_kafka_topic_partition_t] {
    if count == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { elements(ffi::rd_kafka_group_result_partitions(*groups)) }
}

/// Asks again while the answer is that it is too early, such as a group's coordinator that is still loading: a cluster that
/// has just started says so for a moment.
pub(super) fn patiently<T>(wait: Duration, mut ask: impl FnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + wait;
    loop {
        match ask() {
            Err(error) if error.is_retryable() && Instant::now() + AGAIN_AFTER < deadline => {
                std::thread::park_timeout(AGAIN_AFTER);
            }
            answer => return answer,
        }
    }
}
