//! Text to the fields of a moment.

use super::pattern::{Field, Part, Pattern};
use super::{DAYS, MONTHS, weekday};
use crate::types::text::time::{DAY, civil_from_days, days_from_civil};
use crate::types::text::zone::{Zone, parse_offset};

/// The fields a text gave.
#[derive(Debug, Clone, Default)]
pub struct Parsed {
    fields: Vec<(Field, i64)>,
    zone: Option<Zone>,
}

impl Pattern {
    /// Reads a whole text; case does not matter. The error says where it stops fitting.
    pub fn parse(&self, text: &str) -> Result<Parsed, String> {
        let (parsed, end) = self.parse_prefix(text)?;
        if end < text.len() {
            return Err(format!("the text does not fit the pattern from byte {end} on"));
        }
        Ok(parsed)
    }

    /// Reads the start of a text, and says where what it read ends.
    pub fn parse_prefix(&self, text: &str) -> Result<(Parsed, usize), String> {
        let mut parsed = Parsed::default();
        let mut at = 0;
        read_parts(&self.parts, text, &mut at, &mut parsed, 0)?;
        let rest = [Field::Minute, Field::Second, Field::Fraction].into_iter().filter_map(|field| parsed.get(field));
        if parsed.get(Field::Hour) == Some(24) && rest.into_iter().any(|value| value != 0) {
            return Err(OUT_OF_RANGE.to_string());
        }
        Ok((parsed, at))
    }
}

/// `reserve`: digits that numbers behind these parts need.
fn read_parts(parts: &[Part], text: &str, at: &mut usize, parsed: &mut Parsed, reserve: usize) -> Result<(), String> {
    for (i, part) in parts.iter().enumerate() {
        let here = *at;
        let rest = &text[here..];
        let wrong = || format!("the text does not fit the pattern at byte {here}");
        match part {
            Part::Literal(literal) => {
                let found = rest.get(..literal.len()).filter(|found| found.eq_ignore_ascii_case(literal));
                *at += found.ok_or_else(wrong)?.len();
            }
            Part::Number { field: Field::Fraction, width, .. } => {
                let digits = rest.get(..*width).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
                let digits = digits.ok_or_else(wrong)?;
                let value: i64 = format!("{digits:0<9}").parse().map_err(|_| wrong())?;
                parsed.set(Field::Fraction, value)?;
                *at += width;
            }
            Part::Number { field, width, fixed } => {
                let following = if *fixed { 0 } else { digits_behind(&parts[i + 1..], reserve) };
                let (value, length) = number(rest, *field, *width, *fixed, following).ok_or_else(wrong)?;
                parsed.set(*field, value)?;
                *at += length;
            }
            Part::ShortYear(field) => {
                let digits = rest.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
                let value: i64 = digits.and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?;
                parsed.set(*field, 2000 + value)?;
                *at += 2;
            }
            Part::Text { field, count } => {
                let (value, length) = name(rest, *field, *count).ok_or_else(wrong)?;
                parsed.set(*field, value)?;
                *at += length;
            }
            Part::Offset { count, .. } => {
                let (seconds, length) = offset(rest, *count).ok_or_else(wrong)?;
                parsed.zone = Some(Zone::Fixed(seconds));
                *at += length;
            }
            Part::GmtOffset { .. } => {
                let inner = rest.get(..3).filter(|prefix| prefix.eq_ignore_ascii_case("GMT")).ok_or_else(wrong)?;
                let (seconds, length) = offset(&rest[inner.len()..], 0).unwrap_or((0, 0));
                parsed.zone = Some(Zone::Fixed(seconds));
                *at += inner.len() + length;
            }
            Part::ZoneId | Part::ZoneName { .. } => {
                let (zone, length) = zone(rest).ok_or_else(wrong)?;
                parsed.zone = Some(zone);
                *at += length;
            }
            Part::Optional(inner) => {
                let (mut attempt, mut end) = (parsed.clone(), here);
                let following = digits_behind(&parts[i + 1..], reserve);
                if read_parts(inner, text, &mut end, &mut attempt, following).is_ok() {
                    *parsed = attempt;
                    *at = end;
                }
            }
        }
    }
    Ok(())
}

/// How many digits the fixed numbers right behind a number need.
fn digits_behind(parts: &[Part], reserve: usize) -> usize {
    let mut digits = 0;
    for part in parts {
        match part {
            Part::Number { width, fixed: true, .. } => digits += width,
            _ => return digits,
        }
    }
    digits + reserve
}

fn number(text: &str, field: Field, width: usize, fixed: bool, reserve: usize) -> Option<(i64, usize)> {
    let is_year = matches!(field, Field::Year | Field::YearOfEra | Field::WeekYear);
    let bytes = text.as_bytes();
    let sign = if is_year && matches!(bytes.first(), Some(b'+' | b'-')) { 1 } else { 0 };
    let found = bytes[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let length = if fixed {
        width
    } else if reserve > 0 {
        found.saturating_sub(reserve).clamp(width, 19)
    } else if is_year && width >= 4 && sign == 0 {
        // More digits than were asked for need a sign.
        found.min(width)
    } else {
        found.min(19)
    };
    if length == 0 || found < length || length < width {
        return None;
    }
    let value: i64 = text[sign..sign + length].parse().ok()?;
    Some((if bytes[0] == b'-' && sign == 1 { -value } else { value }, sign + length))
}

fn name(text: &str, field: Field, count: usize) -> Option<(i64, usize)> {
    let one_of = |names: &[&str], short: bool| {
        names.iter().enumerate().find_map(|(i, name)| {
            let name = if short { &name[..3.min(name.len())] } else { name };
            let found = text.get(..name.len()).filter(|found| found.eq_ignore_ascii_case(name))?;
            Some((i as i64, found.len()))
        })
    };
    let (value, length) = match field {
        Field::Month => one_of(&MONTHS, count != 4).map(|(i, length)| (i + 1, length))?,
        Field::Weekday => one_of(&DAYS, count != 4).map(|(i, length)| (i + 1, length))?,
        Field::AmPm => one_of(&["AM", "PM"], false)?,
        Field::Era => one_of(&["BC", "AD"], false)?,
        _ => one_of(&["Q1", "Q2", "Q3", "Q4"], false).map(|(i, length)| (i + 1, length))?,
    };
    Some((value, length))
}

/// An offset at the start of a text: the longest one that is, or `Z`. `count` is that of the letters: one allows hours
/// alone, and 0 anything.
fn offset(text: &str, count: usize) -> Option<(i32, usize)> {
    if text.starts_with(['Z', 'z']) {
        return Some((0, 1));
    }
    let lengths: &[usize] = match count {
        0 => &[9, 7, 6, 5, 3, 2],
        1 => &[5, 3],
        2 => &[5],
        3 => &[6],
        4 => &[7, 5],
        _ => &[9, 6],
    };
    lengths.iter().find_map(|length| Some((parse_offset(text.get(..*length)?)?, *length)))
}

/// A zone at the start of a text: the longest id that is one, or a common abbreviation.
fn zone(text: &str) -> Option<(Zone, usize)> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "/_+-:".contains(c))).unwrap_or(text.len());
    for length in (1..=end).rev() {
        let candidate = &text[..length];
        if let Some(zone) = Zone::parse(candidate).or_else(|| abbreviated(candidate)) {
            return Some((zone, length));
        }
    }
    None
}

fn abbreviated(name: &str) -> Option<Zone> {
    let id = match name.to_ascii_uppercase().as_str() {
        "PST" | "PDT" | "PT" => "America/Los_Angeles",
        "MDT" | "MT" => "America/Denver",
        "CST" | "CDT" | "CT" => "America/Chicago",
        "EDT" | "ET" => "America/New_York",
        "BST" => "Europe/London",
        "CEST" => "Europe/Paris",
        "EEST" => "Europe/Helsinki",
        "IST" => "Asia/Kolkata",
        "JST" => "Asia/Tokyo",
        "AEST" | "AEDT" => "Australia/Sydney",
        _ => return None,
    };
    Zone::parse(id)
}

const OUT_OF_RANGE: &str = "a field of the text is out of its range";

impl Parsed {
    fn get(&self, field: Field) -> Option<i64> {
        self.fields.iter().find(|(other, _)| *other == field).map(|(_, value)| *value)
    }

    fn set(&mut self, field: Field, value: i64) -> Result<(), String> {
        let in_range = match field {
            Field::Month => (1..=12).contains(&value),
            Field::DayOfMonth => (1..=31).contains(&value),
            Field::DayOfYear => (1..=366).contains(&value),
            Field::Quarter => (1..=4).contains(&value),
            Field::HourOfHalf => (1..=12).contains(&value),
            Field::HourOfHalfFromZero => (0..=11).contains(&value),
            Field::HourFromOne => (1..=24).contains(&value),
            // 24 is midnight, when nothing comes after it.
            Field::Hour => (0..=24).contains(&value),
            Field::Minute | Field::Second => (0..=59).contains(&value),
            Field::NanoOfSecond => (0..=999_999_999).contains(&value),
            Field::MilliOfDay => (0..DAY).contains(&value),
            Field::NanoOfDay => (0..DAY * 1_000_000).contains(&value),
            _ => true,
        };
        if !in_range {
            return Err(OUT_OF_RANGE.to_string());
        }
        match self.get(field) {
            Some(before) if before != value => Err("the text says one field twice, and differently".to_string()),
            Some(_) => Ok(()),
            None => {
                self.fields.push((field, value));
                Ok(())
            }
        }
    }

    /// Whether it has a field of a date.
    pub fn has_date(&self) -> bool {
        use Field::*;
        let is_date = |field: &Field| {
            matches!(
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
            )
        };
        self.fields.iter().any(|(field, _)| is_date(field))
    }

    /// Days since the epoch; what the text does not say is the first of January 1970.
    pub fn days(&self) -> Result<i64, String> {
        let mut year = self.get(Field::Year);
        if let Some(of_era) = self.get(Field::YearOfEra) {
            year = Some(if self.get(Field::Era) == Some(0) { 1 - of_era } else { of_era });
        }
        let year = year.unwrap_or(1970);
        if !(-290_000_000..=290_000_000).contains(&year) {
            return Err("the year is out of range".to_string());
        }
        let days = if let Some(days) = self.days_by_week() {
            days
        } else if let Some(day_of_year) = self.get(Field::DayOfYear) {
            let days = days_from_civil(year, 1, 1) + day_of_year - 1;
            if civil_from_days(days).0 != year {
                return Err("the year has no day 366".to_string());
            }
            days
        } else {
            let month = self.get(Field::Month).unwrap_or(1);
            let day = self.get(Field::DayOfMonth).unwrap_or(1);
            let days = days_from_civil(year, month as u32, day as u32);
            // A day that its month does not have is the last one, but the 31st at most; so is Java's smart resolver.
            match civil_from_days(days) {
                (_, found, _) if i64::from(found) != month => days - i64::from(civil_from_days(days).2),
                _ => days,
            }
        };
        match self.get(Field::Weekday) {
            Some(day) if self.get(Field::DayOfMonth).is_some() && weekday(days) as i64 + 1 != day => {
                Err("the text names another day of the week than its date has".to_string())
            }
            _ => Ok(days),
        }
    }

    /// Days since the epoch of a year of weeks, a week and a weekday, where the text has all three and no month.
    fn days_by_week(&self) -> Option<i64> {
        let (year, week) = (self.get(Field::WeekYear)?, self.get(Field::Week)?);
        // Sunday is 0.
        let weekday =
            self.get(Field::LocalWeekday).map(|day| day - 1).or(self.get(Field::Weekday).map(|day| day % 7))?;
        if self.get(Field::Month).is_some() || !(-290_000_000..=290_000_000).contains(&year) {
            return None;
        }
        let first = days_from_civil(year, 1, 1);
        Some(first - (super::weekday(first) as i64 + 1) % 7 + (week - 1) * 7 + weekday)
    }

    /// Whether the text says a whole date: a year with a day of it, or with a month and its day, or all of a week's.
    pub fn is_whole_date(&self) -> bool {
        let has = |field| self.get(field).is_some();
        let year = has(Field::Year) || has(Field::YearOfEra);
        (year && (has(Field::DayOfYear) || (has(Field::Month) && has(Field::DayOfMonth))))
            || self.days_by_week().is_some()
    }

    /// Whether the text says a time of day: its hour, and no smaller part without the next larger one.
    pub fn is_whole_time(&self) -> bool {
        let has = |field| self.get(field).is_some();
        let half = has(Field::AmPm) && (has(Field::HourOfHalf) || has(Field::HourOfHalfFromZero));
        let fraction = has(Field::Fraction) || has(Field::NanoOfSecond);
        let parts = (has(Field::Minute) || !has(Field::Second)) && (has(Field::Second) || !fraction);
        has(Field::MilliOfDay)
            || has(Field::NanoOfDay)
            || ((has(Field::Hour) || has(Field::HourFromOne) || half) && parts)
    }

    /// Milliseconds of the day; what the text does not say is zero.
    pub fn of_day(&self) -> i64 {
        if let Some(milli) = self.get(Field::MilliOfDay) {
            return milli;
        }
        if let Some(nano) = self.get(Field::NanoOfDay) {
            return nano / 1_000_000;
        }
        let half = self
            .get(Field::HourOfHalf)
            .map(|hour| hour % 12)
            .or(self.get(Field::HourOfHalfFromZero))
            .map(|hour| hour + 12 * self.get(Field::AmPm).unwrap_or(0));
        let hour = self.get(Field::Hour).or(self.get(Field::HourFromOne)).map(|hour| hour % 24).or(half);
        let hour = hour.unwrap_or(12 * self.get(Field::AmPm).unwrap_or(0));
        let get = |field| self.get(field).unwrap_or(0);
        let nano = self.get(Field::Fraction).or(self.get(Field::NanoOfSecond)).unwrap_or(0);
        ((hour * 60 + get(Field::Minute)) * 60 + get(Field::Second)) * 1_000 + nano / 1_000_000
    }

    /// Milliseconds since the epoch: in the zone that the text names, else in `default`.
    pub fn instant(&self, default: Zone) -> Result<i64, String> {
        let local = self.days()?.checked_mul(DAY).ok_or("the year is out of range")? + self.of_day();
        Ok(self.zone.unwrap_or(default).instant_of(local))
    }
}
