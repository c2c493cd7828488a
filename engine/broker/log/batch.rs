//! A record batch as bytes: the fields of its 61-byte header that a broker reads and patches.
//!
//! Kafka protocol, "Record Batch", magic 2. The records themselves stay opaque (they may be compressed),
//! except where a timestamp is looked up in an uncompressed batch. The checksum covers everything from
//! the attributes on, so that offset and leader epoch can be filled in without touching it.

/// Bytes before the first record.
pub const HEADER_LEN: usize = 61;
/// Where the bytes begin that the checksum covers.
pub const CRC_FROM: usize = 21;
/// A larger batch than this is never valid.
pub const MAX_BATCH_LEN: usize = 1 << 30;

const ATTR_CODEC: i16 = 0x07;
const ATTR_APPEND_TIME: i16 = 0x08;
const ATTR_TRANSACTIONAL: i16 = 0x10;
const ATTR_CONTROL: i16 = 0x20;
/// The base timestamp is the time at which tombstones and markers in the batch may go (KIP-534).
const ATTR_HORIZON: i16 = 0x40;

/// The header's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Bytes of the whole batch, header included.
    pub len: usize,
    /// Compression, timestamp type, transactional, control.
    pub attributes: i16,
    /// Offset of the last record minus `base_offset`.
    pub last_offset_delta: i32,
    /// Timestamp the records' deltas count from, in milliseconds.
    pub base_timestamp: i64,
    /// Largest timestamp of the records, in milliseconds.
    pub max_timestamp: i64,
    /// Producer id, -1 without one.
    pub producer_id: i64,
    /// Producer epoch, -1 without one.
    pub producer_epoch: i16,
    /// Sequence number of the first record, -1 without one.
    pub base_sequence: i32,
    /// Number of records.
    pub records: i32,
    crc: u32,
}

/// Why bytes are not an acceptable batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchError {
    /// The bytes end before the batch does.
    Truncated,
    /// Not message format version 2.
    Magic,
    /// The checksum does not match.
    Crc,
    /// Fields that contradict each other.
    Fields,
}

fn i16_at(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

impl Header {
    /// Reads the header at the start of `bytes`, which may end anywhere after it.
    pub fn read(bytes: &[u8]) -> Result<Header, BatchError> {
        if bytes.len() < HEADER_LEN {
            return Err(BatchError::Truncated);
        }
        if bytes[16] != 2 {
            return Err(BatchError::Magic);
        }
        let body = i32_at(bytes, 8);
        let header = Header {
            base_offset: i64_at(bytes, 0),
            len: usize::try_from(body).unwrap_or(0) + 12,
            crc: i32_at(bytes, 17) as u32,
            attributes: i16_at(bytes, 21),
            last_offset_delta: i32_at(bytes, 23),
            base_timestamp: i64_at(bytes, 27),
            max_timestamp: i64_at(bytes, 35),
            producer_id: i64_at(bytes, 43),
            producer_epoch: i16_at(bytes, 51),
            base_sequence: i32_at(bytes, 53),
            records: i32_at(bytes, 57),
        };
        let sane = (HEADER_LEN..=MAX_BATCH_LEN).contains(&header.len)
            && header.last_offset_delta >= 0
            && header.base_offset.checked_add(i64::from(header.last_offset_delta) + 1).is_some();
        if sane { Ok(header) } else { Err(BatchError::Fields) }
    }

    /// Reads the header of the batch at the start of `bytes` and verifies its checksum.
    pub fn read_checked(bytes: &[u8]) -> Result<Header, BatchError> {
        let header = Header::read(bytes)?;
        let batch = bytes.get(..header.len).ok_or(BatchError::Truncated)?;
        if crc32c::crc32c(&batch[CRC_FROM..]) == header.crc { Ok(header) } else { Err(BatchError::Crc) }
    }

    /// Checks what a producer sent: exactly one batch, whole, consistent, of data.
    pub fn read_produced(bytes: &[u8]) -> Result<Header, BatchError> {
        let header = Header::read_checked(bytes)?;
        let consistent = header.len == bytes.len()
            && header.records > 0
            && header.last_offset_delta == header.records - 1
            && !header.is_control()
            && header.attributes & ATTR_CODEC <= 4
            && header.attributes & ATTR_HORIZON == 0
            && (header.producer_id < 0) == (header.base_sequence < 0)
            && (header.producer_id < 0) == (header.producer_epoch < 0)
            && (!header.is_transactional() || header.producer_id >= 0);
        if consistent { Ok(header) } else { Err(BatchError::Fields) }
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    /// Offset after the last record.
    pub fn next_offset(&self) -> i64 {
        self.last_offset() + 1
    }

    /// Sequence number of the last record; sequence numbers wrap to 0 after `i32::MAX`.
    pub fn last_sequence(&self) -> i32 {
        add_sequence(self.base_sequence, self.last_offset_delta)
    }

    /// Whether the batch belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & ATTR_TRANSACTIONAL != 0
    }

    /// Whether the batch is a marker of the broker instead of data.
    pub fn is_control(&self) -> bool {
        self.attributes & ATTR_CONTROL != 0
    }

    /// Whether all records have the broker's timestamp, which is the batch's largest.
    pub fn has_append_time(&self) -> bool {
        self.attributes & ATTR_APPEND_TIME != 0
    }

    /// When tombstones and markers in the batch may go, in milliseconds; none before compaction has set it.
    pub fn horizon(&self) -> Option<i64> {
        (self.attributes & ATTR_HORIZON != 0).then_some(self.base_timestamp)
    }

    /// Notes that the base timestamp is a horizon.
    pub fn set_horizon(&mut self) {
        self.attributes |= ATTR_HORIZON;
    }

    /// Whether the records are compressed.
    pub fn is_compressed(&self) -> bool {
        self.attributes & ATTR_CODEC != 0
    }
}

/// `sequence + by`, wrapping from `i32::MAX` to 0 as sequence numbers do.
pub fn add_sequence(sequence: i32, by: i32) -> i32 {
    ((i64::from(sequence) + i64::from(by)) % (i64::from(i32::MAX) + 1)) as i32
}

/// Fills in the offset the log gives a batch, and leader epoch 0.
pub fn set_base_offset(batch: &mut [u8], base_offset: i64) {
    batch[0..8].copy_from_slice(&base_offset.to_be_bytes());
    batch[12..16].fill(0);
}

/// Stamps a batch with the broker's time (`message.timestamp.type=LogAppendTime`); milliseconds.
pub fn set_append_time(batch: &mut [u8], timestamp: i64) {
    let attributes = i16_at(batch, 21) | ATTR_APPEND_TIME;
    batch[21..23].copy_from_slice(&attributes.to_be_bytes());
    batch[35..43].copy_from_slice(&timestamp.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CRC_FROM..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// The end of a transaction as a partition sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// The records are void.
    Abort,
    /// The records count.
    Commit,
}

/// A control batch that ends a producer's transaction (KIP-98); base offset 0, to be filled in.
pub fn marker_batch(marker: Marker, producer_id: i64, producer_epoch: i16, timestamp: i64) -> Vec<u8> {
    // Key: version 0, type. Value: version 0, coordinator epoch 0. Lengths as zig-zag varints.
    let kind: u8 = if marker == Marker::Commit { 1 } else { 0 };
    let record: [u8; 17] = [32, 0, 0, 0, 8, 0, 0, 0, kind, 12, 0, 0, 0, 0, 0, 0, 0];
    let mut batch = Vec::with_capacity(HEADER_LEN + record.len());
    batch.extend_from_slice(&0i64.to_be_bytes());
    batch.extend_from_slice(&((HEADER_LEN - 12 + record.len()) as i32).to_be_bytes());
    batch.extend_from_slice(&0i32.to_be_bytes());
    batch.push(2);
    batch.extend_from_slice(&0u32.to_be_bytes());
    batch.extend_from_slice(&(ATTR_TRANSACTIONAL | ATTR_CONTROL).to_be_bytes());
    batch.extend_from_slice(&0i32.to_be_bytes());
    batch.extend_from_slice(&timestamp.to_be_bytes());
    batch.extend_from_slice(&timestamp.to_be_bytes());
    batch.extend_from_slice(&producer_id.to_be_bytes());
    batch.extend_from_slice(&producer_epoch.to_be_bytes());
    batch.extend_from_slice(&(-1i32).to_be_bytes());
    batch.extend_from_slice(&1i32.to_be_bytes());
    batch.extend_from_slice(&record);
    let crc = crc32c::crc32c(&batch[CRC_FROM..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// Which marker a control batch is, if it is one.
pub fn marker_of(batch: &[u8]) -> Option<Marker> {
    let header = Header::read(batch).ok().filter(Header::is_control)?;
    let mut rest = batch.get(HEADER_LEN..header.len)?;
    let _len = varint(&mut rest)?;
    rest = rest.get(1..)?;
    let _timestamp = varint(&mut rest)?;
    let _offset = varint(&mut rest)?;
    let key_len = varint(&mut rest)?;
    if key_len < 4 || rest.len() < 4 {
        return None;
    }
    match i16_at(rest, 2) {
        0 => Some(Marker::Abort),
        1 => Some(Marker::Commit),
        _ => None,
    }
}

/// Offset and timestamp of the first record of `batch` at offset `from` or later whose timestamp is at least `timestamp`.
///
/// Records of a compressed batch are not opened: the batch's first record stands for it, so the answer may lie
/// before the exact one and before `from`, never after it.
pub fn find_timestamp(batch: &[u8], timestamp: i64, from: i64) -> Option<(i64, i64)> {
    let header = Header::read(batch).ok()?;
    if header.max_timestamp < timestamp || header.records <= 0 {
        return None;
    }
    if header.attributes & ATTR_APPEND_TIME != 0 {
        return Some((header.base_offset, header.max_timestamp));
    }
    if header.is_compressed() {
        let first = if header.horizon().is_some() { timestamp } else { header.base_timestamp };
        return Some((header.base_offset, first.max(timestamp)));
    }
    let mut rest = batch.get(HEADER_LEN..header.len)?;
    for _ in 0..header.records {
        let len = usize::try_from(varint(&mut rest)?).ok()?;
        let mut record = rest.get(1..len)?;
        rest = rest.get(len..)?;
        let at = header.base_timestamp.wrapping_add(varint(&mut record)?);
        let delta = varint(&mut record)?;
        let offset = header.base_offset + delta;
        if at >= timestamp && offset >= from {
            return Some((offset, at));
        }
    }
    None
}

/// Reads a zig-zag varint.
pub fn varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

/// Writes a zig-zag varint, ten bytes at most, and gives the room behind it.
pub fn put_varint(out: &mut [u8], value: i64) -> &mut [u8] {
    let mut value = ((value << 1) ^ (value >> 63)) as u64;
    let mut at = 0;
    while value >= 0x80 {
        out[at] = value as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    out[at] = value as u8;
    &mut out[at + 1..]
}

/// Batches for tests.
#[cfg(test)]
pub mod testing {
    use super::*;
    use crate::broker::log::codec::Codec;

    /// A record: timestamp, key, value.
    type Full<'a> = (i64, Option<&'a [u8]>, Option<&'a [u8]>);

    /// An uncompressed batch; each record is its timestamp and value.
    pub fn batch(producer: Option<(i64, i16, i32)>, transactional: bool, records: &[(i64, &[u8])]) -> Vec<u8> {
        let records: Vec<Full<'_>> = records.iter().map(|(at, value)| (*at, None, Some(*value))).collect();
        full(producer, transactional, &records)
    }

    /// An uncompressed batch of keyed records with timestamps from `at` on; without a value a key is deleted.
    pub fn keyed(
        producer: Option<(i64, i16, i32)>,
        transactional: bool,
        at: i64,
        records: &[(&str, Option<&str>)],
    ) -> Vec<u8> {
        let records: Vec<Full<'_>> = records
            .iter()
            .enumerate()
            .map(|(delta, (key, value))| (at + delta as i64, Some(key.as_bytes()), value.map(str::as_bytes)))
            .collect();
        full(producer, transactional, &records)
    }

    /// The same batch under another compression.
    pub fn compressed(batch: &[u8], codec: i16) -> Vec<u8> {
        let body = Codec::of(codec).unwrap().compress(batch[HEADER_LEN..].to_vec()).unwrap();
        let mut batch = [&batch[..HEADER_LEN], &body].concat();
        let attributes = i16_at(&batch, 21) | codec;
        batch[21..23].copy_from_slice(&attributes.to_be_bytes());
        batch[8..12].copy_from_slice(&((HEADER_LEN - 12 + body.len()) as i32).to_be_bytes());
        let crc = crc32c::crc32c(&batch[CRC_FROM..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        batch
    }

    fn full(producer: Option<(i64, i16, i32)>, transactional: bool, records: &[Full<'_>]) -> Vec<u8> {
        let (producer_id, epoch, sequence) = producer.unwrap_or((-1, -1, -1));
        let base = records[0].0;
        let mut body = Vec::new();
        for (delta, (timestamp, key, value)) in records.iter().enumerate() {
            let mut record = vec![0u8];
            put_varint(&mut record, timestamp - base);
            put_varint(&mut record, delta as i64);
            for part in [key, value] {
                put_varint(&mut record, part.map_or(-1, |bytes| bytes.len() as i64));
                record.extend_from_slice(part.unwrap_or_default());
            }
            put_varint(&mut record, 0);
            put_varint(&mut body, record.len() as i64);
            body.extend_from_slice(&record);
        }
        let attributes = if transactional { ATTR_TRANSACTIONAL } else { 0 };
        let max = records.iter().map(|r| r.0).max().unwrap();
        let mut batch = Vec::new();
        batch.extend_from_slice(&0i64.to_be_bytes());
        batch.extend_from_slice(&((HEADER_LEN - 12 + body.len()) as i32).to_be_bytes());
        batch.extend_from_slice(&(-1i32).to_be_bytes());
        batch.push(2);
        batch.extend_from_slice(&0u32.to_be_bytes());
        batch.extend_from_slice(&attributes.to_be_bytes());
        batch.extend_from_slice(&(records.len() as i32 - 1).to_be_bytes());
        batch.extend_from_slice(&base.to_be_bytes());
        batch.extend_from_slice(&max.to_be_bytes());
        batch.extend_from_slice(&producer_id.to_be_bytes());
        batch.extend_from_slice(&epoch.to_be_bytes());
        batch.extend_from_slice(&sequence.to_be_bytes());
        batch.extend_from_slice(&(records.len() as i32).to_be_bytes());
        batch.extend_from_slice(&body);
        let crc = crc32c::crc32c(&batch[CRC_FROM..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        batch
    }

    fn put_varint(out: &mut Vec<u8>, value: i64) {
        let mut room = [0; 10];
        let unused = super::put_varint(&mut room, value).len();
        out.extend_from_slice(&room[..10 - unused]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_under_the_checksum_is_found() {
        let good = testing::batch(None, false, &[(5, b"abc"), (7, b"de")]);
        assert_eq!(Header::read_produced(&good).unwrap().records, 2);
        for at in 17..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            assert!(Header::read_checked(&bad).is_err(), "byte {at}");
        }
    }

    #[test]
    fn offset_and_epoch_can_be_set_without_a_new_checksum() {
        let mut batch = testing::batch(Some((9, 0, 4)), true, &[(5, b"abc")]);
        set_base_offset(&mut batch, 1234);
        let header = Header::read_checked(&batch).unwrap();
        assert_eq!((header.base_offset, header.producer_id, header.base_sequence), (1234, 9, 4));
    }

    #[test]
    fn append_time_renews_the_checksum() {
        let mut batch = testing::batch(None, false, &[(5, b"abc")]);
        set_append_time(&mut batch, 777);
        assert_eq!(Header::read_checked(&batch).unwrap().max_timestamp, 777);
        assert_eq!(find_timestamp(&batch, 700, 0), Some((0, 777)));
    }

    #[test]
    fn a_marker_is_a_valid_control_batch_that_says_what_it_is() {
        for marker in [Marker::Abort, Marker::Commit] {
            let batch = marker_batch(marker, 4, 2, 99);
            let header = Header::read_checked(&batch).unwrap();
            assert!(header.is_control() && header.is_transactional());
            assert_eq!(header.len, batch.len());
            assert_eq!(marker_of(&batch), Some(marker));
        }
    }

    #[test]
    fn a_timestamp_is_found_at_the_record() {
        let mut batch = testing::batch(None, false, &[(100, b"a"), (300, b"b"), (200, b"c")]);
        set_base_offset(&mut batch, 40);
        assert_eq!(find_timestamp(&batch, 50, 0), Some((40, 100)));
        assert_eq!(find_timestamp(&batch, 150, 0), Some((41, 300)));
        assert_eq!(find_timestamp(&batch, 301, 0), None);
        assert_eq!(find_timestamp(&batch, 50, 42), Some((42, 200)), "those before it were deleted");
        assert_eq!(find_timestamp(&batch, 250, 42), None);
    }

    #[test]
    fn no_prefix_of_a_batch_is_a_batch() {
        let batch = testing::batch(None, false, &[(100, b"a"), (300, b"b")]);
        for end in 0..batch.len() {
            assert_eq!(Header::read_checked(&batch[..end]), Err(BatchError::Truncated));
        }
    }

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(add_sequence(i32::MAX, 1), 0);
        assert_eq!(add_sequence(i32::MAX - 1, 1), i32::MAX);
    }
}
