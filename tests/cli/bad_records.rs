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
