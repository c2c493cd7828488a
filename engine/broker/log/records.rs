//! The records inside a batch: reading them one by one, and writing a batch again with some of them left out.
//!
//! Kafka protocol, "Record". A record's key, value and headers are copied as they are; only its length and the distance of
//! its timestamp from the batch's are written anew. A batch keeps its offsets, its producer and its sequence numbers
//! whatever is left out, even when nothing is left.

use super::batch::{CRC_FROM, HEADER_LEN, Header, put_varint, varint};
use super::codec::{Codec, Unreadable};

/// Where the fields of a header are that change.
const LENGTH: std::ops::Range<usize> = 8..12;
const CRC: std::ops::Range<usize> = 17..21;
const ATTRIBUTES: std::ops::Range<usize> = 21..23;
const BASE_TIMESTAMP: std::ops::Range<usize> = 27..35;
const MAX_TIMESTAMP: std::ops::Range<usize> = 35..43;
const COUNT: std::ops::Range<usize> = 57..61;

/// One record.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its offset.
    pub offset: i64,
    /// Its own timestamp, in milliseconds.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// It has no value: its key is deleted.
    pub is_tombstone: bool,
    attributes: u8,
    delta: i64,
    /// Key, value and headers with their lengths.
    tail: &'a [u8],
}

impl<'a> Record<'a> {
    /// Its value; none of a tombstone, or when the bytes make no sense.
    #[cfg(test)]
    pub fn value(&self) -> Option<&'a [u8]> {
        let mut rest = self.tail;
        let key = usize::try_from(varint(&mut rest)?).unwrap_or(0);
        rest = rest.get(key..)?;
        let len = usize::try_from(varint(&mut rest)?).ok()?;
        rest.get(..len)
    }
}

/// The records of a batch, decompressed.
#[derive(Debug)]
pub struct Records {
    header: Header,
    bytes: Vec<u8>,
}

impl Records {
    /// Opens a whole batch.
    pub fn open(batch: &[u8], header: &Header) -> Result<Records, Unreadable> {
        let body = batch.get(HEADER_LEN..header.len).ok_or(Unreadable)?;
        Ok(Records { header: *header, bytes: Codec::of(header.attributes)?.decompress(body)? })
    }

    /// Hands every record on, in order.
    pub fn each(&self, mut on: impl FnMut(Record<'_>)) -> Result<(), Unreadable> {
        let mut rest = &self.bytes[..];
        for _ in 0..self.header.records {
            on(next(&mut rest, &self.header).ok_or(Unreadable)?);
        }
        Ok(())
    }
}

fn next<'a>(rest: &mut &'a [u8], header: &Header) -> Option<Record<'a>> {
    let len = usize::try_from(varint(rest)?).ok()?;
    let mut record = rest.get(..len)?;
    *rest = &rest[len..];
    let (&attributes, after) = record.split_first()?;
    record = after;
    let timestamp = header.base_timestamp.wrapping_add(varint(&mut record)?);
    let delta = varint(&mut record)?;
    let tail = record;
    let key_len = varint(&mut record)?;
    let key = match usize::try_from(key_len) {
        Ok(len) => {
            let key = record.get(..len)?;
            record = &record[len..];
            Some(key)
        }
        Err(_) => None,
    };
    let is_tombstone = varint(&mut record)? < 0;
    Some(Record {
        offset: header.base_offset.checked_add(delta)?,
        timestamp,
        key,
        is_tombstone,
        attributes,
        delta,
        tail,
    })
}

/// A batch that is being written again.
#[derive(Debug)]
pub struct Rewrite {
    header: Header,
    base_timestamp: i64,
    max_timestamp: i64,
    count: i32,
    body: Vec<u8>,
}

impl Rewrite {
    /// Begins with no record. `horizon` is when tombstones and markers in it may go, in milliseconds (KIP-534).
    pub fn new(header: &Header, horizon: Option<i64>) -> Rewrite {
        let base_timestamp = horizon.unwrap_or(header.base_timestamp);
        let mut header = *header;
        if horizon.is_some() {
            header.set_horizon();
        }
        Rewrite { header, base_timestamp, max_timestamp: -1, count: 0, body: Vec::new() }
    }

    /// Keeps a record of the old batch.
    pub fn keep(&mut self, record: &Record<'_>) {
        let mut head = [0; 32];
        let mut at = &mut head[..];
        at[0] = record.attributes;
        at = &mut at[1..];
        at = put_varint(at, record.timestamp.wrapping_sub(self.base_timestamp));
        at = put_varint(at, record.delta);
        let used = 32 - at.len();
        let mut length = [0; 10];
        let unused = put_varint(&mut length, (used + record.tail.len()) as i64).len();
        self.body.extend_from_slice(&length[..10 - unused]);
        self.body.extend_from_slice(&head[..used]);
        self.body.extend_from_slice(record.tail);
        self.count += 1;
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
    }

    /// How many records were kept.
    pub fn count(&self) -> i32 {
        self.count
    }

    /// The batch, with the rest of its fields as in `old`, compressed as that was.
    pub fn finish(self, old: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let body = match self.count {
            0 => Vec::new(),
            _ => Codec::of(self.header.attributes)?.compress(self.body)?,
        };
        let mut batch = old.get(..HEADER_LEN).ok_or(Unreadable)?.to_vec();
        // Under append time the batch's timestamp is that of all its records; without records the old one says most.
        let keeps_time = self.header.has_append_time() || self.count == 0;
        let max_timestamp = if keeps_time { self.header.max_timestamp } else { self.max_timestamp };
        let length = i32::try_from(HEADER_LEN - LENGTH.end + body.len()).map_err(|_| Unreadable)?;
        batch[LENGTH].copy_from_slice(&length.to_be_bytes());
        batch[ATTRIBUTES].copy_from_slice(&self.header.attributes.to_be_bytes());
        batch[BASE_TIMESTAMP].copy_from_slice(&self.base_timestamp.to_be_bytes());
        batch[MAX_TIMESTAMP].copy_from_slice(&max_timestamp.to_be_bytes());
        batch[COUNT].copy_from_slice(&self.count.to_be_bytes());
        batch.extend_from_slice(&body);
        let crc = crc32c::crc32c(&batch[CRC_FROM..]);
        batch[CRC].copy_from_slice(&crc.to_be_bytes());
        Ok(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::log::batch::testing::{compressed, keyed};

    type Plain = (i64, i64, Option<Vec<u8>>, bool);

    fn plain(batch: &[u8]) -> Vec<Plain> {
        let header = Header::read_checked(batch).unwrap();
        let mut all = Vec::new();
        let records = Records::open(batch, &header).unwrap();
        records
            .each(|one| all.push((one.offset, one.timestamp, one.key.map(<[u8]>::to_vec), one.is_tombstone)))
            .unwrap();
        all
    }

    #[test]
    fn a_batch_written_again_keeps_what_it_is_told_under_every_compression() {
        let batch = keyed(Some((9, 0, 4)), true, 100, &[("a", Some("1")), ("b", None), ("a", Some("2"))]);
        for codec in 0..=4 {
            let batch = compressed(&batch, codec);
            let header = Header::read_checked(&batch).unwrap();
            for horizon in [None, Some(5_000)] {
                let mut again = Rewrite::new(&header, horizon);
                let records = Records::open(&batch, &header).unwrap();
                records
                    .each(|one| {
                        if one.offset > 0 {
                            again.keep(&one)
                        }
                    })
                    .unwrap();
                let again = again.finish(&batch).unwrap();
                assert_eq!(plain(&again), plain(&batch)[1..], "codec {codec}");
                let new = Header::read_checked(&again).unwrap();
                assert_eq!(new.horizon(), horizon);
                assert_eq!((new.records, new.max_timestamp), (2, header.max_timestamp));
                let fixed = |header: &Header| {
                    (header.base_offset, header.last_offset(), header.producer_id, header.last_sequence())
                };
                assert_eq!(fixed(&new), fixed(&header));
            }
        }
    }

    #[test]
    fn an_empty_batch_keeps_offsets_and_sequence() {
        let batch = keyed(Some((9, 2, 4)), false, 100, &[("a", Some("1")), ("b", Some("2"))]);
        let header = Header::read_checked(&batch).unwrap();
        let empty = Rewrite::new(&header, None).finish(&batch).unwrap();
        let new = Header::read_checked(&empty).unwrap();
        assert_eq!((new.len, new.records, new.last_offset(), new.last_sequence()), (HEADER_LEN, 0, 1, 5));
        assert!(plain(&empty).is_empty());
    }

    #[test]
    fn bytes_that_are_no_records_are_an_error_and_never_a_panic() {
        let batch = keyed(None, false, 100, &[("a", Some("1")), ("b", None)]);
        for codec in 0..=7 {
            for at in HEADER_LEN..batch.len() {
                for value in [0, 0x7f, 0xff] {
                    let mut bad = batch.clone();
                    bad[at] = value;
                    bad[22] = codec;
                    let header = Header::read(&bad).unwrap();
                    if let Ok(records) = Records::open(&bad, &header) {
                        let _ = records.each(|_| {});
                    }
                }
            }
        }
    }
}
