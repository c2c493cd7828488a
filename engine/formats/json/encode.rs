//! From columns to the bytes of records.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::buffer::NullBuffer;

use super::text::escape;
use crate::error::{Error, Result};
use crate::formats::FormatOptions;
use crate::formats::cell::Cells;
use crate::record::BytesColumn;
use crate::types::{Column, SqlType};

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
    Cells(Cells<'a>),
    String(&'a StringArray),
    Array(&'a [i32], Box<Writer<'a>>),
    Map(&'a [i32], &'a StringArray, Box<Writer<'a>>),
    Struct(Vec<(Vec<u8>, Writer<'a>)>),
}

impl<'a> Writer<'a> {
    fn new(column: &'a ArrayRef, ty: &SqlType) -> Result<Writer<'a>> {
        let values = match ty {
            SqlType::String => Values::String(column.as_string()),
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
            flat => match Cells::new(column, flat) {
                Some(cells) => Values::Cells(cells),
                None => return Err(Error::internal(format!("a JSON column of {flat}"))),
            },
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
            Values::Cells(cells) if cells.is_text_in_json(row) => {
                out.push(b'"');
                cells.write(row, out);
                out.push(b'"');
            }
            Values::Cells(cells) => cells.write(row, out),
            Values::String(values) => string(values.value(row), out),
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

fn string(value: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(value.as_bytes(), out);
    out.push(b'"');
}
