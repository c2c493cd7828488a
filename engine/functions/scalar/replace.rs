//! `REPLACE`: every occurrence of a text by another.

use std::sync::Arc;

use super::plain::{Plain, strings};
use super::strings::texts;
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::ScalarFunction;
use crate::types::SqlType;

/// The function.
pub fn function() -> Arc<dyn ScalarFunction> {
    const S: SqlType = SqlType::String;
    let declaration = Declaration::scalar(Category::String, "REPLACE", "Replaces every occurrence of a text.")
        .form(
            Variation::new(S, "The text with each occurrence replaced; NULL when any argument is.")
                .param("str", S, "The text.")
                .param("oldStr", S, "What to replace.")
                .param("newStr", S, "What to put there."),
        )
        .example("REPLACE('foobar', 'o', 'a')", "faabar");
    Plain::function(declaration, |call| {
        let (inputs, old, new) = (texts(&call.args[0]), texts(&call.args[1]), texts(&call.args[2]));
        strings(call, "REPLACE", |row, out| {
            if call.null_at(row) {
                return Ok(None);
            }
            let mut parts = inputs.value(row).split(old.value(row));
            out.push_str(parts.next().unwrap_or_default());
            if old.value(row).is_empty() {
                // As Java's `String.replace`: an empty text is found around every character.
                out.clear();
                out.push_str(&inputs.value(row).replace("", new.value(row)));
                return Ok(Some(()));
            }
            for part in parts {
                out.push_str(new.value(row));
                out.push_str(part);
            }
            Ok(Some(()))
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::sql;

    #[test]
    fn occurrences_are_replaced() {
        sql(&[
            ("REPLACE('aaa', 'aa', 'b')", "ba"),
            ("REPLACE('abc', '', '-')", "-a-b-c-"),
            ("REPLACE('abc', 'b', '')", "ac"),
            ("REPLACE('a.c', '.', '$1')", "a$1c"),
            ("REPLACE(CAST(NULL AS STRING), 'a', 'b')", "null"),
            ("REPLACE('a', 'a', CAST(NULL AS STRING))", "null"),
        ]);
    }
}
