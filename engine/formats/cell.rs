//! Values of columns as plain text, as JSON and DELIMITED both write them.
//!
//! What a column holds is settled once for a batch, so that no row asks for its Arrow type again.

use datafusion::arrow::array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};
use datafusion::arrow::array::{ArrayRef, AsArray, BinaryArray, BooleanArray};
use datafusion::arrow::datatypes::i256;

use crate::types::text::{base64, decimal};
use crate::types::{SqlType, java_double};

/// The values of a column of a type without parts, but texts, which each format has its own way with.
pub(super) enum Cells<'a> {
    Boolean(&'a BooleanArray),
    /// Also times and dates.
    Integer(&'a [i32]),
    /// Also timestamps.
    Bigint(&'a [i64]),
    Double(&'a [f64]),
    Decimal(&'a [i128], u8),
    WideDecimal(&'a [i256], u8),
    Bytes(&'a BinaryArray),
}

impl<'a> Cells<'a> {
    /// The values of a column of the type; `None` for texts and for what has parts.
    pub(super) fn new(column: &'a ArrayRef, ty: &SqlType) -> Option<Cells<'a>> {
        Some(match ty {
            SqlType::Boolean => Cells::Boolean(column.as_boolean()),
            SqlType::Integer => Cells::Integer(column.as_primitive::<Int32Type>().values()),
            SqlType::Bigint => Cells::Bigint(column.as_primitive::<Int64Type>().values()),
            SqlType::Double => Cells::Double(column.as_primitive::<Float64Type>().values()),
            SqlType::Decimal(precision, scale) if *precision <= 38 => {
                Cells::Decimal(column.as_primitive::<Decimal128Type>().values(), *scale)
            }
            SqlType::Decimal(_, scale) => Cells::WideDecimal(column.as_primitive::<Decimal256Type>().values(), *scale),
            SqlType::Bytes => Cells::Bytes(column.as_binary()),
            SqlType::Time => Cells::Integer(column.as_primitive::<Time32MillisecondType>().values()),
            SqlType::Date => Cells::Integer(column.as_primitive::<Date32Type>().values()),
            SqlType::Timestamp => Cells::Bigint(column.as_primitive::<TimestampMillisecondType>().values()),
            SqlType::String | SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_) => return None,
        })
    }

    /// Appends the text of a row that is not null. Panics when `row` is out of range.
    #[inline]
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Cells::Boolean(values) => out.extend_from_slice(if values.value(row) { b"true" } else { b"false" }),
            Cells::Integer(values) => out.extend_from_slice(itoa::Buffer::new().format(values[row]).as_bytes()),
            Cells::Bigint(values) => out.extend_from_slice(itoa::Buffer::new().format(values[row]).as_bytes()),
            Cells::Double(values) => java_double::write(values[row], out),
            Cells::Decimal(values, scale) => decimal::write(values[row], *scale, out),
            Cells::WideDecimal(values, scale) => decimal::write(values[row], *scale, out),
            Cells::Bytes(values) => base64::encode(values.value(row), out),
        }
    }

    /// Whether JSON needs quotes around the text of a row: it has no numbers that are none, and no bytes.
    #[inline]
    pub(super) fn is_text_in_json(&self, row: usize) -> bool {
        match self {
            Cells::Double(values) => !values[row].is_finite(),
            Cells::Bytes(_) => true,
            _ => false,
        }
    }
}
