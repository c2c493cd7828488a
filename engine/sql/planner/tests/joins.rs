//! Joins of two streams: what is read of each side, where rows meet, what the columns are called.

use super::*;

const ORDERS: &str = "CREATE STREAM orders (id INT KEY, item STRING, amount BIGINT)
    WITH (kafka_topic='orders', value_format='JSON');";
const SHIPMENTS: &str = "CREATE STREAM shipments (nr STRING KEY, id INT, amount INT, place STRING)
    WITH (kafka_topic='shipments', key_format='JSON', value_format='DELIMITED');";
const RETURNS: &str =
    "CREATE STREAM returns (id INT KEY, amount BIGINT) WITH (kafka_topic='returns', value_format='JSON');";

fn columns_of(plan: &QueryPlan) -> String {
    plan.output.to_string()
}

#[test]
fn a_join_reads_what_it_needs_of_both_sides_and_says_where_they_meet() {
    let mut world = World::new(&[ORDERS, SHIPMENTS]);
    let plan = world.plan(
        "CREATE STREAM late AS SELECT o.id, item, place FROM orders o
         LEFT JOIN shipments s WITHIN (1 HOUR, 2 HOURS) GRACE PERIOD 5 MINUTES ON o.id = s.id
         WHERE s.amount < o.amount;",
    );
    insta::assert_snapshot!(explain(&plan), @r"
    persistent query CSAS_LATE
    Sink LATE into topic LATE
       formats: key KAFKA, value JSON
       columns: O_ID INTEGER KEY, ITEM STRING, PLACE STRING
    └─ Project
          O_ID: O.ID INTEGER
          ITEM: ITEM STRING
          PLACE: PLACE STRING
       └─ Filter
             where: S.AMOUNT < O.AMOUNT
          └─ LEFT JOIN
                on: O.ID = S.ID INTEGER
                within: 3600000 ms before, 7200000 ms after, grace 300000 ms
             ├─ Scan ORDERS from topic orders
             │     formats: key KAFKA, value JSON
             │     columns: ID INTEGER KEY, ITEM STRING, AMOUNT BIGINT
             │     reads: ID, ITEM, AMOUNT
             └─ Repartition
                   by: S.ID as KAFKA
                └─ Scan SHIPMENTS from topic shipments
                      formats: key JSON, value DELIMITED
                      columns: NR STRING KEY, ID INTEGER, AMOUNT INTEGER, PLACE STRING
                      reads: ID, AMOUNT, PLACE
    ");
    let join = plan.join.as_ref().expect("a join");
    assert_eq!(join.sides[0].keep.len(), 3);
    // The key is compared, and read by nobody else.
    assert_eq!(join.sides[1].keep.len(), 2);
}

#[test]
fn a_side_stays_where_it_is_when_its_records_are_by_the_key_of_the_join_already() {
    let mut world = World::new(&[ORDERS, SHIPMENTS, RETURNS]);
    let mut sides = |name: &str, on: &str| {
        let plan = world.plan(&format!("CREATE STREAM {name} AS SELECT * FROM {on};"));
        let join = plan.join.expect("a join");
        let moves = [&join.sides[0], &join.sides[1]].map(|side| side.repartition.is_some());
        (moves, join.key_format.to_string(), join.key_type)
    };
    let int = crate::types::SqlType::Integer;
    let bigint = crate::types::SqlType::Bigint;
    assert_eq!(
        sides("a", "orders o JOIN returns r WITHIN 1 DAY ON o.id = r.id"),
        ([false, false], "KAFKA".into(), int.clone())
    );
    // The other way round, the side that stays says how keys are written.
    assert_eq!(
        sides("b", "shipments s JOIN orders o WITHIN 1 DAY ON s.id = o.id"),
        ([true, false], "KAFKA".into(), int.clone())
    );
    // An expression is no key, and neither is one of another type.
    assert_eq!(
        sides("c", "orders o JOIN returns r WITHIN 1 DAY ON ABS(o.id) = ABS(r.id)"),
        ([true, true], "KAFKA".into(), int)
    );
    assert_eq!(
        sides("d", "orders o JOIN returns r WITHIN 1 DAY ON o.id = r.amount"),
        ([true, true], "KAFKA".into(), bigint)
    );
    // Equal keys are written otherwise.
    let by_json = "CREATE STREAM marks (nr STRING KEY, x INT) WITH (kafka_topic='marks', format='JSON');";
    let by_text = "CREATE STREAM notes (nr STRING KEY, y INT) WITH (kafka_topic='notes', value_format='JSON');";
    let mut world = World::new(&[by_json, by_text]);
    let plan = world.plan("CREATE STREAM e AS SELECT * FROM marks m JOIN notes n WITHIN 1 DAY ON m.nr = n.nr;");
    let join = plan.join.expect("a join");
    assert!(join.sides[0].repartition.is_none() && join.sides[1].repartition.is_some());
    assert_eq!(join.key_format.to_string(), "JSON");
}

#[test]
fn two_streams_of_one_topic_both_stay_or_both_move() {
    let again = "CREATE STREAM again (id INT KEY, item STRING, amount BIGINT)
        WITH (kafka_topic='orders', value_format='JSON');";
    let mut world = World::new(&[ORDERS, again]);
    let mut moves = |name: &str, on: &str| {
        let plan = world.plan(&format!(
            "CREATE STREAM {name} AS SELECT * FROM orders o JOIN again a WITHIN 1 DAY ON {on} PARTITION BY o.item;"
        ));
        let join = plan.join.expect("a join");
        [&join.sides[0], &join.sides[1]].map(|side| side.repartition.is_some())
    };
    assert_eq!(moves("a", "o.id = a.id"), [false, false]);
    assert_eq!(moves("b", "o.amount = a.id"), [true, true]);
}

#[test]
fn columns_are_named_by_their_source_where_they_could_be_taken_for_another() {
    let mut world = World::new(&[ORDERS, RETURNS]);
    let mut columns = |name: &str, select: &str, kind: &str| {
        let on = if kind == "ABS" { "INNER JOIN returns r WITHIN 1 DAY ON ABS(o.id) = r.id + 0" } else { "" };
        let on = if on.is_empty() { format!("{kind} JOIN returns r WITHIN 1 DAY ON o.id = r.id") } else { on.into() };
        columns_of(&world.plan(&format!("CREATE STREAM {name} AS SELECT {select} FROM orders o {on};")))
    };
    assert_eq!(columns("a", "o.id, item, r.amount", ""), "O_ID INTEGER KEY, ITEM STRING, R_AMOUNT BIGINT");
    assert_eq!(
        columns("b", "*", "INNER"),
        "O_ID INTEGER KEY, O_ITEM STRING, O_AMOUNT BIGINT, R_ID INTEGER, R_AMOUNT BIGINT"
    );
    // Either key is the key; the left one when both are there.
    assert_eq!(columns("c", "r.*, item AS what", ""), "R_ID INTEGER KEY, R_AMOUNT BIGINT, WHAT STRING");
    assert_eq!(columns("d", "r.id, o.id", ""), "O_ID INTEGER KEY, R_ID INTEGER");
    assert_eq!(columns("h", "AS_VALUE(o.id) AS id, o.id", ""), "O_ID INTEGER KEY, ID INTEGER");
    assert_eq!(columns("e", "rowkey, item", "FULL"), "ROWKEY INTEGER KEY, ITEM STRING");
    assert_eq!(columns("f", "rowkey AS n, item, r.rowtime", "ABS"), "N INTEGER KEY, ITEM STRING, R_ROWTIME BIGINT");
    let error = world.refuses(
        "CREATE STREAM g AS SELECT o.id, o.id AS again, item FROM orders o JOIN returns r WITHIN 1 DAY ON o.id = r.id;",
        "the key column O.ID is selected twice",
        "o.id AS again",
    );
    assert!(error.hint_text().is_some_and(|hint| hint.contains("AS_VALUE")));
}

#[test]
fn the_key_of_a_side_that_may_be_missing_is_what_was_compared() {
    let mut world = World::new(&[ORDERS, RETURNS]);
    let plan = world.plan(
        "CREATE STREAM a AS SELECT o.id, r.amount FROM orders o RIGHT JOIN returns r WITHIN 1 DAY ON o.id = r.id;",
    );
    assert!(plan.join.as_ref().is_some_and(|join| join.shows_key));
    let plan = world.plan(
        "CREATE STREAM b AS SELECT o.id, r.amount FROM orders o LEFT JOIN returns r WITHIN 1 DAY ON o.id = r.id;",
    );
    assert!(plan.join.as_ref().is_some_and(|join| !join.shows_key));
    // Of a row of the right side alone it may be larger than any of the left side.
    let plan = world.plan(
        "CREATE STREAM c AS SELECT o.id, r.id AS nr FROM orders o RIGHT JOIN returns r WITHIN 1 DAY ON o.id = r.amount;",
    );
    assert_eq!(columns_of(&plan), "O_ID BIGINT KEY, NR INTEGER");
}

#[test]
fn a_join_is_not_replaced_by_one_that_keeps_other_rows() {
    let join = |rest: &str| format!("STREAM a AS SELECT o.id, item, r.amount AS n FROM orders o {rest}");
    let first = join("JOIN returns r WITHIN 1 DAY ON o.id = r.id;");
    let mut world = World::new(&[ORDERS, RETURNS, &format!("CREATE {first}")]);
    for other in ["JOIN returns r WITHIN 1 DAY ON o.id = r.amount;", "JOIN returns r WITHIN 1 DAY ON ABS(o.id) = r.id;"]
    {
        let key = if other.contains("ABS") { "r.id" } else { "o.id" };
        let text = format!("CREATE OR REPLACE {}", join(other).replace("SELECT o.id", &format!("SELECT {key}")));
        match world.run(&text) {
            Ok(_) => panic!("{text} is accepted"),
            Err(error) => assert_eq!(error.code(), Code::NotReplaceable, "{error}"),
        }
    }
    // Another window keeps other rows from now on.
    let text = format!("CREATE OR REPLACE {}", join("LEFT JOIN returns x WITHIN 2 DAYS ON o.id = x.id;"));
    let text = text.replace("r.amount", "x.amount");
    let catalog = world.catalog.clone();
    let context =
        Context { catalog: &catalog, functions: &world.functions, defaults: Defaults::default(), statement: &text };
    let StatementKind::CreateAsSelect(create) = parse_statement(&text).expect("it parses").kind else { panic!() };
    assert!(create_as_select(&context, &create).is_ok());
}

#[test]
fn where_rows_go_to_whoever_asked_nothing_has_to_go_to_another_partition() {
    let mut world = World::new(&[ORDERS, SHIPMENTS]);
    let plan =
        world.plan("SELECT o.id, place FROM orders o JOIN shipments s WITHIN 1 DAY ON o.id = s.id EMIT CHANGES;");
    let join = plan.join.as_ref().expect("a join");
    assert!(join.sides.iter().all(|side| side.repartition.is_none()));
    assert_eq!(columns_of(&plan), "O_ID INTEGER KEY, PLACE STRING");
    let plan = world.plan(
        "SELECT o.id AS a, o.id AS b, s.id FROM orders o LEFT JOIN shipments s WITHIN 1 DAY ON o.id = s.id EMIT CHANGES;",
    );
    assert!(!plan.join.as_ref().is_some_and(|join| join.shows_key), "columns are shown as they are");
}

#[test]
fn what_a_join_cannot_have_yet_is_refused_by_name() {
    let mut world = World::new(&[ORDERS, RETURNS]);
    let from = "orders o JOIN returns r WITHIN 1 DAY ON o.id = r.id";
    world.refuses(
        &format!("CREATE STREAM a WITH (ON_ERROR='dead_letter', DEAD_LETTER_TOPIC='d') AS SELECT * FROM {from};"),
        "ON_ERROR other than 'skip' for a join is not supported yet",
        from,
    );
}
