//! `GREATEST` and `LEAST`: of several values, those that are NULL left out.

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::arrow::array::new_null_array;
use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::compute::{cast, interleave};
use datafusion::common::{DataFusionError, Result as DfResult};

use super::plain::Plain;
use super::values;
use crate::functions::declaration::{Category, Declaration, ParamType, Returns, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::types::SqlType;
use crate::types::cast::widen;

/// Both functions.
pub fn functions() -> Vec<Arc<dyn ScalarFunction>> {
    vec![
        Plain::function(
            declare("GREATEST", "The greatest of several values.", "The greatest value; NULL only when all are.")
                .example("GREATEST(3, NULL, 7)", "7"),
            |call| extreme(call, Ordering::Greater),
        ),
        Plain::function(
            declare("LEAST", "The least of several values.", "The least value; NULL only when all are.")
                .example("LEAST('b', 'a', NULL)", "a"),
            |call| extreme(call, Ordering::Less),
        ),
    ]
}

fn declare(name: &'static str, what: &'static str, form: &'static str) -> Declaration {
    let variation = |returns: Returns, ty: ParamType| {
        Variation::new(returns, form)
            .param("value", ty.clone(), "A value.")
            .param("others", ty, "More values.")
            .repeated()
    };
    let mut declaration = Declaration::scalar(Category::Mathematical, name, what);
    for ty in [
        SqlType::Integer,
        SqlType::Bigint,
        SqlType::Double,
        SqlType::String,
        SqlType::Bytes,
        SqlType::Date,
        SqlType::Time,
        SqlType::Timestamp,
    ] {
        declaration = declaration.form(variation(Returns::from(ty.clone()), ParamType::Exact(ty)));
    }
    let decimal = Returns::Computed {
        shown: "DECIMAL",
        of: |args| args.iter().cloned().reduce(|a, b| widen(&a, &b).unwrap_or(a)).unwrap_or(SqlType::Decimal(38, 10)),
    };
    declaration.form(variation(decimal, ParamType::Decimal))
}

fn extreme(call: &Call, wanted: Ordering) -> DfResult<ArrayRef> {
    let mut best = cast(&call.args[0], &call.returns)?;
    for other in &call.args[1..] {
        let other = cast(other, &call.returns)?;
        best = better(&best, &other, wanted)?;
    }
    Ok(best)
}

/// Row by row the better of two columns of one type.
fn better(left: &ArrayRef, right: &ArrayRef, wanted: Ordering) -> DfResult<ArrayRef> {
    if left.is_empty() {
        return Ok(new_null_array(left.data_type(), 0));
    }
    let order =
        values::order(left, right)?.ok_or_else(|| DataFusionError::Internal("values without an order".into()))?;
    let picks: Vec<(usize, usize)> = (0..left.len())
        .map(|row| {
            let right_wins = right.is_valid(row) && (left.is_null(row) || order(row, row) == wanted.reverse());
            (usize::from(right_wins), row)
        })
        .collect();
    Ok(interleave(&[left, right], &picks)?)
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::{sql, sql_error};

    #[test]
    fn nulls_are_left_out_unless_there_is_nothing_else() {
        sql(&[
            ("GREATEST(CAST(NULL AS INT), NULL)", "null"),
            ("LEAST(CAST(NULL AS STRING), 'b')", "b"),
            ("GREATEST(1)", "1"),
        ]);
    }

    #[test]
    fn the_types_meet() {
        sql(&[
            ("GREATEST(1, 2.5e0)", "2.5"),
            ("GREATEST(1.25, 1.3)", "1.30"),
            ("LEAST(CAST('2020-01-02' AS DATE), '2020-01-01')", "2020-01-01"),
            ("GREATEST('apple', 'banana', 'aardvark')", "banana"),
            ("LEAST(-1, 5, 3)", "-1"),
            ("GREATEST(SQRT(-1), 5, 1e300)", "NaN"),
            ("LEAST(0e0, -0e0)", "-0.0"),
            ("GREATEST(TO_BYTES('ff', 'hex'), TO_BYTES('7f', 'hex'))", "fw=="),
        ]);
    }

    #[test]
    fn types_that_do_not_meet_are_refused() {
        assert!(sql_error("GREATEST('a', 1)").contains("does not take"));
        assert!(sql_error("LEAST(ARRAY[1], ARRAY[2])").contains("does not take"));
        assert!(sql_error("GREATEST(1, 5000000000)").contains("more than one form"));
        assert!(sql_error("LEAST(1, 2.5)").contains("more than one form"));
        assert!(sql_error("GREATEST(NULL, NULL)").contains("more than one form"));
        assert!(sql_error("LEAST()").contains("does not take"));
    }
}
