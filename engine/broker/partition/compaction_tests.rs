//! Compaction against a plain model: whatever is written, aborted and deleted, whenever a pass or a crash comes, a reader of
//! committed records sees the last value of every key, at its old offset.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use kafka_protocol::ResponseError;
use proptest::prelude::*;

use super::compaction::MOST_KEYS;
use super::*;
use crate::broker::log::batch::testing::{compressed, keyed};

const HORIZON: i64 = 50;
const COMPACTION: Compaction =
    Compaction { dirty_ratio: 0.0, delete_retention_ms: HORIZON, min_lag_ms: 0, max_lag_ms: i64::MAX };
const RULES: Rules = Rules { compaction: Some(COMPACTION), ..Rules::keeping(400) };

/// Key, value, offset.
type Seen = (String, Option<String>, i64);

fn open(dir: Option<&Path>, clock: &Clock) -> Partition {
    let (fsync, held, alarm) = (Fsync::Never, AtomicU64::new(0), Arc::default());
    let limits = Limits { fsync, in_memory: dir.is_none(), held, alarm, clock: clock.clone() };
    Partition::open(dir.map(Path::to_path_buf), 0, Arc::new(limits)).unwrap().0
}

fn append(partition: &Partition, bytes: &[u8]) -> Result<i64, ResponseError> {
    partition.append(bytes, &Header::read_produced(bytes).unwrap(), RULES).map(|appended| appended.base_offset)
}

fn put(partition: &Partition, records: &[(&str, Option<&str>)]) -> i64 {
    append(partition, &keyed(None, false, 1_000, records)).unwrap()
}

/// What a reader sees: of committed records only, or of all but markers.
fn read(partition: &Partition, committed: bool) -> Vec<Seen> {
    let (mut seen, mut offset) = (Vec::new(), partition.bounds().unwrap().start);
    loop {
        let found = partition.read(offset, 150, true, committed).unwrap();
        if found.records.is_empty() {
            // Before an open transaction there may be nothing left; the end of the log always has a batch.
            assert!(committed || offset >= found.bounds.end, "stuck at {offset} before {}", found.bounds.end);
            return seen;
        }
        let mut rest = &found.records[..];
        while !rest.is_empty() {
            let header = Header::read_checked(rest).unwrap();
            assert!(header.last_offset() >= offset, "a batch before the wanted one");
            let void = found.aborted.iter().any(|aborted| {
                aborted.producer_id == header.producer_id
                    && (aborted.first..=aborted.last).contains(&header.base_offset)
            });
            if !(header.is_control() || committed && void) {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let records = Records::open(rest, &header).unwrap();
                records.each(|one| seen.push((text(one.key.unwrap()), None, one.offset))).unwrap();
                let values = values(rest, &header);
                let from = seen.len() - values.len();
                seen[from..].iter_mut().zip(values).for_each(|(one, value)| one.1 = value);
            }
            offset = header.next_offset();
            rest = &rest[header.len..];
        }
    }
}

/// The values of a batch's records.
fn values(batch: &[u8], header: &Header) -> Vec<Option<String>> {
    let mut values = Vec::new();
    let records = Records::open(batch, header).unwrap();
    records.each(|one| values.push(one.value().map(|value| String::from_utf8(value.to_vec()).unwrap()))).unwrap();
    values
}

fn compact_at(partition: &Partition, now: i64) -> Option<compaction::Cleaned> {
    partition.compact(&RULES, now, MOST_KEYS, &|| Ok(())).unwrap()
}

fn compact(partition: &Partition) -> Option<compaction::Cleaned> {
    compact_at(partition, 0)
}

fn some(key: &str, value: &str, offset: i64) -> Seen {
    (key.into(), Some(value.into()), offset)
}

/// Fills the segment that is being written, so that another begins.
fn roll(partition: &Partition) {
    let filler = "f".repeat(400);
    put(partition, &[("filler", Some(&filler))]);
    put(partition, &[("filler", Some("end"))]);
}

/// Runs a test in memory and over a folder.
fn both(test: impl Fn(Option<&Path>)) {
    test(None);
    test(Some(tempfile::tempdir().unwrap().path()));
}

#[test]
fn the_last_value_of_each_key_stays_at_its_offset_and_the_end_is_untouched() {
    both(|dir| {
        let partition = open(dir, &Clock::manual(0));
        put(&partition, &[("a", Some("1")), ("b", Some("1")), ("a", Some("2"))]);
        put(&partition, &[("c", Some("1"))]);
        roll(&partition);
        put(&partition, &[("b", Some("2"))]);
        let cleaned = compact(&partition).unwrap();
        assert!(cleaned.after < cleaned.before);
        // The newest `b` is in the segment being written, of which a pass knows nothing.
        let filler = "f".repeat(400);
        let wanted = [
            some("b", "1", 1),
            some("a", "2", 2),
            some("c", "1", 3),
            some("filler", &filler, 4),
            some("filler", "end", 5),
            some("b", "2", 6),
        ];
        assert_eq!(read(&partition, false), wanted);
        assert_eq!(compact(&partition), None, "nothing is new");
        assert_eq!(partition.bounds().unwrap(), Bounds { start: 0, stable: 7, end: 7 });
    });
}

#[test]
fn a_tombstone_stays_for_its_time_and_then_goes() {
    both(|dir| {
        let partition = open(dir, &Clock::manual(0));
        put(&partition, &[("a", Some("1")), ("b", Some("1"))]);
        put(&partition, &[("a", None)]);
        roll(&partition);
        compact_at(&partition, 100).unwrap();
        let of_a = |partition: &Partition| -> Vec<Seen> {
            read(partition, false).into_iter().filter(|(key, ..)| key == "a").collect()
        };
        assert_eq!(of_a(&partition), [("a".into(), None, 2)]);
        assert_eq!(compact_at(&partition, 100 + HORIZON), None);
        assert_eq!(of_a(&partition).len(), 1);
        compact_at(&partition, 101 + HORIZON).unwrap();
        assert_eq!(of_a(&partition), []);
        assert_eq!(read(&partition, false)[0], some("b", "1", 1));
    });
}

#[test]
fn open_transactions_are_not_touched_aborted_records_go_and_markers_follow() {
    both(|dir| {
        let partition = open(dir, &Clock::manual(0));
        for (id, marker, value) in [(1, Marker::Abort, "void"), (2, Marker::Commit, "kept")] {
            partition.permit(id, 0);
            append(&partition, &keyed(Some((id, 0, 0)), true, 5, &[("a", Some(value)), ("a", Some(value))])).unwrap();
            partition.end_transaction(marker, id, 0, RULES).unwrap();
        }
        partition.permit(3, 0);
        roll(&partition);
        append(&partition, &keyed(Some((3, 0, 0)), true, 5, &[("a", Some("open"))])).unwrap();
        roll(&partition);
        put(&partition, &[("a", Some("later"))]);
        roll(&partition);
        partition.expire_producers(1);
        let length = |partition: &Partition| partition.read(0, 1 << 20, true, false).unwrap().records.len();
        let before = length(&partition);
        compact_at(&partition, 100).unwrap();
        assert!(length(&partition) < before);
        let of_a: Vec<Seen> = read(&partition, true).into_iter().filter(|(key, ..)| key == "a").collect();
        assert_eq!(of_a, [some("a", "kept", 4)]);
        let all: Vec<Seen> = read(&partition, false).into_iter().filter(|(key, ..)| key == "a").collect();
        let values: Vec<_> = all.iter().map(|(_, value, _)| value.as_deref().unwrap()).collect();
        assert_eq!(values, ["kept", "open", "later"]);
        assert_eq!(partition.inner.lock().aborted.len(), 1, "the marker of the aborted one is still there");
        compact_at(&partition, 101 + HORIZON).unwrap();
        assert_eq!(partition.inner.lock().aborted.len(), 0);
        assert_eq!(read(&partition, true).into_iter().filter(|(key, ..)| key == "a").count(), 1);
    });
}

#[test]
fn every_compression_is_compacted() {
    both(|dir| {
        for codec in 0..=4 {
            let dir = dir.map(|dir| dir.join(codec.to_string()));
            let partition = open(dir.as_deref(), &Clock::manual(0));
            let batch = keyed(None, false, 7, &[("a", Some("1")), ("b", Some("1")), ("a", Some("2"))]);
            append(&partition, &compressed(&batch, codec)).unwrap();
            roll(&partition);
            compact(&partition).unwrap();
            assert_eq!(read(&partition, false)[..2], [some("b", "1", 1), some("a", "2", 2)], "codec {codec}");
        }
    });
}

#[test]
fn a_record_without_a_key_is_refused_in_every_compression() {
    let partition = open(None, &Clock::manual(0));
    let batch = crate::broker::log::batch::testing::batch(None, false, &[(1, b"x")]);
    for codec in 0..=4 {
        assert_eq!(append(&partition, &compressed(&batch, codec)), Err(ResponseError::InvalidRecord));
    }
}

#[test]
fn a_producers_sequence_outlives_the_compaction_of_all_its_records() {
    let dir = tempfile::tempdir().unwrap();
    let batch = |sequence| keyed(Some((7, 0, sequence)), false, 5, &[("a", Some("1")), ("b", Some("1"))]);
    let clock = Clock::manual(0);
    let partition = open(Some(dir.path()), &clock);
    let offsets: Vec<i64> = (0..3).map(|n| append(&partition, &batch(n * 2)).unwrap()).collect();
    put(&partition, &[("a", Some("2")), ("b", Some("2"))]);
    roll(&partition);
    compact(&partition).unwrap();
    drop(partition);
    // Without the sidecars only the log can tell.
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "index") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let partition = open(Some(dir.path()), &clock);
    assert_eq!(append(&partition, &batch(4)), Ok(offsets[2]), "a repetition of the last batch");
    assert_eq!(append(&partition, &batch(8)), Err(ResponseError::OutOfOrderSequenceNumber));
    append(&partition, &batch(6)).unwrap();
}

#[test]
fn a_pass_that_may_note_few_keys_leaves_the_rest_to_the_next() {
    both(|dir| {
        let partition = open(dir, &Clock::manual(0));
        for round in 0..4 {
            for key in 0..10 {
                put(&partition, &[(&format!("key-{key}"), Some(&round.to_string()))]);
            }
        }
        roll(&partition);
        let mut passes = 0;
        while partition.compact(&RULES, 0, 4, &|| Ok(())).unwrap().is_some() {
            passes += 1;
            assert!(passes < 50, "it never ends");
        }
        assert!(passes > 3, "{passes}");
        let left = read(&partition, false).into_iter().filter(|(key, ..)| key.starts_with("key"));
        assert_eq!(left.map(|(_, value, _)| value.unwrap()).collect::<Vec<_>>(), ["3"; 10]);
    });
}

#[test]
fn readers_see_whole_batches_while_segments_are_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(Some(dir.path()), &Clock::manual(0));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    read(&partition, true);
                    partition.find_timestamp(1_000, false).unwrap();
                }
            });
        }
        for round in 0..100 {
            for key in 0..8 {
                put(&partition, &[(&format!("key-{key}"), Some(&round.to_string()))]);
            }
            compact(&partition);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

/// One thing that happens.
#[derive(Debug, Clone)]
enum Op {
    Put { key: u8, value: u8 },
    Delete { key: u8 },
    InTransaction { producer: i64, key: u8, delete: bool },
    End { producer: i64, commit: bool },
    Compact { wait: i64, keys: usize },
    Reopen,
    CrashInCompaction { step: usize },
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => (0..6u8, any::<u8>()).prop_map(|(key, value)| Op::Put { key, value }),
        2 => (0..6u8).prop_map(|key| Op::Delete { key }),
        6 => (1..4i64, 0..6u8, any::<bool>())
            .prop_map(|(producer, key, delete)| Op::InTransaction { producer, key, delete }),
        4 => (1..4i64, any::<bool>()).prop_map(|(producer, commit)| Op::End { producer, commit }),
        3 => (0..80i64, prop_oneof![Just(2usize), Just(MOST_KEYS)]).prop_map(|(wait, keys)| Op::Compact { wait, keys }),
        1 => Just(Op::Reopen),
        2 => (0..12usize).prop_map(|step| Op::CrashInCompaction { step }),
    ];
    proptest::collection::vec(op, 1..120)
}

/// The partition and what should be in it.
struct World<'a> {
    dir: Option<&'a Path>,
    partition: Partition,
    /// All records by offset: key, value, producer of a transaction.
    written: BTreeMap<i64, (String, Option<String>, Option<i64>)>,
    /// What became of each, by offset: committed or not; none while its transaction is open.
    outcome: BTreeMap<i64, bool>,
    sequences: BTreeMap<i64, i32>,
    now: i64,
    end: i64,
}

impl World<'_> {
    fn write(&mut self, key: u8, value: Option<u8>, producer: Option<i64>) {
        let (key, value) = (format!("key-{key}"), value.map(|value| format!("value-{value}")));
        let sequence = producer.map(|id| (id, 0, *self.sequences.entry(id).or_default()));
        if let Some(id) = producer {
            self.partition.permit(id, 0);
            *self.sequences.entry(id).or_default() += 1;
        }
        let batch = keyed(sequence, producer.is_some(), self.now, &[(&key, value.as_deref())]);
        let offset = append(&self.partition, &batch).unwrap();
        assert_eq!(offset, self.end, "offsets go on");
        self.end += 1;
        self.written.insert(offset, (key, value, producer));
        if producer.is_none() {
            self.outcome.insert(offset, true);
        }
    }

    fn open_of(&self, producer: i64) -> Vec<i64> {
        let of = |(offset, (_, _, owner)): (&i64, &(String, Option<String>, Option<i64>))| {
            (*owner == Some(producer) && !self.outcome.contains_key(offset)).then_some(*offset)
        };
        self.written.iter().filter_map(of).collect()
    }

    fn apply(&mut self, op: &Op) {
        self.now += 1;
        match *op {
            Op::Put { key, value } => self.write(key, Some(value), None),
            Op::Delete { key } => self.write(key, None, None),
            Op::InTransaction { producer, key, delete } => {
                self.write(key, (!delete).then_some(key), Some(producer));
            }
            Op::End { producer, commit } => {
                let open = self.open_of(producer);
                let marker = if commit { Marker::Commit } else { Marker::Abort };
                self.partition.end_transaction(marker, producer, 0, RULES).unwrap();
                self.end += i64::from(!open.is_empty());
                self.outcome.extend(open.into_iter().map(|offset| (offset, commit)));
            }
            Op::Compact { wait, keys } => {
                self.now += wait;
                self.partition.compact(&RULES, self.now, keys, &|| Ok(())).unwrap();
            }
            Op::Reopen => self.reopen(),
            Op::CrashInCompaction { step } => {
                let left = std::cell::Cell::new(step);
                let pace = || match left.get() {
                    0 => Err(io::Error::other("a crash")),
                    more => {
                        left.set(more - 1);
                        Ok(())
                    }
                };
                let _ = self.partition.compact(&RULES, self.now, MOST_KEYS, &pace);
                self.check();
                self.reopen();
            }
        }
    }

    /// As after a kill; memory keeps what it has.
    fn reopen(&mut self) {
        if let Some(dir) = self.dir {
            self.partition = open(Some(dir), &Clock::manual(0));
        }
    }

    fn check(&self) {
        let bounds = self.partition.bounds().unwrap();
        let stable = self.written.keys().find(|offset| !self.outcome.contains_key(offset)).copied();
        assert_eq!(bounds, Bounds { start: 0, stable: stable.unwrap_or(self.end), end: self.end });
        let seen = read(&self.partition, true);
        assert!(seen.is_sorted_by(|a, b| a.2 < b.2), "offsets do not rise: {seen:?}");
        for (key, value, offset) in &seen {
            let (wrote, wanted, _) = &self.written[offset];
            assert_eq!((key, value), (wrote, wanted), "offset {offset}");
            assert_eq!(self.outcome.get(offset), Some(&true), "offset {offset} is not committed");
        }
        let mut last: BTreeMap<&str, (i64, &Option<String>)> = BTreeMap::new();
        let stable = self.written.iter().filter(|(offset, _)| **offset < bounds.stable && self.outcome[offset]);
        last.extend(stable.map(|(offset, (key, value, _))| (key.as_str(), (*offset, value))));
        for (key, (offset, value)) in last {
            let found = seen.iter().rfind(|(other, ..)| other == key);
            match found {
                Some(found) => assert_eq!((found.2, &found.1), (offset, value), "the last of {key}"),
                None => assert!(value.is_none(), "the last of {key}, at {offset}, is gone"),
            }
        }
    }
}

fn check(dir: Option<&Path>, ops: &[Op]) {
    let partition = open(dir, &Clock::manual(0));
    let (written, outcome, sequences) = Default::default();
    let mut world = World { dir, partition, written, outcome, sequences, now: 1_000, end: 0 };
    for op in ops {
        world.apply(op);
        world.check();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn readers_of_committed_records_see_the_last_value_of_each_key_whatever_happens(ops in ops()) {
        check(Some(tempfile::tempdir().unwrap().path()), &ops);
        check(None, &ops);
    }
}

#[test]
fn a_crash_between_any_two_steps_leaves_the_old_segments_or_the_new_one() {
    for step in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(0);
        let partition = open(Some(dir.path()), &clock);
        // Several segments that become one, and one that becomes smaller.
        for round in 0..6 {
            for key in ["a", "b", "c"] {
                put(&partition, &[(key, Some(&round.to_string()))]);
            }
        }
        roll(&partition);
        let before = read(&partition, false);
        let left = std::cell::Cell::new(step);
        let pace = || match left.replace(left.get() - 1) {
            0 => Err(io::Error::other("a crash")),
            _ => Ok(()),
        };
        let crashed = partition.compact(&RULES, 0, MOST_KEYS, &pace).is_err();
        let live = read(&partition, false);
        drop(partition);
        let again = read(&open(Some(dir.path()), &clock), false);
        let newest: Vec<&Seen> = before.iter().filter(|one| again.contains(one)).collect();
        assert_eq!(newest.len(), again.len(), "step {step}: {again:?}");
        for wanted in [some("a", "5", 15), some("b", "5", 16), some("c", "5", 17)] {
            assert!(again.contains(&wanted) && live.contains(&wanted), "step {step}: {again:?}");
        }
        let names =
            std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<String> = names.filter(|name| name.ends_with("swap") || name.ends_with("cleaned")).collect();
        assert!(left.is_empty(), "step {step} leaves {left:?}");
        if !crashed {
            assert!(step > 8, "only {step} steps");
            return;
        }
    }
}
