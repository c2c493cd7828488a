//! `CONCAT`: texts or bytes one after another.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, StringBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result as DfResult;

use super::strings::texts;
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::types::SqlType;

/// The function. NULLs are skipped, so its result is never NULL.
#[derive(Debug)]
pub struct Concat;

impl ScalarFunction for Concat {
    fn declare(&self) -> Declaration {
        let form = |ty: SqlType, what: &'static str| {
            Variation::new(ty.clone(), "All of them one after another, without those that are NULL.")
                .param("input", ty, what)
                .repeated()
        };
        Declaration::scalar(Category::String, "CONCAT", "Joins texts, or bytes, skipping NULLs.")
            .form(form(SqlType::String, "A text."))
            .form(form(SqlType::Bytes, "Some bytes."))
            .example("CONCAT('a', NULL, 'b')", "ab")
    }

    fn evaluate(&self, call: &Call) -> DfResult<ArrayRef> {
        Ok(match call.returns {
            DataType::Utf8 => {
                let parts: Vec<_> = call.args.iter().map(texts).collect();
                let size = parts.iter().map(|part| part.value_data().len()).sum();
                let mut column = StringBuilder::with_capacity(call.rows, size);
                let mut buffer = String::new();
                for row in 0..call.rows {
                    buffer.clear();
                    parts.iter().filter(|part| part.is_valid(row)).for_each(|part| buffer.push_str(part.value(row)));
                    column.append_value(&buffer);
                }
                Arc::new(column.finish())
            }
            _ => {
                let parts: Vec<_> = call.args.iter().map(|part| part.as_binary::<i32>()).collect();
                let size = parts.iter().map(|part| part.value_data().len()).sum();
                let mut column = BinaryBuilder::with_capacity(call.rows, size);
                let mut buffer = Vec::new();
                for row in 0..call.rows {
                    buffer.clear();
                    for part in parts.iter().filter(|part| part.is_valid(row)) {
                        buffer.extend_from_slice(part.value(row));
                    }
                    column.append_value(&buffer);
                }
                Arc::new(column.finish())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{BinaryArray, StringArray};

    use super::*;
    use crate::error::Span;
    use crate::functions::FunctionRegistry;
    use crate::functions::scalar::testing::call;

    #[test]
    fn nulls_are_skipped_and_all_null_is_empty() {
        let column = |values: [Option<&str>; 3]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
        let result = call(
            "CONCAT",
            vec![
                column([Some("a"), Some("b"), None]),
                column([Some("-"), None, None]),
                column([Some("ä"), Some("c"), None]),
            ],
        );
        assert_eq!(result.as_string::<i32>(), &StringArray::from(vec!["a-ä", "bc", ""]));
    }

    #[test]
    fn bytes_are_joined_too() {
        let bytes = |value: &'static [u8]| -> ArrayRef { Arc::new(BinaryArray::from(vec![value])) };
        let result = call("CONCAT", vec![bytes(b"\xff"), bytes(b""), bytes(b"\x00")]);
        assert_eq!(result.as_binary::<i32>().value(0), b"\xff\x00");
    }

    #[test]
    fn any_number_of_texts_or_of_bytes_but_not_both() {
        let registry = FunctionRegistry::builtin();
        let types = |types: &[Option<SqlType>]| registry.resolve("CONCAT", types, Span::default());
        assert!(types(&[Some(SqlType::String)]).is_ok());
        assert!(types(&[Some(SqlType::Bytes), None]).is_ok());
        assert!(types(&[Some(SqlType::String), Some(SqlType::Integer)]).is_err());
        assert!(types(&[]).is_err(), "texts or bytes");
    }
}
