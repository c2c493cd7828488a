//! Patterns of `java.time.format.DateTimeFormatter`: what SQL files written for ksqlDB say dates and times with.
//!
//! `pattern` reads a pattern once, `format` and `parse` use it for each value. Names are English.

mod format;
mod parse;
mod pattern;
#[cfg(test)]
mod tests;

pub use format::Moment;
pub use parse::Parsed;
pub use pattern::Pattern;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Day of the week of days since the epoch, Monday is 0.
fn weekday(days: i64) -> usize {
    (days + 3).rem_euclid(7) as usize
}
