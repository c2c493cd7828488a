//! KAFKA: the bytes of Kafka's own `Integer`, `Long`, `Double`, `String` and `ByteBuffer` serializers.
//!
//! One column, no coercion: numbers are big-endian and of a fixed length, text is UTF-8. As in Java, bytes that are no
//! UTF-8 become U+FFFD: these are the bytes of programs that know no JSON, and what is left of a text is worth having.

use std::sync::Arc;

use datafusion::arrow::array::types::{Float64Type, Int32Type, Int64Type};
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::DataType;

use super::Failure;
use super::failure::{Part, problem_of_value, within};
use super::leaf::{Fixed, LeafColumn};
use crate::error::{Error, Result};
use crate::record::BytesColumn;
use crate::types::Column;

/// Reads one column, or nothing when it is not wanted.
#[derive(Debug)]
pub(super) struct KafkaDecoder {
    column: Option<LeafColumn>,
    name: Arc<str>,
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
        Ok(KafkaDecoder { column, name: wanted.map_or_else(|| "".into(), |column| column.name.as_str().into()) })
    }

    pub(super) fn decode(&mut self, rows: &BytesColumn, failures: &mut Vec<Failure>) -> Result<Vec<ArrayRef>> {
        let Some(column) = &mut self.column else {
            return Ok(Vec::new());
        };
        column.begin(rows.len());
        let mut wrong_length = |row: usize, expected: usize, found: usize| {
            let problem = problem_of_value(format!("expected {expected} bytes, found {found}"));
            failures.push(within(problem, Part::Field(Arc::clone(&self.name))).into_failure(row));
        };
        match column {
            LeafColumn::Integer(fixed) => numbers(rows, fixed, i32::from_be_bytes, &mut wrong_length),
            LeafColumn::Bigint(fixed) => numbers(rows, fixed, i64::from_be_bytes, &mut wrong_length),
            LeafColumn::Double(fixed) => numbers(rows, fixed, f64::from_be_bytes, &mut wrong_length),
            LeafColumn::String(texts) => {
                let all = std::str::from_utf8(rows.bytes()).ok();
                for (row, bytes) in rows.iter().enumerate() {
                    match bytes {
                        Some(bytes) if rows.is_utf8(row, all) => texts.push(bytes),
                        Some(bytes) => texts.push(String::from_utf8_lossy(bytes).as_bytes()),
                        None => texts.push_null(),
                    }
                }
            }
            LeafColumn::Bytes(data) => rows.iter().for_each(|bytes| match bytes {
                Some(bytes) => data.push(bytes),
                None => data.push_null(),
            }),
            _ => return Err(Error::internal("KAFKA was given a type that it does not hold")),
        }
        Ok(vec![column.finish()?])
    }
}

fn numbers<T: Copy + Default, const N: usize>(
    rows: &BytesColumn,
    fixed: &mut Fixed<T>,
    number_of: impl Fn([u8; N]) -> T,
    wrong_length: &mut impl FnMut(usize, usize, usize),
) {
    for (row, bytes) in rows.iter().enumerate() {
        match bytes.map(<[u8; N]>::try_from) {
            Some(Ok(bytes)) => fixed.push(number_of(bytes)),
            Some(Err(_)) => {
                fixed.push_null();
                wrong_length(row, N, rows.get(row).map_or(0, <[u8]>::len));
            }
            None => fixed.push_null(),
        }
    }
}

/// Writes one column.
#[derive(Debug)]
pub(super) struct KafkaEncoder;

impl KafkaEncoder {
    pub(super) fn encode(&self, column: &ArrayRef, out: &mut BytesColumn) -> Result<()> {
        match column.data_type() {
            DataType::Int32 => {
                write_numbers(column.nulls(), column.as_primitive::<Int32Type>().values(), i32::to_be_bytes, out)
            }
            DataType::Int64 => {
                write_numbers(column.nulls(), column.as_primitive::<Int64Type>().values(), i64::to_be_bytes, out)
            }
            DataType::Float64 => {
                write_numbers(column.nulls(), column.as_primitive::<Float64Type>().values(), f64::to_be_bytes, out)
            }
            DataType::Utf8 => column.as_string::<i32>().iter().for_each(|text| out.push(text.map(str::as_bytes))),
            DataType::Binary => column.as_binary::<i32>().iter().for_each(|bytes| out.push(bytes)),
            other => return Err(Error::internal(format!("KAFKA was given a column of {other}"))),
        }
        Ok(())
    }
}

#[inline]
fn write_numbers<T: Copy, const N: usize>(
    nulls: Option<&NullBuffer>,
    values: &[T],
    bytes_of: impl Fn(T) -> [u8; N],
    out: &mut BytesColumn,
) {
    match nulls {
        None => values.iter().for_each(|value| out.push(Some(&bytes_of(*value)))),
        Some(nulls) => values.iter().zip(nulls).for_each(|(value, valid)| match valid {
            true => out.push(Some(&bytes_of(*value))),
            false => out.push(None),
        }),
    }
}
