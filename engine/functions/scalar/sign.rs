//! `SIGN`: -1, 0 or 1.

use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};

use super::plain::{Plain, primitives};
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::ScalarFunction;
use crate::types::SqlType;

/// The function.
pub fn function() -> Arc<dyn ScalarFunction> {
    let form = |ty: SqlType| {
        Variation::new(SqlType::Integer, "1 above zero, -1 below, 0 at zero and for NaN.").param(
            "value",
            ty,
            "The number.",
        )
    };
    let declaration = Declaration::scalar(Category::Mathematical, "SIGN", "The sign of a number: -1, 0 or 1.")
        .form(form(SqlType::Integer))
        .form(form(SqlType::Bigint))
        .form(form(SqlType::Double))
        .example("SIGN(-3)", "-1");
    Plain::function(declaration, |call| {
        let input = &call.args[0];
        primitives::<Int32Type>(call, "SIGN", |row| {
            if call.null_at(row) {
                return Ok(None);
            }
            Ok(Some(match input.data_type() {
                DataType::Int32 => input.as_primitive::<Int32Type>().value(row).signum(),
                DataType::Int64 => input.as_primitive::<Int64Type>().value(row).signum() as i32,
                _ => {
                    let value = input.as_primitive::<Float64Type>().value(row);
                    i32::from(value > 0.0) - i32::from(value < 0.0)
                }
            }))
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::sql;

    #[test]
    fn signs() {
        sql(&[
            ("SIGN(CAST(NULL AS INT))", "null"),
            ("SIGN(0)", "0"),
            ("SIGN(-0e0)", "0"),
            ("SIGN(CAST(-5 AS BIGINT))", "-1"),
            ("SIGN(2.5)", "1"),
            ("SIGN(SQRT(-1))", "0"),
        ]);
    }
}
