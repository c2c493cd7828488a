//! A pattern as a list of parts.

/// A field of a date or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Era,
    /// `u`, may be negative.
    Year,
    /// `y`, counted from 1 in its era.
    YearOfEra,
    DayOfYear,
    Month,
    DayOfMonth,
    Quarter,
    /// `Y` and `w`: weeks start on Sunday, the first one holds the first of January.
    WeekYear,
    Week,
    WeekOfMonth,
    Weekday,
    /// `e`, `c`: Sunday is 1.
    LocalWeekday,
    /// `F`.
    WeekdayInMonth,
    AmPm,
    /// `h`, 1 to 12.
    HourOfHalf,
    /// `K`, 0 to 11.
    HourOfHalfFromZero,
    /// `k`, 1 to 24.
    HourFromOne,
    Hour,
    Minute,
    Second,
    Fraction,
    MilliOfDay,
    NanoOfSecond,
    NanoOfDay,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    /// A number of at least `width` digits; exactly that many when `fixed`.
    Number {
        field: Field,
        width: usize,
        fixed: bool,
    },
    /// A year of two digits, 2000 to 2099.
    ShortYear(Field),
    /// A name; the count of letters says how long.
    Text {
        field: Field,
        count: usize,
    },
    /// `X`, `x`, `Z`: an offset; `zero` is how none is written.
    Offset {
        count: usize,
        zero: &'static str,
        colons: bool,
    },
    /// `O`, `ZZZZ`: `GMT+8`, `GMT+08:00`.
    GmtOffset {
        full: bool,
    },
    /// `VV`.
    ZoneId,
    /// `z`, `v`; in full for four letters.
    ZoneName {
        full: bool,
    },
    /// `[...]`: written in full, may be missing when read.
    Optional(Vec<Part>),
}

/// A pattern, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    pub(super) parts: Vec<Part>,
}

impl Pattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub fn new(pattern: &str) -> Result<Pattern, String> {
        let chars: Vec<char> = pattern.chars().collect();
        let mut at = 0;
        let parts = parts(&chars, &mut at, false)?;
        if at < chars.len() {
            return Err("the pattern has a `]` without `[`".to_string());
        }
        Ok(Pattern { parts })
    }
}

fn parts(chars: &[char], at: &mut usize, nested: bool) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    while let Some(&c) = chars.get(*at) {
        let flush = |literal: &mut String, parts: &mut Vec<Part>| {
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(literal)));
            }
        };
        match c {
            '\'' => {
                if chars.get(*at + 1) == Some(&'\'') {
                    literal.push('\'');
                    *at += 2;
                    continue;
                }
                *at += 1;
                loop {
                    match chars.get(*at) {
                        None => return Err("the pattern ends inside of quotes".to_string()),
                        Some('\'') if chars.get(*at + 1) == Some(&'\'') => {
                            literal.push('\'');
                            *at += 2;
                        }
                        Some('\'') => {
                            *at += 1;
                            break;
                        }
                        Some(c) => {
                            literal.push(*c);
                            *at += 1;
                        }
                    }
                }
            }
            '[' => {
                flush(&mut literal, &mut parts);
                *at += 1;
                parts.push(Part::Optional(self::parts(chars, at, true)?));
                // Java closes what is open at the end.
                *at += usize::from(*at < chars.len());
            }
            ']' if nested => break,
            ']' => return Err("the pattern has a `]` without `[`".to_string()),
            '{' | '}' | '#' => return Err(format!("`{c}` is reserved in patterns")),
            c if c.is_ascii_alphabetic() => {
                flush(&mut literal, &mut parts);
                let count = chars[*at..].iter().take_while(|other| **other == c).count();
                *at += count;
                parts.push(letter(c, count)?);
            }
            c => {
                literal.push(c);
                *at += 1;
            }
        }
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

fn letter(letter: char, count: usize) -> Result<Part, String> {
    let wrong = || Err(format!("the pattern has {count} letters `{letter}`"));
    let small = |field: Field| match count {
        1 => Ok(Part::Number { field, width: 1, fixed: false }),
        2 => Ok(Part::Number { field, width: 2, fixed: true }),
        _ => wrong(),
    };
    let year = |field: Field| match count {
        2 => Ok(Part::ShortYear(field)),
        _ => Ok(Part::Number { field, width: count, fixed: false }),
    };
    let text = |field: Field| if count <= 5 { Ok(Part::Text { field, count }) } else { wrong() };
    let long = |field: Field| Ok(Part::Number { field, width: count, fixed: false });
    match letter {
        'G' => text(Field::Era),
        'u' => year(Field::Year),
        'y' => year(Field::YearOfEra),
        'Y' => year(Field::WeekYear),
        'M' | 'L' if count <= 2 => small(Field::Month),
        'M' | 'L' => text(Field::Month),
        'Q' | 'q' if count <= 2 => small(Field::Quarter),
        'Q' | 'q' => text(Field::Quarter),
        'D' if count <= 3 => Ok(Part::Number { field: Field::DayOfYear, width: count, fixed: count == 3 }),
        'd' => small(Field::DayOfMonth),
        'w' => small(Field::Week),
        'W' if count == 1 => small(Field::WeekOfMonth),
        'E' => text(Field::Weekday),
        'e' | 'c' if count <= 2 => small(Field::LocalWeekday),
        'e' | 'c' => text(Field::Weekday),
        'F' if count == 1 => small(Field::WeekdayInMonth),
        'a' if count == 1 => text(Field::AmPm),
        'h' => small(Field::HourOfHalf),
        'K' => small(Field::HourOfHalfFromZero),
        'k' => small(Field::HourFromOne),
        'H' => small(Field::Hour),
        'm' => small(Field::Minute),
        's' => small(Field::Second),
        'S' if count <= 9 => Ok(Part::Number { field: Field::Fraction, width: count, fixed: true }),
        'A' => long(Field::MilliOfDay),
        'n' => long(Field::NanoOfSecond),
        'N' => long(Field::NanoOfDay),
        'V' if count == 2 => Ok(Part::ZoneId),
        'z' if count <= 4 => Ok(Part::ZoneName { full: count == 4 }),
        'v' if count == 1 || count == 4 => Ok(Part::ZoneName { full: count == 4 }),
        'O' if count == 1 || count == 4 => Ok(Part::GmtOffset { full: count == 4 }),
        'X' if count <= 5 => Ok(Part::Offset { count, zero: "Z", colons: count == 3 || count == 5 }),
        'x' if count <= 5 => {
            let zero = match count {
                1 => "+00",
                3 | 5 => "+00:00",
                _ => "+0000",
            };
            Ok(Part::Offset { count, zero, colons: count == 3 || count == 5 })
        }
        'Z' if count <= 3 => Ok(Part::Offset { count: 2, zero: "+0000", colons: false }),
        'Z' if count == 4 => Ok(Part::GmtOffset { full: true }),
        'Z' if count == 5 => Ok(Part::Offset { count: 5, zero: "Z", colons: true }),
        _ => wrong(),
    }
}
