//! Decoded records on their way through the operators.

use std::sync::Arc;

use datafusion::arrow::array::{Array, BooleanArray, RecordBatch, UInt32Array};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::compute::{FilterBuilder, FilterPredicate, nullif};

use crate::error::Result;

/// Rows decoded from a [`RawBatch`](super::RawBatch), and where in it each came from.
///
/// Time, offset and headers stay in the raw batch, where `origin` finds them: dropping rows moves no column that nobody
/// reads, and a report about a row can always name its offset.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The columns.
    pub columns: RecordBatch,
    /// The record of the raw batch each row came from, ascending; `None` when row `i` is record `i`.
    pub origin: Option<UInt32Array>,
    /// Which rows are tombstones, records whose value is null as a whole; `None` when none is.
    pub tombstones: Option<BooleanBuffer>,
}

impl Batch {
    /// All records of a raw batch, none of them a tombstone.
    pub fn new(columns: RecordBatch) -> Self {
        Batch { columns, origin: None, tombstones: None }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.columns.num_rows()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The record of the raw batch a row came from. Panics when `row` is out of range.
    pub fn record_of(&self, row: usize) -> usize {
        self.origin.as_ref().map_or(row, |origin| origin.value(row) as usize)
    }

    /// Whether a row is a tombstone. Panics when `row` is out of range.
    pub fn is_tombstone(&self, row: usize) -> bool {
        self.tombstones.as_ref().is_some_and(|tombstones| tombstones.value(row))
    }

    /// The rows that are no tombstones.
    pub fn without_tombstones(self) -> Result<Batch> {
        let Some(tombstones) = &self.tombstones else { return Ok(self) };
        let all: Vec<usize> = (0..self.columns.num_columns()).collect();
        self.filter(&BooleanArray::new(!tombstones, None), &all)
    }

    /// The columns, null where a row is a tombstone but for those that come of its key.
    pub fn without_values(self, of_key: &[bool]) -> Result<RecordBatch> {
        let Some(tombstones) = self.tombstones else { return Ok(self.columns) };
        let tombstones = BooleanArray::new(tombstones, None);
        let columns = self.columns.columns().iter().zip(of_key).map(|(column, of_key)| match of_key {
            true => Ok(Arc::clone(column)),
            false => nullif(column, &tombstones),
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(self.columns.schema(), columns)?)
    }

    /// The rows for which `mask` is true, with only the columns at `keep`.
    pub fn filter(&self, mask: &BooleanArray, keep: &[usize]) -> Result<Batch> {
        let columns = self.columns.project(keep)?;
        let predicate = FilterBuilder::new(mask).optimize().build();
        let origin = match &self.origin {
            Some(origin) => filter_numbers(origin, &predicate)?,
            None => UInt32Array::from_iter_values(mask.values().set_indices().map(|row| row as u32)),
        };
        let tombstones = match &self.tombstones {
            Some(flags) => {
                let kept = predicate.filter(&BooleanArray::new(flags.clone(), None))?;
                let kept = BooleanArray::from(kept.to_data()).values().clone();
                (kept.count_set_bits() > 0).then_some(kept)
            }
            None => None,
        };
        Ok(Batch { columns: predicate.filter_record_batch(&columns)?, origin: Some(origin), tombstones })
    }
}

fn filter_numbers(numbers: &UInt32Array, predicate: &FilterPredicate) -> Result<UInt32Array> {
    Ok(UInt32Array::from(predicate.filter(numbers)?.to_data()))
}
