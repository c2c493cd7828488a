//! Table functions: any number of values for each row. A step of the plan repeats the row for each of them.
//!
//! [`TableFunction::named`] finds a function, [`TableFunction::resolve`] types a call. A row may have more values than fit
//! in memory, so they are made for the rows somebody asks for: [`TableFunction::count`] says how many a row has,
//! [`TableFunction::values`] gives some of them.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, ListArray, UInt32Array, new_null_array};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::DataType;

use super::declaration::{Category, Declaration, FunctionKind, ParamType, Variation};
use super::resolve;
use crate::error::{Error, Result, Span};
use crate::types::SqlType;

/// A table function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableFunction {
    /// `EXPLODE`: the elements of an array.
    Explode,
    /// `CUBE_EXPLODE`: the array with any of its elements replaced by null.
    CubeExplode,
}

/// An array has at most so many elements to make a cube of, which has two to the power of that many.
const CUBE_MAX: usize = 20;

/// What the table functions say about themselves.
pub fn declarations() -> Vec<Declaration> {
    const T: ParamType = ParamType::Generic("T");
    vec![
        Declaration::new(FunctionKind::Table, Category::Table, "EXPLODE", "A row for each element of an array.")
            .form(Variation::new(T, "The elements in order; no row for NULL and for an array without elements.").param(
                "list",
                ParamType::array(T),
                "The array.",
            ))
            .example("EXPLODE(ARRAY[1, NULL, 3])", "[1, null, 3]"),
        Declaration::new(
            FunctionKind::Table,
            Category::Table,
            "CUBE_EXPLODE",
            "A row for each way to replace elements of an array by NULL.",
        )
        .form(
            Variation::new(ParamType::array(T), "The arrays, from the one of all NULLs to the one without any more.")
                .param("columns", ParamType::array(T), "The array, of at most 20 elements."),
        )
        .example("CUBE_EXPLODE(ARRAY[1, 2])", "[[null, null], [null, 2], [1, null], [1, 2]]"),
    ]
}

impl TableFunction {
    /// The function of a name, if it is one.
    pub fn named(name: &str) -> Option<TableFunction> {
        match name {
            "EXPLODE" => Some(TableFunction::Explode),
            "CUBE_EXPLODE" => Some(TableFunction::CubeExplode),
            _ => None,
        }
    }

    /// Resolves a call: the type of the argument and that of the values.
    ///
    /// # Errors
    /// Arguments that it does not take.
    pub fn resolve(self, args: &[Option<SqlType>], span: Span) -> Result<(SqlType, SqlType)> {
        let name = self.name();
        let declaration = declarations().into_iter().find(|declaration| declaration.name == name);
        let declaration = declaration.ok_or_else(|| Error::internal(format!("{name} is not declared")))?;
        let types = resolve::resolve(&declaration, args).map_err(|error| error.or_at(span))?;
        match types.arg_types.into_iter().next() {
            Some(arg) => Ok((arg, types.return_type)),
            None => Err(Error::internal(format!("{name} resolved without an argument"))),
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            TableFunction::Explode => "EXPLODE",
            TableFunction::CubeExplode => "CUBE_EXPLODE",
        }
    }

    /// The Arrow type of the values.
    pub fn value_type(self, argument: &ListArray) -> DataType {
        match self {
            TableFunction::Explode => argument.value_type(),
            TableFunction::CubeExplode => argument.data_type().clone(),
        }
    }

    /// How many values a row has, by its array.
    ///
    /// # Errors
    /// Why a row has none because of what it holds.
    pub fn count(self, argument: &ListArray, row: usize) -> Result<usize, String> {
        if argument.is_null(row) {
            return Ok(0);
        }
        match self {
            TableFunction::Explode => Ok(argument.value_length(row) as usize),
            TableFunction::CubeExplode if argument.value_length(row) as usize > CUBE_MAX => {
                Err(format!("CUBE_EXPLODE: more than {CUBE_MAX} elements"))
            }
            TableFunction::CubeExplode => Ok(1 << open(argument, row).count()),
        }
    }

    /// Values by row and number, from 0; null beyond what [`count`](Self::count) says.
    pub fn values(self, argument: &ListArray, picks: &[(u32, u32)]) -> Result<ArrayRef> {
        match self {
            TableFunction::Explode => elements(argument, picks),
            TableFunction::CubeExplode => cubes(argument, picks),
        }
    }
}

fn elements(list: &ListArray, picks: &[(u32, u32)]) -> Result<ArrayRef> {
    if list.values().is_empty() {
        return Ok(new_null_array(&list.value_type(), picks.len()));
    }
    let offsets = list.value_offsets();
    let at = |&(row, value): &(u32, u32)| {
        let row = row as usize;
        let is_there = list.is_valid(row) && value < list.value_length(row) as u32;
        is_there.then(|| offsets[row] as u32 + value)
    };
    Ok(take(list.values(), &picks.iter().map(at).collect::<UInt32Array>(), None)?)
}

/// The positions of the elements of a row that may be replaced by null: all but those that are, which stand for both of
/// their choices.
fn open(list: &ListArray, row: usize) -> impl Iterator<Item = usize> {
    let offsets = list.value_offsets();
    let nulls = list.values().logical_nulls();
    (offsets[row] as usize..offsets[row + 1] as usize)
        .filter(move |at| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(*at)))
}

fn cubes(list: &ListArray, picks: &[(u32, u32)]) -> Result<ArrayRef> {
    let offsets = list.value_offsets();
    // Elements of all arrays: a position, or null.
    let mut elements: Vec<Option<u32>> = Vec::new();
    let (mut lengths, mut valid) = (Vec::with_capacity(picks.len()), Vec::with_capacity(picks.len()));
    let (mut current, mut free) = (None, Vec::new());
    for &(row, choice) in picks {
        if current != Some(row) {
            current = Some(row);
            free.clear();
            free.extend(open(list, row as usize));
        }
        let range = offsets[row as usize] as usize..offsets[row as usize + 1] as usize;
        let is_there = list.is_valid(row as usize) && u64::from(choice) < 1 << free.len();
        valid.push(is_there);
        if !is_there {
            lengths.push(0);
            continue;
        }
        lengths.push(range.len());
        elements.extend(range.map(|at| {
            // The first element is the highest bit.
            let bit = free.binary_search(&at).ok()?;
            (choice >> (free.len() - 1 - bit) & 1 == 1).then_some(at as u32)
        }));
    }
    let values = if list.values().is_empty() {
        new_null_array(&list.value_type(), elements.len())
    } else {
        take(list.values(), &UInt32Array::from(elements), None)?
    };
    let DataType::List(item) = list.data_type() else { return Err(Error::internal("an array that is no list")) };
    let nulls = Some(NullBuffer::from(valid)).filter(|nulls| nulls.null_count() > 0);
    Ok(Arc::new(ListArray::try_new(item.clone(), OffsetBuffer::from_lengths(lengths), values, nulls)?))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::Int32Type;

    use super::*;

    fn lists(rows: Vec<Option<Vec<Option<i32>>>>) -> ListArray {
        ListArray::from_iter_primitive::<Int32Type, _, _>(rows)
    }

    #[test]
    fn a_cube_replaces_elements_from_the_right() {
        let argument = lists(vec![Some(vec![Some(1), Some(2)]), None, Some(vec![]), Some(vec![None, Some(3)])]);
        let cube = TableFunction::CubeExplode;
        let counts: Vec<usize> = (0..4).map(|row| cube.count(&argument, row).expect("a small array")).collect();
        // What is empty can be replaced in one way.
        assert_eq!(counts, [4, 0, 1, 2]);
        let picks = [(0, 0), (0, 1), (0, 2), (0, 3), (3, 0), (3, 1), (2, 0), (3, 2), (1, 0)];
        let arrays = cube.values(&argument, &picks).expect("arrays");
        let arrays: Vec<Option<Vec<Option<i32>>>> = arrays
            .as_list::<i32>()
            .iter()
            .map(|array| Some(array?.as_primitive::<Int32Type>().iter().collect()))
            .collect();
        let first = [[None, None], [None, Some(2)], [Some(1), None], [Some(1), Some(2)]];
        assert_eq!(arrays[..4], first.map(|array| Some(array.to_vec())));
        assert_eq!(arrays[4..6], [Some(vec![None, None]), Some(vec![None, Some(3)])]);
        assert_eq!(arrays[6..], [Some(vec![]), None, None], "there are no more");
    }

    #[test]
    fn a_cube_has_bounds() {
        let argument = lists(vec![Some(vec![Some(1); 21]), Some(vec![None; 21])]);
        assert!(TableFunction::CubeExplode.count(&argument, 0).is_err());
        assert!(TableFunction::CubeExplode.count(&argument, 1).is_err());
    }

    #[test]
    fn elements_beyond_the_end_are_null() {
        let argument = lists(vec![Some(vec![Some(5), None]), None, Some(vec![])]);
        let values =
            TableFunction::Explode.values(&argument, &[(0, 0), (0, 1), (0, 2), (1, 0), (2, 0)]).expect("values");
        let values: Vec<Option<i32>> = values.as_primitive::<Int32Type>().iter().collect();
        assert_eq!(values, [Some(5), None, None, None, None]);
    }

    #[test]
    fn only_arrays_explode() {
        let int = || Some(SqlType::Array(Box::new(SqlType::Integer)));
        assert_eq!(
            TableFunction::Explode.resolve(&[int()], Span::default()).expect("it takes arrays").1,
            SqlType::Integer
        );
        let map = SqlType::Map(Box::new(SqlType::String), Box::new(SqlType::Integer));
        assert!(TableFunction::Explode.resolve(&[Some(map)], Span::default()).is_err());
        assert!(TableFunction::CubeExplode.resolve(&[], Span::default()).is_err());
    }
}
