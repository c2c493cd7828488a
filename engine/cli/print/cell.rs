//! One value as text.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use super::text::visible;
use crate::types::java_double;

/// What a null is shown as.
pub const NULL: &str = "NULL";

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
            let options = FormatOptions::new().with_null(NULL).with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.3f"));
            match ArrayFormatter::try_new(Arc::as_ref(column), &options) {
                Ok(formatter) => formatter.value(row).to_string(),
                Err(_) => "?".to_string(),
            }
        }
    })
}

/// The number that a value is, or that a text says; `None` for null and for what is no number.
pub fn number_of(column: &ArrayRef, row: usize) -> Option<f64> {
    text_of(column, row)?.trim().parse().ok()
}

/// A value as it stands in a table: one line, and a text that reads `NULL` in quotes, so that it is no null.
///
/// A text that reads `'NULL'` gets another pair of quotes, and so on: no two values look the same for this reason.
pub fn shown(value: Option<&str>) -> Cow<'_, str> {
    match value {
        None => Cow::Borrowed(NULL),
        Some(text) if text.trim_matches('\'') == NULL => Cow::Owned(format!("'{text}'")),
        Some(text) => visible(text),
    }
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
    fn null_and_the_text_null_differ_without_colours() {
        assert_eq!(shown(None), "NULL");
        assert_eq!(shown(Some("NULL")), "'NULL'");
        assert_eq!(shown(Some("'NULL'")), "''NULL''");
        assert_eq!(shown(Some("null")), "null");
    }
}
