//! What the path of a `CREATE FUNCTION` means, and what its source is.
//!
//! Three things can be named: a source file outside of any crate, a crate (its folder, or its `src/lib.rs`), and a library
//! that somebody built. The text that is compiled is read once: its hash says whether a library of it is there already.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::cargo::Toolchain;
use crate::error::{Code, Error, Result};
use crate::functions::plugin::sha256;

/// Most bytes that one source may hold, so that a folder named by mistake is noticed.
const SOURCE_MAX: u64 = 32 << 20;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A source file outside of any crate.
    File(SourceFile),
    /// A crate.
    Crate(SourceCrate),
    /// A library, with its sidecar beside it.
    Library(PathBuf),
}

/// A source file outside of any crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// As it was named.
    pub shown: String,
    /// Its text.
    pub text: String,
}

/// A crate with a manifest of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCrate {
    /// As it was named.
    pub shown: String,
    /// Its folder, absolute.
    pub folder: PathBuf,
    /// The text of its root, `src/lib.rs` for instance, and where that is.
    pub root: (PathBuf, String),
}

impl Source {
    /// Finds out what a path names; `shown` is the path as it was written.
    ///
    /// # Errors
    /// When there is nothing, or nothing that can be a function.
    pub fn find(path: &Path, shown: &str) -> Result<Source> {
        let unreadable = |path: &Path, error: std::io::Error| {
            let there = fs::symlink_metadata(path).is_ok();
            let what = if there { "cannot be read" } else { "does not exist" };
            Error::refused(Code::InvalidFile, format!("{shown} {what}"))
                .detail(format!("{}: {error}", path.display()))
                .hint("A path is relative to the SQL file that names it, or to the working folder in the shell.")
        };
        let absolute = path.canonicalize().map_err(|error| unreadable(path, error))?;
        if absolute.is_dir() {
            if !absolute.join("Cargo.toml").is_file() {
                return Err(Error::refused(Code::InvalidLibrary, format!("folder {shown} is no crate"))
                    .detail("it has no Cargo.toml")
                    .hint("Name the crate's folder, its src/lib.rs, or a source file."));
            }
            return krate(&absolute, shown);
        }
        match absolute.extension().and_then(|extension| extension.to_str()) {
            Some("so" | "dylib" | "dll") => Ok(Source::Library(absolute)),
            Some("rs") => {
                let folder = absolute.parent().filter(|folder| folder.ends_with("src")).and_then(Path::parent);
                match folder.filter(|folder| absolute.ends_with("lib.rs") && folder.join("Cargo.toml").is_file()) {
                    Some(folder) => krate(folder, shown),
                    None => {
                        let text = fs::read_to_string(&absolute).map_err(|error| unreadable(&absolute, error))?;
                        Ok(Source::File(SourceFile { shown: shown.to_string(), text }))
                    }
                }
            }
            _ => Err(Error::refused(Code::InvalidFile, format!("{shown} is neither Rust source nor a library"))
                .hint("Name a file that ends in .rs, a crate's folder, or a library with its sidecar.")),
        }
    }
}

fn krate(folder: &Path, shown: &str) -> Result<Source> {
    let root = folder.join("src").join("lib.rs");
    let text = fs::read_to_string(&root).map_err(|error| {
        Error::refused(Code::InvalidLibrary, format!("crate {shown} has no library"))
            .detail(format!("{}: {error}", root.display()))
    })?;
    Ok(Source::Crate(SourceCrate { shown: shown.to_string(), folder: folder.to_path_buf(), root: (root, text) }))
}

/// What cargo says about a package and its neighbours.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
}

/// A package.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// The path of its manifest.
    pub manifest_path: PathBuf,
    /// What it depends on.
    pub dependencies: Vec<Dependency>,
}

/// A dependency.
#[derive(Debug, Clone, Deserialize)]
pub struct Dependency {
    /// The name of the package.
    pub name: String,
    /// Its folder, when it is not from a registry.
    pub path: Option<PathBuf>,
    /// The registry it is from, if any.
    pub source: Option<String>,
}

/// A crate as cargo sees it.
#[derive(Debug)]
pub struct Resolved {
    /// The package itself.
    pub package: Package,
    /// The folder whose `Cargo.lock` counts.
    pub workspace: PathBuf,
    /// SHA-256 over everything that is compiled and that is not from a registry, names included.
    pub sha256: String,
}

impl SourceCrate {
    /// Asks cargo about the crate and hashes its files, those of the packages it depends on by path, and the lock file.
    ///
    /// # Errors
    /// When cargo is missing or refuses the manifest, when a file cannot be read, when there is too much.
    pub fn resolve(&self, toolchain: &Toolchain) -> Result<Resolved> {
        let mut left = vec![self.folder.clone()];
        let mut known: Vec<Package> = Vec::new();
        let mut seen = BTreeSet::new();
        let (mut own, mut workspace) = (None, self.folder.clone());
        while let Some(folder) = left.pop() {
            if !seen.insert(folder.clone()) {
                continue;
            }
            let is_this = |package: &Package| package.manifest_path.parent() == Some(folder.as_path());
            if !known.iter().any(is_this) {
                let text = toolchain.metadata(&folder.join("Cargo.toml"))?;
                let metadata: Metadata = serde_json::from_slice(&text)
                    .map_err(|error| Error::external("cargo metadata cannot be read").detail(error.to_string()))?;
                if own.is_none() {
                    workspace = metadata.workspace_root;
                }
                known.extend(metadata.packages);
            }
            let Some(package) = known.iter().find(|package| is_this(package)).cloned() else {
                return Err(Error::refused(Code::InvalidLibrary, format!("{} is no package", folder.display()))
                    .detail("its Cargo.toml has no [package]")
                    .hint("Name the folder of one package of the workspace."));
            };
            left.extend(package.dependencies.iter().filter_map(|dependency| dependency.path.clone()));
            own.get_or_insert(package);
        }
        let Some(package) = own else { return Err(Error::internal("a crate without a package")) };
        let mut text = String::new();
        for folder in &seen {
            hash_folder(folder, &self.folder, &mut text)?;
        }
        for file in ["Cargo.lock", "Cargo.toml", ".cargo/config.toml"] {
            if let Ok(content) = fs::read(workspace.join(file)) {
                text += &format!("workspace {file} {}\n", sha256(&content));
            }
        }
        Ok(Resolved { package, workspace, sha256: sha256(text.as_bytes()) })
    }
}

/// One line a file: its path from `from`, and its hash. Hidden files and cargo's output are left out.
fn hash_folder(folder: &Path, from: &Path, into: &mut String) -> Result<()> {
    let mut bytes = 0;
    let mut files = Vec::new();
    list(folder, &mut files, &mut bytes).map_err(|error| {
        Error::refused(Code::InvalidFile, format!("folder {} cannot be read", folder.display()))
            .detail(error.to_string())
    })?;
    files.sort();
    for path in files {
        let content = fs::read(&path).map_err(|error| {
            Error::refused(Code::InvalidFile, format!("{} cannot be read", path.display())).detail(error.to_string())
        })?;
        *into += &format!("{} {}\n", relative(&path, from), sha256(&content));
    }
    Ok(())
}

fn list(folder: &Path, files: &mut Vec<PathBuf>, bytes: &mut u64) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (name, path) = (entry.file_name(), entry.path());
        if name.to_string_lossy().starts_with('.') || name == "Cargo.lock" {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            // A package inside of another is hashed when it is depended on.
            if name != "target" && !path.join("Cargo.toml").is_file() {
                list(&path, files, bytes)?;
            }
        } else {
            *bytes += entry.metadata()?.len();
            if *bytes > SOURCE_MAX {
                let text = format!("it holds more than {} MB", SOURCE_MAX >> 20);
                return Err(std::io::Error::other(text));
            }
            files.push(path);
        }
    }
    Ok(())
}

/// A path as seen from a folder, with `..` where it must go up.
fn relative(path: &Path, from: &Path) -> String {
    let (path, from): (Vec<Component>, Vec<Component>) = (path.components().collect(), from.components().collect());
    let same = path.iter().zip(&from).take_while(|(a, b)| a == b).count();
    let up = vec![".."; from.len() - same];
    let down = path[same..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.into_iter().map(str::to_string).chain(down).collect::<Vec<_>>().join("/")
}
