//! Deleting what lies before an offset: what is gone, what stays, and what another opening finds.

use std::path::{Path, PathBuf};

use kafka_protocol::ResponseError;

use super::tests::{RULES, append, fill_with_transactions, in_memory, limits, of_producer, open, plain, read_all};
use super::*;
use crate::broker::log::batch::testing::keyed;

/// Opens a folder again as after a kill; the journal says where the partition begins.
fn open_at(dir: &Path, start: i64) -> Partition {
    Partition::open(Some(dir.to_path_buf()), start, limits(false)).unwrap().0
}

fn files(dir: &Path, kind: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = all.filter(|path| path.extension().is_some_and(|extension| extension == kind)).collect();
    all.sort();
    all
}

/// Sidecars of segments that are gone.
fn left(dir: &Path) -> Vec<PathBuf> {
    files(dir, "index").into_iter().filter(|path| !path.with_extension("log").exists()).collect()
}

fn bounds(partition: &Partition) -> (i64, i64, i64) {
    let Bounds { start, stable, end } = partition.bounds().unwrap();
    (start, stable, end)
}

#[test]
fn a_start_in_the_middle_of_a_batch_hides_what_is_before_it_and_gives_whole_segments_back() {
    let dir = tempfile::tempdir().unwrap();
    for (partition, on_disk) in [(open(dir.path()), true), (in_memory(), false)] {
        // Three records a batch, five batches a segment; the times of a batch fall.
        for n in 0..20 {
            let value = [7; 100];
            let records = [300, 200, 100].map(|at| (n * 1000 + at, value.as_slice()));
            append(&partition, &batch::testing::batch(None, false, &records)).unwrap();
        }
        let held = || partition.limits.held.load(Ordering::Relaxed);
        let before = (held(), files(dir.path(), "log").len());
        assert_eq!(partition.delete_before(61), Err(ResponseError::OffsetOutOfRange));
        assert_eq!(partition.delete_before(-1), Err(ResponseError::OffsetOutOfRange));
        assert_eq!(partition.delete_before(37), Ok(37));
        assert_eq!(partition.delete_before(20), Ok(37), "it never goes down");
        assert_eq!(held(), partition.inner.lock().log.len());
        assert!(held() < before.0 && partition.inner.lock().log.oldest().base <= 36);
        let check = |partition: &Partition| {
            assert_eq!(bounds(partition), (37, 60, 60));
            assert_eq!(partition.read(36, 100, true, false).unwrap_err(), ResponseError::OffsetOutOfRange);
            assert_eq!(read_all(partition, 37, 500), (37..60).collect::<Vec<_>>());
            // Of the batch from 36 on, the record at 12,300 is deleted and the one at 12,200 is not.
            assert_eq!(partition.find_timestamp(12_150, false).unwrap(), Some((37, 12_200)));
            assert_eq!(partition.find_timestamp(12_250, false).unwrap(), Some((39, 13_300)));
        };
        check(&partition);
        if on_disk {
            assert!(files(dir.path(), "log").len() < before.1);
            drop(partition);
            check(&open_at(dir.path(), 37));
            assert_eq!(append(&open_at(dir.path(), 37), &plain(1, 7, 10)), Ok(60));
        }
    }
}

#[test]
fn files_that_outlived_the_notice_of_a_start_go_on_opening() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path());
    fill_with_transactions(&partition);
    let (_, stable, end) = bounds(&partition);
    let before = files(dir.path(), "log").len();
    drop(partition);
    // As after a kill between the note in the journal and the deletion.
    let partition = open_at(dir.path(), end - 3);
    assert_eq!(bounds(&partition), (end - 3, stable.max(end - 3), end));
    assert!(files(dir.path(), "log").len() < before);
    assert!(left(dir.path()).len() <= 1);
}

#[test]
fn deleting_everything_keeps_the_end_and_the_next_offset() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path());
    for n in 0..60 {
        append(&partition, &plain(2, n, 100)).unwrap();
    }
    assert_eq!(partition.delete_before(120), Ok(120));
    assert_eq!((bounds(&partition), files(dir.path(), "log").len()), ((120, 120, 120), 1));
    assert!(partition.read(120, 100, true, false).unwrap().records.is_empty());
    drop(partition);
    let partition = open_at(dir.path(), 120);
    assert_eq!(bounds(&partition), (120, 120, 120));
    // What is left of the segment being written goes with its age.
    let rules = Rules { retention_ms: Some(0), ..RULES };
    assert_eq!(partition.expired(&rules, i64::MAX), Some(120));
    assert_eq!(partition.delete_before(120), Ok(120));
    assert_eq!((partition.inner.lock().log.len(), files(dir.path(), "log").len()), (0, 0));
    assert_eq!(partition.expired(&rules, i64::MAX), None);
    drop(partition);
    assert_eq!(append(&open_at(dir.path(), 120), &plain(1, 7, 10)), Ok(120));
}

#[test]
fn a_log_that_lost_its_end_with_the_power_goes_on_at_its_start_and_gives_no_offset_twice() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path());
    for n in 0..60 {
        append(&partition, &plain(1, n, 100)).unwrap();
    }
    drop(partition);
    let partition = open_at(dir.path(), 90);
    assert_eq!((bounds(&partition), files(dir.path(), "log").len()), ((90, 90, 90), 0));
    assert_eq!(append(&partition, &plain(1, 7, 10)), Ok(90));
    drop(partition);
    assert_eq!(read_all(&open_at(dir.path(), 90), 90, 1000), [90]);
}

#[test]
fn an_open_transaction_does_not_hold_the_start_and_its_rest_waits_for_the_marker() {
    let dir = tempfile::tempdir().unwrap();
    for (marker, partition) in [(Marker::Abort, open(dir.path())), (Marker::Commit, in_memory())] {
        partition.permit(1, 0);
        for n in 0..40 {
            append(&partition, &of_producer(1, 0, n, true)).unwrap();
        }
        assert_eq!(partition.delete_before(39), Ok(39));
        let mut partition = partition;
        if marker == Marker::Abort {
            drop(partition);
            partition = open_at(dir.path(), 39);
            partition.permit(1, 0);
        }
        assert_eq!(bounds(&partition), (39, 39, 40), "the stable offset is never before the start");
        assert!(partition.read(39, 1000, true, true).unwrap().records.is_empty());
        append(&partition, &of_producer(1, 0, 40, true)).unwrap();
        partition.end_transaction(marker, 1, 0, RULES).unwrap();
        assert_eq!(bounds(&partition), (39, 42, 42));
        let found = partition.read(39, 1000, true, true).unwrap();
        assert_eq!(Header::read_checked(&found.records).unwrap().base_offset, 39);
        assert_eq!(
            found.aborted.iter().map(|one| one.last).collect::<Vec<_>>(),
            match marker {
                Marker::Abort => vec![41],
                Marker::Commit => vec![],
            }
        );
        assert_eq!(partition.delete_before(42), Ok(42));
        assert!(partition.inner.lock().aborted.is_empty());
    }
}

#[test]
fn sequence_numbers_outlive_the_records_they_were_given_to() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path());
    for n in 0..3 {
        append(&partition, &of_producer(1, 0, n, false)).unwrap();
    }
    for n in 0..60 {
        append(&partition, &plain(1, n, 100)).unwrap();
    }
    let end = bounds(&partition).2;
    // Step by step, so that one sidecar follows another.
    for offset in 10..=end {
        partition.delete_before(offset).unwrap();
    }
    let check = |partition: &Partition| {
        assert_eq!(append(partition, &of_producer(1, 0, 2, false)), Ok(2), "sent again");
        assert_eq!(
            append(partition, &of_producer(1, 0, 4, false)),
            Err(ResponseError::OutOfOrderSequenceNumber),
            "one is missing"
        );
    };
    check(&partition);
    assert_eq!(left(dir.path()).len(), 1, "only the last is needed");
    drop(partition);
    check(&open_at(dir.path(), end));
    check(&open_at(dir.path(), end));
    assert_eq!(append(&open_at(dir.path(), end), &of_producer(1, 0, 3, false)), Ok(end));
}

#[test]
fn a_sidecar_that_does_not_end_where_the_log_begins_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path());
    // Two segments of the producer's, then others.
    for n in 0..56 {
        append(&partition, &of_producer(1, 0, n, false)).unwrap();
    }
    for n in 0..40 {
        append(&partition, &plain(1, n, 100)).unwrap();
    }
    let end = bounds(&partition).2;
    let second = partition.inner.lock().log.segments().nth(1).unwrap().base;
    partition.delete_before(second).unwrap();
    let old = left(dir.path()).remove(0);
    let kept = std::fs::read(&old).unwrap();
    partition.delete_before(end).unwrap();
    drop(partition);
    std::fs::remove_file(left(dir.path()).remove(0)).unwrap();
    std::fs::write(&old, kept).unwrap();
    let partition = open_at(dir.path(), end);
    assert!(left(dir.path()).is_empty());
    assert_eq!(append(&partition, &of_producer(1, 0, 56, false)), Ok(end), "the producer is forgotten, not behind");
}

#[test]
fn a_start_in_a_gap_that_compaction_left_is_the_same_after_another_opening() {
    let dir = tempfile::tempdir().unwrap();
    let compaction = Compaction { dirty_ratio: 0.0, delete_retention_ms: 0, min_lag_ms: 0, max_lag_ms: i64::MAX };
    let rules = Rules { compaction: Some(compaction), ..Rules::keeping(400) };
    let partition = open(dir.path());
    let put = |key: &str, value: &str| {
        let bytes = keyed(None, false, 1_000, &[(key, Some(value))]);
        partition.append(&bytes, &Header::read_produced(&bytes).unwrap(), rules).unwrap();
    };
    put("stays", "");
    (0..20).for_each(|_| put("again and again", "x"));
    partition.compact(&rules, 0, compaction::MOST_KEYS, &|| Ok(())).unwrap().expect("a pass");
    let next = partition.inner.lock().log.segments().nth(1).unwrap().base;
    assert_eq!(partition.inner.lock().log.oldest().next, 1);
    assert!(next > 2);
    assert_eq!(partition.delete_before(2), Ok(2));
    let all = read_all(&partition, 2, 1000);
    let end = bounds(&partition).2;
    drop(partition);
    let partition = open_at(dir.path(), 2);
    assert_eq!((bounds(&partition), read_all(&partition, 2, 1000)), ((2, end, end), all));
    // Retention and a full memory let go of such a segment as a whole.
    let rules = Rules { retention_bytes: Some(1), ..Rules::keeping(400) };
    assert!(partition.expired(&rules, 0) >= Some(next));
    partition.drop_oldest(partition.droppable(false).expect("a finished segment"));
    assert_eq!(bounds(&partition).0, next);
}
