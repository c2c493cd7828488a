//! The rows of one side of a join, column-wise, in the order in which they came.
//!
//! A row is known by its number, counted from the first row ever; a chunk knows the number of its first row. So chunks can be
//! put together without anybody noticing: small ones are, so that a trickle of rows does not become a batch for each.

use std::collections::VecDeque;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, new_null_array};
use datafusion::arrow::compute::{concat_batches, interleave};
use datafusion::arrow::datatypes::SchemaRef;

use crate::error::{Error, Result};

/// Chunks are put together up to so many rows.
const CHUNK_ROWS: usize = 8192;

/// In place of the number of a row: there is none, its columns are null.
pub(super) const NO_ROW: u64 = u64::MAX;

/// Rows that came one after the other.
struct Chunk {
    /// Number of its first row.
    first: u64,
    columns: RecordBatch,
    /// The latest time of its rows that are kept, milliseconds since the epoch.
    latest: i64,
    /// What each row has been compared by, as the table of keys numbers it.
    keys: Vec<u32>,
}

/// The rows of one side.
pub(super) struct Rows {
    schema: SchemaRef,
    chunks: VecDeque<Chunk>,
    next: u64,
}

impl Rows {
    /// No rows yet, of these columns.
    pub(super) fn new(schema: SchemaRef) -> Rows {
        Rows { schema, chunks: VecDeque::new(), next: 0 }
    }

    /// The number of the next row.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// How many rows are kept.
    pub(super) fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.columns.num_rows()).sum()
    }

    /// Adds rows; what is to be known of them is told later, with [`settle`](Self::settle).
    pub(super) fn push(&mut self, columns: RecordBatch) {
        let first = self.next;
        self.next += columns.num_rows() as u64;
        self.chunks.push_back(Chunk { first, columns, latest: i64::MAX, keys: Vec::new() });
    }

    /// Says what the rows that came last were compared by and the latest time of those that are kept, and puts small chunks
    /// together.
    pub(super) fn settle(&mut self, keys: Vec<u32>, latest: i64) {
        if let Some(last) = self.chunks.back_mut() {
            last.keys = keys;
            last.latest = latest;
        }
        // As in a binary counter: each row is copied once for each doubling of its chunk.
        while let [.., before, last] = self.chunks.make_contiguous() {
            let (a, b) = (before.columns.num_rows(), last.columns.num_rows());
            if a + b > CHUNK_ROWS || a >= 2 * b.max(1) {
                break;
            }
            // What would be too long together stays as it is.
            let Ok(together) = concat_batches(&self.schema, [&before.columns, &last.columns]) else { break };
            before.columns = together;
            before.latest = before.latest.max(last.latest);
            before.keys.append(&mut last.keys);
            self.chunks.pop_back();
        }
    }

    /// Takes away the oldest rows as long as all of a chunk are before a time; `each` is told the key of each.
    pub(super) fn expire(&mut self, before: i64, mut each: impl FnMut(u32)) {
        // A chunk of which no row is kept has no latest time.
        let is_old = |chunk: &Chunk| chunk.latest == i64::MIN || chunk.latest < before;
        while self.chunks.front().is_some_and(is_old) {
            self.chunks.pop_front().into_iter().flat_map(|chunk| chunk.keys).for_each(&mut each);
        }
    }

    /// The columns of rows given by number, [`NO_ROW`] for one whose columns are null.
    pub(super) fn gather(&self, rows: &[u64]) -> Result<Vec<ArrayRef>> {
        let mut places = Vec::with_capacity(rows.len());
        // The chunks that are asked for; the first place is that of nulls.
        let mut used: Vec<usize> = Vec::new();
        for row in rows {
            if *row == NO_ROW {
                places.push((usize::MAX, 0));
                continue;
            }
            let chunk = self.chunks.partition_point(|chunk| chunk.first <= *row).checked_sub(1);
            let found = chunk.and_then(|at| self.chunks.get(at).map(|chunk| (at, (*row - chunk.first) as usize)));
            let Some((at, offset)) = found.filter(|(at, offset)| *offset < self.chunks[*at].columns.num_rows()) else {
                return Err(Error::internal("a row of a join is gone"));
            };
            if used.last() != Some(&at) {
                used.push(at);
            }
            places.push((at, offset));
        }
        used.sort_unstable();
        used.dedup();
        for (chunk, _) in &mut places {
            *chunk = used.binary_search(chunk).map_or(0, |at| at + 1);
        }
        // All rows of one chunk, in a row: nothing is to be copied.
        let whole = self.as_slice(&used, &places);
        let columns = self.schema.fields().iter().enumerate().map(|(column, field)| {
            if let Some((chunk, first)) = whole {
                return Ok(self.chunks[chunk].columns.column(column).slice(first, rows.len()));
            }
            let nulls = new_null_array(field.data_type(), 1);
            let mut arrays: Vec<&dyn Array> = vec![nulls.as_ref()];
            arrays.extend(used.iter().map(|chunk| self.chunks[*chunk].columns.column(column).as_ref()));
            Ok(interleave(&arrays, &places)?)
        });
        columns.collect()
    }

    /// The chunk and the first row when places are rows of one chunk, each the one behind the other.
    fn as_slice(&self, used: &[usize], places: &[(usize, usize)]) -> Option<(usize, usize)> {
        let ([chunk], Some((_, first))) = (used, places.first()) else { return None };
        let follows = places.iter().enumerate().all(|(i, place)| *place == (1, first + i));
        follows.then_some((*chunk, *first))
    }

    /// The columns.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows in {} chunks", self.len(), self.chunks.len())
    }
}

/// A batch without columns still has rows.
pub(super) fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{AsArray, Int64Array};
    use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::*;

    fn rows_of(values: &[&[i64]]) -> Rows {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        let mut rows = Rows::new(Arc::clone(&schema));
        for values in values {
            let array = Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
            rows.push(batch(&schema, vec![array], values.len()).unwrap());
            let keys = values.iter().map(|value| *value as u32).collect();
            rows.settle(keys, *values.iter().max().unwrap());
        }
        rows
    }

    fn gathered(rows: &Rows, numbers: &[u64]) -> Vec<Option<i64>> {
        let columns = rows.gather(numbers).unwrap();
        columns[0].as_primitive::<Int64Type>().iter().collect()
    }

    #[test]
    fn rows_keep_their_numbers_when_chunks_are_put_together() {
        let singles: Vec<[i64; 1]> = (0..1000).map(|n| [n]).collect();
        let singles: Vec<&[i64]> = singles.iter().map(|row| &row[..]).collect();
        let rows = rows_of(&singles);
        assert!(rows.chunks.len() <= 10, "{rows:?}");
        assert_eq!(rows.len(), 1000);
        assert_eq!(gathered(&rows, &[999, 0, NO_ROW, 500]), [Some(999), Some(0), None, Some(500)]);
        assert_eq!(gathered(&rows, &[7, 8, 9]), [Some(7), Some(8), Some(9)]);
    }

    #[test]
    fn rows_go_chunk_by_chunk_from_the_front() {
        let large: Vec<i64> = (0..8000).collect();
        let mut rows = rows_of(&[&large, &[20_000, 9_000], &[10_000]]);
        let mut gone = Vec::new();
        rows.expire(8_000, |key| gone.push(key));
        assert_eq!(gone.len(), 8000);
        // The first row is old enough, another of its chunk is not.
        rows.expire(9_500, |_| panic!("nothing goes"));
        assert_eq!(gathered(&rows, &[8002, 8001]), [Some(10_000), Some(9_000)]);
        assert!(rows.gather(&[5]).is_err());
    }
}
