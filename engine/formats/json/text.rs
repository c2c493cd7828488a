//! Any JSON value as text, for STRING columns, and text as a JSON string.
//!
//! ksqlDB stores an object as its JSON, compact and with numbers as Java prints them, an array as Java prints a list
//! (`[a, b]`, without quotes), a number as Java prints it, and a boolean as its name. Of fields of one name the last counts,
//! at the place of the first.

use hashbrown::{HashMap, HashSet};

use super::cursor::{Cursor, plain_length};
use crate::formats::failure::Parsed;
use crate::types::text::decimal;

/// Fields of objects that are being written: where each stands in the text. Those of an object inside of another follow
/// those of the outer one, and go when it is closed.
pub(super) type Spans = Vec<Span>;

/// A field in the text: its name with the quotes, a colon, its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    start: usize,
    colon: usize,
    end: usize,
}

/// Appends the text of the next value. `null` inside of an array is the word, as everywhere in Java.
pub(super) fn render(cursor: &mut Cursor<'_>, depth: usize, out: &mut Vec<u8>, spans: &mut Spans) -> Parsed<()> {
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
                    render(cursor, depth, out, spans)?;
                    if !cursor.next_item(b']')? {
                        break;
                    }
                    out.extend_from_slice(b", ");
                }
            }
            out.push(b']');
            Ok(())
        }
        _ => {
            spans.clear();
            compact(cursor, depth, out, spans)
        }
    }
}

/// Appends the next value as JSON without white space.
fn compact(cursor: &mut Cursor<'_>, depth: usize, out: &mut Vec<u8>, spans: &mut Spans) -> Parsed<()> {
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
            let (opened, outer) = (out.len(), spans.len());
            out.push(open);
            cursor.skip_space();
            if !cursor.eat(close) {
                loop {
                    let (start, mut colon) = (out.len(), 0);
                    if open == b'{' {
                        let at = cursor.at;
                        let name = cursor.name()?;
                        string(name, at, out)?;
                        colon = out.len();
                        out.push(b':');
                    }
                    compact(cursor, depth, out, spans)?;
                    if open == b'{' {
                        spans.push(Span { start, colon, end: out.len() });
                    }
                    if !cursor.next_item(close)? {
                        break;
                    }
                    out.push(b',');
                }
            }
            out.push(close);
            if has_repeated(out, &spans[outer..]) {
                merge_repeated(out, opened, &spans[outer..]);
            }
            spans.truncate(outer);
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

/// Whether two fields of an object have one name.
fn has_repeated(out: &[u8], fields: &[Span]) -> bool {
    /// Up to so many names are compared with each other, more are hashed.
    const FEW: usize = 16;
    let name = |field: &Span| &out[field.start..field.colon];
    if fields.len() <= FEW {
        return fields.iter().enumerate().any(|(i, field)| fields[..i].iter().any(|other| name(other) == name(field)));
    }
    let mut names = HashSet::<&[u8], ahash::RandomState>::with_capacity_and_hasher(fields.len(), Default::default());
    !fields.iter().all(|field| names.insert(name(field)))
}

/// Writes an object again, from its opening brace on, with each name once.
#[cold]
fn merge_repeated(out: &mut Vec<u8>, opened: usize, fields: &[Span]) {
    let mut places = HashMap::<&[u8], usize, ahash::RandomState>::default();
    let mut kept: Vec<Span> = Vec::new();
    for field in fields {
        match places.get(&out[field.start..field.colon]) {
            Some(place) => kept[*place] = *field,
            None => {
                places.insert(&out[field.start..field.colon], kept.len());
                kept.push(*field);
            }
        }
    }
    drop(places);
    let mut object = vec![b'{'];
    for (i, field) in kept.iter().enumerate() {
        if i > 0 {
            object.push(b',');
        }
        object.extend_from_slice(&out[field.start..field.end]);
    }
    object.push(b'}');
    out.truncate(opened);
    out.extend_from_slice(&object);
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
pub(in crate::formats) fn escape(mut text: &[u8], out: &mut Vec<u8>) {
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
        render(&mut Cursor::new(json.as_bytes()), 0, &mut out, &mut Spans::new()).ok()?;
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
            (r#"{"a":1,"b":2,"\u0061":3}"#, r#"{"a":3,"b":2}"#),
            (
                r#"[{"a":1,"a":2},{"a":{"x":1,"x":2,"y":3},"b":{"x":4}}]"#,
                r#"[{"a":2}, {"a":{"x":2,"y":3},"b":{"x":4}}]"#,
            ),
        ] {
            assert_eq!(rendered(json).as_deref(), Some(text));
        }
        for bad in ["[1", "{\"a\":}", "tru", "{1:2}", r#"["\q"]"#] {
            assert_eq!(rendered(bad), None, "{bad}");
        }
        let many = |last: usize| -> String {
            let fields: Vec<String> = (0..50).map(|i| format!("\"k{}\":{i}", i % last)).collect();
            format!("{{{}}}", fields.join(","))
        };
        assert_eq!(rendered(&many(50)), Some(many(50)), "names that differ stay");
        assert_eq!(rendered(&many(2)).as_deref(), Some(r#"{"k0":48,"k1":49}"#));
        assert_eq!(rendered(&"[".repeat(100_000)), None);
        assert_eq!(rendered(&"{\"a\":".repeat(100_000)), None);
    }
}
