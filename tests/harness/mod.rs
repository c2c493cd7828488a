//! Runs the built binary in a fresh folder and collects what it says, with deadlines instead of pauses.
//!
//! - [`Case`]: a folder with files, removed at the end
//! - [`Ran`]: exit code, standard output and standard error of a process that ended
//! - [`Live`]: a process that runs: its output so far, signals, and its end
//! - [`screen`]: a process on a terminal, and what the terminal shows

pub mod screen;

/// The libraries of `udfs/`.
pub mod udfs;

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long anything may take; far more than it needs, for a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(180);

/// A folder of its own for one test.
pub struct Case {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// A process that ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; 128 and the signal's number when a signal ended it.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error, with ports replaced.
    pub err: String,
}

impl Ran {
    /// Fails, showing everything, unless the process ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "exit code\n-- stdout\n{}\n-- stderr\n{}", self.out, self.err);
        self
    }

    /// Fails, showing everything, unless standard error holds the text.
    #[track_caller]
    pub fn says(self, text: &str) -> Ran {
        assert!(self.err.contains(text), "missing {text:?}\n-- stdout\n{}\n-- stderr\n{}", self.out, self.err);
        self
    }

    /// Lines of standard output in alphabetical order, for rows of several partitions.
    pub fn sorted(&self) -> Vec<&str> {
        let mut lines: Vec<&str> = self.out.lines().collect();
        lines.sort_unstable();
        lines
    }
}

impl Case {
    /// An empty folder.
    pub fn new() -> Case {
        Case { folder: tempfile::tempdir().expect("a temporary folder can be made"), environment: Vec::new() }
    }

    /// Writes a file of the folder.
    pub fn file(self, name: &str, text: &str) -> Case {
        std::fs::write(self.path(name), text).expect("a file of the folder can be written");
        self
    }

    /// Sets an environment variable for the processes.
    pub fn variable(mut self, name: &str, value: &str) -> Case {
        self.environment.push((name.to_string(), value.to_string()));
        self
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the binary to its end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.start(arguments, None).finish()
    }

    /// Runs the binary to its end with this text on standard input.
    #[track_caller]
    pub fn pipe(&self, arguments: &[&str], input: &str) -> Ran {
        self.start(arguments, Some(input)).finish()
    }

    /// Starts the binary.
    pub fn spawn(&self, arguments: &[&str]) -> Live {
        self.start(arguments, None)
    }

    fn start(&self, arguments: &[&str], input: Option<&str>) -> Live {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alcedo"));
        command.args(arguments).current_dir(self.folder.path()).env("NO_COLOR", "1").env("LC_ALL", "C.UTF-8");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the built binary starts");
        if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
            // A process that ends before it has read everything is for the test to judge.
            let _ = std::io::Write::write_all(&mut stdin, text.as_bytes());
        }
        let out = Collector::of(child.stdout.take().expect("standard output is a pipe"));
        let err = Collector::of(child.stderr.take().expect("standard error is a pipe"));
        Live { child, out, err }
    }
}

/// A running process; killed when dropped.
pub struct Live {
    child: Child,
    out: Collector,
    err: Collector,
}

impl Live {
    /// Waits until standard error holds the text.
    #[track_caller]
    pub fn wait_err(&self, text: &str) -> &Live {
        self.wait_for(text, &self.err);
        self
    }

    /// Waits until standard output holds the text.
    #[track_caller]
    pub fn wait_out(&self, text: &str) -> &Live {
        self.wait_for(text, &self.out);
        self
    }

    #[track_caller]
    fn wait_for(&self, text: &str, collector: &Collector) {
        let deadline = Instant::now() + DEADLINE;
        while !collector.text().contains(text) {
            let so_far = || format!("-- stdout\n{}\n-- stderr\n{}", self.out.text(), self.err.text());
            assert!(Instant::now() < deadline, "never said {text:?}\n{}", so_far());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The address that follows `before` on standard error or standard output.
    #[track_caller]
    pub fn address(&self, before: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let said = self.out.text() + &self.err.text();
            let found = said.split_once(before).map(|(_, rest)| rest);
            // A character behind it shows that the address is whole.
            if let Some(rest) = found
                && let Some(end) = rest.find(|c: char| c.is_whitespace() || c == ';')
            {
                return rest[..end].to_string();
            }
            assert!(Instant::now() < deadline, "no address behind {before:?}\n{said}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Standard error so far, for what a test says when it fails.
    pub fn err_so_far(&self) -> String {
        self.err.text()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, by its name as `kill` knows it.
    pub fn signal(&self, name: &str) -> &Live {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(sent.expect("kill can be run").success(), "signal {name} could not be sent");
        self
    }

    /// The exit code, if the process ends in time.
    pub fn ended_within(&self, wait: Duration) -> Option<i32> {
        let deadline = Instant::now() + wait;
        let path = format!("/proc/{}/stat", self.id());
        loop {
            // A process that has ended stays as a zombie until it is waited for; field 52 is its exit status then.
            let stat = std::fs::read_to_string(&path).ok()?;
            let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
            if fields.first() == Some(&"Z") {
                let status: i32 = fields.get(49)?.parse().ok()?;
                return Some(status >> 8);
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the process ends.
    #[track_caller]
    pub fn finish(mut self) -> Ran {
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the process is our child") {
                break status;
            }
            if Instant::now() >= deadline {
                let _ = self.child.kill();
                panic!("never ended\n-- stdout\n{}\n-- stderr\n{}", self.out.text(), self.err.text());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Ran { code: code(status), out: self.out.whole(), err: without_ports(&self.err.whole()) }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn without_ports(text: &str) -> String {
    let port = regex::Regex::new(r"127\.0\.0\.1:\d+").expect("a valid expression");
    port.replace_all(text, "127.0.0.1:PORT").into_owned()
}

/// What a pipe gave so far, read by a thread.
struct Collector {
    text: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    fn of(mut pipe: impl Read + Send + 'static) -> Collector {
        let text = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&text);
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read) = pipe.read(&mut buffer)
                && read > 0
            {
                into.lock().expect("no reader panics").extend_from_slice(&buffer[..read]);
            }
        });
        Collector { text, thread: Some(thread) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().expect("no reader panics")).into_owned()
    }

    fn whole(&mut self) -> String {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.text()
    }
}
