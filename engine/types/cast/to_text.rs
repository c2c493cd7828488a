//! Casts to text, in the renderings Java gives to the values.

use std::sync::Arc;

use datafusion::arrow::array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringBuilder};

use crate::error::{Error, Result};
use crate::types::text::{base64, decimal, time};
use crate::types::{SqlType, java_double};

/// Any column but one of bytes as text.
pub(super) fn to_text(array: &ArrayRef, from: &SqlType) -> Result<ArrayRef> {
    let mut builder = StringBuilder::with_capacity(array.len(), array.len() * 8);
    let mut text = Vec::with_capacity(64);
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.append_null();
            continue;
        }
        text.clear();
        match from {
            // At the top a timestamp is ISO text; inside of others it has Java's own rendering.
            SqlType::Timestamp => {
                time::write_timestamp(array.as_primitive::<TimestampMillisecondType>().value(row), &mut text)
            }
            _ => write_text(array.as_ref(), from, row, &mut text),
        }
        let text = std::str::from_utf8(&text).map_err(|_| Error::internal("a cast wrote text that is not UTF-8"))?;
        builder.append_value(text);
    }
    Ok(Arc::new(builder.finish()))
}

/// Appends one value as Java's `toString` renders it inside of a list, map or struct: `[1, null]`, `{a=1}`,
/// `Struct{F0=1}`. `array` has the Arrow type of `ty`. Panics when `row` is out of range.
pub fn write_text(array: &dyn Array, ty: &SqlType, row: usize, out: &mut Vec<u8>) {
    if array.is_null(row) {
        out.extend_from_slice(b"null");
        return;
    }
    match ty {
        SqlType::Boolean => out.extend_from_slice(if array.as_boolean().value(row) { b"true" } else { b"false" }),
        SqlType::Integer => write_integer(i64::from(array.as_primitive::<Int32Type>().value(row)), out),
        SqlType::Bigint => write_integer(array.as_primitive::<Int64Type>().value(row), out),
        SqlType::Double => java_double::write(array.as_primitive::<Float64Type>().value(row), out),
        SqlType::Decimal(precision, scale) if *precision <= 38 => {
            decimal::write(array.as_primitive::<Decimal128Type>().value(row), *scale, out)
        }
        SqlType::Decimal(_, scale) => decimal::write(array.as_primitive::<Decimal256Type>().value(row), *scale, out),
        SqlType::String => out.extend_from_slice(array.as_string::<i32>().value(row).as_bytes()),
        SqlType::Bytes => base64::encode(array.as_binary::<i32>().value(row), out),
        SqlType::Time => time::write_time(i64::from(array.as_primitive::<Time32MillisecondType>().value(row)), out),
        SqlType::Date => time::write_date(i64::from(array.as_primitive::<Date32Type>().value(row)), out),
        SqlType::Timestamp => {
            time::write_sql_timestamp(array.as_primitive::<TimestampMillisecondType>().value(row), out)
        }
        SqlType::Array(element) => {
            let list = array.as_list::<i32>();
            let offsets = list.value_offsets();
            out.push(b'[');
            for (i, at) in (offsets[row]..offsets[row + 1]).enumerate() {
                if i > 0 {
                    out.extend_from_slice(b", ");
                }
                write_text(list.values().as_ref(), element, at as usize, out);
            }
            out.push(b']');
        }
        SqlType::Map(key, value) => {
            let map = array.as_map();
            let offsets = map.value_offsets();
            out.push(b'{');
            for (i, at) in (offsets[row]..offsets[row + 1]).enumerate() {
                if i > 0 {
                    out.extend_from_slice(b", ");
                }
                write_text(map.keys().as_ref(), key, at as usize, out);
                out.push(b'=');
                write_text(map.values().as_ref(), value, at as usize, out);
            }
            out.push(b'}');
        }
        SqlType::Struct(fields) => {
            let record = array.as_struct();
            out.extend_from_slice(b"Struct{");
            let mut first = true;
            for ((name, ty), column) in fields.iter().zip(record.columns()) {
                if column.is_null(row) {
                    continue;
                }
                if !std::mem::take(&mut first) {
                    out.push(b',');
                }
                out.extend_from_slice(name.as_bytes());
                out.push(b'=');
                write_text(column.as_ref(), ty, row, out);
            }
            out.push(b'}');
        }
    }
}

fn write_integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}
