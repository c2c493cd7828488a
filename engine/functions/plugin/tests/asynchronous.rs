//! Functions that answer later.

use std::time::Instant;

use datafusion::arrow::array::types::Int64Type;
use datafusion::arrow::array::{AsArray, Int64Array};

use super::*;
use crate::functions::row_errors::{RowError, with_sink};

/// `lookup(key, delay_ms)`, a row of which may take so long.
fn lookup(timeout_ms: u64) -> Option<Arc<ScalarUDF>> {
    let library = udfs::library("lookup")?;
    let mut signature = signature("lookup", &["Int64", "Int64?"], "Int64?");
    signature.is_async = true;
    signature.async_options = Some(AsyncOptions { ordered: false, timeout_ms, allowed_in_flight: 64 });
    let functions = Plugin::load(&library, &sidecar(&library, Abi::Arroyo, vec![signature]));
    Some(scalar(&functions.expect("a library that loads")[0]))
}

fn ask(lookup: &ScalarUDF, keys: Vec<Option<i64>>, delays: Vec<Option<i64>>) -> (Vec<Option<i64>>, Vec<RowError>) {
    let rows = keys.len();
    let columns = vec![column(Int64Array::from(keys)), column(Int64Array::from(delays))];
    let (result, errors) = with_sink(rows, || call(lookup, columns));
    let result = result.expect("answers");
    (result.as_primitive::<Int64Type>().iter().collect(), errors)
}

#[test]
fn answers_stand_at_their_rows_whatever_came_first() {
    let Some(lookup) = lookup(30_000) else { return };
    for _ in 0..3 {
        let keys: Vec<Option<i64>> = (0..200).map(|row| (row % 9 != 4).then_some(row)).collect();
        let delays: Vec<Option<i64>> = (0..200).map(|row| (row % 11 != 5).then_some(20 + (200 - row) % 13)).collect();
        let start = Instant::now();
        let (answers, errors) = ask(&lookup, keys.clone(), delays.clone());
        let expected =
            keys.iter().zip(&delays).map(|(key, delay)| key.filter(|_| delay.is_some()).map(|key| 2 * key + 1));
        assert_eq!(answers, expected.collect::<Vec<_>>());
        assert_eq!(errors, []);
        // One after the other they would take 5 s; a busy machine may take its time, but not all of that.
        assert!(start.elapsed().as_secs() < 4, "rows wait side by side: {:?}", start.elapsed());
    }
}

#[test]
fn a_row_without_an_answer_is_null_and_reported_and_the_others_are_not() {
    let Some(lookup) = lookup(1_000) else { return };
    let mut delays = vec![Some(0); 100];
    delays[40] = Some(60_000);
    let (answers, errors) = ask(&lookup, (0..100).map(Some).collect(), delays);
    assert_eq!(answers.iter().position(Option::is_none), Some(40));
    assert_eq!(answers.iter().flatten().count(), 99);
    let message = "LOOKUP: no answer within its timeout".to_string();
    assert_eq!(errors, [RowError { row: Some(40), message }]);
}

#[test]
fn a_panic_is_told_from_a_row_that_waits() {
    if in_child("asynchronous::a_panic_is_told_from_a_row_that_waits").is_some() {
        return;
    }
    let Some(lookup) = lookup(1_000) else { return };
    // The panic comes first: there are rows to send, which the dead runtime does not take.
    let mut keys: Vec<Option<i64>> = (0..300).map(Some).collect();
    keys[7] = Some(-1);
    let (answers, errors) = ask(&lookup, keys.clone(), vec![Some(1); 300]);
    assert_eq!(answers.iter().position(Option::is_none), Some(7));
    assert_eq!(answers.iter().flatten().count(), 299);
    assert_eq!((errors.len(), errors[0].row), (1, Some(7)));
    // It comes last: nothing tells but that no answer comes.
    keys.swap(7, 299);
    let (answers, errors) = ask(&lookup, keys, vec![Some(1); 300]);
    assert_eq!(answers.iter().position(Option::is_none), Some(299));
    assert_eq!((errors.len(), errors[0].row), (1, Some(299)));
    assert!(errors[0].message.starts_with("LOOKUP: no answer; it panicked"), "{}", errors[0].message);
    // And the function goes on.
    assert_eq!(ask(&lookup, vec![Some(1)], vec![Some(0)]).0, [Some(3)]);
}

#[test]
fn a_batch_of_rows_without_answers_ends_after_a_few() {
    let Some(lookup) = lookup(1_000) else { return };
    let (answers, errors) = ask(&lookup, (0..500).map(Some).collect(), vec![Some(60_000); 500]);
    assert_eq!(answers.iter().flatten().count(), 0);
    assert_eq!(errors.len(), 500);
    assert_eq!(errors[3].message, "LOOKUP: not asked, as 3 rows of its batch got no answer");
}
