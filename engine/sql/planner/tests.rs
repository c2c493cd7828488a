//! Statements become plans, or are refused where and for what they are wrong.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{Int32Type, Int64Type};
use datafusion::arrow::util::pretty::pretty_format_batches;

use super::*;
use crate::error::{Code, Error, Result};
use crate::operators::{Pipeline, RowReport};
use crate::plan::{QueryPlan, Step, explain::explain};
use crate::record::Batch;
use crate::sql::ast::{Statement, StatementKind};
use crate::sql::parse_statement;

mod joins;
mod topics;

/// A catalog that grows by the statements it is given.
struct World {
    catalog: Catalog,
    functions: FunctionRegistry,
}

enum Planned {
    Relation,
    Query(Box<QueryPlan>),
    Row(InsertRow),
}

impl World {
    fn new(statements: &[&str]) -> World {
        let mut world = World { catalog: Catalog::new(), functions: FunctionRegistry::builtin() };
        for statement in statements {
            world.run(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        world
    }

    fn run(&mut self, text: &str) -> Result<Planned> {
        let Statement { kind, span } = parse_statement(text)?;
        let catalog = self.catalog.clone();
        let context =
            Context { catalog: &catalog, functions: &self.functions, defaults: Defaults::default(), statement: text };
        match kind {
            StatementKind::CreateSource(create) => {
                let relation = create_source(&context, &create)?;
                self.catalog.add_relation(relation, create.or_replace, create.name.span)?;
                Ok(Planned::Relation)
            }
            StatementKind::CreateAsSelect(create) => self.add(create_as_select(&context, &create)?),
            StatementKind::InsertSelect { target, properties, query } => {
                self.add(insert_select(&context, &target, &properties, &query, 1)?)
            }
            StatementKind::InsertValues { target, columns, values } => {
                Ok(Planned::Row(insert_values(&context, &target, &columns, &values)?))
            }
            StatementKind::Query(query) => Ok(Planned::Query(Box::new(push_query(&context, &query, "push_1".into())?))),
            _ => Err(Error::unsupported("this statement", span)),
        }
    }

    fn add(&mut self, planned: PersistentPlan) -> Result<Planned> {
        if let Some(sink) = planned.sink {
            self.catalog.add_relation(sink, false, Default::default())?;
        }
        self.catalog.add_query(planned.query, false, Default::default())?;
        Ok(Planned::Query(Box::new(planned.plan)))
    }

    #[track_caller]
    fn plan(&mut self, text: &str) -> QueryPlan {
        match self.run(text) {
            Ok(Planned::Query(plan)) => *plan,
            Ok(_) => panic!("{text} is no query"),
            Err(error) => panic!("{text}: {error}"),
        }
    }

    #[track_caller]
    fn row(&mut self, text: &str) -> InsertRow {
        match self.run(text) {
            Ok(Planned::Row(row)) => row,
            Ok(_) => panic!("{text} is no INSERT VALUES"),
            Err(error) => panic!("{text}: {error}"),
        }
    }

    /// The statement is refused with this message, this detail, this hint, at this part of its text.
    #[track_caller]
    fn refuses(&mut self, text: &str, message: &str, at: &str) -> Error {
        match self.run(text) {
            Ok(_) => panic!("{text} is accepted"),
            Err(error) => {
                assert_eq!(error.message(), message, "{text}");
                let span = error.span().unwrap_or_else(|| panic!("{text}: no place"));
                assert_eq!(&text[span.start..span.end], at, "place in {text}");
                assert_ne!(error.code(), Code::InvalidStatement, "{text}: no code of its own");
                error
            }
        }
    }
}

const CARS: &str = "CREATE STREAM cars (k STRING KEY, id INT, speed BIGINT, note STRING)
    WITH (kafka_topic='cars', value_format='JSON');";

/// Three records of CARS, of which only the columns a plan reads are there.
fn cars(plan: &QueryPlan) -> Batch {
    let all: [ArrayRef; 7] = [
        Arc::new(StringArray::from(vec!["a", "b", "c"])),
        Arc::new(Int32Array::from(vec![1, 2, 0])),
        Arc::new(Int64Array::from(vec![Some(10), Some(200), None])),
        Arc::new(StringArray::from(vec!["7", "zz", "9"])),
        Arc::new(Int64Array::from(vec![1000, 2000, 3000])),
        Arc::new(Int32Array::from(vec![0, 0, 0])),
        Arc::new(Int64Array::from(vec![5, 6, 9])),
    ];
    let read = all.into_iter().zip(&plan.source.projection).filter(|(_, read)| **read).map(|(array, _)| array);
    Batch::new(RecordBatch::try_new(plan.source.read_schema(), read.collect()).unwrap())
}

fn run(plan: &QueryPlan) -> (Batch, Vec<RowReport>) {
    let mut reports = Vec::new();
    let out = Pipeline::new(&plan.steps).whole(cars(plan), &mut reports).unwrap();
    (out, reports)
}

#[test]
fn a_persistent_query_reads_only_the_columns_it_needs_and_keeps_the_key() {
    let mut world = World::new(&[CARS]);
    let plan = world.plan("CREATE STREAM fast AS SELECT id + 1, k, CAST(note AS INT) n FROM cars WHERE speed > 5;");
    insta::assert_snapshot!(explain(&plan), @r"
    persistent query CSAS_FAST
    Sink FAST into topic FAST
       formats: key KAFKA, value JSON
       columns: K STRING KEY, KSQL_COL_0 INTEGER, N INTEGER
    └─ Project
          K: K STRING
          KSQL_COL_0: ID + 1 INTEGER
          N: CAST(NOTE AS INTEGER) INTEGER
       └─ Filter
             where: SPEED > 5
          └─ Scan CARS from topic cars
                formats: key KAFKA, value JSON
                columns: K STRING KEY, ID INTEGER, SPEED BIGINT, NOTE STRING
                reads: K, ID, SPEED, NOTE
    ");
    let (out, reports) = run(&plan);
    let table = pretty_format_batches(std::slice::from_ref(&out.columns)).unwrap().to_string();
    insta::assert_snapshot!(table, @r"
    +---+------------+---+
    | K | KSQL_COL_0 | N |
    +---+------------+---+
    | a | 2          | 7 |
    | b | 3          |   |
    +---+------------+---+
    ");
    assert_eq!((out.record_of(0), out.record_of(1)), (0, 1));
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].record, 1);
    assert!(reports[0].message.starts_with("N: "), "{}", reports[0].message);
    assert!(!reports[0].message.contains("zz"), "the report holds a value: {}", reports[0].message);
}

#[test]
fn the_statements_of_the_car_demo_become_plans() {
    let mut world = World::new(&["CREATE STREAM carsensor (eventid INTEGER, sensorinput VARCHAR) \\
        WITH (kafka_topic='temperature', value_format='DELIMITED');"]);
    let plan = world.plan("SELECT eventid, ANOMALY(sensorinput) FROM carsensor EMIT CHANGES;");
    assert_eq!(plan.output.to_string(), "EVENTID INTEGER, KSQL_COL_0 STRING");
    let text = "CREATE STREAM AnomalyDetection WITH (kafka_topic='AnomalyDetection', value_format='DELIMITED', \
        partitions=1) AS SELECT eventid, CAST(ANOMALY(sensorinput) AS DOUBLE) AS anomaly FROM carsensor";
    let plan = world.plan(text);
    assert_eq!(plan.query_id, "CSAS_ANOMALYDETECTION");
    assert_eq!(plan.output.to_string(), "EVENTID INTEGER, ANOMALY DOUBLE");
    let plan = world.plan("CREATE STREAM breakdown AS SELECT * FROM AnomalyDetection WHERE anomaly > 3 EMIT CHANGES;");
    insta::assert_snapshot!(explain(&plan), @r"
    persistent query CSAS_BREAKDOWN
    Sink BREAKDOWN into topic BREAKDOWN
       formats: key KAFKA, value DELIMITED
       columns: EVENTID INTEGER, ANOMALY DOUBLE
    └─ Project
          EVENTID: EVENTID INTEGER
          ANOMALY: ANOMALY DOUBLE
       └─ Filter
             where: ANOMALY > 3
          └─ Scan ANOMALYDETECTION from topic AnomalyDetection
                formats: key KAFKA, value DELIMITED
                columns: EVENTID INTEGER, ANOMALY DOUBLE
                reads: EVENTID, ANOMALY
    ");
}

#[test]
fn columns_that_are_only_filtered_by_are_not_carried_further() {
    let mut world = World::new(&[CARS]);
    let plan = world.plan("SELECT id FROM cars WHERE speed > 100 EMIT CHANGES LIMIT 3;");
    assert_eq!(plan.source.projection, [false, true, true, false, false, false, false]);
    let Step::Filter { keep, .. } = &plan.steps[0] else { panic!("{:?}", plan.steps) };
    assert_eq!(keep, &[0]);
    let (out, _) = run(&plan);
    assert_eq!(out.columns.column(0).as_primitive::<Int32Type>().values(), &[2]);
    assert_eq!(out.record_of(0), 1);
    let text = explain(&plan);
    assert!(text.starts_with("push query push_1\nSend limit 3\n"), "{text}");
}

#[test]
fn a_where_that_cannot_be_computed_drops_the_row_and_reports_it() {
    let mut world = World::new(&[CARS]);
    let plan = world.plan("SELECT k FROM cars WHERE 100 / id > 10 EMIT CHANGES;");
    let (out, reports) = run(&plan);
    assert_eq!(out.len(), 2);
    assert_eq!(reports, [RowReport { record: 2, message: "WHERE: division by zero".into() }]);
}

#[test]
fn tombstones_pass_a_projection_and_never_a_filter() {
    let mut world = World::new(&[CARS]);
    let everything = world.plan("SELECT k, note FROM cars EMIT CHANGES;");
    let mut batch = cars(&everything);
    batch.tombstones = Some(vec![false, true, false].into());
    let out = Pipeline::new(&everything.steps).whole(batch.clone(), &mut Vec::new()).unwrap();
    assert_eq!((0..3).map(|row| out.is_tombstone(row)).collect::<Vec<_>>(), [false, true, false]);
    let filtered = world.plan("SELECT k, note FROM cars WHERE k <> 'zz' EMIT CHANGES;");
    let out = Pipeline::new(&filtered.steps).whole(batch, &mut Vec::new()).unwrap();
    assert_eq!((out.len(), out.record_of(1)), (2, 2));
    assert!(out.tombstones.is_none());
}

#[test]
fn a_filter_that_keeps_all_or_nothing_copies_nothing() {
    let mut world = World::new(&[CARS]);
    let plan = world.plan("SELECT k FROM cars WHERE rowtime > 0 EMIT CHANGES;");
    let (out, _) = run(&plan);
    assert_eq!((out.len(), out.origin.is_none()), (3, true));
    let plan = world.plan("SELECT k FROM cars WHERE rowtime < 0 EMIT CHANGES;");
    assert!(run(&plan).0.is_empty());
    let plan = world.plan("SELECT k FROM cars WHERE 1 = 1 EMIT CHANGES;");
    assert_eq!(plan.steps.len(), 1, "a WHERE that is always true is no step");
}

#[test]
fn the_star_is_all_declared_columns_and_aliases_rename_keys() {
    let mut world = World::new(&[CARS]);
    let plan = world.plan("CREATE STREAM copy WITH (kafka_topic='Copy', partitions=3) AS SELECT * FROM cars;");
    assert_eq!(plan.output.to_string(), "K STRING KEY, ID INTEGER, SPEED BIGINT, NOTE STRING");
    let sink = world.catalog.find_relation("COPY").unwrap();
    assert_eq!((sink.topic.name.as_str(), sink.topic.partitions), ("Copy", Some(3)));
    world.run("CREATE STREAM n (a STRUCT<b INT>, b INT) WITH (kafka_topic='n', value_format='JSON');").unwrap();
    let plan = world.plan("SELECT a->b, b, a->*, a->b + 1, STRUCT() FROM n EMIT CHANGES;");
    let names: Vec<&str> = plan.output.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["B_1", "B", "B_2", "KSQL_COL_0", "KSQL_COL_1"]);
    let plan = world.plan("CREATE STREAM renamed AS SELECT c.id, c.k AS car, AS_VALUE(k) kk FROM cars c;");
    assert_eq!(plan.output.to_string(), "CAR STRING KEY, ID INTEGER, KK STRING");
}

#[test]
fn a_key_column_must_be_in_the_projection_once() {
    let mut world = World::new(&[CARS]);
    let text = "CREATE STREAM s AS SELECT id FROM cars;";
    let error = world.refuses(text, "the key column K is missing from the projection", "id");
    assert_eq!(error.hint_text(), Some("Write SELECT K, ..."));
    world.refuses(
        "CREATE STREAM s AS SELECT k, id, k AS k2 FROM cars;",
        "the key column K is selected twice",
        "k AS k2",
    );
    world.refuses("CREATE STREAM s AS SELECT k FROM cars;", "the projection has no value columns", "k");
    world.refuses("CREATE STREAM s AS SELECT k, id, speed AS id FROM cars;", "two columns are named ID", "speed AS id");
    world.refuses(
        "CREATE STREAM s AS SELECT k, rowtime FROM cars;",
        "ROWTIME is a reserved name, a column cannot have it",
        "rowtime",
    );
    world.refuses(
        "CREATE STREAM s AS SELECT k, id AS rowtime FROM cars;",
        "ROWTIME is a reserved name, a column cannot have it",
        "rowtime",
    );
}

#[test]
fn what_is_not_built_yet_is_refused_by_name() {
    let mut world = World::new(&[
        CARS,
        "CREATE TABLE t (k STRING PRIMARY KEY, v INT)
        WITH (kafka_topic='t', value_format='JSON');",
    ]);
    for (text, what, at) in [
        ("SELECT k, COUNT(*) FROM cars GROUP BY k EMIT CHANGES;", "GROUP BY", "GROUP BY k"),
        ("SELECT * FROM t;", "a query over the rows that a table has now", "t"),
        ("CREATE TABLE x AS SELECT * FROM t WHERE v > 1;", "WHERE over a table", "v > 1"),
        ("CREATE STREAM z (v INT) WITH (kafka_topic='z', value_format='AVRO');", "format AVRO", "'AVRO'"),
    ] {
        world.refuses(text, &format!("{what} is not supported yet"), at);
    }
}

/// The columns of a query's sink.
fn sink_columns(plan: &QueryPlan) -> String {
    match &plan.kind {
        crate::plan::QueryKind::Persistent(sink) => sink.schema.to_string(),
        crate::plan::QueryKind::Push { .. } => panic!("a push query has no sink"),
    }
}

#[test]
fn partition_by_chooses_the_key_and_star_puts_the_old_one_last() {
    let mut world = World::new(&[CARS]);
    for (name, query, columns) in [
        ("a", "SELECT * FROM cars PARTITION BY id", "ID INTEGER KEY, SPEED BIGINT, NOTE STRING, K STRING"),
        ("b", "SELECT * FROM cars PARTITION BY k", "K STRING KEY, ID INTEGER, SPEED BIGINT, NOTE STRING"),
        ("c", "SELECT note, ABS(id) FROM cars PARTITION BY ABS(id)", "KSQL_COL_0 INTEGER KEY, NOTE STRING"),
        ("d", "SELECT id AS n, k FROM cars PARTITION BY id", "N INTEGER KEY, K STRING"),
        ("e", "SELECT k, id FROM cars PARTITION BY NULL", "K STRING, ID INTEGER"),
        (
            "f",
            "SELECT * FROM cars PARTITION BY UCASE(note)",
            "KSQL_COL_0 STRING KEY, ID INTEGER, SPEED BIGINT, NOTE STRING, K STRING",
        ),
    ] {
        let plan = world.plan(&format!("CREATE STREAM {name} AS {query};"));
        assert_eq!(sink_columns(&plan), columns, "{query}");
        assert!(plan.rekeyed.is_some());
    }
    let two = "CREATE STREAM g WITH (key_format='JSON') AS SELECT id, note, k FROM cars PARTITION BY note, id;";
    assert_eq!(sink_columns(&world.plan(two)), "NOTE STRING KEY, ID INTEGER KEY, K STRING");
}

#[test]
fn partition_by_needs_its_columns_once_and_of_the_source() {
    let mut world = World::new(&[CARS]);
    let create = |query: &str| format!("CREATE STREAM x AS {query};");
    world.refuses(
        &create("SELECT id FROM cars PARTITION BY note"),
        "NOTE of PARTITION BY is missing from the projection",
        "note",
    );
    world.refuses(
        &create("SELECT id, id AS i, k FROM cars PARTITION BY id"),
        "the key column ID is in the projection more than once",
        "id AS i",
    );
    let error = world.refuses(&create("SELECT id AS i FROM cars PARTITION BY i"), "unknown column I", "i");
    assert_eq!(
        error.hint_text(),
        Some("PARTITION BY reads the columns of the source, not the aliases of the projection.")
    );
    world.refuses(
        "CREATE STREAM x WITH (key_format='JSON') AS SELECT id FROM cars PARTITION BY NULL;",
        "KEY_FORMAT is given, and the stream has no key columns",
        "'JSON'",
    );
    world.refuses(
        &create("SELECT MAP('a' := id), k FROM cars PARTITION BY MAP('a' := id)"),
        "a key cannot hold a MAP, found MAP<STRING, INTEGER>",
        "MAP('a' := id)",
    );
}

#[test]
fn a_table_function_is_a_step_and_stands_in_a_select_list_only() {
    let mut world = World::new(&[
        "CREATE STREAM s (k STRING KEY, a ARRAY<INT>) WITH (kafka_topic='t', value_format='JSON');",
        "CREATE TABLE t (k STRING PRIMARY KEY, a ARRAY<INT>) WITH (kafka_topic='t', value_format='JSON');",
    ]);
    let plan = world.plan("CREATE STREAM x AS SELECT k, EXPLODE(a) + 1 AS n FROM s WHERE ARRAY_LENGTH(a) > 1;");
    let steps: Vec<_> = plan
        .steps
        .iter()
        .map(|step| format!("{step:?}").split([' ', '(']).next().unwrap_or_default().to_string())
        .collect();
    assert_eq!(steps, ["Filter", "Explode", "Project"]);
    assert_eq!(sink_columns(&plan), "K STRING KEY, N INTEGER");
    world.refuses(
        "CREATE STREAM y AS SELECT k FROM s WHERE EXPLODE(a) > 1;",
        "EXPLODE makes several rows of one, so it can only stand in a select list",
        "EXPLODE",
    );
    world.refuses(
        "CREATE STREAM y AS SELECT k, EXPLODE(ARRAY[EXPLODE(a)]) FROM s;",
        "EXPLODE cannot take the rows of another table function",
        "EXPLODE",
    );
    world.refuses("CREATE STREAM y AS SELECT k, EXPLODE(k) FROM s;", "EXPLODE does not take (VARCHAR)", "EXPLODE");
    world.refuses(
        "CREATE TABLE y AS SELECT k, EXPLODE(a) FROM t;",
        "EXPLODE works on the rows of a stream",
        "k, EXPLODE(a)",
    );
}

#[test]
fn a_query_gives_what_its_source_is() {
    let mut world = World::new(&[
        CARS,
        "CREATE TABLE t (k STRING PRIMARY KEY, v INT) WITH (kafka_topic='t', value_format='JSON');",
    ]);
    world.refuses("CREATE TABLE x AS SELECT * FROM cars;", "the query gives a stream, not a table", "x");
    world.refuses("CREATE STREAM x AS SELECT * FROM t;", "the query gives a table, not a stream", "x");
    let plan = world.plan("CREATE TABLE x AS SELECT k, v + 1 AS w FROM t;");
    assert_eq!((plan.query_id.as_str(), sink_columns(&plan).as_str()), ("CTAS_X", "K STRING KEY, W INTEGER"));
}

#[test]
fn windows_are_declared_whole_or_not_at_all() {
    let mut world = World::new(&[]);
    let declare = |window: &str| {
        format!("CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='t', value_format='JSON', {window});")
    };
    for (window, message, at) in [
        ("window_type='TUMBLING'", "TUMBLING windows need a WINDOW_SIZE", "'TUMBLING'"),
        ("window_size='1 DAY'", "WINDOW_SIZE needs WINDOW_TYPE", "'1 DAY'"),
        ("window_type='session', window_size='1 DAY'", "WINDOW_SIZE is not for SESSION windows", "'1 DAY'"),
        ("window_type='SLIDING'", "WINDOW_TYPE needs SESSION, TUMBLING or HOPPING", "'SLIDING'"),
        ("window_type='HOPPING', window_size='a day'", "WINDOW_SIZE needs a number and a unit of time", "'a day'"),
    ] {
        world.refuses(&declare(window), message, at);
    }
    world.run(&declare("window_type='hopping', window_size='30 seconds'")).expect("a whole window");
    let plan = world.plan("CREATE STREAM x AS SELECT k, WINDOWSTART AS started FROM s;");
    assert_eq!(sink_columns(&plan), "K STRING KEY, STARTED BIGINT");
    assert_eq!(plan.source.window, Some(crate::types::SourceWindow::Time(30_000)));
}

#[test]
fn lambdas_have_the_parameters_and_types_their_function_needs() {
    let mut world = World::new(&[
        "CREATE STREAM s (k STRING KEY, a ARRAY<INT>, m MAP<STRING, INT>, n BIGINT) WITH (kafka_topic='t', value_format='JSON');",
    ]);
    let plan = world.plan(
        "CREATE STREAM x AS SELECT k, TRANSFORM(a, e => e + n) AS t, FILTER(m, (key, v) => v > n) AS f,
        REDUCE(a, 0, (s, e) => s + e * n) AS r FROM s;",
    );
    assert_eq!(sink_columns(&plan), "K STRING KEY, T ARRAY<BIGINT>, F MAP<STRING, INTEGER>, R BIGINT");
    for (call, message, at) in [
        ("TRANSFORM(a, (x, y) => x)", "the lambda has 2 parameters, expected 1", "(x, y) => x"),
        ("FILTER(a, x => x + 1)", "the lambda of FILTER needs a BOOLEAN, found INTEGER", "x + 1"),
        (
            "REDUCE(a, 'x', (s, e) => e)",
            "the lambda of REDUCE needs a STRING, the type of the state, found INTEGER",
            "e",
        ),
        ("TRANSFORM(n, x => x)", "TRANSFORM needs an ARRAY or a MAP, found BIGINT", "n"),
        ("TRANSFORM(a, n)", "TRANSFORM does not take these arguments", "TRANSFORM(a, n)"),
        ("INSTR(k, x => x)", "a lambda can only be an argument of TRANSFORM, FILTER or REDUCE", "x => x"),
    ] {
        world.refuses(&format!("CREATE STREAM y AS SELECT k, {call} AS c FROM s;"), message, at);
    }
}

#[test]
fn a_source_needs_its_topic_and_formats_that_hold_its_columns() {
    let mut world = World::new(&[]);
    let refusals = [
        ("CREATE STREAM s (a INT) WITH (value_format='JSON');", "KAFKA_TOPIC is missing", "s"),
        ("CREATE STREAM s (a INT) WITH (kafka_topic='t');", "VALUE_FORMAT is missing", "s"),
        ("CREATE STREAM s WITH (kafka_topic='t', value_format='JSON');", "no columns are declared", "s"),
        (
            "CREATE STREAM s (a INT) WITH (kafka_topic='t', value_formt='JSON');",
            "unknown property VALUE_FORMT",
            "value_formt",
        ),
        ("CREATE STREAM s (a INT) WITH (kafka_topic='t', value_format='JSONN');", "unknown format JSONN", "'JSONN'"),
        (
            "CREATE STREAM s (a INT) WITH (kafka_topic='t', format='JSON', key_format='KAFKA');",
            "FORMAT and KEY_FORMAT cannot both be given",
            "key_format='KAFKA'",
        ),
        (
            "CREATE STREAM s (a ARRAY<INT>) WITH (kafka_topic='t', value_format='DELIMITED');",
            "the value format DELIMITED cannot hold an ARRAY<INTEGER>",
            "a ARRAY<INT>",
        ),
        (
            "CREATE STREAM s (a INT, b INT) WITH (kafka_topic='t', value_format='KAFKA');",
            "the value format KAFKA holds one column, found 2",
            "a INT, b INT",
        ),
        (
            "CREATE STREAM s (k BOOLEAN KEY, b INT) WITH (kafka_topic='t', value_format='JSON');",
            "the key format KAFKA cannot hold a BOOLEAN",
            "k BOOLEAN KEY",
        ),
        (
            "CREATE STREAM s (k INT KEY, b INT) WITH (kafka_topic='t', value_format='JSON', key_format='NONE');",
            "key format NONE is for a source without key columns",
            "'NONE'",
        ),
        (
            "CREATE STREAM s (a INT, b INT) WITH (kafka_topic='t', value_format='JSON', wrap_single_value=true);",
            "WRAP_SINGLE_VALUE is for a single value column",
            "true",
        ),
        (
            "CREATE STREAM s (a INT) WITH (kafka_topic='t', value_format='JSON', value_delimiter='|');",
            "VALUE_DELIMITER is for DELIMITED, the format is JSON",
            "'|'",
        ),
        (
            "CREATE STREAM s (rowtime BIGINT) WITH (kafka_topic='t', value_format='JSON');",
            "ROWTIME is a reserved name, a column cannot have it",
            "rowtime",
        ),
        (
            "CREATE STREAM s (a INT, a INT) WITH (kafka_topic='t', value_format='JSON');",
            "column A is declared twice",
            "a",
        ),
        (
            "CREATE STREAM s (a INT) WITH (kafka_topic='t', value_format='JSON', partitions=0);",
            "PARTITIONS needs a number from 1 to 2147483647",
            "0",
        ),
        (
            "CREATE STREAM s (a INT) WITH (kafka_topic='t', value_format='JSON', timestamp='b');",
            "TIMESTAMP names an unknown column B",
            "'b'",
        ),
        (
            "CREATE STREAM s (a STRING) WITH (kafka_topic='t', value_format='JSON', timestamp='a');",
            "TIMESTAMP column A is a STRING",
            "'a'",
        ),
        (
            "CREATE STREAM s (a INT PRIMARY KEY) WITH (kafka_topic='t', value_format='JSON');",
            "column A: a stream has no PRIMARY KEY",
            "a INT PRIMARY KEY",
        ),
        ("CREATE TABLE s (a INT) WITH (kafka_topic='t', value_format='JSON');", "a table needs a PRIMARY KEY", "a INT"),
        (
            "CREATE STREAM s (a MAP<INT, INT>) WITH (kafka_topic='t', value_format='JSON');",
            "the value format JSON cannot hold a MAP<INTEGER, INTEGER>",
            "a MAP<INT, INT>",
        ),
        (
            "CREATE STREAM s (a MAP<STRING, INT> KEY) WITH (kafka_topic='t', format='JSON');",
            "key column A cannot hold a MAP",
            "a MAP<STRING, INT> KEY",
        ),
    ];
    for (text, message, at) in refusals {
        world.refuses(text, message, at);
    }
}

#[test]
fn a_source_keeps_what_was_said_about_it() {
    let mut world = World::new(&["CREATE STREAM s (k INT KEY, t STRING, v DOUBLE)
        WITH (KAFKA_TOPIC='Some.Topic', value_format='delimited', value_delimiter='TAB', partitions=2, replicas='1',
        timestamp='t', timestamp_format='yyyy');"]);
    assert_eq!(
        world.catalog.find_relation("S").unwrap().fingerprint(),
        "stream S (K INTEGER KEY, T STRING, V DOUBLE) topic Some.Topic partitions 2 replicas 1 key KAFKA \
         value DELIMITED delimiter '\\t' time T format 'yyyy'"
    );
    let plan = world.plan("CREATE STREAM sink AS SELECT k, v FROM s;");
    let text = explain(&plan);
    assert!(text.contains("formats: key KAFKA, value DELIMITED delimiter '\\t'\n"), "inherited: {text}");
    assert!(text.contains("time: T format 'yyyy'"), "the source's time: {text}");
    let plan = world.plan("CREATE STREAM sink2 WITH (value_format='JSON') AS SELECT k, v FROM s;");
    assert!(explain(&plan).contains("formats: key KAFKA, value JSON\n"));
}

#[test]
fn insert_select_fits_its_target_and_has_a_stable_id() {
    let mut world = World::new(&[
        CARS,
        "CREATE STREAM sink (k STRING KEY, v DOUBLE)
        WITH (kafka_topic='sink', value_format='JSON');",
    ]);
    let plan = world.plan("INSERT INTO sink SELECT k, id AS v FROM cars WHERE id > 0;");
    assert_eq!(plan.query_id, "INSERTQUERY_SINK_CARS");
    assert_eq!(plan.output.to_string(), "K STRING KEY, V DOUBLE");
    let plan = world.plan("INSERT INTO sink WITH (query_id='mine') SELECT k, id AS v FROM cars;");
    assert_eq!(plan.query_id, "MINE");
    let message = "the columns of the SELECT are not those of SINK";
    let error = world.refuses("INSERT INTO sink SELECT k, note AS v FROM cars;", message, "note AS v");
    let detail = "V STRING stands where V DOUBLE is expected; found (K STRING KEY, V STRING), \
                  expected (K STRING KEY, V DOUBLE)";
    assert_eq!(error.detail_text(), Some(detail));
    world.refuses("INSERT INTO sink SELECT k, id, note FROM cars;", message, "sink");
    assert_eq!(world.catalog.readers_of("CARS"), ["INSERTQUERY_SINK_CARS", "MINE"]);
}

#[test]
fn the_fingerprint_is_of_what_is_done_not_of_how_it_is_written() {
    let mut world = World::new(&[CARS]);
    let one = world.plan("SELECT id+1 AS x FROM cars WHERE speed>5 EMIT CHANGES;");
    let two = world.plan("select (ID + 1) x from CARS c where c.speed > 5 emit changes");
    let three = world.plan("SELECT id+2 AS x FROM cars WHERE speed>5 EMIT CHANGES;");
    assert_eq!(one.fingerprint(), two.fingerprint());
    assert_ne!(one.fingerprint(), three.fingerprint());
}

#[test]
fn inserted_values_are_taken_laxly_and_missing_ones_are_null() {
    let mut world = World::new(&["CREATE STREAM s (k STRING KEY, i INT, b BIGINT, d DECIMAL(4, 2), t BOOLEAN,
        ts TIMESTAMP, a ARRAY<BIGINT>) WITH (kafka_topic='s', value_format='JSON');"]);
    let row = world.row("INSERT INTO s VALUES (1, '7', 2 + 3, 1.5, 'Y', '2020-05-26T23:59:58', ARRAY[1, 2]);");
    assert_eq!(row.columns[0].as_string::<i32>().value(0), "1");
    assert_eq!(row.columns[1].as_primitive::<Int32Type>().value(0), 7);
    assert_eq!(row.columns[2].as_primitive::<Int64Type>().value(0), 5);
    assert!(row.columns[4].as_boolean().value(0));
    let types: Vec<_> = row.columns.iter().map(|column| column.data_type().clone()).collect();
    let wanted: Vec<_> = row.relation.schema.columns.iter().map(|column| column.ty.to_arrow()).collect();
    assert_eq!((types, row.rowtime), (wanted, None));
    let row = world.row("INSERT INTO s (d, b) VALUES (1.50000, ' 7 ');");
    assert!(row.columns[3].is_valid(0), "digits that are 0 are none");
    let row = world.row("INSERT INTO s (rowtime, b) VALUES (1234, NULL);");
    assert_eq!(row.rowtime, Some(1234));
    assert!(row.columns.iter().all(|column| column.len() == 1 && column.is_null(0)));
    // Without names the key comes first, wherever it is declared.
    let mut world = World::new(&["CREATE STREAM s (i INT, k STRING KEY) WITH (kafka_topic='s', value_format='JSON');"]);
    let row = world.row("INSERT INTO s VALUES ('key', 10);");
    assert_eq!(row.columns[0].as_primitive::<Int32Type>().value(0), 10);
}

#[test]
fn values_that_do_not_fit_are_refused_where_they_stand() {
    let mut world = World::new(&["CREATE STREAM s (i INT, d DECIMAL(3, 2), t BOOLEAN, n STRING, x DOUBLE)
        WITH (kafka_topic='s', value_format='JSON');"]);
    for (text, message, at) in [
        ("INSERT INTO s (i) VALUES ('x1');", "this text cannot be read as an INTEGER", "'x1'"),
        ("INSERT INTO s (t) VALUES ('maybe');", "this text cannot be read as a BOOLEAN", "'maybe'"),
        ("INSERT INTO s (i) VALUES (3000000000);", "column I is an INTEGER, found a BIGINT", "3000000000"),
        ("INSERT INTO s (d) VALUES (123.45);", "the value does not fit column D", "123.45"),
        ("INSERT INTO s (d) VALUES (1.239);", "the value does not fit column D", "1.239"),
        ("INSERT INTO s (d) VALUES ('1.239');", "the value does not fit column D", "'1.239'"),
        ("INSERT INTO s (x) VALUES ('NaN');", "this text cannot be read as a DOUBLE", "'NaN'"),
        ("INSERT INTO s (i) VALUES (1 / 0);", "division by zero", "1 / 0"),
        ("INSERT INTO s VALUES (1);", "expected 5 values, found 1", "1"),
        ("INSERT INTO s (ii) VALUES (1);", "unknown column II", "ii"),
        ("INSERT INTO s (i, i) VALUES (1, 2);", "column I is named twice", "i"),
        ("INSERT INTO s (rowoffset) VALUES (1);", "ROWOFFSET is given by the topic, not by the statement", "rowoffset"),
        ("INSERT INTO s (n) VALUES (i);", "unknown column I", "i"),
        ("INSERT INTO ss VALUES (1);", "unknown stream or table SS", "ss"),
    ] {
        world.refuses(text, message, at);
    }
}

#[test]
fn a_query_knows_the_functions_its_statement_calls_even_folded_ones() {
    let mut world = World::new(&[CARS]);
    world.plan("CREATE STREAM t AS SELECT k, LCASE('A') AS b FROM cars WHERE ABS(id) > CEIL(2.5);");
    let query = world.catalog.query("CSAS_T", Default::default()).expect("it was added");
    assert_eq!(query.functions, ["ABS", "CEIL", "LCASE"]);
    assert_eq!(world.catalog.callers_of("LCASE"), ["CSAS_T"]);
    assert!(world.catalog.callers_of("UCASE").is_empty());
}
