//! From rows to records of the sink's topic.

use datafusion::arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use datafusion::arrow::compute::nullif;

use super::input::{Reports, format_of, options_of, time_at};
use super::report::Stage;
use super::windows;
use crate::error::{Code, Error, Result};
use crate::formats::{Encoder, Failure, Format};
use crate::plan::SinkSpec;
use crate::record::{Batch, BytesColumn, OutBatch, RawBatch};
use crate::types::text::java_time::Pattern;
use crate::types::{Column, ColumnKind, SqlType};

/// Encodes rows as a sink asks for them.
pub struct Output {
    key: Encoder,
    value: Encoder,
    key_columns: Vec<usize>,
    value_columns: Vec<usize>,
    timestamp: Option<(usize, SqlType, Option<Pattern>)>,
    /// How many bytes at the end of a record's key are its window, which the result keeps.
    window: usize,
    /// New keys: which columns of theirs a tombstone has not. `None`: a record without a key leaves none either.
    rekeyed: Option<Vec<bool>>,
    keys: BytesColumn,
    values: BytesColumn,
    windowed: Vec<u8>,
    failures: Vec<Failure>,
}

impl Output {
    /// Readies encoders for the sink's columns.
    pub fn new(sink: &SinkSpec, rekeyed: Option<Vec<bool>>) -> Result<Output> {
        let columns = &sink.schema.columns;
        let of = |kind: ColumnKind| -> Vec<usize> { (0..columns.len()).filter(|i| columns[*i].kind == kind).collect() };
        let (key_columns, value_columns) = (of(ColumnKind::Key), of(ColumnKind::Value));
        let side = |positions: &[usize]| -> Vec<Column> { positions.iter().map(|i| columns[*i].clone()).collect() };
        let key_format = if key_columns.is_empty() { Format::None } else { format_of(&sink.key_format) };
        let key = Encoder::new(key_format, &side(&key_columns), options_of(&sink.key_format, key_columns.len(), true))?;
        let value = Encoder::new(
            format_of(&sink.value_format),
            &side(&value_columns),
            options_of(&sink.value_format, value_columns.len(), false),
        )?;
        let timestamp = match &sink.timestamp {
            Some(spec) => {
                let at = sink.schema.index_of(&spec.column);
                let at = at.ok_or_else(|| Error::internal("the timestamp column is not a column"))?;
                let pattern = match &spec.format {
                    Some(format) => Some(Pattern::new(format).map_err(Error::internal)?),
                    None => None,
                };
                Some((at, columns[at].ty.clone(), pattern))
            }
            None => None,
        };
        Ok(Output {
            key,
            value,
            key_columns,
            value_columns,
            timestamp,
            window: sink.window.map_or(0, windows::length),
            rekeyed,
            keys: BytesColumn::new(),
            values: BytesColumn::new(),
            windowed: Vec::new(),
            failures: Vec::new(),
        })
    }

    /// Appends a record for each row of `batch` to `out`: its time from `times` or the sink's timestamp column, the
    /// headers of the record it came from. `report` is told of rows that cannot be written, by record of the raw batch.
    pub fn encode(
        &mut self,
        batch: &Batch,
        raw: &RawBatch,
        times: &[i64],
        out: &mut OutBatch,
        report: &mut Reports<'_>,
    ) -> Result<()> {
        if self.writes_straight(batch, raw) && self.encode_straight(batch, raw, times, out)? {
            return Ok(());
        }
        let rows = batch.len();
        let columns = batch.columns.columns();
        let pick = |positions: &[usize]| -> Vec<ArrayRef> { positions.iter().map(|i| columns[*i].clone()).collect() };
        self.keys.clear();
        self.values.clear();
        self.failures.clear();
        let mut keys = pick(&self.key_columns);
        if let (Some(of_value), Some(tombstones)) = (&self.rekeyed, &batch.tombstones) {
            let tombstones = BooleanArray::new(tombstones.clone(), None);
            for (key, _) in keys.iter_mut().zip(of_value).filter(|(_, of_value)| **of_value) {
                *key = nullif(key, &tombstones)?;
            }
        }
        self.key.encode(&keys, rows, &mut self.keys, &mut self.failures)?;
        self.value.encode(&pick(&self.value_columns), rows, &mut self.values, &mut self.failures)?;
        let mut failed = vec![false; if self.failures.is_empty() { 0 } else { rows }];
        for failure in self.failures.drain(..) {
            failed[failure.row] = true;
            report(
                Stage::Write,
                batch.record_of(failure.row),
                &format_args!("the result cannot be written: {failure}"),
            );
        }
        let headers = !raw.headers.none();
        for row in 0..rows {
            let record = batch.record_of(row);
            if failed.get(row).copied().unwrap_or(false) {
                continue;
            }
            let time = match &self.timestamp {
                None => times[record],
                // A tombstone keeps the time of its record, unless its key says another.
                Some((at, ..)) if batch.is_tombstone(row) && !self.key_columns.contains(at) => times[record],
                Some((at, ty, pattern)) => match time_at(&columns[*at], ty, pattern.as_ref(), row) {
                    Ok(time) => time,
                    Err(what) => {
                        report(Stage::Time, record, &format_args!("the timestamp of the result {what}"));
                        continue;
                    }
                },
            };
            if headers {
                for (name, value) in raw.headers.get(record) {
                    out.headers.push(name, value);
                }
            }
            let value = if batch.is_tombstone(row) { None } else { self.values.get(row) };
            let source = raw.keys.get(record);
            let key = self.keys.get(row).filter(|_| self.rekeyed.is_some() || source.is_some());
            match source.and_then(|source| source.len().checked_sub(self.window).map(|at| &source[at..])) {
                Some(window) if self.window > 0 => {
                    self.windowed.clear();
                    self.windowed.extend_from_slice(key.unwrap_or_default());
                    self.windowed.extend_from_slice(window);
                    out.push(time, Some(&self.windowed), value);
                }
                _ => out.push(time, key, value),
            }
        }
        Ok(())
    }
}

impl Output {
    /// Whether every row becomes a record as it is encoded: with a value, the key it says and the time of its record.
    fn writes_straight(&self, batch: &Batch, raw: &RawBatch) -> bool {
        let keys = self.rekeyed.is_some() || self.key_columns.is_empty() || !raw.keys.has_nulls();
        keys && self.timestamp.is_none() && self.window == 0 && batch.tombstones.is_none()
    }

    /// Encodes rows into the buffers of the result. False, with nothing of them in it, when a row cannot be written.
    fn encode_straight(&mut self, batch: &Batch, raw: &RawBatch, times: &[i64], out: &mut OutBatch) -> Result<bool> {
        let (rows, before) = (batch.len(), out.len());
        let pick = |positions: &[usize]| -> Vec<ArrayRef> {
            positions.iter().map(|i| batch.columns.column(*i).clone()).collect()
        };
        self.failures.clear();
        self.key.encode(&pick(&self.key_columns), rows, &mut out.keys, &mut self.failures)?;
        self.value.encode(&pick(&self.value_columns), rows, &mut out.values, &mut self.failures)?;
        if !self.failures.is_empty() {
            out.keys.truncate(before);
            out.values.truncate(before);
            return Ok(false);
        }
        out.timestamps.extend((0..rows).map(|row| times[batch.record_of(row)]));
        let headers = !raw.headers.none();
        for row in 0..rows {
            if headers {
                raw.headers.get(batch.record_of(row)).for_each(|(name, value)| out.headers.push(name, value));
            }
            out.headers.end_row();
        }
        Ok(true)
    }
}

/// One record, encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SingleRecord {
    /// Its key, if it has one.
    pub key: Option<Vec<u8>>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its time, milliseconds since the epoch, when the row or its timestamp column says one.
    pub timestamp: Option<i64>,
}

/// Encodes one row of typed columns, those of the sink's schema, for `INSERT INTO ... VALUES`.
///
/// # Errors
/// A row that the format cannot write, or a timestamp column that is null or before 1970.
pub fn encode_row(sink: &SinkSpec, columns: &[ArrayRef], rowtime: Option<i64>) -> Result<SingleRecord> {
    let mut output = Output::new(sink, Some(Vec::new()))?;
    let columns = RecordBatch::try_new(sink.schema.to_arrow(), columns.to_vec())?;
    let mut raw = RawBatch::new("".into(), 0);
    raw.push(0, rowtime.unwrap_or(-1), None, Some(b""));
    let mut out = OutBatch::default();
    let mut wrong = None;
    let times = [rowtime.unwrap_or(-1)];
    output
        .encode(&Batch::new(columns), &raw, &times, &mut out, &mut |_, _, message| wrong = Some(message.to_string()))?;
    if let Some(message) = wrong {
        return Err(Error::refused(Code::InvalidLiteral, message));
    }
    let bytes = |column: &BytesColumn| column.get(0).map(<[u8]>::to_vec);
    Ok(SingleRecord {
        key: bytes(&out.keys),
        value: bytes(&out.values),
        timestamp: (out.timestamps[0] >= 0).then_some(out.timestamps[0]),
    })
}
