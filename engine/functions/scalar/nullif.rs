//! `NULLIF`: a value, or null when it is equal to another.

use std::sync::Arc;

use datafusion::arrow::array::{Array, BooleanArray};
use datafusion::arrow::compute::nullif;

use super::plain::Plain;
use super::values::write_key;
use crate::functions::declaration::{Category, Declaration, ParamType, Variation};
use crate::functions::kernel::ScalarFunction;

/// The function.
pub fn function() -> Arc<dyn ScalarFunction> {
    const T: ParamType = ParamType::Generic("T");
    let declaration =
        Declaration::scalar(Category::Conditional, "NULLIF", "A value unless it is equal to another.")
            .form(
                Variation::new(T, "NULL when both are equal, else the first.")
                    .param("expression1", T, "The value.")
                    .param("expression2", T, "What it must not be."),
            )
            .example("NULLIF('a', 'b')", "a")
            .example("NULLIF(1, 1)", "null");
    Plain::function(declaration, |call| {
        let (left, right) = (&call.args[0], &call.args[1]);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        let equal: BooleanArray = (0..call.rows)
            .map(|row| {
                a.clear();
                b.clear();
                write_key(left, row, &mut a);
                write_key(right, row, &mut b);
                Some(left.is_valid(row) && a == b)
            })
            .collect();
        Ok(nullif(left, &equal)?)
    })
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::sql;

    #[test]
    fn equal_values_are_null() {
        sql(&[
            ("NULLIF(CAST(NULL AS INT), 1)", "null"),
            ("NULLIF(1, CAST(NULL AS INT))", "1"),
            ("NULLIF(1, CAST(1 AS BIGINT))", "null"),
            ("NULLIF(ARRAY[1], ARRAY[1])", "null"),
            ("NULLIF('a', 'A')", "a"),
        ]);
    }
}
