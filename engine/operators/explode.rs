//! Repeats rows for the values of table functions.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, ListArray, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array,
};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{Field, Schema};

use super::RowReport;
use super::eval::evaluate;
use crate::error::Result;
use crate::plan::TableCall;
use crate::record::Batch;

/// Each row once for each value of its table functions, whose columns follow those of the batch. The values of several
/// functions stand side by side, and one that has fewer is null for the rest. A row without any value, one whose
/// argument fails, and a tombstone leave nothing.
pub fn explode(
    batch: &Batch,
    calls: &[TableCall],
    reports: &mut Vec<RowReport>,
    scratch: &mut Vec<usize>,
) -> Result<Batch> {
    let rows = batch.len();
    let mut dead: Vec<bool> = (0..rows).map(|row| batch.is_tombstone(row)).collect();
    let mut lists: Vec<ListArray> = Vec::with_capacity(calls.len());
    for call in calls {
        scratch.clear();
        let argument = evaluate(&call.argument, batch, call.function.name(), reports, scratch)?;
        scratch.drain(..).for_each(|row| dead[row] = true);
        let mut failed = Vec::new();
        lists.push(call.function.expand(&argument, &mut |row, message| failed.push((row, message)))?);
        for (row, message) in failed {
            dead[row] = true;
            reports.push(RowReport { record: batch.record_of(row), message });
        }
    }
    let length = |list: &ListArray, row: usize| if list.is_valid(row) { list.value_length(row) as usize } else { 0 };
    let counts: Vec<usize> = (0..rows)
        .map(|row| if dead[row] { 0 } else { lists.iter().map(|list| length(list, row)).max().unwrap_or(0) })
        .collect();
    let repeated: Vec<u32> = (0..rows).flat_map(|row| std::iter::repeat_n(row as u32, counts[row])).collect();
    let picks = UInt32Array::from(repeated);
    let picked = |column: &ArrayRef| -> Result<ArrayRef> {
        Ok(if column.is_empty() { column.clone() } else { take(column, &picks, None)? })
    };
    let mut columns = batch.columns.columns().iter().map(picked).collect::<Result<Vec<_>>>()?;
    let mut fields: Vec<Arc<Field>> = batch.columns.schema().fields().iter().cloned().collect();
    for (call, list) in calls.iter().zip(&lists) {
        let offsets = list.value_offsets();
        let values: UInt32Array = (0..rows)
            .flat_map(|row| {
                let have = length(list, row);
                (0..counts[row]).map(move |i| (i < have).then(|| offsets[row] as u32 + i as u32))
            })
            .collect();
        columns.push(if list.values().is_empty() {
            new_null_array(list.values().data_type(), values.len())
        } else {
            take(list.values(), &values, None)?
        });
        fields.push(Arc::new(Field::new(&call.name, list.values().data_type().clone(), true)));
    }
    let origin = UInt32Array::from_iter_values(picks.values().iter().map(|row| batch.record_of(*row as usize) as u32));
    let options = RecordBatchOptions::new().with_row_count(Some(picks.len()));
    let columns = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?;
    Ok(Batch { columns, origin: Some(origin), tombstones: None })
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{AsArray, Int32Array};
    use datafusion::arrow::buffer::BooleanBuffer;
    use datafusion::arrow::datatypes::Int32Type;
    use datafusion::physical_expr::expressions::Column;

    use super::*;
    use crate::functions::table::TableFunction;
    use crate::plan::CompiledExpr;
    use crate::types::SqlType;

    #[test]
    fn functions_stand_side_by_side_and_the_shorter_is_filled_with_null() {
        let list = |rows: Vec<Option<Vec<Option<i32>>>>| -> ArrayRef {
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(rows))
        };
        let columns = RecordBatch::try_from_iter(vec![
            ("K", Arc::new(Int32Array::from(vec![1, 2, 3, 4])) as ArrayRef),
            ("A", list(vec![Some(vec![Some(7), Some(8)]), None, Some(vec![]), Some(vec![Some(9)])])),
            ("B", list(vec![Some(vec![Some(5)]), Some(vec![None]), Some(vec![]), Some(vec![Some(6)])])),
        ])
        .expect("columns of one length");
        let mut batch = Batch::new(columns);
        batch.tombstones = Some(BooleanBuffer::from(vec![false, false, false, true]));
        let call = |name: &str, at: usize| TableCall {
            function: TableFunction::Explode,
            argument: CompiledExpr {
                physical: Arc::new(Column::new("x", at)),
                sql: String::new(),
                ty: SqlType::Array(Box::new(SqlType::Integer)),
                lazy: false,
            },
            name: name.to_string(),
        };
        let out = explode(&batch, &[call("X", 1), call("Y", 2)], &mut Vec::new(), &mut Vec::new()).expect("rows");
        let column = |at: usize| out.columns.column(at).as_primitive::<Int32Type>().iter().collect::<Vec<_>>();
        assert_eq!(column(0), [Some(1), Some(1), Some(2)]);
        assert_eq!(column(3), [Some(7), Some(8), None]);
        assert_eq!(column(4), [Some(5), None, None]);
        assert_eq!((0..3).map(|row| out.record_of(row)).collect::<Vec<_>>(), [0, 0, 1]);
    }
}
