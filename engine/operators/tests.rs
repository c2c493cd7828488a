//! One row never harms its batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Int64Array, RecordBatch, UInt32Array};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, Int64Type, Schema};
use datafusion::common::{Column as NamedColumn, DFSchema};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, Expr as LogicalExpr, Operator, Volatility, create_udf};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::scalar::ScalarValue;

use super::*;
use crate::plan::{CompiledExpr, Step};
use crate::record::Batch;
use crate::sql::bind::compile::physical;
use crate::types::SqlType;

/// `V op V`, with a kernel of DataFusion that fails as a whole when one row does.
fn compiled(op: Operator, ty: SqlType) -> CompiledExpr {
    let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new("V", 0));
    let physical: Arc<dyn PhysicalExpr> = Arc::new(BinaryExpr::new(column.clone(), op, column));
    CompiledExpr { physical, sql: String::new(), ty, lazy: false, absorbs: false }
}

/// `100 / V`.
fn hundredth() -> CompiledExpr {
    let hundred = Arc::new(Literal::new(ScalarValue::Int64(Some(100))));
    let physical = Arc::new(BinaryExpr::new(hundred, Operator::Divide, Arc::new(Column::new("V", 0))));
    CompiledExpr { physical, sql: String::new(), ty: SqlType::Bigint, lazy: false, absorbs: false }
}

fn batch(column: ArrayRef) -> Batch {
    let schema = Schema::new(vec![Field::new("V", column.data_type().clone(), true)]);
    Batch::new(RecordBatch::try_new(Arc::new(schema), vec![column]).unwrap())
}

#[test]
fn rows_that_fail_a_kernel_are_found_nulled_and_reported_and_the_others_are_computed() {
    let bad = [0, 1, 700, 4095, 4999];
    let values = (0..5000).map(|i| if bad.contains(&i) { 0 } else { i as i64 + 1 });
    let batch = batch(Arc::new(Int64Array::from_iter_values(values)));
    let (mut reports, mut failed) = (Vec::new(), Vec::new());
    let out = eval::evaluate(&hundredth(), &batch, "X", &mut reports, &mut failed).unwrap();
    let out = out.as_primitive::<Int64Type>();
    assert_eq!(out.len(), 5000);
    for row in 0..5000 {
        let expected = (!bad.contains(&row)).then(|| 100 / (row as i64 + 1));
        assert_eq!(out.is_valid(row).then(|| out.value(row)), expected, "row {row}");
    }
    assert_eq!(failed, bad);
    assert_eq!(reports.iter().map(|report| report.record).collect::<Vec<_>>(), bad);
    assert!(reports.iter().all(|report| report.message == "X: division by zero"));
}

#[test]
fn an_overflow_is_reported_without_the_numbers() {
    let values = Decimal128Array::from(vec![Some(1), Some(10i128.pow(37)), None]).with_precision_and_scale(38, 0);
    let batch = batch(Arc::new(values.unwrap()));
    let expr = compiled(Operator::Multiply, SqlType::Decimal(38, 0));
    let (mut reports, mut failed) = (Vec::new(), Vec::new());
    let out = eval::evaluate(&expr, &batch, "X", &mut reports, &mut failed).unwrap();
    assert_eq!(out.as_primitive::<Decimal128Type>().iter().collect::<Vec<_>>(), [Some(1), None, None]);
    assert_eq!(reports, [RowReport { record: 1, message: "X: the result is out of range".into() }]);
}

#[test]
fn reports_name_the_record_a_row_came_from_also_behind_a_filter() {
    let mut input = batch(Arc::new(Int64Array::from(vec![5, 0, 0])));
    input.origin = Some(UInt32Array::from(vec![10, 11, 40]));
    let (mut reports, mut failed) = (Vec::new(), Vec::new());
    eval::evaluate(&hundredth(), &input, "X", &mut reports, &mut failed).unwrap();
    assert_eq!(reports.iter().map(|report| report.record).collect::<Vec<_>>(), [11, 40]);
    assert_eq!(failed, [1, 2]);
}

#[test]
fn an_empty_batch_has_columns_of_the_right_types() {
    let steps = [Step::Project(vec![("X".to_string(), hundredth())])];
    let out =
        Pipeline::new(&steps).whole(batch(Arc::new(Int64Array::from(Vec::<i64>::new()))), &mut Vec::new()).unwrap();
    assert_eq!((out.len(), out.columns.schema().field(0).data_type()), (0, &DataType::Int64));
}

#[test]
fn filters_in_a_row_keep_the_records_their_rows_came_from() {
    let input = batch(Arc::new(Int64Array::from_iter_values(0..100)));
    let keep_odd = |batch: &Batch| {
        let mask = (0..batch.len()).map(|row| Some(row % 2 == 1)).collect();
        batch.filter(&mask, &[0]).unwrap()
    };
    let out = keep_odd(&keep_odd(&input));
    assert_eq!(out.len(), 25);
    assert!((0..25).all(|row| out.record_of(row) == row * 4 + 3));
    let values = out.columns.column(0).as_primitive::<Int64Type>();
    assert!((0..25).all(|row| values.value(row) == out.record_of(row) as i64));
}

/// A kernel that fails as a whole when one of its values is odd, and how often it was called with how many rows.
fn counted() -> (CompiledExpr, Arc<[AtomicUsize; 2]>) {
    let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let counting = counts.clone();
    let kernel = move |args: &[ColumnarValue]| {
        let column = args[0].to_array(1)?;
        counting[0].fetch_add(1, Ordering::Relaxed);
        counting[1].fetch_add(column.len(), Ordering::Relaxed);
        match column.as_primitive::<Int64Type>().values().iter().any(|value| value % 2 == 1) {
            true => Err(DataFusionError::Execution("odd".into())),
            false => Ok(ColumnarValue::Array(column)),
        }
    };
    let int = DataType::Int64;
    let udf = create_udf("counted", vec![int.clone()], int.clone(), Volatility::Volatile, Arc::new(kernel));
    let call = udf.call(vec![LogicalExpr::Column(NamedColumn::new_unqualified("V"))]);
    let schema = DFSchema::try_from(Schema::new(vec![Field::new("V", int, true)])).unwrap();
    (physical(&call, &schema, &SqlType::Bigint, String::new()).unwrap(), counts)
}

#[test]
fn the_rows_that_fail_are_found_in_few_calls() {
    const ROWS: usize = 8192;
    // Halves of halves: 13 of them.
    let depth = ROWS.ilog2() as usize;
    let calls_for = |bad: &dyn Fn(usize) -> bool| {
        let (expr, counts) = counted();
        let values = (0..ROWS).map(|row| i64::from(bad(row)));
        let batch = batch(Arc::new(Int64Array::from_iter_values(values)));
        let (mut reports, mut failed) = (Vec::new(), Vec::new());
        eval::evaluate(&expr, &batch, "X", &mut reports, &mut failed).unwrap();
        assert!(failed.iter().copied().eq((0..ROWS).filter(|row| bad(*row))));
        (counts[0].load(Ordering::Relaxed), counts[1].load(Ordering::Relaxed))
    };
    assert_eq!(calls_for(&|_| false), (1, ROWS));
    // Two halves a level.
    let (calls, rows) = calls_for(&|row| row == 5000);
    assert!(calls <= 2 * depth + 1 && rows <= 3 * ROWS, "{calls} calls with {rows} rows");
    // When all fail the calls are linear, and no level has more rows than the batch.
    let (calls, rows) = calls_for(&|_| true);
    assert!(calls <= 2 * ROWS && rows <= (depth + 1) * ROWS, "{calls} calls with {rows} rows");
}
