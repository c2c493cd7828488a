//! ksqlDB's query tests, where they are at hand: `ALCEDO_QTT_DIR`, or `../shared/qtt`. Nothing of them is kept here but the
//! names of the cases that fail, in `known_failures.tsv`, each with its reason. A listed case that passes fails the test, so
//! the list only shrinks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use alcedo::testing::{Case, Mode, Outcome, read_file, run};

/// File, case, format, configuration.
type Key = [String; 4];

fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("ALCEDO_QTT_DIR").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/qtt"));
    folder.join("cases.tsv").exists().then_some(folder)
}

fn rows(text: &str) -> impl Iterator<Item = Vec<String>> {
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_string).collect())
}

fn key_of(case: &Case) -> Key {
    // A list of cases has trimmed names and no line breaks.
    [case.file.clone(), case.name.clone(), case.format.clone(), case.config.clone()]
}

#[test]
fn every_case_passes_but_the_ones_listed() {
    let Some(folder) = folder() else {
        println!("skipped: no query tests here (ALCEDO_QTT_DIR)");
        return;
    };
    let listed_path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/known_failures.tsv");
    let listed: BTreeMap<Key, String> = rows(&std::fs::read_to_string(&listed_path).unwrap_or_default())
        .filter_map(|row| <[String; 5]>::try_from(row).ok())
        .map(|[file, case, format, config, reason]| ([file, case, format, config], reason))
        .collect();
    let counted: BTreeMap<Key, String> = rows(&std::fs::read_to_string(folder.join("cases.tsv")).expect("a list"))
        .filter_map(|row| <[String; 5]>::try_from(row).ok())
        .map(|[file, case, format, config, kind]| ([file, case, format, config], kind))
        .collect();
    let mut files: Vec<&String> = counted.keys().map(|[file, ..]| file).collect();
    files.dedup();
    let (mut wrong, mut failures) = (Vec::new(), Vec::new());
    let mut passed: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for file in files {
        for case in read_file(&folder.join("query-validation-tests").join(file)).expect("cases") {
            let key = key_of(&case);
            let Some(kind) = counted.get(&key) else { continue };
            let (whole, single) = (run(&case, Mode::Whole), run(&case, Mode::Single));
            if (whole.outcome == Outcome::Pass) != (single.outcome == Outcome::Pass) {
                wrong.push(format!("{}: it depends on how records are cut into batches", case.title()));
            }
            let passes = whole.outcome == Outcome::Pass;
            let count = passed.entry(kind).or_default();
            count[0] += usize::from(passes);
            count[1] += 1;
            match (&whole.outcome, listed.get(&key)) {
                (Outcome::Pass, None) => {}
                (Outcome::Pass, Some(_)) => wrong.push(format!("{}: it passes, take it off the list", case.title())),
                (Outcome::Fail(reason) | Outcome::Skip(reason), on_list) => {
                    if on_list.is_none() {
                        wrong.push(format!("{}: {reason}", case.title()));
                    }
                    let reason = on_list.cloned().unwrap_or_else(|| reason.replace(['\t', '\n'], " "));
                    failures.push(format!("{}\t{reason}", key.join("\t")));
                }
            }
        }
    }
    if std::env::var_os("ALCEDO_BLESS").is_some() {
        let text = format!("file\tcase\tformat\tconfig\treason\n{}\n", failures.join("\n"));
        std::fs::write(&listed_path, text).expect("a file that can be written");
        return;
    }
    for (kind, [passed, all]) in &passed {
        println!("{kind}: {passed} of {all}");
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}
