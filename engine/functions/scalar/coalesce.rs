//! `COALESCE`: the first value that is there.

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::compute::{is_not_null, kernels::zip::zip};
use datafusion::common::Result as DfResult;

use crate::functions::declaration::{Category, Declaration, ParamType, Variation};
use crate::functions::kernel::{Call, ScalarFunction};

/// The function.
#[derive(Debug)]
pub struct Coalesce;

impl ScalarFunction for Coalesce {
    fn declare(&self) -> Declaration {
        const T: ParamType = ParamType::Generic("T");
        Declaration::scalar(Category::Conditional, "COALESCE", "The first of its arguments that is not NULL.")
            .form(
                Variation::new(T, "The first value that is not NULL; NULL when all are.")
                    .param("first", T, "The value to prefer.")
                    .param("others", T, "What to take instead, in this order.")
                    .repeated(),
            )
            .example("COALESCE(NULL, 'b', 'c')", "b")
    }

    fn evaluate(&self, call: &Call) -> DfResult<ArrayRef> {
        first_valid(&call.args)
    }
}

/// For each row the first of several columns that is not null there. There is at least one.
pub(super) fn first_valid(columns: &[ArrayRef]) -> DfResult<ArrayRef> {
    let mut result = columns[0].clone();
    for other in &columns[1..] {
        if result.null_count() == 0 {
            break;
        }
        let valid = is_not_null(&result)?;
        result = zip(&valid, &result, other)?;
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{AsArray, Int32Array, ListArray};
    use datafusion::arrow::datatypes::Int32Type;

    use super::*;
    use crate::functions::scalar::testing::call;

    #[test]
    fn the_first_value_in_the_order_of_arguments_wins() {
        let column = |values: [Option<i32>; 4]| -> ArrayRef { Arc::new(Int32Array::from(values.to_vec())) };
        let result = call(
            "COALESCE",
            vec![
                column([Some(1), None, None, None]),
                column([Some(2), Some(2), None, None]),
                column([None, Some(3), Some(3), None]),
            ],
        );
        let result: Vec<Option<i32>> = result.as_primitive::<Int32Type>().iter().collect();
        assert_eq!(result, [Some(1), Some(2), Some(3), None]);
    }

    #[test]
    fn one_argument_is_itself_and_arrays_are_values() {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![None, Some(vec![Some(1), None])]);
        let result = call("COALESCE", vec![Arc::new(lists.clone())]);
        assert_eq!(result.as_list::<i32>(), &lists);
        let other = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![]), Some(vec![Some(7)])]);
        let result = call("COALESCE", vec![Arc::new(lists), Arc::new(other)]);
        assert_eq!((result.null_count(), result.as_list::<i32>().value_length(0)), (0, 0));
    }
}
