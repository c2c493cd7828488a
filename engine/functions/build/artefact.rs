//! Libraries that were built, by their content: `udf-NAME-KEY.so` with `udf-NAME-KEY.json` beside it.
//!
//! The key stands for everything that made the library: source, compiler, crates, target. A library is written once,
//! under another name first, and never changed: a process that has it open is not disturbed, and of two that build the
//! same at once the later one puts the same file in its place.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::functions::plugin::{Sidecar, sha256};

/// A library with what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artefact {
    /// Its file.
    pub library: PathBuf,
    /// What stands beside it.
    pub notes: Notes,
}

/// The file beside a library: what the host must know, and what people want to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// What the host checks before it opens the library.
    #[serde(flatten)]
    pub sidecar: Sidecar,
    /// The doc comment of the function, where the library cannot say it itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub documentation: String,
}

/// The file name of a library; the sidecar has the same with `.json`.
pub fn file_name(stem: &str, key: &str) -> String {
    format!("udf-{stem}-{key}{}", std::env::consts::DLL_SUFFIX)
}

/// Where the sidecar of a library stands.
pub fn notes_path(library: &Path) -> PathBuf {
    library.with_extension("json")
}

impl Artefact {
    /// A library and what stands beside it. What it says is checked when it is loaded.
    ///
    /// # Errors
    /// When there is no sidecar, or one that cannot be read.
    pub fn beside(library: &Path) -> Result<Artefact> {
        let path = notes_path(library);
        let refused = |detail: String| {
            Error::refused(Code::InvalidLibrary, format!("library {} has no usable sidecar", library.display()))
                .detail(format!("{}: {detail}", path.display()))
                .hint("CREATE FUNCTION ... FROM its source builds both; keep the two files together.")
        };
        let text = fs::read(&path).map_err(|error| refused(error.to_string()))?;
        let notes = serde_json::from_slice(&text).map_err(|error| refused(error.to_string()))?;
        Ok(Artefact { library: library.to_path_buf(), notes })
    }

    /// The library of a folder under this name, if it is there, whole, and what its sidecar says.
    pub fn find(folder: &Path, file_name: &str) -> Option<Artefact> {
        let artefact = Artefact::beside(&folder.join(file_name)).ok()?;
        artefact.notes.sidecar.check(&artefact.library).is_ok().then_some(artefact)
    }

    /// Puts a library into a folder under this name; without its sidecar nobody takes it for one.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn place(folder: &Path, file_name: &str, content: &[u8]) -> Result<PathBuf> {
        let library = folder.join(file_name);
        let placed = fs::create_dir_all(folder).and_then(|()| place(&library, content));
        placed.map_err(|error| unwritable(&library, &error)).map(|()| library)
    }

    /// Puts a library and its sidecar into a folder under this name.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn add(folder: &Path, file_name: &str, content: &[u8], notes: &Notes) -> Result<Artefact> {
        let library = Artefact::place(folder, file_name, content)?;
        let text = serde_json::to_vec_pretty(notes).map_err(|error| Error::internal(error.to_string()))?;
        place(&notes_path(&library), &text).map_err(|error| unwritable(&library, &error))?;
        Ok(Artefact { library, notes: notes.clone() })
    }

    /// A copy in another folder, where one as good may stand already.
    ///
    /// # Errors
    /// When the library cannot be read or the folder cannot be written.
    pub fn copy_to(&self, folder: &Path) -> Result<Artefact> {
        let name = self.file_name();
        if let Some(there) = Artefact::find(folder, &name) {
            return Ok(there);
        }
        let content = fs::read(&self.library).map_err(|error| {
            Error::external(format!("{} cannot be read", self.library.display())).detail(error.to_string())
        })?;
        Artefact::add(folder, &name, &content, &self.notes)
    }

    /// The name of its file. A library from outside gets one that says what is in it.
    pub fn file_name(&self) -> String {
        let name = self.library.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("udf-") {
            return name;
        }
        let stem = self.library.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let key = &self.notes.sidecar.library_sha256;
        file_name(&super::project::plain(stem.trim_start_matches("lib")), &key[..key.len().min(16)])
    }

    /// Takes the two files away. A process that has the library open keeps it.
    pub fn remove(folder: &Path, file_name: &str) {
        let library = folder.join(file_name);
        let _ = fs::remove_file(&library);
        let _ = fs::remove_file(notes_path(&library));
    }
}

fn unwritable(library: &Path, error: &std::io::Error) -> Error {
    Error::external(format!("{} cannot be written", library.display())).detail(error.to_string())
}

/// Writes a file under another name, then gives it its own.
fn place(path: &Path, content: &[u8]) -> std::io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let unique = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let temporary = path.with_extension(format!("{unique}.tmp"));
    let placed = fs::write(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if placed.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    placed
}

/// The key of a library: a hash of everything that made it.
pub fn key(parts: &[&str]) -> String {
    let all: String = parts.iter().map(|part| sha256(part.as_bytes())).collect();
    sha256(all.as_bytes())[..16].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::plugin::{Abi, FORMAT, host_target};

    fn notes(content: &[u8]) -> Notes {
        Notes {
            sidecar: Sidecar {
                format: FORMAT,
                abi: Abi::Vectorized,
                source_sha256: sha256(b"source"),
                library_sha256: sha256(content),
                rustc: "rustc 1.95.0".into(),
                crate_version: "alcedo-udf 0.1.0".into(),
                target: host_target(),
                panic: "unwind".into(),
                functions: Vec::new(),
            },
            documentation: "What it does.".into(),
        }
    }

    #[test]
    fn a_library_is_found_when_it_is_whole_and_of_this_engine() {
        let folder = tempfile::tempdir().expect("a folder");
        let name = file_name("f", &key(&["source", "compiler"]));
        assert_eq!(Artefact::find(folder.path(), &name), None);
        let added = Artefact::add(folder.path(), &name, b"code", &notes(b"code")).expect("added");
        assert_eq!(Artefact::find(folder.path(), &name).as_ref(), Some(&added));
        assert_eq!(added.file_name(), name);
        fs::write(&added.library, b"other code").expect("written");
        assert_eq!(Artefact::find(folder.path(), &name), None, "the content is not what was built");
        let old = Notes { sidecar: Sidecar { format: FORMAT + 1, ..notes(b"code").sidecar }, ..notes(b"code") };
        Artefact::add(folder.path(), &name, b"code", &old).expect("added");
        assert_eq!(Artefact::find(folder.path(), &name), None, "the sidecar is of another version");
        fs::remove_file(notes_path(&added.library)).expect("removed");
        let error = Artefact::beside(&added.library).expect_err("no sidecar");
        assert!(error.message().ends_with("has no usable sidecar"), "{error}");
        let left: Vec<_> = fs::read_dir(folder.path()).expect("a folder").collect();
        assert_eq!(left.len(), 1, "no temporary file stays: {left:?}");
    }

    #[test]
    fn a_copy_of_a_library_from_outside_gets_a_name_that_says_what_is_in_it() {
        let (from, to) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let outside = Artefact::add(from.path(), "libzscore.so", b"code", &notes(b"code")).expect("added");
        let copy = outside.copy_to(to.path()).expect("copied");
        assert_eq!(copy.file_name(), file_name("zscore", &sha256(b"code")[..16]));
        assert_eq!(Artefact::find(to.path(), &copy.file_name()), Some(copy.clone()));
        let modified =
            |artefact: &Artefact| fs::metadata(&artefact.library).and_then(|at| at.modified()).expect("a time");
        let before = modified(&copy);
        assert_eq!(modified(&outside.copy_to(to.path()).expect("there already")), before);
        Artefact::remove(to.path(), &copy.file_name());
        assert_eq!(fs::read_dir(to.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn every_part_counts_for_the_key() {
        assert_ne!(key(&["a", "b"]), key(&["a", "c"]));
        assert_ne!(key(&["a", "b"]), key(&["a\nb", ""]));
        assert_eq!(key(&["a", "b"]).len(), 16);
    }
}
