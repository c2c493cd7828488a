//! Where a query starts and where it ends: scans, `START AT`, `UNTIL`.

use crate::harness::Case;

const ROWS: &str = "\
CREATE STREAM s (id INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
INSERT INTO s (ROWTIME, id) VALUES (1000, 1);
INSERT INTO s (ROWTIME, id) VALUES (2000, 2);
INSERT INTO s (ROWTIME, id) VALUES (3000, 3);
";

fn rows(statement: &str) -> Vec<String> {
    let case = Case::new().file("a.sql", &format!("{ROWS}{statement}"));
    let ran = case.run(&["run", "a.sql", "--output", "csv"]).expect(0);
    ran.out.lines().skip(1).map(ToString::to_string).collect()
}

#[test]
fn a_select_without_emit_changes_is_a_scan_of_what_the_topic_holds() {
    assert_eq!(rows("SELECT id FROM s;"), ["1", "2", "3"]);
    assert_eq!(rows("SELECT id FROM s WHERE id > 1 LIMIT 1;"), ["2"]);
    assert_eq!(
        rows("CREATE STREAM none (id INT) WITH (kafka_topic='n', value_format='JSON'); SELECT id FROM none;"),
        [""; 0]
    );
}

#[test]
fn a_query_starts_and_ends_where_it_says() {
    assert_eq!(rows("SELECT id FROM s START AT OFFSETS (1);"), ["2", "3"]);
    assert_eq!(rows("SELECT id FROM s START AT '1970-01-01T00:00:02' UNTIL LATEST EMIT CHANGES;"), ["2", "3"]);
    assert_eq!(rows("SELECT id FROM s START AT EARLIEST UNTIL '1970-01-01T00:00:02.500Z' EMIT CHANGES;"), ["1", "2"]);
    assert_eq!(rows("SELECT id FROM s UNTIL OFFSETS (1) WHERE id > 0 EMIT CHANGES;"), ["1"]);
    assert_eq!(rows("SELECT id FROM s START AT LATEST UNTIL LATEST EMIT CHANGES;"), [""; 0]);
    // A free word is still a name.
    assert_eq!(rows("SELECT start.id FROM s start;"), ["1", "2", "3"]);
}

#[test]
fn a_persistent_query_starts_where_it_says_until_something_is_committed() {
    let text = |start: &str| {
        format!(
            "CREATE STREAM s (id INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);\n\
             CREATE OR REPLACE STREAM c AS SELECT id FROM s {start};\nSELECT id FROM c;\n"
        )
    };
    let case = Case::new().file("rows.sql", ROWS);
    case.run(&["run", "rows.sql", "--data", "d", "--until-end"]).expect(0);
    let run = |start: &str| {
        std::fs::write(case.path("a.sql"), text(start)).unwrap();
        case.run(&["run", "a.sql", "--data", "d", "--until-end", "--output", "csv"]).expect(0).out
    };
    assert_eq!(run("START AT OFFSETS (2)"), "ID\n3\n");
    assert_eq!(run("START AT EARLIEST"), "ID\n3\n", "what is committed wins");
}

#[test]
fn bounds_that_cannot_be_are_refused() {
    let case = Case::new();
    for (statement, says) in [
        ("SELECT id FROM s START AT OFFSETS (1, 2);", "OFFSETS names 2, topic s has 1 partitions"),
        ("SELECT id FROM s UNTIL '2999-01-01' EMIT CHANGES;", "UNTIL names a time in the future"),
        ("SELECT id FROM s START AT OFFSETS (9) EMIT CHANGES;", "OFFSETS names 9 for s[0]"),
        ("CREATE STREAM c AS SELECT id FROM s START AT OFFSETS (9);", "OFFSETS names 9 for s[0]"),
        ("SELECT id FROM s START AT GROUP 'none';", "group none has committed nothing for topic s"),
        ("CREATE STREAM c AS SELECT id FROM s START AT GROUP 'none';", "group none"),
        ("SELECT id FROM s UNTIL GROUP 'none';", "expected EARLIEST, LATEST, OFFSETS or a time"),
        ("SELECT id FROM s START AT 'soon';", "a start is `earliest`, `latest` or a time"),
        ("CREATE STREAM c AS SELECT id FROM s UNTIL LATEST;", "UNTIL is for a query whose rows go to whoever asked"),
    ] {
        std::fs::write(case.path("a.sql"), format!("{ROWS}{statement}")).unwrap();
        case.run(&["run", "a.sql"]).expect(1).says(says).says("a.sql:5:");
    }
}
