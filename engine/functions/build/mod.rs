//! Functions from source: read, built with the user's cargo, kept.
//!
//! - [`source`]: what a path names, and the hash of what it holds
//! - [`signature`]: names and types, from the text
//! - [`project`]: a package around one source file
//! - [`cargo`]: cargo, found and run; the only place of the engine that starts another program
//! - [`artefact`]: what was built, by its content
//!
//! A [`Builder`] leaves nothing but files in its folder, all of which can be made again: whether a function exists is for
//! the registry to say. It belongs beside the plugin host, which opens what is built here, and below statements: it
//! knows paths and texts, and neither SQL nor streams.

pub mod artefact;
pub mod cargo;
pub mod project;
pub mod signature;
pub mod source;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

pub use artefact::{Artefact, Notes};
pub use source::Source;

use self::cargo::{Build, Compiler, Toolchain};
use self::signature::Declared;
use self::source::{Resolved, SourceCrate, SourceFile};
use super::plugin::{Abi, Argument, FORMAT, Plugin, PluginFunction, Sidecar, Signature, sha256};
use crate::error::{Code, Error, Result};
use crate::notice::Notices;

/// Builds functions below one folder, which any number of processes may share.
#[derive(Debug, Clone)]
pub struct Builder {
    folder: PathBuf,
    notices: Notices,
}

/// The folder in which functions are built when nothing else is said: the user's cache folder (XDG base directories).
///
/// # Errors
/// When the user has neither a cache folder nor a home.
pub fn default_folder() -> Result<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| {
        let below = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
        Some(absolute("HOME")?.join(below))
    });
    cache.map(|cache| cache.join("alcedo").join("functions")).ok_or_else(|| {
        Error::external("there is no folder to build functions in")
            .detail("neither XDG_CACHE_HOME nor HOME is set")
            .hint("SET 'extension.dir' names one.")
    })
}

impl Builder {
    /// A builder that keeps everything below `folder` and says how far it is.
    pub fn new(folder: PathBuf, notices: Notices) -> Builder {
        Builder { folder, notices }
    }

    /// The hash of what a source holds: equal hashes mean equal texts, wherever they stand.
    ///
    /// # Errors
    /// When the source cannot be read, or cargo, which knows what belongs to a crate, cannot be run.
    pub fn source_sha256(&self, source: &Source) -> Result<String> {
        Ok(match source {
            Source::File(file) => sha256(file.text.as_bytes()),
            Source::Crate(krate) => krate.resolve(&Toolchain::find()?)?.sha256,
            Source::Library(path) => Artefact::beside(path)?.notes.sidecar.source_sha256,
        })
    }

    /// The library of a source: the one that is there when nothing has changed, else built now.
    ///
    /// # Errors
    /// What the source has wrong, with its place; a compiler or crates that are missing; a folder that cannot be written.
    pub fn library(&self, source: &Source) -> Result<Artefact> {
        match source {
            Source::Library(path) => Artefact::beside(path),
            Source::File(file) => self.of_file(file),
            Source::Crate(krate) => self.of_crate(krate),
        }
    }

    /// The library of this file name, when an earlier build left it.
    pub fn kept(&self, file_name: &str) -> Option<Artefact> {
        Artefact::find(&self.libraries(), file_name)
    }

    fn libraries(&self) -> PathBuf {
        self.folder.join("libraries")
    }

    fn of_file(&self, file: &SourceFile) -> Result<Artefact> {
        let declared = signature::read(&file.text, &file.shown)?;
        let abi = declared.abi.ok_or_else(|| no_function(&file.shown))?;
        let stem = match declared.functions.first() {
            Some(function) => function.name.clone(),
            None => Path::new(&file.shown).file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        };
        let kit = project::kit_folder(&self.folder);
        let project = project::project(&stem, &file.text, abi, &kit)?;
        let toolchain = Toolchain::find()?;
        std::fs::create_dir_all(&self.folder).map_err(|error| unusable(&self.folder, &error))?;
        let compiler = toolchain.compiler(&self.folder)?;
        let key = key(&[&project.manifest, project::LOCK, &sha256(file.text.as_bytes())], &compiler);
        let name = artefact::file_name(&project::plain(&stem), &key);
        self.obtain(&name, &stem, || {
            project::write_kit(&kit)?;
            let folder = project.write(&self.folder.join("projects"))?;
            let manifest = folder.join("Cargo.toml");
            let build = Build {
                name: &stem,
                manifest: &manifest,
                folder: &folder,
                target: &self.target(),
                arguments: Vec::new(),
                root: ("src/lib.rs".to_string(), file.shown.clone()),
            };
            let made =
                Made { abi, declared: &declared, source_sha256: sha256(file.text.as_bytes()), compiler: &compiler };
            self.build(&toolchain, &build, &made, &name)
        })
    }

    fn of_crate(&self, krate: &SourceCrate) -> Result<Artefact> {
        let (root, text) = &krate.root;
        let shown =
            if krate.shown.ends_with(".rs") { krate.shown.clone() } else { format!("{}/src/lib.rs", krate.shown) };
        let declared = signature::read(text, &shown)?;
        let toolchain = Toolchain::find()?;
        let resolved = krate.resolve(&toolchain)?;
        let Resolved { package, workspace, sha256 } = &resolved;
        let depends = |name: &str| package.dependencies.iter().find(|dependency| dependency.name == name);
        // The functions of a larger crate may stand in its modules; those of Arroyo's format never do.
        let abi = declared.abi.or(depends("alcedo-udf").map(|_| Abi::Vectorized)).ok_or_else(|| no_function(&shown))?;
        let compiler = toolchain.compiler(&krate.folder)?;
        let kit = project::kit_folder(&self.folder);
        let patched = depends("alcedo-udf").is_some_and(|dependency| dependency.source.is_some());
        let with_kit = if patched { kit.display().to_string() } else { String::new() };
        let key = key(&[sha256, &with_kit], &compiler);
        let stem = declared.functions.first().map_or(&package.name, |function| &function.name);
        let name = artefact::file_name(&project::plain(stem), &key);
        self.obtain(&name, stem, || {
            let mut arguments = Vec::new();
            if patched {
                project::write_kit(&kit)?;
                let path = kit.display().to_string();
                arguments.extend(["--config".to_string(), format!("patch.crates-io.alcedo-udf.path={path:?}")]);
            }
            let rooted = root.strip_prefix(workspace).unwrap_or(root);
            let build = Build {
                name: stem,
                manifest: &package.manifest_path,
                folder: &krate.folder,
                target: &self.target(),
                arguments,
                root: (rooted.display().to_string(), shown.clone()),
            };
            let made = Made { abi, declared: &declared, source_sha256: sha256.clone(), compiler: &compiler };
            self.build(&toolchain, &build, &made, &name)
        })
    }

    /// The library of this name; when it is not there, `build` makes it while no other process builds.
    fn obtain(&self, name: &str, subject: &str, build: impl FnOnce() -> Result<Artefact>) -> Result<Artefact> {
        if let Some(there) = self.kept(name) {
            return Ok(there);
        }
        let unusable = |error: std::io::Error| unusable(&self.folder, &error);
        std::fs::create_dir_all(&self.folder).map_err(unusable)?;
        let lock = File::options().create(true).append(true).open(self.folder.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                self.notices.info(subject, "waits for another process that builds a function");
                lock.lock().map_err(unusable)?;
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        // The other process may have built the same.
        match self.kept(name) {
            Some(there) => Ok(there),
            None => build(),
        }
    }

    /// Cargo's output, shared by all functions: what they depend on is compiled once.
    fn target(&self) -> PathBuf {
        self.folder.join("target")
    }

    fn build(&self, toolchain: &Toolchain, build: &Build, made: &Made, name: &str) -> Result<Artefact> {
        // Vectorized functions depend on the kit alone; Arroyo's crate binds all of Arrow.
        let cold = made.abi == Abi::Arroyo && !has_compiled(build.target, "arroyo_udf_plugin");
        let takes = if cold { "; the first build compiles Arrow and more, which takes a minute or two" } else { "" };
        self.notices.info(build.name, format!("builds with {}{takes}", made.compiler.version));
        let begun = std::time::Instant::now();
        let built = toolchain.build(build, &self.notices)?;
        let content = std::fs::read(&built.library).map_err(|error| {
            Error::external(format!("{} cannot be read", built.library.display())).detail(error.to_string())
        })?;
        let interface = if made.abi == Abi::Arroyo { "arroyo-udf-plugin " } else { "alcedo-udf " };
        // Where it was built the next build may write while it is open, so only the copy is opened.
        let library = Artefact::place(&self.libraries(), name, &content)?;
        let functions = match made.abi {
            Abi::Arroyo => made.declared.functions.clone(),
            Abi::Vectorized => Plugin::describe(&library)?,
        };
        let notes = Notes {
            sidecar: Sidecar {
                format: FORMAT,
                abi: made.abi,
                source_sha256: made.source_sha256.clone(),
                library_sha256: sha256(&content),
                rustc: made.compiler.version.clone(),
                crate_version: built
                    .packages
                    .into_iter()
                    .find(|package| package.starts_with(interface))
                    .unwrap_or_else(|| interface.trim().to_string()),
                target: made.compiler.host.clone(),
                panic: "unwind".to_string(),
                functions,
            },
            documentation: made.declared.documentation.clone(),
        };
        let artefact = Artefact::add(&self.libraries(), name, &content, &notes)?;
        self.notices.info(build.name, format!("built in {:.1} s", begun.elapsed().as_secs_f64()));
        Ok(artefact)
    }
}

impl Artefact {
    /// Opens the library, which then stays in this process for good, and gives its functions, each with what is known
    /// about where it came from.
    ///
    /// # Errors
    /// When the library cannot be used here; see [`Plugin::load`].
    pub fn load(&self) -> Result<Vec<PluginFunction>> {
        let Notes { sidecar, documentation } = &self.notes;
        let mut functions = Plugin::load(&self.library, sidecar)?;
        for PluginFunction { declaration, signature, .. } in &mut functions {
            let origin = match sidecar.abi {
                Abi::Arroyo if signature.is_async => "a library in Arroyo's format, which answers later",
                Abi::Arroyo => "a library in Arroyo's format",
                Abi::Vectorized => "a vectorized library",
            };
            declaration.facts.push(("Origin".into(), origin.into()));
            declaration.facts.push(("Nulls".into(), null_rule(signature).into()));
            if !documentation.is_empty() && sidecar.abi == Abi::Arroyo {
                declaration.description = documentation.clone().into();
                for form in &mut declaration.variations {
                    form.description = documentation.clone().into();
                }
            }
            declaration
                .facts
                .push(("Built with".into(), format!("{}, {}", sidecar.rustc, sidecar.crate_version).into()));
            declaration.facts.push(("Library".into(), self.file_name().into()));
        }
        Ok(functions)
    }
}

/// Whether cargo has compiled a library of this name into its folder.
fn has_compiled(target: &Path, name: &str) -> bool {
    let prefix = format!("lib{name}-");
    let Ok(mut entries) = std::fs::read_dir(target.join("release").join("deps")) else { return false };
    entries.any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with(&prefix)))
}

/// What a function makes of nulls, in words.
fn null_rule(signature: &Signature) -> String {
    let (take, refuse): (Vec<_>, Vec<_>) = signature.arguments.iter().partition(|argument| argument.value.nullable);
    let vectors = signature.arguments.iter().any(|argument| argument.is_vec);
    let names = |arguments: &[&Argument]| arguments.iter().map(|a| a.name.as_str()).collect::<Vec<_>>().join(" or ");
    match (vectors, take.is_empty(), refuse.is_empty()) {
        (_, _, true) => "reach the function".to_string(),
        (true, _, _) => format!("a NULL in {} is left out", names(&refuse)),
        (false, true, _) => "a NULL argument makes the result NULL, without a call".to_string(),
        (false, false, _) => format!("a NULL in {} makes the result NULL, without a call", names(&refuse)),
    }
}

/// What is known about a library before it is built.
struct Made<'a> {
    abi: Abi,
    declared: &'a Declared,
    source_sha256: String,
    compiler: &'a Compiler,
}

/// The key of a library from what is particular to it, and from what decides how anything is compiled.
fn key(particular: &[&str], compiler: &Compiler) -> String {
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let mut parts = vec![compiler.everything.as_str(), flags.as_str()];
    let format = FORMAT.to_string();
    parts.push(&format);
    parts.extend(particular);
    artefact::key(&parts)
}

fn no_function(shown: &str) -> Error {
    Error::refused(Code::InvalidLibrary, format!("{shown} has no function for SQL"))
        .detail("no function in it has the attribute #[udf]")
        .hint("`use arroyo_udf_plugin::udf;` for a function of rows, `use alcedo_udf::udf;` for one of arrays.")
}

fn unusable(folder: &Path, error: &std::io::Error) -> Error {
    Error::external(format!("functions cannot be built in {}", folder.display()))
        .detail(error.to_string())
        .hint("SET 'extension.dir' names another folder.")
}
