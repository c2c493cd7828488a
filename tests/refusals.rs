//! What the grammar has and the engine does not run yet is refused by its name, with its place, and leaves no trace.

use std::time::Duration;

use alcedo::{Code, Engine, Outcome, Session};

/// A statement, what of it is named, and the text that the error points to.
const REFUSED: &[(&str, &str, &str)] = &[
    ("SELECT s.a FROM s JOIN t ON s.a = t.a EMIT CHANGES", "JOIN with a table", "s JOIN t ON s.a = t.a"),
    ("CREATE STREAM x AS SELECT s.a FROM s JOIN t ON s.a = t.a", "JOIN with a table", "s JOIN t ON s.a = t.a"),
    (
        "CREATE STREAM x AS SELECT s.a, s.b FROM s JOIN r WITHIN 1 HOUR ON s.a = r.a JOIN q WITHIN 1 HOUR ON r.a = q.a",
        "JOIN of more than two sources",
        "s JOIN r WITHIN 1 HOUR ON s.a = r.a JOIN q WITHIN 1 HOUR ON r.a = q.a",
    ),
    (
        "CREATE STREAM x AS SELECT w.k, w.a, v.a FROM w JOIN v WITHIN 1 HOUR ON w.k = v.k",
        "JOIN of windowed streams",
        "w JOIN v WITHIN 1 HOUR ON w.k = v.k",
    ),
    (
        "CREATE STREAM x WITH (on_error='fail') AS SELECT s.a, b FROM s JOIN r WITHIN 1 HOUR ON s.a = r.a",
        "ON_ERROR other than 'skip' for a join",
        "s JOIN r WITHIN 1 HOUR ON s.a = r.a",
    ),
    (
        "CREATE TABLE x AS SELECT a, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 HOUR, RETENTION 2 DAYS) GROUP BY a",
        "WINDOW",
        "TUMBLING (SIZE 1 HOUR, RETENTION 2 DAYS)",
    ),
    (
        "CREATE TABLE x AS SELECT a, COUNT(*) AS n FROM s WINDOW HOPPING (SIZE 1 HOUR, ADVANCE BY 1 MINUTE) GROUP BY a",
        "WINDOW",
        "HOPPING (SIZE 1 HOUR, ADVANCE BY 1 MINUTE)",
    ),
    (
        "SELECT a, COUNT(*) AS n FROM s WINDOW SESSION (5 SECONDS) GROUP BY a EMIT FINAL",
        "WINDOW",
        "SESSION (5 SECONDS)",
    ),
    (
        "CREATE TABLE x WITH (key_format='JSON') AS SELECT a, b, COUNT(*) AS n FROM s GROUP BY a, b",
        "GROUP BY",
        "GROUP BY a, b",
    ),
    ("SELECT a, COUNT(*) AS n FROM s GROUP BY (a) HAVING COUNT(*) > 1 EMIT CHANGES", "GROUP BY", "GROUP BY (a)"),
    ("SELECT a FROM t", "a query over the rows that a table has now", "t"),
    ("SELECT a FROM t WHERE a > 1 EMIT CHANGES", "WHERE over a table", "a > 1"),
    ("CREATE STREAM x AS SELECT a FROM s LIMIT 3", "LIMIT in a persistent query", "LIMIT 3"),
    ("CREATE STREAM x AS SELECT b AT TIME ZONE 'UTC' FROM s", "AT TIME ZONE", "b AT TIME ZONE 'UTC'"),
    ("SELECT DISTINCT a FROM s EMIT CHANGES", "SELECT DISTINCT", "DISTINCT"),
    ("SELECT COUNT(DISTINCT a) FROM s EMIT CHANGES", "DISTINCT in a call", "DISTINCT"),
    ("SELECT a FROM (SELECT a FROM s) EMIT CHANGES", "a subquery", "("),
    ("SELECT a FROM s WHERE a IN (SELECT a FROM r) EMIT CHANGES", "a subquery", "SELECT"),
    ("INSERT INTO s VALUES (1, 'x'), (2, 'y')", "more than one row in INSERT ... VALUES", ","),
    ("CREATE STREAM x (a INT) WITH (kafka_topic='x', value_format='AVRO', partitions=1)", "format AVRO", "'AVRO'"),
    ("CREATE SINK CONNECTOR x WITH ('connector.class'='file')", "CREATE SINK CONNECTOR", "x"),
    ("ALTER SYSTEM 'a' = 'b'", "ALTER SYSTEM", "ALTER SYSTEM 'a' = 'b'"),
    ("ASSERT SCHEMA SUBJECT s TIMEOUT 1 SECOND", "ASSERT SCHEMA", "ASSERT SCHEMA SUBJECT s TIMEOUT 1 SECOND"),
    ("ASSERT NOT EXISTS SCHEMA ID 3", "ASSERT SCHEMA", "ASSERT NOT EXISTS SCHEMA ID 3"),
    ("CREATE MODEL m USING 'x'", "CREATE MODEL", "CREATE MODEL"),
    ("CREATE OR REPLACE TYPE ty AS INT", "CREATE OR REPLACE TYPE", "OR REPLACE"),
    ("EXPLAIN SELECT a, COUNT(*) AS n FROM s GROUP BY a EMIT CHANGES", "GROUP BY", "GROUP BY a"),
];

/// Everything that a statement could have left.
fn state(session: &mut Session) -> String {
    let sql = "SHOW STREAMS EXTENDED; SHOW TABLES EXTENDED; SHOW QUERIES; SHOW TYPES; SHOW ALL TOPICS; SHOW CONNECTORS; \
               SHOW VARIABLES; SHOW FUNCTIONS;";
    let outcomes = session.execute(sql).expect("they can be listed");
    outcomes.iter().map(|outcome| format!("{outcome:?}\n")).collect()
}

#[test]
fn what_does_not_run_yet_is_refused_by_name_and_leaves_no_trace() {
    let engine = Engine::builder().start().expect("the engine starts");
    let mut session = engine.session();
    session
        .execute(
            "CREATE STREAM s (a INT, b STRING) WITH (kafka_topic='s', value_format='JSON', partitions=1);
             CREATE STREAM r (a INT) WITH (kafka_topic='r', value_format='JSON', partitions=1);
             CREATE STREAM q (a INT) WITH (kafka_topic='q', value_format='JSON', partitions=1);
             CREATE STREAM w (k INT KEY, a INT)
                 WITH (kafka_topic='w', value_format='JSON', partitions=1, window_type='SESSION');
             CREATE STREAM v (k INT KEY, a INT)
                 WITH (kafka_topic='w', value_format='JSON', partitions=1, window_type='SESSION');
             CREATE TABLE t (a INT PRIMARY KEY) WITH (kafka_topic='t', value_format='JSON', partitions=1);",
        )
        .expect("they run");
    let before = state(&mut session);
    let mut wrong = Vec::new();
    for (sql, what, place) in REFUSED {
        // A statement before it would be carried out when it is refused, so it stands alone.
        match session.execute(&format!("{sql};")) {
            Ok(outcomes) => wrong.push(format!("{sql}\n   runs: {outcomes:?}")),
            Err(error) => {
                let found = error.span().map_or("no place", |span| span.text(sql));
                let message = format!("{what} is not supported yet");
                if error.message() != message || found != *place || error.code() != Code::Unsupported {
                    wrong.push(format!("{sql}\n   {error}\n   at {found:?}"));
                }
            }
        }
        let after = state(&mut session);
        assert_eq!(after, before, "{sql}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What was refused did not take the names either.
    let made = session.execute("CREATE STREAM x AS SELECT a FROM s;").expect("the name is free");
    assert!(matches!(made.as_slice(), [Outcome::Done(_)]), "{made:?}");
    engine.shutdown(Duration::from_secs(5)).expect("it stops");
}
