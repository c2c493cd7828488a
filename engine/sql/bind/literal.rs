//! Literals, and what a literal may stand for.

use datafusion::arrow::datatypes::i256;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, lit};

use super::coerce::MAX_PRECISION;
use crate::sql::ast::ExprKind;
use crate::types::SqlType;

/// An integer literal: `INTEGER` when it fits, else `BIGINT`.
pub fn integer(value: i64) -> (Expr, SqlType) {
    match i32::try_from(value) {
        Ok(small) => (lit(small), SqlType::Integer),
        Err(_) => (lit(value), SqlType::Bigint),
    }
}

/// A decimal literal: digits with a point, perhaps with a sign. `None` when it has more digits than a `DECIMAL` holds.
///
/// The scale is the number of digits behind the point. The precision is the number of significant digits, and for a
/// value between -1 and 1 the scale and one, so that `0.005` is a `DECIMAL(4, 3)`.
pub fn decimal(text: &str) -> Option<(Expr, SqlType)> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) || whole.len() + fraction.len() == 0 {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let scale = u16::try_from(fraction.len()).ok()?;
    let precision = if whole.is_empty() { scale + 1 } else { u16::try_from(whole.len()).ok()?.checked_add(scale)? };
    if precision > MAX_PRECISION {
        return None;
    }
    let unscaled = i256::from_string(&format!("{whole}{fraction}0"))?.checked_div(i256::from_i128(10))?;
    let unscaled = if negative { unscaled.checked_neg()? } else { unscaled };
    let (p, s) = (precision as u8, scale as u8);
    let value = match unscaled.to_i128() {
        Some(value) if p <= 38 => ScalarValue::Decimal128(Some(value), p, s as i8),
        _ => ScalarValue::Decimal256(Some(unscaled), p, s as i8),
    };
    Some((lit(value), SqlType::Decimal(p, s)))
}

/// The digits of a number with an exponent, written without it; `None` for what is none, or has very many.
fn without_exponent(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let exponent: i64 = exponent.parse().ok().filter(|exponent: &i64| exponent.abs() < 100)?;
    let sign = if mantissa.starts_with(['-', '+']) { &mantissa[..1] } else { "" };
    let (whole, fraction) = mantissa[sign.len()..].split_once('.').unwrap_or((&mantissa[sign.len()..], ""));
    let digits = format!("{whole}{fraction}");
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let point = whole.len() as i64 + exponent;
    let text = match usize::try_from(point) {
        Err(_) => format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize)),
        Ok(point) if point >= digits.len() => format!("{digits}{}", "0".repeat(point - digits.len())),
        Ok(point) => format!("{}.{}", &digits[..point], &digits[point..]),
    };
    Some(format!("{sign}{text}"))
}

/// A number in a text, as the literal it would be without quotes.
pub fn number_in_text(text: &str) -> Option<ExprKind> {
    let text = text.trim();
    if let Ok(value) = text.parse() {
        return Some(ExprKind::Integer(value));
    }
    if decimal(text).is_some() {
        return Some(ExprKind::Decimal(text.to_string()));
    }
    // With an exponent it is a decimal too, as long as its digits fit in one.
    if let Some(plain) = without_exponent(text)
        && decimal(&plain).is_some()
    {
        return Some(ExprKind::Decimal(plain));
    }
    // Rust also reads "inf" and "nan", which are no numbers in SQL.
    let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    text.parse().ok().filter(|value: &f64| numeric && value.is_finite()).map(ExprKind::Double)
}
