//! What is said about a text that does not fit.
//!
//! The cursor notes at each position what would have been accepted there; from the notes come the list of what was
//! expected and the nearest keyword for a misspelt one. Words and signs of other dialects get a hint of their own.

use super::super::ast::Ident;
use super::super::diagnostic::nearest;
use super::super::tokens::TokenKind;
use super::{BareAlias, Parser};
use crate::error::{Code, Error, Result};

impl Parser<'_> {
    /// Notes that `what` would have been accepted here.
    pub(super) fn note(&mut self, what: &'static str) {
        self.forget_older();
        if !self.expected.contains(&what) {
            self.expected.push(what);
        }
    }

    /// Notes a keyword for the nearest-keyword search only.
    pub(super) fn note_possible(&mut self, keywords: &[&'static str]) {
        self.forget_older();
        self.also_possible.extend_from_slice(keywords);
    }

    fn forget_older(&mut self) {
        if self.expected_at != self.at {
            self.expected_at = self.at;
            self.expected.clear();
            self.also_possible.clear();
        }
    }

    /// An optional bare alias, where `expected` has already been noted as possible instead.
    pub(super) fn bare_alias(&mut self, what: &'static str) -> Result<Ident> {
        self.forget_older();
        let expected = self.expected.iter().chain(&self.also_possible).copied().collect();
        let at = self.at;
        let ident = self.ident(what)?;
        if !ident.quoted {
            self.bare_alias = Some(BareAlias { at, expected });
        }
        Ok(ident)
    }

    /// The error for a token that fits nowhere.
    pub(super) fn unexpected(&mut self) -> Error {
        self.forget_older();
        if let Some(alias) = self.bare_alias.take_if(|alias| alias.at + 1 == self.at) {
            let span = self.tokens[alias.at].span;
            let typed = self.source(span).to_ascii_uppercase();
            if let Some(hint) = foreign(&typed) {
                return Error::refused(Code::Syntax, format!("unexpected `{}`", self.source(span))).at(span).hint(hint);
            }
            if let Some(keyword) = nearest_keyword(&typed, &alias.expected) {
                return Error::refused(Code::Syntax, format!("expected {keyword}, found `{}`", self.source(span)))
                    .at(span)
                    .hint(format!("Did you mean {keyword}?"));
            }
        }
        let found = self.found();
        let message = if self.expected.is_empty() {
            format!("unexpected {found}")
        } else {
            format!("expected {}, found {found}", list(&self.expected))
        };
        let error = Error::refused(Code::Syntax, message).at(self.span());
        let Some(word) = self.word(0) else {
            return match self.sign_hint() {
                Some(hint) => error.hint(hint),
                None => error,
            };
        };
        let word = word.to_ascii_uppercase();
        if word == "NOT" && self.is_word(1, "NULL") {
            return error.hint("Did you mean IS NOT NULL?");
        }
        if let Some(hint) = foreign(&word) {
            return error.hint(hint);
        }
        let candidates: Vec<_> = self.expected.iter().chain(&self.also_possible).copied().collect();
        match nearest_keyword(&word, &candidates) {
            Some(keyword) => error.hint(format!("Did you mean {keyword}?")),
            None => error,
        }
    }

    /// What to do about a sign that stands wrong here.
    fn sign_hint(&self) -> Option<&'static str> {
        let TokenKind::Symbol(symbol) = self.kind(0) else { return None };
        let before = self.tokens.get(self.at.checked_sub(1)?)?;
        let touches = before.span.end == self.span().start;
        match *symbol {
            "=" if matches!(before.kind, TokenKind::Symbol("=")) => Some("Equality is written with one sign: a = b."),
            "," if self.expected.contains(&"WINDOW") => Some("Two sources are joined: FROM a JOIN b ON a.x = b.y."),
            "-" if touches && matches!(before.kind, TokenKind::Word) => Some("A name with a dash needs back-quotes."),
            _ => None,
        }
    }

    /// The error for a reserved word where a name must stand.
    pub(super) fn reserved_as_name(&mut self, what: &'static str) -> Error {
        let typed = self.source(self.span());
        let error =
            Error::refused(Code::Syntax, format!("expected {what}, found the keyword {}", typed.to_ascii_uppercase()));
        let name = typed.to_ascii_uppercase();
        error.at(self.span()).hint(format!("To use it as a name, put it in back-quotes: `{name}`."))
    }

    pub(super) fn no_statement(&mut self) -> Error {
        let found = self.found();
        let error = Error::refused(Code::Syntax, format!("expected a statement, found {found}")).at(self.span());
        let Some(word) = self.word(0) else { return error };
        let word = word.to_ascii_uppercase();
        if word == "WITH" {
            return error.hint(
                "There are no common table expressions; give the inner query a name with CREATE STREAM ... AS SELECT.",
            );
        }
        if let Some(hint) = foreign(&word) {
            return error.hint(hint);
        }
        match nearest_keyword(&word, &self.expected) {
            Some(keyword) => error.hint(format!("Did you mean {keyword}?")),
            None => error,
        }
    }

    /// What stands here, in words.
    fn found(&self) -> String {
        match self.kind(0) {
            TokenKind::Word | TokenKind::QuotedName(_) => format!("`{}`", self.source(self.span())),
            TokenKind::String(_) => "a string".to_string(),
            TokenKind::Integer | TokenKind::Decimal | TokenKind::Double => "a number".to_string(),
            TokenKind::Symbol(";") => "the end of the statement".to_string(),
            TokenKind::Symbol(symbol) => format!("`{symbol}`"),
            TokenKind::End => "the end of the text".to_string(),
        }
    }
}

/// The keyword nearest to a word (upper case) among what was expected; phrases and symbols do not take part.
fn nearest_keyword(word: &str, expected: &[&'static str]) -> Option<&'static str> {
    let keywords: Vec<&'static str> =
        expected.iter().copied().filter(|e| e.bytes().all(|b| b.is_ascii_uppercase())).collect();
    if keywords.contains(&word) {
        return None;
    }
    nearest(word, keywords)
}

/// `a, b or c`; symbols in back-quotes.
fn list(expected: &[&str]) -> String {
    let shown: Vec<String> = expected
        .iter()
        .map(|what| match *what {
            // Behind START AT it is a consumer group.
            "GROUP" if !expected.contains(&"EARLIEST") => "GROUP BY".to_string(),
            "START" => "START AT".to_string(),
            "PARTITION" => "PARTITION BY".to_string(),
            what if what.contains(|c: char| c.is_ascii_alphabetic()) => what.to_string(),
            symbol => format!("`{symbol}`"),
        })
        .collect();
    match shown.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// What to do instead, for words of other SQL dialects.
fn foreign(word: &str) -> Option<&'static str> {
    Some(match word {
        "ORDER" => "A stream has no end to sort at; ORDER BY is not part of the dialect.",
        "UNION" | "EXCEPT" | "INTERSECT" => "Write one INSERT INTO ... SELECT for each query instead.",
        "OVER" => "There are no OVER windows; use WINDOW with GROUP BY.",
        "OFFSET" => "A query can be cut with LIMIT only.",
        "UPDATE" | "MERGE" | "UPSERT" => "A table is changed by INSERT INTO ... VALUES with the same key.",
        "TRUNCATE" => "Use DROP ... DELETE TOPIC to remove a stream or table together with its data.",
        "CROSS" | "NATURAL" | "USING" => "Joins are INNER, LEFT, RIGHT or FULL, with ON left = right.",
        "USE" | "GRANT" | "REVOKE" | "BEGIN" | "COMMIT" | "ROLLBACK" => {
            "There are no schemas, roles or transactions in SQL."
        }
        _ => return None,
    })
}
