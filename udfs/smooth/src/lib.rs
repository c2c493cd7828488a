//! An aggregate in Arroyo's plugin format: its arguments are vectors, one entry for each row of the group.

use arroyo_udf_plugin::udf;

/// `SMOOTH(readings, weights)`: the mean of the readings, weighted; NULL when the weights add up to nothing.
#[udf]
fn smooth(readings: Vec<f64>, weights: Vec<f64>) -> Option<f64> {
    let total: f64 = weights.iter().sum();
    let weighted: f64 = readings.iter().zip(&weights).map(|(reading, weight)| reading * weight).sum();
    (total != 0.0).then(|| weighted / total)
}
