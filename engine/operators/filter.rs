//! Keeps the rows for which a predicate is true.

use datafusion::arrow::array::{Array, AsArray, BooleanArray};
use datafusion::arrow::buffer::BooleanBuffer;

use super::RowReport;
use super::eval::evaluate;
use crate::error::Result;
use crate::plan::CompiledExpr;
use crate::record::Batch;

/// The rows of a batch for which `predicate` is true, with only the columns at `keep`.
///
/// A row for which it is null, or cannot be computed, is not kept, and a tombstone never is: without a value there is
/// nothing to test. `scratch` is for the rows that fail, emptied before and after.
pub fn filter(
    batch: &Batch,
    predicate: &CompiledExpr,
    keep: &[usize],
    reports: &mut Vec<RowReport>,
    scratch: &mut Vec<usize>,
) -> Result<Batch> {
    scratch.clear();
    let verdict = evaluate(predicate, batch, "WHERE", reports, scratch)?;
    scratch.clear();
    let verdict = verdict.as_boolean();
    let mut passes: BooleanBuffer = match verdict.nulls() {
        Some(nulls) => verdict.values() & nulls.inner(),
        None => verdict.values().clone(),
    };
    if let Some(tombstones) = &batch.tombstones {
        passes = &passes & &!tombstones;
    }
    match passes.count_set_bits() {
        0 => Ok(Batch { columns: batch.columns.project(keep)?.slice(0, 0), origin: None, tombstones: None }),
        // Tombstones never pass, so there is none among them.
        all if all == batch.len() => {
            Ok(Batch { columns: batch.columns.project(keep)?, origin: batch.origin.clone(), tombstones: None })
        }
        _ => batch.filter(&BooleanArray::new(passes, None), keep),
    }
}
