//! Time zones as Java names them: `UTC`, `Z`, `+02:00`, `UTC+2`, `Europe/Berlin`.

use chrono::{NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::{OffsetName, Tz};

use super::time::DAY;

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// So many seconds east of UTC, always.
    Fixed(i32),
    /// By the rules of a region.
    Region(Tz),
}

/// Coordinated universal time.
pub const UTC: Zone = Zone::Fixed(0);

/// Greenwich mean time, which a pattern names differently from UTC.
pub const GMT: Zone = Zone::Region(Tz::GMT);

impl Zone {
    /// The zone of an id, as `java.time.ZoneId.of` reads it.
    pub fn parse(id: &str) -> Option<Zone> {
        if let Some(seconds) = parse_offset(id) {
            return Some(Zone::Fixed(seconds));
        }
        for prefix in ["UTC", "GMT", "UT"] {
            if let Some(rest) = id.strip_prefix(prefix) {
                if rest.is_empty() && prefix == "UT" {
                    return Some(UTC);
                }
                if rest.starts_with(['+', '-']) {
                    return parse_offset(rest).map(Zone::Fixed);
                }
            }
        }
        id.parse().ok().map(Zone::Region)
    }

    /// Seconds east of UTC at an instant, milliseconds since the epoch.
    pub fn offset_at(&self, instant: i64) -> i32 {
        match self {
            Zone::Fixed(seconds) => *seconds,
            Zone::Region(Tz::UTC | Tz::GMT) => 0,
            Zone::Region(tz) => match naive(instant) {
                Some(utc) => tz.offset_from_utc_datetime(&utc).fix().local_minus_utc(),
                None => 0,
            },
        }
    }

    /// The instant at which clocks of the zone show a local time, both milliseconds since the epoch. Of two such instants
    /// the earlier one; a time that clocks skip is moved forward by as much as they skip.
    pub fn instant_of(&self, local: i64) -> i64 {
        let shifted = |seconds: i32| local.saturating_sub(i64::from(seconds) * 1_000);
        match self {
            Zone::Fixed(seconds) => shifted(*seconds),
            Zone::Region(Tz::UTC | Tz::GMT) => local,
            Zone::Region(tz) => {
                let Some(time) = naive(local) else { return local };
                match tz.offset_from_local_datetime(&time).earliest() {
                    Some(offset) => shifted(offset.fix().local_minus_utc()),
                    // In a gap: the offset before it holds, which it did half a day earlier.
                    None => shifted(self.offset_at(local - DAY / 2)),
                }
            }
        }
    }

    /// The short name at an instant, `CET` say; an offset where the zone has none.
    pub fn name_at(&self, instant: i64) -> String {
        match self {
            Zone::Fixed(0) => "UTC".to_string(),
            Zone::Fixed(seconds) => write_offset(*seconds, true),
            Zone::Region(tz) => match naive(instant) {
                Some(utc) => tz.offset_from_utc_datetime(&utc).abbreviation().unwrap_or(tz.name()).to_string(),
                None => tz.name().to_string(),
            },
        }
    }

    /// The id.
    pub fn id(&self) -> String {
        match self {
            Zone::Fixed(0) => "Z".to_string(),
            Zone::Fixed(seconds) => write_offset(*seconds, true),
            Zone::Region(tz) => tz.name().to_string(),
        }
    }
}

fn naive(milliseconds: i64) -> Option<NaiveDateTime> {
    Utc.timestamp_millis_opt(milliseconds).single().map(|time| time.naive_utc())
}

/// Seconds east of UTC of `Z`, `+h`, `+hh`, `+hhmm`, `+hh:mm`, and the latter two with seconds.
pub fn parse_offset(text: &str) -> Option<i32> {
    if text == "Z" {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let rest = &text[1..];
    let parts: Vec<&str> = match (rest.len(), rest.contains(':')) {
        (5 | 8, true) => rest.split(':').collect(),
        (1 | 2, false) => vec![rest],
        (4 | 6, false) => (0..rest.len() / 2).map(|i| rest.get(2 * i..2 * i + 2)).collect::<Option<_>>()?,
        _ => return None,
    };
    let mut seconds = 0;
    for (part, unit) in parts.iter().zip([3600, 60, 1]) {
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let value: i32 = part.parse().ok()?;
        if unit < 3600 && value > 59 {
            return None;
        }
        seconds += value * unit;
    }
    (seconds <= 18 * 3600).then_some(sign * seconds)
}

/// An offset as `+hh:mm` or `+hhmm`, with seconds where it has some.
pub fn write_offset(seconds: i32, colons: bool) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let (absolute, colon) = (seconds.abs(), if colons { ":" } else { "" });
    let mut text = format!("{sign}{:02}{colon}{:02}", absolute / 3600, absolute / 60 % 60);
    if absolute % 60 != 0 {
        text += &format!("{colon}{:02}", absolute % 60);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_java_s() {
        for (id, seconds) in [("Z", 0), ("UT", 0), ("+0200", 7200), ("-07:30", -27000), ("UTC+2", 7200)] {
            assert_eq!(Zone::parse(id), Some(Zone::Fixed(seconds)), "{id}");
        }
        for id in ["UTC", "GMT", "Europe/Berlin"] {
            assert_eq!(Zone::parse(id).map(|zone| zone.id()).as_deref(), Some(id));
        }
        assert_eq!(Zone::parse("UTC").map(|zone| (zone.offset_at(0), zone.instant_of(7))), Some((0, 7)));
        for bad in ["", "Mars/Olympus", "+2:00", "+99:00", "+aa", "utc"] {
            assert_eq!(Zone::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn gaps_move_forward_and_overlaps_take_the_earlier_instant() {
        let berlin = Zone::parse("Europe/Berlin").expect("a zone");
        // 2021-03-28T02:30 does not exist; clocks show 03:30 then.
        assert_eq!(berlin.instant_of(1_616_898_600_000), 1_616_895_000_000);
        // 2021-10-31T02:30 comes twice.
        assert_eq!(berlin.instant_of(1_635_647_400_000), 1_635_640_200_000);
        assert_eq!(berlin.offset_at(1_635_640_200_000), 7200);
        assert_eq!(berlin.name_at(1_635_640_200_000), "CEST");
    }
}
