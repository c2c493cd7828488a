//! What one process holds of a persistent query: its partitions, their tasks, and what was read and not committed yet.
//!
//! Exactly once, as in KIP-447: outputs and positions go in one transaction, with the member's identity in its group, so
//! that a member the group has given up cannot commit. What remains of a process that died is its open transaction,
//! which would hold up readers of committed records until its timeout. So the owner of a partition leaves its
//! transactional id in the metadata of the committed offset, and takes it away when it gives the partition back; whoever
//! gets a partition with a foreign id on it ends that id's transaction first.
//!
//! Invariant: a position is committed only together with every output of the records before it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::query::{Guarantee, QuerySpec};
use super::reports::Reporter;
use super::status::{Counters, Shared};
use crate::error::{Error, Result};
use crate::kafka::{Admin, Group, PartitionOffset, RebalanceHandler, TopicPartition, Writer, fence};
use crate::plan::OnError;
use crate::record::{OutBatch, RawBatch};
use crate::topology::{Task, TaskOutput};

/// How long the cluster gets to answer a question about offsets.
const ANSWER: Duration = Duration::from_secs(30);

/// The partitions a process owns of one query, with their tasks and the writer of their outputs.
pub struct Ownership {
    spec: Arc<QuerySpec>,
    shared: Arc<Shared>,
    admin: Admin,
    writer: Writer,
    reporter: Reporter,
    tasks: BTreeMap<i32, Task>,
    /// Next offset to read of each owned partition, as processed.
    positions: BTreeMap<i32, i64>,
    /// The same, as last committed.
    committed: BTreeMap<i32, i64>,
    first_uncommitted: Option<Instant>,
    uncommitted_out: u64,
    output: TaskOutput,
    failure: Option<Error>,
}

impl Ownership {
    /// Owns nothing yet; connects the writer, which ends a transaction this process left open earlier.
    pub fn new(spec: Arc<QuerySpec>, shared: Arc<Shared>) -> Result<Ownership> {
        let writer = match spec.guarantee {
            Guarantee::ExactlyOnce => {
                Writer::transactional(&spec.client, &spec.transactional_id, spec.transaction_timeout)?
            }
            Guarantee::AtLeastOnce => Writer::plain(&spec.client)?,
        };
        shared.set_interrupter(writer.interrupter());
        let admin = Admin::new(&spec.client)?;
        let (id, topic) = (&spec.plan.query_id, &spec.plan.source.topic);
        let log = spec.log.as_ref().map(|log| log.of_query(&spec.plan, &spec.notices));
        let reporter = Reporter::new(id, topic, spec.notices.clone(), log);
        Ok(Ownership {
            admin,
            writer,
            reporter,
            tasks: BTreeMap::new(),
            positions: BTreeMap::new(),
            committed: BTreeMap::new(),
            first_uncommitted: None,
            uncommitted_out: 0,
            output: TaskOutput::default(),
            failure: None,
            spec,
            shared,
        })
    }

    /// Processes a batch of an owned partition and hands the outputs to the writer.
    pub fn process(&mut self, batch: &RawBatch) -> Result<()> {
        let Some(last) = batch.offsets.last() else { return Ok(()) };
        let task = match self.tasks.entry(batch.partition) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let task = entry.insert(Task::new(&self.spec.plan, batch.partition)?);
                task.keep_bytes(self.spec.log.as_ref().is_some_and(|log| log.shows_bytes()));
                task
            }
        };
        let (writer, uncommitted) = (&mut self.writer, &mut self.uncommitted_out);
        task.process_in_pieces(batch, &mut self.output, &mut |records, _| {
            write(writer, uncommitted, records)?;
            Ok(true)
        })?;
        let counters = &self.shared.counters;
        Counters::add(&counters.records_in, batch.len() as u64);
        if let Some(time) = batch.timestamps.last().and_then(|time| u64::try_from(*time).ok()) {
            counters.last_time_ms.store(time, Ordering::Relaxed);
        }
        if self.output.bad > 0 {
            Counters::add(&counters.bad, self.output.bad);
            if self.spec.plan.on_error == OnError::Fail {
                return self.fail(batch);
            }
            self.reporter.take(&mut self.output.reports, self.output.bad);
        }
        self.hand_over()?;
        self.advance(batch.partition, last + 1);
        Ok(())
    }

    /// Hands the outputs of the task to the writer.
    fn hand_over(&mut self) -> Result<()> {
        write(&mut self.writer, &mut self.uncommitted_out, &mut self.output.records)?;
        if !self.output.dead.is_empty() {
            self.writer.begin()?;
            self.writer.write(&self.output.dead)?;
        }
        self.output.clear();
        Ok(())
    }

    /// Ends the query at the first bad record of a batch: what stands before it is processed, and the failure waits until
    /// that is committed.
    fn fail(&mut self, batch: &RawBatch) -> Result<()> {
        let first = self.output.first.take();
        self.reporter.take(&mut self.output.reports, self.output.bad);
        self.output.clear();
        let Some(report) = first else { return Err(Error::internal("a bad record without a report")) };
        let before = batch.before(report.offset);
        if !before.is_empty() {
            let mut task = Task::new(&self.spec.plan, batch.partition)?;
            let (writer, uncommitted) = (&mut self.writer, &mut self.uncommitted_out);
            task.process_in_pieces(&before, &mut self.output, &mut |records, _| {
                write(writer, uncommitted, records)?;
                Ok(true)
            })?;
            self.hand_over()?;
        }
        self.advance(batch.partition, report.offset);
        let place = format!("topic {}, partition {}, offset {}", batch.topic, batch.partition, report.offset);
        self.failure.get_or_insert(
            Error::data(format!("{place}: {}", report.message))
                .detail("ON_ERROR = 'fail' ends the query before a record that it cannot process")
                .hint("Mend what writes the topic, or create the query again with ON_ERROR = 'skip' or 'dead_letter'."),
        );
        Ok(())
    }

    /// The failure that ends the query once everything before it is committed.
    pub fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// Notes that everything below `next` was read; also over transaction markers and aborted records.
    pub fn advance(&mut self, partition: i32, next: i64) {
        let Some(position) = self.positions.get_mut(&partition) else { return };
        if next > *position {
            *position = next;
            self.first_uncommitted.get_or_insert_with(Instant::now);
        }
    }

    /// How long until the next commit is due; `None` when there is nothing to commit.
    pub fn commit_due_in(&self) -> Option<Duration> {
        let since = self.first_uncommitted?;
        Some(self.spec.commit_interval.saturating_sub(since.elapsed()))
    }

    /// Commits outputs and positions together. With `release`, also takes our id off the partitions.
    pub fn commit(&mut self, group: &Group, release: bool) -> Result<()> {
        self.reporter.settle();
        let owner =
            if release || self.spec.guarantee == Guarantee::AtLeastOnce { "" } else { &self.spec.transactional_id };
        let moved = |partition: &i32, next: &i64| self.committed.get(partition) != Some(next);
        let offsets: Vec<PartitionOffset> = self
            .positions
            .iter()
            .filter(|(partition, next)| release || moved(partition, next))
            .map(|(partition, next)| self.offset(*partition, *next, owner))
            .collect();
        if offsets.is_empty() {
            self.first_uncommitted = None;
            return Ok(());
        }
        if self.writer.is_transactional() && (self.writer.is_open() || !release) {
            self.writer.begin()?;
            self.writer.commit(&offsets, Some(&group.metadata()?))?;
            if release {
                // The broker answers a commit before everybody sees its offsets. A plain commit of the same behind it makes
                // sure that the next owner does not find our id there and fence us.
                group.commit(&offsets)?;
            }
        } else {
            self.writer.flush(self.spec.transaction_timeout)?;
            group.commit(&offsets)?;
        }
        self.committed = self.positions.clone();
        self.first_uncommitted = None;
        Counters::add(&self.shared.counters.records_out, std::mem::take(&mut self.uncommitted_out));
        let counters = &self.shared.counters;
        Counters::add(&counters.commits, 1);
        counters.rate_in.look(Counters::get(&counters.records_in));
        self.shared.set_positions(&self.committed);
        Ok(())
    }

    /// Next offset to read of each owned partition.
    pub fn positions(&self) -> &BTreeMap<i32, i64> {
        &self.positions
    }

    /// Offsets the group has committed, by partition, as they are now; for partitions that other processes own.
    pub fn committed_by_group(&self, partitions: &[i32]) -> Result<Vec<Option<i64>>> {
        let committed = self.admin.committed(&self.spec.group, &self.all(partitions), ANSWER)?;
        Ok(committed.into_iter().map(|offset| offset.map(|offset| offset.next)).collect())
    }

    /// Tells what was held back of reports.
    pub fn finish_reports(&mut self) {
        self.reporter.finish();
    }

    fn offset(&self, partition: i32, next: i64, metadata: &str) -> PartitionOffset {
        PartitionOffset { at: self.at(partition), next, metadata: metadata.to_string() }
    }

    fn at(&self, partition: i32) -> TopicPartition {
        TopicPartition::new(Arc::clone(&self.spec.topic), partition)
    }

    fn all(&self, partitions: &[i32]) -> Vec<TopicPartition> {
        partitions.iter().map(|partition| self.at(*partition)).collect()
    }

    /// Ends the transactions of processes that owned these partitions and did not give them back.
    fn fence_former_owners(&self, partitions: &[TopicPartition]) -> Result<()> {
        let committed = self.admin.committed(&self.spec.group, partitions, ANSWER)?;
        let mut owners: Vec<String> = committed.into_iter().flatten().map(|offset| offset.metadata).collect();
        owners.retain(|owner| !owner.is_empty() && *owner != self.spec.transactional_id);
        owners.sort();
        owners.dedup();
        for owner in owners {
            fence(&self.spec.client, &owner, ANSWER)?;
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.tasks.clear();
        self.positions.clear();
        self.committed.clear();
        self.first_uncommitted = None;
        self.uncommitted_out = 0;
        self.shared.set_positions(&self.committed);
    }
}

/// Hands records to the writer, in its transaction if it has one.
fn write(writer: &mut Writer, uncommitted: &mut u64, records: &mut OutBatch) -> Result<()> {
    if !records.is_empty() {
        writer.begin()?;
        writer.write(records)?;
        *uncommitted += records.len() as u64;
        records.clear();
    }
    Ok(())
}

impl RebalanceHandler for Ownership {
    fn assigned(&mut self, group: &Group, partitions: &[TopicPartition]) -> Result<Vec<i64>> {
        self.forget();
        // Also at least once: the former owner may have run with transactions, and its offsets wait for their end.
        self.fence_former_owners(partitions)?;
        // A partition without an offset was added after the query was accepted: it is read from its first record.
        let committed = group.committed(partitions, ANSWER)?;
        let starts: Vec<i64> = committed.iter().map(|offset| offset.as_ref().map_or(0, |offset| offset.next)).collect();
        for (at, start) in partitions.iter().zip(&starts) {
            self.positions.insert(at.partition, *start);
        }
        if self.spec.guarantee == Guarantee::ExactlyOnce {
            let owner = &self.spec.transactional_id;
            let claim: Vec<_> =
                self.positions.iter().map(|(partition, next)| self.offset(*partition, *next, owner)).collect();
            group.commit(&claim)?;
        }
        self.committed = self.positions.clone();
        self.shared.set_positions(&self.committed);
        Ok(starts)
    }

    fn revoked(&mut self, group: &Group, _partitions: &[TopicPartition], lost: bool) -> Result<()> {
        let committed = if lost { self.writer.abort().map_err(Into::into) } else { self.commit(group, true) };
        self.forget();
        committed
    }
}
