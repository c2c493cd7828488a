//! What holds of any text whatever, for the property tests and for the fuzz target in `tests/fuzz/`, which compiles this
//! file too.

use crate::error::{Error, Span};
use crate::sql::diagnostic::render;
use crate::sql::format::format;
use crate::sql::lexemes::lexemes;
use crate::sql::parser::{next, parse_statements};
use crate::sql::print::strip_spans;
use crate::sql::split::{Ending, split};
use crate::sql::tokens::{TokenKind, tokenize};
use crate::sql::variables::{Variables, placeholders, substitute};

/// Panics unless all of it holds of `text`. Whether its statements could be read.
pub fn check(text: &str) -> bool {
    check_splitting(text);
    check_variables(text);
    let is_read = check_reading(text);
    check_layout(text, is_read);
    let _ = next(text);
    is_read
}

/// An error points into its text, at characters, and can be shown.
fn check_error(error: &Error, text: &str) {
    let span = error.span().expect("errors have a place");
    assert!(span.start <= span.end && span.end <= text.len(), "{span:?} of {}", text.len());
    assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end), "{span:?}");
    assert!(!render(error, text, "text", false).is_empty());
}

/// The splitter cuts exactly where the tokenizer sees a semicolon, and the lexemes are in order.
fn check_splitting(text: &str) {
    let split = split(text);
    for piece in &split.pieces {
        assert_eq!(piece.text, piece.span.text(text));
    }
    let lexemes = lexemes(text);
    assert!(lexemes.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start), "lexemes overlap");
    let tokens = match tokenize(text) {
        Ok(tokens) => tokens,
        Err(error) => return check_error(&error, text),
    };
    assert!(matches!(split.ending, Ending::Complete | Ending::NoSemicolon), "{:?}", split.ending);
    let by_tokens: Vec<(usize, usize)> = tokens
        .split(|token| matches!(token.kind, TokenKind::Symbol(";") | TokenKind::End))
        .filter_map(|tokens| Some((tokens.first()?.span.start, tokens.last()?.span.end)))
        .collect();
    let by_split: Vec<(usize, usize)> = split.pieces.iter().map(|piece| (piece.span.start, piece.span.end)).collect();
    assert_eq!(by_split, by_tokens);
}

/// Filling in variables leads every place back into the text.
fn check_variables(text: &str) {
    let mut variables = Variables::default();
    variables.define("a", "x'y").expect("a good name");
    variables.define("n", "12").expect("a good name");
    match substitute(text, &variables, |name| (name == "E").then(|| "secret".to_string())) {
        Ok(filled) => {
            let end = filled.original(Span::new(0, filled.text.len())).end;
            assert!(end <= text.len());
        }
        Err(error) => check_error(&error, text),
    }
}

/// What can be read is printed, and read back as the same.
fn check_reading(text: &str) -> bool {
    let statements = match parse_statements(text) {
        Ok(statements) => statements,
        Err(error) => {
            check_error(&error, text);
            return false;
        }
    };
    for mut statement in statements {
        assert!(statement.span.end <= text.len());
        strip_spans(&mut statement);
        let printed = statement.to_string();
        let mut read = match parse_statements(&printed) {
            Ok(read) => read,
            Err(error) => panic!("{}", render(&error, &printed, "printed", false)),
        };
        read.iter_mut().for_each(strip_spans);
        assert!(read.len() == 1 && read[0] == statement, "reads back as another: {printed}");
        assert_eq!(read[0].to_string(), printed);
    }
    true
}

/// What can be read can be laid out, means the same then, and stays as it is when it is laid out again.
fn check_layout(text: &str, is_read: bool) {
    let once = match format(text) {
        Ok(once) => once,
        Err(error) => {
            // A malformed reference in a text is found by whoever fills in variables, not by the parser.
            assert!(!is_read || placeholders(text).is_err(), "what can be read can be laid out: {error}");
            return check_error(&error, text);
        }
    };
    match format(&once) {
        Ok(twice) => assert!(once == twice, "not stable\n-- once\n{once}\n-- twice\n{twice}"),
        Err(error) => panic!("{}", render(&error, &once, "laid out", false)),
    }
    if is_read {
        let tree = |text: &str| {
            let mut statements = parse_statements(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            statements.iter_mut().for_each(strip_spans);
            statements
        };
        assert!(tree(text) == tree(&once), "means something else\n{once}");
    }
}
