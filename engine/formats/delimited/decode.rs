//! Reading one line of values.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use memchr::memchr2;

use crate::error::{Error, Result};
use crate::formats::Failure;
use crate::formats::failure::{Parsed, Part, problem, within};
use crate::formats::leaf::LeafColumn;
use crate::record::BytesColumn;
use crate::types::Column;
use crate::types::text::decimal::{self, Rounding};
use crate::types::text::time::DAY;
use crate::types::text::{base64, number};

/// Reads the first line of each record. An empty value is null, the number of values must be that of the columns. As in
/// Java, bytes that are no UTF-8 become U+FFFD.
#[derive(Debug)]
pub(in crate::formats) struct DelimitedDecoder {
    delimiter: Delimiter,
    /// All columns of the schema; those that are not wanted have no builder.
    columns: Vec<Target>,
    /// A quoted value without its quotes, when it holds some.
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Target {
    name: Arc<str>,
    column: Option<LeafColumn>,
}

/// What stands between two values. All but a few are one byte, and only that is fast.
#[derive(Debug, Clone, Copy)]
struct Delimiter {
    first: u8,
    rest: [u8; 3],
    /// How many bytes of `rest` there are.
    more: usize,
}

impl Delimiter {
    fn new(delimiter: char) -> Delimiter {
        let mut bytes = [0; 4];
        let more = delimiter.encode_utf8(&mut bytes).len() - 1;
        Delimiter { first: bytes[0], rest: [bytes[1], bytes[2], bytes[3]], more }
    }

    /// Whether it stands at a byte.
    #[inline]
    fn is_at(&self, bytes: &[u8], at: usize) -> bool {
        bytes.get(at) == Some(&self.first) && (self.more == 0 || bytes[at + 1..].starts_with(&self.rest[..self.more]))
    }

    #[inline]
    fn len(&self) -> usize {
        1 + self.more
    }
}

impl DelimitedDecoder {
    pub(in crate::formats) fn new(columns: &[Column], projection: &[bool], delimiter: char) -> Result<Self> {
        let columns = columns.iter().zip(projection).map(|(column, wanted)| {
            let leaf = LeafColumn::new(&column.ty)
                .ok_or_else(|| Error::internal("DELIMITED was given a column with parts"))?;
            Ok(Target { name: column.name.as_str().into(), column: wanted.then_some(leaf) })
        });
        let delimiter = Delimiter::new(delimiter);
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
        let texts = std::str::from_utf8(rows.bytes()).ok();
        for (row, bytes) in rows.iter().enumerate() {
            let read = bytes.map(|bytes| match rows.is_utf8(row, texts) {
                true => self.record(bytes),
                false => self.record(String::from_utf8_lossy(bytes).as_bytes()),
            });
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

    /// Reads a record that is UTF-8.
    fn record(&mut self, bytes: &[u8]) -> Parsed<()> {
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
                let (value, end) = unquote(bytes, at, &self.delimiter, &mut self.scratch)?;
                at = end;
                value
            } else {
                at += unquoted(&bytes[at..], &self.delimiter);
                &bytes[start..at]
            };
            if let Some(target) = self.columns.get_mut(found)
                && let Some(column) = &mut target.column
                && let Err(what) = push(column, value)
            {
                return Err(within(problem(what, start), Part::Field(Arc::clone(&target.name))));
            }
            found += 1;
            if !self.delimiter.is_at(bytes, at) {
                break;
            }
            at += self.delimiter.len();
        }
        if found != count {
            return Err(problem(format!("expected {count} values, found {found}"), at));
        }
        Ok(())
    }
}

/// How long a value without quotes is: up to the next delimiter, line end or the end.
#[inline]
fn unquoted(bytes: &[u8], delimiter: &Delimiter) -> usize {
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        let length = match rest.len() {
            // Most values are short, where a plain loop is faster than setting up a search.
            0..=15 => rest.iter().position(|&b| b == delimiter.first || b == b'\n' || b == b'\r'),
            _ => first_end(rest, delimiter.first),
        };
        let Some(length) = length else { return bytes.len() };
        at += length;
        // Characters of several bytes may begin like a delimiter of several.
        if delimiter.more == 0 || delimiter.is_at(bytes, at) || matches!(bytes[at], b'\n' | b'\r') {
            return at;
        }
        at += 1;
    }
}

/// Position of the next byte that may be a delimiter or is a line end.
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
fn unquote<'a>(
    bytes: &'a [u8],
    start: usize,
    delimiter: &Delimiter,
    scratch: &'a mut Vec<u8>,
) -> Parsed<(&'a [u8], usize)> {
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
            _ if delimiter.is_at(bytes, end) => break,
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
