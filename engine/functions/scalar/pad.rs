//! `LPAD` and `RPAD`: to a length, with padding on one side.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Int32Type};
use datafusion::common::Result as DfResult;

use super::plain::{Cell, Plain, bytes, fail, strings};
use super::strings::{texts, utf16_length, utf16_slice};
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::types::SqlType;

/// The longest result, in characters or bytes: a length out of the data must not exhaust the memory.
const LENGTH_MAX: usize = 1 << 20;

/// Both functions. A negative length or an empty padding gives null; a longer text is cut.
pub fn functions() -> Vec<Arc<dyn ScalarFunction>> {
    vec![
        Plain::function(declare("LPAD", "on the left").example("LPAD('foo', 7, 'Bar')", "BarBfoo"), |call| {
            pad(call, "LPAD", true)
        }),
        Plain::function(declare("RPAD", "on the right").example("RPAD('foo', 7, 'Bar')", "fooBarB"), |call| {
            pad(call, "RPAD", false)
        }),
    ]
}

fn declare(name: &'static str, side: &str) -> Declaration {
    let what = format!("Brings a text, or bytes, to a length with padding {side}.");
    let mut declaration = Declaration::scalar(Category::String, name, what.clone());
    for (ty, input, padding) in
        [(SqlType::String, "The text.", "The text to repeat."), (SqlType::Bytes, "The bytes.", "The bytes to repeat.")]
    {
        declaration = declaration.form(
            Variation::new(ty.clone(), format!("{what} NULL for a negative length and for an empty padding."))
                .param("input", ty.clone(), input)
                .param("targetLen", SqlType::Integer, "The length of the result.")
                .param("padding", ty, padding),
        );
    }
    declaration
}

fn pad(call: &Call, name: &str, left: bool) -> DfResult<ArrayRef> {
    let lengths = call.args[1].as_primitive::<Int32Type>();
    let target = |row: usize| -> Cell<usize> {
        match usize::try_from(lengths.value(row)) {
            Ok(length) if length > LENGTH_MAX => fail("the length is beyond a million"),
            target => Ok(target.ok()),
        }
    };
    match call.args[0].data_type() {
        DataType::Utf8 => {
            let (inputs, paddings) = (texts(&call.args[0]), texts(&call.args[2]));
            strings(call, name, |row, out| {
                if call.null_at(row) || paddings.value(row).is_empty() {
                    return Ok(None);
                }
                let (input, padding) = (inputs.value(row), paddings.value(row));
                let Some(target) = target(row)? else { return Ok(None) };
                let length = utf16_length(input);
                if length >= target {
                    out.push_str(utf16_slice(input, 0, target));
                    return Ok(Some(()));
                }
                let missing = target - length;
                let unit = utf16_length(padding);
                if !left {
                    out.push_str(input);
                }
                (0..missing / unit).for_each(|_| out.push_str(padding));
                out.push_str(utf16_slice(padding, 0, missing % unit));
                if left {
                    out.push_str(input);
                }
                Ok(Some(()))
            })
        }
        _ => {
            let (inputs, paddings) = (call.args[0].as_binary::<i32>(), call.args[2].as_binary::<i32>());
            bytes(call, name, |row, out| {
                if call.null_at(row) || paddings.value(row).is_empty() {
                    return Ok(None);
                }
                let (input, padding) = (inputs.value(row), paddings.value(row));
                let Some(target) = target(row)? else { return Ok(None) };
                let input = &input[..input.len().min(target)];
                let filling = padding.iter().copied().cycle().take(target - input.len());
                if left {
                    out.extend(filling);
                    out.extend_from_slice(input);
                } else {
                    out.extend_from_slice(input);
                    out.extend(filling);
                }
                Ok(Some(()))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::{sql, sql_fails};

    #[test]
    fn texts_and_bytes_reach_their_length() {
        sql(&[
            ("LPAD('foo', 5, 'Bar')", "Bafoo"),
            ("LPAD('foo', 2, 'Bar')", "fo"),
            ("LPAD('foo', -1, 'Bar')", "null"),
            ("LPAD('foo', 5, '')", "null"),
            ("LPAD(CAST(NULL AS STRING), 5, 'x')", "null"),
            ("RPAD('foo', 5, 'Bar')", "fooBa"),
            ("RPAD('foo', 0, 'Bar')", ""),
            ("RPAD('foo', 4, CAST(NULL AS STRING))", "null"),
            ("RPAD('foo', 3, 'x')", "foo"),
            ("LPAD(TO_BYTES('yes', 'utf8'), 8, TO_BYTES('no', 'utf8'))", "bm9ub255ZXM="),
            ("RPAD(TO_BYTES('yes', 'utf8'), 2, TO_BYTES('no', 'utf8'))", "eWU="),
        ]);
        sql_fails(&[("LPAD('x', 2147483647, 'y')", "beyond")]);
    }
}
