//! A function in Arroyo's plugin format as the engine builds it: the user's source, and the engine's addition below.

use arroyo_udf_plugin::udf;

/// `QUOTIENT(a, b)`: panics where `b` is 0, as whole numbers do.
#[udf]
fn quotient(a: i64, b: i64) -> i64 {
    a / b
}

#[path = "../../../engine/functions/plugin/addition.rs"]
mod alcedo_addition;
