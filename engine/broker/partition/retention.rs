//! Retention of one partition: which finished segments are too old, or too much.

use super::{Partition, Rules};

impl Partition {
    /// The first offset to keep, when the topic's rules let go of segments: those whose newest record is older than
    /// `retention.ms`, and the oldest beyond `retention.bytes`. The segment being written is finished first when it is
    /// to go too. Records of an open transaction stay. The caller notes the offset, then deletes what is below it.
    pub fn expired(&self, rules: &Rules, now: i64) -> Option<i64> {
        let mut inner = self.inner.lock();
        if inner.gone || (rules.retention_ms.is_none() && rules.retention_bytes.is_none()) {
            return None;
        }
        let (start, stable) = (inner.log.start(), inner.bounds().stable);
        let (mut size, mut keep_from, mut all) = (inner.log.len(), None, true);
        let nexts = inner.log.segments().skip(1).map(|next| next.base).chain([inner.log.end()]);
        for (segment, next) in inner.log.segments().zip(nexts) {
            let old = rules.retention_ms.is_some_and(|ms| now.saturating_sub(segment.newest_ms()) > ms);
            let much = rules.retention_bytes.is_some_and(|max| size - segment.len >= max);
            let empty = segment.len == 0;
            if segment.next > stable || !(empty || old || much) {
                all = false;
                break;
            }
            size -= segment.len;
            if !empty {
                keep_from = Some(next);
            }
        }
        // All of the segment being written may have been deleted already: it takes room all the same.
        let written = all && inner.log.active().len > 0;
        let keep_from = keep_from.filter(|offset| *offset > start || written)?;
        if written {
            inner.roll(&self.limits);
        }
        Some(keep_from)
    }
}
