//! A join on one partition: records of two topics in, joined rows out, and what must be kept of them.
//!
//! Records wait here until it is known which of the two topics has the earlier one: as long as one side has none and has not
//! said that there is none now, the other waits. So results do not depend on which topic was fetched first, nor on how the
//! records were cut into batches.
//!
//! What is kept goes to a topic of the query's own, its changelog: the records of a batch that the join keeps, packed together
//! under their side and a number, and a tombstone under the same when nobody can meet them any more. It is written in the
//! transaction of their positions.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::input::{Decoded, Input};
use super::notes::Notes;
use super::output::Output;
use super::report::Stage;
use super::task::TaskOutput;
use crate::error::{Error, Result};
use crate::operators::eval::evaluate;
use crate::operators::join::{Joined, SideRows};
use crate::operators::{Pipeline, RowReport, StreamJoin};
use crate::plan::{CompiledExpr, QueryKind, QueryPlan};
use crate::record::{Batch, OutBatch, RawBatch, pack};

/// A record of the changelog holds at most so many bytes, but for one that is longer by itself.
const CHANGE_BYTES: usize = 256 * 1024;

/// The time of records in topics of a query's own: that of their writing. Brokers refuse times that are far from it, and
/// event times may be any.
pub(super) const NOW: i64 = -1;

/// Records that are restored are decoded so many together, or so many bytes.
const RESTORED_TOGETHER: usize = 8192;
const RESTORED_BYTES: usize = 16 << 20;

/// A join on one partition.
pub struct JoinTask {
    partition: i32,
    sides: [Side; 2],
    join: StreamJoin,
    pipeline: Pipeline,
    output: Output,
    sink: Arc<str>,
    changelog: Arc<str>,
    keeps_bytes: bool,
    /// Whether both sides read one topic, whose records each come to the left side and then to the right one.
    of_one_topic: bool,
    row_reports: Vec<RowReport>,
    /// A record on its way into the changelog.
    packed: Vec<u8>,
    /// Records with nothing but headers, one for each row of a piece of the result: a joined row has no record of its own.
    blank: RawBatch,
}

/// One side.
struct Side {
    input: Input,
    key: CompiledExpr,
    keep: Vec<usize>,
    /// The topic of the stream, when its records come packed from another.
    unpacks: Option<Arc<str>>,
    waiting: VecDeque<Waiting>,
    /// Whether there is nothing more to be read now.
    is_complete: bool,
    /// The next offset behind all records that came.
    next: Option<i64>,
    /// Records of the changelog that still hold what can be met: number and latest time.
    changes: VecDeque<(u64, i64)>,
    next_change: u64,
}

/// Rows that wait for their turn.
struct Waiting {
    /// The records of the stream they were made of.
    raw: RawBatch,
    /// The record of each row.
    records: Vec<usize>,
    /// The offset of each row in the topic that is read.
    offsets: Vec<i64>,
    rows: SideRows,
    /// The first row that waits.
    at: usize,
}

impl Waiting {
    /// The times of those that wait.
    fn times(&self) -> &[i64] {
        &self.rows.times[self.at..]
    }
}

impl JoinTask {
    /// The join of a plan on a partition, with nothing kept yet. What it keeps goes to `changelog`.
    pub fn new(plan: &QueryPlan, partition: i32, changelog: &Arc<str>, keeps_bytes: bool) -> Result<JoinTask> {
        let (Some(join), QueryKind::Persistent(sink)) = (&plan.join, &plan.kind) else {
            return Err(Error::internal("a query that is no join into a topic"));
        };
        let mut sides = Vec::with_capacity(2);
        for (scan, side) in plan.scans().zip(&join.sides) {
            sides.push(Side {
                input: Input::new(scan)?,
                key: side.key.clone(),
                keep: side.keep.clone(),
                unpacks: side.repartition.as_ref().map(|_| Arc::from(scan.topic.as_str())),
                waiting: VecDeque::new(),
                is_complete: false,
                next: None,
                changes: VecDeque::new(),
                next_change: 0,
            });
        }
        Ok(JoinTask {
            partition,
            sides: sides.try_into().map_err(|_| Error::internal("a join of other than two sides"))?,
            join: StreamJoin::new(join, &plan.source)?,
            pipeline: Pipeline::new(&plan.steps),
            output: Output::new(sink, plan.rekeyed.clone())?,
            sink: Arc::from(sink.topic.name.as_str()),
            changelog: Arc::clone(changelog),
            keeps_bytes,
            of_one_topic: join.sides.iter().all(|side| side.repartition.is_none())
                && plan.source.topic == join.right.topic,
            row_reports: Vec::new(),
            packed: Vec::new(),
            blank: RawBatch::default(),
        })
    }

    /// Takes records of a side (0 is left), which wait until [`run`](Self::run) comes to them.
    ///
    /// # Errors
    /// Only for a broken invariant of ours.
    pub fn push(&mut self, side: usize, raw: &RawBatch, result: &mut TaskOutput) -> Result<()> {
        let Some(last) = raw.offsets.last() else { return Ok(()) };
        let side = &mut self.sides[side];
        side.next = Some(last + 1);
        side.is_complete = false;
        let (source, mut offsets) = match &side.unpacks {
            None => (raw.clone(), raw.offsets.clone()),
            Some(topic) => unpacked(raw, topic),
        };
        let TaskOutput { reports, first, bad, .. } = result;
        let keeps_bytes = self.keeps_bytes;
        let mut notes = Notes { raw: &source, keeps_bytes, reports, first, bad, dead_letters: None };
        let decoded = side.decode(&source, &mut self.row_reports, &mut notes)?;
        if let Some((rows, records)) = decoded {
            offsets = records.iter().map(|record| offsets[*record]).collect();
            side.waiting.push_back(Waiting { raw: source, records, offsets, rows, at: 0 });
        }
        Ok(())
    }

    /// Says that everything there is of a side has been pushed.
    pub fn complete(&mut self, side: usize) {
        self.sides[side].is_complete = true;
    }

    /// How many rows of a side wait.
    pub fn waiting(&self, side: usize) -> usize {
        self.sides[side].waiting.iter().map(|waiting| waiting.times().len()).sum()
    }

    /// How many bytes are held of records that wait.
    pub fn waiting_bytes(&self, side: usize) -> usize {
        self.sides[side].waiting.iter().map(|waiting| waiting.raw.byte_size()).sum()
    }

    /// The next offset of a side to read again after a restart: that of the first row that waits. `None` when none came.
    pub fn next(&self, side: usize) -> Option<i64> {
        let side = &self.sides[side];
        side.waiting.front().map(|waiting| waiting.offsets[waiting.at]).or(side.next)
    }

    /// Processes rows in the order of their times, as far as that order is known.
    ///
    /// # Errors
    /// Only for a broken invariant of ours, or those of `take`, which is given the results after each piece of them.
    pub fn run(&mut self, result: &mut TaskOutput, take: &mut dyn FnMut(&mut OutBatch) -> Result<()>) -> Result<()> {
        while let Some(order) = self.next_rows() {
            self.process(&order, result, take)?;
        }
        Ok(())
    }

    /// Whether nothing is to be waited for of a side that has nothing.
    fn knows_end(&self, side: usize) -> bool {
        // What one topic holds comes to both sides together.
        self.of_one_topic || self.sides[side].is_complete
    }

    /// The rows that come next, of the batches that wait longest on each side: side and row of each, counted from the first
    /// that waits. `None` when it is not known which is the next, or there is none.
    fn next_rows(&self) -> Option<Vec<(usize, usize)>> {
        let times = |side: usize| {
            let waiting = self.sides[side].waiting.front()?;
            Some(if self.of_one_topic { &waiting.offsets[waiting.at..] } else { waiting.times() })
        };
        let all = |side: usize, rows: usize| (0..rows).map(|row| (side, row)).collect();
        match (times(0), times(1)) {
            (None, None) => None,
            (Some(left), None) => self.knows_end(1).then(|| all(0, left.len())),
            (None, Some(right)) => self.knows_end(0).then(|| all(1, right.len())),
            (Some(left), Some(right)) => {
                let (mut l, mut r) = (0, 0);
                let mut order = Vec::with_capacity(left.len() + right.len());
                while let (Some(of_left), Some(of_right)) = (left.get(l), right.get(r)) {
                    // Of two at the same time the left one comes first.
                    if of_left <= of_right {
                        order.push((0, l));
                        l += 1;
                    } else {
                        order.push((1, r));
                        r += 1;
                    }
                }
                Some(order)
            }
        }
    }

    /// Takes rows that wait, in an order.
    fn process(
        &mut self,
        order: &[(usize, usize)],
        result: &mut TaskOutput,
        take: &mut dyn FnMut(&mut OutBatch) -> Result<()>,
    ) -> Result<()> {
        let TaskOutput { records, changes, reports, first, bad, .. } = result;
        if records.topic.is_empty() {
            records.topic = Arc::clone(&self.sink);
        }
        let mut taken = [0, 0];
        order.iter().for_each(|(side, row)| taken[*side] = row + 1);
        let of = |side: usize| match self.sides[side].waiting.front() {
            Some(waiting) => waiting.rows.slice(waiting.at, taken[side]),
            None => self.join.no_rows(side),
        };
        let input = [of(0), of(1)];
        let mut kept = [Vec::new(), Vec::new()];
        let keeps_bytes = self.keeps_bytes;
        let (sides, pipeline, output, blank) = (&self.sides, &mut self.pipeline, &mut self.output, &mut self.blank);
        let row_reports = &mut self.row_reports;
        self.join.process(&input, order, &mut kept, &mut |joined| {
            let Joined { columns, times, causes } = joined;
            // The record that made a row: what is wrong with the row is said of it, and as in Kafka Streams its headers are
            // those of the row.
            let cause = |row: usize| {
                let (side, at) = order[causes[row] as usize];
                let waiting = sides[side].waiting.front()?;
                Some((&waiting.raw, waiting.records[waiting.at + at]))
            };
            let mut note = |stage, row: usize, message: &dyn std::fmt::Display| {
                if let Some((raw, record)) = cause(row) {
                    let mut notes = Notes { raw, keeps_bytes, reports, first, bad, dead_letters: None };
                    notes.add(stage, record, message);
                }
            };
            blank.clear();
            for row in 0..times.len() {
                if let Some((raw, record)) = cause(row).filter(|(raw, _)| !raw.headers.none()) {
                    raw.headers.get(record).for_each(|(name, value)| blank.headers.push(name, value));
                }
                blank.push(0, 0, None, None);
            }
            pipeline.run(Batch::new(columns), row_reports, &mut |piece, row_reports| {
                for RowReport { record, message } in row_reports.drain(..) {
                    note(Stage::Compute, record, &message);
                }
                output.encode(&piece, blank, &times, records, &mut note)?;
                take(records)?;
                Ok(true)
            })?;
            for RowReport { record, message } in row_reports.drain(..) {
                note(Stage::Compute, record, &message);
            }
            Ok(())
        })?;
        for side in [0, 1] {
            self.write_changes(side, &kept[side], changes);
            let waiting = &mut self.sides[side].waiting;
            if let Some(front) = waiting.front_mut() {
                front.at += taken[side];
                if front.times().is_empty() {
                    waiting.pop_front();
                }
            }
        }
        Ok(())
    }

    /// Writes down the rows that are kept now, and that others need not be any more.
    fn write_changes(&mut self, side: usize, kept: &[usize], changes: &mut Vec<OutBatch>) {
        let mut out = OutBatch::new(Arc::clone(&self.changelog));
        out.partition = Some(self.partition);
        let of = &mut self.sides[side];
        // Rows of the record that is being made, and the latest time of them.
        let (mut rows, mut latest) = (0, i64::MIN);
        let mut end = |out: &mut OutBatch, rows: &mut usize, latest: &mut i64| {
            if *rows > 0 {
                out.values.end_row();
                out.keys.push(Some(&change_key(side, of.next_change)));
                out.timestamps.push(NOW);
                out.headers.end_row();
                of.changes.push_back((of.next_change, *latest));
                of.next_change += 1;
                (*rows, *latest) = (0, i64::MIN);
            }
        };
        if let Some(waiting) = of.waiting.front() {
            for row in kept.iter().map(|row| waiting.at + row) {
                self.packed.clear();
                pack::pack(&waiting.raw, waiting.records[row], &mut self.packed);
                let length = out.values.buffer().len() - out.values.start(out.len());
                if length + self.packed.len() > CHANGE_BYTES {
                    end(&mut out, &mut rows, &mut latest);
                }
                out.values.buffer().extend_from_slice(&self.packed);
                rows += 1;
                latest = latest.max(waiting.rows.times[row]);
            }
            end(&mut out, &mut rows, &mut latest);
        }
        let kept_from = self.join.kept_from(side);
        while let Some((number, _)) = of.changes.front().copied().filter(|(_, latest)| *latest < kept_from) {
            out.push(NOW, Some(&change_key(side, number)), None);
            of.changes.pop_front();
        }
        if !out.is_empty() {
            changes.push(out);
        }
    }

    /// Takes what the changelog holds: by side and number the records that are kept.
    ///
    /// # Errors
    /// The changelog holds what no join has written; or a broken invariant of ours.
    pub fn restore(&mut self, changelog: &Changelog) -> Result<()> {
        for side in [0, 1] {
            let topic = match &self.sides[side].unpacks {
                Some(topic) => Arc::clone(topic),
                None => Arc::from(""),
            };
            let mut raw = RawBatch::new(topic, self.partition);
            let mut numbers = Vec::new();
            let records = &changelog.records[side];
            for (i, (number, value)) in records.iter().enumerate() {
                let known = pack::unpack(value, &mut raw);
                known.ok_or_else(|| {
                    let text = format!("changelog {}, partition {}, cannot be read", self.changelog, self.partition);
                    Error::external(text)
                        .detail("a record of it was not written by this query")
                        .hint("TERMINATE the query and create it again: it starts with nothing kept.")
                })?;
                numbers.push((*number, raw.len()));
                let full = raw.len() >= RESTORED_TOGETHER || raw.byte_size() >= RESTORED_BYTES;
                if full || i + 1 == records.len() {
                    self.restore_rows(side, &raw, &numbers)?;
                    raw.clear();
                    numbers.clear();
                }
            }
            self.sides[side].next_change = records.last_key_value().map_or(0, |(number, _)| number + 1);
        }
        self.join.restored();
        Ok(())
    }

    /// Gives the join rows that it had; `numbers` says which records of the changelog they are of: the number of each and how
    /// many records there are up to its end.
    fn restore_rows(&mut self, side: usize, raw: &RawBatch, numbers: &[(u64, usize)]) -> Result<()> {
        let of = &mut self.sides[side];
        let mut ignored = TaskOutput::default();
        let TaskOutput { reports, first, bad, .. } = &mut ignored;
        let mut notes = Notes { raw, keeps_bytes: false, reports, first, bad, dead_letters: None };
        let Some((rows, records)) = of.decode(raw, &mut self.row_reports, &mut notes)? else { return Ok(()) };
        let mut start = 0;
        for (number, end) in numbers {
            let end = records.partition_point(|record| record < end);
            let latest = rows.times[start..end].iter().copied().max().unwrap_or(i64::MIN);
            of.changes.push_back((*number, latest));
            start = end;
        }
        self.join.restore(side, &rows)
    }
}

impl Side {
    /// Decodes records; those without a value are no rows. The rows, and the record of each; `None` when there are none.
    fn decode(
        &mut self,
        raw: &RawBatch,
        row_reports: &mut Vec<RowReport>,
        notes: &mut Notes<'_>,
    ) -> Result<Option<(SideRows, Vec<usize>)>> {
        let Decoded { batch, times } =
            self.input.decode(raw, &mut |stage, record, message| notes.add(stage, record, message))?;
        let batch = batch.without_tombstones()?;
        if batch.is_empty() {
            return Ok(None);
        }
        let keys = evaluate(&self.key, &batch, "ON", row_reports, &mut Vec::new())?;
        notes.computed(row_reports);
        let records: Vec<usize> = (0..batch.len()).map(|row| batch.record_of(row)).collect();
        let times = records.iter().map(|record| times[*record]).collect();
        Ok(Some((SideRows { columns: batch.columns.project(&self.keep)?, keys, times }, records)))
    }
}

/// The records of a stream that came packed, and the offset of each where it was read.
fn unpacked(raw: &RawBatch, topic: &Arc<str>) -> (RawBatch, Vec<i64>) {
    let mut source = RawBatch::new(Arc::clone(topic), raw.partition);
    let mut offsets = Vec::with_capacity(raw.len());
    for row in 0..raw.len() {
        // Nobody but the query writes this topic; what it did not write is none of its records.
        let _ = pack::unpack(raw.values.get(row).unwrap_or_default(), &mut source);
        offsets.resize(source.len(), raw.offsets[row]);
    }
    (source, offsets)
}

/// The key of a record of the changelog: the side, and the number, eight bytes with the highest first.
fn change_key(side: usize, number: u64) -> [u8; 9] {
    let mut key = [side as u8; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

/// What a changelog says when it is read from its first record to its end.
#[derive(Debug, Default)]
pub struct Changelog {
    /// By side: what is kept, by number.
    records: [BTreeMap<u64, Vec<u8>>; 2],
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
