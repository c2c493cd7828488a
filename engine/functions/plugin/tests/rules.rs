//! What goes into a call: types, layouts, lengths, constants, memory.

use datafusion::arrow::array::types::{Float64Type, Int32Type, Int64Type};
use datafusion::arrow::array::{
    AsArray, DictionaryArray, Float64Array, Int32Array, Int64Array, StringArray, StringViewArray,
};
use datafusion::arrow::array::{LargeStringArray, RunArray};
use datafusion::common::ScalarValue;

use super::*;
use crate::functions::plugin::convert::export;

fn doubles(values: &[f64]) -> ArrayRef {
    column(Float64Array::from(values.to_vec()))
}

#[test]
fn a_wrong_type_never_reaches_a_function() {
    if in_child("rules::a_wrong_type_never_reaches_a_function").is_some() {
        return;
    }
    let (Some(multiply), Some(shout)) = (multiply(), shout()) else { return };
    let integers = column(Int64Array::from(vec![1, 2]));
    let said = failure(call(&multiply, vec![doubles(&[1.0, 2.0]), integers.clone()]));
    assert_eq!(said, "MULTIPLY: argument 2 is Int64, not Float64");
    let said = failure(call(&shout, vec![doubles(&[1.0, 2.0]), column(Int32Array::from(vec![1, 2]))]));
    assert_eq!(said, "SHOUT: argument 1 is Float64, not Utf8");
    let said = failure(call(&multiply, vec![integers]));
    assert_eq!(said, "MULTIPLY: takes 2 arguments, was called with 1");
    // The types that an older Arrow dies on have no way across.
    assert!(export(&StringViewArray::from(vec!["a"])).is_none());
    assert!(export(&DictionaryArray::<Int32Type>::from_iter(["a"])).is_none());
}

#[test]
fn views_dictionaries_and_other_layouts_of_text_arrive_as_text() {
    if in_child("rules::views_dictionaries_and_other_layouts_of_text_arrive_as_text").is_some() {
        return;
    }
    let (Some(shout), Some(again)) = (shout(), vectorized("faults", "same_text")) else { return };
    let texts = ["ahoy", "a text that is too long for the inline part of a view"];
    let runs = RunArray::<Int32Type>::try_new(&Int32Array::from(vec![1, 2]), &StringArray::from(texts.to_vec()));
    let layouts: Vec<ArrayRef> = vec![
        column(StringArray::from(texts.to_vec())),
        column(StringViewArray::from(texts.to_vec())),
        column(LargeStringArray::from(texts.to_vec())),
        column(DictionaryArray::<Int32Type>::from_iter(texts)),
        column(runs.expect("two runs")),
    ];
    for layout in layouts {
        let shown = layout.data_type().clone();
        let result = call(&shout, vec![layout.clone(), column(Int32Array::from(vec![2, 0]))]).expect("a text");
        let result: Vec<_> = result.as_string::<i32>().iter().flatten().collect();
        assert_eq!(result, ["AHOY!!", "A TEXT THAT IS TOO LONG FOR THE INLINE PART OF A VIEW"], "{shown}");
        let same = call(&again, vec![layout]).expect("a text");
        assert_eq!(same.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), texts, "{shown}");
    }
    // A column of nothing but NULL has no type of its own.
    let nothing = datafusion::arrow::array::new_null_array(&DataType::Null, 2);
    let result = call(&shout, vec![nothing, column(Int32Array::from(vec![2, 0]))]).expect("nulls");
    assert_eq!((result.data_type(), result.null_count()), (&DataType::Utf8, 2));
}

#[test]
fn columns_are_of_one_length_and_constants_are_expanded() {
    let Some(multiply) = multiply() else { return };
    let columns = || vec![ColumnarValue::Array(doubles(&[1.0, 2.0, 3.0])), ColumnarValue::Array(doubles(&[4.0, 5.0]))];
    assert_eq!(failure(invoke(&multiply, columns(), 3)), "MULTIPLY: argument 2 has 2 rows, not 3");
    for constant_first in [false, true] {
        let mut args = vec![
            ColumnarValue::Array(doubles(&[1.0, 2.0, 3.0])),
            ColumnarValue::Scalar(ScalarValue::Float64(Some(0.5))),
        ];
        if constant_first {
            args.reverse();
        }
        let ColumnarValue::Array(result) = invoke(&multiply, args, 3).expect("a product") else { panic!("a constant") };
        assert_eq!(result.as_primitive::<Float64Type>().values(), &[0.5, 1.0, 1.5]);
    }
}

#[test]
fn constants_alone_are_one_call_unless_the_function_is_volatile() {
    let Some(multiply) = multiply() else { return };
    let constant = |value: f64| ColumnarValue::Scalar(ScalarValue::Float64(Some(value)));
    let result = invoke(&multiply, vec![constant(6.0), constant(7.0)], 1000).expect("a product");
    assert!(matches!(result, ColumnarValue::Scalar(ScalarValue::Float64(Some(42.0)))), "{result:?}");
    let null = ColumnarValue::Scalar(ScalarValue::Float64(None));
    let result = invoke(&multiply, vec![constant(6.0), null], 1000).expect("NULL");
    assert!(matches!(result, ColumnarValue::Scalar(ScalarValue::Float64(None))), "{result:?}");

    let Some(calls) = vectorized("faults", "CALLS") else { return };
    let seven = || vec![ColumnarValue::Scalar(ScalarValue::Int64(Some(7)))];
    let first = invoke(&calls, seven(), 4).expect("a count");
    let ColumnarValue::Array(first) = first else { panic!("a volatile function has a value for each row") };
    let second = invoke(&calls, seven(), 4).expect("a count").into_array(4).expect("a column");
    assert_eq!(first.len(), 4);
    assert_ne!(first.as_primitive::<Int64Type>().value(0), second.as_primitive::<Int64Type>().value(0));
}

#[test]
fn no_rows_are_no_call() {
    let Some(refuse) = vectorized("faults", "refuse") else { return };
    let result = call(&refuse, vec![column(Int64Array::from(Vec::<i64>::new()))]).expect("no rows");
    assert_eq!((result.len(), result.data_type()), (0, &DataType::Int64));
}

#[test]
fn memory_is_freed_by_whoever_allocated_it() {
    // This binary's allocator is mimalloc, the libraries' is the system's: one that freed the other's would abort.
    if in_child("rules::memory_is_freed_by_whoever_allocated_it").is_some() {
        return;
    }
    let (Some(multiply), Some(shout), Some(zscore)) = (multiply(), shout(), vectorized("zscore", "zscore")) else {
        return;
    };
    let values = Float64Array::from_iter((0..100).map(|row| (row % 7 != 0).then_some(f64::from(row) + 1.0)));
    let numbers = column(values.clone());
    let texts = column(StringArray::from_iter((0..100).map(|row| (row % 5 != 0).then(|| format!("text {row}")))));
    let marks = column(Int32Array::from_iter_values((0..100).map(|row| row % 3)));
    for _ in 0..2_000 {
        let product = call(&multiply, vec![numbers.clone(), numbers.clone()]).expect("a product");
        assert_eq!(product.null_count(), numbers.null_count());
        call(&shout, vec![texts.clone(), marks.clone()]).expect("texts");
        call(&zscore, vec![numbers.clone(), product.clone(), numbers.clone()]).expect("scores");
        // An error, too, gives everything back.
        failure(call(
            &zscore,
            vec![numbers.clone(), product.clone(), column(values.unary_opt::<_, Float64Type>(|value| Some(-value)))],
        ));
    }
    drop(numbers);
    // Both sides dropped what the calls referred to: this is the last reference.
    assert_eq!(values.values().inner().strong_count(), 1);
}
