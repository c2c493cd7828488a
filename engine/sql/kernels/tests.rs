//! Kernels that differ from DataFusion's.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Int32Array, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema};
use datafusion::common::DFSchema;
use datafusion::logical_expr::{col, lit};

use super::*;
use crate::functions::row_errors;
use crate::sql::bind::compile::physical;
use crate::types::SqlType;

fn evaluate(expr: &Expr, batch: &RecordBatch, ty: SqlType) -> (ArrayRef, Vec<usize>) {
    let schema = DFSchema::try_from(Schema::clone(&batch.schema())).unwrap();
    let compiled = physical(expr, &schema, &ty, String::new()).unwrap();
    let (result, errors) = row_errors::with_sink(batch.num_rows(), || compiled.physical.evaluate(batch));
    let column = result.unwrap().into_array(batch.num_rows()).unwrap();
    (column, errors.into_iter().filter_map(|error| error.row).collect())
}

#[test]
fn the_smallest_integer_divided_by_minus_one_is_itself_as_in_java() {
    let schema = Schema::new(vec![Field::new("l", DataType::Int32, true), Field::new("r", DataType::Int32, true)]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![Some(i32::MIN), Some(i32::MIN), Some(7), None, Some(1)])),
        Arc::new(Int32Array::from(vec![Some(-1), Some(0), Some(-2), Some(0), None])),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let (quotient, bad) = evaluate(&divide::quotient(col("l"), col("r")), &batch, SqlType::Integer);
    let quotient: Vec<_> = quotient.as_primitive::<Int32Type>().iter().collect();
    assert_eq!(quotient, [Some(i32::MIN), None, Some(-3), None, None]);
    assert_eq!(bad, [1], "a null over zero is no failure");
    let (rest, _) = evaluate(&divide::remainder(col("l"), col("r")), &batch, SqlType::Integer);
    assert_eq!(rest.as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [Some(0), None, Some(1), None, None]);
}

#[test]
fn a_constant_divisor_takes_the_short_way_to_the_same_result() {
    let schema = Schema::new(vec![Field::new("l", DataType::Int64, true)]);
    let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(9), None]));
    let batch = RecordBatch::try_new(Arc::new(schema), vec![column]).unwrap();
    for (divisor, expected) in [(-1, [Some(i64::MIN), Some(-9), None]), (2, [Some(i64::MIN / 2), Some(4), None])] {
        let (quotient, bad) = evaluate(&divide::quotient(col("l"), lit(divisor as i64)), &batch, SqlType::Bigint);
        assert_eq!((quotient.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), bad), (expected.to_vec(), vec![]));
    }
    let (quotient, bad) = evaluate(&divide::quotient(col("l"), lit(0i64)), &batch, SqlType::Bigint);
    assert_eq!((quotient.null_count(), bad), (3, vec![0, 1]));
}
