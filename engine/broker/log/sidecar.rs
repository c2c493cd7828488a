//! What is kept beside a segment file so that it need not be read again on start.
//!
//! `<base>.index` holds the sparse index, the transactions aborted in the segment and the producers' state at its end.
//! It is written when a segment is finished and on a clean shutdown, counts only when its length matches the segment
//! and its checksum holds, and is never needed: the segment itself says everything.
//!
//! Layout, little endian: magic `ALCX`, version u16, then length u64, next offset i64, maximal timestamp i64, times of
//! the first and the last write i64 each, cleaned by compaction u8, number of index entries u32 and the entries (offset i64, position u64, timestamp i64), length u32 and JSON of the rest,
//! CRC32C u32 of everything before it.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::index::{Entry, Index};
use super::segment::Segment;
use crate::broker::producers::{Aborted, Producers};

const MAGIC: &[u8; 4] = b"ALCX";
const VERSION: u16 = 2;

/// The contents of a sidecar.
#[derive(Debug, PartialEq, Eq)]
pub struct Sidecar {
    /// Length of the segment it describes.
    pub len: u64,
    /// Offset after the segment's last record.
    pub next: i64,
    /// Largest timestamp in the segment.
    pub max_timestamp: i64,
    /// When its first batch was written, in milliseconds.
    pub began_ms: i64,
    /// When its last batch was written, in milliseconds.
    pub written_ms: i64,
    /// Compaction has been through it.
    pub is_clean: bool,
    /// The segment's index.
    pub index: Index,
    /// Transactions whose abort marker is in the segment.
    pub aborted: Vec<Aborted>,
    /// The producers as they are after the segment.
    pub producers: Producers,
}

#[derive(Serialize)]
struct RestRef<'a> {
    aborted: &'a [Aborted],
    producers: &'a Producers,
}

#[derive(Deserialize)]
struct Rest {
    aborted: Vec<Aborted>,
    producers: Producers,
}

/// Where the sidecar of the segment file `segment` is.
pub fn path_of(segment: &Path) -> PathBuf {
    segment.with_extension("index")
}

/// Writes the sidecar of `segment`; `producers` is the state at its end.
pub fn write(segment: &Segment, aborted: &[Aborted], producers: &Producers) -> io::Result<()> {
    let Some(path) = segment.path() else { return Ok(()) };
    let rest = serde_json::to_vec(&RestRef { aborted, producers })?;
    let entries = segment.index.entries();
    let mut out = Vec::with_capacity(64 + entries.len() * 24 + rest.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&segment.len.to_le_bytes());
    out.extend_from_slice(&segment.next.to_le_bytes());
    out.extend_from_slice(&segment.max_timestamp.to_le_bytes());
    out.extend_from_slice(&segment.began_ms.to_le_bytes());
    out.extend_from_slice(&segment.written_ms.to_le_bytes());
    out.push(u8::from(segment.is_clean));
    out.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    for entry in entries {
        out.extend_from_slice(&entry.offset.to_le_bytes());
        out.extend_from_slice(&entry.position.to_le_bytes());
        out.extend_from_slice(&entry.max_before.to_le_bytes());
    }
    out.extend_from_slice(&(rest.len() as u32).to_le_bytes());
    out.extend_from_slice(&rest);
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    std::fs::write(path_of(path), out)
}

/// Reads the sidecar of the segment file `segment`; none if it is missing, damaged or of another version.
pub fn read(segment: &Path) -> Option<Sidecar> {
    decode(&std::fs::read(path_of(segment)).ok()?)
}

fn decode(bytes: &[u8]) -> Option<Sidecar> {
    let (content, crc) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(content) != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut rest = content;
    if take::<4>(&mut rest)? != *MAGIC || u16::from_le_bytes(take(&mut rest)?) != VERSION {
        return None;
    }
    let len = u64::from_le_bytes(take(&mut rest)?);
    let next = i64::from_le_bytes(take(&mut rest)?);
    let max_timestamp = i64::from_le_bytes(take(&mut rest)?);
    let began_ms = i64::from_le_bytes(take(&mut rest)?);
    let written_ms = i64::from_le_bytes(take(&mut rest)?);
    let is_clean = take::<1>(&mut rest)? != [0];
    let count = u32::from_le_bytes(take(&mut rest)?) as usize;
    let mut entries = Vec::with_capacity(count.min(rest.len() / 24));
    for _ in 0..count {
        entries.push(Entry {
            offset: i64::from_le_bytes(take(&mut rest)?),
            position: u64::from_le_bytes(take(&mut rest)?),
            max_before: i64::from_le_bytes(take(&mut rest)?),
        });
    }
    let json = u32::from_le_bytes(take(&mut rest)?) as usize;
    let Rest { aborted, producers } = serde_json::from_slice(rest.get(..json)?).ok()?;
    let index = Index::from_entries(entries);
    Some(Sidecar { len, next, max_timestamp, began_ms, written_ms, is_clean, index, aborted, producers })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = bytes.split_first_chunk::<N>()?;
    *bytes = tail;
    Some(*head)
}
