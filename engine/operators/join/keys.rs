//! Which rows of both sides have the same key, by time.

use std::collections::VecDeque;

use ahash::RandomState;
use hashbrown::HashTable;

/// A row that is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Its time, milliseconds since the epoch.
    pub time: i64,
    /// Its number among the rows of its side.
    pub row: u64,
    /// Whether it has met a row of the other side.
    pub matched: bool,
}

/// The rows of one key.
#[derive(Debug, Default)]
struct Key {
    bytes: Vec<u8>,
    /// Of each side, by time and number.
    rows: [VecDeque<Entry>; 2],
}

/// All keys of which rows are kept.
#[derive(Debug, Default)]
pub(super) struct Keys {
    table: HashTable<u32>,
    keys: Vec<Key>,
    free: Vec<u32>,
    hasher: RandomState,
}

impl Keys {
    /// The number of a key, if a row of it is kept.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(bytes);
        self.table.find(hash, |key| self.keys[*key as usize].bytes == bytes).copied()
    }

    /// A number for a key that has none.
    pub(super) fn add_key(&mut self, bytes: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(bytes);
        let keys = &mut self.keys;
        let key = match self.free.pop() {
            Some(key) => key,
            None => {
                keys.push(Key::default());
                (keys.len() - 1) as u32
            }
        };
        keys[key as usize].bytes.extend_from_slice(bytes);
        let hasher = &self.hasher;
        self.table.insert_unique(hash, key, |key| hasher.hash_one(keys[*key as usize].bytes.as_slice()));
        key
    }

    /// The bytes of a key.
    pub(super) fn bytes(&self, key: u32) -> &[u8] {
        &self.keys[key as usize].bytes
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// The bytes of a key, and the rows of a side with it whose times are from `low` to `high`, in their order.
    pub(super) fn between(
        &mut self,
        key: u32,
        side: usize,
        low: i64,
        high: i64,
    ) -> (&[u8], impl Iterator<Item = &mut Entry>) {
        let Key { bytes, rows } = &mut self.keys[key as usize];
        let rows = &mut rows[side];
        let start = rows.partition_point(|entry| entry.time < low);
        let end = rows.partition_point(|entry| entry.time <= high).max(start);
        (bytes, rows.range_mut(start..end))
    }

    /// Adds a row.
    pub(super) fn add(&mut self, key: u32, side: usize, entry: Entry) {
        let rows = &mut self.keys[key as usize].rows[side];
        match rows.back() {
            Some(last) if last.time > entry.time => {
                let at = rows.partition_point(|other| other.time <= entry.time);
                rows.insert(at, entry);
            }
            _ => rows.push_back(entry),
        }
    }

    /// Whether a row has met one of the other side; also when it is not there any more.
    pub(super) fn is_matched(&self, key: u32, side: usize, time: i64, row: u64) -> bool {
        let rows = &self.keys[key as usize].rows[side];
        // Of equal times, the numbers ascend.
        let at = rows.partition_point(|entry| (entry.time, entry.row) < (time, row));
        rows.get(at).filter(|entry| entry.row == row).is_none_or(|entry| entry.matched)
    }

    /// Takes away the rows of a key that are before a time, and the key when it has none left.
    pub(super) fn expire(&mut self, key: u32, side: usize, before: i64) {
        let found = &mut self.keys[key as usize];
        let rows = &mut found.rows[side];
        while rows.front().is_some_and(|entry| entry.time < before) {
            rows.pop_front();
        }
        if !found.rows.iter().all(VecDeque::is_empty) {
            return;
        }
        let hash = self.hasher.hash_one(found.bytes.as_slice());
        // A key whose last row is taken away twice is not there the second time.
        if let Ok(entry) = self.table.find_entry(hash, |other| *other == key) {
            entry.remove();
            *found = Key::default();
            self.free.push(key);
        }
    }

    /// The keys and the rows of a side of each.
    pub(super) fn all(&mut self, side: usize) -> impl Iterator<Item = (u32, &mut VecDeque<Entry>)> {
        self.keys.iter_mut().enumerate().map(move |(key, found)| (key as u32, &mut found.rows[side]))
    }

    /// The rows of a key of a side.
    pub(super) fn rows(&self, key: u32, side: usize) -> &VecDeque<Entry> {
        &self.keys[key as usize].rows[side]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(time: i64, row: u64) -> Entry {
        Entry { time, row, matched: false }
    }

    #[test]
    fn rows_are_found_by_key_and_time_and_a_key_goes_with_its_last_row() {
        let mut keys = Keys::default();
        let a = keys.add_key(b"a");
        for (time, row) in [(5, 0), (9, 1), (7, 2), (7, 3)] {
            keys.add(a, 0, entry(time, row));
        }
        let found: Vec<u64> = keys.between(a, 0, 6, 9).1.map(|entry| entry.row).collect();
        assert_eq!(found, [2, 3, 1]);
        assert!(keys.between(a, 0, 6, 6).1.next().is_none() && keys.between(a, 0, 9, 3).1.next().is_none());
        keys.between(a, 0, 9, 9).1.for_each(|entry| entry.matched = true);
        assert!(keys.is_matched(a, 0, 9, 1) && !keys.is_matched(a, 0, 7, 3));
        keys.expire(a, 0, 9);
        assert_eq!((keys.find(b"a"), keys.len()), (Some(a), 1));
        keys.expire(a, 0, 10);
        keys.expire(a, 0, 10);
        assert_eq!((keys.find(b"a"), keys.len()), (None, 0));
        // The number is used again, once.
        assert_eq!((keys.add_key(b"b"), keys.add_key(b"c")), (a, a + 1));
    }
}
