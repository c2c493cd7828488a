//! The transaction coordinator (KIP-98, KIP-360, KIP-447): producer ids, epochs, and transactions over partitions and
//! groups.
//!
//! The decision to commit or abort is one event in the journal. Markers follow in every partition, and when all are
//! written, offsets sent to the transaction count; should one fail, the decision stands and the rest is written later,
//! by the next request or by time. All changes pass one gate, so that reading a state and writing the next is one step. Lock
//! order: gate, then groups, then a partition or the journal.

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use parking_lot::{Mutex, MutexGuard};

use super::clock::Clock;
use super::groups::Groups;
use super::hooks::Hooks;
use super::journal::Journal;
use super::log::batch::Marker;
use super::state::{Event, Offsets, Phase, Txn};
use super::topics::Topics;

/// How long to wait before writing missing markers again, in milliseconds.
const RETRY_MS: i64 = 200;

/// Who a transactional request says it comes from.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The transactional id.
    pub id: &'a str,
    /// The producer id.
    pub producer_id: i64,
    /// The producer epoch.
    pub epoch: i16,
}

/// A transactional id as inspection shows it.
pub type Described = (String, Txn);

/// The coordinator.
#[derive(Debug)]
pub struct Transactions {
    gate: Mutex<()>,
    journal: Arc<Mutex<Journal>>,
    topics: Arc<Topics>,
    max_timeout_ms: i64,
    clock: Clock,
    hooks: Option<Hooks>,
}

impl Transactions {
    /// The coordinator over what the journal holds; transactions that were open go on, decided ones are finished.
    pub fn open(
        journal: Arc<Mutex<Journal>>,
        topics: Arc<Topics>,
        max_timeout_ms: i64,
        clock: Clock,
        hooks: Option<Hooks>,
    ) -> Self {
        let this = Transactions { gate: Mutex::new(()), journal, topics, max_timeout_ms, clock, hooks };
        this.resume();
        this
    }

    fn resume(&self) {
        let gate = self.gate.lock();
        for (id, txn) in self.all() {
            match txn.phase {
                Phase::Ongoing => self.permit(&txn, &txn.partitions),
                Phase::PrepareCommit | Phase::PrepareAbort => {
                    // A failure is tried again by `tick`.
                    let _ = self.finish(&gate, &id, txn);
                }
                _ => {}
            }
        }
        self.settle_strays();
    }

    /// Ends transactions that are open in a partition although no transactional id has them open: after a power loss
    /// a marker can be gone whose completion was kept. Readers would wait for it for ever.
    fn settle_strays(&self) {
        let all = self.all();
        for topic in self.topics.all() {
            for index in 0..topic.partition_count() {
                let Some((partition, rules)) = topic.partition(index) else { continue };
                for producer in partition.producers().iter().filter(|producer| producer.open >= 0) {
                    let owner = all.iter().find(|(_, txn)| txn.producer_id == producer.id).map(|(_, txn)| txn);
                    let held = owner.is_some_and(|txn| txn.partitions.contains(&(topic.name.clone(), index)));
                    if held {
                        continue;
                    }
                    let committed =
                        owner.is_some_and(|txn| txn.phase == Phase::CompleteCommit && txn.epoch == producer.epoch);
                    let marker = if committed { Marker::Commit } else { Marker::Abort };
                    let _ = partition.end_transaction(marker, producer.id, producer.epoch, rules);
                }
            }
        }
    }

    fn all(&self) -> Vec<Described> {
        self.journal.lock().state().txns.iter().map(|(id, txn)| (id.clone(), txn.clone())).collect()
    }

    fn get(&self, id: &str) -> Option<Txn> {
        self.journal.lock().state().txns.get(id).cloned()
    }

    fn record(&self, event: Event) -> Result<(), ResponseError> {
        self.journal.lock().record(event).map_err(|_| ResponseError::CoordinatorNotAvailable)
    }

    fn keep(&self, id: &str, txn: &Txn) -> Result<(), ResponseError> {
        let txn = Txn { used_ms: self.clock.now_ms(), ..txn.clone() };
        self.record(Event::Txn { id: id.to_string(), txn })
    }

    /// Forgets transactional ids that were last used before `before`, in milliseconds, and have nothing open.
    pub fn expire(&self, before: i64) {
        let _gate = self.gate.lock();
        for (id, txn) in self.all() {
            let idle = matches!(txn.phase, Phase::Empty | Phase::CompleteCommit | Phase::CompleteAbort);
            if idle && txn.used_ms < before {
                // A failure is tried again next time.
                let _ = self.record(Event::TxnExpired { id });
            }
        }
    }

    fn permit<'a>(&self, txn: &Txn, partitions: impl IntoIterator<Item = &'a (String, i32)>) {
        for (topic, index) in partitions {
            if let Some((partition, _)) = self.topics.partition(topic, *index) {
                partition.permit(txn.producer_id, txn.epoch);
            }
        }
    }

    fn new_producer_id(&self) -> Result<i64, ResponseError> {
        let mut journal = self.journal.lock();
        let id = journal.state().next_producer_id;
        journal.record(Event::ProducerIds { next: id + 1 }).map_err(|_| ResponseError::CoordinatorNotAvailable)?;
        Ok(id)
    }

    /// InitProducerId for an idempotent producer.
    pub fn init_idempotent(&self) -> Result<(i64, i16), ResponseError> {
        Ok((self.new_producer_id()?, 0))
    }

    /// InitProducerId for a transactional one: fences its predecessor and aborts what that left open. `given` is the
    /// producer's present id and epoch when it asks to have its own epoch raised.
    pub fn init(&self, id: &str, timeout_ms: i32, given: Option<(i64, i16)>) -> Result<(i64, i16), ResponseError> {
        if id.is_empty() {
            return Err(ResponseError::InvalidRequest);
        }
        if timeout_ms <= 0 || i64::from(timeout_ms) > self.max_timeout_ms {
            return Err(ResponseError::InvalidTransactionTimeout);
        }
        let gate = self.gate.lock();
        let Some(mut txn) = self.get(id) else {
            if given.is_some() {
                return Err(ResponseError::InvalidProducerIdMapping);
            }
            let producer_id = self.new_producer_id()?;
            let txn = Txn {
                producer_id,
                epoch: 0,
                last_epoch: -1,
                timeout_ms,
                phase: Phase::Empty,
                started_ms: 0,
                used_ms: 0,
                partitions: BTreeSet::new(),
                groups: BTreeSet::new(),
            };
            self.keep(id, &txn)?;
            return Ok((producer_id, 0));
        };
        if let Some((producer_id, epoch)) = given {
            if producer_id != txn.producer_id {
                return Err(ResponseError::ProducerFenced);
            }
            if epoch == txn.last_epoch && txn.phase == Phase::Empty {
                return Ok((txn.producer_id, txn.epoch));
            }
            if epoch != txn.epoch {
                return Err(ResponseError::ProducerFenced);
            }
        }
        if matches!(txn.phase, Phase::PrepareCommit | Phase::PrepareAbort) {
            txn = self.finish(&gate, id, txn)?;
        }
        let before = txn.epoch;
        if txn.phase == Phase::Ongoing {
            txn = self.abort_fencing(&gate, id, txn)?;
        } else {
            txn.epoch = txn.epoch.saturating_add(1);
        }
        if txn.epoch == i16::MAX {
            // The last epoch only ever fences; the next producer gets an id of its own.
            txn.producer_id = self.new_producer_id()?;
            txn.epoch = 0;
        }
        txn.last_epoch = if given.is_some() { before } else { -1 };
        txn.phase = Phase::Empty;
        txn.timeout_ms = timeout_ms;
        self.keep(id, &txn)?;
        Ok((txn.producer_id, txn.epoch))
    }

    /// Aborts an open transaction with a raised epoch, so that its producer cannot go on.
    fn abort_fencing(&self, gate: &MutexGuard<'_, ()>, id: &str, mut txn: Txn) -> Result<Txn, ResponseError> {
        txn.epoch = txn.epoch.saturating_add(1);
        txn.last_epoch = -1;
        txn.phase = Phase::PrepareAbort;
        self.keep(id, &txn)?;
        self.finish(gate, id, txn)
    }

    /// Writes the markers of a decided transaction and notes that they are written.
    fn finish(&self, _gate: &MutexGuard<'_, ()>, id: &str, mut txn: Txn) -> Result<Txn, ResponseError> {
        if self.markers_are_held() {
            return Err(ResponseError::ConcurrentTransactions);
        }
        let (marker, done) = match txn.phase {
            Phase::PrepareCommit => (Marker::Commit, Phase::CompleteCommit),
            _ => (Marker::Abort, Phase::CompleteAbort),
        };
        for (topic, index) in &txn.partitions {
            if let Some((partition, rules)) = self.topics.partition(topic, *index) {
                partition
                    .end_transaction(marker, txn.producer_id, txn.epoch, rules)
                    .map_err(|_| ResponseError::CoordinatorNotAvailable)?;
            }
        }
        txn.phase = done;
        txn.partitions.clear();
        txn.groups.clear();
        self.keep(id, &txn)?;
        Ok(txn)
    }

    /// The claimed transaction, if the claim is right.
    fn claimed(&self, claim: Claim<'_>) -> Result<Txn, ResponseError> {
        let txn = self.get(claim.id).ok_or(ResponseError::InvalidProducerIdMapping)?;
        if txn.producer_id != claim.producer_id {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        if txn.epoch != claim.epoch {
            return Err(ResponseError::ProducerFenced);
        }
        Ok(txn)
    }

    /// The claimed transaction, ready to take more; a decided one is finished first.
    fn claimed_open(&self, gate: &MutexGuard<'_, ()>, claim: Claim<'_>) -> Result<Txn, ResponseError> {
        let txn = self.claimed(claim)?;
        match txn.phase {
            Phase::PrepareCommit | Phase::PrepareAbort => {
                self.finish(gate, claim.id, txn).map_err(|_| ResponseError::ConcurrentTransactions)
            }
            _ => Ok(txn),
        }
    }

    fn begin(txn: &mut Txn, now: i64) {
        if txn.phase != Phase::Ongoing {
            txn.phase = Phase::Ongoing;
            txn.started_ms = now;
        }
    }

    /// AddPartitionsToTxn: all of the partitions or none. An error per partition when one does not exist.
    pub fn add_partitions(
        &self,
        now: i64,
        claim: Claim<'_>,
        partitions: &[(String, i32)],
    ) -> Result<Vec<Option<ResponseError>>, ResponseError> {
        let gate = self.gate.lock();
        let mut txn = self.claimed_open(&gate, claim)?;
        let exists = |(topic, index): &(String, i32)| self.topics.partition(topic, *index).is_some();
        if !partitions.iter().all(exists) {
            let verdict = |partition| match exists(partition) {
                true => Some(ResponseError::OperationNotAttempted),
                false => Some(ResponseError::UnknownTopicOrPartition),
            };
            return Ok(partitions.iter().map(verdict).collect());
        }
        let known = txn.phase == Phase::Ongoing && partitions.iter().all(|one| txn.partitions.contains(one));
        if !known {
            Self::begin(&mut txn, now);
            txn.partitions.extend(partitions.iter().cloned());
            self.keep(claim.id, &txn)?;
        }
        self.permit(&txn, partitions);
        Ok(vec![None; partitions.len()])
    }

    /// AddOffsetsToTxn.
    pub fn add_offsets(&self, now: i64, claim: Claim<'_>, group: &str) -> Result<(), ResponseError> {
        let gate = self.gate.lock();
        let mut txn = self.claimed_open(&gate, claim)?;
        if txn.phase == Phase::Ongoing && txn.groups.contains(group) {
            return Ok(());
        }
        Self::begin(&mut txn, now);
        txn.groups.insert(group.to_string());
        self.keep(claim.id, &txn)
    }

    /// TxnOffsetCommit: the offsets wait for the transaction's end.
    pub fn commit_offsets(
        &self,
        now: i64,
        claim: Claim<'_>,
        groups: &Groups,
        group: &str,
        member: (&str, Option<&str>),
        generation: i32,
        offsets: Offsets,
    ) -> Result<(), ResponseError> {
        let _gate = self.gate.lock();
        let txn = self.claimed(claim).map_err(|error| match error {
            ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch,
            other => other,
        })?;
        if txn.phase != Phase::Ongoing || !txn.groups.contains(group) {
            return Err(ResponseError::InvalidTxnState);
        }
        groups.commit_in_transaction(now, group, member, generation, || {
            if offsets.is_empty() {
                return Ok(());
            }
            self.record(Event::PendingOffsets { producer_id: txn.producer_id, group: group.to_string(), offsets })
        })
    }

    /// EndTxn. Asking again for what was decided succeeds.
    pub fn end(&self, claim: Claim<'_>, commit: bool) -> Result<(), ResponseError> {
        let gate = self.gate.lock();
        let mut txn = self.claimed(claim)?;
        match (txn.phase, commit) {
            (Phase::CompleteCommit, true) | (Phase::CompleteAbort, false) => return Ok(()),
            (Phase::PrepareCommit, true) | (Phase::PrepareAbort, false) => {}
            (Phase::Ongoing, _) => {
                txn.phase = if commit { Phase::PrepareCommit } else { Phase::PrepareAbort };
                self.keep(claim.id, &txn)?;
            }
            _ => return Err(ResponseError::InvalidTxnState),
        }
        if self.markers_are_held() {
            return Ok(());
        }
        self.finish(&gate, claim.id, txn).map(|_| ())
    }

    fn markers_are_held(&self) -> bool {
        self.hooks.as_ref().is_some_and(Hooks::markers_are_held)
    }

    /// When something has to happen without a request.
    pub fn next_deadline(&self, now: i64) -> Option<i64> {
        let journal = self.journal.lock();
        let due = |txn: &Txn| match txn.phase {
            Phase::Ongoing => Some(txn.started_ms + i64::from(txn.timeout_ms)),
            Phase::PrepareCommit | Phase::PrepareAbort => Some(now + RETRY_MS),
            _ => None,
        };
        journal.state().txns.values().filter_map(due).min()
    }

    /// Time has passed: aborts what was open for too long, finishes what was decided.
    pub fn tick(&self, now: i64) {
        let gate = self.gate.lock();
        for (id, txn) in self.all() {
            let late = txn.started_ms + i64::from(txn.timeout_ms) <= now;
            // A failure is tried again next time.
            let _ = match txn.phase {
                Phase::Ongoing if late => self.abort_fencing(&gate, &id, txn),
                Phase::PrepareCommit | Phase::PrepareAbort => self.finish(&gate, &id, txn),
                _ => continue,
            };
        }
    }

    /// Every transactional id.
    pub fn list(&self) -> Vec<Described> {
        self.all()
    }
}

#[cfg(test)]
mod tests;
