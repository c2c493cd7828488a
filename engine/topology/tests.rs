//! Statements in, records in, records out: the whole core without a broker.

use super::*;
use crate::catalog::Catalog;
use crate::error::Span;
use crate::functions::FunctionRegistry;
use crate::plan::QueryPlan;
use crate::record::{BytesColumn, RawBatch};
use crate::sql::ast::StatementKind;
use crate::sql::planner::{self, Context, Defaults};

/// The plan of the last statement; the others declare what it reads.
fn plan(sql: &str) -> QueryPlan {
    let mut catalog = Catalog::new();
    let functions = FunctionRegistry::builtin();
    let mut last = None;
    for statement in crate::sql::parse_statements(sql).expect("it parses") {
        let context =
            Context { catalog: &catalog, functions: &functions, defaults: Defaults::default(), statement: sql };
        match &statement.kind {
            StatementKind::CreateSource(create) => {
                let relation = planner::create_source(&context, create).expect("it binds");
                catalog.add_relation(relation, false, Span::default()).expect("it is new");
            }
            StatementKind::CreateAsSelect(create) => {
                last = Some(planner::create_as_select(&context, create).expect("it plans").plan);
            }
            StatementKind::Query(query) => {
                last = Some(planner::push_query(&context, query, "Q".into()).expect("it plans"));
            }
            other => panic!("not for this test: {other:?}"),
        }
    }
    last.expect("a query")
}

/// Records `(key, value)` with offsets from 10 and times from 1000.
fn records(rows: &[(Option<&str>, Option<&str>)]) -> RawBatch {
    let mut raw = RawBatch::new("t".into(), 3);
    for (i, (key, value)) in rows.iter().enumerate() {
        raw.headers.push("n", Some(i.to_string().as_bytes()));
        raw.push(10 + i as i64, 1000 + i as i64, key.map(str::as_bytes), value.map(str::as_bytes));
    }
    raw
}

fn texts(column: &BytesColumn) -> Vec<Option<String>> {
    column.iter().map(|bytes| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned())).collect()
}

fn run(sql: &str, rows: &[(Option<&str>, Option<&str>)]) -> TaskOutput {
    let mut output = TaskOutput::default();
    Task::new(&plan(sql), 3).expect("a task").process(&records(rows), &mut output).expect("it processes");
    output
}

const EVENTS: &str =
    "CREATE STREAM s (k VARCHAR KEY, id BIGINT, temp DOUBLE) WITH (kafka_topic='t', value_format='JSON');";

#[test]
fn a_filtered_projection_keeps_keys_times_and_headers_of_the_records_that_pass() {
    let sql = format!("{EVENTS} CREATE STREAM hot AS SELECT k, id + 1 AS next, temp FROM s WHERE temp > 30;");
    let output = run(
        &sql,
        &[
            (Some("a"), Some(r#"{"id":1,"temp":20.5}"#)),
            (Some("b"), Some(r#"{"id":2,"temp":31.0,"other":[1,{"x":2}]}"#)),
            (None, Some(r#"{"id":3,"temp":40}"#)),
        ],
    );
    assert_eq!(output.bad, 0);
    assert_eq!(&*output.records.topic, "HOT");
    assert_eq!(texts(&output.records.keys), [Some("b".to_string()), None]);
    let values = texts(&output.records.values);
    assert_eq!(values[0].as_deref(), Some(r#"{"NEXT":3,"TEMP":31.0}"#));
    assert_eq!(values[1].as_deref(), Some(r#"{"NEXT":4,"TEMP":40.0}"#));
    assert_eq!(output.records.timestamps, [1001, 1002]);
    let header: Vec<_> = output.records.headers.get(1).collect();
    assert_eq!(header, [("n", Some(&b"2"[..]))]);
}

#[test]
fn a_bad_record_is_one_report_with_its_offset_and_no_value_and_leaves_its_neighbours_alone() {
    let sql = format!("{EVENTS} CREATE STREAM c AS SELECT k, id FROM s;");
    let rows = [
        (None, Some(r#"{"id":1}"#)),
        (None, Some(r#"{"id":"secret""#)),
        (None, Some("secret")),
        (None, Some(r#"{"id":4}"#)),
    ];
    let output = run(&sql, &rows);
    assert_eq!(texts(&output.records.values), [Some(r#"{"ID":1}"#.to_string()), Some(r#"{"ID":4}"#.to_string())]);
    assert_eq!(output.bad, 2);
    assert_eq!((output.reports[0].partition, output.reports[0].offset), (3, 11));
    assert_eq!(output.reports[1].offset, 12);
    assert!(output.reports.iter().all(|report| !report.message.contains("secret")), "{:?}", output.reports);
}

#[test]
fn a_tombstone_passes_a_projection_and_not_a_filter() {
    let rows = [(Some("a"), None), (Some("b"), Some(r#"{"id":1}"#))];
    let projected = run(&format!("{EVENTS} CREATE STREAM c AS SELECT k, id FROM s;"), &rows);
    assert_eq!(texts(&projected.records.values), [None, Some(r#"{"ID":1}"#.to_string())]);
    assert_eq!(texts(&projected.records.keys)[0].as_deref(), Some("a"));
    let filtered = run(&format!("{EVENTS} CREATE STREAM c AS SELECT k, id FROM s WHERE temp IS NULL;"), &rows);
    assert_eq!(texts(&filtered.records.keys), [Some("b".to_string())]);
}

#[test]
fn pseudo_columns_are_time_partition_and_offset_of_the_record() {
    let sql = format!("{EVENTS} SELECT ROWTIME, ROWPARTITION, ROWOFFSET, id FROM s EMIT CHANGES;");
    let output = run(&sql, &[(None, Some(r#"{"id":7}"#))]);
    let rows = output.rows.expect("rows of a push query");
    let line = datafusion::arrow::util::pretty::pretty_format_batches(&[rows]).unwrap().to_string();
    assert!(line.contains("| 1000    | 3            | 10        | 7  |"), "{line}");
}

#[test]
fn a_timestamp_column_gives_the_event_time_and_a_bad_one_drops_its_record() {
    let sql = "CREATE STREAM s (id BIGINT, ts BIGINT) WITH (kafka_topic='t', value_format='JSON', timestamp='ts');
               CREATE STREAM c AS SELECT id FROM s;";
    let rows = [(None, Some(r#"{"id":1,"ts":77}"#)), (None, Some(r#"{"id":2,"ts":-5}"#)), (None, Some(r#"{"id":3}"#))];
    let output = run(sql, &rows);
    assert_eq!(output.records.timestamps, [77]);
    assert_eq!(output.bad, 2);
}

#[test]
fn the_cars_of_the_demo_are_scored_and_a_malformed_one_is_null_and_reported() {
    let sql = "CREATE STREAM carsensor (eventid INTEGER, sensorinput VARCHAR) WITH (kafka_topic='t', value_format='DELIMITED');
               CREATE STREAM scores AS SELECT eventid, CAST(ANOMALY(sensorinput) AS DOUBLE) AS anomaly FROM carsensor;";
    let good = format!("1,{}", vec!["3.50"; 210].join("#"));
    let output = run(sql, &[(Some("car"), Some(good.as_str())), (Some("car"), Some("2,1.0#2.0"))]);
    let values = texts(&output.records.values);
    assert!(values[0].as_deref().unwrap().starts_with("1,"));
    assert_eq!(values[1].as_deref(), Some("2,"));
    assert_eq!((output.bad, output.reports[0].offset), (1, 11));
    assert_eq!(texts(&output.records.keys), [None, None], "a stream without key columns writes no key");
}

#[test]
fn a_dead_letter_is_the_record_as_it_came_with_the_reason_and_nothing_of_it_is_written() {
    let sql = format!(
        "{EVENTS} CREATE STREAM c WITH (on_error='dead_letter', dead_letter_topic='dead') AS
         SELECT k, id, 10 / id AS q FROM s WHERE 10 / (id - 2) < 100;"
    );
    let rows = [
        (Some("a"), Some(r#"{"id":1}"#)),
        (Some("b"), Some("no json")),
        (Some("c"), Some(r#"{"id":0}"#)),
        (Some("d"), Some(r#"{"id":2}"#)),
        (Some("e"), Some(r#"{"id":5}"#)),
    ];
    let output = run(&sql, &rows);
    let written: Vec<_> = texts(&output.records.keys).into_iter().flatten().collect();
    assert_eq!(written, ["a", "e"]);
    assert_eq!(output.bad, 3);
    assert_eq!(&*output.dead.topic, "dead");
    let dead: Vec<_> = texts(&output.dead.keys).into_iter().flatten().collect();
    assert_eq!(dead, ["b", "c", "d"], "in the order of the records");
    assert_eq!(texts(&output.dead.values)[0].as_deref(), Some("no json"));
    assert_eq!(output.dead.timestamps, [1001, 1002, 1003]);
    let headers = |row: usize| -> Vec<(String, String)> {
        let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
        output.dead.headers.get(row).map(|(name, value)| (name.to_string(), text(value))).collect()
    };
    let of = |row: usize, name: &str| {
        headers(row).into_iter().find_map(|(n, value)| (n == format!("__alcedo.errors.{name}")).then_some(value))
    };
    assert_eq!(headers(0)[0], ("n".to_string(), "1".to_string()), "the record's own header comes first");
    let place = ["query", "topic", "partition", "offset", "stage"].map(|name| of(0, name).unwrap());
    assert_eq!(place, ["CSAS_C", "t", "3", "11", "read"]);
    assert_eq!(of(1, "message").as_deref(), Some("Q: division by zero"));
    assert_eq!(of(2, "message").as_deref(), Some("WHERE: division by zero"));
    assert_eq!(of(2, "stage").as_deref(), Some("compute"));
}
