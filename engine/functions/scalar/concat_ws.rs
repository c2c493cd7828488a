//! `CONCAT_WS`: texts, or bytes, with a separator between them.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::DataType;

use super::plain::{Plain, bytes, strings};
use super::strings::texts;
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::ScalarFunction;
use crate::types::SqlType;

/// The function. Null when the separator is; parts that are null are left out.
pub fn function() -> Arc<dyn ScalarFunction> {
    let form = |ty: SqlType, what: &'static str| {
        Variation::new(ty.clone(), "The parts that are not NULL, the separator between them.")
            .param("separator", ty.clone(), "What stands between two parts.")
            .param("first", ty.clone(), what)
            .param("others", ty, what)
            .repeated()
    };
    let declaration = Declaration::scalar(Category::String, "CONCAT_WS", "Joins texts, or bytes, with a separator.")
        .form(form(SqlType::String, "A text."))
        .form(form(SqlType::Bytes, "Some bytes."))
        .example("CONCAT_WS('-', 'a', NULL, 'b')", "a-b");
    Plain::function(declaration, |call| {
        let (separator, parts) = (&call.args[0], &call.args[1..]);
        let valid = |row: usize| parts.iter().filter(move |part| part.is_valid(row)).enumerate();
        match call.returns {
            DataType::Utf8 => strings(call, "CONCAT_WS", |row, out| {
                if separator.is_null(row) {
                    return Ok(None);
                }
                for (i, part) in valid(row) {
                    out.push_str(if i > 0 { texts(separator).value(row) } else { "" });
                    out.push_str(texts(part).value(row));
                }
                Ok(Some(()))
            }),
            _ => bytes(call, "CONCAT_WS", |row, out| {
                if separator.is_null(row) {
                    return Ok(None);
                }
                for (i, part) in valid(row) {
                    out.extend_from_slice(if i > 0 { separator.as_binary::<i32>().value(row) } else { b"" });
                    out.extend_from_slice(part.as_binary::<i32>().value(row));
                }
                Ok(Some(()))
            }),
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::{sql, sql_error};

    #[test]
    fn parts_are_joined_and_nulls_left_out() {
        sql(&[
            ("CONCAT_WS(', ', 'a', 'b', 'c')", "a, b, c"),
            ("CONCAT_WS('-', NULL, 'b')", "b"),
            ("CONCAT_WS('-', CAST(NULL AS STRING))", ""),
            ("CONCAT_WS(CAST(NULL AS STRING), 'a', 'b')", "null"),
            ("CONCAT_WS('', 'a', '', 'b')", "ab"),
            (
                "FROM_BYTES(CONCAT_WS(TO_BYTES('/', 'utf8'), TO_BYTES('a', 'utf8'), TO_BYTES('b', 'utf8')), 'utf8')",
                "a/b",
            ),
        ]);
        assert!(sql_error("CONCAT_WS('-')").contains("does not take"));
    }
}
