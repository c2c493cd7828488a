//! Equality of arrays, maps and structs. Nulls inside them are equal; the order of a map's entries does not matter.

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, DynComparator, make_comparator};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{Expr, Operator};

use super::{Kernel, call};

/// `left op right` of two expressions of one nested type; `op` is `=`, `<>` or one of `IS [NOT] DISTINCT FROM`.
pub fn comparison(left: Expr, op: Operator, right: Expr) -> Expr {
    call(Comparison { op }, vec![left, right])
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Comparison {
    op: Operator,
}

impl Kernel for Comparison {
    fn name(&self) -> &'static str {
        match self.op {
            Operator::Eq => "nested_eq",
            Operator::NotEq => "nested_not_eq",
            Operator::IsDistinctFrom => "nested_distinct",
            _ => "nested_not_distinct",
        }
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke(&self, args: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let (left, right) = (&args[0], &args[1]);
        let equal = equality(left, right)?;
        let result: BooleanArray = match self.op {
            Operator::Eq | Operator::NotEq => (0..rows)
                .map(|row| (left.is_valid(row) && right.is_valid(row)).then(|| equal(row) == (self.op == Operator::Eq)))
                .collect(),
            Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => (0..rows)
                .map(|row| {
                    let same = match (left.is_valid(row), right.is_valid(row)) {
                        (true, true) => equal(row),
                        (l, r) => l == r,
                    };
                    Some(same == (self.op == Operator::IsNotDistinctFrom))
                })
                .collect(),
            op => return internal_err!("{op} of nested values"),
        };
        Ok(Arc::new(result))
    }
}

/// Whether the two values of a row, neither null, are equal.
fn equality<'a>(left: &'a ArrayRef, right: &'a ArrayRef) -> Result<Box<dyn Fn(usize) -> bool + 'a>> {
    if !matches!(left.data_type(), DataType::Map(..)) {
        let order = make_comparator(left, right, SortOptions::default())?;
        return Ok(Box::new(move |row| order(row, row).is_eq()));
    }
    let (left, right) = (left.as_map(), right.as_map());
    let keys = make_comparator(left.keys(), right.keys(), SortOptions::default())?;
    let values = make_comparator(left.values(), right.values(), SortOptions::default())?;
    let (from, to) = (left.value_offsets(), right.value_offsets());
    Ok(Box::new(move |row| {
        let (l, r) = (from[row] as usize..from[row + 1] as usize, to[row] as usize..to[row + 1] as usize);
        let same = |order: &DynComparator, a, b| order(a, b) == Ordering::Equal;
        l.len() == r.len() && l.into_iter().all(|a| r.clone().any(|b| same(&keys, a, b) && same(&values, a, b)))
    }))
}
