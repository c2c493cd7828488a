//! KAFKA: the bytes of Kafka's own `Integer`, `Long`, `Double`, `String` and `ByteBuffer` serializers.
//!
//! One column, no coercion: numbers are big-endian and of a fixed length, text is UTF-8.

use datafusion::arrow::array::types::{Float64Type, Int32Type, Int64Type};
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::DataType;

use super::Failure;
use super::leaf::LeafColumn;
use crate::error::{Error, Result};
use crate::record::BytesColumn;
use crate::types::Column;

/// Reads one column, or nothing when it is not wanted.
#[derive(Debug)]
pub(super) struct KafkaDecoder {
    column: Option<LeafColumn>,
    name: String,
}

impl KafkaDecoder {
    pub(super) fn new(columns: &[Column], projection: &[bool]) -> Result<Self> {
        let wanted = columns.iter().zip(projection).find(|(_, wanted)| **wanted).map(|(column, _)| column);
        let column = match wanted {
            Some(column) => Some(
                LeafColumn::new(&column.ty).ok_or_else(|| Error::internal("KAFKA was given a column with parts"))?,
            ),
            None => None,
        };
        Ok(KafkaDecoder { column, name: wanted.map_or_else(String::new, |column| column.name.clone()) })
    }

    pub(super) fn decode(&mut self, rows: &BytesColumn, failures: &mut Vec<Failure>) -> Result<Vec<ArrayRef>> {
        let Some(column) = &mut self.column else {
            return Ok(Vec::new());
        };
        column.begin(rows.len());
        for (row, bytes) in rows.iter().enumerate() {
            let Some(bytes) = bytes else {
                column.push_null();
                continue;
            };
            if let Err(what) = read(column, bytes) {
                column.push_null();
                let path = format!("$.{}", self.name);
                failures.push(Failure { row, message: format!("{what} at {path}"), path });
            }
        }
        Ok(vec![column.finish()?])
    }
}

#[inline]
fn read(column: &mut LeafColumn, bytes: &[u8]) -> Result<(), String> {
    let length = |expected: usize| format!("expected {expected} bytes, found {}", bytes.len());
    match column {
        LeafColumn::Integer(fixed) => fixed.push(i32::from_be_bytes(bytes.try_into().map_err(|_| length(4))?)),
        LeafColumn::Bigint(fixed) => fixed.push(i64::from_be_bytes(bytes.try_into().map_err(|_| length(8))?)),
        LeafColumn::Double(fixed) => fixed.push(f64::from_be_bytes(bytes.try_into().map_err(|_| length(8))?)),
        LeafColumn::String(text) => match std::str::from_utf8(bytes) {
            Ok(_) => text.push(bytes),
            Err(error) => return Err(format!("text is not UTF-8 from byte {} on", error.valid_up_to())),
        },
        LeafColumn::Bytes(data) => data.push(bytes),
        _ => return Err("a type that KAFKA does not hold".to_string()),
    }
    Ok(())
}

/// Writes one column.
#[derive(Debug)]
pub(super) struct KafkaEncoder;

impl KafkaEncoder {
    pub(super) fn encode(&self, column: &ArrayRef, out: &mut BytesColumn) -> Result<()> {
        let rows = column.len();
        match column.data_type() {
            DataType::Int32 => {
                let values = column.as_primitive::<Int32Type>();
                (0..rows).for_each(|row| push(out, column, row, &values.value(row).to_be_bytes()));
            }
            DataType::Int64 => {
                let values = column.as_primitive::<Int64Type>();
                (0..rows).for_each(|row| push(out, column, row, &values.value(row).to_be_bytes()));
            }
            DataType::Float64 => {
                let values = column.as_primitive::<Float64Type>();
                (0..rows).for_each(|row| push(out, column, row, &values.value(row).to_be_bytes()));
            }
            DataType::Utf8 => {
                let values = column.as_string::<i32>();
                (0..rows).for_each(|row| push(out, column, row, values.value(row).as_bytes()));
            }
            DataType::Binary => {
                let values = column.as_binary::<i32>();
                (0..rows).for_each(|row| push(out, column, row, values.value(row)));
            }
            other => return Err(Error::internal(format!("KAFKA was given a column of {other}"))),
        }
        Ok(())
    }
}

#[inline]
fn push(out: &mut BytesColumn, column: &ArrayRef, row: usize, bytes: &[u8]) {
    out.push(column.is_valid(row).then_some(bytes));
}
