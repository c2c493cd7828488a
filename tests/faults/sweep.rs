//! Each of the first 200 requests of a running query fails once before its effect and once after it, each in a run of its
//! own: what comes out is what went in, exactly once or at least once.
//!
//! A run has its own broker and engine, and many runs go on at once: they mostly wait. Half of the requests are refused
//! with an error that a client has to expect there, half lose their connection, and those of the other moment the other
//! way round. `ALCEDO_TEST_FAULTS=17` makes one run, of the seventeenth request, for each moment.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use alcedo::broker::hooks::Fault;

use super::query::{Bench, ENGINE};
use crate::conformance::client::{Outcome, PATIENCE, ensure};

/// How many requests of a query fail, one in each run.
const REQUESTS: u64 = 200;
/// Runs at once.
const AT_ONCE: usize = 12;

#[test]
fn exactly_once_whatever_fails() {
    sweep("exactly_once_v2", 1, None, false);
}

#[test]
fn at_least_once_whatever_fails() {
    sweep("at_least_once", 1, None, false);
}

/// A dead letter is in the transaction of the outputs around it. The requests are those of any query, so some will do.
#[test]
fn dead_letters_come_exactly_once_whatever_fails() {
    sweep("exactly_once_v2", 7, Some(3), false);
}

/// What a join keeps, and what it sends through topics of its own, is in the transaction of its outputs.
#[test]
fn a_join_exactly_once_whatever_fails() {
    sweep("exactly_once_v2", 3, None, true);
}

/// Every `step`-th request fails, in runs where every so many records are bad, or of a join.
fn sweep(guarantee: &str, step: u64, bad_every: Option<usize>, joins: bool) {
    let only: Option<u64> = std::env::var("ALCEDO_TEST_FAULTS").ok().map(|n| n.parse().expect("a request's number"));
    let numbers: Vec<u64> =
        (1..=REQUESTS).filter(|n| n.is_multiple_of(step) && only.is_none_or(|only| only == *n)).collect();
    let runs: Vec<(u64, bool)> = numbers.iter().flat_map(|n| [(*n, false), (*n, true)]).collect();
    let (began, next, repeated) = (Instant::now(), AtomicUsize::new(0), AtomicUsize::new(0));
    let failures = Mutex::new(Vec::new());
    let slowest = Mutex::new((Duration::ZERO, String::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(runs.len()) {
            scope.spawn(|| {
                while let Some((nth, after)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let began = Instant::now();
                    let mut what = format!("request {nth} {}", if *after { "after" } else { "before" });
                    match run(guarantee, (bad_every, joins), *nth, *after, &mut what) {
                        Ok(twice) => drop(repeated.fetch_add(twice, Ordering::Relaxed)),
                        Err(error) => failures.lock().expect("no holder panics").push(format!("{what}: {error}")),
                    }
                    let mut slowest = slowest.lock().expect("no holder panics");
                    if began.elapsed() > slowest.0 {
                        *slowest = (began.elapsed(), what);
                    }
                }
            });
        }
    });
    let (seconds, (slow, which)) = (began.elapsed().as_secs_f64(), slowest.into_inner().expect("no holder panics"));
    let _ = writeln!(
        std::io::stderr(),
        "faults, {guarantee}{}: {} runs, {} repeated, {seconds:.1} s, slowest {:.1} s ({which})",
        if joins { ", a join" } else { "" },
        runs.len(),
        repeated.into_inner(),
        slow.as_secs_f64(),
    );
    let failures = failures.into_inner().expect("no holder panics");
    assert!(failures.is_empty(), "{} of {} runs failed:\n{}", failures.len(), runs.len(), failures.join("\n"));
}

/// One run: the query's `nth` request fails.
fn run(
    guarantee: &str,
    (bad_every, joins): (Option<usize>, bool),
    nth: u64,
    after: bool,
    what: &mut String,
) -> Outcome<usize> {
    let mut bench = Bench::start(guarantee, 5)?;
    bench.bad_every = bad_every;
    bench.joins = joins;
    bench.feed(10)?;
    let refused = nth.is_multiple_of(2) != after;
    let fault = if refused { Fault::fail() } else { Fault::cut() };
    let fault = fault.from_client(ENGINE).nth(nth);
    let placed = bench.hooks.add(if after { fault.after() } else { fault });
    bench.query()?;
    let deadline = Instant::now() + PATIENCE;
    while placed.struck() == 0 {
        ensure!(Instant::now() < deadline, "only {} requests came", placed.seen());
        bench.feed(1)?;
        bench.look(Duration::from_millis(2))?;
    }
    let how = if refused { "refused" } else { "cut" };
    *what = format!("{what} its effect {how} ({:?})", placed.last());
    bench.feed(20)?;
    bench.await_all()?;
    bench.finish(guarantee != "at_least_once")
}
