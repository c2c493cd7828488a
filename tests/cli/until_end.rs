//! `--until-end`: process what there is, in order, and end.

use super::CHAIN;
use crate::harness::Case;

#[test]
fn a_chain_of_queries_is_processed_to_its_end() {
    let text = format!("{CHAIN}SELECT * FROM bigger EMIT CHANGES;\n");
    let case = Case::new().file("a.sql", &text);
    let ran = case.run(&["run", "a.sql", "--until-end", "--output", "json", "--stats", "json"]).expect(0);
    assert_eq!(ran.out, "{\"ID\":2,\"W\":7.0}\n");
    let stats: Vec<serde_json::Value> =
        ran.err.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).unwrap()).collect();
    let counts: Vec<_> = stats.iter().map(|one| (&one["query"], &one["records_in"], &one["records_out"])).collect();
    let expected = [("CSAS_BIG", 3, 2), ("CSAS_BIGGER", 2, 1)];
    assert_eq!(counts.len(), 2);
    for (found, wanted) in counts.iter().zip(expected) {
        assert_eq!((found.0 == wanted.0, found.1 == wanted.1, found.2 == wanted.2), (true, true, true), "{stats:?}");
    }
    ran.says("CSAS_BIG: starts at the earliest record of topic s (2 partitions, 0 offsets ahead)");
}

#[test]
fn rows_of_several_queries_carry_their_labels() {
    let text = format!("{CHAIN}SELECT id FROM big EMIT CHANGES;\nSELECT id FROM bigger EMIT CHANGES;\n");
    let ran = Case::new().file("a.sql", &text).run(&["run", "a.sql", "--until-end", "--output", "json"]).expect(0);
    let row = |query: u8, id: u8| format!("{{\"query\":\"SELECT_{query}\",\"row\":{{\"ID\":{id}}}}}");
    assert_eq!(ran.sorted(), [row(1, 1), row(1, 2), row(2, 2)]);
}

#[test]
fn a_limit_ends_a_query_without_until_end() {
    let text = "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON');
INSERT INTO s (id) VALUES (1); INSERT INTO s (id) VALUES (2);
SELECT id FROM s EMIT CHANGES LIMIT 1;";
    let ran = Case::new().file("a.sql", text).run(&["run", "a.sql", "--output", "csv"]).expect(0);
    assert_eq!(ran.out, "ID\n1\n");
}

#[test]
fn bad_records_are_told_with_their_place_counted_and_never_shown() {
    let text = "CREATE STREAM raw (v VARCHAR) WITH (kafka_topic='t', value_format='KAFKA');
CREATE STREAM s (id INTEGER) WITH (kafka_topic='t', value_format='JSON');
INSERT INTO raw (v) VALUES ('{\"ID\":1}'); INSERT INTO raw (v) VALUES ('secretword'); INSERT INTO raw (v) VALUES ('{\"ID\":3}');
CREATE STREAM o AS SELECT id FROM s;
SELECT id FROM o EMIT CHANGES;";
    let case = Case::new().file("a.sql", text);
    let ran = case.run(&["run", "a.sql", "--until-end", "--output", "csv", "--stats", "json"]).expect(0);
    assert_eq!(ran.out, "ID\n1\n3\n");
    assert!(!ran.err.contains("secretword"), "{}", ran.err);
    ran.says("warning: CSAS_O: topic t, partition 0, offset 1: ").says("\"bad\":1");
}

#[test]
fn it_is_refused_together_with_a_connector() {
    let text = "CREATE SOURCE CONNECTOR cars WITH ('connector.class'='mqtt-listener', 'listeners'='127.0.0.1:0', \
                'topic.regex.list'='t:.*');";
    let ran = Case::new().file("a.sql", text).run(&["run", "a.sql", "--until-end"]);
    assert_ne!(ran.code, 0, "{}", ran.err);
    ran.says("--until-end");
}
