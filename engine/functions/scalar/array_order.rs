//! `ARRAY_SORT`, `ARRAY_MIN`, `ARRAY_MAX`.

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, UInt32Array, new_null_array};
use datafusion::arrow::compute::take;
use datafusion::common::Result as DfResult;

use super::plain::{Plain, fail, picked_lists, span};
use super::strings::texts;
use super::values::order;
use crate::functions::declaration::{Category, Declaration, ParamType, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::functions::row_errors;
use crate::types::SqlType;

const T: ParamType = ParamType::Generic("T");

/// All three functions.
pub fn functions() -> Vec<Arc<dyn ScalarFunction>> {
    let form = |what: &'static str| {
        Variation::new(ParamType::array(T), what).param("input", ParamType::array(T), "The array.")
    };
    let sort = Declaration::scalar(Category::Array, "ARRAY_SORT", "An array in order.")
        .form(form("The elements from the least to the greatest, NULLs last."))
        .form(form("The elements in the order asked for, NULLs last; NULL when there is no such order.").param(
            "direction",
            SqlType::String,
            "ASC or DESC.",
        ))
        .example("ARRAY_SORT(ARRAY[2, NULL, 1])", "[1, 2, null]")
        .example("ARRAY_SORT(ARRAY[2, NULL, 3], 'DESC')", "[3, 2, null]");
    let one = |name: &'static str, what: &'static str| {
        Declaration::scalar(Category::Array, name, what).form(
            Variation::new(T, "That element; NULL when there is none but NULLs.").param(
                "input",
                ParamType::array(T),
                "The array.",
            ),
        )
    };
    vec![
        Plain::function(sort, |call| {
            let list = call.args[0].as_list::<i32>();
            let directions = call.args.get(1).map(texts);
            let values = list.values();
            let order = order(values, values)?;
            picked_lists(call, "ARRAY_SORT", values, |row, picks| {
                if call.null_at(row) {
                    return Ok(None);
                }
                let descending = match directions.map_or("ASC", |directions| directions.value(row)) {
                    text if ["ASC", "ASCENDING"].iter().any(|word| text.eq_ignore_ascii_case(word)) => false,
                    text if ["DESC", "DESCENDING"].iter().any(|word| text.eq_ignore_ascii_case(word)) => true,
                    _ => return Ok(None),
                };
                let (mut valid, nulls): (Vec<usize>, Vec<usize>) = span(list, row).partition(|at| values.is_valid(*at));
                match &order {
                    Some(order) => valid.sort_by(|a, b| if descending { order(*b, *a) } else { order(*a, *b) }),
                    None if valid.len() > 1 => return fail(NO_ORDER),
                    None => {}
                }
                picks.extend(valid.into_iter().chain(nulls).map(|at| at as u32));
                Ok(Some(()))
            })
        }),
        Plain::function(
            one("ARRAY_MIN", "The least element of an array.").example("ARRAY_MIN(ARRAY[3, NULL, 1])", "1"),
            |call| extreme(call, "ARRAY_MIN", Ordering::Less),
        ),
        Plain::function(
            one("ARRAY_MAX", "The greatest element of an array.").example("ARRAY_MAX(ARRAY['b', 'c', 'a'])", "c"),
            |call| extreme(call, "ARRAY_MAX", Ordering::Greater),
        ),
    ]
}

const NO_ORDER: &str = "arrays, maps and structs have no order";

fn extreme(call: &Call, name: &str, wanted: Ordering) -> DfResult<ArrayRef> {
    let list = call.args[0].as_list::<i32>();
    let values = list.values();
    if values.is_empty() {
        return Ok(new_null_array(values.data_type(), call.rows));
    }
    let order = order(values, values)?;
    let pick = |row: usize| {
        let range = if list.is_valid(row) { span(list, row) } else { 0..0 };
        let mut valid = range.filter(|at| values.is_valid(*at));
        let best = match &order {
            Some(order) => valid.reduce(|best, at| if order(at, best) == wanted { at } else { best }),
            None => match (valid.next(), valid.next()) {
                (only, None) => only,
                _ => {
                    row_errors::report(row, call.rows, || format!("{name}: {NO_ORDER}"));
                    None
                }
            },
        };
        best.map(|at| at as u32)
    };
    let picks: UInt32Array = (0..call.rows).map(pick).collect();
    Ok(take(values, &picks, None)?)
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::{sql, sql_fails};

    #[test]
    fn arrays_are_sorted_nulls_last() {
        sql(&[
            ("ARRAY_SORT(CAST(NULL AS ARRAY<INT>))", "null"),
            ("ARRAY_SORT(ARRAY['b', 'A', 'a'])", "[A, a, b]"),
            ("ARRAY_SORT(ARRAY[1, NULL, 3], 'desc')", "[3, 1, null]"),
            ("ARRAY_SORT(ARRAY[2, 1], 'up')", "null"),
            ("ARRAY_SORT(ARRAY[TRUE, FALSE])", "[false, true]"),
            ("ARRAY_SORT(ARRAY[SQRT(-1), 1e0, -0e0, 0e0])", "[-0.0, 0.0, 1.0, NaN]"),
            ("ARRAY_SORT(ARRAY[ARRAY[2]])", "[[2]]"),
        ]);
        sql_fails(&[("ARRAY_SORT(ARRAY[ARRAY[2], ARRAY[1]])", "no order")]);
    }

    #[test]
    fn extremes_leave_nulls_out() {
        sql(&[
            ("ARRAY_MIN(CAST(NULL AS ARRAY<INT>))", "null"),
            ("ARRAY_MIN(ARRAY[CAST(NULL AS INT)])", "null"),
            ("ARRAY_MIN(ARRAY[1.5, -0.5])", "-0.5"),
            ("ARRAY_MAX(CAST(NULL AS ARRAY<INT>))", "null"),
            ("ARRAY_MAX(ARRAY[FALSE, TRUE, NULL])", "true"),
            ("ARRAY_MAX(ARRAY['foo', 'food', 'Food'])", "food"),
            ("ARRAY_MIN(ARRAY[NULL, ARRAY[2]])", "[2]"),
        ]);
        sql_fails(&[(
            "ARRAY_MAX(ARRAY[MAP('a' := 1), MAP('a' := 2)])",
            "ARRAY_MAX: arrays, maps and structs have no order",
        )]);
    }
}
