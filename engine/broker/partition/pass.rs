//! One pass of compaction: what becomes of each batch, and the writing of those that stay.
//!
//! [`compaction`](super::compaction) says what the rules are and when a pass is made.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::Partition;
use super::compaction::{Keys, Piece, View};
use crate::broker::log::batch::Header;
use crate::broker::log::records::{Records, Rewrite};
use crate::broker::log::replace::{Pace, cleaned_path};
use crate::broker::log::segment::Segment;

/// One pass over a partition, group of segments by group.
pub struct Pass<'a> {
    /// The partition.
    pub partition: &'a Partition,
    /// As it was when the pass began.
    pub view: &'a View,
    /// The last offset of each key.
    pub keys: &'a Keys,
    /// The time, in milliseconds.
    pub now: i64,
    /// How long tombstones and markers stay, in milliseconds.
    pub delete_retention_ms: i64,
    /// Producers of whose transaction something was kept and whose marker has not come yet.
    pub unfinished: HashSet<i64>,
    /// The first of the horizons that were met or set.
    pub horizon: Option<i64>,
    /// See [`Pace`].
    pub pace: Pace<'a>,
}

/// What becomes of a batch.
enum Fate {
    Same,
    Gone,
    New(Vec<u8>),
}

/// The bytes a pass writes: a file beside the log, or memory.
enum Output {
    File(BufWriter<File>, PathBuf),
    Memory(Vec<u8>),
}

impl Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Output::File(file, _) => file.write_all(bytes),
            Output::Memory(held) => {
                held.extend_from_slice(bytes);
                Ok(())
            }
        }
    }
}

impl Pass<'_> {
    /// Writes a group of neighbouring segments again, as one, and puts it in their place: the bytes it has now. None when
    /// one of them is gone.
    pub fn group(&mut self, pieces: &[Piece]) -> io::Result<Option<u64>> {
        let (first, last) = (&pieces[0], &pieces[pieces.len() - 1]);
        (self.pace)()?;
        let mut output = match first.path.as_deref().and_then(Path::parent) {
            Some(dir) => {
                let path = cleaned_path(dir, first.base);
                Output::File(BufWriter::with_capacity(1 << 17, File::create(&path)?), path)
            }
            None => Output::Memory(Vec::new()),
        };
        let mut new = match &output {
            Output::File(_, path) => Segment::in_file(first.base, first.stamp, path.clone()),
            Output::Memory(_) => Segment::in_memory(first.base, first.stamp),
        };
        let (mut changed, mut gone_markers) = (pieces.len() > 1, HashSet::new());
        for piece in pieces {
            let Some(mut batches) = self.partition.batches(piece)? else { return Ok(None) };
            while let Some(header) = batches.next()? {
                let fate = self.fate(&header, &batches.batch);
                let bytes = match &fate {
                    Fate::Same => &batches.batch[..],
                    Fate::New(bytes) => &bytes[..],
                    Fate::Gone => &[],
                };
                changed |= !matches!(fate, Fate::Same);
                if let Ok(kept) = Header::read(bytes) {
                    output.write(bytes)?;
                    new.applied(&kept);
                } else if header.is_control() {
                    gone_markers.insert(header.base_offset);
                }
            }
        }
        let len = new.len;
        // What is new only in part has to be read again by the next pass.
        new.is_clean = last.next <= self.keys.upto;
        if !changed {
            self.discard(output);
            self.partition.mark_clean(first.stamp, new.is_clean);
            return Ok(Some(len));
        }
        match output {
            Output::File(file, _) => {
                (self.pace)()?;
                file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()?;
            }
            Output::Memory(mut bytes) => {
                bytes.shrink_to_fit();
                new.set_bytes(bytes);
            }
        }
        let replaced = self.partition.put_in_place(pieces, new, &gone_markers, self.pace)?;
        Ok(replaced.then_some(len))
    }

    fn discard(&self, output: Output) {
        if let Output::File(file, path) = output {
            drop(file);
            // What stays is thrown away on the next opening.
            let _ = std::fs::remove_file(path);
        }
    }

    fn fate(&mut self, header: &Header, batch: &[u8]) -> Fate {
        if header.base_offset >= self.keys.upto {
            self.kept(header);
            return Fate::Same;
        }
        if header.is_control() {
            return self.fate_of_marker(header, batch);
        }
        let fate =
            if self.view.is_aborted(header) { self.without_records(header, batch) } else { self.filter(header, batch) };
        if !matches!(fate, Fate::Gone) {
            self.kept(header);
        }
        fate
    }

    /// Something of a transaction stays, so its marker has to, or the marker has come.
    fn kept(&mut self, header: &Header) {
        if header.is_control() {
            self.unfinished.remove(&header.producer_id);
        } else if header.is_transactional() {
            self.unfinished.insert(header.producer_id);
        }
    }

    fn fate_of_marker(&mut self, header: &Header, batch: &[u8]) -> Fate {
        let needed = self.unfinished.remove(&header.producer_id) || self.view.is_last_of_producer(header);
        if needed {
            return Fate::Same;
        }
        match header.horizon() {
            Some(horizon) if horizon < self.now => Fate::Gone,
            Some(horizon) => {
                self.note_horizon(horizon);
                Fate::Same
            }
            None => self.with_horizon(header, batch),
        }
    }

    /// The same batch with a horizon from now on.
    fn with_horizon(&mut self, header: &Header, batch: &[u8]) -> Fate {
        let horizon = self.now.saturating_add(self.delete_retention_ms);
        let mut new = Rewrite::new(header, Some(horizon));
        let Ok(records) = Records::open(batch, header) else { return Fate::Same };
        if records.each(|record| new.keep(&record)).is_err() {
            return Fate::Same;
        }
        self.note_horizon(horizon);
        new.finish(batch).map_or(Fate::Same, Fate::New)
    }

    fn note_horizon(&mut self, horizon: i64) {
        self.horizon = Some(self.horizon.map_or(horizon, |first| first.min(horizon)));
    }

    /// A batch of which nothing is left: gone, unless its producer's sequence hangs on it.
    fn without_records(&self, header: &Header, batch: &[u8]) -> Fate {
        if !self.view.is_last_of_producer(header) {
            return Fate::Gone;
        }
        if header.records == 0 {
            return Fate::Same;
        }
        Rewrite::new(header, None).finish(batch).map_or(Fate::Same, Fate::New)
    }

    /// A batch of data without the records that are superseded.
    fn filter(&mut self, header: &Header, batch: &[u8]) -> Fate {
        let Ok(records) = Records::open(batch, header) else { return Fate::Same };
        let horizon = header.horizon();
        let tombstones_go = horizon.is_some_and(|horizon| horizon < self.now);
        let stays = |key: Option<&[u8]>, offset: i64, is_tombstone: bool| {
            key.is_some_and(|key| self.keys.is_newest(key, offset)) && !(is_tombstone && tombstones_go)
        };
        let (mut kept, mut tombstones) = (0, false);
        let whole = records.each(|record| {
            if stays(record.key, record.offset, record.is_tombstone) {
                kept += 1;
                tombstones |= record.is_tombstone;
            }
        });
        if whole.is_err() {
            return Fate::Same;
        }
        if kept == 0 {
            return self.without_records(header, batch);
        }
        let new_horizon = (tombstones && horizon.is_none()).then(|| self.now.saturating_add(self.delete_retention_ms));
        if kept == header.records && new_horizon.is_none() {
            if let Some(horizon) = horizon.filter(|_| tombstones) {
                self.note_horizon(horizon);
            }
            return Fate::Same;
        }
        let mut new = Rewrite::new(header, new_horizon.or(horizon));
        let filtered = records.each(|record| {
            if stays(record.key, record.offset, record.is_tombstone) {
                new.keep(&record);
            }
        });
        if filtered.is_err() || new.count() != kept {
            return Fate::Same;
        }
        if let Some(horizon) = new_horizon.or(horizon).filter(|_| tombstones) {
            self.note_horizon(horizon);
        }
        new.finish(batch).map_or(Fate::Same, Fate::New)
    }
}
