//! Calls of functions for unit tests, the way an expression calls them.

mod cases;

pub use cases::example_text;

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::DFSchema;
use datafusion::common::{ScalarValue, config::ConfigOptions};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

use crate::catalog::Catalog;
use crate::error::{Error, Result, Span};
use crate::functions::{FunctionRegistry, ResolvedScalar, row_errors};
use crate::sql::bind::{Binder, Scope, compile};
use crate::sql::parse_expression;
use crate::types::SqlType;
use crate::types::cast::{cast_array, write_text};

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

/// The value of an expression as text, and what was reported meanwhile.
pub fn evaluate(expression: &str) -> Result<(String, Vec<String>)> {
    let (catalog, scope) = (Catalog::new(), Scope::empty());
    let (expr, ty) = Binder::new(&catalog, &REGISTRY, &scope).bind_typed(&parse_expression(expression)?)?;
    let compiled = compile::physical(&expr, &DFSchema::empty(), &ty, String::new())?;
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options)?;
    let (column, errors) = row_errors::with_sink(1, || compiled.physical.evaluate(&batch)?.into_array(1));
    let column = column.map_err(Error::from)?;
    Ok((render(&column, &ty, 0), errors.into_iter().map(|error| error.message).collect()))
}

/// A value as text, as a cast writes it where there is one.
pub fn render(column: &ArrayRef, ty: &SqlType, row: usize) -> String {
    if *ty == SqlType::Timestamp && column.is_valid(row) {
        let text = cast_array(&column.slice(row, 1), ty, &SqlType::String, &mut Vec::new()).expect("a cast");
        return text.as_string::<i32>().value(0).to_string();
    }
    let mut text = Vec::new();
    write_text(column, ty, row, &mut text);
    String::from_utf8(text).expect("UTF-8")
}

/// The value of an expression that has one.
pub fn sql_text(expression: &str) -> String {
    evaluate(expression).unwrap_or_else(|error| panic!("{expression}: {error}")).0
}

/// Expressions and their values as text.
pub fn sql(cases: &[(&str, &str)]) {
    for (expression, expected) in cases {
        assert_eq!(sql_text(expression), *expected, "{expression}");
    }
}

/// Expressions that are null because they fail, and a part of what is reported then.
pub fn sql_fails(cases: &[(&str, &str)]) {
    for (expression, expected) in cases {
        let (text, errors) = evaluate(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
        assert_eq!(text, "null", "{expression}");
        assert!(errors.iter().any(|error| error.contains(expected)), "{expression}: {errors:?}");
    }
}

/// Why an expression is refused.
pub fn sql_error(expression: &str) -> String {
    match evaluate(expression) {
        Ok((value, _)) => panic!("{expression} is {value}"),
        Err(error) => error.to_string(),
    }
}
