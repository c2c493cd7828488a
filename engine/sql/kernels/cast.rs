//! `CAST`, and texts that stand for points in time.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{Expr, lit};

use super::{Kernel, call};
use crate::functions::row_errors;
use crate::types::SqlType;
use crate::types::cast::cast_array;
use crate::types::text::time;

/// An expression cast to a type its own can be cast to; a row that cannot be cast is null and reported.
pub fn expr(expr: Expr, from: &SqlType, to: &SqlType) -> Expr {
    call(Cast { from: from.clone(), to: to.clone() }, vec![expr])
}

/// The name of a cast that may fail.
pub const NAME: &str = "cast";

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Cast {
    from: SqlType,
    to: SqlType,
}

impl Kernel for Cast {
    fn name(&self) -> &'static str {
        let widens = matches!(self.to, SqlType::Integer | SqlType::Bigint | SqlType::Double);
        // A number always has a place among the numbers of these types.
        if self.from.is_numeric() && widens { "convert" } else { NAME }
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(self.to.to_arrow())
    }

    fn invoke(&self, args: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let mut failures = Vec::new();
        let result = cast_array(&args[0], &self.from, &self.to, &mut failures)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        for (row, message) in failures {
            row_errors::report(row, rows, || message);
        }
        Ok(result)
    }
}

/// A text literal as a constant of the type of a point in time: `TIMESTAMP`, `DATE`, `TIME`, or `BIGINT` for
/// milliseconds since the epoch. A timestamp may stop early: the rest is its beginning.
pub fn point_in_time(text: &str, like: &SqlType) -> Option<Expr> {
    let text = text.trim();
    Some(lit(match like {
        SqlType::Bigint => ScalarValue::Int64(Some(time::parse_timestamp(text)?)),
        SqlType::Timestamp => ScalarValue::TimestampMillisecond(Some(time::parse_timestamp(text)?), None),
        SqlType::Date => ScalarValue::Date32(Some(i32::try_from(time::parse_date(text)?).ok()?)),
        SqlType::Time => ScalarValue::Time32Millisecond(Some(i32::try_from(time::parse_time(text)?).ok()?)),
        _ => return None,
    }))
}
