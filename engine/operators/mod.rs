//! What a query does to rows: state machines over batches, one a file.
//!
//! They know expressions, records and types; topics, formats and time are someone else's. A row that cannot be computed
//! never fails its batch: it is dropped or nulled, and reported as a [`RowReport`].
//!
//! - [`eval`]: an expression over a batch
//! - [`filter`], [`explode`], [`project`]: the operators without state; [`explode`] gives its result in pieces
//! - [`join`]: rows of two streams that meet, the operator that remembers
//! - [`pipeline`]: the steps of a plan, one after the other

pub mod eval;
pub mod explode;
pub mod filter;
pub mod join;
pub mod pipeline;
pub mod project;
#[cfg(test)]
mod tests;

pub use join::StreamJoin;
pub use pipeline::Pipeline;

use crate::error::Result;
use crate::record::Batch;

/// Takes a piece of a result with what was reported so far; says whether it wants the next one.
pub type Emit<'a> = dyn FnMut(Batch, &mut Vec<RowReport>) -> Result<bool> + 'a;

/// A row that could not be computed as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowReport {
    /// The record of the raw batch the row came from.
    pub record: usize,
    /// What was computed and what was wrong with it; holds no value from the data.
    pub message: String,
}
