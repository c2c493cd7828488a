//! Thin safe wrappers over librdkafka's C objects: configuration, client handle, queue, partition list, error.
//!
//! Everything here is one call deep; what the calls mean together is said in the files above. We use the C interface
//! rather than rdkafka's own consumers and producers, because those take events one message at a time and poll in
//! steps of 100 ms, both of which the reader and the writer have to avoid.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::bindings as ffi;
use rdkafka::types::RDKafkaErrorCode;

use super::errors::Fault;
use super::health::Health;
use super::{PartitionOffset, TopicPartition};
use crate::error::{Error, Result};

/// A librdkafka response code.
pub(super) type Resp = ffi::rd_kafka_resp_err_t;

/// librdkafka's success.
pub(super) const OK: Resp = Resp::RD_KAFKA_RESP_ERR_NO_ERROR;

/// The partition of a record whose key decides, and of a subscription.
pub(super) const UNASSIGNED: i32 = -1;

/// Turns a response code into a result.
pub(super) fn check(code: Resp) -> Result<(), Fault> {
    if code == OK { Ok(()) } else { Err(Fault::of(code)) }
}

/// Milliseconds for librdkafka, capped at what its `int` holds.
pub(super) fn millis(duration: Duration) -> c_int {
    duration.as_millis().min(c_int::MAX as u128) as c_int
}

/// A C string for a name; a name with a zero byte is refused.
pub(super) fn cstring(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::usage("a name holds a zero byte"))
}

/// Copies a C string; a null pointer gives an empty one.
///
/// # Safety
/// `text` is null or points to a string ended by a zero byte.
pub(super) unsafe fn text_of(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller promises a terminated string.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Takes over a `rd_kafka_error_t`; a null pointer is success.
///
/// # Safety
/// `error` is null or an error object the caller owns.
pub(super) unsafe fn take_error(error: *mut ffi::rd_kafka_error_t) -> Result<(), Fault> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: not null, and owned by us until destroyed here.
    unsafe {
        let fault = Fault {
            code: ffi::rd_kafka_error_code(error).into(),
            text: text_of(ffi::rd_kafka_error_string(error)),
            retriable: ffi::rd_kafka_error_is_retriable(error) != 0,
            abortable: ffi::rd_kafka_error_txn_requires_abort(error) != 0,
            fatal: ffi::rd_kafka_error_is_fatal(error) != 0,
        };
        ffi::rd_kafka_error_destroy(error);
        Err(fault)
    }
}

/// A configuration under construction.
pub(super) struct Conf(*mut ffi::rd_kafka_conf_t);

impl Conf {
    /// librdkafka's defaults.
    pub(super) fn new() -> Conf {
        // SAFETY: has no precondition.
        Conf(unsafe { ffi::rd_kafka_conf_new() })
    }

    /// Sets one property; the error is librdkafka's own text.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let (Ok(name), Ok(value)) = (CString::new(name), CString::new(value)) else {
            return Err("holds a zero byte".into());
        };
        let mut text = [0 as c_char; 256];
        // SAFETY: all pointers outlive the call, the buffer's size is given.
        unsafe {
            match ffi::rd_kafka_conf_set(self.0, name.as_ptr(), value.as_ptr(), text.as_mut_ptr(), text.len()) {
                ffi::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => Ok(()),
                _ => Err(text_of(text.as_ptr())),
            }
        }
    }

    /// The value of one property.
    #[cfg(test)]
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let name = CString::new(name).ok()?;
        let mut text = [0 as c_char; 512];
        let mut size = text.len();
        // SAFETY: all pointers outlive the call, the buffer's size is given; a value that fits is terminated.
        unsafe {
            match ffi::rd_kafka_conf_get(self.0, name.as_ptr(), text.as_mut_ptr(), &mut size) {
                ffi::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => Some(text_of(text.as_ptr())),
                _ => None,
            }
        }
    }

    /// The names of all properties librdkafka knows.
    pub(super) fn names(&self) -> Vec<String> {
        let mut count = 0;
        // SAFETY: the dump is `count` strings, names and values in turn, owned by us until freed.
        unsafe {
            let dump = ffi::rd_kafka_conf_dump(self.0, &mut count);
            let names = (0..count).step_by(2).map(|at| text_of(*dump.add(at))).collect();
            ffi::rd_kafka_conf_dump_free(dump, count);
            names
        }
    }
}

impl Drop for Conf {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: ours until `rd_kafka_new` took it, which sets the pointer to null.
            unsafe { ffi::rd_kafka_conf_destroy(self.0) }
        }
    }
}

/// Consumer or producer; the admin calls work on either.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Consumer,
    Producer,
}

/// What librdkafka asks of a group member, noted by its callback and carried out by the polling thread.
pub(super) enum Rebalance {
    Assign(Vec<TopicPartition>),
    Revoke { lost: bool },
}

/// What the callbacks of one client share with it.
pub(super) struct Shared {
    pub(super) health: Arc<Health>,
    pub(super) rebalances: Mutex<Vec<Rebalance>>,
    closing: AtomicBool,
    /// The queue to wake when a rebalance is waiting; set once the client exists.
    wake: Mutex<Option<Arc<Queue>>>,
    /// The first fatal error, which ends the client.
    pub(super) fatal: Mutex<Option<Fault>>,
}

/// A librdkafka client.
pub(super) struct Client {
    rk: *mut ffi::rd_kafka_t,
    role: Role,
    pub(super) shared: Arc<Shared>,
}

// SAFETY: librdkafka's handles may be used from any thread at the same time (its INTRODUCTION.md, "Thread safety").
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

impl Client {
    /// Creates the client; for producers, delivery reports come as events on the main queue.
    pub(super) fn new(mut conf: Conf, role: Role, health: Arc<Health>) -> Result<Client> {
        let shared = Arc::new(Shared {
            health,
            rebalances: Mutex::default(),
            closing: AtomicBool::new(false),
            wake: Mutex::default(),
            fatal: Mutex::default(),
        });
        let opaque = Arc::as_ptr(&shared) as *mut c_void;
        let mut text = [0 as c_char; 512];
        // SAFETY: the callbacks have the types librdkafka declares; `opaque` lives as long as the client, because
        // `Client` holds the `Arc` and destroys the handle before it lets go of it.
        let rk = unsafe {
            ffi::rd_kafka_conf_set_opaque(conf.0, opaque);
            ffi::rd_kafka_conf_set_log_cb(conf.0, Some(on_log));
            ffi::rd_kafka_conf_interceptor_add_on_new(conf.0, c"alcedo".as_ptr(), Some(on_new), opaque);
            if role == Role::Consumer {
                ffi::rd_kafka_conf_set_error_cb(conf.0, Some(on_error));
                ffi::rd_kafka_conf_set_rebalance_cb(conf.0, Some(on_rebalance));
            } else {
                let events = ffi::RD_KAFKA_EVENT_DR | ffi::RD_KAFKA_EVENT_ERROR;
                ffi::rd_kafka_conf_set_events(conf.0, events);
            }
            let kind = match role {
                Role::Consumer => ffi::rd_kafka_type_t::RD_KAFKA_CONSUMER,
                Role::Producer => ffi::rd_kafka_type_t::RD_KAFKA_PRODUCER,
            };
            ffi::rd_kafka_new(kind, conf.0, text.as_mut_ptr(), text.len())
        };
        if rk.is_null() {
            // SAFETY: librdkafka wrote a terminated text.
            let text = unsafe { text_of(text.as_ptr()) };
            return Err(Error::usage(format!("the Kafka client cannot be set up: {text}"))
                .hint("Check the librdkafka properties of the configuration file."));
        }
        conf.0 = ptr::null_mut();
        Ok(Client { rk, role, shared })
    }

    /// The handle, for calls that have no wrapper.
    pub(super) fn rk(&self) -> *mut ffi::rd_kafka_t {
        self.rk
    }

    /// The queue of events that are not records: delivery reports and errors.
    pub(super) fn main_queue(&self) -> Queue {
        // SAFETY: the handle is alive; the queue object is ours to destroy.
        Queue(unsafe { ffi::rd_kafka_queue_get_main(self.rk) })
    }

    /// The consumer's queue; the main queue is served with it from now on.
    pub(super) fn consumer_queue(&self) -> Result<Arc<Queue>> {
        // SAFETY: the handle is alive and a consumer with a group id, so it has such a queue.
        let queue = unsafe {
            ffi::rd_kafka_poll_set_consumer(self.rk);
            ffi::rd_kafka_queue_get_consumer(self.rk)
        };
        if queue.is_null() {
            return Err(Error::internal("a consumer without a group id has no queue"));
        }
        let queue = Arc::new(Queue(queue));
        *self.shared.wake.lock() = Some(Arc::clone(&queue));
        Ok(queue)
    }

    /// Serves callbacks that wait on the main queue of a consumer that nobody polls.
    pub(super) fn serve(&self) {
        if self.role == Role::Consumer {
            // SAFETY: the handle is alive.
            unsafe { ffi::rd_kafka_poll(self.rk, 0) };
        }
    }

    /// Leaves the group and stops the consumer. Rebalance callbacks from here on only give partitions back.
    pub(super) fn close_consumer(&self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        self.shared.rebalances.lock().clear();
        // SAFETY: the handle is alive and a consumer.
        unsafe { ffi::rd_kafka_consumer_close(self.rk) };
    }

    /// The first fatal error of this client, if there was one.
    pub(super) fn fatal(&self) -> Option<Fault> {
        if let Some(fault) = self.shared.fatal.lock().clone() {
            return Some(fault);
        }
        let mut text = [0 as c_char; 512];
        // SAFETY: the buffer outlives the call and its size is given.
        let code = unsafe { ffi::rd_kafka_fatal_error(self.rk, text.as_mut_ptr(), text.len()) };
        if code == OK {
            return None;
        }
        // SAFETY: librdkafka wrote a terminated text.
        let text = unsafe { text_of(text.as_ptr()) };
        Some(Fault { text, fatal: true, ..Fault::of(code) })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A queue object keeps a reference to the handle's queue, and is released first.
        self.shared.wake.lock().take();
        // SAFETY: nothing uses the handle after this; a consumer that was not closed does not wait for its group.
        unsafe {
            let flags = match self.role {
                Role::Consumer => ffi::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE,
                Role::Producer => 0,
            };
            ffi::rd_kafka_destroy_flags(self.rk, flags);
        }
        self.shared.health.forget(self.rk as usize);
    }
}

/// A librdkafka queue.
pub(super) struct Queue(*mut ffi::rd_kafka_queue_t);

// SAFETY: librdkafka's queues are locked inside.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

impl Queue {
    /// A queue of its own, for the answers of admin calls.
    pub(super) fn new(client: &Client) -> Queue {
        // SAFETY: the handle is alive.
        Queue(unsafe { ffi::rd_kafka_queue_new(client.rk) })
    }

    /// The queue, for calls that have no wrapper.
    pub(super) fn raw(&self) -> *mut ffi::rd_kafka_queue_t {
        self.0
    }

    /// Makes a thread that waits on this queue return at once.
    pub(super) fn wake(&self) {
        // SAFETY: the queue is alive.
        unsafe { ffi::rd_kafka_queue_yield(self.0) }
    }

    /// The next event, waiting at most `wait` for it.
    pub(super) fn poll(&self, wait: Duration) -> Option<Event> {
        // SAFETY: the queue is alive; the event is ours.
        let event = unsafe { ffi::rd_kafka_queue_poll(self.0, millis(wait)) };
        (!event.is_null()).then_some(Event(event))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: ours, and the client it belongs to outlives it (both are held by the same owners, queue first).
        unsafe { ffi::rd_kafka_queue_destroy(self.0) }
    }
}

/// An event taken from a queue.
pub(super) struct Event(*mut ffi::rd_kafka_event_t);

impl Event {
    /// The event, for calls that have no wrapper.
    pub(super) fn raw(&self) -> *mut ffi::rd_kafka_event_t {
        self.0
    }

    /// One of librdkafka's `RD_KAFKA_EVENT_…` numbers.
    pub(super) fn kind(&self) -> c_int {
        // SAFETY: the event is alive.
        unsafe { ffi::rd_kafka_event_type(self.0) }
    }

    /// The event's error, if it carries one.
    pub(super) fn error(&self) -> Result<(), Fault> {
        // SAFETY: the event is alive, its text lives as long.
        unsafe {
            let code = ffi::rd_kafka_event_error(self.0);
            if code == OK {
                return Ok(());
            }
            let text = text_of(ffi::rd_kafka_event_error_string(self.0));
            // Other events keep something else where an error event keeps this, and librdkafka reads it all the same.
            let fatal = self.kind() == ffi::RD_KAFKA_EVENT_ERROR && ffi::rd_kafka_event_error_is_fatal(self.0) != 0;
            Err(Fault { text, fatal, ..Fault::of(code) })
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: ours.
        unsafe { ffi::rd_kafka_event_destroy(self.0) }
    }
}

/// A list of partitions with offsets and texts.
pub(super) struct PartitionList(*mut ffi::rd_kafka_topic_partition_list_t);

impl PartitionList {
    /// An empty list with room for `size`.
    pub(super) fn new(size: usize) -> PartitionList {
        // SAFETY: has no precondition.
        PartitionList(unsafe { ffi::rd_kafka_topic_partition_list_new(size.min(c_int::MAX as usize) as c_int) })
    }

    /// The partitions without offsets.
    pub(super) fn of(partitions: &[TopicPartition]) -> Result<PartitionList> {
        let mut list = PartitionList::new(partitions.len());
        for at in partitions {
            list.add(&at.topic, at.partition)?;
        }
        Ok(list)
    }

    /// The partitions with the next offset to read.
    pub(super) fn at(partitions: &[(TopicPartition, i64)]) -> Result<PartitionList> {
        let mut list = PartitionList::new(partitions.len());
        for (at, next) in partitions {
            // SAFETY: `add` returns an element of the list, which is alive.
            unsafe { (*list.add(&at.topic, at.partition)?).offset = *next };
        }
        Ok(list)
    }

    /// The partitions with next offset and metadata text, for a commit.
    pub(super) fn commits(offsets: &[PartitionOffset]) -> Result<PartitionList> {
        let mut list = PartitionList::new(offsets.len());
        for offset in offsets {
            let element = list.add(&offset.at.topic, offset.at.partition)?;
            // SAFETY: the element is alive; librdkafka frees its metadata with `free`, so it is a copy by `strdup`.
            unsafe {
                (*element).offset = offset.next;
                if !offset.metadata.is_empty() {
                    let text = cstring(&offset.metadata)?;
                    (*element).metadata = libc::strdup(text.as_ptr()).cast();
                    (*element).metadata_size = offset.metadata.len();
                }
            }
        }
        Ok(list)
    }

    /// Adds a partition and gives its element.
    pub(super) fn add(&mut self, topic: &str, partition: i32) -> Result<*mut ffi::rd_kafka_topic_partition_t> {
        let topic = cstring(topic)?;
        // SAFETY: the list is alive, the name is copied.
        Ok(unsafe { ffi::rd_kafka_topic_partition_list_add(self.0, topic.as_ptr(), partition) })
    }

    /// The list, for calls that have no wrapper.
    pub(super) fn raw(&self) -> *mut ffi::rd_kafka_topic_partition_list_t {
        self.0
    }

    /// The elements.
    pub(super) fn elements(&self) -> &[ffi::rd_kafka_topic_partition_t] {
        // SAFETY: the list is alive as long as `self`.
        unsafe { elements(self.0) }
    }
}

impl Drop for PartitionList {
    fn drop(&mut self) {
        // SAFETY: ours.
        unsafe { ffi::rd_kafka_topic_partition_list_destroy(self.0) }
    }
}

/// The elements of a list.
///
/// # Safety
/// `list` is null or alive and unchanged for as long as the slice is used.
pub(super) unsafe fn elements<'a>(
    list: *const ffi::rd_kafka_topic_partition_list_t,
) -> &'a [ffi::rd_kafka_topic_partition_t] {
    // SAFETY: the caller promises a live list; an empty one may have no array.
    unsafe {
        if list.is_null() || (*list).cnt <= 0 {
            return &[];
        }
        std::slice::from_raw_parts((*list).elems, (*list).cnt as usize)
    }
}

/// Topic and partition of an element.
///
/// # Safety
/// The element belongs to a live list.
pub(super) unsafe fn partition_of(element: &ffi::rd_kafka_topic_partition_t) -> TopicPartition {
    // SAFETY: the topic of a live element is a terminated string.
    TopicPartition { topic: unsafe { text_of(element.topic) }.into(), partition: element.partition }
}

/// Offset and metadata text of an element that an offset fetch filled; `None` when nothing is committed.
///
/// # Safety
/// The element belongs to a live list.
pub(super) unsafe fn committed_of(element: &ffi::rd_kafka_topic_partition_t) -> Option<PartitionOffset> {
    if element.offset < 0 {
        return None;
    }
    let metadata = if element.metadata.is_null() {
        String::new()
    } else {
        // SAFETY: librdkafka gives pointer and size of a buffer that lives as long as the element.
        let bytes = unsafe { std::slice::from_raw_parts(element.metadata as *const u8, element.metadata_size) };
        String::from_utf8_lossy(bytes).into_owned()
    };
    // SAFETY: the caller's promise is passed on.
    let at = unsafe { partition_of(element) };
    Some(PartitionOffset { at, next: element.offset, metadata })
}

/// The client's shared state behind librdkafka's opaque pointer.
///
/// # Safety
/// `opaque` is the pointer `Client::new` registered, and the client is alive.
unsafe fn shared<'a>(opaque: *mut c_void) -> &'a Shared {
    // SAFETY: the caller's promise.
    unsafe { &*(opaque as *const Shared) }
}

/// librdkafka's log lines go to `tracing`, never to standard error. Called from its own threads.
unsafe extern "C" fn on_log(rk: *const ffi::rd_kafka_t, level: c_int, fac: *const c_char, text: *const c_char) {
    // SAFETY: librdkafka passes terminated strings.
    let (fac, text) = unsafe { (text_of(fac), text_of(text)) };
    if matches!(fac.as_str(), "FAIL" | "ERROR" | "TERMINATE") && !rk.is_null() {
        // SAFETY: the opaque of a live client is the `Shared` that it holds.
        unsafe { shared(ffi::rd_kafka_opaque(rk)) }.health.note(strip_prefix(&text));
    }
    match level {
        // A property of the configuration file that concerns only producers or only consumers is not worth a line.
        _ if fac == "CONFWARN" => tracing::debug!(target: "librdkafka", "{fac}: {text}"),
        0..=3 => tracing::warn!(target: "librdkafka", "{fac}: {text}"),
        4 | 5 => tracing::info!(target: "librdkafka", "{fac}: {text}"),
        _ => tracing::debug!(target: "librdkafka", "{fac}: {text}"),
    }
}

/// librdkafka begins its lines with `[thrd:NAME]: `, which says nothing to a reader.
fn strip_prefix(text: &str) -> &str {
    match text.strip_prefix("[thrd:").and_then(|rest| rest.split_once("]: ")) {
        Some((_, rest)) => rest,
        None => text,
    }
}

/// Errors that are not about one record, on the polling thread of a consumer.
unsafe extern "C" fn on_error(rk: *mut ffi::rd_kafka_t, code: c_int, text: *const c_char, opaque: *mut c_void) {
    // SAFETY: the client is alive while it calls back; the text is terminated.
    unsafe {
        let shared = shared(opaque);
        let text = text_of(text);
        if code == Resp::RD_KAFKA_RESP_ERR__FATAL as c_int {
            let mut cause = [0 as c_char; 512];
            let code = ffi::rd_kafka_fatal_error(rk, cause.as_mut_ptr(), cause.len());
            let fault = Fault { text: text_of(cause.as_ptr()), fatal: true, ..Fault::of(code) };
            shared.fatal.lock().get_or_insert(fault);
        }
        // "1/1 brokers are down" says less than the error of the connection that was noted before it.
        if code != Resp::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN as c_int {
            shared.health.note(strip_prefix(&text));
        }
    }
}

/// Notes what the group wants; the polling thread carries it out when the call that is under way has returned.
unsafe extern "C" fn on_rebalance(
    rk: *mut ffi::rd_kafka_t,
    code: Resp,
    partitions: *mut ffi::rd_kafka_topic_partition_list_t,
    opaque: *mut c_void,
) {
    // SAFETY: the client is alive while it calls back, and the list for the length of the call.
    unsafe {
        let shared = shared(opaque);
        if shared.closing.load(Ordering::Relaxed) {
            ffi::rd_kafka_assign(rk, ptr::null());
            return;
        }
        let rebalance = match code {
            Resp::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                Rebalance::Assign(elements(partitions).iter().map(|element| partition_of(element)).collect())
            }
            _ => Rebalance::Revoke { lost: ffi::rd_kafka_assignment_lost(rk) != 0 },
        };
        shared.rebalances.lock().push(rebalance);
        if let Some(queue) = &*shared.wake.lock() {
            queue.wake();
        }
    }
}

/// Registers for connection states when the client is created.
unsafe extern "C" fn on_new(
    rk: *mut ffi::rd_kafka_t,
    _conf: *const ffi::rd_kafka_conf_t,
    opaque: *mut c_void,
    _text: *mut c_char,
    _size: usize,
) -> Resp {
    // SAFETY: called inside `rd_kafka_new` with a live handle.
    unsafe {
        ffi::rd_kafka_interceptor_add_on_broker_state_change(rk, c"alcedo".as_ptr(), Some(on_broker_state), opaque)
    }
}

/// A connection changed its state. Called from librdkafka's broker threads.
unsafe extern "C" fn on_broker_state(
    rk: *mut ffi::rd_kafka_t,
    _broker: i32,
    _protocol: *const c_char,
    name: *const c_char,
    port: c_int,
    state: *const c_char,
    opaque: *mut c_void,
) -> Resp {
    // SAFETY: the client is alive while it calls back; names are terminated.
    unsafe {
        let up = matches!(CStr::from_ptr(state).to_bytes(), b"UP" | b"UPDATE");
        shared(opaque).health.connection(rk as usize, &text_of(name), port, up);
    }
    OK
}

/// A librdkafka code by its short name, for messages.
pub(super) fn code_name(code: RDKafkaErrorCode) -> String {
    format!("{code:?}")
}
