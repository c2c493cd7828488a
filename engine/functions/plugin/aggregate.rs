//! A function of Arroyo's format whose arguments are vectors, as a DataFusion
//! [`AggregateUDF`](datafusion::logical_expr::AggregateUDF).
//!
//! The format gives the function all values of a group at once. So the accumulator keeps every value until the end, and
//! its state is a list for each argument: memory grows with the rows of a group, and nothing can be taken back.
//! Nulls are the function's business, argument by argument: `Vec<T>` drops them, `Vec<Option<T>>` has them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, MutableArrayData, make_array, new_empty_array};
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

use super::scalar::Bridge;

/// An aggregate function in a library.
pub struct PluginAggregate {
    bridge: Arc<Bridge>,
    signature: Signature,
}

impl PluginAggregate {
    /// The aggregate; the bridge's arguments are the types of the vectors' elements.
    pub fn new(bridge: Bridge) -> PluginAggregate {
        let signature = Signature::exact(bridge.arguments.clone(), Volatility::Volatile);
        PluginAggregate { bridge: Arc::new(bridge), signature }
    }
}

impl AggregateUDFImpl for PluginAggregate {
    fn name(&self) -> &str {
        &self.bridge.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.bridge.result.clone())
    }

    fn accumulator(&self, _: AccumulatorArgs) -> DfResult<Box<dyn Accumulator>> {
        let values = self.bridge.arguments.iter().map(Values::new).collect();
        Ok(Box::new(Buffering { bridge: self.bridge.clone(), values }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> DfResult<Vec<FieldRef>> {
        let field = |(index, element): (usize, &DataType)| {
            let list = DataType::List(Arc::new(Field::new_list_field(element.clone(), true)));
            Arc::new(Field::new(format!("{}[values {index}]", args.name), list, true))
        };
        Ok(self.bridge.arguments.iter().enumerate().map(field).collect())
    }
}

/// Keeps the values of one group.
#[derive(Debug)]
struct Buffering {
    bridge: Arc<Bridge>,
    /// One for each argument.
    values: Vec<Values>,
}

impl Accumulator for Buffering {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> DfResult<()> {
        let rows = columns.first().map_or(0, |column| column.len());
        let columns = self.bridge.prepared(columns.to_vec(), rows)?;
        for (values, column) in self.values.iter_mut().zip(&columns) {
            values.push(column)?;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        let columns = self.values.iter_mut().map(Values::whole).collect::<DfResult<Vec<_>>>()?;
        ScalarValue::try_from_array(&self.bridge.call(&columns, 1)?, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.iter().map(Values::size).sum::<usize>()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        let list = |values: &mut Values| Ok(SingleRowListArrayBuilder::new(values.whole()?).build_list_scalar());
        self.values.iter_mut().map(list).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        for (values, lists) in self.values.iter_mut().zip(states) {
            for list in lists.as_list::<i32>().iter().flatten() {
                values.push(&list)?;
            }
        }
        Ok(())
    }
}

/// A growing column: pieces of falling rank from left to right.
#[derive(Debug)]
struct Values {
    element: DataType,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    /// How often its values were merged.
    rank: u32,
    column: ArrayRef,
}

/// So many pieces of one rank become one of the next, so that a value is copied a few times in all.
const MERGED: usize = 32;

impl Values {
    fn new(element: &DataType) -> Values {
        Values { element: element.clone(), pieces: Vec::new() }
    }

    /// Adds a copy: what DataFusion hands over is often a small part of a batch that would be kept alive with it.
    fn push(&mut self, column: &ArrayRef) -> DfResult<()> {
        if column.is_empty() {
            return Ok(());
        }
        let data = column.to_data();
        let mut copy = MutableArrayData::new(vec![&data], false, data.len());
        copy.try_extend(0, 0, data.len())?;
        self.pieces.push(Piece { rank: 0, column: make_array(copy.freeze()) });
        loop {
            let rank = self.pieces.last().map_or(0, |piece| piece.rank);
            let equal = self.pieces.iter().rev().take_while(|piece| piece.rank == rank).count();
            if equal < MERGED {
                return Ok(());
            }
            let from = self.pieces.len() - equal;
            let column = merged(&self.pieces[from..])?;
            self.pieces.truncate(from);
            self.pieces.push(Piece { rank: rank + 1, column });
        }
    }

    /// All values as one column.
    fn whole(&mut self) -> DfResult<ArrayRef> {
        let column = match self.pieces.as_slice() {
            [] => return Ok(new_empty_array(&self.element)),
            [one] => return Ok(one.column.clone()),
            pieces => merged(pieces)?,
        };
        let rank = self.pieces[0].rank;
        self.pieces = vec![Piece { rank, column: column.clone() }];
        Ok(column)
    }

    fn size(&self) -> usize {
        self.pieces.capacity() * size_of::<Piece>()
            + self.pieces.iter().map(|piece| piece.column.get_array_memory_size()).sum::<usize>()
    }
}

fn merged(pieces: &[Piece]) -> DfResult<ArrayRef> {
    Ok(concat(&pieces.iter().map(|piece| piece.column.as_ref()).collect::<Vec<_>>())?)
}

impl fmt::Debug for PluginAggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginAggregate").field("bridge", &self.bridge).finish_non_exhaustive()
    }
}

impl PartialEq for PluginAggregate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bridge, &other.bridge)
    }
}

impl Eq for PluginAggregate {}

impl Hash for PluginAggregate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bridge.name.hash(state);
    }
}
