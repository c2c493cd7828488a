//! Exact decimals from text and to text.
//!
//! A `DECIMAL(p, s)` is an integer, its value times `10^s`, of at most `p` digits: `i128` up to 38 digits, `i256` above.

use datafusion::arrow::datatypes::i256;

/// What to do with digits beyond the scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// They must be zero.
    Exact,
    /// Round half away from zero, as `CAST` does.
    HalfUp,
}

/// Why a number is no `DECIMAL(p, s)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalError {
    /// It is not a number.
    Syntax,
    /// It has more digits before the point than `p - s`.
    Overflow,
    /// It has more digits after the point than `s`.
    Inexact,
}

impl DecimalError {
    /// What is wrong, in words that fit after "the number".
    pub fn reason(self) -> &'static str {
        match self {
            DecimalError::Syntax => "is not a decimal number",
            DecimalError::Overflow => "has too many digits before the point",
            DecimalError::Inexact => "has too many digits after the point",
        }
    }
}

/// Powers of ten that 64 bits hold.
const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut i = 1;
    while i < 20 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// `number * 10^zeros`, when 64 bits hold it and it has at most `precision` digits.
#[inline]
pub fn short_unscaled(number: u64, zeros: usize, precision: u8) -> Option<u64> {
    let unscaled = number.checked_mul(*POWERS.get(zeros)?)?;
    let fits = POWERS.get(usize::from(precision)).is_none_or(|bound| unscaled < *bound);
    fits.then_some(unscaled)
}

/// An integer that holds the digits of a decimal.
pub trait Unscaled: Copy + PartialEq {
    /// Zero.
    const ZERO: Self;
    /// A number that 64 bits hold.
    fn from_u64(number: u64) -> Self;
    /// Appends a decimal digit. The caller has checked that it fits.
    fn push_digit(self, digit: u8) -> Self;
    /// The number with the opposite sign.
    fn negate(self) -> Self;
    /// One more.
    fn increment(self) -> Self;
    /// Whether this is `10^digits`.
    fn is_power_of_ten(self, digits: u32) -> bool;
    /// Appends the digits with a leading minus where needed.
    fn write_digits(self, out: &mut Vec<u8>);
}

impl Unscaled for i128 {
    const ZERO: Self = 0;
    #[inline]
    fn from_u64(number: u64) -> Self {
        i128::from(number)
    }
    #[inline]
    fn push_digit(self, digit: u8) -> Self {
        self.wrapping_mul(10).wrapping_add(i128::from(digit))
    }
    fn negate(self) -> Self {
        self.wrapping_neg()
    }
    fn increment(self) -> Self {
        self.wrapping_add(1)
    }
    fn is_power_of_ten(self, digits: u32) -> bool {
        10i128.checked_pow(digits) == Some(self)
    }
    fn write_digits(self, out: &mut Vec<u8>) {
        let mut buffer = itoa::Buffer::new();
        // Nearly all fit into 64 bits, whose digits take a third of the time.
        let digits = match i64::try_from(self) {
            Ok(short) => buffer.format(short),
            Err(_) => buffer.format(self),
        };
        out.extend_from_slice(digits.as_bytes());
    }
}

impl Unscaled for i256 {
    const ZERO: Self = i256::ZERO;
    fn from_u64(number: u64) -> Self {
        i256::from_i128(i128::from(number))
    }
    fn push_digit(self, digit: u8) -> Self {
        self.wrapping_mul(i256::from_i128(10)).wrapping_add(i256::from_i128(i128::from(digit)))
    }
    fn negate(self) -> Self {
        self.wrapping_neg()
    }
    fn increment(self) -> Self {
        self.wrapping_add(i256::ONE)
    }
    fn is_power_of_ten(self, digits: u32) -> bool {
        i256::from_i128(10).checked_pow(digits) == Some(self)
    }
    fn write_digits(self, out: &mut Vec<u8>) {
        // Decimals beyond 38 digits are rare enough for the allocation.
        out.extend_from_slice(self.to_string().as_bytes());
    }
}

/// Reads what Java's `BigDecimal(String)` reads, a sign, digits with a point, an exponent, as a `DECIMAL(precision, scale)`.
///
/// As in ksqlDB the digits before the point are counted before rounding.
pub fn parse<T: Unscaled>(text: &[u8], precision: u8, scale: u8, rounding: Rounding) -> Result<T, DecimalError> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if let Some((digits, places)) = short(rest)
        && let Some(zeros) = usize::from(scale).checked_sub(places)
        && let Some(unscaled) = short_unscaled(digits, zeros, precision)
    {
        let value = T::from_u64(unscaled);
        return Ok(if negative { value.negate() } else { value });
    }
    let mantissa_end = rest.iter().position(|b| matches!(b, b'e' | b'E')).unwrap_or(rest.len());
    let (mantissa, exponent) = (&rest[..mantissa_end], &rest[mantissa_end..]);
    let exponent = match exponent {
        [] => 0,
        [_, power @ ..] => i64::from(super::number::parse_i32(power).ok_or(DecimalError::Syntax)?),
    };
    let point = mantissa.iter().position(|&b| b == b'.');
    let (whole, fraction) = match point {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &mantissa[mantissa.len()..]),
    };
    let digits = || whole.iter().chain(fraction);
    if whole.len() + fraction.len() == 0 || !digits().all(u8::is_ascii_digit) {
        return Err(DecimalError::Syntax);
    }
    let total = whole.len() + fraction.len();
    let leading = digits().take_while(|&&b| b == b'0').count();
    if leading == total {
        return Ok(T::ZERO);
    }
    // Digits before the decimal point of the value itself, after the exponent moved it; may be negative.
    let before_point = whole.len() as i64 + exponent - leading as i64;
    if before_point > i64::from(precision) - i64::from(scale) {
        return Err(DecimalError::Overflow);
    }
    // How many of the significant digits, zeros appended, the unscaled value has.
    let keep = before_point + i64::from(scale);
    let significant = (total - leading) as i64;
    let mut value = T::ZERO;
    for &byte in digits().skip(leading).take(keep.clamp(0, significant) as usize) {
        value = value.push_digit(byte - b'0');
    }
    for _ in significant..keep {
        value = value.push_digit(0);
    }
    if keep < significant {
        let mut dropped = digits().skip(leading + keep.max(0) as usize);
        match rounding {
            Rounding::Exact => {
                if dropped.any(|&b| b != b'0') {
                    return Err(DecimalError::Inexact);
                }
            }
            Rounding::HalfUp => {
                if keep >= 0 && dropped.next().is_some_and(|&b| b >= b'5') {
                    value = value.increment();
                    if value.is_power_of_ten(u32::from(precision)) {
                        return Err(DecimalError::Overflow);
                    }
                }
            }
        }
    }
    Ok(if negative { value.negate() } else { value })
}

/// The digits of a short number without an exponent as an integer, and how many of them are behind the point.
#[inline]
fn short(text: &[u8]) -> Option<(u64, usize)> {
    if text.len() > 19 {
        return None;
    }
    let (mut number, mut point) = (0, None);
    for (at, &byte) in text.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            number = number * 10 + u64::from(digit);
        } else if byte == b'.' && point.is_none() {
            point = Some(at);
        } else {
            return None;
        }
    }
    let digits = text.len() - usize::from(point.is_some());
    (digits > 0).then(|| (number, point.map_or(0, |point| text.len() - point - 1)))
}

/// Appends a decimal in plain notation with exactly `scale` digits after the point.
pub fn write<T: Unscaled>(unscaled: T, scale: u8, out: &mut Vec<u8>) {
    let start = out.len();
    unscaled.write_digits(out);
    let scale = usize::from(scale);
    if scale == 0 {
        return;
    }
    let first = start + usize::from(out[start] == b'-');
    let digits = out.len() - first;
    if digits <= scale {
        let zeros = scale + 1 - digits;
        out.splice(first..first, std::iter::repeat_n(b'0', zeros));
    }
    let point = out.len() - scale;
    out.insert(point, b'.');
}

/// Appends a number, written as JSON allows, as Java's `BigDecimal.toString` writes it: plain as long as the exponent
/// is not positive and the first digit is at most six places after the point, else with an exponent.
pub fn write_as_big_decimal(number: &[u8], out: &mut Vec<u8>) {
    let (negative, rest) = match number {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, number),
    };
    let mantissa_end = rest.iter().position(|b| matches!(b, b'e' | b'E')).unwrap_or(rest.len());
    let (mantissa, power) = (&rest[..mantissa_end], rest.get(mantissa_end + 1..).unwrap_or_default());
    // An exponent outside of 32 bits is no `BigDecimal`; its text is kept as it is.
    let Some(power) = (if power.is_empty() { Some(0) } else { super::number::parse_i32(power) }) else {
        out.extend_from_slice(number);
        return;
    };
    let point = mantissa.iter().position(|&b| b == b'.').unwrap_or(mantissa.len());
    let fraction = mantissa.len().saturating_sub(point + 1);
    let scale = fraction as i64 - i64::from(power);
    let digits = || mantissa.iter().copied().filter(|&b| b != b'.');
    let total = digits().count();
    let leading = digits().take_while(|&b| b == b'0').count().min(total.saturating_sub(1));
    let significant = total - leading;
    let zero = digits().all(|b| b == b'0');
    if negative && !zero {
        out.push(b'-');
    }
    let adjusted = significant as i64 - 1 - scale;
    let mut unscaled = digits().skip(leading);
    if scale >= 0 && adjusted >= -6 {
        let whole = significant as i64 - scale;
        if whole <= 0 {
            out.extend_from_slice(b"0");
            if scale > 0 {
                out.push(b'.');
            }
            out.extend(std::iter::repeat_n(b'0', -whole as usize));
            out.extend(unscaled);
        } else {
            out.extend(unscaled.by_ref().take(whole as usize));
            if scale > 0 {
                out.push(b'.');
                out.extend(unscaled);
            }
        }
        return;
    }
    out.extend(unscaled.next());
    if significant > 1 {
        out.push(b'.');
        out.extend(unscaled);
    }
    if adjusted != 0 {
        out.push(b'E');
        if adjusted > 0 {
            out.push(b'+');
        }
        out.extend_from_slice(itoa::Buffer::new().format(adjusted).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str, precision: u8, scale: u8) -> Result<i128, DecimalError> {
        parse(text.as_bytes(), precision, scale, Rounding::Exact)
    }

    fn plain<T: Unscaled>(unscaled: T, scale: u8) -> String {
        let mut out = Vec::new();
        write(unscaled, scale, &mut out);
        String::from_utf8(out).expect("digits are ASCII")
    }

    fn big(text: &str) -> String {
        let mut out = Vec::new();
        write_as_big_decimal(text.as_bytes(), &mut out);
        String::from_utf8(out).expect("digits are ASCII")
    }

    #[test]
    fn a_number_fits_or_says_why_not() {
        assert_eq!(exact("10.1", 4, 2), Ok(1010));
        assert_eq!(exact("-.12", 4, 2), Ok(-12));
        assert_eq!(exact("12.", 4, 2), Ok(1200));
        assert_eq!(exact("1.5e1", 4, 2), Ok(1500));
        assert_eq!(exact("150E-1", 4, 2), Ok(1500));
        assert_eq!(exact("0001.100000", 4, 2), Ok(110));
        assert_eq!(exact("0e999999999", 4, 2), Ok(0));
        assert_eq!(exact("1e-999999999", 4, 2), Err(DecimalError::Inexact));
        assert_eq!(exact("100", 4, 2), Err(DecimalError::Overflow));
        assert_eq!(exact("1e999999999", 4, 2), Err(DecimalError::Overflow));
        assert_eq!(exact("1.001", 4, 2), Err(DecimalError::Inexact));
        for bad in ["", "-", ".", "e1", "1e", "1e99999999999", "1..2", "a", " 1", "+-1"] {
            assert_eq!(exact(bad, 4, 2), Err(DecimalError::Syntax), "{bad}");
        }
    }

    #[test]
    fn the_short_way_and_the_long_one_agree() {
        // An exponent of zero takes the long way.
        for text in
            ["0", "-0.0", "1", ".5", "5.", "-12.34", "99.99", "100", "99.999", "0001.10", "1234567890123456789", "."]
        {
            for (precision, scale) in [(4, 2), (2, 2), (19, 0), (19, 19), (20, 1), (38, 19), (38, 38)] {
                let long = exact(&format!("{text}e0"), precision, scale);
                assert_eq!(exact(text, precision, scale), long, "{text} as DECIMAL({precision}, {scale})");
            }
        }
    }

    #[test]
    fn casts_round_half_up_after_counting_the_whole_digits() {
        let half_up = |text: &str| parse::<i128>(text.as_bytes(), 3, 1, Rounding::HalfUp);
        assert_eq!(half_up("0.25"), Ok(3));
        assert_eq!(half_up("-0.25"), Ok(-3));
        assert_eq!(half_up("0.249"), Ok(2));
        assert_eq!(half_up("0.05"), Ok(1));
        assert_eq!(half_up("0.009"), Ok(0));
        assert_eq!(half_up("99.95"), Err(DecimalError::Overflow));
        assert_eq!(half_up("100"), Err(DecimalError::Overflow));
    }

    #[test]
    fn plain_text_has_exactly_scale_digits() {
        assert_eq!(plain(1010i128, 2), "10.10");
        assert_eq!(plain(-5i128, 3), "-0.005");
        assert_eq!(plain(0i128, 2), "0.00");
        assert_eq!(plain(-7i128, 0), "-7");
        let wide: i256 = parse(b"-12345678901234567890123456789012345678901.5", 50, 2, Rounding::Exact).expect("fits");
        assert_eq!(plain(wide, 2), "-12345678901234567890123456789012345678901.50");
    }

    #[test]
    fn big_decimals_print_as_java_prints_them() {
        for (text, java) in [
            ("10.10", "10.10"),
            ("1e3", "1E+3"),
            ("1.5e3", "1.5E+3"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1E-7"),
            ("0.00000012", "1.2E-7"),
            ("1500e-2", "15.00"),
            ("-0.0", "0.0"),
            ("0e10", "0E+10"),
            ("0.0000000", "0E-7"),
            ("12e0", "12"),
            ("1e-2", "0.01"),
        ] {
            assert_eq!(big(text), java, "{text}");
        }
    }
}
