//! `SIN`, `COS`, `EXP`, `SQRT` and the other functions of one real number.

use std::f64::consts::PI;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, PrimitiveArray};
use datafusion::arrow::datatypes::Float64Type;

use super::plain::{Plain, primitives};
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::ScalarFunction;
use crate::types::SqlType;

/// Name, what it is, and the function itself. Outside of its domain the result is NaN, as in Java.
type Real = (&'static str, &'static str, fn(f64) -> f64);

const REALS: [Real; 16] = [
    ("ACOS", "The arc cosine, in radians from 0 to pi.", f64::acos),
    ("ASIN", "The arc sine, in radians from -pi/2 to pi/2.", f64::asin),
    ("ATAN", "The arc tangent, in radians from -pi/2 to pi/2.", f64::atan),
    ("CBRT", "The cube root.", f64::cbrt),
    ("COS", "The cosine of an angle in radians.", f64::cos),
    ("COSH", "The hyperbolic cosine.", f64::cosh),
    ("COT", "The cotangent of an angle in radians; Infinity for 0.", |x| 1.0 / x.tan()),
    ("DEGREES", "Degrees of an angle in radians.", |x| x * (180.0 / PI)),
    ("EXP", "Euler's number to the power of a number.", f64::exp),
    ("LN", "The natural logarithm; NaN below 0.", f64::ln),
    ("RADIANS", "Radians of an angle in degrees.", |x| x * (PI / 180.0)),
    ("SIN", "The sine of an angle in radians.", f64::sin),
    ("SINH", "The hyperbolic sine.", f64::sinh),
    ("SQRT", "The square root; NaN below 0.", f64::sqrt),
    ("TAN", "The tangent of an angle in radians.", f64::tan),
    ("TANH", "The hyperbolic tangent.", f64::tanh),
];

const D: SqlType = SqlType::Double;

/// All of them, and those of two numbers and of none.
pub fn functions() -> Vec<Arc<dyn ScalarFunction>> {
    let mut functions: Vec<Arc<dyn ScalarFunction>> = REALS
        .iter()
        .map(|(name, what, function)| {
            let form = Variation::new(D, *what).param("value", D, "The number.");
            let mut declaration = Declaration::scalar(Category::Mathematical, *name, *what).form(form);
            if let Some((sql, result)) = example(name) {
                declaration = declaration.example(sql, result);
            }
            Plain::function(declaration, move |call| {
                let array: PrimitiveArray<Float64Type> = call.args[0].as_primitive::<Float64Type>().unary(function);
                Ok(Arc::new(array) as ArrayRef)
            })
        })
        .collect();
    functions.push(Plain::function(
        Declaration::scalar(Category::Mathematical, "ATAN2", "The angle of a point.")
            .form(
                Variation::new(D, "The angle of the point (x, y), in radians from -pi to pi.")
                    .param("y", D, "The ordinate.")
                    .param("x", D, "The abscissa."),
            )
            .example("ATAN2(0, -1)", "3.141592653589793"),
        |call| two(call, "ATAN2", f64::atan2),
    ));
    functions.push(Plain::function(
        Declaration::scalar(Category::Mathematical, "POWER", "A number to the power of another.")
            .form(Variation::new(D, "The base to the power of the exponent.").param("base", D, "The base.").param(
                "exponent",
                D,
                "The exponent.",
            ))
            .example("POWER(2, 10)", "1024.0"),
        |call| two(call, "POWER", f64::powf),
    ));
    functions.push(Plain::function(
        Declaration::scalar(Category::Mathematical, "LOG", "A logarithm.")
            .form(Variation::new(D, "The natural logarithm; NaN below 0.").param("value", D, "The number."))
            .form(
                Variation::new(D, "The logarithm to a base; NaN for a base that has none.")
                    .param("base", D, "The base, above 0 and not 1.")
                    .param("value", D, "The number."),
            )
            .example("LOG(2, 8)", "3.0"),
        |call| {
            if call.args.len() == 1 {
                let array: PrimitiveArray<Float64Type> = call.args[0].as_primitive::<Float64Type>().unary(f64::ln);
                return Ok(Arc::new(array) as ArrayRef);
            }
            two(call, "LOG", |base, value| {
                // What log(value) / log(base) would give for these means nothing.
                if base <= 0.0 || base == 1.0 { f64::NAN } else { value.ln() / base.ln() }
            })
        },
    ));
    functions.push(Plain::function(
        Declaration::scalar(Category::Mathematical, "PI", "The ratio of a circle's circumference to its diameter.")
            .form(Variation::new(D, "The number pi."))
            .example("PI()", "3.141592653589793"),
        |call| primitives::<Float64Type>(call, "PI", |_| Ok(Some(PI))),
    ));
    functions
}

fn two(
    call: &crate::functions::kernel::Call,
    name: &str,
    function: impl Fn(f64, f64) -> f64,
) -> datafusion::common::Result<ArrayRef> {
    let (left, right) = (call.args[0].as_primitive::<Float64Type>(), call.args[1].as_primitive::<Float64Type>());
    primitives::<Float64Type>(call, name, |row| {
        Ok((!call.null_at(row)).then(|| function(left.value(row), right.value(row))))
    })
}

fn example(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "ACOS" => ("ACOS(1)", "0.0"),
        "ASIN" => ("ASIN(0)", "0.0"),
        "ATAN" => ("ATAN(0)", "0.0"),
        "CBRT" => ("CBRT(27)", "3.0"),
        "COS" => ("COS(0)", "1.0"),
        "COSH" => ("COSH(0)", "1.0"),
        "COT" => ("COT(0)", "Infinity"),
        "DEGREES" => ("DEGREES(PI())", "180.0"),
        "EXP" => ("EXP(0)", "1.0"),
        "LN" => ("LN(1)", "0.0"),
        "RADIANS" => ("RADIANS(180)", "3.141592653589793"),
        "SIN" => ("SIN(0)", "0.0"),
        "SINH" => ("SINH(0)", "0.0"),
        "SQRT" => ("SQRT(2.25)", "1.5"),
        "TAN" => ("TAN(0)", "0.0"),
        "TANH" => ("TANH(0)", "0.0"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::REALS;
    use crate::functions::scalar::testing::sql;

    #[test]
    fn null_stays_null_in_each_of_them() {
        for (name, ..) in REALS {
            sql(&[(&format!("{name}(CAST(NULL AS DOUBLE))"), "null")]);
        }
        sql(&[
            ("ATAN2(CAST(NULL AS INT), 1)", "null"),
            ("POWER(2, CAST(NULL AS INT))", "null"),
            ("LOG(CAST(NULL AS INT))", "null"),
            ("LOG(2, CAST(NULL AS BIGINT))", "null"),
        ]);
    }

    #[test]
    fn values_outside_of_the_domain_are_nan_or_infinite() {
        sql(&[
            ("ACOS(1.1)", "NaN"),
            ("ASIN(-2)", "NaN"),
            ("SQRT(-1)", "NaN"),
            ("LN(0)", "-Infinity"),
            ("LN(-1)", "NaN"),
            ("LOG(-2, 8)", "NaN"),
            ("LOG(1, 8)", "NaN"),
            ("EXP(1000)", "Infinity"),
            ("COT(0)", "Infinity"),
            ("POWER(0, -1)", "Infinity"),
        ]);
    }

    #[test]
    fn typical_values() {
        sql(&[
            ("ROUND(SIN(1), 5)", "0.84147"),
            ("ROUND(COS(1), 5)", "0.5403"),
            ("ROUND(TAN(1), 5)", "1.55741"),
            ("ROUND(COT(1), 5)", "0.64209"),
            ("ROUND(ASIN(0.5), 5)", "0.5236"),
            ("ROUND(ACOS(0.5), 5)", "1.0472"),
            ("ROUND(ATAN(1), 5)", "0.7854"),
            ("ROUND(ATAN2(1, -1), 5)", "2.35619"),
            ("ROUND(SINH(1), 5)", "1.1752"),
            ("ROUND(COSH(1), 5)", "1.54308"),
            ("ROUND(TANH(1), 5)", "0.76159"),
            ("CBRT(-8)", "-2.0"),
            ("SQRT(CAST(16 AS BIGINT))", "4.0"),
            ("ROUND(EXP(1), 5)", "2.71828"),
            ("ROUND(LN(10), 5)", "2.30259"),
            ("ROUND(LOG(10), 5)", "2.30259"),
            ("LOG(10, 1000)", "2.9999999999999996"),
            ("POWER(15, -1)", "0.06666666666666667"),
            ("DEGREES(0)", "0.0"),
            ("RADIANS(CAST('-180.00' AS DECIMAL(5, 2)))", "-3.141592653589793"),
        ]);
    }
}
