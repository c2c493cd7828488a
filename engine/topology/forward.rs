//! Records on their way to the partition where they meet their partners.
//!
//! A record is written whole, as it came ([`pack`](crate::record::pack)), with what it is compared by as its key. Who reads it
//! there reads it as if it had come from its own topic: with its own key, time, headers, partition and offset.

use std::sync::Arc;

use super::changelog::NOW;
use super::input::{Decoded, Input, format_of, options_of};
use super::notes::Notes;
use super::report::Stage;
use super::task::TaskOutput;
use crate::error::{Error, Result};
use crate::formats::{Encoder, Failure};
use crate::operators::RowReport;
use crate::operators::eval::evaluate;
use crate::plan::{CompiledExpr, JoinPlan};
use crate::record::{BytesColumn, RawBatch, pack};
use crate::types::Column;

/// Gives the records of one side of a join the keys they are joined by.
pub struct Forward {
    input: Input,
    key: CompiledExpr,
    encoder: Encoder,
    side: usize,
    topic: Arc<str>,
    keeps_bytes: bool,
    keys: BytesColumn,
    failures: Vec<Failure>,
    row_reports: Vec<RowReport>,
    failed: Vec<usize>,
}

impl Forward {
    /// For a side (0 is left) that is repartitioned, into a topic.
    pub fn new(plan: &JoinPlan, side: usize, topic: &Arc<str>, keeps_bytes: bool) -> Result<Forward> {
        let Some(repartition) = &plan.sides[side].repartition else {
            return Err(Error::internal("a side of a join that stays where it is"));
        };
        let column = Column::key("KEY", plan.key_type.clone());
        let options = options_of(&plan.key_format, 1, true);
        Ok(Forward {
            input: Input::new(&repartition.scan)?,
            key: repartition.key.clone(),
            encoder: Encoder::new(format_of(&plan.key_format), &[column], options)?,
            side,
            topic: Arc::clone(topic),
            keeps_bytes,
            keys: BytesColumn::new(),
            failures: Vec::new(),
            row_reports: Vec::new(),
            failed: Vec::new(),
        })
    }

    /// Adds the records of a batch to `result`, under their new keys. One without a value or a key meets nobody and goes
    /// nowhere.
    ///
    /// # Errors
    /// Only for a broken invariant of ours.
    pub fn process(&mut self, raw: &RawBatch, result: &mut TaskOutput) -> Result<()> {
        let TaskOutput { forwarded, reports, first, bad, .. } = result;
        let mut notes = Notes { raw, keeps_bytes: self.keeps_bytes, reports, first, bad, dead_letters: None };
        // A record without a time it can be joined by is reported here and goes nowhere.
        let Decoded { batch, times: _ } =
            self.input.decode(raw, &mut |stage, record, message| notes.add(stage, record, message))?;
        let batch = batch.without_tombstones()?;
        self.failed.clear();
        let keys = evaluate(&self.key, &batch, "ON", &mut self.row_reports, &mut self.failed)?;
        notes.computed(&mut self.row_reports);
        self.keys.clear();
        self.encoder.encode(std::slice::from_ref(&keys), batch.len(), &mut self.keys, &mut self.failures)?;
        for failure in self.failures.drain(..) {
            let record = batch.record_of(failure.row);
            notes.add(Stage::Write, record, &format_args!("the key it is joined by cannot be written: {failure}"));
        }
        let forwarded = &mut forwarded[self.side];
        forwarded.topic = Arc::clone(&self.topic);
        for row in 0..batch.len() {
            let Some(key) = self.keys.get(row).filter(|_| !keys.is_null(row)) else { continue };
            let record = batch.record_of(row);
            forwarded.keys.push(Some(key));
            pack::pack(raw, record, forwarded.values.buffer());
            forwarded.values.end_row();
            forwarded.timestamps.push(NOW);
            forwarded.headers.end_row();
        }
        Ok(())
    }
}
