//! `SUBSTRING`: a part of a text or of bytes.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Int32Type};
use datafusion::common::Result as DfResult;

use super::strings::{all_valid, texts, utf16_length, utf16_slice};
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::types::SqlType;

/// The function. Positions count from 1, negative ones from the end, and what lies outside of the text is cut away.
/// Texts are counted as in Java, in UTF-16 code units.
#[derive(Debug)]
pub struct Substring;

impl ScalarFunction for Substring {
    fn declare(&self) -> Declaration {
        const POSITION: &str = "Where to start: 1 is the first, -1 the last.";
        let declaration = Declaration::scalar(Category::String, "SUBSTRING", "A part of a text or of bytes.");
        let mut forms = declaration;
        for (ty, name, what) in [(SqlType::String, "str", "The text."), (SqlType::Bytes, "bytes", "The bytes.")] {
            forms = forms
                .form(Variation::new(ty.clone(), "Everything from a position on.").param(name, ty.clone(), what).param(
                    "pos",
                    SqlType::Integer,
                    POSITION,
                ))
                .form(
                    Variation::new(ty.clone(), "So many from a position on.")
                        .param(name, ty, what)
                        .param("pos", SqlType::Integer, POSITION)
                        .param("length", SqlType::Integer, "How many to take."),
                );
        }
        forms
            .example("SUBSTRING('some_string', 6)", "string")
            .example("SUBSTRING('some_string', 6, 3)", "str")
            .example("SUBSTRING('some_string', -3)", "ing")
    }

    fn evaluate(&self, call: &Call) -> DfResult<ArrayRef> {
        let input = &call.args[0];
        let positions = call.args[1].as_primitive::<Int32Type>();
        let lengths = call.args.get(2).map(|lengths| lengths.as_primitive::<Int32Type>());
        let part =
            |row: usize, whole: usize| bounds(whole, positions.value(row), lengths.map(|lengths| lengths.value(row)));
        Ok(match input.data_type() {
            DataType::Utf8 => {
                let texts = texts(input);
                let mut column = StringBuilder::with_capacity(call.rows, texts.value_data().len());
                for row in 0..call.rows {
                    column.append_option(all_valid(&call.args, row).then(|| {
                        let text = texts.value(row);
                        let (start, end) = part(row, utf16_length(text));
                        utf16_slice(text, start, end)
                    }));
                }
                Arc::new(column.finish())
            }
            _ => {
                let values = input.as_binary::<i32>();
                let mut column = BinaryBuilder::with_capacity(call.rows, values.value_data().len());
                for row in 0..call.rows {
                    column.append_option(all_valid(&call.args, row).then(|| {
                        let bytes = values.value(row);
                        let (start, end) = part(row, bytes.len());
                        &bytes[start..end]
                    }));
                }
                Arc::new(column.finish())
            }
        })
    }
}

/// First position and one past the last, from 0, both within `whole`.
fn bounds(whole: usize, position: i32, length: Option<i32>) -> (usize, usize) {
    // Lengths of Arrow's strings fit in 32 bits.
    let whole = whole as i64;
    let start =
        if position < 0 { (whole + i64::from(position)).max(0) } else { i64::from(position - 1).clamp(0, whole) };
    let end = length.map_or(whole, |length| (start + i64::from(length)).clamp(start, whole));
    (start as usize, end as usize)
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{BinaryArray, Int32Array, StringArray};

    use super::*;
    use crate::functions::scalar::testing::call;

    #[test]
    fn positions_count_from_one_or_from_the_end_and_are_cut_at_the_ends() {
        let cases = [
            ("some_string", 6, Some(3), "str"),
            ("another", 6, Some(3), "er"),
            ("short", 6, Some(3), ""),
            ("abc", 0, Some(2), "ab"),
            ("abc", -2, Some(1), "b"),
            ("abc", -9, Some(2), "ab"),
            ("abc", 2, Some(-1), ""),
            ("abc", 2, Some(i32::MAX), "bc"),
            ("abc", i32::MIN, None, "abc"),
            ("abc", i32::MAX, None, ""),
        ];
        for (text, position, length, expected) in cases {
            let (start, end) = bounds(text.len(), position, length);
            assert_eq!(&text[start..end], expected, "{text}, {position}, {length:?}");
        }
    }

    #[test]
    fn any_null_gives_null() {
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("some_string"), Some("x"), None]));
        let position: ArrayRef = Arc::new(Int32Array::from(vec![Some(6), None, Some(1)]));
        let expected = StringArray::from(vec![Some("string"), None, None]);
        assert_eq!(call("SUBSTRING", vec![text.clone(), position.clone()]).as_string::<i32>(), &expected);
        let length = Arc::new(Int32Array::from(vec![None, Some(1), Some(1)]));
        assert_eq!(call("SUBSTRING", vec![text, position, length]).null_count(), 3);
    }

    #[test]
    fn bytes_are_cut_by_bytes() {
        let bytes = Arc::new(BinaryArray::from(vec![&b"\xff\x00\x01"[..]]));
        let result = call("SUBSTRING", vec![bytes, Arc::new(Int32Array::from(vec![2]))]);
        assert_eq!(result.as_binary::<i32>().value(0), b"\x00\x01");
    }
}
