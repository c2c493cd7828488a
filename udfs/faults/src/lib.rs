//! Functions that go wrong, and every type there is: what the engine's tests call.

use alcedo_udf::{
    Array, BinaryArray, BooleanArray, Date32Array, Error, Float64Array, Int64Array, StringArray, Time32Array,
    TimestampArray, udf,
};

/// Refuses everything.
#[udf]
fn refuse(values: &Int64Array) -> Result<Int64Array, Error> {
    Err(Error::new(format!("{} rows are too many", values.len())))
}

/// Panics on a row with a negative value.
#[udf(nulls = "propagate")]
fn panic_below_zero(values: &Int64Array) -> Int64Array {
    let rows = values.iter().inspect(|value| assert!(value.is_none_or(|value| value >= 0), "a value is below zero"));
    rows.collect()
}

/// Returns a row less than it got.
#[udf]
fn lose_a_row(values: &Int64Array) -> Int64Array {
    values.iter().skip(1).collect()
}

/// Counts its calls.
#[udf(volatile, name = "CALLS")]
fn count_calls(values: &Int64Array) -> Int64Array {
    use std::sync::atomic::{AtomicI64, Ordering};
    static CALLS: AtomicI64 = AtomicI64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    (0..values.len()).map(|_| call).collect()
}

macro_rules! identities {
    ($($name:ident, $array:ty;)*) => {$(
        /// Returns its argument.
        #[udf]
        fn $name(values: &$array) -> $array {
            values.clone()
        }
    )*};
}

identities! {
    same_double, Float64Array;
    same_text, StringArray;
    same_bytes, BinaryArray;
    same_boolean, BooleanArray;
    same_timestamp, TimestampArray;
    same_date, Date32Array;
    same_time, Time32Array;
}

/// Every second row of text, made anew.
#[udf]
fn every_second(values: &StringArray) -> StringArray {
    values.iter().enumerate().map(|(row, value)| value.filter(|_| row % 2 == 0)).collect()
}
