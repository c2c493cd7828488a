//! `TRIM`: a text without white space at its ends.

use datafusion::arrow::array::ArrayRef;
use datafusion::common::Result as DfResult;

use super::strings;
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::types::SqlType;

/// The function. As Java's `trim` it takes away every character up to and including the space, so tabs, line breaks
/// and control characters, but not Unicode's other spaces.
#[derive(Debug)]
pub struct Trim;

impl ScalarFunction for Trim {
    fn declare(&self) -> Declaration {
        Declaration::scalar(Category::String, "TRIM", "A text without spaces at its beginning and end.")
            .form(Variation::new(SqlType::String, "The text without spaces, tabs and line breaks at both ends.").param(
                "input",
                SqlType::String,
                "The text.",
            ))
            .example("TRIM('  a b ')", "a b")
    }

    fn evaluate(&self, call: &Call) -> DfResult<ArrayRef> {
        strings::map(call, |text, out| out.push_str(text.trim_matches(|character| character <= ' ')))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{AsArray, StringArray};

    use crate::functions::scalar::testing::call;

    #[test]
    fn only_what_java_trims_is_trimmed() {
        let input = StringArray::from(vec![Some(" \t\u{1}a b\r\n"), Some("\u{a0}x\u{a0}"), Some("  "), None]);
        let result = call("TRIM", vec![Arc::new(input)]);
        let expected = StringArray::from(vec![Some("a b"), Some("\u{a0}x\u{a0}"), Some(""), None]);
        assert_eq!(result.as_string::<i32>(), &expected);
    }
}
