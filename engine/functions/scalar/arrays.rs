//! `ARRAY_LENGTH`, `ARRAY_JOIN`, `SLICE` and `GENERATE_SERIES`.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayBuilder, ArrayRef, ArrowPrimitiveType, AsArray, ListBuilder, PrimitiveBuilder,
};
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion::common::Result as DfResult;

use super::plain::{Plain, fail, picked_lists, primitives, span, strings};
use super::strings::texts;
use crate::functions::declaration::{Category, Declaration, ParamType, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::functions::row_errors;
use crate::types::SqlType;
use crate::types::cast::write_text;

const T: ParamType = ParamType::Generic("T");

/// All four functions.
pub fn functions() -> Vec<Arc<dyn ScalarFunction>> {
    let length = Declaration::scalar(Category::Array, "ARRAY_LENGTH", "The number of elements of an array.")
        .form(Variation::new(SqlType::Integer, "The number; NULL for NULL.").param(
            "array",
            ParamType::array(T),
            "The array.",
        ))
        .example("ARRAY_LENGTH(ARRAY[1, NULL])", "2");
    let join_form =
        |what: &'static str| Variation::new(SqlType::String, what).param("array", ParamType::array(T), "The array.");
    let join = Declaration::scalar(Category::Array, "ARRAY_JOIN", "The elements of an array as one text.")
        .form(join_form(
            "The texts of the elements, which are texts, numbers or booleans, with commas between them; NULL for NULL.",
        ))
        .form(join_form("The texts of the elements with a delimiter between them; NULL for NULL.").param(
            "delimiter",
            SqlType::String,
            "What stands between two elements; nothing when it is NULL.",
        ))
        .example("ARRAY_JOIN(ARRAY[1, NULL, 3], '|')", "1|null|3");
    let slice = Declaration::scalar(Category::Array, "SLICE", "Some elements of an array in a row.")
        .form(
            Variation::new(
                ParamType::array(T),
                "The elements between two positions; NULL when one is outside of the array.",
            )
            .param("in", ParamType::array(T), "The array.")
            .param("from", SqlType::Integer, "The first position, from 1; the start when it is NULL.")
            .param("to", SqlType::Integer, "The last position; the end when it is NULL."),
        )
        .example("SLICE(ARRAY[1, 2, 3, 4], 2, 3)", "[2, 3]");
    let mut series = Declaration::scalar(Category::Array, "GENERATE_SERIES", "An array of numbers in steps.");
    for ty in [SqlType::Integer, SqlType::Bigint] {
        let form =
            |what: &'static str| {
                Variation::new(ParamType::array(ty.clone()), what)
                    .param("start", ty.clone(), "The first number.")
                    .param("end", ty.clone(), "The last number, inclusive.")
            };
        series = series
            .form(form("The numbers in steps of 1, or of -1 when the end is below the start."))
            .form(form("The numbers in steps of this size.").param("step", SqlType::Integer, "The difference, not 0."));
    }
    let series = series.example("GENERATE_SERIES(1, 9, 4)", "[1, 5, 9]");
    vec![
        Plain::function(length, |call| {
            let list = call.args[0].as_list::<i32>();
            primitives::<Int32Type>(call, "ARRAY_LENGTH", |row| Ok(list.is_valid(row).then(|| list.value_length(row))))
        }),
        Plain::function(join, array_join),
        Plain::function(slice, |call| {
            let list = call.args[0].as_list::<i32>();
            let bound = |index: usize, row: usize| {
                let bounds = call.args[index].as_primitive::<Int32Type>();
                bounds.is_valid(row).then(|| i64::from(bounds.value(row)))
            };
            picked_lists(call, "SLICE", list.values(), |row, picks| {
                if list.is_null(row) {
                    return Ok(None);
                }
                let length = i64::from(list.value_length(row));
                let (from, to) = (bound(1, row).map_or(0, |from| from - 1), bound(2, row).unwrap_or(length));
                if from < 0 || to > length {
                    return Ok(None);
                }
                if from > to {
                    return fail("the last position is before the first");
                }
                let start = span(list, row).start as i64;
                picks.extend((start + from..start + to).map(|at| at as u32));
                Ok(Some(()))
            })
        }),
        Plain::function(series, |call| match &call.returns {
            DataType::List(field) if *field.data_type() == DataType::Int32 => generate::<Int32Type>(call),
            _ => generate::<Int64Type>(call),
        }),
    ]
}

fn array_join(call: &Call) -> DfResult<ArrayRef> {
    let list = call.args[0].as_list::<i32>();
    let values = list.values();
    let element = SqlType::from_arrow(values.data_type()).unwrap_or(SqlType::String);
    let delimiters = call.args.get(1).map(texts);
    let mut text = Vec::new();
    strings(call, "ARRAY_JOIN", |row, out| {
        if list.is_null(row) {
            return Ok(None);
        }
        let joins = matches!(element, SqlType::Boolean | SqlType::String) || element.is_numeric();
        if !joins && span(list, row).any(|at| values.is_valid(at)) {
            return fail("the elements are no texts, numbers or booleans");
        }
        let delimiter = match delimiters {
            None => ",",
            Some(delimiters) if delimiters.is_null(row) => "",
            Some(delimiters) => delimiters.value(row),
        };
        for (i, at) in span(list, row).enumerate() {
            out.push_str(if i > 0 { delimiter } else { "" });
            text.clear();
            write_text(values, &element, at, &mut text);
            out.push_str(&String::from_utf8_lossy(&text));
        }
        Ok(Some(()))
    })
}

/// The longest series: numbers out of the data must not exhaust the memory.
const SERIES_MAX: i128 = 1_000_000;

/// The most numbers of a whole batch.
const BATCH_MAX: usize = 1 << 27;

fn generate<N: ArrowPrimitiveType>(call: &Call) -> DfResult<ArrayRef>
where
    N::Native: Into<i64> + TryFrom<i64>,
{
    let (starts, ends) = (call.args[0].as_primitive::<N>(), call.args[1].as_primitive::<N>());
    let steps = call.args.get(2).map(|steps| steps.as_primitive::<Int32Type>());
    let mut column = ListBuilder::new(PrimitiveBuilder::<N>::new());
    for row in 0..call.rows {
        if call.null_at(row) {
            column.append(false);
            continue;
        }
        let (start, end): (i64, i64) = (starts.value(row).into(), ends.value(row).into());
        let natural = if end < start { -1 } else { 1 };
        let step = steps.map_or(natural, |steps| i64::from(steps.value(row)));
        let distance = i128::from(end) - i128::from(start);
        let wrong = if step == 0 {
            Some("the step is 0")
        } else if distance != 0 && (distance > 0) != (step > 0) {
            Some("the step leads away from the end")
        } else if distance / i128::from(step) >= SERIES_MAX {
            Some("the series has more than a million numbers")
        } else if column.values().len() > BATCH_MAX {
            Some("the series of a batch have too many numbers together")
        } else {
            None
        };
        if let Some(reason) = wrong {
            row_errors::report(row, call.rows, || format!("GENERATE_SERIES: {reason}"));
            column.append(false);
            continue;
        }
        for i in 0..=(distance / i128::from(step)) as i64 {
            // Between two values of the type, so it is one too.
            if let Ok(value) = N::Native::try_from(start + i * step) {
                column.values().append_value(value);
            }
        }
        column.append(true);
    }
    Ok(Arc::new(column.finish()))
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::{sql, sql_fails};

    #[test]
    fn lengths_and_texts() {
        sql(&[
            ("ARRAY_LENGTH(CAST(NULL AS ARRAY<INT>))", "null"),
            ("ARRAY_LENGTH(ARRAY[NULL, 1])", "2"),
            ("ARRAY_LENGTH(SLICE(ARRAY[1], 1, 0))", "0"),
            ("ARRAY_JOIN(CAST(NULL AS ARRAY<INT>))", "null"),
            ("ARRAY_JOIN(ARRAY[1.23e0, 0e0])", "1.23,0.0"),
            ("ARRAY_JOIN(ARRAY['a', '', 'b'], CAST(NULL AS STRING))", "ab"),
            ("ARRAY_JOIN(ARRAY[TRUE, NULL], '|')", "true|null"),
        ]);
        sql(&[("ARRAY_JOIN(ARRAY[CAST(NULL AS DATE), NULL])", "null,null")]);
        sql_fails(&[
            ("ARRAY_JOIN(ARRAY[ARRAY[1]])", "no texts"),
            ("ARRAY_JOIN(ARRAY[CAST('2020-01-01' AS DATE)])", "no texts"),
        ]);
    }

    #[test]
    fn slices_count_from_one() {
        sql(&[
            ("SLICE(ARRAY[1, 2, 3], NULL, 2)", "[1, 2]"),
            ("SLICE(ARRAY[1, 2, 3], 2, NULL)", "[2, 3]"),
            ("SLICE(ARRAY[1, 2, 3], 2, 2)", "[2]"),
            ("SLICE(ARRAY[1, 2, 3], 0, 2)", "null"),
            ("SLICE(ARRAY[1, 2, 3], 1, 4)", "null"),
            ("SLICE(CAST(NULL AS ARRAY<INT>), 1, 2)", "null"),
            ("SLICE(ARRAY[1, 2, 3], 3, 2)", "[]"),
        ]);
        sql_fails(&[("SLICE(ARRAY[1, 2, 3], 3, 1)", "before the first")]);
    }

    #[test]
    fn series_have_steps() {
        sql(&[
            ("GENERATE_SERIES(1, 3)", "[1, 2, 3]"),
            ("GENERATE_SERIES(3, 1)", "[3, 2, 1]"),
            ("GENERATE_SERIES(0, 9, 4)", "[0, 4, 8]"),
            ("GENERATE_SERIES(9, 0, -5)", "[9, 4]"),
            ("GENERATE_SERIES(CAST(1 AS BIGINT), 2)", "[1, 2]"),
            ("GENERATE_SERIES(1, 1)", "[1]"),
            ("GENERATE_SERIES(1, CAST(NULL AS INT))", "null"),
        ]);
        sql_fails(&[
            ("GENERATE_SERIES(1, 3, 0)", "is 0"),
            ("GENERATE_SERIES(1, 3, -1)", "away"),
            ("GENERATE_SERIES(-9223372036854775807, 9223372036854775807)", "a million"),
        ]);
    }
}
