//! Puts one compacted segment in the place of several, so that a crash between any two steps leaves either the old ones or
//! the new one.
//!
//! The new segment is written to `<base>.cleaned`, forced to the disk, and renamed to `<base>-<end>.swap`: from then on it
//! counts. The old segments from `base` up to `end` are removed, and it takes its final name `<base>.log`. Opening a
//! partition throws away what is called `.cleaned` and takes the remaining steps for what is called `.swap`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::segment::Segment;
use super::{Log, recovery, segment_name, sidecar};

/// Is asked before each step that changes a file; an error ends the work there, as a crash would. For tests.
pub type Pace<'a> = &'a dyn Fn() -> io::Result<()>;

/// Where a compacted segment is written before it counts.
pub fn cleaned_path(dir: &Path, base: i64) -> PathBuf {
    dir.join(format!("{base:020}.cleaned"))
}

fn swap_path(dir: &Path, base: i64, end: i64) -> PathBuf {
    dir.join(format!("{base:020}-{end:020}.swap"))
}

impl Log {
    /// Puts `new` in the place of the finished segments that began at `stamps`, which must be neighbours. `new` is in
    /// memory, or in the file [`cleaned_path`], forced to the disk already.
    ///
    /// Gives whether it is in their place, which it is not when they are gone, and what went wrong. In its place in spite
    /// of an error, its file has another name until the next opening.
    pub fn replace(&mut self, stamps: &[u64], mut new: Segment, pace: Pace<'_>) -> (bool, io::Result<()>) {
        let Some(first) = self.segments.iter().position(|segment| stamps.first() == Some(&segment.stamp)) else {
            return (false, Ok(()));
        };
        let old = self.segments.iter().skip(first).take(stamps.len());
        let (same, last) = (old.map(|segment| segment.stamp).eq(stamps.iter().copied()), first + stamps.len());
        // The segment being written is never replaced.
        if !same || last >= self.segments.len() {
            return (false, Ok(()));
        }
        let (base, end) = (self.segments[first].base, self.segments[last].base);
        let mut outcome = Ok(());
        if let Some(dir) = self.dir.clone() {
            let swap = swap_path(&dir, base, end);
            let renamed = pace().and_then(|()| std::fs::rename(cleaned_path(&dir, base), &swap));
            if let Err(error) = renamed {
                return (false, Err(error));
            }
            new.set_path(swap.clone());
            // Before the old ones go: power could be lost, and with it the name of the new one.
            outcome = sync_folder(&dir);
            let olds: Vec<PathBuf> = self.segments.range(first..last).filter_map(|old| old.path().cloned()).collect();
            outcome = outcome.and_then(|()| finish(&dir, base, &swap, &olds, pace)).map(|path| new.set_path(path));
        }
        self.segments.drain(first + 1..last);
        self.segments[first] = new;
        (true, outcome)
    }
}

/// What remains to be done once the new segment counts; its final path.
fn finish(dir: &Path, base: i64, swap: &Path, olds: &[PathBuf], pace: Pace<'_>) -> io::Result<PathBuf> {
    for old in olds {
        pace()?;
        // The sidecar first: it must never be taken for that of a new file of the same name and length.
        for path in [sidecar::path_of(old), old.clone()] {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    pace()?;
    let path = dir.join(segment_name(base));
    std::fs::rename(swap, &path)?;
    Ok(path)
}

/// Finishes or throws away what an interrupted compaction left in `dir`.
pub fn settle(dir: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension == Some("cleaned") {
            std::fs::remove_file(&path)?;
        } else if extension == Some("swap")
            && let Some((base, end)) = range_of(&path)
        {
            let olds = recovery::segment_files(dir)?.into_iter().filter(|(at, _)| (base..end).contains(at));
            let olds: Vec<PathBuf> = olds.map(|(_, path)| path).collect();
            finish(dir, base, &path, &olds, &|| Ok(()))?;
        }
    }
    Ok(())
}

fn range_of(swap: &Path) -> Option<(i64, i64)> {
    let (base, end) = swap.file_stem()?.to_str()?.split_once('-')?;
    Some((base.parse().ok()?, end.parse().ok()?))
}

fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
