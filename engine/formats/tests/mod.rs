//! Rules of the formats, each as a test, through the public front.

mod delimited;
mod json;
mod kafka;
mod reference;
mod roundtrip;

use datafusion::arrow::array::ArrayRef;

use super::*;
use crate::record::BytesColumn;
use crate::types::cast::write_text;
use crate::types::{Column, SqlType};

const CSV: Format = Format::Delimited { delimiter: ',' };

/// Value columns from `(name, type)` pairs.
fn columns<const N: usize>(columns: [(&str, SqlType); N]) -> Vec<Column> {
    columns.into_iter().map(|(name, ty)| Column::value(name, ty)).collect()
}

fn rows<'a>(rows: impl IntoIterator<Item = impl Into<Option<&'a [u8]>>>) -> BytesColumn {
    let mut column = BytesColumn::new();
    rows.into_iter().for_each(|row| column.push(row.into()));
    column
}

/// Decodes all columns of one batch.
fn decode(
    format: Format,
    schema: &[Column],
    options: FormatOptions,
    rows: &BytesColumn,
) -> (Vec<ArrayRef>, Vec<Failure>) {
    let mut decoder =
        Decoder::new(format, schema, &vec![true; schema.len()], options).expect("a schema the format holds");
    let mut failures = Vec::new();
    let arrays = decoder.decode(rows, &mut failures).expect("a small batch");
    for (array, column) in arrays.iter().zip(schema) {
        assert_eq!(array.len(), rows.len());
        assert_eq!(*array.data_type(), column.ty.to_arrow());
    }
    (arrays, failures)
}

/// The value of one row as Java prints it.
fn text(array: &ArrayRef, ty: &SqlType, row: usize) -> String {
    let mut out = Vec::new();
    write_text(array.as_ref(), ty, row, &mut out);
    String::from_utf8(out).expect("text of values is UTF-8")
}

/// What one record decodes to in a schema of one column, as text, or its failure.
fn one(format: Format, ty: SqlType, options: FormatOptions, record: &str) -> Result<String, Failure> {
    let schema = columns([("A", ty)]);
    let (arrays, mut failures) = decode(format, &schema, options, &rows([record.as_bytes()]));
    match failures.pop() {
        Some(failure) => Err(failure),
        None => Ok(text(&arrays[0], &schema[0].ty, 0)),
    }
}

/// What the rows of these columns encode to.
fn encode(format: Format, schema: &[Column], options: FormatOptions, arrays: &[ArrayRef]) -> Vec<Option<String>> {
    let mut encoder = Encoder::new(format, schema, options).expect("a schema the format holds");
    let mut out = BytesColumn::new();
    let rows = arrays.first().map_or(0, |array| array.len());
    encoder.encode(arrays, rows, &mut out, &mut Vec::new()).expect("arrays of the schema");
    out.iter().map(|row| row.map(|row| String::from_utf8(row.to_vec()).expect("text formats write UTF-8"))).collect()
}
