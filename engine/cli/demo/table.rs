//! A row as a line of at most 80 columns: event id, score in full, a bar, a mark when it is an anomaly.

use super::live::{Arrived, THRESHOLD};
use crate::cli::style::Paint;

/// Cells of the bar, and the score at its end.
const CELLS: usize = 24;
const FULL: f64 = 6.0;

/// The line above the rows.
pub fn header(paint: Paint) -> String {
    let half = CELLS / 2 - 1;
    paint.faint(&format!("{:>10}  {:<20}  0{:half$}3{:half$}6", "EVENTID", "ANOMALY(SENSORINPUT)", "", ""))
}

/// A row.
pub fn row(row: &Arrived, paint: Paint) -> String {
    let bar = bar(row.score);
    let start = format!("{:>10}  {:<20}  ", row.id, row.text);
    if row.score > THRESHOLD {
        format!("{start}{}  {}", paint.error(&format!("{bar:<CELLS$}")), paint.error("anomaly"))
    } else {
        format!("{start}{bar}").trim_end().to_string()
    }
}

/// Half a cell is the smallest step.
fn bar(score: f64) -> String {
    // A score that is no number has no bar: the cast gives 0.
    let halves = (score / FULL * (2 * CELLS) as f64).round().clamp(0.0, (2 * CELLS) as f64) as usize;
    let mut bar = "█".repeat(halves / 2);
    if halves % 2 == 1 {
        bar.push('▌');
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_fits_80_columns_and_marks_what_is_above_the_threshold() {
        let arrived =
            |score: f64| Arrived { id: i32::MIN, text: score.to_string(), score, at: std::time::Instant::now() };
        for score in [0.0, 1.2104138026620321, 3.0, 1e9, f64::NAN] {
            let line = row(&arrived(score), Paint::plain());
            assert!(line.chars().count() <= 80, "{line}");
            assert_eq!(line.ends_with("anomaly"), score > THRESHOLD, "{line}");
        }
        assert_eq!(bar(3.0).chars().count(), CELLS / 2);
    }
}
