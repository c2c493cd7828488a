//! JSON as a tree, with its numbers as they were written.
//!
//! For functions over JSON texts and for test cases. Records never pass through it: their decoder reads bytes into columns.

use std::fmt::{self, Write};

/// A JSON value. Numbers are texts: `1.10` and `1.1` are different decimals.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A number, as written.
    Number(String),
    /// A text.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, its fields in their order, repeated names included.
    Object(Vec<(String, Json)>),
}

/// How deep values may nest.
const DEPTH_MAX: usize = 200;

impl Json {
    /// An object of these fields, in this order.
    pub fn object<'n>(fields: impl IntoIterator<Item = (&'n str, Json)>) -> Json {
        Json::Object(fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
    }

    /// Reads one value and nothing behind it. `//` and `/* */` comments are skipped. The error says what was expected,
    /// and at which byte.
    pub fn parse(text: &[u8]) -> Result<Json, String> {
        let mut reader = Reader { text, at: 0, depth: 0, strict: false };
        let value = reader.value()?;
        reader.space();
        if reader.at < text.len() { Err(reader.expected("the end")) } else { Ok(value) }
    }

    /// Reads the first value of a text as ksqlDB's functions do: without comments and by the grammar of RFC 8259, while
    /// what stands behind it, set off from a number or word by a space, does not matter. `None` for a text of white space.
    pub fn parse_first(text: &[u8]) -> Result<Option<Json>, String> {
        let mut reader = Reader { text, at: 0, depth: 0, strict: true };
        reader.space();
        if reader.at == text.len() {
            return Ok(None);
        }
        let value = reader.value()?;
        let runs_on = text.get(reader.at).is_some_and(|b| !b.is_ascii_whitespace());
        if runs_on && matches!(value, Json::Number(_)) {
            return Err(reader.expected("a space"));
        }
        Ok(Some(value))
    }

    /// The field of an object by its exact name.
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(fields) => fields.iter().find(|(field, _)| field == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of an array; none of anything else.
    pub fn items(&self) -> &[Json] {
        match self {
            Json::Array(items) => items,
            _ => &[],
        }
    }

    /// A whole number that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Json::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Replaces a text in all strings, names of fields excepted.
    pub fn replace(&mut self, from: &str, to: &str) {
        match self {
            Json::String(text) => *text = text.replace(from, to),
            Json::Array(items) => items.iter_mut().for_each(|item| item.replace(from, to)),
            Json::Object(fields) => fields.iter_mut().for_each(|(_, value)| value.replace(from, to)),
            _ => {}
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::String(text.to_string())
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Json {
        Json::Number(number.to_string())
    }
}

impl fmt::Display for Json {
    /// The value, compact.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(value) => write!(f, "{value}"),
            Json::Number(text) => f.write_str(text),
            Json::String(text) => quote(text, f),
            Json::Array(items) => {
                f.write_char('[')?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { "," })?;
                }
                f.write_char(']')
            }
            Json::Object(fields) => {
                f.write_char('{')?;
                for (i, (name, value)) in fields.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { "," })?;
                    quote(name, f)?;
                    write!(f, ":{value}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn quote(text: &str, f: &mut impl Write) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c < ' ' => write!(f, "\\u{:04x}", c as u32)?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// Whether a number that reads as one is written as JSON asks: no leading zeros, no plus, digits on both sides of a point.
fn is_number(text: &str) -> bool {
    let rest = text.strip_prefix('-').unwrap_or(text);
    let whole = rest.bytes().take_while(u8::is_ascii_digit).count();
    let fraction = match rest[whole..].strip_prefix('.') {
        Some(fraction) => fraction.starts_with(|c: char| c.is_ascii_digit()),
        None => true,
    };
    whole > 0 && (whole == 1 || !rest.starts_with('0')) && fraction
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    /// Nothing beyond RFC 8259.
    strict: bool,
}

impl Reader<'_> {
    fn expected(&self, what: &str) -> String {
        format!("expected {what} at byte {}", self.at)
    }

    fn space(&mut self) {
        loop {
            match self.text[self.at..] {
                [b' ' | b'\t' | b'\n' | b'\r', ..] => self.at += 1,
                [b'/', ..] if self.strict => return,
                [b'/', b'/', ..] => self.at += self.text[self.at..].iter().take_while(|b| **b != b'\n').count(),
                [b'/', b'*', ..] => {
                    let rest = &self.text[self.at + 2..];
                    let end = rest.windows(2).position(|pair| pair == b"*/").map_or(rest.len(), |end| end + 2);
                    self.at += 2 + end;
                }
                _ => return,
            }
        }
    }

    fn value(&mut self) -> Result<Json, String> {
        self.space();
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.expected("less nesting"));
        }
        let value = match self.text.get(self.at) {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => self.string().map(Json::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        };
        self.depth -= 1;
        value
    }

    fn word(&mut self) -> Result<Json, String> {
        for (word, value) in [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))] {
            let behind = self.text[self.at..].strip_prefix(word.as_bytes());
            let ends =
                |rest: &[u8]| !self.strict || !rest.first().is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
            if behind.is_some_and(ends) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.expected("a value"))
    }

    fn number(&mut self) -> Result<Json, String> {
        let rest = &self.text[self.at..];
        let length = rest.iter().take_while(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')).count();
        let text = String::from_utf8_lossy(&rest[..length]).into_owned();
        if text.parse::<f64>().is_err() || (self.strict && !is_number(&text)) {
            return Err(self.expected("a number"));
        }
        self.at += length;
        Ok(Json::Number(text))
    }

    fn array(&mut self) -> Result<Json, String> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.space();
            if self.eat(b']') {
                return Ok(Json::Array(items));
            }
            if !items.is_empty() && !self.eat(b',') {
                return Err(self.expected("`,` or `]`"));
            }
            items.push(self.value()?);
        }
    }

    fn object(&mut self) -> Result<Json, String> {
        self.at += 1;
        let mut fields = Vec::new();
        loop {
            self.space();
            if self.eat(b'}') {
                return Ok(Json::Object(fields));
            }
            if !fields.is_empty() && !self.eat(b',') {
                return Err(self.expected("`,` or `}`"));
            }
            self.space();
            let name = self.string()?;
            self.space();
            if !self.eat(b':') {
                return Err(self.expected("`:`"));
            }
            fields.push((name, self.value()?));
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn string(&mut self) -> Result<String, String> {
        if !self.eat(b'"') {
            return Err(self.expected("a string"));
        }
        let mut bytes = Vec::new();
        loop {
            match self.text.get(self.at) {
                None => return Err(self.expected("the end of the string")),
                Some(b'"') => {
                    self.at += 1;
                    return String::from_utf8(bytes).map_err(|_| self.expected("UTF-8 before this place"));
                }
                Some(b'\\') => {
                    let c = self.escape()?;
                    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(..b' ') if self.strict => return Err(self.expected("an escape for a control character")),
                Some(byte) => {
                    bytes.push(*byte);
                    self.at += 1;
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let c = match self.text.get(self.at + 1) {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(*c),
            Some(b'u') => {
                let high = self.unit(self.at + 2)?;
                self.at += 6;
                if !(0xd800..0xdc00).contains(&high) {
                    return Ok(char::from_u32(high).unwrap_or('\u{fffd}'));
                }
                let low = match self.text.get(self.at..self.at + 2) {
                    Some(b"\\u") => self.unit(self.at + 2)?,
                    _ => return Ok('\u{fffd}'),
                };
                self.at += 6;
                let code = 0x10000 + ((high - 0xd800) << 10) + (low.wrapping_sub(0xdc00) & 0x3ff);
                return Ok(char::from_u32(code).unwrap_or('\u{fffd}'));
            }
            _ => return Err(self.expected("an escape")),
        };
        self.at += 2;
        Ok(c)
    }

    fn unit(&self, at: usize) -> Result<u32, String> {
        let digits = self.text.get(at..at + 4).and_then(|digits| std::str::from_utf8(digits).ok());
        digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).ok_or_else(|| self.expected("four hex digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_as_written_and_comments_are_skipped() {
        let text = br#"{ "a": 1.10, // here
            "b": [1e3, -0, true, null, "x\"\u00e4\ud83d\ude00"] /* and here */ }"#;
        let value = Json::parse(text).expect("JSON");
        assert_eq!(value.to_string(), "{\"a\":1.10,\"b\":[1e3,-0,true,null,\"x\\\"\u{e4}\u{1f600}\"]}");
        assert_eq!(value.get("a"), Some(&Json::Number("1.10".into())));
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        assert_eq!(Json::parse(b"[1 2]"), Err("expected `,` or `]` at byte 3".to_string()));
        assert!(Json::parse(b"{\"a\":1} x").is_err());
        assert!(Json::parse(&[b'['; 5000]).is_err());
        assert!(Json::parse(b"\"a").is_err());
    }

    #[test]
    fn the_first_value_is_read_by_the_grammar() {
        let first = |text: &str| Json::parse_first(text.as_bytes()).map(|value| value.map(|value| value.to_string()));
        assert_eq!(first("[1] x"), Ok(Some("[1]".into())));
        assert_eq!(first("1 2"), Ok(Some("1".into())));
        assert_eq!(first(" \n"), Ok(None));
        for wrong in ["1x", "01", "+1", "1.", "-", ".5", "[1,]", "nullx", "// a\n1", "\"a\tb\"", "{a: 1}", "'a'", "NaN"]
        {
            assert!(first(wrong).is_err(), "{wrong}");
        }
    }
}
