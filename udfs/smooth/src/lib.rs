//! An aggregate in Arroyo's plugin format: its arguments are vectors, one entry for each row of the group.

use arroyo_udf_plugin::udf;

/// `SMOOTH(readings, weights)`: the mean of the readings, weighted. A row without either counts for nothing; NULL when
/// the weights add up to nothing.
#[udf]
fn smooth(readings: Vec<Option<f64>>, weights: Vec<Option<f64>>) -> Option<f64> {
    // `Vec<f64>` would drop the nulls of each argument on its own, and what is left would not belong together.
    let rows = readings.into_iter().zip(weights).filter_map(|(reading, weight)| Some((reading?, weight?)));
    let (weighted, total) =
        rows.fold((0.0, 0.0), |(sum, total), (reading, weight)| (sum + reading * weight, total + weight));
    (total != 0.0).then(|| weighted / total)
}
