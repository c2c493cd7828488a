//! One value as text.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use unicode_width::UnicodeWidthStr;

use crate::types::{SqlType, java_double};

/// The text of a value, `None` for null. Doubles are written in full, as ksqlDB writes them.
pub fn text_of(column: &ArrayRef, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).to_string(),
        DataType::Float64 => {
            let mut text = String::new();
            java_double::write_str(column.as_primitive::<Float64Type>().value(row), &mut text);
            text
        }
        _ => {
            let options = FormatOptions::new().with_null("NULL").with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.3f"));
            match ArrayFormatter::try_new(Arc::as_ref(column), &options) {
                Ok(formatter) => formatter.value(row).to_string(),
                Err(_) => "?".to_string(),
            }
        }
    })
}

/// Whether values of a type are set to the right.
pub fn is_numeric(ty: &SqlType) -> bool {
    ty.is_numeric()
}

/// How many cells of a terminal a text takes.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// A text with the characters that would break a line or a terminal made visible.
pub fn one_line(text: &str) -> String {
    if !text.contains(|c: char| c.is_control()) {
        return text.to_string();
    }
    text.chars()
        .flat_map(|c| match c {
            '\n' => "\\n".chars().collect::<Vec<_>>(),
            '\t' => "\\t".chars().collect(),
            '\r' => "\\r".chars().collect(),
            c if c.is_control() => format!("\\u{{{:x}}}", c as u32).chars().collect(),
            c => vec![c],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Float64Array, StringArray};

    use super::*;

    #[test]
    fn doubles_are_written_in_full_and_null_is_not_a_text() {
        let doubles: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.2104138026620321), None]));
        assert_eq!(text_of(&doubles, 0).as_deref(), Some("1.2104138026620321"));
        assert_eq!(text_of(&doubles, 1), None);
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["NULL"]));
        assert_eq!(text_of(&texts, 0).as_deref(), Some("NULL"));
    }

    #[test]
    fn control_characters_cannot_break_a_line() {
        assert_eq!(one_line("a\nb\u{1b}[0m"), "a\\nb\\u{1b}[0m");
    }
}
