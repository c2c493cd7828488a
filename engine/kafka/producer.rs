//! One idempotent producer for many callers, each of whom wants to know when its record is safe.
//!
//! For the listeners and for `INSERT INTO … VALUES`: a device's acknowledgement follows the delivery report. One small
//! thread takes the reports and resolves the futures. Records of one caller to one partition keep their order.

use std::collections::HashMap;
use std::ffi::c_void;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use rdkafka::bindings as ffi;
use rdkafka::bindings::rd_kafka_vtype_t as Vtype;
use rdkafka::types::RDKafkaErrorCode as Code;
use tokio::sync::oneshot;

use super::client::ClientConfig;
use super::errors::Fault;
use super::native::{Client, OK, Queue, Role, UNASSIGNED, check, millis, take_error};
use super::produce::{Headers, TopicHandle, argument, memory, stamp};
use crate::error::{Error, Result};

/// A record for [`Producer::send`]; its bytes are copied.
#[derive(Debug, Clone, Copy, Default)]
pub struct Record<'a> {
    /// The topic, which must exist.
    pub topic: &'a str,
    /// The partition, or `None` to let the key decide (any partition when there is no key).
    pub partition: Option<i32>,
    /// The key, if any.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Event time in milliseconds since the epoch; negative for now.
    pub timestamp: i64,
    /// Headers, in their order.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
}

/// Where a record went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// The partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
}

type Outcome = Result<Delivered>;

/// Resolves when the cluster has acknowledged the record or given it up. Dropping it does not take the record back.
pub struct Delivery {
    topic: Arc<str>,
    outcome: oneshot::Receiver<Outcome>,
}

impl Delivery {
    /// Waits on this thread, which must not be one that runs async tasks.
    pub fn wait(self) -> Result<Delivered> {
        let topic = Arc::clone(&self.topic);
        self.outcome.blocking_recv().unwrap_or_else(|_| Err(gone(&topic)))
    }
}

impl Future for Delivery {
    type Output = Result<Delivered>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match Pin::new(&mut self.outcome).poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(outcome)) => Poll::Ready(outcome),
            Poll::Ready(Err(_)) => Poll::Ready(Err(gone(&self.topic))),
        }
    }
}

fn gone(topic: &str) -> Error {
    Error::external(format!("cannot write to topic `{topic}`")).detail("the producer was closed first")
}

/// The shared producer. Sending takes no lock that others hold for long; share it by `Arc`.
pub struct Producer {
    inner: Arc<Inner>,
    thread: Option<JoinHandle<()>>,
}

struct Inner {
    // Topic objects and queue are released before the client.
    topics: RwLock<HashMap<Arc<str>, Arc<TopicHandle>>>,
    queue: Queue,
    client: Client,
    stop: AtomicBool,
    failures: AtomicU64,
}

/// What travels with a record through librdkafka.
struct Ticket {
    topic: Arc<str>,
    sender: oneshot::Sender<Outcome>,
}

impl Producer {
    /// Starts the producer and its thread.
    pub fn new(config: &ClientConfig) -> Result<Producer> {
        let mut needed = vec![
            ("partitioner", "murmur2_random"),
            ("delivery.report.only.error", "false"),
            ("enable.idempotence", "true"),
        ];
        if !config.properties.contains_key("linger.ms") {
            needed.push(("linger.ms", "1"));
        }
        let client = config.client(Role::Producer, &needed)?;
        let inner = Arc::new(Inner {
            topics: RwLock::default(),
            queue: client.main_queue(),
            client,
            stop: AtomicBool::new(false),
            failures: AtomicU64::new(0),
        });
        let of_thread = Arc::clone(&inner);
        let thread = std::thread::Builder::new()
            .name("kafka-deliveries".into())
            .spawn(move || of_thread.serve())
            .map_err(|error| Error::external("cannot start a thread").with_source(error))?;
        Ok(Producer { inner, thread: Some(thread) })
    }

    /// Hands a record over. A full queue is a retryable error: wait for an earlier delivery, then send again.
    pub fn send(&self, record: Record<'_>) -> Result<Delivery> {
        let (topic, handle) = self.inner.topic(record.topic)?;
        let (sender, outcome) = oneshot::channel();
        let mut arguments = [
            argument(Vtype::RD_KAFKA_VTYPE_RKT),
            argument(Vtype::RD_KAFKA_VTYPE_PARTITION),
            argument(Vtype::RD_KAFKA_VTYPE_MSGFLAGS),
            argument(Vtype::RD_KAFKA_VTYPE_VALUE),
            argument(Vtype::RD_KAFKA_VTYPE_KEY),
            argument(Vtype::RD_KAFKA_VTYPE_TIMESTAMP),
            argument(Vtype::RD_KAFKA_VTYPE_OPAQUE),
            argument(Vtype::RD_KAFKA_VTYPE_HEADERS),
        ];
        let ticket = Box::into_raw(Box::new(Ticket { topic: Arc::clone(&topic), sender }));
        arguments[0].u.rkt = handle.raw();
        arguments[1].u.i32_ = record.partition.unwrap_or(UNASSIGNED);
        arguments[2].u.i = ffi::RD_KAFKA_MSG_F_COPY;
        arguments[3].u.mem = memory(record.value);
        arguments[4].u.mem = memory(record.key);
        arguments[5].u.i64_ = stamp(record.timestamp);
        arguments[6].u.ptr = ticket as *mut c_void;
        let headers = Headers::of(record.headers.iter().copied());
        let count = match &headers {
            Some(headers) => {
                arguments[7].u.headers = headers.raw();
                8
            }
            None => 7,
        };
        // SAFETY: the arguments are alive during the call, and each union holds what its type says.
        let produced =
            unsafe { take_error(ffi::rd_kafka_produceva(self.inner.client.rk(), arguments.as_ptr(), count)) };
        match produced {
            Ok(()) => {
                headers.into_iter().for_each(Headers::taken);
                Ok(Delivery { topic, outcome })
            }
            Err(fault) => {
                // SAFETY: librdkafka did not take the record, so there will be no report to free the ticket.
                drop(unsafe { Box::from_raw(ticket) });
                let error = fault.error(&format!("write to topic `{topic}`"));
                Err(if fault.code == Code::QueueFull { error.retryable() } else { error })
            }
        }
    }

    /// Records handed over and not yet delivered or given up.
    pub fn in_flight(&self) -> usize {
        // SAFETY: the handle is alive.
        unsafe { ffi::rd_kafka_outq_len(self.inner.client.rk()) }.max(0) as usize
    }

    /// Records given up since the start.
    pub fn failures(&self) -> u64 {
        self.inner.failures.load(Ordering::Relaxed)
    }

    /// Waits at most `wait` until every record is delivered or given up; whether that was reached.
    pub fn flush(&self, wait: Duration) -> bool {
        // SAFETY: the handle is alive and a producer; the reports are taken by the thread meanwhile.
        check(unsafe { ffi::rd_kafka_flush(self.inner.client.rk(), millis(wait)) }).is_ok()
    }
}

impl Inner {
    fn topic(&self, name: &str) -> Result<(Arc<str>, Arc<TopicHandle>)> {
        if let Some((name, handle)) = self.topics.read().get_key_value(name) {
            return Ok((Arc::clone(name), Arc::clone(handle)));
        }
        let handle = Arc::new(TopicHandle::new(&self.client, name)?);
        let name: Arc<str> = name.into();
        let mut topics = self.topics.write();
        let handle = topics.entry(Arc::clone(&name)).or_insert(handle);
        Ok((name, Arc::clone(handle)))
    }

    /// Makes librdkafka ask for the producer's id as soon as it can.
    ///
    /// It asks when an answer with the cluster's brokers comes while one of them is connected. The first answer comes over the
    /// connection it started with, before the broker named in it is connected, and then it would look again only after
    /// half a second. So we ask until the answer comes from a broker of the cluster.
    fn hurry_the_producer_id(&self) {
        let deadline = Instant::now() + Duration::from_secs(1);
        while Instant::now() < deadline && !self.stop.load(Ordering::Acquire) {
            let mut metadata: *const ffi::rd_kafka_metadata = std::ptr::null();
            // SAFETY: the handle is alive; without topics the answer holds brokers only, and it is destroyed here.
            let answered_by = unsafe {
                let wait = millis(Duration::from_secs(1));
                let code = ffi::rd_kafka_metadata(self.client.rk(), 0, std::ptr::null_mut(), &mut metadata, wait);
                if check(code).is_err() {
                    return;
                }
                let answered_by = (*metadata).orig_broker_id;
                ffi::rd_kafka_metadata_destroy(metadata);
                answered_by
            };
            if answered_by >= 0 {
                return;
            }
        }
    }

    /// Takes delivery reports until told to stop, and then those that are left.
    fn serve(&self) {
        self.hurry_the_producer_id();
        loop {
            let stopping = self.stop.load(Ordering::Acquire);
            let wait = if stopping { Duration::ZERO } else { Duration::from_secs(1) };
            let Some(event) = self.queue.poll(wait) else {
                if stopping {
                    return;
                }
                continue;
            };
            if event.kind() != ffi::RD_KAFKA_EVENT_DR {
                if let Err(fault) = event.error()
                    && fault.code != Code::AllBrokersDown
                {
                    self.client.shared.health.note(&fault.text);
                }
                continue;
            }
            loop {
                // SAFETY: the messages live as long as the event; each carries the ticket it was sent with, once.
                let (ticket, message) = unsafe {
                    let message = ffi::rd_kafka_event_message_next(event.raw());
                    if message.is_null() {
                        break;
                    }
                    (Box::from_raw((*message)._private as *mut Ticket), &*message)
                };
                let outcome = if message.err == OK {
                    Ok(Delivered { partition: message.partition, offset: message.offset })
                } else {
                    self.failures.fetch_add(1, Ordering::Relaxed);
                    Err(Fault::of(message.err).error(&format!("write to topic `{}`", ticket.topic)))
                };
                // Whoever dropped the future does not want to know.
                let _ = ticket.sender.send(outcome);
            }
        }
    }
}

impl Drop for Producer {
    /// Gives up what is not delivered yet: those futures resolve with an error.
    fn drop(&mut self) {
        // SAFETY: the handle is alive and a producer.
        unsafe {
            let flags = ffi::RD_KAFKA_PURGE_F_QUEUE | ffi::RD_KAFKA_PURGE_F_INFLIGHT;
            ffi::rd_kafka_purge(self.inner.client.rk(), flags);
        }
        self.inner.stop.store(true, Ordering::Release);
        self.inner.queue.wake();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by its own hook.
            let _ = thread.join();
        }
    }
}
