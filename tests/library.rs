//! The engine as a library: batches as iterator and as stream, engines that know nothing of each other, errors by kind.

use std::time::Duration;

use alcedo::{Engine, Error, Kind, Outcome, RowStream, Session};
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::Int32Type;
use futures::StreamExt;

const PATIENCE: Duration = Duration::from_secs(5);

fn engine() -> Engine {
    let engine = Engine::builder().start().expect("the engine starts");
    execute(&mut engine.session(), "CREATE STREAM s (id INT, t STRING) WITH (kafka_topic='s', value_format='JSON');");
    engine
}

fn execute(session: &mut Session, sql: &str) {
    session.execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

fn insert(engine: &Engine, ids: std::ops::Range<i32>) {
    let rows: Vec<String> = ids.map(|id| format!("INSERT INTO s VALUES ({id}, 'x');")).collect();
    execute(&mut engine.session(), &rows.concat());
}

fn rows(engine: &Engine, sql: &str) -> RowStream {
    match engine.session().execute(sql).expect("it runs").pop() {
        Some(Outcome::Rows(rows)) => rows,
        other => panic!("{sql}: {other:?}"),
    }
}

fn ids(batches: &[RecordBatch]) -> Vec<i32> {
    batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int32Type>().values().to_vec()).collect()
}

#[test]
fn batches_end_at_the_limit_and_have_the_announced_schema() {
    let engine = engine();
    insert(&engine, 0..5);
    let rows = rows(&engine, "SELECT id, t FROM s EMIT CHANGES LIMIT 4;");
    let batches: Vec<_> = rows.batches().collect::<Result<_, _>>().expect("no failure");
    assert_eq!(ids(&batches), [0, 1, 2, 3]);
    assert!(batches.iter().all(|batch| batch.schema() == rows.schema()), "{:?}", batches[0].schema());
    engine.shutdown(PATIENCE).expect("it stops");
}

#[test]
fn a_stream_of_batches_works_on_any_executor_and_dropping_it_stops_the_query() {
    let engine = engine();
    insert(&engine, 0..3);
    let endless = rows(&engine, "SELECT id FROM s EMIT CHANGES;");
    let cancel = endless.cancel_handle();
    let mut stream = endless.into_batch_stream().expect("a thread");
    let executor = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut seen = Vec::new();
    executor.block_on(async {
        while seen.len() < 3 {
            seen.extend(ids(&[stream.next().await.expect("it goes on").expect("no failure")]));
        }
    });
    assert_eq!(seen, [0, 1, 2]);
    assert!(!cancel.is_cancelled());
    drop(stream);
    assert!(cancel.is_cancelled());
    engine.shutdown(PATIENCE).expect("it stops");
}

#[test]
fn printed_lines_are_batches_too() {
    let engine = engine();
    insert(&engine, 7..9);
    let rows = rows(&engine, "PRINT 's' FROM BEGINNING LIMIT 2;");
    let batches: Vec<_> = rows.batches().collect::<Result<_, _>>().expect("no failure");
    let lines: Vec<_> = batches.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten()).collect();
    assert!(lines.iter().any(|line| line.contains("\"ID\":8")), "{lines:?}");
    engine.shutdown(PATIENCE).expect("it stops");
}

#[test]
fn two_engines_in_one_process_know_nothing_of_each_other() {
    let (one, two) = (engine(), engine());
    assert_ne!(one.address(), two.address());
    insert(&one, 0..2);
    insert(&two, 10..12);
    execute(&mut one.session(), "CREATE STREAM only_one AS SELECT id FROM s;");
    for (engine, sql, expected) in [
        (&one, "SELECT id FROM only_one EMIT CHANGES LIMIT 2;", [0, 1]),
        (&two, "SELECT id FROM s EMIT CHANGES LIMIT 2;", [10, 11]),
    ] {
        let batches: Vec<_> = rows(engine, sql).batches().collect::<Result<_, _>>().expect("no failure");
        assert_eq!(ids(&batches), expected);
    }
    let error = two.session().execute("SELECT * FROM only_one EMIT CHANGES;").expect_err("it is not there");
    assert_eq!(error.kind(), Kind::Sql);
    one.shutdown(PATIENCE).expect("it stops");
    // The other goes on.
    insert(&two, 12..13);
    let batches: Vec<_> =
        rows(&two, "SELECT id FROM s EMIT CHANGES LIMIT 3;").batches().collect::<Result<_, _>>().expect("no failure");
    assert_eq!(ids(&batches), [10, 11, 12]);
    two.shutdown(PATIENCE).expect("it stops");
}

#[test]
fn errors_have_a_kind_a_place_and_a_hint() {
    let engine = engine();
    let sql = "SELECT idd FROM s EMIT CHANGES;";
    let error = engine.session().execute(sql).expect_err("there is no such column");
    assert_eq!(error.kind(), Kind::Sql);
    let span = error.span().expect("a place");
    assert_eq!(&sql[span.start..span.end], "idd");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("ID")), "{error:?}");
    engine.shutdown(PATIENCE).expect("it stops");
}

#[test]
fn a_stopped_engine_ends_the_streams_that_are_read() {
    let engine = engine();
    insert(&engine, 0..1);
    let rows = rows(&engine, "SELECT id FROM s EMIT CHANGES;");
    let reader = std::thread::spawn(move || rows.batches().collect::<Result<Vec<_>, Error>>());
    engine.shutdown(PATIENCE).expect("it stops");
    let batches = reader.join().expect("it does not panic").expect("an end is no failure");
    assert!(ids(&batches).len() <= 1);
}
