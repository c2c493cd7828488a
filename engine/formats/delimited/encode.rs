//! Writing one line of values.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::buffer::NullBuffer;

use crate::error::{Error, Result};
use crate::formats::cell::Cells;
use crate::record::BytesColumn;
use crate::types::{Column, SqlType};

/// Writes one line a row, without a line end.
#[derive(Debug)]
pub(in crate::formats) struct DelimitedEncoder {
    types: Vec<SqlType>,
    /// The character between two values.
    delimiter: Box<[u8]>,
    /// Whether the delimiter may occur in a number, a boolean or Base64.
    delimiter_in_numbers: bool,
    /// A value that turned out to need quotes.
    value: Vec<u8>,
}

impl DelimitedEncoder {
    pub(in crate::formats) fn new(columns: &[Column], delimiter: char) -> Self {
        let types = columns.iter().map(|column| column.ty.clone()).collect();
        let delimiter_in_numbers = delimiter.is_ascii_alphanumeric() || "+-./=".contains(delimiter);
        let delimiter = delimiter.encode_utf8(&mut [0; 4]).as_bytes().into();
        DelimitedEncoder { types, delimiter, delimiter_in_numbers, value: Vec::new() }
    }

    pub(in crate::formats) fn encode(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        out: &mut BytesColumn,
    ) -> Result<()> {
        let writers =
            columns.iter().zip(&self.types).map(|(column, ty)| Writer::new(column, ty)).collect::<Result<Vec<_>>>()?;
        for row in 0..rows {
            let line = out.buffer();
            for (i, writer) in writers.iter().enumerate() {
                if i > 0 {
                    line.extend_from_slice(&self.delimiter);
                }
                // Null is nothing at all, also where it leaves the line empty.
                if writer.nulls.is_some_and(|nulls| nulls.is_null(row)) {
                    continue;
                }
                match &writer.values {
                    Values::String(values) => {
                        let value = values.value(row).as_bytes();
                        if needs_quotes(value, i == 0, &self.delimiter) {
                            quote(value, line);
                        } else {
                            line.extend_from_slice(value);
                        }
                    }
                    Values::Cells(cells) => {
                        let start = line.len();
                        cells.write(row, line);
                        // These are of letters, digits and signs: only at the start of a line, or when the delimiter is one
                        // of those, can they need quotes.
                        let may_need = i == 0 || self.delimiter_in_numbers;
                        if may_need && needs_quotes(&line[start..], i == 0, &self.delimiter) {
                            self.value.clear();
                            self.value.extend_from_slice(&line[start..]);
                            line.truncate(start);
                            quote(&self.value, line);
                        }
                    }
                }
            }
            out.end_row();
        }
        Ok(())
    }
}

/// A column with its Arrow type known.
struct Writer<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

enum Values<'a> {
    String(&'a StringArray),
    Cells(Cells<'a>),
}

impl<'a> Writer<'a> {
    fn new(column: &'a ArrayRef, ty: &SqlType) -> Result<Writer<'a>> {
        let values = match (ty, Cells::new(column, ty)) {
            (SqlType::String, _) => Values::String(column.as_string()),
            (_, Some(cells)) => Values::Cells(cells),
            // Types with parts were refused when the encoder was made.
            (_, None) => return Err(Error::internal(format!("DELIMITED was given a column of {ty}"))),
        };
        Ok(Writer { nulls: column.nulls(), values })
    }
}

/// Commons CSV's rule for its minimal mode, which also decides for numbers: the first value of a line must start with
/// a letter or a digit, any value with something after `#`, and none may end in a space or hold what has a meaning.
fn needs_quotes(value: &[u8], first: bool, delimiter: &[u8]) -> bool {
    match value {
        // Empty text is quoted where the line would be empty without it.
        [] => first,
        [start, ..] if first && !start.is_ascii_alphanumeric() => true,
        [..=b'#', ..] => true,
        [.., end] => *end <= b' ' || value.iter().any(|b| matches!(b, b'\n' | b'\r' | b'"')) || holds(value, delimiter),
    }
}

fn holds(value: &[u8], delimiter: &[u8]) -> bool {
    match delimiter {
        [byte] => value.contains(byte),
        _ => memchr::memmem::find(value, delimiter).is_some(),
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
