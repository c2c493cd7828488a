//! Casts between SQL types: which exist, which are implicit, and the kernels that run them over whole columns.
//!
//! The table and the texts are ksqlDB's. A row that cannot be cast becomes null and is reported; it never harms the
//! other rows. `rules` answers questions about types when a statement is planned; the other files hold the kernels.

mod from_text;
mod nested;
mod numeric;
mod rules;
mod to_text;

pub use rules::{can_cast, fits_implicitly, widen};
pub use to_text::write_text;

use std::sync::Arc;

use datafusion::arrow::array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, new_null_array};

use super::SqlType;
use super::text::time::DAY;
use crate::error::{Code, Error, Result};

/// Rows that could not be cast, with what was wrong; never with the value.
pub type CastFailures = Vec<(usize, String)>;

/// `CAST(array AS to)`.
///
/// `array` has the Arrow type of `from`, the result that of `to`, with as many rows. A row that cannot be cast is
/// null in the result and named in `failures`, once, in ascending order. An error means that the cast does not exist
/// ([`can_cast`] is false) or that `array` is not of the type `from`.
pub fn cast_array(array: &ArrayRef, from: &SqlType, to: &SqlType, failures: &mut CastFailures) -> Result<ArrayRef> {
    if *array.data_type() != from.to_arrow() {
        return Err(Error::internal(format!("a column of type {} was to be cast as {from}", array.data_type())));
    }
    if from == to {
        return Ok(Arc::clone(array));
    }
    if !can_cast(from, to) {
        return Err(unsupported(from, to));
    }
    if array.null_count() == array.len() {
        return Ok(new_null_array(&to.to_arrow(), array.len()));
    }
    cast_valid(array, from, to, failures)
}

fn unsupported(from: &SqlType, to: &SqlType) -> Error {
    Error::refused(Code::InvalidCast, format!("cast of {from} to {to} is not supported"))
}

fn cast_valid(array: &ArrayRef, from: &SqlType, to: &SqlType, failures: &mut CastFailures) -> Result<ArrayRef> {
    use SqlType::*;
    Ok(match (from, to) {
        (_, String) => to_text::to_text(array, from)?,
        (String, _) => from_text::from_text(array.as_string::<i32>(), to, failures)?,

        (Integer, Bigint) => Arc::new(array.as_primitive::<Int32Type>().unary::<_, Int64Type>(i64::from)),
        (Integer, Double) => Arc::new(array.as_primitive::<Int32Type>().unary::<_, Float64Type>(f64::from)),
        (Bigint, Integer) => Arc::new(array.as_primitive::<Int64Type>().unary::<_, Int32Type>(|v| v as i32)),
        (Bigint, Double) => Arc::new(array.as_primitive::<Int64Type>().unary::<_, Float64Type>(|v| v as f64)),
        (Double, Integer) => Arc::new(array.as_primitive::<Float64Type>().unary::<_, Int32Type>(|v| v as i32)),
        (Double, Bigint) => Arc::new(array.as_primitive::<Float64Type>().unary::<_, Int64Type>(|v| v as i64)),
        (Integer | Bigint | Double | Decimal(..), Decimal(precision, scale)) => {
            numeric::to_decimal(array, from, *precision, *scale, failures)?
        }
        (Decimal(_, scale), _) if array.as_primitive_opt::<Decimal128Type>().is_some() => {
            numeric::from_decimal(array.as_primitive::<Decimal128Type>(), *scale, to)?
        }
        (Decimal(_, scale), _) => numeric::from_decimal(array.as_primitive::<Decimal256Type>(), *scale, to)?,

        (Timestamp, Date) => {
            let days = |v: i64| v.div_euclid(DAY) as i32;
            Arc::new(array.as_primitive::<TimestampMillisecondType>().unary::<_, Date32Type>(days))
        }
        (Timestamp, Time) => {
            let of_day = |v: i64| v.rem_euclid(DAY) as i32;
            Arc::new(array.as_primitive::<TimestampMillisecondType>().unary::<_, Time32MillisecondType>(of_day))
        }
        (Date, Timestamp) => {
            let milliseconds = |v: i32| i64::from(v) * DAY;
            let cast: PrimitiveArray<TimestampMillisecondType> = array.as_primitive::<Date32Type>().unary(milliseconds);
            Arc::new(cast)
        }

        (Array(from), Array(to)) => nested::array_to_array(array, from, to, failures)?,
        (Map(from_key, from_value), Map(to_key, to_value)) => {
            nested::map_to_map(array, (from_key, from_value), (to_key, to_value), failures)?
        }
        (Struct(from), Struct(to)) => nested::struct_to_struct(array, from, to, failures)?,
        _ => return Err(unsupported(from, to)),
    })
}

#[cfg(test)]
mod tests;
