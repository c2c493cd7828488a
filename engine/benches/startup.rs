//! Start-up and idle memory of the binary, on the embedded broker in memory. `cargo bench --bench startup`.
//!
//! Each time is from the start of the process to the line on its standard output, over several runs.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 15;

const PUSH: &str = "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON');
INSERT INTO s (id) VALUES (1);
SELECT id FROM s EMIT CHANGES LIMIT 1;
";

const PERSISTENT: &str = "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON');
INSERT INTO s (id) VALUES (1);
CREATE STREAM t AS SELECT id + 1 AS id FROM s;
SELECT id FROM t EMIT CHANGES LIMIT 1;
";

fn main() {
    times("first row of a push query", PUSH);
    times("first output of a persistent query", PERSISTENT);
    idle();
    let size = std::fs::metadata(env!("CARGO_BIN_EXE_alcedo")).map(|file| file.len()).unwrap_or(0);
    println!("binary, with its symbols: {:.1} MB", size as f64 / 1e6);
}

fn times(what: &str, sql: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.sql");
    std::fs::write(&file, sql).expect("a SQL file");
    let mut millis: Vec<f64> = (0..RUNS).map(|_| first_line(&file).as_secs_f64() * 1e3).collect();
    millis.sort_by(f64::total_cmp);
    println!("{what}: median {:.0} ms, slowest of {RUNS} {:.0} ms", millis[RUNS / 2], millis[RUNS - 1]);
}

fn first_line(file: &std::path::Path) -> Duration {
    let began = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_alcedo"));
    command.args(["run", "--output", "json"]).arg(file).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the binary starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("stdout is piped")).read_line(&mut line).expect("a line");
    let took = began.elapsed();
    assert!(line.starts_with('{'), "{line}");
    let _ = child.kill();
    let _ = child.wait();
    took
}

/// Memory of a shell that waits for statements, a second after it said that it is there.
fn idle() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alcedo"));
    command.arg("repl").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut line = String::new();
    BufReader::new(child.stderr.take().expect("stderr is piped")).read_line(&mut line).expect("a line");
    std::thread::sleep(Duration::from_secs(1));
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let megabytes = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|number| number.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    };
    println!("idle shell: anonymous {:.1} MB, resident {:.1} MB", megabytes("RssAnon"), megabytes("VmRSS"));
    let _ = child.kill();
    let _ = child.wait();
}
