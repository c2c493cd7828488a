//! Writing one line of values.

use datafusion::arrow::array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};
use datafusion::arrow::array::{Array, ArrayRef, AsArray};

use crate::error::{Error, Result};
use crate::record::BytesColumn;
use crate::types::text::{base64, decimal};
use crate::types::{Column, SqlType, java_double};

/// Writes one line a row, without a line end.
#[derive(Debug)]
pub(in crate::formats) struct DelimitedEncoder {
    types: Vec<SqlType>,
    delimiter: u8,
    /// Whether the delimiter may occur in a number, a boolean or Base64.
    delimiter_in_numbers: bool,
    /// A value that turned out to need quotes.
    value: Vec<u8>,
}

impl DelimitedEncoder {
    pub(in crate::formats) fn new(columns: &[Column], delimiter: u8) -> Self {
        let types = columns.iter().map(|column| column.ty.clone()).collect();
        let delimiter_in_numbers = delimiter.is_ascii_alphanumeric() || b"+-./=".contains(&delimiter);
        DelimitedEncoder { types, delimiter, delimiter_in_numbers, value: Vec::new() }
    }

    pub(in crate::formats) fn encode(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        out: &mut BytesColumn,
    ) -> Result<()> {
        for row in 0..rows {
            let line = out.buffer();
            for (i, (column, ty)) in columns.iter().zip(&self.types).enumerate() {
                if i > 0 {
                    line.push(self.delimiter);
                }
                // Null is nothing at all, also where it leaves the line empty.
                if column.is_null(row) {
                    continue;
                }
                if let SqlType::String = ty {
                    let value = column.as_string::<i32>().value(row).as_bytes();
                    if needs_quotes(value, i == 0, self.delimiter) {
                        quote(value, line);
                    } else {
                        line.extend_from_slice(value);
                    }
                    continue;
                }
                let start = line.len();
                write(column, ty, row, line)?;
                // All other texts are of letters, digits and signs: only at the start of a line, or when the delimiter
                // is one of those, can they need quotes.
                if (i == 0 || self.delimiter_in_numbers) && needs_quotes(&line[start..], i == 0, self.delimiter) {
                    self.value.clear();
                    self.value.extend_from_slice(&line[start..]);
                    line.truncate(start);
                    quote(&self.value, line);
                }
            }
            out.end_row();
        }
        Ok(())
    }
}

fn write(column: &ArrayRef, ty: &SqlType, row: usize, out: &mut Vec<u8>) -> Result<()> {
    let integer = |value: i64, out: &mut Vec<u8>| out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    match ty {
        SqlType::Boolean => out.extend_from_slice(if column.as_boolean().value(row) { b"true" } else { b"false" }),
        SqlType::Integer => integer(i64::from(column.as_primitive::<Int32Type>().value(row)), out),
        SqlType::Bigint => integer(column.as_primitive::<Int64Type>().value(row), out),
        SqlType::Double => java_double::write(column.as_primitive::<Float64Type>().value(row), out),
        SqlType::Decimal(precision, scale) if *precision <= 38 => {
            decimal::write(column.as_primitive::<Decimal128Type>().value(row), *scale, out)
        }
        SqlType::Decimal(_, scale) => decimal::write(column.as_primitive::<Decimal256Type>().value(row), *scale, out),
        SqlType::Bytes => base64::encode(column.as_binary::<i32>().value(row), out),
        SqlType::Time => integer(i64::from(column.as_primitive::<Time32MillisecondType>().value(row)), out),
        SqlType::Date => integer(i64::from(column.as_primitive::<Date32Type>().value(row)), out),
        SqlType::Timestamp => integer(column.as_primitive::<TimestampMillisecondType>().value(row), out),
        // Text has its own way; types with parts were refused when the encoder was made.
        SqlType::String | SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_) => {
            return Err(Error::internal(format!("DELIMITED was given a column of {ty}")));
        }
    }
    Ok(())
}

/// Commons CSV's rule for its minimal mode, which also decides for numbers: the first value of a line must start with
/// a letter or a digit, any value with something after `#`, and none may end in a space or hold what has a meaning.
fn needs_quotes(value: &[u8], first: bool, delimiter: u8) -> bool {
    match value {
        // Empty text is quoted where the line would be empty without it.
        [] => first,
        [start, ..] if first && !start.is_ascii_alphanumeric() => true,
        [..=b'#', ..] => true,
        [.., end] => *end <= b' ' || value.iter().any(|b| matches!(b, b'\n' | b'\r' | b'"') || *b == delimiter),
    }
}

fn quote(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for part in value.split_inclusive(|&b| b == b'"') {
        out.extend_from_slice(part);
        if part.ends_with(b"\"") {
            out.push(b'"');
        }
    }
    out.push(b'"');
}
