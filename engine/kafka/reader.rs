//! Reading: batches of records, one per partition, and everything else that happens to a consumer as events.
//!
//! Messages are taken from librdkafka's consumer queue many at a time and copied into columns. Rebalances are only
//! noted by librdkafka's callback and carried out here, when the call that noted them has returned: so the handler
//! runs on the polling thread, outside of C code, before the partitions are given away, and no record of the old
//! assignment can follow one of the new.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::bindings as ffi;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::client::ClientConfig;
use super::errors::Fault;
use super::group::{Group, RebalanceHandler};
use super::native::{
    Client, OK, PartitionList, Queue, Rebalance, Role, UNASSIGNED, check, millis, take_error, text_of,
};
use super::slots::{Slot, Slots};
use super::{PartitionOffset, TopicPartition};
use crate::error::{Error, Result};
use crate::record::RawBatch;

/// How to read.
#[derive(Debug, Clone)]
pub struct ReaderOptions {
    /// Also hands out records of open and aborted transactions. Default: only committed ones.
    pub read_uncommitted: bool,
    /// Copies record headers. Default: they are left out, because asking librdkafka for them costs a third of reading
    /// a record even where it has none.
    pub headers: bool,
    /// Reports when the end of a partition is reached, as [`Event::End`]. Default: not.
    pub ends: bool,
    /// Where to go on when the wanted offset does not exist any more. Default: nowhere, the event is all.
    pub reset: Reset,
    /// Static membership (KIP-345): a member that comes back under the same name within its session gets its
    /// partitions without a rebalance. Default: dynamic.
    pub instance_id: Option<String>,
}

impl Default for ReaderOptions {
    fn default() -> Self {
        ReaderOptions { read_uncommitted: false, headers: false, ends: false, reset: Reset::Stop, instance_id: None }
    }
}

/// Where to go on when the wanted offset is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// The first record there is.
    Earliest,
    /// The end.
    Latest,
    /// The partition stands still until [`Reader::seek`].
    Stop,
}

/// What happened besides records.
#[derive(Debug)]
pub enum Event {
    /// Everything the partition holds now was handed out. Reported again after each further record.
    End {
        /// The partition.
        at: TopicPartition,
        /// The next offset to read, behind transaction markers and aborted records.
        next: i64,
    },
    /// The wanted offset does not exist: removed by retention, or the topic was made anew.
    OutOfRange {
        /// The partition.
        at: TopicPartition,
        /// The offset that was wanted.
        wanted: i64,
        /// Where reading goes on, after the reader's [`Reset`]; `None` when it stands still.
        resumed: Option<i64>,
    },
    /// A failure that does not end the reader: librdkafka keeps trying.
    Failed {
        /// The partition it concerns, if it concerns one.
        at: Option<TopicPartition>,
        /// What happened.
        error: Error,
    },
}

/// Makes a [`Reader::poll`] that waits, or the next one, return at once. For other threads.
#[derive(Clone)]
pub struct Waker(Arc<Wake>);

struct Wake {
    woken: AtomicBool,
    /// Empty once the reader closes: librdkafka hands a wake on to whoever waits for the end of the consumer, who would take
    /// it for that end, and the client's thread would then turn in circles for ever.
    queue: Mutex<Weak<Queue>>,
}

impl Waker {
    /// Wakes the reader; does nothing when it is gone.
    pub fn wake(&self) {
        self.0.woken.store(true, Ordering::SeqCst);
        // Held while waking, so that the reader cannot begin to close meanwhile.
        let queue = self.0.queue.lock();
        if let Some(queue) = queue.upgrade() {
            queue.wake();
        }
    }
}

/// A consumer.
pub struct Reader {
    // Before `client`: queue objects are released before their client.
    queue: Arc<Queue>,
    wake: Arc<Wake>,
    client: Arc<Client>,
    group: Group,
    /// A member of its group, or a reader of fixed partitions.
    is_member: bool,
    options: ReaderOptions,
    slots: Slots,
    /// Messages taken and not yet released; empty between polls.
    taken: Taken,
    events: Vec<Event>,
    /// Partitions whose offset was out of range and whose new one is not known yet.
    lost_positions: Vec<(TopicPartition, i64)>,
    dropped: u64,
}

/// Messages taken from the queue; each is released when copied, the rest when dropped.
#[derive(Default)]
struct Taken {
    messages: Vec<*mut ffi::rd_kafka_message_t>,
    /// Messages before this one are released.
    start: usize,
}

// SAFETY: messages may be read and released on any thread.
unsafe impl Send for Taken {}
// SAFETY: the topic pointers are only compared.
unsafe impl Send for Slots {}

impl Taken {
    fn release(&mut self) {
        for message in self.messages.drain(..).skip(self.start) {
            // SAFETY: taken from the queue and not released before.
            unsafe { ffi::rd_kafka_message_destroy(message) }
        }
        self.start = 0;
    }

    /// Takes up to `max` messages more, waiting at most `wait` until there are that many.
    fn take(&mut self, queue: &Queue, max: usize, wait: Duration) -> usize {
        let before = self.messages.len();
        self.messages.reserve(max);
        // SAFETY: there is room for `max` pointers behind the vector's end; librdkafka fills as many as it says.
        unsafe {
            let room = self.messages.as_mut_ptr().add(before);
            let count = ffi::rd_kafka_consume_batch_queue(queue.raw(), millis(wait), room, max).max(0) as usize;
            self.messages.set_len(before + count);
            count
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.release();
    }
}

impl Reader {
    /// Reads the given partitions from the given offsets, without a group: nothing is joined or committed.
    ///
    /// Offsets are numbers, not "earliest" or "latest": [`Admin::watermarks`](super::Admin::watermarks) gives those in
    /// one call, and the first record comes in 20 ms instead of 500.
    pub fn assigned(config: &ClientConfig, options: ReaderOptions, from: &[(TopicPartition, i64)]) -> Result<Reader> {
        // librdkafka wants a group id for its consumer queue; nothing is ever sent to the group.
        let mut reader = Reader::new(config, options, &config.client_id, false)?;
        reader.slots.assign(from);
        reader.assign()?;
        Ok(reader)
    }

    /// Joins a consumer group and reads the partitions of the topics that it gets; see [`RebalanceHandler`].
    pub fn group(config: &ClientConfig, options: ReaderOptions, group_id: &str, topics: &[&str]) -> Result<Reader> {
        let reader = Reader::new(config, options, group_id, true)?;
        let mut list = PartitionList::new(topics.len());
        for topic in topics {
            list.add(topic, UNASSIGNED)?;
        }
        // SAFETY: handle and list are alive.
        let code = unsafe { ffi::rd_kafka_subscribe(reader.client.rk(), list.raw()) };
        check(code).map_err(|fault| fault.error(&format!("join group `{group_id}`")))?;
        Ok(reader)
    }

    fn new(config: &ClientConfig, options: ReaderOptions, group_id: &str, is_member: bool) -> Result<Reader> {
        let isolation = if options.read_uncommitted { "read_uncommitted" } else { "read_committed" };
        let mut needed = vec![
            ("group.id", group_id),
            ("isolation.level", isolation),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            // Never silently: see `Reset`.
            ("auto.offset.reset", "error"),
            ("enable.partition.eof", if options.ends { "true" } else { "false" }),
            ("partition.assignment.strategy", "range"),
        ];
        if let Some(instance) = &options.instance_id {
            needed.push(("group.instance.id", instance));
        }
        let client = Arc::new(config.client(Role::Consumer, &needed)?);
        let queue = client.consumer_queue()?;
        let wake = Arc::new(Wake { woken: AtomicBool::new(false), queue: Mutex::new(Arc::downgrade(&queue)) });
        let group = Group { client: Arc::clone(&client), id: group_id.into() };
        Ok(Reader {
            queue,
            wake,
            client,
            group,
            is_member,
            options,
            slots: Slots::default(),
            taken: Taken::default(),
            events: Vec::new(),
            lost_positions: Vec::new(),
            dropped: 0,
        })
    }

    /// Takes what is there, up to `max` records; when nothing is there, waits at most `wait` for the first.
    ///
    /// Gives the number of records, which are in [`batches`](Self::batches) until the next poll. May return 0 before
    /// `wait` is over: after a rebalance, an event, or a wake. An error ends the reader, except one that `handler`
    /// returned.
    pub fn poll(&mut self, max: usize, wait: Duration, handler: &mut dyn RebalanceHandler) -> Result<usize> {
        self.taken.release();
        for slot in &mut self.slots.list {
            slot.batch.clear();
        }
        self.retry_resets()?;
        let max = max.max(1);
        let mut count = self.taken.take(&self.queue, max, Duration::ZERO);
        let busy = count > 0 || !self.events.is_empty() || !self.client.shared.rebalances.lock().is_empty();
        let woken = self.wake.woken.swap(false, Ordering::SeqCst);
        if !busy && !woken && !wait.is_zero() {
            count = self.taken.take(&self.queue, 1, wait);
            if count > 0 && max > 1 {
                self.taken.take(&self.queue, max - 1, Duration::ZERO);
            }
            self.wake.woken.store(false, Ordering::SeqCst);
        }
        self.rebalance(handler)?;
        self.copy()
    }

    /// The batches of the last poll, none of them empty. They may be swapped for others to keep them.
    pub fn batches(&mut self) -> impl Iterator<Item = &mut RawBatch> {
        self.slots.list.iter_mut().map(|slot| &mut slot.batch).filter(|batch| !batch.is_empty())
    }

    /// Takes the events noted since they were last taken.
    pub fn events(&mut self) -> std::vec::Drain<'_, Event> {
        self.events.drain(..)
    }

    /// The partitions this reader owns, with the next offset to read of each.
    pub fn positions(&self) -> Vec<(TopicPartition, i64)> {
        self.slots.positions()
    }

    /// The next offset to read, or `None` when the partition is not ours.
    pub fn position(&self, at: &TopicPartition) -> Option<i64> {
        self.slots.of(at).map(|slot| self.slots.list[slot].next)
    }

    /// Records between the positions and the ends of all partitions, as the fetches so far have told; asks nobody.
    ///
    /// Ends are those that may be read: of committed records, or of all with `read_uncommitted`. Transaction markers
    /// count. `None` before a fetch of each partition was answered.
    pub fn behind(&self) -> Option<u64> {
        let mut records = 0;
        for (at, next) in self.slots.positions() {
            let topic = super::native::cstring(&at.topic).ok()?;
            let (mut low, mut high) = (-1, -1);
            // SAFETY: the handle and the name are alive; both numbers are written before the call returns.
            let code = unsafe {
                ffi::rd_kafka_get_watermark_offsets(self.client.rk(), topic.as_ptr(), at.partition, &mut low, &mut high)
            };
            if code != OK || high < 0 {
                return None;
            }
            records += u64::try_from(high - next).unwrap_or(0);
        }
        Some(records)
    }

    /// Records dropped because their partition was not ours any more, or because they were below the position.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The group side: commits, committed offsets, identity in transactions.
    pub fn group_handle(&self) -> &Group {
        &self.group
    }

    /// Commits offsets outside a transaction and waits for the answer.
    pub fn commit(&self, offsets: &[PartitionOffset]) -> Result<()> {
        self.group.commit(offsets)
    }

    /// A handle to make `poll` return from another thread.
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.wake))
    }

    /// Goes on at other offsets, forward or back. Partitions that are not ours are left out.
    pub fn seek(&mut self, to: &[(TopicPartition, i64)]) -> Result<()> {
        let to: Vec<_> = to.iter().filter(|(at, _)| self.slots.of(at).is_some()).cloned().collect();
        if to.is_empty() {
            return Ok(());
        }
        self.taken.release();
        for (at, next) in &to {
            if let Some(slot) = self.slots.of(at) {
                self.slots.list[slot].next = *next;
                self.slots.list[slot].batch.clear();
            }
        }
        self.lost_positions.retain(|(at, _)| !to.iter().any(|(to, _)| to == at));
        let list = PartitionList::at(&to)?;
        // SAFETY: handle and list are alive; the error is ours to take.
        let sought = unsafe {
            take_error(ffi::rd_kafka_seek_partitions(self.client.rk(), list.raw(), millis(Duration::from_secs(10))))
        };
        let all = sought.is_ok() && list.elements().iter().all(|element| element.err == OK);
        // A partition that has not started, or that stopped at an offset out of range, cannot seek, but can be
        // assigned anew.
        if all { Ok(()) } else { self.assign() }
    }

    /// Stops fetching of partitions until [`resume`](Self::resume); what was fetched ahead is thrown away.
    pub fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.set_paused(partitions, true)
    }

    /// Goes on with paused partitions.
    pub fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.set_paused(partitions, false)
    }

    /// Whether a partition of ours is paused.
    pub fn is_paused(&self, at: &TopicPartition) -> bool {
        self.slots.of(at).is_some_and(|slot| self.slots.list[slot].paused)
    }

    fn set_paused(&mut self, partitions: &[TopicPartition], paused: bool) -> Result<()> {
        let mut changed = Vec::new();
        for at in partitions {
            if let Some(slot) = self.slots.of(at)
                && self.slots.list[slot].paused != paused
            {
                self.slots.list[slot].paused = paused;
                changed.push(at.clone());
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        let list = PartitionList::of(&changed)?;
        // SAFETY: handle and list are alive.
        let code = unsafe {
            match paused {
                true => ffi::rd_kafka_pause_partitions(self.client.rk(), list.raw()),
                false => ffi::rd_kafka_resume_partitions(self.client.rk(), list.raw()),
            }
        };
        check(code).map_err(|fault| fault.error("pause or resume partitions"))
    }

    /// Tells librdkafka which partitions to fetch from where.
    fn assign(&mut self) -> Result<()> {
        let list = PartitionList::at(&self.slots.positions())?;
        // SAFETY: handle and list are alive.
        let code = unsafe { ffi::rd_kafka_assign(self.client.rk(), list.raw()) };
        check(code).map_err(|fault| fault.error("assign partitions"))?;
        let paused: Vec<_> = self.slots.list.iter_mut().filter(|slot| slot.paused).collect();
        let again: Vec<_> = paused.into_iter().map(|slot| (slot.paused = false, slot.at.clone()).1).collect();
        self.set_paused(&again, true)
    }

    fn unassign(&mut self) -> Result<()> {
        self.slots.assign(&[]);
        self.lost_positions.clear();
        // SAFETY: the handle is alive; a null list takes all partitions away.
        check(unsafe { ffi::rd_kafka_assign(self.client.rk(), std::ptr::null()) })
            .map_err(|fault| fault.error("give partitions back"))
    }

    /// Carries out what the group asked for during the last call into librdkafka.
    fn rebalance(&mut self, handler: &mut dyn RebalanceHandler) -> Result<()> {
        loop {
            let next = {
                let mut waiting = self.client.shared.rebalances.lock();
                if waiting.is_empty() { None } else { Some(waiting.remove(0)) }
            };
            match next {
                None => return Ok(()),
                Some(Rebalance::Revoke { lost }) => {
                    let ours: Vec<_> = self.slots.list.iter().map(|slot| slot.at.clone()).collect();
                    let done = if ours.is_empty() { Ok(()) } else { handler.revoked(&self.group, &ours, lost) };
                    self.unassign()?;
                    done?;
                }
                Some(Rebalance::Assign(partitions)) => match handler.assigned(&self.group, &partitions) {
                    Ok(starts) if starts.len() == partitions.len() => {
                        let from: Vec<_> = partitions.into_iter().zip(starts).collect();
                        self.slots.assign(&from);
                        self.assign()?;
                    }
                    Ok(_) => {
                        self.unassign()?;
                        return Err(Error::internal("a rebalance handler gave another number of offsets"));
                    }
                    Err(error) => {
                        self.unassign()?;
                        return Err(error);
                    }
                },
            }
        }
    }

    /// Copies the messages taken into the batches of their partitions.
    fn copy(&mut self) -> Result<usize> {
        let mut count = 0;
        let mut run = (std::ptr::null_mut(), -1);
        let mut slot: Option<usize> = None;
        while let Some(&pointer) = self.taken.messages.get(self.taken.start) {
            // SAFETY: taken from the queue, released below, once.
            let message = unsafe { &*pointer };
            if message.err != OK {
                self.note(message)?;
            } else {
                if (message.rkt, message.partition) != run {
                    run = (message.rkt, message.partition);
                    // SAFETY: the topic object lives as long as the message.
                    slot = unsafe { self.slots.find(message.rkt, message.partition) };
                }
                match slot {
                    Some(slot) if message.offset >= self.slots.list[slot].next => {
                        // SAFETY: a record, alive.
                        unsafe { push(&mut self.slots.list[slot], message, self.options.headers) };
                        count += 1;
                    }
                    _ => self.dropped += 1,
                }
            }
            self.taken.start += 1;
            // SAFETY: taken from the queue, and counted as released one line above.
            unsafe { ffi::rd_kafka_message_destroy(pointer) };
        }
        self.taken.release();
        self.retry_resets()?;
        Ok(count)
    }

    /// Turns a message that carries an error into an event.
    fn note(&mut self, message: &ffi::rd_kafka_message_t) -> Result<()> {
        // SAFETY: the topic object lives as long as the message.
        let slot = unsafe { self.slots.find(message.rkt, message.partition) };
        let at = slot.map(|slot| self.slots.list[slot].at.clone());
        let fault = Fault::of(message.err);
        match (fault.code, at) {
            (Code::PartitionEOF, Some(at)) => {
                let slot = &mut self.slots.list[slot.expect("the partition was found in it")];
                slot.next = slot.next.max(message.offset);
                self.events.push(Event::End { at, next: slot.next });
            }
            (Code::PartitionEOF, None) => {}
            (Code::AutoOffsetReset | Code::OffsetOutOfRange, Some(at)) => {
                let wanted = self.position(&at).unwrap_or(message.offset);
                self.lost_positions.push((at, wanted));
            }
            // A reader without a group does not mind that it may not use one.
            (Code::GroupAuthorizationFailed, _) if !self.is_member => {}
            (code, at) => {
                let fault = match self.client.fatal() {
                    Some(fatal) if code == Code::Fatal || fault.fatal => fatal,
                    // SAFETY: the payload of an error is its text, or null.
                    _ => Fault { text: unsafe { text_of(message.payload as *const _) }, ..fault },
                };
                let error = match &at {
                    Some(at) => fault.error(&format!("read {at}")),
                    None if self.is_member => fault.error(&format!("read as a member of group `{}`", self.group.id)),
                    None => fault.error("read"),
                };
                if fault.fatal {
                    return Err(error);
                }
                self.events.push(Event::Failed { at, error });
            }
        }
        Ok(())
    }

    /// Finds a new position for partitions whose offset was out of range.
    fn retry_resets(&mut self) -> Result<()> {
        for (at, wanted) in std::mem::take(&mut self.lost_positions) {
            if self.options.reset == Reset::Stop {
                self.events.push(Event::OutOfRange { at, wanted, resumed: None });
                continue;
            }
            let (mut low, mut high) = (0, 0);
            let topic = super::native::cstring(&at.topic)?;
            // SAFETY: all pointers outlive the call.
            let code = unsafe {
                ffi::rd_kafka_query_watermark_offsets(
                    self.client.rk(),
                    topic.as_ptr(),
                    at.partition,
                    &mut low,
                    &mut high,
                    millis(Duration::from_secs(1)),
                )
            };
            match check(code) {
                Ok(()) => {
                    let next = if self.options.reset == Reset::Earliest { low } else { high };
                    self.seek(&[(at.clone(), next)])?;
                    self.events.push(Event::OutOfRange { at, wanted, resumed: Some(next) });
                }
                Err(fault) => {
                    let error = fault.error(&format!("find where to go on in {at}"));
                    self.events.push(Event::Failed { at: Some(at.clone()), error });
                    self.lost_positions.push((at, wanted));
                }
            }
        }
        Ok(())
    }

    /// Gives the partitions back through `handler` and leaves the group.
    pub fn close(self, handler: &mut dyn RebalanceHandler) -> Result<()> {
        let ours: Vec<_> = self.slots.list.iter().map(|slot| slot.at.clone()).collect();
        let done = match self.is_member && !ours.is_empty() {
            true => handler.revoked(&self.group, &ours, false),
            false => Ok(()),
        };
        drop(self);
        done
    }

    /// Stops without leaving the group, as a killed process does. For tests.
    pub fn abandon(mut self) {
        self.is_member = false;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.taken.release();
        *self.wake.queue.lock() = Weak::new();
        if self.is_member {
            self.client.close_consumer();
        }
    }
}

/// Copies one record.
///
/// # Safety
/// `message` is a record (not an error) that is alive.
#[inline]
unsafe fn push(slot: &mut Slot, message: &ffi::rd_kafka_message_t, headers: bool) {
    slot.next = message.offset + 1;
    let batch = &mut slot.batch;
    // SAFETY: librdkafka gives pointer and length of bytes that live as long as the message; null is null.
    unsafe {
        if headers {
            copy_headers(batch, message);
        }
        let timestamp = ffi::rd_kafka_message_timestamp(message, std::ptr::null_mut());
        batch.push(message.offset, timestamp, bytes(message.key, message.key_len), bytes(message.payload, message.len));
    }
}

/// A byte string of librdkafka's.
///
/// # Safety
/// `pointer` is null or points to `length` bytes that live as long as the slice is used.
#[inline]
unsafe fn bytes<'a>(pointer: *const std::ffi::c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!pointer.is_null()).then(|| unsafe { std::slice::from_raw_parts(pointer as *const u8, length) })
}

/// Copies the headers of one record in front of [`RawBatch::push`].
///
/// # Safety
/// `message` is a record that is alive.
unsafe fn copy_headers(batch: &mut RawBatch, message: &ffi::rd_kafka_message_t) {
    let mut headers = std::ptr::null_mut();
    // SAFETY: the header list belongs to the message; names end in a zero byte, values have a length.
    unsafe {
        if ffi::rd_kafka_message_headers(message, &mut headers) != OK {
            return;
        }
        let mut index = 0;
        let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
        while ffi::rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut size) == OK {
            let name = std::ffi::CStr::from_ptr(name).to_string_lossy();
            batch.headers.push(&name, bytes(value, size));
            index += 1;
        }
    }
}
