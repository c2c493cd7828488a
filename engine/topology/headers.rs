//! The headers of records as columns.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BinaryBuilder, ListArray, StringBuilder, StructArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::DataType;

use crate::error::{Error, Result};
use crate::record::HeadersColumn;
use crate::types::SqlType;

/// All headers of each record, in their order: an array of structs of name and value.
pub(super) fn all(headers: &HeadersColumn, rows: usize, ty: &SqlType) -> Result<ArrayRef> {
    let DataType::List(item) = ty.to_arrow() else { return Err(Error::internal("headers that are no array")) };
    let DataType::Struct(fields) = item.data_type().clone() else {
        return Err(Error::internal("headers that are no structs"));
    };
    let (mut names, mut values) = (StringBuilder::new(), BinaryBuilder::new());
    let mut lengths = Vec::with_capacity(rows);
    for row in 0..rows {
        let mut count = 0;
        for (name, value) in headers.get(row) {
            names.append_value(name);
            values.append_option(value);
            count += 1;
        }
        lengths.push(count);
    }
    let entries = StructArray::try_new(fields, vec![Arc::new(names.finish()), Arc::new(values.finish())], None)?;
    Ok(Arc::new(ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), Arc::new(entries), None)?))
}

/// The value of the last header of a name in each record; null where there is none.
pub(super) fn last(headers: &HeadersColumn, rows: usize, name: &str) -> ArrayRef {
    let mut values = BinaryBuilder::new();
    for row in 0..rows {
        let found = headers.get(row).filter(|(other, _)| *other == name).last();
        values.append_option(found.and_then(|(_, value)| value));
    }
    Arc::new(values.finish())
}
