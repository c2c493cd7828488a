//! One partition's log: segments in order, the offsets that bound it, and where to read.
//!
//! Neighbours: [`batch`] knows the bytes, [`records`] and [`codec`] those inside, [`segment`] the file, [`index`] where to
//! look, [`sidecar`] keeps what would otherwise be read from a segment again, [`recovery`] opens a folder, [`replace`] puts
//! a compacted segment in the place of others. Nothing here knows producers' rules,
//! transactions or the wire; `partition.rs` above puts those together under one lock.

pub mod batch;
pub mod codec;
pub mod index;
pub mod records;
pub mod recovery;
pub mod replace;
pub mod segment;
pub mod sidecar;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use batch::Header;
use segment::{Segment, Slice};

/// Orders all segments of the process by when they began.
static STAMP: AtomicU64 = AtomicU64::new(0);

fn next_stamp() -> u64 {
    STAMP.fetch_add(1, Ordering::Relaxed)
}

/// The log of one partition.
#[derive(Debug)]
pub struct Log {
    /// The folder of its segments; none in memory.
    dir: Option<PathBuf>,
    segments: VecDeque<Segment>,
    /// First offset that can be read.
    start: i64,
    /// The sidecar that the last segment to go left behind.
    left: Option<PathBuf>,
}

/// Name of the segment file that begins at `base`.
fn segment_name(base: i64) -> String {
    format!("{base:020}.log")
}

impl Log {
    /// An empty log, in `dir` or in memory, whose next offset is `start`.
    pub fn empty(dir: Option<PathBuf>, start: i64) -> Self {
        let mut log = Log { dir, segments: VecDeque::new(), start, left: None };
        log.push_segment(start);
        log
    }

    fn push_segment(&mut self, base: i64) {
        let segment = match &self.dir {
            None => Segment::in_memory(base, next_stamp()),
            Some(dir) => Segment::in_file(base, next_stamp(), dir.join(segment_name(base))),
        };
        self.segments.push_back(segment);
    }

    /// The segment being written.
    pub fn active(&self) -> &Segment {
        self.segments.back().expect("a log always has a segment")
    }

    fn active_mut(&mut self) -> &mut Segment {
        self.segments.back_mut().expect("a log always has a segment")
    }

    /// The oldest segment.
    pub fn oldest(&self) -> &Segment {
        self.segments.front().expect("a log always has a segment")
    }

    /// First offset that can be read.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// Offset the next record gets.
    pub fn end(&self) -> i64 {
        self.active().next
    }

    /// Bytes of all segments.
    pub fn len(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len).sum()
    }

    /// Number of segments.
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// All segments, in order.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter()
    }

    /// The segment that began at `stamp`.
    pub fn segment_mut(&mut self, stamp: u64) -> Option<&mut Segment> {
        self.segments.iter_mut().find(|segment| segment.stamp == stamp)
    }

    /// Whether a batch of `len` bytes that comes at `now` should begin a new segment, by size or by age.
    pub fn is_full(&self, len: usize, now: i64, segment_bytes: u64, segment_ms: i64) -> bool {
        let active = self.active();
        let old = now.saturating_sub(active.began_ms) >= segment_ms;
        active.len > 0 && (old || active.len + len as u64 > segment_bytes)
    }

    /// Begins a new segment and closes the file of the last.
    pub fn roll(&mut self) {
        let base = self.end();
        self.active_mut().close();
        self.push_segment(base);
    }

    /// Writes a batch whose base offset is [`Log::end`], at `now` in milliseconds. On an error the log is as it was.
    pub fn append(&mut self, bytes: &[u8], header: &Header, now: i64) -> io::Result<()> {
        self.active_mut().append(bytes, header, now)
    }

    /// Closes the file of the segment being written until it is needed again.
    pub fn close_active(&mut self) {
        self.active_mut().close();
    }

    /// The open file of the segment being written, for fsync.
    pub fn active_file(&self) -> Option<Arc<File>> {
        self.active().file()
    }

    /// Forces the folders of a file that was just made to the disk: without them the file could be lost with power.
    pub fn sync_new_file(&mut self) -> io::Result<()> {
        let active = self.active_mut();
        let Some(path) = active.path().filter(|_| active.is_new) else { return Ok(()) };
        // The partition's folder, the topic's, and the one of all topics.
        for folder in path.ancestors().skip(1).take(3) {
            File::open(folder)?.sync_all()?;
        }
        active.is_new = false;
        Ok(())
    }

    /// A slice from the batch that holds `offset` on; `offset` is at least [`Log::start`].
    pub fn slice(&self, offset: i64, max: u64) -> Slice {
        let after = self.segments.partition_point(|segment| segment.base <= offset);
        let mut at = after.saturating_sub(1);
        // A compacted segment may end before the next begins, or hold nothing any more.
        while at + 1 < self.segments.len() && (self.segments[at].next <= offset || self.segments[at].len == 0) {
            at += 1;
        }
        self.segments[at].slice_from(offset, max)
    }

    /// Slices to search, in order, for the first record with a timestamp of `timestamp` or later.
    pub fn slices_from_timestamp(&self, timestamp: i64) -> Vec<Slice> {
        let may_hold = |segment: &&Segment| segment.max_timestamp >= timestamp;
        self.segments.iter().filter(may_hold).map(|segment| segment.slice_from_timestamp(timestamp)).collect()
    }

    /// Largest timestamp of all records, `i64::MIN` when there is none.
    pub fn max_timestamp(&self) -> i64 {
        self.segments.iter().map(|segment| segment.max_timestamp).max().unwrap_or(i64::MIN)
    }

    /// Moves the first readable offset up to `offset` and lets go of the finished segments below it. The bytes that went.
    ///
    /// A segment goes when the next begins at or below the start. Where its own last record is does not count: compaction may
    /// have left a gap behind it, and a log that is opened again begins no earlier than its first segment.
    pub fn advance_start(&mut self, offset: i64) -> u64 {
        self.start = self.start.max(offset.min(self.end()));
        let mut gone = 0;
        while self.segments.get(1).is_some_and(|next| next.base <= self.start) {
            let Some(segment) = self.segments.pop_front() else { break };
            gone += segment.len;
            if let Some(path) = segment.path() {
                // A file that stays is found below the start on the next opening and removed then.
                let _ = std::fs::remove_file(path);
                // Its sidecar stays: nothing else says any more how the producers stood where the next segment begins.
                if let Some(before) = self.left.replace(sidecar::path_of(path)) {
                    let _ = std::fs::remove_file(before);
                }
            }
        }
        gone
    }
}
