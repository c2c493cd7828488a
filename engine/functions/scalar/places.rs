//! What functions that give a number with fewer decimals share: `ROUND` and `TRUNC` differ in which number that is.

use std::sync::Arc;

use datafusion::arrow::array::types::{Float64Type, Int32Type, Int64Type};
use datafusion::arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, AsArray, Float64Builder, Int32Array, PrimitiveArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result as DfResult;

use super::decimals::{self, DecimalFunction, power_of_ten};
use super::plain::Plain;
use crate::functions::declaration::{Declaration, ParamType, Returns, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::functions::row_errors;
use crate::types::text::number::exact_f64;
use crate::types::{SqlType, java_double};

/// Which number with fewer decimals stands for one.
pub trait Places: 'static {
    /// The function's name.
    const NAME: &'static str;

    /// A double without decimals; beyond the range of BIGINT the nearest end, and 0 for NaN.
    fn whole(value: f64) -> i64;

    /// The digits that stay of a number: `kept`, or one more. `rest` is what stood behind them; `half` would be half of one.
    fn digits(negative: bool, kept: u64, rest: u64, half: u64) -> u64;

    /// The multiple of `unit` that stands for an unscaled integer.
    fn multiple<N: ArrowNativeTypeOp>(unscaled: N, unit: N) -> N;
}

/// The texts of a function's forms.
pub struct Texts {
    /// What it gives without a number of decimals.
    pub whole: &'static str,
    /// What it gives with one.
    pub places: &'static str,
    /// What the number of decimals says.
    pub decimals: &'static str,
}

/// The function, with the forms that all of them have.
pub fn function<P: Places>(declaration: Declaration, texts: Texts) -> Arc<dyn ScalarFunction> {
    let Texts { whole, places, decimals } = texts;
    let to_whole = |ty: SqlType| Variation::new(SqlType::Bigint, whole).param("val", ty, "The number.");
    let without_decimals = Returns::Computed {
        shown: "DECIMAL",
        of: |args| match &args[0] {
            SqlType::Decimal(precision, scale) => SqlType::Decimal((precision - scale).max(1), 0),
            other => other.clone(),
        },
    };
    let same = Returns::Computed { shown: "DECIMAL", of: |args| args[0].clone() };
    let declaration = declaration
        .form(to_whole(SqlType::Integer))
        .form(to_whole(SqlType::Bigint))
        .form(to_whole(SqlType::Double))
        .form(Variation::new(SqlType::Double, places).param("val", SqlType::Double, "The number.").param(
            "decimalPlaces",
            SqlType::Integer,
            decimals,
        ))
        .form(Variation::new(without_decimals, whole).param("val", ParamType::Decimal, "The number."))
        .form(Variation::new(same, places).param("val", ParamType::Decimal, "The number.").param(
            "decimalPlaces",
            SqlType::Integer,
            decimals,
        ));
    Plain::function(declaration, evaluate::<P>)
}

fn evaluate<P: Places>(call: &Call) -> DfResult<ArrayRef> {
    let input = &call.args[0];
    let places = call.args.get(1).map(|places| places.as_primitive::<Int32Type>());
    Ok(match (input.data_type(), places) {
        (DataType::Int32 | DataType::Int64, _) => cast(input, &DataType::Int64)?,
        (DataType::Float64, None) => {
            let array: PrimitiveArray<Int64Type> = input.as_primitive::<Float64Type>().unary(P::whole);
            Arc::new(array)
        }
        (DataType::Float64, Some(places)) => {
            let values = input.as_primitive::<Float64Type>();
            let mut column = Float64Builder::with_capacity(call.rows);
            for row in 0..call.rows {
                let given = values.is_valid(row) && places.is_valid(row);
                let result = given.then(|| to_places::<P>(values.value(row), places.value(row)));
                if result == Some(None) {
                    row_errors::report(row, call.rows, || format!("{}: the number is not finite", P::NAME));
                }
                column.append_option(result.flatten());
            }
            Arc::new(column.finish())
        }
        (DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale), places) => {
            let function = OfDecimal::<P> { scale: i32::from(*scale), places, of: std::marker::PhantomData };
            decimals::map(call, P::NAME, &function)?
        }
        _ => input.clone(),
    })
}

/// The shortest decimal that stands for a double, with so many places, as Java gets it through `BigDecimal.valueOf`; `None`
/// for what has no digits.
pub fn to_places<P: Places>(value: f64, places: i32) -> Option<f64> {
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
    let kept = P::digits(value < 0.0, kept, rest, half);
    let magnitude = match exact_f64(kept, places.saturating_neg()) {
        Some(magnitude) => magnitude,
        None => format!("{kept}e{}", -i64::from(places)).parse().ok()?,
    };
    // A negative number that vanishes leaves a plain zero, because `BigDecimal` has no other.
    Some(if value < 0.0 && kept > 0 { -magnitude } else { magnitude })
}

struct OfDecimal<'a, P> {
    scale: i32,
    places: Option<&'a Int32Array>,
    of: std::marker::PhantomData<P>,
}

impl<P: Places> DecimalFunction for OfDecimal<'_, P> {
    fn apply<N: ArrowNativeTypeOp>(&self, row: usize, unscaled: N) -> Option<N> {
        let places = match self.places {
            None => 0,
            Some(places) if places.is_null(row) => return None,
            Some(places) => places.value(row),
        };
        let dropped = i64::from(self.scale) - i64::from(places);
        // The digits of the widest decimal in such an integer: 38 in 16 bytes, 76 in 32. In larger units any number is zero.
        let digits = N::get_byte_width() as u32 * 19 / 8;
        let kept = match u32::try_from(dropped) {
            Err(_) if dropped <= 0 => unscaled,
            Ok(0) => unscaled,
            Ok(dropped) if dropped <= digits => P::multiple(unscaled, power_of_ten(dropped)),
            _ => N::ZERO,
        };
        Some(match self.places {
            Some(_) => kept,
            // The result has no decimals.
            None => kept.div_wrapping(power_of_ten(self.scale.unsigned_abs())),
        })
    }
}
