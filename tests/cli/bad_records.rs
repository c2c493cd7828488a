//! What becomes of records that a query cannot process: left out, the end of the query, or dead letters; and the log.

use crate::harness::Case;

/// Four lines in a topic: one is good, one is no JSON, one fails in the projection, one in the filter; then a good one.
const LINES: &str = "\
CREATE STREAM lines (line VARCHAR) WITH (kafka_topic='t', value_format='KAFKA', partitions=1);
CREATE STREAM s (id INT, d INT) WITH (kafka_topic='t', value_format='JSON');
INSERT INTO lines VALUES ('{\"id\":1,\"d\":2}');
INSERT INTO lines VALUES ('secret');
INSERT INTO lines VALUES ('{\"id\":3,\"d\":0}');
INSERT INTO lines VALUES ('{\"id\":0,\"d\":7}');
INSERT INTO lines VALUES ('{\"id\":5,\"d\":5}');
";

fn query(with: &str) -> String {
    format!("CREATE STREAM out {with} AS SELECT id, 10 / d AS q FROM s WHERE 100 / id > 1;\n")
}

const TO_END: [&str; 5] = ["run", "a.sql", "--until-end", "--output", "json"];

#[test]
fn left_out_or_null_unless_told_otherwise() {
    let text = format!("{LINES}{}SELECT id, q FROM out EMIT CHANGES;\n", query(""));
    let ran = Case::new().file("a.sql", &text).run(&TO_END).expect(0);
    assert_eq!(ran.out, "{\"ID\":1,\"Q\":5}\n{\"ID\":3,\"Q\":null}\n{\"ID\":5,\"Q\":2}\n");
    ran.says("topic t, partition 0, offset 1: value cannot be read");
}

#[test]
fn dead_letters_go_to_their_topic_and_nothing_of_them_is_written() {
    let with = "WITH (on_error='dead_letter', dead_letter_topic='dead')";
    let text = format!(
        "{LINES}CREATE STREAM dead (line VARCHAR) WITH (kafka_topic='dead', value_format='KAFKA', partitions=1);\n{}\
         SELECT id AS kept FROM out EMIT CHANGES;\nSELECT line FROM dead EMIT CHANGES;\n",
        query(with)
    );
    let ran = Case::new().file("a.sql", &text).run(&TO_END).expect(0);
    let rows: Vec<serde_json::Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| -> Vec<String> {
        rows.iter().filter_map(|row| row["row"].get(name)).map(ToString::to_string).collect()
    };
    assert_eq!(of("KEPT"), ["1", "5"]);
    let lines: Vec<String> =
        rows.iter().filter_map(|row| row["row"].get("LINE")?.as_str()).map(ToString::to_string).collect();
    assert_eq!(lines, ["secret", "{\"id\":3,\"d\":0}", "{\"id\":0,\"d\":7}"]);
}

#[test]
fn a_query_that_is_to_fail_commits_what_stands_before_and_stops_there_again() {
    let case = Case::new().file("a.sql", &format!("{LINES}{}", query("WITH (on_error='fail')")));
    for _ in 0..2 {
        let ran = case.run(&["run", "a.sql", "--until-end", "--data", "d"]).expect(3);
        ran.says("query CSAS_OUT gave up").says("topic t, partition 0, offset 1: value cannot be read");
        // The file is the desired state, and only what it declares: rows are inserted once.
        let text = std::fs::read_to_string(case.path("a.sql")).unwrap();
        let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("INSERT")).collect();
        std::fs::write(case.path("a.sql"), kept.join("\n")).unwrap();
    }
    let read = "SELECT id FROM out EMIT CHANGES LIMIT 1; CREATE STREAM s2 (x INT) WITH (kafka_topic='s2', value_format='JSON');";
    let read = read.replace("FROM out", "FROM o");
    let text = format!("CREATE STREAM o (id INT, q INT) WITH (kafka_topic='OUT', value_format='JSON');\n{read}");
    let ran =
        case.file("b.sql", &text).run(&["run", "b.sql", "--until-end", "--data", "d", "--output", "json"]).expect(0);
    assert_eq!(ran.out, "{\"ID\":1}\n");
}

#[test]
fn the_processing_log_is_a_stream_with_the_place_and_without_the_value() {
    let select =
        "SELECT sourceOffset AS a, message->`type` AS b, queryId AS c FROM ksql_processing_log EMIT CHANGES;\n";
    let ran = Case::new().file("a.sql", &format!("{LINES}{}{select}", query(""))).run(&TO_END).expect(0);
    assert_eq!(
        ran.out,
        "{\"A\":1,\"B\":0,\"C\":\"CSAS_OUT\"}\n{\"A\":2,\"B\":1,\"C\":\"CSAS_OUT\"}\n\
         {\"A\":3,\"B\":1,\"C\":\"CSAS_OUT\"}\n"
    );
    let print = "PRINT 'default_ksql_processing_log' FROM BEGINNING;\n";
    let shown = Case::new().file("a.sql", &format!("{LINES}{}{print}", query(""))).run(&TO_END).expect(0).out;
    assert!(shown.contains("value cannot be read") && !shown.contains("secret"), "{shown}");
    let shown = Case::new()
        .file("c", "logging.processing.rows.include=true\n")
        .file("a.sql", &format!("{LINES}{}{print}", query("")))
        .run(&["run", "a.sql", "--until-end", "--config", "c"])
        .expect(0)
        .out;
    // 'secret' in base64.
    assert!(shown.contains("c2VjcmV0"), "{shown}");
}

#[test]
fn a_query_over_the_log_does_not_feed_it() {
    let text = format!(
        "{LINES}{}CREATE STREAM again AS SELECT sourceOffset, 1 / (sourceOffset - 1) AS x FROM ksql_processing_log;\n\
         SELECT sourceOffset AS o FROM ksql_processing_log EMIT CHANGES;\n",
        query("")
    );
    let ran = Case::new().file("a.sql", &text).run(&TO_END).expect(0);
    assert_eq!(ran.out, "{\"O\":1}\n{\"O\":2}\n{\"O\":3}\n");
}

#[test]
fn the_properties_are_checked() {
    let case = Case::new();
    for (with, says) in [
        ("on_error='ignore'", "ON_ERROR is one of 'skip', 'fail', 'dead_letter'"),
        ("on_error='dead_letter'", "ON_ERROR = 'dead_letter' needs DEAD_LETTER_TOPIC"),
        ("dead_letter_topic='x'", "DEAD_LETTER_TOPIC is for ON_ERROR = 'dead_letter'"),
        ("on_error='dead_letter', dead_letter_topic='t'", "DEAD_LETTER_TOPIC t is a topic of the query itself"),
    ] {
        std::fs::write(case.path("a.sql"), format!("{LINES}{}", query(&format!("WITH ({with})")))).unwrap();
        case.run(&["run", "a.sql", "--until-end"]).expect(1).says(says);
    }
    std::fs::write(
        case.path("a.sql"),
        "CREATE STREAM s (x INT) WITH (kafka_topic='t', value_format='JSON', on_error='fail');",
    )
    .unwrap();
    case.run(&["run", "a.sql", "--until-end"]).expect(1).says("ON_ERROR and DEAD_LETTER_TOPIC belong to the query");
}

#[test]
fn dead_letters_and_results_come_once_across_restarts() {
    let declare = "CREATE STREAM lines (line VARCHAR) WITH (kafka_topic='t', value_format='KAFKA', partitions=1);\n\
         CREATE STREAM s (id INT, d INT) WITH (kafka_topic='t', value_format='JSON');\n";
    let with = "WITH (on_error='dead_letter', dead_letter_topic='dead')";
    let case = Case::new().file("a.sql", &format!("{declare}{}", query(with)));
    for round in 1..4 {
        let insert = format!(
            "CREATE STREAM IF NOT EXISTS lines (line VARCHAR) WITH (kafka_topic='t', value_format='KAFKA', partitions=1);\n\
             INSERT INTO lines VALUES ('{{\"id\":{round},\"d\":1}}');\nINSERT INTO lines VALUES ('bad {round}');\n"
        );
        std::fs::write(case.path("b.sql"), insert).unwrap();
        case.run(&["run", "b.sql", "--until-end", "--data", "d"]).expect(0);
        case.run(&["run", "a.sql", "--until-end", "--data", "d"]).expect(0);
    }
    let read = "CREATE STREAM o (id INT, q INT) WITH (kafka_topic='OUT', value_format='JSON');\n\
         CREATE STREAM dead (line VARCHAR, why BYTES HEADER('__alcedo.errors.offset')) WITH (kafka_topic='dead', value_format='KAFKA');\n\
         SELECT id AS kept FROM o EMIT CHANGES;\nSELECT line, FROM_BYTES(why, 'utf8') AS place FROM dead EMIT CHANGES;\n";
    let ran =
        case.file("c.sql", read).run(&["run", "c.sql", "--until-end", "--data", "d", "--output", "json"]).expect(0);
    let mut rows: Vec<String> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["row"].to_string())
        .collect();
    rows.sort();
    let dead = |round: i32| format!(r#"{{"LINE":"bad {round}","PLACE":"{}"}}"#, round * 2 - 1);
    let kept = |round: i32| format!(r#"{{"KEPT":{round}}}"#);
    assert_eq!(rows, [kept(1), kept(2), kept(3), dead(1), dead(2), dead(3)]);
}

#[test]
fn a_dead_letter_topic_may_have_other_partitions_than_the_source_and_is_made_where_it_is_missing() {
    let source = "CREATE STREAM lines (k VARCHAR KEY, line VARCHAR) WITH (kafka_topic='t', value_format='KAFKA', partitions=3);\n\
         CREATE STREAM s (k VARCHAR KEY, id INT) WITH (kafka_topic='t', value_format='JSON');\n";
    let insert: String = (0..9).map(|i| format!("INSERT INTO lines VALUES ('k{i}', 'bad {i}');\n")).collect();
    let query = "CREATE STREAM out WITH (on_error='dead_letter', dead_letter_topic='dead') AS SELECT * FROM s;\n";
    let read =
        "CREATE STREAM dead (k VARCHAR KEY, line VARCHAR) WITH (kafka_topic='dead', value_format='KAFKA', partitions=";
    let select = "SELECT k, line FROM dead EMIT CHANGES;\n";
    for (partitions, before, after) in [(1, true, ""), (3, false, "SHOW TOPICS;\n")] {
        let read = format!("{read}{partitions});\n");
        let (first, last) = if before { (read.as_str(), "") } else { ("", read.as_str()) };
        let text = format!("{source}{insert}{first}{query}{last}{select}{after}");
        let ran = Case::new().file("a.sql", &text).run(&["run", "a.sql", "--until-end", "--output", "csv"]).expect(0);
        let mut lines: Vec<&str> = ran.out.lines().filter(|line| line.starts_with('k')).collect();
        lines.sort_unstable();
        assert_eq!(lines, (0..9).map(|i| format!("k{i},bad {i}")).collect::<Vec<_>>(), "{}", ran.out);
        assert!(before || ran.out.contains("dead,3,1"), "{}", ran.out);
    }
}

#[test]
fn what_is_made_of_the_log_does_not_feed_it_either() {
    let text = format!(
        "{LINES}{}CREATE STREAM copy AS SELECT sourceOffset AS o FROM ksql_processing_log;\n\
         CREATE STREAM again AS SELECT o, 1 / (o - o) AS x FROM copy;\n\
         SELECT sourceOffset AS o, queryId AS q FROM ksql_processing_log EMIT CHANGES;\n",
        query("")
    );
    let ran = Case::new().file("a.sql", &text).run(&TO_END).expect(0);
    let of = |o: i32| format!("{{\"O\":{o},\"Q\":\"CSAS_OUT\"}}\n");
    assert_eq!(ran.out, format!("{}{}{}", of(1), of(2), of(3)));
}

#[test]
fn what_the_log_leaves_out_is_counted_in_it() {
    let insert: String = (0..300).map(|i| format!("INSERT INTO lines VALUES ('bad {i}');\n")).collect();
    let declare = "CREATE STREAM lines (line VARCHAR) WITH (kafka_topic='t', value_format='KAFKA', partitions=1);\n\
         CREATE STREAM s (id INT) WITH (kafka_topic='t', value_format='JSON');\n";
    let case = Case::new().file("a.sql", &format!("{declare}{insert}CREATE STREAM out AS SELECT * FROM s;\n"));
    case.run(&["run", "a.sql", "--until-end", "--data", "d"]).expect(0);
    let read = "SELECT leftOut AS n, message->`type` AS t FROM ksql_processing_log EMIT CHANGES;\n";
    let ran =
        case.file("b.sql", read).run(&["run", "b.sql", "--until-end", "--data", "d", "--output", "json"]).expect(0);
    let rows: Vec<serde_json::Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let entries = rows.iter().filter(|row| row["T"] == 0).count() as u64;
    let left_out: u64 = rows.iter().filter_map(|row| row["N"].as_u64()).sum();
    assert!((64..300).contains(&entries), "{entries} entries");
    assert_eq!(entries + left_out, 300, "every bad record is an entry or counted in one: {}", ran.out);
}

#[test]
fn entries_say_key_value_time_or_expression_and_a_query_that_ends_is_one_too() {
    let text = "\
CREATE STREAM raw (k BYTES KEY, line VARCHAR) WITH (kafka_topic='t', value_format='KAFKA', partitions=1);
CREATE STREAM s (k INT KEY, id INT, ts BIGINT) WITH (kafka_topic='t', value_format='JSON', timestamp='ts');
INSERT INTO raw VALUES (TO_BYTES('AAA=', 'base64'), '{\"id\":1,\"ts\":1}');
INSERT INTO raw VALUES (TO_BYTES('AAAAAA==', 'base64'), 'x');
INSERT INTO raw VALUES (TO_BYTES('AAAAAA==', 'base64'), '{\"id\":1}');
INSERT INTO raw VALUES (TO_BYTES('AAAAAA==', 'base64'), '{\"id\":0,\"ts\":1}');
CREATE STREAM out AS SELECT k, 1 / id AS q FROM s;
CREATE STREAM stops WITH (on_error='fail') AS SELECT k, 1 / id AS q FROM s;
";
    let case = Case::new().file("a.sql", text);
    case.run(&["run", "a.sql", "--until-end", "--data", "d"]).expect(3);
    let read = "SELECT queryId AS q, sourceOffset AS o, message->`type` AS t, message->deserializationError->target AS w \
         FROM ksql_processing_log EMIT CHANGES;\n";
    let ran =
        case.file("b.sql", read).run(&["run", "b.sql", "--until-end", "--data", "d", "--output", "csv"]).expect(0);
    let of = |query: &str| -> Vec<String> {
        let own = ran.out.lines().filter_map(|line| line.strip_prefix(&format!("{query},")));
        own.map(ToString::to_string).collect()
    };
    assert_eq!(of("CSAS_OUT"), ["0,0,key", "1,0,value", "2,1,", "3,1,"], "{}", ran.out);
    let ends = of("CSAS_STOPS");
    assert!(ends.contains(&"0,0,key".to_string()) && ends.contains(&",4,".to_string()), "{}", ran.out);
}
