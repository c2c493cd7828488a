//! Which types meet where, and the casts that make them meet.
//!
//! Between expressions only widening happens: `INTEGER` to `BIGINT` to `DECIMAL` to `DOUBLE`, also inside arrays, maps
//! and structs. Everything else takes a `CAST`.

use datafusion::common::ScalarValue;
use datafusion::logical_expr;
use datafusion::logical_expr::{Expr, lit};

use crate::error::{Error, Result};
use crate::sql::kernels;
use crate::types::{SqlType, cast};

/// The largest precision a `DECIMAL` can have: what 256 bits hold.
pub const MAX_PRECISION: u16 = 76;

/// A `DECIMAL` type of a computed precision. What is beyond [`MAX_PRECISION`] is cut there; a value that needs it
/// fails when it is computed.
pub fn decimal(precision: u16, scale: u16) -> SqlType {
    let precision = precision.clamp(1, MAX_PRECISION);
    SqlType::Decimal(precision as u8, scale.min(precision) as u8)
}

/// Precision and scale of a numeric type as an exact decimal; `None` for `DOUBLE` and for what is not a number.
pub fn decimal_parts(ty: &SqlType) -> Option<(u16, u16)> {
    match ty {
        SqlType::Integer => Some((10, 0)),
        SqlType::Bigint => Some((19, 0)),
        SqlType::Decimal(precision, scale) => Some((u16::from(*precision), u16::from(*scale))),
        _ => None,
    }
}

/// The narrowest type both widen to, or `None` when there is none.
pub fn common_type(a: &SqlType, b: &SqlType) -> Option<SqlType> {
    Some(match cast::widen(a, b)? {
        SqlType::Decimal(precision, scale) => decimal(u16::from(precision), u16::from(scale)),
        ty => ty,
    })
}

/// Whether every value of one type is one of the other, without a `CAST` in the text.
pub fn widens_to(from: &SqlType, to: &SqlType) -> bool {
    cast::fits_implicitly(from, to)
}

/// A type with its article, for errors.
pub fn a(ty: &SqlType) -> String {
    let article = if matches!(ty, SqlType::Integer | SqlType::Array(_)) { "an" } else { "a" };
    format!("{article} {ty}")
}

/// A null of a type.
pub fn null_of(ty: &SqlType) -> Expr {
    match ScalarValue::try_from(&ty.to_arrow()) {
        Ok(null) => lit(null),
        Err(_) => logical_expr::cast(lit(ScalarValue::Null), ty.to_arrow()),
    }
}

/// An expression cast to a type it widens to. An untyped null takes the type.
pub fn widen(expr: Expr, from: Option<&SqlType>, to: &SqlType) -> Expr {
    match from {
        None => null_of(to),
        Some(from) if from == to => expr,
        Some(from) if from.is_numeric() => logical_expr::cast(expr, to.to_arrow()),
        Some(from) => kernels::cast::expr(expr, from, to),
    }
}

/// The type of a list of expressions of which each must widen to it: `IN`, `CASE`, `ARRAY[...]`. `None` when all are
/// null. `describe` names an offending element.
pub fn common_type_of<'a>(
    types: impl IntoIterator<Item = Option<&'a SqlType>>,
    describe: impl Fn(usize) -> Error,
) -> Result<Option<SqlType>> {
    let mut common: Option<SqlType> = None;
    for (i, ty) in types.into_iter().enumerate() {
        let Some(ty) = ty else { continue };
        common = Some(match common {
            None => ty.clone(),
            Some(so_far) => match common_type(&so_far, ty) {
                Some(next) => next,
                None => return Err(describe(i).detail(format!("found {ty}, expected {so_far}"))),
            },
        });
    }
    Ok(common)
}
