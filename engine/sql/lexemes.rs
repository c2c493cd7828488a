//! A text as its tokens and comments, whatever is wrong with it: for a shell, which shows and completes what is not
//! finished yet. The rules are those of [`tokens`](super::tokens); only what they refuse is kept here, by kind.

use datafusion::sql::sqlparser::tokenizer::{Token as Raw, Tokenizer, Whitespace};

use super::tokens::{KsqlDialect, Places, Token, TokenKind, push};
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
    let mut raw = Vec::new();
    let outcome = Tokenizer::new(&KsqlDialect, text).tokenize_with_location_into_buf(&mut raw);
    let mut lexemes: Vec<Lexeme> = Vec::with_capacity(raw.len() / 2 + 1);
    let mut places = Places::new(text);
    let mut start = 0;
    // Tokens collect here, because a word may have to join the digits before it.
    let mut tokens: Vec<Token> = Vec::new();
    let take = |tokens: &mut Vec<Token>, lexemes: &mut Vec<Lexeme>| {
        lexemes.extend(tokens.drain(..).map(|token| Lexeme { kind: LexemeKind::Token(token.kind), span: token.span }));
    };
    for token in raw {
        let span = Span::new(start, places.advance_to(token.span.end.line, token.span.end.column));
        start = span.end;
        let comment = match &token.token {
            Raw::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)) => true,
            Raw::Whitespace(_) => {
                take(&mut tokens, &mut lexemes);
                continue;
            }
            _ => false,
        };
        if comment {
            take(&mut tokens, &mut lexemes);
            lexemes.push(Lexeme { kind: LexemeKind::Comment, span });
        } else if push(&mut tokens, text, token.token, span).is_err() {
            // What was read of it before the mistake is part of the mistake.
            while tokens.last().is_some_and(|last| last.span.start >= span.start) {
                tokens.pop();
            }
            take(&mut tokens, &mut lexemes);
            lexemes.push(Lexeme { kind: LexemeKind::Wrong, span });
        }
    }
    take(&mut tokens, &mut lexemes);
    if outcome.is_err() && start < text.len() {
        let rest = &text[start..];
        let opens = rest.starts_with(['\'', '"', '`']) || rest.starts_with("/*");
        let kind = if opens { LexemeKind::Open } else { LexemeKind::Wrong };
        lexemes.push(Lexeme { kind, span: Span::new(start, text.len()) });
    }
    lexemes
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
        assert_eq!(comments, [("comment", "/* c */"), ("comment", "-- d\n")]);
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
