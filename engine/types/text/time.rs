//! Dates, times and timestamps as ISO 8601 text, UTC, proleptic Gregorian calendar.

/// Milliseconds of a day.
pub const DAY: i64 = 86_400_000;

/// Days since the epoch of a civil date (Hinnant, "chrono-compatible low-level date algorithms").
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = i64::from(month);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since the epoch.
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u32;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn number(text: &str, digits: usize) -> Option<u32> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Days since the epoch of `yyyy-MM-dd`; month and day may be left out, as ksqlDB allows.
pub fn parse_date(text: &str) -> Option<i64> {
    let (year, month, day) = civil(text)?;
    (day <= days_in_month(year, month)).then(|| days_from_civil(year, month, day))
}

/// Year, month and day of a date as [`parse_date`] reads it, a day from 1 to 31 whether its month has it or not.
fn civil(text: &str) -> Option<(i64, u32, u32)> {
    let mut parts = text.split('-');
    let year = number(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| number(part, 2))?;
    let day = parts.next().map_or(Some(1), |part| number(part, 2))?;
    if parts.next().is_some() || !(1..=12).contains(&month) {
        return None;
    }
    (1..=31).contains(&day).then_some((i64::from(year), month, day))
}

/// A date at the start of a timestamp. Java's smart resolver reads it: a day that its month does not have is the last one.
fn parse_smart_date(text: &str) -> Option<i64> {
    let (year, month, day) = civil(text)?;
    Some(days_from_civil(year, month, day.min(days_in_month(year, month))))
}

/// Milliseconds of the day of `HH:mm`, `HH:mm:ss` or `HH:mm:ss.fraction` with up to nine digits.
pub fn parse_time(text: &str) -> Option<i64> {
    let (clock, fraction) = match text.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (text, None),
    };
    let mut parts = clock.split(':');
    let hour = number(parts.next()?, 2)?;
    let minute = number(parts.next()?, 2)?;
    let second = match parts.next() {
        Some(part) => number(part, 2)?,
        None if fraction.is_some() => return None,
        None => 0,
    };
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let milliseconds = match fraction {
        None => 0,
        Some(digits) if (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.bytes().chain(*b"00").take(3).fold(0, |value, b| value * 10 + u32::from(b - b'0'))
        }
        Some(_) => return None,
    };
    Some(i64::from(hour * 3_600 + minute * 60 + second) * 1_000 + i64::from(milliseconds))
}

/// Milliseconds since the epoch of `yyyy-MM-dd'T'HH:mm:ss.SSS` with an optional zone (`Z`, `+0200`, `-07:00`).
///
/// What is missing at the end of the date or of the time is completed with the first of January and with zeros, so
/// `2020`, `2020-05-26` and `2020-05-26T23:5` are timestamps, as in ksqlDB.
pub fn parse_timestamp(text: &str) -> Option<i64> {
    let Some((date, rest)) = text.split_once('T') else {
        return Some(parse_smart_date(text)? * DAY);
    };
    if date.len() != 10 {
        return None;
    }
    let zone_at = rest.find('+').or_else(|| rest.find('-')).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    let clock = clock.strip_suffix('Z').unwrap_or(clock);
    const FULL: &[u8; 12] = b"00:00:00.000";
    let mut complete = *FULL;
    complete.get_mut(..clock.len())?.copy_from_slice(clock.as_bytes());
    let time = parse_time(std::str::from_utf8(&complete).ok()?)?;
    Some(parse_smart_date(date)? * DAY + time - offset(zone)?)
}

/// Milliseconds east of UTC of `+hh`, `+hhmm`, `+hh:mm`, with seconds in the same manner; empty is UTC.
fn offset(zone: &str) -> Option<i64> {
    let (sign, rest) = match zone.as_bytes() {
        [] => return Some(0),
        [b'+', ..] => (1, &zone[1..]),
        [b'-', ..] => (-1, &zone[1..]),
        _ => return None,
    };
    let (hour, minute, second) = match (rest.len(), rest.contains(':')) {
        (1, false) => (number(rest, 1)?, 0, 0),
        (2, false) => (number(rest, 2)?, 0, 0),
        (4 | 6, false) => (
            number(rest.get(..2)?, 2)?,
            number(rest.get(2..4)?, 2)?,
            if rest.len() == 6 { number(rest.get(4..)?, 2)? } else { 0 },
        ),
        (5 | 8, true) => {
            let mut parts = rest.split(':').map(|part| number(part, 2));
            let fields = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
            if parts.next().is_some() {
                return None;
            }
            fields
        }
        _ => return None,
    };
    let seconds = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    (minute < 60 && second < 60 && seconds <= 18 * 3_600).then_some(sign * seconds * 1_000)
}

fn pad(value: u64, digits: usize, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(value).as_bytes();
    out.extend(std::iter::repeat_n(b'0', digits.saturating_sub(text.len())));
    out.extend_from_slice(text);
}

/// Appends `yyyy-MM-dd`; years outside of 0 to 9999 carry a sign, as Java's `LocalDate` writes them.
pub fn write_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil_from_days(days);
    if year < 0 {
        out.push(b'-');
    } else if year > 9999 {
        out.push(b'+');
    }
    pad(year.unsigned_abs(), 4, out);
    out.push(b'-');
    pad(u64::from(month), 2, out);
    out.push(b'-');
    pad(u64::from(day), 2, out);
}

fn write_clock(seconds: i64, out: &mut Vec<u8>) {
    pad((seconds / 3_600) as u64, 2, out);
    out.push(b':');
    pad((seconds / 60 % 60) as u64, 2, out);
    out.push(b':');
    pad((seconds % 60) as u64, 2, out);
}

/// Appends `HH:mm`, or `HH:mm:ss` when the seconds are not zero; milliseconds are left out, as in ksqlDB.
pub fn write_time(milliseconds: i64, out: &mut Vec<u8>) {
    write_clock(milliseconds.div_euclid(1_000).rem_euclid(86_400), out);
    if out.ends_with(b":00") {
        out.truncate(out.len() - 3);
    }
}

/// Appends `yyyy-MM-dd'T'HH:mm:ss.SSS`.
pub fn write_timestamp(milliseconds: i64, out: &mut Vec<u8>) {
    write_date(milliseconds.div_euclid(DAY), out);
    out.push(b'T');
    let of_day = milliseconds.rem_euclid(DAY);
    write_clock(of_day / 1_000, out);
    out.push(b'.');
    pad((of_day % 1_000) as u64, 3, out);
}

/// Appends `yyyy-MM-dd HH:mm:ss.f` with at least one digit after the point: Java's `java.sql.Timestamp`, the form
/// a timestamp has inside of an array, map or struct that is cast to text.
pub fn write_sql_timestamp(milliseconds: i64, out: &mut Vec<u8>) {
    let start = out.len();
    write_timestamp(milliseconds, out);
    if let Some(separator) = out[start..].iter().position(|&b| b == b'T') {
        out[start + separator] = b' ';
    }
    while out.ends_with(b"0") && !out.ends_with(b".0") {
        out.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl Fn(i64, &mut Vec<u8>), value: i64) -> String {
        let mut out = Vec::new();
        write(value, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn civil_dates_and_days_are_inverse() {
        for days in (-1_000_000..1_000_000).step_by(377) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
        assert_eq!(civil_from_days(0), (1970, 1, 1));
    }

    #[test]
    fn timestamps_are_completed_and_shifted_by_their_zone() {
        assert_eq!(parse_timestamp("2019-03-17T10:00:00"), Some(1_552_816_800_000));
        assert_eq!(parse_timestamp("2019-03-17T03:00-0700"), Some(1_552_816_800_000));
        assert_eq!(parse_timestamp("2019-03-17T03:00-07:00"), Some(1_552_816_800_000));
        assert_eq!(parse_timestamp("2022-04-28T21:44:47.943Z"), Some(1_651_182_287_943));
        assert_eq!(parse_timestamp("2019"), parse_timestamp("2019-01-01T00:00"));
        assert_eq!(parse_timestamp("2019-02-30"), parse_timestamp("2019-02-28"));
        assert_eq!(parse_timestamp("2019-03-17T1"), parse_timestamp("2019-03-17T10:00"));
        for bad in
            ["abc", "2019-03-17 03:00", "2019T10:00", "2019-02-32", "2019-03-17T24:00", "2019-03-17T10:00:00.0000"]
        {
            assert_eq!(parse_timestamp(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_and_dates_read_and_print() {
        assert_eq!(parse_time("10:00"), Some(36_000_000));
        assert_eq!(parse_time("10:00:00.001"), Some(36_000_001));
        assert_eq!(parse_time("10:00:00.0019"), Some(36_000_001));
        assert_eq!(parse_time("10"), None);
        assert_eq!(parse_time("10:00.5"), None);
        assert_eq!(text(write_time, 5_000), "00:00:05");
        assert_eq!(text(write_time, 36_000_999), "10:00");
        assert_eq!(parse_date("2020-05"), Some(18_383));
        assert_eq!((parse_date("2019-02-29"), parse_date("2019-02-00")), (None, None));
        assert_eq!(text(write_date, 18_383), "2020-05-01");
        assert_eq!(text(write_date, -719_529), "-0001-12-31");
        assert_eq!(text(write_timestamp, 1_552_816_800_007), "2019-03-17T10:00:00.007");
        assert_eq!(text(write_timestamp, -1), "1969-12-31T23:59:59.999");
        assert_eq!(text(write_sql_timestamp, 1_552_816_800_070), "2019-03-17 10:00:00.07");
        assert_eq!(text(write_sql_timestamp, 0), "1970-01-01 00:00:00.0");
    }
}
