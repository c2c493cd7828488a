//! Table functions: any number of values for each row. A step of the plan repeats the row for each of them.
//!
//! [`TableFunction::named`] finds a function, [`TableFunction::resolve`] types a call; [`TableFunction::expand`] gives an array of values for each row,
//! whatever the function takes.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array, new_empty_array};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{is_null, take};
use datafusion::arrow::datatypes::{DataType, Field};

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

    /// The values of each row, of an argument of one array a row. `failed` is told the rows that have none because of
    /// what they hold, and why.
    pub fn expand(self, argument: &ArrayRef, failed: &mut dyn FnMut(usize, String)) -> Result<ListArray> {
        let list = argument.as_list::<i32>();
        match self {
            TableFunction::Explode => Ok(list.clone()),
            TableFunction::CubeExplode => cube(list, failed),
        }
    }
}

fn cube(list: &ListArray, failed: &mut dyn FnMut(usize, String)) -> Result<ListArray> {
    let offsets = list.value_offsets();
    let nulls = is_null(list.values())?;
    // Elements of all arrays of the cube: a position, or null.
    let mut picks: Vec<Option<u32>> = Vec::new();
    let (mut inner, mut outer) = (Vec::new(), Vec::with_capacity(list.len()));
    for row in 0..list.len() {
        let range = offsets[row] as usize..offsets[row + 1] as usize;
        // An element that is null already stands for both of its choices.
        let open: Vec<usize> = range.clone().filter(|at| !nulls.value(*at)).collect();
        if list.is_null(row) {
            outer.push(0);
            continue;
        }
        if range.len() > CUBE_MAX {
            failed(row, format!("CUBE_EXPLODE: more than {CUBE_MAX} elements"));
            outer.push(0);
            continue;
        }
        let count = 1_usize << open.len();
        for choice in 0..count {
            picks.extend(range.clone().map(|at| {
                // The first element is the highest bit.
                let bit = open.iter().position(|open| *open == at)?;
                (choice >> (open.len() - 1 - bit) & 1 == 1).then_some(at as u32)
            }));
            inner.push(range.len());
        }
        outer.push(count);
    }
    let values = if picks.is_empty() {
        new_empty_array(list.values().data_type())
    } else {
        take(list.values(), &UInt32Array::from(picks), None)?
    };
    let DataType::List(item) = list.data_type() else { return Err(Error::internal("an array that is no list")) };
    let arrays = ListArray::try_new(item.clone(), OffsetBuffer::from_lengths(inner), values, None)?;
    let field = Arc::new(Field::new("item", list.data_type().clone(), true));
    let valid: Option<NullBuffer> = None;
    Ok(ListArray::try_new(field, OffsetBuffer::from_lengths(outer), Arc::new(arrays), valid)?)
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::Int32Type;

    use super::*;

    fn lists(rows: Vec<Option<Vec<Option<i32>>>>) -> ArrayRef {
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(rows))
    }

    #[test]
    fn a_cube_replaces_elements_from_the_right() {
        let argument = lists(vec![Some(vec![Some(1), Some(2)]), None, Some(vec![]), Some(vec![None, Some(3)])]);
        let cube = TableFunction::CubeExplode.expand(&argument, &mut |_, _| panic!("nothing fails")).expect("arrays");
        let rows: Vec<Vec<Vec<Option<i32>>>> = cube
            .iter()
            .map(|row| {
                let row = row.expect("no nulls");
                row.as_list::<i32>()
                    .iter()
                    .map(|array| array.expect("no nulls").as_primitive::<Int32Type>().iter().collect())
                    .collect()
            })
            .collect();
        assert_eq!(rows[0], [[None, None], [None, Some(2)], [Some(1), None], [Some(1), Some(2)]]);
        assert!(rows[1].is_empty());
        assert_eq!(rows[2], [[]], "nothing can be replaced in one way");
        assert_eq!(rows[3], [[None, None], [None, Some(3)]]);
    }

    #[test]
    fn a_cube_has_bounds() {
        let argument = lists(vec![Some(vec![Some(1); 21])]);
        let mut failed = Vec::new();
        let cube = TableFunction::CubeExplode.expand(&argument, &mut |row, _| failed.push(row)).expect("arrays");
        assert_eq!((failed, cube.value_length(0)), (vec![0], 0));
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
