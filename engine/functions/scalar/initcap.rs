//! `INITCAP`: a capital at the start of each word.

use std::sync::Arc;

use super::plain::Plain;
use super::strings::map;
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::ScalarFunction;
use crate::types::SqlType;

/// The function. Words end at ASCII white space, which is left out in front of the first; a letter beyond U+FFFF is no capital.
pub fn function() -> Arc<dyn ScalarFunction> {
    let declaration = Declaration::scalar(Category::String, "INITCAP", "Capitalizes each word.")
        .form(
            Variation::new(SqlType::String, "The first letter of each word in upper case, the others in lower case.")
                .param("str", SqlType::String, "The text."),
        )
        .example("INITCAP('the quick bROWN')", "The Quick Brown");
    Plain::function(declaration, |call| {
        map(call, |text, out| {
            let is_space = |c: char| matches!(c, ' ' | '\t'..='\r');
            let text = text.to_lowercase();
            let mut inside = false;
            for c in text.trim_start_matches(is_space).chars() {
                if inside || c.len_utf16() > 1 {
                    out.push(c);
                } else {
                    out.extend(c.to_uppercase());
                }
                inside = !is_space(c);
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
            ("INITCAP('  hello  wORLD ')", "Hello  World "),
            ("INITCAP('éa 1b')", "Éa 1b"),
            ("INITCAP('ΣΑΣ 𐐨x')", "Σας 𐐨x"),
        ]);
    }
}
