//! What stands for a topic: what may take its place, what becomes of its records, and who may watch them.

use super::*;

#[test]
fn a_replacement_keeps_the_columns_of_what_it_replaces() {
    let mut world = World::new(&[CARS, "CREATE STREAM a AS SELECT k, id, note FROM cars;"]);
    let refused = "A cannot be replaced by this";
    for query in ["SELECT k, id FROM cars", "SELECT k, note, id FROM cars", "SELECT k, id, speed, note FROM cars"] {
        world.refuses(&format!("CREATE OR REPLACE STREAM a AS {query};"), refused, "a");
    }
    let error = world.refuses("CREATE OR REPLACE STREAM a AS SELECT id, note FROM cars PARTITION BY id;", refused, "a");
    assert!(error.detail_text().is_some_and(|detail| detail.starts_with("the key columns are changed")));
    world.refuses(
        "CREATE OR REPLACE STREAM cars (k STRING KEY, id BIGINT) WITH (kafka_topic='cars', value_format='JSON');",
        "CARS cannot be replaced by this",
        "cars",
    );
    for (with, why) in [
        ("kafka_topic='b'", "its topic is changed from A to b"),
        ("value_format='DELIMITED'", "its value format is changed from JSON to DELIMITED"),
        ("key_format='JSON'", "its key format is changed from KAFKA to JSON"),
        ("timestamp='ID'", "its time is changed from the record's to ID"),
    ] {
        let text =
            format!("CREATE OR REPLACE STREAM a WITH ({with}) AS SELECT k, CAST(id AS BIGINT) AS id, note FROM cars;");
        assert_eq!(world.refuses(&text, refused, "a").detail_text(), Some(why));
    }
    let text = "CREATE OR REPLACE STREAM a AS SELECT k, id, note, speed FROM cars;";
    let StatementKind::CreateAsSelect(create) = parse_statement(text).expect("it parses").kind else { panic!() };
    let (catalog, functions) = (world.catalog.clone(), FunctionRegistry::builtin());
    let context = Context { catalog: &catalog, functions: &functions, defaults: Defaults::default(), statement: text };
    assert!(create_as_select(&context, &create).is_ok());
}

#[test]
fn what_becomes_of_a_topic_follows_from_what_stands_for_it() {
    let mut world =
        World::new(&["CREATE TABLE t (k STRING PRIMARY KEY, v INT) WITH (kafka_topic='t', value_format='JSON');"]);
    let create = |kind: &str, with: &str| {
        format!(
            "CREATE {kind} x (k STRING {}, v INT) WITH (kafka_topic='x', value_format='JSON', {with});",
            if kind == "TABLE" { "PRIMARY KEY" } else { "KEY" }
        )
    };
    let policy = "CLEANUP_POLICY is not given, it follows from what is made";
    world.refuses(&create("STREAM", "cleanup_policy='compact'"), policy, "cleanup_policy='compact'");
    let retention = "RETENTION_MS is for streams and windowed tables";
    world.refuses(&create("TABLE", "retention_ms=1000"), retention, "1000");
    world.refuses("CREATE TABLE c WITH (retention_ms=1000) AS SELECT * FROM t;", retention, "1000");
    for accepted in [
        create("STREAM", "retention_ms=1000, sourced_by_connector='c'"),
        create("TABLE", "retention_ms=1000, window_type='SESSION'").replace("TABLE x", "TABLE y"),
    ] {
        world.run(&accepted).unwrap_or_else(|error| panic!("{accepted}: {error}"));
    }
    let windowed = "no row can be inserted into Y";
    world.refuses("INSERT INTO y VALUES ('a', 1);", windowed, "y");
}

#[test]
fn every_change_of_a_table_can_be_watched() {
    let mut world =
        World::new(&["CREATE TABLE t (k STRING PRIMARY KEY, v INT) WITH (kafka_topic='t', value_format='JSON');"]);
    let plan = world.plan("SELECT v + 1 AS w, k FROM t EMIT CHANGES LIMIT 0;");
    assert_eq!(plan.output.to_string(), "W INTEGER, K STRING KEY");
    // What no longer fits takes the earlier row away, if that one did: for this the earlier one must be known.
    world.refuses("SELECT * FROM t WHERE v > 1 EMIT CHANGES;", "WHERE over a table is not supported yet", "v > 1");
}

#[test]
fn an_insert_takes_the_topic_and_the_formats_as_they_are() {
    let mut world = World::new(&[CARS]);
    let refused = "KAFKA_TOPIC is not for INSERT INTO ... SELECT";
    world.refuses("INSERT INTO cars WITH (kafka_topic='x') SELECT * FROM cars;", refused, "kafka_topic='x'");
    world.plan("INSERT INTO cars WITH (query_id='again', on_error='fail') SELECT * FROM cars;");
}
