//! What one partition remembers of its producers: sequences, epochs and open transactions.
//!
//! KIP-98: a producer numbers its records per partition, so that a repeated batch is recognized and a lost one
//! noticed. The last five batches are kept, as many as a client may have in flight. Everything here follows from the
//! log alone and is rebuilt from it, except the permits, which the transaction coordinator gives again on start.

use std::collections::{BTreeSet, HashMap, VecDeque};

use kafka_protocol::ResponseError;
use serde::{Deserialize, Serialize};

use super::log::batch::{Header, add_sequence};

/// Batches remembered per producer and partition.
const WINDOW: usize = 5;

/// A batch that was appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    first: i32,
    last: i32,
    base_offset: i64,
    timestamp: i64,
}

/// One producer's state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Producer {
    epoch: i16,
    seen: VecDeque<Seen>,
    /// First offset of its open transaction.
    open: Option<i64>,
    last_timestamp: i64,
    /// When the broker last heard of it, in milliseconds.
    #[serde(default)]
    heard_ms: i64,
}

/// The batch that the state of a producer hangs on when it is read from the log again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// The one with this last offset.
    Batch(i64),
    /// A marker of this epoch; it has written nothing since.
    Marker(i16),
}

/// A transaction that was aborted: its records from `first` to the marker at `last` are void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aborted {
    /// Whose it was.
    pub producer_id: i64,
    /// Offset of its first record in the partition.
    pub first: i64,
    /// Offset of its marker.
    pub last: i64,
}

/// What to do with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is new.
    Append,
    /// It is already in the log, at this offset with this timestamp.
    Duplicate {
        /// Offset of its first record.
        base_offset: i64,
        /// Its largest timestamp, in milliseconds.
        timestamp: i64,
    },
}

/// One producer, for inspection (DescribeProducers).
#[derive(Debug, Clone, Copy)]
pub struct Active {
    /// Producer id.
    pub id: i64,
    /// Producer epoch.
    pub epoch: i16,
    /// Sequence number of its last record, -1 when there is none.
    pub last_sequence: i32,
    /// Timestamp of its last batch, in milliseconds.
    pub last_timestamp: i64,
    /// First offset of its open transaction, -1 without one.
    pub open: i64,
}

/// All producers of a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Producers {
    map: HashMap<i64, Producer>,
    /// First offsets of all open transactions.
    open: BTreeSet<i64>,
    /// Producers that may begin a transaction here, with the epoch they must have.
    #[serde(skip)]
    permits: HashMap<i64, i16>,
}

impl Producers {
    /// Decides about a batch that a producer sent.
    pub fn check(&self, header: &Header) -> Result<Verdict, ResponseError> {
        if header.producer_id < 0 {
            return Ok(Verdict::Append);
        }
        let known = self.map.get(&header.producer_id);
        if known.is_some_and(|known| header.producer_epoch < known.epoch) {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        if let Some(known) = known {
            let same_epoch = header.producer_epoch == known.epoch;
            if same_epoch {
                let (first, last) = (header.base_sequence, header.last_sequence());
                if let Some(seen) = known.seen.iter().find(|seen| (seen.first, seen.last) == (first, last)) {
                    return Ok(Verdict::Duplicate { base_offset: seen.base_offset, timestamp: seen.timestamp });
                }
            }
            let expected = match known.seen.back() {
                Some(seen) if same_epoch => add_sequence(seen.last, 1),
                _ => 0,
            };
            if header.base_sequence != expected {
                return Err(ResponseError::OutOfOrderSequenceNumber);
            }
        }
        self.check_transaction(header, known)?;
        Ok(Verdict::Append)
    }

    /// A record of a transaction needs the coordinator's permit, and others must keep out of an open one.
    fn check_transaction(&self, header: &Header, known: Option<&Producer>) -> Result<(), ResponseError> {
        let open = known.is_some_and(|known| known.open.is_some() && known.epoch == header.producer_epoch);
        if !header.is_transactional() {
            return if open { Err(ResponseError::InvalidTxnState) } else { Ok(()) };
        }
        match self.permits.get(&header.producer_id) {
            Some(&epoch) if header.producer_epoch < epoch => Err(ResponseError::InvalidProducerEpoch),
            Some(&epoch) if header.producer_epoch == epoch => Ok(()),
            _ => Err(ResponseError::InvalidTxnState),
        }
    }

    /// Takes in a batch of data that was appended at `now`, in milliseconds, or is read again on start.
    pub fn appended(&mut self, header: &Header, now: i64) {
        if header.producer_id < 0 {
            return;
        }
        let producer = self.map.entry(header.producer_id).or_default();
        if producer.epoch != header.producer_epoch {
            producer.seen.clear();
            producer.epoch = header.producer_epoch;
        }
        producer.last_timestamp = header.max_timestamp;
        producer.heard_ms = now;
        if producer.seen.len() == WINDOW {
            producer.seen.pop_front();
        }
        producer.seen.push_back(Seen {
            first: header.base_sequence,
            last: header.last_sequence(),
            base_offset: header.base_offset,
            timestamp: header.max_timestamp,
        });
        if header.is_transactional() {
            self.open.insert(*producer.open.get_or_insert(header.base_offset));
        }
    }

    /// Takes in a transaction marker: the first offset of the transaction it ends, if one was open. A marker with a
    /// newer epoch fences the older one.
    pub fn ended(&mut self, producer_id: i64, epoch: i16, now: i64) -> Option<i64> {
        self.permits.remove(&producer_id);
        let producer = self.map.entry(producer_id).or_default();
        if producer.epoch != epoch {
            producer.seen.clear();
            producer.epoch = epoch;
        }
        producer.heard_ms = now;
        let first = producer.open.take()?;
        self.open.remove(&first);
        Some(first)
    }

    /// Lets a producer begin a transaction here.
    pub fn permit(&mut self, producer_id: i64, epoch: i16) {
        self.permits.insert(producer_id, epoch);
    }

    /// Takes back a permit.
    #[cfg(test)]
    pub fn forbid(&mut self, producer_id: i64) {
        self.permits.remove(&producer_id);
    }

    /// First offset of the producer's open transaction.
    pub fn open_of(&self, producer_id: i64) -> Option<i64> {
        self.map.get(&producer_id).and_then(|producer| producer.open)
    }

    /// First offset of the oldest open transaction: nothing from there on is stable.
    pub fn first_open(&self) -> Option<i64> {
        self.open.first().copied()
    }

    /// Forgets producers that were last heard of before `before`, in milliseconds, and have nothing open.
    pub fn expire(&mut self, before: i64) {
        let permits = &self.permits;
        self.map
            .retain(|id, producer| producer.open.is_some() || permits.contains_key(id) || producer.heard_ms >= before);
    }

    /// When producers were last heard of is when a log was read, which no two readings share.
    #[cfg(test)]
    pub fn forget_times(&mut self) {
        self.map.values_mut().for_each(|producer| producer.heard_ms = 0);
    }

    /// For each producer the batch that its state hangs on.
    pub fn last_batches(&self) -> HashMap<i64, Last> {
        let last = |producer: &Producer| match producer.seen.back() {
            Some(seen) => {
                let delta = i64::from(seen.last) - i64::from(seen.first);
                // Sequence numbers wrap from `i32::MAX` to 0.
                Last::Batch(seen.base_offset + if delta < 0 { delta + (1 << 31) } else { delta })
            }
            None => Last::Marker(producer.epoch),
        };
        self.map.iter().map(|(id, producer)| (*id, last(producer))).collect()
    }

    /// Every producer known here.
    pub fn active(&self) -> Vec<Active> {
        let view = |(&id, producer): (&i64, &Producer)| Active {
            id,
            epoch: producer.epoch,
            last_sequence: producer.seen.back().map_or(-1, |seen| seen.last),
            last_timestamp: producer.last_timestamp,
            open: producer.open.unwrap_or(-1),
        };
        self.map.iter().map(view).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::log::batch::testing::batch;

    fn header(id: i64, epoch: i16, sequence: i32, count: usize, transactional: bool) -> Header {
        let records: Vec<(i64, &[u8])> = vec![(1, b"x"); count];
        Header::read(&batch(Some((id, epoch, sequence)), transactional, &records)).unwrap()
    }

    fn append(producers: &mut Producers, mut header: Header, offset: i64) {
        assert_eq!(producers.check(&header), Ok(Verdict::Append));
        header.base_offset = offset;
        producers.appended(&header, 0);
    }

    #[test]
    fn a_repeat_within_the_last_five_batches_is_a_duplicate_and_an_older_one_is_out_of_order() {
        let mut producers = Producers::default();
        for n in 0..6 {
            append(&mut producers, header(1, 0, n * 2, 2, false), i64::from(n) * 2);
        }
        for n in 1..6 {
            let verdict = producers.check(&header(1, 0, n * 2, 2, false)).unwrap();
            assert_eq!(verdict, Verdict::Duplicate { base_offset: i64::from(n) * 2, timestamp: 1 });
        }
        assert_eq!(producers.check(&header(1, 0, 0, 2, false)), Err(ResponseError::OutOfOrderSequenceNumber));
    }

    #[test]
    fn a_gap_is_refused_and_an_unknown_producer_may_begin_anywhere() {
        let mut producers = Producers::default();
        append(&mut producers, header(1, 0, 40, 2, false), 0);
        assert_eq!(producers.check(&header(1, 0, 43, 1, false)), Err(ResponseError::OutOfOrderSequenceNumber));
        assert_eq!(producers.check(&header(1, 0, 42, 1, false)), Ok(Verdict::Append));
    }

    #[test]
    fn sequences_wrap() {
        let mut producers = Producers::default();
        append(&mut producers, header(1, 0, i32::MAX - 1, 2, false), 0);
        append(&mut producers, header(1, 0, 0, 1, false), 2);
    }

    #[test]
    fn an_older_epoch_is_fenced_and_a_newer_one_begins_at_zero() {
        let mut producers = Producers::default();
        append(&mut producers, header(1, 3, 0, 1, false), 0);
        assert_eq!(producers.check(&header(1, 2, 1, 1, false)), Err(ResponseError::InvalidProducerEpoch));
        assert_eq!(producers.check(&header(1, 4, 1, 1, false)), Err(ResponseError::OutOfOrderSequenceNumber));
        append(&mut producers, header(1, 4, 0, 1, false), 1);
    }

    #[test]
    fn a_transaction_needs_a_permit_of_its_epoch_and_none_is_left_after_its_marker() {
        let mut producers = Producers::default();
        assert_eq!(producers.check(&header(1, 0, 0, 1, true)), Err(ResponseError::InvalidTxnState));
        producers.permit(1, 0);
        append(&mut producers, header(1, 0, 0, 1, true), 7);
        append(&mut producers, header(1, 0, 1, 1, true), 8);
        assert_eq!(producers.first_open(), Some(7));
        assert_eq!(producers.check(&header(1, 0, 2, 1, false)), Err(ResponseError::InvalidTxnState));
        assert_eq!(producers.ended(1, 0, 0), Some(7));
        assert_eq!(producers.first_open(), None);
        assert_eq!(producers.check(&header(1, 0, 2, 1, true)), Err(ResponseError::InvalidTxnState));
    }

    #[test]
    fn sequences_go_on_after_a_marker_of_the_same_epoch_and_begin_anew_after_a_fencing_one() {
        let mut producers = Producers::default();
        producers.permit(1, 0);
        append(&mut producers, header(1, 0, 0, 1, true), 0);
        producers.ended(1, 0, 0);
        producers.permit(1, 0);
        append(&mut producers, header(1, 0, 1, 1, true), 2);
        producers.ended(1, 1, 0);
        assert_eq!(producers.check(&header(1, 0, 2, 1, true)), Err(ResponseError::InvalidProducerEpoch));
        producers.permit(1, 1);
        append(&mut producers, header(1, 1, 0, 1, true), 4);
    }

    #[test]
    fn a_silent_producer_is_forgotten_unless_its_transaction_is_open() {
        let mut producers = Producers::default();
        append(&mut producers, header(1, 0, 0, 1, false), 0);
        producers.permit(2, 0);
        append(&mut producers, header(2, 0, 0, 1, true), 1);
        producers.appended(&header(3, 0, 0, 1, false), 100);
        producers.expire(100);
        let mut left: Vec<i64> = producers.active().iter().map(|active| active.id).collect();
        left.sort_unstable();
        assert_eq!(left, [2, 3]);
    }
}
