//! `INITCAP`: a capital at the start of each word.

use std::sync::Arc;

use super::plain::Plain;
use super::strings::map;
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::ScalarFunction;
use crate::types::SqlType;

/// The function. Words end at white space.
pub fn function() -> Arc<dyn ScalarFunction> {
    let declaration = Declaration::scalar(Category::String, "INITCAP", "Capitalizes each word.")
        .form(
            Variation::new(SqlType::String, "The first letter of each word in upper case, the others in lower case.")
                .param("str", SqlType::String, "The text."),
        )
        .example("INITCAP('the quick bROWN')", "The Quick Brown");
    Plain::function(declaration, |call| {
        map(call, |text, out| {
            let mut inside = false;
            for c in text.chars() {
                if inside {
                    out.extend(c.to_lowercase());
                } else {
                    out.extend(c.to_uppercase());
                }
                inside = !c.is_whitespace();
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::sql;

    #[test]
    fn words_are_capitalized() {
        sql(&[
            ("INITCAP(CAST(NULL AS STRING))", "null"),
            ("INITCAP('')", ""),
            ("INITCAP('  hello  wORLD ')", "  Hello  World "),
            ("INITCAP('éa 1b')", "Éa 1b"),
        ]);
    }
}
