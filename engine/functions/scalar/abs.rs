//! `ABS`: the absolute value.

use std::sync::Arc;

use datafusion::arrow::array::types::{Float64Type, Int32Type, Int64Type};
use datafusion::arrow::array::{ArrayRef, ArrowNativeTypeOp, AsArray, PrimitiveArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result as DfResult;

use super::decimals::{self, DecimalFunction};
use crate::functions::declaration::{Category, Declaration, ParamType, Returns, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::types::SqlType;

/// The function. As in Java the smallest INT and BIGINT, which have no positive counterpart, stay as they are.
#[derive(Debug)]
pub struct Abs;

impl ScalarFunction for Abs {
    fn declare(&self) -> Declaration {
        same_type_forms(
            Declaration::scalar(Category::Mathematical, "ABS", "The absolute value of a number."),
            "The number without its sign.",
        )
        .example("ABS(-3)", "3")
        .example("ABS(2.5)", "2.5")
    }

    fn evaluate(&self, call: &Call) -> DfResult<ArrayRef> {
        let input = &call.args[0];
        Ok(match input.data_type() {
            DataType::Int32 => {
                let array: PrimitiveArray<Int32Type> = input.as_primitive::<Int32Type>().unary(i32::wrapping_abs);
                Arc::new(array)
            }
            DataType::Int64 => {
                let array: PrimitiveArray<Int64Type> = input.as_primitive::<Int64Type>().unary(i64::wrapping_abs);
                Arc::new(array)
            }
            DataType::Float64 => {
                let array: PrimitiveArray<Float64Type> = input.as_primitive::<Float64Type>().unary(f64::abs);
                Arc::new(array)
            }
            _ => decimals::map(call, "ABS", self)?,
        })
    }
}

impl DecimalFunction for Abs {
    fn apply<N: ArrowNativeTypeOp>(&self, _: usize, unscaled: N) -> Option<N> {
        Some(if unscaled.is_lt(N::ZERO) { unscaled.neg_wrapping() } else { unscaled })
    }
}

/// Adds a form for each type of number, with a result of the same type.
pub(super) fn same_type_forms(declaration: Declaration, description: &'static str) -> Declaration {
    let form = |ty: SqlType| Variation::new(ty.clone(), description).param("val", ty, "The number.");
    let decimal = Returns::Computed { shown: "DECIMAL", of: |args| args[0].clone() };
    declaration
        .form(form(SqlType::Integer))
        .form(form(SqlType::Bigint))
        .form(form(SqlType::Double))
        .form(Variation::new(decimal, description).param("val", ParamType::Decimal, "The number."))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Decimal128Array, Float64Array, Int32Array, Int64Array};

    use super::*;
    use crate::functions::scalar::testing::call;

    #[test]
    fn every_type_of_number_keeps_its_type() {
        let input = Int32Array::from(vec![Some(-1), None, Some(0), Some(i32::MIN)]);
        let expected = Int32Array::from(vec![Some(1), None, Some(0), Some(i32::MIN)]);
        assert_eq!(call("ABS", vec![Arc::new(input)]).as_primitive::<Int32Type>(), &expected);
        let input = Int64Array::from(vec![-7]);
        assert_eq!(call("ABS", vec![Arc::new(input)]).as_primitive::<Int64Type>().value(0), 7);
        let input = Float64Array::from(vec![-3.1, f64::NEG_INFINITY]);
        let result = call("ABS", vec![Arc::new(input)]);
        assert_eq!(result.as_primitive::<Float64Type>().values()[..], [3.1, f64::INFINITY]);
        let decimal =
            |values: Vec<i128>| Decimal128Array::from(values).with_precision_and_scale(2, 1).expect("digits that fit");
        let result = call("ABS", vec![Arc::new(decimal(vec![-32, 34]))]);
        assert_eq!(result.as_primitive(), &decimal(vec![32, 34]));
    }
}
