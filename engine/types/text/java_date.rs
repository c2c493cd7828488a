//! Patterns of `java.text.SimpleDateFormat`, as `PARSE_DATE` reads dates with them.
//!
//! They look like those of [`java_time`](super::java_time) and are more forgiving: a number takes as many digits as there
//! are where no number follows, months and days beyond their range carry over, and what stands behind the text does not
//! matter. `Y` is `y`, `u` is a day of the week, and `yy` means a year of the last eighty or the next twenty.

use super::java_time::{DAYS, MONTHS};
use super::time::{DAY, civil_from_days, days_from_civil};
use super::zone::{Zone, parse_offset};

/// A field of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Year,
    ShortYear,
    Month,
    DayOfYear,
    Day,
    /// Read and not used: the date says it already.
    Weekday,
    /// From 0; the flag says that 24, or 12 of a half day, is 0.
    Hour,
    HourFromOne,
    HourOfHalf,
    HourOfHalfFromOne,
    Minute,
    Second,
    Millisecond,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// A number; `width` digits when another number follows, else all there are.
    Number(Field, usize),
    MonthName,
    WeekdayName,
    AmPm,
    Era,
    Zone,
}

/// A pattern, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatePattern {
    parts: Vec<Part>,
}

impl DatePattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub fn new(pattern: &str) -> Result<DatePattern, String> {
        let chars: Vec<char> = pattern.chars().collect();
        let (mut parts, mut literal, mut at, mut quoted) = (Vec::new(), String::new(), 0, false);
        while let Some(&c) = chars.get(at) {
            if c == '\'' {
                if chars.get(at + 1) == Some(&'\'') {
                    literal.push('\'');
                    at += 1;
                } else {
                    quoted = !quoted;
                }
                at += 1;
            } else if quoted || !c.is_ascii_alphabetic() {
                literal.push(c);
                at += 1;
            } else {
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                let width = chars[at..].iter().take_while(|other| **other == c).count();
                parts.push(letter(c, width)?);
                at += width;
            }
        }
        if quoted {
            return Err("the pattern ends inside of quotes".to_string());
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(DatePattern { parts })
    }

    /// Days since the epoch of the date that a text starts with; a time of day other than midnight is refused. What the
    /// text does not say is the first of January 1970. `today`, days since the epoch, is what years of two digits go by.
    pub fn parse(&self, text: &str, today: i64) -> Result<i64, String> {
        let (mut at, mut read) = (0, Read::default());
        for (i, part) in self.parts.iter().enumerate() {
            let wrong = || format!("the text does not fit the pattern at byte {at}");
            let rest = &text[at..];
            let name = |names: &[&str]| {
                // The whole name, or its first three letters.
                let of = |length: Option<usize>| {
                    names.iter().enumerate().find_map(|(i, name)| {
                        let name = &name[..length.map_or(name.len(), |length| length.min(name.len()))];
                        rest.get(..name.len()).filter(|found| found.eq_ignore_ascii_case(name)).map(|_| (i, name.len()))
                    })
                };
                of(None).or_else(|| of(Some(3)))
            };
            at += match part {
                Part::Literal(literal) if rest.starts_with(literal.as_str()) => literal.len(),
                Part::Literal(_) => return Err(wrong()),
                Part::Number(field, width) => {
                    let followed = matches!(self.parts.get(i + 1), Some(Part::Number(..)));
                    let spaces = if followed { 0 } else { rest.len() - rest.trim_start().len() };
                    let most = if followed { *width } else { usize::MAX };
                    let digits = rest[spaces..].bytes().take(most).take_while(u8::is_ascii_digit).count();
                    let value: i64 = rest[spaces..spaces + digits].parse::<i32>().map_err(|_| wrong())?.into();
                    read.set(*field, value, today);
                    spaces + digits
                }
                Part::MonthName => {
                    let (month, length) = name(&MONTHS).ok_or_else(wrong)?;
                    read.month = month as i64;
                    length
                }
                Part::WeekdayName => name(&DAYS).ok_or_else(wrong)?.1,
                Part::AmPm => {
                    let (half, length) = name(&["AM", "PM"]).ok_or_else(wrong)?;
                    read.half = half as i64;
                    length
                }
                Part::Era => {
                    let (era, length) = name(&["BC", "AD"]).ok_or_else(wrong)?;
                    read.before_christ = era == 0;
                    length
                }
                Part::Zone => {
                    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-:/_".contains(c)));
                    let found = &rest[..end.unwrap_or(rest.len())];
                    let of = |length: &usize| {
                        let text = &found[..*length];
                        let zone = parse_offset(text).map(Zone::Fixed).or_else(|| Zone::parse(text))?;
                        Some((zone, *length))
                    };
                    let (zone, length) = (1..=found.len()).rev().find_map(|length| of(&length)).ok_or_else(wrong)?;
                    read.zone = Some(zone);
                    length
                }
            };
        }
        let milliseconds = read.milliseconds();
        if milliseconds % DAY != 0 {
            return Err("the text of a date has a time of day".to_string());
        }
        Ok(milliseconds / DAY)
    }
}

fn letter(letter: char, width: usize) -> Result<Part, String> {
    Ok(match letter {
        'G' => Part::Era,
        'y' | 'Y' => Part::Number(if width > 2 { Field::Year } else { Field::ShortYear }, width),
        'M' | 'L' if width >= 3 => Part::MonthName,
        'M' | 'L' => Part::Number(Field::Month, width),
        'D' => Part::Number(Field::DayOfYear, width),
        'd' => Part::Number(Field::Day, width),
        'E' => Part::WeekdayName,
        'u' => Part::Number(Field::Weekday, width),
        'a' => Part::AmPm,
        'H' => Part::Number(Field::Hour, width),
        'k' => Part::Number(Field::HourFromOne, width),
        'K' => Part::Number(Field::HourOfHalf, width),
        'h' => Part::Number(Field::HourOfHalfFromOne, width),
        'm' => Part::Number(Field::Minute, width),
        's' => Part::Number(Field::Second, width),
        'S' => Part::Number(Field::Millisecond, width),
        'z' | 'Z' | 'X' => Part::Zone,
        'w' | 'W' | 'F' => return Err(format!("weeks, `{letter}`, are not supported in patterns of dates")),
        _ => return Err(format!("the pattern has {width} letters `{letter}`")),
    })
}

/// What a text said, and what it did not as the epoch has it.
struct Read {
    year: i64,
    month: i64,
    /// Day of the month, or of the year when the flag is set.
    day: i64,
    of_year: bool,
    hour: i64,
    half: i64,
    minute: i64,
    second: i64,
    millisecond: i64,
    before_christ: bool,
    zone: Option<Zone>,
}

impl Default for Read {
    fn default() -> Self {
        Read {
            year: 1970,
            month: 0,
            day: 1,
            of_year: false,
            hour: 0,
            half: 0,
            minute: 0,
            second: 0,
            millisecond: 0,
            before_christ: false,
            zone: None,
        }
    }
}

impl Read {
    fn set(&mut self, field: Field, value: i64, today: i64) {
        match field {
            Field::Year => self.year = value,
            Field::ShortYear if value >= 100 => self.year = value,
            Field::ShortYear => {
                let first = civil_from_days(today).0 - 80;
                self.year = first + (value - first).rem_euclid(100);
            }
            Field::Month => self.month = value - 1,
            Field::Day => (self.day, self.of_year) = (value, false),
            Field::DayOfYear => (self.day, self.of_year) = (value, true),
            Field::Weekday => {}
            Field::Hour | Field::HourOfHalf => self.hour = value,
            Field::HourFromOne => self.hour = if value == 24 { 0 } else { value },
            Field::HourOfHalfFromOne => self.hour = if value == 12 { 0 } else { value },
            Field::Minute => self.minute = value,
            Field::Second => self.second = value,
            Field::Millisecond => self.millisecond = value,
        }
    }

    /// Milliseconds since the epoch, whatever is too much carried over.
    fn milliseconds(&self) -> i64 {
        let year = if self.before_christ { 1 - self.year } else { self.year };
        let month = if self.of_year { 0 } else { self.month };
        let first = days_from_civil(year + month.div_euclid(12), month.rem_euclid(12) as u32 + 1, 1);
        let of_day = ((self.hour + 12 * self.half) * 60 + self.minute) * 60 + self.second;
        let local = (first + self.day - 1) * DAY + of_day * 1_000 + self.millisecond;
        self.zone.map_or(local, |zone| zone.instant_of(local))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(pattern: &str, text: &str) -> Result<String, String> {
        let days = DatePattern::new(pattern)?.parse(text, 20_783)?;
        let mut out = Vec::new();
        super::super::time::write_date(days, &mut out);
        Ok(String::from_utf8(out).expect("ASCII"))
    }

    #[test]
    fn dates_are_read_forgivingly() {
        for (pattern, text, expected) in [
            ("yyyy-MM-dd", "2018-05-11", "2018-05-11"),
            ("yyyy-MM-dd", "2018-5-1 and more", "2018-05-01"),
            ("yyyyMMdd", "20180511", "2018-05-11"),
            ("yyyy-MM-dd", "2018-13-32", "2019-02-01"),
            ("yyyy-MM-dd", "2018-02-30", "2018-03-02"),
            ("yyyy-MM-dd'Lit'", "2018-05-11Lit", "2018-05-11"),
            ("d. MMMM yyyy", "1. may 2018", "2018-05-01"),
            ("EEE, dd-MMM-yy", "Fri, 11-MAY-18", "2018-05-11"),
            ("yy", "46", "1946"),
            ("yy", "45", "2045"),
            ("YYYY DDD u", "2020 366 4", "2020-12-31"),
            ("MM/yyyy", "5/2018", "2018-05-01"),
            ("yyyy-MM-dd HH:mm", "2018-05-11 00:00", "2018-05-11"),
            ("yyyy-MM-dd HH", "2018-05-11 24", "2018-05-12"),
            ("yyyy-MM-dd hh a", "2018-05-11 12 AM", "2018-05-11"),
            ("yyyy-MM-dd HHX", "2018-05-11 02+02", "2018-05-11"),
            ("yyyy G", "1 BC", "0000-01-01"),
            ("''yyyy''", "'2018'", "2018-01-01"),
        ] {
            let expected = if expected.len() == 4 { format!("{expected}-01-01") } else { expected.to_string() };
            assert_eq!(date(pattern, text), Ok(expected), "{pattern} {text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (pattern, text) in [
            ("yyyy-MM-dd", "2018"),
            ("yyyy-MM-dd", "a"),
            ("yyyy-MM-dd", "2018-MM-11"),
            ("yyyy-MM-dd HH", "2018-05-11 10"),
            ("yyyy-MM-dd'T'", "2018-05-11t"),
            ("yyyy", "99999999999"),
            ("MMM", "Foo"),
        ] {
            assert!(date(pattern, text).is_err(), "{pattern} {text}");
        }
        for pattern in ["yyyy'", "ww", "b", "QQ"] {
            assert!(DatePattern::new(pattern).is_err(), "{pattern}");
        }
    }
}
