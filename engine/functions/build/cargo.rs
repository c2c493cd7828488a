//! The user's cargo: found, asked, run.
//!
//! This is the one place in the engine that starts another program. Standard output of cargo is read as it comes, one JSON
//! message a line; its standard error goes into a file, so that no second thread has to read it. A build is tried without
//! a network first: crates that were fetched once are enough. Only when cargo ends before it compiles anything is it run
//! again with a network.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::error::{self, Error, Result};
use crate::notice::Notices;

/// When the first word about progress comes, and how often one follows.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// Errors of the compiler that are shown in full.
const ERRORS_SHOWN: usize = 3;

/// Variables that would change what is built or where: they are about whatever started this process.
const FOREIGN_VARIABLES: [&str; 6] = [
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_BUILD_BUILD_DIR",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTC_WORKSPACE_WRAPPER",
];

/// The user's Rust.
#[derive(Debug, Clone)]
pub struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
}

/// What is to be built.
#[derive(Debug)]
pub struct Build<'a> {
    /// What it is called in notices and errors.
    pub name: &'a str,
    /// The manifest of the package.
    pub manifest: &'a Path,
    /// Where cargo is run: decides which configuration and toolchain files count.
    pub folder: &'a Path,
    /// Cargo's output, shared by all functions.
    pub target: &'a Path,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// The package's root file as the compiler names it, and as the user does.
    pub root: (String, String),
}

/// What was built.
#[derive(Debug)]
pub struct Built {
    /// The library.
    pub library: PathBuf,
    /// The packages in it, `name version`.
    pub packages: Vec<String>,
    fresh: bool,
}

/// One message of cargo; what is not of interest is left out.
#[derive(Debug, Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    target: Target,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    #[serde(default)]
    fresh: bool,
    message: Option<Diagnostic>,
}

#[derive(Debug, Default, Deserialize)]
struct Target {
    #[serde(default)]
    crate_types: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Diagnostic {
    level: String,
    message: String,
    #[serde(default)]
    rendered: Option<String>,
    code: Option<Code>,
}

#[derive(Debug, Deserialize)]
struct Code {
    code: String,
}

/// How one run of cargo ended.
enum Ended {
    Built(Built),
    /// It ended before it compiled anything; what it said.
    BeforeCompiling(String),
}

impl Toolchain {
    /// Finds cargo on the search path or where rustup puts it.
    ///
    /// # Errors
    /// When there is none; the hint says how to get one.
    pub fn find() -> Result<Toolchain> {
        Self::find_in(std::env::var_os("PATH"), std::env::var_os("CARGO_HOME"), std::env::var_os("HOME"))
    }

    fn find_in(
        path: Option<std::ffi::OsString>,
        cargo_home: Option<std::ffi::OsString>,
        home: Option<std::ffi::OsString>,
    ) -> Result<Toolchain> {
        let mut folders: Vec<PathBuf> = path.iter().flat_map(std::env::split_paths).collect();
        folders.extend(cargo_home.map(|home| PathBuf::from(home).join("bin")));
        folders.extend(home.map(|home| PathBuf::from(home).join(".cargo").join("bin")));
        let tool = |name: &str| format!("{name}{}", std::env::consts::EXE_SUFFIX);
        let found = folders.into_iter().find(|folder| folder.join(tool("cargo")).is_file());
        let Some(folder) = found else {
            return Err(Error::external("cargo is not installed, so no function can be built from source")
                .detail("there is no `cargo` on the PATH, nor in ~/.cargo/bin")
                .hint("Install Rust from https://rustup.rs, or name a library that was built elsewhere, with its sidecar beside it."));
        };
        let rustc = match std::env::var_os("RUSTC").map(PathBuf::from) {
            Some(rustc) => rustc,
            None if folder.join(tool("rustc")).is_file() => folder.join(tool("rustc")),
            None => PathBuf::from("rustc"),
        };
        Ok(Toolchain { cargo: folder.join(tool("cargo")), rustc })
    }

    /// What the compiler says about itself, from `folder`, whose toolchain file counts.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn compiler(&self, folder: &Path) -> Result<Compiler> {
        let text = output(Command::new(&self.rustc).arg("-vV").current_dir(folder), "rustc")?;
        let text = String::from_utf8_lossy(&text).trim().to_string();
        let host = text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default().to_string();
        let version = text.lines().next().unwrap_or_default().to_string();
        Ok(Compiler { version, host, everything: text })
    }

    /// `cargo metadata` of a manifest, without its dependencies.
    ///
    /// # Errors
    /// When cargo refuses the manifest; its text is the detail.
    pub fn metadata(&self, manifest: &Path) -> Result<Vec<u8>> {
        let mut command = self.command(manifest.parent().unwrap_or(Path::new(".")));
        command.args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"]).arg(manifest);
        output(&mut command, "cargo metadata")
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.cargo);
        command.current_dir(folder).stdin(Stdio::null());
        for name in FOREIGN_VARIABLES {
            command.env_remove(name);
        }
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CARGO_PROFILE_") {
                command.env_remove(name);
            }
        }
        command.env("CARGO_TERM_COLOR", "never").env("CARGO_TERM_PROGRESS_WHEN", "never");
        command
    }

    /// Builds a library. Nobody else may build in the same target folder meanwhile: two packages of one name write the
    /// same file.
    ///
    /// # Errors
    /// The compiler's own text when the source does not compile; what cargo says when crates cannot be had.
    pub fn build(&self, build: &Build, notices: &Notices) -> Result<Built> {
        if let Some(flags) = std::env::var_os("RUSTFLAGS").filter(|flags| aborts(&flags.to_string_lossy())) {
            return Err(Error::external(format!("{} cannot be built with these RUSTFLAGS", build.name))
                .detail(format!("RUSTFLAGS is `{}`, and a panic would end this process", flags.to_string_lossy()))
                .hint("Start alcedo without `panic=abort` in RUSTFLAGS."));
        }
        let mut online = false;
        loop {
            match self.run(build, online, notices)? {
                Ended::Built(built) if !built.fresh => return Ok(built),
                // It may be the file of another package of this name: away with it, and once more.
                Ended::Built(built) => {
                    let _ = fs::remove_file(&built.library);
                    if let (Some(folder), Some(file)) = (built.library.parent(), built.library.file_name()) {
                        let _ = fs::remove_file(folder.join("deps").join(file));
                    }
                }
                Ended::BeforeCompiling(said) if online => return Err(unavailable(build, &said)),
                Ended::BeforeCompiling(said) => {
                    if !wants_network(&said) {
                        return Err(refused(build, &said));
                    }
                    notices.info(build.name, "fetches crates");
                    online = true;
                }
            }
        }
    }

    fn run(&self, build: &Build, online: bool, notices: &Notices) -> Result<Ended> {
        let failed = |error: std::io::Error| Error::external("cargo cannot be run").detail(error.to_string());
        fs::create_dir_all(build.target).map_err(failed)?;
        let log = build.target.join("alcedo-build.log");
        let mut errors =
            File::options().create(true).truncate(true).read(true).write(true).open(log).map_err(failed)?;
        let mut command = self.command(build.folder);
        command.args(["rustc", "--release", "--lib", "--crate-type", "cdylib", "--message-format", "json"]);
        command.args(["--config", "profile.release.panic=\"unwind\""]);
        command.arg("--manifest-path").arg(build.manifest).arg("--target-dir").arg(build.target);
        command.args(&build.arguments);
        if !online {
            command.arg("--offline");
        }
        command.stdout(Stdio::piped()).stderr(errors.try_clone().map_err(failed)?);
        let mut child = command.spawn().map_err(failed)?;
        let mut progress = Progress::new(build.name, notices);
        let mut messages = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).lines() {
                let line = line.map_err(failed)?;
                // A build script may print lines of its own.
                let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
                progress.see(&message);
                messages.push(message);
            }
        }
        let status = child.wait().map_err(failed)?;
        let mut said = String::new();
        errors.rewind().and_then(|()| errors.read_to_string(&mut said)).map_err(failed)?;
        if status.success() {
            return built(build, &messages).map(Ended::Built);
        }
        if status.code().is_none() {
            return Err(Error::external(format!("building {} was interrupted", build.name)));
        }
        if messages.iter().any(|message| message.reason == "build-finished") {
            return Err(not_compiled(build, &messages, &said));
        }
        Ok(Ended::BeforeCompiling(said))
    }
}

/// What a compiler says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiler {
    /// Its first line, `rustc 1.95.0 (...)`.
    pub version: String,
    /// The target it builds for.
    pub host: String,
    /// All of it.
    pub everything: String,
}

fn output(command: &mut Command, what: &str) -> Result<Vec<u8>> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::external(format!("{what} cannot be run")).detail(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_string();
        return Err(Error::refused(error::Code::InvalidLibrary, format!("{what} failed")).detail(said));
    }
    Ok(output.stdout)
}

fn aborts(flags: &str) -> bool {
    flags.split_whitespace().any(|flag| flag.ends_with("panic=abort") || flag.contains("panic_abort"))
}

/// Whether cargo gave up because it was not allowed to fetch.
fn wants_network(said: &str) -> bool {
    ["--offline", "offline mode", "no matching package named", "failed to download", "failed to select a version"]
        .iter()
        .any(|sign| said.contains(sign))
}

fn unavailable(build: &Build, said: &str) -> Error {
    Error::external(format!("the crates of {} cannot be fetched", build.name))
        .detail(errors_of(said))
        .hint("Fetched once, they are kept: building again needs no network.")
}

fn refused(build: &Build, said: &str) -> Error {
    Error::refused(error::Code::InvalidLibrary, format!("cargo refuses to build {}", build.name))
        .detail(errors_of(said))
}

/// What cargo said from its first error on.
fn errors_of(said: &str) -> String {
    let from = said.find("error").unwrap_or(0);
    said[from..].trim().to_string()
}

fn built(build: &Build, messages: &[Message]) -> Result<Built> {
    let manifest = build.manifest.canonicalize().unwrap_or_else(|_| build.manifest.to_path_buf());
    let ours = messages.iter().find(|message| {
        message.reason == "compiler-artifact"
            && message.manifest_path == manifest
            && message.target.crate_types.iter().any(|kind| kind == "cdylib")
    });
    let library = ours.and_then(|message| {
        let is_library = |path: &&PathBuf| path.to_string_lossy().ends_with(std::env::consts::DLL_SUFFIX);
        message.filenames.iter().find(is_library)
    });
    match (ours, library) {
        (Some(message), Some(library)) => {
            let mut packages: Vec<String> =
                messages.iter().filter_map(|message| package(&message.package_id)).collect();
            packages.sort();
            packages.dedup();
            Ok(Built { library: library.clone(), packages, fresh: message.fresh })
        }
        _ => Err(Error::external(format!("cargo built {} and named no library", build.name))),
    }
}

/// `name version` of a package id such as `registry+https://...#name@version` or `path+file:///a/name#version`.
fn package(id: &str) -> Option<String> {
    let (place, rest) = id.rsplit_once('#')?;
    Some(match rest.split_once('@') {
        Some((name, version)) => format!("{name} {version}"),
        None => format!("{} {rest}", place.rsplit('/').next()?),
    })
}

/// The compiler's own words about a source that does not compile.
fn not_compiled(build: &Build, messages: &[Message], said: &str) -> Error {
    let mut errors = messages.iter().filter_map(|message| {
        let diagnostic = message.message.as_ref().filter(|diagnostic| diagnostic.level.starts_with("error"))?;
        (!diagnostic.message.starts_with("aborting due to")).then_some((message, diagnostic))
    });
    let chrono = errors.clone().any(|(message, diagnostic)| {
        message.package_id.contains("arrow-arith") && diagnostic.code.as_ref().is_some_and(|code| code.code == "E0034")
    });
    let count = errors.clone().count();
    let (from, to) = (format!("--> {}:", build.root.0), format!("--> {}:", build.root.1));
    let shown: Vec<String> = errors
        .by_ref()
        .take(ERRORS_SHOWN)
        .map(|(_, diagnostic)| {
            let text = diagnostic.rendered.as_deref().unwrap_or(&diagnostic.message);
            text.replace(&from, &to).trim().to_string()
        })
        .collect();
    let mut detail = if shown.is_empty() { errors_of(said) } else { shown.join("\n\n") };
    if count > ERRORS_SHOWN {
        detail += &format!("\n\nand {} more errors", count - ERRORS_SHOWN);
    }
    let error = Error::refused(error::Code::InvalidLibrary, format!("{} does not compile", build.name)).detail(detail);
    if chrono {
        return error.hint(
            "A dependency asks for chrono 0.4.40 or newer, with which the Arrow of arroyo-udf-plugin does not compile: \
             take an older version of that dependency, or write the function with alcedo_udf.",
        );
    }
    if said.contains("linker") && said.contains("not found") {
        return error.hint("Rust needs a C toolchain to link: install gcc or clang.");
    }
    error
}

/// Says now and then how far a build is.
struct Progress<'a> {
    name: &'a str,
    notices: &'a Notices,
    next: Instant,
    compiled: usize,
}

impl<'a> Progress<'a> {
    fn new(name: &'a str, notices: &'a Notices) -> Progress<'a> {
        Progress { name, notices, next: Instant::now() + PROGRESS_EVERY, compiled: 0 }
    }

    fn see(&mut self, message: &Message) {
        if message.reason != "compiler-artifact" || message.fresh {
            return;
        }
        self.compiled += 1;
        if Instant::now() >= self.next {
            let plural = if self.compiled == 1 { "crate" } else { "crates" };
            let last = package(&message.package_id).unwrap_or_default();
            let text = format!("compiled {} {plural} so far, {last} just now", self.compiled);
            self.notices.info(self.name, text);
            self.next = Instant::now() + PROGRESS_EVERY;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build<'a>(manifest: &'a Path) -> Build<'a> {
        let root = ("multiply/src/lib.rs".to_string(), "udfs/multiply/src/lib.rs".to_string());
        Build { name: "multiply", manifest, folder: manifest, target: manifest, arguments: Vec::new(), root }
    }

    fn messages(lines: &[&str]) -> Vec<Message> {
        lines.iter().map(|line| serde_json::from_str(line).expect("a message")).collect()
    }

    #[test]
    fn without_cargo_the_hint_says_where_to_get_it() {
        let empty = tempfile::tempdir().expect("a folder");
        let nowhere = || Some(empty.path().as_os_str().to_owned());
        let error = Toolchain::find_in(nowhere(), None, nowhere()).expect_err("there is none");
        assert!(error.hint_text().is_some_and(|hint| hint.contains("rustup.rs")), "{error}");
        let bin = empty.path().join(".cargo/bin");
        fs::create_dir_all(&bin).expect("made");
        fs::write(bin.join(format!("cargo{}", std::env::consts::EXE_SUFFIX)), "").expect("written");
        assert!(Toolchain::find_in(None, None, nowhere()).is_ok_and(|found| found.cargo.starts_with(bin)));
    }

    #[test]
    fn the_library_is_that_of_the_package_and_packages_have_versions() {
        let manifest = Path::new("/w/multiply/Cargo.toml");
        let file = format!("/t/release/libmultiply{}", std::env::consts::DLL_SUFFIX);
        let ours = format!(
            r#"{{"reason":"compiler-artifact","package_id":"path+file:///w/multiply#0.1.0","manifest_path":"/w/multiply/Cargo.toml","target":{{"name":"multiply","crate_types":["cdylib"]}},"filenames":["{file}"],"fresh":true}}"#
        );
        let messages = messages(&[
            r#"{"reason":"compiler-artifact","package_id":"registry+https://github.com/rust-lang/crates.io-index#arroyo-udf-plugin@0.2.0","manifest_path":"/r/Cargo.toml","target":{"name":"arroyo_udf_plugin","crate_types":["lib"]},"filenames":["/t/x.rlib"],"fresh":false}"#,
            &ours,
            r#"{"reason":"build-finished","success":true}"#,
        ]);
        let built = built(&build(manifest), &messages).expect("it is there");
        assert_eq!(built.library, Path::new(&file));
        assert!(built.fresh);
        assert_eq!(built.packages, ["arroyo-udf-plugin 0.2.0", "multiply 0.1.0"]);
        assert!(super::built(&build(manifest), &messages[..1]).is_err());
    }

    #[test]
    fn errors_of_the_compiler_name_the_file_as_the_user_does() {
        let line = r#"{"reason":"compiler-message","package_id":"path+file:///w/multiply#0.1.0","message":{"level":"error","message":"cannot find value `z`","code":{"code":"E0425"},"rendered":"error[E0425]: cannot find value `z`\n --> multiply/src/lib.rs:8:9\n"}}"#;
        let aborting = r#"{"reason":"compiler-message","message":{"level":"error","message":"aborting due to 5 previous errors","code":null,"rendered":"error: aborting\n"}}"#;
        let warning = r#"{"reason":"compiler-message","message":{"level":"warning","message":"unused","code":null,"rendered":"warning: unused\n"}}"#;
        let all = messages(&[line, warning, line, line, line, line, aborting]);
        let error = not_compiled(&build(Path::new("/w/Cargo.toml")), &all, "");
        assert_eq!(error.message(), "multiply does not compile");
        let detail = error.detail_text().unwrap_or_default();
        assert_eq!(detail.matches("--> udfs/multiply/src/lib.rs:8:9").count(), ERRORS_SHOWN);
        assert!(detail.ends_with("and 2 more errors"), "{detail}");
        assert!(!detail.contains("unused") && !detail.contains("aborting"));
        assert_eq!(error.hint_text(), None);
    }

    #[test]
    fn the_trap_of_a_newer_chrono_is_named() {
        let line = r#"{"reason":"compiler-message","package_id":"registry+https://github.com/rust-lang/crates.io-index#arrow-arith@51.0.0","message":{"level":"error","message":"multiple applicable items in scope","code":{"code":"E0034"},"rendered":"error[E0034]: multiple applicable items in scope\n"}}"#;
        let error = not_compiled(&build(Path::new("/w/Cargo.toml")), &messages(&[line]), "");
        assert!(error.hint_text().is_some_and(|hint| hint.contains("chrono 0.4.40")), "{error}");
    }

    #[test]
    fn only_what_a_network_would_mend_is_tried_again_with_one() {
        for said in [
            "error: no matching package named `regex` found\nlocation searched: crates.io index",
            "error: failed to download `serde`\n\nCaused by:\n  attempting to make an HTTP request, but --offline was specified",
        ] {
            assert!(wants_network(said), "{said}");
        }
        assert!(!wants_network("error: failed to parse manifest at `/w/Cargo.toml`"));
        assert_eq!(errors_of("    Updating index\nerror: no\n  more\n"), "error: no\n  more");
        assert!(aborts("-C panic=abort") && aborts("-Cpanic=abort") && !aborts("-C panic=unwind"));
    }
}
