//! A windowed join of two streams: rows meet when their keys are equal and their times close enough.
//!
//! The rules are those of Kafka Streams, which ksqlDB runs on. Each side keeps its rows for as long as a partner may come. A
//! row that comes looks for partners among the kept rows of the other side and is then kept itself, unless it is older than
//! what its side keeps. The result has the later time of the two. A row without a key meets nobody.
//!
//! A row that finds nobody is a result of an outer join: at once, when the window says nothing of grace; else when stream
//! time, the latest time of either side, has passed the last moment at which a partner may come. Here we differ from Kafka
//! Streams, which gives a row out that comes late, within the grace, at once, and with a partner that comes later again.
//!
//! Invariant: what is known of a row, whether it has met one and whether it was given out alone, follows from the rows that
//! are kept and from stream time, which is the latest of them. So the rows are all that has to be kept elsewhere: a join that
//! is given them again ([`restore`](StreamJoin::restore)) goes on as if nothing had happened. For that, a row is kept exactly
//! as long as it may still decide about another.
//!
//! - `rows`: the rows of a side, column-wise
//! - `keys`: which rows have the same key

mod keys;
mod rows;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, new_empty_array};
use datafusion::arrow::compute::{concat, concat_batches};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::arrow::row::{RowConverter, SortField};

use self::keys::{Entry, Keys};
use self::rows::{NO_ROW, Rows, batch};
use crate::error::{Error, Result};
use crate::plan::{JoinKind, JoinPlan, JoinWindow, SourceScan};

/// Results are given away in pieces of at most so many rows.
const PIECE: usize = 8192;

/// No key: what rows that are not kept are compared by.
const NO_KEY: u32 = u32::MAX;

/// Rows of one side of a join.
#[derive(Debug, Clone)]
pub struct SideRows {
    /// The columns that the plan keeps.
    pub columns: RecordBatch,
    /// What they are compared by.
    pub keys: ArrayRef,
    /// Their times, milliseconds since the epoch.
    pub times: Vec<i64>,
}

impl SideRows {
    /// Some of them that follow one another. Panics when they are not there.
    pub fn slice(&self, start: usize, rows: usize) -> SideRows {
        SideRows {
            columns: self.columns.slice(start, rows),
            keys: self.keys.slice(start, rows),
            times: self.times[start..start + rows].to_vec(),
        }
    }
}

/// Results of a join.
#[derive(Debug)]
pub struct Joined {
    /// The columns of [`JoinPlan::schema`].
    pub columns: RecordBatch,
    /// The time of each, milliseconds since the epoch.
    pub times: Vec<i64>,
    /// The place in the order of the input at which each came out.
    pub causes: Vec<u32>,
}

/// Takes results; says whether it wants more.
pub type EmitJoined<'a> = dyn FnMut(Joined) -> Result<bool> + 'a;

/// The state of a join on one partition.
pub struct StreamJoin {
    kind: JoinKind,
    window: JoinWindow,
    schema: SchemaRef,
    shows_key: bool,
    key_type: DataType,
    converter: RowConverter,
    keys: Keys,
    sides: [Rows; 2],
    /// The latest time of the rows of each side.
    latest: [i64; 2],
    /// Rows of an outer join that have met nobody and still may, the one that waits shortest first.
    waiting: BinaryHeap<Reverse<Alone>>,
    found: Found,
}

/// A row that has met nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Alone {
    /// The last moment of stream time at which a partner may come.
    last: i64,
    time: i64,
    side: usize,
    row: u64,
    key: u32,
}

/// Results that are not given away yet: which rows, at which time, at which row of the input, of which key.
#[derive(Default)]
struct Found {
    rows: [Vec<u64>; 2],
    times: Vec<i64>,
    causes: Vec<u32>,
    keys: Vec<u8>,
    key_ends: Vec<usize>,
}

impl Found {
    /// A result of a row of `side` and one of the other, or none.
    fn push(&mut self, side: usize, row: u64, other: u64, time: i64, cause: u32, key: &[u8]) {
        self.rows[side].push(row);
        self.rows[1 - side].push(other);
        self.times.push(time);
        self.causes.push(cause);
        self.keys.extend_from_slice(key);
        self.key_ends.push(self.keys.len());
    }

    fn clear(&mut self) {
        self.rows.iter_mut().for_each(Vec::clear);
        self.times.clear();
        self.causes.clear();
        self.keys.clear();
        self.key_ends.clear();
    }
}

impl StreamJoin {
    /// A join that has seen nothing yet; `left` is the scan of the plan's left side.
    pub fn new(plan: &JoinPlan, left: &SourceScan) -> Result<StreamJoin> {
        let side = |scan: &SourceScan, keep: &[usize]| -> Result<Rows> {
            Ok(Rows::new(Arc::new(scan.read_schema().project(keep)?)))
        };
        let [l, r] = &plan.sides;
        Ok(StreamJoin {
            kind: plan.kind,
            window: plan.window,
            schema: plan.schema(left),
            shows_key: plan.shows_key,
            key_type: plan.key_type.to_arrow(),
            converter: RowConverter::new(vec![SortField::new(plan.key_type.to_arrow())])?,
            keys: Keys::default(),
            sides: [side(left, &l.keep)?, side(&plan.right, &r.keep)?],
            latest: [i64::MIN; 2],
            waiting: BinaryHeap::new(),
            found: Found::default(),
        })
    }

    /// The time up to which rows are known: the latest of either side.
    pub fn stream_time(&self) -> i64 {
        self.latest[0].max(self.latest[1])
    }

    /// Rows of a side with times before this are not kept, and neither found.
    pub fn kept_from(&self, side: usize) -> i64 {
        self.latest[side].saturating_sub(self.window.retention())
    }

    /// How many rows of both sides are held.
    pub fn len(&self) -> usize {
        self.sides.iter().map(Rows::len).sum()
    }

    /// Whether no row is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes rows of both sides (0 is left) in an order: side and row of each. Gives out what comes of them; `kept` gets the
    /// rows of each side that the join has to be given again after a restart. False when no more was wanted: then it stopped
    /// where it was, and cannot go on.
    ///
    /// # Errors
    /// Those of `emit`; of its own only for a broken invariant.
    pub fn process(
        &mut self,
        rows: &[SideRows; 2],
        order: &[(usize, usize)],
        kept: &mut [Vec<usize>; 2],
        emit: &mut EmitJoined<'_>,
    ) -> Result<bool> {
        let [left, right] = rows;
        let bytes = [self.key_bytes(left)?, self.key_bytes(right)?];
        let first = [self.begin(0, left), self.begin(1, right)];
        let mut of_rows = [left, right].map(|rows| vec![NO_KEY; rows.times.len()]);
        for (place, (side, at)) in order.iter().copied().enumerate() {
            let (time, cause) = (rows[side].times[at], place as u32);
            if rows[side].keys.is_null(at) {
                continue;
            }
            let row = first[side] + at as u64;
            let key = bytes[side].row(at);
            let key = key.as_ref();
            let stream_time = self.stream_time().max(time);
            if time == stream_time {
                self.close(stream_time, cause);
            }
            let known = self.keys.find(key);
            let met = known.is_some_and(|known| self.meet(side, row, known, time, cause));
            self.latest[side] = self.latest[side].max(time);
            let is_kept = time >= self.kept_from(side);
            if is_kept {
                let known = known.unwrap_or_else(|| self.keys.add_key(key));
                self.keys.add(known, side, Entry { time, row, matched: met });
                of_rows[side][at] = known;
                kept[side].push(at);
            }
            if !met && self.kind.keeps(side) {
                let last = self.last_moment(side, time);
                match self.window.grace {
                    Some(_) if is_kept && last >= stream_time => {
                        let key = of_rows[side][at];
                        self.waiting.push(Reverse(Alone { last, time, side, row, key }));
                    }
                    _ => self.found.push(side, row, NO_ROW, time, cause, if self.shows_key { key } else { &[] }),
                }
            }
            if self.found.times.len() >= PIECE && !self.give(emit)? {
                return Ok(false);
            }
        }
        if !self.give(emit)? {
            return Ok(false);
        }
        for (side, of_rows) in of_rows.into_iter().enumerate() {
            self.end(side, &rows[side].times, of_rows);
        }
        Ok(true)
    }

    /// Takes rows of a side that were kept before, in the order in which they were.
    ///
    /// # Errors
    /// Only for a broken invariant.
    pub fn restore(&mut self, side: usize, rows: &SideRows) -> Result<()> {
        let bytes = self.key_bytes(rows)?;
        let first = self.begin(side, rows);
        let mut of_rows = vec![NO_KEY; rows.times.len()];
        for (at, time) in rows.times.iter().enumerate().filter(|(at, _)| !rows.keys.is_null(*at)) {
            self.latest[side] = self.latest[side].max(*time);
            let entry = Entry { time: *time, row: first + at as u64, matched: false };
            let key = bytes.row(at);
            let key = key.as_ref();
            of_rows[at] = self.keys.find(key).unwrap_or_else(|| self.keys.add_key(key));
            self.keys.add(of_rows[at], side, entry);
        }
        self.end(side, &rows.times, of_rows);
        Ok(())
    }

    /// Finds out what was known of the rows that were restored: which have met one, and which still wait.
    pub fn restored(&mut self) {
        if self.window.grace.is_none() || self.kind == JoinKind::Inner {
            return;
        }
        let stream_time = self.stream_time();
        for side in [0, 1] {
            let (before, after) = self.window.bounds(side);
            let mut alone = Vec::new();
            let keys: Vec<u32> = self.keys.all(side).filter(|(_, rows)| !rows.is_empty()).map(|(key, _)| key).collect();
            for key in keys {
                let others: Vec<i64> = self.keys.rows(key, 1 - side).iter().map(|entry| entry.time).collect();
                for entry in self.keys.between(key, side, i64::MIN, i64::MAX).1 {
                    let low = others.partition_point(|time| *time < entry.time.saturating_sub(before));
                    entry.matched = others.get(low).is_some_and(|time| *time <= entry.time.saturating_add(after));
                    if !entry.matched {
                        alone.push((entry.time, entry.row, key));
                    }
                }
            }
            if self.kind.keeps(side) {
                let waits = alone.into_iter().filter_map(|(time, row, key)| {
                    let last = self.last_moment(side, time);
                    (last >= stream_time).then_some(Reverse(Alone { last, time, side, row, key }))
                });
                let waits: Vec<_> = waits.collect();
                self.waiting.extend(waits);
            }
        }
    }

    fn key_bytes(&self, rows: &SideRows) -> Result<datafusion::arrow::row::Rows> {
        Ok(self.converter.convert_columns(std::slice::from_ref(&rows.keys))?)
    }

    /// Adds the columns of rows; gives the number of the first.
    fn begin(&mut self, side: usize, rows: &SideRows) -> u64 {
        let first = self.sides[side].next();
        if !rows.times.is_empty() {
            self.sides[side].push(rows.columns.clone());
        }
        first
    }

    /// Says what the rows that were added are compared by, and lets go of those that nobody can meet any more.
    fn end(&mut self, side: usize, times: &[i64], of_rows: Vec<u32>) {
        if !of_rows.is_empty() {
            // A row that nobody can meet, whatever its time, holds up nobody.
            let kept = times.iter().zip(&of_rows).filter(|(_, key)| **key != NO_KEY);
            let latest = kept.map(|(time, _)| *time).max().unwrap_or(i64::MIN);
            self.sides[side].settle(of_rows, latest);
        }
        let before = self.kept_from(side);
        let keys = &mut self.keys;
        self.sides[side].expire(before, |key| {
            if key != NO_KEY {
                keys.expire(key, side, before);
            }
        });
    }

    /// The last moment of stream time at which a partner of a row may come.
    fn last_moment(&self, side: usize, time: i64) -> i64 {
        time.saturating_add(self.window.bounds(side).1).saturating_add(self.window.grace_or_default())
    }

    /// The partners of a row; whether there are any.
    fn meet(&mut self, side: usize, row: u64, key: u32, time: i64, cause: u32) -> bool {
        let (before, after) = self.window.bounds(side);
        let low = time.saturating_sub(before).max(self.kept_from(1 - side));
        let mut met = false;
        let (bytes, partners) = self.keys.between(key, 1 - side, low, time.saturating_add(after));
        let bytes = if self.shows_key { bytes } else { &[] };
        for partner in partners {
            partner.matched = true;
            met = true;
            self.found.push(side, row, partner.row, time.max(partner.time), cause, bytes);
        }
        met
    }

    /// Gives out the rows that nobody came for in time.
    fn close(&mut self, stream_time: i64, cause: u32) {
        while let Some(Reverse(Alone { last, time, side, row, key })) = self.waiting.peek().copied() {
            if last >= stream_time {
                return;
            }
            self.waiting.pop();
            if !self.keys.is_matched(key, side, time, row) {
                let bytes = if self.shows_key { self.keys.bytes(key) } else { &[] };
                self.found.push(side, row, NO_ROW, time, cause, bytes);
            }
        }
    }

    /// Makes columns of what was found.
    fn give(&mut self, emit: &mut EmitJoined<'_>) -> Result<bool> {
        let count = self.found.times.len();
        // A row that met very many comes out in several pieces too.
        let mut start = 0;
        while start < count {
            let end = count.min(start + PIECE);
            if !self.give_piece(start, end, emit)? {
                return Ok(false);
            }
            start = end;
        }
        self.found.clear();
        Ok(true)
    }

    /// Gives out the results from `start` to `end`, in halves where their columns would hold more than fits.
    fn give_piece(&self, start: usize, end: usize, emit: &mut EmitJoined<'_>) -> Result<bool> {
        let mut columns = Vec::new();
        for side in [0, 1] {
            match self.sides[side].gather(&self.found.rows[side][start..end]) {
                Ok(of_side) => columns.extend(of_side),
                Err(_) if end - start > 1 => {
                    let middle = start + (end - start) / 2;
                    return Ok(self.give_piece(start, middle, emit)? && self.give_piece(middle, end, emit)?);
                }
                Err(error) => return Err(error),
            }
        }
        if self.shows_key {
            columns.push(self.key_column(start, end)?);
        }
        let columns = batch(&self.schema, columns, end - start)?;
        let times = self.found.times[start..end].to_vec();
        emit(Joined { columns, times, causes: self.found.causes[start..end].to_vec() })
    }

    /// The keys of the results from `start` to `end`.
    fn key_column(&self, start: usize, end: usize) -> Result<ArrayRef> {
        let parser = self.converter.parser();
        let begin = |at: usize| if at == 0 { 0 } else { self.found.key_ends[at - 1] };
        let keys = (start..end).map(|at| parser.parse(&self.found.keys[begin(at)..self.found.key_ends[at]]));
        let mut columns = self.converter.convert_rows(keys)?;
        columns.pop().ok_or_else(|| Error::internal("a key without a column"))
    }

    /// Rows of a side, those of each part behind those of the part before.
    ///
    /// # Errors
    /// Parts that together hold more than fits.
    pub fn together(&self, side: usize, parts: &[SideRows]) -> Result<SideRows> {
        let keys: Vec<&dyn Array> = parts.iter().map(|part| part.keys.as_ref()).collect();
        Ok(SideRows {
            columns: concat_batches(self.kept_schema(side), parts.iter().map(|part| &part.columns))?,
            keys: concat(&keys)?,
            times: parts.iter().flat_map(|part| part.times.iter().copied()).collect(),
        })
    }

    /// No rows of a side.
    pub fn no_rows(&self, side: usize) -> SideRows {
        let columns = RecordBatch::new_empty(Arc::clone(self.kept_schema(side)));
        SideRows { columns, keys: new_empty_array(&self.key_type), times: Vec::new() }
    }

    /// The columns that are kept of a side.
    pub fn kept_schema(&self, side: usize) -> &SchemaRef {
        self.sides[side].schema()
    }
}

impl std::fmt::Debug for StreamJoin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [left, right] = &self.sides;
        write!(f, "{} JOIN, {} keys, left {left:?}, right {right:?}", self.kind, self.keys.len())
    }
}
