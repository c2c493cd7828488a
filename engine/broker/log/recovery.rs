//! Opens a partition's folder: reads what the sidecars say, scans what they do not, cuts what is torn.
//!
//! A batch counts when it is whole, its checksum holds and its offset follows the one before. The first that does not
//! ends the log, as a write that a crash interrupted leaves it. Should that happen anywhere but at the very end, the
//! segments behind it are set aside under another name, never deleted. First of all, what an interrupted compaction left
//! is finished or thrown away; see [`super::replace`].
//!
//! Offsets below the start were given away once and are never given again: a log that ends before it, because power was lost
//! before its last batches were on the disk, goes on there.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::batch::{HEADER_LEN, Header, Marker, marker_of};
use super::segment::Segment;
use super::{Log, next_stamp, replace, sidecar};
use crate::broker::producers::{Aborted, Producers};

/// A log as it was found.
#[derive(Debug)]
pub struct Recovered {
    /// The log.
    pub log: Log,
    /// The producers at its end.
    pub producers: Producers,
    /// All aborted transactions, in the order of their markers.
    pub aborted: Vec<Aborted>,
    /// Bytes that were cut off its end.
    pub cut: u64,
}

/// Opens the log in `dir`, which may be missing; records below `start` are gone.
pub fn open(dir: &Path, start: i64) -> io::Result<Recovered> {
    let mut found = Recovered {
        log: Log { dir: Some(dir.to_path_buf()), segments: Default::default(), start, left: None },
        producers: Producers::default(),
        aborted: Vec::new(),
        cut: 0,
    };
    replace::settle(dir)?;
    let mut files = segment_files(dir)?;
    // Every record of these is below the start; the files outlived their removal.
    let gone = files.windows(2).take_while(|pair| pair[1].0 <= start).count();
    for (_, path) in files.drain(..gone) {
        std::fs::remove_file(path)?;
    }
    take_over(dir, files.first().map_or(start, |(base, _)| *base), &mut found)?;
    let mut broken = false;
    for (base, path) in &files {
        if broken {
            std::fs::rename(path, path.with_extension("log.aside"))?;
            continue;
        }
        let cut = open_segment(*base, path, &mut found)?;
        broken = cut > 0;
        found.cut += cut;
    }
    if found.log.segments.is_empty() || found.log.end() < start {
        found.log.push_segment(start);
    }
    found.log.start = start.max(found.log.oldest().base);
    found.log.advance_start(start);
    Ok(found)
}

/// Takes the producers as they were where the log begins, at `first`, from the sidecar that the last segment before it left,
/// and removes all others that outlived their segments.
fn take_over(dir: &Path, first: i64, found: &mut Recovered) -> io::Result<()> {
    for (_, path) in files_of(dir, "index")?.into_iter().take_while(|(base, _)| *base < first) {
        match sidecar::read(&path) {
            // It must end right there: from a state further back the next batch would be out of sequence.
            Some(kept) if kept.next == first => {
                found.producers = kept.producers;
                found.log.left = Some(path);
            }
            _ => std::fs::remove_file(path)?,
        }
    }
    Ok(())
}

/// The segment files of a folder with their base offsets, in order.
pub fn segment_files(dir: &Path) -> io::Result<Vec<(i64, PathBuf)>> {
    files_of(dir, "log")
}

/// The files of one kind with the base offsets in their names, in order.
fn files_of(dir: &Path, kind: &str) -> io::Result<Vec<(i64, PathBuf)>> {
    let mut files = Vec::new();
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == kind)
            && let Some(base) = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok())
        {
            files.push((base, path));
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Adds one segment to what was found; the bytes that had to be cut off it.
fn open_segment(base: i64, path: &Path, found: &mut Recovered) -> io::Result<u64> {
    let metadata = std::fs::metadata(path)?;
    let len = metadata.len();
    let mut segment = Segment::in_file(base, next_stamp(), path.to_path_buf());
    if let Some(kept) = sidecar::read(path)
        && kept.len == len
    {
        segment.len = len;
        segment.next = kept.next;
        segment.max_timestamp = kept.max_timestamp;
        segment.index = kept.index;
        segment.began_ms = kept.began_ms;
        segment.written_ms = kept.written_ms;
        segment.is_clean = kept.is_clean;
        found.aborted.extend(kept.aborted);
        found.producers = kept.producers;
        found.log.segments.push_back(segment);
        return Ok(0);
    }
    let written = metadata.modified()?.duration_since(std::time::UNIX_EPOCH);
    segment.written_ms = written.map_or(0, |since| since.as_millis() as i64);
    segment.began_ms = segment.written_ms;
    scan(path, len, &mut segment, &mut found.producers, &mut found.aborted)?;
    let cut = len - segment.len;
    if cut > 0 {
        OpenOptions::new().write(true).open(path)?.set_len(segment.len)?;
    }
    found.log.segments.push_back(segment);
    Ok(cut)
}

/// Reads a segment batch by batch up to the first that does not count.
fn scan(
    path: &Path,
    len: u64,
    segment: &mut Segment,
    producers: &mut Producers,
    aborted: &mut Vec<Aborted>,
) -> io::Result<()> {
    let mut file = io::BufReader::with_capacity(1 << 18, File::open(path)?);
    let mut batch = Vec::new();
    while segment.len + HEADER_LEN as u64 <= len {
        batch.resize(HEADER_LEN, 0);
        file.read_exact(&mut batch)?;
        let Ok(header) = Header::read(&batch) else { break };
        if segment.len + header.len as u64 > len || header.base_offset < segment.next {
            break;
        }
        batch.resize(header.len, 0);
        file.read_exact(&mut batch[HEADER_LEN..])?;
        if Header::read_checked(&batch).is_err() {
            break;
        }
        segment.applied(&header);
        replay(&batch, &header, segment.written_ms, producers, aborted);
    }
    Ok(())
}

/// Takes a batch of the log into the producers' state.
fn replay(batch: &[u8], header: &Header, written: i64, producers: &mut Producers, aborted: &mut Vec<Aborted>) {
    if !header.is_control() {
        producers.appended(header, written);
        return;
    }
    let Some(marker) = marker_of(batch) else { return };
    let first = producers.ended(header.producer_id, header.producer_epoch, written);
    if let (Marker::Abort, Some(first)) = (marker, first) {
        aborted.push(Aborted { producer_id: header.producer_id, first, last: header.base_offset });
    }
}
