//! Fetch: reads whole batches within the limits the client gives, waits for more when there is too little.
//!
//! Every answer is sessionless (KIP-227 lets a broker do that): session id 0, all partitions in full. The answer is
//! encoded here by hand, so that record batches stay pieces of their own instead of being copied into it.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::FetchPartition;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::super::node::Node;
use super::super::partition::{Bounds, Found, Partition};
use super::super::wire::answer::Answer;

/// The longest a client may ask to wait.
const MAX_WAIT: Duration = Duration::from_secs(300);
/// An answer is never larger than this, whatever the client allows.
const MAX_BYTES: usize = 64 << 20;

/// Records up to this size are copied into the answer instead of being a piece of their own.
const COPIED: usize = 2048;

/// One partition's part of the answer.
struct Part {
    index: i32,
    error: i16,
    bounds: Bounds,
    aborted: Option<Vec<(i64, i64)>>,
    records: Vec<u8>,
}

/// Answers a fetch.
pub async fn fetch(node: &Node, request: FetchRequest, correlation: i32, version: i16) -> Answer {
    let deadline = Instant::now() + Duration::from_millis(request.max_wait_ms.max(0) as u64).min(MAX_WAIT);
    let min_bytes = request.min_bytes.max(0) as usize;
    let (parts, bytes, failed) = collect(node, &request);
    if bytes >= min_bytes || failed || Instant::now() >= deadline {
        return encode(&request, parts, correlation, version);
    }
    drop(parts);
    let waiter = Waiter::new(node, &request);
    loop {
        // Registered before looking again, so that no append in between goes unnoticed.
        waiter.register();
        let (parts, bytes, failed) = collect(node, &request);
        if bytes >= min_bytes || failed || Instant::now() >= deadline {
            return encode(&request, parts, correlation, version);
        }
        drop(parts);
        let _ = tokio::time::timeout_at(deadline, waiter.notify.notified()).await;
    }
}

/// Wakes a fetch when one of its partitions grows; takes its name off their lists when dropped.
struct Waiter {
    notify: Arc<Notify>,
    partitions: Vec<Arc<Partition>>,
}

impl Waiter {
    fn new(node: &Node, request: &FetchRequest) -> Self {
        let wanted = request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().filter_map(|one| node.topics.partition(topic.topic.as_str(), one.partition))
        });
        Waiter { notify: Arc::new(Notify::new()), partitions: wanted.map(|(partition, _)| partition).collect() }
    }

    fn register(&self) {
        for partition in &self.partitions {
            partition.unwait(&self.notify);
            partition.wait(&self.notify);
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        for partition in &self.partitions {
            partition.unwait(&self.notify);
        }
    }
}

/// Reads what there is now: per topic and partition, the bytes of it, and whether a partition failed.
fn collect(node: &Node, request: &FetchRequest) -> (Vec<Vec<Part>>, usize, bool) {
    let committed = request.isolation_level == 1;
    let mut room = (request.max_bytes.max(0) as usize).min(MAX_BYTES);
    let (mut bytes, mut failed) = (0, false);
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut parts = Vec::with_capacity(topic.partitions.len());
        for wanted in &topic.partitions {
            let max = room.min(wanted.partition_max_bytes.max(0) as usize);
            // The first batch goes out however large it is: the reader could never get past it otherwise.
            let part = read(node, topic.topic.as_str(), wanted, max, bytes == 0, committed);
            bytes += part.records.len();
            room = room.saturating_sub(part.records.len());
            failed |= part.error != 0;
            parts.push(part);
        }
        topics.push(parts);
    }
    (topics, bytes, failed)
}

/// Reads one partition.
fn read(node: &Node, topic: &str, wanted: &FetchPartition, max: usize, at_least_one: bool, committed: bool) -> Part {
    let nowhere = Bounds { start: -1, stable: -1, end: -1 };
    let failure = |error: ResponseError, bounds| {
        let (aborted, records) = (None, Vec::new());
        Part { index: wanted.partition, error: error.code(), bounds, aborted, records }
    };
    let Some((partition, _)) = node.topics.partition(topic, wanted.partition) else {
        return failure(ResponseError::UnknownTopicOrPartition, nowhere);
    };
    if wanted.current_leader_epoch > 0 {
        return failure(ResponseError::UnknownLeaderEpoch, nowhere);
    }
    match partition.read(wanted.fetch_offset, max, at_least_one, committed) {
        Ok(Found { bounds, records, aborted }) => {
            let aborted = committed.then(|| aborted.iter().map(|one| (one.producer_id, one.first)).collect());
            Part { index: wanted.partition, error: 0, bounds, aborted, records }
        }
        Err(error) => failure(error, partition.bounds().unwrap_or(nowhere)),
    }
}

/// Writes the answer: FetchResponse versions 4 to 12, of which the last is the compact form.
fn encode(request: &FetchRequest, topics: Vec<Vec<Part>>, correlation: i32, version: i16) -> Answer {
    let compact = version >= 12;
    let mut first: Option<BytesMut> = None;
    let mut rest: Vec<Bytes> = Vec::new();
    let mut out = BytesMut::with_capacity(256);
    out.put_i32(0);
    out.put_i32(correlation);
    if compact {
        out.put_u8(0);
    }
    out.put_i32(0);
    if version >= 7 {
        out.put_i16(0);
        out.put_i32(0);
    }
    put_len(&mut out, request.topics.len(), compact);
    for (topic, of_topic) in request.topics.iter().zip(topics) {
        let name = topic.topic.as_bytes();
        if compact {
            put_varint(&mut out, name.len() as u32 + 1);
        } else {
            out.put_i16(name.len() as i16);
        }
        out.put_slice(name);
        put_len(&mut out, of_topic.len(), compact);
        for part in of_topic {
            put_part_head(&mut out, &part, version);
            put_len(&mut out, part.records.len(), compact);
            if part.records.len() <= COPIED {
                out.put_slice(&part.records);
            } else {
                let done = std::mem::take(&mut out);
                match first {
                    None => first = Some(done),
                    Some(_) => rest.push(done.freeze()),
                }
                rest.push(Bytes::from(part.records));
            }
            if compact {
                out.put_u8(0);
            }
        }
        if compact {
            out.put_u8(0);
        }
    }
    if compact {
        out.put_u8(0);
    }
    match first {
        None => Answer::from_parts(out, rest),
        Some(first) => {
            rest.push(out.freeze());
            Answer::from_parts(first, rest)
        }
    }
}

/// Everything of a partition that stands before its records.
fn put_part_head(out: &mut BytesMut, part: &Part, version: i16) {
    let compact = version >= 12;
    out.put_i32(part.index);
    out.put_i16(part.error);
    out.put_i64(part.bounds.end);
    out.put_i64(part.bounds.stable);
    if version >= 5 {
        out.put_i64(part.bounds.start);
    }
    match &part.aborted {
        None if compact => out.put_u8(0),
        None => out.put_i32(-1),
        Some(aborted) => {
            put_len(out, aborted.len(), compact);
            for (producer_id, first) in aborted {
                out.put_i64(*producer_id);
                out.put_i64(*first);
                if compact {
                    out.put_u8(0);
                }
            }
        }
    }
    if version >= 11 {
        out.put_i32(-1);
    }
}

/// The length of an array or of bytes.
fn put_len(out: &mut BytesMut, len: usize, compact: bool) {
    if compact { put_varint(out, len as u32 + 1) } else { out.put_i32(len as i32) }
}

fn put_varint(out: &mut BytesMut, mut value: u32) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Buf;
    use kafka_protocol::messages::fetch_request::FetchTopic;
    use kafka_protocol::messages::fetch_response::{AbortedTransaction, FetchableTopicResponse, PartitionData};
    use kafka_protocol::messages::{FetchResponse, ProducerId, TopicName};
    use kafka_protocol::protocol::StrBytes;

    fn codec_part(index: i32, aborted: &Option<Vec<(i64, i64)>>, len: usize, version: i16) -> PartitionData {
        let one = |(id, first): &(i64, i64)| {
            AbortedTransaction::default().with_producer_id(ProducerId(*id)).with_first_offset(*first)
        };
        PartitionData::default()
            .with_partition_index(index)
            .with_error_code(3)
            .with_high_watermark(40)
            .with_last_stable_offset(30)
            .with_log_start_offset(if version >= 5 { 2 } else { -1 })
            .with_aborted_transactions(aborted.as_ref().map(|all| all.iter().map(one).collect()))
            .with_records(Some(Bytes::from(vec![9; len])))
    }

    #[test]
    fn every_version_is_encoded_as_the_codec_does() {
        let name = TopicName(StrBytes::from_static_str("readings"));
        let request = FetchRequest::default().with_topics(vec![FetchTopic::default().with_topic(name.clone())]);
        for version in 4..=12 {
            for (len, aborted) in [(0, None), (5, Some(vec![])), (COPIED + 9, Some(vec![(7, 3), (8, 4)]))] {
                let bounds = Bounds { start: 2, stable: 30, end: 40 };
                let part = |index| Part { index, error: 3, bounds, aborted: aborted.clone(), records: vec![9; len] };
                let mut answer = encode(&request, vec![vec![part(0), part(1)]], 77, version);
                let bytes = answer.copy_to_bytes(answer.remaining());
                let parts = [0, 1].map(|index| codec_part(index, &aborted, len, version)).to_vec();
                let topic = FetchableTopicResponse::default().with_topic(name.clone()).with_partitions(parts);
                let response = FetchResponse::default().with_responses(vec![topic]);
                let mut expected = Answer::encode(77, version, &response).unwrap();
                assert_eq!(bytes, expected.copy_to_bytes(expected.remaining()), "version {version}, {len} bytes");
            }
        }
    }
}
