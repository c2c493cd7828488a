//! Patterns against what Java's formatter makes of them.

use super::*;
use crate::types::text::zone::{UTC, Zone};

fn instant(pattern: &str, text: &str) -> Result<i64, String> {
    Pattern::new(pattern)?.parse(text)?.instant(UTC)
}

fn shown(pattern: &str, millis: i64, zone: &str) -> String {
    let mut out = String::new();
    let zone = Zone::parse(zone).expect("a zone");
    Pattern::new(pattern).expect("a pattern").format(&Moment::instant(millis, zone), &mut out).expect("all its fields");
    out
}

#[test]
fn what_is_written_is_read_back() {
    let millis = 1_526_075_913_123;
    for pattern in [
        "yyyy-MM-dd'T'HH:mm:ss.SSSX",
        "yyyyMMddHHmmssSSS",
        "EEE, d MMM yyyy h:mm:ss a SSS",
        "uuuu-DDD A",
        "MMMM dd yyyy kk:mm:ss.SSS xxx",
        "dd/MM/yyyy HH:mm:ss.SSS VV",
        "G yyyy MM dd K mm ss n a",
    ] {
        assert_eq!(instant(pattern, &shown(pattern, millis, "UTC")), Ok(millis), "{pattern}");
    }
}

#[test]
fn texts_are_java_s() {
    let millis = 1_526_075_913_123;
    for (pattern, zone, text) in [
        ("yyyy-MM-dd'T'HH:mm:ssX", "UTC", "2018-05-11T21:58:33Z"),
        ("yyyy-MM-dd'T'HH:mm:ssX", "+05:30", "2018-05-12T03:28:33+0530"),
        ("HH:mm xxx Z ZZZZ O", "America/Los_Angeles", "14:58 -07:00 -0700 GMT-07:00 GMT-7"),
        ("EEEE E MMMM MMM yy 'it''s' ''", "UTC", "Friday Fri May May 18 it's '"),
        ("VV z", "America/Los_Angeles", "America/Los_Angeles PDT"),
        ("VV z X", "GMT", "GMT GMT Z"),
        ("VV z X", "UTC", "UTC UTC Z"),
        ("VV z X", "Z", "Z Z Z"),
        ("YY", "UTC", "18"),
        ("h K k a Q QQQ D w W e", "UTC", "9 9 21 PM 2 Q2 131 19 2 6"),
        ("S SS SSS SSSSSS", "UTC", "1 12 123 123000"),
    ] {
        assert_eq!(shown(pattern, millis, zone), text, "{pattern}");
    }
}

#[test]
fn what_a_text_does_not_say_is_the_start_of_1970() {
    assert_eq!(instant("HH:mm", "10:30"), Ok(37_800_000));
    assert_eq!(instant("yyyy", "2019"), Ok(1_546_300_800_000));
    assert_eq!(instant("HH:mm", "24:00"), Ok(0));
    assert_eq!(instant("a", "pm"), Ok(43_200_000));
    // A year of weeks says nothing beside months, as in Java.
    assert_eq!(instant("YYYY-MM-dd", "2019-01-02"), Ok(86_400_000));
    assert_eq!(instant("YYYY-ww-e", "2019-01-3"), instant("yyyy-MM-dd", "2019-01-01"));
    assert_eq!(instant("yyyy-MM-dd[ HH:mm]", "2019-01-01"), Ok(1_546_300_800_000));
    assert_eq!(instant("yyyy-MM-dd HH:mm:ssz", "2018-08-15 10:10:43PST"), Ok(1_534_353_043_000));
}

#[test]
fn what_does_not_fit_is_refused() {
    for (pattern, text) in [
        ("yyyy-MM-dd", "2018-13-01"),
        ("yyyy-MM-dd", "2018-01-01x"),
        ("yyyy-MM-dd", "18-01-01"),
        ("yyyyMMdd", "201801"),
        ("HH", "25"),
        ("HH:mm", "24:01"),
        ("E yyyy-MM-dd", "Mon 2018-05-11"),
        ("yyyy-DDD", "2018-366"),
    ] {
        assert!(instant(pattern, text).is_err(), "{pattern} {text}");
    }
    for pattern in ["yyyy'", "b", "dddd", "{", "]"] {
        assert!(Pattern::new(pattern).is_err(), "{pattern}");
    }
    assert_eq!(instant("yyyy-MM-dd", "2018-02-30"), instant("yyyy-MM-dd", "2018-02-28"));
}

#[test]
fn a_date_has_no_time_and_a_time_no_date() {
    let pattern = Pattern::new("yyyy HH").expect("a pattern");
    assert!(pattern.format(&Moment::date(0), &mut String::new()).is_err());
    assert!(pattern.format(&Moment::time(0), &mut String::new()).is_err());
    let parsed = pattern.parse("2018 10").expect("it fits");
    assert!(parsed.has_date() && parsed.is_whole_time() && !parsed.is_whole_date());
    let whole = |pattern: &str, text: &str| {
        let parsed = Pattern::new(pattern).expect("a pattern").parse(text).expect("it fits");
        (parsed.is_whole_date(), parsed.is_whole_time())
    };
    assert_eq!(whole("yyyy-MM-dd", "2018-01-02"), (true, false));
    assert_eq!(whole("yyyy-DDD", "2018-002"), (true, false));
    assert_eq!(whole("hh:mm", "10:30"), (false, false));
    assert_eq!(whole("hh:mm a", "10:30 AM"), (false, true));
    assert_eq!(whole("HH ss", "10 30"), (false, false));
}
