//! ksqlDB's grammar, rule by rule: each form is read, printed, and read again as the same; laid out, it still is.
//!
//! In the patterns `⟦…⟧` is optional and `⟨…¦…⟩` is one of several; every way through is a statement of its own. What the
//! words mean is for later layers, which refuse what does not run yet by its name (`tests/refusals.rs`).

use super::super::super::format::format;
use super::super::super::print::strip_spans;
use super::super::parse_statement;
use crate::sql::ast::Statement;

/// Statements, ours among them.
const STATEMENTS: &[&str] = &[
    "⟨LIST¦SHOW⟩ PROPERTIES",
    "⟨LIST¦SHOW⟩ ⟦ALL⟧ TOPICS ⟦EXTENDED⟧",
    "⟨LIST¦SHOW⟩ ⟨STREAMS¦TABLES¦QUERIES⟩ ⟦EXTENDED⟧",
    "⟨LIST¦SHOW⟩ ⟨FUNCTIONS¦TYPES¦VARIABLES¦CONNECTOR PLUGINS⟩",
    "⟨LIST¦SHOW⟩ ⟦SOURCE ¦SINK ⟧CONNECTORS",
    "DESCRIBE ⟨s¦`S`¦\"s\"¦STREAMS¦TABLES⟩ ⟦EXTENDED⟧",
    "DESCRIBE ⟨FUNCTION ABS¦CONNECTOR c¦FUNCTION `x y`⟩",
    "PRINT ⟨topic_1¦'a-b'¦`a b`⟩ ⟦FROM BEGINNING⟧ ⟦INTERVAL 2¦SAMPLE 3⟧ ⟦LIMIT 4⟧",
    "⟨TERMINATE¦PAUSE¦RESUME⟩ ⟨ALL¦CSAS_A_1¦`q`⟩",
    "⟨PAUSE¦RESUME⟩ CONNECTOR c",
    "SET 'a.b' = 'c''d'",
    "UNSET 'a.b'",
    "ALTER SYSTEM 'a.b' = 'c'",
    "DEFINE v = 'a ${b} c'",
    "UNDEFINE v",
    "RUN SCRIPT 'a b.sql'",
    "CREATE ⟦OR REPLACE⟧ ⟦SOURCE⟧ ⟨STREAM¦TABLE⟩ ⟦IF NOT EXISTS⟧ s ⟦(a INT)⟧ ⟦WITH (KAFKA_TOPIC='t')⟧",
    "CREATE ⟦OR REPLACE⟧ ⟨STREAM¦TABLE⟩ ⟦IF NOT EXISTS⟧ s ⟦WITH (KAFKA_TOPIC='t')⟧ AS SELECT * FROM r",
    "CREATE ⟦OR REPLACE⟧ ⟨SOURCE¦SINK⟩ CONNECTOR ⟦IF NOT EXISTS⟧ c WITH ('a'='b', \"c\"='d', `e.f`='g')",
    "CREATE ⟦OR REPLACE⟧ FUNCTION ⟦IF NOT EXISTS⟧ f FROM 'f.rs'",
    "INSERT INTO s ⟦WITH (QUERY_ID='q')⟧ SELECT a FROM r ⟦EMIT CHANGES⟧",
    "INSERT INTO s ⟦(a, `b`)⟧ VALUES (1, 'x')",
    "INSERT INTO s VALUES ()",
    "DROP ⟨STREAM¦TABLE⟩ ⟦IF EXISTS⟧ s ⟦DELETE TOPIC⟧",
    "DROP ⟨CONNECTOR¦TYPE¦FUNCTION⟩ ⟦IF EXISTS⟧ x",
    "CREATE TYPE ⟦IF NOT EXISTS⟧ t AS STRUCT<a INT, b ARRAY<STRING>>",
    "ALTER ⟨STREAM¦TABLE⟩ s ADD ⟦COLUMN⟧ a INT⟦, ADD ⟦COLUMN⟧ b STRING⟧",
    "EXPLAIN ⟨CSAS_A_1¦SELECT a FROM s¦CREATE STREAM x AS SELECT a FROM s¦SHOW STREAMS¦EXPLAIN q⟩",
    "ASSERT ⟦NOT EXISTS⟧ TOPIC ⟨t¦'t-1'⟩ ⟦WITH (PARTITIONS=1, REPLICAS=2)⟧ ⟦TIMEOUT 3 SECONDS⟧",
    "ASSERT ⟦NOT EXISTS⟧ SCHEMA ⟦SUBJECT ⟨s¦'t-value'⟩⟧ ⟦ID 3⟧ ⟦TIMEOUT 1 MINUTE⟧",
    "ASSERT VALUES s ⟦(a, b)⟧ VALUES (1, 'x')",
    "ASSERT NULL VALUES s ⟦(a)⟧ KEY (1)",
    "ASSERT ⟨STREAM¦TABLE⟩ s ⟦(a INT KEY, b STRING)⟧ ⟦WITH (KAFKA_TOPIC='t')⟧",
];

/// Declared columns, the `?` of `CREATE STREAM s (a ?)`.
const COLUMNS: &[&str] = &[
    "⟨BOOLEAN¦INT¦INTEGER¦BIGINT¦DOUBLE¦VARCHAR¦STRING¦BYTES¦TIME¦DATE¦TIMESTAMP⟩ ⟦KEY¦PRIMARY KEY⟧",
    "DECIMAL(4, 2)",
    "⟨VARCHAR(80)¦VARCHAR(STRING)¦INT(10)¦MY_TYPE(1, 2)¦my_type¦`my type`¦`INT`⟩",
    "⟨ARRAY<INT>¦INT ARRAY¦INT ARRAY ARRAY¦ARRAY<ARRAY<ARRAY<INT>>>⟩",
    "⟨MAP<STRING, INT>¦MAP<STRING, MAP<STRING, ARRAY<INT>>>⟩",
    "⟨STRUCT<a INT, `b c` STRUCT<d DATE>>¦STRUCT< >⟩ ⟦KEY⟧",
    "ARRAY<STRUCT<key STRING, value BYTES>> HEADERS",
    "BYTES HEADER('it''s')",
];

/// Values of properties, the `?` of `CREATE STREAM s WITH (a = ?)`.
const LITERALS: &[&str] =
    &["⟨NULL¦TRUE¦false¦'text'¦''¦'it''s'¦1¦-1¦- 1¦1.5¦-.5¦1.¦1e3¦1E+3¦1.5e-3¦-.5E3¦9223372036854775807⟩"];

/// Queries.
const QUERIES: &[&str] = &[
    "SELECT ⟨*¦s.*¦a¦a b¦a AS b¦s.a¦`s`.`a`¦a->b->c¦a->*¦s.a->*¦(a)->*¦f(a)->*¦*, a¦a, s.*⟩ FROM s",
    "SELECT a FROM s ⟦AS⟧ t EMIT CHANGES",
    "SELECT a FROM s⟦ ⟨EMIT CHANGES¦EMIT FINAL⟩⟧ ⟦LIMIT 3⟧",
    "SELECT a FROM s ⟦START AT ⟨EARLIEST¦LATEST¦'2026-01-31'¦OFFSETS (1, 2)⟩⟧ ⟦UNTIL ⟨LATEST¦'2026-02-01'¦OFFSETS (3)⟩⟧",
    "SELECT a FROM s ⟨JOIN¦INNER JOIN¦LEFT JOIN¦LEFT OUTER JOIN¦RIGHT JOIN¦RIGHT OUTER JOIN¦FULL JOIN¦FULL OUTER JOIN⟩ \
     r ON s.a = r.a",
    "SELECT a FROM s x JOIN r AS y WITHIN ⟨1 HOUR¦(1 HOUR, 2 DAYS)⟩ ⟦GRACE PERIOD 3 MINUTES⟧ ON x.a = y.a",
    "SELECT a FROM s JOIN r ON s.a = r.a LEFT JOIN t WITHIN 1 DAY ON s.a = t.a EMIT CHANGES",
    "SELECT a FROM s WINDOW ⟦w ⟧TUMBLING (SIZE 1 HOUR⟦, RETENTION 2 DAYS⟧⟦, GRACE PERIOD 5 SECONDS⟧) GROUP BY a",
    "SELECT a FROM s WINDOW HOPPING (SIZE 1 HOUR, ADVANCE BY 10 MINUTES⟦, RETENTION 2 DAYS⟧⟦, GRACE PERIOD 5 SECONDS⟧) \
     GROUP BY a",
    "SELECT a FROM s WINDOW SESSION (30 SECONDS⟦, RETENTION 2 DAYS⟧⟦, GRACE PERIOD 5 SECONDS⟧) GROUP BY a",
    "SELECT a FROM s WINDOW TUMBLING (SIZE 1 \
     ⟨DAY¦HOUR¦MINUTE¦SECOND¦MILLISECOND¦DAYS¦HOURS¦MINUTES¦SECONDS¦MILLISECONDS¦hours⟩) GROUP BY a",
    "SELECT a FROM s GROUP BY ⟨a¦a, b¦(a)¦(a, b)¦()¦(a + b) * 2, c¦a->b, c[1]¦(a = b)⟩ ⟦HAVING COUNT(*) > 1⟧",
    "SELECT a FROM s PARTITION BY ⟨a¦a, b¦(a, b)¦()¦NULL¦CAST(a AS STRING)⟩",
    "SELECT a FROM s WINDOW TUMBLING (SIZE 1 DAY) WHERE a GROUP BY a PARTITION BY a HAVING a EMIT FINAL LIMIT 1",
];

/// Expressions, the `?` of `SELECT ? FROM s`.
const EXPRESSIONS: &[&str] = &[
    "⟨NULL¦TRUE¦FALSE¦1¦2147483648¦1.5¦.5¦1.¦1e3¦1E-3¦.5e3¦'a'¦'it''s'¦''¦'two\nlines'¦-9223372036854775808⟩",
    "⟨`DECIMAL` '1.50'¦`DECIMAL` '-3'¦DATE '2026-01-31'¦TIME '10:00:00'¦TIMESTAMP '2026-01-31T10:00:00'⟩",
    "⟨a¦_a@b¦`a``b`¦\"a\"\"b\"¦1R¦s.a¦date¦time¦source.key¦`select`⟩",
    "⟨a + 1¦a - b¦a * b / c % d¦a || 'b'¦+a¦-a¦- -a¦-(-1)¦-a->b¦a - -1¦(a + b) * c¦a + (b + c)⟩",
    "a ⟨=¦<>¦!=¦<¦<=¦>¦>=⟩ b",
    "a ⟦NOT⟧ BETWEEN 1 AND b + 2",
    "a ⟦NOT⟧ IN (1, 'b', c + 1, (d), e AND f)",
    "a ⟦NOT⟧ LIKE 'a!%%' ⟦ESCAPE '!'⟧",
    "a IS ⟦NOT⟧ ⟨NULL¦DISTINCT FROM b⟩",
    "⟨NOT a¦NOT NOT a¦NOT a = b¦NOT a AND b¦NOT (a AND b)¦a OR b AND NOT c¦(a OR b) AND c¦a = b AND c BETWEEN 1 AND 2⟩",
    "CASE ⟦a ⟧WHEN 1 THEN 'x' ⟦WHEN b > 2 THEN 'y'⟧ ⟦ELSE CASE WHEN c THEN 1 END⟧ END",
    "CAST(a + 1 AS ⟨INT¦DECIMAL(10, 2)¦ARRAY<INT>¦STRUCT<a INT>¦my_type⟩)",
    "⟨ARRAY[]¦ARRAY[1, 2]¦ARRAY [a]¦MAP()¦MAP('a' := 1, b := c)¦STRUCT()¦STRUCT(a := 1, `b c` := d)⟩",
    "⟨a[1]¦a[-1]¦a['k']¦a[1][2]¦a['k']->b[c + 1]->d¦ARRAY[1][1]¦MAP('a' := 1)['a']¦STRUCT(a := 1)->a¦(a)[1]⟩",
    "⟨f()¦f(a)¦f(a, f(b))¦COUNT(*)¦`my fn`(a)¦date(a)¦TIMESTAMPADD(DAY, 1, a)¦TIMESTAMPADD(DAYS, day, a)¦f(a, HOURS)⟩",
    "⟨f(a, x => x + 1)¦f(a, (x) => x)¦f(a, (x, y) => x || y)¦f(a, b, (k, v) => k, (k, v) => f(v, z => z + k))⟩",
    "⟨a AT TIME ZONE 'UTC'¦-a AT TIME ZONE 'UTC' + 1¦(a + b) AT TIME ZONE 'UTC'¦a AT TIME ZONE 'x' AT TIME ZONE 'y'⟩",
    "⟨a /* c */ + b¦a -- c\n + b¦a /* /* b */¦a \\\n + b⟩",
];

/// Every way through a pattern.
fn expand(pattern: &str) -> Vec<String> {
    let Some(open) = pattern.find(['⟦', '⟨']) else { return vec![pattern.to_string()] };
    let (before, rest) = pattern.split_at(open);
    let (mut depth, mut parts) = (0, Vec::new());
    let mut start = '⟦'.len_utf8();
    for (at, c) in rest.char_indices() {
        match c {
            '⟦' | '⟨' => depth += 1,
            '⟧' | '⟩' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == '¦') {
            parts.push(&rest[start..at]);
            start = at + c.len_utf8();
        }
        if depth == 0 {
            break;
        }
    }
    if rest.starts_with('⟦') {
        parts.push("");
    }
    let tails = expand(&rest[start..]);
    let mut all = Vec::new();
    for part in parts.into_iter().flat_map(expand) {
        all.extend(tails.iter().map(|tail| format!("{before}{part}{tail}")));
    }
    all
}

#[test]
fn patterns_stand_for_every_way_through() {
    assert_eq!(expand("a ⟦b ⟨c¦d⟩⟧e"), ["a b ce", "a b de", "a e"]);
    assert_eq!(expand("⟨x¦y⟩⟨1¦2⟩"), ["x1", "x2", "y1", "y2"]);
}

fn read(text: &str) -> Statement {
    let mut statement = parse_statement(text).unwrap_or_else(|error| panic!("{error} at {:?}\n{text}", error.span()));
    strip_spans(&mut statement);
    statement
}

fn check(text: &str) {
    let statement = read(text);
    let printed = statement.to_string();
    assert!(read(&printed) == statement, "{text}\n{printed}");
    assert_eq!(read(&printed).to_string(), printed);
    let laid_out = format(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert!(read(&laid_out) == statement, "{text}\n{laid_out}");
    assert_eq!(format(&laid_out).expect("it was laid out"), laid_out, "{text}");
}

/// Checks each pattern inside of a frame, whose `?` it stands for.
fn check_all(patterns: &[&str], frame: &str) -> usize {
    let mut n = 0;
    for text in patterns.iter().flat_map(|pattern| expand(pattern)) {
        let text = frame.replace('?', &text);
        check(&text);
        // Keywords do not differ by case; nor do names, unless they are quoted.
        if !text.contains(['\'', '`', '"']) {
            let folded = |text: &str| read(text).to_string().to_ascii_lowercase();
            assert_eq!(folded(&text.to_ascii_lowercase()), folded(&text), "{text}");
        }
        n += 1;
    }
    n
}

#[test]
fn every_form_of_a_statement_survives_printing_and_laying_out() {
    let n = check_all(STATEMENTS, "?");
    assert!(n > 250, "{n}");
}

#[test]
fn every_form_of_a_query_survives_printing_and_laying_out() {
    let n = check_all(QUERIES, "?") + check_all(QUERIES, "CREATE TABLE t AS ?") + check_all(QUERIES, "INSERT INTO t ?");
    assert!(n > 300, "{n}");
}

#[test]
fn every_form_of_an_expression_survives_printing_and_laying_out() {
    let n = check_all(EXPRESSIONS, "SELECT ? FROM s") + check_all(EXPRESSIONS, "SELECT f(a, ?) AS b FROM s WHERE ?");
    assert!(n > 200, "{n}");
}

#[test]
fn every_form_of_a_type_and_a_literal_survives_printing_and_laying_out() {
    check_all(COLUMNS, "CREATE STREAM s (a ?)");
    check_all(COLUMNS, "CREATE STREAM s (b INT KEY, a ?, c STRING) WITH (KAFKA_TOPIC='s')");
    check_all(LITERALS, "CREATE STREAM s WITH (a = ?)");
}
