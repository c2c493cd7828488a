//! Compaction of one partition: of all records with one key only the last stays.
//!
//! One pass reads the finished segments that no open transaction reaches, notes the last offset of each key in the part
//! that is new, and writes all of them again without what is superseded; see [`replace`](crate::broker::log::replace) for
//! how they take the old ones' place. What Kafka keeps is kept here:
//!
//! - offsets never change, and the segment being written is not touched;
//! - a tombstone stays for `delete.retention.ms` after the pass that first met it, so that readers learn of it; the batch
//!   carries that horizon (KIP-534);
//! - records of aborted transactions go at once, a marker once nothing of its transaction is left and its own horizon has
//!   passed;
//! - the last batch of each known producer stays, if need be without records: sequence numbers are rebuilt from it.
//!
//! Memory is bounded by the number of keys a pass may note; the rest waits for the next pass. A batch that cannot be opened
//! stays as it is. Appends and reads go on meanwhile: the lock is held to look, and to put a finished segment in place.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::pass::Pass;
use super::{Partition, Rules};
use crate::broker::log::batch::{HEADER_LEN, Header};
use crate::broker::log::records::Records;
use crate::broker::log::replace::Pace;
use crate::broker::log::segment::Segment;
use crate::broker::log::sidecar;
use crate::broker::producers::Last;

/// Keys noted by one pass at most: about 50 MB.
pub const MOST_KEYS: usize = 1 << 20;

/// When a partition is compacted, and what stays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compaction {
    /// Part of the log that must be new before a pass is worth it (`min.cleanable.dirty.ratio`).
    pub dirty_ratio: f64,
    /// How long tombstones stay, in milliseconds.
    pub delete_retention_ms: i64,
    /// Records younger than this are left alone, in milliseconds.
    pub min_lag_ms: i64,
    /// Records older than this are compacted whatever the ratio, in milliseconds.
    pub max_lag_ms: i64,
}

/// What a pass did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cleaned {
    /// Bytes of the segments that were read and written again.
    pub before: u64,
    /// Bytes that were left of them.
    pub after: u64,
}

/// A finished segment, as a pass looks at it.
#[derive(Debug, Clone)]
pub struct Piece {
    /// When it began, on the counter that orders all segments.
    pub stamp: u64,
    /// Offset of the first record it may hold.
    pub base: i64,
    /// Offset after its last record.
    pub next: i64,
    /// Its bytes.
    pub len: u64,
    /// Its file, if it has one.
    pub path: Option<PathBuf>,
}

/// Everything a pass needs to know of the partition as it was when the pass began.
pub struct View {
    pieces: Vec<Piece>,
    /// Records below this offset were compacted before.
    dirty_from: i64,
    /// By producer: first and last offsets of its aborted transactions, in order.
    aborted: HashMap<i64, Vec<(i64, i64)>>,
    /// The batch of each producer that has to stay.
    last: HashMap<i64, Last>,
}

impl View {
    /// Whether the batch belongs to an aborted transaction.
    pub fn is_aborted(&self, header: &Header) -> bool {
        let offset = header.base_offset;
        let of_producer = self.aborted.get(&header.producer_id);
        of_producer.is_some_and(|all| {
            let at = all.partition_point(|(_, last)| *last < offset);
            all.get(at).is_some_and(|(first, _)| *first <= offset)
        })
    }

    /// Whether the state of the batch's producer hangs on it.
    pub fn is_last_of_producer(&self, header: &Header) -> bool {
        match self.last.get(&header.producer_id) {
            Some(Last::Batch(offset)) => *offset == header.last_offset(),
            Some(Last::Marker(epoch)) => header.is_control() && *epoch == header.producer_epoch,
            None => false,
        }
    }
}

/// The last offset of each key, up to an offset.
pub struct Keys {
    /// Keyed at random for each pass, so that no one can make two keys collide.
    hash: [ahash::RandomState; 2],
    last: hashbrown::HashMap<u128, i64, ahash::RandomState>,
    /// Records from here on are not noted.
    pub upto: i64,
}

impl Keys {
    /// Whether no later record with this key was noted.
    pub fn is_newest(&self, key: &[u8], offset: i64) -> bool {
        self.last.get(&self.hash(key)).is_none_or(|last| offset >= *last)
    }

    fn hash(&self, key: &[u8]) -> u128 {
        u128::from(self.hash[0].hash_one(key)) << 64 | u128::from(self.hash[1].hash_one(key))
    }
}

impl Partition {
    /// Makes a pass if the rules call for one at `now`; none when there was nothing to do. `most_keys` bounds memory,
    /// `pace` see [`Pace`].
    pub fn compact(&self, rules: &Rules, now: i64, most_keys: usize, pace: Pace<'_>) -> io::Result<Option<Cleaned>> {
        let Some(compaction) = rules.compaction else { return Ok(None) };
        let Some(view) = self.look(&compaction, now) else { return Ok(None) };
        let Some(keys) = self.note_keys(&view, most_keys)? else { return Ok(None) };
        let mut pass = Pass {
            partition: self,
            view: &view,
            keys: &keys,
            now,
            delete_retention_ms: compaction.delete_retention_ms,
            unfinished: HashSet::new(),
            horizon: None,
            pace,
        };
        let mut cleaned = Cleaned::default();
        let mut rest = &view.pieces[..];
        while let Some(first) = rest.first().filter(|piece| piece.base < keys.upto) {
            // As many neighbours as fit into one segment become one.
            let (mut count, mut len) = (1, first.len);
            while let Some(piece) = rest.get(count).filter(|piece| piece.base < keys.upto)
                && len + piece.len <= rules.segment_bytes
            {
                len += piece.len;
                count += 1;
            }
            let Some(after) = pass.group(&rest[..count])? else { return Ok(None) };
            cleaned.before += len;
            cleaned.after += after;
            rest = &rest[count..];
        }
        let horizon = pass.horizon;
        let mut inner = self.inner.lock();
        inner.clean_below = keys.upto;
        inner.horizon = horizon;
        Ok(Some(cleaned))
    }

    /// What there is to compact; none when a pass is not worth it yet.
    fn look(&self, compaction: &Compaction, now: i64) -> Option<View> {
        let inner = self.inner.lock();
        if inner.gone {
            return None;
        }
        let stable = inner.bounds().stable;
        let mut pieces: Vec<Piece> = Vec::new();
        let (mut dirty, mut total, mut oldest_dirty) = (0, 0, None);
        let finished = inner.log.segment_count() - 1;
        for segment in inner.log.segments().take(finished) {
            // Times may lie ahead of the clock: without a lag they do not matter.
            let lag = compaction.min_lag_ms;
            let young = lag > 0 && now.saturating_sub(segment.newest_ms()) < lag;
            if segment.next > stable || young {
                break;
            }
            if segment.next > inner.clean_below && segment.len > 0 {
                dirty += segment.len;
                oldest_dirty.get_or_insert(segment.began_ms);
            }
            total += segment.len;
            let (stamp, base, next, len) = (segment.stamp, segment.base, segment.next, segment.len);
            pieces.push(Piece { stamp, base, next, len, path: segment.path().cloned() });
        }
        // Without a batch behind it, the last one would be all that says where the log ends.
        if pieces.len() == finished && inner.log.active().len == 0 {
            let last = pieces.pop()?;
            total -= last.len;
            dirty = dirty.min(total);
        }
        let due = inner.horizon.is_some_and(|horizon| horizon < now);
        let late = oldest_dirty.is_some_and(|began| now.saturating_sub(began) > compaction.max_lag_ms);
        let enough = dirty > 0 && (late || dirty as f64 >= compaction.dirty_ratio * total as f64);
        if pieces.is_empty() || !(enough || due) {
            return None;
        }
        let mut aborted: HashMap<i64, Vec<(i64, i64)>> = HashMap::new();
        for one in &inner.aborted {
            aborted.entry(one.producer_id).or_default().push((one.first, one.last));
        }
        Some(View { pieces, dirty_from: inner.clean_below, aborted, last: inner.producers.last_batches() })
    }

    /// Reads the new part and notes the last offset of each key; none when a segment is gone meanwhile.
    fn note_keys(&self, view: &View, most: usize) -> io::Result<Option<Keys>> {
        let seeds = [ahash::RandomState::new(), ahash::RandomState::new()];
        let end = view.pieces.last().map_or(0, |piece| piece.next);
        let mut keys = Keys { hash: seeds, last: Default::default(), upto: end.max(view.dirty_from) };
        for piece in view.pieces.iter().filter(|piece| piece.next > view.dirty_from) {
            let Some(mut batches) = self.batches(piece)? else { return Ok(None) };
            while let Some(header) = batches.next()? {
                if header.last_offset() < view.dirty_from || header.is_control() || view.is_aborted(&header) {
                    continue;
                }
                if keys.last.len() >= most {
                    keys.upto = header.base_offset;
                    return Ok(Some(keys));
                }
                if let Ok(records) = Records::open(&batches.batch, &header) {
                    // What can be read of a damaged batch still counts: the batch itself stays.
                    let _ = records.each(|record| {
                        if let Some(key) = record.key {
                            let hash = keys.hash(key);
                            keys.last.insert(hash, record.offset);
                        }
                    });
                }
            }
        }
        Ok(Some(keys))
    }

    /// The batches of a segment; none when it is gone.
    pub(super) fn batches(&self, piece: &Piece) -> io::Result<Option<Batches>> {
        let source: Box<dyn Read> = match &piece.path {
            Some(path) => match File::open(path) {
                Ok(file) => Box::new(BufReader::with_capacity(1 << 17, file.take(piece.len))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            },
            None => match self.inner.lock().log.segment_mut(piece.stamp).and_then(|segment| segment.copy()) {
                Some(bytes) => Box::new(io::Cursor::new(bytes)),
                None => return Ok(None),
            },
        };
        Ok(Some(Batches { source, batch: Vec::new(), left: piece.len }))
    }
}

/// Reads batch after batch.
pub struct Batches {
    source: Box<dyn Read>,
    /// The bytes of the last one.
    pub batch: Vec<u8>,
    left: u64,
}

impl Batches {
    /// The header of the next batch; none at the end.
    pub fn next(&mut self) -> io::Result<Option<Header>> {
        if self.left == 0 {
            return Ok(None);
        }
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a batch in the log is damaged");
        self.batch.resize(HEADER_LEN, 0);
        self.source.read_exact(&mut self.batch)?;
        let header = Header::read(&self.batch).map_err(|_| damaged())?;
        self.left = self.left.checked_sub(header.len as u64).ok_or_else(damaged)?;
        self.batch.resize(header.len, 0);
        self.source.read_exact(&mut self.batch[HEADER_LEN..])?;
        Header::read_checked(&self.batch).map(Some).map_err(|_| damaged())
    }
}

impl Partition {
    /// A pass found nothing to do in a segment.
    pub(super) fn mark_clean(&self, stamp: u64, is_clean: bool) {
        let mut inner = self.inner.lock();
        let Some(segment) = inner.log.segment_mut(stamp) else { return };
        if segment.is_clean != is_clean {
            segment.is_clean = is_clean;
            if let Some(path) = segment.path().cloned()
                && let Some(kept) = sidecar::read(&path)
            {
                keep_sidecar(segment, &kept.aborted, &kept.producers);
            }
        }
    }

    /// Puts a compacted segment in the place of its originals, without the aborted transactions whose markers are gone.
    pub(super) fn put_in_place(
        &self,
        pieces: &[Piece],
        mut new: Segment,
        gone_markers: &HashSet<i64>,
        pace: Pace<'_>,
    ) -> io::Result<bool> {
        let mut inner = self.inner.lock();
        if inner.gone {
            return Ok(false);
        }
        let before: u64 = pieces.iter().map(|piece| piece.len).sum();
        let stamps: Vec<u64> = pieces.iter().map(|piece| piece.stamp).collect();
        // The state of the producers behind the last original is that behind the new one.
        let producers = pieces.last().and_then(|last| sidecar::read(last.path.as_deref()?)).map(|kept| kept.producers);
        let of = |stamp: &u64| inner.log.segments().find(|segment| segment.stamp == *stamp);
        let (began, written) = (of(&stamps[0]).map_or(0, |old| old.began_ms), stamps.last().and_then(of));
        (new.began_ms, new.written_ms) = (began, written.map_or(0, |old| old.written_ms));
        let (stamp, base, len) = (new.stamp, new.base, new.len);
        let (counts, outcome) = inner.log.replace(&stamps, new, pace);
        if !counts {
            return outcome.map(|()| false);
        }
        inner.rewrites += 1;
        inner.aborted.retain(|aborted| !gone_markers.contains(&aborted.last));
        let active = inner.log.active().base;
        inner.aborted_kept = inner.aborted.partition_point(|aborted| aborted.last < active);
        self.limits.held.fetch_sub(before, Ordering::Relaxed);
        self.limits.held.fetch_add(len, Ordering::Relaxed);
        outcome?;
        pace()?;
        if let Some(producers) = producers {
            let end = inner.log.segments().map(|segment| segment.base).find(|other| *other > base).unwrap_or(i64::MAX);
            let aborted = inner.aborted.iter().filter(|aborted| (base..end).contains(&aborted.last)).copied();
            let aborted: Vec<_> = aborted.collect();
            if let Some(segment) = inner.log.segment_mut(stamp) {
                keep_sidecar(segment, &aborted, &producers);
            }
        }
        Ok(true)
    }
}

/// Writes a sidecar. It is only a shortcut, so a failure costs a scan.
fn keep_sidecar(
    segment: &Segment,
    aborted: &[crate::broker::producers::Aborted],
    producers: &crate::broker::producers::Producers,
) {
    if let Err(error) = sidecar::write(segment, aborted, producers) {
        tracing::warn!(target: "alcedo::broker", "an index file could not be written: {error}");
    }
}
