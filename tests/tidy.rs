//! The source checks itself: layers, file headers, file lengths, links of the documents.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules of `engine/` by layer. A module may use lower layers, and what `SIBLINGS` allows.
const LAYERS: &[&[&str]] = &[
    &["error", "config", "notice"],
    &["types"],
    &["record"],
    &["kafka", "broker", "formats", "anomaly", "ingest"],
    &["functions", "plan", "catalog"],
    &["sql", "operators"],
    &["topology", "runtime"],
    &["session", "testing"],
    &["cli"],
];

/// Uses within one layer that are meant: (user, used).
const SIBLINGS: &[(&str, &str)] = &[
    ("config", "error"),
    ("ingest", "kafka"),
    ("catalog", "plan"),
    ("plan", "catalog"),
    ("plan", "functions"),
    ("runtime", "topology"),
];

/// Folders that may hold `unsafe`: librdkafka's interface, both sides of that of functions in libraries, and benches' counters.
const UNSAFE: &[&str] = &["engine/kafka/", "engine/functions/plugin/", "engine/functions/sdk/", "engine/benches/"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).expect("a folder of sources").flatten().map(|e| e.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn sources(folder: &str) -> BTreeMap<String, String> {
    let mut files = Vec::new();
    rust_files(&root().join(folder), &mut files);
    let relative = |path: &Path| path.strip_prefix(root()).expect("below the root").display().to_string();
    files.iter().map(|path| (relative(path), fs::read_to_string(path).expect("a readable source"))).collect()
}

/// The module of `engine/` that a file belongs to, or `None` for the map and the entry point.
fn module_of(file: &str) -> Option<&str> {
    let inside = file.strip_prefix("engine/")?;
    let module = inside.split('/').next()?.trim_end_matches(".rs");
    (!["lib", "main", "benches"].contains(&module)).then_some(module)
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Modules named behind `crate::` in code, comments left out; unit tests may reach upwards.
fn used_modules(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let mut modules = Vec::new();
    for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for part in line.split("crate::").skip(1) {
            match part.strip_prefix('{') {
                Some(group) => modules.extend(group.split(',').map(|item| first_word(item.trim()))),
                None => modules.push(first_word(part)),
            }
        }
    }
    modules.retain(|module| !module.is_empty());
    modules
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn a_module_uses_only_lower_layers() {
    let mut wrong = Vec::new();
    for (file, text) in sources("engine") {
        let Some(module) = module_of(&file) else { continue };
        if file.ends_with("/tests.rs") || file.contains("/tests/") {
            continue;
        }
        let Some(layer) = layer_of(module) else {
            wrong.push(format!("{file}: module `{module}` has no layer in tests/tidy.rs"));
            continue;
        };
        for used in used_modules(&text) {
            let Some(used_layer) = layer_of(&used) else { continue };
            let sibling = used_layer == layer && SIBLINGS.contains(&(module, used.as_str()));
            if used != module && used_layer >= layer && !sibling {
                wrong.push(format!("{file}: `{module}` (layer {layer}) uses `{used}` (layer {used_layer})"));
            }
        }
    }
    assert!(wrong.is_empty(), "layers point downwards:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_opens_with_what_it_is_for_and_can_be_read_in_a_sitting() {
    let mut wrong = Vec::new();
    for (file, text) in sources("engine").into_iter().chain(sources("tests")).chain(sources("udfs")) {
        if !text.starts_with("//!") {
            wrong.push(format!("{file}: does not open with `//!`"));
        }
        let lines = text.lines().count();
        if lines > 700 {
            wrong.push(format!("{file}: {lines} lines"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_refusal_of_a_statement_has_a_code() {
    let mut wrong = Vec::new();
    for (file, text) in sources("engine") {
        // The shell's own commands are no statements.
        if ["cli", "error", "benches"].iter().any(|module| file.starts_with(&format!("engine/{module}"))) {
            continue;
        }
        if file.ends_with("/tests.rs") || file.contains("/tests/") {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(&text);
        for (number, line) in code.lines().enumerate() {
            // An error that only carries a place is never shown.
            if line.contains("Error::sql(") && !line.contains("Error::sql(\"\")") {
                wrong.push(format!(
                    "{file}:{}: Error::refused(Code::..., ...) says which kind of mistake it is",
                    number + 1
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_stays_where_it_is_explained() {
    let mut wrong = Vec::new();
    for (file, text) in sources("engine") {
        for (number, line) in text.lines().enumerate() {
            let code = line.trim_start();
            if code.starts_with("//") || !code.contains("unsafe ") {
                continue;
            }
            if !UNSAFE.iter().any(|folder| file.starts_with(folder)) {
                wrong.push(format!("{file}:{}: unsafe outside {}", number + 1, UNSAFE.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Code without unit tests and comments, by line. Modules of tests stand at the end of a file.
fn code_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_module = |at: &usize| {
        let item = text[*at..].lines().nth(1).unwrap_or_default();
        item.contains("mod ") && (item.ends_with('{') || item == "mod tests;")
    };
    let tests = text.match_indices("#[cfg(test)]\n").map(|(at, _)| at).find(is_module).unwrap_or(text.len());
    let code = text[..tests].lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    code.filter(|(_, line)| !line.starts_with("//"))
}

fn is_test(file: &str) -> bool {
    ["/tests/", "/tests.rs", "_tests.rs", "/benches/"].iter().any(|part| file.contains(part))
}

#[test]
fn nothing_outside_of_tests_panics_without_its_reason() {
    let mut wrong = Vec::new();
    for (file, text) in sources("engine").into_iter().filter(|(file, _)| !is_test(file)) {
        for (number, line) in code_of(&text) {
            let banned = [".unwrap()", ".unwrap_err()", "panic!(", "todo!(", "unimplemented!(", "unreachable!()"];
            let found = banned.iter().find(|call| line.contains(**call));
            // The parser's method of that name gives an error.
            let bare = line.split(".expect(").skip(1).zip(line.split(".expect(")).any(|(argument, before)| {
                !before.ends_with("self")
                    && !argument.is_empty()
                    && (!argument.starts_with('"') || !argument.contains(' '))
            });
            match found {
                Some(call) => wrong.push(format!("{file}:{number}: {call}")),
                None if bare => wrong.push(format!("{file}:{number}: an `expect` that does not say what always holds")),
                None => {}
            }
        }
    }
    assert!(wrong.is_empty(), "what data or the outside can reach is an error:\n{}", wrong.join("\n"));
}

/// Cargo leaves out of a package what its manifest excludes, and every folder with a manifest of its own.
#[test]
fn what_the_binary_includes_is_in_the_published_package() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    let excluded = manifest.lines().find_map(|line| line.strip_prefix("exclude = [")).expect("it excludes folders");
    let excluded: Vec<&str> = excluded.trim_end_matches(']').split(", ").map(|name| name.trim_matches('"')).collect();
    let (mut wrong, mut found) = (Vec::new(), 0);
    for (file, text) in sources("engine").into_iter().filter(|(file, _)| !is_test(file)) {
        for (number, line) in code_of(&text) {
            for include in ["include_str!(\"", "include_bytes!(\""] {
                let Some((path, _)) = line.split_once(include).and_then(|(_, rest)| rest.split_once('"')) else {
                    continue;
                };
                found += 1;
                let path = root().join(&file).parent().expect("a folder").join(path);
                let path = path.canonicalize().unwrap_or_else(|error| panic!("{file}:{number}: {error}"));
                let inside = path.strip_prefix(root().canonicalize().expect("a folder")).expect("below the root");
                let is_excluded = excluded.iter().any(|name| inside.starts_with(name));
                let folders = inside.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
                if is_excluded || folders.into_iter().any(|folder| root().join(folder).join("Cargo.toml").exists()) {
                    wrong.push(format!("{file}:{number}: {}", inside.display()));
                }
            }
        }
    }
    assert!(found > 10, "{found}");
    assert!(wrong.is_empty(), "not in the package of a registry:\n{}", wrong.join("\n"));
}

#[test]
fn links_of_the_documents_lead_somewhere() {
    let mut wrong = Vec::new();
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "models/car_autoencoder.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap_or_else(|_| panic!("{document} exists"));
        let folder = root().join(document).parent().expect("a file has a folder").to_path_buf();
        for part in text.split("](").skip(1) {
            let target = part.split(')').next().unwrap_or_default();
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !path.contains("://") && !folder.join(path).exists() {
                wrong.push(format!("{document}: {target}"));
            }
        }
    }
    assert!(wrong.is_empty(), "links to nowhere:\n{}", wrong.join("\n"));
}
