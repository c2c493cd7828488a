//! An expression over a batch, such that no row can fail the others.
//!
//! Kernels work on whole columns, and some fail as a whole when one row is bad. Then the batch is cut in halves until the
//! bad rows stand alone: they become null, the rest is computed. Kernels of our own never fail; they null the row and
//! report it on the side channel, with its row number. Inside `CASE`, `AND` and the like they may have seen other rows
//! than those that needed them; then the same halving finds the rows that report when they stand alone.

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use datafusion::arrow::compute::{concat, nullif};
use datafusion::error::DataFusionError;

use super::RowReport;
use crate::error::Result;
use crate::functions::plugin::Failure;
use crate::functions::row_errors::{self, RowError};
use crate::plan::CompiledExpr;
use crate::record::Batch;

/// The column an expression computes for a batch, of the expression's type.
///
/// `what` says what it is for (a column's name, `WHERE`) in reports. `failed` is told the rows that could not be computed:
/// they are null in the result, whatever the expression makes of a part that is. An expression that absorbs failures of its
/// parts has failed only where a kernel has.
pub fn evaluate(
    expr: &CompiledExpr,
    batch: &Batch,
    what: &str,
    reports: &mut Vec<RowReport>,
    failed: &mut Vec<usize>,
) -> Result<ArrayRef> {
    let rows = batch.len();
    let (mut reported, mut by_kernel) = (Vec::new(), Vec::new());
    let mut report = |row: usize, message: &str| {
        reports.push(RowReport { record: batch.record_of(row), message: format!("{what}: {message}") });
        reported.push(row);
    };
    if rows == 0 {
        return Ok(new_null_array(&expr.ty.to_arrow(), 0));
    }
    let column = match attempt(expr, &batch.columns) {
        (Ok(column), errors) if are_placed(expr, &errors) => {
            for RowError { row, message } in errors {
                report(row.unwrap_or(0), &message);
            }
            column
        }
        (Ok(column), _) => {
            // The values are right; only the places of the reports are not known.
            place(expr, &batch.columns, 0, &mut report);
            column
        }
        (Err(_), _) => {
            let mut pieces = Vec::new();
            halve(expr, &batch.columns, 0, &mut pieces, &mut |row, message, kernel_failed| {
                report(row, message);
                if kernel_failed {
                    by_kernel.push(row);
                }
            });
            let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
            concat(&pieces)?
        }
    };
    if expr.absorbs {
        failed.append(&mut by_kernel);
        return Ok(column);
    }
    if reported.is_empty() {
        return Ok(column);
    }
    reported.sort_unstable();
    reported.dedup();
    let mut is_bad = vec![false; rows];
    reported.iter().for_each(|row| is_bad[*row] = true);
    failed.append(&mut reported);
    Ok(nullif(&column, &BooleanArray::from(is_bad))?)
}

/// One try over a whole batch.
fn attempt(expr: &CompiledExpr, batch: &RecordBatch) -> (Result<ArrayRef, DataFusionError>, Vec<RowError>) {
    row_errors::with_sink(batch.num_rows(), || expr.physical.evaluate(batch)?.into_array(batch.num_rows()))
}

/// Computes a batch that failed as a whole: in halves, down to the rows that fail. `start` is its first row's number.
fn halve(
    expr: &CompiledExpr,
    batch: &RecordBatch,
    start: usize,
    pieces: &mut Vec<ArrayRef>,
    report: &mut impl FnMut(usize, &str, bool),
) {
    let rows = batch.num_rows();
    if rows == 1 {
        let (column, errors) = attempt(expr, batch);
        match column {
            Ok(column) => {
                errors.iter().for_each(|error| report(start, &error.message, false));
                pieces.push(column);
            }
            Err(error) => {
                report(start, &reason(&error), true);
                pieces.push(new_null_array(&expr.ty.to_arrow(), 1));
            }
        }
        return;
    }
    let middle = rows / 2;
    for (from, len) in [(0, middle), (middle, rows - middle)] {
        let half = batch.slice(from, len);
        match attempt(expr, &half) {
            (Ok(column), errors) => {
                if are_placed(expr, &errors) {
                    errors.iter().for_each(|e| report(start + from + e.row.unwrap_or(0), &e.message, false));
                } else {
                    place(expr, &half, start + from, &mut |row, message| report(row, message, false));
                }
                pieces.push(column);
            }
            (Err(error), _) if len == 1 => {
                report(start + from, &reason(&error), true);
                pieces.push(new_null_array(&expr.ty.to_arrow(), 1));
            }
            (Err(_), _) => halve(expr, &half, start + from, pieces, report),
        }
    }
}

/// Whether the reports of a batch name the rows they are about.
fn are_placed(expr: &CompiledExpr, errors: &[RowError]) -> bool {
    errors.is_empty() || (!expr.lazy && errors.iter().all(|error| error.row.is_some()))
}

/// Finds the rows of reports that came without a sure place. A batch of one row has only one place.
fn place(expr: &CompiledExpr, batch: &RecordBatch, start: usize, report: &mut impl FnMut(usize, &str)) {
    let rows = batch.num_rows();
    let (_, errors) = attempt(expr, batch);
    if rows == 1 {
        errors.iter().for_each(|error| report(start, &error.message));
    } else if are_placed(expr, &errors) {
        errors.iter().for_each(|error| report(start + error.row.unwrap_or(0), &error.message));
    } else {
        let middle = rows / 2;
        place(expr, &batch.slice(0, middle), start, report);
        place(expr, &batch.slice(middle, rows - middle), start + middle, report);
    }
}

/// What a kernel's error says, without the values it may quote.
fn reason(error: &DataFusionError) -> String {
    use datafusion::arrow::error::ArrowError;
    match error.find_root() {
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            ArrowError::DivideByZero => "division by zero".to_string(),
            ArrowError::ArithmeticOverflow(_) => "the result is out of range".to_string(),
            ArrowError::CastError(_) | ArrowError::ParseError(_) => "a value cannot be converted".to_string(),
            ArrowError::InvalidArgumentError(_) => "a value is out of range".to_string(),
            _ => "the value cannot be computed".to_string(),
        },
        // What a function of the user's says is meant for the user.
        DataFusionError::External(error) if error.is::<Failure>() => error.to_string(),
        _ => "the value cannot be computed".to_string(),
    }
}
