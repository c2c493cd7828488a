//! A row as a line of at most 80 columns: event id, score in full, a bar, a mark when it is an anomaly.

use super::live::{Arrived, THRESHOLD};
use crate::cli::print::bar;
use crate::cli::style::Paint;

/// Cells of the bar, in whose middle the threshold is.
const CELLS: usize = 24;

/// The line above the rows.
pub fn header(paint: Paint) -> String {
    let half = CELLS / 2 - 1;
    paint.faint(&format!("{:>10}  {:<20}  0{:half$}3{:half$}6", "EVENTID", "ANOMALY(SENSORINPUT)", "", ""))
}

/// A row.
pub fn row(row: &Arrived, paint: Paint) -> String {
    let bar = bar(row.score, THRESHOLD, CELLS, paint.signs());
    let start = format!("{:>10}  {:<20}  ", row.id, row.text);
    if row.score > THRESHOLD {
        format!("{start}{}  {}", paint.error(&format!("{bar:<CELLS$}")), paint.error("anomaly"))
    } else {
        format!("{start}{bar}").trim_end().to_string()
    }
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
        assert!(row(&arrived(THRESHOLD), Paint::plain()).ends_with(&format!(" {}", "█".repeat(CELLS / 2))));
    }
}
