//! The text of `DESCRIBE FUNCTION`.

use std::fmt::Write;

use super::declaration::Declaration;

/// A function's description, laid out as ksqlDB lays it out: a block of facts, then one block for each form, indented
/// by a tab. Ends without a line break.
pub fn describe(declaration: &Declaration) -> String {
    let mut text = String::new();
    let mut fact = |name: &str, value: &str| {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{name:<12}: {value}");
    };
    fact("Name", &declaration.name);
    fact("Author", &declaration.author);
    if !declaration.version.is_empty() {
        fact("Version", &declaration.version);
    }
    fact("Overview", &declaration.description);
    fact("Type", &declaration.kind.to_string());
    for (name, value) in &declaration.facts {
        fact(name, value);
    }
    if declaration.volatile {
        fact("Volatile", "yes, computed for every row");
    }
    text.push_str("Variations  :\n");
    for variation in &declaration.variations {
        let width = variation.params.iter().map(|param| param.name.len()).max().unwrap_or(0).max(11);
        let mut fact = |name: &str, value: &str| {
            let _ = writeln!(text, "\t{name:<width$} : {value}");
        };
        fact("Variation", &declaration.call_text(variation));
        fact("Returns", &variation.returns.to_string());
        fact("Description", &variation.description);
        for param in &variation.params {
            fact(&param.name, &param.description);
        }
        text.push('\n');
    }
    if !declaration.examples.is_empty() {
        text.push_str("Examples    :\n");
        for example in &declaration.examples {
            let _ = writeln!(text, "\t{} -> {}", example.sql, example.result);
        }
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::declaration::{Category, ParamType, Variation};
    use crate::types::SqlType;

    #[test]
    fn the_layout_is_that_of_ksqldb() {
        let declaration = Declaration::scalar(Category::String, "PICK", "Takes one of several.")
            .form(
                Variation::new(ParamType::Generic("T"), "By number.")
                    .param("index", SqlType::Integer, "Which one, from 1.")
                    .param("value", ParamType::Generic("T"), "What to choose from.")
                    .repeated(),
            )
            .form(Variation::new(SqlType::String, "The default."))
            .example("PICK(2, 'a', 'b')", "b");
        let expected = "\
Name        : PICK
Author      : Alcedo
Overview    : Takes one of several.
Type        : SCALAR
Variations  :
\tVariation   : PICK(index INT, value T[])
\tReturns     : T
\tDescription : By number.
\tindex       : Which one, from 1.
\tvalue       : What to choose from.

\tVariation   : PICK()
\tReturns     : VARCHAR
\tDescription : The default.

Examples    :
\tPICK(2, 'a', 'b') -> b";
        assert_eq!(describe(&declaration), expected);
    }
}
