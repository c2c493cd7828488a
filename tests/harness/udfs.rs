//! The libraries of `udfs/`, built once for a process: for unit tests, integration tests and benches.
//!
//! They are built into a folder of the user's cache, whatever `CARGO_TARGET_DIR` says, so that every clone finds the
//! dependencies compiled. Each library is then copied to a name that holds its hash: another clone that builds its own
//! does not overwrite what this process has open.
//!
//! Without the crates and without a registry there are no libraries, and the tests that need them are skipped with one
//! printed line. With `ALCEDO_TEST_UDFS=required` that is a failure.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

/// The library of a member of `udfs/`, or `None` when its crates cannot be had.
pub fn library(member: &str) -> Option<PathBuf> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = BUILT.get_or_init(build).as_ref()?;
    let name = format!("{}{}{}", std::env::consts::DLL_PREFIX, member, std::env::consts::DLL_SUFFIX);
    let content = std::fs::read(folder.join("release").join(&name)).expect("a library that was built");
    let hash = Sha256::digest(&content).iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
    let copy = folder.join("copies").join(hash).join(&name);
    if !copy.exists() {
        std::fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder of the cache");
        // Threads copy at the same time as well as processes.
        static COPIES: AtomicU64 = AtomicU64::new(0);
        let nth = COPIES.fetch_add(1, Ordering::Relaxed);
        let partial = copy.with_extension(format!("{}-{nth}.partial", std::process::id()));
        std::fs::write(&partial, &content).expect("room for a copy");
        std::fs::rename(&partial, &copy).expect("a copy can be renamed");
    }
    Some(copy)
}

/// The folder of builds: `alcedo/udfs` of the user's cache.
fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/tmp".into())).join(".cache");
    std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("alcedo").join("udfs")
}

fn build() -> Option<PathBuf> {
    let folder = cache();
    std::fs::create_dir_all(&folder).expect("a folder in the user's cache");
    if !cargo(&folder, &["fetch", "--locked", "--offline"]).status.success()
        && !cargo(&folder, &["fetch", "--locked"]).status.success()
    {
        let required = std::env::var("ALCEDO_TEST_UDFS").is_ok_and(|value| value == "required");
        assert!(!required, "the crates of udfs/ can neither be found nor fetched");
        eprintln!("skipped: functions in libraries (the crates of udfs/ can neither be found nor fetched)");
        return None;
    }
    let target = folder.to_str().expect("a path of UTF-8");
    let built = cargo(&folder, &["build", "--release", "--locked", "--offline", "--lib", "--target-dir", target]);
    assert!(built.status.success(), "udfs/ does not build:\n{}", String::from_utf8_lossy(&built.stderr));
    Some(folder)
}

/// Runs cargo on `udfs/` without what the cargo around this process set for the engine.
fn cargo(folder: &Path, arguments: &[&str]) -> Output {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("udfs").join("Cargo.toml");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg(arguments[0]).arg("--manifest-path").arg(manifest).args(&arguments[1..]).current_dir(folder);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let build = ["CARGO_TARGET_", "CARGO_PROFILE_", "CARGO_BUILD_", "CARGO_ENCODED_", "CARGO_INCREMENTAL"];
        if build.iter().any(|prefix| name.starts_with(prefix)) || name.starts_with("RUSTC_") || name == "RUSTFLAGS" {
            command.env_remove(name);
        }
    }
    command.output().expect("cargo can be run")
}
