//! Checks that a request's lengths are true before it is decoded.
//!
//! The codec makes room for as many array elements as a request claims to have, so that fourteen bytes could ask for
//! more memory than there is and end the process. Here every array and length is followed through the bytes first: what
//! passes has all its elements, and not too many of them.
//!
//! A shape is a request's fields in order: a number is that many bytes, `s` a text and `b` bytes, `[ ]` an array of one
//! of these, `{ }` an array of structures; `@2-8` limits a field to these versions. Tagged fields are skipped over.

use kafka_protocol::messages::ApiKey;

/// No request has more array elements than this in all.
const MAX_ELEMENTS: usize = 1_000_000;
/// Stands for a request that never got the compact encoding.
const NEVER: i16 = i16::MAX;

struct Shape {
    key: ApiKey,
    /// First version in the compact encoding.
    compact: i16,
    fields: &'static str,
}

const fn shape(key: ApiKey, compact: i16, fields: &'static str) -> Shape {
    Shape { key, compact, fields }
}

/// The body of every request that is answered (Kafka protocol guide, "The Messages").
const SHAPES: &[Shape] = &[
    shape(ApiKey::Produce, 9, "s 2 4 {s {4 b}}"),
    shape(
        ApiKey::Fetch,
        12,
        "4 4 4 4 1 4@7-12 4@7-12 {s {4 4@9-12 8 4@12-12 8@5-12 4}} {s@7-12 [4]@7-12}@7-12 s@11-12",
    ),
    shape(ApiKey::ListOffsets, 6, "4 1@2-8 {s {4 4@4-8 8}}"),
    shape(ApiKey::Metadata, 9, "{16@10-12 s} 1@4-12 1@8-10 1@8-12"),
    shape(ApiKey::OffsetCommit, 8, "s 4 s s@7-9 8@2-4 {s {4 8 4@6-9 s}}"),
    shape(ApiKey::OffsetFetch, 6, "s@1-7 {s@1-7 [4]@1-7}@1-7 {s@8-9 s@9-9 4@9-9 {s@8-9 [4]@8-9}@8-9}@8-9 1@7-9"),
    shape(ApiKey::FindCoordinator, 3, "s@0-3 1@1-5 [s]@4-5"),
    shape(ApiKey::JoinGroup, 6, "s 4 4@1-9 s s@5-9 s {s b} s@8-9"),
    shape(ApiKey::Heartbeat, 4, "s 4 s s@3-4"),
    shape(ApiKey::LeaveGroup, 4, "s s@0-2 {s@3-5 s@3-5 s@5-5}@3-5"),
    shape(ApiKey::SyncGroup, 4, "s 4 s s@3-5 s@5-5 s@5-5 {s b}"),
    shape(ApiKey::DescribeGroups, 5, "[s] 1@3-5"),
    shape(ApiKey::ListGroups, 3, "[s]@4-5 [s]@5-5"),
    shape(ApiKey::ApiVersions, 3, "s@3-4 s@3-4"),
    shape(ApiKey::CreateTopics, 5, "{s 4 2 {4 [4]} {s s}} 4 1"),
    shape(ApiKey::DeleteTopics, 4, "{s@6-6 16@6-6}@6-6 [s]@1-5 4"),
    shape(ApiKey::DeleteRecords, 2, "{s {4 8}} 4"),
    shape(ApiKey::InitProducerId, 2, "s 4 8@3-5 2@3-5"),
    shape(ApiKey::OffsetForLeaderEpoch, 4, "4@3-4 {s {4 4 4}}"),
    shape(ApiKey::AddPartitionsToTxn, 3, "s 8 2 {s [4]}"),
    shape(ApiKey::AddOffsetsToTxn, 3, "s 8 2 s"),
    shape(ApiKey::EndTxn, 3, "s 8 2 1"),
    shape(ApiKey::TxnOffsetCommit, 3, "s s 8 2 4@3-4 s@3-4 s@3-4 {s {4 8 4@2-4 s}}"),
    shape(ApiKey::DescribeConfigs, 4, "{1 s [s]} 1 1@3-4"),
    shape(ApiKey::AlterConfigs, 2, "{1 s {s s}} 1"),
    shape(ApiKey::CreatePartitions, 2, "{s 4 {[4]}} 4 1"),
    shape(ApiKey::DeleteGroups, 2, "[s]"),
    shape(ApiKey::IncrementalAlterConfigs, 1, "{1 s {s 1 s}} 1"),
    shape(ApiKey::OffsetDelete, NEVER, "s {s {4}}"),
    shape(ApiKey::DescribeCluster, 0, "1 1@1-1"),
    shape(ApiKey::DescribeProducers, 0, "{s [4]}"),
    shape(ApiKey::DescribeTransactions, 0, "[s]"),
    shape(ApiKey::ListTransactions, 0, "[s] [8] 8@1-1"),
];

/// Whether the lengths in a request's body are true.
pub fn holds(key: ApiKey, version: i16, body: &[u8]) -> bool {
    let Some(shape) = SHAPES.iter().find(|shape| shape.key == key) else { return false };
    let mut walk = Walk { rest: body, version, compact: version >= shape.compact, elements: 0 };
    walk.structure(shape.fields).is_some()
}

/// A walk through a body, its front.
struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    compact: bool,
    elements: usize,
}

impl Walk<'_> {
    fn skip(&mut self, count: usize) -> Option<()> {
        self.rest = self.rest.get(count..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<usize> {
        let mut value = 0usize;
        for shift in (0..35).step_by(7) {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A length; null counts as nothing. Texts have two bytes for it, arrays and bytes four.
    fn length(&mut self, wide: bool) -> Option<usize> {
        if self.compact {
            return Some(self.varint()?.saturating_sub(1));
        }
        let length = if wide {
            let (head, rest) = self.rest.split_first_chunk::<4>()?;
            self.rest = rest;
            i32::from_be_bytes(*head)
        } else {
            let (head, rest) = self.rest.split_first_chunk::<2>()?;
            self.rest = rest;
            i32::from(i16::from_be_bytes(*head))
        };
        if length < -1 { None } else { Some(length.max(0) as usize) }
    }

    fn structure(&mut self, mut fields: &str) -> Option<()> {
        while let Some((field, wanted, after)) = next_field(fields) {
            fields = after;
            if wanted.is_none_or(|(first, last)| (first..=last).contains(&self.version)) {
                self.field(field)?;
            }
        }
        if self.compact {
            for _ in 0..self.varint()? {
                self.varint()?;
                let len = self.varint()?;
                self.skip(len)?;
            }
        }
        Some(())
    }

    fn field(&mut self, field: &str) -> Option<()> {
        let inner = field.get(1..field.len().saturating_sub(1)).unwrap_or_default();
        match field.as_bytes().first()? {
            b's' => {
                let len = self.length(false)?;
                self.skip(len)
            }
            b'b' => {
                let len = self.length(true)?;
                self.skip(len)
            }
            open @ (b'[' | b'{') => {
                let count = self.length(true)?;
                self.elements += count;
                if self.elements > MAX_ELEMENTS {
                    return None;
                }
                for _ in 0..count {
                    if *open == b'[' { self.field(inner)? } else { self.structure(inner)? }
                }
                Some(())
            }
            _ => self.skip(field.parse().ok()?),
        }
    }
}

/// A field's own text, the versions it is limited to, and the text after it.
type Field<'a> = (&'a str, Option<(i16, i16)>, &'a str);

/// Cuts the first field off a shape.
fn next_field(fields: &str) -> Option<Field<'_>> {
    let fields = fields.trim_start();
    let mut depth = 0;
    let end_of = |c: char| {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        c == ' ' && depth == 0
    };
    let (field, after) = fields.split_at(fields.find(end_of).unwrap_or(fields.len()));
    if field.is_empty() {
        return None;
    }
    // The limit of a nested field belongs to that field: only what stands behind the last bracket is this one's.
    let outer = field.rfind([']', '}']).map_or(0, |at| at + 1);
    match field[outer..].split_once('@') {
        None => Some((field, None, after)),
        Some((kind, versions)) => {
            let (first, last) = versions.split_once('-')?;
            Some((&field[..outer + kind.len()], Some((first.parse().ok()?, last.parse().ok()?)), after))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::wire::versions::SUPPORTED;
    use bytes::Bytes;
    use kafka_protocol::messages::{MetadataRequest, ProduceRequest};
    use kafka_protocol::protocol::Decodable;

    #[test]
    fn every_request_that_is_answered_has_a_shape() {
        for known in SUPPORTED {
            assert!(SHAPES.iter().any(|shape| shape.key == known.key), "{:?}", known.key);
        }
    }

    #[test]
    fn fields_are_cut_at_their_own_end() {
        let cut = |text| next_field(text).unwrap();
        assert_eq!(cut("4@7-12 s"), ("4", Some((7, 12)), " s"));
        assert_eq!(cut("{s@7-12 [4]@7-12}@3-12 s"), ("{s@7-12 [4]@7-12}", Some((3, 12)), " s"));
        assert_eq!(cut("{s@7-12 [4]@7-12}"), ("{s@7-12 [4]@7-12}", None, ""));
        assert_eq!(next_field(" "), None);
    }

    #[test]
    fn an_array_longer_than_the_request_is_refused() {
        assert!(!holds(ApiKey::Metadata, 1, &[0x7f, 0xff, 0xff, 0xff]));
        assert!(!holds(ApiKey::Metadata, 9, &[0xff, 0xff, 0xff, 0xff, 0x0f]));
        assert!(!holds(ApiKey::Produce, 3, b"\xff\xff\0\x01\0\0\0\0\x7f\xff\xff\xff"));
        assert!(holds(ApiKey::Metadata, 1, &[0xff, 0xff, 0xff, 0xff]));
    }

    #[test]
    fn a_good_request_holds_and_none_of_its_beginnings_does() {
        // Version 1: two topics. Version 9, compact: one topic, four flags, no tags.
        let classic = b"\0\0\0\x02\0\x01a\0\x03bcd".as_slice();
        let compact = b"\x02\x03ab\0\x01\0\0\0".as_slice();
        for (version, body) in [(1, classic), (9, compact)] {
            assert!(holds(ApiKey::Metadata, version, body));
            assert!(MetadataRequest::decode(&mut Bytes::from_static(body), version).is_ok());
            for end in 0..body.len() {
                assert!(!holds(ApiKey::Metadata, version, &body[..end]), "version {version}, {end} bytes");
            }
        }
    }

    #[test]
    fn what_holds_never_panics_in_the_codec() {
        // A produce request with every byte changed in turn.
        let body = b"\xff\xff\0\x01\0\0\x03\xe8\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0\0\0\0\x04abcd".to_vec();
        for at in 0..body.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = body.clone();
                changed[at] = value;
                if holds(ApiKey::Produce, 3, &changed) {
                    let _ = ProduceRequest::decode(&mut Bytes::from(changed), 3);
                }
            }
        }
    }
}
