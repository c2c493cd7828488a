//! Results that are not what was promised, from functions that follow the interface's letter only.

use std::ffi::{CStr, c_void};

use datafusion::arrow::array::Int64Array;

use super::*;
use crate::functions::plugin::abi::{ArrowArray, ArrowSchema, Column, Columns, RunResult};
use crate::functions::plugin::call::{ArroyoCall, Callee};

/// Buffers of a result, kept until it is released.
struct Owned {
    pointers: [*const c_void; 3],
    _buffers: Vec<Vec<u64>>,
}

unsafe extern "C" fn release_array(array: *mut ArrowArray) {
    // SAFETY: called once, with what `made` made.
    unsafe {
        drop(Box::from_raw((*array).private_data.cast::<Owned>()));
        (*array).release = None;
    }
}

unsafe extern "C" fn release_schema(schema: *mut ArrowSchema) {
    // SAFETY: called by its holder.
    unsafe { (*schema).release = None }
}

/// A result with these buffers; an empty one is a null pointer.
fn made(format: &'static CStr, length: i64, null_count: i64, n_buffers: i64, buffers: Vec<Vec<u64>>) -> Column {
    let mut pointers = [std::ptr::null(); 3];
    for (pointer, buffer) in pointers.iter_mut().zip(&buffers) {
        if !buffer.is_empty() {
            *pointer = buffer.as_ptr().cast();
        }
    }
    let owned = Box::into_raw(Box::new(Owned { pointers, _buffers: buffers }));
    let mut array = ArrowArray::released();
    (array.length, array.null_count, array.n_buffers) = (length, null_count, n_buffers);
    // SAFETY: just allocated.
    array.buffers = unsafe { (&raw mut (*owned).pointers).cast() };
    array.release = Some(release_array);
    array.private_data = owned.cast();
    let schema = ArrowSchema {
        format: format.as_ptr(),
        name: c"".as_ptr(),
        metadata: std::ptr::null(),
        flags: 0,
        n_children: 0,
        children: std::ptr::null_mut(),
        dictionary: std::ptr::null_mut(),
        release: Some(release_schema),
        private_data: std::ptr::null_mut(),
    };
    Column { array, schema }
}

/// Frees the arguments as a library would.
fn take(columns: Columns) {
    for index in 0..columns.len {
        // SAFETY: each column is moved out once.
        drop(unsafe { columns.start.add(index).read() });
    }
    // SAFETY: the vector is `malloc`'s.
    unsafe { libc::free(columns.start.cast()) }
}

macro_rules! liars {
    ($($name:ident => $result:expr;)*) => {$(
        unsafe extern "C-unwind" fn $name(columns: Columns) -> RunResult {
            take(columns);
            $result
        }
    )*};
}

liars! {
    too_short => RunResult::Done(made(c"l", 1, 0, 2, vec![vec![], vec![7]]));
    negative => RunResult::Done(made(c"l", -2, 0, 2, vec![vec![], vec![7]]));
    another_type => RunResult::Done(made(c"g", 2, 0, 2, vec![vec![], vec![7, 8]]));
    nulls_nowhere => RunResult::Done(made(c"l", 2, 1, 2, vec![vec![], vec![7, 8]]));
    miscounted => RunResult::Done(made(c"l", 2, 2, 2, vec![vec![0b01], vec![7, 8]]));
    no_values => RunResult::Done(made(c"l", 2, 0, 2, vec![vec![], vec![]]));
    missing_buffer => RunResult::Done(made(c"u", 2, 0, 2, vec![vec![], vec![0, 0]]));
    falling => RunResult::Done(made(c"u", 2, 0, 3, vec![vec![], vec![3 << 32, 1], vec![0]]));
    no_text => RunResult::Done(made(c"u", 2, 0, 3, vec![vec![], vec![1 << 32, 2], vec![0xfffe]]));
    failed => RunResult::Failed;
    uncounted => RunResult::Done(made(c"l", 2, -1, 2, vec![vec![0b10], vec![7, 8]]));
}

#[test]
fn a_result_is_checked_before_anyone_sees_it() {
    let ask = |run, result| {
        let column = column(Int64Array::from(vec![1, 2]));
        ArroyoCall { run, panics: None, result }.call(&[column], 2)
    };
    let refused = |run, result| ask(run, result).expect_err("a result that is refused");
    assert_eq!(refused(too_short, DataType::Int64), "gave 1 rows for 2");
    assert_eq!(refused(negative, DataType::Int64), "gave a result of negative length");
    assert_eq!(refused(another_type, DataType::Int64), "gave a result of Arrow's type `g`, not Int64");
    assert_eq!(refused(nulls_nowhere, DataType::Int64), "gave nulls without saying where");
    assert_eq!(refused(miscounted, DataType::Int64), "gave 1 nulls and said that there are 2");
    assert_eq!(refused(no_values, DataType::Int64), "gave a result without its values");
    let buffers = "gave a result with another number of buffers than its type has";
    assert_eq!(refused(missing_buffer, DataType::Utf8), buffers);
    assert_eq!(refused(falling, DataType::Utf8), "gave texts whose beginnings do not rise");
    assert_eq!(refused(no_text, DataType::Utf8), "gave text that is not UTF-8");
    assert_eq!(refused(failed, DataType::Int64), "panicked; its message is on standard error");
    // Nulls need not be counted.
    let fine = ask(uncounted, DataType::Int64).expect("a result");
    assert_eq!(&fine, &column(Int64Array::from(vec![None, Some(8)])));
}

#[test]
fn a_row_less_than_asked_for_is_an_error() {
    let Some(lose) = vectorized("faults", "lose_a_row") else { return };
    let said = failure(call(&lose, vec![column(Int64Array::from(vec![1, 2, 3]))]));
    assert_eq!(said, "LOSE_A_ROW: gave 2 rows for 3");
}
