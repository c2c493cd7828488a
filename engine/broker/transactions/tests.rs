//! The coordinator over real partitions in memory and on disk.

use std::sync::atomic::AtomicU64;

use super::*;
use crate::broker::clock::Clock;
use crate::broker::config::Fsync;
use crate::broker::log::batch::Header;
use crate::broker::log::batch::testing::batch;
use crate::broker::partition::{Limits, Rules};
use crate::broker::state::Committed;

const TIMEOUT: i32 = 1000;
const T0: (&str, i32) = ("t", 0);

struct Bench {
    dir: Option<tempfile::TempDir>,
    journal: Arc<Mutex<Journal>>,
    topics: Arc<Topics>,
    groups: Groups,
    transactions: Transactions,
}

impl Bench {
    fn new(on_disk: bool) -> Self {
        let bench = Bench::over(on_disk.then(|| tempfile::tempdir().unwrap()));
        bench.topics.create(&bench.journal, "t", 2, 1, Default::default(), false).unwrap();
        bench
    }

    fn over(dir: Option<tempfile::TempDir>) -> Self {
        let (in_memory, alarm) = (dir.is_none(), Arc::default());
        let limits = Limits { fsync: Fsync::Never, in_memory, held: AtomicU64::new(0), alarm, clock: Clock::default() };
        let journal = match &dir {
            None => Journal::in_memory(),
            Some(dir) => Journal::open(&dir.path().join("journal"), false, Arc::default()).unwrap(),
        };
        let folder = dir.as_ref().map(|dir| dir.path().join("topics"));
        let (topics, _) = Topics::open(journal.state(), folder, Arc::new(limits), 1 << 20).unwrap();
        let (journal, topics) = (Arc::new(Mutex::new(journal)), Arc::new(topics));
        let transactions =
            Transactions::open(Arc::clone(&journal), Arc::clone(&topics), 900_000, Clock::default(), None);
        Bench { dir, journal, topics, groups: Groups::new(0), transactions }
    }

    /// As after a kill: everything is opened again from the files.
    fn again(self) -> Self {
        let dir = self.dir;
        Bench::over(dir)
    }

    fn init(&self, given: Option<(i64, i16)>) -> Result<(i64, i16), ResponseError> {
        self.transactions.init("x", TIMEOUT, given)
    }

    fn add(&self, now: i64, producer: (i64, i16)) -> Result<(), ResponseError> {
        self.transactions.add_partitions(now, claim(producer), &[(T0.0.into(), T0.1)]).map(|_| ())
    }

    fn append(&self, producer: (i64, i16), sequence: i32) -> Result<i64, ResponseError> {
        let bytes = batch(Some((producer.0, producer.1, sequence)), true, &[(1, b"x")]);
        let header = Header::read_produced(&bytes).unwrap();
        let rules = Rules::keeping(1 << 20);
        let (partition, _) = self.topics.partition(T0.0, T0.1).unwrap();
        partition.append(&bytes, &header, rules).map(|appended| appended.base_offset)
    }

    fn end(&self, producer: (i64, i16), commit: bool) -> Result<(), ResponseError> {
        self.transactions.end(claim(producer), commit)
    }

    /// What is stable, what is written, and how many transactions were aborted.
    fn seen(&self) -> (i64, i64, usize) {
        let (partition, _) = self.topics.partition(T0.0, T0.1).unwrap();
        let found = partition.read(0, 1 << 20, true, true).unwrap();
        (found.bounds.stable, found.bounds.end, found.aborted.len())
    }

    fn send_offset(&self, producer: (i64, i16), offset: i64) -> Result<(), ResponseError> {
        self.transactions.add_offsets(0, claim(producer), "g")?;
        let committed = Committed { offset, leader_epoch: -1, metadata: String::new(), at_ms: 0 };
        let offsets = Offsets::from([("t".to_string(), [(0, committed)].into())]);
        self.transactions.commit_offsets(0, claim(producer), &self.groups, "g", ("", None), -1, offsets)
    }

    fn committed(&self) -> Option<i64> {
        self.journal.lock().state().offsets.get("g").and_then(|of| of.get("t")?.get(&0).map(|one| one.offset))
    }
}

fn claim(producer: (i64, i16)) -> Claim<'static> {
    Claim { id: "x", producer_id: producer.0, epoch: producer.1 }
}

#[test]
fn a_commit_makes_records_stable_and_an_abort_voids_them() {
    let bench = Bench::new(false);
    let producer = bench.init(None).unwrap();
    bench.add(0, producer).unwrap();
    bench.append(producer, 0).unwrap();
    assert_eq!(bench.seen(), (0, 1, 0));
    bench.end(producer, true).unwrap();
    assert_eq!(bench.seen(), (2, 2, 0));
    bench.add(0, producer).unwrap();
    bench.append(producer, 1).unwrap();
    bench.end(producer, false).unwrap();
    assert_eq!(bench.seen(), (4, 4, 1));
}

#[test]
fn asking_again_for_the_outcome_succeeds_and_for_the_other_fails() {
    let bench = Bench::new(false);
    let producer = bench.init(None).unwrap();
    assert_eq!(bench.end(producer, true), Err(ResponseError::InvalidTxnState));
    bench.add(0, producer).unwrap();
    bench.append(producer, 0).unwrap();
    bench.end(producer, true).unwrap();
    bench.end(producer, true).unwrap();
    assert_eq!(bench.end(producer, false), Err(ResponseError::InvalidTxnState));
    assert_eq!(bench.seen().1, 2, "one marker");
}

#[test]
fn records_outside_a_transaction_are_refused() {
    let bench = Bench::new(false);
    let producer = bench.init(None).unwrap();
    assert_eq!(bench.append(producer, 0), Err(ResponseError::InvalidTxnState));
    bench.add(0, producer).unwrap();
    bench.end(producer, false).unwrap();
    assert_eq!(bench.append(producer, 0), Err(ResponseError::InvalidTxnState));
    assert_eq!(bench.seen(), (0, 0, 0), "no marker where nothing was written");
}

#[test]
fn a_successor_fences_the_zombie_everywhere() {
    let bench = Bench::new(false);
    let zombie = bench.init(None).unwrap();
    bench.add(0, zombie).unwrap();
    bench.append(zombie, 0).unwrap();
    let successor = bench.init(None).unwrap();
    assert_eq!((successor.0, successor.1 > zombie.1), (zombie.0, true));
    assert_eq!(bench.seen(), (2, 2, 1), "its records are void");
    assert_eq!(bench.append(zombie, 1), Err(ResponseError::InvalidProducerEpoch));
    assert_eq!(bench.add(0, zombie), Err(ResponseError::ProducerFenced));
    assert_eq!(bench.end(zombie, true), Err(ResponseError::ProducerFenced));
    assert_eq!(bench.send_offset(zombie, 5), Err(ResponseError::ProducerFenced));
    bench.add(0, successor).unwrap();
    bench.append(successor, 0).unwrap();
    bench.end(successor, true).unwrap();
}

#[test]
fn a_producer_may_raise_its_own_epoch_and_ask_again_but_a_fenced_one_may_not() {
    let bench = Bench::new(false);
    let first = bench.init(None).unwrap();
    let raised = bench.init(Some(first)).unwrap();
    assert_eq!(raised, (first.0, first.1 + 1));
    assert_eq!(bench.init(Some(first)), Ok(raised), "the first answer was lost");
    let successor = bench.init(None).unwrap();
    assert_eq!(bench.init(Some(raised)), Err(ResponseError::ProducerFenced));
    assert_eq!(bench.init(Some((first.0 + 1, 0))), Err(ResponseError::ProducerFenced));
    assert_eq!(bench.init(Some(successor)).unwrap().1, successor.1 + 1);
}

#[test]
fn an_exhausted_epoch_gets_a_new_producer_id() {
    let bench = Bench::new(false);
    let mut producer = bench.init(None).unwrap();
    let first = producer.0;
    let mut highest = 0;
    while producer.0 == first {
        highest = producer.1;
        producer = bench.init(None).unwrap();
    }
    assert_eq!((highest, producer.1), (i16::MAX - 1, 0));
}

#[test]
fn a_transaction_open_too_long_is_aborted_and_its_producer_fenced() {
    let bench = Bench::new(false);
    let producer = bench.init(None).unwrap();
    bench.add(5_000, producer).unwrap();
    bench.append(producer, 0).unwrap();
    assert_eq!(bench.transactions.next_deadline(0), Some(5_000 + i64::from(TIMEOUT)));
    bench.transactions.tick(5_999);
    assert_eq!(bench.seen(), (0, 1, 0));
    bench.transactions.tick(6_000);
    assert_eq!(bench.seen(), (2, 2, 1));
    assert_eq!(bench.append(producer, 1), Err(ResponseError::InvalidProducerEpoch));
    assert_eq!(bench.end(producer, true), Err(ResponseError::ProducerFenced));
    assert_eq!(bench.transactions.next_deadline(0), None);
}

#[test]
fn timeouts_and_ids_have_limits() {
    let bench = Bench::new(false);
    for timeout in [0, -1, 900_001] {
        let refused = bench.transactions.init("x", timeout, None);
        assert_eq!(refused, Err(ResponseError::InvalidTransactionTimeout));
    }
    assert_eq!(bench.transactions.init("", 1000, None), Err(ResponseError::InvalidRequest));
    assert_eq!(bench.add(0, (77, 0)), Err(ResponseError::InvalidProducerIdMapping));
}

#[test]
fn one_missing_partition_keeps_all_out() {
    let bench = Bench::new(false);
    let producer = bench.init(None).unwrap();
    let asked = [("t".to_string(), 0), ("t".to_string(), 9)];
    let verdicts = bench.transactions.add_partitions(0, claim(producer), &asked).unwrap();
    let expected = [ResponseError::OperationNotAttempted, ResponseError::UnknownTopicOrPartition];
    assert_eq!(verdicts, expected.map(Some));
    assert_eq!(bench.append(producer, 0), Err(ResponseError::InvalidTxnState));
}

#[test]
fn offsets_count_when_the_transaction_commits_and_not_when_it_aborts() {
    let bench = Bench::new(false);
    let producer = bench.init(None).unwrap();
    bench.send_offset(producer, 5).unwrap();
    assert_eq!(bench.committed(), None);
    assert!(bench.journal.lock().state().is_pending("g", "t", 0));
    bench.end(producer, true).unwrap();
    assert_eq!(bench.committed(), Some(5));
    bench.send_offset(producer, 9).unwrap();
    bench.end(producer, false).unwrap();
    assert_eq!(bench.committed(), Some(5));
    assert!(!bench.journal.lock().state().is_pending("g", "t", 0));
}

#[test]
fn an_open_transaction_goes_on_after_a_kill() {
    let bench = Bench::new(true);
    let producer = bench.init(None).unwrap();
    bench.add(0, producer).unwrap();
    bench.append(producer, 0).unwrap();
    bench.send_offset(producer, 5).unwrap();
    let bench = bench.again();
    assert_eq!(bench.seen(), (0, 1, 0));
    assert_eq!(bench.append(producer, 0), Ok(0), "a repeated batch is recognized");
    assert_eq!(bench.append(producer, 1), Ok(1));
    bench.end(producer, true).unwrap();
    assert_eq!((bench.seen(), bench.committed()), ((3, 3, 0), Some(5)));
}

#[test]
fn a_decision_whose_markers_are_missing_is_carried_out_after_a_kill() {
    for (phase, aborted) in [(Phase::PrepareCommit, 0), (Phase::PrepareAbort, 1)] {
        let bench = Bench::new(true);
        let producer = bench.init(None).unwrap();
        bench.add(0, producer).unwrap();
        bench.append(producer, 0).unwrap();
        bench.send_offset(producer, 5).unwrap();
        let mut txn = bench.transactions.get("x").unwrap();
        txn.phase = phase;
        bench.transactions.keep("x", &txn).unwrap();
        let bench = bench.again();
        assert_eq!(bench.seen(), (2, 2, aborted));
        assert_eq!(bench.committed(), (phase == Phase::PrepareCommit).then_some(5));
        bench.end(producer, phase == Phase::PrepareCommit).unwrap();
    }
}

#[test]
fn a_transaction_nobody_knows_is_ended_on_start() {
    let bench = Bench::new(true);
    let producer = bench.init(None).unwrap();
    bench.add(0, producer).unwrap();
    bench.append(producer, 0).unwrap();
    // As after a power loss that took the marker but not its completion.
    let mut txn = bench.transactions.get("x").unwrap();
    (txn.phase, txn.partitions) = (Phase::CompleteCommit, BTreeSet::new());
    bench.transactions.keep("x", &txn).unwrap();
    let bench = bench.again();
    assert_eq!(bench.seen(), (2, 2, 0));
}
