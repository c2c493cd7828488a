//! Hand-written frames of Kafka's protocol, for what librdkafka hides: retries with the same sequence numbers, members that
//! fall silent, answers' sizes and error codes. Only versions that Apache Kafka 4 still serves, the oldest of each.
//! Shapes are those of the protocol guide (kafka.apache.org/protocol).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::client::{Outcome, PATIENCE, Step, ensure, until};

/// Error codes that the checks name.
pub mod code {
    pub const NONE: i16 = 0;
    pub const OFFSET_OUT_OF_RANGE: i16 = 1;
    pub const CORRUPT_MESSAGE: i16 = 2;
    pub const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    pub const NOT_LEADER_OR_FOLLOWER: i16 = 6;
    pub const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
    pub const COORDINATOR_NOT_AVAILABLE: i16 = 15;
    pub const NOT_COORDINATOR: i16 = 16;
    pub const ILLEGAL_GENERATION: i16 = 22;
    pub const UNKNOWN_MEMBER_ID: i16 = 25;
    pub const POLICY_VIOLATION: i16 = 44;
    pub const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
    pub const INVALID_PRODUCER_EPOCH: i16 = 47;
    pub const UNSTABLE_OFFSET_COMMIT: i16 = 88;
}

/// One connection.
pub struct Wire {
    stream: TcpStream,
    correlation: i32,
}

impl Wire {
    /// Connects; reads wait at most [`PATIENCE`].
    pub fn connect(bootstrap: &str) -> Outcome<Wire> {
        let stream = TcpStream::connect(bootstrap).step("connect")?;
        stream.set_read_timeout(Some(PATIENCE)).step("connect")?;
        stream.set_nodelay(true).step("connect")?;
        Ok(Wire { stream, correlation: 0 })
    }

    /// Sends one request and reads its answer, which must carry the request's correlation id.
    fn call(&mut self, api: i16, version: i16, flexible: bool, body: Body) -> Outcome<Answer> {
        self.correlation += 1;
        let mut header = Body::default().i16(api).i16(version).i32(self.correlation).string(Some("conformance"));
        if flexible {
            header = header.no_tags();
        }
        let size = (header.0.len() + body.0.len()) as i32;
        let mut frame = size.to_be_bytes().to_vec();
        frame.extend_from_slice(&header.0);
        frame.extend_from_slice(&body.0);
        self.stream.write_all(&frame).step("send a request")?;

        let mut size = [0; 4];
        self.stream.read_exact(&mut size).step(&format!("read the answer to request {api}"))?;
        let size = usize::try_from(i32::from_be_bytes(size)).step("size of an answer")?;
        let mut bytes = vec![0; size];
        self.stream.read_exact(&mut bytes).step(&format!("read the answer to request {api}"))?;
        let mut answer = Answer { bytes, at: 0 };
        let correlation = answer.i32()?;
        ensure!(correlation == self.correlation, "answer {correlation} to request {}", self.correlation);
        if flexible {
            answer.tags()?;
        }
        Ok(answer)
    }

    /// InitProducerId without a transaction: id and epoch.
    pub fn init_producer_id(&mut self) -> Outcome<(i64, i16)> {
        until("a producer id", || {
            let mut answer = self.call(22, 0, false, Body::default().string(None).i32(60_000))?;
            answer.i32()?;
            match answer.i16()? {
                code::NONE => Ok(Some((answer.i64()?, answer.i16()?))),
                code::COORDINATOR_LOAD_IN_PROGRESS | code::COORDINATOR_NOT_AVAILABLE => Ok(None),
                error => Err(format!("InitProducerId: error {error}")),
            }
        })
    }

    /// Produces one batch with acks from all: error code and base offset. A broker that has just started may not lead the
    /// partition yet; that is waited for.
    pub fn produce(&mut self, topic: &str, partition: i32, batch: &[u8]) -> Outcome<(i16, i64)> {
        until("a leader", || {
            let body = Body::default().string(None).i16(-1).i32(10_000);
            let body = body.array(1).string(Some(topic)).array(1).i32(partition).bytes(batch);
            let mut answer = self.call(0, 3, false, body)?;
            answer.array()?;
            answer.string()?;
            answer.array()?;
            answer.i32()?;
            let (error, offset) = (answer.i16()?, answer.i64()?);
            Ok((error != code::NOT_LEADER_OR_FOLLOWER).then_some((error, offset)))
        })
    }

    /// Fetches partitions of one topic.
    pub fn fetch(&mut self, topic: &str, wanted: &Wanted<'_>) -> Outcome<Vec<Fetched>> {
        let body = Body::default().i32(-1).i32(wanted.wait.as_millis() as i32).i32(wanted.min_bytes);
        let mut body = body.i32(wanted.max_bytes).i8(wanted.isolation);
        body = body.array(1).string(Some(topic)).array(wanted.partitions.len());
        for (partition, offset) in wanted.partitions {
            body = body.i32(*partition).i64(*offset).i32(wanted.partition_max_bytes);
        }
        let mut answer = self.call(1, 4, false, body)?;
        answer.i32()?;
        let mut fetched = Vec::new();
        for _ in 0..answer.array()? {
            answer.string()?;
            for _ in 0..answer.array()? {
                let (partition, error) = (answer.i32()?, answer.i16()?);
                let (high_watermark, last_stable) = (answer.i64()?, answer.i64()?);
                let mut aborted = Vec::new();
                for _ in 0..answer.array()? {
                    aborted.push((answer.i64()?, answer.i64()?));
                }
                let records = answer.bytes()?;
                fetched.push(Fetched { partition, error, high_watermark, last_stable, aborted, records });
            }
        }
        Ok(fetched)
    }

    /// DeleteRecords of one partition: its error code and its low watermark.
    pub fn delete_records(&mut self, topic: &str, partition: i32, below: i64) -> Outcome<(i16, i64)> {
        let body = Body::default().array(1).string(Some(topic)).array(1).i32(partition).i64(below).i32(10_000);
        let mut answer = self.call(21, 0, false, body)?;
        answer.i32()?;
        ensure!(answer.array()? == 1, "DeleteRecords of {topic}: not one topic");
        answer.string()?;
        ensure!(answer.array()? == 1 && answer.i32()? == partition, "DeleteRecords of {topic}: not one partition");
        let low = answer.i64()?;
        Ok((answer.i16()?, low))
    }

    /// The error code of one topic in the metadata, without creating it.
    pub fn topic_error(&mut self, topic: &str) -> Outcome<i16> {
        let mut answer = self.call(3, 4, false, Body::default().array(1).string(Some(topic)).i8(0))?;
        answer.i32()?;
        for _ in 0..answer.array()? {
            answer.i32()?;
            answer.string()?;
            answer.i32()?;
            answer.string()?;
        }
        answer.string()?;
        answer.i32()?;
        ensure!(answer.array()? == 1, "metadata of {topic}: not one topic");
        answer.i16()
    }

    /// The last stable offset (`committed`) or the high watermark, by ListOffsets for the latest timestamp.
    pub fn end_offset(&mut self, topic: &str, partition: i32, committed: bool) -> Outcome<i64> {
        let body = Body::default().i32(-1).i8(committed.into());
        let body = body.array(1).string(Some(topic)).array(1).i32(partition).i64(-1);
        let mut answer = self.call(2, 2, false, body)?;
        answer.i32()?;
        answer.array()?;
        answer.string()?;
        answer.array()?;
        answer.i32()?;
        let error = answer.i16()?;
        ensure!(error == code::NONE, "ListOffsets of {topic}: error {error}");
        answer.i64()?;
        answer.i64()
    }

    /// Waits until the coordinator of a group serves.
    pub fn await_coordinator(&mut self, group: &str) -> Outcome {
        until("a group coordinator", || {
            let mut answer = self.call(10, 1, false, Body::default().string(Some(group)).i8(0))?;
            answer.i32()?;
            Ok((answer.i16()? == code::NONE).then_some(()))
        })
    }

    /// Joins a group and, as its leader, syncs with an empty assignment: generation and member id.
    pub fn join_and_sync(&mut self, group: &str, topic: &str, session: Duration) -> Outcome<(i32, String)> {
        self.await_coordinator(group)?;
        let subscription = Body::default().i16(0).array(1).string(Some(topic)).i32(-1);
        let (generation, member) = until("a place in the group", || {
            let body = Body::default().string(Some(group)).i32(session.as_millis() as i32).i32(10_000).string(Some(""));
            let body = body.string(Some("consumer")).array(1).string(Some("range")).bytes(&subscription.0);
            let mut answer = self.call(11, 2, false, body)?;
            answer.i32()?;
            let error = answer.i16()?;
            let (generation, _protocol, _leader, member) =
                (answer.i32()?, answer.string()?, answer.string()?, answer.string()?);
            match error {
                code::NONE => Ok(Some((generation, member.unwrap_or_default()))),
                code::COORDINATOR_LOAD_IN_PROGRESS | code::COORDINATOR_NOT_AVAILABLE | code::NOT_COORDINATOR => {
                    Ok(None)
                }
                error => Err(format!("JoinGroup: error {error}")),
            }
        })?;
        let assignment = Body::default().i16(0).array(0).i32(-1);
        let body = Body::default().string(Some(group)).i32(generation).string(Some(&member));
        let body = body.array(1).string(Some(&member)).bytes(&assignment.0);
        let mut answer = self.call(14, 1, false, body)?;
        answer.i32()?;
        let error = answer.i16()?;
        ensure!(error == code::NONE, "SyncGroup: error {error}");
        Ok((generation, member))
    }

    /// OffsetCommit of one partition: its error code.
    pub fn commit(&mut self, group: &str, generation: i32, member: &str, topic: &str, offset: i64) -> Outcome<i16> {
        let body = Body::default().string(Some(group)).i32(generation).string(Some(member)).i64(-1);
        let body = body.array(1).string(Some(topic)).array(1).i32(0).i64(offset).string(None);
        let mut answer = self.call(8, 2, false, body)?;
        answer.array()?;
        answer.string()?;
        answer.array()?;
        answer.i32()?;
        answer.i16()
    }

    /// OffsetFetch of partition 0 that insists on stable offsets (KIP-447): error code and offset.
    pub fn stable_offset(&mut self, group: &str, topic: &str) -> Outcome<(i16, i64)> {
        let body = Body::default().compact_string(group).compact_array(1).compact_string(topic);
        let body = body.compact_array(1).i32(0).no_tags().i8(1).no_tags();
        let mut answer = self.call(9, 7, true, body)?;
        answer.i32()?;
        ensure!(answer.compact_length()? == Some(1), "OffsetFetch: not one topic");
        answer.compact_string()?;
        ensure!(answer.compact_length()? == Some(1), "OffsetFetch: not one partition");
        answer.i32()?;
        let offset = answer.i64()?;
        answer.i32()?;
        answer.compact_string()?;
        Ok((answer.i16()?, offset))
    }

    /// The state of a transactional id by DescribeTransactions, such as `Ongoing` or `CompleteCommit`; none while its
    /// coordinator cannot say.
    pub fn transaction_state(&mut self, id: &str) -> Outcome<Option<String>> {
        let mut answer = self.call(65, 0, true, Body::default().compact_array(1).compact_string(id).no_tags())?;
        answer.i32()?;
        ensure!(answer.compact_length()? == Some(1), "DescribeTransactions: not one transaction");
        let error = answer.i16()?;
        answer.compact_string()?;
        let state = answer.compact_string()?;
        Ok((error == code::NONE).then_some(state))
    }
}

/// What a fetch asks for.
pub struct Wanted<'a> {
    /// Partitions and where to begin.
    pub partitions: &'a [(i32, i64)],
    pub wait: Duration,
    pub min_bytes: i32,
    pub max_bytes: i32,
    pub partition_max_bytes: i32,
    /// 0 reads everything, 1 only what is committed.
    pub isolation: i8,
}

/// Everything from offset 0 of partition 0 that a reader of uncommitted data may see, without waiting.
impl Default for Wanted<'_> {
    fn default() -> Self {
        const MUCH: i32 = 50_000_000;
        let wait = Duration::ZERO;
        Wanted { partitions: &[(0, 0)], wait, min_bytes: 0, max_bytes: MUCH, partition_max_bytes: MUCH, isolation: 0 }
    }
}

/// The answer of one partition.
pub struct Fetched {
    pub partition: i32,
    pub error: i16,
    pub high_watermark: i64,
    pub last_stable: i64,
    /// Producer id and first offset of each aborted transaction in range.
    pub aborted: Vec<(i64, i64)>,
    /// Whole record batches, the last one perhaps cut off.
    pub records: Vec<u8>,
}

impl Fetched {
    /// The sizes of the whole batches, with their attributes and base offsets.
    pub fn batches(&self) -> Vec<BatchHead> {
        let mut heads = Vec::new();
        let mut rest = self.records.as_slice();
        while let Some(head) = BatchHead::read(rest) {
            rest = &rest[head.size..];
            heads.push(head);
        }
        heads
    }
}

/// The head of a stored record batch.
#[derive(Debug)]
pub struct BatchHead {
    pub base_offset: i64,
    pub last_offset: i64,
    /// The whole batch, in bytes.
    pub size: usize,
    /// Bits 0 to 2 are the codec, bit 4 says transactional, bit 5 control.
    pub attributes: i16,
    pub records: i32,
}

impl BatchHead {
    fn read(bytes: &[u8]) -> Option<BatchHead> {
        let i32_at = |at: usize| Some(i32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let base_offset = i64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
        let size = 12 + usize::try_from(i32_at(8)?).ok()?;
        let attributes = i16::from_be_bytes(bytes.get(21..23)?.try_into().ok()?);
        let last_offset = base_offset + i64::from(i32_at(23)?);
        let records = i32_at(57)?;
        (size <= bytes.len()).then_some(BatchHead { base_offset, last_offset, size, attributes, records })
    }

    /// The codec's number: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub fn codec(&self) -> i16 {
        self.attributes & 7
    }
}

/// An uncompressed record batch of an idempotent producer, with one record for each value.
pub fn batch(producer: (i64, i16), first_sequence: i32, values: &[&str]) -> Vec<u8> {
    let mut records = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let mut record = vec![0];
        varint(&mut record, 0);
        varint(&mut record, index as i32);
        varint(&mut record, -1);
        varint(&mut record, value.len() as i32);
        record.extend_from_slice(value.as_bytes());
        varint(&mut record, 0);
        varint(&mut records, record.len() as i32);
        records.extend_from_slice(&record);
    }
    // Not an old time: a broker that rebuilds its producers from the log forgets those that wrote nothing for a day.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    let covered = Body::default().i16(0).i32(values.len() as i32 - 1).i64(now).i64(now);
    let mut covered = covered.i64(producer.0).i16(producer.1).i32(first_sequence).array(values.len()).0;
    covered.extend_from_slice(&records);
    let mut batch = Body::default().i64(0).i32(covered.len() as i32 + 9).i32(-1).i8(2).0;
    batch.extend_from_slice(&crc32c::crc32c(&covered).to_be_bytes());
    batch.extend_from_slice(&covered);
    batch
}

/// Zigzag, then seven bits a byte, the lowest first.
fn varint(bytes: &mut Vec<u8>, value: i32) {
    unsigned_varint(bytes, ((value << 1) ^ (value >> 31)) as u32);
}

fn unsigned_varint(bytes: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Writes a request's body, field by field.
#[derive(Default)]
struct Body(Vec<u8>);

impl Body {
    fn put(mut self, bytes: &[u8]) -> Body {
        self.0.extend_from_slice(bytes);
        self
    }
    fn i8(self, value: i8) -> Body {
        self.put(&value.to_be_bytes())
    }
    fn i16(self, value: i16) -> Body {
        self.put(&value.to_be_bytes())
    }
    fn i32(self, value: i32) -> Body {
        self.put(&value.to_be_bytes())
    }
    fn i64(self, value: i64) -> Body {
        self.put(&value.to_be_bytes())
    }
    fn array(self, length: usize) -> Body {
        self.i32(length as i32)
    }
    fn string(self, text: Option<&str>) -> Body {
        match text {
            Some(text) => self.i16(text.len() as i16).put(text.as_bytes()),
            None => self.i16(-1),
        }
    }
    fn bytes(self, bytes: &[u8]) -> Body {
        self.i32(bytes.len() as i32).put(bytes)
    }
    fn compact_array(mut self, length: usize) -> Body {
        unsigned_varint(&mut self.0, length as u32 + 1);
        self
    }
    fn compact_string(self, text: &str) -> Body {
        self.compact_array(text.len()).put(text.as_bytes())
    }
    fn no_tags(self) -> Body {
        self.put(&[0])
    }
}

/// Reads an answer, field by field; one that is too short is an error.
struct Answer {
    bytes: Vec<u8>,
    at: usize,
}

impl Answer {
    fn take(&mut self, length: usize) -> Outcome<&[u8]> {
        let bytes = self.bytes.get(self.at..self.at + length).ok_or("an answer ends too early")?;
        self.at += length;
        Ok(bytes)
    }
    fn fixed<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        self.take(N)?.try_into().step("a field")
    }
    fn i16(&mut self) -> Outcome<i16> {
        Ok(i16::from_be_bytes(self.fixed()?))
    }
    fn i32(&mut self) -> Outcome<i32> {
        Ok(i32::from_be_bytes(self.fixed()?))
    }
    fn i64(&mut self) -> Outcome<i64> {
        Ok(i64::from_be_bytes(self.fixed()?))
    }
    /// The length of an array; an absent one has none.
    fn array(&mut self) -> Outcome<usize> {
        Ok(usize::try_from(self.i32()?).unwrap_or(0))
    }
    fn string(&mut self) -> Outcome<Option<String>> {
        match usize::try_from(self.i16()?) {
            Ok(length) => Ok(Some(String::from_utf8_lossy(self.take(length)?).into_owned())),
            Err(_) => Ok(None),
        }
    }
    fn bytes(&mut self) -> Outcome<Vec<u8>> {
        let length = self.array()?;
        Ok(self.take(length)?.to_vec())
    }
    fn compact_length(&mut self) -> Outcome<Option<usize>> {
        let (mut value, mut shift) = (0u32, 0);
        loop {
            let [byte] = self.fixed()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((value as usize).checked_sub(1));
            }
            shift += 7;
            ensure!(shift < 32, "a length of more than five bytes");
        }
    }
    /// An absent string is read as an empty one.
    fn compact_string(&mut self) -> Outcome<String> {
        let length = self.compact_length()?.unwrap_or(0);
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }
    fn tags(&mut self) -> Outcome {
        let [count] = self.fixed()?;
        ensure!(count == 0, "an answer with tagged fields in its header");
        Ok(())
    }
}
