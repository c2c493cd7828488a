//! The file that makes [`State`] durable: events, each framed by length and checksum, written before they count.
//!
//! Layout: magic `ALCJ`, version u16, then per event length u32, CRC32C u32 and JSON, little endian. A torn tail is
//! cut on opening. The file is written anew, as a snapshot of the state, on opening and whenever it has grown well
//! beyond one; the new file replaces the old by a rename, so that there is a whole one at any moment.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::alarm::Alarm;
use super::state::{Event, State};

const MAGIC: &[u8; 4] = b"ALCJ";
const VERSION: u16 = 1;
const HEAD: usize = 6;
/// Below this size a journal is not written anew.
const SMALL: u64 = 4 << 20;

/// The state and, unless it is kept in memory only, its file.
#[derive(Debug)]
pub struct Journal {
    state: State,
    disk: Option<Disk>,
    alarm: Arc<Alarm>,
}

#[derive(Debug)]
struct Disk {
    path: PathBuf,
    file: File,
    len: u64,
    /// Its length when it was last written anew.
    snapshot_len: u64,
    torn: bool,
    sync_each: bool,
    dirty: bool,
}

/// Why a journal cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// It is not a journal, or one of another version; it was not touched.
    Format,
    /// The file system failed.
    Io(io::Error),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        OpenError::Io(error)
    }
}

impl Journal {
    /// A journal without a file.
    pub fn in_memory() -> Self {
        Journal { state: State::default(), disk: None, alarm: Arc::default() }
    }

    /// Opens the journal at `path`, or begins one; with `sync_each` every event is forced to the disk. `alarm` hears
    /// of failing writes.
    pub fn open(path: &Path, sync_each: bool, alarm: Arc<Alarm>) -> Result<Self, OpenError> {
        let state = match std::fs::read(path) {
            Ok(bytes) => replay(&bytes).ok_or(OpenError::Format)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => State::default(),
            Err(error) => return Err(error.into()),
        };
        let disk = write_anew(path, &state, sync_each)?;
        Ok(Journal { state, disk: Some(disk), alarm })
    }

    /// What all events so far amount to.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Writes an event, then applies it. On an error nothing has changed.
    pub fn record(&mut self, event: Event) -> io::Result<()> {
        if let Some(disk) = &mut self.disk {
            disk.write(&event).inspect_err(|error| self.alarm.failed("the journal could not be written", error))?;
        }
        self.state.apply(event);
        if let Some(disk) = &mut self.disk
            && disk.len > SMALL.max(4 * disk.snapshot_len)
        {
            match write_anew(&disk.path, &self.state, disk.sync_each) {
                Ok(anew) => *disk = anew,
                // The old file goes on; the next try comes when it has grown as much again.
                Err(error) => {
                    self.alarm.failed("the journal could not be compacted", &error);
                    disk.snapshot_len = disk.len;
                }
            }
        }
        Ok(())
    }

    /// Forces what was written since the last call to the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        if let Some(disk) = &mut self.disk
            && disk.dirty
        {
            disk.file.sync_data()?;
            disk.dirty = false;
        }
        Ok(())
    }
}

impl Disk {
    fn write(&mut self, event: &Event) -> io::Result<()> {
        let frame = frame(event)?;
        if self.torn {
            self.file.set_len(self.len)?;
            self.torn = false;
        }
        let written = self.file.write_all_at(&frame, self.len);
        let written = written.and_then(|()| if self.sync_each { self.file.sync_data() } else { Ok(()) });
        if let Err(error) = written {
            self.torn = self.file.set_len(self.len).is_err();
            return Err(error);
        }
        self.dirty = !self.sync_each;
        self.len += frame.len() as u64;
        Ok(())
    }
}

fn frame(event: &Event) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 8];
    serde_json::to_writer(&mut frame, event)?;
    let len = (frame.len() - 8) as u32;
    let crc = crc32c::crc32c(&frame[8..]);
    frame[0..4].copy_from_slice(&len.to_le_bytes());
    frame[4..8].copy_from_slice(&crc.to_le_bytes());
    Ok(frame)
}

/// The state a journal's bytes amount to, up to the first event that is torn; none if it is not a journal of ours.
fn replay(bytes: &[u8]) -> Option<State> {
    let mut state = State::default();
    let head = [MAGIC.as_slice(), &VERSION.to_le_bytes()].concat();
    if bytes.len() < HEAD {
        // The rename comes after the fsync, so a shorter file is none of ours, unless it is empty.
        return bytes.is_empty().then_some(state);
    }
    let mut rest = bytes.strip_prefix(head.as_slice())?;
    while let Some((event, after)) = next_event(rest) {
        state.apply(event);
        rest = after;
    }
    Some(state)
}

fn next_event(bytes: &[u8]) -> Option<(Event, &[u8])> {
    let len = u32::from_le_bytes(*bytes.first_chunk::<4>()?) as usize;
    let crc = u32::from_le_bytes(*bytes.get(4..)?.first_chunk::<4>()?);
    let payload = bytes.get(8..)?.get(..len)?;
    if crc32c::crc32c(payload) != crc {
        return None;
    }
    Some((serde_json::from_slice(payload).ok()?, &bytes[8 + len..]))
}

/// Writes a snapshot beside the journal and puts it in its place.
fn write_anew(path: &Path, state: &State, sync_each: bool) -> io::Result<Disk> {
    let beside = path.with_extension("new");
    let mut bytes = [MAGIC.as_slice(), &VERSION.to_le_bytes()].concat();
    for event in state.snapshot() {
        bytes.extend_from_slice(&frame(&event)?);
    }
    let mut file = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(&beside)?;
    file.write_all(&bytes)?;
    file.sync_data()?;
    std::fs::rename(&beside, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    let len = bytes.len() as u64;
    Ok(Disk { path: path.to_path_buf(), file, len, snapshot_len: len, torn: false, sync_each, dirty: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(n: usize) -> Event {
        Event::ProducerIds { next: n as i64 }
    }

    #[test]
    fn what_was_recorded_is_there_after_opening_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut journal = Journal::open(&path, true, Arc::default()).unwrap();
        journal.record(group(5)).unwrap();
        journal.record(Event::Cluster { id: "c".into() }).unwrap();
        let state = journal.state().clone();
        drop(journal);
        assert_eq!(*Journal::open(&path, false, Arc::default()).unwrap().state(), state);
    }

    #[test]
    fn a_tail_torn_at_any_byte_costs_only_the_last_event() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut journal = Journal::open(&path, false, Arc::default()).unwrap();
        journal.record(group(1)).unwrap();
        let whole = std::fs::read(&path).unwrap().len();
        journal.record(group(2)).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for end in whole..bytes.len() {
            assert_eq!(replay(&bytes[..end]).unwrap().next_producer_id, 1, "cut at {end}");
        }
        assert_eq!(replay(&bytes).unwrap().next_producer_id, 2);
    }

    #[test]
    fn an_unknown_version_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        for bytes in [b"ALCJ\x63\x00rest".as_slice(), b"hello there", b"AL"] {
            std::fs::write(&path, bytes).unwrap();
            assert!(matches!(Journal::open(&path, false, Arc::default()), Err(OpenError::Format)));
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
    }

    #[test]
    fn a_journal_that_grows_is_compacted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut journal = Journal::open(&path, false, Arc::default()).unwrap();
        let id = "x".repeat(100_000);
        for _ in 0..100 {
            journal.record(Event::Cluster { id: id.clone() }).unwrap();
        }
        assert!(std::fs::metadata(&path).unwrap().len() < 2 * SMALL);
        let state = journal.state().clone();
        drop(journal);
        assert_eq!(*Journal::open(&path, false, Arc::default()).unwrap().state(), state);
    }
}
