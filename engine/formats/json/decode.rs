//! From the bytes of records into columns.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;

use super::columns::{Column, MapColumn, Object, Slot};
use super::cursor::{Cursor, Number};
use super::fields::Route;
use super::text::{Spans, render};
use crate::error::Result;
use crate::formats::failure::{Parsed, Part, Problem, problem, within};
use crate::formats::leaf::LeafColumn;
use crate::formats::{Failure, FormatOptions};
use crate::record::BytesColumn;
use crate::types;
use crate::types::text::decimal::{self, DecimalError, Rounding};
use crate::types::text::time::DAY;
use crate::types::text::{base64, number};

/// Reads JSON keys or values.
#[derive(Debug)]
pub(in crate::formats) struct JsonDecoder {
    root: Root,
    /// Whether a record that is no object is the value of the only column.
    takes_bare: bool,
    /// Rows of the last batch that are the word `null` where an object is expected.
    nulls: Vec<usize>,
    scratch: Scratch,
}

#[derive(Debug)]
enum Root {
    /// The record is an object with a field for each column.
    Object(Object),
    /// The record is the value of the only column.
    Bare(Slot),
    /// The only column is the record, and is not wanted.
    Nothing,
}

/// Buffers that live as long as the decoder.
#[derive(Debug, Default)]
struct Scratch {
    /// A string without its escapes.
    text: Vec<u8>,
    /// Hashes of the keys of one map, with their numbers.
    hashes: Vec<(u64, usize)>,
    /// Entries of one map that a later one of the same key replaces.
    replaced: Vec<usize>,
    /// Where the fields of objects that become text stand in it.
    spans: Spans,
    hasher: ahash::RandomState,
}

impl JsonDecoder {
    pub(in crate::formats) fn new(
        columns: &[types::Column],
        projection: &[bool],
        options: FormatOptions,
    ) -> Result<Self> {
        let wanted = columns.iter().zip(projection).filter(|(_, wanted)| **wanted);
        let mut object = Object::new(wanted.map(|(column, _)| (column.name.as_str(), &column.ty)))?;
        let root = if !options.is_bare(columns.len()) {
            Root::Object(object)
        } else {
            object.slots.pop().map_or(Root::Nothing, Root::Bare)
        };
        let takes_bare = options.takes_bare && columns.len() == 1;
        Ok(JsonDecoder { root, takes_bare, nulls: Vec::new(), scratch: Scratch::default() })
    }

    pub(in crate::formats) fn null_records(&self) -> &[usize] {
        &self.nulls
    }

    pub(in crate::formats) fn decode(
        &mut self,
        rows: &BytesColumn,
        failures: &mut Vec<Failure>,
    ) -> Result<Vec<ArrayRef>> {
        self.nulls.clear();
        // All bytes are looked at once.
        let texts = std::str::from_utf8(rows.bytes()).ok();
        match &mut self.root {
            Root::Object(object) => {
                object.begin(rows.len());
                for (row, bytes) in rows.iter().enumerate() {
                    let read = bytes.map(|bytes| {
                        let cursor = open(bytes, rows.is_utf8(row, texts))?;
                        object_record(cursor, object, row, self.takes_bare, &mut self.scratch)
                    });
                    if let Some(Ok(true)) = read {
                        continue;
                    }
                    object.truncate(row);
                    object.push_null();
                    match read {
                        Some(Err(problem)) => failures.push(problem.into_failure(row)),
                        Some(Ok(_)) => self.nulls.push(row),
                        None => {}
                    }
                }
                object.finish()
            }
            Root::Bare(slot) => {
                slot.column.begin(rows.len());
                for (row, bytes) in rows.iter().enumerate() {
                    let read = bytes.map(|bytes| {
                        let mut cursor = open(bytes, rows.is_utf8(row, texts))?;
                        bare_record(&mut cursor, Some(&mut slot.column), &mut self.scratch)
                    });
                    if let Some(Ok(())) = read {
                        continue;
                    }
                    slot.column.truncate(row);
                    slot.column.push_null();
                    if let Some(Err(problem)) = read {
                        failures.push(problem.into_failure(row));
                    }
                }
                Ok(vec![slot.column.finish()?])
            }
            Root::Nothing => Ok(Vec::new()),
        }
    }
}

/// A cursor at the first byte of the record that is neither white space nor part of a byte order mark.
#[inline]
fn open(bytes: &[u8], is_utf8: bool) -> Parsed<Cursor<'_>> {
    if !is_utf8 {
        let valid = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
        return Err(problem("the record is not UTF-8", valid));
    }
    let mut cursor = Cursor::new(bytes);
    if bytes.first() == Some(&0xef) && bytes.starts_with(b"\xef\xbb\xbf") {
        cursor.at = 3;
    }
    cursor.skip_space();
    Ok(cursor)
}

/// False for a record that is the word `null`. Bytes after the object are not looked at.
#[inline]
fn object_record(
    mut cursor: Cursor<'_>,
    object: &mut Object,
    row: usize,
    takes_bare: bool,
    scratch: &mut Scratch,
) -> Parsed<bool> {
    match cursor.peek() {
        Some(b'{') => read_object(&mut cursor, object, row, scratch, 0).map(|()| true),
        Some(b'n') => cursor.literal("null").map(|()| false),
        None => Err(problem("the record is empty", 0)),
        Some(_) if takes_bare => {
            let column = object.slots.first_mut().map(|slot| &mut slot.column);
            bare_record(&mut cursor, column, scratch).map(|()| true)
        }
        Some(_) => Err(mismatch(&cursor, "an object with a field for each column")),
    }
}

/// Reads a record that is the value of the only column, if that one is wanted.
fn bare_record(cursor: &mut Cursor<'_>, column: Option<&mut Column>, scratch: &mut Scratch) -> Parsed<()> {
    if cursor.peek().is_none() {
        // Jackson reads no bytes as a missing value, whose text is empty.
        if let Some(Column::Leaf(LeafColumn::String(text))) = column {
            text.push(b"");
            return Ok(());
        }
        return Err(problem("the record is empty", 0));
    }
    let number = matches!(cursor.peek(), Some(b'-' | b'0'..=b'9'));
    match column {
        Some(column) => read_value(cursor, column, scratch, 0)?,
        None => cursor.skip_value(0)?,
    }
    if number && !matches!(cursor.peek(), None | Some(b' ' | b'\t' | b'\n' | b'\r')) {
        return Err(cursor.unexpected("the end of the number"));
    }
    Ok(())
}

fn read_object(
    cursor: &mut Cursor<'_>,
    object: &mut Object,
    row: usize,
    scratch: &mut Scratch,
    depth: usize,
) -> Parsed<()> {
    let depth = cursor.enter(depth)?;
    let mut filled = 0;
    let mut ordinal = 0;
    loop {
        let route = match object.fields.predict(ordinal, &cursor.bytes[cursor.at..]) {
            Some((route, length)) => {
                cursor.at += length;
                cursor.skip_space();
                route
            }
            None => match next_field(cursor, object, ordinal, scratch)? {
                Some(route) => route,
                None => break,
            },
        };
        ordinal += 1;
        let start = cursor.at;
        if let Some(slot) = route.exact {
            filled += usize::from(fill(cursor, &mut object.slots[slot], row, true, scratch, depth)?);
        }
        if let Some(slot) = route.folded {
            // One field may fill two columns whose names differ in case only; then it is read twice.
            cursor.at = start;
            filled += usize::from(fill(cursor, &mut object.slots[slot], row, false, scratch, depth)?);
        }
        if route == Route::default() {
            cursor.skip_value(depth)?;
        }
    }
    if filled < object.slots.len() {
        for slot in &mut object.slots {
            if slot.filled != row {
                slot.column.push_null();
            }
        }
    }
    Ok(())
}

/// The way to field number `ordinal` where it is not the predicted one; `None` at the end of the object.
fn next_field(
    cursor: &mut Cursor<'_>,
    object: &mut Object,
    ordinal: usize,
    scratch: &mut Scratch,
) -> Parsed<Option<Route>> {
    let start = cursor.at;
    cursor.skip_space();
    if cursor.eat(b'}') {
        return Ok(None);
    }
    if ordinal > 0 {
        if !cursor.eat(b',') {
            return Err(cursor.unexpected("a comma or a closing brace"));
        }
        cursor.skip_space();
    }
    let name_at = cursor.at;
    let name = cursor.name()?;
    let route = if name.escaped {
        scratch.text.clear();
        name.unescape(name_at, &mut scratch.text)?;
        object.fields.resolve(&scratch.text)
    } else {
        object.fields.resolve(name.raw)
    };
    object.fields.learn(ordinal, &cursor.bytes[start..cursor.at], route);
    Ok(Some(route))
}

/// Reads the value of a field; true unless its column had one in this row already.
#[inline]
fn fill(
    cursor: &mut Cursor<'_>,
    slot: &mut Slot,
    row: usize,
    exact: bool,
    scratch: &mut Scratch,
    depth: usize,
) -> Parsed<bool> {
    let again = slot.filled == row;
    if again {
        if slot.exact && !exact {
            cursor.skip_value(depth)?;
            return Ok(false);
        }
        slot.column.truncate(row);
    }
    slot.exact = exact;
    slot.filled = row;
    match read_value(cursor, &mut slot.column, scratch, depth) {
        Ok(()) => Ok(!again),
        Err(problem) => Err(within(problem, Part::Field(Arc::clone(&slot.name)))),
    }
}

#[inline]
fn read_value(cursor: &mut Cursor<'_>, column: &mut Column, scratch: &mut Scratch, depth: usize) -> Parsed<()> {
    match column {
        Column::Leaf(leaf) => read_leaf(cursor, leaf, scratch, depth),
        _ => read_nested(cursor, column, scratch, depth),
    }
}

fn read_nested(cursor: &mut Cursor<'_>, column: &mut Column, scratch: &mut Scratch, depth: usize) -> Parsed<()> {
    match (cursor.peek(), column) {
        (Some(b'n'), column) => {
            cursor.literal("null")?;
            column.push_null();
        }
        (Some(b'['), Column::Array(array)) => {
            let depth = cursor.enter(depth)?;
            cursor.skip_space();
            if !cursor.eat(b']') {
                let mut index = 0usize;
                loop {
                    read_value(cursor, &mut array.element, scratch, depth)
                        .map_err(|problem| within(problem, Part::Element(index)))?;
                    index += 1;
                    if !cursor.next_item(b']')? {
                        break;
                    }
                }
            }
            array.end_row();
        }
        (Some(b'{'), Column::Map(map)) => read_map(cursor, map, scratch, depth)?,
        (Some(b'{'), Column::Struct(record)) => {
            let row = record.row();
            read_object(cursor, &mut record.object, row, scratch, depth)?;
            record.end_row();
        }
        (_, column) => return Err(mismatch(cursor, &column.type_name())),
    }
    Ok(())
}

fn read_map(cursor: &mut Cursor<'_>, map: &mut MapColumn, scratch: &mut Scratch, depth: usize) -> Parsed<()> {
    let start = cursor.at;
    read_entries(cursor, map, &[], scratch, depth)?;
    let first = map.first_entry();
    find_replaced(map, first, scratch);
    if !scratch.replaced.is_empty() {
        // The same key twice is rare: read the map again without the entries that later ones replace.
        map.keys.truncate(first);
        map.values.truncate(first);
        cursor.at = start;
        let replaced = std::mem::take(&mut scratch.replaced);
        let read = read_entries(cursor, map, &replaced, scratch, depth);
        scratch.replaced = replaced;
        read?;
    }
    map.end_row();
    Ok(())
}

/// Appends the entries of an object but those numbered in `left_out`, which ascends.
fn read_entries(
    cursor: &mut Cursor<'_>,
    map: &mut MapColumn,
    left_out: &[usize],
    scratch: &mut Scratch,
    depth: usize,
) -> Parsed<()> {
    let depth = cursor.enter(depth)?;
    cursor.skip_space();
    if cursor.eat(b'}') {
        return Ok(());
    }
    let mut ordinal = 0;
    loop {
        let name_at = cursor.at;
        let name = cursor.name()?;
        if left_out.binary_search(&ordinal).is_ok() {
            cursor.skip_value(depth)?;
        } else {
            if let LeafColumn::String(keys) = &mut map.keys {
                name.unescape(name_at, keys.buffer())?;
                keys.end_row();
            }
            read_value(cursor, &mut map.values, scratch, depth).map_err(|problem| within(problem, Part::Entry))?;
        }
        ordinal += 1;
        if !cursor.next_item(b'}')? {
            return Ok(());
        }
    }
}

/// Finds the entries from `first` on that a later one of the same key replaces.
fn find_replaced(map: &MapColumn, first: usize, scratch: &mut Scratch) {
    scratch.replaced.clear();
    let LeafColumn::String(keys) = &map.keys else {
        return;
    };
    let end = map.keys.len();
    if end - first < 2 {
        return;
    }
    scratch.hashes.clear();
    scratch.hashes.extend((first..end).map(|entry| (scratch.hasher.hash_one(keys.get(entry)), entry)));
    scratch.hashes.sort_unstable();
    for (at, &(hash, entry)) in scratch.hashes.iter().enumerate() {
        let later = scratch.hashes[at + 1..].iter().take_while(|(other, _)| *other == hash);
        if later.into_iter().any(|&(_, other)| keys.get(other) == keys.get(entry)) {
            scratch.replaced.push(entry - first);
        }
    }
    scratch.replaced.sort_unstable();
}

/// Reads a value of the kind that its column is made for; what needs a conversion, or fails, goes the longer way.
#[inline]
fn read_leaf(cursor: &mut Cursor<'_>, leaf: &mut LeafColumn, scratch: &mut Scratch, depth: usize) -> Parsed<()> {
    let next = cursor.peek().unwrap_or_default();
    let starts_number = next.is_ascii_digit() || next == b'-';
    match leaf {
        LeafColumn::String(text) if next == b'"' => {
            let at = cursor.at;
            cursor.at += 1;
            let token = cursor.text()?;
            if token.escaped {
                token.unescape(at, text.buffer())?;
                text.end_row();
            } else {
                text.push(token.raw);
            }
        }
        LeafColumn::Double(fixed) if starts_number => fixed.push(cursor.number()?.double()),
        LeafColumn::Bigint(fixed) | LeafColumn::Timestamp(fixed) if starts_number => {
            fixed.push(cursor.number()?.whole());
        }
        // As Java narrows numbers: the fraction is cut off, of the rest the low bits are kept.
        LeafColumn::Integer(fixed) if starts_number => fixed.push(cursor.number()?.whole() as i32),
        LeafColumn::Boolean(fixed) if next == b't' => {
            cursor.literal("true")?;
            fixed.push(true);
        }
        LeafColumn::Boolean(fixed) if next == b'f' => {
            cursor.literal("false")?;
            fixed.push(false);
        }
        _ => return convert_leaf(cursor, leaf, scratch, depth),
    }
    Ok(())
}

#[inline(never)]
fn convert_leaf(cursor: &mut Cursor<'_>, leaf: &mut LeafColumn, scratch: &mut Scratch, depth: usize) -> Parsed<()> {
    let at = cursor.at;
    let pushed = match (cursor.peek(), &mut *leaf) {
        (Some(b'n'), leaf) => {
            cursor.literal("null")?;
            leaf.push_null();
            return Ok(());
        }
        (Some(_), LeafColumn::String(text)) => {
            render(cursor, depth, text.buffer(), &mut scratch.spans)?;
            text.end_row();
            return Ok(());
        }
        (_, LeafColumn::Boolean(_)) => return Err(mismatch(cursor, &leaf.type_name())),
        (Some(b'"'), leaf) => {
            cursor.at += 1;
            let token = cursor.text()?;
            if token.escaped {
                scratch.text.clear();
                token.unescape(at, &mut scratch.text)?;
                push_text(leaf, &scratch.text)
            } else {
                push_text(leaf, token.raw)
            }
        }
        (Some(b'-' | b'0'..=b'9'), leaf) if !matches!(leaf, LeafColumn::Bytes(_)) => {
            let number = cursor.number()?;
            push_number(leaf, &number)
        }
        _ => return Err(mismatch(cursor, &leaf.type_name())),
    };
    pushed.map_err(|error| unfit(leaf, error, at))
}

/// Why a value of the right kind is none of the column's type.
enum Unfit {
    /// Text that does not read as the type.
    Text,
    /// Milliseconds that are not within a day, or days that are beyond the range of dates.
    Range,
    Decimal(DecimalError),
}

#[cold]
fn unfit(leaf: &LeafColumn, error: Unfit, at: usize) -> Problem {
    let ty = leaf.type_name();
    match error {
        Unfit::Text => problem(format!("the text is not a valid {ty}"), at),
        Unfit::Range => problem(format!("the number is out of the range of {ty}"), at),
        Unfit::Decimal(error) => problem(format!("the number {} for {ty}", error.reason()), at),
    }
}

fn push_number(leaf: &mut LeafColumn, number: &Number<'_>) -> Result<(), Unfit> {
    match leaf {
        LeafColumn::Decimal(fixed, precision, scale) => {
            let value = match number.small_decimal(*precision, *scale) {
                Some(value) => value,
                None => decimal::parse(number.text, *precision, *scale, Rounding::Exact).map_err(Unfit::Decimal)?,
            };
            fixed.push(value);
        }
        LeafColumn::WideDecimal(fixed, precision, scale) => {
            fixed.push(decimal::parse(number.text, *precision, *scale, Rounding::Exact).map_err(Unfit::Decimal)?)
        }
        LeafColumn::Time(fixed) => fixed.push(time_of_day(number.whole())?),
        LeafColumn::Date(fixed) => fixed.push(i32::try_from(number.whole()).map_err(|_| Unfit::Range)?),
        // The caller has its own way for all others.
        _ => return Err(Unfit::Range),
    }
    Ok(())
}

fn push_text(leaf: &mut LeafColumn, value: &[u8]) -> Result<(), Unfit> {
    match leaf {
        LeafColumn::Integer(fixed) => fixed.push(number::parse_i32(value).ok_or(Unfit::Text)?),
        LeafColumn::Bigint(fixed) | LeafColumn::Timestamp(fixed) => {
            fixed.push(number::parse_i64(value).ok_or(Unfit::Text)?)
        }
        LeafColumn::Double(fixed) => fixed.push(number::parse_f64(value).ok_or(Unfit::Text)?),
        LeafColumn::Decimal(fixed, precision, scale) => {
            fixed.push(decimal::parse(value, *precision, *scale, Rounding::Exact).map_err(Unfit::Decimal)?)
        }
        LeafColumn::WideDecimal(fixed, precision, scale) => {
            fixed.push(decimal::parse(value, *precision, *scale, Rounding::Exact).map_err(Unfit::Decimal)?)
        }
        LeafColumn::Bytes(bytes) => {
            if !base64::decode_spaced(value, bytes.buffer()) {
                return Err(Unfit::Text);
            }
            bytes.end_row();
        }
        LeafColumn::Time(fixed) => fixed.push(time_of_day(number::parse_i64(value).ok_or(Unfit::Text)?)?),
        LeafColumn::Date(fixed) => {
            let days = number::parse_i64(value).ok_or(Unfit::Text)?;
            fixed.push(i32::try_from(days).map_err(|_| Unfit::Range)?);
        }
        // The caller has its own way for these.
        LeafColumn::Boolean(_) | LeafColumn::String(_) => return Err(Unfit::Text),
    }
    Ok(())
}

fn time_of_day(milliseconds: i64) -> Result<i32, Unfit> {
    if (0..=DAY).contains(&milliseconds) { Ok(milliseconds as i32) } else { Err(Unfit::Range) }
}

impl Number<'_> {
    /// The whole part, modulo `2^64`.
    #[inline]
    fn whole(&self) -> i64 {
        if !self.float && self.digits <= 19 {
            let value = self.mantissa as i64;
            return if self.negative { value.wrapping_neg() } else { value };
        }
        self.whole_of_text()
    }

    #[cold]
    fn whole_of_text(&self) -> i64 {
        let digits = self.text.iter().take_while(|b| !matches!(b, b'e' | b'E')).filter(|b| b.is_ascii_digit());
        let kept = (self.digits as i64).saturating_add(i64::from(self.exponent)).clamp(0, self.digits as i64);
        let mut value = 0i64;
        for digit in digits.take(kept as usize) {
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
        }
        // After 64 factors of ten nothing is left of the low 64 bits.
        for _ in 0..self.exponent.clamp(0, 64) {
            value = value.wrapping_mul(10);
        }
        if self.negative { value.wrapping_neg() } else { value }
    }

    /// The nearest double. There is no negative zero: Java reads the number as a decimal first.
    #[inline]
    fn double(&self) -> f64 {
        let magnitude = if self.digits <= 19 { number::exact_f64(self.mantissa, self.exponent) } else { None };
        match magnitude {
            Some(value) if self.negative => 0.0 - value,
            Some(value) => value,
            // The token is a number in every reader's eyes.
            None => lexical_core::parse::<f64>(self.text).unwrap_or(f64::NAN) + 0.0,
        }
    }

    /// The unscaled value of a `DECIMAL(precision, scale)`, when the number is short and fits as it is.
    #[inline]
    fn small_decimal(&self, precision: u8, scale: u8) -> Option<i128> {
        let zeros = usize::try_from(i32::from(scale).checked_add(self.exponent)?).ok()?;
        // The mantissa is exact with so many digits.
        let short = if self.digits <= 19 { decimal::short_unscaled(self.mantissa, zeros, precision) } else { None };
        let value = i128::from(short?);
        Some(if self.negative { -value } else { value })
    }
}

/// The next value is not of the kind that a type needs.
#[cold]
fn mismatch(cursor: &Cursor<'_>, needed: &str) -> Problem {
    let found = match cursor.peek() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        Some(b'-' | b'0'..=b'9') => "a number",
        _ => return cursor.unexpected("a JSON value"),
    };
    problem(format!("expected {needed}, found {found}"), cursor.at)
}
