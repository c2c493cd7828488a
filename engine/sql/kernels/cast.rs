//! `CAST`, and texts that stand for points in time.

use datafusion::arrow::array::{Array, ArrayRef, StringArray};
use datafusion::arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Expr, lit};

use super::{Kernel, call};
use crate::plan::row_errors;
use crate::types::SqlType;

/// Whether a `CAST` from one type to another is allowed.
pub fn can_cast(from: &SqlType, to: &SqlType) -> bool {
    datafusion::arrow::compute::can_cast_types(&from.to_arrow(), &to.to_arrow())
}

/// An expression cast to another type; a row that cannot be cast is null and reported.
pub fn expr(expr: Expr, from: &SqlType, to: &SqlType) -> Expr {
    call(Cast { from: from.clone(), to: to.clone() }, vec![expr])
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Cast {
    from: SqlType,
    to: SqlType,
}

impl Kernel for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(self.to.to_arrow())
    }

    fn invoke(&self, args: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let options = CastOptions { safe: true, ..CastOptions::default() };
        let result = cast_with_options(&args[0], &self.to.to_arrow(), &options)?;
        if result.null_count() > args[0].null_count() {
            for row in (0..rows).filter(|row| args[0].is_valid(*row) && result.is_null(*row)) {
                row_errors::report(row, format!("cannot cast this {} to {}", self.from, self.to));
            }
        }
        Ok(result)
    }
}

/// A text literal as a constant of the type of a point in time: `TIMESTAMP`, `DATE`, `TIME`, or `BIGINT` for
/// milliseconds since the epoch. A timestamp may stop early: the rest is its beginning.
pub fn point_in_time(text: &str, like: &SqlType) -> Option<Expr> {
    let text = text.trim();
    match like {
        SqlType::Bigint => timestamp_millis(text).map(lit),
        SqlType::Timestamp => {
            timestamp_millis(text).map(|millis| lit(ScalarValue::TimestampMillisecond(Some(millis), None)))
        }
        _ => {
            let array = StringArray::from(vec![text]);
            let options = CastOptions { safe: true, ..CastOptions::default() };
            let value = cast_with_options(&array, &like.to_arrow(), &options).ok()?;
            if value.is_null(0) { None } else { ScalarValue::try_from_array(&value, 0).ok().map(lit) }
        }
    }
}

/// Milliseconds since the epoch of an ISO 8601 text, UTC unless it names a zone.
fn timestamp_millis(text: &str) -> Option<i64> {
    // Year, month, day, hour, minute: each may be the last.
    let padded = match text.len() {
        4 => format!("{text}-01-01T00:00:00"),
        7 => format!("{text}-01T00:00:00"),
        10 => format!("{text}T00:00:00"),
        13 => format!("{text}:00:00"),
        16 if !text.ends_with('Z') => format!("{text}:00"),
        _ => text.to_string(),
    };
    string_to_timestamp_nanos(&padded).ok().map(|nanos| nanos.div_euclid(1_000_000))
}
