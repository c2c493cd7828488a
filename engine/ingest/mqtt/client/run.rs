//! A running client: one connection after the other, and what a user may tell it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hashbrown::HashSet;
use parking_lot::{Condvar, Mutex};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::config::{ClientConfig, Server, Version};
use super::dial::{Carrier, brief, dial};
use super::packets;
use super::protocol::{Beginning, End, Progress, Protocol};
use crate::error::{Error, Result};
use crate::ingest::connector::{LastError, State, backoff};
use crate::ingest::deliver::Deliver;
use crate::ingest::mqtt::counters::ClientCounters;
use crate::ingest::mqtt::inbox::{Intake, Now};
use crate::ingest::mqtt::notice::Notice;
use crate::ingest::mqtt::pipe::Pipe;
use crate::ingest::mqtt::session::Session;

/// How long a connection has to hold, if no message was delivered on it, before the pauses begin anew.
const HOLDS: Duration = Duration::from_secs(10);
/// How soon a record is offered again to a producer that had no room.
const OFFER_AGAIN: Duration = Duration::from_millis(5);
/// Different failures that are told of while there is no connection.
const MAX_TOLD: usize = 20;
/// How long messages under way are waited for when a user pauses.
const PAUSE_PATIENCE: Duration = Duration::from_secs(5);

/// How a client is.
#[derive(Debug, Clone)]
pub struct Status {
    /// What it is doing.
    pub state: State,
    /// The broker it is, or was last, connected to.
    pub broker: Option<String>,
    /// The latest failure to get or to keep a connection.
    pub last_error: Option<LastError>,
}

/// Where a client shows how it is.
#[derive(Debug)]
struct Board {
    status: Mutex<Status>,
    changed: Condvar,
}

/// What a user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Run,
    Pause,
    /// To end by then.
    Stop(Instant),
}

/// A running client. Dropping it closes the connection at once; [`stop`](Self::stop) does it in order.
#[derive(Debug)]
pub struct MqttClient {
    wish: watch::Sender<Wish>,
    board: Arc<Board>,
    counters: Arc<ClientCounters>,
    /// Closes when everything is over.
    over: Mutex<blocking::Receiver<()>>,
}

impl MqttClient {
    /// Starts connecting on `runtime`, unless `paused`, and goes on until it is stopped or dropped. That a broker cannot be reached is no
    /// error here: it may come up later. The status says so.
    ///
    /// # Errors
    /// Of kind external, for a file of TLS that cannot be read or does not hold what it should.
    pub fn start(
        config: ClientConfig,
        deliver: Arc<dyn Deliver>,
        paused: bool,
        runtime: &Handle,
    ) -> Result<MqttClient> {
        let tls = config.servers.iter().any(|server| server.tls).then(|| config.tls.load()).transpose()?;
        // Settings that do not fit into a packet are told at once.
        packets::connect(&config, true, false)?;
        packets::subscribe(&config, true)?;
        let counters = Arc::new(ClientCounters::default());
        let intake = Intake::new(
            config.rules.clone(),
            deliver,
            counters.received.clone(),
            config.notices.clone(),
            config.max_in_flight,
            0,
            false,
        );
        let state = if paused { State::Paused } else { State::Retrying };
        let status = Mutex::new(Status { state, broker: None, last_error: None });
        let board = Arc::new(Board { status, changed: Condvar::new() });
        let (wish, wishes) = watch::channel(if paused { Wish::Pause } else { Wish::Run });
        let (over_sender, over) = blocking::channel();
        let mut runner = Runner {
            v5: config.version != Version::V311,
            config: Arc::new(config),
            tls,
            intake: Arc::new(intake),
            counters: counters.clone(),
            board: board.clone(),
            wishes,
            session: None,
            spoken: false,
            known: false,
            told: HashSet::new(),
            failures: 0,
        };
        runtime.spawn(async move {
            runner.run().await;
            drop(over_sender);
        });
        Ok(MqttClient { wish, board, counters, over: Mutex::new(over) })
    }

    /// How it is.
    pub fn status(&self) -> Status {
        self.board.status.lock().clone()
    }

    /// What it has seen. The counters stay readable after its end.
    pub fn counters(&self) -> &Arc<ClientCounters> {
        &self.counters
    }

    /// Disconnects, after what is under way is acknowledged, and waits for that a few seconds at most. The broker keeps the
    /// session. Not for a thread of the runtime.
    pub fn pause(&self) {
        self.wish.send_if_modified(|wish| {
            let runs = *wish == Wish::Run;
            if runs {
                *wish = Wish::Pause;
            }
            runs
        });
        let until = std::time::Instant::now() + PAUSE_PATIENCE + Duration::from_secs(2);
        let mut status = self.board.status.lock();
        while status.state != State::Paused && *self.wish.borrow() == Wish::Pause {
            if self.board.changed.wait_until(&mut status, until).timed_out() {
                break;
            }
        }
    }

    /// Connects again after a pause.
    pub fn resume(&self) {
        self.wish.send_if_modified(|wish| {
            let paused = *wish == Wish::Pause;
            if paused {
                *wish = Wish::Run;
            }
            paused
        });
    }

    /// Acknowledges what is delivered within `patience`, and ends. The broker keeps the session for the next start. Waits
    /// for the end, at most three seconds longer than `patience`; not for a thread of the runtime.
    pub fn stop(&self, patience: Duration) {
        self.wish.send_replace(Wish::Stop(Instant::now() + patience));
        let _ = self.over.lock().recv_timeout(patience + Duration::from_secs(3));
    }
}

struct Runner {
    config: Arc<ClientConfig>,
    tls: Option<Arc<rustls::ClientConfig>>,
    intake: Arc<Intake>,
    counters: Arc<ClientCounters>,
    board: Arc<Board>,
    wishes: watch::Receiver<Wish>,
    /// What the connection before left.
    session: Option<Session>,
    /// Which version is tried next.
    v5: bool,
    /// Whether a broker has spoken that version with us.
    spoken: bool,
    /// Whether a connection was subscribed in this run.
    known: bool,
    /// The failures that were told of since there was a connection; with several servers they take turns.
    told: HashSet<String>,
    /// Failures in a row.
    failures: u32,
}

impl Runner {
    async fn run(&mut self) {
        loop {
            // A client that was dropped leaves at once.
            if self.wishes.has_changed().is_err() {
                break self.set_state(State::Paused);
            }
            let wish = *self.wishes.borrow_and_update();
            match wish {
                Wish::Run => self.try_servers().await,
                Wish::Pause => {
                    self.set_state(State::Paused);
                    let _ = self.wishes.changed().await;
                }
                Wish::Stop(_) => break self.set_state(State::Paused),
            }
        }
    }

    fn set_state(&self, state: State) {
        self.board.status.lock().state = state;
        self.board.changed.notify_all();
    }

    /// One attempt with each server until one holds, and a pause after a failure.
    async fn try_servers(&mut self) {
        self.set_state(State::Retrying);
        let config = self.config.clone();
        for server in &config.servers {
            let delivered = self.counters.received.delivered();
            let began = Instant::now();
            let Some(end) = self.connect(server).await else { return };
            if self.counters.received.delivered() > delivered || began.elapsed() >= HOLDS {
                self.failures = 0;
            }
            self.failed(server, end);
            if !matches!(*self.wishes.borrow(), Wish::Run) || self.wishes.has_changed().is_err() {
                return;
            }
        }
        let pause = self.pause();
        tokio::select! {
            () = sleep(jittered(pause)) => {}
            _ = self.wishes.changed() => {}
        }
    }

    /// The pause before the next attempt.
    fn pause(&self) -> Duration {
        backoff(self.failures).min(self.config.backoff_max)
    }

    fn failed(&mut self, server: &Server, end: End) {
        self.failures = self.failures.saturating_add(1);
        let text = format!("MQTT broker {server}: {}", end.text);
        self.set_state(State::Retrying);
        let full = match end.hint {
            Some(hint) => format!("{text}. {hint}"),
            None => text,
        };
        self.board.status.lock().last_error = Some(LastError::now(&Error::external(full.clone())));
        if self.told.len() < MAX_TOLD && self.told.insert(full.clone()) {
            let again = self.pause();
            self.intake.notices.say(|| Notice::Disconnected { error: full, again });
        }
    }

    /// One connection to its end; nothing when a user ended it.
    async fn connect(&mut self, server: &Server) -> Option<End> {
        let dialed = tokio::select! {
            dialed = dial(&self.config, server, self.tls.as_ref()) => dialed,
            _ = self.wishes.changed() => return None,
        };
        let stream = match dialed {
            Ok(stream) => stream,
            Err(end) => {
                self.counters.connect_failures.up();
                return Some(end);
            }
        };
        let beginning = Beginning { v5: self.v5, subscribe: !self.known, session: self.session.take() };
        let protocol = Protocol::new(self.config.clone(), self.intake.clone(), beginning, Instant::now());
        let protocol = match protocol {
            Ok(protocol) => protocol,
            Err(error) => return Some(End::new(error.to_string())),
        };
        let timer = Box::pin(sleep_until(Instant::now()));
        let mut link = Link { pipe: Pipe::new(stream), protocol, timer, heard: false };
        let end = self.drive(&mut link, server).await;
        let accepted = link.protocol.resumed().is_some();
        if !accepted {
            self.counters.connect_failures.up();
        }
        let (mut out, session) = link.protocol.close(end.as_ref().map_or(0, |end| end.reason));
        self.session = session;
        self.counters.outstanding.set(0);
        // Whoever asked for the end gets the rest of the time; nothing new is read.
        link.pipe.goodbye(&mut out).await;
        // A broker that does not know MQTT 5 says so, or just closes.
        let silent = end.is_some() && !link.heard;
        let refused = end.as_ref().is_some_and(|end| end.other_version);
        if self.config.version == Version::Either && !self.spoken && (refused || silent) {
            self.v5 = !self.v5;
        }
        end
    }

    /// Moves bytes and time until the connection ends; nothing when a user ended it.
    async fn drive(&mut self, link: &mut Link, server: &Server) -> Option<End> {
        let mut told = false;
        let mut leaving: Option<Instant> = None;
        loop {
            let now = Instant::now();
            if let Err(end) = link.protocol.settle() {
                return Some(end);
            }
            let reading = match link.take(now, leaving.is_some()) {
                Ok(reading) => reading,
                Err(end) => return Some(end),
            };
            self.counters.outstanding.set(link.protocol.outstanding() as u64);
            if link.protocol.is_open() && !told {
                told = true;
                self.opened(&link.protocol, server);
            }
            if leaving.is_some_and(|by| now >= by || link.protocol.outstanding() == 0) {
                return None;
            }
            let event = tokio::select! {
                biased;
                changed = self.wishes.changed() => if changed.is_ok() { Event::Wish } else { Event::Gone },
                event = poll_fn(|cx| link.poll(cx, reading, leaving)) => event,
            };
            match event {
                Event::Wish => match *self.wishes.borrow_and_update() {
                    Wish::Run => leaving = None,
                    Wish::Pause => leaving = Some(now + PAUSE_PATIENCE),
                    Wish::Stop(by) => leaving = Some(by),
                },
                Event::Gone => return None,
                Event::Settled => {}
                Event::Sent => link.protocol.sent(Instant::now()),
                Event::Read(0) => return Some(End::new("it closed the connection")),
                Event::Read(bytes) => {
                    link.heard = true;
                    self.counters.bytes.add(bytes as u64);
                }
                Event::Lost(error) => {
                    return Some(End::new(format!("the connection is lost: {}", brief(&error))));
                }
                Event::Timer => {
                    link.protocol.offer_again();
                    if let Err(end) = link.protocol.check_time(reading, Instant::now()) {
                        return Some(end);
                    }
                }
            }
        }
    }

    /// Notes that a connection is open and subscribed.
    fn opened(&mut self, protocol: &Protocol, server: &Server) {
        let resumed = protocol.resumed() == Some(true);
        let counters = &self.counters;
        if counters.connections.up() > 0 {
            counters.reconnects.up();
        }
        let lost = self.known && !resumed && !self.config.clean;
        if resumed {
            counters.sessions_resumed.up();
        }
        if lost {
            counters.sessions_lost.up();
            self.intake.notices.say(|| Notice::SessionLost { broker: server.to_string() });
        }
        self.known = true;
        self.spoken = true;
        self.told.clear();
        let mut status = self.board.status.lock();
        status.state = State::Running;
        status.broker = Some(server.to_string());
        drop(status);
        self.board.changed.notify_all();
        let version = if self.v5 { "5" } else { "3.1.1" };
        self.intake.notices.say(|| Notice::Connected { broker: server.to_string(), version, resumed });
    }
}

/// A connection with its state.
struct Link {
    pipe: Pipe<Box<dyn Carrier>>,
    protocol: Protocol,
    timer: Pin<Box<Sleep>>,
    /// Whether the broker has said anything.
    heard: bool,
}

/// What woke a connection.
enum Event {
    Wish,
    /// Whoever held the client dropped it.
    Gone,
    Settled,
    /// Bytes went out, and there may be room to read again.
    Sent,
    Read(usize),
    Timer,
    Lost(std::io::Error),
}

impl Link {
    /// Takes what has been read, and says whether to read on.
    fn take(&mut self, now: Instant, leaving: bool) -> Result<bool, End> {
        if leaving {
            return Ok(false);
        }
        match self.protocol.feed(&mut self.pipe.input, Now { instant: now, wall_ms: wall_ms() })? {
            Progress::NeedMore(bytes) => {
                self.pipe.make_room(bytes);
                Ok(true)
            }
            Progress::Blocked => Ok(false),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, reading: bool, leaving: Option<Instant>) -> Poll<Event> {
        if self.protocol.poll_settled(cx).is_ready() {
            return Poll::Ready(Event::Settled);
        }
        match self.pipe.poll_send(&mut self.protocol.out, cx) {
            Poll::Ready(Err(error)) => return Poll::Ready(Event::Lost(error)),
            Poll::Ready(Ok(sent)) if sent > 0 => return Poll::Ready(Event::Sent),
            _ => {}
        }
        if reading && let Poll::Ready(read) = self.pipe.poll_read(cx) {
            return Poll::Ready(read.map_or_else(Event::Lost, Event::Read));
        }
        let mut wake = [self.protocol.deadline(reading), leaving].into_iter().flatten().min();
        if self.protocol.holds_record() {
            let again = Instant::now() + OFFER_AGAIN;
            wake = Some(wake.map_or(again, |wake| wake.min(again)));
        }
        if let Some(wake) = wake {
            if wake < self.timer.deadline() || self.timer.is_elapsed() {
                self.timer.as_mut().reset(wake);
            }
            if self.timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Event::Timer);
            }
        }
        Poll::Pending
    }
}

/// A pause shortened by up to a quarter, so that clients which lost the same broker do not all come back at once.
fn jittered(pause: Duration) -> Duration {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    pause.mul_f64(1.0 - f64::from(nanos % 1000) / 4000.0)
}

fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
