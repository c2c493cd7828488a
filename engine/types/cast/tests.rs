//! The cast table, kernel by kernel.

use std::sync::Arc;

use datafusion::arrow::array::Array;
use datafusion::arrow::array::*;

use super::*;
use crate::types::SqlType::{
    Array as List, Bigint, Boolean, Date, Decimal, Double, Integer, Map, String, Struct, Time, Timestamp,
};

fn cast(array: impl Array + 'static, from: SqlType, to: SqlType) -> (ArrayRef, Vec<usize>) {
    let mut failures = Vec::new();
    let array: ArrayRef = Arc::new(array);
    let result = cast_array(&array, &from, &to, &mut failures).expect("the cast exists");
    assert_eq!(result.data_type(), &to.to_arrow());
    assert_eq!(result.len(), array.len());
    (result, failures.into_iter().map(|(row, _)| row).collect())
}

fn texts(array: impl Array + 'static, from: SqlType) -> Vec<std::string::String> {
    let (result, failures) = cast(array, from, String);
    assert!(failures.is_empty());
    result.as_string::<i32>().iter().map(|text| text.unwrap_or("NULL").to_string()).collect()
}

#[test]
fn integers_wrap_and_doubles_saturate_on_their_way_to_narrower_integers() {
    let (result, _) = cast(Int64Array::from(vec![2_147_483_648, -1]), Bigint, Integer);
    assert_eq!(result.as_primitive::<Int32Type>().values(), &[i32::MIN, -1]);
    let (result, failures) = cast(Float64Array::from(vec![1e30, -2.9, f64::NAN]), Double, Integer);
    assert_eq!(result.as_primitive::<Int32Type>().values(), &[i32::MAX, -2, 0]);
    assert!(failures.is_empty());
}

#[test]
fn text_is_trimmed_and_a_bad_row_is_null_and_reported_alone() {
    let texts = StringArray::from(vec![Some(" 12 "), Some("1x"), None, Some("2147483648"), Some("7")]);
    let (result, failures) = cast(texts, String, Integer);
    let values: Vec<_> = result.as_primitive::<Int32Type>().iter().collect();
    assert_eq!(values, [Some(12), None, None, None, Some(7)]);
    assert_eq!(failures, [1, 3]);
}

#[test]
fn text_to_double_takes_java_s_suffixes_and_neither_nan_nor_infinities() {
    let (result, failures) = cast(StringArray::from(vec!["1e3", "1d", "NaN", "-Infinity", "1e999"]), String, Double);
    assert_eq!(result.as_primitive::<Float64Type>().values()[..2], [1000.0, 1.0]);
    assert_eq!(failures, [2, 3, 4]);
}

#[test]
fn text_to_decimal_rounds_half_up() {
    let (result, failures) = cast(StringArray::from(vec!["0.99", "0.01", "10"]), String, Decimal(2, 1));
    assert_eq!(result.as_primitive::<Decimal128Type>().value(0), 10);
    assert_eq!(result.as_primitive::<Decimal128Type>().value(1), 0);
    assert_eq!(failures, [2]);
}

#[test]
fn decimals_change_their_scale_and_become_other_numbers() {
    let decimals = || {
        Decimal128Array::from(vec![1012, -1099, 1])
            .with_precision_and_scale(4, 2)
            .expect("four digits, two after the point")
    };
    let (result, _) = cast(decimals(), Decimal(4, 2), Decimal(5, 3));
    assert_eq!(result.as_primitive::<Decimal128Type>().values(), &[10120, -10990, 10]);
    let (result, _) = cast(decimals(), Decimal(4, 2), Decimal(60, 1));
    assert_eq!(result.as_primitive::<Decimal256Type>().value(1).to_i128(), Some(-110));
    let (result, _) = cast(decimals(), Decimal(4, 2), Integer);
    assert_eq!(result.as_primitive::<Int32Type>().values(), &[10, -10, 0]);
    let (result, _) = cast(decimals(), Decimal(4, 2), Double);
    assert_eq!(result.as_primitive::<Float64Type>().values(), &[10.12, -10.99, 0.01]);
    assert_eq!(texts(decimals(), Decimal(4, 2)), ["10.12", "-10.99", "0.01"]);
}

#[test]
fn doubles_become_decimals_through_their_exact_value() {
    let (result, failures) = cast(Float64Array::from(vec![1.005, f64::NAN, 123.0]), Double, Decimal(4, 2));
    assert_eq!(result.as_primitive::<Decimal128Type>().value(0), 101);
    assert_eq!(failures, [1, 2]);
}

#[test]
fn text_has_javas_rendering() {
    assert_eq!(texts(Float64Array::from(vec![1e10, 0.1, -0.0]), Double), ["1.0E10", "0.1", "-0.0"]);
    assert_eq!(texts(BooleanArray::from(vec![Some(true), None]), Boolean), ["true", "NULL"]);
    assert_eq!(texts(TimestampMillisecondArray::from(vec![0]), Timestamp), ["1970-01-01T00:00:00.000"]);
    assert_eq!(texts(Date32Array::from(vec![1]), Date), ["1970-01-02"]);
    assert_eq!(texts(Time32MillisecondArray::from(vec![5_000]), Time), ["00:00:05"]);
}

#[test]
fn nested_values_print_as_java_prints_them() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1), None, Some(3)]), None]);
    assert_eq!(texts(list, List(Box::new(Integer))), ["[1, null, 3]", "NULL"]);
    let ty = Struct(vec![("F0".into(), Integer), ("f1".into(), Integer), ("N".into(), String)]);
    let datafusion::arrow::datatypes::DataType::Struct(fields) = ty.to_arrow() else { panic!("a struct") };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![1])),
        Arc::new(Int32Array::from(vec![3])),
        Arc::new(StringArray::from(vec![None::<&str>])),
    ];
    assert_eq!(texts(StructArray::new(fields, columns, None), ty), ["Struct{F0=1,f1=3}"]);
}

#[test]
fn one_bad_element_fails_its_row_and_no_other() {
    let mut builder = ListBuilder::new(StringBuilder::new());
    builder.append_value([Some("1"), None]);
    builder.append_value([Some("x"), Some("y")]);
    builder.append_null();
    builder.append_value([Some("3")]);
    let list = builder.finish();
    let (result, failures) = cast(list.clone(), List(Box::new(String)), List(Box::new(Bigint)));
    assert_eq!(failures, [1]);
    assert!(result.is_null(1) && result.is_null(2));
    assert_eq!(texts(result.as_list::<i32>().clone(), List(Box::new(Bigint))), ["[1, null]", "NULL", "NULL", "[3]"]);
    let (result, failures) = cast(list.slice(2, 2), List(Box::new(String)), List(Box::new(Bigint)));
    assert!(failures.is_empty());
    assert_eq!(texts(result.as_list::<i32>().clone(), List(Box::new(Bigint))), ["NULL", "[3]"]);
}

#[test]
fn maps_cast_keys_and_values_and_structs_cast_by_name() {
    let mut builder = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    builder.keys().append_value("7");
    builder.values().append_value(2_147_483_648);
    builder.append(true).expect("one key, one value");
    builder.keys().append_value("seven");
    builder.values().append_value(1);
    builder.append(true).expect("one key, one value");
    let from = Map(Box::new(String), Box::new(Bigint));
    let (entries, offsets) = {
        let map = builder.finish();
        (map.entries().columns().to_vec(), map.offsets().clone())
    };
    let datafusion::arrow::datatypes::DataType::Map(field, _) = from.to_arrow() else { panic!("a map") };
    let datafusion::arrow::datatypes::DataType::Struct(fields) = field.data_type() else { panic!("entries") };
    let map = MapArray::new(Arc::clone(&field), offsets, StructArray::new(fields.clone(), entries, None), None, false);
    let to = Map(Box::new(Integer), Box::new(Integer));
    let (result, failures) = cast(map, from, to.clone());
    assert_eq!(failures, [1]);
    assert_eq!(texts(result.as_map().clone(), to), ["{7=-2147483648}", "NULL"]);

    let ty = Struct(vec![("A".into(), Integer), ("B".into(), Integer)]);
    let datafusion::arrow::datatypes::DataType::Struct(fields) = ty.to_arrow() else { panic!("a struct") };
    let column = |value| Arc::new(Int32Array::from(vec![value])) as ArrayRef;
    let record = StructArray::new(fields, vec![column(1), column(2)], None);
    let to = Struct(vec![("B".into(), String), ("C".into(), Double)]);
    let (result, _) = cast(record, ty, to.clone());
    assert_eq!(texts(result.as_struct().clone(), to), ["Struct{B=2}"]);
}

#[test]
fn times_cast_among_each_other() {
    let (result, _) = cast(TimestampMillisecondArray::from(vec![-1]), Timestamp, Date);
    assert_eq!(result.as_primitive::<Date32Type>().value(0), -1);
    let (result, _) = cast(TimestampMillisecondArray::from(vec![-1]), Timestamp, Time);
    assert_eq!(result.as_primitive::<Time32MillisecondType>().value(0), 86_399_999);
    let (result, _) = cast(Date32Array::from(vec![1]), Date, Timestamp);
    assert_eq!(result.as_primitive::<TimestampMillisecondType>().value(0), 86_400_000);
    let (result, failures) = cast(StringArray::from(vec!["2020-05", "2020-13"]), String, Date);
    assert_eq!(result.as_primitive::<Date32Type>().value(0), 18_383);
    assert_eq!(failures, [1]);
}

#[test]
fn a_cast_that_does_not_exist_is_an_error_of_the_statement() {
    let array: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
    let error = cast_array(&array, &Boolean, &Integer, &mut Vec::new()).expect_err("no such cast");
    assert_eq!(error.kind(), crate::error::Kind::Sql);
    assert_eq!(error.message(), "cast of BOOLEAN to INTEGER is not supported");
}
