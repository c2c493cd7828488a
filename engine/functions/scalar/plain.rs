//! Functions that are a declaration and a computation, and columns built row by row.
//!
//! A row's result is a [`Cell`]: a value, null, or the reason why there is none; the latter nulls the row and is reported.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryBuilder, BooleanArray, ListArray, ListBuilder, PrimitiveArray,
    StringBuilder, UInt32Array, new_empty_array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result as DfResult};

use crate::functions::declaration::Declaration;
use crate::functions::kernel::{Call, ScalarFunction};
use crate::functions::row_errors;

type Evaluate = Box<dyn Fn(&Call) -> DfResult<ArrayRef> + Send + Sync>;

/// A function without anything to remember or to prepare.
pub struct Plain {
    declaration: Declaration,
    evaluate: Evaluate,
}

impl Plain {
    /// A function of this declaration that computes columns this way.
    pub fn function(
        declaration: Declaration,
        evaluate: impl Fn(&Call) -> DfResult<ArrayRef> + Send + Sync + 'static,
    ) -> Arc<dyn ScalarFunction> {
        Arc::new(Plain { declaration, evaluate: Box::new(evaluate) })
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Plain").field(&self.declaration.name).finish()
    }
}

impl ScalarFunction for Plain {
    fn declare(&self) -> Declaration {
        self.declaration.clone()
    }

    fn evaluate(&self, call: &Call) -> DfResult<ArrayRef> {
        (self.evaluate)(call)
    }
}

/// The result for one row: a value, null, or why there is none.
pub type Cell<T> = Result<Option<T>, Cow<'static, str>>;

/// A row that has no value, for this reason.
pub fn fail<T>(reason: impl Into<Cow<'static, str>>) -> Cell<T> {
    Err(reason.into())
}

/// Bytes of one column, which Arrow counts with 32 bits. A row that would go beyond has no value.
const BYTES_MAX: usize = i32::MAX as usize;

/// A cell of so many bytes more, unless the column has no room for them.
fn bounded(cell: Cell<()>, total: &mut usize, more: usize) -> Cell<()> {
    match cell {
        Ok(Some(())) if *total + more > BYTES_MAX => fail("the results of a batch exceed 2 GiB"),
        Ok(Some(())) => {
            *total += more;
            Ok(Some(()))
        }
        other => other,
    }
}

/// The value of a cell; a reason is reported under the function's name.
fn settle<T>(call: &Call, name: &str, row: usize, cell: Cell<T>) -> Option<T> {
    cell.unwrap_or_else(|reason| {
        row_errors::report(row, call.rows, || format!("{name}: {reason}"));
        None
    })
}

/// A column of numbers, dates or times, of the type the call returns.
pub fn primitives<T: ArrowPrimitiveType>(
    call: &Call,
    name: &str,
    mut cell: impl FnMut(usize) -> Cell<T::Native>,
) -> DfResult<ArrayRef> {
    let array: PrimitiveArray<T> = (0..call.rows).map(|row| settle(call, name, row, cell(row))).collect();
    Ok(Arc::new(array.with_data_type(call.returns.clone())))
}

/// A column of booleans.
pub fn booleans(call: &Call, name: &str, mut cell: impl FnMut(usize) -> Cell<bool>) -> DfResult<ArrayRef> {
    let array: BooleanArray = (0..call.rows).map(|row| settle(call, name, row, cell(row))).collect();
    Ok(Arc::new(array))
}

/// A column of texts; `cell` appends to an empty buffer.
pub fn strings(call: &Call, name: &str, mut cell: impl FnMut(usize, &mut String) -> Cell<()>) -> DfResult<ArrayRef> {
    let mut column = StringBuilder::with_capacity(call.rows, call.rows * 16);
    let (mut buffer, mut total) = (String::new(), 0);
    for row in 0..call.rows {
        buffer.clear();
        let cell = cell(row, &mut buffer);
        let cell = bounded(cell, &mut total, buffer.len());
        column.append_option(settle(call, name, row, cell).map(|()| buffer.as_str()));
    }
    Ok(Arc::new(column.finish()))
}

/// A column of bytes; `cell` appends to an empty buffer.
pub fn bytes(call: &Call, name: &str, mut cell: impl FnMut(usize, &mut Vec<u8>) -> Cell<()>) -> DfResult<ArrayRef> {
    let mut column = BinaryBuilder::with_capacity(call.rows, call.rows * 16);
    let (mut buffer, mut total) = (Vec::new(), 0);
    for row in 0..call.rows {
        buffer.clear();
        let cell = cell(row, &mut buffer);
        let cell = bounded(cell, &mut total, buffer.len());
        column.append_option(settle(call, name, row, cell).map(|()| buffer.as_slice()));
    }
    Ok(Arc::new(column.finish()))
}

/// A column of arrays of texts; `cell` appends the elements of its row. What a row appended before it failed or turned
/// out null stands in no row.
pub fn string_lists(
    call: &Call,
    name: &str,
    mut cell: impl FnMut(usize, &mut StringBuilder) -> Cell<()>,
) -> DfResult<ArrayRef> {
    let mut column = ListBuilder::new(StringBuilder::new());
    for row in 0..call.rows {
        let cell = cell(row, column.values());
        column.append(settle(call, name, row, cell).is_some());
    }
    Ok(Arc::new(column.finish()))
}

/// A column of arrays whose elements are picked from `values` by position; `cell` appends the positions.
pub fn picked_lists(
    call: &Call,
    name: &str,
    values: &ArrayRef,
    mut cell: impl FnMut(usize, &mut Vec<u32>) -> Cell<()>,
) -> DfResult<ArrayRef> {
    let DataType::List(field) = &call.returns else {
        return Err(DataFusionError::Internal(format!("{name} cannot return {}", call.returns)));
    };
    let (mut picks, mut lengths, mut valid) =
        (Vec::new(), Vec::with_capacity(call.rows), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let start = picks.len();
        let cell = cell(row, &mut picks);
        valid.push(settle(call, name, row, cell).is_some());
        if !valid[row] {
            picks.truncate(start);
        }
        lengths.push(picks.len() - start);
    }
    let elements = if values.is_empty() {
        new_empty_array(values.data_type())
    } else {
        take(values, &UInt32Array::from(picks), None)?
    };
    let nulls = NullBuffer::from(valid);
    let nulls = (nulls.null_count() > 0).then_some(nulls);
    Ok(Arc::new(ListArray::try_new(field.clone(), OffsetBuffer::from_lengths(lengths), elements, nulls)?))
}

/// The positions of a row's elements in the values of a list.
pub fn span(list: &ListArray, row: usize) -> std::ops::Range<usize> {
    let offsets = list.value_offsets();
    offsets[row] as usize..offsets[row + 1] as usize
}

impl Call {
    /// Whether any argument is null at a row.
    pub fn null_at(&self, row: usize) -> bool {
        self.args.iter().any(|arg| arg.is_null(row))
    }
}
