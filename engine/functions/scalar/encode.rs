//! `ENCODE`, `TO_BYTES` and `FROM_BYTES`: texts that stand for bytes.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::AsArray;

use super::plain::{Cell, Plain, bytes, fail, strings};
use super::strings::texts;
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::ScalarFunction;
use crate::types::SqlType;
use crate::types::text::base64;

/// How a text stands for bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Hex,
    Utf8,
    Ascii,
    Base64,
}

const ENCODINGS: &str = "hex, utf8, ascii or base64";

impl Encoding {
    fn parse(name: &str) -> Option<Encoding> {
        [("hex", Encoding::Hex), ("utf8", Encoding::Utf8), ("ascii", Encoding::Ascii), ("base64", Encoding::Base64)]
            .into_iter()
            .find(|(other, _)| name.eq_ignore_ascii_case(other))
            .map(|(_, encoding)| encoding)
    }

    fn named(name: &str) -> Result<Encoding, Cow<'static, str>> {
        Encoding::parse(name).ok_or_else(|| format!("an encoding is {ENCODINGS}").into())
    }

    /// Appends the bytes that a text stands for.
    fn decode(self, text: &str, out: &mut Vec<u8>) -> Cell<()> {
        match self {
            Encoding::Utf8 => out.extend_from_slice(text.as_bytes()),
            Encoding::Ascii => out.extend(text.chars().map(|c| if c.is_ascii() { c as u8 } else { b'?' })),
            Encoding::Base64 => {
                if !base64::decode(text.as_bytes(), out) {
                    return fail("the text is not Base64");
                }
            }
            Encoding::Hex => {
                for pair in text.as_bytes().chunks(2) {
                    let byte = std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
                    match byte.filter(|_| pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit)) {
                        Some(byte) => out.push(byte),
                        None => return fail("the text is not hexadecimal, two digits a byte"),
                    }
                }
            }
        }
        Ok(Some(()))
    }

    /// Appends the text that stands for bytes.
    fn encode(self, bytes: &[u8], upper: bool, out: &mut String) {
        match self {
            Encoding::Utf8 => out.push_str(&String::from_utf8_lossy(bytes)),
            Encoding::Ascii => out.extend(bytes.iter().map(|b| if b.is_ascii() { char::from(*b) } else { '\u{fffd}' })),
            Encoding::Base64 => {
                let mut text = Vec::with_capacity(bytes.len() * 4 / 3 + 4);
                base64::encode(bytes, &mut text);
                out.extend(text.into_iter().map(char::from));
            }
            Encoding::Hex => {
                let digits: &[u8; 16] = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
                for byte in bytes {
                    out.push(char::from(digits[usize::from(byte >> 4)]));
                    out.push(char::from(digits[usize::from(byte & 15)]));
                }
            }
        }
    }
}

/// The digits of a text that may say that it is hexadecimal, `0x1f` or `X'1f'`. Behind `0x` a zero may be missing.
fn hex_digits(text: &str) -> Cow<'_, str> {
    if let Some(digits) = text.strip_prefix("0x") {
        return if digits.len() % 2 == 1 { format!("0{digits}").into() } else { digits.into() };
    }
    let quoted = text.strip_prefix("X'").or_else(|| text.strip_prefix("x'")).and_then(|rest| rest.strip_suffix('\''));
    quoted.unwrap_or(text).into()
}

/// The letters of Base64 in a text, as the decoder behind `ENCODE` takes them: of either alphabet, and what is no letter
/// is passed over. The text ends at a `=`.
fn base64_letters(text: &str) -> String {
    let letters = text.chars().take_while(|c| *c != '=').filter_map(|c| match c {
        '-' => Some('+'),
        '_' => Some('/'),
        c => (c.is_ascii_alphanumeric() || c == '+' || c == '/').then_some(c),
    });
    let mut letters: String = letters.collect();
    // A letter alone is less than a byte.
    letters.truncate(letters.len() - usize::from(letters.len() % 4 == 1));
    letters
}

/// All three functions.
pub fn functions() -> Vec<Arc<dyn ScalarFunction>> {
    const S: SqlType = SqlType::String;
    const ENCODING: &str = "One of hex, utf8, ascii and base64.";
    let encode = Declaration::scalar(Category::String, "ENCODE", "Rewrites a text from one encoding to another.")
        .form(
            Variation::new(S, "The same bytes in another encoding, which must differ; NULL when any argument is.")
                .param("str", S, "The text.")
                .param("inputEncoding", S, ENCODING)
                .param("outputEncoding", S, ENCODING),
        )
        .example("ENCODE('Example!', 'ascii', 'hex')", "4578616d706c6521");
    let to_bytes = Declaration::scalar(Category::String, "TO_BYTES", "The bytes that a text stands for.")
        .form(
            Variation::new(SqlType::Bytes, "The bytes; NULL when any argument is.")
                .param("value", S, "The text.")
                .param("encoding", S, ENCODING),
        )
        .example("TO_BYTES('!', 'ascii')", "IQ==");
    let from_bytes = Declaration::scalar(Category::String, "FROM_BYTES", "A text that stands for bytes.")
        .form(
            Variation::new(S, "The text; NULL when any argument is.")
                .param("value", SqlType::Bytes, "The bytes.")
                .param("encoding", S, ENCODING),
        )
        .example("FROM_BYTES(TO_BYTES('Example', 'utf8'), 'hex')", "4578616D706C65");
    vec![
        Plain::function(encode, |call| {
            let (inputs, from, to) = (texts(&call.args[0]), texts(&call.args[1]), texts(&call.args[2]));
            let mut buffer = Vec::new();
            strings(call, "ENCODE", |row, out| {
                if call.null_at(row) {
                    return Ok(None);
                }
                let (from, to) = (Encoding::named(from.value(row))?, Encoding::named(to.value(row))?);
                if from == to {
                    return fail("both encodings are the same");
                }
                let input = inputs.value(row);
                buffer.clear();
                match from {
                    Encoding::Hex => from.decode(&hex_digits(input), &mut buffer)?,
                    Encoding::Base64 => from.decode(&base64_letters(input), &mut buffer)?,
                    _ => from.decode(input, &mut buffer)?,
                };
                to.encode(&buffer, false, out);
                Ok(Some(()))
            })
        }),
        Plain::function(to_bytes, |call| {
            let (inputs, encodings) = (texts(&call.args[0]), texts(&call.args[1]));
            bytes(call, "TO_BYTES", |row, out| {
                if call.null_at(row) {
                    return Ok(None);
                }
                Encoding::named(encodings.value(row))?.decode(inputs.value(row), out)
            })
        }),
        Plain::function(from_bytes, |call| {
            let (inputs, encodings) = (call.args[0].as_binary::<i32>(), texts(&call.args[1]));
            strings(call, "FROM_BYTES", |row, out| {
                if call.null_at(row) {
                    return Ok(None);
                }
                Encoding::named(encodings.value(row))?.encode(inputs.value(row), true, out);
                Ok(Some(()))
            })
        }),
    ]
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::{sql, sql_fails};

    #[test]
    fn texts_change_their_encoding() {
        sql(&[
            ("ENCODE('RXhhbXBsZSE=', 'base64', 'utf8')", "Example!"),
            ("ENCODE('0x4578616d', 'hex', 'ascii')", "Exam"),
            ("ENCODE('X''4578616d''', 'hex', 'ascii')", "Exam"),
            ("ENCODE('0xf', 'hex', 'base64')", "Dw=="),
            ("ENCODE('RXhh-_ ~', 'BASE64', 'Hex')", "457861fb"),
            ("ENCODE('', 'utf8', 'hex')", ""),
            ("ENCODE('Ελ', 'ascii', 'utf8')", "??"),
            ("ENCODE('Ελ', 'utf8', 'hex')", "ce95cebb"),
            ("ENCODE(CAST(NULL AS STRING), 'utf8', 'hex')", "null"),
        ]);
        sql_fails(&[
            ("ENCODE('a', 'null', 'hex')", "an encoding is"),
            ("ENCODE('xyz', 'hex', 'utf8')", "not hexadecimal"),
            ("ENCODE('f', 'hex', 'utf8')", "two digits"),
            ("ENCODE('a', 'utf8', 'UTF8')", "the same"),
        ]);
    }

    #[test]
    fn bytes_and_texts() {
        sql(&[
            ("FROM_BYTES(TO_BYTES('Ελ', 'utf8'), 'base64')", "zpXOuw=="),
            ("FROM_BYTES(TO_BYTES('4578', 'hex'), 'ascii')", "Ex"),
            ("TO_BYTES(CAST(NULL AS STRING), 'hex')", "null"),
            ("FROM_BYTES(CAST(NULL AS BYTES), 'hex')", "null"),
            ("TO_BYTES('', 'utf8')", ""),
        ]);
        sql_fails(&[
            ("TO_BYTES('a', 'latin1')", "an encoding is"),
            ("TO_BYTES('!', 'base64')", "not Base64"),
            ("TO_BYTES('0xff', 'hex')", "not hexadecimal"),
            ("FROM_BYTES(TO_BYTES('a', 'utf8'), '')", "encoding"),
        ]);
    }
}
