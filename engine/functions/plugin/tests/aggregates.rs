//! Functions with vectors as arguments, through DataFusion's own GROUP BY.

use datafusion::arrow::array::types::{Float64Type, Int32Type};
use datafusion::arrow::array::{AsArray, Float64Array, Int32Array, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::*;

fn smooth() -> Option<Arc<AggregateUDF>> {
    match arroyo("smooth", &["Vec Float64?", "Vec Float64?"], "Float64?")?.implementation {
        Implementation::Aggregate(udf) => Some(udf),
        Implementation::Scalar(udf) => panic!("{} is scalar", udf.name()),
    }
}

/// Runs a query over a table of `partitions`, each of some batches, of columns k, v and w.
fn query(sql: &str, udf: Arc<AggregateUDF>, partitions: Vec<Vec<RecordBatch>>) -> RecordBatch {
    let schema = partitions[0][0].schema();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(3));
        let table = MemTable::try_new(schema, partitions).expect("a table");
        context.register_table("t", Arc::new(table)).expect("a free name");
        context.register_udaf(AggregateUDF::clone(&udf));
        let batches = context.sql(sql).await.expect("a plan").collect().await.expect("rows");
        concat_batches(&batches[0].schema(), &batches).expect("one batch")
    })
}

/// Rows `from..to` of a table: key, value, weight; some values are NULL.
fn batch(from: i32, to: i32) -> RecordBatch {
    let keys = Int32Array::from_iter_values((from..to).map(|row| row % 3));
    let values = Float64Array::from_iter((from..to).map(|row| (row % 7 != 0).then_some(f64::from(row))));
    let weights = Float64Array::from_iter_values((from..to).map(|row| f64::from(row % 4)));
    RecordBatch::try_from_iter([("k", column(keys)), ("v", column(values)), ("w", column(weights))]).expect("a batch")
}

#[test]
fn a_group_has_the_value_of_all_its_rows() {
    let Some(smooth) = smooth() else { return };
    // Several partitions, so that states are merged; many small batches, so that pieces are.
    let partition = |from: i32| (0..100).map(|index| batch(from + index * 7, from + index * 7 + 7)).collect();
    let partitions = vec![partition(0), partition(700), partition(1400)];
    let result = query("SELECT k, \"SMOOTH\"(v, w) AS s FROM t GROUP BY k ORDER BY k", smooth, partitions);
    assert_eq!(result.column(0).as_primitive::<Int32Type>().values(), &[0, 1, 2]);
    let scores = result.column(1).as_primitive::<Float64Type>();
    for key in 0..3 {
        let rows = (0..2100).filter(|row| row % 3 == key && row % 7 != 0);
        let (mut total, mut weighted) = (0.0, 0.0);
        for row in rows {
            total += f64::from(row % 4);
            weighted += f64::from(row) * f64::from(row % 4);
        }
        let found = scores.value(usize::try_from(key).expect("a key"));
        assert!((found - weighted / total).abs() < 1e-9, "key {key}: {found}");
    }
}

#[test]
fn no_rows_are_a_group_of_none() {
    let Some(smooth) = smooth() else { return };
    let result = query("SELECT \"SMOOTH\"(v, w) AS s FROM t WHERE v < 0", smooth, vec![vec![batch(0, 10)]]);
    assert_eq!((result.num_rows(), result.column(0).null_count()), (1, 1));
}

#[test]
fn an_aggregate_describes_its_arguments() {
    let Some(function) = arroyo("smooth", &["Vec Float64?", "Vec Float64"], "Float64?") else { return };
    assert_eq!(function.declaration.kind, FunctionKind::Aggregate);
    let text = crate::functions::describe::describe(&function.declaration);
    assert!(text.contains("Variation   : SMOOTH(a0 DOUBLE, a1 DOUBLE)"), "{text}");
    assert!(text.contains("The values of the group that are not NULL."), "{text}");
    assert_eq!(DOUBLE, function.signature.result.arrow_type().expect("a type"));
}
