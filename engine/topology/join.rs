//! A join on one partition: records of two topics in, joined rows out, and what must be kept of them.
//!
//! Records wait here until it is known which of the two topics has the earlier one: as long as one side has none and has not
//! said that there is none now, the other waits. So results do not depend on which topic was fetched first, nor on how the
//! records were cut into batches. A query whose rows go to whoever asked joins all partitions of both topics in one task; then
//! each partition of each is a lane of its own.
//!
//! What is kept goes to a topic of the query's own, its changelog: the records of a batch that the join keeps, packed together
//! under their side and a number, and a tombstone under the same when nobody can meet them any more. It is written in the
//! transaction of their positions.

use std::collections::VecDeque;
use std::sync::Arc;

use super::changelog::{Changelog, NOW, change_key};
use super::input::{Decoded, Input};
use super::notes::Notes;
use super::output::Output;
use super::report::Stage;
use super::task::{Take, TaskOutput};
use crate::error::{Error, Result};
use crate::operators::eval::evaluate;
use crate::operators::join::{Joined, SideRows};
use crate::operators::{Pipeline, RowReport, StreamJoin};
use crate::plan::{CompiledExpr, QueryKind, QueryPlan};
use crate::record::{Batch, OutBatch, RawBatch, pack};

/// A record of the changelog holds at most so many bytes, but for one that is longer by itself.
const CHANGE_BYTES: usize = 256 * 1024;

/// Records that are restored are decoded so many together, or so many bytes.
const RESTORED_TOGETHER: usize = 8192;
const RESTORED_BYTES: usize = 16 << 20;

/// At most so many rows of several lanes are taken together.
const TAKEN_TOGETHER: usize = 16_384;

/// A join on one partition, or on all.
pub struct JoinTask {
    sides: [Side; 2],
    /// Those of the left side first.
    lanes: Vec<Lane>,
    join: StreamJoin,
    pipeline: Pipeline,
    /// Where results and what is kept are written; `None` when rows go to whoever asked, and nothing is kept.
    writes: Option<Writes>,
    keeps_bytes: bool,
    /// Whether both sides read one partition, whose records each come to the left side and then to the right one.
    of_one_topic: bool,
    row_reports: Vec<RowReport>,
    /// A record on its way into the changelog.
    packed: Vec<u8>,
    /// Records with nothing but headers, one for each row of a piece of the result: a joined row has no record of its own.
    blank: RawBatch,
}

/// Where a join of one partition writes.
struct Writes {
    output: Output,
    sink: Arc<str>,
    changelog: Arc<str>,
    partition: i32,
}

/// One partition of one side.
struct Lane {
    side: usize,
    partition: i32,
    waiting: VecDeque<Waiting>,
    /// Whether there is nothing more to be read now.
    is_complete: bool,
    /// The next offset behind all records that came.
    next: Option<i64>,
}

impl Lane {
    fn new(side: usize, partition: i32) -> Lane {
        Lane { side, partition, waiting: VecDeque::new(), is_complete: false, next: None }
    }
}

/// One side.
struct Side {
    input: Input,
    key: CompiledExpr,
    keep: Vec<usize>,
    /// The topic of the stream, when its records come packed from another.
    unpacks: Option<Arc<str>>,
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
        let QueryKind::Persistent(sink) = &plan.kind else {
            return Err(Error::internal("a query that does not write a topic"));
        };
        let output = Output::new(sink, plan.rekeyed.clone())?;
        let (sink, changelog) = (Arc::from(sink.topic.name.as_str()), Arc::clone(changelog));
        let writes = Some(Writes { output, sink, changelog, partition });
        JoinTask::make(plan, vec![Lane::new(0, partition), Lane::new(1, partition)], writes, keeps_bytes)
    }

    /// The join of a plan on so many partitions of its two topics, whose rows go to whoever asked.
    pub fn of_all(plan: &QueryPlan, partitions: [i32; 2], keeps_bytes: bool) -> Result<JoinTask> {
        let [left, right] = partitions;
        let lanes = (0..left).map(|partition| Lane::new(0, partition));
        let lanes = lanes.chain((0..right).map(|partition| Lane::new(1, partition))).collect();
        JoinTask::make(plan, lanes, None, keeps_bytes)
    }

    fn make(plan: &QueryPlan, lanes: Vec<Lane>, writes: Option<Writes>, keeps_bytes: bool) -> Result<JoinTask> {
        let Some(join) = &plan.join else { return Err(Error::internal("a query without a join")) };
        let mut sides = Vec::with_capacity(2);
        for (scan, side) in plan.scans().zip(&join.sides) {
            sides.push(Side {
                input: Input::new(scan)?,
                key: side.key.clone(),
                keep: side.keep.clone(),
                unpacks: side.repartition.as_ref().map(|_| Arc::from(scan.topic.as_str())),
                changes: VecDeque::new(),
                next_change: 0,
            });
        }
        let stays = |side: &Side| side.unpacks.is_none();
        Ok(JoinTask {
            of_one_topic: writes.is_some() && sides.iter().all(stays) && plan.source.topic == join.right.topic,
            sides: sides.try_into().map_err(|_| Error::internal("a join of other than two sides"))?,
            lanes,
            join: StreamJoin::new(join, &plan.source)?,
            pipeline: Pipeline::new(&plan.steps),
            writes,
            keeps_bytes,
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
        let lane = self.lanes.iter_mut().find(|lane| (lane.side, lane.partition) == (side, raw.partition));
        let lane = lane.ok_or_else(|| Error::internal("records of a partition that is not joined"))?;
        let side = &mut self.sides[side];
        lane.next = Some(last + 1);
        lane.is_complete = false;
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
            lane.waiting.push_back(Waiting { raw: source, records, offsets, rows, at: 0 });
        }
        Ok(())
    }

    /// Says that everything there is of a partition of a side has been pushed.
    pub fn complete(&mut self, side: usize, partition: i32) {
        let mut lanes = self.lanes.iter_mut();
        if let Some(lane) = lanes.find(|lane| (lane.side, lane.partition) == (side, partition)) {
            lane.is_complete = true;
        }
    }

    /// Says the same of all.
    pub fn complete_all(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.is_complete = true);
    }

    fn lane(&self, side: usize, partition: i32) -> Option<&Lane> {
        self.lanes.iter().find(|lane| (lane.side, lane.partition) == (side, partition))
    }

    /// How many rows of a partition of a side wait.
    pub fn waiting(&self, side: usize, partition: i32) -> usize {
        let waiting = self.lane(side, partition).into_iter().flat_map(|lane| &lane.waiting);
        waiting.map(|waiting| waiting.times().len()).sum()
    }

    /// How many bytes are held of records that wait.
    pub fn waiting_bytes(&self, side: usize, partition: i32) -> usize {
        let waiting = self.lane(side, partition).into_iter().flat_map(|lane| &lane.waiting);
        waiting.map(|waiting| waiting.raw.byte_size()).sum()
    }

    /// The next offset to read again after a restart: that of the first row that waits. `None` when none came.
    pub fn next(&self, side: usize, partition: i32) -> Option<i64> {
        let lane = self.lane(side, partition)?;
        lane.waiting.front().map(|waiting| waiting.offsets[waiting.at]).or(lane.next)
    }

    /// Processes rows in the order of their times, as far as that order is known.
    ///
    /// # Errors
    /// Only for a broken invariant of ours, or those of `take`, which is given the results after each piece of them and says
    /// whether it wants more.
    pub fn run(&mut self, result: &mut TaskOutput, take: &mut Take<'_>) -> Result<()> {
        while let Some(order) = self.next_rows() {
            if !self.process(&order, result, take)? {
                break;
            }
        }
        Ok(())
    }

    /// The rows that come next, of the batches that wait longest in each lane: lane and row of each, counted from the first
    /// that waits. `None` when it is not known which is the next, or there is none.
    fn next_rows(&self) -> Option<Vec<(usize, usize)>> {
        // Of the lanes that have rows: their times, or their offsets where both sides get each record one after the other.
        let mut heads: Vec<(usize, &[i64])> = Vec::with_capacity(self.lanes.len());
        for (number, lane) in self.lanes.iter().enumerate() {
            match lane.waiting.front() {
                Some(waiting) if self.of_one_topic => heads.push((number, &waiting.offsets[waiting.at..])),
                Some(waiting) => heads.push((number, waiting.times())),
                // What one partition holds comes to both sides together.
                None if lane.is_complete || self.of_one_topic => {}
                None => return None,
            }
        }
        if let [(lane, rows)] = heads[..] {
            return Some((0..rows.len()).map(|row| (lane, row)).collect());
        }
        let mut order = Vec::with_capacity(heads.iter().map(|(_, rows)| rows.len()).sum());
        let mut places = vec![0; heads.len()];
        loop {
            // Of two at the same time that of the lane that stands first comes first.
            let heads = heads.iter().zip(&places).enumerate();
            let next = heads.map(|(head, ((lane, rows), at))| (rows.get(*at).copied(), head, *lane)).min()?;
            let (Some(_), head, lane) = next else { return Some(order) };
            if order.len() >= TAKEN_TOGETHER {
                return Some(order);
            }
            order.push((lane, places[head]));
            places[head] += 1;
        }
    }

    /// The rows of a side that are taken, `taken` of each lane: those of its lanes one after the other, and where those of each
    /// lane begin.
    fn rows_of(&self, side: usize, taken: &[usize], begins: &mut [usize]) -> Result<SideRows> {
        let mut parts = Vec::new();
        let mut rows = 0;
        for (number, lane) in self.lanes.iter().enumerate().filter(|(_, lane)| lane.side == side) {
            begins[number] = rows;
            if let Some(waiting) = lane.waiting.front().filter(|_| taken[number] > 0) {
                parts.push(waiting.rows.slice(waiting.at, taken[number]));
                rows += taken[number];
            }
        }
        if parts.len() > 1 {
            self.join.together(side, &parts)
        } else {
            Ok(parts.pop().unwrap_or_else(|| self.join.no_rows(side)))
        }
    }

    /// Takes rows that wait, in an order. False when no more was wanted.
    fn process(&mut self, order: &[(usize, usize)], result: &mut TaskOutput, take: &mut Take<'_>) -> Result<bool> {
        let TaskOutput { records, rows: pushed, changes, reports, first, bad, .. } = result;
        let mut taken = vec![0; self.lanes.len()];
        order.iter().for_each(|(lane, row)| taken[*lane] = row + 1);
        let mut begins = vec![0; self.lanes.len()];
        let input = [self.rows_of(0, &taken, &mut begins)?, self.rows_of(1, &taken, &mut begins)?];
        let by_side = |(lane, row): &(usize, usize)| (self.lanes[*lane].side, begins[*lane] + row);
        let by_side: Vec<(usize, usize)> = order.iter().map(by_side).collect();
        let mut kept = [Vec::new(), Vec::new()];
        let keeps_bytes = self.keeps_bytes;
        let (lanes, pipeline, writes, blank) = (&self.lanes, &mut self.pipeline, &mut self.writes, &mut self.blank);
        let row_reports = &mut self.row_reports;
        if let Some(writes) = writes.as_ref().filter(|_| records.topic.is_empty()) {
            records.topic = Arc::clone(&writes.sink);
        }
        let wanted = self.join.process(&input, &by_side, &mut kept, &mut |joined| {
            let Joined { columns, times, causes } = joined;
            // The record that made a row: what is wrong with the row is said of it, and as in Kafka Streams its headers are
            // those of the row.
            let cause = |row: usize| {
                let (lane, at) = order[causes[row] as usize];
                let waiting = lanes[lane].waiting.front()?;
                Some((&waiting.raw, waiting.records[waiting.at + at]))
            };
            let mut note = |stage, row: usize, message: &dyn std::fmt::Display| {
                if let Some((raw, record)) = cause(row) {
                    let mut notes = Notes { raw, keeps_bytes, reports, first, bad, dead_letters: None };
                    notes.add(stage, record, message);
                }
            };
            if writes.is_some() {
                blank.clear();
                for row in 0..times.len() {
                    if let Some((raw, record)) = cause(row).filter(|(raw, _)| !raw.headers.none()) {
                        raw.headers.get(record).for_each(|(name, value)| blank.headers.push(name, value));
                    }
                    blank.push(0, 0, None, None);
                }
            }
            let wanted = pipeline.run(Batch::new(columns), row_reports, &mut |piece, row_reports| {
                for RowReport { record, message } in row_reports.drain(..) {
                    note(Stage::Compute, record, &message);
                }
                match writes {
                    Some(writes) => writes.output.encode(&piece, blank, &times, records, &mut note)?,
                    None => pushed.push(piece.columns),
                }
                take(records, pushed)
            })?;
            for RowReport { record, message } in row_reports.drain(..) {
                note(Stage::Compute, record, &message);
            }
            Ok(wanted)
        })?;
        if !wanted {
            return Ok(false);
        }
        for side in [0, 1] {
            self.write_changes(side, &kept[side], changes);
        }
        for (lane, taken) in self.lanes.iter_mut().zip(taken) {
            if let Some(front) = lane.waiting.front_mut() {
                front.at += taken;
                if front.times().is_empty() {
                    lane.waiting.pop_front();
                }
            }
        }
        Ok(true)
    }

    /// Writes down the rows that are kept now, and that others need not be any more.
    fn write_changes(&mut self, side: usize, kept: &[usize], changes: &mut Vec<OutBatch>) {
        let Some(writes) = &self.writes else { return };
        let mut out = OutBatch::new(Arc::clone(&writes.changelog));
        out.partition = Some(writes.partition);
        let waiting = self.lanes.iter().find(|lane| lane.side == side).and_then(|lane| lane.waiting.front());
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
        if let Some(waiting) = waiting {
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
        let Some((topic, partition)) =
            self.writes.as_ref().map(|writes| (Arc::clone(&writes.changelog), writes.partition))
        else {
            return Err(Error::internal("a join that keeps nothing"));
        };
        for side in [0, 1] {
            let mut raw = RawBatch::new(Arc::from(""), partition);
            let mut numbers = Vec::new();
            let records = &changelog.records[side];
            for (i, (number, value)) in records.iter().enumerate() {
                let known = pack::unpack(value, &mut raw);
                known.ok_or_else(|| {
                    let text = format!("changelog {topic}, partition {partition}, cannot be read");
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
