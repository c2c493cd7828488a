//! A text as its tokens and comments, whatever is wrong with it: for a shell, which shows and completes what is not
//! finished yet. The rules are those of [`tokens`](super::tokens); only what they refuse is kept here, by kind.

use datafusion::sql::sqlparser::tokenizer::Token as Raw;

use super::regions::{RegionKind, regions, without_comments};
use super::tokens::{Token, TokenKind, push, raw_tokens};
use crate::error::Span;

/// A token, a comment or something that is neither, and its place. White space is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lexeme {
    /// What it is.
    pub kind: LexemeKind,
    /// Its bytes in the text.
    pub span: Span,
}

/// What a lexeme is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LexemeKind {
    /// A token.
    Token(TokenKind),
    /// `-- ...` or `/* ... */`.
    Comment,
    /// Something that is no token of the dialect.
    Wrong,
    /// A string, a quoted name or a comment that nothing closes; it takes the rest of the text.
    Open,
}

/// The lexemes of `text` in order. Never fails.
pub fn lexemes(text: &str) -> Vec<Lexeme> {
    let code = without_comments(text);
    let (raw, wrong_at) = raw_tokens(&code);
    let mut lexemes: Vec<Lexeme> = Vec::with_capacity(raw.len() / 2 + 1);
    // Tokens collect here, because a word may have to join the digits before it.
    let mut tokens: Vec<Token> = Vec::new();
    let take = |tokens: &mut Vec<Token>, lexemes: &mut Vec<Lexeme>| {
        lexemes.extend(tokens.drain(..).map(|token| Lexeme { kind: LexemeKind::Token(token.kind), span: token.span }));
    };
    for (token, span) in raw {
        if let Raw::Whitespace(_) = token {
            take(&mut tokens, &mut lexemes);
        } else if push(&mut tokens, text, token, span).is_err() {
            // What was read of it before the mistake is part of the mistake.
            while tokens.last().is_some_and(|last| last.span.start >= span.start) {
                tokens.pop();
            }
            take(&mut tokens, &mut lexemes);
            lexemes.push(Lexeme { kind: LexemeKind::Wrong, span });
        }
    }
    take(&mut tokens, &mut lexemes);
    if let Some(start) = wrong_at.filter(|at| *at < code.len()) {
        let kind = if code[start..].starts_with(['\'', '"', '`']) { LexemeKind::Open } else { LexemeKind::Wrong };
        lexemes.push(Lexeme { kind, span: Span::new(start, code.len()) });
    }
    lexemes.extend(regions(text).filter(|region| region.kind == RegionKind::Comment).map(|comment| {
        let kind = if comment.closed { LexemeKind::Comment } else { LexemeKind::Open };
        Lexeme { kind, span: comment.span }
    }));
    lexemes.sort_by_key(|lexeme| lexeme.span.start);
    // What is wrong may reach further than the tokens that are right: what looks like a comment in it is part of it.
    let mut end = 0;
    lexemes.retain(|lexeme| {
        let is_apart = lexeme.span.start >= end;
        end = end.max(lexeme.span.end);
        is_apart
    });
    lexemes
}

/// A text on one line: comments left out, one blank where white space or a comment stood.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut end = 0;
    for lexeme in lexemes(text).iter().filter(|lexeme| lexeme.kind != LexemeKind::Comment) {
        if lexeme.span.start > end && !line.is_empty() {
            line.push(' ');
        }
        line += &lexeme.span.text(text).replace(['\r', '\n'], " ");
        end = lexeme.span.end;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::tokens::tokenize;

    fn shown(text: &str) -> Vec<(&str, &str)> {
        let name = |kind: &LexemeKind| match kind {
            LexemeKind::Token(_) => "token",
            LexemeKind::Comment => "comment",
            LexemeKind::Wrong => "wrong",
            LexemeKind::Open => "open",
        };
        lexemes(text).iter().map(|lexeme| (name(&lexeme.kind), &text[lexeme.span.start..lexeme.span.end])).collect()
    }

    #[test]
    fn comments_are_kept_and_tokens_are_those_of_the_tokenizer() {
        let text = "SELECT 'a' /* c */, 1R -- d\nFROM `s`;";
        let tokens: Vec<Token> = lexemes(text)
            .into_iter()
            .filter_map(|lexeme| match lexeme.kind {
                LexemeKind::Token(kind) => Some(Token { kind, span: lexeme.span }),
                _ => None,
            })
            .collect();
        assert_eq!(tokens, tokenize(text).expect("it is well formed")[..tokens.len()]);
        let comments: Vec<_> = shown(text).into_iter().filter(|(kind, _)| *kind == "comment").collect();
        assert_eq!(comments, [("comment", "/* c */"), ("comment", "-- d")]);
    }

    #[test]
    fn one_line_has_no_comments_and_no_breaks() {
        assert_eq!(
            one_line("  SELECT a \\\n  FROM b -- c\n/* d */ WHERE x='-- y  z';\n"),
            "SELECT a FROM b WHERE x='-- y  z';"
        );
        assert_eq!(one_line("a#b 'open\n"), "a#b 'open ");
    }

    #[test]
    fn what_is_not_closed_takes_the_rest() {
        assert_eq!(shown("a 'b; c"), [("token", "a"), ("open", "'b; c")]);
        assert_eq!(shown("a `b"), [("token", "a"), ("open", "`b")]);
        assert_eq!(shown("a /* b"), [("token", "a"), ("open", "/* b")]);
    }

    #[test]
    fn what_is_no_token_does_not_end_the_reading() {
        assert_eq!(shown("a # größe b"), [("token", "a"), ("wrong", "#"), ("wrong", "größe"), ("token", "b")]);
    }
}
