//! The sparse index of one segment: where to begin looking for an offset or a timestamp.
//!
//! One entry about every four kilobytes holds the offset and file position of a batch, and the largest timestamp
//! of all batches before it. That running maximum never falls, so one array answers both kinds of question.
//! The index is a hint: it is rebuilt from the segment whenever it is missing or does not fit.

/// Bytes of segment per entry.
const INTERVAL: u64 = 4096;

/// One batch's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Base offset of the batch.
    pub offset: i64,
    /// Its first byte in the segment.
    pub position: u64,
    /// Largest timestamp of the batches before it, `i64::MIN` for the first.
    pub max_before: i64,
}

/// A segment's entries, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    entries: Vec<Entry>,
}

impl Index {
    /// An index of entries that were kept.
    pub fn from_entries(entries: Vec<Entry>) -> Self {
        Index { entries }
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Notes a batch that was appended, if the last entry is far enough behind.
    pub fn note(&mut self, entry: Entry) {
        if self.entries.last().is_none_or(|last| entry.position >= last.position + INTERVAL) {
            self.entries.push(entry);
        }
    }

    /// Position of a batch at or before the one that holds `offset`.
    pub fn floor_offset(&self, offset: i64) -> u64 {
        let after = self.entries.partition_point(|entry| entry.offset <= offset);
        after.checked_sub(1).map_or(0, |at| self.entries[at].position)
    }

    /// Position before which no batch has a timestamp of `timestamp` or later.
    pub fn floor_timestamp(&self, timestamp: i64) -> u64 {
        let after = self.entries.partition_point(|entry| entry.max_before < timestamp);
        after.checked_sub(1).map_or(0, |at| self.entries[at].position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let mut index = Index::default();
        index.note(Entry { offset: 10, position: 0, max_before: i64::MIN });
        index.note(Entry { offset: 15, position: 100, max_before: 5 });
        index.note(Entry { offset: 20, position: 5000, max_before: 50 });
        index.note(Entry { offset: 30, position: 9999, max_before: 50 });
        index
    }

    #[test]
    fn entries_are_sparse() {
        assert_eq!(index().entries().len(), 3);
    }

    #[test]
    fn an_offset_is_found_at_or_before_its_batch() {
        let index = index();
        assert_eq!(index.floor_offset(3), 0);
        assert_eq!(index.floor_offset(19), 0);
        assert_eq!(index.floor_offset(20), 5000);
        assert_eq!(index.floor_offset(99), 9999);
    }

    #[test]
    fn a_timestamp_is_never_overlooked() {
        let index = index();
        assert_eq!(index.floor_timestamp(7), 0);
        assert_eq!(index.floor_timestamp(50), 0);
        assert_eq!(index.floor_timestamp(51), 9999);
    }
}
