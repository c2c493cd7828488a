//! `IFNULL`: a value, or another when it is NULL.

use datafusion::arrow::array::ArrayRef;
use datafusion::common::Result as DfResult;

use super::coalesce::first_valid;
use crate::functions::declaration::{Category, Declaration, ParamType, Variation};
use crate::functions::kernel::{Call, ScalarFunction};

/// The function.
#[derive(Debug)]
pub struct Ifnull;

impl ScalarFunction for Ifnull {
    fn declare(&self) -> Declaration {
        const T: ParamType = ParamType::Generic("T");
        Declaration::scalar(Category::Conditional, "IFNULL", "A value, or another one when it is NULL.")
            .form(
                Variation::new(T, "The first value unless it is NULL, else the second.")
                    .param("expression", T, "The value to prefer.")
                    .param("altValue", T, "What to take when it is NULL."),
            )
            .example("IFNULL(CAST(NULL AS INT), 7)", "7")
    }

    fn evaluate(&self, call: &Call) -> DfResult<ArrayRef> {
        first_valid(&call.args)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{AsArray, StringArray};

    use crate::functions::scalar::testing::{call, resolve};
    use crate::types::SqlType;

    #[test]
    fn null_is_replaced_and_nothing_else() {
        let value = StringArray::from(vec![Some("a"), None, None]);
        let other = StringArray::from(vec![Some("x"), Some("y"), None]);
        let result = call("IFNULL", vec![Arc::new(value), Arc::new(other)]);
        assert_eq!(result.as_string::<i32>(), &StringArray::from(vec![Some("a"), Some("y"), None]));
    }

    #[test]
    fn numbers_of_two_types_meet_in_the_wider_one() {
        let resolved = resolve("IFNULL", &[Some(SqlType::Integer), Some(SqlType::Bigint)]);
        assert_eq!((resolved.arg_types, resolved.return_type), (vec![SqlType::Bigint; 2], SqlType::Bigint));
    }
}
