//! Calls of functions for unit tests, the way an expression calls them.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{ScalarValue, config::ConfigOptions};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

use crate::error::Span;
use crate::functions::{FunctionRegistry, ResolvedScalar};
use crate::types::SqlType;

static REGISTRY: LazyLock<FunctionRegistry> = LazyLock::new(FunctionRegistry::builtin);

/// Resolves a call that must resolve.
pub fn resolve(name: &str, args: &[Option<SqlType>]) -> ResolvedScalar {
    REGISTRY.resolve(name, args, Span::default()).expect("a function that takes these arguments")
}

/// Calls a function with columns; they are given to it as they are.
pub fn call(name: &str, columns: Vec<ArrayRef>) -> ArrayRef {
    let rows = columns.first().map_or(1, |column| column.len());
    let args = columns.into_iter().map(ColumnarValue::Array).collect();
    invoke(name, args, rows).into_array(rows).expect("an array")
}

/// Calls a function with one constant.
pub fn call_constant(name: &str, value: ScalarValue) -> ScalarValue {
    match invoke(name, vec![ColumnarValue::Scalar(value)], 3) {
        ColumnarValue::Scalar(value) => value,
        ColumnarValue::Array(array) => panic!("a constant in gave {array:?}"),
    }
}

fn invoke(name: &str, args: Vec<ColumnarValue>, number_rows: usize) -> ColumnarValue {
    let types: Vec<DataType> = args.iter().map(ColumnarValue::data_type).collect();
    let sql_types: Vec<Option<SqlType>> = types
        .iter()
        .map(|ty| match ty {
            DataType::Null => None,
            DataType::Dictionary(_, values) => SqlType::from_arrow(values),
            ty => SqlType::from_arrow(ty),
        })
        .collect();
    let resolved = resolve(name, &sql_types);
    let fields = types.into_iter().map(|ty| Arc::new(Field::new("arg", ty, true))).collect();
    let args = ScalarFunctionArgs {
        args,
        arg_fields: fields,
        number_rows,
        return_field: Arc::new(Field::new("result", resolved.return_type.to_arrow(), true)),
        config_options: Arc::new(ConfigOptions::default()),
    };
    let result = resolved.udf.invoke_with_args(args).expect("a function that does not fail");
    assert_eq!(result.data_type(), resolved.return_type.to_arrow());
    result
}
