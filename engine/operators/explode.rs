//! Repeats rows for the values of table functions.
//!
//! A record of a few bytes may stand for millions of rows, so the result comes in pieces of a bounded size, each made only
//! when the one before has gone on.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, RecordBatchOptions, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::eval::evaluate;
use super::{Emit, RowReport};
use crate::error::Result;
use crate::functions::table::TableFunction;
use crate::plan::TableCall;
use crate::record::Batch;

/// Most rows of a piece.
const PIECE_ROWS: usize = 8192;

/// About how many bytes of repeated columns a piece has at most; a single row may be larger.
const PIECE_BYTES: usize = 8 << 20;

/// Each row once for each value of its table functions: the columns at `keep`, then those of the functions. The values of
/// several functions stand side by side, and one that has fewer is null for the rest. A row without any value, one whose
/// argument fails, and a tombstone leave nothing.
///
/// The result is whether `emit` wants more.
pub fn explode(
    batch: &Batch,
    calls: &[TableCall],
    keep: &[usize],
    reports: &mut Vec<RowReport>,
    emit: &mut Emit<'_>,
) -> Result<bool> {
    let rows = batch.len();
    let (mut arguments, mut failed) = (Vec::with_capacity(calls.len()), Vec::new());
    // How many rows each becomes.
    let mut counts = vec![0; rows];
    let mut dead: Vec<bool> = (0..rows).map(|row| batch.is_tombstone(row)).collect();
    for call in calls {
        let argument = evaluate(&call.argument, batch, call.function.name(), reports, &mut failed)?;
        failed.drain(..).for_each(|row| dead[row] = true);
        for (row, count) in counts.iter_mut().enumerate() {
            match call.function.count(argument.as_list(), row) {
                Ok(values) => *count = values.max(*count),
                Err(message) => {
                    dead[row] = true;
                    reports.push(RowReport { record: batch.record_of(row), message });
                }
            }
        }
        arguments.push(argument);
    }
    counts.iter_mut().zip(&dead).filter(|(_, dead)| **dead).for_each(|(count, _)| *count = 0);

    let kept = batch.columns.project(keep)?;
    let widths = widths(&kept, calls, &arguments);
    let lists: Vec<&ListArray> = arguments.iter().map(|argument| argument.as_list()).collect();
    let schema = schema(&kept, calls, &lists);
    let mut picks: Vec<(u32, u32)> = Vec::with_capacity(counts.iter().sum::<usize>().min(PIECE_ROWS));
    let mut bytes = 0;
    for (row, count) in counts.iter().enumerate() {
        for value in 0..*count {
            picks.push((row as u32, value as u32));
            bytes += widths[row];
            if picks.len() == PIECE_ROWS || bytes >= PIECE_BYTES {
                if !emit(piece(batch, &kept, calls, &lists, &schema, &picks)?, reports)? {
                    return Ok(false);
                }
                picks.clear();
                bytes = 0;
            }
        }
    }
    if picks.is_empty() {
        return Ok(true);
    }
    emit(piece(batch, &kept, calls, &lists, &schema, &picks)?, reports)
}

/// The rows of `picks`: which row of the batch, and which of its values.
fn piece(
    batch: &Batch,
    kept: &RecordBatch,
    calls: &[TableCall],
    lists: &[&ListArray],
    schema: &SchemaRef,
    picks: &[(u32, u32)],
) -> Result<Batch> {
    let rows = UInt32Array::from_iter_values(picks.iter().map(|(row, _)| *row));
    let mut columns =
        kept.columns().iter().map(|column| Ok(take(column, &rows, None)?)).collect::<Result<Vec<ArrayRef>>>()?;
    for (call, list) in calls.iter().zip(lists) {
        columns.push(call.function.values(list, picks)?);
    }
    let origin = UInt32Array::from_iter_values(picks.iter().map(|(row, _)| batch.record_of(*row as usize) as u32));
    let options = RecordBatchOptions::new().with_row_count(Some(picks.len()));
    let columns = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?;
    Ok(Batch { columns, origin: Some(origin), tombstones: None })
}

fn schema(kept: &RecordBatch, calls: &[TableCall], lists: &[&ListArray]) -> SchemaRef {
    let mut fields: Vec<Arc<Field>> = kept.schema().fields().iter().cloned().collect();
    for (call, list) in calls.iter().zip(lists) {
        fields.push(Arc::new(Field::new(&call.name, call.function.value_type(list), true)));
    }
    Arc::new(Schema::new(fields))
}

/// About how many bytes each row takes each time it is repeated.
fn widths(kept: &RecordBatch, calls: &[TableCall], arguments: &[ArrayRef]) -> Vec<usize> {
    let mut widths = vec![0; kept.num_rows()];
    kept.columns().iter().for_each(|column| widen(column, &mut widths));
    // Each array of a cube is as long as the one it is of.
    let cubes = calls.iter().zip(arguments).filter(|(call, _)| call.function == TableFunction::CubeExplode);
    cubes.for_each(|(_, argument)| widen(argument, &mut widths));
    widths
}

fn widen(column: &ArrayRef, widths: &mut [usize]) {
    match column.data_type() {
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            widths.iter_mut().enumerate().for_each(|(row, width)| *width += texts.value_length(row) as usize);
        }
        DataType::Binary => {
            let bytes = column.as_binary::<i32>();
            widths.iter_mut().enumerate().for_each(|(row, width)| *width += bytes.value_length(row) as usize);
        }
        DataType::Boolean => widths.iter_mut().for_each(|width| *width += 1),
        ty => match ty.primitive_width() {
            Some(fixed) => widths.iter_mut().for_each(|width| *width += fixed),
            None => widths.iter_mut().enumerate().for_each(|(row, width)| {
                *width += column.slice(row, 1).to_data().get_slice_memory_size().unwrap_or_default();
            }),
        },
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Int32Array, StringArray};
    use datafusion::arrow::buffer::BooleanBuffer;
    use datafusion::arrow::datatypes::Int32Type;
    use datafusion::physical_expr::expressions::Column;

    use super::*;
    use crate::plan::CompiledExpr;
    use crate::types::SqlType;

    fn list(rows: Vec<Option<Vec<Option<i32>>>>) -> ArrayRef {
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(rows))
    }

    fn call(function: TableFunction, name: &str, at: usize) -> TableCall {
        TableCall {
            function,
            argument: CompiledExpr {
                physical: Arc::new(Column::new("x", at)),
                sql: String::new(),
                ty: SqlType::Array(Box::new(SqlType::Integer)),
                lazy: false,
                absorbs: false,
            },
            name: name.to_string(),
        }
    }

    fn pieces(batch: &Batch, calls: &[TableCall], keep: &[usize]) -> Vec<Batch> {
        let mut pieces = Vec::new();
        let more = explode(batch, calls, keep, &mut Vec::new(), &mut |piece, _| {
            pieces.push(piece);
            Ok(true)
        });
        assert!(more.expect("rows"));
        pieces
    }

    #[test]
    fn functions_stand_side_by_side_and_the_shorter_is_filled_with_null() {
        let columns = RecordBatch::try_from_iter(vec![
            ("K", Arc::new(Int32Array::from(vec![1, 2, 3, 4])) as ArrayRef),
            ("A", list(vec![Some(vec![Some(7), Some(8)]), None, Some(vec![]), Some(vec![Some(9)])])),
            ("B", list(vec![Some(vec![Some(5)]), Some(vec![None]), Some(vec![]), Some(vec![Some(6)])])),
        ])
        .expect("columns of one length");
        let mut batch = Batch::new(columns);
        batch.tombstones = Some(BooleanBuffer::from(vec![false, false, false, true]));
        let calls = [call(TableFunction::Explode, "X", 1), call(TableFunction::Explode, "Y", 2)];
        let out = &pieces(&batch, &calls, &[0])[0];
        let column = |at: usize| out.columns.column(at).as_primitive::<Int32Type>().iter().collect::<Vec<_>>();
        assert_eq!(column(0), [Some(1), Some(1), Some(2)]);
        assert_eq!(column(1), [Some(7), Some(8), None]);
        assert_eq!(column(2), [Some(5), None, None]);
        assert_eq!((0..3).map(|row| out.record_of(row)).collect::<Vec<_>>(), [0, 0, 1]);
    }

    #[test]
    fn a_row_that_becomes_a_million_comes_in_pieces_of_bounded_rows_and_bytes() {
        let many = 1_000_000;
        let columns = |text: String| {
            let lists = list(vec![Some((0..many).map(Some).collect()), Some(vec![Some(-1)])]);
            let texts: ArrayRef = Arc::new(StringArray::from(vec![text, "short".to_string()]));
            RecordBatch::try_from_iter(vec![("A", lists), ("T", texts)]).expect("columns of one length")
        };
        let batch = Batch::new(columns("x".to_string()));
        let found = pieces(&batch, &[call(TableFunction::Explode, "E", 0)], &[1]);
        assert!(found.iter().all(|piece| piece.len() <= PIECE_ROWS));
        let values: Vec<i32> = found
            .iter()
            .flat_map(|piece| piece.columns.column(1).as_primitive::<Int32Type>().values().to_vec())
            .collect();
        assert_eq!(values, (0..many).chain([-1]).collect::<Vec<_>>(), "all values once and in order");
        // A text of a megabyte in the row is repeated a few times in each piece only; nobody has to ask for all.
        let batch = Batch::new(columns("x".repeat(1 << 20)));
        let mut seen = 0;
        let more = explode(&batch, &[call(TableFunction::Explode, "E", 0)], &[1], &mut Vec::new(), &mut |piece, _| {
            assert_eq!(piece.len(), PIECE_BYTES >> 20);
            seen += 1;
            Ok(seen < 3)
        });
        assert!(!more.expect("rows"));
        assert_eq!(seen, 3);
    }

    #[test]
    fn a_cube_of_a_million_arrays_comes_in_pieces() {
        let columns = RecordBatch::try_from_iter(vec![("A", list(vec![Some(vec![Some(1); 20])]))]).expect("a column");
        let mut rows = 0;
        let call = call(TableFunction::CubeExplode, "C", 0);
        explode(&Batch::new(columns), &[call], &[], &mut Vec::new(), &mut |piece, _| {
            assert!(piece.len() <= PIECE_ROWS);
            rows += piece.len();
            Ok(true)
        })
        .expect("rows");
        assert_eq!(rows, 1 << 20);
    }
}
