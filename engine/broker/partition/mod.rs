//! One partition: its log and its producers under one lock, and the readers that wait for it to grow.
//!
//! `retention` says what is too old or too much, `purge` lets go of what lies before an offset, [`compaction`] and its `pass`
//! keep the last record of each key.

pub mod compaction;
mod pass;
mod purge;
mod retention;

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kafka_protocol::ResponseError;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::alarm::Alarm;
use super::clock::Clock;
use super::config::Fsync;
use super::log::batch::{self, Header, Marker};
use super::log::records::Records;
use super::log::segment::too_many_open;
use super::log::{Log, recovery, sidecar};
use super::producers::{Aborted, Active, Producers, Verdict};

pub use compaction::Compaction;

/// Room a thread keeps for the batch it is about to write.
const SCRATCH_KEPT: usize = 2 << 20;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What all partitions of a broker share.
#[derive(Debug)]
pub struct Limits {
    /// When to force writes to the disk.
    pub fsync: Fsync,
    /// Whether there is a disk.
    pub in_memory: bool,
    /// Bytes of batches held by all partitions.
    pub held: AtomicU64,
    /// Hears of failing writes.
    pub alarm: Arc<Alarm>,
    /// The time.
    pub clock: Clock,
}

/// What the topic demands of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Size at which a segment is finished.
    pub segment_bytes: u64,
    /// Age at which a segment is finished by the next batch, in milliseconds.
    pub segment_ms: i64,
    /// Records older than this go, in milliseconds; none when they stay.
    pub retention_ms: Option<i64>,
    /// The oldest records go beyond this size; none when they stay.
    pub retention_bytes: Option<u64>,
    /// Records may be deleted on request: a topic that is only compacted keeps the last one of each key.
    pub deletes: bool,
    /// How the topic is compacted, if it is.
    pub compaction: Option<Compaction>,
    /// Largest batch that is taken.
    pub max_message_bytes: usize,
    /// Records get the broker's time instead of the producer's.
    pub append_time: bool,
}

impl Rules {
    /// Rules that keep everything.
    #[cfg(test)]
    pub const fn keeping(segment_bytes: u64) -> Rules {
        Rules {
            segment_bytes,
            segment_ms: i64::MAX,
            retention_ms: None,
            retention_bytes: None,
            deletes: true,
            compaction: None,
            max_message_bytes: 1 << 20,
            append_time: false,
        }
    }
}

/// Where an accepted batch is.
#[derive(Debug, Clone, Copy)]
pub struct Appended {
    /// Offset of its first record.
    pub base_offset: i64,
    /// The broker's timestamp, -1 when the producer's counts.
    pub append_time: i64,
    /// First readable offset of the partition.
    pub log_start: i64,
}

/// The offsets that bound what a reader may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// First readable offset.
    pub start: i64,
    /// First offset that may belong to an open transaction, never before `start`.
    pub stable: i64,
    /// Offset of the next record.
    pub end: i64,
}

/// What one read of a partition found.
#[derive(Debug)]
pub struct Found {
    /// The bounds at the time.
    pub bounds: Bounds,
    /// Whole batches.
    pub records: Vec<u8>,
    /// Transactions aborted within them, for read-committed readers.
    pub aborted: Vec<Aborted>,
}

/// A partition.
#[derive(Debug)]
pub struct Partition {
    limits: Arc<Limits>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    log: Log,
    producers: Producers,
    /// All aborted transactions, in the order of their markers.
    aborted: Vec<Aborted>,
    /// How many of `aborted` belong to finished segments.
    aborted_kept: usize,
    waiting: Vec<Arc<Notify>>,
    /// Written to since the last fsync.
    dirty: bool,
    /// Whether a sidecar of the segment being written may exist.
    stale_sidecar: bool,
    /// Compaction has been through everything below this offset.
    clean_below: i64,
    /// When the first tombstone or marker that compaction left behind may go, in milliseconds.
    horizon: Option<i64>,
    /// How often compaction has put a segment in the place of others.
    rewrites: u64,
    /// The topic was deleted.
    gone: bool,
}

impl Partition {
    /// Opens the partition in `dir`, or an empty one in memory. Also says how many torn bytes were cut off.
    pub fn open(dir: Option<PathBuf>, start: i64, limits: Arc<Limits>) -> io::Result<(Self, u64)> {
        let (log, producers, aborted, cut) = match dir {
            None => (Log::empty(None, start), Producers::default(), Vec::new(), 0),
            Some(dir) => {
                let found = recovery::open(&dir, start)?;
                (found.log, found.producers, found.aborted, found.cut)
            }
        };
        limits.held.fetch_add(log.len(), Ordering::Relaxed);
        let base = log.active().base;
        let clean_below = log.segments().find(|segment| !segment.is_clean).map_or(base, |segment| segment.base);
        let inner = Inner {
            aborted_kept: aborted.partition_point(|aborted| aborted.last < base),
            log,
            producers,
            aborted,
            waiting: Vec::new(),
            dirty: false,
            stale_sidecar: true,
            clean_below,
            horizon: None,
            rewrites: 0,
            gone: false,
        };
        Ok((Partition { limits, inner: Mutex::new(inner) }, cut))
    }

    /// Appends a producer's batch, whose header was checked by [`Header::read_produced`].
    pub fn append(&self, bytes: &[u8], header: &Header, rules: Rules) -> Result<Appended, ResponseError> {
        if bytes.len() > rules.max_message_bytes {
            return Err(ResponseError::MessageTooLarge);
        }
        if rules.compaction.is_some() {
            check_keys(bytes, header)?;
        }
        let mut inner = self.inner.lock();
        inner.check_alive()?;
        let log_start = inner.log.start();
        if let Verdict::Duplicate { base_offset, timestamp } = inner.producers.check(header)? {
            // The first answer may have been a failed fsync.
            inner.sync(&self.limits)?;
            let append_time = if rules.append_time { timestamp } else { -1 };
            return Ok(Appended { base_offset, append_time, log_start });
        }
        let now = self.limits.clock.now_ms();
        let append_time = if rules.append_time { now } else { -1 };
        let written = inner.write(bytes, rules.append_time.then_some(append_time), now, &rules, &self.limits)?;
        inner.producers.appended(&written, now);
        inner.wake();
        inner.sync(&self.limits)?;
        Ok(Appended { base_offset: written.base_offset, append_time, log_start })
    }

    /// Writes the marker that ends a producer's transaction, if one is open here; fences older epochs either way.
    pub fn end_transaction(
        &self,
        marker: Marker,
        producer_id: i64,
        epoch: i16,
        rules: Rules,
    ) -> Result<(), ResponseError> {
        let mut inner = self.inner.lock();
        if inner.gone {
            return Ok(());
        }
        let now = self.limits.clock.now_ms();
        if inner.producers.open_of(producer_id).is_none() {
            inner.producers.ended(producer_id, epoch, now);
            return Ok(());
        }
        let bytes = batch::marker_batch(marker, producer_id, epoch, now);
        let written = inner.write(&bytes, None, now, &rules, &self.limits)?;
        let first = inner.producers.ended(producer_id, epoch, now);
        if let (Marker::Abort, Some(first)) = (marker, first) {
            inner.aborted.push(Aborted { producer_id, first, last: written.base_offset });
        }
        inner.wake();
        inner.sync(&self.limits)
    }

    /// Lets a producer begin a transaction here.
    pub fn permit(&self, producer_id: i64, epoch: i16) {
        self.inner.lock().producers.permit(producer_id, epoch);
    }

    /// The bounds of what can be read.
    pub fn bounds(&self) -> Result<Bounds, ResponseError> {
        let inner = self.inner.lock();
        inner.check_alive()?;
        Ok(inner.bounds())
    }

    /// Reads whole batches from the one that holds `offset` on: `max` bytes at most, but one batch at least when
    /// `at_least_one`. With `committed`, only what is stable.
    pub fn read(&self, offset: i64, max: usize, at_least_one: bool, committed: bool) -> Result<Found, ResponseError> {
        loop {
            let (slice, bounds, rewrites) = {
                let inner = self.inner.lock();
                inner.check_alive()?;
                let bounds = inner.bounds();
                if offset < bounds.start || offset > bounds.end {
                    return Err(ResponseError::OffsetOutOfRange);
                }
                let limit = if committed { bounds.stable } else { bounds.end };
                if offset >= limit || (max == 0 && !at_least_one) {
                    return Ok(Found { bounds, records: Vec::new(), aborted: Vec::new() });
                }
                (inner.log.slice(offset, max as u64), bounds, inner.rewrites)
            };
            let limit = if committed { bounds.stable } else { bounds.end };
            let by_name = slice.is_by_name();
            let records = slice.read(offset, limit, max, at_least_one);
            let mut aborted = Vec::new();
            if by_name || committed {
                let inner = self.inner.lock();
                if by_name && inner.rewrites != rewrites {
                    // Compaction was here: another file may have had the name.
                    continue;
                }
                if let (true, Ok(records)) = (committed, &records) {
                    aborted = inner.aborted_within(offset, records);
                }
            }
            let records = records.map_err(|error| self.read_failed(offset, &error))?;
            return Ok(Found { bounds, records, aborted });
        }
    }

    /// A file that retention or deletion took away between the look and the read is an offset out of range.
    fn read_failed(&self, offset: i64, error: &io::Error) -> ResponseError {
        let inner = self.inner.lock();
        if inner.gone {
            return ResponseError::UnknownTopicOrPartition;
        }
        if offset < inner.log.start() {
            return ResponseError::OffsetOutOfRange;
        }
        self.limits.alarm.failed("a batch could not be read", error);
        ResponseError::KafkaStorageError
    }

    /// Offset and timestamp of the first record whose timestamp is at least `timestamp`.
    pub fn find_timestamp(&self, timestamp: i64, committed: bool) -> Result<Option<(i64, i64)>, ResponseError> {
        loop {
            let (slices, bounds, rewrites) = {
                let inner = self.inner.lock();
                inner.check_alive()?;
                (inner.log.slices_from_timestamp(timestamp), inner.bounds(), inner.rewrites)
            };
            let limit = if committed { bounds.stable } else { bounds.end };
            let mut answer = Ok(None);
            for slice in slices {
                answer = slice.find_timestamp(timestamp, bounds.start, limit);
                if !matches!(answer, Ok(None)) {
                    break;
                }
            }
            {
                let inner = self.inner.lock();
                let moved = answer.is_err() && inner.log.start() > bounds.start && !inner.gone;
                if inner.rewrites != rewrites || moved {
                    // Another file may have had a segment's name since compaction was here, or it is deleted by now.
                    continue;
                }
            }
            let found = answer.map_err(|error| self.read_failed(bounds.start, &error))?;
            return Ok(found.map(|(offset, timestamp)| (offset.max(bounds.start), timestamp)));
        }
    }

    /// Forgets producers that were last heard of before `before`, in milliseconds, and have nothing open.
    pub fn expire_producers(&self, before: i64) {
        self.inner.lock().producers.expire(before);
    }

    /// Largest timestamp of all records.
    pub fn max_timestamp(&self) -> i64 {
        self.inner.lock().log.max_timestamp()
    }

    /// Wakes `waiter` when the partition next grows; once.
    pub fn wait(&self, waiter: &Arc<Notify>) {
        self.inner.lock().waiting.push(Arc::clone(waiter));
    }

    /// Forgets a waiter.
    pub fn unwait(&self, waiter: &Arc<Notify>) {
        self.inner.lock().waiting.retain(|other| !Arc::ptr_eq(other, waiter));
    }

    /// Every producer known here.
    pub fn producers(&self) -> Vec<Active> {
        self.inner.lock().producers.active()
    }

    /// The topic is deleted: every later request fails, waiting readers look again.
    pub fn retire(&self) {
        let mut inner = self.inner.lock();
        inner.gone = true;
        self.limits.held.fetch_sub(inner.log.len(), Ordering::Relaxed);
        inner.wake();
    }

    /// The file written to since the last call, to be forced to the disk.
    pub fn take_dirty(&self) -> Option<Arc<File>> {
        let mut inner = self.inner.lock();
        if std::mem::take(&mut inner.dirty) { inner.log.active_file() } else { None }
    }

    /// Clean end: everything on the disk, with a sidecar so that the next opening need not scan.
    pub fn close(&self) -> io::Result<()> {
        let mut inner = self.inner.lock();
        if inner.gone || inner.log.active().len == 0 {
            return Ok(());
        }
        if let Some(file) = inner.log.active_file() {
            file.sync_data()?;
        }
        let (len, path) = (inner.log.active().len, inner.log.active().path().cloned());
        if path.is_some_and(|path| sidecar::read(&path).is_none_or(|kept| kept.len != len)) {
            inner.keep_sidecar();
        }
        inner.dirty = false;
        Ok(())
    }
}

impl Inner {
    fn check_alive(&self) -> Result<(), ResponseError> {
        if self.gone { Err(ResponseError::UnknownTopicOrPartition) } else { Ok(()) }
    }

    /// The aborted transactions that touch the batches in `records`, which begin at or before `offset`.
    fn aborted_within(&self, offset: i64, records: &[u8]) -> Vec<Aborted> {
        let mut end = offset;
        let mut rest = records;
        while let Ok(header) = Header::read(rest) {
            end = header.next_offset();
            rest = rest.get(header.len..).unwrap_or_default();
        }
        let from = self.aborted.partition_point(|aborted| aborted.last < offset);
        self.aborted[from..].iter().filter(|aborted| aborted.first < end).copied().collect()
    }

    fn bounds(&self) -> Bounds {
        let (start, end) = (self.log.start(), self.log.end());
        // The first records of an open transaction may be deleted while it is open.
        Bounds { start, stable: self.producers.first_open().map_or(end, |open| open.max(start)), end }
    }

    /// Gives a batch its offset and writes it; the header it got.
    fn write(
        &mut self,
        bytes: &[u8],
        append_time: Option<i64>,
        now: i64,
        rules: &Rules,
        limits: &Limits,
    ) -> Result<Header, ResponseError> {
        if self.log.is_full(bytes.len(), now, rules.segment_bytes, rules.segment_ms) {
            self.roll(limits);
        }
        if std::mem::take(&mut self.stale_sidecar)
            && let Some(path) = self.log.active().path()
        {
            let _ = std::fs::remove_file(sidecar::path_of(path));
        }
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            scratch.extend_from_slice(bytes);
            batch::set_base_offset(scratch, self.log.end());
            if let Some(timestamp) = append_time {
                batch::set_append_time(scratch, timestamp);
            }
            let header = Header::read(scratch).map_err(|_| ResponseError::InvalidRecord)?;
            self.log.append(scratch, &header, now).map_err(|error| limits.write_failed(error))?;
            self.dirty = true;
            limits.held.fetch_add(header.len as u64, Ordering::Relaxed);
            if scratch.capacity() > SCRATCH_KEPT {
                *scratch = Vec::new();
            }
            Ok(header)
        })
    }

    /// Forces what was written to the disk, if that is the policy.
    fn sync(&mut self, limits: &Limits) -> Result<(), ResponseError> {
        if limits.in_memory || !self.dirty {
            return Ok(());
        }
        let close = too_many_open();
        if limits.fsync == Fsync::EachBatch || (close && limits.fsync != Fsync::Never) {
            if let Some(file) = self.log.active_file() {
                file.sync_data().map_err(|error| limits.write_failed(error))?;
            }
            self.log.sync_new_file().map_err(|error| limits.write_failed(error))?;
            self.dirty = false;
        }
        if close {
            self.log.close_active();
        }
        Ok(())
    }

    /// Finishes the segment being written.
    fn roll(&mut self, limits: &Limits) {
        if !limits.in_memory {
            if limits.fsync != Fsync::Never
                && let Some(file) = self.log.active_file()
                && let Err(error) = file.sync_data()
            {
                limits.alarm.failed("a finished segment could not be forced to the disk", &error);
            }
            self.keep_sidecar();
        }
        self.log.roll();
        self.aborted_kept = self.aborted.len();
        self.stale_sidecar = true;
    }

    /// Writes the sidecar of the segment being written. It is only a shortcut, so a failure costs a scan.
    fn keep_sidecar(&mut self) {
        let aborted = &self.aborted[self.aborted_kept.min(self.aborted.len())..];
        if let Err(error) = sidecar::write(self.log.active(), aborted, &self.producers) {
            tracing::warn!(target: "alcedo::broker", "an index file could not be written: {error}");
        }
        self.stale_sidecar = true;
    }

    fn wake(&mut self) {
        for waiter in self.waiting.drain(..) {
            waiter.notify_one();
        }
    }
}

/// A compacted topic keeps what has a key, so everything has to have one.
fn check_keys(bytes: &[u8], header: &Header) -> Result<(), ResponseError> {
    let mut all = true;
    let whole = Records::open(bytes, header).and_then(|records| records.each(|record| all &= record.key.is_some()));
    if whole.is_ok() && all { Ok(()) } else { Err(ResponseError::InvalidRecord) }
}

impl Limits {
    /// A failed write: clients try again, and nothing of the batch is left.
    fn write_failed(&self, error: io::Error) -> ResponseError {
        self.alarm.failed("a batch could not be written", &error);
        ResponseError::KafkaStorageError
    }
}

#[cfg(test)]
mod compaction_tests;
#[cfg(test)]
mod purge_tests;
#[cfg(test)]
mod tests;
