//! `alcedo demo` as a newcomer runs it, with its output in a pipe.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_alcedo");

/// Runs a command line as a shell would, in the project's folder, with `input` on its standard input.
fn shell(line: &str, input: &str) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("CARGO_MANIFEST_DIR");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("there is a shell");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("the program reads its input");
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The number behind a name of the summary.
fn fact(output: &str, name: &str) -> usize {
    let rest = output.lines().find_map(|line| line.trim_start().strip_prefix(name));
    let rest = rest.unwrap_or_else(|| panic!("no {name} in\n{output}"));
    rest.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{name}:{rest}"))
}

/// The compiler's optimisation of this crate decides how fast a demo can be.
fn allowed() -> Duration {
    let optimised = std::env::var_os("ALCEDO_TEST_UNOPTIMISED").is_none() && !cfg!(debug_assertions);
    Duration::from_secs(if optimised { 10 } else { 30 })
}

#[test]
fn the_demo_ends_by_itself_and_everything_it_published_came_out() {
    let begun = Instant::now();
    let output = shell(&format!("{BINARY} demo"), "");
    let took = begun.elapsed();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    assert!(took < allowed(), "took {took:?}");
    assert!(!out.contains(['\x1b', '\r']) && !err.contains(['\x1b', '\r']), "{out}\n{err}");
    assert!(out.lines().all(|line| line.starts_with("  ") && line.contains(BINARY) || line.chars().count() <= 80));

    let demo_line = out.lines().find(|line| line.trim_start().starts_with("99999 ")).expect("the demo line is shown");
    let score: f64 = demo_line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("it has a score");
    assert!(((score - 1.2104138026620321) / 1.2104138026620321).abs() <= 1e-14, "{demo_line}");

    assert_eq!(fact(&out, "messages in"), 3001);
    assert_eq!(fact(&out, "rows out"), 3001);
    assert!(out.contains("ANOMALYDETECTION 3001, ANOMALYSCORE 3001"), "{out}");
    let anomalies = fact(&out, "anomalies");
    assert!(anomalies > 0 && anomalies < 3001);
    assert!(out.contains(&format!("ANOMALYDETECTIONWITHFILTER {anomalies}")), "{out}");
    assert_eq!(fact(&out, "printed"), anomalies);
}

#[test]
fn the_three_things_to_try_next_work_as_they_are_printed() {
    let output = shell(&format!("{BINARY} demo --messages 50"), "");
    let out = text(&output.stdout);
    let lines: Vec<&str> = out.lines().skip_while(|line| *line != "Try next").skip(1).collect();
    assert_eq!(lines.len(), 3, "{out}");
    for line in lines {
        let input = "SELECT eventid, anomaly FROM anomalydetection EMIT CHANGES LIMIT 3;";
        let output = shell(line, if line.contains("--shell") { input } else { "" });
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{line}\n{out}\n{err}");
        let expected = match line {
            line if line.contains("--shell") => "99999",
            line if line.contains("10000") => "10001",
            _ => "ANOMALY",
        };
        assert!(out.contains(expected), "{line}\n{out}\n{err}");
    }
}

#[test]
fn an_interrupt_ends_the_demo_cleanly() {
    let output = shell(&format!("{BINARY} demo & pid=$!; sleep 1; kill -INT $pid; wait $pid"), "");
    // A shell without job control starts background commands with interrupts ignored; the handler is installed anyway.
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    assert!(out.ends_with("stopped\n"), "{out}\n{err}");
}
