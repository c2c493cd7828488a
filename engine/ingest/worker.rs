//! A connector whose source is read by one thread and written in transactions: files, generated readings.
//!
//! The thread fills a batch from its [`Source`], writes it, and every `COMMIT_INTERVAL` commits it together with the
//! source's position. A process that dies leaves an open transaction, which its successor ends before it reads the position:
//! so every record is in its topic exactly once. Without transactions (`processing.guarantee`) the position is written when
//! the records are delivered: none is lost, some may come twice.
//!
//! Whatever fails, the thread throws the open transaction away, goes back to the last position and starts over after a pause:
//! one way to recover. It gives up only where a person has to do something, or where another process has taken over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::connector::{DELIVERED, Host, LastError, RunningConnector, State, backoff};
use super::control::{Control, Wish};
use super::positions::{PositionLog, Positions};
use crate::error::{Error, Kind, Result};
use crate::kafka::{Failure, Interrupter, Writer};
use crate::record::OutBatch;

/// How long records wait for their commit.
const COMMIT_INTERVAL: Duration = Duration::from_millis(100);

/// A source that has nothing for so long has its records committed at once.
const IDLE: Duration = Duration::from_millis(20);

/// How long a transaction may be open without a word.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a pause waits for its commit.
const PAUSE_PATIENCE: Duration = Duration::from_secs(5);

/// What a source gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// There is more.
    More,
    /// Nothing more for so long.
    Wait(Duration),
    /// Nothing more ever.
    End,
}

/// Something to read records from, in one thread.
pub trait Source: Send + 'static {
    /// Goes to the positions that were kept last, or to its beginning; called at the start, and again after every failure.
    ///
    /// # Errors
    /// Why it cannot be read; it is tried again, unless the error is hopeless.
    fn open(&mut self, positions: &Positions) -> Result<()>;

    /// Adds the next records to a batch that is empty. A bad one is reported by the source and left out; it is an error only
    /// when the source as a whole cannot be read.
    fn fill(&mut self, batch: &mut OutBatch) -> Result<Fill>;

    /// The positions behind everything filled so far, of those parts that have moved.
    fn positions(&mut self) -> Result<Positions>;

    /// Everything filled so far is safe.
    fn committed(&mut self) {}

    /// The source is at its end and safe whole.
    fn finished(&mut self) {}
}

/// What others may know of a source while its thread works.
pub trait Progress: Send + Sync + 'static {
    /// Its counts, without [`DELIVERED`].
    fn counts(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// More to say about it.
    fn facts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// A running source.
pub struct Worker {
    core: Arc<Core>,
    progress: Arc<dyn Progress>,
}

struct Core {
    host: Host,
    topic: Arc<str>,
    control: Control,
    delivered: AtomicU64,
    log: PositionLog,
    /// Ends the waits of the writer at work.
    interrupter: Mutex<Option<Interrupter>>,
}

/// Why a round of work ended.
enum Trouble {
    /// It is worth another try.
    Again(Error),
    /// It is not.
    Hopeless(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        // What depends on the cluster or the source may pass; what a person has to change does not.
        match error.is_hopeless() || matches!(error.kind(), Kind::Data | Kind::Internal) {
            true => Trouble::Hopeless(error),
            false => Trouble::Again(error),
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        match failure {
            Failure::Fenced(error) => Trouble::Hopeless(
                Error::external("another process of this service runs the connector now").detail(error.to_string()),
            ),
            Failure::Abort(error) | Failure::Fatal(error) => error.into(),
        }
    }
}

impl Worker {
    /// Starts the thread of a source that writes to a topic.
    ///
    /// # Errors
    /// When the positions topic cannot be made or a thread cannot be started.
    pub fn start(
        host: Host,
        topic: &str,
        source: impl Source,
        progress: Arc<dyn Progress>,
    ) -> Result<Arc<dyn RunningConnector>> {
        let log = PositionLog::new(&host.service, &host.name);
        log.ensure(&host.admin)?;
        let core = Arc::new(Core {
            topic: Arc::from(topic),
            control: Control::new(host.paused),
            delivered: AtomicU64::new(0),
            interrupter: Mutex::new(None),
            log,
            host,
        });
        let of_thread = Arc::clone(&core);
        std::thread::Builder::new()
            .name("connector".into())
            .spawn(move || {
                // The end is told even when the source panics.
                let _end = End(&of_thread.control);
                of_thread.work(source);
            })
            .map_err(|error| Error::external("a thread cannot be started").with_source(error))?;
        Ok(Arc::new(Worker { core, progress }))
    }
}

struct End<'a>(&'a Control);

impl Drop for End<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(State::Failed, &Error::internal("the connector's thread panicked"));
        }
        self.0.end();
    }
}

impl Core {
    fn work(&self, mut source: impl Source) {
        let (name, notices) = (&self.host.name, &self.host.notices);
        let mut failures = 0;
        loop {
            if self.control.wish() == Wish::Pause {
                self.control.enter(State::Paused);
                self.control.wait_paused();
            }
            if self.control.wish() == Wish::Stop {
                return;
            }
            match self.round(&mut source, &mut failures) {
                Ok(true) => {
                    source.finished();
                    self.control.enter(State::Finished);
                    return;
                }
                Ok(false) => {}
                // A stop that lost its patience ends the writer's waits as errors.
                Err(_) if self.control.wish() == Wish::Stop => return,
                Err(Trouble::Hopeless(error)) => {
                    let hint = error.hint_text().map_or(String::new(), |hint| format!(" ({hint})"));
                    notices.error(name, format!("failed: {error}{hint}"));
                    self.control.fail(State::Failed, &error);
                    return;
                }
                Err(Trouble::Again(error)) => {
                    failures += 1;
                    if failures == 1 {
                        notices.warning(name, format!("tries again: {error}"));
                    }
                    self.control.fail(State::Retrying, &error);
                    self.control.wait(backoff(failures));
                }
            }
        }
    }

    /// Works until it is told to pause or stop, or the source ends; gives whether it has ended.
    fn round(&self, source: &mut impl Source, failures: &mut u32) -> Result<bool, Trouble> {
        let host = &self.host;
        let mut writer = match host.exactly_once {
            true => {
                let id = format!("alcedo-{}-connector-{}", host.service, host.name);
                Writer::transactional(&host.client, &id, TRANSACTION_TIMEOUT)?
            }
            false => Writer::plain(&host.client)?,
        };
        *self.interrupter.lock() = Some(writer.interrupter());
        let done = self.pump(source, &mut writer, failures);
        if done.is_err() && writer.is_open() {
            // When this fails too, the next writer of the same name ends the transaction.
            let _ = writer.abort();
        }
        *self.interrupter.lock() = None;
        done
    }

    fn pump(&self, source: &mut impl Source, writer: &mut Writer, failures: &mut u32) -> Result<bool, Trouble> {
        // Behind the writer's start, which has ended what a predecessor left open.
        source.open(&self.log.read(&self.host.client, &self.host.admin)?)?;
        if *failures > 0 {
            self.host.notices.info(&self.host.name, "goes on");
        }
        self.control.enter(State::Running);
        let mut batch = OutBatch::new(Arc::clone(&self.topic));
        let mut open_since: Option<Instant> = None;
        let mut uncommitted = 0;
        loop {
            if self.control.wish() != Wish::Run {
                self.commit(source, writer, &mut uncommitted)?;
                return Ok(false);
            }
            batch.clear();
            let fill = source.fill(&mut batch)?;
            if !batch.is_empty() {
                writer.write(&batch)?;
                uncommitted += batch.len() as u64;
            }
            let since = *open_since.get_or_insert_with(Instant::now);
            let is_idle = matches!(fill, Fill::Wait(time) if time >= IDLE);
            if fill == Fill::End || is_idle || since.elapsed() >= COMMIT_INTERVAL {
                self.commit(source, writer, &mut uncommitted)?;
                open_since = None;
                *failures = 0;
            }
            match fill {
                Fill::More => {}
                Fill::End => return Ok(true),
                Fill::Wait(time) => {
                    self.control.wait(time);
                }
            }
        }
    }

    fn commit(&self, source: &mut impl Source, writer: &mut Writer, uncommitted: &mut u64) -> Result<(), Trouble> {
        let positions = source.positions()?;
        if positions.is_empty() && *uncommitted == 0 {
            return Ok(());
        }
        if !writer.is_transactional() {
            writer.flush(TRANSACTION_TIMEOUT)?;
        }
        writer.write(&self.log.records(&positions))?;
        match writer.is_transactional() {
            true => writer.commit(&[], None)?,
            false => writer.flush(TRANSACTION_TIMEOUT)?,
        }
        self.delivered.fetch_add(std::mem::take(uncommitted), Ordering::Relaxed);
        source.committed();
        Ok(())
    }
}

impl RunningConnector for Worker {
    fn state(&self) -> State {
        self.core.control.state()
    }

    fn last_error(&self) -> Option<LastError> {
        self.core.control.last_error()
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        let mut counts = vec![(DELIVERED, self.core.delivered.load(Ordering::Relaxed))];
        counts.extend(self.progress.counts());
        counts
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        self.progress.facts()
    }

    fn pause(&self) -> Result<()> {
        let control = &self.core.control;
        control.ask_pause(true);
        match control.wait_state(|state| state == State::Paused || state.is_over(), PAUSE_PATIENCE) {
            true => Ok(()),
            false => {
                control.ask_pause(false);
                Err(Error::external(format!("connector {} could not commit in time", self.core.host.name))
                    .detail("it goes on")
                    .hint("Try again when the broker answers."))
            }
        }
    }

    fn resume(&self) -> Result<()> {
        let control = &self.core.control;
        control.ask_pause(false);
        control.wait_state(|state| state != State::Paused, PAUSE_PATIENCE);
        Ok(())
    }

    fn stop(&self, patience: Duration) {
        self.core.control.ask_stop();
        if self.core.control.wait_end(patience) {
            return;
        }
        if let Some(interrupter) = &*self.core.interrupter.lock() {
            interrupter.interrupt();
        }
        self.core.control.wait_end(Duration::from_secs(1));
    }

    fn forget(&self) -> Result<()> {
        let Host { client, admin, producer, .. } = &self.core.host;
        self.core.log.forget(client, admin, producer)
    }
}
