//! `CHR`: a character by its number.

use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Int32Type};

use super::plain::{Plain, strings};
use super::strings::texts;
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::ScalarFunction;
use crate::types::SqlType;

/// The function. A number or text that stands for no character gives null.
pub fn function() -> Arc<dyn ScalarFunction> {
    let declaration = Declaration::scalar(Category::String, "CHR", "A character by its number.")
        .form(Variation::new(SqlType::String, "The character of a Unicode code point; NULL when it has none.").param(
            "decimalCode",
            SqlType::Integer,
            "The code point.",
        ))
        .form(
            Variation::new(
                SqlType::String,
                "The text of UTF-16 units written as '\\uXXXX'; NULL for a text that does not begin so.",
            )
            .param("utf16Code", SqlType::String, "The units, four hexadecimal digits each."),
        )
        .example("CHR(75)", "K")
        .example("CHR('\\u004b')", "K");
    Plain::function(declaration, |call| match call.args[0].data_type() {
        DataType::Int32 => {
            let codes = call.args[0].as_primitive::<Int32Type>();
            strings(call, "CHR", |row, out| {
                let code = (!call.null_at(row)).then(|| u32::try_from(codes.value(row)).ok()).flatten();
                Ok(code.and_then(char::from_u32).map(|c| out.push(c)))
            })
        }
        _ => {
            let codes = texts(&call.args[0]);
            strings(call, "CHR", |row, out| {
                if call.null_at(row) {
                    return Ok(None);
                }
                let code = codes.value(row);
                if code.len() < 6 || !code.starts_with("\\u") {
                    return Ok(None);
                }
                let units = unescaped(code).ok_or("an escape is not \\u and four hexadecimal digits")?;
                Ok(String::from_utf16(&units).ok().map(|text| out.push_str(&text)))
            })
        }
    })
}

/// The UTF-16 units of a text with Java's escapes; `None` for one that is cut short.
fn unescaped(text: &str) -> Option<Vec<u16>> {
    let mut units = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
            continue;
        }
        let Some(escape) = rest.chars().next() else { break };
        let behind = &rest[escape.len_utf8()..];
        let octal = rest.bytes().take_while(|b| (b'0'..=b'7').contains(b)).count();
        // The highest one is \377.
        let octal = octal.min(if rest.starts_with(['0', '1', '2', '3']) { 3 } else { 2 });
        match escape {
            'u' => {
                let digits = behind.trim_start_matches('u');
                let digits = digits.strip_prefix('+').unwrap_or(digits);
                let four = digits.get(..4).filter(|four| four.bytes().all(|b| b.is_ascii_hexdigit()))?;
                units.push(u16::from_str_radix(four, 16).ok()?);
                rest = &digits[4..];
            }
            _ if octal > 0 => {
                units.push(u16::from_str_radix(&rest[..octal], 8).ok()?);
                rest = &rest[octal..];
            }
            _ => {
                let control = match escape {
                    'b' => Some(8),
                    't' => Some(9),
                    'n' => Some(10),
                    'f' => Some(12),
                    'r' => Some(13),
                    '"' => Some(34),
                    '\'' => Some(39),
                    '\\' => Some(92),
                    _ => None,
                };
                // A backslash before anything else stands for nothing.
                if let Some(control) = control {
                    units.push(control);
                    rest = behind;
                }
            }
        }
    }
    Some(units)
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::{sql, sql_fails};

    #[test]
    fn characters_have_numbers() {
        sql(&[
            ("CHR(22909)", "好"),
            ("CHR(128512)", "😀"),
            ("CHR(-1)", "null"),
            ("CHR(55296)", "null"),
            ("CHR(CAST(NULL AS INT))", "null"),
            ("CHR('\\ud83d\\ude00')", "😀"),
            ("CHR('\\ud83d')", "null"),
            ("CHR('75')", "null"),
            ("CHR('\\U004b')", "null"),
            ("CHR('\\u004bilo\\101\\n\\q')", "KiloA\nq"),
            ("CHR('')", "null"),
        ]);
        sql_fails(&[("CHR('\\u004g')", "hexadecimal")]);
    }
}
