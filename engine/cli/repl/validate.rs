//! Complete, or does the shell ask for another line? The statement splitter says.

use reedline::{ValidationResult, Validator};

use super::words;
use crate::sql::split::{Ending, split};

/// Takes a line as complete when every statement in it ends with a semicolon, or when it is a word of the shell.
pub struct StatementValidator;

impl Validator for StatementValidator {
    fn validate(&self, line: &str) -> ValidationResult {
        let shell_word = words::parse(line).is_some();
        if shell_word || line.trim().is_empty() || split(line).ending == Ending::Complete {
            ValidationResult::Complete
        } else {
            ValidationResult::Incomplete
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_needs_its_semicolon_and_a_word_of_the_shell_does_not() {
        let complete = |text: &str| matches!(StatementValidator.validate(text), ValidationResult::Complete);
        assert!(complete("SHOW STREAMS;"));
        assert!(!complete("SHOW STREAMS"));
        assert!(!complete("SELECT ';"));
        assert!(complete("exit"));
        assert!(complete(""));
    }
}
