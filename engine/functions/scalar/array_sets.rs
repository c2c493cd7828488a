//! Arrays as sets: `ARRAY_CONCAT`, `ARRAY_UNION`, `ARRAY_INTERSECT`, `ARRAY_EXCEPT`, `ARRAY_DISTINCT`, `ARRAY_REMOVE` and
//! `ARRAY_CONTAINS`. Nulls are equal to each other, and the order of the first array is kept.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::concat;
use datafusion::common::Result as DfResult;

use super::plain::{Plain, booleans, picked_lists, span};
use super::values::{key, write_key};
use crate::functions::declaration::{Category, Declaration, ParamType, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::types::SqlType;

const T: ParamType = ParamType::Generic("T");

/// All seven functions.
pub fn functions() -> Vec<Arc<dyn ScalarFunction>> {
    let two = |name: &'static str, what: &'static str, form: &'static str| {
        Declaration::scalar(Category::Array, name, what).form(
            Variation::new(ParamType::array(T), form).param("left", ParamType::array(T), "An array.").param(
                "right",
                ParamType::array(T),
                "Another array.",
            ),
        )
    };
    let with_value = |name: &'static str, what: &'static str, returns: ParamType, form: &'static str| {
        Declaration::scalar(Category::Array, name, what).form(
            Variation::new(returns, form).param("array", ParamType::array(T), "The array.").param(
                "element",
                T,
                "The value, which may be NULL.",
            ),
        )
    };
    vec![
        Plain::function(
            two("ARRAY_CONCAT", "One array behind another.", "All elements; an array that is NULL counts as empty.")
                .example("ARRAY_CONCAT(ARRAY[1, 2], ARRAY[2])", "[1, 2, 2]"),
            |call| pair(call, "ARRAY_CONCAT", Keep::All),
        ),
        Plain::function(
            two(
                "ARRAY_UNION",
                "The distinct elements of two arrays.",
                "The elements of either, each once; NULL when one is.",
            )
            .example("ARRAY_UNION(ARRAY[1, 2], ARRAY[2, 3])", "[1, 2, 3]"),
            |call| pair(call, "ARRAY_UNION", Keep::Either),
        ),
        Plain::function(
            two(
                "ARRAY_INTERSECT",
                "The elements that two arrays share.",
                "The elements of both, each once; NULL when one is.",
            )
            .example("ARRAY_INTERSECT(ARRAY[1, 2, 2], ARRAY[2, 3])", "[2]"),
            |call| pair(call, "ARRAY_INTERSECT", Keep::Both),
        ),
        Plain::function(
            two(
                "ARRAY_EXCEPT",
                "The elements of one array that another lacks.",
                "The elements of the first only, each once; NULL when one is.",
            )
            .example("ARRAY_EXCEPT(ARRAY[1, 2, 1], ARRAY[2, 3])", "[1]"),
            |call| pair(call, "ARRAY_EXCEPT", Keep::LeftOnly),
        ),
        Plain::function(
            Declaration::scalar(Category::Array, "ARRAY_DISTINCT", "The distinct elements of an array.")
                .form(
                    Variation::new(
                        ParamType::array(T),
                        "The elements, each once, in the order in which they come first.",
                    )
                    .param("array", ParamType::array(T), "The array."),
                )
                .example("ARRAY_DISTINCT(ARRAY[1, 2, 1, NULL, NULL])", "[1, 2, null]"),
            |call| {
                let list = call.args[0].as_list::<i32>();
                picked_lists(call, "ARRAY_DISTINCT", list.values(), |row, picks| {
                    if list.is_null(row) {
                        return Ok(None);
                    }
                    let mut seen = HashSet::new();
                    picks.extend(span(list, row).filter(|at| seen.insert(key(list.values(), *at))).map(|at| at as u32));
                    Ok(Some(()))
                })
            },
        ),
        Plain::function(
            with_value(
                "ARRAY_REMOVE",
                "An array without a value.",
                ParamType::array(T),
                "The elements that are not equal to the value.",
            )
            .example("ARRAY_REMOVE(ARRAY[1, 2, 1], 1)", "[2]"),
            |call| {
                let (list, victims) = (call.args[0].as_list::<i32>(), &call.args[1]);
                let (mut victim, mut other) = (Vec::new(), Vec::new());
                picked_lists(call, "ARRAY_REMOVE", list.values(), |row, picks| {
                    if list.is_null(row) {
                        return Ok(None);
                    }
                    victim.clear();
                    write_key(victims, row, &mut victim);
                    for at in span(list, row) {
                        other.clear();
                        write_key(list.values(), at, &mut other);
                        if other != victim {
                            picks.push(at as u32);
                        }
                    }
                    Ok(Some(()))
                })
            },
        ),
        Plain::function(
            with_value(
                "ARRAY_CONTAINS",
                "Whether a value is in an array.",
                SqlType::Boolean.into(),
                "Whether an element is equal to the value; false for an array that is NULL.",
            )
            .example("ARRAY_CONTAINS(ARRAY[1, 2], 2)", "true"),
            |call| {
                let (list, wanted) = (call.args[0].as_list::<i32>(), &call.args[1]);
                let (mut value, mut other) = (Vec::new(), Vec::new());
                booleans(call, "ARRAY_CONTAINS", |row| {
                    value.clear();
                    write_key(wanted, row, &mut value);
                    Ok(Some(
                        list.is_valid(row)
                            && span(list, row).any(|at| {
                                other.clear();
                                write_key(list.values(), at, &mut other);
                                other == value
                            }),
                    ))
                })
            },
        ),
    ]
}

#[derive(Clone, Copy, PartialEq)]
enum Keep {
    /// All of both, repeated ones too.
    All,
    Either,
    Both,
    LeftOnly,
}

fn pair(call: &Call, name: &str, keep: Keep) -> DfResult<ArrayRef> {
    let (left, right) = (call.args[0].as_list::<i32>(), call.args[1].as_list::<i32>());
    let values = concat(&[left.values().as_ref(), right.values().as_ref()])?;
    let shift = left.values().len();
    picked_lists(call, name, &values, |row, picks| {
        let both = left.is_valid(row) && right.is_valid(row);
        if (!both && keep != Keep::All) || (left.is_null(row) && right.is_null(row)) {
            return Ok(None);
        }
        let range =
            |list: &datafusion::arrow::array::ListArray| if list.is_valid(row) { span(list, row) } else { 0..0 };
        let (ours, theirs) = (range(left), range(right));
        let moved = |at: usize| (at + shift) as u32;
        if keep == Keep::All {
            picks.extend(ours.map(|at| at as u32).chain(theirs.map(moved)));
            return Ok(Some(()));
        }
        let mut seen = HashSet::new();
        match keep {
            Keep::Either => {
                let all = ours.map(|at| at as u32).chain(theirs.map(moved));
                picks.extend(all.filter(|at| seen.insert(key(&values, *at as usize))));
            }
            _ => {
                let other: HashSet<Vec<u8>> = theirs.map(|at| key(right.values(), at)).collect();
                for at in ours {
                    let key = key(left.values(), at);
                    if other.contains(&key) == (keep == Keep::Both) && seen.insert(key) {
                        picks.push(at as u32);
                    }
                }
            }
        }
        Ok(Some(()))
    })
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::{sql, sql_error};

    const NULL: &str = "CAST(NULL AS ARRAY<INT>)";

    fn each(cases: &[(&str, &str)]) {
        for (expression, expected) in cases {
            sql(&[(&expression.replace("NOTHING", NULL), expected)]);
        }
    }

    #[test]
    fn nulls_are_elements_and_missing_arrays_are_null() {
        each(&[
            ("ARRAY_CONCAT(NOTHING, ARRAY[1])", "[1]"),
            ("ARRAY_CONCAT(ARRAY[1], NOTHING)", "[1]"),
            ("ARRAY_CONCAT(NOTHING, NOTHING)", "null"),
            ("ARRAY_UNION(ARRAY[1, NULL], ARRAY[NULL, 2])", "[1, null, 2]"),
            ("ARRAY_UNION(NOTHING, ARRAY[1])", "null"),
            ("ARRAY_INTERSECT(ARRAY[1, NULL], ARRAY[NULL, 2])", "[null]"),
            ("ARRAY_INTERSECT(ARRAY[1], NOTHING)", "null"),
            ("ARRAY_EXCEPT(ARRAY[1, NULL], ARRAY[NULL, 2])", "[1]"),
            ("ARRAY_EXCEPT(NOTHING, ARRAY[1])", "null"),
            ("ARRAY_DISTINCT(NOTHING)", "null"),
            ("ARRAY_REMOVE(NOTHING, 1)", "null"),
            ("ARRAY_REMOVE(ARRAY[1, NULL], NULL)", "[1]"),
            ("ARRAY_CONTAINS(NOTHING, 1)", "false"),
            ("ARRAY_CONTAINS(ARRAY[1, NULL], NULL)", "true"),
            ("ARRAY_CONTAINS(ARRAY[1, 2], NULL)", "false"),
        ]);
    }

    #[test]
    fn elements_may_have_parts() {
        sql(&[
            ("ARRAY_DISTINCT(ARRAY[ARRAY[1], ARRAY[1], ARRAY[2]])", "[[1], [2]]"),
            ("ARRAY_REMOVE(ARRAY[MAP('a' := 1, 'b' := 2), MAP('c' := 3)], MAP('b' := 2, 'a' := 1))", "[{c=3}]"),
            ("ARRAY_CONTAINS(ARRAY[STRUCT(A := 1)], STRUCT(A := 1))", "true"),
            ("ARRAY_INTERSECT(ARRAY['a', 'b', 'a'], ARRAY['a'])", "[a]"),
            ("ARRAY_EXCEPT(ARRAY[1.5, 2.5], ARRAY[2.5])", "[1.5]"),
            ("ARRAY_UNION(ARRAY[1], ARRAY[CAST(2 AS BIGINT)])", "[1, 2]"),
            ("ARRAY_CONCAT(ARRAY['a'], ARRAY['a'])", "[a, a]"),
        ]);
        assert!(sql_error("ARRAY_UNION(ARRAY[1], ARRAY['a'])").contains("does not take"));
    }
}
