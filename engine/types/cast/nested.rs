//! Casts of arrays, maps and structs: element by element, field by name.
//!
//! One element that cannot be cast fails its whole row, as in ksqlDB, where the expression as a whole throws.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, new_null_array};
use datafusion::arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::DataType;

use super::{CastFailures, cast_array};
use crate::error::{Error, Result};
use crate::types::SqlType;

pub(super) fn array_to_array(
    array: &ArrayRef,
    from: &SqlType,
    to: &SqlType,
    failures: &mut CastFailures,
) -> Result<ArrayRef> {
    let list = array.as_list::<i32>();
    let (offsets, first, len) = rebase(list.offsets());
    let elements = list.values().slice(first, len);
    let mut inner = Vec::new();
    let cast = cast_array(&elements, from, to, &mut inner)?;
    let nulls = nulls_of_failed(list.nulls(), &offsets, inner, failures);
    let DataType::List(field) = SqlType::Array(Box::new(to.clone())).to_arrow() else {
        return Err(Error::internal("an ARRAY column that is no Arrow list"));
    };
    Ok(Arc::new(ListArray::try_new(field, offsets, cast, nulls)?))
}

pub(super) fn map_to_map(
    array: &ArrayRef,
    from: (&SqlType, &SqlType),
    to: (&SqlType, &SqlType),
    failures: &mut CastFailures,
) -> Result<ArrayRef> {
    let map = array.as_map();
    let (offsets, first, len) = rebase(map.offsets());
    let mut inner = Vec::new();
    let keys = cast_array(&map.keys().slice(first, len), from.0, to.0, &mut inner)?;
    let values = cast_array(&map.values().slice(first, len), from.1, to.1, &mut inner)?;
    let ty = SqlType::Map(Box::new(to.0.clone()), Box::new(to.1.clone())).to_arrow();
    let DataType::Map(field, sorted) = ty else {
        return Err(Error::internal("a MAP column that is no Arrow map"));
    };
    let DataType::Struct(fields) = field.data_type() else {
        return Err(Error::internal("an Arrow map without entries"));
    };
    // A key that cannot be cast fails its row, but the entries behind it must still have one.
    let keys = if keys.null_count() > 0 { fill_nulls(&keys)? } else { keys };
    let nulls = nulls_of_failed(map.nulls(), &offsets, inner, failures);
    let entries = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    Ok(Arc::new(MapArray::try_new(field, offsets, entries, nulls, sorted)?))
}

pub(super) fn struct_to_struct(
    array: &ArrayRef,
    from: &[(String, SqlType)],
    to: &[(String, SqlType)],
    failures: &mut CastFailures,
) -> Result<ArrayRef> {
    let record = array.as_struct();
    let mut inner = Vec::new();
    let mut columns = Vec::with_capacity(to.len());
    for (name, ty) in to {
        let position = from.iter().position(|(other, _)| other == name);
        columns.push(match position {
            Some(at) => cast_array(record.column(at), &from[at].1, ty, &mut inner)?,
            None => new_null_array(&ty.to_arrow(), array.len()),
        });
    }
    let rows = OffsetBuffer::from_lengths(std::iter::repeat_n(1, array.len()));
    let nulls = nulls_of_failed(record.nulls(), &rows, inner, failures);
    let DataType::Struct(fields) = SqlType::Struct(to.to_vec()).to_arrow() else {
        return Err(Error::internal("a STRUCT column that is no Arrow struct"));
    };
    Ok(Arc::new(StructArray::try_new_with_length(fields, columns, nulls, array.len())?))
}

/// Offsets that start at zero, and the range of the children they speak of.
fn rebase(offsets: &OffsetBuffer<i32>) -> (OffsetBuffer<i32>, usize, usize) {
    let first = offsets.first().copied().unwrap_or(0);
    let last = offsets.last().copied().unwrap_or(0);
    let rebased = if first == 0 {
        offsets.clone()
    } else {
        OffsetBuffer::new(offsets.iter().map(|offset| offset - first).collect::<Vec<_>>().into())
    };
    (rebased, first as usize, (last - first) as usize)
}

/// Nulls the rows whose children failed, and reports each once. Failures under a null parent count for nothing.
fn nulls_of_failed(
    nulls: Option<&NullBuffer>,
    offsets: &OffsetBuffer<i32>,
    mut inner: CastFailures,
    failures: &mut CastFailures,
) -> Option<NullBuffer> {
    if inner.is_empty() {
        return nulls.cloned();
    }
    inner.sort_by_key(|(child, _)| *child);
    let rows = offsets.len() - 1;
    let mut valid: Vec<bool> = (0..rows).map(|row| nulls.is_none_or(|nulls| nulls.is_valid(row))).collect();
    for (child, message) in inner {
        let row = offsets.partition_point(|&offset| offset as usize <= child) - 1;
        if row < rows && std::mem::replace(&mut valid[row], false) {
            failures.push((row, message));
        }
    }
    Some(NullBuffer::new(BooleanBuffer::from(valid)))
}

/// The same column without its nulls: what was null holds whatever value lies in its slot.
fn fill_nulls(keys: &ArrayRef) -> Result<ArrayRef> {
    let data = keys.to_data().into_builder().nulls(None).build()?;
    Ok(datafusion::arrow::array::make_array(data))
}
