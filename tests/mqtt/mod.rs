//! The client connector against a real MQTT broker, mosquitto. Where it is not installed the tests are counted as skipped.
//!
//! `loss` loses nothing while the broker is restarted and this program killed; `statements` is what a user does with the
//! connector. This file runs mosquitto, and a device that publishes and insists on its acknowledgements.

mod loss;
mod statements;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::conformance::handle::free_ports;
use crate::harness::DEADLINE;

/// Where mosquitto is, or a line that says that a test is skipped.
fn mosquitto() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push("/usr/sbin".into());
    let found = folders.into_iter().map(|folder| folder.join("mosquitto")).find(|file| file.is_file());
    if found.is_none() {
        eprintln!("skipped 1: mosquitto is not installed");
    }
    found
}

/// Waits until `condition` holds.
#[track_caller]
fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    wait_within(DEADLINE, || what.to_string(), condition);
}

/// Waits until `condition` holds, at most `patience`.
#[track_caller]
fn wait_within(patience: Duration, what: impl Fn() -> String, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {patience:?}: {}", what());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A broker with a folder of its own, which keeps what it is given over a restart.
struct Mosquitto {
    program: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

impl Mosquitto {
    /// Starts one that keeps every message, with more lines of configuration if they are wanted.
    fn start(program: &Path, more: &str) -> Mosquitto {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let port = free_ports(1);
        let anonymous = !more.contains("allow_anonymous");
        let configuration = format!(
            "listener {port} 127.0.0.1\npersistence true\npersistence_location {}/\nmax_queued_messages 0\n\
             autosave_interval 0\nuser root\n{}{more}\n",
            folder.path().display(),
            if anonymous { "allow_anonymous true\n" } else { "" },
        );
        std::fs::write(folder.path().join("mosquitto.conf"), configuration).expect("the folder can be written");
        let mut mosquitto = Mosquitto { program: program.to_path_buf(), folder, port, child: None };
        mosquitto.up();
        mosquitto
    }

    /// Starts it again, and waits until it accepts.
    fn up(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("log")).expect("the folder can be written");
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(self.folder.path().join("mosquitto.conf")).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        self.child = Some(command.spawn().expect("mosquitto starts"));
        let said = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        wait_within(
            DEADLINE,
            || format!("mosquitto accepts\n{}", said()),
            || TcpStream::connect(("127.0.0.1", self.port)).is_ok(),
        );
    }

    /// Stops it in order, with what it keeps written down.
    fn down(&mut self) {
        let mut child = self.child.take().expect("it runs");
        let sent = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status();
        assert!(sent.expect("kill can be run").success());
        wait_until("mosquitto ends", || child.try_wait().expect("it is our child").is_some());
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Messages sent and not acknowledged at a time.
const WINDOW: usize = 100;

/// A device that publishes the numbers from 1 on at QoS 1, each until it is acknowledged, over as many connections as that
/// takes. It is a socket and nothing else, so that no client's ideas of a session get in between.
struct Device {
    allowed: Arc<AtomicUsize>,
    acknowledged: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Device {
    /// Publishes to `topic`, as far as it is [allowed](Self::allow), until `count` are acknowledged.
    fn start(port: u16, topic: &'static str, count: usize) -> Device {
        let (allowed, acknowledged) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (may, done) = (allowed.clone(), acknowledged.clone());
        let thread = std::thread::spawn(move || {
            let deadline = Instant::now() + DEADLINE * 10;
            while done.load(Ordering::SeqCst) < count {
                assert!(Instant::now() < deadline, "the broker never acknowledged everything");
                // Whatever ends a connection, the next one begins with the first message that is not acknowledged.
                let _ = publish(port, topic, count, &may, &done);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Device { allowed, acknowledged, thread: Some(thread) }
    }

    /// Lets it publish up to this number.
    fn allow(&self, number: usize) {
        self.allowed.store(number, Ordering::SeqCst);
    }

    fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::SeqCst)
    }

    fn finish(mut self) {
        self.thread.take().expect("it runs").join().expect("it publishes everything");
    }
}

fn publish(
    port: u16,
    topic: &str,
    count: usize,
    allowed: &AtomicUsize,
    acknowledged: &AtomicUsize,
) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    // A turn without an answer looks again at what is allowed.
    stream.set_read_timeout(Some(Duration::from_millis(10)))?;
    stream.write_all(b"\x10\x12\0\x04MQTT\x04\x02\0\0\0\x06device")?;
    let (mut answers, mut connected) = (Vec::new(), false);
    let first = acknowledged.load(Ordering::SeqCst);
    let mut sent = first;
    loop {
        while connected
            && sent < allowed.load(Ordering::SeqCst).min(count)
            && sent - acknowledged.load(Ordering::SeqCst) < WINDOW
        {
            sent += 1;
            let mut body = (topic.len() as u16).to_be_bytes().to_vec();
            body.extend(topic.as_bytes());
            body.extend((((sent - 1) % 60_000) as u16 + 1).to_be_bytes());
            body.extend(sent.to_string().bytes());
            stream.write_all(&[&[0x32, u8::try_from(body.len()).expect("it is short")][..], &body].concat())?;
        }
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(read) => answers.extend_from_slice(&bytes[..read]),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        // CONNACK and PUBACK have four bytes each; mosquitto acknowledges in order.
        for answer in answers.chunks_exact(4) {
            match answer[0] {
                0x20 => connected = answer[3] == 0,
                0x40 => {
                    let next = acknowledged.load(Ordering::SeqCst) % 60_000 + 1;
                    assert_eq!(usize::from(u16::from_be_bytes([answer[2], answer[3]])), next, "out of order");
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                }
                other => panic!("an answer of type {other:#x}"),
            }
        }
        answers.drain(..answers.len() / 4 * 4);
        if acknowledged.load(Ordering::SeqCst) == count {
            return stream.write_all(&[0xE0, 0]);
        }
    }
}
