//! What a join keeps, in a topic of the query's own: packed records under the side they are of and a number, and a tombstone
//! under the same when they are not kept any more.

use std::collections::BTreeMap;

/// The time of records in topics of a query's own: that of their writing. Brokers refuse times that are far from it, and
/// event times may be any.
pub(super) const NOW: i64 = -1;

/// The key of a record of the changelog: the side, and the number, eight bytes with the highest first.
pub(super) fn change_key(side: usize, number: u64) -> [u8; 9] {
    let mut key = [side as u8; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

/// What a changelog says when it is read from its first record to its end.
#[derive(Debug, Default)]
pub struct Changelog {
    /// By side: what is kept, by number.
    pub(super) records: [BTreeMap<u64, Vec<u8>>; 2],
}

impl Changelog {
    /// Takes one record of the changelog, in their order. One that is none of ours is passed over.
    pub fn read(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        let Some((side @ (0 | 1), number)) = key.and_then(<[u8]>::split_first) else { return };
        let Ok(number) = <[u8; 8]>::try_from(number).map(u64::from_be_bytes) else { return };
        let records = &mut self.records[usize::from(*side)];
        match value {
            Some(value) => drop(records.insert(number, value.to_vec())),
            None => drop(records.remove(&number)),
        }
    }
}
