//! Where the cursor is: in which statement, behind what, and in the middle of which word.

use crate::error::Span;
use crate::sql::keywords::is_keyword;
use crate::sql::lexemes::{Lexeme, LexemeKind, lexemes};
use crate::sql::split::split;
use crate::sql::tokens::TokenKind;

/// The place of the cursor in a statement.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// The whole statement, what follows the cursor included.
    pub statement: &'a str,
    /// The statement up to the word that is being typed.
    pub before: &'a str,
    /// The lexemes of `before`, comments left out.
    pub lexemes: Vec<Lexeme>,
    /// The word so far, without its opening quote.
    pub word: &'a str,
    /// The quote that opens it.
    pub quote: Option<char>,
    /// The bytes of the line that a completion replaces: the word with its quotes.
    pub span: Span,
}

impl<'a> Place<'a> {
    /// The place of byte `pos` of the line; `None` inside of a comment.
    pub fn of(line: &'a str, pos: usize) -> Option<Place<'a>> {
        let typed = &line[..line.floor_char_boundary(pos)];
        let start = match split(typed).pieces.last() {
            Some(piece) if !piece.terminated => piece.span.start,
            Some(piece) => typed[piece.span.end..].find(';').map_or(typed.len(), |n| piece.span.end + n + 1),
            None => 0,
        };
        let rest = &line[start..];
        let statement = split(rest).pieces.first().map_or(rest, |piece| &rest[..piece.span.end]);
        let typed = &typed[start..];
        let mut lexemes = lexemes(typed);
        let (word, quote) = match lexemes.last() {
            Some(Lexeme { kind: LexemeKind::Comment, span }) if span.end == typed.len() => {
                let is_over = typed.ends_with("*/") || typed.ends_with('\n');
                if !is_over {
                    return None;
                }
                ("", None)
            }
            Some(Lexeme { kind: LexemeKind::Open, span }) => {
                let quote = typed[span.start..].chars().next()?;
                if quote == '/' {
                    return None;
                }
                (&typed[span.start + 1..], Some(quote))
            }
            Some(Lexeme { kind: LexemeKind::Token(TokenKind::Word), span }) if span.end == typed.len() => {
                (&typed[span.start..], None)
            }
            // A number is complete as it is.
            Some(Lexeme {
                kind: LexemeKind::Token(TokenKind::Integer | TokenKind::Decimal | TokenKind::Double),
                span,
            }) if span.end == typed.len() => {
                return None;
            }
            _ => ("", None),
        };
        let begin = typed.len() - word.len() - quote.map_or(0, char::len_utf8);
        lexemes.retain(|lexeme| lexeme.span.end <= begin && lexeme.kind != LexemeKind::Comment);
        let end = start + typed.len();
        // A cursor before the closing quote is inside of what the completion replaces.
        let closing = quote.filter(|quote| line[end..].starts_with(*quote)).map_or(0, char::len_utf8);
        let span = Span::new(start + begin, end + closing);
        Some(Place { statement, before: &typed[..begin], lexemes, word, quote, span })
    }

    /// The text of the token `back` tokens before the word; the last one is 1. Empty when there is none.
    pub fn token(&self, back: usize) -> &'a str {
        let n = self.lexemes.len().checked_sub(back);
        n.and_then(|n| self.lexemes.get(n)).map_or("", |lexeme| &self.before[lexeme.span.start..lexeme.span.end])
    }

    /// Whether the token `back` tokens before the word is this one, in any case.
    pub fn follows(&self, back: usize, token: &str) -> bool {
        self.token(back).eq_ignore_ascii_case(token)
    }

    /// Whether the statement begins with these words.
    pub fn begins(&self, words: &[&str]) -> bool {
        let tokens = self.lexemes.iter().map(|lexeme| &self.before[lexeme.span.start..lexeme.span.end]);
        self.lexemes.len() >= words.len() && tokens.zip(words).all(|(token, word)| token.eq_ignore_ascii_case(word))
    }

    /// Whether keywords are typed in small letters: by the word itself, else by the statement so far.
    pub fn is_lower_case(&self) -> bool {
        let letter = |text: &str| text.chars().find(char::is_ascii_alphabetic);
        letter(self.word).or_else(|| letter(self.before)).is_some_and(|letter| letter.is_ascii_lowercase())
    }

    /// Whether names are typed in small letters: by the word itself, else by the last name, else as keywords are.
    pub fn has_lower_names(&self) -> bool {
        let text = |lexeme: &Lexeme| &self.before[lexeme.span.start..lexeme.span.end];
        let is_name = |lexeme: &&Lexeme| {
            lexeme.kind == LexemeKind::Token(TokenKind::Word) && !is_keyword(&text(lexeme).to_ascii_uppercase())
        };
        match self.lexemes.iter().rfind(is_name) {
            Some(name) if self.word.is_empty() => text(name).starts_with(|c: char| c.is_ascii_lowercase()),
            _ => self.is_lower_case(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: &str) -> Option<(String, String, Option<char>, String)> {
        let pos = line.find('|').expect("the line shows the cursor");
        let line = line.replacen('|', "", 1);
        let place = Place::of(&line, pos)?;
        let replaced = line[place.span.start..place.span.end].to_string();
        Some((place.before.to_string(), place.word.to_string(), place.quote, replaced))
    }

    fn at(
        before: &str,
        word: &str,
        quote: Option<char>,
        replaced: &str,
    ) -> Option<(String, String, Option<char>, String)> {
        Some((before.into(), word.into(), quote, replaced.into()))
    }

    #[test]
    fn the_word_is_what_touches_the_cursor() {
        assert_eq!(place("SELECT te| FROM s"), at("SELECT ", "te", None, "te"));
        assert_eq!(place("SHOW TOPICS; SELECT |"), at("SELECT ", "", None, ""));
        assert_eq!(place("SELECT s.|x"), at("SELECT s.", "", None, ""));
        assert_eq!(place("|"), at("", "", None, ""));
        assert_eq!(place("SELECT 1 /* c */ + a|"), at("SELECT 1 /* c */ + ", "a", None, "a"));
    }

    #[test]
    fn quotes_belong_to_what_is_replaced() {
        assert_eq!(place("PRINT 're|'"), at("PRINT ", "re", Some('\''), "'re'"));
        assert_eq!(place("PRINT 're|"), at("PRINT ", "re", Some('\''), "'re"));
        assert_eq!(place("SELECT `a|` FROM"), at("SELECT ", "a", Some('`'), "`a`"));
    }

    #[test]
    fn comments_are_left_alone() {
        assert_eq!(place("SELECT -- a|"), None);
        assert_eq!(place("-- a|"), None);
        assert_eq!(place("SELECT 1; -- a|"), None);
        assert_eq!(place("SELECT /* a|"), None);
        assert_eq!(place("SELECT -- a\n b|"), at("SELECT -- a\n ", "b", None, "b"));
    }

    #[test]
    fn what_follows_the_cursor_is_part_of_the_statement() {
        let line = "SHOW TOPICS; SELECT  FROM s; DROP";
        let place = Place::of(line, 20).expect("in a statement");
        assert_eq!(place.statement, "SELECT  FROM s");
        assert!(place.begins(&["select"]) && !place.is_lower_case());
    }
}
