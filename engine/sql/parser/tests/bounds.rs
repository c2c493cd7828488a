//! No text makes the parser panic, exhaust the stack or disagree with the splitter.

use proptest::prelude::*;

use super::super::super::split::{Ending, split};
use super::super::super::tokens::{TokenKind, tokenize};
use super::super::super::variables::{Variables, substitute};
use super::super::{OPERATORS_MAX, parse_statements};

#[test]
fn deep_nesting_is_an_error_not_a_crash() {
    let parens = 100_000;
    assert!(parse_statements(&format!("SELECT {}1{}", "(".repeat(parens), ")".repeat(parens))).is_err());
    let n = 20_000;
    for (open, close) in
        [("(", ")"), ("-", ""), ("NOT ", ""), ("f(", ")"), ("CASE WHEN ", ""), ("a[", "]"), ("ARRAY[", "]")]
    {
        let text = format!("SELECT {}1{} FROM s", open.repeat(n), close.repeat(n));
        assert!(parse_statements(&text).is_err(), "{open}");
    }
    for text in [
        format!("CREATE STREAM s (a {}INT{})", "ARRAY<".repeat(n), ">".repeat(n)),
        format!("CREATE STREAM s (a INT{})", " ARRAY".repeat(n)),
        format!("{}SHOW STREAMS", "EXPLAIN ".repeat(n)),
        format!("SELECT 1{} FROM s", " + 1".repeat(n)),
        format!("SELECT a{} FROM s", "->b".repeat(n)),
        format!("SELECT a FROM s{}", " JOIN s ON a = b".repeat(n)),
        format!("SELECT a FROM s WHERE a{}", " = 1 AND a".repeat(n)),
    ] {
        assert!(parse_statements(&text).is_err(), "{}", &text[..40]);
    }
}

#[test]
fn long_and_deep_within_the_bounds_is_read_printed_and_dropped() {
    let n = 90;
    let deep = format!("SELECT {}1{} FROM s", "f(CASE WHEN (a) THEN ".repeat(n / 3), " END)".repeat(n / 3));
    let long = format!("SELECT 1{} FROM s", " + 1".repeat(OPERATORS_MAX));
    let wide = format!("SELECT a FROM s WHERE a IN (1{})", ", 1".repeat(20_000));
    let columns = format!("SELECT a + 1{} FROM s", ", a + 1".repeat(5_000));
    for text in [deep, long, wide, columns] {
        let statements = parse_statements(&text).expect("within the bounds");
        assert_eq!(statements[0].clone(), statements[0]);
        assert!(!statements[0].to_string().is_empty());
    }
}

/// Pieces of SQL in any order: nearly statements, so that they get further than noise does.
fn soup() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        "SELECT", "FROM", "WHERE", "GROUP", "BY", "CREATE", "STREAM", "TABLE", "AS", "WITH", "(", ")", ",", ";", "'x'",
        "`y`", "a", "b.c", "*", "=", "->", "=>", "[", "]", "<", ">", "1", "1.5", "-", "+", "||", "NOT", "IN", "IS",
        "NULL", "BETWEEN", "AND", "CASE", "WHEN", "END", "CAST", "INT", "ARRAY", "MAP", ":=", "STRUCT", "WINDOW",
        "TUMBLING", "SIZE", "EMIT", "CHANGES", "LIMIT", "JOIN", "ON", "WITHIN", "INSERT", "INTO", "VALUES", "EXPLAIN",
        "ASSERT", "SHOW", "DROP", "IF", "EXISTS", "PRINT", "SET", "DEFINE", "ALTER", "ADD", "COLUMN", "-- c\n",
        "/* c */", "\\\n", "'", "`", "${a}",
    ]);
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.join(" "))
}

fn check_no_panic(text: &str) {
    if let Err(error) = parse_statements(text) {
        let span = error.span().expect("errors have a place");
        assert!(span.start <= span.end && span.end <= text.len(), "{span:?}");
        assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
    }
    let mut variables = Variables::default();
    variables.define("a", "x'y").expect("a good name");
    if let Ok(out) = substitute(text, &variables, |_| None) {
        assert_eq!(out.text, out.shown);
    }
    for piece in split(text).pieces {
        assert_eq!(piece.text, &text[piece.span.start..piece.span.end]);
    }
}

/// The splitter cuts exactly where the tokenizer sees a semicolon.
fn check_agreement(text: &str) {
    let split = split(text);
    let Ok(tokens) = tokenize(text) else { return };
    assert!(matches!(split.ending, Ending::Complete | Ending::NoSemicolon), "{text:?}");
    let by_tokens: Vec<(usize, usize)> = tokens
        .split(|token| matches!(token.kind, TokenKind::Symbol(";") | TokenKind::End))
        .filter_map(|tokens| Some((tokens.first()?.span.start, tokens.last()?.span.end)))
        .collect();
    let by_split: Vec<(usize, usize)> = split.pieces.iter().map(|piece| (piece.span.start, piece.span.end)).collect();
    assert_eq!(by_split, by_tokens, "{text:?}");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        check_no_panic(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,60}|[-'\"`;/*\\\\\n$ {}xXnN0-9.eEäa_@<>=|:]{0,40}") {
        check_no_panic(&text);
        check_agreement(&text);
    }

    #[test]
    fn soup_of_tokens_never_panics(text in soup()) {
        check_no_panic(&text);
        check_agreement(&text);
    }
}
