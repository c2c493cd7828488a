//! The steps of a plan, one after the other.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};

use super::{Emit, RowReport, explode, filter, project};
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

    /// Whether a batch may come out in several pieces, or in none.
    pub fn splits(&self) -> bool {
        self.steps.iter().any(|(step, _)| matches!(step, Step::Explode { .. }))
    }

    /// Runs a batch through all steps. `emit` gets the result, in pieces where a step makes many rows of one, and what was
    /// reported until then; it says whether it wants the next one. Reports name records of the raw batch; those that are left
    /// at the end are about rows that came to nothing.
    ///
    /// # Errors
    /// Those of `emit`; of its own only when the batch is not of the plan's schema, never because of what a record holds.
    pub fn run(&mut self, batch: Batch, reports: &mut Vec<RowReport>, emit: &mut Emit<'_>) -> Result<bool> {
        run(&self.steps, batch, reports, &mut self.scratch, emit)
    }

    /// The result of steps that do not split a batch.
    #[cfg(test)]
    pub fn whole(&mut self, batch: Batch, reports: &mut Vec<RowReport>) -> Result<Batch> {
        let mut result = None;
        self.run(batch, reports, &mut |piece, _| {
            result = Some(piece);
            Ok(true)
        })?;
        result.ok_or_else(|| crate::error::Error::internal("no piece came out"))
    }
}

fn run(
    steps: &[(Step, SchemaRef)],
    batch: Batch,
    reports: &mut Vec<RowReport>,
    scratch: &mut Vec<usize>,
    emit: &mut Emit<'_>,
) -> Result<bool> {
    let Some(((step, schema), rest)) = steps.split_first() else { return emit(batch, reports) };
    let next = match step {
        Step::Filter { predicate, keep } => filter::filter(&batch, predicate, keep, reports, scratch)?,
        Step::Project(columns) => project::project(&batch, columns, schema, reports, scratch)?,
        Step::Explode { calls, keep } => {
            return explode::explode(&batch, calls, keep, reports, &mut |piece, reports| {
                run(rest, piece, reports, scratch, emit)
            });
        }
    };
    run(rest, next, reports, scratch, emit)
}

/// The columns behind a projection; the other steps take theirs from the batch.
fn schema_after(step: &Step) -> SchemaRef {
    match step {
        Step::Filter { .. } | Step::Explode { .. } => Arc::new(Schema::empty()),
        Step::Project(columns) => {
            let field = |(name, expr): &(String, crate::plan::CompiledExpr)| Field::new(name, expr.ty.to_arrow(), true);
            Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
        }
    }
}
