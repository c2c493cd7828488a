//! From raw records to a batch: decode what is read, find the event time, drop what cannot be read.

use std::fmt::Display;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, RecordBatch, RecordBatchOptions,
};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::datatypes::{Int64Type, SchemaRef, TimestampMillisecondType};

use super::report::Stage;
use super::{headers, windows};
use crate::error::{Error, Result};
use crate::formats::{Decoder, Failure, Format, FormatOptions};
use crate::plan::SourceScan;
use crate::record::{Batch, BytesColumn, RawBatch};
use crate::types::text::java_time::Pattern;
use crate::types::text::zone::UTC;
use crate::types::{Column, ColumnKind, FormatName, FormatSpec, SourceWindow, SqlType};

/// Decodes the records of a topic as a scan asks for them.
pub struct Input {
    key: Side,
    value: Side,
    /// Where each column of the batch comes from, in order.
    sources: Vec<From>,
    schema: SchemaRef,
    timestamp: Option<TimeColumn>,
    window: Option<SourceWindow>,
    /// Whether a record without a key means nothing, as in a table.
    needs_key: bool,
    failures: Vec<Failure>,
    scratch: Vec<bool>,
}

/// The key or the value of records.
struct Side {
    decoder: Option<Decoder>,
}

impl Side {
    /// Rows of the last batch whose bytes say that there is nothing.
    fn null_records(&self) -> &[usize] {
        self.decoder.as_ref().map_or(&[], Decoder::null_records)
    }
}

/// Is told what could not be done with which record of the batch, and why.
pub(super) type Reports<'a> = dyn FnMut(Stage, usize, &dyn Display) + 'a;

enum From {
    Key(usize),
    Value(usize),
    Headers(SqlType),
    Header(String),
    Rowtime,
    Rowpartition,
    Rowoffset,
    Windowstart,
    Windowend,
}

/// The column of event time: its place among the decoded ones, its type, and how its text is read.
struct TimeColumn {
    at: usize,
    ty: SqlType,
    pattern: Option<Pattern>,
}

/// A batch, and the event time of each record of the raw batch it was decoded from.
pub struct Decoded {
    /// The rows that could be read.
    pub batch: Batch,
    /// Event time by record, milliseconds since the epoch.
    pub times: Vec<i64>,
}

impl Input {
    /// Readies decoders for the columns that the scan reads, and for its timestamp column.
    pub fn new(scan: &SourceScan) -> Result<Input> {
        let mut wanted: Vec<bool> = scan.projection[..scan.schema.columns.len()].to_vec();
        let timestamp_column = match &scan.timestamp {
            Some(spec) => {
                let position = scan.schema.index_of(&spec.column);
                Some(position.ok_or_else(|| Error::internal("the timestamp column is not a column"))?)
            }
            None => None,
        };
        if let Some(position) = timestamp_column {
            wanted[position] = true;
        }
        let side = |kind: ColumnKind, format: &FormatSpec, is_key: bool| -> Result<Side> {
            let of_side: Vec<usize> = (0..wanted.len()).filter(|i| scan.schema.columns[*i].kind == kind).collect();
            let columns: Vec<Column> = of_side.iter().map(|i| scan.schema.columns[*i].clone()).collect();
            let projection: Vec<bool> = of_side.iter().map(|i| wanted[*i]).collect();
            // A key nobody reads need not be decoded; a value is, so that a broken record is reported whatever is read.
            if columns.is_empty() || (is_key && !projection.contains(&true)) {
                return Ok(Side { decoder: None });
            }
            let options = options_of(format, columns.len(), is_key);
            Ok(Side { decoder: Some(Decoder::new(format_of(format), &columns, &projection, options)?) })
        };
        let key = side(ColumnKind::Key, &scan.key_format, true)?;
        let value = side(ColumnKind::Value, &scan.value_format, false)?;

        // Position of a column among the decoded ones of its side.
        let place = |position: usize| {
            let kind = &scan.schema.columns[position].kind;
            (0..position).filter(|i| wanted[*i] && scan.schema.columns[*i].kind == *kind).count()
        };
        let mut sources = Vec::new();
        for (position, column) in scan.schema.columns.iter().enumerate() {
            if scan.projection[position] {
                sources.push(match column.kind {
                    ColumnKind::Key => From::Key(place(position)),
                    ColumnKind::Value => From::Value(place(position)),
                    ColumnKind::Headers => From::Headers(column.ty.clone()),
                    ColumnKind::Header(ref name) => From::Header(name.clone()),
                });
            }
        }
        let pseudo = [From::Rowtime, From::Rowpartition, From::Rowoffset, From::Windowstart, From::Windowend];
        for (position, source) in pseudo.into_iter().enumerate() {
            if scan.reads_pseudo(position) {
                sources.push(source);
            }
        }
        let pattern = match scan.timestamp.as_ref().and_then(|spec| spec.format.as_ref()) {
            Some(format) => Some(Pattern::new(format).map_err(Error::internal)?),
            None => None,
        };
        let timestamp = timestamp_column.map(|position| {
            let in_key = scan.schema.columns[position].kind == ColumnKind::Key;
            // Decoded key columns stand before decoded value columns in `extract`'s list.
            let keys =
                (0..wanted.len()).filter(|i| wanted[*i] && scan.schema.columns[*i].kind == ColumnKind::Key).count();
            let at = if in_key { place(position) } else { keys + place(position) };
            TimeColumn { at, ty: scan.schema.columns[position].ty.clone(), pattern }
        });
        let (failures, scratch) = (Vec::new(), Vec::new());
        let window = scan.window;
        Ok(Input {
            key,
            value,
            sources,
            schema: scan.read_schema(),
            timestamp,
            window,
            needs_key: scan.is_table,
            failures,
            scratch,
        })
    }

    /// Decodes a batch. `report` is told of each record that cannot be read, by its place in the batch; such a record is
    /// not among the rows.
    pub fn decode(&mut self, raw: &RawBatch, report: &mut Reports<'_>) -> Result<Decoded> {
        let rows = raw.len();
        self.scratch.clear();
        let windowed = self.window.map(|window| {
            windows::split(&raw.keys, window, &mut |row| {
                mark(&mut self.scratch, row, rows);
                report(Stage::ReadKey, row, &"key cannot be read: it is too short to hold a window");
            })
        });
        let key_bytes = windowed.as_ref().map_or(&raw.keys, |windowed| &windowed.keys);
        let (stage, bad) = (Stage::ReadKey, &mut self.scratch);
        let keys = decode_side(&mut self.key, key_bytes, stage, &mut self.failures, bad, rows, report)?;
        let (stage, bad) = (Stage::ReadValue, &mut self.scratch);
        let values = decode_side(&mut self.value, &raw.values, stage, &mut self.failures, bad, rows, report)?;
        let tombstones = tombstones(&raw.values, self.value.null_records());
        let mut times = raw.timestamps.clone();
        if let Some(time) = &self.timestamp {
            let in_key = time.at < keys.len();
            let column = if in_key { &keys[time.at] } else { &values[time.at - keys.len()] };
            // The key of a tombstone has a time of its own.
            let tombstones = if in_key { None } else { tombstones.as_ref() };
            extract_time(column, time, tombstones, &mut times, &mut self.scratch, report);
        }
        if self.needs_key {
            let nulls = self.key.null_records();
            for row in (0..rows).filter(|row| raw.keys.is_null(*row) || nulls.binary_search(row).is_ok()) {
                mark(&mut self.scratch, row, rows);
                report(Stage::ReadKey, row, &"a record of a table needs a key");
            }
        }
        let columns: Vec<ArrayRef> = self
            .sources
            .iter()
            .map(|source| {
                Ok(match source {
                    From::Key(at) => Arc::clone(&keys[*at]),
                    From::Value(at) => Arc::clone(&values[*at]),
                    From::Rowtime => Arc::new(Int64Array::from(times.clone())) as ArrayRef,
                    From::Rowpartition if raw.partitions.is_empty() => {
                        Arc::new(Int32Array::from_value(raw.partition, rows))
                    }
                    From::Rowpartition => Arc::new(Int32Array::from(raw.partitions.clone())),
                    From::Rowoffset => Arc::new(Int64Array::from(raw.offsets.clone())),
                    From::Headers(ty) => headers::all(&raw.headers, rows, ty)?,
                    From::Header(name) => headers::last(&raw.headers, rows, name),
                    From::Windowstart | From::Windowend => match (&windowed, source) {
                        (Some(windowed), From::Windowstart) => windowed.starts(),
                        (Some(windowed), _) => windowed.ends(),
                        (None, _) => return Err(Error::internal("a window of a source that has none")),
                    },
                })
            })
            .collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let columns = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        let mut batch = Batch::new(columns);
        batch.tombstones = tombstones;
        if !self.scratch.is_empty() {
            let good = BooleanArray::from(self.scratch.iter().map(|bad| !bad).collect::<Vec<bool>>());
            let all: Vec<usize> = (0..batch.columns.num_columns()).collect();
            batch = batch.filter(&good, &all)?;
        }
        Ok(Decoded { batch, times })
    }
}

/// Decodes keys or values; marks the records that failed in `bad`, which stays empty while none has.
fn decode_side(
    side: &mut Side,
    bytes: &BytesColumn,
    stage: Stage,
    failures: &mut Vec<Failure>,
    bad: &mut Vec<bool>,
    rows: usize,
    report: &mut Reports<'_>,
) -> Result<Vec<ArrayRef>> {
    let Some(decoder) = &mut side.decoder else { return Ok(Vec::new()) };
    failures.clear();
    let columns = decoder.decode(bytes, failures)?;
    let what = if stage == Stage::ReadKey { "key" } else { "value" };
    for failure in failures.drain(..) {
        mark(bad, failure.row, rows);
        report(stage, failure.row, &format_args!("{what} cannot be read: {failure}"));
    }
    Ok(columns)
}

/// Which records are tombstones, if any: those without a value, and those whose value says that there is none.
fn tombstones(values: &BytesColumn, said: &[usize]) -> Option<BooleanBuffer> {
    let rows = values.len();
    if said.is_empty() && !(0..rows).any(|row| values.is_null(row)) {
        return None;
    }
    Some(BooleanBuffer::collect_bool(rows, |row| values.is_null(row) || said.binary_search(&row).is_ok()))
}

/// Takes the event time from a column; a record without one, or with one before the epoch, is dropped.
fn extract_time(
    column: &ArrayRef,
    time_column: &TimeColumn,
    tombstones: Option<&BooleanBuffer>,
    times: &mut [i64],
    bad: &mut Vec<bool>,
    report: &mut Reports<'_>,
) {
    let rows = times.len();
    for (row, time) in times.iter_mut().enumerate() {
        if bad.get(row).copied().unwrap_or(false) || tombstones.is_some_and(|tombstones| tombstones.value(row)) {
            // Reported already, or a tombstone, which keeps the time of its record.
            continue;
        }
        match time_at(column, &time_column.ty, time_column.pattern.as_ref(), row) {
            Ok(found) => *time = found,
            Err(what) => {
                mark(bad, row, rows);
                report(Stage::Time, row, &format_args!("the timestamp column {what}"));
            }
        }
    }
}

/// The time in a column at a row, milliseconds since the epoch; the error says what is wrong with it.
pub(super) fn time_at(
    column: &ArrayRef,
    ty: &SqlType,
    pattern: Option<&Pattern>,
    row: usize,
) -> Result<i64, &'static str> {
    if column.is_null(row) {
        return Err("is null");
    }
    let time = match (ty, pattern) {
        (SqlType::Bigint, _) => column.as_primitive::<Int64Type>().value(row),
        (SqlType::String, Some(pattern)) => {
            let parsed = pattern.parse(column.as_string::<i32>().value(row)).and_then(|parsed| parsed.instant(UTC));
            parsed.map_err(|_| "does not fit TIMESTAMP_FORMAT")?
        }
        _ => column.as_primitive::<TimestampMillisecondType>().value(row),
    };
    if time < 0 { Err("is before 1970") } else { Ok(time) }
}

fn mark(bad: &mut Vec<bool>, row: usize, rows: usize) {
    bad.resize(rows, false);
    bad[row] = true;
}

/// The codec a catalog entry means.
pub fn format_of(spec: &FormatSpec) -> Format {
    match spec.name {
        FormatName::Json => Format::Json,
        FormatName::Delimited => Format::Delimited { delimiter: spec.delimiter.unwrap_or(',') },
        FormatName::Kafka => Format::Kafka,
        FormatName::None => Format::None,
    }
}

/// The codec's options for so many columns.
pub fn options_of(spec: &FormatSpec, columns: usize, is_key: bool) -> FormatOptions {
    if is_key {
        return FormatOptions::key();
    }
    FormatOptions {
        wrap_single_value: columns != 1 || spec.wrap_single.unwrap_or(true),
        // Who says neither that values are wrapped nor that they are not takes both.
        takes_bare: columns == 1 && spec.wrap_single.is_none(),
        ..FormatOptions::default()
    }
}
