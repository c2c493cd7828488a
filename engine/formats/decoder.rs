//! Decoding: one front for all formats.

use datafusion::arrow::array::ArrayRef;

use super::delimited::DelimitedDecoder;
use super::json::JsonDecoder;
use super::kafka::KafkaDecoder;
use super::{Failure, Format, FormatOptions};
use crate::error::{Error, Result};
use crate::record::BytesColumn;
use crate::types::Column;

/// Reads the keys or the values of records into Arrow columns.
#[derive(Debug)]
pub struct Decoder(Inner);

#[derive(Debug)]
enum Inner {
    Json(Box<JsonDecoder>),
    Delimited(DelimitedDecoder),
    Kafka(KafkaDecoder),
    None,
}

impl Decoder {
    /// A decoder for a schema of which only the columns marked in `projection` are wanted.
    ///
    /// `columns` are all key columns or all value columns, in order; `projection` has one entry for each.
    /// Errors name a type or a number of columns the format does not hold; they are those of
    /// [`Format::check_keys`] and [`Format::check_values`], so a checked schema has none.
    pub fn new(format: Format, columns: &[Column], projection: &[bool], options: FormatOptions) -> Result<Self> {
        if columns.len() != projection.len() {
            return Err(Error::internal("a projection must have one entry a column"));
        }
        if options.is_key {
            format.check_keys(columns)?;
        } else {
            format.check_values(columns, None)?;
        }
        Ok(Decoder(match format {
            Format::Json => Inner::Json(Box::new(JsonDecoder::new(columns, projection, options)?)),
            Format::Delimited { delimiter } => Inner::Delimited(DelimitedDecoder::new(columns, projection, delimiter)?),
            Format::Kafka => Inner::Kafka(KafkaDecoder::new(columns, projection)?),
            Format::None => Inner::None,
        }))
    }

    /// Decodes a batch: one array for each wanted column, in order, each with `rows.len()` rows.
    ///
    /// A null row is null in all columns, and so is one whose text says that there is nothing
    /// ([`null_records`](Self::null_records)). A record that cannot be read is null in all columns too and is named in
    /// `failures`, once, rows ascending; the caller drops it. An error concerns the whole batch: only a column of more
    /// than 2 GiB has one.
    pub fn decode(&mut self, rows: &BytesColumn, failures: &mut Vec<Failure>) -> Result<Vec<ArrayRef>> {
        match &mut self.0 {
            Inner::Json(decoder) => decoder.decode(rows, failures),
            Inner::Delimited(decoder) => decoder.decode(rows, failures),
            Inner::Kafka(decoder) => decoder.decode(rows, failures),
            Inner::None => Ok(Vec::new()),
        }
    }

    /// The rows of the last batch, ascending, whose bytes are the word `null` where JSON has an object: as in ksqlDB they are
    /// records without a key or value, not ones whose columns are null.
    pub fn null_records(&self) -> &[usize] {
        match &self.0 {
            Inner::Json(decoder) => decoder.null_records(),
            _ => &[],
        }
    }
}
