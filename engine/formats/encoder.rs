//! Encoding: one front for all formats.

use datafusion::arrow::array::ArrayRef;

use super::delimited::DelimitedEncoder;
use super::json::JsonEncoder;
use super::kafka::KafkaEncoder;
use super::{Failure, Format, FormatOptions};
use crate::error::{Error, Result};
use crate::record::BytesColumn;
use crate::types::Column;

/// Writes Arrow columns as the keys or the values of records.
#[derive(Debug)]
pub struct Encoder {
    types: Vec<datafusion::arrow::datatypes::DataType>,
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Json(JsonEncoder),
    Delimited(DelimitedEncoder),
    Kafka(KafkaEncoder),
    None,
}

impl Encoder {
    /// An encoder for all key columns or all value columns of a schema, in order.
    ///
    /// Errors name a type or a number of columns the format does not hold.
    pub fn new(format: Format, columns: &[Column], options: FormatOptions) -> Result<Self> {
        if options.is_key {
            format.check_keys(columns)?;
        } else {
            format.check_values(columns, None)?;
        }
        let inner = match format {
            Format::Json => Inner::Json(JsonEncoder::new(columns, options)),
            Format::Delimited { delimiter } => Inner::Delimited(DelimitedEncoder::new(columns, delimiter)),
            Format::Kafka if columns.is_empty() => Inner::None,
            Format::Kafka => Inner::Kafka(KafkaEncoder),
            Format::None => Inner::None,
        };
        Ok(Encoder { types: columns.iter().map(|column| column.ty.to_arrow()).collect(), inner })
    }

    /// Appends one record for each of the `rows` rows of `columns` to `out`.
    ///
    /// A bare value that is null becomes a null record; in all other layouts nulls are written as such. A row that
    /// cannot be written becomes a null record too and is named in `failures`; the caller drops it. The formats here
    /// write every value of their types, so none fails today. Errors mean that `columns` are not those of the schema.
    pub fn encode(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        out: &mut BytesColumn,
        _failures: &mut Vec<Failure>,
    ) -> Result<()> {
        if columns.len() != self.types.len() {
            let (found, expected) = (columns.len(), self.types.len());
            return Err(Error::internal(format!("{found} columns to encode where the schema has {expected}")));
        }
        for (column, ty) in columns.iter().zip(&self.types) {
            if column.data_type() != ty || column.len() != rows {
                let (found, len) = (column.data_type(), column.len());
                return Err(Error::internal(format!("a column of {len} rows of {found} to encode as {rows} of {ty}")));
            }
        }
        match &mut self.inner {
            Inner::Json(encoder) => encoder.encode(columns, rows, out),
            Inner::Delimited(encoder) => encoder.encode(columns, rows, out),
            Inner::Kafka(encoder) => encoder.encode(&columns[0], out),
            Inner::None => {
                (0..rows).for_each(|_| out.push(None));
                Ok(())
            }
        }
    }
}
