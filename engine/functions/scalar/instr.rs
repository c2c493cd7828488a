//! `INSTR`: where in a text another one is.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::Int32Type;

use super::plain::{Plain, primitives};
use super::strings::texts;
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::ScalarFunction;
use crate::types::SqlType;

/// The function. Positions count UTF-16 units from 1; 0 is nowhere.
pub fn function() -> Arc<dyn ScalarFunction> {
    let form = |what: &'static str| {
        Variation::new(SqlType::Integer, what).param("str", SqlType::String, "The text to search.").param(
            "substring",
            SqlType::String,
            "The text to find.",
        )
    };
    const POSITION: &str = "Where to begin: 1 is the first character; negative ones count from the end, backwards.";
    let declaration = Declaration::scalar(
        Category::String,
        "INSTR",
        "The position of a text in another; 0 for none, and when one of them is NULL.",
    )
    .form(form("The position of the first occurrence."))
    .form(form("The position of the first occurrence from a position on.").param("pos", SqlType::Integer, POSITION))
    .form(form("The position of an occurrence from a position on.").param("pos", SqlType::Integer, POSITION).param(
        "occurrence",
        SqlType::Integer,
        "Which occurrence, from 1.",
    ))
    .example("INSTR('corporate floor', 'or')", "2")
    .example("INSTR('corporate floor', 'or', 3, 2)", "14")
    .example("INSTR('corporate floor', 'or', -3)", "5");
    Plain::function(declaration, |call| {
        let (inputs, wanted) = (texts(&call.args[0]), texts(&call.args[1]));
        let number = |index: usize, row: usize| -> i64 {
            call.args.get(index).map_or(1, |array| i64::from(array.as_primitive::<Int32Type>().value(row)))
        };
        primitives::<Int32Type>(call, "INSTR", |row| {
            if call.args[2..].iter().any(|arg| arg.is_null(row)) {
                return Ok(None);
            }
            // A text that is NULL is nowhere, and nothing is in it.
            if inputs.is_null(row) || wanted.is_null(row) {
                return Ok(Some(0));
            }
            let text: Vec<u16> = inputs.value(row).encode_utf16().collect();
            let sub: Vec<u16> = wanted.value(row).encode_utf16().collect();
            Ok(Some(find(&text, &sub, number(2, row), number(3, row))))
        })
    })
}

fn find(text: &[u16], sub: &[u16], position: i64, occurrence: i64) -> i32 {
    let length = text.len();
    let start = usize::try_from(position.unsigned_abs()).unwrap_or(usize::MAX);
    if occurrence < 1 || start == 0 || start > length || sub.len() > length {
        return 0;
    }
    if sub.is_empty() {
        // Nothing is found at once; backwards that is behind the character where the search begins.
        return (if position > 0 { start } else { length - start + 2 }) as i32;
    }
    let is_at = |at: &usize| text[*at..].starts_with(sub);
    let nth = usize::try_from(occurrence - 1).unwrap_or(usize::MAX);
    let found = if position > 0 {
        (start - 1..=length - sub.len()).filter(is_at).nth(nth)
    } else {
        // All of it stands before or at the character where the search begins.
        let end = (length - start + 1).checked_sub(sub.len());
        end.and_then(|last| (0..=last).rev().filter(is_at).nth(nth))
    };
    found.map_or(0, |at| at as i32 + 1)
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::sql;

    #[test]
    fn positions_are_found_from_both_ends() {
        sql(&[
            ("INSTR('corporate floor', 'or', 4, 2)", "14"),
            ("INSTR('corporate floor', 'or', -4)", "5"),
            ("INSTR('corporate floor', 'or', -4, 2)", "2"),
            ("INSTR('short', 'or', -4)", "0"),
            ("INSTR('abc', 'd')", "0"),
            ("INSTR('abc', 'a', 0)", "0"),
            ("INSTR('abc', 'a', 1, 0)", "0"),
            ("INSTR('abc', 'a', 9)", "0"),
            ("INSTR('a😀b', 'b')", "4"),
            ("INSTR(CAST(NULL AS STRING), 'a')", "0"),
            ("INSTR('a', CAST(NULL AS STRING))", "0"),
            ("INSTR('a', 'a', CAST(NULL AS INT))", "null"),
            ("INSTR('abcb', 'cb', -1)", "3"),
            ("INSTR('abcb', 'cb', -2)", "0"),
            ("INSTR('aaaa', 'aa', 1, 3)", "3"),
            ("INSTR('abc', '', 2)", "2"),
            ("INSTR('', '')", "0"),
        ]);
    }
}
