//! No text makes the parser panic, exhaust the stack or disagree with the splitter.

use proptest::prelude::*;

use super::super::super::format::format;
use super::super::super::print::generate;
use super::super::super::tests::properties::check;
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
        let laid_out = format(&text).expect("it was read");
        assert_eq!(format(&laid_out).expect("it was laid out"), laid_out);
    }
}

#[test]
fn the_bounds_fit_a_thread_with_the_smallest_stack() {
    // Rust's default of 2 MB; for a build without optimization RUST_MIN_STACK must say more.
    let thread = std::thread::spawn(|| {
        for (open, close) in [
            ("(", ")"),
            ("-", ""),
            ("NOT ", ""),
            ("f(", ")"),
            ("CASE WHEN 1 THEN ", " END"),
            ("CAST(", " AS INT)"),
            ("ARRAY[", "]"),
            ("MAP(a := ", ")"),
            ("STRUCT(a := ", ")"),
            ("f(a, x => ", ")"),
            ("a IN (", ")"),
            ("a BETWEEN 1 AND (", ")"),
        ] {
            // The deepest that is taken, and one more.
            let text = |n: usize| format!("SELECT {}1{} FROM s;", open.repeat(n), close.repeat(n));
            let deepest = (1..200).take_while(|n| parse_statements(&text(*n)).is_ok()).last().expect("one is taken");
            assert!(check(&text(deepest)) && !check(&text(deepest + 1)), "{open}");
        }
        let chain = |step: &str| format!("SELECT a{} FROM s;", step.repeat(OPERATORS_MAX));
        for step in [" + 1", "->b", "[1]", " OR b", " || b", " AT TIME ZONE 'x'"] {
            assert!(check(&chain(step)), "{step}");
        }
        assert!(check(&format!("CREATE STREAM s (a {}INT{});", "ARRAY<".repeat(90), ">".repeat(90))));
        assert!(check(&format!("SELECT a FROM s{};", " JOIN s ON a = b".repeat(200))));
    });
    thread.join().expect("the stack suffices");
}

#[test]
fn long_texts_take_time_in_proportion() {
    let time = |n: usize| {
        let text = "SELECT a + 1, f(b) /* c */ FROM s WHERE a IN (1, 2, 3) -- d\n;\n".repeat(n);
        let start = std::time::Instant::now();
        assert_eq!(parse_statements(&text).expect("all are good").len(), n);
        assert!(format(&text).expect("all are good").len() > text.len() / 2);
        start.elapsed()
    };
    let (short, long) = (time(500), time(4000));
    // Eight times the text; sixty-four times the time would be a quadratic step.
    assert!(long < short * 30 + std::time::Duration::from_millis(200), "{short:?}, {long:?}");
}

/// The text of a statement with a few of its characters removed, doubled or replaced.
fn mutated() -> impl Strategy<Value = String> {
    let change = (any::<proptest::sample::Index>(), 0..4usize, "[-'\"`;/*\\\\\n$ {}()<>\\[\\],.=a1ä]{1,3}");
    (generate::statement(), proptest::collection::vec(change, 1..6)).prop_map(|(statement, changes)| {
        let mut text: Vec<char> = format!("{};", statement.0).chars().collect();
        for (place, what, with) in changes {
            let at = place.index(text.len().max(1)).min(text.len());
            let end = (at + 1 + what).min(text.len());
            match what {
                0 => drop(text.drain(at..end)),
                1 => drop(text.splice(at..end, with.chars())),
                2 => drop(text.splice(at..at, with.chars())),
                _ => {
                    let copy = text[at..end].to_vec();
                    text.splice(end..end, copy);
                }
            }
        }
        text.into_iter().collect()
    })
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

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,60}|[-'\"`;/*\\\\\n$ {}xXnN0-9.eEäa_@<>=|:]{0,40}") {
        check(&text);
    }

    #[test]
    fn soup_of_tokens_never_panics(text in soup()) {
        check(&text);
    }

    #[test]
    fn what_is_nearly_a_statement_never_panics(text in mutated()) {
        check(&text);
    }
}
