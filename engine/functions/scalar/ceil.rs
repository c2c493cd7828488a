//! `CEIL`: the next whole number upwards.

use std::sync::Arc;

use datafusion::arrow::array::types::Float64Type;
use datafusion::arrow::array::{ArrayRef, ArrowNativeTypeOp, AsArray, PrimitiveArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result as DfResult;

use super::abs::same_type_forms;
use super::decimals::{self, DecimalFunction, floor_to, power_of_ten};
use crate::functions::declaration::{Category, Declaration};
use crate::functions::kernel::{Call, ScalarFunction};

/// The function. A DECIMAL keeps its type, so that `CEIL` of 9.9 as DECIMAL(2, 1) has no room.
#[derive(Debug)]
pub struct Ceil;

impl ScalarFunction for Ceil {
    fn declare(&self) -> Declaration {
        same_type_forms(
            Declaration::scalar(
                Category::Mathematical,
                "CEIL",
                "The smallest whole number that is not below a number; the type stays the same.",
            ),
            "The number rounded up.",
        )
        .example("CEIL(1.2)", "2.0")
        .example("CEIL(-1.7)", "-1.0")
    }

    fn evaluate(&self, call: &Call) -> DfResult<ArrayRef> {
        let input = &call.args[0];
        Ok(match input.data_type() {
            DataType::Int32 | DataType::Int64 => input.clone(),
            DataType::Float64 => {
                let array: PrimitiveArray<Float64Type> = input.as_primitive::<Float64Type>().unary(f64::ceil);
                Arc::new(array)
            }
            DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => {
                decimals::map(call, "CEIL", &Upwards { scale: scale.unsigned_abs().into() })?
            }
            _ => input.clone(),
        })
    }
}

struct Upwards {
    scale: u32,
}

impl DecimalFunction for Upwards {
    fn apply<N: ArrowNativeTypeOp>(&self, _: usize, unscaled: N) -> Option<N> {
        // Up is down for the number with the opposite sign.
        Some(floor_to(unscaled.neg_wrapping(), power_of_ten(self.scale)).neg_wrapping())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Decimal128Array, Float64Array, Int32Array};
    use datafusion::arrow::datatypes::{Decimal128Type, Int32Type};

    use super::*;
    use crate::functions::row_errors::with_sink;
    use crate::functions::scalar::testing::call;

    #[test]
    fn numbers_go_up_to_the_next_whole_one() {
        let input = Float64Array::from(vec![Some(1.2), Some(-1.7), Some(3.0), None]);
        let expected = Float64Array::from(vec![Some(2.0), Some(-1.0), Some(3.0), None]);
        assert_eq!(call("CEIL", vec![Arc::new(input)]).as_primitive::<Float64Type>(), &expected);
        let whole = Int32Array::from(vec![Some(-7), None]);
        assert_eq!(call("CEIL", vec![Arc::new(whole.clone())]).as_primitive::<Int32Type>(), &whole);
    }

    #[test]
    fn a_decimal_that_outgrows_its_type_is_null_and_reported() {
        let input = Decimal128Array::from(vec![-19, 11, 20, 99]).with_precision_and_scale(2, 1).expect("it fits");
        let (result, errors) = with_sink(4, || call("CEIL", vec![Arc::new(input)]));
        let result: Vec<Option<i128>> = result.as_primitive::<Decimal128Type>().iter().collect();
        assert_eq!(result, [Some(-10), Some(20), Some(20), None]);
        assert_eq!((errors.len(), errors[0].row), (1, Some(3)));
        assert_eq!(errors[0].message, "CEIL: the result does not fit in DECIMAL(2, 1)");
    }
}
