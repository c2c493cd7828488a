//! What one process holds of a persistent query: its partitions, their tasks, and what was read and not committed yet.
//!
//! Exactly once, as in KIP-447: outputs and positions go in one transaction, with the member's identity in its group, so
//! that a member the group has given up cannot commit. What remains of a process that died is its open transaction,
//! which would hold up readers of committed records until its timeout. So the owner of a partition leaves its
//! transactional id in the metadata of the committed offset, and takes it away when it gives the partition back; whoever
//! gets a partition with a foreign id on it ends that id's transaction first.
//!
//! What tasks keep is restored when partitions come, from a changelog that was written in the same transactions.
//!
//! Invariant: a position is committed only together with every output of the records before it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::catch_up::CatchUp;
use super::query::{Guarantee, QuerySpec};
use super::reports::Reporter;
use super::status::{Counters, Ends, Shared, one_line};
use crate::error::{Error, Result};
use crate::kafka::{Admin, Group, PartitionOffset, RebalanceHandler, TopicPartition, Writer, fence, replay_partitions};
use crate::plan::OnError;
use crate::record::{OutBatch, RawBatch};
use crate::topology::{Changelog, TaskOutput, Tasks};

/// How long the cluster gets to answer a question about offsets, or to give more of a changelog.
const ANSWER: Duration = Duration::from_secs(30);

/// How often topics of a query's own are emptied of what is processed, and how long the query waits for that.
const PURGE_EVERY: Duration = Duration::from_secs(30);
const PURGE_WAIT: Duration = Duration::from_secs(5);

/// The partitions a process owns of one query, with their tasks and the writer of their outputs.
pub struct Ownership {
    spec: Arc<QuerySpec>,
    shared: Arc<Shared>,
    admin: Admin,
    writer: Writer,
    reporter: Reporter,
    tasks: Tasks,
    /// Next offset to read of each owned partition. What waits in a task for records of another topic is not processed yet.
    read: BTreeMap<TopicPartition, i64>,
    /// Next offset to read after a restart, as last committed.
    committed: BTreeMap<TopicPartition, i64>,
    first_uncommitted: Option<Instant>,
    uncommitted_out: u64,
    output: TaskOutput,
    /// At least once: what is to be kept of the state, until the outputs are delivered.
    unwritten: Vec<OutBatch>,
    failure: Option<Error>,
    /// Where the partitions that tasks with state read were said to end.
    ended: BTreeMap<TopicPartition, i64>,
    catch_up: CatchUp,
    own_ends: Option<Ends>,
    /// When topics of the query's own were last emptied of what is processed, and whether it was said that they are not.
    purged: Instant,
    keeps_processed: bool,
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
        let log = spec.log.as_ref().map(|log| log.of_query(&spec.plan, &spec.notices));
        let reporter = Reporter::new(&spec.plan.query_id, &spec.sources.join(" and "), spec.notices.clone(), log);
        let shows_bytes = spec.log.as_ref().is_some_and(|log| log.shows_bytes());
        Ok(Ownership {
            admin,
            writer,
            reporter,
            tasks: Tasks::new(Arc::clone(&spec.plan), spec.own.clone(), shows_bytes),
            read: BTreeMap::new(),
            committed: BTreeMap::new(),
            ended: BTreeMap::new(),
            catch_up: CatchUp::default(),
            own_ends: None,
            purged: Instant::now(),
            keeps_processed: false,
            first_uncommitted: None,
            uncommitted_out: 0,
            output: TaskOutput::default(),
            unwritten: Vec::new(),
            failure: None,
            spec,
            shared,
        })
    }

    /// The topics to read: the sources, and topics of the query's own.
    pub fn topics(&self) -> Vec<Arc<str>> {
        self.tasks.topics()
    }

    /// Processes a batch of an owned partition and hands the outputs to the writer.
    pub fn process(&mut self, batch: &RawBatch) -> Result<()> {
        let Some(last) = batch.offsets.last() else { return Ok(()) };
        let (writer, uncommitted) = (&mut self.writer, &mut self.uncommitted_out);
        self.tasks.process(batch, &mut self.output, &mut |records| write(writer, uncommitted, records))?;
        if self.spec.sources.contains(&batch.topic) {
            let counters = &self.shared.counters;
            Counters::add(&counters.records_in, batch.len() as u64);
            if let Some(time) = batch.timestamps.last().and_then(|time| u64::try_from(*time).ok()) {
                counters.last_time_ms.store(time, Ordering::Relaxed);
            }
        }
        if self.output.bad > 0 && self.spec.plan.on_error == OnError::Fail {
            Counters::add(&self.shared.counters.bad, self.output.bad);
            return self.fail(batch);
        }
        self.hand_over()?;
        self.advance(&TopicPartition::new(Arc::clone(&batch.topic), batch.partition), last + 1);
        Ok(())
    }

    /// Notes that a partition was read to its end, which is `next`; what waited for that is processed.
    pub fn at_end(&mut self, at: &TopicPartition, next: i64) -> Result<()> {
        self.advance(at, next);
        if !self.tasks.has_state(&at.topic) {
            return Ok(());
        }
        self.ended.insert(at.clone(), next);
        // More may have come since it was said, and more may be on its way.
        if self.read.get(at) != Some(&next) || !self.catch_up.is_open(&at.topic) {
            return Ok(());
        }
        let (writer, uncommitted) = (&mut self.writer, &mut self.uncommitted_out);
        let take = &mut |records: &mut OutBatch| write(writer, uncommitted, records);
        self.tasks.at_end(&at.topic, at.partition, &mut self.output, take)?;
        self.hand_over()?;
        if self.moved().next().is_some() {
            self.first_uncommitted.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// Looks whether what goes through topics of the query's own has come through; what waited for that is processed.
    pub fn catch_up(&mut self) -> Result<()> {
        if self.catch_up.is_done() || self.read.is_empty() {
            return Ok(());
        }
        let (admin, group) = (&self.admin, &self.spec.group);
        let by_group = |others: &[TopicPartition]| committed_of(admin, group, others);
        for topic in self.catch_up.look(admin, &self.committed, &self.read, &by_group)? {
            let ended: Vec<_> = self.ended.iter().filter(|(at, _)| at.topic == topic).collect();
            let ended: Vec<_> = ended.into_iter().map(|(at, next)| (at.clone(), *next)).collect();
            ended.iter().try_for_each(|(at, next)| self.at_end(at, *next))?;
        }
        Ok(())
    }

    /// How many rows of a partition wait for records of another topic.
    pub fn waiting(&self, at: &TopicPartition) -> usize {
        self.tasks.waiting(&at.topic, at.partition)
    }

    /// Hands the outputs of the tasks to the writer, and what they have to say to the reporter.
    fn hand_over(&mut self) -> Result<()> {
        if self.output.bad > 0 {
            Counters::add(&self.shared.counters.bad, self.output.bad);
            self.reporter.take(&mut self.output.reports, self.output.bad);
        }
        write(&mut self.writer, &mut self.uncommitted_out, &mut self.output.records)?;
        let TaskOutput { forwarded, changes, dead, .. } = &mut self.output;
        if !self.writer.is_transactional() {
            self.unwritten.append(changes);
        }
        for out in forwarded.iter_mut().chain(changes).chain([dead]).filter(|out| !out.is_empty()) {
            self.writer.begin()?;
            self.writer.write(out)?;
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
            let (writer, uncommitted) = (&mut self.writer, &mut self.uncommitted_out);
            self.tasks.process(&before, &mut self.output, &mut |records| write(writer, uncommitted, records))?;
            self.hand_over()?;
        }
        self.advance(&TopicPartition::new(Arc::clone(&batch.topic), batch.partition), report.offset);
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
    fn advance(&mut self, at: &TopicPartition, next: i64) {
        let Some(position) = self.read.get_mut(at) else { return };
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
        let offset = |(at, next): (&TopicPartition, i64)| offset(at, next, owner);
        let offsets: Vec<PartitionOffset> =
            if release { self.positions().map(offset).collect() } else { self.moved().map(offset).collect() };
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
            // State that has gone on beyond outputs that are not there would take their rows for done.
            if !self.unwritten.is_empty() {
                for out in self.unwritten.drain(..) {
                    self.writer.write(&out)?;
                }
                self.writer.flush(self.spec.transaction_timeout)?;
            }
            group.commit(&offsets)?;
        }
        self.committed.extend(offsets.into_iter().map(|offset| (offset.at, offset.next)));
        self.first_uncommitted = None;
        self.purge();
        Counters::add(&self.shared.counters.records_out, std::mem::take(&mut self.uncommitted_out));
        let counters = &self.shared.counters;
        Counters::add(&counters.commits, 1);
        counters.rate_in.look(Counters::get(&counters.records_in));
        self.shared.set_positions(&self.committed);
        Ok(())
    }

    /// Next offset to read of each owned partition after a restart, as processed.
    pub fn positions(&self) -> impl Iterator<Item = (&TopicPartition, i64)> {
        self.read.iter().map(|(at, next)| (at, self.tasks.processed(&at.topic, at.partition, *next)))
    }

    /// Those that are not committed.
    fn moved(&self) -> impl Iterator<Item = (&TopicPartition, i64)> {
        self.positions().filter(|(at, next)| self.committed.get(*at) != Some(next))
    }

    /// Next offset to read of each owned partition, as committed.
    pub fn committed(&self) -> impl Iterator<Item = (&TopicPartition, i64)> {
        self.committed.iter().map(|(at, next)| (at, *next))
    }

    /// The partitions that this process owns.
    pub fn owned(&self) -> impl Iterator<Item = &TopicPartition> {
        self.read.keys()
    }

    /// Offsets the group has committed, as they are now; for partitions that other processes own.
    pub fn committed_by_group(&self, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>> {
        committed_of(&self.admin, &self.spec.group, partitions)
    }

    /// Where the topics of the query's own through which records go ended when it was noted.
    pub fn own_ends(&self) -> Option<&Ends> {
        self.own_ends.as_ref()
    }

    /// Notes where they end now.
    pub fn note_own_ends(&mut self) -> Result<()> {
        let topics: Vec<Arc<str>> = self.spec.own.repartition.iter().flatten().cloned().collect();
        self.own_ends = Some(super::start::ends_of_all(&self.admin, &topics)?);
        Ok(())
    }

    /// Takes what is processed off the topics through which records go, now and then. They belong to nobody else; what cannot
    /// be taken away now is later.
    fn purge(&mut self) {
        let own: Vec<&Arc<str>> = self.spec.own.repartition.iter().flatten().collect();
        if own.is_empty() || self.purged.elapsed() < PURGE_EVERY {
            return;
        }
        self.purged = Instant::now();
        let below: Vec<_> = self.committed.iter().filter(|(at, _)| own.contains(&&at.topic)).collect();
        let below: Vec<(TopicPartition, i64)> = below.into_iter().map(|(at, next)| (at.clone(), *next)).collect();
        if let Err(error) = self.admin.delete_records(&below, PURGE_WAIT)
            && !std::mem::replace(&mut self.keeps_processed, true)
        {
            let text = format!("what is processed stays on a topic of its own: {}", one_line(&error));
            self.spec.notices.warning(&self.spec.plan.query_id, text);
        }
    }

    /// Tells what was held back of reports.
    pub fn finish_reports(&mut self) {
        self.reporter.finish();
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

    /// Makes the tasks that keep something, of the partitions that are owned now, with what they had kept.
    fn restore(&mut self) -> Result<()> {
        let Some(changelog) = self.tasks.changelog().cloned() else { return Ok(()) };
        let through: Vec<_> = self.spec.plan.scans().zip(&self.spec.own.repartition).collect();
        let through: Vec<(Arc<str>, Arc<str>)> = through
            .into_iter()
            .filter_map(|(scan, own)| Some((Arc::from(scan.topic.as_str()), Arc::clone(own.as_ref()?))))
            .collect();
        self.catch_up = CatchUp::new(&self.admin, &through)?;
        let of_state = self.read.keys().filter(|at| self.tasks.has_state(&at.topic));
        let mut changelogs: BTreeMap<i32, Changelog> =
            of_state.map(|at| (at.partition, Changelog::default())).collect();
        let partitions: Vec<TopicPartition> =
            changelogs.keys().map(|partition| TopicPartition::new(Arc::clone(&changelog), *partition)).collect();
        replay_partitions(&self.spec.client, &self.admin, &partitions, ANSWER, &mut |batch| {
            if let Some(changelog) = changelogs.get_mut(&batch.partition) {
                (0..batch.len()).for_each(|row| changelog.read(batch.keys.get(row), batch.values.get(row)));
            }
        })?;
        changelogs.iter().try_for_each(|(partition, changelog)| self.tasks.restore(*partition, changelog))
    }

    fn forget(&mut self) {
        self.tasks.clear();
        self.unwritten.clear();
        self.ended.clear();
        self.catch_up = CatchUp::default();
        self.own_ends = None;
        self.read.clear();
        self.committed.clear();
        self.first_uncommitted = None;
        self.uncommitted_out = 0;
        self.shared.set_positions(&self.committed);
    }
}

fn committed_of(admin: &Admin, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>> {
    let committed = admin.committed(group, partitions, ANSWER)?;
    Ok(committed.into_iter().map(|offset| offset.map(|offset| offset.next)).collect())
}

fn offset(at: &TopicPartition, next: i64, metadata: &str) -> PartitionOffset {
    PartitionOffset { at: at.clone(), next, metadata: metadata.to_string() }
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
            self.read.insert(at.clone(), *start);
        }
        if self.spec.guarantee == Guarantee::ExactlyOnce {
            let owner = &self.spec.transactional_id;
            let claim: Vec<_> = self.read.iter().map(|(at, next)| offset(at, *next, owner)).collect();
            group.commit(&claim)?;
        }
        self.committed = self.read.clone();
        // What the former owners had committed is read, and they cannot commit any more.
        self.restore()?;
        self.shared.set_positions(&self.committed);
        Ok(starts)
    }

    fn revoked(&mut self, group: &Group, _partitions: &[TopicPartition], lost: bool) -> Result<()> {
        let committed = if lost { self.writer.abort().map_err(Into::into) } else { self.commit(group, true) };
        self.forget();
        committed
    }
}
