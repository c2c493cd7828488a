//! Booleans, integers and doubles from text.

/// Powers of ten that a double holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// `mantissa * 10^exponent`, when one division or product of exactly representable numbers gives it correctly rounded
/// (Clinger, "How to read floating point numbers accurately", 1990).
#[inline]
pub fn exact_f64(mantissa: u64, exponent: i32) -> Option<f64> {
    if mantissa > 1 << 53 {
        return None;
    }
    let mantissa = mantissa as f64;
    match exponent {
        0..=22 => Some(mantissa * POWERS[exponent as usize]),
        -22..=-1 => Some(mantissa / POWERS[-exponent as usize]),
        _ => None,
    }
}

/// ksqlDB's boolean from text: true for `true`, `yes` and every prefix of them in any case, else false.
pub fn parse_bool(text: &str) -> bool {
    is_prefix(text, "true") || is_prefix(text, "yes")
}

/// As [`parse_bool`], but `None` for what is not a prefix of `true`, `yes`, `false` or `no`.
pub fn parse_bool_exact(text: &str) -> Option<bool> {
    if parse_bool(text) {
        Some(true)
    } else if is_prefix(text, "false") || is_prefix(text, "no") {
        Some(false)
    } else {
        None
    }
}

fn is_prefix(text: &str, word: &str) -> bool {
    !text.is_empty() && text.len() <= word.len() && text.as_bytes().eq_ignore_ascii_case(&word.as_bytes()[..text.len()])
}

/// A whole number as Java's `Long.parseLong` reads it: an optional sign and digits, nothing else.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0u64;
    if digits.len() <= 18 {
        for &byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value * 10 + u64::from(digit);
        }
    } else {
        for &byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
        }
    }
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// A whole number as Java's `Integer.parseInt` reads it.
#[inline]
pub fn parse_i32(text: &[u8]) -> Option<i32> {
    i32::try_from(parse_i64(text)?).ok()
}

/// A double as Java's `Double.parseDouble` reads it: surrounding white space, a sign, `NaN`, `Infinity`, digits with
/// a point and an exponent, and a closing `d` or `f`. Hexadecimal floats are not read.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let text = trim(text);
    match text {
        [rest @ .., b'd' | b'D' | b'f' | b'F'] if rest.last().is_some_and(|b| b.is_ascii_digit() || *b == b'.') => {
            parse_f64_plain(rest)
        }
        _ => parse_f64_plain(text),
    }
}

/// As [`parse_f64`] without white space around it and without Java's type suffixes.
pub fn parse_f64_plain(text: &[u8]) -> Option<f64> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let magnitude = match rest {
        b"NaN" => f64::NAN,
        b"Infinity" => f64::INFINITY,
        _ => {
            let scanned = scan(rest)?;
            match scanned.exact {
                Some(value) => value,
                None => lexical_core::parse::<f64>(rest).ok()?,
            }
        }
    };
    Some(if negative { -magnitude } else { magnitude })
}

struct Scanned {
    exact: Option<f64>,
}

/// Checks `digits [. digits] [e [sign] digits]` with at least one digit before the exponent.
fn scan(text: &[u8]) -> Option<Scanned> {
    let (mut mantissa, mut digits, mut exponent, mut at) = (0u64, 0usize, 0i32, 0usize);
    let mut significant = 0u32;
    let mut point = None;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                if significant > 0 || byte != b'0' {
                    significant += 1;
                }
                mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                if point.is_some() {
                    exponent = exponent.saturating_sub(1);
                }
            }
            b'.' if point.is_none() => point = Some(at),
            _ => break,
        }
        at += 1;
    }
    if digits == 0 {
        return None;
    }
    if at < text.len() {
        if !matches!(text[at], b'e' | b'E') {
            return None;
        }
        let power = &text[at + 1..];
        let unsigned = power.strip_prefix(b"-").or_else(|| power.strip_prefix(b"+")).unwrap_or(power);
        if unsigned.is_empty() || !unsigned.iter().all(u8::is_ascii_digit) {
            return None;
        }
        // An exponent that overflows is far beyond the exact range; the general reader takes it from there.
        let power = parse_i32(power).unwrap_or(i32::MAX / 2);
        exponent = exponent.saturating_add(power);
    }
    Some(Scanned { exact: if significant <= 19 { exact_f64(mantissa, exponent) } else { None } })
}

/// Without what Java's `String.trim` removes: everything up to and including the space, at both ends.
pub fn trim(mut text: &[u8]) -> &[u8] {
    while let [0..=b' ', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., 0..=b' '] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_follow_the_prefix_rule() {
        for yes in ["t", "TRUE", "tr", "y", "Yes"] {
            assert!(parse_bool(yes));
        }
        for no in ["", "false", "truer", "1", "x"] {
            assert!(!parse_bool(no));
        }
        assert_eq!(parse_bool_exact("F"), Some(false));
        assert_eq!(parse_bool_exact("nope"), None);
    }

    #[test]
    fn integers_take_a_sign_and_digits_only() {
        assert_eq!(parse_i64(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(parse_i64(b"9223372036854775808"), None);
        assert_eq!(parse_i32(b"+7"), Some(7));
        assert_eq!(parse_i32(b"0000000000000000000000000042"), Some(42));
        for bad in ["", "-", "+", " 1", "1 ", "1.0", "1e3", "0x1", "2147483648"] {
            assert_eq!(parse_i32(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn doubles_read_as_java_reads_them() {
        for (text, value) in [
            ("21.5", 21.5),
            (" -1.5e3 ", -1500.0),
            ("1d", 1.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e400", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("4.9E-324", 5e-324),
            ("1e99999999999", f64::INFINITY),
            ("123456789012345678901234567890", 123456789012345678901234567890.0),
            ("0.000000000000000000000000000001", 1e-30),
        ] {
            assert_eq!(parse_f64(text.as_bytes()), Some(value), "{text}");
        }
        assert!(parse_f64(b"NaN").is_some_and(f64::is_nan));
        for bad in ["", ".", "e5", "1e", "1e+", "1.2.3", "nan", "inf", "0x10", "1_0", "d", "--1", "NaNd"] {
            assert_eq!(parse_f64(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn doubles_agree_with_the_standard_library(value in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL, places in 0usize..12) {
            for text in [format!("{value}"), format!("{value:e}"), format!("{value:.places$}")] {
                proptest::prop_assert_eq!(parse_f64(text.as_bytes()), text.parse::<f64>().ok());
            }
        }
    }
}
