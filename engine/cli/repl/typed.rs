//! What stands on the line while it is typed: the highlighter sees it, the prompt and Ctrl-C want to know.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::sql::lexemes::{Lexeme, LexemeKind};
use crate::sql::tokens::TokenKind;

/// What is open at the end of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Open {
    /// Nothing: a semicolon would end the statement.
    #[default]
    Nothing,
    /// A parenthesis or bracket.
    Parenthesis,
    /// A string, with its quote.
    Quote(char),
    /// A `/*` comment.
    Comment,
}

impl Open {
    /// What is open at the end of a text of these lexemes.
    pub fn at_end(text: &str, lexemes: &[Lexeme]) -> Open {
        let mut depth = 0usize;
        for lexeme in lexemes {
            match &lexeme.kind {
                LexemeKind::Token(TokenKind::Symbol("(" | "[")) => depth += 1,
                LexemeKind::Token(TokenKind::Symbol(")" | "]")) => depth = depth.saturating_sub(1),
                LexemeKind::Token(TokenKind::Symbol(";")) => depth = 0,
                LexemeKind::Open => {
                    return match text[lexeme.span.start..].chars().next() {
                        Some(quote @ ('\'' | '"' | '`')) => Open::Quote(quote),
                        _ => Open::Comment,
                    };
                }
                _ => {}
            }
        }
        if depth > 0 { Open::Parenthesis } else { Open::Nothing }
    }
}

#[derive(Debug, Default)]
struct State {
    open: Open,
    is_blank: bool,
}

/// Shared between the highlighter, which sees every change of the line, and who asks.
#[derive(Debug, Clone, Default)]
pub struct Typed(Arc<Mutex<State>>);

impl Typed {
    /// Takes note of the line as it is now.
    pub fn see(&self, text: &str, lexemes: &[Lexeme]) {
        *self.0.lock() = State { open: Open::at_end(text, lexemes), is_blank: text.trim().is_empty() };
    }

    /// What is open at the line's end.
    pub fn open(&self) -> Open {
        self.0.lock().open
    }

    /// Whether there is nothing on the line.
    pub fn is_blank(&self) -> bool {
        self.0.lock().is_blank
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lexemes::lexemes;

    #[test]
    fn the_innermost_open_thing_counts() {
        let open = |text: &str| Open::at_end(text, &lexemes(text));
        assert_eq!(open("SELECT a"), Open::Nothing);
        assert_eq!(open("SELECT ABS(a, b[1]"), Open::Parenthesis);
        assert_eq!(open("SELECT ABS('it''s"), Open::Quote('\''));
        assert_eq!(open("SELECT (`a"), Open::Quote('`'));
        assert_eq!(open("SELECT ( /* ' "), Open::Comment);
        assert_eq!(open("SELECT (; SELECT ')'"), Open::Nothing);
    }
}
