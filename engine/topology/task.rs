//! One stage of a query on one partition.

use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;

use super::Report;
use super::input::Input;
use super::output::Output;
use crate::error::Result;
use crate::operators::{Pipeline, RowReport};
use crate::plan::{QueryKind, QueryPlan};
use crate::record::{OutBatch, RawBatch};

/// How many reports of one batch are kept; more are only counted.
const REPORTS_KEPT: usize = 64;

/// One stage of a query on one partition.
pub struct Task {
    partition: i32,
    input: Input,
    pipeline: Pipeline,
    output: Option<Output>,
    sink: Arc<str>,
    row_reports: Vec<RowReport>,
}

/// What a task made of a batch. Reused from batch to batch: [`clear`](Self::clear) keeps the buffers.
#[derive(Debug, Default)]
pub struct TaskOutput {
    /// Records for the sink's topic; empty for a push query.
    pub records: OutBatch,
    /// Rows of a push query.
    pub rows: Option<RecordBatch>,
    /// What was wrong with records of the batch, the first few.
    pub reports: Vec<Report>,
    /// How many reports there were in all.
    pub bad: u64,
}

impl TaskOutput {
    /// Forgets the batch and keeps the buffers.
    pub fn clear(&mut self) {
        self.records.clear();
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
                (Some(Output::new(sink, plan.rekeyed)?), Arc::from(sink.topic.name.as_str()))
            }
            QueryKind::Push { .. } => (None, Arc::from("")),
        };
        Ok(Task {
            partition,
            input: Input::new(&plan.source, plan.rekeyed)?,
            pipeline: Pipeline::new(&plan.steps),
            output,
            sink,
            row_reports: Vec::new(),
        })
    }

    /// Processes the records of a batch of this partition, in order, and adds what comes of them to `result`.
    ///
    /// # Errors
    /// Only for a broken invariant of ours, or a batch over 2 GiB; never for what a record holds.
    pub fn process(&mut self, raw: &RawBatch, result: &mut TaskOutput) -> Result<()> {
        let (partition, offsets) = (self.partition, &raw.offsets);
        let TaskOutput { records, rows, reports, bad } = result;
        let mut report = |record: usize, message: String| {
            *bad += 1;
            if reports.len() < REPORTS_KEPT {
                reports.push(Report { partition, offset: offsets[record], message });
            }
        };
        let decoded = self.input.decode(raw, &mut report)?;
        self.row_reports.clear();
        let batch = self.pipeline.run(decoded.batch, &mut self.row_reports)?;
        for RowReport { record, message } in self.row_reports.drain(..) {
            report(record, message);
        }
        match &mut self.output {
            Some(output) => {
                if records.topic.is_empty() {
                    records.topic = Arc::clone(&self.sink);
                }
                output.encode(&batch, raw, &decoded.times, records, &mut report)?;
            }
            None => *rows = Some(batch.columns),
        }
        Ok(())
    }
}
