//! `ROUND`: to the nearest number with so many decimals.

use std::sync::Arc;

use datafusion::arrow::array::ArrowNativeTypeOp;

use super::decimals::floor_to;
use super::places::{self, Places, Texts};
use crate::functions::declaration::{Category, Declaration};
use crate::functions::kernel::ScalarFunction;

/// A number halfway between two goes up, that is towards positive infinity, whatever its sign, as with Java's
/// `Math.round`: -1.5 becomes -1.
struct Round;

/// The function.
pub fn function() -> Arc<dyn ScalarFunction> {
    let declaration = Declaration::scalar(Category::Mathematical, Round::NAME, "Rounds a number.")
        .example("ROUND(2.5)", "3")
        .example("ROUND(12345.678e0, 1)", "12345.7")
        .example("ROUND(12345.678, -2)", "12300.000");
    let texts = Texts {
        whole: "The nearest whole number; halfway between two, the larger one.",
        places: "The nearest number with so many decimals; halfway between two, the larger one.",
        decimals: "How many decimals to keep; -1 rounds to tens, -2 to hundreds.",
    };
    places::function::<Round>(declaration, texts)
}

impl Places for Round {
    const NAME: &'static str = "ROUND";

    fn whole(value: f64) -> i64 {
        let floor = value.floor();
        // The difference is exact: it has no more bits than the value has behind its point.
        (if value - floor >= 0.5 { floor + 1.0 } else { floor }) as i64
    }

    fn digits(negative: bool, kept: u64, rest: u64, half: u64) -> u64 {
        let up = if negative { rest > half } else { rest >= half };
        kept + u64::from(up)
    }

    fn multiple<N: ArrowNativeTypeOp>(unscaled: N, unit: N) -> N {
        floor_to(unscaled.add_wrapping(unit.div_wrapping(N::usize_as(2))), unit)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{
        Array, ArrayRef, AsArray, Decimal128Array, Decimal256Array, Float64Array, Int32Array,
    };
    use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float64Type};

    use super::*;
    use crate::functions::row_errors::with_sink;
    use crate::functions::scalar::places::to_places;
    use crate::functions::scalar::testing::{call, resolve};
    use crate::types::SqlType;

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
            assert_eq!(Round::whole(value), expected, "{value}");
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
            assert_eq!(to_places::<Round>(value, places), Some(expected), "{value}, {places}");
        }
        assert!(to_places::<Round>(-0.001, 1).is_some_and(|zero| zero == 0.0 && zero.is_sign_positive()));
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
        let input = Decimal256Array::from(vec![Some(datafusion::arrow::datatypes::i256::from_i128(
            250_000_000_000_000_000_000,
        ))])
        .with_precision_and_scale(50, 20)
        .expect("digits that fit");
        let result = call("ROUND", vec![Arc::new(input)]);
        assert_eq!(result.as_primitive::<Decimal128Type>().value(0), 3);
    }
}
