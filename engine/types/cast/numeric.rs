//! Casts between numbers where decimals take part.

use std::fmt::Write;
use std::sync::Arc;

use datafusion::arrow::array::types::{Decimal128Type, Decimal256Type, DecimalType, Float64Type, Int32Type, Int64Type};
use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, PrimitiveBuilder};
use datafusion::arrow::datatypes::i256;

use super::CastFailures;
use crate::error::{Error, Result};
use crate::types::SqlType;
use crate::types::text::decimal::{self, DecimalError, Rounding, Unscaled};

/// Any number as `DECIMAL(precision, scale)`, rounded half up.
pub(super) fn to_decimal(
    array: &ArrayRef,
    from: &SqlType,
    precision: u8,
    scale: u8,
    failures: &mut CastFailures,
) -> Result<ArrayRef> {
    if precision <= 38 {
        build::<Decimal128Type>(array, from, precision, scale, failures)
    } else {
        build::<Decimal256Type>(array, from, precision, scale, failures)
    }
}

fn build<T>(array: &ArrayRef, from: &SqlType, precision: u8, scale: u8, failures: &mut CastFailures) -> Result<ArrayRef>
where
    T: DecimalType + ArrowPrimitiveType<Native: Unscaled>,
{
    let mut builder =
        PrimitiveBuilder::<T>::with_capacity(array.len()).with_data_type(T::TYPE_CONSTRUCTOR(precision, scale as i8));
    // One scratch buffer for all rows: numbers go through their decimal digits.
    let mut digits: Vec<u8> = Vec::with_capacity(64);
    let mut text = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.append_null();
            continue;
        }
        digits.clear();
        match from {
            SqlType::Integer => i128::from(array.as_primitive::<Int32Type>().value(row)).write_digits(&mut digits),
            SqlType::Bigint => i128::from(array.as_primitive::<Int64Type>().value(row)).write_digits(&mut digits),
            SqlType::Double => {
                round_to_precision(array.as_primitive::<Float64Type>().value(row), precision, &mut text, &mut digits)
            }
            SqlType::Decimal(wide, from_scale) if *wide > 38 => {
                decimal::write(array.as_primitive::<Decimal256Type>().value(row), *from_scale, &mut digits)
            }
            SqlType::Decimal(_, from_scale) => {
                decimal::write(array.as_primitive::<Decimal128Type>().value(row), *from_scale, &mut digits)
            }
            _ => return Err(Error::internal(format!("cast of {from} to a decimal"))),
        }
        match decimal::parse::<T::Native>(&digits, precision, scale, Rounding::HalfUp) {
            Ok(value) => builder.append_value(value),
            Err(error) => {
                builder.append_null();
                failures.push((row, describe(error, precision, scale)));
            }
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// The failure text of a number that is no `DECIMAL(precision, scale)`.
pub(super) fn describe(error: DecimalError, precision: u8, scale: u8) -> String {
    format!("the number {} for DECIMAL({precision}, {scale})", error.reason())
}

/// Appends the exact value of a double, rounded half up to `precision` significant digits, as Java's
/// `new BigDecimal(double, new MathContext(precision))` makes it. NaN and infinities come out as no number.
fn round_to_precision(value: f64, precision: u8, text: &mut String, out: &mut Vec<u8>) {
    let precision = usize::from(precision);
    text.clear();
    // Writing to a string cannot fail. Forty digits beyond the precision decide nearly always; a run of exactly
    // `5000…` needs all digits of the double, of which there are at most 767.
    let _ = write!(text, "{value:.*e}", precision + 40);
    let Some(exponent_at) = text.find('e') else {
        out.extend_from_slice(text.as_bytes());
        return;
    };
    let tie = |text: &str, end: usize| {
        let beyond = text[..end].bytes().filter(u8::is_ascii_digit).skip(precision);
        beyond.enumerate().all(|(i, digit)| digit == if i == 0 { b'5' } else { b'0' })
    };
    let mut end = exponent_at;
    if tie(text, end) {
        text.clear();
        let _ = write!(text, "{value:.800e}");
        end = text.find('e').unwrap_or(text.len());
    }
    let start = out.len();
    let mut digits = text[..end].bytes().filter(u8::is_ascii_digit);
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let first = out.len();
    out.extend(digits.by_ref().take(precision));
    let mut exponent: i32 = text[end..].strip_prefix('e').and_then(|power| power.parse().ok()).unwrap_or(0);
    if digits.next().is_some_and(|digit| digit >= b'5') {
        // Carry through trailing nines.
        let mut at = out.len();
        loop {
            if at == first {
                out.insert(first, b'1');
                out.pop();
                exponent += 1;
                break;
            }
            at -= 1;
            if out[at] == b'9' {
                out[at] = b'0';
            } else {
                out[at] += 1;
                break;
            }
        }
    }
    debug_assert!(out.len() > start);
    out.insert(first + 1, b'.');
    out.push(b'e');
    out.extend_from_slice(itoa::Buffer::new().format(exponent).as_bytes());
}

/// A decimal as another kind of number: to integers towards zero with wrap-around, to a double correctly rounded.
pub(super) fn from_decimal<T>(array: &PrimitiveArray<T>, scale: u8, to: &SqlType) -> Result<ArrayRef>
where
    T: DecimalType + ArrowPrimitiveType<Native: Unscaled + Whole>,
{
    Ok(match to {
        SqlType::Integer => Arc::new(array.unary::<_, Int32Type>(|value| value.whole_part(scale) as i32)),
        SqlType::Bigint => Arc::new(array.unary::<_, Int64Type>(|value| value.whole_part(scale))),
        SqlType::Double => {
            let mut digits: Vec<u8> = Vec::with_capacity(64);
            let mut double = |value: &T::Native| {
                digits.clear();
                decimal::write(*value, scale, &mut digits);
                // A decimal's plain text is always a number.
                crate::types::text::number::parse_f64(&digits).unwrap_or(f64::NAN)
            };
            let values: Vec<f64> = array.values().iter().map(&mut double).collect();
            Arc::new(PrimitiveArray::<Float64Type>::new(values.into(), array.nulls().cloned()))
        }
        _ => return Err(Error::internal(format!("cast of a decimal to {to}"))),
    })
}

/// The low 64 bits of the whole part, truncated towards zero.
pub(super) trait Whole {
    fn whole_part(self, scale: u8) -> i64;
}

impl Whole for i128 {
    fn whole_part(self, scale: u8) -> i64 {
        // A scale beyond 38 digits leaves no whole part.
        10i128.checked_pow(u32::from(scale)).map_or(0, |unit| (self / unit) as i64)
    }
}

impl Whole for i256 {
    fn whole_part(self, scale: u8) -> i64 {
        let unit = i256::from_i128(10).checked_pow(u32::from(scale)).unwrap_or(i256::MAX);
        self.wrapping_div(unit).to_parts().0 as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(value: f64, precision: u8) -> String {
        let (mut text, mut out) = (String::new(), Vec::new());
        round_to_precision(value, precision, &mut text, &mut out);
        String::from_utf8(out).expect("digits are ASCII")
    }

    #[test]
    fn doubles_round_by_their_exact_value() {
        assert_eq!(rounded(1.005, 4), "1.005e0");
        assert_eq!(rounded(2.5, 1), "3.e0");
        assert_eq!(rounded(-2.5, 1), "-3.e0");
        assert_eq!(rounded(0.1, 20), "1.0000000000000000555e-1");
        assert_eq!(rounded(9.99, 2), "1.0e1");
        assert_eq!(rounded(0.0, 2), "0.0e0");
        assert_eq!(rounded(f64::NAN, 2), "NaN");
        assert_eq!(rounded(f64::INFINITY, 2), "inf");
    }
}
