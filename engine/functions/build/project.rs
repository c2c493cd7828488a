//! A source file becomes a package that cargo can build.
//!
//! Dependencies stand in the source as Arroyo's users write them, in one block comment that begins with
//! `[dependencies]`. The kit for vectorized functions is inside this binary and written beside the package, so an
//! installed engine builds them without a network; the lock file is the one the kit is tested with.
//!
//! The kit's manifests have other names in `sdk/` than where it is written: cargo leaves a folder with a manifest out of the
//! package around it, and an engine from a registry would not compile without the kit.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};
use crate::functions::plugin::{ADDITION, Abi, sha256};

/// The lock file that the examples and the kit are tested with.
pub const LOCK: &str = include_str!("../sdk/functions.lock");

/// The kit, file by file.
const KIT: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../sdk/alcedo-udf.toml")),
    ("src/lib.rs", include_str!("../sdk/src/lib.rs")),
    ("src/abi.rs", include_str!("../sdk/src/abi.rs")),
    ("src/array.rs", include_str!("../sdk/src/array.rs")),
    ("src/error.rs", include_str!("../sdk/src/error.rs")),
    ("src/glue.rs", include_str!("../sdk/src/glue.rs")),
    ("macros/Cargo.toml", include_str!("../sdk/macros/alcedo-udf-macros.toml")),
    ("macros/src/lib.rs", include_str!("../sdk/macros/src/lib.rs")),
];

/// The version of Arroyo's crate that the host was written for.
const ARROYO_VERSION: &str = "0.2.0";

/// How functions are compiled: a panic of one must be catchable.
const PROFILE: &str = "[profile.release]\npanic = \"unwind\"\ndebug = false\nstrip = \"debuginfo\"\n";

/// How the rest of what Arroyo's crate binds is compiled: it is never called, and most of the first build otherwise.
const ARROW_PROFILE: &str = "
[profile.release.package]
arrow = { opt-level = 0 }
arrow-arith = { opt-level = 0 }
arrow-cast = { opt-level = 0 }
arrow-csv = { opt-level = 0 }
arrow-ipc = { opt-level = 0 }
arrow-json = { opt-level = 0 }
arrow-ord = { opt-level = 0 }
arrow-row = { opt-level = 0 }
arrow-select = { opt-level = 0 }
arrow-string = { opt-level = 0 }
flatbuffers = { opt-level = 0 }
";

/// A package around one source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The name of the package: different for different texts, so that they never share an output file.
    pub package: String,
    /// Its manifest.
    pub manifest: String,
    /// Its root file: the source text, and for Arroyo's format a last line that takes [`ADDITION`] in.
    pub source: String,
}

/// The line that takes [`ADDITION`] in, behind everything else, so that lines keep their numbers.
const TAKES_ADDITION: &str = "\nmod alcedo_addition;\n";

/// A package around a source text in which `abi` is used. `kit` is where [`write_kit`] puts the kit.
///
/// # Errors
/// When there is more than one comment with dependencies.
pub fn project(stem: &str, text: &str, abi: Abi, kit: &Path) -> Result<Project> {
    let dependencies = dependencies(text)?;
    let named = |package: &str| dependencies.lines().any(|line| key_of(line) == Some(package));
    let kit = toml_text(&kit.display().to_string());
    let mut manifest = String::new();
    let (own, patch) = match abi {
        Abi::Arroyo if named("arroyo-udf-plugin") => (String::new(), String::new()),
        Abi::Arroyo => (format!("arroyo-udf-plugin = \"{ARROYO_VERSION}\"\n"), String::new()),
        // A version that the user asks for is the one of this engine: there is no other.
        Abi::Vectorized if named("alcedo-udf") => {
            (String::new(), format!("[patch.crates-io]\nalcedo-udf = {{ path = {kit} }}\n\n"))
        }
        Abi::Vectorized => (format!("alcedo-udf = {{ path = {kit} }}\n"), String::new()),
    };
    manifest += "edition = \"2024\"\npublish = false\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n";
    // Alone in the world, wherever the folder is; optimized as in the workspace whose lock file this uses.
    manifest += "[workspace]\n\n";
    manifest += PROFILE;
    if abi == Abi::Arroyo {
        manifest += ARROW_PROFILE;
    }
    manifest += "\n";
    manifest += &patch;
    manifest += "[dependencies]\n";
    manifest += &own;
    manifest += dependencies.trim();
    manifest += "\n";
    let (source, addition) = match abi {
        Abi::Arroyo => (format!("{text}{TAKES_ADDITION}"), ADDITION),
        Abi::Vectorized => (text.to_string(), ""),
    };
    let key = sha256(format!("{manifest}\n{source}{addition}").as_bytes());
    let package = format!("udf-{}-{}", plain(stem), &key[..12]);
    let manifest = format!("[package]\nname = \"{package}\"\nversion = \"0.0.0\"\n{manifest}");
    Ok(Project { package, manifest, source })
}

impl Project {
    /// Writes the package below `folder`; gives its own folder. Files that are as they should be stay untouched, so
    /// that cargo does not build again what is built.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        let folder = folder.join(&self.package);
        write_changed(&folder.join("Cargo.toml"), &self.manifest)?;
        write_changed(&folder.join("src").join("lib.rs"), &self.source)?;
        if self.source.ends_with(TAKES_ADDITION) {
            write_changed(&folder.join("src").join("alcedo_addition.rs"), ADDITION)?;
        }
        // Cargo adds the package itself and what the source asks for; the versions that are in it stay.
        if !folder.join("Cargo.lock").exists() {
            write_changed(&folder.join("Cargo.lock"), LOCK)?;
        }
        Ok(folder)
    }
}

/// Where the kit of this engine belongs below a folder.
pub fn kit_folder(folder: &Path) -> PathBuf {
    let all: String = KIT.iter().flat_map(|(path, text)| [*path, *text]).collect();
    folder.join(format!("alcedo-udf-{}", &sha256(all.as_bytes())[..12]))
}

/// Writes the kit into its folder.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_kit(folder: &Path) -> Result<()> {
    KIT.iter().try_for_each(|(path, text)| write_changed(&folder.join(path), text))
}

fn write_changed(path: &Path, text: &str) -> Result<()> {
    if fs::read(path).is_ok_and(|found| found == text.as_bytes()) {
        return Ok(());
    }
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    written.map_err(|error| {
        Error::external(format!("{} cannot be written", path.display()))
            .detail(error.to_string())
            .hint("SET 'extension.dir' names another folder for building functions.")
    })
}

/// What stands in the comment with the dependencies, without its first line; empty when there is none.
fn dependencies(text: &str) -> Result<&str> {
    let mut found = None;
    let mut rest = text;
    while let Some((_, comment)) = rest.split_once("/*") {
        let Some((comment, behind)) = comment.split_once("*/") else { break };
        let body = comment.trim_start().split_once('\n');
        if let Some(("[dependencies]", body)) = body.map(|(first, body)| (first.trim_end(), body)) {
            if found.is_some() {
                return Err(Error::refused(Code::InvalidLibrary, "two comments list dependencies")
                    .hint("Put all of them below the first `[dependencies]`."));
            }
            found = Some(body);
        }
        rest = behind;
    }
    Ok(found.unwrap_or_default())
}

/// The name that a line of TOML gives a value, or the table it opens below `dependencies`.
fn key_of(line: &str) -> Option<&str> {
    let line = line.trim();
    if let Some(table) = line.strip_prefix("[dependencies.") {
        return Some(table.trim_end_matches(']').trim().trim_matches('"'));
    }
    let (key, _) = line.split_once('=')?;
    let key = key.trim();
    Some(key.split('.').next().unwrap_or(key).trim().trim_matches('"'))
}

/// A text as TOML quotes it.
fn toml_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A name made of letters, digits and dashes.
pub fn plain(name: &str) -> String {
    let mut plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    plain.truncate(40);
    let plain = plain.trim_matches('-');
    if plain.is_empty() { "function".to_string() } else { plain.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "use arroyo_udf_plugin::udf;\n#[udf]\nfn f(x: f64) -> f64 { x }\n";

    fn manifest(text: &str, abi: Abi) -> String {
        project("f", text, abi, Path::new("/kit \"1\"")).expect("a project").manifest
    }

    #[test]
    fn the_kit_in_the_binary_is_the_whole_kit() {
        fn list(folder: &Path, into: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() { list(&path, into) } else { into.push(path) }
            }
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("engine/functions/sdk");
        let mut files = Vec::new();
        list(&root, &mut files);
        let mut there: Vec<String> =
            files.iter().map(|path| path.strip_prefix(&root).expect("below").display().to_string()).collect();
        there.retain(|path| path != "functions.lock");
        for path in &mut there {
            *path = path.replace("alcedo-udf.toml", "Cargo.toml").replace("alcedo-udf-macros.toml", "Cargo.toml");
        }
        let mut known: Vec<&str> = KIT.iter().map(|(path, _)| *path).collect();
        there.sort();
        known.sort_unstable();
        assert_eq!(there, known);
        // Written elsewhere, it has no workspace to inherit from.
        assert!(KIT.iter().all(|(_, text)| !text.contains(".workspace = true") && !text.contains("{ workspace =")));
    }

    #[test]
    fn the_kit_is_what_the_examples_are_built_with() {
        let udfs = Path::new(env!("CARGO_MANIFEST_DIR")).join("udfs");
        let read = |path: &str| fs::read_to_string(udfs.join(path)).expect("a file of the repository");
        assert!(read("Cargo.lock") == LOCK, "copy udfs/Cargo.lock to engine/functions/sdk/functions.lock");
        let value = |manifest: &str, key: &str| {
            let line = manifest.lines().find(|line| line.starts_with(&format!("{key} = ")));
            line.unwrap_or_else(|| panic!("{key} is not said")).to_string()
        };
        let workspace = read("Cargo.toml");
        // With another profile every function would compile its dependencies once more.
        let (_, profile) = workspace.split_once("[profile.release]").expect("a profile");
        let plain = profile.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n"));
        assert_eq!(format!("[profile.release]{}", plain.collect::<String>()), format!("{PROFILE}{ARROW_PROFILE}"));
        for (ours, theirs) in [("Cargo.toml", "sdk/Cargo.toml"), ("macros/Cargo.toml", "sdk/macros/Cargo.toml")] {
            let kit = KIT.iter().find(|(path, _)| *path == ours).expect("a manifest").1;
            assert_eq!(value(kit, "name"), value(&read(theirs), "name"));
            for key in ["version", "edition", "rust-version", "license"] {
                assert_eq!(value(kit, key), value(&workspace, key), "{ours}");
            }
        }
    }

    #[test]
    fn dependencies_come_from_the_one_comment_that_lists_them() {
        let text = format!("/* [dependencies] are below */\n/*\r\n  [dependencies]\nregex = \"1\"\n*/\n{ROWS}");
        let made = manifest(&text, Abi::Arroyo);
        assert!(made.contains("\n[dependencies]\narroyo-udf-plugin = \"0.2.0\"\nregex = \"1\"\n"), "{made}");
        let twice = format!("/*[dependencies]\n*/{text}");
        assert_eq!(dependencies(&twice).expect_err("two").message(), "two comments list dependencies");
        assert_eq!(dependencies("/* never closed [dependencies]").expect("none"), "");
    }

    #[test]
    fn what_the_source_lists_itself_is_not_listed_twice() {
        let own = "/*\n[dependencies]\narroyo-udf-plugin = { version = \"0.2\" }\n*/\n";
        assert_eq!(manifest(own, Abi::Arroyo).matches("arroyo-udf-plugin").count(), 1);
        assert!(
            manifest(own, Abi::Arroyo).contains("\narrow = {") && !manifest(own, Abi::Vectorized).contains("arrow")
        );
        let own = "/*\n[dependencies]\nalcedo-udf = \"0.1\"\n*/\n";
        let made = manifest(own, Abi::Vectorized);
        assert!(made.contains("[patch.crates-io]\nalcedo-udf = { path = \"/kit \\\"1\\\"\" }\n"), "{made}");
        for line in ["alcedo-udf.version = \"1\"", "\"alcedo-udf\" = \"1\"", "[dependencies.alcedo-udf]"] {
            assert_eq!(key_of(line), Some("alcedo-udf"), "{line}");
        }
    }

    #[test]
    fn another_text_is_another_package() {
        let package = |text: &str| project("Fö_1", text, Abi::Arroyo, Path::new("/kit")).expect("a project").package;
        assert!(package(ROWS).starts_with("udf-f--1-"), "{}", package(ROWS));
        assert_ne!(package(ROWS), package(&ROWS.replace("{ x }", "{ -x }")));
        assert_eq!(package(ROWS), package(ROWS));
        assert_eq!(plain("_"), "function");
    }

    #[test]
    fn files_that_are_as_they_should_be_stay_untouched() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = project("f", ROWS, Abi::Arroyo, Path::new("/kit")).expect("a project");
        let written = project.write(folder.path()).expect("written");
        let lib = written.join("src/lib.rs");
        let time = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).expect("a time");
        let before = time(&lib);
        fs::write(written.join("Cargo.lock"), "changed by cargo").expect("written");
        project.write(folder.path()).expect("written again");
        assert_eq!(time(&lib), before);
        assert_eq!(fs::read_to_string(written.join("Cargo.lock")).expect("there"), "changed by cargo");
        fs::write(&lib, "damaged").expect("written");
        project.write(folder.path()).expect("mended");
        assert_eq!(fs::read_to_string(lib).expect("there"), format!("{ROWS}{TAKES_ADDITION}"));
        assert_eq!(fs::read_to_string(written.join("src/alcedo_addition.rs")).expect("there"), ADDITION);
    }
}
