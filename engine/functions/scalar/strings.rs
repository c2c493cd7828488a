//! What functions of text have in common.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use datafusion::common::Result as DfResult;

use crate::functions::kernel::Call;

/// Maps each text of the first argument; `map` appends the result to the string it gets. NULL stays NULL.
pub fn map(call: &Call, mut map: impl FnMut(&str, &mut String)) -> DfResult<ArrayRef> {
    let texts: &StringArray = call.arg(0)?;
    let mut column = StringBuilder::with_capacity(texts.len(), texts.value_data().len());
    let mut buffer = String::new();
    for text in texts {
        column.append_option(text.map(|text| {
            buffer.clear();
            map(text, &mut buffer);
            buffer.as_str()
        }));
    }
    Ok(Arc::new(column.finish()))
}

/// Length of a text as Java counts it: in UTF-16 code units.
pub fn utf16_length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(char::len_utf16).sum() }
}

/// The part of a text between two positions counted in UTF-16 code units. A character of two units that a position
/// cuts in half, which UTF-8 cannot express, is left out.
pub fn utf16_slice(text: &str, start: usize, end: usize) -> &str {
    if text.is_ascii() {
        return &text[start.min(text.len())..end.clamp(start.min(text.len()), text.len())];
    }
    let (mut unit, mut from, mut to) = (0, None, text.len());
    for (byte, character) in text.char_indices() {
        if unit >= start {
            from.get_or_insert(byte);
        }
        unit += character.len_utf16();
        if unit > end {
            to = byte;
            break;
        }
    }
    let from = from.unwrap_or(text.len()).min(to);
    &text[from..to]
}

/// Whether every one of the arguments has a value at a row.
pub fn all_valid(args: &[ArrayRef], row: usize) -> bool {
    args.iter().all(|arg| arg.is_valid(row))
}

/// A column of texts in the engine's layout.
pub fn texts(array: &ArrayRef) -> &StringArray {
    array.as_string::<i32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_utf16_units() {
        // A smile takes two units, an umlaut one.
        let text = "aä😀b";
        assert_eq!(utf16_length(text), 5);
        assert_eq!(utf16_slice(text, 0, 2), "aä");
        assert_eq!(utf16_slice(text, 1, 4), "ä😀");
        assert_eq!(utf16_slice(text, 4, 5), "b");
        assert_eq!(utf16_slice(text, 0, 3), "aä");
        assert_eq!(utf16_slice(text, 3, 5), "b");
        assert_eq!(utf16_slice(text, 3, 3), "");
        assert_eq!(utf16_slice(text, 9, 12), "");
        assert_eq!(utf16_slice("abc", 1, 2), "b");
        assert_eq!(utf16_slice("abc", 5, 9), "");
    }
}
