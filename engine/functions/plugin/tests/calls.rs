//! What comes of a call: values, nulls, errors, panics.

use datafusion::arrow::array::types::{Float64Type, Int64Type};
use datafusion::arrow::array::{
    AsArray, BinaryArray, BooleanArray, Date32Array, Float64Array, Int32Array, Int64Array, StringArray,
    Time32MillisecondArray, TimestampMillisecondArray,
};
use datafusion::arrow::compute::concat;

use super::*;

#[test]
fn a_null_argument_makes_a_null_where_the_function_takes_none() {
    let Some(multiply) = multiply() else { return };
    let a = Float64Array::from(vec![Some(2.0), None, Some(4.0), Some(0.5)]);
    let b = Float64Array::from(vec![Some(8.0), Some(1.0), None, Some(0.5)]);
    let result = call(&multiply, vec![column(a), column(b)]).expect("products");
    let expected = Float64Array::from(vec![Some(16.0), None, None, Some(0.25)]);
    assert_eq!(result.as_primitive::<Float64Type>(), &expected);

    let Some(shout) = shout() else { return };
    let texts = StringArray::from(vec![Some("ahoy"), None, Some("  "), Some("ä")]);
    let marks = Int32Array::from(vec![None, Some(2), Some(1), Some(3)]);
    let result = call(&shout, vec![column(texts), column(marks)]).expect("texts");
    assert_eq!(result.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("AHOY!"), None, None, Some("Ä!!!")]);
}

#[test]
fn vectorized_functions_see_nulls_or_never_do() {
    let (Some(zscore), Some(band)) = (vectorized("zscore", "zscore"), vectorized("zscore", "zscore_band")) else {
        return;
    };
    let doubles = |values: Vec<Option<f64>>| column(Float64Array::from(values));
    let scores = call(
        &zscore,
        vec![
            doubles(vec![Some(12.0), Some(9.0), None, Some(3.0)]),
            doubles(vec![Some(10.0), None, Some(1.0), Some(3.0)]),
            doubles(vec![Some(0.5), Some(1.0), Some(1.0), Some(0.0)]),
        ],
    )
    .expect("scores");
    let expected = Float64Array::from(vec![Some(4.0), None, None, None]);
    assert_eq!(scores.as_primitive::<Float64Type>(), &expected);
    let bands = call(&band, vec![scores]).expect("bands");
    assert_eq!(bands.null_count(), 0);
    assert_eq!(
        bands.as_string::<i32>().iter().flatten().collect::<Vec<_>>(),
        ["extreme", "unknown", "unknown", "unknown"]
    );
}

#[test]
fn every_type_crosses_whole_and_in_parts_that_begin_anywhere() {
    let Some(functions) = load_vectorized("faults") else { return };
    let rows = 0..37_i64;
    let some = |row: &i64| row % 5 != 3;
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "same_double",
            column(Float64Array::from_iter(rows.clone().map(|row| some(&row).then_some(row as f64 / 3.0)))),
        ),
        (
            "same_text",
            column(StringArray::from_iter(rows.clone().map(|row| some(&row).then(|| "é".repeat(row as usize % 4))))),
        ),
        (
            "same_bytes",
            column(BinaryArray::from_iter(
                rows.clone().map(|row| some(&row).then(|| vec![row as u8; row as usize % 3])),
            )),
        ),
        ("same_boolean", column(BooleanArray::from_iter(rows.clone().map(|row| some(&row).then_some(row % 3 == 0))))),
        (
            "same_timestamp",
            column(TimestampMillisecondArray::from_iter(rows.clone().map(|row| some(&row).then_some(row * 1000)))),
        ),
        ("same_date", column(Date32Array::from_iter(rows.clone().map(|row| some(&row).then_some(row as i32))))),
        (
            "same_time",
            column(Time32MillisecondArray::from_iter(rows.map(|row| some(&row).then_some(row as i32 * 60_000)))),
        ),
    ];
    for (name, whole) in columns {
        let udf = scalar(functions.iter().find(|function| function.name == name).expect("a function"));
        for offset in 0..18 {
            for len in [0, 1, 7, 19] {
                let part = whole.slice(offset, len);
                let same = call(&udf, vec![part.clone()]).expect("the same");
                assert_eq!(&same, &part, "{name}: {len} rows from {offset}");
            }
        }
        // Parts of a result are columns like any other.
        let result = call(&udf, vec![whole.clone()]).expect("the same");
        let parts = [result.slice(0, 9), result.slice(9, 28)];
        assert_eq!(&concat(&[&parts[0], &parts[1]]).expect("one column"), &whole, "{name}");
    }
    let udf = scalar(functions.iter().find(|function| function.name == "every_second").expect("a function"));
    let texts = StringArray::from(vec![Some("a"), Some("b"), None, Some("d"), Some("")]);
    let result = call(&udf, vec![column(texts)]).expect("texts");
    assert_eq!(result.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("a"), None, None, None, Some("")]);
}

#[test]
fn an_error_crosses_with_its_text() {
    let (Some(zscore), Some(refuse)) = (vectorized("zscore", "zscore"), vectorized("faults", "refuse")) else { return };
    let ones = || column(Float64Array::from(vec![1.0, 1.0]));
    let negative = column(Float64Array::from(vec![1.0, -1.0]));
    let said = failure(call(&zscore, vec![ones(), ones(), negative]));
    assert_eq!(said, "ZSCORE: a standard deviation cannot be negative");
    let said = failure(call(&refuse, vec![column(Int64Array::from(vec![1, 2, 3]))]));
    assert_eq!(said, "REFUSE: 3 rows are too many");
}

#[test]
fn a_panic_is_an_error_of_its_call_and_no_other() {
    let test = "calls::a_panic_is_an_error_of_its_call_and_no_other";
    if let Some(said) = in_child(test) {
        // Arroyo's format leaves the text on standard error; ours brings it along instead.
        if !said.contains("skipped") {
            assert!(said.contains("SHOUT takes a number of marks that is not negative"), "{said}");
            assert!(!said.contains("a value is below zero"), "{said}");
            assert!(!said.contains("divide by zero"), "{said}");
        }
        return;
    }
    let (Some(shout), Some(panic)) = (shout(), vectorized("faults", "panic_below_zero")) else { return };
    let texts = || column(StringArray::from(vec!["a", "b"]));
    for _ in 0..50 {
        let said = failure(call(&shout, vec![texts(), column(Int32Array::from(vec![1, -1]))]));
        assert_eq!(said, "SHOUT: panicked; its message is on standard error");
        let said = failure(call(&panic, vec![column(Int64Array::from(vec![1, -1]))]));
        assert!(said.starts_with("PANIC_BELOW_ZERO: panicked: a value is below zero (faults/src/lib.rs:"), "{said}");
    }
    let Some(quotient) = arroyo("quotient", &["Int64", "Int64"], "Int64") else { return };
    let numbers = |values: Vec<i64>| column(Int64Array::from(values));
    for _ in 0..2 {
        let said = failure(call(&scalar(&quotient), vec![numbers(vec![6, 7]), numbers(vec![2, 0])]));
        assert_eq!(said, "QUOTIENT: panicked: attempt to divide by zero (line 8)");
        let result = call(&scalar(&quotient), vec![numbers(vec![6, 7]), numbers(vec![2, 1])]).expect("numbers");
        assert_eq!(result.as_primitive::<Int64Type>().values(), &[3, 7]);
    }
    let result = call(&shout, vec![texts(), column(Int32Array::from(vec![1, 2]))]).expect("texts");
    assert_eq!(result.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["A!", "B!!"]);
    let result = call(&panic, vec![column(Int64Array::from(vec![Some(1), None]))]).expect("numbers");
    assert_eq!(result.as_primitive::<Int64Type>(), &Int64Array::from(vec![Some(1), None]));
}

#[test]
fn two_threads_call_one_function_at_a_time() {
    let (Some(multiply), Some(panic)) = (multiply(), vectorized("faults", "panic_below_zero")) else { return };
    std::thread::scope(|scope| {
        for thread in 1..4_i32 {
            let (multiply, panic) = (&multiply, &panic);
            scope.spawn(move || {
                for round in 0..200 {
                    let values: Vec<f64> = (0..100).map(|row| f64::from(row * thread + round)).collect();
                    let squares: Vec<f64> = values.iter().map(|value| value * value).collect();
                    let values = column(Float64Array::from(values));
                    let result = call(multiply, vec![values.clone(), values]).expect("products");
                    assert_eq!(result.as_primitive::<Float64Type>().values(), &squares[..]);
                    let sign = if thread == 2 { -1 } else { 1 };
                    let result = call(panic, vec![column(Int64Array::from(vec![sign]))]);
                    assert_eq!(result.is_err(), thread == 2);
                }
            });
        }
    });
}
