//! `LEN`: how long a text or a byte string is.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int32Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result as DfResult;

use super::strings::{texts, utf16_length};
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::types::SqlType;

/// The function. Texts are measured as in Java, in UTF-16 code units.
#[derive(Debug)]
pub struct Len;

impl ScalarFunction for Len {
    fn declare(&self) -> Declaration {
        Declaration::scalar(Category::String, "LEN", "The length of a text or of bytes.")
            .form(
                Variation::new(SqlType::Integer, "The number of characters; those beyond U+FFFF count as two.").param(
                    "input",
                    SqlType::String,
                    "The text.",
                ),
            )
            .form(Variation::new(SqlType::Integer, "The number of bytes.").param("input", SqlType::Bytes, "The bytes."))
            .example("LEN('sensor')", "6")
    }

    fn evaluate(&self, call: &Call) -> DfResult<ArrayRef> {
        let input = &call.args[0];
        // Arrow's own offsets are 32 bits wide, so no length is beyond INT.
        let lengths: Int32Array = match input.data_type() {
            DataType::Utf8 => texts(input).iter().map(|text| text.map(|text| utf16_length(text) as i32)).collect(),
            _ => input.as_binary::<i32>().iter().map(|bytes| bytes.map(|bytes| bytes.len() as i32)).collect(),
        };
        Ok(Arc::new(lengths))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{BinaryArray, StringArray};
    use datafusion::arrow::datatypes::Int32Type;

    use super::*;
    use crate::functions::scalar::testing::call;

    #[test]
    fn texts_count_utf16_units_and_bytes_bytes() {
        let input = StringArray::from(vec![Some("abc"), Some(""), Some("ä😀"), None]);
        let result = call("LEN", vec![Arc::new(input)]);
        let expected = Int32Array::from(vec![Some(3), Some(0), Some(3), None]);
        assert_eq!(result.as_primitive::<Int32Type>(), &expected);
        let result = call("LEN", vec![Arc::new(BinaryArray::from(vec![Some(&b"\xff\x00"[..]), None]))]);
        assert_eq!(result.as_primitive::<Int32Type>(), &Int32Array::from(vec![Some(2), None]));
    }
}
