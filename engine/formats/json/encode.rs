//! From columns to the bytes of records.

use datafusion::arrow::array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use datafusion::arrow::buffer::NullBuffer;

use super::text::escape;
use crate::error::{Error, Result};
use crate::formats::FormatOptions;
use crate::record::BytesColumn;
use crate::types::text::{base64, decimal};
use crate::types::{Column, SqlType, java_double};

/// Writes JSON keys or values: compact, every column under its name, nulls included.
#[derive(Debug)]
pub(in crate::formats) struct JsonEncoder {
    types: Vec<SqlType>,
    /// What comes before each value: `{"A":` for the first, `,"B":` for the others; nothing for a bare value.
    prefixes: Vec<Vec<u8>>,
    bare: bool,
}

impl JsonEncoder {
    pub(in crate::formats) fn new(columns: &[Column], options: FormatOptions) -> Self {
        let bare = options.is_bare(columns.len());
        JsonEncoder {
            types: columns.iter().map(|column| column.ty.clone()).collect(),
            prefixes: columns.iter().enumerate().map(|(i, column)| prefix(i, &column.name)).collect(),
            bare,
        }
    }

    pub(in crate::formats) fn encode(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        out: &mut BytesColumn,
    ) -> Result<()> {
        let writers =
            columns.iter().zip(&self.types).map(|(column, ty)| Writer::new(column, ty)).collect::<Result<Vec<_>>>()?;
        if let (true, [writer]) = (self.bare, writers.as_slice()) {
            for row in 0..rows {
                if writer.is_null(row) {
                    out.push(None);
                } else {
                    writer.write(row, out.buffer());
                    out.end_row();
                }
            }
            return Ok(());
        }
        for row in 0..rows {
            let record = out.buffer();
            if writers.is_empty() {
                record.push(b'{');
            }
            for (writer, prefix) in writers.iter().zip(&self.prefixes) {
                record.extend_from_slice(prefix);
                writer.write(row, record);
            }
            record.push(b'}');
            out.end_row();
        }
        Ok(())
    }
}

fn prefix(position: usize, name: &str) -> Vec<u8> {
    let mut prefix = vec![if position == 0 { b'{' } else { b',' }, b'"'];
    escape(name.as_bytes(), &mut prefix);
    prefix.extend_from_slice(b"\":");
    prefix
}

/// A column with its Arrow type known, so that no row asks for it again.
struct Writer<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

enum Values<'a> {
    Boolean(&'a BooleanArray),
    Integer(&'a PrimitiveArray<Int32Type>),
    Bigint(&'a PrimitiveArray<Int64Type>),
    Double(&'a PrimitiveArray<Float64Type>),
    Decimal(&'a PrimitiveArray<Decimal128Type>, u8),
    WideDecimal(&'a PrimitiveArray<Decimal256Type>, u8),
    String(&'a StringArray),
    Bytes(&'a BinaryArray),
    Time(&'a PrimitiveArray<Time32MillisecondType>),
    Date(&'a PrimitiveArray<Date32Type>),
    Timestamp(&'a PrimitiveArray<TimestampMillisecondType>),
    Array(&'a [i32], Box<Writer<'a>>),
    Map(&'a [i32], &'a StringArray, Box<Writer<'a>>),
    Struct(Vec<(Vec<u8>, Writer<'a>)>),
}

impl<'a> Writer<'a> {
    fn new(column: &'a ArrayRef, ty: &SqlType) -> Result<Writer<'a>> {
        let values = match ty {
            SqlType::Boolean => Values::Boolean(column.as_boolean()),
            SqlType::Integer => Values::Integer(column.as_primitive()),
            SqlType::Bigint => Values::Bigint(column.as_primitive()),
            SqlType::Double => Values::Double(column.as_primitive()),
            SqlType::Decimal(precision, scale) if *precision <= 38 => Values::Decimal(column.as_primitive(), *scale),
            SqlType::Decimal(_, scale) => Values::WideDecimal(column.as_primitive(), *scale),
            SqlType::String => Values::String(column.as_string()),
            SqlType::Bytes => Values::Bytes(column.as_binary()),
            SqlType::Time => Values::Time(column.as_primitive()),
            SqlType::Date => Values::Date(column.as_primitive()),
            SqlType::Timestamp => Values::Timestamp(column.as_primitive()),
            SqlType::Array(element) => {
                let list = column.as_list::<i32>();
                Values::Array(list.value_offsets(), Box::new(Writer::new(list.values(), element)?))
            }
            SqlType::Map(_, value) => {
                let map = column.as_map();
                let keys = map.keys().as_string_opt().ok_or_else(|| Error::internal("a JSON map needs text keys"))?;
                Values::Map(map.value_offsets(), keys, Box::new(Writer::new(map.values(), value)?))
            }
            SqlType::Struct(fields) => {
                let parts = fields.iter().zip(column.as_struct().columns()).enumerate();
                let writers = parts.map(|(i, ((name, ty), column))| Ok((prefix(i, name), Writer::new(column, ty)?)));
                Values::Struct(writers.collect::<Result<_>>()?)
            }
        };
        Ok(Writer { nulls: column.nulls(), values })
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    #[inline]
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return;
        }
        match &self.values {
            Values::Boolean(values) => out.extend_from_slice(if values.value(row) { b"true" } else { b"false" }),
            Values::Integer(values) => integer(i64::from(values.value(row)), out),
            Values::Bigint(values) => integer(values.value(row), out),
            Values::Double(values) => double(values.value(row), out),
            Values::Decimal(values, scale) => decimal::write(values.value(row), *scale, out),
            Values::WideDecimal(values, scale) => decimal::write(values.value(row), *scale, out),
            Values::String(values) => string(values.value(row), out),
            Values::Bytes(values) => {
                out.push(b'"');
                base64::encode(values.value(row), out);
                out.push(b'"');
            }
            Values::Time(values) => integer(i64::from(values.value(row)), out),
            Values::Date(values) => integer(i64::from(values.value(row)), out),
            Values::Timestamp(values) => integer(values.value(row), out),
            Values::Array(offsets, elements) => {
                out.push(b'[');
                for at in offsets[row]..offsets[row + 1] {
                    if at > offsets[row] {
                        out.push(b',');
                    }
                    elements.write(at as usize, out);
                }
                out.push(b']');
            }
            Values::Map(offsets, keys, values) => {
                out.push(b'{');
                for at in offsets[row]..offsets[row + 1] {
                    if at > offsets[row] {
                        out.push(b',');
                    }
                    string(keys.value(at as usize), out);
                    out.push(b':');
                    values.write(at as usize, out);
                }
                out.push(b'}');
            }
            Values::Struct(fields) => {
                if fields.is_empty() {
                    out.push(b'{');
                }
                for (prefix, field) in fields {
                    out.extend_from_slice(prefix);
                    field.write(row, out);
                }
                out.push(b'}');
            }
        }
    }
}

fn integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// JSON has no NaN and no infinities; Jackson writes their names as text.
fn double(value: f64, out: &mut Vec<u8>) {
    if value.is_finite() {
        java_double::write(value, out);
    } else {
        out.push(b'"');
        java_double::write(value, out);
        out.push(b'"');
    }
}

fn string(value: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(value.as_bytes(), out);
    out.push(b'"');
}
