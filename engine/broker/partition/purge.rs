//! Where a partition begins: lets go of everything before an offset, because a client asked for it (DeleteRecords), because
//! [`retention`](super::retention) says so, or because memory is full.
//!
//! What changes at once is the start; files and memory follow by whole segments:
//!
//! - A segment stays while a record of it can still be read, and so does the one being written, however far the start is: it
//!   says where the log ends. Compaction and opening again take such a segment as a whole; the records before the start only
//!   cost room until it goes.
//! - Open transactions do not hold the start, as in Kafka. What is deleted of one is gone whether it commits or not, the rest
//!   waits for its marker as before, and the last stable offset never lies before the start.
//! - The producers' sequence numbers stay in force: here in memory, and for the next opening in the sidecar that the last
//!   segment to go leaves behind. A batch sent again is recognized although its records are deleted.
//!
//! In a folder, the caller notes the start in the journal first: what is in no file any more is only known from there.

use std::sync::atomic::Ordering;

use kafka_protocol::ResponseError;

use super::{Inner, Limits, Partition};

impl Partition {
    /// Moves the first readable offset up to `offset`, which is at most the end; never down. The first readable one now.
    pub fn delete_before(&self, offset: i64) -> Result<i64, ResponseError> {
        let mut inner = self.inner.lock();
        inner.check_alive()?;
        if offset < 0 || offset > inner.log.end() {
            return Err(ResponseError::OffsetOutOfRange);
        }
        inner.drop_before(offset, &self.limits);
        Ok(inner.log.start())
    }

    /// When the oldest segment began, if it can be dropped: it is finished, and stable unless `even_open`.
    pub fn droppable(&self, even_open: bool) -> Option<u64> {
        let inner = self.inner.lock();
        let oldest = inner.log.oldest();
        let free = inner.log.segment_count() > 1 && (even_open || oldest.next <= inner.bounds().stable);
        (free && !inner.gone).then_some(oldest.stamp)
    }

    /// Drops the oldest segment, if it is the one that began at `stamp`.
    pub fn drop_oldest(&self, stamp: u64) {
        let mut inner = self.inner.lock();
        let next = inner.log.segments().nth(1).map(|next| next.base);
        if let Some(next) = next.filter(|_| inner.log.oldest().stamp == stamp) {
            inner.drop_before(next, &self.limits);
        }
    }
}

impl Inner {
    fn drop_before(&mut self, offset: i64, limits: &Limits) {
        let gone = self.log.advance_start(offset);
        limits.held.fetch_sub(gone, Ordering::Relaxed);
        let start = self.log.start();
        let old = self.aborted.partition_point(|aborted| aborted.last < start);
        self.aborted.drain(..old);
        self.aborted_kept = self.aborted_kept.saturating_sub(old);
    }
}
