//! `ROUND`: to the nearest number with so many decimals.

use std::sync::Arc;

use datafusion::arrow::array::types::{Float64Type, Int32Type, Int64Type};
use datafusion::arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, AsArray, Float64Builder, Int32Array, PrimitiveArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result as DfResult;

use super::decimals::{self, DecimalFunction, floor_to, power_of_ten};
use crate::functions::declaration::{Category, Declaration, ParamType, Returns, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::functions::row_errors;
use crate::types::text::number::exact_f64;
use crate::types::{SqlType, java_double};

/// The function. A number halfway between two goes up, that is towards positive infinity, whatever its sign, as with
/// Java's `Math.round`: -1.5 becomes -1.
#[derive(Debug)]
pub struct Round;

impl ScalarFunction for Round {
    fn declare(&self) -> Declaration {
        const WHOLE: &str = "The nearest whole number; halfway between two, the larger one.";
        const PLACES: &str = "The nearest number with so many decimals; halfway between two, the larger one.";
        const DECIMALS: &str = "How many decimals to keep; -1 rounds to tens, -2 to hundreds.";
        let whole = |ty: SqlType| Variation::new(SqlType::Bigint, WHOLE).param("val", ty, "The number.");
        Declaration::scalar(Category::Mathematical, "ROUND", "Rounds a number.")
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
            .example("ROUND(2.5)", "3")
            .example("ROUND(12345.678e0, 1)", "12345.7")
            .example("ROUND(12345.678, -2)", "12300.000")
    }

    fn evaluate(&self, call: &Call) -> DfResult<ArrayRef> {
        let input = &call.args[0];
        let places = call.args.get(1).map(|places| places.as_primitive::<Int32Type>());
        Ok(match (input.data_type(), places) {
            (DataType::Int32 | DataType::Int64, _) => cast(input, &DataType::Int64)?,
            (DataType::Float64, None) => {
                let array: PrimitiveArray<Int64Type> = input.as_primitive::<Float64Type>().unary(round_to_whole);
                Arc::new(array)
            }
            (DataType::Float64, Some(places)) => {
                let values = input.as_primitive::<Float64Type>();
                let mut column = Float64Builder::with_capacity(call.rows);
                for row in 0..call.rows {
                    let given = values.is_valid(row) && places.is_valid(row);
                    let result = given.then(|| round_to_places(values.value(row), places.value(row)));
                    if result == Some(None) {
                        row_errors::report(row, call.rows, || "ROUND: the number is not finite".into());
                    }
                    column.append_option(result.flatten());
                }
                Arc::new(column.finish())
            }
            (DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale), places) => {
                decimals::map(call, "ROUND", &ToPlaces { scale: i32::from(*scale), places })?
            }
            _ => input.clone(),
        })
    }
}

/// `Math.round`: exact, beyond the range of BIGINT the nearest end, and 0 for NaN.
fn round_to_whole(value: f64) -> i64 {
    let floor = value.floor();
    // The difference is exact: it has no more bits than the value has behind its point.
    (if value - floor >= 0.5 { floor + 1.0 } else { floor }) as i64
}

/// Rounds the shortest decimal that stands for a double, as Java does through `BigDecimal.valueOf`; `None` for what has
/// no digits.
fn round_to_places(value: f64, places: i32) -> Option<f64> {
    if !value.is_finite() {
        return None;
    }
    if value == 0.0 {
        return Some(0.0);
    }
    let (digits, exponent) = java_double::shortest_digits(value.abs());
    // Digits behind the last one that is kept.
    let dropped = -i64::from(exponent) - i64::from(places);
    if dropped <= 0 {
        return Some(value);
    }
    // A double has at most 17 digits.
    let (kept, rest, half) = match u32::try_from(dropped) {
        Ok(dropped @ ..=18) => {
            let unit = 10_u64.pow(dropped);
            (digits / unit, digits % unit, unit / 2)
        }
        _ => (0, 0, 1),
    };
    let up = if value > 0.0 { rest >= half } else { rest > half };
    let rounded = kept + u64::from(up);
    let magnitude = match exact_f64(rounded, places.saturating_neg()) {
        Some(magnitude) => magnitude,
        None => format!("{rounded}e{}", -i64::from(places)).parse().ok()?,
    };
    // A negative number that vanishes leaves a plain zero, because `BigDecimal` has no other.
    Some(if value < 0.0 && rounded > 0 { -magnitude } else { magnitude })
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
        // The digits of the widest decimal in such an integer: 38 in 16 bytes, 76 in 32. Any number rounds to zero in
        // larger units.
        let digits = N::get_byte_width() as u32 * 19 / 8;
        let rounded = match u32::try_from(dropped) {
            Err(_) if dropped <= 0 => unscaled,
            Ok(0) => unscaled,
            Ok(dropped) if dropped <= digits => {
                let unit: N = power_of_ten(dropped);
                let half = unit.div_wrapping(N::usize_as(2));
                floor_to(unscaled.add_wrapping(half), unit)
            }
            _ => N::ZERO,
        };
        Some(match self.places {
            Some(_) => rounded,
            // The result has no decimals.
            None => rounded.div_wrapping(power_of_ten(self.scale.unsigned_abs())),
        })
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Decimal128Array, Float64Array};
    use datafusion::arrow::datatypes::Decimal128Type;

    use super::*;
    use crate::functions::row_errors::with_sink;
    use crate::functions::scalar::testing::{call, resolve};

    #[test]
    fn halves_go_up_whatever_the_sign() {
        for (value, expected) in [
            (1.5, 2),
            (-1.5, -1),
            (-1.51, -2),
            (0.49999999999999994, 0),
            (2.5, 3),
            (f64::NAN, 0),
            (1e300, i64::MAX),
            (f64::NEG_INFINITY, i64::MIN),
            (4503599627370497.0, 4503599627370497),
        ] {
            assert_eq!(round_to_whole(value), expected, "{value}");
        }
    }

    #[test]
    fn places_count_decimals_of_the_shortest_text() {
        for (value, places, expected) in [
            (12345.678, 1, 12345.7),
            (12345.678, 0, 12346.0),
            (12345.678, -1, 12350.0),
            (-12345.678, -2, -12300.0),
            (1.005, 2, 1.01),
            (-1.005, 2, -1.0),
            (-1.5, 0, -1.0),
            (1.234567, 10, 1.234567),
            (1.2, -1, 0.0),
            (5.0, -1, 10.0),
            (-5.0, -1, 0.0),
            (9.99, 1, 10.0),
            (1e300, -299, 1e300),
            (1e-300, 2, 0.0),
            (1.0, i32::MIN, 0.0),
            (1.0, i32::MAX, 1.0),
        ] {
            assert_eq!(round_to_places(value, places), Some(expected), "{value}, {places}");
        }
        assert!(round_to_places(-0.001, 1).is_some_and(|zero| zero == 0.0 && zero.is_sign_positive()));
    }

    #[test]
    fn null_stays_null_and_what_has_no_digits_is_reported() {
        let values = Float64Array::from(vec![Some(1.26), None, Some(f64::NAN), Some(1.0)]);
        let places = Int32Array::from(vec![Some(1), Some(1), Some(1), None]);
        let (result, errors) = with_sink(4, || call("ROUND", vec![Arc::new(values), Arc::new(places)]));
        let result: Vec<Option<f64>> = result.as_primitive::<Float64Type>().iter().collect();
        assert_eq!(result, [Some(1.3), None, None, None]);
        assert_eq!(errors.iter().map(|error| error.row).collect::<Vec<_>>(), [Some(2)]);
    }

    #[test]
    fn decimals_lose_their_places_or_keep_their_type() {
        let input: ArrayRef = Arc::new(
            Decimal128Array::from(vec![Some(12355), Some(-12350), None, Some(99999)])
                .with_precision_and_scale(5, 2)
                .expect("digits that fit"),
        );
        let (whole, errors) = with_sink(4, || call("ROUND", vec![input.clone()]));
        assert_eq!(whole.data_type(), &DataType::Decimal128(3, 0));
        let whole: Vec<Option<i128>> = whole.as_primitive::<Decimal128Type>().iter().collect();
        assert_eq!(whole, [Some(124), Some(-123), None, None]);
        assert_eq!(errors[0].message, "ROUND: the result does not fit in DECIMAL(3, 0)");
        let places = Int32Array::from(vec![1, 1, 1, 5]);
        let result = call("ROUND", vec![input.clone(), Arc::new(places)]);
        let result: Vec<Option<i128>> = result.as_primitive::<Decimal128Type>().iter().collect();
        assert_eq!(result, [Some(12360), Some(-12350), None, Some(99999)]);
        let tens = call("ROUND", vec![input, Arc::new(Int32Array::from(vec![-1, -9, -1, i32::MIN]))]);
        let tens: Vec<Option<i128>> = tens.as_primitive::<Decimal128Type>().iter().collect();
        assert_eq!(tens, [Some(12000), Some(0), None, Some(0)]);
    }

    #[test]
    fn wide_decimals_may_become_narrow() {
        let resolved = resolve("ROUND", &[Some(SqlType::Decimal(50, 20))]);
        assert_eq!(resolved.return_type, SqlType::Decimal(30, 0));
        let input = datafusion::arrow::array::Decimal256Array::from(vec![Some(
            datafusion::arrow::datatypes::i256::from_i128(250_000_000_000_000_000_000),
        )])
        .with_precision_and_scale(50, 20)
        .expect("digits that fit");
        let result = call("ROUND", vec![Arc::new(input)]);
        assert_eq!(result.as_primitive::<Decimal128Type>().value(0), 3);
    }
}
