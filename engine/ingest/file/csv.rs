//! A CSV record to a key, a time and a value.
//!
//! As in ksqlDB, the column that becomes the key is not in the value. A JSON value keeps numbers, `true` and `false` as they
//! stand when they are not quoted, and an empty field that is not quoted is null; everything else is a string.

use memchr::{memchr, memchr2};

use super::config::{CsvConfig, repeated};
use crate::record::OutBatch;
use crate::types::text::time::parse_timestamp;

/// One field of a record.
#[derive(Debug, Clone, Copy)]
struct Field {
    from: usize,
    to: usize,
    /// Whether its text, with doubled quotes resolved, is in the scratch buffer.
    in_scratch: bool,
    quoted: bool,
}

/// The fields of one record; its buffers serve every record.
#[derive(Debug, Default)]
struct Row {
    fields: Vec<Field>,
    scratch: Vec<u8>,
}

impl Row {
    fn split(&mut self, record: &[u8], delimiter: u8) -> Result<(), String> {
        self.fields.clear();
        self.scratch.clear();
        let mut at = 0;
        loop {
            let field = if record.get(at) == Some(&b'"') {
                let (field, end) = self.unquote(record, at)?;
                at = end;
                match record.get(at) {
                    None => {}
                    Some(&byte) if byte == delimiter => {}
                    Some(_) => {
                        return Err(format!("field {}: text follows the closing quote", self.fields.len() + 1));
                    }
                }
                field
            } else {
                let end = memchr(delimiter, &record[at..]).map_or(record.len(), |length| at + length);
                let field = Field { from: at, to: end, in_scratch: false, quoted: false };
                at = end;
                field
            };
            self.fields.push(field);
            if at == record.len() {
                return Ok(());
            }
            at += 1;
        }
    }

    /// The field whose quote opens at `open`, and the position behind its closing quote and the blanks after it.
    fn unquote(&mut self, record: &[u8], open: usize) -> Result<(Field, usize), String> {
        let mut from = open + 1;
        let kept = self.scratch.len();
        loop {
            let Some(length) = memchr(b'"', &record[from..]) else {
                return Err(format!("field {}: the quote is not closed", self.fields.len() + 1));
            };
            let close = from + length;
            let doubled = record.get(close + 1) == Some(&b'"');
            let copies = doubled || self.scratch.len() > kept;
            if copies {
                self.scratch.extend_from_slice(&record[from..close + usize::from(doubled)]);
            }
            if doubled {
                from = close + 2;
                continue;
            }
            let field = match copies {
                true => Field { from: kept, to: self.scratch.len(), in_scratch: true, quoted: true },
                false => Field { from, to: close, in_scratch: false, quoted: true },
            };
            return Ok((field, close + 1));
        }
    }

    fn text<'a>(&'a self, record: &'a [u8], at: usize) -> &'a [u8] {
        let field = self.fields[at];
        if field.in_scratch { &self.scratch[field.from..field.to] } else { &record[field.from..field.to] }
    }
}

/// Makes records of one file, whose columns are known.
#[derive(Debug)]
pub(super) struct CsvRecords {
    config: CsvConfig,
    columns: usize,
    /// `"name":` of each column, as JSON.
    names: Vec<Vec<u8>>,
    key: Option<usize>,
    timestamp: Option<usize>,
    row: Row,
}

/// The names in a header line.
pub(super) fn header(line: &[u8], delimiter: u8) -> Result<Vec<String>, String> {
    let mut row = Row::default();
    row.split(line, delimiter)?;
    let name = |at| String::from_utf8(row.text(line, at).to_vec()).map(|name| name.trim().to_string());
    let names: Result<Vec<String>, _> = (0..row.fields.len()).map(name).collect();
    let names = names.map_err(|_| "the header is not UTF-8".to_string())?;
    match repeated(&names) {
        Some("") => Err("the header has a column without a name".to_string()),
        Some(twice) => Err(format!("the header names column {twice} twice")),
        None => Ok(names),
    }
}

impl CsvRecords {
    /// Records of these columns.
    ///
    /// # Errors
    /// When there is no column of the name that is to be the key or the time.
    pub(super) fn new(
        config: &CsvConfig,
        columns: &[String],
        key: Option<&str>,
        timestamp: Option<&str>,
    ) -> Result<CsvRecords, String> {
        let find = |what: &str, name: Option<&str>| match name {
            None => Ok(None),
            Some(name) => match columns.iter().position(|column| column == name) {
                Some(at) => Ok(Some(at)),
                None => Err(format!("there is no column {name} for '{what}'; there are {}", columns.join(", "))),
            },
        };
        let json = |name: &String| {
            let mut text = Vec::new();
            write_string(name.as_bytes(), &mut text);
            text.push(b':');
            text
        };
        Ok(CsvRecords {
            config: config.clone(),
            columns: columns.len(),
            names: columns.iter().map(json).collect(),
            key: find("key", key)?,
            timestamp: find("timestamp", timestamp)?,
            row: Row::default(),
        })
    }

    /// Adds the record of a line.
    ///
    /// # Errors
    /// Why the line is bad, without its text; nothing is added then.
    pub(super) fn add(&mut self, line: &[u8], batch: &mut OutBatch) -> Result<(), String> {
        if std::str::from_utf8(line).is_err() {
            return Err("it is not UTF-8".to_string());
        }
        self.row.split(line, self.config.delimiter)?;
        let found = self.row.fields.len();
        if found != self.columns {
            let plural = if found == 1 { "" } else { "s" };
            return Err(format!("it has {found} field{plural}, the file has {} columns", self.columns));
        }
        let timestamp = match self.timestamp {
            Some(at) => time_of(self.row.text(line, at))
                .ok_or_else(|| format!("field {} is no time: milliseconds since 1970, or an ISO 8601 text", at + 1))?,
            None => -1,
        };
        match self.key {
            Some(at) if self.row.fields[at].quoted || self.row.fields[at].from < self.row.fields[at].to => {
                batch.keys.push(Some(self.row.text(line, at)));
            }
            _ => batch.keys.push(None),
        }
        match self.config.json {
            true => self.write_json(line, batch.values.buffer()),
            false => self.write_delimited(line, batch.values.buffer()),
        }
        batch.values.end_row();
        batch.timestamps.push(timestamp);
        batch.headers.end_row();
        Ok(())
    }

    fn kept(&self) -> impl Iterator<Item = usize> {
        let left_out = self.key.filter(|_| !self.config.key_in_value);
        (0..self.columns).filter(move |at| Some(*at) != left_out)
    }

    fn write_json(&self, line: &[u8], out: &mut Vec<u8>) {
        let mut before = b'{';
        for at in self.kept() {
            out.push(before);
            before = b',';
            out.extend_from_slice(&self.names[at]);
            let text = self.row.text(line, at);
            match self.row.fields[at].quoted {
                false if text.is_empty() => out.extend_from_slice(b"null"),
                false if is_json_number(text) || matches!(text, b"true" | b"false") => out.extend_from_slice(text),
                _ => write_string(text, out),
            }
        }
        if before == b'{' {
            out.push(b'{');
        }
        out.push(b'}');
    }

    fn write_delimited(&self, line: &[u8], out: &mut Vec<u8>) {
        for (number, at) in self.kept().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            let text = self.row.text(line, at);
            let quote = self.row.fields[at].quoted || memchr2(b',', b'"', text).is_some();
            if !quote {
                out.extend_from_slice(text);
                continue;
            }
            out.push(b'"');
            let mut rest = text;
            while let Some(length) = memchr(b'"', rest) {
                out.extend_from_slice(&rest[..=length]);
                out.push(b'"');
                rest = &rest[length + 1..];
            }
            out.extend_from_slice(rest);
            out.push(b'"');
        }
    }
}

/// Milliseconds since 1970 of a number or an ISO 8601 text; a blank may stand for the `T`.
pub(super) fn time_of(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.trim();
    if let Ok(milliseconds) = text.parse::<i64>() {
        return Some(milliseconds).filter(|milliseconds| *milliseconds >= 0);
    }
    let parsed = match text.as_bytes().get(10) {
        Some(b' ') => parse_timestamp(&text.replacen(' ', "T", 1)),
        _ => parse_timestamp(text),
    };
    parsed.filter(|milliseconds| *milliseconds >= 0)
}

/// Whether the text is a number by JSON's grammar.
fn is_json_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    let mut rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', exponent @ ..] => exponent,
            exponent => exponent,
        };
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

/// Appends a text as a JSON string.
pub(crate) fn write_string(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let mut from = 0;
    for (at, byte) in text.iter().enumerate() {
        if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text[from..at]);
        from = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
        }
    }
    out.extend_from_slice(&text[from..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: bool) -> CsvConfig {
        CsvConfig { delimiter: b',', has_header: true, columns: None, json, key_in_value: false }
    }

    fn records(json: bool, key: Option<&str>, timestamp: Option<&str>) -> CsvRecords {
        let columns = ["id", "temp", "note"].map(String::from);
        CsvRecords::new(&config(json), &columns, key, timestamp).expect("the columns are there")
    }

    fn text(bytes: Option<&[u8]>) -> Option<&str> {
        bytes.map(|bytes| std::str::from_utf8(bytes).expect("text"))
    }

    #[test]
    fn a_json_value_keeps_numbers_and_nulls_and_the_key_is_left_out() {
        let mut records = records(true, Some("id"), None);
        let mut batch = OutBatch::default();
        records.add(b"a,31.50,\"x,\"\"y\"\"\nz\"", &mut batch).expect("it is right");
        records.add(b"007,,\"\"", &mut batch).expect("it is right");
        records.add(b",1e5,01", &mut batch).expect("it is right");
        assert_eq!(text(batch.keys.get(0)), Some("a"));
        assert_eq!(text(batch.values.get(0)), Some(r#"{"temp":31.50,"note":"x,\"y\"\nz"}"#));
        assert_eq!(text(batch.values.get(1)), Some(r#"{"temp":null,"note":""}"#));
        assert_eq!((batch.keys.get(2), text(batch.values.get(2))), (None, Some(r#"{"temp":1e5,"note":"01"}"#)));
    }

    #[test]
    fn a_delimited_value_is_quoted_where_it_has_to_be() {
        let mut records = records(false, None, None);
        let mut batch = OutBatch::default();
        records.add(b"a,1,\"x,\"\"y\"\"\"", &mut batch).expect("it is right");
        assert_eq!(text(batch.values.get(0)), Some(r#"a,1,"x,""y""""#));
    }

    #[test]
    fn a_bad_line_adds_nothing_and_says_why_without_its_text() {
        let mut records = records(true, Some("id"), Some("temp"));
        let mut batch = OutBatch::default();
        for (line, why) in [
            (&b"a,1"[..], "it has 2 fields, the file has 3 columns"),
            (b"a,noon,x", "field 2 is no time: milliseconds since 1970, or an ISO 8601 text"),
            (b"\"a\"b,1,x", "field 1: text follows the closing quote"),
            (b"a,1,\xff", "it is not UTF-8"),
        ] {
            assert_eq!(records.add(line, &mut batch).expect_err("it is bad"), why);
        }
        assert!(batch.is_empty() && batch.keys.is_empty() && batch.values.is_empty());
    }

    #[test]
    fn times_are_numbers_or_texts() {
        assert_eq!(time_of(b"1700000000000"), Some(1_700_000_000_000));
        assert_eq!(time_of(b"1970-01-01T00:00:01.5Z"), time_of(b"1970-01-01 00:00:01.5"));
        assert_eq!(time_of(b"1970-01-02"), Some(86_400_000));
        assert_eq!((time_of(b"-1"), time_of(b"")), (None, None));
    }

    #[test]
    fn numbers_are_those_of_json() {
        for yes in ["0", "-1", "10.25", "1e5", "1.5E-7", "12345678901234567890123"] {
            assert!(is_json_number(yes.as_bytes()), "{yes}");
        }
        for no in ["", "-", "01", "1.", ".5", "+1", "1e", "0x1", "1 ", "NaN", "1e5x"] {
            assert!(!is_json_number(no.as_bytes()), "{no}");
        }
    }

    #[test]
    fn a_header_names_each_column_once() {
        assert_eq!(header(b"id,\"a b\", c", b',').expect("it is right"), ["id", "a b", "c"]);
        assert_eq!(header(b"id,id", b',').expect_err("twice"), "the header names column id twice");
        assert_eq!(header(b"id,", b',').expect_err("empty"), "the header has a column without a name");
    }
}
