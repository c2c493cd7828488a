//! Joins of two streams: what is kept outlives the process, the topics of their own come and go with the query.

use std::fmt::Write;

use crate::harness::{Case, Live, Ran};

const LEFT: &str =
    "CREATE STREAM l (id INT KEY, a STRING) WITH (kafka_topic='l', value_format='JSON', partitions=2);\n";
const RIGHT: &str =
    "CREATE STREAM r (k STRING KEY, id INT, b STRING) WITH (kafka_topic='r', value_format='JSON', partitions=3);\n";
/// The left side is by the key of the join, the right one has to get there.
const JOINED: &str =
    "CREATE STREAM o AS SELECT l.id, a, b FROM l LEFT JOIN r WITHIN 1 HOUR GRACE PERIOD 1 MINUTE ON l.id = r.id;\n";
const ROWS: &str = "SELECT L_ID, A, B, ROWTIME AS T FROM o EMIT CHANGES;\n";

fn declared() -> String {
    format!("{LEFT}{RIGHT}{JOINED}")
}

/// A file, run to the end of what there is; its rows.
fn to_the_end(case: Case, text: &str) -> (Case, Vec<String>) {
    let case = case.file("run.sql", text);
    let ran = case.run(&["run", "run.sql", "--data", "d", "--from", "earliest", "--until-end", "--output", "json"]);
    let rows = ran.expect(0).sorted().into_iter().map(str::to_string).collect();
    (case, rows)
}

#[test]
fn rows_meet_those_of_an_earlier_run_and_leave_when_nobody_can_come() {
    let first = "INSERT INTO l (id, a, rowtime) VALUES (1, 'one', 1000);
INSERT INTO l (id, a, rowtime) VALUES (2, 'two', 2000);
INSERT INTO r (k, id, b, rowtime) VALUES ('x', 2, 'zwei', 1500);
";
    let (case, rows) = to_the_end(Case::new(), &format!("{}{first}{ROWS}", declared()));
    let two = r#"{"L_ID":2,"A":"two","B":"zwei","T":2000}"#;
    assert_eq!(rows, [two]);
    let second = "INSERT INTO r (k, id, b, rowtime) VALUES ('y', 1, 'eins', 3601000);\n";
    let (case, rows) = to_the_end(case, &format!("{}{second}{ROWS}", declared()));
    let one = r#"{"L_ID":1,"A":"one","B":"eins","T":3601000}"#;
    assert_eq!(rows, [one, two]);
    // An hour and the grace later: what has met nobody comes out alone, once, also after another start.
    let third = "INSERT INTO l (id, a, rowtime) VALUES (3, 'three', 3602000);
INSERT INTO r (k, id, b, rowtime) VALUES ('z', 4, 'vier', 7262001);
INSERT INTO l (id, a, rowtime) VALUES (4, 'four', 7262001);
INSERT INTO r (k, id, b, rowtime) VALUES ('z', 3, 'drei', 9000000);
";
    let (case, _) = to_the_end(case, &format!("{}{third}{ROWS}", declared()));
    let (_, rows) = to_the_end(case, &format!("{}{ROWS}", declared()));
    let four = r#"{"L_ID":4,"A":"four","B":"vier","T":7262001}"#;
    // What comes when stream time has passed 7262000 is too late for 3.
    assert!(rows.contains(&one.to_string()) && rows.contains(&two.to_string()), "{rows:?}");
    assert!(rows.contains(&four.to_string()), "{rows:?}");
    let of_three: Vec<_> = rows.iter().filter(|row| row.contains("three")).collect();
    assert_eq!(of_three.len(), 1, "{rows:?}");
    assert_eq!(rows.len(), 4, "{rows:?}");
}

/// Over a history that is longer than what a join keeps, the side that goes through a topic is waited for.
#[test]
fn a_long_history_loses_nothing() {
    let day = 24 * 60 * 60 * 1000_i64;
    let mut text = declared();
    for number in 0..60 {
        let time = number * day / 4;
        let _ = writeln!(text, "INSERT INTO l (id, a, rowtime) VALUES ({number}, 'a', {time});");
        let _ = writeln!(text, "INSERT INTO r (k, id, b, rowtime) VALUES ('k', {number}, 'b', {});", time + 1000);
    }
    // The query comes when all is there.
    let text = text.replace(JOINED, "") + JOINED + ROWS;
    let (_, rows) = to_the_end(Case::new(), &text);
    assert_eq!(rows.len(), 60);
    assert!(rows.iter().all(|row| row.contains(r#""B":"b""#)), "{rows:?}");
}

const REPL: [&str; 5] = ["repl", "--data", "d", "--output", "csv"];

fn repl(case: &Case, sql: &str) -> Ran {
    case.pipe(&REPL, sql)
}

#[test]
fn the_topics_of_its_own_are_hidden_and_go_with_the_query() {
    let case = Case::new();
    let own = ["_alcedo_default_query_CSAS_O-join-changelog", "_alcedo_default_query_CSAS_O-right-repartition"];
    let made = repl(&case, &format!("{}SHOW TOPICS;\n", declared())).expect(0);
    assert!(own.iter().all(|topic| !made.out.contains(topic)), "{}", made.out);
    let all = repl(&case, "SHOW ALL TOPICS;\n").expect(0);
    assert!(own.iter().all(|topic| all.out.contains(topic)), "{}", all.out);
    let extended = repl(&case, "DESCRIBE o EXTENDED;\nEXPLAIN CSAS_O;\n").expect(0);
    for text in ["topic l, partition 1:", "topic r, partition 2:", "reads: L, R", "LEFT JOIN", "by: R.ID as KAFKA"] {
        assert!(extended.out.contains(text), "missing {text}\n{}", extended.out);
    }
    // Rows that wait are forgotten with the query.
    let feed = "SET 'auto.offset.reset' = 'earliest';
INSERT INTO l (id, a, rowtime) VALUES (1, 'one', 1000);
INSERT INTO r (k, id, b, rowtime) VALUES ('x', 1, 'eins', 1000);
SELECT L_ID, B FROM o EMIT CHANGES LIMIT 1;
";
    assert_eq!(repl(&case, feed).expect(0).out, "L_ID,B\n1,eins\n");
    let dropped = repl(&case, "DROP STREAM o DELETE TOPIC;\nSHOW ALL TOPICS;\n").expect(0);
    assert!(own.iter().all(|topic| !dropped.out.contains(topic)), "{}", dropped.out);
    let again = format!(
        "SET 'auto.offset.reset' = 'latest';
{JOINED}INSERT INTO r (k, id, b, rowtime) VALUES ('x', 1, 'uno', 1001);
INSERT INTO l (id, a, rowtime) VALUES (1, 'other', 1002);
SET 'auto.offset.reset' = 'earliest';
SELECT A, B FROM o EMIT CHANGES LIMIT 1;
"
    );
    assert_eq!(repl(&case, &again).expect(0).out, "A,B\nother,uno\n");
}

#[test]
fn partners_in_other_partitions_are_refused_with_a_way_out() {
    let other = "CREATE STREAM n (id INT KEY, b STRING) WITH (kafka_topic='n', value_format='JSON', partitions=3);\n";
    let join = "CREATE STREAM o AS SELECT l.id, a, b FROM l JOIN n WITHIN 1 HOUR ON l.id = n.id;\n";
    let case = Case::new().file("a.sql", &format!("{LEFT}{other}{join}"));
    case.run(&["run", "a.sql"])
        .expect(1)
        .says("L has 2 partitions, N has 3")
        .says("CREATE STREAM ... WITH (PARTITIONS = 2) AS SELECT * FROM N;");
    let checked = case.run(&["check", "a.sql"]).expect(1);
    assert!(checked.out.contains("L has 2 partitions, N has 3"), "{}", checked.out);
    let mended = format!(
        "{LEFT}{other}CREATE STREAM n2 WITH (PARTITIONS = 2) AS SELECT * FROM n;\n{}
INSERT INTO n (id, b, rowtime) VALUES (7, 'b', 1000);
INSERT INTO l (id, a, rowtime) VALUES (7, 'a', 1000);
SELECT L_ID, A, B FROM o EMIT CHANGES;\n",
        join.replace("JOIN n ", "JOIN n2 n ")
    );
    let (_, rows) = to_the_end(case, &mended);
    assert_eq!(rows, [r#"{"L_ID":7,"A":"a","B":"b"}"#]);
}

const RECORDS: &str = "INSERT INTO l (id, a, rowtime) VALUES (1, 'one', 1000);
INSERT INTO l (id, a, rowtime) VALUES (2, 'two', 2000);
INSERT INTO r (k, id, b, rowtime) VALUES ('x', 1, 'eins', 1500);
INSERT INTO r (k, id, b, rowtime) VALUES ('y', 3, 'drei', 2500);
INSERT INTO l (id, a, rowtime) VALUES (9, 'far', 9999999);
";

/// Nothing is left behind by a query whose rows go to whoever asked, and no partition has to fit another.
#[test]
fn a_join_can_be_asked_for() {
    let from = |kind: &str| format!("FROM l {kind} JOIN r WITHIN 1 SECOND GRACE PERIOD 1 SECOND ON l.id = r.id");
    let (left, full) = (from("LEFT"), from("FULL"));
    let of = |select: &str| to_the_end(Case::new(), &format!("{LEFT}{RIGHT}{RECORDS}{select}")).1;
    let rows = of(&format!("SELECT l.id, a, b {left} EMIT CHANGES;\n"));
    assert_eq!(rows, [r#"{"L_ID":1,"A":"one","B":"eins"}"#, r#"{"L_ID":2,"A":"two","B":null}"#]);
    let rows = of(&format!("SELECT rowkey, l.a, r.b {full} EMIT CHANGES;\n"));
    assert_eq!(
        rows,
        [
            r#"{"ROWKEY":1,"A":"one","B":"eins"}"#,
            r#"{"ROWKEY":2,"A":"two","B":null}"#,
            r#"{"ROWKEY":3,"A":null,"B":"drei"}"#,
        ]
    );
    let case = Case::new();
    let asked = format!("SELECT l.id, b {} EMIT CHANGES LIMIT 1;\n", from("INNER"));
    // What the topics hold, without waiting for more; and a limit.
    let scanned = format!("SELECT l.id, b {};\n", from("INNER"));
    let sql = format!("{LEFT}{RIGHT}{RECORDS}{scanned}{asked}SHOW ALL TOPICS;\n");
    let ran = repl(&case, &sql).expect(0);
    assert!(ran.out.starts_with("L_ID,B\n1,eins\nL_ID,B\n1,eins\n"), "{}", ran.out);
    assert!(!ran.out.contains("_query_"), "{}", ran.out);
    let refused = format!("SELECT l.id, b {} START AT OFFSETS (0, 0) EMIT CHANGES;\n", from("INNER"));
    let said = repl(&case, &refused).expect(1);
    said.says("START AT");
}

/// A join that is asked for and takes rows while they come, those of a side that has no more included.
#[test]
fn a_join_that_is_asked_for_goes_on_as_rows_come() {
    let case = Case::new()
        .file("a.sql", &format!("{LEFT}{RIGHT}"))
        .file("feed.sql", &format!("{LEFT}{RIGHT}INSERT INTO r (k, id, b, rowtime) VALUES ('x', 1, 'eins', 1500);\n"))
        .file("first.sql", &format!("{LEFT}{RIGHT}INSERT INTO l (id, a, rowtime) VALUES (1, 'one', 1000);\n"))
        .file(
            "ask.sql",
            &format!(
                "{LEFT}{RIGHT}SELECT l.id, a, b FROM l LEFT JOIN r WITHIN 1 HOUR ON l.id = r.id EMIT CHANGES LIMIT 2;\n"
            ),
        );
    let broker = case.spawn(&["broker", "--listen", "127.0.0.1:0"]);
    let address = broker.address("broker listens on ");
    case.run(&["run", "a.sql", "-b", &address]).expect(0);
    let asking = case.spawn(&["run", "ask.sql", "-b", &address, "--from", "earliest", "--output", "json"]);
    asking.wait_err("topic r");
    case.run(&["run", "first.sql", "-b", &address]).expect(0);
    asking.wait_out(r#"{"L_ID":1,"A":"one","B":null}"#);
    case.run(&["run", "feed.sql", "-b", &address]).expect(0);
    let ran = asking.finish().expect(0);
    assert_eq!(ran.out.lines().last(), Some(r#"{"L_ID":1,"A":"one","B":"eins"}"#));
}

/// Two streams over one topic whose times are further apart than a join lets rows wait: none waits for what the other holds up.
#[test]
fn two_streams_of_one_topic_with_times_of_their_own_can_be_asked_for() {
    let mut lines = String::from("id,t1,t2\n");
    for id in 0..60_000 {
        let _ = writeln!(lines, "{id},{id},{}", 1_000_000_000 + id);
    }
    let stream = |name: &str, time: &str| {
        format!(
            "CREATE STREAM {name} (id INT, t1 BIGINT, t2 BIGINT)
  WITH (kafka_topic='lines', value_format='JSON', partitions=1, timestamp='{time}');\n"
        )
    };
    let sql = format!(
        "{}{}CREATE SOURCE CONNECTOR lines WITH ('connector.class'='file', 'file'='lines.csv', 'topic'='lines');
SELECT a.id FROM a JOIN b WITHIN 20 DAYS ON a.id = b.id EMIT CHANGES;\n",
        stream("a", "t1"),
        stream("b", "t2")
    );
    let case = Case::new().file("lines.csv", &lines).file("a.sql", &sql);
    let ran = case.run(&["run", "a.sql", "--from", "earliest", "--until-end", "--output", "json"]).expect(0);
    assert_eq!(ran.out.lines().count(), 60_000);
}

#[test]
fn a_paused_join_goes_on_where_it_stood() {
    let case = Case::new();
    repl(&case, &declared()).expect(0);
    let feed = "PAUSE CSAS_O;
INSERT INTO l (id, a, rowtime) VALUES (1, 'one', 1000);
INSERT INTO r (k, id, b, rowtime) VALUES ('x', 1, 'eins', 1000);
";
    repl(&case, feed).expect(0);
    let rows = "SET 'auto.offset.reset' = 'earliest';\nSELECT L_ID, B FROM o EMIT CHANGES LIMIT 1;\n";
    assert_eq!(repl(&case, &format!("RESUME CSAS_O;\n{rows}")).expect(0).out, "L_ID,B\n1,eins\n");
}

#[test]
fn a_bad_record_is_named_with_its_own_topic() {
    let text = format!(
        "{}CREATE STREAM raw (v STRING) WITH (kafka_topic='r', value_format='KAFKA');
INSERT INTO raw (v) VALUES ('no JSON');
INSERT INTO l (id, a, rowtime) VALUES (1, 'one', 1000);
INSERT INTO r (k, id, b, rowtime) VALUES ('x', 1, 'eins', 1000);
{ROWS}",
        declared()
    );
    let case = Case::new().file("a.sql", &text);
    let ran = case.run(&["run", "a.sql", "--from", "earliest", "--until-end"]).expect(0);
    let told = ran.err.lines().filter(|line| line.contains("value cannot be read")).count();
    assert_eq!(told, 1, "{}", ran.err);
    ran.says("CSAS_O: topic r, partition");
}

#[test]
fn processes_of_one_service_share_a_join_and_take_over_what_it_keeps() {
    let read = "CREATE STREAM x (id INT KEY, a STRING, b STRING) WITH (kafka_topic='O', value_format='JSON');
SELECT id, a, b FROM x EMIT CHANGES";
    let inner = JOINED.replace("LEFT JOIN", "JOIN");
    let feed = |range: std::ops::Range<i32>, side: &str| {
        let mut text = format!("{LEFT}{RIGHT}");
        for id in range {
            let _ = match side {
                "l" => writeln!(text, "INSERT INTO l (id, a, rowtime) VALUES ({id}, 'a', 1000);"),
                _ => writeln!(text, "INSERT INTO r (k, id, b, rowtime) VALUES ('k', {id}, 'b', 2000);"),
            };
        }
        text
    };
    let case = Case::new()
        .variable("ALCEDO_SESSION_TIMEOUT_MS", "2000")
        .file("a.sql", &format!("{LEFT}{RIGHT}{inner}"))
        .file("left.sql", &feed(0..100, "l"))
        .file("half.sql", &feed(0..50, "r"))
        .file("rest.sql", &feed(50..100, "r"))
        .file("some.sql", &format!("{read} LIMIT 50;"))
        .file("wait.sql", &format!("{read} LIMIT 100;"))
        .file("all.sql", &format!("{read};"));
    let broker = case.spawn(&["broker", "--listen", "127.0.0.1:0"]);
    let address = broker.address("broker listens on ");
    let start = || -> Live { case.spawn(&["run", "a.sql", "-b", &address, "--from", "earliest"]) };
    let run = |file: &str| case.run(&["run", file, "-b", &address, "--service-id", "feed"]).expect(0);
    let read = |file: &'static str| {
        ["run", file, "-b", &address, "--service-id", "see", "--from", "earliest", "--output", "json"]
    };
    let first = start();
    first.wait_err("running: ");
    let second = start();
    second.wait_err("running: ");
    run("left.sql");
    run("half.sql");
    assert_eq!(case.run(&read("some.sql")).expect(0).sorted().len(), 50);
    // What the one has kept is met by the other.
    first.signal("KILL");
    run("rest.sql");
    assert_eq!(case.run(&read("wait.sql")).expect(0).sorted().len(), 100);
    second.signal("INT");
    second.finish().expect(0);
    let all = case.run(&[&read("all.sql")[..], &["--until-end"]].concat()).expect(0);
    let mut wanted: Vec<String> = (0..100).map(|id| format!(r#"{{"ID":{id},"A":"a","B":"b"}}"#)).collect();
    wanted.sort();
    assert_eq!(all.sorted(), wanted);
}
