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
        .form(Variation::new(SqlType::String, "The character of one or two UTF-16 units written as '\\uXXXX'.").param(
            "utf16Code",
            SqlType::String,
            "The units, four hexadecimal digits each.",
        ))
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
                Ok(units(codes.value(row)).and_then(|units| String::from_utf16(&units).ok()).map(|c| out.push_str(&c)))
            })
        }
    })
}

/// One or two units, each as `\u` and four hexadecimal digits.
fn units(text: &str) -> Option<Vec<u16>> {
    let mut units = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.strip_prefix("\\u").or_else(|| rest.strip_prefix("\\U"))?.get(..4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        units.push(u16::from_str_radix(digits, 16).ok()?);
        rest = &rest[6..];
    }
    (1..=2).contains(&units.len()).then_some(units)
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::sql;

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
            ("CHR('')", "null"),
        ]);
    }
}
