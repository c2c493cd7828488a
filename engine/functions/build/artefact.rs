//! Libraries that were built, by their content: `udf-NAME-KEY.so` with `udf-NAME-KEY.json` beside it.
//!
//! The key stands for everything that made the library: source, compiler, crates, target. A library is written once,
//! under another name first, and never changed: a process that has it open is not disturbed, and of two that build the
//! same at once the later one puts the same file in its place.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
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
            Error::sql(format!("library {} has no usable sidecar", library.display()))
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

    /// Puts a library and its sidecar into a folder under this name.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn add(folder: &Path, file_name: &str, content: &[u8], notes: &Notes) -> Result<Artefact> {
        let library = folder.join(file_name);
        let text = serde_json::to_vec_pretty(notes).map_err(|error| Error::internal(error.to_string()))?;
        let written = fs::create_dir_all(folder)
            // The sidecar first: a library without one is of no use.
            .and_then(|()| place(&notes_path(&library), &text))
            .and_then(|()| place(&library, content));
        written.map_err(|error| {
            Error::external(format!("{} cannot be written", library.display())).detail(error.to_string())
        })?;
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

/// The key of a library: everything that made it, one part a line.
pub fn key(parts: &[&str]) -> String {
    sha256(parts.join("\n").as_bytes())[..16].to_string()
}
