//! Feature vectors as text: numbers with a separator between them, as `2.10# 2.13# 2.19`.
//!
//! Devices and CSV columns cannot carry arrays, so vectors travel packed into one text. A row here has hundreds of
//! short numbers, and reading them costs as much as the network that scores them; hence a path of its own for what
//! sensors send: up to 15 digits are read as an integer and divided by a power of ten. Both are exact as f64 and
//! IEEE division rounds once, so the result is the correctly rounded one (Clinger, "How to read floating point
//! numbers accurately", PLDI 1990). Everything else takes the general way.

use std::fmt;

use crate::types::java_double;

/// What may stand between two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Separators {
    /// `#` and nothing else.
    #[default]
    Hash,
    /// Any of `#`, `,` and `;`.
    Any,
}

/// Why a row has no score. Says where, never what stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFault {
    /// The row ends before the model's last feature.
    TooFew {
        /// How many values there were.
        found: usize,
        /// How many the model takes.
        wanted: usize,
    },
    /// A field of the text is no number.
    NotANumber {
        /// Which field, counted from 1.
        field: usize,
        /// Where the field starts in the text, in bytes counted from 1.
        byte: usize,
    },
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RowFault::TooFew { found, wanted } => write!(f, "found {found} of {wanted} numbers"),
            RowFault::NotANumber { field, byte } => write!(f, "field {field} at byte {byte} is not a number"),
        }
    }
}

/// Powers of ten that f64 holds exactly, as far as 15 digits can need them.
const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Reads the first `out.len()` numbers of `text` into `out`.
///
/// Blanks around a number are skipped; numbers are what `Double.parseDouble` takes
/// ([`java_double::parse`]). What follows the last wanted number is not looked at.
///
/// # Errors
/// A [`RowFault`] for a field that is no number, and for a text with fewer numbers; `out` then holds anything.
pub fn parse_row(text: &[u8], separators: Separators, out: &mut [f64]) -> Result<(), RowFault> {
    match separators {
        Separators::Hash => parse_fields(text, |byte| byte == b'#', out),
        Separators::Any => parse_fields(text, |byte| matches!(byte, b'#' | b',' | b';'), out),
    }
}

#[inline(always)]
fn parse_fields(text: &[u8], is_separator: impl Fn(u8) -> bool, out: &mut [f64]) -> Result<(), RowFault> {
    let wanted = out.len();
    let mut at = 0;
    for (index, slot) in out.iter_mut().enumerate() {
        let field = text.get(at..).unwrap_or_default();
        if field.is_empty() {
            return Err(RowFault::TooFew { found: index, wanted });
        }
        let (value, length) = match short_number(field, &is_separator) {
            Some(read) => read,
            None => {
                let length = field.iter().position(|&byte| is_separator(byte)).unwrap_or(field.len());
                let value = java_double::parse(&field[..length])
                    .ok_or(RowFault::NotANumber { field: index + 1, byte: at + 1 })?;
                (value, length)
            }
        };
        *slot = value;
        at += length + 1;
    }
    Ok(())
}

/// Reads a plain decimal of at most 15 digits that ends at a separator or with the text; the value and the length of
/// the field. `None` sends the field the general way.
#[inline(always)]
fn short_number(field: &[u8], is_separator: &impl Fn(u8) -> bool) -> Option<(f64, usize)> {
    let mut at = 0;
    while field.get(at) == Some(&b' ') {
        at += 1;
    }
    let negative = field.get(at) == Some(&b'-');
    at += usize::from(negative);
    let (first, mut mantissa) = (at, 0_u64);
    let digits = |at: &mut usize, mantissa: &mut u64| {
        while let Some(digit) = field.get(*at).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10) {
            // May wrap around on a long number, which the count of digits then refuses.
            *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
            *at += 1;
        }
    };
    digits(&mut at, &mut mantissa);
    let mut count = at - first;
    let mut decimals = 0;
    if field.get(at) == Some(&b'.') {
        at += 1;
        let start = at;
        digits(&mut at, &mut mantissa);
        decimals = at - start;
        count += decimals;
    }
    if !(1..=15).contains(&count) || field.get(at).is_some_and(|&byte| !is_separator(byte)) {
        return None;
    }
    let value = mantissa as f64 / POWERS[decimals];
    Some((if negative { -value } else { value }, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, width: usize) -> Result<Vec<f64>, RowFault> {
        let mut out = vec![0.0; width];
        parse_row(text.as_bytes(), Separators::Hash, &mut out).map(|()| out)
    }

    #[test]
    fn blanks_signs_exponents_and_java_spellings_are_read() {
        let row = parse("2.10# 2.13 #-3#+4\t#1e3#.5#6.#7d#-Infinity# 1234567890123456789 ", 10);
        let expected = [2.1, 2.13, -3.0, 4.0, 1000.0, 0.5, 6.0, 7.0, f64::NEG_INFINITY, 1234567890123456789.0];
        assert_eq!(row.as_deref(), Ok(&expected[..]));
        assert!(parse("NaN", 1).is_ok_and(|row| row[0].is_nan()));
    }

    #[test]
    fn what_follows_the_last_wanted_number_is_ignored() {
        assert_eq!(parse("1#2#3#4", 2).as_deref(), Ok(&[1.0, 2.0][..]));
        assert_eq!(parse("1#2#", 2).as_deref(), Ok(&[1.0, 2.0][..]));
        assert_eq!(parse("1#2##x", 2).as_deref(), Ok(&[1.0, 2.0][..]));
    }

    #[test]
    fn a_short_row_says_how_many_it_had() {
        assert_eq!(parse("1#2", 3), Err(RowFault::TooFew { found: 2, wanted: 3 }));
        assert_eq!(parse("1#2#", 3), Err(RowFault::TooFew { found: 2, wanted: 3 }));
        assert_eq!(parse("", 3), Err(RowFault::TooFew { found: 0, wanted: 3 }));
        assert_eq!(RowFault::TooFew { found: 2, wanted: 3 }.to_string(), "found 2 of 3 numbers");
    }

    #[test]
    fn a_field_that_is_no_number_is_named_by_index_and_byte_and_not_by_value() {
        assert_eq!(parse("1# x#3", 3), Err(RowFault::NotANumber { field: 2, byte: 3 }));
        assert_eq!(parse("1##3", 3), Err(RowFault::NotANumber { field: 2, byte: 3 }));
        assert_eq!(parse("1#2.5.1#3", 3), Err(RowFault::NotANumber { field: 2, byte: 3 }));
        assert_eq!(parse("1#-#3", 3), Err(RowFault::NotANumber { field: 2, byte: 3 }));
        assert_eq!(parse("1,2,3", 3), Err(RowFault::NotANumber { field: 1, byte: 1 }));
        let text = RowFault::NotANumber { field: 2, byte: 3 }.to_string();
        assert_eq!(text, "field 2 at byte 3 is not a number");
    }

    #[test]
    fn other_separators_only_when_asked() {
        let mut out = [0.0; 4];
        assert_eq!(parse_row(b"1, 2;3#4", Separators::Any, &mut out), Ok(()));
        assert_eq!(out, [1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn the_short_way_agrees_with_the_standard_library_to_the_last_bit() {
        let mut state = 1_u64;
        for round in 0..20_000 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let mantissa = (state >> 8) % 10_u64.pow(1 + round % 17);
            let text = mantissa.to_string();
            let point = (state % 18) as usize;
            let text = match text.len().checked_sub(point) {
                Some(whole) => format!("{}.{}", &text[..whole], &text[whole..]),
                None => format!("-0.{}{text}", "0".repeat(point - text.len())),
            };
            let Ok(expected) = text.parse::<f64>() else { continue };
            let read = parse(&text, 1).expect("a number");
            assert_eq!(read[0].to_bits(), expected.to_bits(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(text: Vec<u8>, width in 0..5_usize) {
            let mut out = vec![0.0; width];
            let _ = parse_row(&text, Separators::Any, &mut out);
        }
    }
}
