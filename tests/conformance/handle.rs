//! A broker as the checks see it: an address, and a process that can be killed and started again over the same data.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One broker in a child process. The address stays the same over its whole life, restarts included.
pub trait BrokerHandle {
    /// The broker's name in messages.
    fn name(&self) -> &'static str;
    /// `HOST:PORT`.
    fn bootstrap(&self) -> String;
    /// Starts the process over the data that is there and returns once it serves requests.
    fn start(&mut self) -> Result<(), String>;
    /// SIGKILL, and waits for the process to be gone.
    fn kill(&mut self) -> Result<(), String>;
    /// SIGTERM, and waits for the process to end by itself.
    fn stop(&mut self) -> Result<(), String>;
    /// Kills and starts again: what a crash and its recovery look like from outside.
    fn restart(&mut self) -> Result<(), String> {
        self.kill()?;
        self.start()
    }
    /// Whether the window of the last five batches outlives a crash. Kafka's snapshots keep a producer's last batch only.
    fn keeps_the_whole_window(&self) -> bool {
        true
    }
    /// Whether where a partition begins after DeleteRecords outlives a crash. Kafka notes it once a minute and on a clean stop.
    fn notes_the_start_at_once(&self) -> bool {
        true
    }
    /// The last lines that the process wrote, for the report of a failed check.
    fn last_words(&self) -> String;
}

/// A child process whose output is read all the time (a full pipe would stop it) and whose last lines are kept.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    kept: Arc<Mutex<VecDeque<String>>>,
}

const KEPT_LINES: usize = 30;

impl Process {
    /// Starts `command` and waits until it prints a line that contains `ready`.
    pub fn start(command: Command, ready: &str, within: Duration) -> Result<Process, String> {
        let mut process = Process::spawn(command)?;
        process.wait_for_line(ready, within)?;
        Ok(process)
    }

    /// Starts `command` and does not wait.
    pub fn spawn(mut command: Command) -> Result<Process, String> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("cannot start {:?}: {e}", command.get_program()))?;
        let (sender, lines) = channel();
        let kept = Arc::new(Mutex::new(VecDeque::new()));
        if let Some(stdout) = child.stdout.take() {
            drain(stdout, sender.clone(), kept.clone());
        }
        if let Some(stderr) = child.stderr.take() {
            drain(stderr, sender, kept.clone());
        }
        Ok(Process { child, lines, kept })
    }

    fn wait_for_line(&mut self, ready: &str, within: Duration) -> Result<(), String> {
        let deadline = Instant::now() + within;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(ready) => return Ok(()),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("no line with {ready:?} within {within:?}\n{}", self.last_words()));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!("it ended while starting\n{}", self.last_words()));
                }
            }
        }
    }

    /// SIGKILL, then waits.
    pub fn kill(&mut self) -> Result<(), String> {
        self.child.kill().map_err(|e| format!("cannot kill the process: {e}"))?;
        self.child.wait().map(drop).map_err(|e| format!("cannot wait for the process: {e}"))
    }

    /// Its exit status, when it has ended by itself.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, String> {
        self.child.try_wait().map_err(|e| format!("cannot look at the process: {e}"))
    }

    /// SIGTERM, then waits up to `within` for its exit status.
    pub fn stop(&mut self, within: Duration) -> Result<ExitStatus, String> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").arg(&pid).status().map_err(|e| format!("cannot run kill: {e}"))?;
        if !sent.success() {
            return Err(format!("cannot send SIGTERM to {pid}"));
        }
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(format!("it did not end within {within:?} after SIGTERM"));
            }
            std::thread::sleep(Duration::from_millis(5)); // The interval between two looks, not a wait for luck.
        }
    }

    /// The newest lines of both outputs.
    pub fn last_words(&self) -> String {
        let kept = self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        kept.iter().map(|line| format!("  | {line}\n")).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn drain(output: impl Read + Send + 'static, lines: Sender<String>, kept: Arc<Mutex<VecDeque<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { break };
            let mut kept = kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if kept.len() == KEPT_LINES {
                kept.pop_front();
            }
            kept.push_back(line.clone());
            drop(kept);
            let _ = lines.send(line);
        }
    });
}

/// The first of `count` neighbouring ports that are free now and will not be given away meanwhile.
///
/// The kernel hands out ports from 32768 up to outgoing connections. A client that reconnects while its broker is down
/// may even connect to itself there, and then the broker cannot have its port back; so these ports lie below that range.
pub fn free_ports(count: u16) -> u16 {
    const FIRST: u16 = 20_000;
    const SPAN: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that run at the same time begin at different places.
    let base = (std::process::id() % 1_000) as u16 * 12;
    loop {
        let start = FIRST + (base + NEXT.fetch_add(count, Ordering::Relaxed)) % (SPAN - count);
        if (start..start + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return start;
        }
    }
}
