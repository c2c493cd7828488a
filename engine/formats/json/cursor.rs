//! A place in the bytes of one record, and the tokens of JSON.

use super::MAX_DEPTH;
use crate::formats::failure::{Parsed, Problem, problem};

/// A place in one record.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    /// The record; known to be UTF-8.
    pub(super) bytes: &'a [u8],
    /// The next byte.
    pub(super) at: usize,
}

/// A string token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    /// What is between the quotes.
    pub(super) raw: &'a [u8],
    /// Whether there are escapes in it.
    pub(super) escaped: bool,
}

/// A number token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number<'a> {
    /// As written.
    pub(super) text: &'a [u8],
    /// Whether there is a minus before it.
    pub(super) negative: bool,
    /// Its digits without the point, exact when there are at most 19 of them.
    pub(super) mantissa: u64,
    /// How many digits there are.
    pub(super) digits: usize,
    /// The value is `mantissa * 10^exponent`.
    pub(super) exponent: i32,
    /// Whether it has a point or an exponent.
    pub(super) float: bool,
}

/// Bytes of a word that are zero have their high bit set in the result; higher bytes than the first such one may have
/// it set wrongly (Mycroft's test).
#[inline]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080
}

/// How many bytes from the start of `bytes` are neither a quote, nor a backslash, nor a control character.
#[inline]
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..at + 8) {
        // The slice has eight bytes.
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        let quotes = zero_bytes(word ^ 0x2222_2222_2222_2222);
        let backslashes = zero_bytes(word ^ 0x5c5c_5c5c_5c5c_5c5c);
        let controls = word.wrapping_sub(0x2020_2020_2020_2020) & !word & 0x8080_8080_8080_8080;
        let found = quotes | backslashes | controls;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' || byte == b'\\' || byte < b' ' {
            break;
        }
        at += 1;
    }
    at
}

/// The number whose decimal digits are the bytes of a word, the first in the lowest: neighbours are joined to pairs,
/// pairs to fours, fours to the result.
#[inline]
fn eight_digits(word: u64) -> u64 {
    let pairs = word.wrapping_mul(10 * 0x100 + 1) >> 8 & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100 * 0x1_0000 + 1) >> 16 & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000 * 0x1_0000_0000 + 1) >> 32
}

/// Which bytes a number may consist of.
const IN_NUMBER: [bool; 256] = {
    let mut table = [false; 256];
    let bytes = b"0123456789+-.eE";
    let mut i = 0;
    while i < bytes.len() {
        table[bytes[i] as usize] = true;
        i += 1;
    }
    table
};

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Cursor { bytes, at: 0 }
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Takes the byte if it is the next one.
    #[inline]
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline]
    pub(super) fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// What is wrong with the next byte, given what should be there.
    #[cold]
    pub(super) fn unexpected(&self, expected: &str) -> Problem {
        match self.peek() {
            None => problem(format!("the record ends where {expected} is expected"), self.at),
            Some(_) => problem(format!("expected {expected}"), self.at),
        }
    }

    /// The rest of a string whose opening quote has been taken.
    #[inline]
    pub(super) fn text(&mut self) -> Parsed<Text<'a>> {
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_length(&self.bytes[self.at..]);
            match self.peek() {
                Some(b'"') => {
                    let raw = &self.bytes[start..self.at];
                    self.at += 1;
                    return Ok(Text { raw, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                    if self.at > self.bytes.len() {
                        return Err(problem("the record ends inside of a string", self.bytes.len()));
                    }
                }
                Some(_) => return Err(problem("a control character in a string must be escaped", self.at)),
                None => return Err(problem("the record ends inside of a string", self.at)),
            }
        }
    }

    /// A number.
    #[inline]
    pub(super) fn number(&mut self) -> Parsed<Number<'a>> {
        let start = self.at;
        let negative = self.eat(b'-');
        let first = self.at;
        let mut mantissa = 0;
        self.take_digits(&mut mantissa);
        let mut digits = self.at - first;
        if digits == 0 || digits > 1 && self.bytes[first] == b'0' {
            self.at = first;
            return Err(self.unexpected("a number without leading zeros"));
        }
        let (mut exponent, mut float) = (0i32, false);
        if self.eat(b'.') {
            float = true;
            let fraction = self.at;
            self.take_digits(&mut mantissa);
            let places = self.at - fraction;
            if places == 0 {
                return Err(self.unexpected("a digit after the point"));
            }
            digits += places;
            exponent = i32::try_from(places).map_or(i32::MIN, |places| -places);
        }
        if let Some(b'e' | b'E') = self.peek() {
            float = true;
            self.at += 1;
            let minus = self.eat(b'-');
            if !minus {
                self.eat(b'+');
            }
            let power_at = self.at;
            let mut power = 0i32;
            while let Some(digit @ b'0'..=b'9') = self.peek() {
                power = power.saturating_mul(10).saturating_add(i32::from(digit - b'0'));
                self.at += 1;
            }
            if self.at == power_at {
                return Err(self.unexpected("a digit of the exponent"));
            }
            exponent = exponent.saturating_add(if minus { -power } else { power });
        }
        Ok(Number { text: &self.bytes[start..self.at], negative, mantissa, digits, exponent, float })
    }

    /// Takes the digits that are next and appends them to `mantissa`, modulo `2^64`.
    ///
    /// Eight bytes at a time and without a branch for each digit: numbers differ in length from record to record, and
    /// a branch predicted wrongly costs more than the arithmetic.
    #[inline]
    fn take_digits(&mut self, mantissa: &mut u64) {
        const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
        while let Some(chunk) = self.bytes.get(self.at..self.at + 8) {
            // The slice has eight bytes. Digits become 0 to 9, everything else becomes more than 9.
            let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default()) ^ 0x3030_3030_3030_3030;
            let others = (word.wrapping_add(0x7676_7676_7676_7676) | word) & 0x8080_8080_8080_8080;
            let digits = others.trailing_zeros() as usize / 8;
            if digits == 0 {
                return;
            }
            *mantissa = mantissa.wrapping_mul(POWERS[digits]).wrapping_add(eight_digits(word << (64 - 8 * digits)));
            self.at += digits;
            if digits < 8 {
                return;
            }
        }
        while let Some(&byte) = self.bytes.get(self.at) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
            self.at += 1;
        }
    }

    /// `true`, `false` or `null`, whose first letter is next.
    #[inline]
    pub(super) fn literal(&mut self, word: &'static str) -> Parsed<()> {
        let end = self.at + word.len();
        let longer = self.bytes.get(end).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if longer || !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.unexpected("a JSON value"));
        }
        self.at = end;
        Ok(())
    }

    /// Takes any value, looking only at its structure.
    pub(super) fn skip_value(&mut self, depth: usize) -> Parsed<()> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                self.text()?;
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => {
                let rest = &self.bytes[self.at..];
                self.at += rest.iter().position(|&byte| !IN_NUMBER[usize::from(byte)]).unwrap_or(rest.len());
                Ok(())
            }
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(open @ (b'{' | b'[')) => {
                let depth = self.enter(depth)?;
                let close = if open == b'{' { b'}' } else { b']' };
                self.skip_space();
                if self.eat(close) {
                    return Ok(());
                }
                loop {
                    if open == b'{' {
                        self.name()?;
                    }
                    self.skip_value(depth)?;
                    if !self.next_item(close)? {
                        return Ok(());
                    }
                }
            }
            _ => Err(self.unexpected("a JSON value")),
        }
    }

    /// Takes an opening bracket; the result is the depth inside.
    #[inline]
    pub(super) fn enter(&mut self, depth: usize) -> Parsed<usize> {
        if depth >= MAX_DEPTH {
            return Err(problem(format!("arrays and objects are nested deeper than {MAX_DEPTH}"), self.at));
        }
        self.at += 1;
        Ok(depth + 1)
    }

    /// The name of a field with its colon, up to its value.
    pub(super) fn name(&mut self) -> Parsed<Text<'a>> {
        if !self.eat(b'"') {
            return Err(self.unexpected("the name of a field"));
        }
        let name = self.text()?;
        self.skip_space();
        if !self.eat(b':') {
            return Err(self.unexpected("a colon"));
        }
        self.skip_space();
        Ok(name)
    }

    /// After an item: true and at the next one after a comma, false after the closing bracket.
    #[inline]
    pub(super) fn next_item(&mut self, close: u8) -> Parsed<bool> {
        self.skip_space();
        if self.eat(b',') {
            self.skip_space();
            Ok(true)
        } else if self.eat(close) {
            Ok(false)
        } else {
            Err(self.unexpected(if close == b'}' {
                "a comma or a closing brace"
            } else {
                "a comma or a closing bracket"
            }))
        }
    }
}

impl Text<'_> {
    /// Appends the text with its escapes resolved. `at` is where the record may be blamed.
    ///
    /// Half of a surrogate pair without the other half has no UTF-8 form and becomes U+FFFD.
    pub(super) fn unescape(&self, at: usize, out: &mut Vec<u8>) -> Parsed<()> {
        let mut rest = self.raw;
        while let Some(length) = memchr::memchr(b'\\', rest) {
            out.extend_from_slice(&rest[..length]);
            let escape = &rest[length + 1..];
            let (byte, used) = match escape.first() {
                Some(b'u') => {
                    let used = unescape_unicode(escape, out)
                        .ok_or_else(|| problem("expected four hexadecimal digits after \\u", at))?;
                    rest = &escape[used..];
                    continue;
                }
                Some(&byte @ (b'"' | b'\\' | b'/')) => (byte, 1),
                Some(b'b') => (0x08, 1),
                Some(b'f') => (0x0c, 1),
                Some(b'n') => (b'\n', 1),
                Some(b'r') => (b'\r', 1),
                Some(b't') => (b'\t', 1),
                _ => return Err(problem("an unknown escape in a string", at)),
            };
            out.push(byte);
            rest = &escape[used..];
        }
        out.extend_from_slice(rest);
        Ok(())
    }
}

/// Appends the character of `uXXXX`, with the second half of a pair where there is one; the result is its length.
fn unescape_unicode(escape: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let first = hex(escape.get(1..5)?)?;
    let (code, used) = match first {
        0xd800..=0xdbff => {
            let second = match escape.get(5..11) {
                Some([b'\\', b'u', digits @ ..]) => hex(digits),
                _ => None,
            };
            match second {
                Some(second @ 0xdc00..=0xdfff) => (0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00), 11),
                _ => (0xfffd, 5),
            }
        }
        _ => (first, 5),
    };
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(used)
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, &byte| Some(value << 4 | char::from(byte).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(raw: &str) -> Option<String> {
        let mut out = Vec::new();
        Text { raw: raw.as_bytes(), escaped: true }.unescape(0, &mut out).ok()?;
        String::from_utf8(out).ok()
    }

    #[test]
    fn escapes_resolve_and_broken_pairs_are_replaced() {
        assert_eq!(unescaped(r#"a\"\\\/\b\f\n\r\t"#).as_deref(), Some("a\"\\/\u{8}\u{c}\n\r\t"));
        assert_eq!(unescaped(r"\u00e9\uD83D\uDE00").as_deref(), Some("é😀"));
        assert_eq!(unescaped(r"\uD83Dx\uDE00").as_deref(), Some("\u{fffd}x\u{fffd}"));
        assert_eq!(unescaped(r"\uD83D\u0041").as_deref(), Some("\u{fffd}A"));
        for bad in [r"\x", r"\u12", r"\u12g4", "\\"] {
            assert_eq!(unescaped(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_plain_part_of_a_string_ends_at_what_needs_care() {
        for stop in ['"', '\\', '\n', '\u{1f}', '\0'] {
            for length in 0..40 {
                let text = format!("{}{stop}{}", "é~ ".repeat(length), "x".repeat(9));
                assert_eq!(plain_length(text.as_bytes()), "é~ ".len() * length);
            }
        }
        assert_eq!(plain_length("\u{7f}\u{80}ÿ".repeat(5).as_bytes()), "\u{7f}\u{80}ÿ".len() * 5);
    }

    #[test]
    fn digits_are_taken_in_any_number_and_at_any_distance_from_the_end() {
        for digits in 1..40 {
            for rest in ["", ",", "}", " 123456789", ":::::::::", "/", "e", "\u{ff}123456789"] {
                let text: String = (0..digits).map(|i| char::from(b'0' + (i * 7 % 10) as u8)).collect();
                let whole = format!("{text}{rest}");
                let mut cursor = Cursor::new(whole.as_bytes());
                let mut mantissa = 0;
                cursor.take_digits(&mut mantissa);
                let expected = text
                    .bytes()
                    .fold(0u64, |value, digit| value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')));
                assert_eq!((cursor.at, mantissa), (digits, expected), "{whole}");
            }
        }
    }

    #[test]
    fn skipping_finds_what_is_cut_short_or_unbalanced() {
        let skip = |text: &str| {
            let mut cursor = Cursor::new(text.as_bytes());
            cursor.skip_value(0).map(|()| cursor.at).ok()
        };
        for whole in [r#"{"a":[1,{"b":"}"}],"c":null}"#, "[ ]", "{ }", "-1.5e3", r#""\"""#, "true", "[[], {}]"] {
            assert_eq!(skip(whole), Some(whole.len()), "{whole}");
            for end in 1..whole.len() {
                let cut = &whole[..end];
                let number = cut.bytes().all(|b| b"-1.5e3".contains(&b));
                assert!(number || skip(cut).is_none(), "{cut}");
            }
        }
        for bad in ["{]", "[1}", "[1 2]", r#"{"a" 1}"#, r#"{"a":1,}"#, "[1,]", "{a:1}", "nul", ""] {
            assert_eq!(skip(bad), None, "{bad}");
        }
        assert_eq!(skip(&"[".repeat(100_000)), None);
    }
}
