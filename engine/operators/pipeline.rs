//! The steps of a plan, one after the other.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};

use super::{RowReport, explode, filter, project};
use crate::error::Result;
use crate::plan::Step;
use crate::record::Batch;

/// The stateless steps of a query, ready to run over batches. One per task; holds scratch space and no state.
#[derive(Debug)]
pub struct Pipeline {
    steps: Vec<(Step, SchemaRef)>,
    scratch: Vec<usize>,
}

impl Pipeline {
    /// The steps of a plan.
    pub fn new(steps: &[Step]) -> Self {
        let steps = steps.iter().map(|step| (step.clone(), schema_after(step))).collect();
        Pipeline { steps, scratch: Vec::new() }
    }

    /// Runs a batch through all steps. What could not be computed is added to `reports`; the records they name are those
    /// of the raw batch.
    ///
    /// # Errors
    /// Only when the batch is not of the plan's schema; never because of what a record holds.
    pub fn run(&mut self, batch: Batch, reports: &mut Vec<RowReport>) -> Result<Batch> {
        let mut batch = batch;
        for (step, schema) in &self.steps {
            batch = match step {
                Step::Filter { predicate, keep } => {
                    filter::filter(&batch, predicate, keep, reports, &mut self.scratch)?
                }
                Step::Explode(calls) => explode::explode(&batch, calls, reports, &mut self.scratch)?,
                Step::Project(columns) => project::project(&batch, columns, schema, reports, &mut self.scratch)?,
            };
        }
        Ok(batch)
    }
}

/// The columns behind a projection; the other steps take theirs from the batch.
fn schema_after(step: &Step) -> SchemaRef {
    match step {
        Step::Filter { .. } | Step::Explode(_) => Arc::new(Schema::empty()),
        Step::Project(columns) => {
            let field = |(name, expr): &(String, crate::plan::CompiledExpr)| Field::new(name, expr.ty.to_arrow(), true);
            Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
        }
    }
}
