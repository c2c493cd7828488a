//! `ELT` and `FIELD`: a text by its position among several, and the other way round.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::Int32Type;

use super::plain::{Plain, primitives, strings};
use super::strings::texts;
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::ScalarFunction;
use crate::types::SqlType;

/// Both functions.
pub fn functions() -> Vec<Arc<dyn ScalarFunction>> {
    const S: SqlType = SqlType::String;
    let elt = Declaration::scalar(Category::String, "ELT", "One of several texts, by its position.")
        .form(
            Variation::new(S, "The text at the position, from 1; NULL when there is none.")
                .param("n", SqlType::Integer, "The position.")
                .param("args", S, "The texts.")
                .repeated(),
        )
        .example("ELT(2, 'a', 'b', 'c')", "b");
    let field = Declaration::scalar(Category::String, "FIELD", "The position of a text among several.")
        .form(
            Variation::new(SqlType::Integer, "The position, from 1; 0 when it is none of them, or NULL.")
                .param("str", S, "The text to find.")
                .param("args", S, "The texts.")
                .repeated(),
        )
        .example("FIELD('b', 'a', 'b', 'c')", "2");
    vec![
        Plain::function(elt, |call| {
            let positions = call.args[0].as_primitive::<Int32Type>();
            strings(call, "ELT", |row, out| {
                if positions.is_null(row) {
                    return Ok(None);
                }
                let position = usize::try_from(positions.value(row)).ok().filter(|position| *position > 0);
                let text = position.and_then(|position| call.args.get(position)).filter(|text| text.is_valid(row));
                Ok(text.map(|text| out.push_str(texts(text).value(row))))
            })
        }),
        Plain::function(field, |call| {
            let wanted = texts(&call.args[0]);
            primitives::<Int32Type>(call, "FIELD", |row| {
                let found = call.args[1..].iter().position(|text| {
                    wanted.is_valid(row) && text.is_valid(row) && texts(text).value(row) == wanted.value(row)
                });
                Ok(Some(found.map_or(0, |position| position as i32 + 1)))
            })
        }),
    ]
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::sql;

    #[test]
    fn positions_and_texts() {
        sql(&[
            ("ELT(1, 'a')", "a"),
            ("ELT(0, 'a')", "null"),
            ("ELT(-1, 'a')", "null"),
            ("ELT(2, 'a')", "null"),
            ("ELT(2, 'a', NULL)", "null"),
            ("ELT(CAST(NULL AS INT), 'a')", "null"),
            ("FIELD('hello', 'world', 'hello')", "2"),
            ("FIELD('x', 'a', NULL)", "0"),
            ("FIELD(CAST(NULL AS STRING), NULL, 'a')", "0"),
        ]);
    }
}
