//! What bytes of a topic look like, and how they are shown.
//!
//! Each key and each value of a topic narrows down what all of them can be; what is left is told whenever it changes, in
//! ksqlDB's words. Where several formats are left, a record is shown in the likeliest: a text is no number because it has
//! eight letters, and a number that would be 4 quintillion as a BIGINT is a DOUBLE.

use std::fmt::Write;

use crate::types::{SqlType, java_double};

/// Whole numbers beyond this are likelier something else.
const EXACT: u64 = 1 << 53;

/// Milliseconds since 1970 that a window may start at: to the year 2248.
const LATEST_WINDOW: u64 = 1 << 43;

/// The formats that the bytes of one side can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Formats(u8);

impl Formats {
    const JSON: u8 = 1;
    const INT: u8 = 2;
    const BIGINT: u8 = 4;
    const DOUBLE: u8 = 8;
    const STRING: u8 = 16;
    const NAMES: [(u8, &str); 5] = [
        (Formats::JSON, "JSON"),
        (Formats::INT, "KAFKA_INT"),
        (Formats::BIGINT, "KAFKA_BIGINT"),
        (Formats::DOUBLE, "KAFKA_DOUBLE"),
        (Formats::STRING, "KAFKA_STRING"),
    ];

    fn has(self, format: u8) -> bool {
        self.0 & format != 0
    }

    /// What these bytes alone can be.
    fn of(bytes: &[u8]) -> Formats {
        if let Some(text) = as_text(bytes) {
            let json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            return Formats(Formats::STRING | if json { Formats::JSON } else { 0 });
        }
        match *bytes {
            [_, _, _, _] => Formats(Formats::INT),
            [a, b, c, d, e, f, g, h] => {
                let bits = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
                let double = f64::from_bits(bits);
                let is_usual = double.is_finite() && (1e-12..1e18).contains(&double.abs());
                match (bits.cast_signed().unsigned_abs() < EXACT, is_usual) {
                    (true, _) if bits != 0 => Formats(Formats::BIGINT),
                    (false, true) => Formats(Formats::DOUBLE),
                    _ => Formats(Formats::BIGINT | Formats::DOUBLE),
                }
            }
            _ => Formats(0),
        }
    }

    fn names(self) -> impl Iterator<Item = &'static str> {
        Formats::NAMES.into_iter().filter(move |(format, _)| self.has(*format)).map(|(_, name)| name)
    }
}

/// A window behind the bytes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    None,
    /// A start; how long it is, is not in the key.
    Time(u64),
    /// A start and an end.
    Session(u64, u64),
}

/// The bytes of a key and the window behind them. Only numbers that can be times, behind bytes that can be a key, are one:
/// a text never ends with these.
fn split(bytes: &[u8]) -> (&[u8], Window) {
    let time = |bytes: &[u8]| {
        let time = bytes.try_into().map(u64::from_be_bytes).ok()?;
        (time < LATEST_WINDOW).then_some(time)
    };
    let is_key = |bytes: &[u8]| !bytes.is_empty() && Formats::of(bytes).0 != 0;
    if as_text(bytes).is_some() {
        return (bytes, Window::None);
    }
    if let Some((key, times)) = bytes.split_last_chunk::<16>()
        && let (Some(end), Some(start)) = (time(&times[..8]), time(&times[8..]))
        && start <= end
        && is_key(key)
    {
        return (key, Window::Session(start, end));
    }
    match bytes.split_last_chunk::<8>() {
        Some((key, start)) if is_key(key) => match time(start) {
            Some(start) => (key, Window::Time(start)),
            None => (bytes, Window::None),
        },
        _ => (bytes, Window::None),
    }
}

/// One side of the records of a topic: keys, or values.
#[derive(Debug, Default)]
pub(in crate::session) struct Side {
    may_be_windowed: bool,
    /// What all bytes so far can be, and the kind of windows behind them; `None` before there were any.
    seen: Option<(Formats, Window)>,
    told: Option<String>,
}

impl Side {
    pub(in crate::session) fn keys() -> Side {
        Side { may_be_windowed: true, ..Side::default() }
    }

    pub(in crate::session) fn values() -> Side {
        Side::default()
    }

    fn split<'a>(&self, bytes: &'a [u8]) -> (&'a [u8], Window) {
        if self.may_be_windowed { split(bytes) } else { (bytes, Window::None) }
    }

    /// Takes bytes into account; a null tells nothing.
    pub(in crate::session) fn see(&mut self, bytes: Option<&[u8]>) {
        let Some(bytes) = bytes else { return };
        let (bytes, window) = self.split(bytes);
        let here = Formats::of(bytes);
        // Only the kind of a window is kept.
        let window = match window {
            Window::None => Window::None,
            Window::Time(_) => Window::Time(0),
            Window::Session(..) => Window::Session(0, 0),
        };
        self.seen = Some(match self.seen {
            None => (here, window),
            Some((before, kind)) if kind == window => (Formats(before.0 & here.0), window),
            Some(_) => (Formats(0), Window::None),
        });
    }

    /// The type of a column in the format of Kafka's own serializers that can hold all bytes so far, the likeliest first.
    pub(in crate::session) fn sql_type(&self) -> Option<SqlType> {
        let (formats, window) = self.seen?;
        let types = [
            (Formats::STRING, SqlType::String),
            (Formats::INT, SqlType::Integer),
            (Formats::BIGINT, SqlType::Bigint),
            (Formats::DOUBLE, SqlType::Double),
        ];
        let mut fitting = types.into_iter().filter(|(format, _)| window == Window::None && formats.has(*format));
        fitting.next().map(|(_, ty)| ty)
    }

    /// The formats that are left, when they are others than those told last.
    pub(in crate::session) fn news(&mut self) -> Option<String> {
        let text = match self.seen {
            None => "not known, all are null so far".to_string(),
            Some((Formats(0), _)) => "none that is known".to_string(),
            Some((formats, window)) => {
                let names: Vec<String> = formats
                    .names()
                    .flat_map(|name| match window {
                        Window::None => vec![name.to_string()],
                        Window::Time(_) => vec![format!("HOPPING({name})"), format!("TUMBLING({name})")],
                        Window::Session(..) => vec![format!("SESSION({name})")],
                    })
                    .collect();
                names.join(" or ")
            }
        };
        if self.told.as_ref() == Some(&text) {
            return None;
        }
        self.told = Some(text.clone());
        Some(text)
    }

    /// Bytes in the likeliest format; those of none in hexadecimal digits.
    pub(in crate::session) fn show(&self, bytes: Option<&[u8]>, line: &mut String) {
        let Some(bytes) = bytes else { return line.push_str("<null>") };
        let (key, window) = self.split(bytes);
        if window != Window::None {
            line.push('[');
        }
        let here = Formats::of(key);
        let left = self.seen.map_or(0, |(formats, _)| formats.0 & here.0);
        show(key, if left == 0 { here } else { Formats(left) }, line);
        let _ = match window {
            Window::None => Ok(()),
            Window::Time(start) => write!(line, "@{start}/-]"),
            Window::Session(start, end) => write!(line, "@{start}/{end}]"),
        };
    }
}

fn show(bytes: &[u8], formats: Formats, line: &mut String) {
    if let Some(text) = as_text(bytes) {
        return text.chars().for_each(|c| match c {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            c => line.push(c),
        });
    }
    let _ = match *bytes {
        [a, b, c, d] => write!(line, "{}", i32::from_be_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] if formats.has(Formats::BIGINT) => {
            write!(line, "{}", i64::from_be_bytes([a, b, c, d, e, f, g, h]))
        }
        [a, b, c, d, e, f, g, h] => {
            java_double::write_str(f64::from_be_bytes([a, b, c, d, e, f, g, h]), line);
            Ok(())
        }
        _ => {
            line.push_str("0x");
            bytes.iter().try_for_each(|byte| write!(line, "{byte:02x}"))
        }
    };
}

/// Bytes that are text: UTF-8 without control characters but for white space.
fn as_text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.chars().any(|c| c.is_control() && !c.is_whitespace())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(side: &mut Side, all: &[&[u8]]) -> Option<String> {
        all.iter().for_each(|bytes| side.see(Some(bytes)));
        side.news()
    }

    fn shown(side: &Side, bytes: &[u8]) -> String {
        let mut line = String::new();
        side.show(Some(bytes), &mut line);
        line
    }

    #[test]
    fn what_is_left_narrows_down_and_is_told_when_it_changes() {
        let mut side = Side::values();
        assert_eq!(side.news().as_deref(), Some("not known, all are null so far"));
        assert_eq!(news(&mut side, &[b"{\"a\":1}", b"23.5"]).as_deref(), Some("JSON or KAFKA_STRING"));
        side.see(None);
        assert_eq!(news(&mut side, &[b"[1]"]), None);
        assert_eq!(news(&mut side, &[b"a,b"]).as_deref(), Some("KAFKA_STRING"));
        assert_eq!(news(&mut side, &[&[0, 0, 0, 1]]).as_deref(), Some("none that is known"));
    }

    #[test]
    fn a_text_of_eight_letters_is_no_number_and_a_double_is_no_bigint() {
        let mut side = Side::values();
        assert_eq!(news(&mut side, &[b"engine 7"]).as_deref(), Some("KAFKA_STRING"));
        assert_eq!(shown(&side, b"engine 7"), "engine 7");
        let mut side = Side::values();
        assert_eq!(news(&mut side, &[&0f64.to_be_bytes()]).as_deref(), Some("KAFKA_BIGINT or KAFKA_DOUBLE"));
        assert_eq!(news(&mut side, &[&23.5f64.to_be_bytes()]).as_deref(), Some("KAFKA_DOUBLE"));
        assert_eq!((shown(&side, &23.5f64.to_be_bytes()), shown(&side, &[0; 8])), ("23.5".into(), "0.0".into()));
        let mut side = Side::values();
        assert_eq!(news(&mut side, &[&(-7i64).to_be_bytes()]).as_deref(), Some("KAFKA_BIGINT"));
        assert_eq!(shown(&side, &(-7i64).to_be_bytes()), "-7");
        assert_eq!(shown(&Side::values(), &[0xff, 0xfe, 1]), "0xfffe01");
        assert_eq!(shown(&Side::values(), b"a\nb"), "a\\nb");
    }

    #[test]
    fn windows_behind_a_key_are_shown_as_ksqldb_does() {
        let time = 1_700_000_000_000u64.to_be_bytes();
        let end = 1_700_000_009_000u64.to_be_bytes();
        let mut side = Side::keys();
        let tumbling = [b"press-1".as_slice(), &time].concat();
        assert_eq!(news(&mut side, &[&tumbling]).as_deref(), Some("HOPPING(KAFKA_STRING) or TUMBLING(KAFKA_STRING)"));
        assert_eq!(shown(&side, &tumbling), "[press-1@1700000000000/-]");
        let mut side = Side::keys();
        let session = [[0, 0, 0, 7].as_slice(), &end, &time].concat();
        assert_eq!(news(&mut side, &[&session]).as_deref(), Some("SESSION(KAFKA_INT)"));
        assert_eq!(shown(&side, &session), "[7@1700000000000/1700000009000]");
        // A number alone is no window of an empty key, and values have no windows.
        assert_eq!(news(&mut Side::keys(), &[&time]).as_deref(), Some("KAFKA_BIGINT"));
        assert_eq!(news(&mut Side::values(), &[&tumbling]).as_deref(), Some("none that is known"));
    }
}
