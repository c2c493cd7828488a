//! Lambdas over arrays and maps: `TRANSFORM`, `FILTER`, `REDUCE`.
//!
//! The body of a lambda is an expression over its parameters and the columns it captures. It is evaluated over all
//! elements of all rows of a batch at once, the captured columns repeated for each element; `REDUCE` does so once for
//! each position. A row whose elements fail is null as a whole.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, RecordBatch, RecordBatchOptions, StructArray, UInt32Array,
    UInt64Array, new_empty_array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{interleave, take};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::PhysicalExpr;

use super::{Kernel, call};
use crate::functions::{map_keys, row_errors, value_key};
use crate::types::SqlType;

/// The body of a lambda, ready to be evaluated.
#[derive(Debug, Clone)]
pub struct Body {
    /// The expression.
    pub physical: Arc<dyn PhysicalExpr>,
    /// Its columns: the parameters in order, then what it captures.
    pub schema: SchemaRef,
    /// Its canonical text.
    pub text: String,
    /// The type of its result.
    pub ty: SqlType,
    /// Whether it is arithmetic, which fails where an operand is NULL: then so does the row of the element.
    pub strict: bool,
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.schema == other.schema && self.ty == other.ty
    }
}

impl Eq for Body {}

impl Hash for Body {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// What is done with the elements of an array or the entries of a map.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Work {
    Filter(Body),
    TransformArray(Body),
    TransformMap(Body, Body),
    Reduce(Body),
}

/// Elements or entries for which the body is true. `captures` are the columns the body has behind its parameters.
pub fn filter(collection: Expr, captures: Vec<Expr>, body: Body) -> Expr {
    lambda(Work::Filter(body), vec![collection], captures)
}

/// What the body makes of each element of an array.
pub fn transform_array(array: Expr, captures: Vec<Expr>, body: Body) -> Expr {
    lambda(Work::TransformArray(body), vec![array], captures)
}

/// What the bodies make of the keys and values of a map; both have the same columns.
pub fn transform_map(map: Expr, captures: Vec<Expr>, key: Body, value: Body) -> Expr {
    lambda(Work::TransformMap(key, value), vec![map], captures)
}

/// The last state, the body giving the next one of state and element, or state, key and value.
pub fn reduce(collection: Expr, state: Expr, captures: Vec<Expr>, body: Body) -> Expr {
    lambda(Work::Reduce(body), vec![collection, state], captures)
}

fn lambda(work: Work, mut args: Vec<Expr>, captures: Vec<Expr>) -> Expr {
    args.extend(captures);
    call(Lambda { work }, args)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Lambda {
    work: Work,
}

/// The elements or entries of a column, as columns: one of an array, two of a map.
struct Collection {
    parts: Vec<ArrayRef>,
    offsets: Vec<i32>,
    nulls: Option<NullBuffer>,
}

impl Collection {
    fn of(array: &ArrayRef) -> Result<Collection> {
        Ok(match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Collection {
                    parts: vec![list.values().clone()],
                    offsets: list.value_offsets().to_vec(),
                    nulls: list.nulls().cloned(),
                }
            }
            DataType::Map(..) => {
                let map = array.as_map();
                Collection {
                    parts: vec![map.keys().clone(), map.values().clone()],
                    offsets: map.value_offsets().to_vec(),
                    nulls: map.nulls().cloned(),
                }
            }
            other => return internal_err!("a lambda over {other}"),
        })
    }

    fn is_valid(&self, row: usize) -> bool {
        self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))
    }

    fn span(&self, row: usize) -> std::ops::Range<usize> {
        if self.is_valid(row) { self.offsets[row] as usize..self.offsets[row + 1] as usize } else { 0..0 }
    }

    /// The position and the row of every element.
    fn flat(&self, rows: usize) -> (UInt32Array, UInt32Array) {
        let elements = (0..rows).flat_map(|row| self.span(row).map(move |at| (at as u32, row as u32)));
        let (positions, owners): (Vec<u32>, Vec<u32>) = elements.unzip();
        (positions.into(), owners.into())
    }
}

fn picked(array: &ArrayRef, picks: &UInt32Array) -> Result<ArrayRef> {
    if picks.is_empty() {
        return Ok(new_empty_array(array.data_type()));
    }
    Ok(take(array, picks, None)?)
}

/// Evaluates a body over columns of its schema. Rows that report are named in `failed` by their owner.
fn evaluate(
    body: &Body,
    columns: Vec<ArrayRef>,
    owners: &UInt32Array,
    failed: &mut HashMap<u32, String>,
) -> Result<ArrayRef> {
    let rows = owners.len();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(body.schema.clone(), columns, &options)?;
    if rows == 0 {
        return Ok(new_empty_array(&body.ty.to_arrow()));
    }
    let (result, errors) = row_errors::with_sink(rows, || body.physical.evaluate(&batch)?.into_array(rows));
    if errors.iter().any(|error| error.row.is_none()) && rows > 1 {
        // A branch saw some of the rows only; each alone says which one failed.
        for row in 0..rows {
            let one = batch.slice(row, 1);
            let (_, errors) = row_errors::with_sink(1, || body.physical.evaluate(&one)?.into_array(1));
            if let Some(error) = errors.into_iter().next() {
                failed.entry(owners.value(row)).or_insert(error.message);
            }
        }
    } else {
        for error in errors {
            failed.entry(owners.value(error.row.unwrap_or(0))).or_insert(error.message);
        }
    }
    let result = result?;
    if body.strict && result.null_count() > 0 {
        for row in (0..rows).filter(|row| result.is_null(*row)) {
            failed.entry(owners.value(row)).or_insert_with(|| "an operand in the lambda is NULL".to_string());
        }
    }
    Ok(result)
}

impl Lambda {
    fn columns(
        &self,
        parts: &[ArrayRef],
        positions: &UInt32Array,
        captures: &[ArrayRef],
        owners: &UInt32Array,
    ) -> Result<Vec<ArrayRef>> {
        let elements = parts.iter().map(|part| picked(part, positions));
        elements.chain(captures.iter().map(|capture| picked(capture, owners))).collect()
    }

    fn reduce(
        &self,
        body: &Body,
        args: &[ArrayRef],
        rows: usize,
        failed: &mut HashMap<u32, String>,
    ) -> Result<ArrayRef> {
        let collection = Collection::of(&args[0])?;
        let captures = &args[2..];
        let mut state = args[1].clone();
        // Without a first state there is no last one.
        let first = args[1].clone();
        let steps = |row: usize| if first.is_valid(row) { collection.span(row).len() } else { 0 };
        let longest = (0..rows).map(steps).max().unwrap_or(0);
        for step in 0..longest {
            let reached = (0..rows).filter(|row| step < steps(*row));
            let (positions, owners): (Vec<u32>, Vec<u32>) =
                reached.map(|row| ((collection.span(row).start + step) as u32, row as u32)).unzip();
            let (positions, owners) = (UInt32Array::from(positions), UInt32Array::from(owners));
            let mut columns = vec![picked(&state, &owners)?];
            columns.extend(self.columns(&collection.parts, &positions, captures, &owners)?);
            let next = evaluate(body, columns, &owners, failed)?;
            // Rows that were reached take their next state, the others keep theirs.
            let mut sources: Vec<(usize, usize)> = (0..rows).map(|row| (0, row)).collect();
            owners.values().iter().enumerate().for_each(|(at, owner)| sources[*owner as usize] = (1, at));
            state = interleave(&[&state, &next], &sources)?;
        }
        Ok(state)
    }
}

impl Kernel for Lambda {
    fn name(&self) -> &'static str {
        match self.work {
            Work::Filter(_) => "filter",
            Work::TransformArray(_) | Work::TransformMap(..) => "transform",
            Work::Reduce(_) => "reduce",
        }
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        Ok(match &self.work {
            Work::Filter(_) => args[0].clone(),
            Work::TransformArray(body) => SqlType::Array(Box::new(body.ty.clone())).to_arrow(),
            Work::TransformMap(key, value) => {
                SqlType::Map(Box::new(key.ty.clone()), Box::new(value.ty.clone())).to_arrow()
            }
            Work::Reduce(_) => args[1].clone(),
        })
    }

    fn invoke(&self, args: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let mut failed = HashMap::new();
        let types: Vec<DataType> = args.iter().map(|arg| arg.data_type().clone()).collect();
        let result = match &self.work {
            Work::Reduce(body) => self.reduce(body, args, rows, &mut failed)?,
            work => {
                let collection = Collection::of(&args[0])?;
                let (positions, owners) = collection.flat(rows);
                let columns = self.columns(&collection.parts, &positions, &args[1..], &owners)?;
                let mut valid: Vec<bool> = (0..rows).map(|row| collection.is_valid(row)).collect();
                let parts = match work {
                    Work::Filter(body) => {
                        let kept = evaluate(body, columns, &owners, &mut failed)?;
                        let kept = kept.as_boolean();
                        let keep = |at: &usize| kept.is_valid(*at) && kept.value(*at);
                        let at: Vec<usize> = (0..owners.len()).filter(keep).collect();
                        let picks = UInt32Array::from_iter_values(at.iter().map(|at| positions.value(*at)));
                        let owners = at.iter().map(|at| owners.value(*at)).collect();
                        let parts = collection.parts.iter().map(|part| picked(part, &picks)).collect::<Result<_>>()?;
                        (parts, owners)
                    }
                    Work::TransformArray(body) => {
                        (vec![evaluate(body, columns, &owners, &mut failed)?], owners.values().to_vec())
                    }
                    Work::TransformMap(key, value) => {
                        let keys = map_keys(&evaluate(key, columns.clone(), &owners, &mut failed)?);
                        let values = evaluate(value, columns, &owners, &mut failed)?;
                        for at in (0..keys.len()).filter(|at| keys.is_null(*at)) {
                            failed.entry(owners.value(at)).or_insert_with(|| "a key of a map is NULL".to_string());
                        }
                        let mut seen = HashSet::new();
                        for at in 0..keys.len() {
                            if !seen.insert((owners.value(at), value_key(&keys, at))) {
                                let message = || "two keys of the new map are equal".to_string();
                                failed.entry(owners.value(at)).or_insert_with(message);
                            }
                        }
                        (vec![keys, values], owners.values().to_vec())
                    }
                    Work::Reduce(_) => return internal_err!("reduce has its own way"),
                };
                failed.keys().for_each(|row| valid[*row as usize] = false);
                assemble(&self.return_type(&types)?, parts, valid)?
            }
        };
        if failed.is_empty() {
            return Ok(result);
        }
        let picks: UInt64Array =
            (0..rows).map(|row| (!failed.contains_key(&(row as u32))).then_some(row as u64)).collect();
        let mut failed: Vec<(u32, String)> = failed.into_iter().collect();
        failed.sort_unstable();
        for (row, message) in failed {
            row_errors::report(row as usize, rows, || message);
        }
        Ok(take(&result, &picks, None)?)
    }
}

/// An array or map column of elements and their owners, in the order of the rows. Elements of rows that are not valid
/// are left out; in those that are, the keys of a map differ.
fn assemble(ty: &DataType, (parts, owners): (Vec<ArrayRef>, Vec<u32>), valid: Vec<bool>) -> Result<ArrayRef> {
    let mut lengths = vec![0; valid.len()];
    let mut picks: Vec<u32> = Vec::with_capacity(owners.len());
    for (at, owner) in owners.iter().enumerate().filter(|(_, owner)| valid[**owner as usize]) {
        picks.push(at as u32);
        lengths[*owner as usize] += 1;
    }
    let picks = UInt32Array::from(picks);
    let parts = parts.iter().map(|part| picked(part, &picks)).collect::<Result<Vec<_>>>()?;
    let nulls = NullBuffer::from(valid);
    let nulls = (nulls.null_count() > 0).then_some(nulls);
    let offsets = OffsetBuffer::from_lengths(lengths);
    match ty {
        DataType::List(field) => Ok(Arc::new(ListArray::try_new(field.clone(), offsets, parts[0].clone(), nulls)?)),
        DataType::Map(field, sorted) => {
            let DataType::Struct(fields) = field.data_type() else {
                return internal_err!("entries of a map are {}", field.data_type());
            };
            let entries = StructArray::try_new(fields.clone(), parts, None)?;
            Ok(Arc::new(MapArray::try_new(field.clone(), offsets, entries, nulls, *sorted)?))
        }
        other => internal_err!("a lambda over {other}"),
    }
}
