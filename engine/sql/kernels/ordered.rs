//! Comparisons of doubles and of bytes, which Arrow orders otherwise than Java.
//!
//! Doubles compare as IEEE 754 has it: minus zero is equal to zero, and NaN is neither equal to anything nor below or
//! above it, so that `<>` of it too is false, as in ksqlDB. (Arrow uses the total order, where NaN is above all.) Bytes
//! compare one by one with their signs, from -128 to 127, as Java's `ByteBuffer` does.

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array};
use datafusion::arrow::buffer::{BooleanBuffer, NullBuffer};
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{ColumnarValue, Expr, Operator};

use super::{Kernel, call};
use crate::functions::signed_order;

/// `left op right` of two `DOUBLE` or two `BYTES`; `op` is a comparison or one of `IS [NOT] DISTINCT FROM`.
pub fn comparison(left: Expr, op: Operator, right: Expr) -> Expr {
    call(Comparison { op }, vec![left, right])
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Comparison {
    op: Operator,
}

impl Kernel for Comparison {
    fn name(&self) -> &'static str {
        match self.op {
            Operator::Eq => "eq",
            Operator::NotEq => "not_eq",
            Operator::Lt => "lt",
            Operator::LtEq => "lt_eq",
            Operator::Gt => "gt",
            Operator::GtEq => "gt_eq",
            Operator::IsDistinctFrom => "distinct",
            _ => "not_distinct",
        }
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke(&self, args: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let (left, right) = (&args[0], &args[1]);
        let nulls = NullBuffer::union(left.nulls(), right.nulls());
        let values = match left.data_type() {
            DataType::Float64 => {
                let (left, right) = (left.as_primitive::<Float64Type>(), right.as_primitive::<Float64Type>());
                let (left, right) = (left.values(), right.values());
                doubles(self.op, rows, |row| (left[row], right[row]))
            }
            DataType::Binary => {
                let (left, right) = (left.as_binary::<i32>(), right.as_binary::<i32>());
                let wanted = |order: Ordering| match self.op {
                    Operator::Eq | Operator::IsNotDistinctFrom => order.is_eq(),
                    Operator::NotEq | Operator::IsDistinctFrom => order.is_ne(),
                    Operator::Lt => order.is_lt(),
                    Operator::LtEq => order.is_le(),
                    Operator::Gt => order.is_gt(),
                    _ => order.is_ge(),
                };
                BooleanBuffer::collect_bool(rows, |row| wanted(signed_order(left.value(row), right.value(row))))
            }
            other => return internal_err!("an ordered comparison of {other}"),
        };
        Ok(Arc::new(match self.op {
            Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => {
                let negated = self.op == Operator::IsNotDistinctFrom;
                let of_nulls = |row: usize| match (left.is_null(row), right.is_null(row)) {
                    (false, false) => values.value(row),
                    (l, r) => (l == r) == negated,
                };
                BooleanArray::new(BooleanBuffer::collect_bool(rows, of_nulls), None)
            }
            _ => BooleanArray::new(values, nulls),
        }))
    }

    fn invoke_mixed(&self, args: &[ColumnarValue]) -> Option<Result<ArrayRef>> {
        if matches!(self.op, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom) {
            return None;
        }
        let with_constant = |column: &ArrayRef, constant: f64, column_is_left: bool| -> ArrayRef {
            let column: &Float64Array = column.as_primitive::<Float64Type>();
            let values = column.values();
            let result = doubles(self.op, column.len(), |row| {
                if column_is_left { (values[row], constant) } else { (constant, values[row]) }
            });
            Arc::new(BooleanArray::new(result, column.nulls().cloned()))
        };
        match args {
            [ColumnarValue::Array(column), ColumnarValue::Scalar(ScalarValue::Float64(Some(constant)))] => {
                Some(Ok(with_constant(column, *constant, true)))
            }
            [ColumnarValue::Scalar(ScalarValue::Float64(Some(constant))), ColumnarValue::Array(column)] => {
                Some(Ok(with_constant(column, *constant, false)))
            }
            _ => None,
        }
    }
}

/// One bit a row. Each operator has a loop of its own, which the compiler can vectorize.
// NaN is neither less nor greater, and not unequal here, which `!=` would say.
#[allow(clippy::double_comparisons)]
fn doubles(op: Operator, rows: usize, pair: impl Fn(usize) -> (f64, f64)) -> BooleanBuffer {
    match op {
        Operator::Eq => BooleanBuffer::collect_bool(rows, |row| matches!(pair(row), (l, r) if l == r)),
        Operator::Lt => BooleanBuffer::collect_bool(rows, |row| matches!(pair(row), (l, r) if l < r)),
        Operator::LtEq => BooleanBuffer::collect_bool(rows, |row| matches!(pair(row), (l, r) if l <= r)),
        Operator::Gt => BooleanBuffer::collect_bool(rows, |row| matches!(pair(row), (l, r) if l > r)),
        Operator::GtEq => BooleanBuffer::collect_bool(rows, |row| matches!(pair(row), (l, r) if l >= r)),
        Operator::NotEq | Operator::IsDistinctFrom => {
            // Not `!=`, which is true of NaN.
            BooleanBuffer::collect_bool(
                rows,
                |row| matches!(pair(row), (l, r) if l.partial_cmp(&r).is_some_and(Ordering::is_ne)),
            )
        }
        _ => BooleanBuffer::collect_bool(
            rows,
            |row| matches!(pair(row), (l, r) if l.partial_cmp(&r).is_none_or(Ordering::is_eq)),
        ),
    }
}
