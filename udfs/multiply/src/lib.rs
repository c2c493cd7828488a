//! The product of two numbers, in Arroyo's plugin format: one file, one function, called once a row.

use arroyo_udf_plugin::udf;

/// `MULTIPLY(x, y)`: the product of two DOUBLEs; NULL when one of them is.
#[udf]
fn multiply(x: f64, y: f64) -> f64 {
    x * y
}
