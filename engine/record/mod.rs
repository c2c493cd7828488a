//! The vocabulary of data in motion: records, column-wise; undecoded ([`RawBatch`], [`OutBatch`]) and decoded ([`Batch`]).
//!
//! A [`RawBatch`] is what a reader hands over and what a writer takes: records of one partition, their
//! keys, values, timestamps, offsets and headers each in a column. All columns have the same number
//! of rows. Clearing a batch keeps its buffers, so a reader that reuses one allocates nothing per record.
//! [`pack`] makes bytes of whole records and back.

mod batch;
mod bytes_column;
mod headers;
pub mod pack;

pub use batch::Batch;
pub use bytes_column::BytesColumn;
pub use headers::HeadersColumn;

use std::sync::Arc;

/// Records of one partition of one topic, not decoded yet.
#[derive(Debug, Clone, Default)]
pub struct RawBatch {
    /// The topic the records are of.
    pub topic: Arc<str>,
    /// The partition the records are of.
    pub partition: i32,
    /// Record keys; a missing key is null.
    pub keys: BytesColumn,
    /// Record values; a tombstone is null.
    pub values: BytesColumn,
    /// Event time of each record, milliseconds since the epoch; -1 when the record carries none.
    pub timestamps: Vec<i64>,
    /// Offset of each record, ascending, with gaps (transaction markers, aborted records, compaction).
    pub offsets: Vec<i64>,
    /// Headers of each record.
    pub headers: HeadersColumn,
    /// The partition of each record, where records of several partitions came together; empty where all are of `partition`.
    pub partitions: Vec<i32>,
}

impl RawBatch {
    /// An empty batch of one partition.
    pub fn new(topic: Arc<str>, partition: i32) -> Self {
        RawBatch { topic, partition, ..RawBatch::default() }
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// The partition that a record was read from. Panics when `row` is out of range.
    pub fn partition_of(&self, row: usize) -> i32 {
        if self.partitions.is_empty() { self.partition } else { self.partitions[row] }
    }

    /// Bytes of all keys and values.
    pub fn byte_size(&self) -> usize {
        self.keys.byte_size() + self.values.byte_size()
    }

    /// Adds one record without headers; call [`HeadersColumn::push`] before for one that has some.
    pub fn push(&mut self, offset: i64, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.keys.push(key);
        self.values.push(value);
        self.timestamps.push(timestamp);
        self.offsets.push(offset);
        self.headers.end_row();
    }

    /// A copy of the records below an offset.
    pub fn before(&self, offset: i64) -> RawBatch {
        let mut before = RawBatch::new(Arc::clone(&self.topic), self.partition);
        for row in (0..self.len()).take_while(|row| self.offsets[*row] < offset) {
            for (name, value) in self.headers.get(row) {
                before.headers.push(name, value);
            }
            before.push(self.offsets[row], self.timestamps[row], self.keys.get(row), self.values.get(row));
        }
        before
    }

    /// Removes all records and keeps the buffers.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.values.clear();
        self.timestamps.clear();
        self.offsets.clear();
        self.headers.clear();
        self.partitions.clear();
    }
}

/// Records on their way to a topic, column-wise, in the order in which they are to be produced.
#[derive(Debug, Clone, Default)]
pub struct OutBatch {
    /// The topic to write to.
    pub topic: Arc<str>,
    /// The partition of all records, or `None` to let the key decide (Kafka's murmur2 partitioner).
    pub partition: Option<i32>,
    /// Record keys; null where there is none.
    pub keys: BytesColumn,
    /// Record values; null is a tombstone.
    pub values: BytesColumn,
    /// Event time of each record, milliseconds since the epoch.
    pub timestamps: Vec<i64>,
    /// Headers of each record.
    pub headers: HeadersColumn,
}

impl OutBatch {
    /// An empty batch for one topic.
    pub fn new(topic: Arc<str>) -> Self {
        OutBatch { topic, ..OutBatch::default() }
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// Adds one record without headers; call [`HeadersColumn::push`] before for one that has some.
    pub fn push(&mut self, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.keys.push(key);
        self.values.push(value);
        self.timestamps.push(timestamp);
        self.headers.end_row();
    }

    /// Removes all records and keeps the buffers.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.values.clear();
        self.timestamps.clear();
        self.headers.clear();
    }
}
