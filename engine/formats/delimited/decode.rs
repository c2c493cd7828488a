//! Reading one line of values.

use datafusion::arrow::array::ArrayRef;
use memchr::memchr2;

use crate::error::{Error, Result};
use crate::formats::Failure;
use crate::formats::failure::{Parsed, problem, within};
use crate::formats::leaf::LeafColumn;
use crate::record::BytesColumn;
use crate::types::Column;
use crate::types::text::decimal::{self, Rounding};
use crate::types::text::time::DAY;
use crate::types::text::{base64, number};

/// Reads the first line of each record. An empty value is null, the number of values must be that of the columns.
#[derive(Debug)]
pub(in crate::formats) struct DelimitedDecoder {
    delimiter: u8,
    /// All columns of the schema; those that are not wanted have no builder.
    columns: Vec<Target>,
    /// A quoted value without its quotes, when it holds some.
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Target {
    name: String,
    column: Option<LeafColumn>,
}

impl DelimitedDecoder {
    pub(in crate::formats) fn new(columns: &[Column], projection: &[bool], delimiter: u8) -> Result<Self> {
        let columns = columns.iter().zip(projection).map(|(column, wanted)| {
            let leaf = LeafColumn::new(&column.ty)
                .ok_or_else(|| Error::internal("DELIMITED was given a column with parts"))?;
            Ok(Target { name: column.name.clone(), column: wanted.then_some(leaf) })
        });
        Ok(DelimitedDecoder { delimiter, columns: columns.collect::<Result<_>>()?, scratch: Vec::new() })
    }

    pub(in crate::formats) fn decode(
        &mut self,
        rows: &BytesColumn,
        failures: &mut Vec<Failure>,
    ) -> Result<Vec<ArrayRef>> {
        for column in self.columns.iter_mut().filter_map(|target| target.column.as_mut()) {
            column.begin(rows.len());
        }
        for (row, bytes) in rows.iter().enumerate() {
            let read = bytes.map(|bytes| self.record(bytes));
            if let Some(Ok(())) = read {
                continue;
            }
            for column in self.columns.iter_mut().filter_map(|target| target.column.as_mut()) {
                column.truncate(row);
                column.push_null();
            }
            if let Some(Err(problem)) = read {
                failures.push(problem.into_failure(row));
            }
        }
        self.columns.iter_mut().filter_map(|target| target.column.as_mut()).map(LeafColumn::finish).collect()
    }

    fn record(&mut self, bytes: &[u8]) -> Parsed<()> {
        if !bytes.is_ascii()
            && let Err(error) = std::str::from_utf8(bytes)
        {
            return Err(problem("the record is not UTF-8", error.valid_up_to()));
        }
        // Empty lines before the first value are skipped.
        let mut at = bytes.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(bytes.len());
        if at == bytes.len() {
            return Err(problem("the record is empty", 0));
        }
        let count = self.columns.len();
        let mut found = 0;
        loop {
            let start = at;
            let quoted = bytes.get(at) == Some(&b'"');
            let value = if quoted {
                let (value, end) = unquote(bytes, at, self.delimiter, &mut self.scratch)?;
                at = end;
                value
            } else {
                let rest = &bytes[at..];
                let length = match rest.len() {
                    // Most values are short, where a plain loop is faster than setting up a search.
                    0..=15 => rest.iter().position(|&b| b == self.delimiter || b == b'\n' || b == b'\r'),
                    _ => first_end(rest, self.delimiter),
                };
                at += length.unwrap_or(rest.len());
                &bytes[start..at]
            };
            if let Some(target) = self.columns.get_mut(found)
                && let Some(column) = &mut target.column
                && let Err(what) = push(column, value)
            {
                return Err(within(problem(what, start), format!(".{}", target.name)));
            }
            found += 1;
            if bytes.get(at) != Some(&self.delimiter) {
                break;
            }
            at += 1;
        }
        if found != count {
            return Err(problem(format!("expected {count} values, found {found}"), at));
        }
        Ok(())
    }
}

/// Position of the next delimiter or line end.
#[inline]
fn first_end(bytes: &[u8], delimiter: u8) -> Option<usize> {
    let end = memchr2(delimiter, b'\n', bytes);
    // A carriage return inside of a value is rare; a search for three bytes at once would cost every value.
    match memchr::memchr(b'\r', &bytes[..end.unwrap_or(bytes.len())]) {
        None => end,
        at => at,
    }
}

/// The value whose opening quote is at `start`, and where it ends: at a delimiter, a line end or the end.
fn unquote<'a>(bytes: &'a [u8], start: usize, delimiter: u8, scratch: &'a mut Vec<u8>) -> Parsed<(&'a [u8], usize)> {
    let first = start + 1;
    let mut from = first;
    let mut copied = false;
    scratch.clear();
    let close = loop {
        let Some(length) = memchr::memchr(b'"', &bytes[from..]) else {
            return Err(problem("a quoted value is not closed", start));
        };
        let quote = from + length;
        if bytes.get(quote + 1) != Some(&b'"') {
            if copied {
                scratch.extend_from_slice(&bytes[from..quote]);
            }
            break quote;
        }
        // Two quotes stand for one.
        scratch.extend_from_slice(&bytes[from..=quote]);
        copied = true;
        from = quote + 2;
    };
    let mut end = close + 1;
    while let Some(&byte) = bytes.get(end) {
        match byte {
            _ if byte == delimiter => break,
            b'\r' | b'\n' => break,
            b' ' | b'\t' | 0x0b | 0x0c | 0x1c..=0x1f => end += 1,
            _ => return Err(problem("expected the delimiter after a quoted value", end)),
        }
    }
    Ok((if copied { scratch.as_slice() } else { &bytes[first..close] }, end))
}

#[inline]
fn push(column: &mut LeafColumn, value: &[u8]) -> Result<(), String> {
    if value.is_empty() {
        column.push_null();
        return Ok(());
    }
    match read(column, value) {
        Ok(()) => Ok(()),
        Err(None) => Err(format!("the value is not a valid {}", column.type_name())),
        Err(Some(error)) => Err(format!("the number {} for {}", error.reason(), column.type_name())),
    }
}

/// Appends a value that is not empty; the error says more about decimals than about the rest.
#[inline]
fn read(column: &mut LeafColumn, value: &[u8]) -> Result<(), Option<decimal::DecimalError>> {
    match column {
        LeafColumn::Boolean(fixed) => fixed.push(value.eq_ignore_ascii_case(b"true")),
        LeafColumn::Integer(fixed) => fixed.push(number::parse_i32(value).ok_or(None)?),
        LeafColumn::Bigint(fixed) | LeafColumn::Timestamp(fixed) => fixed.push(number::parse_i64(value).ok_or(None)?),
        LeafColumn::Double(fixed) => fixed.push(number::parse_f64(value).ok_or(None)?),
        LeafColumn::Decimal(fixed, precision, scale) => {
            fixed.push(decimal::parse(value, *precision, *scale, Rounding::Exact).map_err(Some)?)
        }
        LeafColumn::WideDecimal(fixed, precision, scale) => {
            fixed.push(decimal::parse(value, *precision, *scale, Rounding::Exact).map_err(Some)?)
        }
        LeafColumn::String(bytes) => bytes.push(value),
        LeafColumn::Bytes(bytes) => {
            if !base64::decode(value, bytes.buffer()) {
                return Err(None);
            }
            bytes.end_row();
        }
        LeafColumn::Time(fixed) => {
            let of_day = number::parse_i64(value).filter(|value| (0..=DAY).contains(value)).ok_or(None)?;
            fixed.push(of_day as i32);
        }
        LeafColumn::Date(fixed) => fixed.push(number::parse_i32(value).ok_or(None)?),
    }
    Ok(())
}
