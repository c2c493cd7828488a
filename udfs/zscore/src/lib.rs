//! How unusual a reading is, for sensors whose mean and deviation are known: vectorized functions, several in a library.

use alcedo_udf::{Array, Error, Float64Array, StringArray, udf};

/// How many standard deviations a reading is away from the mean; NULL where the deviation is 0, so that everything
/// would be infinitely far away.
#[udf(nulls = "propagate")]
fn zscore(reading: &Float64Array, mean: &Float64Array, deviation: &Float64Array) -> Result<Float64Array, Error> {
    if deviation.iter().flatten().any(|deviation| deviation < 0.0) {
        return Err(Error::new("a standard deviation cannot be negative"));
    }
    let scores =
        reading.zip(mean, |reading, mean| reading - mean).zip(deviation, |distance, deviation| distance / deviation);
    if !deviation.values().contains(&0.0) {
        return Ok(scores);
    }
    Ok(scores.iter().zip(deviation.values()).map(|(score, deviation)| score.filter(|_| *deviation != 0.0)).collect())
}

/// What a z-score means in words: 'normal' below 2, 'unusual' below 3, 'extreme' from there on, either side of the mean;
/// 'unknown' for NULL.
#[udf]
fn zscore_band(score: &Float64Array) -> StringArray {
    let band = |score: Option<f64>| match score.map(f64::abs) {
        None => "unknown",
        Some(score) if score < 2.0 => "normal",
        Some(score) if score < 3.0 => "unusual",
        Some(_) => "extreme",
    };
    score.iter().map(|score| Some(band(score))).collect()
}

/// A raw reading times the gain of its sensor.
#[udf(nulls = "propagate")]
fn calibrate(raw: &Float64Array, gain: &Float64Array) -> Float64Array {
    raw.zip(gain, |raw, gain| raw * gain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_distances_in_deviations() {
        let reading: Float64Array = [Some(12.0), None, Some(5.0)].into_iter().collect();
        let mean: Float64Array = vec![10.0, 10.0, 5.0].into();
        let deviation: Float64Array = vec![0.5, 0.5, 0.0].into();
        let scores = zscore(&reading, &mean, &deviation).expect("deviations are fine");
        assert_eq!(scores.iter().collect::<Vec<_>>(), [Some(4.0), None, None]);
        assert_eq!(zscore_band(&scores).iter().flatten().collect::<Vec<_>>(), ["extreme", "unknown", "unknown"]);
        let error = zscore(&reading, &mean, &deviation.map(|deviation| -deviation)).err();
        assert_eq!(error.expect("refused").to_string(), "a standard deviation cannot be negative");
        assert_eq!(calibrate(&reading, &mean).null_count(), 1);
    }
}
