//! What a consumer group member does besides reading: commits, committed offsets, its identity in transactions.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as ffi;

use super::errors::Fault;
use super::native::{Client, OK, PartitionList, Queue, check, committed_of, elements, millis};
use super::{PartitionOffset, TopicPartition};
use crate::error::{Error, Result};

/// How long a commit outside of transactions waits for the broker's answer.
const COMMIT_WAIT: Duration = Duration::from_secs(10);

/// What to do when the group gives or takes partitions. Called by [`Reader::poll`](super::Reader::poll), on its thread.
///
/// The groups are eager with the `range` assignor: a rebalance first takes all partitions from every member, and
/// equal partition numbers of several topics come to one member, which joins need and the sticky assignors do not
/// promise. What a member keeps in memory for a partition may stay until [`assigned`](Self::assigned) says where the
/// partitions went; it is still right when the committed offset is where it stood.
pub trait RebalanceHandler {
    /// Partitions now belong to this member. Gives the next offset to read of each, in the same order; an error gives
    /// the partitions back and is returned by `poll`.
    fn assigned(&mut self, group: &Group, partitions: &[TopicPartition]) -> Result<Vec<i64>>;

    /// The member is about to lose all its partitions: the last moment to commit what was read. When `lost`, the group
    /// has gone on without this member, and a commit can only fail: abort instead. A commit can fail without that too,
    /// when the member does not know it yet. The partitions go in any case.
    fn revoked(&mut self, group: &Group, partitions: &[TopicPartition], lost: bool) -> Result<()>;
}

/// For readers with a fixed assignment, which are never rebalanced.
impl RebalanceHandler for () {
    fn assigned(&mut self, _: &Group, _: &[TopicPartition]) -> Result<Vec<i64>> {
        Err(Error::internal("a reader of a group is polled without a rebalance handler"))
    }

    fn revoked(&mut self, _: &Group, _: &[TopicPartition], _: bool) -> Result<()> {
        Ok(())
    }
}

/// The member's side of its group. Cheap to clone. The client's threads end with the last clone, so a clone should not
/// outlive its reader by long.
#[derive(Clone)]
pub struct Group {
    pub(super) client: Arc<Client>,
    pub(super) id: Arc<str>,
}

impl Group {
    /// The group's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The member's identity in its generation, for [`Writer::commit`](super::Writer::commit) (KIP-447). To be taken
    /// anew for each commit.
    pub fn metadata(&self) -> Result<GroupMetadata> {
        // SAFETY: the handle is alive and a consumer; the object is ours to destroy.
        let metadata = unsafe { ffi::rd_kafka_consumer_group_metadata(self.client.rk()) };
        if metadata.is_null() {
            return Err(Error::internal("a consumer without a group has no group metadata"));
        }
        Ok(GroupMetadata(metadata))
    }

    /// What the group has committed for each partition, in the same order; waits for open transactions that include
    /// offsets of this group. [`Admin::committed`](super::Admin::committed) does not wait.
    pub fn committed(&self, partitions: &[TopicPartition], wait: Duration) -> Result<Vec<Option<PartitionOffset>>> {
        let what = || format!("fetch the committed offsets of group `{}`", self.id);
        let list = PartitionList::of(partitions)?;
        // SAFETY: handle and list are alive.
        let code = unsafe { ffi::rd_kafka_committed(self.client.rk(), list.raw(), millis(wait)) };
        check(code).map_err(|fault| fault.error(&what()))?;
        let mut found = Vec::with_capacity(partitions.len());
        for (element, at) in list.elements().iter().zip(partitions) {
            check(element.err).map_err(|fault| fault.error(&format!("{}, {at}", what())))?;
            // SAFETY: the list is alive.
            found.push(unsafe { committed_of(element) });
        }
        Ok(found)
    }

    /// Commits offsets outside a transaction and waits for the answer, at most ten seconds.
    pub fn commit(&self, offsets: &[PartitionOffset]) -> Result<()> {
        if offsets.is_empty() {
            return Ok(());
        }
        let what = || format!("commit offsets of group `{}`", self.id);
        let list = PartitionList::commits(offsets)?;
        let queue = Queue::new(&self.client);
        // SAFETY: handle, list and queue are alive; the answer comes to the queue as an event.
        let code = unsafe {
            ffi::rd_kafka_commit_queue(self.client.rk(), list.raw(), queue.raw(), None, std::ptr::null_mut())
        };
        check(code).map_err(|fault| fault.error(&what()))?;
        let Some(event) = queue.poll(COMMIT_WAIT) else {
            return Err(Error::external(format!("cannot {}", what()))
                .detail(format!("the group's coordinator has not answered for {} s", COMMIT_WAIT.as_secs()))
                .retryable());
        };
        event.error().map_err(|fault| fault.error(&what()))?;
        // SAFETY: the list lives as long as the event.
        let answers = unsafe { elements(ffi::rd_kafka_event_topic_partition_list(event.raw())) };
        match answers.iter().find(|element| element.err != OK) {
            Some(element) => Err(Fault::of(element.err).error(&what())),
            None => Ok(()),
        }
    }
}

/// A member's identity in one generation of its group.
pub struct GroupMetadata(*mut ffi::rd_kafka_consumer_group_metadata_t);

// SAFETY: a plain value without ties to its client.
unsafe impl Send for GroupMetadata {}
// SAFETY: only read after its creation.
unsafe impl Sync for GroupMetadata {}

impl GroupMetadata {
    pub(super) fn raw(&self) -> *const ffi::rd_kafka_consumer_group_metadata_t {
        self.0
    }
}

impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: ours.
        unsafe { ffi::rd_kafka_consumer_group_metadata_destroy(self.0) }
    }
}
