//! A join of two streams against a projection of the same records, in nanoseconds of one core for each record read.
//!
//! `cargo bench --bench join`. Two topics of records of about 70 bytes with 1,000 keys; each row meets one of the other side
//! within its window, in time order, in batches of 1,000. The projection decodes the same columns and writes the same number
//! of results; the join also looks for partners, keeps its rows and packs them for its changelog. Then the same where one side
//! gets its key first, and what it costs to restore a row that is kept. The fastest of five runs of each counts; they run in
//! turn.

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alcedo::catalog::Catalog;
use alcedo::functions::FunctionRegistry;
use alcedo::plan::QueryPlan;
use alcedo::record::{OutBatch, RawBatch};
use alcedo::sql::ast::StatementKind;
use alcedo::sql::planner::{self, Context, Defaults};
use alcedo::topology::{Changelog, OwnTopics, TaskOutput, Tasks};

/// The binary's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RECORDS: usize = 200_000;
const KEYS: usize = 1_000;
const BATCH: usize = 1_000;

const DECLARED: &str = "
    CREATE STREAM l (id BIGINT KEY, seq BIGINT, temp DOUBLE, note STRING)
        WITH (kafka_topic='l', key_format='JSON', value_format='JSON');
    CREATE STREAM r (id BIGINT KEY, seq BIGINT, temp DOUBLE, note STRING)
        WITH (kafka_topic='r', key_format='JSON', value_format='JSON');
    CREATE STREAM other (k BIGINT KEY, seq BIGINT, temp DOUBLE, note STRING, id BIGINT)
        WITH (kafka_topic='r', key_format='JSON', value_format='JSON');";

fn plan(query: &str) -> Arc<QueryPlan> {
    let (mut catalog, functions) = (Catalog::new(), FunctionRegistry::builtin());
    let mut found = None;
    for statement in alcedo::sql::parse_statements(&format!("{DECLARED}{query}")).expect("it parses") {
        let context =
            Context { catalog: &catalog, functions: &functions, defaults: Defaults::default(), statement: "" };
        match &statement.kind {
            StatementKind::CreateSource(create) => {
                let relation = planner::create_source(&context, create).expect("it binds");
                catalog.add_relation(relation, false, Default::default()).expect("it is new");
            }
            StatementKind::CreateAsSelect(create) => {
                found = Some(planner::create_as_select(&context, create).expect("it plans").plan);
            }
            _ => unreachable!("declarations and a query"),
        }
    }
    Arc::new(found.expect("a query"))
}

/// Batches of a topic; the rows of the other one have the same keys in the same order, five milliseconds later.
fn batches(topic: &str, later: i64) -> Vec<RawBatch> {
    let mut batches = Vec::new();
    let (mut key, mut value) = (String::new(), String::new());
    for number in 0..RECORDS {
        if number % BATCH == 0 {
            batches.push(RawBatch::new(topic.into(), 0));
        }
        let id = number.wrapping_mul(7919) % KEYS;
        key.clear();
        value.clear();
        let _ = write!(key, "{id}");
        let _ = write!(value, r#"{{"ID":{id},"SEQ":{number},"TEMP":{}.25,"NOTE":"all is well here"}}"#, number % 90);
        let batch = batches.last_mut().expect("one was begun");
        batch.push(
            number as i64,
            1_700_000_000_000 + 10 * number as i64 + later,
            Some(key.as_bytes()),
            Some(value.as_bytes()),
        );
    }
    batches
}

/// A run over both topics in turn: how long, how many results, and what is to be kept of it.
fn run(plan: &Arc<QueryPlan>, left: &[RawBatch], right: &[RawBatch]) -> (Duration, usize, Vec<OutBatch>) {
    let mut tasks = Tasks::new(Arc::clone(plan), OwnTopics::of(plan, "own"), false);
    if tasks.changelog().is_some() {
        tasks.restore(0, &Changelog::default()).expect("nothing to restore");
    }
    let (mut output, mut results, mut changes) = (TaskOutput::default(), 0, Vec::new());
    let topics = tasks.topics();
    let began = Instant::now();
    let mut through: Vec<RawBatch> = Vec::new();
    let mut step = |tasks: &mut Tasks, raw: &RawBatch, through: &mut Vec<RawBatch>| {
        output.clear();
        tasks.process(raw, &mut output, &mut |_| Ok(())).expect("it processes");
        results += black_box(output.records.len());
        changes.append(&mut output.changes);
        for out in output.forwarded.iter().filter(|out| !out.is_empty()) {
            let mut raw = RawBatch::new(Arc::clone(&out.topic), 0);
            (0..out.len()).for_each(|at| raw.push(at as i64, -1, out.keys.get(at), out.values.get(at)));
            through.push(raw);
        }
    };
    for (left, right) in left.iter().zip(right) {
        for raw in [left, right].into_iter().filter(|raw| topics.contains(&raw.topic)) {
            step(&mut tasks, raw, &mut through);
        }
        for raw in std::mem::take(&mut through) {
            step(&mut tasks, &raw, &mut through);
        }
    }
    for topic in &topics {
        output.clear();
        tasks.at_end(topic, 0, &mut output, &mut |_| Ok(())).expect("it processes");
        results += output.records.len();
    }
    (began.elapsed(), results, changes)
}

fn main() {
    let (left, right) = (batches("l", 0), batches("r", 5));
    let project = plan("CREATE STREAM o AS SELECT id, seq, temp FROM l;");
    let window = "WITHIN 8 MILLISECONDS GRACE PERIOD 10 SECONDS";
    let join = plan(&format!("CREATE STREAM o AS SELECT l.id, l.seq, r.temp FROM l JOIN r {window} ON l.id = r.id;"));
    let moved =
        plan(&format!("CREATE STREAM o AS SELECT l.id, l.seq, o.temp FROM l JOIN other o {window} ON l.id = o.id;"));
    let mut fastest = [Duration::MAX; 3];
    let mut counts = [0; 3];
    let mut kept = Vec::new();
    for _ in 0..5 {
        for (at, plan) in [&project, &join, &moved].into_iter().enumerate() {
            let (took, results, changes) = run(plan, &left, &right);
            fastest[at] = fastest[at].min(took);
            counts[at] = results;
            if at == 1 {
                kept = changes;
            }
        }
    }
    let read = [RECORDS, 2 * RECORDS, 2 * RECORDS];
    let cost = |at: usize| fastest[at].as_nanos() as f64 / read[at] as f64;
    let names = ["projection", "join", "join, one side gets its key first"];
    for (at, name) in names.into_iter().enumerate() {
        let (cost, ratio) = (cost(at), cost(at) / cost(0));
        println!("{name}: {cost:.0} ns a record read, {ratio:.2} x the projection, {} results", counts[at]);
    }
    let mut changelog = Changelog::default();
    let mut bytes = 0;
    for out in &kept {
        bytes += out.keys.byte_size() + out.values.byte_size();
        (0..out.len()).for_each(|at| changelog.read(out.keys.get(at), out.values.get(at)));
    }
    println!("changelog: {:.0} bytes a record read", bytes as f64 / (2 * RECORDS) as f64);
    let long =
        plan("CREATE STREAM o AS SELECT l.id, l.seq, r.temp FROM l JOIN r WITHIN 8 MILLISECONDS ON l.id = r.id;");
    let (_, _, changes) = run(&long, &left, &right);
    let mut changelog = Changelog::default();
    for out in &changes {
        (0..out.len()).for_each(|at| changelog.read(out.keys.get(at), out.values.get(at)));
    }
    let mut tasks = Tasks::new(Arc::clone(&long), OwnTopics::of(&long, "own"), false);
    let began = Instant::now();
    tasks.restore(0, &changelog).expect("it is restored");
    println!("restore: {:.0} ns a record kept", began.elapsed().as_nanos() as f64 / (2 * RECORDS) as f64);
}
