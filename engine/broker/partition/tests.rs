//! A partition against a plain model of a log: what was appended is what is read, whatever the limits, the segment
//! sizes, and however it was closed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use kafka_protocol::ResponseError;

use super::*;
use crate::broker::log::batch::testing::batch;

pub(super) const RULES: Rules = Rules::keeping(2000);

pub(super) fn limits(in_memory: bool) -> Arc<Limits> {
    Arc::new(Limits {
        fsync: Fsync::Never,
        in_memory,
        held: AtomicU64::new(0),
        alarm: Arc::default(),
        clock: Clock::default(),
    })
}

pub(super) fn open(dir: &Path) -> Partition {
    Partition::open(Some(dir.to_path_buf()), 0, limits(false)).unwrap().0
}

pub(super) fn in_memory() -> Partition {
    Partition::open(None, 0, limits(true)).unwrap().0
}

pub(super) fn append(partition: &Partition, bytes: &[u8]) -> Result<i64, ResponseError> {
    let header = Header::read_produced(bytes).unwrap();
    partition.append(bytes, &header, RULES).map(|appended| appended.base_offset)
}

/// A batch of `count` records with timestamps from `at` on and values of `len` bytes.
pub(super) fn plain(count: usize, at: i64, len: usize) -> Vec<u8> {
    let value = vec![b'v'; len];
    let records: Vec<(i64, &[u8])> = (0..count).map(|n| (at + n as i64, value.as_slice())).collect();
    batch(None, false, &records)
}

pub(super) fn of_producer(id: i64, epoch: i16, sequence: i32, transactional: bool) -> Vec<u8> {
    batch(Some((id, epoch, sequence)), transactional, &[(7, b"x")])
}

/// The offsets of all records from `offset` on, read in pieces of `max` bytes.
pub(super) fn read_all(partition: &Partition, mut offset: i64, max: usize) -> Vec<i64> {
    let mut offsets = Vec::new();
    let end = partition.bounds().unwrap().end;
    while offset < end {
        let found = partition.read(offset, max, true, false).unwrap();
        assert!(!found.records.is_empty(), "stuck at {offset}");
        let mut rest = &found.records[..];
        let mut first = true;
        while !rest.is_empty() {
            let header = Header::read_checked(rest).unwrap();
            assert!(header.last_offset() >= offset, "a batch before the wanted one");
            assert!(first || rest.len() <= max, "more bytes than allowed");
            offsets.extend((header.base_offset..=header.last_offset()).filter(|at| *at >= offset));
            rest = &rest[header.len..];
            offset = header.next_offset();
            first = false;
        }
    }
    offsets
}

fn fill(partition: &Partition) {
    for n in 0..60 {
        append(partition, &plain(1 + n % 5, 1000 + n as i64 * 10, (n * 37) % 400)).unwrap();
    }
}

#[test]
fn every_offset_is_read_once_from_any_start_with_any_limit() {
    let dir = tempfile::tempdir().unwrap();
    for partition in [open(dir.path()), in_memory()] {
        fill(&partition);
        let end = partition.bounds().unwrap().end;
        for from in 0..end {
            for max in [0, 100, 700, 1 << 20] {
                assert_eq!(read_all(&partition, from, max), (from..end).collect::<Vec<_>>(), "{from}, {max}");
            }
        }
    }
}

#[test]
fn an_offset_outside_the_log_is_out_of_range_and_its_end_is_not() {
    let partition = in_memory();
    fill(&partition);
    let end = partition.bounds().unwrap().end;
    assert!(partition.read(end, 100, true, false).unwrap().records.is_empty());
    for offset in [-1, end + 1] {
        assert_eq!(partition.read(offset, 100, true, false).unwrap_err(), ResponseError::OffsetOutOfRange);
    }
}

#[test]
fn a_large_batch_behind_small_ones_is_read_whole() {
    let dir = tempfile::tempdir().unwrap();
    let rules = Rules { segment_bytes: 1 << 20, ..RULES };
    for partition in [open(dir.path()), in_memory()] {
        for bytes in [plain(1, 0, 10), plain(1, 0, 10), plain(1, 0, 100_000), plain(1, 0, 10)] {
            let header = Header::read_produced(&bytes).unwrap();
            partition.append(&bytes, &header, rules).unwrap();
        }
        assert!(partition.read(2, 50, false, false).unwrap().records.is_empty());
        let found = partition.read(2, 50, true, false).unwrap();
        let header = Header::read_checked(&found.records).unwrap();
        assert_eq!((header.base_offset, header.len), (2, found.records.len()));
        assert_eq!(partition.find_timestamp(0, false).unwrap(), Some((0, 0)));
    }
}

#[test]
fn a_timestamp_is_found_as_by_looking_at_every_record() {
    let dir = tempfile::tempdir().unwrap();
    for partition in [open(dir.path()), in_memory()] {
        // Times that go back and forth between batches.
        let mut times = Vec::new();
        for n in 0..50i64 {
            let at = 1000 + (n * 7919) % 500;
            append(&partition, &plain(2, at, 50)).unwrap();
            times.extend([at, at + 1]);
        }
        for asked in 995..1505 {
            let expected = times.iter().position(|at| *at >= asked).map(|at| (at as i64, times[at]));
            assert_eq!(partition.find_timestamp(asked, false).unwrap(), expected, "{asked}");
        }
    }
}

#[test]
fn a_tail_torn_at_any_byte_costs_only_the_batch_it_cuts() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path());
    append(&partition, &plain(2, 5, 30)).unwrap();
    let whole = std::fs::metadata(dir.path().join("00000000000000000000.log")).unwrap().len();
    append(&partition, &plain(3, 9, 40)).unwrap();
    drop(partition);
    let bytes = std::fs::read(dir.path().join("00000000000000000000.log")).unwrap();
    for cut in whole..=bytes.len() as u64 {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("00000000000000000000.log"), &bytes[..cut as usize]).unwrap();
        let (partition, torn) = Partition::open(Some(dir.path().to_path_buf()), 0, limits(false)).unwrap();
        let complete = cut == bytes.len() as u64;
        assert_eq!(partition.bounds().unwrap().end, if complete { 5 } else { 2 }, "cut at {cut}");
        assert_eq!(torn, if complete { 0 } else { cut - whole });
        // What comes next continues there and survives another opening.
        let next = append(&partition, &plain(1, 20, 10)).unwrap();
        drop(partition);
        assert_eq!(read_all(&open(dir.path()), 0, 1000), (0..=next).collect::<Vec<_>>());
    }
}

#[test]
fn a_flipped_bit_in_the_last_batch_ends_the_log_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("00000000000000000000.log");
    let partition = open(dir.path());
    append(&partition, &plain(2, 5, 30)).unwrap();
    append(&partition, &plain(3, 9, 40)).unwrap();
    drop(partition);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(open(dir.path()).bounds().unwrap().end, 2);
}

#[test]
fn a_segment_behind_a_damaged_one_is_set_aside_and_not_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path());
    fill(&partition);
    drop(partition);
    let mut names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    names.sort();
    assert!(names.len() > 3);
    let mut bytes = std::fs::read(&names[1]).unwrap();
    bytes[30] ^= 1;
    std::fs::write(&names[1], bytes).unwrap();
    std::fs::remove_file(sidecar::path_of(&names[1])).unwrap();
    let end = open(dir.path()).bounds().unwrap().end;
    assert_eq!(end.to_string(), names[1].file_stem().unwrap().to_str().unwrap().trim_start_matches('0'));
    assert!(names[2].with_extension("log.aside").exists());
}

/// Producers, sequences, open and aborted transactions over several segments.
pub(super) fn fill_with_transactions(partition: &Partition) {
    for n in 0..30 {
        append(partition, &of_producer(1, 0, n, false)).unwrap();
        partition.permit(2, 0);
        append(partition, &of_producer(2, 0, n, true)).unwrap();
        append(partition, &plain(1, 7, 60)).unwrap();
        let marker = if n % 3 == 0 { Marker::Commit } else { Marker::Abort };
        partition.end_transaction(marker, 2, 0, RULES).unwrap();
    }
    partition.permit(3, 1);
    append(partition, &of_producer(3, 1, 0, true)).unwrap();
    append(partition, &plain(1, 7, 60)).unwrap();
}

type Remembered = (Bounds, Vec<Aborted>, Producers);

fn remembered(partition: &Partition) -> Remembered {
    let inner = partition.inner.lock();
    let mut producers = inner.producers.clone();
    // Permits are the coordinator's, which gives them again.
    for id in 1..4 {
        producers.forbid(id);
    }
    producers.forget_times();
    (inner.bounds(), inner.aborted.clone(), producers)
}

#[test]
fn producers_and_aborted_transactions_are_rebuilt_from_the_log_alone() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path());
    fill_with_transactions(&partition);
    let expected = remembered(&partition);
    assert_eq!(expected.1.len(), 20);
    assert!(expected.0.stable < expected.0.end);
    drop(partition);
    // As after a kill: the last segment has no sidecar.
    assert_eq!(remembered(&open(dir.path())), expected);
    // As when everything but the batches is lost.
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "index") {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(remembered(&open(dir.path())), expected);
    // As after a clean stop.
    let partition = open(dir.path());
    partition.close().unwrap();
    drop(partition);
    assert!(
        dir.path()
            .read_dir()
            .unwrap()
            .any(|entry| { entry.unwrap().path().extension().is_some_and(|extension| extension == "index") })
    );
    assert_eq!(remembered(&open(dir.path())), expected);
}

#[test]
fn a_stale_sidecar_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path());
    append(&partition, &plain(1, 7, 60)).unwrap();
    partition.close().unwrap();
    append(&partition, &of_producer(1, 0, 0, false)).unwrap();
    drop(partition);
    let partition = open(dir.path());
    assert_eq!(partition.bounds().unwrap().end, 2);
    assert_eq!(append(&partition, &of_producer(1, 0, 0, false)), Ok(1), "the duplicate is recognized");
    assert_eq!(partition.bounds().unwrap().end, 2);
}

#[test]
fn committed_readers_stop_at_an_open_transaction_and_learn_what_was_aborted() {
    let partition = in_memory();
    partition.permit(1, 0);
    append(&partition, &of_producer(1, 0, 0, true)).unwrap();
    append(&partition, &plain(1, 7, 10)).unwrap();
    assert!(partition.read(0, 1 << 20, true, true).unwrap().records.is_empty());
    assert!(!partition.read(0, 1 << 20, true, false).unwrap().records.is_empty());
    partition.end_transaction(Marker::Abort, 1, 0, Rules::keeping(1 << 20)).unwrap();
    let found = partition.read(0, 1 << 20, true, true).unwrap();
    assert_eq!(found.aborted, [Aborted { producer_id: 1, first: 0, last: 2 }]);
    assert_eq!(found.bounds, Bounds { start: 0, stable: 3, end: 3 });
    assert!(partition.read(3, 1 << 20, true, true).unwrap().aborted.is_empty());
}

#[test]
fn a_full_disk_refuses_the_batch_and_the_next_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("00000000000000000000.log");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let limits = limits(false);
    let inner = Inner {
        clean_below: 0,
        horizon: None,
        rewrites: 0,
        log: Log::empty(Some(dir.path().to_path_buf()), 0),
        producers: Producers::default(),
        aborted: Vec::new(),
        aborted_kept: 0,
        waiting: Vec::new(),
        dirty: false,
        stale_sidecar: false,
        gone: false,
    };
    let partition = Partition { limits, inner: Mutex::new(inner) };
    assert_eq!(append(&partition, &of_producer(1, 0, 0, false)), Err(ResponseError::KafkaStorageError));
    assert_eq!(partition.bounds().unwrap().end, 0);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(append(&partition, &of_producer(1, 0, 0, false)), Ok(0));
    assert_eq!(append(&partition, &of_producer(1, 0, 1, false)), Ok(1));
    drop(partition);
    assert_eq!(read_all(&open(dir.path()), 0, 1000), [0, 1]);
}

#[test]
fn a_batch_above_the_topics_limit_is_too_large() {
    let bytes = plain(1, 0, 500);
    let header = Header::read_produced(&bytes).unwrap();
    let rules = Rules { max_message_bytes: 400, ..RULES };
    assert_eq!(in_memory().append(&bytes, &header, rules).unwrap_err(), ResponseError::MessageTooLarge);
}

#[test]
fn append_time_replaces_the_producers_times() {
    let partition = in_memory();
    let bytes = plain(2, 5, 10);
    let header = Header::read_produced(&bytes).unwrap();
    let appended = partition.append(&bytes, &header, Rules { append_time: true, ..RULES }).unwrap();
    assert!(appended.append_time > 1_000_000_000_000);
    let found = partition.read(0, 1000, true, false).unwrap();
    assert_eq!(Header::read_checked(&found.records).unwrap().max_timestamp, appended.append_time);
}

#[test]
fn hundreds_of_partitions_share_few_open_files() {
    let dir = tempfile::tempdir().unwrap();
    let partitions: Vec<Partition> = (0..400).map(|n| open(&dir.path().join(n.to_string()))).collect();
    for _ in 0..2 {
        for partition in &partitions {
            append(partition, &plain(1, 7, 10)).unwrap();
        }
    }
    let held = partitions.iter().filter(|partition| partition.inner.lock().log.active_file().is_some()).count();
    assert!(held < 300, "{held}");
    for partition in &partitions {
        assert_eq!(read_all(partition, 0, 1000), [0, 1]);
        partition.close().unwrap();
    }
    assert_eq!(open(&dir.path().join("399")).bounds().unwrap().end, 2);
}
