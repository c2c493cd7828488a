//! ksqlDB's query tests, where they are at hand: `ALCEDO_QTT_DIR`, or `../shared/qtt`. Nothing of them is kept here but the
//! names of the cases that fail, in `known_failures.tsv`, each with its reason. A listed case that passes fails the test, so
//! the list only shrinks.
//!
//! Every case runs in all modes: records together, one by one, and with a new start before each. A case that must be
//! refused has to be refused for its own reason, which is judged wherever the message expected says what it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use alcedo::Code;
use alcedo::testing::{Case, Mode, Outcome, Verdict, read_file, run};

/// File, case, format, configuration.
type Key = [String; 4];

/// Of all refusals that pass, the share in percent whose message says nothing that can be judged.
const UNJUDGED_AT_MOST: usize = 10;

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

/// A case that was run: what kind it counts as, its verdict, and how it went otherwise in another mode, if it did.
struct Ran {
    key: Key,
    title: String,
    kind: String,
    verdict: Verdict,
    depends: Option<Mode>,
}

/// Runs the cases of files, on all processors; `kind` says which of them count.
fn run_all(files: &[PathBuf], kind: &(dyn Fn(&Key) -> Option<String> + Sync)) -> Vec<Ran> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut ran = Vec::new();
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            for case in read_file(file).expect("cases") {
                let key = key_of(&case);
                let Some(kind) = kind(&key) else { continue };
                let verdict = run(&case, Mode::Whole);
                let passes = verdict.outcome == Outcome::Pass;
                // A refusal comes before any record, so how they are cut does not matter.
                let modes: &[Mode] = match case.exception {
                    Some(_) if !case.is_script => &[],
                    _ => &[Mode::Single, Mode::Restart],
                };
                let differs = |mode: &&Mode| (run(&case, **mode).outcome == Outcome::Pass) != passes;
                let depends = modes.iter().find(differs).copied();
                ran.push(Ran { key, title: case.title(), kind, verdict, depends });
            }
        }
        ran
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        // A parser that goes down deep needs more than the default.
        let thread = |_| std::thread::Builder::new().stack_size(16 << 20).spawn_scoped(scope, work).expect("a thread");
        let threads: Vec<_> = (0..threads).map(thread).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    })
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
    let mut files: Vec<PathBuf> =
        counted.keys().map(|[file, ..]| folder.join("query-validation-tests").join(file)).collect();
    files.dedup();
    let mut ran = run_all(&files, &|key| counted.get(key).cloned());
    let scripts = alcedo::testing::case::find_files(&[folder.join("sql-tests")]).expect("a folder");
    ran.extend(run_all(&scripts, &|_| Some("sql-tests".to_string())));
    ran.sort_by(|a, b| a.key.cmp(&b.key));

    let (mut wrong, mut failures) = (Vec::new(), Vec::new());
    let mut passed: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let (mut refusals, mut judged, mut alike) = (0, 0, 0);
    for Ran { key, title, kind, verdict, depends } in &ran {
        let outcome = match depends {
            Some(mode) => &Outcome::Fail(format!("it goes otherwise with {mode:?}")),
            None => &verdict.outcome,
        };
        let passes = *outcome == Outcome::Pass;
        let count = passed.entry(kind).or_default();
        count[0] += usize::from(passes);
        count[1] += 1;
        if let (true, Some(code)) = (passes, verdict.code) {
            refusals += 1;
            judged += usize::from(verdict.reason_checked == Some(true));
            alike += usize::from(verdict.message_matches == Some(true));
            if code == Code::InvalidStatement {
                wrong.push(format!("{title}: the refusal has no code of its own: {:?}", verdict.refusal));
            }
        }
        match (outcome, listed.get(key)) {
            (Outcome::Pass, None) => {}
            (Outcome::Pass, Some(_)) => wrong.push(format!("{title}: it passes, take it off the list")),
            (Outcome::Fail(reason) | Outcome::Skip(reason), on_list) => {
                if on_list.is_none() {
                    wrong.push(format!("{title}: {reason}"));
                }
                let reason = on_list.cloned().unwrap_or_else(|| reason.replace(['\t', '\n'], " "));
                failures.push(format!("{}\t{reason}", key.join("\t")));
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
    println!(
        "refused as expected: {refusals}, for a reason that was judged: {judged}, in words of the message: {alike}"
    );
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert!((refusals - judged) * 100 <= refusals * UNJUDGED_AT_MOST, "{} of {refusals} not judged", refusals - judged);
}
