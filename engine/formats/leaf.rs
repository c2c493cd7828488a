//! Columns of values without parts, while they are filled.
//!
//! Rows are only appended; [`LeafColumn::truncate`] takes rows back, which is how a record that turns out to be bad
//! halfway leaves no trace. `finish` hands the buffers to Arrow without copying and remembers how large they became, so
//! that the next batch starts with buffers of the right size.

use std::sync::Arc;

use datafusion::arrow::array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};
use datafusion::arrow::array::{ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use datafusion::arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::i256;

use crate::error::{Error, Result};
use crate::types::SqlType;

/// Which rows are not null; costs nothing until the first null.
#[derive(Debug, Default)]
pub(super) struct Validity {
    /// One bit a row, least significant first; empty as long as all rows are valid.
    bits: Vec<u8>,
    len: usize,
    nulls: usize,
}

impl Validity {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn push_valid(&mut self) {
        if self.nulls > 0 {
            self.push_bit(true);
        }
        self.len += 1;
    }

    pub(super) fn push_null(&mut self) {
        if self.nulls == 0 {
            self.bits.clear();
            self.bits.resize(self.len.div_ceil(8), 0xff);
            // Bits past the end must be clear for `push_bit`.
            if let (Some(last), used @ 1..) = (self.bits.last_mut(), self.len % 8) {
                *last = (1 << used) - 1;
            }
        }
        self.push_bit(false);
        self.len += 1;
        self.nulls += 1;
    }

    fn push_bit(&mut self, valid: bool) {
        if self.len.is_multiple_of(8) {
            self.bits.push(u8::from(valid));
        } else if let Some(last) = self.bits.last_mut() {
            *last |= u8::from(valid) << (self.len % 8);
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        if self.nulls > 0 {
            let invalid = (len..self.len).filter(|row| self.bits[row / 8] & 1 << (row % 8) == 0).count();
            self.nulls -= invalid;
            self.bits.truncate(len.div_ceil(8));
            if let (Some(last), used @ 1..) = (self.bits.last_mut(), len % 8) {
                *last &= (1 << used) - 1;
            }
        }
        self.len = self.len.min(len);
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.nulls = 0;
    }

    pub(super) fn finish(&mut self) -> Option<NullBuffer> {
        let len = std::mem::take(&mut self.len);
        let nulls = std::mem::take(&mut self.nulls);
        (nulls > 0).then(|| {
            let bits = Buffer::from_vec(std::mem::take(&mut self.bits));
            NullBuffer::new(BooleanBuffer::new(bits, 0, len))
        })
    }
}

/// Values of a fixed width.
#[derive(Debug)]
pub(super) struct Fixed<T> {
    values: Vec<T>,
    validity: Validity,
}

impl<T> Default for Fixed<T> {
    fn default() -> Self {
        Fixed { values: Vec::new(), validity: Validity::default() }
    }
}

impl<T: Copy + Default> Fixed<T> {
    #[inline]
    pub(super) fn push(&mut self, value: T) {
        self.values.push(value);
        self.validity.push_valid();
    }

    fn begin(&mut self, rows: usize) {
        self.validity.clear();
        self.values.clear();
        self.values.reserve_exact(rows);
    }

    pub(super) fn push_null(&mut self) {
        self.values.push(T::default());
        self.validity.push_null();
    }

    fn truncate(&mut self, len: usize) {
        self.values.truncate(len);
        self.validity.truncate(len);
    }

    fn primitive<P: ArrowPrimitiveType<Native = T>>(&mut self) -> PrimitiveArray<P>
    where
        T: datafusion::arrow::datatypes::ArrowNativeType,
    {
        let nulls = self.validity.finish();
        PrimitiveArray::new(ScalarBuffer::from(std::mem::take(&mut self.values)), nulls)
    }
}

/// Byte strings one after the other.
#[derive(Debug, Default)]
pub(super) struct Bytes {
    data: Vec<u8>,
    /// Start of every row and the end of the last: one more than there are rows, or none at all before the first.
    offsets: Vec<i32>,
    validity: Validity,
    /// Bytes of the last batch, the best guess for the next.
    expected: usize,
}

impl Bytes {
    /// The buffer to append the bytes of the next row to; `end_row` closes that row.
    #[inline]
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.data
    }

    /// Closes the row whose bytes were appended to the buffer.
    #[inline]
    pub(super) fn end_row(&mut self) {
        // A column beyond 2 GiB is refused by `finish`.
        self.offsets.push(self.data.len() as i32);
        self.validity.push_valid();
    }

    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.end_row();
    }

    /// The bytes of a row. Panics when `row` is out of range.
    pub(super) fn get(&self, row: usize) -> &[u8] {
        &self.data[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    fn begin(&mut self, rows: usize) {
        self.validity.clear();
        self.offsets.clear();
        self.offsets.reserve(rows + 1);
        self.offsets.push(0);
        self.data.clear();
        self.data.reserve(self.expected);
    }

    pub(super) fn push_null(&mut self) {
        self.offsets.push(self.data.len() as i32);
        self.validity.push_null();
    }

    fn truncate(&mut self, len: usize) {
        self.offsets.truncate(len + 1);
        let end = self.offsets.last().map_or(0, |&end| end as usize);
        self.data.truncate(end);
        self.validity.truncate(len);
    }

    fn parts(&mut self) -> Result<(OffsetBuffer<i32>, Buffer, Option<NullBuffer>)> {
        if i32::try_from(self.data.len()).is_err() {
            return Err(Error::data("one column of a batch holds more than 2 GiB").hint("Read smaller batches."));
        }
        self.expected = self.data.len() + self.data.len() / 8;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(std::mem::take(&mut self.offsets)));
        Ok((offsets, Buffer::from_vec(std::mem::take(&mut self.data)), self.validity.finish()))
    }
}

/// A column of a type without parts.
#[derive(Debug)]
pub(super) enum LeafColumn {
    Boolean(Fixed<bool>),
    Integer(Fixed<i32>),
    Bigint(Fixed<i64>),
    Double(Fixed<f64>),
    /// Precision at most 38.
    Decimal(Fixed<i128>, u8, u8),
    /// Precision above 38.
    WideDecimal(Fixed<i256>, u8, u8),
    String(Bytes),
    Bytes(Bytes),
    Time(Fixed<i32>),
    Date(Fixed<i32>),
    Timestamp(Fixed<i64>),
}

/// Runs the same code for whatever a column holds.
macro_rules! each {
    ($column:expr, $inner:ident => $code:expr) => {
        match $column {
            LeafColumn::Boolean($inner) => $code,
            LeafColumn::Integer($inner) | LeafColumn::Time($inner) | LeafColumn::Date($inner) => $code,
            LeafColumn::Bigint($inner) | LeafColumn::Timestamp($inner) => $code,
            LeafColumn::Double($inner) => $code,
            LeafColumn::Decimal($inner, _, _) => $code,
            LeafColumn::WideDecimal($inner, _, _) => $code,
            LeafColumn::String($inner) | LeafColumn::Bytes($inner) => $code,
        }
    };
}

impl LeafColumn {
    /// An empty column of the type, or `None` when the type has parts.
    pub(super) fn new(ty: &SqlType) -> Option<LeafColumn> {
        Some(match ty {
            SqlType::Boolean => LeafColumn::Boolean(Fixed::default()),
            SqlType::Integer => LeafColumn::Integer(Fixed::default()),
            SqlType::Bigint => LeafColumn::Bigint(Fixed::default()),
            SqlType::Double => LeafColumn::Double(Fixed::default()),
            SqlType::Decimal(precision, scale) if *precision <= 38 => {
                LeafColumn::Decimal(Fixed::default(), *precision, *scale)
            }
            SqlType::Decimal(precision, scale) => LeafColumn::WideDecimal(Fixed::default(), *precision, *scale),
            SqlType::String => LeafColumn::String(Bytes::default()),
            SqlType::Bytes => LeafColumn::Bytes(Bytes::default()),
            SqlType::Time => LeafColumn::Time(Fixed::default()),
            SqlType::Date => LeafColumn::Date(Fixed::default()),
            SqlType::Timestamp => LeafColumn::Timestamp(Fixed::default()),
            SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_) => return None,
        })
    }

    /// The type in SQL, for messages.
    pub(super) fn type_name(&self) -> String {
        let ty = match self {
            LeafColumn::Boolean(_) => SqlType::Boolean,
            LeafColumn::Integer(_) => SqlType::Integer,
            LeafColumn::Bigint(_) => SqlType::Bigint,
            LeafColumn::Double(_) => SqlType::Double,
            LeafColumn::Decimal(_, precision, scale) | LeafColumn::WideDecimal(_, precision, scale) => {
                SqlType::Decimal(*precision, *scale)
            }
            LeafColumn::String(_) => SqlType::String,
            LeafColumn::Bytes(_) => SqlType::Bytes,
            LeafColumn::Time(_) => SqlType::Time,
            LeafColumn::Date(_) => SqlType::Date,
            LeafColumn::Timestamp(_) => SqlType::Timestamp,
        };
        ty.to_string()
    }

    /// Starts a batch of about so many rows, without what a batch that failed may have left. Must come before the
    /// first row.
    pub(super) fn begin(&mut self, rows: usize) {
        match self {
            LeafColumn::String(bytes) | LeafColumn::Bytes(bytes) => bytes.begin(rows),
            LeafColumn::Boolean(fixed) => fixed.begin(rows),
            LeafColumn::Integer(fixed) | LeafColumn::Time(fixed) | LeafColumn::Date(fixed) => fixed.begin(rows),
            LeafColumn::Bigint(fixed) | LeafColumn::Timestamp(fixed) => fixed.begin(rows),
            LeafColumn::Double(fixed) => fixed.begin(rows),
            LeafColumn::Decimal(fixed, ..) => fixed.begin(rows),
            LeafColumn::WideDecimal(fixed, ..) => fixed.begin(rows),
        }
    }

    /// Rows so far.
    #[inline]
    pub(super) fn len(&self) -> usize {
        each!(self, inner => inner.validity.len())
    }

    /// Appends a null.
    pub(super) fn push_null(&mut self) {
        each!(self, inner => inner.push_null())
    }

    /// Takes back all rows from `len` on, and bytes of a row that was not closed.
    pub(super) fn truncate(&mut self, len: usize) {
        each!(self, inner => inner.truncate(len))
    }

    /// The rows as an array; the column is empty afterwards.
    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match self {
            LeafColumn::Boolean(fixed) => {
                let values = BooleanBuffer::from(fixed.values.as_slice());
                fixed.values.clear();
                Arc::new(BooleanArray::new(values, fixed.validity.finish()))
            }
            LeafColumn::Integer(fixed) => Arc::new(fixed.primitive::<Int32Type>()),
            LeafColumn::Bigint(fixed) => Arc::new(fixed.primitive::<Int64Type>()),
            LeafColumn::Double(fixed) => Arc::new(fixed.primitive::<Float64Type>()),
            LeafColumn::Decimal(fixed, precision, scale) => {
                let array = fixed.primitive::<Decimal128Type>();
                Arc::new(array.with_precision_and_scale(*precision, *scale as i8)?)
            }
            LeafColumn::WideDecimal(fixed, precision, scale) => {
                let array = fixed.primitive::<Decimal256Type>();
                Arc::new(array.with_precision_and_scale(*precision, *scale as i8)?)
            }
            LeafColumn::String(bytes) => {
                let (offsets, data, nulls) = bytes.parts()?;
                Arc::new(StringArray::try_new(offsets, data, nulls)?)
            }
            LeafColumn::Bytes(bytes) => {
                let (offsets, data, nulls) = bytes.parts()?;
                Arc::new(BinaryArray::try_new(offsets, data, nulls)?)
            }
            LeafColumn::Time(fixed) => Arc::new(fixed.primitive::<Time32MillisecondType>()),
            LeafColumn::Date(fixed) => Arc::new(fixed.primitive::<Date32Type>()),
            LeafColumn::Timestamp(fixed) => Arc::new(fixed.primitive::<TimestampMillisecondType>()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{Array, AsArray};

    #[test]
    fn nulls_survive_rows_that_are_taken_back() {
        let mut column = LeafColumn::new(&SqlType::String).expect("no parts");
        for _batch in 0..2 {
            column.begin(20);
            let mut expected = Vec::new();
            for row in 0..20 {
                if row % 3 == 0 {
                    column.push_null();
                    expected.push(None);
                } else if let LeafColumn::String(bytes) = &mut column {
                    bytes.push(b"x");
                    expected.push(Some("x"));
                }
                // A row that was half written, or written as something else.
                let len = column.len();
                column.push_null();
                if let LeafColumn::String(bytes) = &mut column {
                    bytes.push(b"gone");
                    bytes.buffer().extend_from_slice(b"half");
                }
                column.truncate(len);
            }
            let array = column.finish().expect("UTF-8");
            assert_eq!(array.as_string::<i32>().iter().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_column_without_nulls_has_no_null_buffer() {
        let mut column = LeafColumn::new(&SqlType::Integer).expect("no parts");
        column.begin(2);
        if let LeafColumn::Integer(fixed) = &mut column {
            fixed.push(1);
        }
        column.push_null();
        column.truncate(1);
        assert!(column.finish().expect("integers").nulls().is_none());
    }
}
