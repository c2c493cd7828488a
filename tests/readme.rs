//! Every code block of the README is run; a block that this file does not know fails the test.
//!
//! - `sql` with a first line `-- NAME.sql` is kept under that name and run with `--until-end`; one with an MQTT connector,
//!   which has no end, is started through the library instead, a listener on a free port, a client with no broker to find
//! - `csv NAME` is kept under that name
//! - `sql check` with a first line `-- NAME.sql` is kept under that name and checked
//! - `sql test` with a first line `-- NAME.sql` is kept under that name
//! - `sh` is run line by line with the built binary; `sh kafka` on a broker in a process of its own, and on
//!   Apache Kafka when `ALCEDO_TEST_KAFKA` names its jars
//! - `rust` is, to the letter, a file of `examples/`
//! - `text demo` is output of the demo; numbers may differ, and `…` stands for lines left out

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use alcedo::{Engine, SourceText};

use crate::conformance::apache::ApacheKafka;
use crate::conformance::embedded::EmbeddedBroker;
use crate::conformance::handle::BrokerHandle;

const BINARY: &str = env!("CARGO_BIN_EXE_alcedo");

struct Block {
    kind: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in readme.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(kind), None) => open = Some(Block { kind: kind.to_string(), text: String::new() }),
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.text += line;
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a line with the built binary in place of `alcedo`; gives its standard output.
fn run(line: &str, folder: &Path) -> String {
    let words: Vec<&str> = line.split(' ').map(|word| if word == "alcedo" { BINARY } else { word }).collect();
    let output = Command::new("sh")
        .args(["-c", &words.join(" ")])
        .current_dir(folder)
        .env("LC_ALL", "C.UTF-8")
        .env("ALCEDO_EXTENSION_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/functions"))
        .output()
        .expect("there is a shell");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{line}\n{err}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn name_of(text: &str) -> &str {
    text.lines().next().and_then(|line| line.strip_prefix("-- ")).expect("the block names its file")
}

fn sql(text: &str, folder: &Path) {
    let name = name_of(text);
    std::fs::write(folder.join(name), text).expect("the folder can be written");
    let listens = text.contains("'mqtt-listener'");
    if !listens && !text.contains("'connector.class'='mqtt'") {
        run(&format!("alcedo run {name} --until-end"), folder);
        return;
    }
    let engine = Engine::builder().start().expect("the engine starts");
    let text = text.replace("127.0.0.1:1883", "127.0.0.1:0").replace("localhost:1883", "localhost:1");
    let source = SourceText { name: name.to_string(), text };
    engine.session().run(&[source], &mut |_, _| Ok(())).unwrap_or_else(|failure| panic!("{name}: {}", failure.error));
    assert_eq!((engine.running_connectors().len(), engine.listening().len()), (1, usize::from(listens)));
    engine.shutdown(Duration::from_secs(5)).expect("it stops");
}

/// Runs of digits and of bar cells as one sign each, blanks as one.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    for c in line.chars() {
        let sign = if c.is_ascii_digit() {
            '#'
        } else if c == '▌' {
            '█'
        } else {
            c
        };
        if !(matches!(sign, '#' | ' ' | '█') && shape.ends_with(sign)) {
            shape.push(sign);
        }
    }
    shape
}

fn check_demo(shown: &str) {
    let output = run("alcedo demo", root());
    let lines: Vec<String> = output.lines().map(shape).collect();
    for line in shown.lines().filter(|line| *line != "…") {
        assert!(lines.contains(&shape(line)), "the demo does not print `{line}`\n{output}");
    }
}

fn examples() -> Vec<PathBuf> {
    let files = std::fs::read_dir(root().join("examples")).expect("there are examples");
    files.map(|file| file.expect("it can be listed").path()).collect()
}

#[test]
fn every_block_of_the_readme_works() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut ran = 0;
    let mut clusters: Vec<Box<dyn BrokerHandle>> = vec![Box::new(EmbeddedBroker::new().expect("a broker"))];
    match std::env::var_os("ALCEDO_TEST_KAFKA").filter(|jars| !jars.is_empty()) {
        Some(jars) => clusters.push(Box::new(ApacheKafka::new(Path::new(&jars)).expect("a node"))),
        None => eprintln!("skipped 1: the README's cluster block on Apache Kafka (ALCEDO_TEST_KAFKA is not set)"),
    }
    for Block { kind, text } in blocks() {
        match kind.as_str() {
            "sql" => sql(&text, folder.path()),
            "sql check" => {
                let name = name_of(&text);
                std::fs::write(folder.path().join(name), &text).expect("the folder can be written");
                run(&format!("alcedo check {name}"), folder.path());
            }
            "sql test" => std::fs::write(folder.path().join(name_of(&text)), &text).expect("the folder can be written"),
            kind if kind.starts_with("csv ") => {
                std::fs::write(folder.path().join(&kind["csv ".len()..]), text).expect("the folder can be written");
            }
            "sh" => {
                for line in text.lines() {
                    match line {
                        // The first is run by the demo's block and its own tests; the second is what runs this.
                        "cargo run --release -- demo" | "cargo test --release" => {}
                        line if line.split(' ').any(|word| word == "alcedo") => drop(run(line, folder.path())),
                        line => panic!("unknown command in the README: {line}"),
                    }
                }
            }
            "sh kafka" => {
                for cluster in &mut clusters {
                    cluster.start().expect("the cluster starts");
                    let address = cluster.bootstrap();
                    text.lines().for_each(|line| drop(run(&line.replace("localhost:9092", &address), folder.path())));
                    cluster.stop().expect("the cluster stops");
                }
            }
            kind if kind.starts_with("rust ") => {
                std::fs::write(folder.path().join(&kind["rust ".len()..]), &text).expect("the folder can be written");
            }
            "text" => assert!(text.starts_with("/*\n[dependencies]"), "nothing checks this block\n{text}"),
            "rust" => {
                let same = |path: &PathBuf| std::fs::read_to_string(path).is_ok_and(|example| example == text);
                assert!(examples().iter().any(same), "no example is the same as\n{text}");
            }
            "text demo" => check_demo(&text),
            other => panic!("unknown block in the README: {other}\n{text}"),
        }
        ran += 1;
    }
    assert!(ran >= 6, "only {ran} blocks were found");
}

/// Cargo builds the examples before it runs the tests, beside the folder of the test binary.
#[test]
fn the_examples_are_short_and_run() {
    let test = std::env::current_exe().expect("a path");
    let folder = test.parent().and_then(Path::parent).expect("target/release/deps").join("examples");
    for (name, expected) in [("embed", ["88.7", "104"]), ("custom_udf", ["212.0", "Float64"])] {
        let source = std::fs::read_to_string(root().join(format!("examples/{name}.rs"))).expect("it is there");
        assert!(source.lines().count() < 40, "{name}");
        let binary = folder.join(name);
        if !binary.exists() {
            // `cargo test --test tests` builds no examples; the whole `cargo test` does.
            eprintln!("skipped 1: example {name} is not built");
            continue;
        }
        let output = Command::new(binary).output().expect("it starts");
        let out = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        expected.iter().for_each(|text| assert!(out.contains(text), "{name}: {out}"));
    }
}
