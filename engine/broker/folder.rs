//! The broker's folder: who holds it, and whether it is of a format this version knows.
//!
//! ```text
//!   DIR/format     one line, naming the format and its version
//!   DIR/lock       locked while a broker runs; holds its process id
//!   DIR/journal    topics, offsets, transactions
//!   DIR/topics/    NAME.ID/PARTITION/OFFSET.log and .index
//! ```
//! A folder of an unknown format is refused before anything in it is opened for writing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

const FORMAT: &str = "alcedo broker, format 1\n";

/// A folder that is ours until dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Checks and locks the folder, making it when missing.
    pub fn open(path: &Path) -> Result<Self> {
        check_format(path)?;
        std::fs::create_dir_all(path).map_err(|error| unusable(path, error))?;
        let lock = lock(path)?;
        // Again: another process may have written it before the lock was ours.
        if !check_format(path)? {
            std::fs::write(path.join("format"), FORMAT).map_err(|error| unusable(path, error))?;
        }
        Ok(Folder { path: path.to_path_buf(), _lock: lock })
    }

    /// The journal's file.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// The folder of the topics.
    pub fn topics(&self) -> PathBuf {
        self.path.join("topics")
    }
}

/// Whether the folder has our format already; an error when it has another.
fn check_format(path: &Path) -> Result<bool> {
    let refuse = |found: &str| {
        Err(Error::external(format!("{} holds a broker's files in an unknown format", path.display()))
            .detail(found.to_string())
            .hint("Use the version of alcedo that wrote the folder, or name another folder."))
    };
    match std::fs::read(path.join("format")) {
        Ok(bytes) if bytes == FORMAT.as_bytes() => Ok(true),
        Ok(bytes) => {
            let line =
                String::from_utf8_lossy(&bytes).lines().next().unwrap_or("").chars().take(80).collect::<String>();
            refuse(&format!("its format file says '{line}', this version knows '{}'", FORMAT.trim_end()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if path.join("journal").exists() {
                refuse("it has a journal but no format file")
            } else {
                Ok(false)
            }
        }
        Err(error) => Err(unusable(path, error)),
    }
}

fn lock(path: &Path) -> Result<File> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path.join("lock"))
        .map_err(|error| unusable(path, error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let holder = match holder.trim() {
                "" => "another process".to_string(),
                pid => format!("process {pid}"),
            };
            return Err(Error::external(format!("{} is in use by {holder}", path.display()))
                .hint("Stop that process, or name another folder."));
        }
        Err(TryLockError::Error(error)) => return Err(unusable(path, error)),
    }
    let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).and_then(|()| file.flush());
    written.map_err(|error| unusable(path, error))?;
    Ok(file)
}

fn unusable(path: &Path, error: io::Error) -> Error {
    Error::external(format!("cannot use {} as the broker's folder", path.display()))
        .detail(error.to_string())
        .hint("Name a folder that this user may write to, on a disk with space left.")
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_use_names_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let held = Folder::open(dir.path()).unwrap();
        let error = Folder::open(dir.path()).unwrap_err();
        assert!(error.message().contains(&format!("in use by process {}", std::process::id())), "{error}");
        drop(held);
        Folder::open(dir.path()).unwrap();
    }

    #[test]
    fn an_unknown_format_is_refused_untouched() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("format"), "alcedo broker, format 99\n").unwrap();
        let error = Folder::open(dir.path()).unwrap_err();
        assert!(error.message().contains("unknown format"), "{error}");
        let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["format"]);
    }

    #[test]
    fn a_path_that_cannot_be_a_folder_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Folder::open(&file.path().join("x")).unwrap_err();
        assert!(error.message().contains("cannot use"), "{error}");
    }
}
