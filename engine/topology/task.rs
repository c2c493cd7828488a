//! One stage of a query on one partition.

use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;

use super::dead_letter::DeadLetters;
use super::input::{Decoded, Input};
use super::notes::Notes;
use super::output::Output;
use super::report::Report;
use crate::error::Result;
use crate::operators::{Pipeline, RowReport};
use crate::plan::{OnError, QueryKind, QueryPlan};
use crate::record::{OutBatch, RawBatch};

/// One stage of a query on one partition.
pub struct Task {
    input: Input,
    pipeline: Pipeline,
    output: Option<Output>,
    sink: Arc<str>,
    on_bad: OnBad,
    /// Whether a record whose value is null as a whole is a row: it takes a row of a table away, and is none of a stream.
    shows_tombstones: bool,
    /// Which columns of a push query come of keys alone, so that also a tombstone has them.
    of_key: Vec<bool>,
    keeps_bytes: bool,
    row_reports: Vec<RowReport>,
    /// Where results go that nobody wants: those of a try.
    tried: OutBatch,
}

/// What becomes of the results of a batch in which a record is bad.
enum OnBad {
    /// The others go on.
    Skip,
    /// Nothing is written: whoever runs the task decides.
    Fail,
    /// Those of other records go on; the bad ones are dead letters.
    DeadLetter(DeadLetters),
}

/// What a task made of a batch. Reused from batch to batch: [`clear`](Self::clear) keeps the buffers.
#[derive(Debug, Default)]
pub struct TaskOutput {
    /// Records for the sink's topic; empty for a push query.
    pub records: OutBatch,
    /// Records for topics of the query's own, on their way to the partition of their key: those of each side of a join.
    pub forwarded: [OutBatch; 2],
    /// What is to be kept of the state of tasks, in a topic of the query's own: each for one partition.
    pub changes: Vec<OutBatch>,
    /// Rows of a push query.
    pub rows: Vec<RecordBatch>,
    /// The records that could not be processed, as they came, for the dead-letter topic of the query if it has one.
    pub dead: OutBatch,
    /// What was wrong with records of the batch, some of it.
    pub reports: Vec<Report>,
    /// What was wrong with the first record that something was wrong with.
    pub first: Option<Report>,
    /// How many reports there were in all.
    pub bad: u64,
}

impl TaskOutput {
    /// Forgets the batch and keeps the buffers.
    pub fn clear(&mut self) {
        self.records.clear();
        self.forwarded.iter_mut().for_each(OutBatch::clear);
        self.changes.clear();
        self.dead.clear();
        self.rows.clear();
        self.reports.clear();
        self.first = None;
        self.bad = 0;
    }
}

/// Takes away records and rows of a batch that is not done yet; says whether it wants more.
pub type Take<'a> = dyn FnMut(&mut OutBatch, &mut Vec<RecordBatch>) -> Result<bool> + 'a;

impl Task {
    /// A task for one partition of the plan's source, which is joined with nothing.
    pub fn new(plan: &QueryPlan) -> Result<Task> {
        let (output, sink) = match &plan.kind {
            QueryKind::Persistent(sink) => {
                (Some(Output::new(sink, plan.rekeyed.clone())?), Arc::from(sink.topic.name.as_str()))
            }
            QueryKind::Push { .. } => (None, Arc::from("")),
        };
        let on_bad = match &plan.on_error {
            OnError::DeadLetter(topic) => OnBad::DeadLetter(DeadLetters::new(&plan.query_id, &topic.name)),
            OnError::Fail => OnBad::Fail,
            OnError::Skip => OnBad::Skip,
        };
        Ok(Task {
            input: Input::new(&plan.source)?,
            pipeline: Pipeline::new(&plan.steps),
            output,
            sink,
            on_bad,
            shows_tombstones: plan.source.is_table || matches!(plan.kind, QueryKind::Persistent(_)),
            of_key: plan.output_of_key(),
            keeps_bytes: false,
            row_reports: Vec::new(),
            tried: OutBatch::default(),
        })
    }

    /// Keeps the bytes of bad records in their reports, which may then be shown.
    pub fn keep_bytes(&mut self, keep: bool) {
        self.keeps_bytes = keep;
    }

    /// Processes the records of a batch of this partition, in order, and adds what comes of them to `result`.
    ///
    /// # Errors
    /// Only for a broken invariant of ours, or a batch over 2 GiB; never for what a record holds.
    pub fn process(&mut self, raw: &RawBatch, result: &mut TaskOutput) -> Result<()> {
        self.process_in_pieces(raw, result, &mut |_, _| Ok(true))
    }

    /// As [`process`](Self::process), for a record may become more rows than fit in memory: `take` is given the results after
    /// each piece of them, and what it takes is not in `result`. When it wants no more, the rest of the batch is not computed.
    ///
    /// Nothing is given away before it is known that it may be: where bad records end the query or are dead letters, a batch
    /// whose results come in pieces is computed twice, and the first time is a try.
    ///
    /// # Errors
    /// Those of [`process`](Self::process) and of `take`.
    pub fn process_in_pieces(&mut self, raw: &RawBatch, result: &mut TaskOutput, take: &mut Take<'_>) -> Result<()> {
        let TaskOutput { records, rows, dead, reports, first, bad, .. } = result;
        let keeps_bytes = self.keeps_bytes;
        let (dead_letters, fails) = match &mut self.on_bad {
            OnBad::Skip => (None, false),
            OnBad::Fail => (None, true),
            OnBad::DeadLetter(dead_letters) => (Some(dead_letters), false),
        };
        let mut notes = Notes { raw, keeps_bytes, reports, first, bad, dead_letters };
        let Decoded { mut batch, times } =
            self.input.decode(raw, &mut |stage, record, message| notes.add(stage, record, message))?;
        self.row_reports.clear();
        if !self.shows_tombstones {
            batch = batch.without_tombstones()?;
        }

        let in_pieces = self.pipeline.splits();
        let is_strict = fails || notes.dead_letters.is_some();
        if in_pieces && is_strict {
            let (output, tried) = (&mut self.output, &mut self.tried);
            self.pipeline.run(batch.clone(), &mut self.row_reports, &mut |piece, row_reports| {
                notes.computed(row_reports);
                tried.clear();
                if let Some(output) = output {
                    output.encode(&piece, raw, &times, tried, &mut |stage, record, message| {
                        notes.add(stage, record, message)
                    })?;
                }
                Ok(true)
            })?;
            tried.clear();
            notes.computed(&mut self.row_reports);
            batch = notes.without_dead(batch)?;
        }
        if records.topic.is_empty() && self.output.is_some() {
            records.topic = Arc::clone(&self.sink);
        }
        let (output, of_key) = (&mut self.output, &self.of_key);
        // A try has found everything; without one a later step may find what is wrong with an earlier record.
        if !(in_pieces && fails && *notes.bad > 0) {
            self.pipeline.run(batch, &mut self.row_reports, &mut |piece, row_reports| {
                if !(in_pieces && is_strict) {
                    notes.computed(row_reports);
                }
                row_reports.clear();
                match output {
                    Some(output) => {
                        let piece = if in_pieces { piece } else { notes.without_dead(piece)? };
                        output.encode(&piece, raw, &times, records, &mut |stage, record, message| {
                            notes.add(stage, record, message)
                        })?;
                    }
                    None => rows.push(piece.without_values(of_key)?),
                }
                // A batch in one piece is as bounded as what was read.
                if in_pieces { take(records, rows) } else { Ok(true) }
            })?;
            notes.computed(&mut self.row_reports);
        }
        if fails && *notes.bad > 0 {
            records.clear();
            rows.clear();
        }
        if let Some(dead_letters) = notes.dead_letters {
            dead_letters.hand_over(raw, dead);
        }
        // Each stage reports in the order of the records; told together they are in that order too.
        reports.sort_by_key(|report| report.offset);
        Ok(())
    }
}
