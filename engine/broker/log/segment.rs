//! One segment: consecutive batches in one file, or in one piece of memory, with its sparse index.
//!
//! The file holds nothing but batches, so its valid length is what its batches say. Appends go to `len`, never to
//! the end of the file: what a failed write left behind is cut off or written over. Files are opened when they are
//! needed and only the segment being written keeps its handle, so that many quiet partitions cost no descriptors.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::batch::{self, BatchError, HEADER_LEN, Header};
use super::index::{Entry, Index};

/// Bytes read beyond what was asked for, to reach the wanted batch from the index entry before it.
const SLACK: u64 = 8192;

/// Where a segment's bytes are.
#[derive(Debug)]
enum Store {
    Memory(Vec<u8>),
    File { path: PathBuf, open: Option<Handle>, torn: bool },
}

/// How many segments of the process hold their file open.
static OPEN: AtomicUsize = AtomicUsize::new(0);
/// From this many open files on, a file is closed again after every write: descriptors are scarce, and the clients in
/// the same process need theirs.
const MOST_OPEN: usize = 256;

/// An open file, counted.
#[derive(Debug)]
struct Handle(Arc<File>);

impl Handle {
    fn new(file: File) -> Self {
        OPEN.fetch_add(1, Ordering::Relaxed);
        Handle(Arc::new(file))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether files should be closed after use.
pub fn too_many_open() -> bool {
    OPEN.load(Ordering::Relaxed) > MOST_OPEN
}

/// A segment of a partition's log.
#[derive(Debug)]
pub struct Segment {
    /// Offset of the first record it may hold.
    pub base: i64,
    /// Offset after its last record.
    pub next: i64,
    /// Bytes of valid batches.
    pub len: u64,
    /// Largest timestamp of its records, `i64::MIN` when empty.
    pub max_timestamp: i64,
    /// When its first batch was written, in milliseconds; of a file found on opening, when it was last written to.
    pub began_ms: i64,
    /// When its last batch was written, in milliseconds.
    pub written_ms: i64,
    /// Compaction has been through it.
    pub is_clean: bool,
    /// When it began, on the counter that orders all segments of a broker.
    pub stamp: u64,
    /// Its sparse index.
    pub index: Index,
    /// Its file was made by the last append that needed one, and its folders may not be on the disk yet.
    pub is_new: bool,
    store: Store,
}

/// A part of a segment that can be read without holding the partition's lock.
#[derive(Debug)]
pub struct Slice {
    source: Source,
    position: u64,
    end: u64,
}

#[derive(Debug)]
enum Source {
    Copied(Vec<u8>),
    Open(Arc<File>),
    Path(PathBuf),
}

impl Segment {
    /// An empty segment in memory.
    pub fn in_memory(base: i64, stamp: u64) -> Self {
        Segment::new(base, stamp, Store::Memory(Vec::new()))
    }

    /// A segment in the file at `path`, taken as empty; the file is made by the first append.
    pub fn in_file(base: i64, stamp: u64, path: PathBuf) -> Self {
        Segment::new(base, stamp, Store::File { path, open: None, torn: false })
    }

    fn new(base: i64, stamp: u64, store: Store) -> Self {
        Segment {
            base,
            next: base,
            len: 0,
            max_timestamp: i64::MIN,
            began_ms: 0,
            written_ms: 0,
            is_clean: false,
            stamp,
            index: Index::default(),
            is_new: false,
            store,
        }
    }

    /// The file, when there is one.
    pub fn path(&self) -> Option<&PathBuf> {
        match &self.store {
            Store::File { path, .. } => Some(path),
            Store::Memory(_) => None,
        }
    }

    /// The open file, when there is one: what an fsync needs.
    pub fn file(&self) -> Option<Arc<File>> {
        match &self.store {
            Store::File { open, .. } => open.as_ref().map(|handle| Arc::clone(&handle.0)),
            Store::Memory(_) => None,
        }
    }

    /// Closes the file, which is opened again when needed, or gives back the memory beyond the batches.
    pub fn close(&mut self) {
        match &mut self.store {
            Store::Memory(held) => held.shrink_to_fit(),
            Store::File { open, .. } => *open = None,
        }
    }

    /// The newest time of its records, in milliseconds: their own, or that of writing when they have none.
    pub fn newest_ms(&self) -> i64 {
        if self.max_timestamp >= 0 { self.max_timestamp } else { self.written_ms }
    }

    /// Writes a batch at the end, at `now` in milliseconds. On an error the segment is as it was.
    pub fn append(&mut self, bytes: &[u8], header: &Header, now: i64) -> io::Result<()> {
        match &mut self.store {
            Store::Memory(held) => held.extend_from_slice(bytes),
            Store::File { path, open, torn } => {
                let file = match open {
                    Some(handle) => &handle.0,
                    None => {
                        if let Some(folder) = path.parent() {
                            std::fs::create_dir_all(folder)?;
                        }
                        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
                        self.is_new = self.len == 0;
                        &open.insert(Handle::new(file)).0
                    }
                };
                let cut = if *torn { file.set_len(self.len) } else { Ok(()) };
                if let Err(error) = cut.and_then(|()| file.write_all_at(bytes, self.len)) {
                    *torn = file.set_len(self.len).is_err();
                    // The next try opens the file again, in case something is wrong with the handle.
                    *open = None;
                    return Err(error);
                }
                *torn = false;
            }
        }
        if self.len == 0 {
            self.began_ms = now;
        }
        self.written_ms = now;
        self.is_clean = false;
        self.applied(header);
        Ok(())
    }

    /// A copy of what is in memory; none of a file.
    pub fn copy(&self) -> Option<Vec<u8>> {
        match &self.store {
            Store::Memory(held) => Some(held.clone()),
            Store::File { .. } => None,
        }
    }

    /// Replaces what is in memory.
    pub fn set_bytes(&mut self, bytes: Vec<u8>) {
        self.store = Store::Memory(bytes);
    }

    /// Says where the file is now.
    pub fn set_path(&mut self, path: PathBuf) {
        self.store = Store::File { path, open: None, torn: false };
    }

    /// Takes in a batch that is already in the store at `len`.
    pub fn applied(&mut self, header: &Header) {
        let entry = Entry { offset: header.base_offset, position: self.len, max_before: self.max_timestamp };
        self.index.note(entry);
        self.len += header.len as u64;
        self.next = header.next_offset();
        // A marker's time is the broker's and says nothing about the records.
        if !header.is_control() {
            self.max_timestamp = self.max_timestamp.max(header.max_timestamp);
        }
    }

    /// The bytes from the batch that holds `offset` (or a little before it) on; of what is in memory, `max` bytes but
    /// at least that batch are copied.
    pub fn slice_from(&self, offset: i64, max: u64) -> Slice {
        let mut position = self.index.floor_offset(offset);
        let mut keep = 0;
        if let Store::Memory(held) = &self.store {
            while let Some(header) = held.get(position as usize..).and_then(|rest| Header::read(rest).ok()) {
                if header.last_offset() >= offset {
                    keep = max.max(header.len as u64);
                    break;
                }
                position += header.len as u64;
            }
        }
        self.slice(position, keep)
    }

    /// The bytes from the first batch that may have a timestamp of `timestamp` or later, to the end.
    pub fn slice_from_timestamp(&self, timestamp: i64) -> Slice {
        self.slice(self.index.floor_timestamp(timestamp), u64::MAX)
    }

    /// The bytes from `position` on; of what is in memory, `keep` bytes are copied.
    fn slice(&self, position: u64, keep: u64) -> Slice {
        let position = position.min(self.len);
        match &self.store {
            Store::Memory(held) => {
                let rest = &held[position as usize..];
                let bytes = rest[..keep.min(rest.len() as u64) as usize].to_vec();
                Slice { position: 0, end: bytes.len() as u64, source: Source::Copied(bytes) }
            }
            Store::File { open: Some(handle), .. } => {
                Slice { source: Source::Open(Arc::clone(&handle.0)), position, end: self.len }
            }
            Store::File { path, .. } => Slice { source: Source::Path(path.clone()), position, end: self.len },
        }
    }
}

impl Slice {
    /// Whether reading goes by a name that compaction could give to another file in between.
    pub fn is_by_name(&self) -> bool {
        matches!(self.source, Source::Path(_))
    }

    /// Whole batches from the one that holds `from` on: those that begin before `limit`, `max` bytes at most, but
    /// always the first when `at_least_one`.
    pub fn read(mut self, from: i64, limit: i64, max: usize, at_least_one: bool) -> io::Result<Vec<u8>> {
        let (mut bytes, file) = self.start(max as u64)?;
        let mut start = 0;
        let mut end;
        loop {
            // Skip what lies before; the index keeps this within a few kilobytes unless one batch is large.
            let Some(header) = header_at(&bytes, start)? else {
                if !self.extend(&mut bytes, &file, start + HEADER_LEN)? {
                    return Ok(Vec::new());
                }
                continue;
            };
            if header.base_offset >= limit {
                return Ok(Vec::new());
            }
            end = start + header.len;
            if header.last_offset() < from {
                start = end;
                if start >= bytes.len() && !self.extend(&mut bytes, &file, start + max.max(HEADER_LEN))? {
                    return Ok(Vec::new());
                }
                continue;
            }
            if header.len > max && !at_least_one {
                return Ok(Vec::new());
            }
            let whole = end <= bytes.len() || self.extend(&mut bytes, &file, end)?;
            if !whole || end > bytes.len() {
                return Ok(Vec::new());
            }
            break;
        }
        while let Ok(header) = Header::read(&bytes[end..]) {
            let next = end + header.len;
            if header.base_offset >= limit || next - start > max || next > bytes.len() {
                break;
            }
            end = next;
        }
        bytes.truncate(end);
        if start > 0 {
            bytes.drain(..start);
        }
        Ok(bytes)
    }

    /// Offset and timestamp of the first record with a timestamp of `timestamp` or later, from offset `from` on and before
    /// offset `limit`.
    pub fn find_timestamp(mut self, timestamp: i64, from: i64, limit: i64) -> io::Result<Option<(i64, i64)>> {
        let (mut bytes, file) = self.start(1 << 16)?;
        let mut start = 0;
        loop {
            let Some(header) = header_at(&bytes, start)? else {
                if !self.extend(&mut bytes, &file, start + (1 << 16))? {
                    return Ok(None);
                }
                continue;
            };
            if header.base_offset >= limit {
                return Ok(None);
            }
            let end = start + header.len;
            if header.max_timestamp >= timestamp && header.last_offset() >= from && !header.is_control() {
                if end > bytes.len() {
                    self.extend(&mut bytes, &file, end)?;
                }
                if let Some(found) =
                    bytes.get(start..end).and_then(|bytes| batch::find_timestamp(bytes, timestamp, from))
                {
                    return Ok(Some(found));
                }
            }
            start = end;
            if start >= bytes.len() && !self.extend(&mut bytes, &file, start + (1 << 16))? {
                return Ok(None);
            }
        }
    }

    /// Reads the beginning of the slice.
    fn start(&mut self, max: u64) -> io::Result<(Vec<u8>, Option<Arc<File>>)> {
        let file = match &mut self.source {
            Source::Copied(bytes) => return Ok((std::mem::take(bytes), None)),
            Source::Open(file) => Arc::clone(file),
            Source::Path(path) => match File::open(path) {
                Ok(file) => Arc::new(file),
                // A segment without a byte has no file yet.
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.end == 0 => {
                    return Ok((Vec::new(), None));
                }
                Err(error) => return Err(error),
            },
        };
        let mut bytes = vec![0; (self.end - self.position).min(max.saturating_add(SLACK)) as usize];
        file.read_exact_at(&mut bytes, self.position)?;
        Ok((bytes, Some(file)))
    }

    /// Reads on until `bytes` holds `wanted` bytes or the slice ends; says whether anything came.
    fn extend(&self, bytes: &mut Vec<u8>, file: &Option<Arc<File>>, wanted: usize) -> io::Result<bool> {
        let Some(file) = file else { return Ok(false) };
        let held = bytes.len();
        let wanted = wanted.min((self.end - self.position) as usize);
        if wanted <= held {
            return Ok(false);
        }
        bytes.resize(wanted, 0);
        file.read_exact_at(&mut bytes[held..], self.position + held as u64)?;
        Ok(true)
    }
}

/// The header at `start`, none if the bytes end within it. Something else there means that the file was damaged.
fn header_at(bytes: &[u8], start: usize) -> io::Result<Option<Header>> {
    match Header::read(bytes.get(start..).unwrap_or_default()) {
        Ok(header) => Ok(Some(header)),
        Err(BatchError::Truncated) => Ok(None),
        Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "a batch in the log is damaged")),
    }
}
