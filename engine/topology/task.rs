//! One stage of a query on one partition.

use std::sync::Arc;

use datafusion::arrow::array::{BooleanArray, RecordBatch};
use datafusion::arrow::compute::nullif;

use super::dead_letter::DeadLetters;
use super::input::Input;
use super::output::Output;
use super::report::{Report, Stage};
use crate::error::Result;
use crate::operators::{Pipeline, RowReport};
use crate::plan::{OnError, QueryKind, QueryPlan};
use crate::record::{Batch, OutBatch, RawBatch};

/// How many reports of one batch are kept; more are only counted.
const REPORTS_KEPT: usize = 64;

/// One stage of a query on one partition.
pub struct Task {
    partition: i32,
    input: Input,
    pipeline: Pipeline,
    output: Option<Output>,
    sink: Arc<str>,
    dead_letters: Option<DeadLetters>,
    /// Whether a record whose value is null as a whole is a row: it takes a row of a table away, and is none of a stream.
    shows_tombstones: bool,
    /// Which columns of a push query come of keys alone, so that also a tombstone has them.
    of_key: Vec<bool>,
    keeps_values: bool,
    row_reports: Vec<RowReport>,
}

/// What a task made of a batch. Reused from batch to batch: [`clear`](Self::clear) keeps the buffers.
#[derive(Debug, Default)]
pub struct TaskOutput {
    /// Records for the sink's topic; empty for a push query.
    pub records: OutBatch,
    /// Rows of a push query.
    pub rows: Option<RecordBatch>,
    /// The records that could not be processed, as they came, for the dead-letter topic of the query if it has one.
    pub dead: OutBatch,
    /// What was wrong with records of the batch, the first few.
    pub reports: Vec<Report>,
    /// How many reports there were in all.
    pub bad: u64,
}

impl TaskOutput {
    /// Forgets the batch and keeps the buffers.
    pub fn clear(&mut self) {
        self.records.clear();
        self.dead.clear();
        self.rows = None;
        self.reports.clear();
        self.bad = 0;
    }
}

impl Task {
    /// A task for one partition of the plan's source.
    pub fn new(plan: &QueryPlan, partition: i32) -> Result<Task> {
        let (output, sink) = match &plan.kind {
            QueryKind::Persistent(sink) => {
                (Some(Output::new(sink, plan.rekeyed.clone())?), Arc::from(sink.topic.name.as_str()))
            }
            QueryKind::Push { .. } => (None, Arc::from("")),
        };
        let dead_letters = match &plan.on_error {
            OnError::DeadLetter(topic) => Some(DeadLetters::new(&plan.query_id, &topic.name)),
            OnError::Skip | OnError::Fail => None,
        };
        Ok(Task {
            partition,
            input: Input::new(&plan.source)?,
            pipeline: Pipeline::new(&plan.steps),
            output,
            sink,
            dead_letters,
            shows_tombstones: plan.source.is_table || matches!(plan.kind, QueryKind::Persistent(_)),
            of_key: plan.output_of_key(),
            keeps_values: false,
            row_reports: Vec::new(),
        })
    }

    /// Keeps the values of bad records in their reports, which may then be shown.
    pub fn keep_values(&mut self, keep: bool) {
        self.keeps_values = keep;
    }

    /// Processes the records of a batch of this partition, in order, and adds what comes of them to `result`.
    ///
    /// # Errors
    /// Only for a broken invariant of ours, or a batch over 2 GiB; never for what a record holds.
    pub fn process(&mut self, raw: &RawBatch, result: &mut TaskOutput) -> Result<()> {
        let TaskOutput { records, rows, dead, reports, bad } = result;
        let (partition, keeps_values) = (self.partition, self.keeps_values);
        let mut notes = Notes { raw, partition, keeps_values, reports, bad, dead_letters: self.dead_letters.as_mut() };
        let decoded = self.input.decode(raw, &mut |record, message| notes.add(Stage::Read, record, message))?;
        self.row_reports.clear();
        let decoded_rows = if self.shows_tombstones { decoded.batch } else { decoded.batch.without_tombstones()? };
        let mut batch = self.pipeline.run(decoded_rows, &mut self.row_reports)?;
        for RowReport { record, message } in self.row_reports.drain(..) {
            notes.add(Stage::Compute, record, message);
        }
        match &mut self.output {
            Some(output) => {
                if records.topic.is_empty() {
                    records.topic = Arc::clone(&self.sink);
                }
                if let Some(dead_letters) = &notes.dead_letters {
                    batch = dead_letters.without_dead(batch)?;
                }
                let mut report = |record, message| notes.add(Stage::Write, record, message);
                output.encode(&batch, raw, &decoded.times, records, &mut report)?;
                if let Some(dead_letters) = notes.dead_letters {
                    dead_letters.hand_over(raw, dead);
                }
            }
            None => *rows = Some(self.without_values(batch)?),
        }
        // Each stage reports in the order of the records; told together they are in that order too.
        reports.sort_by_key(|report| report.offset);
        Ok(())
    }

    /// The rows of a push query. A tombstone has no value, so nothing is computed of one.
    fn without_values(&self, batch: Batch) -> Result<RecordBatch> {
        let Some(tombstones) = batch.tombstones else { return Ok(batch.columns) };
        let tombstones = BooleanArray::new(tombstones, None);
        let columns = batch.columns.columns().iter().zip(&self.of_key);
        let columns = columns.map(|(column, of_key)| match of_key {
            true => Ok(Arc::clone(column)),
            false => nullif(column, &tombstones),
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(batch.columns.schema(), columns)?)
    }
}

/// Takes down what is wrong with records of a batch.
struct Notes<'a> {
    raw: &'a RawBatch,
    partition: i32,
    keeps_values: bool,
    reports: &'a mut Vec<Report>,
    bad: &'a mut u64,
    dead_letters: Option<&'a mut DeadLetters>,
}

impl Notes<'_> {
    fn add(&mut self, stage: Stage, record: usize, message: String) {
        *self.bad += 1;
        if let Some(dead_letters) = &mut self.dead_letters {
            dead_letters.note(record, stage, &message);
        }
        if self.reports.len() < REPORTS_KEPT {
            let value = if self.keeps_values { self.raw.values.get(record).map(<[u8]>::to_vec) } else { None };
            let offset = self.raw.offsets[record];
            self.reports.push(Report { partition: self.partition, offset, stage, message, value });
        }
    }
}
