//! Statements in, records in, records out: the whole core without a broker.

use super::*;
use crate::catalog::Catalog;
use crate::error::Span;
use crate::functions::FunctionRegistry;
use crate::plan::QueryPlan;
use crate::record::{BytesColumn, RawBatch};
use crate::sql::ast::StatementKind;
use crate::sql::planner::{self, Context, Defaults};

mod joins;

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
    Task::new(&plan(sql)).expect("a task").process(&records(rows), &mut output).expect("it processes");
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
    let line = datafusion::arrow::util::pretty::pretty_format_batches(&output.rows).unwrap().to_string();
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

#[test]
fn headers_are_columns_and_go_on_with_their_record() {
    let sql = "CREATE STREAM s (k VARCHAR KEY, v INT, n BYTES HEADER('n'), x BYTES HEADER('x'))
        WITH (kafka_topic='t', value_format='JSON');";
    let output = run(
        &format!("{sql} CREATE STREAM o AS SELECT k, n, x FROM s;"),
        &[(Some("a"), Some(r#"{"v":1}"#)), (Some("b"), Some(r#"{"v":2}"#))],
    );
    let values = texts(&output.records.values);
    assert_eq!(values[1].as_deref(), Some(r#"{"N":"MQ==","X":null}"#));
    assert_eq!(output.records.headers.get(1).next(), Some(("n", Some(&b"1"[..]))));
    let all = "CREATE STREAM s (v INT, h ARRAY<STRUCT<key STRING, value BYTES>> HEADERS)
        WITH (kafka_topic='t', value_format='JSON'); CREATE STREAM o AS SELECT h FROM s;";
    let output = run(all, &[(None, Some(r#"{"v":1}"#))]);
    assert_eq!(texts(&output.records.values)[0].as_deref(), Some(r#"{"H":[{"KEY":"n","VALUE":"MA=="}]}"#));
}

#[test]
fn a_text_is_event_time_by_its_format_and_a_bad_one_drops_its_record() {
    let sql = "CREATE STREAM s (k VARCHAR KEY, seen VARCHAR)
        WITH (kafka_topic='t', value_format='JSON', timestamp='seen', timestamp_format='yyyy-MM-dd''T''HH:mm:ssX');
        CREATE STREAM o AS SELECT k, ROWTIME AS t FROM s;";
    let rows = [
        (Some("a"), Some(r#"{"seen":"2018-05-11T21:58:33Z"}"#)),
        (Some("b"), Some(r#"{"seen":"yesterday"}"#)),
        (Some("c"), Some(r#"{"seen":null}"#)),
    ];
    let output = run(sql, &rows);
    assert_eq!((output.records.timestamps.as_slice(), output.bad), (&[1_526_075_913_000][..], 2));
    assert_eq!(output.reports[0].message, "the timestamp column does not fit TIMESTAMP_FORMAT");
    let sink = "CREATE STREAM s (k VARCHAR KEY, seen VARCHAR) WITH (kafka_topic='t', value_format='JSON');
        CREATE STREAM o WITH (timestamp='seen', timestamp_format='yyyy-MM-dd''T''HH:mm:ssX') AS SELECT * FROM s;";
    let output = run(sink, &rows);
    assert_eq!((output.records.timestamps.as_slice(), output.bad), (&[1_526_075_913_000][..], 2));
}

#[test]
fn windows_of_keys_are_columns_and_stay_in_the_key() {
    let sql = "CREATE STREAM s (k VARCHAR KEY, v INT)
        WITH (kafka_topic='t', value_format='JSON', window_type='session');
        CREATE STREAM o AS SELECT k, WINDOWSTART AS ws, WINDOWEND AS we FROM s WHERE WINDOWEND > 6;";
    let mut raw = RawBatch::new("t".into(), 0);
    let key = |end: i64, start: i64| [&b"k"[..], &end.to_be_bytes(), &start.to_be_bytes()].concat();
    for (offset, key) in [key(7, 5), key(6, 5), b"short".to_vec()].iter().enumerate() {
        raw.push(offset as i64, 0, Some(key), Some(br#"{"v":1}"#));
    }
    let mut output = TaskOutput::default();
    Task::new(&plan(sql)).expect("a task").process(&raw, &mut output).expect("it processes");
    assert_eq!(output.records.keys.iter().collect::<Vec<_>>(), [Some(&key(7, 5)[..])]);
    assert_eq!(texts(&output.records.values)[0].as_deref(), Some(r#"{"WS":5,"WE":7}"#));
    assert_eq!(output.reports[0].message, "key cannot be read: it is too short to hold a window");
}

#[test]
fn a_missing_key_stays_missing_unless_partition_by_computes_one() {
    let source = "CREATE STREAM s (a VARCHAR KEY, b INT KEY, v INT) WITH (kafka_topic='t', format='JSON');";
    let rows = [(None, Some(r#"{"v":7}"#)), (Some(r#"{"a":"x","b":1}"#), None)];
    let kept = run(&format!("{source} CREATE STREAM o AS SELECT * FROM s;"), &rows);
    assert_eq!(texts(&kept.records.keys), [None, Some(r#"{"A":"x","B":1}"#.to_string())]);
    let computed = run(&format!("{source} CREATE STREAM o AS SELECT * FROM s PARTITION BY v, a;"), &rows);
    let keys = texts(&computed.records.keys);
    assert_eq!(keys[0].as_deref(), Some(r#"{"V":7,"A":null}"#));
    assert_eq!((keys[1].as_deref(), computed.records.values.get(1)), (Some(r#"{"V":null,"A":"x"}"#), None));
    let single = run(&format!("{source} CREATE STREAM o AS SELECT v, b FROM s PARTITION BY b;"), &rows);
    assert_eq!(texts(&single.records.keys), [None, Some("1".to_string())]);
}

#[test]
fn exploded_rows_keep_key_time_and_headers_of_their_record() {
    let sql = "CREATE STREAM s (k VARCHAR KEY, a ARRAY<INT>) WITH (kafka_topic='t', value_format='JSON');
        CREATE STREAM o AS SELECT k, EXPLODE(a) AS e FROM s;";
    let rows = [(Some("x"), Some(r#"{"a":[]}"#)), (Some("y"), Some(r#"{"a":[1,2]}"#)), (Some("z"), None)];
    let output = run(sql, &rows);
    assert_eq!(texts(&output.records.keys), [Some("y".to_string()), Some("y".to_string())]);
    assert_eq!(texts(&output.records.values)[1].as_deref(), Some(r#"{"E":2}"#));
    assert_eq!(output.records.timestamps, [1001, 1001]);
    assert_eq!(output.records.headers.get(1).next(), Some(("n", Some(&b"1"[..]))));
}

#[test]
fn a_record_of_a_table_needs_a_key() {
    let sql = "CREATE TABLE t (k VARCHAR PRIMARY KEY, v INT) WITH (kafka_topic='t', value_format='JSON');
        CREATE TABLE o AS SELECT k, v + 1 AS w FROM t;";
    let output = run(sql, &[(None, Some(r#"{"v":1}"#)), (Some("a"), Some(r#"{"v":2}"#)), (Some("a"), None)]);
    assert_eq!(texts(&output.records.values), [Some(r#"{"W":3}"#.to_string()), None]);
    assert_eq!(output.reports[0].message, "a record of a table needs a key");
}

#[test]
fn a_lambda_fails_its_row_and_no_other() {
    let sql = "CREATE STREAM s (a ARRAY<INT>, n INT) WITH (kafka_topic='t', value_format='JSON');
        CREATE STREAM o AS SELECT TRANSFORM(a, x => 10 / x + n) AS t, FILTER(a, x => 10 / x > 2) AS f,
        REDUCE(a, n, (s, x) => s + 10 / x) AS r FROM s;";
    let rows =
        [(None, Some(r#"{"a":[1,5],"n":1}"#)), (None, Some(r#"{"a":[2,0],"n":1}"#)), (None, Some(r#"{"a":[],"n":3}"#))];
    let output = run(sql, &rows);
    let values = texts(&output.records.values);
    assert_eq!(values[0].as_deref(), Some(r#"{"T":[11,3],"F":[1],"R":13}"#));
    assert_eq!(values[1].as_deref(), Some(r#"{"T":null,"F":null,"R":null}"#));
    assert_eq!(values[2].as_deref(), Some(r#"{"T":[],"F":[],"R":3}"#));
    assert_eq!(output.bad, 3);
    assert!(output.reports.iter().all(|report| report.offset == 11), "{:?}", output.reports);
}

#[test]
fn a_null_value_is_no_row_of_a_stream_and_takes_a_row_of_a_table_away() {
    let stream = "CREATE STREAM s (k VARCHAR KEY, v INT) WITH (kafka_topic='t', value_format='JSON');
        SELECT k, v FROM s EMIT CHANGES;";
    let table = "CREATE TABLE s (k VARCHAR PRIMARY KEY, v INT) WITH (kafka_topic='t', value_format='JSON');
        SELECT k, COALESCE(v, 7) AS v FROM s EMIT CHANGES;";
    let records =
        [(Some("a"), Some("{\"v\":1}")), (Some("a"), None), (None, Some("{\"v\":2}")), (Some("b"), Some("{}"))];
    let rows = |sql: &str| {
        let output = run(sql, &records);
        let shown = datafusion::arrow::util::pretty::pretty_format_batches(&output.rows).expect("a table").to_string();
        let cells = |line: &str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join(",");
        (shown.lines().skip(3).filter(|line| line.starts_with('|')).map(cells).collect::<Vec<_>>(), output.bad)
    };
    assert_eq!(rows(stream), (vec!["a,1".to_string(), ",2".to_string(), "b,".to_string()], 0));
    // A record of a table without a key is none, and is reported.
    assert_eq!(rows(table), (vec!["a,1".to_string(), "a,".to_string(), "b,7".to_string()], 1));
}

#[test]
fn json_that_is_null_is_a_tombstone_as_in_ksqldb() {
    let rows = [(Some("a"), Some("null")), (Some("b"), Some(r#"{"id":1}"#)), (Some("c"), Some(" null"))];
    let projected = run(&format!("{EVENTS} CREATE STREAM c AS SELECT k, id FROM s;"), &rows);
    assert_eq!(texts(&projected.records.values), [None, Some(r#"{"ID":1}"#.to_string()), None]);
    let filtered = run(&format!("{EVENTS} CREATE STREAM c AS SELECT k, id FROM s WHERE temp IS NULL;"), &rows);
    assert_eq!(texts(&filtered.records.keys), [Some("b".to_string())]);
    // A tombstone has no columns, so no time of its own that could be wrong.
    let timed = "CREATE STREAM s (k VARCHAR KEY, id BIGINT, ts BIGINT)
        WITH (kafka_topic='t', value_format='JSON', timestamp='ts'); CREATE STREAM c AS SELECT k, id FROM s;";
    let output = run(timed, &rows[..1]);
    assert_eq!((output.bad, output.records.timestamps.as_slice()), (0, &[1000][..]));
    // An unwrapped value is not the record: it is a column that is null.
    let bare = "CREATE STREAM s (k VARCHAR KEY, id BIGINT)
        WITH (kafka_topic='t', value_format='JSON', wrap_single_value=false);
        CREATE STREAM c WITH (wrap_single_value=true) AS SELECT k, id FROM s;";
    assert_eq!(texts(&run(bare, &rows[..1]).records.values), [Some(r#"{"ID":null}"#.to_string())]);
    let keys = "CREATE TABLE t (a INT PRIMARY KEY, b INT PRIMARY KEY, v INT) WITH (kafka_topic='t', format='JSON');
        CREATE TABLE o AS SELECT * FROM t;";
    let output = run(keys, &[(Some("null"), Some(r#"{"v":1}"#))]);
    assert_eq!(output.reports[0].message, "a record of a table needs a key");
}

#[test]
fn a_bare_value_is_read_unless_the_statement_says_that_it_is_wrapped() {
    let declare = |with: &str| {
        format!(
            "CREATE STREAM s (temp DOUBLE) WITH (kafka_topic='t', value_format='JSON'{with});
             CREATE STREAM c AS SELECT temp FROM s;"
        )
    };
    let rows = [(None, Some("23.5")), (None, Some(r#"{"temp":24}"#))];
    let output = run(&declare(""), &rows);
    assert_eq!(texts(&output.records.values), [Some(r#"{"TEMP":23.5}"#.into()), Some(r#"{"TEMP":24.0}"#.into())]);
    let output = run(&declare(", wrap_single_value=true"), &rows);
    assert_eq!((output.bad, output.records.len(), output.reports[0].offset), (1, 1, 10));
    let output = run(&declare(", wrap_single_value=false"), &rows);
    assert_eq!((output.bad, output.records.len(), output.reports[0].offset), (1, 1, 11));
}

#[test]
fn a_delimiter_that_has_a_name_or_several_bytes_delimits_keys_and_values() {
    for (name, delimiter) in [("TAB", "\t"), ("SPACE", " "), ("|", "|"), ("¦", "¦")] {
        let sql = format!(
            "CREATE STREAM s (a INT KEY, b VARCHAR KEY, x INT, y VARCHAR)
             WITH (kafka_topic='t', format='DELIMITED', key_delimiter='{name}', value_delimiter='{name}');
             CREATE STREAM o AS SELECT a, b, x + 1 AS x, y FROM s;"
        );
        let (key, value) = (format!("1{delimiter}k"), format!("2{delimiter}v"));
        let output = run(&sql, &[(Some(&key), Some(&value))]);
        assert_eq!(output.bad, 0, "{name}: {:?}", output.reports);
        assert_eq!(texts(&output.records.keys), [Some(key)]);
        assert_eq!(texts(&output.records.values), [Some(format!("3{delimiter}v"))]);
    }
}

/// One record with an element that fails, and one that cannot be read.
const LISTS: [(Option<&str>, Option<&str>); 5] = [
    (Some("a"), Some(r#"{"a":[1,2]}"#)),
    (Some("b"), Some(r#"{"a":[5,0,5]}"#)),
    (Some("c"), Some(r#"{"a":[4]}"#)),
    (Some("d"), Some("no json")),
    (Some("e"), Some(r#"{"a":[10]}"#)),
];

#[test]
fn a_dead_letter_leaves_none_of_the_rows_it_was_exploded_into() {
    let sql = |with: &str| {
        format!(
            "CREATE STREAM s (k VARCHAR KEY, a ARRAY<INT>) WITH (kafka_topic='t', value_format='JSON');
             CREATE STREAM o WITH ({with}value_format='JSON') AS SELECT k, 10 / EXPLODE(a) AS q FROM s;"
        )
    };
    let output = run(&sql("on_error='dead_letter', dead_letter_topic='dead', "), &LISTS);
    let keys: Vec<_> = texts(&output.records.keys).into_iter().flatten().collect();
    assert_eq!(keys, ["a", "a", "c", "e"]);
    assert_eq!(texts(&output.dead.keys), [Some("b".to_string()), Some("d".to_string())]);
    assert_eq!(output.bad, 2, "each is told once, however often it is computed: {:?}", output.reports);
    let skipped = run(&sql(""), &LISTS);
    assert_eq!((skipped.bad, skipped.records.len()), (2, 7));
    // Where a record is to end the query, nothing is given away of the batch it is in.
    let failed = run(&sql("on_error='fail', "), &LISTS);
    assert_eq!((failed.records.len(), failed.first.map(|report| report.offset)), (0, Some(11)));
}

#[test]
fn a_result_without_a_time_makes_its_record_a_dead_letter_with_all_its_rows() {
    let sql = "CREATE STREAM s (k VARCHAR KEY, a ARRAY<BIGINT>) WITH (kafka_topic='t', value_format='JSON');
        CREATE STREAM o WITH (on_error='dead_letter', dead_letter_topic='dead', timestamp='ts') AS
        SELECT k, EXPLODE(a) AS ts FROM s;";
    let output = run(sql, &[(Some("a"), Some(r#"{"a":[7,-1,8]}"#)), (Some("b"), Some(r#"{"a":[9]}"#))]);
    assert_eq!(output.records.timestamps, [9]);
    assert_eq!(texts(&output.dead.keys), [Some("a".to_string())]);
    assert_eq!((output.bad, output.reports[0].stage), (1, Stage::Time));
}

#[test]
fn the_first_bad_record_is_known_among_any_number_of_others() {
    let sql = format!("{EVENTS} CREATE STREAM c WITH (on_error='fail') AS SELECT k, 10 / id AS q FROM s;");
    let mut rows = vec![(Some("a"), Some(r#"{"id":1}"#)), (Some("b"), Some(r#"{"id":0}"#))];
    rows.extend([(Some("x"), Some("no json")); 100]);
    let output = run(&sql, &rows);
    assert_eq!((output.bad, output.reports.len()), (101, 64));
    let first = output.first.expect("one is bad");
    assert_eq!((first.offset, first.stage, first.message.as_str()), (11, Stage::Compute, "Q: division by zero"));
    assert!(output.records.is_empty());
}

#[test]
fn a_part_that_fails_makes_its_column_null_and_its_row_fail_the_filter_whatever_is_around_it() {
    let source = "CREATE STREAM s (id INT, d INT, t VARCHAR) WITH (kafka_topic='t', value_format='JSON');";
    let rows = [
        (None, Some(r#"{"id":1,"d":2,"t":"7"}"#)),
        (None, Some(r#"{"id":2,"d":0,"t":"x"}"#)),
        (None, Some(r#"{"id":3,"d":null,"t":null}"#)),
    ];
    // Parts that fail by themselves are results of CAST, elements, and arguments that are functions.
    let columns = "COALESCE(10 / d, -1) AS a, IFNULL(CAST(t AS INT), -1) AS b,
        CASE WHEN 10 / d > 1 THEN 'y' ELSE 'n' END AS c, d <> 0 AND 10 / d > 1 AS e, ARRAY[10 / d, id] AS f,
        STRUCT(x := 10 / d, y := id) AS g, COALESCE(PARSE_DATE(t, 'yyyy'), FROM_DAYS(id)) AS h";
    let output = run(&format!("{source} CREATE STREAM o AS SELECT id, {columns} FROM s;"), &rows);
    let values: Vec<String> = texts(&output.records.values).into_iter().flatten().collect();
    let first = r#"{"ID":1,"A":5,"B":7,"C":"y","E":true,"F":[5,1],"G":{"X":5,"Y":1},"#;
    assert!(values[0].starts_with(first), "{values:?}");
    // What `AND` did not need has not failed.
    let second = r#"{"ID":2,"A":null,"B":-1,"C":null,"E":false,"F":[null,2],"G":{"X":null,"Y":2},"H":2}"#;
    assert_eq!(values[1], second);
    let third = r#"{"ID":3,"A":-1,"B":-1,"C":"n","E":false,"F":[null,3],"G":{"X":null,"Y":3},"H":3}"#;
    assert_eq!(values[2], third);
    let of_second = output.reports.iter().filter(|report| report.offset == 11).count();
    assert_eq!(of_second, 6, "{:?}", output.reports);
    for predicate in ["NOT (10 / d > 5)", "COALESCE(10 / d, 1) = 1", "10 / d IS NULL"] {
        let output = run(&format!("{source} CREATE STREAM o AS SELECT id FROM s WHERE {predicate};"), &rows[1..]);
        assert_eq!((output.records.len(), output.bad), (1, 1), "{predicate}: {:?}", output.reports);
    }
}
