//! What is said about wrong texts, and where the caret stands.

use super::super::super::diagnostic::render;
use super::super::parse_statements;

/// Asserts the primary line, the text under the carets and the hint.
fn check(text: &str, message: &str, place: &str, hint: Option<&str>) {
    let error = parse_statements(text).expect_err(text);
    let shown = render(&error, text, "sql", false);
    assert_eq!(error.message(), message, "\n{shown}");
    let span = error.span().expect("parser errors have a place");
    assert_eq!(&text[span.start..span.end], place, "\n{shown}");
    assert_eq!(error.hint_text(), hint, "\n{shown}");
}

#[test]
fn misspelt_keywords_find_the_nearest_one() {
    check("CRATE STREAM s", "expected a statement, found `CRATE`", "CRATE", Some("Did you mean CREATE?"));
    check("SELECT a FORM s", "expected FROM, found `FORM`", "FORM", Some("Did you mean FROM?"));
    check("SELECT a FROM s WHER a > 3", "expected WHERE, found `WHER`", "WHER", Some("Did you mean WHERE?"));
    check(
        "SELECT a FROM s x GRUOP BY a",
        "expected START AT, UNTIL, WINDOW, WHERE, GROUP BY, PARTITION BY, HAVING, EMIT, LIMIT or `;`, found `GRUOP`",
        "GRUOP",
        Some("Did you mean GROUP?"),
    );
    check(
        "SELECT a FROM s EMIT CHANGE",
        "expected CHANGES or FINAL, found `CHANGE`",
        "CHANGE",
        Some("Did you mean CHANGES?"),
    );
    check("SHOW STREMS", &show_list("STREMS"), "STREMS", Some("Did you mean STREAMS?"));
    check(
        "DROP STRAEM s",
        "expected STREAM, TABLE, CONNECTOR, FUNCTION or TYPE, found `STRAEM`",
        "STRAEM",
        Some("Did you mean STREAM?"),
    );
}

fn show_list(found: &str) -> String {
    format!(
        "expected STREAMS, TABLES, TOPICS, ALL, QUERIES, FUNCTIONS, PROPERTIES, TYPES, VARIABLES, CONNECTORS, SOURCE, \
         SINK or CONNECTOR, found `{found}`"
    )
}

#[test]
fn what_was_expected_is_said() {
    check("CREATE STREAM s (a INT b INT)", "expected PRIMARY, KEY, HEADERS, HEADER, `,` or `)`, found `b`", "b", None);
    check("SELECT a,, b FROM s", "expected an expression, found `,`", ",", None);
    check("INSERT INTO s VALUES (1", "expected `,` or `)`, found the end of the text", "", None);
    check("SELECT a FROM s WHERE a = ;", "expected an expression, found the end of the statement", ";", None);
    check("SELECT a FROM s LIMIT x", "expected a whole number, found `x`", "x", None);
    check("CREATE STREAM s WITH (a 1)", "expected `=`, found a number", "1", None);
    check("TERMINATE", "expected ALL or a query's id, found the end of the text", "", None);
}

#[test]
fn a_reserved_word_needs_quotes_to_be_a_name() {
    check(
        "CREATE STREAM s (from INT)",
        "expected a column name, found the keyword FROM",
        "from",
        Some("To use it as a name, put it in back-quotes: `FROM`."),
    );
    check(
        "SELECT topic, a FROM s",
        "expected an expression, found `topic`",
        "topic",
        Some("To use it as a name, put it in back-quotes: `TOPIC`."),
    );
    check(
        "DROP STREAM 'x'",
        "expected IF EXISTS or a stream or table, found a string",
        "'x'",
        Some("Single quotes make a string; a name is bare or in back-quotes."),
    );
}

#[test]
fn clauses_out_of_order_are_named() {
    check("SELECT a FROM s WHERE a > 1 WINDOW TUMBLING (SIZE 1 DAY)", "WINDOW must come before WHERE", "WINDOW", None);
    check("SELECT a FROM s LIMIT 1 EMIT CHANGES", "EMIT must come before LIMIT", "EMIT", None);
    check("SELECT a FROM s JOIN r ON a = b WITHIN 1 DAY", "WITHIN must come before ON", "WITHIN", None);
    check("SELECT a FROM s WHERE a WHERE b", "a second WHERE", "WHERE", None);
}

#[test]
fn other_dialects_get_a_way_out() {
    for (text, place, hint) in [
        ("SELECT a FROM s ORDER BY a", "ORDER", "A stream has no end to sort at; ORDER BY is not part of the dialect."),
        ("UPDATE t SET a = 1", "UPDATE", "A table is changed by INSERT INTO ... VALUES with the same key."),
        ("SELECT a = b = c FROM s", "=", "Join two comparisons with AND, or put one in parentheses."),
        ("SELECT a.b.c FROM s", ".", "A field of a struct is written with an arrow: source.column->field."),
        ("SELECT COUNT(DISTINCT a) FROM s", "DISTINCT", "COUNT_DISTINCT(x) counts distinct values."),
        (
            "SELECT a FROM (SELECT b FROM s)",
            "(",
            "Give the inner query a name of its own with CREATE STREAM or TABLE ... AS SELECT.",
        ),
        ("SELECT a FROM s, r", ",", "Two sources are joined: FROM a JOIN b ON a.x = b.y."),
        ("SELECT a == b FROM s", "=", "Equality is written with one sign: a = b."),
        ("SELECT a FROM s WHERE a NOT NULL", "NOT", "Did you mean IS NOT NULL?"),
        ("CREATE STREAM a-b (c INT)", "-", "A name with a dash needs back-quotes."),
        ("SELECT a FROM s WHERE a && b", "&", "Conditions are joined with AND."),
        (
            "WITH x AS (SELECT a FROM s) SELECT a FROM x",
            "WITH",
            "There are no common table expressions; give the inner query a name with CREATE STREAM ... AS SELECT.",
        ),
        (
            "CREATE FUNCTION f AS 'x'",
            "AS",
            "A function comes from Rust source or a library: CREATE FUNCTION f FROM 'f/src/lib.rs'.",
        ),
        ("SET a = 1", "a", "Names of properties are in single quotes: 'auto.offset.reset'."),
        ("SELECT a FROM s WINDOW TUMBLING (SIZE 1 WEEK)", "WEEK", "The largest unit is DAYS."),
    ] {
        let error = parse_statements(text).expect_err(text);
        let span = error.span().expect("parser errors have a place");
        assert_eq!((&text[span.start..span.end], error.hint_text()), (place, Some(hint)), "{text}");
    }
}

#[test]
fn what_is_kept_for_later_is_refused_by_name() {
    for (text, what) in [
        ("CREATE MODEL m USING 'x'", "CREATE MODEL"),
        ("DROP MODEL m", "DROP MODEL"),
        ("SHOW MODELS", "SHOW MODELS"),
        ("DESCRIBE MODEL m", "DESCRIBE MODEL"),
        ("SELECT DISTINCT a FROM s", "SELECT DISTINCT"),
    ] {
        let error = parse_statements(text).expect_err(text);
        assert_eq!(error.message(), format!("{what} is not supported yet"));
        assert!(error.span().is_some());
    }
}

#[test]
fn an_error_in_a_later_statement_points_there() {
    let text = "SHOW STREAMS;\n\nSELECT ä FROM s;";
    let error = parse_statements(text).expect_err("a letter beyond ASCII");
    assert!(render(&error, text, "f.sql", false).contains("--> f.sql:3:8"));
}
