//! `UCASE`: upper case.

use datafusion::arrow::array::ArrayRef;
use datafusion::common::Result as DfResult;

use super::strings;
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::types::SqlType;

/// The function; Unicode's full mapping, so that a text may become longer.
#[derive(Debug)]
pub struct Ucase;

impl ScalarFunction for Ucase {
    fn declare(&self) -> Declaration {
        Declaration::scalar(Category::String, "UCASE", "A text in upper case.")
            .form(Variation::new(SqlType::String, "All letters in upper case.").param(
                "input",
                SqlType::String,
                "The text.",
            ))
            .example("UCASE('Straße')", "STRASSE")
    }

    fn evaluate(&self, call: &Call) -> DfResult<ArrayRef> {
        strings::map(call, |text, out| {
            if text.is_ascii() {
                out.push_str(text);
                out.make_ascii_uppercase();
            } else {
                out.push_str(&text.to_uppercase());
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{AsArray, StringArray};

    use crate::functions::scalar::testing::call;

    #[test]
    fn letters_of_any_script_go_up_and_null_stays() {
        let input = StringArray::from(vec![Some("Foo 1"), Some("straße"), Some(""), None]);
        let result = call("UCASE", vec![Arc::new(input)]);
        let expected = StringArray::from(vec![Some("FOO 1"), Some("STRASSE"), Some(""), None]);
        assert_eq!(result.as_string::<i32>(), &expected);
    }
}
