//! Constructors: `ARRAY[...]`, `MAP(...)`, `STRUCT(...)`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, ListArray, MapArray, StructArray, make_comparator};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{SortOptions, interleave};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::Expr;

use super::{Kernel, call};
use crate::functions::{map_keys, row_errors};
use crate::types::SqlType;

/// An array of expressions of its element type. There is at least one.
pub fn array(items: Vec<Expr>, ty: &SqlType) -> Expr {
    call(Construct { ty: ty.to_arrow() }, items)
}

/// A map of expressions: key, value, key, value. There is at least one of each.
pub fn map(parts: Vec<Expr>, ty: &SqlType) -> Expr {
    call(Construct { ty: ty.to_arrow() }, parts)
}

/// A struct of expressions of its fields' types.
pub fn structure(fields: Vec<Expr>, ty: &SqlType) -> Expr {
    call(Construct { ty: ty.to_arrow() }, fields)
}

/// The names of the constructors.
pub const NAMES: [&str; 3] = [ARRAY, MAP, STRUCT];

const ARRAY: &str = "array";
const MAP: &str = "map";
const STRUCT: &str = "struct";

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Construct {
    ty: DataType,
}

impl Kernel for Construct {
    fn name(&self) -> &'static str {
        match self.ty {
            DataType::List(_) => ARRAY,
            DataType::Map(..) => MAP,
            _ => STRUCT,
        }
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(self.ty.clone())
    }

    fn invoke(&self, args: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        match &self.ty {
            DataType::Struct(fields) if fields.is_empty() => Ok(Arc::new(StructArray::new_empty_fields(rows, None))),
            DataType::Struct(fields) => Ok(Arc::new(StructArray::try_new(fields.clone(), args.to_vec(), None)?)),
            DataType::List(item) => {
                let columns: Vec<&dyn Array> = args.iter().map(AsRef::as_ref).collect();
                let order: Vec<(usize, usize)> =
                    (0..rows).flat_map(|row| (0..args.len()).map(move |column| (column, row))).collect();
                let values = interleave(&columns, &order)?;
                let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(args.len(), rows));
                Ok(Arc::new(ListArray::try_new(item.clone(), offsets, values, None)?))
            }
            DataType::Map(entries, _) => {
                let keys: Vec<ArrayRef> = args.iter().step_by(2).map(map_keys).collect();
                let keys: Vec<&dyn Array> = keys.iter().map(AsRef::as_ref).collect();
                let values: Vec<&dyn Array> = args.iter().skip(1).step_by(2).map(AsRef::as_ref).collect();
                let DataType::Struct(fields) = entries.data_type() else {
                    return internal_err!("map entries are {}", entries.data_type());
                };
                let (order, lengths, valid) = entries_of(&keys, rows)?;
                let columns = vec![interleave(&keys, &order)?, interleave(&values, &order)?];
                let columns = StructArray::try_new(fields.clone(), columns, None)?;
                let offsets = OffsetBuffer::from_lengths(lengths);
                Ok(Arc::new(MapArray::try_new(entries.clone(), offsets, columns, valid, false)?))
            }
            other => internal_err!("constructor of {other}"),
        }
    }
}

type Entries = (Vec<(usize, usize)>, Vec<usize>, Option<NullBuffer>);

/// Which entries each row's map has: of equal keys the last one. A null key that is no text nulls the row and is reported.
fn entries_of(keys: &[&dyn Array], rows: usize) -> Result<Entries> {
    let mut orders = Vec::with_capacity(keys.len() * keys.len() / 2);
    for (i, key) in keys.iter().enumerate() {
        for later in &keys[i + 1..] {
            orders.push((i, make_comparator(*key, *later, SortOptions::default())?));
        }
    }
    let mut order = Vec::with_capacity(rows * keys.len());
    let mut lengths = Vec::with_capacity(rows);
    let mut valid = Vec::with_capacity(rows);
    for row in 0..rows {
        let start = order.len();
        valid.push(keys.iter().all(|key| key.is_valid(row)));
        if valid[row] {
            let repeated = |i: usize| orders.iter().any(|(key, order)| *key == i && order(row, row).is_eq());
            order.extend((0..keys.len()).filter(|i| !repeated(*i)).map(|i| (i, row)));
        } else {
            row_errors::report(row, rows, || "a key of a map is NULL".to_string());
        }
        lengths.push(order.len() - start);
    }
    let nulls = NullBuffer::from(valid);
    Ok((order, lengths, (nulls.null_count() > 0).then_some(nulls)))
}
