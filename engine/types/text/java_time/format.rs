//! A moment to text.

use std::fmt::Write;

use super::pattern::{Field, Part, Pattern};
use super::{DAYS, MONTHS, weekday};
use crate::types::text::time::{DAY, civil_from_days, days_from_civil};
use crate::types::text::zone::{UTC, Zone, write_offset};

/// What is written: a date, a time of day, or both, perhaps in a zone.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    days: Option<i64>,
    of_day: Option<i64>,
    zone: Option<(Zone, i64)>,
}

impl Moment {
    /// A date: days since the epoch.
    pub fn date(days: i64) -> Moment {
        Moment { days: Some(days), of_day: None, zone: None }
    }

    /// A time of day, milliseconds.
    pub fn time(of_day: i64) -> Moment {
        Moment { days: None, of_day: Some(of_day), zone: None }
    }

    /// An instant, milliseconds since the epoch, as clocks of a zone show it.
    pub fn instant(milliseconds: i64, zone: Zone) -> Moment {
        let local = milliseconds.saturating_add(i64::from(zone.offset_at(milliseconds)) * 1_000);
        let (days, of_day) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        Moment { days: Some(days), of_day: Some(of_day), zone: Some((zone, milliseconds)) }
    }
}

impl Pattern {
    /// Appends a moment; the error names a field that it does not have.
    pub fn format(&self, moment: &Moment, out: &mut String) -> Result<(), String> {
        write_parts(&self.parts, moment, out)
    }
}

fn write_parts(parts: &[Part], moment: &Moment, out: &mut String) -> Result<(), String> {
    let zone = || moment.zone.ok_or_else(|| "the pattern asks for a zone".to_string());
    for part in parts {
        match part {
            Part::Literal(text) => out.push_str(text),
            Part::Number { field: Field::Fraction, width, .. } => {
                let digits = format!("{:03}000000", value(moment, Field::Fraction)? / 1_000_000);
                out.push_str(&digits[..*width]);
            }
            Part::Number { field, width, .. } => {
                let value = value(moment, *field)?;
                // A year with more digits than asked for carries its sign, when at least four were asked for.
                let is_year = matches!(field, Field::Year | Field::YearOfEra | Field::WeekYear);
                if is_year && *width >= 4 && value >= 10_i64.saturating_pow(*width as u32) {
                    out.push('+');
                }
                let sign = if value < 0 { "-" } else { "" };
                let _ = write!(out, "{sign}{:0width$}", value.unsigned_abs());
            }
            Part::ShortYear(field) => {
                let _ = write!(out, "{:02}", value(moment, *field)?.rem_euclid(100));
            }
            Part::Text { field, count } => write_text(*field, *count, moment, out)?,
            Part::Offset { count, zero, colons } => {
                let (zone, instant) = zone()?;
                match zone.offset_at(instant) {
                    0 => out.push_str(zero),
                    seconds => {
                        let text = write_offset(seconds, *colons);
                        let bare_hour = *count == 1 && seconds % 3600 == 0;
                        out.push_str(if bare_hour { &text[..3] } else { &text });
                    }
                }
            }
            Part::GmtOffset { full } => {
                let (zone, instant) = zone()?;
                let seconds = zone.offset_at(instant);
                out.push_str("GMT");
                let text = write_offset(seconds, true);
                match (seconds, full) {
                    (0, _) => {}
                    (_, true) => out.push_str(&text),
                    (_, false) => {
                        out.push_str(&text[..1]);
                        let rest = text[1..].trim_start_matches('0');
                        out.push_str(if seconds % 3600 == 0 { rest.split(':').next().unwrap_or(rest) } else { rest });
                    }
                }
            }
            Part::ZoneId => out.push_str(&zone()?.0.id()),
            Part::ZoneName { full: true } => return Err("the full names of zones are not supported".to_string()),
            Part::ZoneName { .. } => {
                let (zone, instant) = zone()?;
                out.push_str(&if zone == UTC { "Z".to_string() } else { zone.name_at(instant) });
            }
            Part::Optional(parts) => {
                let start = out.len();
                if write_parts(parts, moment, out).is_err() {
                    out.truncate(start);
                }
            }
        }
    }
    Ok(())
}

fn write_text(field: Field, count: usize, moment: &Moment, out: &mut String) -> Result<(), String> {
    let value = value(moment, field)?;
    let name = match field {
        Field::Month => MONTHS[(value - 1) as usize],
        Field::Weekday => DAYS[(value - 1) as usize],
        Field::AmPm => {
            out.push_str(if value == 0 { "AM" } else { "PM" });
            return Ok(());
        }
        Field::Era => {
            out.push_str(match (value, count) {
                (0, 4) => "Before Christ",
                (_, 4) => "Anno Domini",
                (0, 5) => "B",
                (_, 5) => "A",
                (0, _) => "BC",
                _ => "AD",
            });
            return Ok(());
        }
        _ => {
            let ordinal = ["1st", "2nd", "3rd", "4th"][(value - 1).clamp(0, 3) as usize];
            let _ = match count {
                4 => write!(out, "{ordinal} quarter"),
                5 => write!(out, "{value}"),
                _ => write!(out, "Q{value}"),
            };
            return Ok(());
        }
    };
    out.push_str(match count {
        4 => name,
        5 => &name[..1],
        _ => &name[..3],
    });
    Ok(())
}

fn value(moment: &Moment, field: Field) -> Result<i64, String> {
    use Field::*;
    let date_field = matches!(
        field,
        Era | Year
            | YearOfEra
            | DayOfYear
            | Month
            | DayOfMonth
            | Quarter
            | WeekYear
            | Week
            | WeekOfMonth
            | Weekday
            | LocalWeekday
            | WeekdayInMonth
    );
    if date_field {
        let days = moment.days.ok_or_else(|| "the pattern asks for a date, and the value is a time".to_string())?;
        let (year, month, day) = civil_from_days(days);
        let (month, day) = (i64::from(month), i64::from(day));
        let first = days_from_civil(year, 1, 1);
        // Sunday is 0.
        let sunday_based = |days: i64| (weekday(days) as i64 + 1) % 7;
        return Ok(match field {
            Era => i64::from(year > 0),
            Year => year,
            YearOfEra => {
                if year > 0 {
                    year
                } else {
                    1 - year
                }
            }
            DayOfYear => days - first + 1,
            Month => month,
            DayOfMonth => day,
            Quarter => (month + 2) / 3,
            Week | WeekYear => {
                let next = days_from_civil(year + 1, 1, 1);
                let in_next = days >= next - sunday_based(next);
                match (field, in_next) {
                    (Week, true) => 1,
                    (Week, false) => (days - first + sunday_based(first)) / 7 + 1,
                    (_, next) => year + i64::from(next),
                }
            }
            WeekOfMonth => {
                let first = days - day + 1;
                (day - 1 + sunday_based(first)) / 7 + 1
            }
            Weekday => weekday(days) as i64 + 1,
            LocalWeekday => sunday_based(days) + 1,
            _ => (day - 1) / 7 + 1,
        });
    }
    let of_day = moment.of_day.ok_or_else(|| "the pattern asks for a time, and the value is a date".to_string())?;
    let (hour, nano) = (of_day / 3_600_000, of_day % 1_000 * 1_000_000);
    Ok(match field {
        AmPm => hour / 12,
        HourOfHalf => (hour + 11) % 12 + 1,
        HourOfHalfFromZero => hour % 12,
        HourFromOne => {
            if hour == 0 {
                24
            } else {
                hour
            }
        }
        Hour => hour,
        Minute => of_day / 60_000 % 60,
        Second => of_day / 1_000 % 60,
        MilliOfDay => of_day,
        NanoOfDay => of_day * 1_000_000,
        _ => nano,
    })
}
