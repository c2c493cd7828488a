//! Whole records as bytes: key, value, time, headers, and which partition and offset they are of.
//!
//! What a query keeps of its inputs, in topics of its own, is kept in this form: as the records that it was given, not as what
//! it made of them. So it can be read again by a query that reads other columns of them.
//!
//! A text of bytes holds any number of records one after the other. A record is: what it has (one byte: 1 a key, 2 a value, 4
//! headers), partition, offset and time as variable-length numbers (seven bits a byte, the lowest first; the signed ones with
//! the sign in the lowest bit, as in Protocol Buffers), and what it has, each byte string with its length before it.

use super::RawBatch;

const KEY: u8 = 1;
const VALUE: u8 = 2;
const HEADERS: u8 = 4;

/// Appends the bytes of one record of a batch. Panics when `row` is out of range.
pub fn pack(raw: &RawBatch, row: usize, into: &mut Vec<u8>) {
    let (key, value) = (raw.keys.get(row), raw.values.get(row));
    let headers = if raw.headers.none() { 0 } else { raw.headers.get(row).count() };
    let has = |what: bool, flag: u8| if what { flag } else { 0 };
    into.push(has(key.is_some(), KEY) | has(value.is_some(), VALUE) | has(headers > 0, HEADERS));
    put(into, raw.partition_of(row).max(0) as u64);
    put(into, raw.offsets[row].max(0) as u64);
    put_signed(into, raw.timestamps[row]);
    for bytes in [key, value].into_iter().flatten() {
        put_bytes(into, bytes);
    }
    if headers > 0 {
        put(into, headers as u64);
        for (name, value) in raw.headers.get(row) {
            put_bytes(into, name.as_bytes());
            // 0 is a header without a value.
            put(into, value.map_or(0, |value| value.len() as u64 + 1));
            into.extend_from_slice(value.unwrap_or_default());
        }
    }
}

/// Adds the records that [`pack`] made bytes of to a batch. `None` when the bytes are not of such records; what came before
/// the first that is none is added.
pub fn unpack(mut bytes: &[u8], into: &mut RawBatch) -> Option<()> {
    while !bytes.is_empty() {
        one(&mut bytes, into)?;
    }
    Some(())
}

fn one(bytes: &mut &[u8], into: &mut RawBatch) -> Option<()> {
    let has = take(bytes, 1)?[0];
    let partition = i32::try_from(get(bytes)?).ok()?;
    let offset = i64::try_from(get(bytes)?).ok()?;
    let time = get_signed(bytes)?;
    let key = if has & KEY != 0 { Some(get_bytes(bytes)?) } else { None };
    let value = if has & VALUE != 0 { Some(get_bytes(bytes)?) } else { None };
    let headers = if has & HEADERS != 0 { get(bytes)? } else { 0 };
    // Read through first, so that a record is added whole or not at all.
    let mut ahead = *bytes;
    for _ in 0..headers {
        std::str::from_utf8(get_bytes(&mut ahead)?).ok()?;
        let length = get(&mut ahead)?;
        take(&mut ahead, usize::try_from(length.saturating_sub(1)).ok()?)?;
    }
    for _ in 0..headers {
        let name = std::str::from_utf8(get_bytes(bytes)?).ok()?;
        let length = get(bytes)?;
        let value = take(bytes, usize::try_from(length.saturating_sub(1)).ok()?)?;
        into.headers.push(name, (length > 0).then_some(value));
    }
    into.push(offset, time, key, value);
    into.partitions.push(partition);
    Some(())
}

fn put(into: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

fn put_signed(into: &mut Vec<u8>, number: i64) {
    put(into, ((number << 1) ^ (number >> 63)) as u64);
}

fn put_bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    put(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}

fn get(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        let part = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        if shift == 63 && part > 1 {
            return None;
        }
        number |= part << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn get_signed(bytes: &mut &[u8]) -> Option<i64> {
    get(bytes).map(|number| (number >> 1) as i64 ^ -((number & 1) as i64))
}

fn get_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(get(bytes)?).ok()?;
    take(bytes, length)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Sample = (i32, i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

    fn sample() -> impl Strategy<Value = Sample> {
        let bytes = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200));
        let headers = proptest::collection::vec(("[a-zé]{0,5}", bytes()), 0..3);
        (0..i32::MAX, 0..i64::MAX, any::<i64>(), bytes(), bytes(), headers)
    }

    fn read(raw: &RawBatch) -> Vec<Sample> {
        let headers = |row| raw.headers.get(row).map(|(name, value)| (name.to_string(), value.map(<[u8]>::to_vec)));
        let bytes = |value: Option<&[u8]>| value.map(<[u8]>::to_vec);
        (0..raw.len())
            .map(|row| {
                let (key, value) = (bytes(raw.keys.get(row)), bytes(raw.values.get(row)));
                let place = (raw.partition_of(row), raw.offsets[row], raw.timestamps[row]);
                (place.0, place.1, place.2, key, value, headers(row).collect())
            })
            .collect()
    }

    proptest! {
        #[test]
        fn records_come_back_as_they_were(samples in proptest::collection::vec(sample(), 0..5)) {
            let mut raw = RawBatch::new("t".into(), 0);
            for (partition, offset, time, key, value, headers) in &samples {
                headers.iter().for_each(|(name, value)| raw.headers.push(name, value.as_deref()));
                raw.push(*offset, *time, key.as_deref(), value.as_deref());
                raw.partitions.push(*partition);
            }
            let mut bytes = Vec::new();
            (0..raw.len()).for_each(|row| pack(&raw, row, &mut bytes));
            let mut back = RawBatch::default();
            prop_assert!(unpack(&bytes, &mut back).is_some());
            prop_assert_eq!(read(&back), samples);
        }

        #[test]
        fn any_bytes_are_records_or_are_not(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut raw = RawBatch::default();
            let _ = unpack(&bytes, &mut raw);
            prop_assert_eq!(raw.len(), raw.partitions.len());
            prop_assert!(read(&raw).len() == raw.len());
        }
    }

    #[test]
    fn a_record_that_is_cut_is_not_added() {
        let mut raw = RawBatch::new("t".into(), 7);
        raw.headers.push("a", Some(b"1"));
        raw.push(1 << 40, -1, Some(b"key"), None);
        let mut bytes = Vec::new();
        pack(&raw, 0, &mut bytes);
        for length in 1..bytes.len() {
            let mut back = RawBatch::default();
            assert!(unpack(&bytes[..length], &mut back).is_none(), "{length}");
            assert!(back.is_empty() && back.headers.none());
        }
    }
}
