//! Handing records to librdkafka: topic objects by name, and a batch's rows one after the other.

use std::sync::Arc;

use rdkafka::bindings as ffi;
use rdkafka::bindings::rd_kafka_vtype_t as Vtype;

use super::errors::Fault;
use super::native::{Client, UNASSIGNED, cstring, take_error};
use crate::error::{Error, Result};
use crate::record::OutBatch;

/// librdkafka's object of one topic: looked up by name once instead of for each record.
pub(super) struct TopicHandle(*mut ffi::rd_kafka_topic_t);

// SAFETY: topic objects are as thread-safe as their client.
unsafe impl Send for TopicHandle {}
// SAFETY: as above.
unsafe impl Sync for TopicHandle {}

impl TopicHandle {
    /// The object of a topic, which needs not exist (yet).
    pub(super) fn new(client: &Client, name: &str) -> Result<TopicHandle> {
        let text = cstring(name)?;
        // SAFETY: the handle is alive, the name is copied.
        let topic = unsafe { ffi::rd_kafka_topic_new(client.rk(), text.as_ptr(), std::ptr::null_mut()) };
        if topic.is_null() {
            return Err(Error::external(format!("`{name}` is not a name for a topic"))
                .hint("Topic names are up to 249 letters, digits, dots, underscores and hyphens."));
        }
        Ok(TopicHandle(topic))
    }

    pub(super) fn raw(&self) -> *mut ffi::rd_kafka_topic_t {
        self.0
    }
}

impl Drop for TopicHandle {
    fn drop(&mut self) {
        // SAFETY: ours.
        unsafe { ffi::rd_kafka_topic_destroy(self.0) }
    }
}

/// The topics a writer writes to; few, so they are searched.
#[derive(Default)]
pub(super) struct Topics(Vec<(Arc<str>, TopicHandle)>);

impl Topics {
    /// The object of a topic.
    pub(super) fn get(&mut self, client: &Client, name: &Arc<str>) -> Result<&TopicHandle> {
        let known = self.0.iter().position(|(known, _)| Arc::ptr_eq(known, name) || known == name);
        let at = match known {
            Some(at) => at,
            None => {
                self.0.push((Arc::clone(name), TopicHandle::new(client, name)?));
                self.0.len() - 1
            }
        };
        Ok(&self.0[at].1)
    }
}

/// Headers for one record; freed unless librdkafka took them.
pub(super) struct Headers(*mut ffi::rd_kafka_headers_t);

impl Headers {
    /// The given headers, or `None` when there are none.
    pub(super) fn of<'a>(headers: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>) -> Option<Headers> {
        let mut list: Option<Headers> = None;
        for (name, value) in headers {
            // SAFETY: name and value are copied, lengths are given.
            unsafe {
                let list = list.get_or_insert_with(|| Headers(ffi::rd_kafka_headers_new(4)));
                let (value, size) = value.map_or((std::ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()));
                ffi::rd_kafka_header_add(
                    list.0,
                    name.as_ptr().cast(),
                    name.len() as isize,
                    value.cast(),
                    size as isize,
                );
            }
        }
        list
    }

    pub(super) fn raw(&self) -> *mut ffi::rd_kafka_headers_t {
        self.0
    }

    /// The headers belong to librdkafka now.
    pub(super) fn taken(self) {
        std::mem::forget(self);
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        // SAFETY: ours until `taken`.
        unsafe { ffi::rd_kafka_headers_destroy(self.0) }
    }
}

/// One argument of `rd_kafka_produceva`.
pub(super) fn argument(vtype: Vtype) -> ffi::rd_kafka_vu_t {
    // SAFETY: a plain C struct of an enum and a union of numbers and pointers; zero is a value of each.
    ffi::rd_kafka_vu_t { vtype, u: unsafe { std::mem::zeroed() } }
}

/// A byte string argument; a null pointer is null, which differs from an empty string.
pub(super) fn memory(value: Option<&[u8]>) -> ffi::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
    let (ptr, size) = value.map_or((std::ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()));
    ffi::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: ptr as *mut _, size }
}

/// A timestamp for librdkafka, where 0 means "now": none becomes now, and the first millisecond of 1970 the second.
pub(super) fn stamp(timestamp: i64) -> i64 {
    match timestamp {
        0 => 1,
        negative if negative < 0 => 0,
        other => other,
    }
}

/// Produces the rows of a batch from `row` on, copying their bytes; gives how many went well, and why the next did
/// not.
pub(super) fn produce(client: &Client, topic: &TopicHandle, batch: &OutBatch, row: usize) -> (usize, Option<Fault>) {
    let mut arguments = [
        argument(Vtype::RD_KAFKA_VTYPE_RKT),
        argument(Vtype::RD_KAFKA_VTYPE_PARTITION),
        argument(Vtype::RD_KAFKA_VTYPE_MSGFLAGS),
        argument(Vtype::RD_KAFKA_VTYPE_VALUE),
        argument(Vtype::RD_KAFKA_VTYPE_KEY),
        argument(Vtype::RD_KAFKA_VTYPE_TIMESTAMP),
        argument(Vtype::RD_KAFKA_VTYPE_HEADERS),
    ];
    arguments[0].u.rkt = topic.raw();
    arguments[1].u.i32_ = batch.partition.unwrap_or(UNASSIGNED);
    arguments[2].u.i = ffi::RD_KAFKA_MSG_F_COPY;
    let with_headers = !batch.headers.none();
    for at in row..batch.len() {
        arguments[3].u.mem = memory(batch.values.get(at));
        arguments[4].u.mem = memory(batch.keys.get(at));
        arguments[5].u.i64_ = stamp(batch.timestamps[at]);
        let headers = if with_headers { Headers::of(batch.headers.get(at)) } else { None };
        let count = match &headers {
            Some(headers) => {
                arguments[6].u.headers = headers.raw();
                7
            }
            None => 6,
        };
        // SAFETY: the arguments are alive during the call, and each union holds what its type says.
        let produced = unsafe { take_error(ffi::rd_kafka_produceva(client.rk(), arguments.as_ptr(), count)) };
        match produced {
            Ok(()) => headers.into_iter().for_each(Headers::taken),
            Err(fault) => return (at - row, Some(fault)),
        }
    }
    (batch.len() - row, None)
}
