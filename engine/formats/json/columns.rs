//! Columns of any type while they are filled from JSON.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, ListArray, MapArray, StructArray};
use datafusion::arrow::buffer::{OffsetBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::{DataType, FieldRef, Fields as ArrowFields};

use super::fields::Fields;
use crate::error::{Error, Result};
use crate::formats::leaf::{LeafColumn, Validity};
use crate::types::SqlType;

/// A column of any type.
#[derive(Debug)]
pub(super) enum Column {
    Leaf(LeafColumn),
    Array(Box<ArrayColumn>),
    Map(Box<MapColumn>),
    Struct(Box<StructColumn>),
}

#[derive(Debug)]
pub(super) struct ArrayColumn {
    pub(super) field: FieldRef,
    pub(super) element: Column,
    offsets: Vec<i32>,
    validity: Validity,
}

#[derive(Debug)]
pub(super) struct MapColumn {
    field: FieldRef,
    entries: ArrowFields,
    pub(super) keys: LeafColumn,
    pub(super) values: Column,
    offsets: Vec<i32>,
    validity: Validity,
}

#[derive(Debug)]
pub(super) struct StructColumn {
    fields: ArrowFields,
    pub(super) object: Object,
    validity: Validity,
}

/// The fields of an object, each with its column: the record itself, or a STRUCT in it.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) slots: Vec<Slot>,
    pub(super) fields: Fields,
}

/// A field of an object that is wanted.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) name: Arc<str>,
    pub(super) column: Column,
    /// The row of the last value; `NO_ROW` where there is none, or where its row has been taken back.
    pub(super) filled: usize,
    /// Whether the last value came from a field of exactly this name.
    pub(super) exact: bool,
}

/// No row has this number.
const NO_ROW: usize = usize::MAX;

impl Object {
    pub(super) fn new<'n>(columns: impl Iterator<Item = (&'n str, &'n SqlType)>) -> Result<Self> {
        let slots = columns
            .map(|(name, ty)| {
                let column = Column::new(ty)?;
                Ok(Slot { name: name.into(), column, filled: NO_ROW, exact: false })
            })
            .collect::<Result<Vec<_>>>()?;
        let fields = Fields::new(slots.iter().map(|slot| &*slot.name));
        Ok(Object { slots, fields })
    }

    pub(super) fn begin(&mut self, rows: usize) {
        for slot in &mut self.slots {
            slot.filled = NO_ROW;
            slot.column.begin(rows);
        }
    }

    pub(super) fn push_null(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.column.push_null());
    }

    pub(super) fn truncate(&mut self, len: usize) {
        for slot in &mut self.slots {
            slot.filled = NO_ROW;
            slot.column.truncate(len);
        }
    }

    pub(super) fn finish(&mut self) -> Result<Vec<ArrayRef>> {
        self.slots.iter_mut().map(|slot| slot.column.finish()).collect()
    }
}

impl Column {
    pub(super) fn new(ty: &SqlType) -> Result<Column> {
        if let Some(leaf) = LeafColumn::new(ty) {
            return Ok(Column::Leaf(leaf));
        }
        let validity = Validity::default();
        Ok(match (ty, ty.to_arrow()) {
            (SqlType::Array(element), DataType::List(field)) => {
                let element = Column::new(element)?;
                Column::Array(Box::new(ArrayColumn { field, element, offsets: Vec::new(), validity }))
            }
            (SqlType::Map(key, value), DataType::Map(field, _)) => {
                let DataType::Struct(entries) = field.data_type().clone() else {
                    return Err(Error::internal("an Arrow map without entries"));
                };
                let keys = LeafColumn::new(key).ok_or_else(|| Error::internal("a JSON map needs text keys"))?;
                let values = Column::new(value)?;
                Column::Map(Box::new(MapColumn { field, entries, keys, values, offsets: Vec::new(), validity }))
            }
            (SqlType::Struct(parts), DataType::Struct(fields)) => {
                let object = Object::new(parts.iter().map(|(name, ty)| (name.as_str(), ty)))?;
                Column::Struct(Box::new(StructColumn { fields, object, validity }))
            }
            _ => return Err(Error::internal(format!("a JSON column of {ty}"))),
        })
    }

    /// The type in SQL, for messages.
    pub(super) fn type_name(&self) -> String {
        match self {
            Column::Leaf(leaf) => leaf.type_name(),
            Column::Array(_) => "ARRAY".to_string(),
            Column::Map(_) => "MAP".to_string(),
            Column::Struct(_) => "STRUCT".to_string(),
        }
    }

    pub(super) fn begin(&mut self, rows: usize) {
        match self {
            Column::Leaf(leaf) => leaf.begin(rows),
            Column::Array(array) => {
                array.validity.clear();
                array.offsets.clear();
                array.offsets.reserve(rows + 1);
                array.offsets.push(0);
                array.element.begin(rows);
            }
            Column::Map(map) => {
                map.validity.clear();
                map.offsets.clear();
                map.offsets.reserve(rows + 1);
                map.offsets.push(0);
                map.keys.begin(rows);
                map.values.begin(rows);
            }
            Column::Struct(record) => {
                record.validity.clear();
                record.object.begin(rows);
            }
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Column::Leaf(leaf) => leaf.len(),
            Column::Array(array) => array.validity.len(),
            Column::Map(map) => map.validity.len(),
            Column::Struct(record) => record.validity.len(),
        }
    }

    pub(super) fn push_null(&mut self) {
        match self {
            Column::Leaf(leaf) => leaf.push_null(),
            Column::Array(array) => {
                array.offsets.push(array.element.len() as i32);
                array.validity.push_null();
            }
            Column::Map(map) => {
                map.offsets.push(map.values.len() as i32);
                map.validity.push_null();
            }
            Column::Struct(record) => {
                record.object.push_null();
                record.validity.push_null();
            }
        }
    }

    /// Takes back all rows from `len` on, and parts of a row that was not closed.
    pub(super) fn truncate(&mut self, len: usize) {
        match self {
            Column::Leaf(leaf) => leaf.truncate(len),
            Column::Array(array) => {
                array.offsets.truncate(len + 1);
                array.element.truncate(array.offsets.last().map_or(0, |&end| end as usize));
                array.validity.truncate(len);
            }
            Column::Map(map) => {
                map.offsets.truncate(len + 1);
                let end = map.offsets.last().map_or(0, |&end| end as usize);
                map.keys.truncate(end);
                map.values.truncate(end);
                map.validity.truncate(len);
            }
            Column::Struct(record) => {
                record.object.truncate(len);
                record.validity.truncate(len);
            }
        }
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match self {
            Column::Leaf(leaf) => leaf.finish()?,
            Column::Array(array) => {
                let offsets = offsets(&mut array.offsets, array.element.len())?;
                let elements = array.element.finish()?;
                Arc::new(ListArray::try_new(Arc::clone(&array.field), offsets, elements, array.validity.finish())?)
            }
            Column::Map(map) => {
                let offsets = offsets(&mut map.offsets, map.values.len())?;
                let columns = vec![map.keys.finish()?, map.values.finish()?];
                let entries = StructArray::try_new(map.entries.clone(), columns, None)?;
                Arc::new(MapArray::try_new(Arc::clone(&map.field), offsets, entries, map.validity.finish(), false)?)
            }
            Column::Struct(record) => {
                let rows = record.validity.len();
                let columns = record.object.finish()?;
                let nulls = record.validity.finish();
                Arc::new(StructArray::try_new_with_length(record.fields.clone(), columns, nulls, rows)?)
            }
        })
    }
}

impl ArrayColumn {
    /// Closes a row; its elements have been appended.
    pub(super) fn end_row(&mut self) {
        self.offsets.push(self.element.len() as i32);
        self.validity.push_valid();
    }
}

impl MapColumn {
    /// Closes a row; its entries have been appended.
    pub(super) fn end_row(&mut self) {
        self.offsets.push(self.values.len() as i32);
        self.validity.push_valid();
    }

    /// The number of the first entry of the row that is being filled.
    pub(super) fn first_entry(&self) -> usize {
        self.offsets.last().map_or(0, |&end| end as usize)
    }
}

impl StructColumn {
    /// The number of the row that is being filled.
    pub(super) fn row(&self) -> usize {
        self.validity.len()
    }

    /// Closes a row; all its fields have been appended.
    pub(super) fn end_row(&mut self) {
        self.validity.push_valid();
    }
}

fn offsets(offsets: &mut Vec<i32>, parts: usize) -> Result<OffsetBuffer<i32>> {
    if i32::try_from(parts).is_err() {
        return Err(Error::data("one column of a batch holds more than 2^31 elements").hint("Read smaller batches."));
    }
    Ok(OffsetBuffer::new(ScalarBuffer::from(std::mem::take(offsets))))
}
