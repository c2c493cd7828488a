//! Any JSON value as text, for STRING columns, and text as a JSON string.
//!
//! ksqlDB stores an object as its JSON, compact and with numbers as Java prints them, an array as Java prints a list
//! (`[a, b]`, without quotes), a number as Java prints it, and a boolean as its name.

use super::cursor::{Cursor, plain_length};
use crate::formats::failure::Parsed;
use crate::types::text::decimal;

/// Appends the text of the next value. `null` inside of an array is the word, as everywhere in Java.
pub(super) fn render(cursor: &mut Cursor<'_>, depth: usize, out: &mut Vec<u8>) -> Parsed<()> {
    match cursor.peek() {
        Some(b'"') => {
            let at = cursor.at;
            cursor.at += 1;
            cursor.text()?.unescape(at, out)
        }
        Some(b'[') => {
            let depth = cursor.enter(depth)?;
            out.push(b'[');
            cursor.skip_space();
            if !cursor.eat(b']') {
                loop {
                    render(cursor, depth, out)?;
                    if !cursor.next_item(b']')? {
                        break;
                    }
                    out.extend_from_slice(b", ");
                }
            }
            out.push(b']');
            Ok(())
        }
        _ => compact(cursor, depth, out),
    }
}

/// Appends the next value as JSON without white space.
fn compact(cursor: &mut Cursor<'_>, depth: usize, out: &mut Vec<u8>) -> Parsed<()> {
    match cursor.peek() {
        Some(b'"') => {
            let at = cursor.at;
            cursor.at += 1;
            let text = cursor.text()?;
            string(text, at, out)
        }
        Some(b'-' | b'0'..=b'9') => {
            let number = cursor.number()?;
            match number.text {
                b"-0" => out.push(b'0'),
                text if number.float => decimal::write_as_big_decimal(text, out),
                text => out.extend_from_slice(text),
            }
            Ok(())
        }
        Some(open @ (b'{' | b'[')) => {
            let depth = cursor.enter(depth)?;
            let close = if open == b'{' { b'}' } else { b']' };
            out.push(open);
            cursor.skip_space();
            if !cursor.eat(close) {
                loop {
                    if open == b'{' {
                        let at = cursor.at;
                        let name = cursor.name()?;
                        string(name, at, out)?;
                        out.push(b':');
                    }
                    compact(cursor, depth, out)?;
                    if !cursor.next_item(close)? {
                        break;
                    }
                    out.push(b',');
                }
            }
            out.push(close);
            Ok(())
        }
        _ => {
            let start = cursor.at;
            cursor.skip_value(depth)?;
            out.extend_from_slice(&cursor.bytes[start..cursor.at]);
            Ok(())
        }
    }
}

fn string(text: super::cursor::Text<'_>, at: usize, out: &mut Vec<u8>) -> Parsed<()> {
    out.push(b'"');
    if text.escaped {
        // Escapes are normalised; text with some is rare enough for the allocation.
        let mut plain = Vec::with_capacity(text.raw.len());
        text.unescape(at, &mut plain)?;
        escape(&plain, out);
    } else {
        out.extend_from_slice(text.raw);
    }
    out.push(b'"');
    Ok(())
}

/// Appends text with the escapes Jackson writes: the short ones where there are some, else `\u00XX` in upper case,
/// for quotes, backslashes and control characters only.
#[inline]
pub(super) fn escape(mut text: &[u8], out: &mut Vec<u8>) {
    loop {
        let length = plain_length(text);
        out.extend_from_slice(&text[..length]);
        let Some(&byte) = text.get(length) else {
            return;
        };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            _ => {
                let digit = |value: u8| b"0123456789ABCDEF"[usize::from(value)];
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
            }
        }
        text = &text[length + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(json: &str) -> Option<String> {
        let mut out = Vec::new();
        render(&mut Cursor::new(json.as_bytes()), 0, &mut out).ok()?;
        String::from_utf8(out).ok()
    }

    #[test]
    fn values_have_the_text_java_gives_them() {
        for (json, text) in [
            ("10", "10"),
            ("-0", "0"),
            ("1.50", "1.50"),
            ("1e3", "1E+3"),
            ("true", "true"),
            (r#"[ "a", 1 , null,[true ] ,{"x" : "y"}]"#, r#"[a, 1, null, [true], {"x":"y"}]"#),
            (r#"{ "a" : [ 1.0 , "\u00e9\/\u0001" ] , "b\n":{} }"#, "{\"a\":[1.0,\"é/\\u0001\"],\"b\\n\":{}}"),
            ("[]", "[]"),
        ] {
            assert_eq!(rendered(json).as_deref(), Some(text));
        }
        for bad in ["[1", "{\"a\":}", "tru", "{1:2}", r#"["\q"]"#] {
            assert_eq!(rendered(bad), None, "{bad}");
        }
        assert_eq!(rendered(&"[".repeat(100_000)), None);
        assert_eq!(rendered(&"{\"a\":".repeat(100_000)), None);
    }
}
