//! Casts from text. White space around it is ignored.

use std::sync::Arc;

use datafusion::arrow::array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};
use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryBuilder, BooleanArray, PrimitiveBuilder, StringArray,
};

use super::{CastFailures, numeric};
use crate::error::{Error, Result};
use crate::types::SqlType;
use crate::types::text::decimal::{self, Rounding};
use crate::types::text::{base64, number, time};

/// Text as `to`, which is no array, map or struct.
pub(super) fn from_text(array: &StringArray, to: &SqlType, failures: &mut CastFailures) -> Result<ArrayRef> {
    Ok(match to {
        SqlType::Boolean => {
            let values: BooleanArray =
                array.iter().map(|text| text.map(|text| number::parse_bool(trimmed(text)))).collect();
            Arc::new(values)
        }
        SqlType::Integer => each::<Int32Type>(array, to, failures, |text| number::parse_i32(text.as_bytes())),
        SqlType::Bigint => each::<Int64Type>(array, to, failures, |text| number::parse_i64(text.as_bytes())),
        // As in ksqlDB neither NaN nor an infinity comes out of a text.
        SqlType::Double => each::<Float64Type>(array, to, failures, |text| {
            number::parse_f64(text.as_bytes()).filter(|value| value.is_finite())
        }),
        SqlType::Time => {
            each::<Time32MillisecondType>(array, to, failures, |text| i32::try_from(time::parse_time(text)?).ok())
        }
        SqlType::Date => each::<Date32Type>(array, to, failures, |text| i32::try_from(time::parse_date(text)?).ok()),
        SqlType::Timestamp => each::<TimestampMillisecondType>(array, to, failures, time::parse_timestamp),
        SqlType::Decimal(precision, scale) if *precision <= 38 => {
            decimals::<Decimal128Type>(array, *precision, *scale, failures)
        }
        SqlType::Decimal(precision, scale) => decimals::<Decimal256Type>(array, *precision, *scale, failures),
        SqlType::Bytes => {
            let mut builder = BinaryBuilder::with_capacity(array.len(), array.values().len());
            let mut bytes = Vec::new();
            for (row, text) in array.iter().enumerate() {
                bytes.clear();
                match text {
                    Some(text) if base64::decode(trimmed(text).as_bytes(), &mut bytes) => builder.append_value(&bytes),
                    Some(_) => {
                        builder.append_null();
                        failures.push((row, "the text is not Base64, which BYTES needs".to_string()));
                    }
                    None => builder.append_null(),
                }
            }
            Arc::new(builder.finish())
        }
        SqlType::String | SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_) => {
            return Err(Error::internal(format!("cast of text to {to}")));
        }
    })
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ')
}

fn each<T: ArrowPrimitiveType>(
    array: &StringArray,
    to: &SqlType,
    failures: &mut CastFailures,
    parse: impl Fn(&str) -> Option<T::Native>,
) -> ArrayRef {
    let mut builder = PrimitiveBuilder::<T>::with_capacity(array.len());
    for (row, text) in array.iter().enumerate() {
        match text {
            None => builder.append_null(),
            Some(text) => match parse(trimmed(text)) {
                Some(value) => builder.append_value(value),
                None => {
                    builder.append_null();
                    failures.push((row, format!("the text is not a valid {to}")));
                }
            },
        }
    }
    Arc::new(builder.finish())
}

fn decimals<T>(array: &StringArray, precision: u8, scale: u8, failures: &mut CastFailures) -> ArrayRef
where
    T: datafusion::arrow::array::types::DecimalType + ArrowPrimitiveType<Native: decimal::Unscaled>,
{
    let mut builder =
        PrimitiveBuilder::<T>::with_capacity(array.len()).with_data_type(T::TYPE_CONSTRUCTOR(precision, scale as i8));
    for (row, text) in array.iter().enumerate() {
        let Some(text) = text else {
            builder.append_null();
            continue;
        };
        match decimal::parse::<T::Native>(trimmed(text).as_bytes(), precision, scale, Rounding::HalfUp) {
            Ok(value) => builder.append_value(value),
            Err(error) => {
                builder.append_null();
                failures.push((row, numeric::describe(error, precision, scale)));
            }
        }
    }
    Arc::new(builder.finish())
}
