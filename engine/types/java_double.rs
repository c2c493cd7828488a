//! DOUBLE as text, as Java's `Double.toString` writes it.
//!
//! ksqlDB's casts, its DELIMITED and JSON formats and the text results of functions all show numbers this way, so
//! everything that turns a DOUBLE into text comes here. The rules are those of the class documentation of
//! `java.lang.Double` since JDK 19: the fewest digits that read back as the same number (of several, the nearest;
//! never fewer than two), plain notation for magnitudes from 10^-3 up to but not including 10^7, else one digit, a
//! point, and an exponent after `E`.
//!
//! Digits come from Ryu (Adams, "Ryū: fast float-to-string conversion", PLDI 2018); the layout is ours.

use std::fmt::Write;

/// Longest text: sign, 17 digits, point, `E`, sign and three digits of the exponent.
const MAX_LEN: usize = 24;

/// A place on the stack for one formatted number.
///
/// ```
/// use alcedo::types::java_double::Buffer;
/// assert_eq!(Buffer::new().format(1e10), "1.0E10");
/// ```
#[derive(Debug, Clone)]
pub struct Buffer {
    bytes: [u8; MAX_LEN],
    len: usize,
}

impl Default for Buffer {
    fn default() -> Self {
        Buffer::new()
    }
}

impl Buffer {
    /// An empty buffer; making one costs nothing worth avoiding.
    pub fn new() -> Self {
        Buffer { bytes: [0; MAX_LEN], len: 0 }
    }

    /// The text of `value`, pure ASCII, valid until the next call.
    pub fn format(&mut self, value: f64) -> &str {
        self.len = 0;
        if value.is_nan() {
            return "NaN";
        }
        if value.is_sign_negative() {
            self.push(b'-');
        }
        if value.is_infinite() {
            self.extend(b"Infinity");
        } else if value == 0.0 {
            self.extend(b"0.0");
        } else {
            self.finite(value.abs());
        }
        // Only ASCII was pushed.
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    fn finite(&mut self, value: f64) {
        let mut ryu = ryu::Buffer::new();
        let text = ryu.format_finite(value);
        // In these bounds Ryu and Java lay numbers out alike.
        if (1e-3..1e7).contains(&value) {
            return self.extend(text.as_bytes());
        }
        let mut digits = Digits::of(text);
        if digits.len == 1 && value < 1e-320 {
            // So close to zero that even two digits say more than the number holds. Java wants two, and the
            // nearest: 4.9E-324, where one digit would do as 5E-324.
            let mut text = ShortText::default();
            if write!(text, "{value:.1e}").is_ok() {
                digits = Digits::of(text.as_str());
            }
        }
        let Digits { digits, len, exponent } = digits;
        let digits = &digits[..len];
        match exponent {
            0..7 => {
                let whole = exponent as usize + 1;
                if len <= whole {
                    self.extend(digits);
                    (len..whole).for_each(|_| self.push(b'0'));
                    self.extend(b".0");
                } else {
                    self.extend(&digits[..whole]);
                    self.push(b'.');
                    self.extend(&digits[whole..]);
                }
            }
            -3..0 => {
                self.extend(b"0.");
                (exponent..-1).for_each(|_| self.push(b'0'));
                self.extend(digits);
            }
            _ => {
                self.push(digits[0]);
                self.push(b'.');
                if len == 1 {
                    self.push(b'0');
                } else {
                    self.extend(&digits[1..]);
                }
                self.push(b'E');
                let mut text = itoa::Buffer::new();
                self.extend(text.format(exponent).as_bytes());
            }
        }
    }

    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

/// Appends the text of `value` to a byte buffer.
pub fn write(value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(Buffer::new().format(value).as_bytes());
}

/// Appends the text of `value` to a string.
pub fn write_str(value: f64, out: &mut String) {
    out.push_str(Buffer::new().format(value));
}

/// The text of `value`, for places where one allocation does not matter.
pub fn to_string(value: f64) -> String {
    Buffer::new().format(value).to_string()
}

/// The fewest digits that stand for a number: `(digits, exponent)` with `digits * 10^exponent` next to `value`, which
/// must be finite and above zero.
pub fn shortest_digits(value: f64) -> (u64, i32) {
    let mut ryu = ryu::Buffer::new();
    let Digits { digits, len, exponent } = Digits::of(ryu.format_finite(value));
    let number = digits[..len].iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    (number, exponent + 1 - len as i32)
}

/// Decimal digits without zeros at either end, and the exponent of ten of the first one.
struct Digits {
    digits: [u8; MAX_LEN],
    len: usize,
    exponent: i32,
}

impl Digits {
    /// Takes apart a positive number written as digits with an optional point and an optional exponent.
    fn of(text: &str) -> Digits {
        let mut digits = [0; MAX_LEN];
        let (mut len, mut exponent, mut seen_point) = (0, -1, false);
        let bytes = text.as_bytes();
        let mantissa_end = bytes.iter().position(|&b| b == b'e').unwrap_or(bytes.len());
        for &byte in &bytes[..mantissa_end] {
            match byte {
                b'.' => seen_point = true,
                b'0' if len == 0 => exponent -= i32::from(seen_point),
                digit => {
                    // Ryu writes plain numbers below 10^16 only, so zeros of its padding never overrun the array.
                    digits[len] = digit;
                    len += 1;
                    exponent += i32::from(!seen_point);
                }
            }
        }
        while len > 1 && digits[len - 1] == b'0' {
            len -= 1;
        }
        let scale: i32 = text.get(mantissa_end + 1..).and_then(|text| text.parse().ok()).unwrap_or(0);
        Digits { digits, len, exponent: exponent + scale }
    }
}

/// A short text on the stack.
#[derive(Default)]
struct ShortText {
    bytes: [u8; MAX_LEN],
    len: usize,
}

impl ShortText {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl Write for ShortText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_outputs_of_java() {
        let known: &[(f64, &str)] = &[
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.0, "-1.0"),
            (100.0, "100.0"),
            (123.456, "123.456"),
            (0.1, "0.1"),
            (0.30000000000000004, "0.30000000000000004"),
            (1.2104138026620321, "1.2104138026620321"),
            (1.0 / 3.0, "0.3333333333333333"),
            (1e10, "1.0E10"),
            (12345678.9, "1.23456789E7"),
            (2e23, "2.0E23"),
            (1e23, "1.0E23"),
            (5e-324, "4.9E-324"),
            (1e-323, "9.9E-324"),
            (1.5e-323, "1.5E-323"),
            (2e-323, "2.0E-323"),
            (5e-323, "4.9E-323"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::MIN, "-1.7976931348623157E308"),
            (f64::EPSILON, "2.220446049250313E-16"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
            (9007199254740993.0, "9.007199254740992E15"),
            (std::f64::consts::PI, "3.141592653589793"),
        ];
        for &(value, text) in known {
            assert_eq!(to_string(value), text);
        }
    }

    #[test]
    fn notation_changes_at_a_thousandth_and_at_ten_million() {
        assert_eq!(to_string(2e-3), "0.002");
        assert_eq!(to_string(1e-3), "0.001");
        assert_eq!(to_string(0.0123), "0.0123");
        assert_eq!(to_string(0.0009999999999999998), "9.999999999999998E-4");
        assert_eq!(to_string(9.5e-4), "9.5E-4");
        assert_eq!(to_string(9999999.0), "9999999.0");
        assert_eq!(to_string(9999999.999999998), "9999999.999999998");
        assert_eq!(to_string(1e7), "1.0E7");
        assert_eq!(to_string(1e6), "1000000.0");
    }

    #[test]
    fn every_text_reads_back_as_the_same_number() {
        let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..100_000 {
            bits = bits.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let value = f64::from_bits(bits ^ (bits >> 29));
            if value.is_finite() {
                let back: f64 = to_string(value).parse().expect("a decimal number");
                assert_eq!(back.to_bits(), value.to_bits());
            }
        }
        for k in 1..2_000_u64 {
            let value = f64::from_bits(k);
            let back: f64 = to_string(value).parse().expect("a decimal number");
            assert_eq!(back.to_bits(), k);
        }
    }

    #[test]
    fn digits_come_without_zeros_at_their_ends() {
        for (value, digits) in [(1.0, (1, 0)), (1200.0, (12, 2)), (0.00105, (105, -5)), (1e300, (1, 300))] {
            assert_eq!(shortest_digits(value), digits);
        }
        assert_eq!(shortest_digits(f64::MAX), (17976931348623157, 292));
    }

    #[test]
    fn writers_append() {
        let mut bytes = b"x=".to_vec();
        write(1.5, &mut bytes);
        assert_eq!(bytes, b"x=1.5");
        let mut text = String::from("x=");
        write_str(-1e-7, &mut text);
        assert_eq!(text, "x=-1.0E-7");
    }
}
