//! A text as tokens, comments and the places of its variables.

use super::super::lexemes::{LexemeKind, lexemes};
use super::super::tokens::{Token, tokenize};
use super::super::variables::{holds_reference, placeholders};
use crate::error::{Result, Span};

/// A text that has been read.
pub(super) struct Source<'a> {
    pub text: &'a str,
    /// The last one is the end.
    pub tokens: Vec<Token>,
    /// Where variables stand outside of quotes.
    pub references: Vec<Span>,
    /// In order.
    comments: Vec<Comment>,
}

/// A comment and how it stands between the tokens around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comment {
    /// With its signs, without the line break behind it.
    pub text: String,
    /// The token behind it.
    before: usize,
    /// Whether nothing but white space is before it on its line.
    pub own_line: bool,
    /// Whether a blank line is before it.
    pub blank_before: bool,
    /// Whether a line ends between it and what follows.
    newline_after: bool,
}

impl Comment {
    /// Whether what follows must or should begin a line.
    pub fn ends_line(&self) -> bool {
        self.newline_after || self.text.starts_with("--")
    }

    /// Whether it stands within a line.
    pub fn is_inline(&self) -> bool {
        !self.own_line && !self.ends_line()
    }
}

impl<'a> Source<'a> {
    /// Reads a text.
    ///
    /// Errors have their place in it: something that is no token, a malformed reference to a variable.
    pub fn read(text: &'a str) -> Result<Self> {
        let (masked, references) = placeholders(text)?;
        let tokens = tokenize(&masked)?;
        let mut comments: Vec<Comment> = Vec::new();
        let (mut end, mut at) = (0, 0);
        for lexeme in lexemes(&masked).into_iter().filter(|lexeme| lexeme.kind == LexemeKind::Comment) {
            let before = tokens.partition_point(|token| token.span.start < lexeme.span.start);
            if let Some(last) = comments.last_mut().filter(|last| last.before < before) {
                last.newline_after = text[end..tokens[last.before].span.start].contains('\n');
            }
            if at < before {
                (at, end) = (before, tokens[before - 1].span.end);
            }
            let typed = lexeme.span.text(text);
            let shown = match typed {
                // A directive is read by whoever runs the file, to the letter.
                _ if typed.starts_with("--@") => typed.trim_end_matches('\r'),
                _ => typed.trim_end(),
            };
            let gap = text[end..lexeme.span.start].matches('\n').count();
            if let Some(last) = comments.last_mut().filter(|last| last.before == before) {
                last.newline_after = gap > 0;
            }
            comments.push(Comment {
                text: shown.to_string(),
                before,
                own_line: gap > 0 || lexeme.span.start == 0 || text[..lexeme.span.start].trim().is_empty(),
                blank_before: gap > 1,
                newline_after: false,
            });
            end = lexeme.span.end;
        }
        if let Some(last) = comments.last_mut() {
            last.newline_after = text[end..tokens[last.before].span.start].contains('\n');
        }
        Ok(Source { text, tokens, references, comments })
    }

    /// The line break of the text: `\r\n` where every one of them is that, so that what is laid out has the same.
    pub fn newline(&self) -> &'static str {
        let mut lines = self.text.split('\n');
        // Behind the last line break nothing ends.
        let last = lines.next_back();
        let is_windows =
            last.is_some_and(|last| last.len() < self.text.len()) && lines.all(|line| line.ends_with('\r'));
        if is_windows { "\r\n" } else { "\n" }
    }

    /// The comments right before a token.
    pub fn comments_before(&self, token: usize) -> impl Iterator<Item = &Comment> {
        let first = self.comments.partition_point(|comment| comment.before < token);
        self.comments[first..].iter().take_while(move |comment| comment.before == token)
    }

    /// Whether a blank line is before a token, or before its line's comments end.
    pub fn blank_line_before(&self, token: usize) -> bool {
        let start = self.tokens[token].span.start;
        let blank = self.text[..start].trim_end_matches([' ', '\t', '\r']);
        let blank = blank.strip_suffix('\n').unwrap_or(blank).trim_end_matches([' ', '\t', '\r']);
        blank.ends_with('\n')
    }

    /// Whether a line ends between a token and the one before it.
    pub fn newline_before(&self, token: &Token, before: &Token) -> bool {
        self.text[before.span.end..token.span.start].contains('\n')
    }

    /// Whether a variable stands in this place.
    pub fn holds_reference(&self, place: Span) -> bool {
        holds_reference(&self.references, place)
    }
}
