//! Fields of structs, elements of arrays, entries of maps. What is not there is null.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, UInt64Array, make_comparator, new_null_array};
use datafusion::arrow::compute::{SortOptions, is_null, nullif, take};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::Expr;

use super::{Kernel, call};

/// The field of a struct at a position.
pub fn field(base: Expr, position: usize) -> Expr {
    call(Field { position }, vec![base])
}

/// The element of an array at a one-based `BIGINT` position; negative positions count from the end.
pub fn element(base: Expr, index: Expr) -> Expr {
    call(Element, vec![base, index])
}

/// The entry of a map at a key of the map's key type.
pub fn entry(base: Expr, key: Expr) -> Expr {
    call(Entry, vec![base, key])
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Field {
    position: usize,
}

impl Kernel for Field {
    fn name(&self) -> &'static str {
        "field"
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match &args[0] {
            DataType::Struct(fields) => Ok(fields[self.position].data_type().clone()),
            other => internal_err!("a field of {other}"),
        }
    }

    fn invoke(&self, args: &[ArrayRef], _rows: usize) -> Result<ArrayRef> {
        let base = args[0].as_struct();
        let child = base.column(self.position);
        match base.null_count() {
            0 => Ok(child.clone()),
            // The child may hold anything where the struct is null.
            _ => Ok(nullif(child, &is_null(base)?)?),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Element;

impl Kernel for Element {
    fn name(&self) -> &'static str {
        "element"
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match &args[0] {
            DataType::List(item) => Ok(item.data_type().clone()),
            other => internal_err!("an element of {other}"),
        }
    }

    fn invoke(&self, args: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let (list, index) = (args[0].as_list::<i32>(), args[1].as_primitive::<Int64Type>());
        let offsets = list.value_offsets();
        let positions = (0..rows).map(|row| {
            if list.is_null(row) || index.is_null(row) {
                return None;
            }
            let (start, len) = (i64::from(offsets[row]), i64::from(offsets[row + 1] - offsets[row]));
            let index = index.value(row);
            let position = if index >= 0 { index.checked_sub(1)? } else { len.checked_add(index)? };
            (0..len).contains(&position).then(|| (start + position) as u64)
        });
        take_or_null(list.values(), positions.collect())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Entry;

impl Kernel for Entry {
    fn name(&self) -> &'static str {
        "entry"
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match &args[0] {
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) => Ok(fields[1].data_type().clone()),
                other => internal_err!("entries of {other}"),
            },
            other => internal_err!("an entry of {other}"),
        }
    }

    fn invoke(&self, args: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let (map, wanted) = (args[0].as_map(), &args[1]);
        let order = make_comparator(map.keys(), wanted, SortOptions::default())?;
        let offsets = map.value_offsets();
        let positions = (0..rows).map(|row| {
            if map.is_null(row) || wanted.is_null(row) {
                return None;
            }
            // The last of equal keys wins, as when a map is filled in order.
            (offsets[row] as usize..offsets[row + 1] as usize)
                .rev()
                .find(|at| order(*at, row).is_eq())
                .map(|at| at as u64)
        });
        take_or_null(map.values(), positions.collect())
    }
}

fn take_or_null(values: &ArrayRef, positions: UInt64Array) -> Result<ArrayRef> {
    if values.is_empty() {
        return Ok(new_null_array(values.data_type(), positions.len()));
    }
    Ok(take(values, &positions, None)?)
}
