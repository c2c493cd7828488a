//! Numbers as signs: a sparkline of the last values, and a bar from zero with a threshold in its middle.

use crate::cli::style::Signs;

/// A sign a value, lowest to highest of them; a blank for what is no number. Equal values stand in the middle.
pub fn sparkline(values: impl Iterator<Item = Option<f64>> + Clone, signs: &Signs) -> String {
    let finite = || values.clone().flatten().filter(|value| value.is_finite());
    let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let top = signs.levels.len() - 1;
    let level = |value: f64| {
        // Halves, because the difference of two large doubles may be infinite.
        let share = (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
        let level = if share.is_nan() { top / 2 } else { (share * top as f64).round() as usize };
        signs.levels[level.min(top)]
    };
    values.map(|value| value.filter(|value| value.is_finite()).map_or(' ', level)).collect()
}

/// A bar of `cells` cells that begins at 0 and has a threshold above 0 in its middle. Half a cell is the smallest step.
///
/// A threshold of 0 or below stands in the middle too: the bar begins as far below it as it ends above.
pub fn bar(value: f64, threshold: f64, cells: usize, signs: &Signs) -> String {
    let (low, high) = scale(threshold);
    let halves = ((value - low) / (high - low) * (2 * cells) as f64).round();
    // A value that is no number has no bar: the cast gives 0.
    let halves = halves.clamp(0.0, (2 * cells) as f64) as usize;
    let mut bar = signs.full.repeat(halves / 2);
    if halves % 2 == 1 {
        bar.push_str(signs.half);
    }
    bar
}

/// The values at both ends of a bar.
pub fn scale(threshold: f64) -> (f64, f64) {
    let span = if threshold == 0.0 { 1.0 } else { threshold.abs() };
    (threshold - span, threshold + span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::Paint;

    #[test]
    fn a_sparkline_has_eight_levels_and_gaps() {
        let values = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0].map(Some);
        assert_eq!(sparkline(values.into_iter(), Paint::plain().signs()), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(values.into_iter(), Paint::ascii().signs()), "_.-:=+*#");
        let gaps = [Some(1.0), None, Some(f64::NAN), Some(2.0)];
        assert_eq!(sparkline(gaps.into_iter(), Paint::plain().signs()), "▁  █");
        assert_eq!(sparkline([Some(5.0), Some(5.0)].into_iter(), Paint::plain().signs()), "▄▄");
        let far = [Some(f64::MIN), Some(0.0), Some(f64::MAX)];
        assert_eq!(sparkline(far.into_iter(), Paint::plain().signs()), "▁▅█");
    }

    #[test]
    fn the_threshold_is_the_middle_of_the_bar() {
        let signs = Paint::plain().signs();
        assert_eq!(bar(3.0, 3.0, 24, signs), "█".repeat(12));
        assert_eq!(bar(1e9, 3.0, 24, signs), "█".repeat(24));
        assert_eq!(bar(0.125, 3.0, 24, signs), "▌");
        assert_eq!(bar(-1.0, 3.0, 24, signs), "");
        assert_eq!(bar(f64::NAN, 3.0, 24, signs), "");
        assert_eq!(bar(0.0, 0.0, 4, signs), "██");
        assert_eq!(bar(-5.0, -5.0, 4, signs), "██");
    }
}
