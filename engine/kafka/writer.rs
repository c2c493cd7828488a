//! Writing batches, with or without transactions, from one thread.
//!
//! Delivery reports come only for records that failed, and as events that this thread takes: so a batch that arrives
//! well costs no call per record beyond producing it, and waiting for deliveries is a wait on librdkafka's own
//! condition variable, which makes a commit cost what its requests cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::bindings as ffi;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::PartitionOffset;
use super::client::ClientConfig;
use super::errors::{Fault, unreachable};
use super::group::GroupMetadata;
use super::native::{Client, OK, PartitionList, Queue, Role, check, millis, take_error};
use super::produce::{Topics, produce};
use crate::error::{Error, Result};
use crate::record::OutBatch;

/// How a write or a commit failed, and so what the caller has to do.
#[derive(Debug)]
pub enum Failure {
    /// Abort the transaction (or, without transactions, give up what was not flushed), go back to the committed
    /// offsets, and go on with this writer.
    Abort(Error),
    /// Another writer has taken over this transactional id: stop.
    Fenced(Error),
    /// This writer is of no use any more; what happened to the transaction is not known. Make a new one, which ends
    /// the old transaction, and go back to the committed offsets.
    Fatal(Error),
}

impl Failure {
    /// The error, whatever the class.
    pub fn error(&self) -> &Error {
        match self {
            Failure::Abort(error) | Failure::Fenced(error) | Failure::Fatal(error) => error,
        }
    }

    fn of(fault: &Fault, what: &str) -> Failure {
        let error = fault.error(what);
        if fault.is_fenced() {
            Failure::Fenced(error)
        } else if fault.fatal || fault.code == Code::Fatal {
            Failure::Fatal(error)
        } else {
            Failure::Abort(error)
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        match failure {
            Failure::Abort(error) | Failure::Fenced(error) | Failure::Fatal(error) => error,
        }
    }
}

/// A producer of one thread.
///
/// Dropping it throws away what was not flushed or committed; an open transaction is aborted by the broker when its
/// timeout ends or the same id is used again.
pub struct Writer {
    // Topic objects and queue are released before the client.
    topics: Topics,
    queue: Queue,
    client: Arc<Client>,
    /// Transactional id; `None` for a plain writer.
    id: Option<String>,
    timeout: Duration,
    is_open: bool,
    failed: Option<Fault>,
    failures: u64,
    interrupted: Arc<AtomicBool>,
}

/// Ends the waits of a [`Writer`] from another thread, for a shutdown that cannot wait for a broker that is away.
#[derive(Clone)]
pub struct Interrupter(Arc<AtomicBool>);

impl Interrupter {
    /// Whatever the writer waits for now or later fails within a quarter of a second, as [`Failure::Fatal`].
    pub fn interrupt(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Writer {
    /// An idempotent writer for at-least-once: records go out at once; [`flush`](Self::flush) before their input's
    /// offsets are committed.
    pub fn plain(config: &ClientConfig) -> Result<Writer> {
        let mut needed = vec![("enable.idempotence", "true")];
        if !config.properties.contains_key("linger.ms") {
            // Batches come from the caller already; waiting for more only adds latency.
            needed.push(("linger.ms", "1"));
        }
        Writer::new(config, None, Duration::from_secs(60), &needed)
    }

    /// A writer of transactions. Ends what an earlier writer of the same id left open, and fences it: from here on its
    /// calls fail. `timeout` is how long the broker keeps a transaction open for a writer that is silent.
    pub fn transactional(config: &ClientConfig, id: &str, timeout: Duration) -> Result<Writer> {
        let transaction_timeout = timeout.as_millis().max(1000).to_string();
        let needed = [("transactional.id", id), ("transaction.timeout.ms", &transaction_timeout)];
        let mut writer = Writer::new(config, Some(id.to_string()), timeout, &needed)?;
        let what = format!("begin transactions as `{id}`");
        let deadline = Instant::now() + timeout.max(Duration::from_secs(10));
        // SAFETY: the handle is alive; the error is ours to take.
        let done = writer.retrying(deadline, |rk, wait| unsafe { ffi::rd_kafka_init_transactions(rk, wait) });
        match done {
            Ok(()) => Ok(writer),
            Err(fault) if fault.retriable && !config.health.is_up() => {
                let last = config.health.last_error().map(|(_, text)| text);
                Err(unreachable(&config.bootstrap, timeout.as_secs().max(10), last))
            }
            Err(fault) => Err(fault.error(&what)),
        }
    }

    fn new(config: &ClientConfig, id: Option<String>, timeout: Duration, needed: &[(&str, &str)]) -> Result<Writer> {
        let mut all = vec![("partitioner", "murmur2_random"), ("delivery.report.only.error", "true")];
        all.extend_from_slice(needed);
        let client = Arc::new(config.client(Role::Producer, &all)?);
        let queue = client.main_queue();
        let topics = Topics::default();
        let interrupted = Arc::default();
        Ok(Writer { topics, queue, client, id, timeout, is_open: false, failed: None, failures: 0, interrupted })
    }

    /// Whether this writer has transactions.
    pub fn is_transactional(&self) -> bool {
        self.id.is_some()
    }

    /// Whether a transaction is open.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// A handle to end this writer's waits from another thread.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter(Arc::clone(&self.interrupted))
    }

    /// Records that could not be delivered since the writer was made, without those an abort threw away.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Records accepted and neither delivered nor failed yet.
    pub fn in_flight(&self) -> usize {
        // SAFETY: the handle is alive.
        unsafe { ffi::rd_kafka_outq_len(self.client.rk()) }.max(0) as usize
    }

    /// Opens a transaction; does nothing when one is open, and for a plain writer.
    pub fn begin(&mut self) -> Result<(), Failure> {
        if self.is_open || self.id.is_none() {
            return Ok(());
        }
        // SAFETY: the handle is alive; the error is ours to take.
        let begun = unsafe { take_error(ffi::rd_kafka_begin_transaction(self.client.rk())) };
        begun.map_err(|fault| Failure::of(&fault, &self.what("begin a transaction")))?;
        self.is_open = true;
        Ok(())
    }

    /// Writes a batch whole; waits while librdkafka's queue is full. A missing timestamp (negative) becomes the time of
    /// writing; librdkafka takes 0 for that too, so the first millisecond of 1970 is written as the second.
    pub fn write(&mut self, batch: &OutBatch) -> Result<(), Failure> {
        let mut row = 0;
        while row < batch.len() {
            let written = self.write_some(batch, row)?;
            row += written;
            if row < batch.len() {
                self.check_interrupted("write")?;
                self.serve(Duration::from_millis(if written == 0 { 10 } else { 0 }))?;
            }
        }
        Ok(())
    }

    /// Writes rows of a batch from `row` on until librdkafka's queue is full; gives how many. For callers that have
    /// other things to do than wait; [`serve`](Self::serve) in between.
    pub fn write_some(&mut self, batch: &OutBatch, row: usize) -> Result<usize, Failure> {
        self.begin()?;
        let what = |fault: &Fault| Failure::of(fault, &format!("write to topic `{}`", batch.topic));
        let topic = self.topics.get(&self.client, &batch.topic).map_err(Failure::Abort)?;
        let (written, fault) = produce(&self.client, topic, batch, row);
        match fault {
            None => Ok(written),
            Some(fault) if fault.code == Code::QueueFull => Ok(written),
            Some(fault) => {
                self.take_events(Duration::ZERO);
                // A delivery that failed before is the cause, and says more.
                Err(what(self.failed.as_ref().unwrap_or(&fault)))
            }
        }
    }

    /// Takes delivery reports, waiting at most `wait` for the first.
    pub fn serve(&mut self, wait: Duration) -> Result<(), Failure> {
        self.take_events(wait);
        self.check_failed()
    }

    /// Waits until everything written is acknowledged by the cluster, at most `wait`.
    pub fn flush(&mut self, wait: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + wait;
        loop {
            // Failed records stay counted until their report is taken, so the wait is in short steps.
            let step = deadline.saturating_duration_since(Instant::now()).min(Duration::from_millis(20));
            // SAFETY: the handle is alive and a producer.
            let code = unsafe { ffi::rd_kafka_flush(self.client.rk(), millis(step)) };
            self.take_events(Duration::ZERO);
            self.check_failed()?;
            match check(code) {
                Ok(()) => return Ok(()),
                Err(fault) if fault.code == Code::OperationTimedOut && Instant::now() < deadline => {
                    self.check_interrupted("deliver the output")?;
                }
                Err(fault) => return Err(Failure::of(&fault, &self.what("deliver the output"))),
            }
        }
    }

    /// Adds offsets of `group` to the open transaction; [`commit`](Self::commit) does this itself with those it is
    /// given.
    pub fn add_offsets(&mut self, offsets: &[PartitionOffset], group: &GroupMetadata) -> Result<(), Failure> {
        let list = PartitionList::commits(offsets).map_err(Failure::Abort)?;
        let deadline = Instant::now() + self.timeout;
        // SAFETY: handle, list and group metadata are alive.
        let sent = self.retrying(deadline, |rk, wait| unsafe {
            ffi::rd_kafka_send_offsets_to_transaction(rk, list.raw(), group.raw(), wait)
        });
        sent.map_err(|fault| Failure::of(&fault, &self.what("add offsets to the transaction")))
    }

    /// Commits the open transaction: everything written since [`begin`](Self::begin), and the offsets of `group`.
    ///
    /// A transaction without records and offsets is committed too, at no cost. On `Failure::Abort` call
    /// [`abort`](Self::abort), then go back to the committed offsets.
    pub fn commit(&mut self, offsets: &[PartitionOffset], group: Option<&GroupMetadata>) -> Result<(), Failure> {
        if !self.is_open {
            if offsets.is_empty() {
                return Ok(());
            }
            self.begin()?;
        }
        let deadline = Instant::now() + self.timeout;
        self.flush(self.timeout)?;
        if !offsets.is_empty() {
            let Some(group) = group else {
                return Err(Failure::Abort(Error::internal("offsets are committed without a group")));
            };
            self.add_offsets(offsets, group)?;
        }
        // SAFETY: the handle is alive.
        let done = self.retrying(deadline, |rk, wait| unsafe { ffi::rd_kafka_commit_transaction(rk, wait) });
        match done {
            Ok(()) => {
                self.is_open = false;
                Ok(())
            }
            // The broker may have committed: only a new writer's init can tell.
            Err(fault) if fault.retriable && !fault.abortable => {
                Err(Failure::Fatal(fault.error(&self.what("commit the transaction"))))
            }
            Err(fault) => Err(Failure::of(&fault, &self.what("commit the transaction"))),
        }
    }

    /// Aborts the open transaction; nothing of it will be seen by readers of committed records. For a plain writer:
    /// forgets a failed delivery, so that the writer can go on.
    pub fn abort(&mut self) -> Result<(), Failure> {
        if self.is_open {
            let deadline = Instant::now() + self.timeout;
            // SAFETY: the handle is alive.
            let done = self.retrying(deadline, |rk, wait| unsafe { ffi::rd_kafka_abort_transaction(rk, wait) });
            match done {
                Ok(()) => {}
                Err(fault) if fault.is_fenced() => {
                    return Err(Failure::Fenced(fault.error(&self.what("abort the transaction"))));
                }
                Err(fault) => return Err(Failure::Fatal(fault.error(&self.what("abort the transaction")))),
            }
            self.is_open = false;
        }
        self.failed = None;
        Ok(())
    }

    fn what(&self, what: &str) -> String {
        match &self.id {
            Some(id) => format!("{what} of `{id}`"),
            None => what.to_string(),
        }
    }

    /// Calls a function of librdkafka's transaction interface again while it says so. It may wait for deliveries
    /// whose reports only this thread takes (those an abort throws away), so each call waits shortly.
    fn retrying(
        &mut self,
        deadline: Instant,
        call: impl Fn(*mut ffi::rd_kafka_t, std::ffi::c_int) -> *mut ffi::rd_kafka_error_t,
    ) -> Result<(), Fault> {
        let mut step = Duration::from_millis(20);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let error = call(self.client.rk(), millis(step.min(left).max(Duration::from_millis(1))));
            // SAFETY: null or an error that is ours.
            let result = unsafe { take_error(error) };
            self.take_events(Duration::ZERO);
            match result {
                Err(fault)
                    if fault.retriable
                        && !fault.abortable
                        && !fault.fatal
                        && Instant::now() < deadline
                        && !self.interrupted.load(Ordering::Relaxed) =>
                {
                    if fault.code != Code::OperationTimedOut {
                        // Answered at once by the broker: give it a moment.
                        self.take_events(Duration::from_millis(5));
                    }
                    step = (step * 2).min(Duration::from_millis(200));
                }
                result => return result,
            }
        }
    }

    fn check_interrupted(&self, what: &str) -> Result<(), Failure> {
        match self.interrupted.load(Ordering::Relaxed) {
            true => Err(Failure::Fatal(
                Error::external(format!("cannot {}", self.what(what))).detail("stopped before the broker answered"),
            )),
            false => Ok(()),
        }
    }

    fn check_failed(&self) -> Result<(), Failure> {
        match &self.failed {
            Some(fault) => Err(Failure::of(fault, &self.what("deliver the output"))),
            None => Ok(()),
        }
    }

    /// Takes all events that are there, waiting for the first.
    fn take_events(&mut self, mut wait: Duration) {
        while let Some(event) = self.queue.poll(wait) {
            wait = Duration::ZERO;
            if event.kind() == ffi::RD_KAFKA_EVENT_DR {
                // SAFETY: the messages live as long as the event.
                unsafe {
                    loop {
                        let message = ffi::rd_kafka_event_message_next(event.raw());
                        if message.is_null() {
                            break;
                        }
                        let code = (*message).err;
                        let fault = Fault::of(code);
                        if code != OK && !matches!(fault.code, Code::PurgeQueue | Code::PurgeInflight) {
                            self.failures += 1;
                            self.failed.get_or_insert(fault);
                        }
                    }
                }
            } else if let Err(fault) = event.error() {
                if fault.code != Code::AllBrokersDown {
                    self.client.shared.health.note(&fault.text);
                }
                if fault.fatal {
                    self.failed.get_or_insert(fault);
                }
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // SAFETY: the handle is alive and a producer. Without this, destroying it waits for deliveries.
        unsafe {
            let flags = ffi::RD_KAFKA_PURGE_F_QUEUE | ffi::RD_KAFKA_PURGE_F_INFLIGHT;
            ffi::rd_kafka_purge(self.client.rk(), flags);
        }
        self.take_events(Duration::ZERO);
    }
}

/// Ends what a writer of this transactional id left open, and fences it, without becoming one.
pub fn fence(config: &ClientConfig, id: &str, timeout: Duration) -> Result<()> {
    Writer::transactional(config, id, timeout).map(drop)
}
