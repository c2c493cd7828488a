//! Text to tokens.
//!
//! sqlparser's tokenizer, under a dialect of ours, finds where tokens begin and end; its lines and columns become byte
//! offsets here, and its many operators the few that ksqlDB has: `>>` is two tokens, because it closes two types in
//! `ARRAY<ARRAY<INT>>`. What it would read in another dialect's way (`X'..'`, `0x1F`, `$1`) is refused here, so that
//! the parser sees ksqlDB's lexis and nothing else.

use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::tokenizer::{Token as Raw, Tokenizer};

use super::regions::{open_comment, without_comments};
use super::split::end_of_line_break;
use crate::error::{Code, Error, Result, Span};

/// A token and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Its bytes in the source text.
    pub span: Span,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// A bare word: a keyword or a name; its text is the source's.
    Word,
    /// A name in back-quotes or double quotes, its escapes resolved.
    QuotedName(String),
    /// A string literal, its escapes resolved.
    String(String),
    /// Digits.
    Integer,
    /// Digits with a point.
    Decimal,
    /// Digits with an exponent.
    Double,
    /// An operator or a bracket, as written (`!=` is `<>`).
    Symbol(&'static str),
    /// The end of the text.
    End,
}

/// All operators and brackets; of two that begin alike the longer one stands first.
const SYMBOLS: &[&str] = &[
    "->", ":=", "=>", "<>", "!=", "<=", ">=", "||", "(", ")", "[", "]", ",", ".", ";", "+", "-", "*", "/", "%", "=",
    "<", ">",
];

/// ksqlDB's lexis, as far as sqlparser's tokenizer asks.
#[derive(Debug)]
struct KsqlDialect;

impl Dialect for KsqlDialect {
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`' || ch == '"'
    }

    /// Letters beyond ASCII start a word here, so that the whole word can be named when it is refused.
    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '@'
    }

    /// `$` opens no quotes.
    fn supports_dollar_placeholder(&self) -> bool {
        true
    }
}

/// The tokens of `text`, white space and comments left out; the last one is [`TokenKind::End`].
///
/// Errors: an open string, name or comment; a character or a form of literal that the dialect does not have.
pub fn tokenize(text: &str) -> Result<Vec<Token>> {
    // sqlparser reads the beginning of a comment as part of some operators, `||/*` among them.
    let code = without_comments(text);
    let (raw, wrong_at) = raw_tokens(&code);
    let mut tokens = Vec::with_capacity(raw.len() / 2 + 1);
    for (token, span) in raw {
        push(&mut tokens, text, token, span)?;
    }
    if let Some(at) = wrong_at {
        return Err(open_token(text, at));
    }
    if let Some(comment) = open_comment(text) {
        let opening = Span::new(comment.start, comment.start + 2);
        return Err(Error::refused(Code::Syntax, "a comment is not closed").at(opening).hint("End it with */."));
    }
    tokens.push(Token { kind: TokenKind::End, span: Span::new(text.len(), text.len()) });
    Ok(tokens)
}

/// sqlparser's tokens of a text without comments, and where it cannot go on, if anywhere.
pub(super) fn raw_tokens(code: &str) -> (Vec<(Raw, Span)>, Option<usize>) {
    let mut tokens = Vec::new();
    let mut begin = 0;
    loop {
        let mut raw = Vec::new();
        let outcome = Tokenizer::new(&KsqlDialect, &code[begin..]).tokenize_with_location_into_buf(&mut raw);
        let mut places = Places::new(&code[begin..]);
        let mut start = begin;
        for token in raw {
            let end = begin + places.advance_to(token.span.end.line, token.span.end.column);
            tokens.push((token.token, Span::new(start, end)));
            start = end;
        }
        if outcome.is_ok() {
            return (tokens, None);
        }
        // It takes `._` for a number gone wrong unless a name is right before it.
        if !code[start..].starts_with("._") {
            return (tokens, Some(start));
        }
        begin = start + 1;
        tokens.push((Raw::Period, Span::new(start, begin)));
    }
}

/// Takes over one token of sqlparser's.
pub(super) fn push(tokens: &mut Vec<Token>, text: &str, raw: Raw, span: Span) -> Result<()> {
    // A blank may stand for one byte of a character in a comment.
    if let Raw::Whitespace(_) = raw {
        return Ok(());
    }
    let source = span.text(text);
    let kind = match raw {
        Raw::Word(word) if word.quote_style.is_some() => {
            if word.value.is_empty() {
                return Err(Error::refused(Code::Syntax, "a name is empty").at(span));
            }
            TokenKind::QuotedName(word.value)
        }
        Raw::Word(_) => {
            if !source.is_ascii() {
                return Err(Error::refused(Code::Syntax, format!("the name `{source}` holds letters beyond A to Z"))
                    .at(span)
                    .hint(format!("Put it in back-quotes: `{source}`.")));
            }
            return join_digits(tokens, text, span);
        }
        Raw::Number(_, false) => number_kind(source, span)?,
        // What other dialects read as a long number is a name that starts with digits.
        Raw::Number(_, true) if !source.contains('.') => TokenKind::Word,
        Raw::Number(_, true) => return Err(no_number_nor_name(source, span)),
        Raw::SingleQuotedString(value) => TokenKind::String(value),
        Raw::NationalStringLiteral(_) => return Err(prefixed_string(span)),
        Raw::HexStringLiteral(_) if source.starts_with('0') => TokenKind::Word,
        Raw::HexStringLiteral(_) => return Err(prefixed_string(span)),
        Raw::Backslash => {
            // What follows it up to the line's end is white space anyway.
            return end_of_line_break(text, span.start).map(drop).ok_or_else(|| {
                Error::refused(Code::Syntax, "unexpected character `\\`")
                    .at(span)
                    .hint("A backslash may only stand at the end of a line.")
            });
        }
        _ => return symbols(tokens, source, span),
    };
    tokens.push(Token { kind, span });
    Ok(())
}

/// Takes over a bare word. Directly behind digits it is the rest of a name that starts with a digit, as in `AS 1R`.
fn join_digits(tokens: &mut Vec<Token>, text: &str, span: Span) -> Result<()> {
    let token = Token { kind: TokenKind::Word, span };
    match tokens.last_mut() {
        Some(before) if before.span.end == span.start && text.as_bytes()[before.span.start].is_ascii_digit() => {
            let joined = before.span.to(span);
            let source = &text[joined.start..joined.end];
            if source.contains(['.', '+', '-']) {
                return Err(no_number_nor_name(source, joined));
            }
            *before = Token { kind: TokenKind::Word, span: joined };
        }
        _ => tokens.push(token),
    }
    Ok(())
}

fn number_kind(source: &str, span: Span) -> Result<TokenKind> {
    if source.contains(['e', 'E']) {
        Ok(TokenKind::Double)
    } else if source.contains('.') {
        Ok(TokenKind::Decimal)
    } else if source.bytes().all(|b| b.is_ascii_digit()) {
        Ok(TokenKind::Integer)
    } else {
        Err(Error::refused(Code::InvalidLiteral, format!("`{source}` is not a number")).at(span))
    }
}

/// Cuts one of sqlparser's operators into ours.
fn symbols(tokens: &mut Vec<Token>, source: &str, span: Span) -> Result<()> {
    let mut at = 0;
    while at < source.len() {
        let rest = &source[at..];
        let start = span.start + at;
        let Some(symbol) = SYMBOLS.iter().copied().find(|symbol| rest.starts_with(symbol)) else {
            let c = rest.chars().next().unwrap_or_default();
            let place = Span::new(start, start + c.len_utf8());
            let error = Error::refused(Code::Syntax, format!("unexpected character `{}`", c.escape_debug())).at(place);
            return Err(match c {
                '$' => error.hint("A variable is written ${name}, the environment's ${env:NAME}."),
                '&' => error.hint("Conditions are joined with AND."),
                '|' => error.hint("Conditions are joined with OR, texts with ||."),
                '!' => error.hint("A condition is negated with NOT."),
                _ => error,
            });
        };
        at += symbol.len();
        let kind = TokenKind::Symbol(if symbol == "!=" { "<>" } else { symbol });
        tokens.push(Token { kind, span: Span::new(start, start + symbol.len()) });
    }
    Ok(())
}

/// The error for a token that never ends, or that sqlparser cannot read.
fn open_token(text: &str, start: usize) -> Error {
    let rest = &text[start..];
    let opening = |bytes| Span::new(start, start + bytes);
    match rest.as_bytes() {
        [b'\'', ..] => {
            Error::refused(Code::Syntax, "a string is not closed").at(opening(1)).hint("End it with a single quote.")
        }
        [b'`', ..] => {
            Error::refused(Code::Syntax, "a quoted name is not closed").at(opening(1)).hint("End it with a back-quote.")
        }
        [b'"', ..] => Error::refused(Code::Syntax, "a quoted name is not closed")
            .at(opening(1))
            .hint("End it with a double quote."),
        [_, b'\'', ..] => prefixed_string(opening(1)),
        _ => {
            let width = rest.chars().next().map_or(0, char::len_utf8);
            Error::refused(Code::Syntax, format!("unexpected character `{}`", rest.chars().next().unwrap_or(' ')))
                .at(opening(width))
        }
    }
}

fn no_number_nor_name(source: &str, span: Span) -> Error {
    Error::refused(Code::InvalidLiteral, format!("`{source}` is neither a number nor a name")).at(span)
}

fn prefixed_string(span: Span) -> Error {
    Error::refused(Code::Syntax, "a letter stands directly before a string")
        .at(span)
        .hint("Strings have no prefix: write 'text'.")
}

/// Turns sqlparser's lines and columns (both from one, columns in characters) into byte offsets, moving only forward.
struct Places<'a> {
    rest: std::str::Chars<'a>,
    text_len: usize,
    line: u64,
    column: u64,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Self {
        Places { rest: text.chars(), text_len: text.len(), line: 1, column: 1 }
    }

    fn advance_to(&mut self, line: u64, column: u64) -> usize {
        while (self.line, self.column) < (line, column) {
            match self.rest.next() {
                Some('\n') => (self.line, self.column) = (self.line + 1, 1),
                Some(_) => self.column += 1,
                None => break,
            }
        }
        self.text_len - self.rest.as_str().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The source texts of the tokens.
    fn texts(text: &str) -> Vec<&str> {
        let tokens = tokenize(text).expect("the text is well formed");
        tokens.iter().map(|token| &text[token.span.start..token.span.end]).collect()
    }

    fn kinds(text: &str) -> Vec<TokenKind> {
        tokenize(text).expect("the text is well formed").into_iter().map(|token| token.kind).collect()
    }

    fn error(text: &str) -> (String, Span) {
        let error = tokenize(text).expect_err("the text is wrong");
        (error.message().to_string(), error.span().expect("errors have a place"))
    }

    #[test]
    fn spans_are_bytes_whatever_the_characters() {
        assert_eq!(texts("'ä€😀' b\r\n\t'ö'\n+ `ü`"), ["'ä€😀'", "b", "'ö'", "+", "`ü`", ""]);
    }

    #[test]
    fn operators_are_ksqldbs_own() {
        assert_eq!(
            texts("a->b ARRAY<ARRAY<INT>> x=>y k:=v a||b a!=b a<>b<=c>=d a->>b"),
            [
                "a", "->", "b", "ARRAY", "<", "ARRAY", "<", "INT", ">", ">", "x", "=>", "y", "k", ":=", "v", "a", "||",
                "b", "a", "!=", "b", "a", "<>", "b", "<=", "c", ">=", "d", "a", "->", ">", "b", ""
            ]
        );
    }

    #[test]
    fn a_name_behind_a_point_may_begin_with_an_underscore() {
        for text in ["a._b", "a ._b", "a\n._b", "a . _b", "a._._c"] {
            assert_eq!(kinds(text)[1], TokenKind::Symbol("."), "{text}");
            assert_eq!(texts(text).last(), Some(&""));
        }
    }

    #[test]
    fn numbers_say_what_they_are() {
        use TokenKind::*;
        assert_eq!(kinds("1 1.5 .5 1. 1e3 1.5E-3"), [Integer, Decimal, Decimal, Decimal, Double, Double, End]);
        assert_eq!(error("1.5abc").1, Span::new(0, 6));
    }

    #[test]
    fn a_name_may_start_with_digits() {
        for text in ["1R", "12L", "0x1F", "1_000", "1e3a", "0xyz", "1e"] {
            assert_eq!(texts(text), [text, ""]);
            assert_eq!(kinds(text)[0], TokenKind::Word);
        }
        assert_eq!(texts("1 R"), ["1", "R", ""]);
    }

    #[test]
    fn strings_have_no_backslash_escapes() {
        assert_eq!(
            kinds(r"'a\' 'it''s'"),
            [TokenKind::String(r"a\".into()), TokenKind::String("it's".into()), TokenKind::End]
        );
        assert_eq!(
            kinds("`a``b` \"c\"\"d\""),
            [TokenKind::QuotedName("a`b".into()), TokenKind::QuotedName("c\"d".into()), TokenKind::End]
        );
    }

    #[test]
    fn comments_and_line_end_backslashes_are_white_space() {
        assert_eq!(texts("a -- b\n/* c * / */ d \\\n e \\ \r\n f \\"), ["a", "d", "e", "f", ""]);
        assert_eq!(texts("a||/* b */c||--d\n<-- e\n/*f*/>"), ["a", "||", "c", "||", "<", ">", ""]);
        assert_eq!(error("a \\b").0, "unexpected character `\\`");
    }

    #[test]
    fn what_never_ends_points_at_its_opening() {
        assert_eq!(error("a 'b").1, Span::new(2, 3));
        assert_eq!(error("'ä' `b").1, Span::new(5, 6));
        assert_eq!(error("a /* b").1, Span::new(2, 4));
    }

    #[test]
    fn other_dialects_literals_are_refused() {
        for text in ["X'1F'", "n'a'", "x'\\'", "$1", "$$a$$", "#", "a::b", "größe", "[a", "?"] {
            if text == "[a" {
                assert_eq!(texts(text), ["[", "a", ""]);
            } else {
                assert!(tokenize(text).is_err(), "{text}");
            }
        }
    }
}
