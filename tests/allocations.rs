//! Allocations of a batch: as many for 10,000 rows as for 1,000.
//!
//! The test binary counts its allocations per thread. A task that is warm (its buffers have grown to the size of a batch)
//! allocates the arrays of a batch and nothing per row.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write;
use std::sync::Arc;

use alcedo::catalog::Catalog;
use alcedo::functions::FunctionRegistry;
use alcedo::plan::QueryPlan;
use alcedo::record::RawBatch;
use alcedo::sql::ast::StatementKind;
use alcedo::sql::planner::{self, Context, Defaults};
use alcedo::topology::{Changelog, OwnTopics, Task, TaskOutput, Tasks};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting.
pub struct Counting;

fn count() {
    // A thread that is ending has no counter any more; nobody asks for it then.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn plan(source: &str, query: &str) -> QueryPlan {
    plan_of(&[source], query)
}

fn plan_of(sources: &[&str], query: &str) -> QueryPlan {
    let (mut catalog, functions) = (Catalog::new(), FunctionRegistry::builtin());
    for source in sources {
        let statement = alcedo::sql::parse_statement(source).expect("the stream parses");
        let context =
            Context { catalog: &catalog, functions: &functions, defaults: Defaults::default(), statement: "" };
        let StatementKind::CreateSource(create) = &statement.kind else { panic!("a stream was declared") };
        let relation = planner::create_source(&context, create).expect("the stream binds");
        catalog.add_relation(relation, false, Default::default()).expect("the stream is new");
    }
    let statement = alcedo::sql::parse_statement(query).expect("the query parses");
    let context = Context { catalog: &catalog, functions: &functions, defaults: Defaults::default(), statement: "" };
    let StatementKind::CreateAsSelect(create) = &statement.kind else { panic!("a query was written") };
    planner::create_as_select(&context, create).expect("the query plans").plan
}

fn batch(rows: usize, value: &dyn Fn(usize, &mut String)) -> RawBatch {
    let mut raw = RawBatch::new("t".into(), 0);
    let mut text = String::new();
    for row in 0..rows {
        text.clear();
        value(row, &mut text);
        raw.push(row as i64, 1_700_000_000_000 + row as i64, Some(b"device-0001"), Some(text.as_bytes()));
    }
    raw
}

/// Allocations of one batch by a warm task.
fn allocations(plan: &QueryPlan, raw: &RawBatch) -> u64 {
    let mut task = Task::new(plan).expect("a task");
    let mut output = TaskOutput::default();
    let mut last = 0;
    for _ in 0..4 {
        output.clear();
        let before = ALLOCATIONS.get();
        task.process(raw, &mut output).expect("the batch is processed");
        last = ALLOCATIONS.get() - before;
        assert_eq!(output.bad, 0, "{:?}", output.reports);
    }
    last
}

fn does_not_grow(plan: &QueryPlan, value: &dyn Fn(usize, &mut String), run_of_the_model: u64) {
    let (small, large) = (1_000, 10_000);
    let (few, many) = (allocations(plan, &batch(small, value)), allocations(plan, &batch(large, value)));
    // Buffers whose size is not known beforehand double while they fill: a step more for each doubling of the rows.
    let doublings = (large as f64 / small as f64).log2().ceil() as u64;
    // The model runs over 1,024 rows at a time, and each run makes its own tensors.
    let runs = (large as u64).div_ceil(1024) - (small as u64).div_ceil(1024);
    let allowed = few + 8 * doublings + run_of_the_model * runs;
    assert!(many <= allowed, "{few} allocations for {small} rows, {many} for {large}, more than {allowed}");
}

#[test]
fn filter_and_project_over_json_allocate_nothing_per_row() {
    let plan = plan(
        "CREATE STREAM s (k VARCHAR KEY, id BIGINT, temp DOUBLE, site VARCHAR) WITH (kafka_topic='t', value_format='JSON')",
        "CREATE STREAM hot AS SELECT k, id, temp * 1.8e0 + 32 AS f, site FROM s WHERE temp >= 20.0e0",
    );
    let value = |row: usize, text: &mut String| {
        let _ = write!(text, r#"{{"id":{row},"temp":{}.5,"site":"plant-{}","other":[1,2]}}"#, row % 40, row % 20);
    };
    does_not_grow(&plan, &value, 0);
}

#[test]
fn scoring_text_allocates_per_run_of_the_model_and_not_per_row() {
    let plan = plan(
        "CREATE STREAM cars (k VARCHAR KEY, id INTEGER, input VARCHAR) WITH (kafka_topic='t', value_format='DELIMITED')",
        "CREATE STREAM scores AS SELECT k, id, CAST(ANOMALY(input) AS DOUBLE) AS anomaly FROM cars",
    );
    let value = |row: usize, text: &mut String| {
        let _ = write!(text, "{row},");
        for reading in 0..210 {
            let _ = write!(text, "{}{}.{:02}", if reading == 0 { "" } else { "#" }, 2 + (row + reading) % 8, row % 100);
        }
    };
    does_not_grow(&plan, &value, 64);
}

/// Rows that meet partners, are kept, and leave again: what a join allocates is for batches and chunks.
#[test]
fn a_join_allocates_nothing_per_row() {
    let plan = Arc::new(plan_of(
        &[
            "CREATE STREAM l (id BIGINT KEY, seq BIGINT) WITH (kafka_topic='l', key_format='JSON', value_format='JSON')",
            "CREATE STREAM r (id BIGINT KEY, temp DOUBLE) WITH (kafka_topic='r', key_format='JSON', value_format='JSON')",
        ],
        "CREATE STREAM o AS SELECT l.id, seq, temp FROM l JOIN r WITHIN 5 MILLISECONDS GRACE PERIOD 1 SECOND ON l.id = r.id",
    ));
    let mut tasks = Tasks::new(Arc::clone(&plan), OwnTopics::of(&plan, "own"), false);
    tasks.restore(0, &Changelog::default()).expect("nothing to restore");
    let (rows, mut time, mut last) = (10_000, 0, 0);
    for _ in 0..6 {
        let (mut left, mut right) = (RawBatch::new("l".into(), 0), RawBatch::new("r".into(), 0));
        for row in 0..rows {
            let (key, value) = ((row % 100).to_string(), format!(r#"{{"SEQ":{row},"TEMP":{row}.5}}"#));
            left.push(row, time, Some(key.as_bytes()), Some(value.as_bytes()));
            right.push(row, time + 1, Some(key.as_bytes()), Some(value.as_bytes()));
            time += 10;
        }
        let mut output = TaskOutput::default();
        let before = ALLOCATIONS.get();
        tasks.process(&left, &mut output, &mut |_| Ok(())).expect("the batch is processed");
        tasks.process(&right, &mut output, &mut |_| Ok(())).expect("the batch is processed");
        last = ALLOCATIONS.get() - before;
        assert!(output.records.len() >= rows as usize - 1);
    }
    assert!(last < rows as u64 / 10, "{last} allocations for {rows} rows of each side");
}

/// Each kind of record that cannot be read, and what it costs: a few small allocations to say why, and a text only for those
/// that are told one by one.
#[test]
fn a_flood_of_bad_records_is_counted_and_its_texts_are_not_made() {
    let plan = plan(
        "CREATE STREAM s (k VARCHAR KEY, id BIGINT, temp DOUBLE, ts BIGINT) WITH (kafka_topic='t', value_format='JSON', timestamp='ts')",
        "CREATE STREAM hot AS SELECT k, id, 10 / id AS q FROM s WHERE 10 / (id - 1) < 100",
    );
    let bad = [
        r#"{"id":"x"}"#,
        "no json",
        r#"{"id":2,"temp":[1]}"#,
        r#"{"id":3"#,
        r#"{"id":4,"ts":-1}"#,
        r#"{"id":0,"ts":1}"#,
        r#"{"id":1,"ts":1}"#,
    ];
    let rows = 7_000;
    let raw = batch(rows, &|row, text| text.push_str(bad[row % bad.len()]));
    let mut task = Task::new(&plan).expect("a task");
    let mut output = TaskOutput::default();
    let mut last = 0;
    for _ in 0..3 {
        output.clear();
        let before = ALLOCATIONS.get();
        task.process(&raw, &mut output).expect("the batch is processed");
        last = ALLOCATIONS.get() - before;
    }
    assert_eq!(output.bad, rows as u64);
    assert_eq!(output.reports.len(), 64, "the rest is only counted");
    assert_eq!(output.first.as_ref().map(|report| report.offset), Some(0));
    assert!(last < 8 * rows as u64, "{last} allocations for {rows} bad records");
}

#[test]
fn a_record_that_becomes_a_million_rows_is_written_in_pieces() {
    let plan = plan(
        "CREATE STREAM s (k VARCHAR KEY, a ARRAY<INT>, note VARCHAR) WITH (kafka_topic='t', value_format='JSON')",
        "CREATE STREAM o AS SELECT k, note, EXPLODE(a) AS e FROM s",
    );
    let raw = batch(2, &|row, text| {
        let _ = write!(text, r#"{{"note":"{row}","a":[0"#);
        for i in 1..500_000 {
            let _ = write!(text, ",{}", i % 10);
        }
        text.push_str("]}");
    });
    let mut task = Task::new(&plan).expect("a task");
    let mut output = TaskOutput::default();
    let (mut rows, mut largest) = (0, 0);
    task.process_in_pieces(&raw, &mut output, &mut |records, _| {
        rows += records.len();
        largest = largest.max(records.len());
        records.clear();
        Ok(true)
    })
    .expect("the batch is processed");
    assert_eq!(rows + output.records.len(), 1_000_000);
    assert!(largest <= 10_000, "a piece of {largest} rows");
}
