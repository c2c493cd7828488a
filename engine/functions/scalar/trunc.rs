//! `TRUNC`: toward zero, with so many decimals.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, AsArray, Int32Array, PrimitiveArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};

use super::decimals::{self, DecimalFunction, power_of_ten};
use super::plain::{Plain, fail, primitives};
use crate::functions::declaration::{Category, Declaration, ParamType, Returns, Variation};
use crate::functions::kernel::ScalarFunction;
use crate::types::text::number::exact_f64;
use crate::types::{SqlType, java_double};

/// The function.
pub fn function() -> Arc<dyn ScalarFunction> {
    const WHOLE: &str = "The number without its decimals.";
    const PLACES: &str = "The number with so many decimals, the others cut off.";
    const DECIMALS: &str = "How many decimals to keep; -1 keeps tens, -2 hundreds.";
    let whole = |ty: SqlType| Variation::new(SqlType::Bigint, WHOLE).param("val", ty, "The number.");
    let declaration = Declaration::scalar(Category::Mathematical, "TRUNC", "Cuts decimals off.")
        .form(whole(SqlType::Integer))
        .form(whole(SqlType::Bigint))
        .form(whole(SqlType::Double))
        .form(Variation::new(SqlType::Double, PLACES).param("val", SqlType::Double, "The number.").param(
            "decimalPlaces",
            SqlType::Integer,
            DECIMALS,
        ))
        .form(
            Variation::new(
                Returns::Computed {
                    shown: "DECIMAL",
                    of: |args| match &args[0] {
                        SqlType::Decimal(precision, scale) => SqlType::Decimal((precision - scale).max(1), 0),
                        other => other.clone(),
                    },
                },
                WHOLE,
            )
            .param("val", ParamType::Decimal, "The number."),
        )
        .form(
            Variation::new(Returns::Computed { shown: "DECIMAL", of: |args| args[0].clone() }, PLACES)
                .param("val", ParamType::Decimal, "The number.")
                .param("decimalPlaces", SqlType::Integer, DECIMALS),
        )
        .example("TRUNC(2.7e0)", "2")
        .example("TRUNC(-12345.678, 1)", "-12345.600");
    Plain::function(declaration, |call| {
        let input = &call.args[0];
        let places = call.args.get(1).map(|places| places.as_primitive::<Int32Type>());
        Ok(match (input.data_type(), places) {
            (DataType::Int32 | DataType::Int64, _) => cast(input, &DataType::Int64)?,
            (DataType::Float64, None) => {
                let array: PrimitiveArray<Int64Type> = input.as_primitive::<Float64Type>().unary(|value| value as i64);
                Arc::new(array) as ArrayRef
            }
            (DataType::Float64, Some(places)) => {
                let values = input.as_primitive::<Float64Type>();
                primitives::<Float64Type>(call, "TRUNC", |row| {
                    if call.null_at(row) {
                        return Ok(None);
                    }
                    match cut(values.value(row), places.value(row)) {
                        None => fail("the number is not finite"),
                        some => Ok(some),
                    }
                })?
            }
            (DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale), places) => {
                decimals::map(call, "TRUNC", &ToPlaces { scale: i32::from(*scale), places })?
            }
            _ => input.clone(),
        })
    })
}

/// Cuts the shortest decimal that stands for a double; `None` for what has no digits.
fn cut(value: f64, places: i32) -> Option<f64> {
    if !value.is_finite() {
        return None;
    }
    if value == 0.0 {
        return Some(0.0);
    }
    let (digits, exponent) = java_double::shortest_digits(value.abs());
    let dropped = -i64::from(exponent) - i64::from(places);
    if dropped <= 0 {
        return Some(value);
    }
    // A double has at most 17 digits.
    let kept = match u32::try_from(dropped) {
        Ok(dropped @ ..=18) => digits / 10_u64.pow(dropped),
        _ => 0,
    };
    let magnitude = match exact_f64(kept, places.saturating_neg()) {
        Some(magnitude) => magnitude,
        None => format!("{kept}e{}", -i64::from(places)).parse().ok()?,
    };
    Some(if value < 0.0 && kept > 0 { -magnitude } else { magnitude })
}

struct ToPlaces<'a> {
    scale: i32,
    places: Option<&'a Int32Array>,
}

impl DecimalFunction for ToPlaces<'_> {
    fn apply<N: ArrowNativeTypeOp>(&self, row: usize, unscaled: N) -> Option<N> {
        let places = match self.places {
            None => 0,
            Some(places) if places.is_null(row) => return None,
            Some(places) => places.value(row),
        };
        let dropped = i64::from(self.scale) - i64::from(places);
        // The digits of the widest decimal in such an integer: 38 in 16 bytes, 76 in 32.
        let digits = N::get_byte_width() as u32 * 19 / 8;
        let kept = match u32::try_from(dropped) {
            Err(_) if dropped <= 0 => unscaled,
            Ok(0) => unscaled,
            Ok(dropped) if dropped <= digits => unscaled.sub_wrapping(unscaled.mod_wrapping(power_of_ten(dropped))),
            _ => N::ZERO,
        };
        Some(match self.places {
            Some(_) => kept,
            // The result has no decimals.
            None => kept.div_wrapping(power_of_ten(self.scale.unsigned_abs())),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::sql;

    #[test]
    fn numbers_are_cut_toward_zero() {
        sql(&[
            ("TRUNC(CAST(NULL AS DOUBLE))", "null"),
            ("TRUNC(1.9e0, CAST(NULL AS INT))", "null"),
            ("TRUNC(-1.9e0)", "-1"),
            ("TRUNC(5)", "5"),
            ("TRUNC(1.999e0, 2)", "1.99"),
            ("TRUNC(-1.999e0, 2)", "-1.99"),
            ("TRUNC(1234.5e0, -2)", "1200.0"),
            ("TRUNC(12e0, -2)", "0.0"),
            ("TRUNC(SQRT(-1), 2)", "null"),
            ("TRUNC(-1.99)", "-1"),
            ("TRUNC(1.99, 1)", "1.90"),
            ("TRUNC(199.99, -2)", "100.00"),
            ("TRUNC(1.99, 9)", "1.99"),
        ]);
    }
}
