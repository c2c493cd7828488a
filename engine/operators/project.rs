//! Computes the columns of a result.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;

use super::RowReport;
use super::eval::evaluate;
use crate::error::Result;
use crate::plan::CompiledExpr;
use crate::record::Batch;

/// The columns of a result, row by row of the input. A column of a row that cannot be computed is null.
///
/// `schema` names the columns. `scratch` is for the rows that fail, emptied before and after.
pub fn project(
    batch: &Batch,
    columns: &[(String, CompiledExpr)],
    schema: &SchemaRef,
    reports: &mut Vec<RowReport>,
    scratch: &mut Vec<usize>,
) -> Result<Batch> {
    let mut computed = Vec::with_capacity(columns.len());
    for (name, expr) in columns {
        scratch.clear();
        computed.push(match expr.as_column() {
            Some(position) => batch.columns.column(position).clone(),
            None => evaluate(expr, batch, name, reports, scratch)?,
        });
    }
    scratch.clear();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.len()));
    let columns = RecordBatch::try_new_with_options(Arc::clone(schema), computed, &options)?;
    Ok(Batch { columns, origin: batch.origin.clone(), tombstones: batch.tombstones.clone() })
}
