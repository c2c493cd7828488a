//! `LCASE`: lower case.

use datafusion::arrow::array::ArrayRef;
use datafusion::common::Result as DfResult;

use super::strings;
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::types::SqlType;

/// The function; Unicode's mapping, with the Greek sigma that ends a word.
#[derive(Debug)]
pub struct Lcase;

impl ScalarFunction for Lcase {
    fn declare(&self) -> Declaration {
        Declaration::scalar(Category::String, "LCASE", "A text in lower case.")
            .form(Variation::new(SqlType::String, "All letters in lower case.").param(
                "input",
                SqlType::String,
                "The text.",
            ))
            .example("LCASE('Sensor A')", "sensor a")
    }

    fn evaluate(&self, call: &Call) -> DfResult<ArrayRef> {
        strings::map(call, |text, out| {
            if text.is_ascii() {
                out.push_str(text);
                out.make_ascii_lowercase();
            } else {
                out.push_str(&text.to_lowercase());
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
    fn letters_of_any_script_go_down_and_null_stays() {
        let input = StringArray::from(vec![Some("Foo 1"), Some("ÄΣΑΣ"), Some(""), None]);
        let result = call("LCASE", vec![Arc::new(input)]);
        let expected = StringArray::from(vec![Some("foo 1"), Some("äσας"), Some(""), None]);
        assert_eq!(result.as_string::<i32>(), &expected);
    }
}
