//! Complete, or does the shell ask for another line? The statement splitter says.

use reedline::{ValidationResult, Validator};

use super::commands;
use super::input::Input;
use crate::sql::lexemes::lexemes;
use crate::sql::parser;
use crate::sql::split::Ending;

/// Takes what was typed as complete when every statement in it ends with a semicolon, or when it ends in a command.
pub struct StatementValidator;

impl Validator for StatementValidator {
    fn validate(&self, line: &str) -> ValidationResult {
        let mut input = Input::new(line);
        input.take(false);
        if input.ending() == Ending::Complete || stray_word(line).is_some() {
            ValidationResult::Complete
        } else {
            ValidationResult::Incomplete
        }
    }
}

/// A single word that begins no statement and resembles a command: no further line would make it right.
pub fn stray_word(line: &str) -> Option<&str> {
    let word = line.trim();
    let alone = lexemes(word).len() == 1 && word.bytes().all(|b| b.is_ascii_alphabetic());
    let begins = || parser::next("").is_some_and(|next| next.words.iter().any(|w| w.eq_ignore_ascii_case(word)));
    (alone && commands::nearest_word(word).is_some() && !begins()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_needs_its_semicolon_and_a_command_does_not() {
        let complete = |text: &str| matches!(StatementValidator.validate(text), ValidationResult::Complete);
        assert!(complete("SHOW STREAMS;"));
        assert!(complete("SHOW STREAMS; -- all of them"));
        assert!(!complete("SHOW STREAMS"));
        assert!(!complete("SHOW STREAMS; SHOW"));
        assert!(!complete("SELECT ';"));
        assert!(!complete("SELECT /* ;"));
        assert!(!complete("SELECT `;"));
        assert!(complete("exit"));
        assert!(complete("SELECT 1\n\\e"));
        assert!(!complete("SELECT '\n\\e"));
        assert!(complete(""));
        assert!(complete("\\nonsense"));
    }

    #[test]
    fn a_misspelt_command_does_not_ask_for_more() {
        assert_eq!(stray_word("exti\n"), Some("exti"));
        assert_eq!(stray_word("SELECT"), None);
        assert_eq!(stray_word("set"), None);
        assert_eq!(stray_word("frobnicate"), None);
    }
}
