//! `INSERT INTO s [(columns)] VALUES (...)`: one record, its values coerced to the columns' types.
//!
//! Values typed by a user are taken laxly: beside what widens, texts stand for numbers, booleans and points in time,
//! and numbers for texts. What cannot be taken is an error of the statement, not of a row.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array,
};
use datafusion::arrow::datatypes::{Float64Type, Int64Type, Schema as ArrowSchema, i256};
use datafusion::common::DFSchema;

use super::Context;
use super::persistent::read_only;
use crate::catalog::{Relation, RelationKind, nearest};
use crate::error::{Code, Error, Result, Span};
use crate::functions::row_errors;
use crate::sql::ast::{Expr, Ident};
use crate::sql::bind::coerce::a;
use crate::sql::bind::{Binder, Scope, compile};
use crate::types::cast::{cast_array, fits_implicitly};
use crate::types::text::decimal::{self, DecimalError, Rounding};
use crate::types::text::{number, time};
use crate::types::{ColumnKind, SqlType, quote_identifier};

/// A record to be written.
#[derive(Debug, Clone)]
pub struct InsertRow {
    /// Where to.
    pub relation: Arc<Relation>,
    /// One array of one row for each column of the relation's schema, in its order; null where no value was given.
    pub columns: Vec<ArrayRef>,
    /// The record's time, milliseconds since the epoch, if it was given as `ROWTIME`.
    pub rowtime: Option<i64>,
}

/// Binds the values of a statement to the columns of its target.
pub fn insert_values(context: &Context, target: &Ident, columns: &[Ident], values: &[Expr]) -> Result<InsertRow> {
    let relation = context.catalog.relation(&target.name, target.span)?.clone();
    if relation.read_only {
        return Err(read_only(target));
    }
    if relation.window.is_some() {
        let text = format!("no row can be inserted into {}", quote_identifier(&target.name));
        return Err(Error::refused(Code::ReadOnly, text)
            .detail("its keys hold windows, which a query computes")
            .at(target.span));
    }
    let (typed, rowtime) = typed_values(context, &relation, columns, values, target.span)?;
    let mut row: Vec<ArrayRef> =
        relation.schema.columns.iter().map(|column| new_null_array(&column.ty.to_arrow(), 1)).collect();
    for (position, value) in typed {
        row[position] = value;
    }
    for (column, value) in relation.schema.columns.iter().zip(&row) {
        if relation.kind == RelationKind::Table && column.kind == ColumnKind::Key && value.is_null(0) {
            return Err(Error::refused(
                Code::MissingKey,
                format!("the PRIMARY KEY {} needs a value", quote_identifier(&column.name)),
            )
            .at(target.span));
        }
    }
    Ok(InsertRow { relation, columns: row, rowtime })
}

/// Values of columns: the position of each in the schema, with an array of one row.
pub type TypedValues = Vec<(usize, ArrayRef)>;

/// Values typed by a user as those of columns of a stream or table: the position of each column with an array of one row,
/// and `ROWTIME`, if it is among them. All columns are meant when none are named.
pub fn typed_values(
    context: &Context,
    relation: &Relation,
    columns: &[Ident],
    values: &[Expr],
    span: Span,
) -> Result<(TypedValues, Option<i64>)> {
    let places = if columns.is_empty() { all_columns(relation) } else { named_columns(relation, columns)? };
    if places.len() != values.len() {
        let span = values.iter().map(|value| value.span).reduce(Span::to).unwrap_or(span);
        return Err(Error::refused(
            Code::SchemaMismatch,
            format!("expected {}, found {}", counted(places.len(), "value"), values.len()),
        )
        .detail(if columns.is_empty() { "one for each column of the stream" } else { "one for each column named" })
        .at(span));
    }
    let mut typed = Vec::with_capacity(places.len());
    let mut rowtime = None;
    for (place, value) in places.into_iter().zip(values) {
        match place {
            Some(position) => {
                let column = &relation.schema.columns[position];
                typed.push((position, coerced(context, value, &column.ty, &column.name)?));
            }
            None => rowtime = time_of(context, value)?,
        }
    }
    Ok((typed, rowtime))
}

/// Positions of the columns that take a value when none are named: those of the key first, wherever they are declared.
fn all_columns(relation: &Relation) -> Vec<Option<usize>> {
    let of = |kind: ColumnKind| {
        let columns = relation.schema.columns.iter().enumerate();
        columns.filter(move |(_, column)| column.kind == kind).map(|(position, _)| Some(position))
    };
    of(ColumnKind::Key).chain(of(ColumnKind::Value)).collect()
}

/// Positions of the columns named; `None` is `ROWTIME`.
fn named_columns(relation: &Relation, columns: &[Ident]) -> Result<Vec<Option<usize>>> {
    let mut places = Vec::with_capacity(columns.len());
    for (i, column) in columns.iter().enumerate() {
        let name = quote_identifier(&column.name);
        if columns[..i].iter().any(|earlier| earlier.name == column.name) {
            return Err(Error::refused(Code::DuplicateName, format!("column {name} is named twice")).at(column.span));
        }
        let position = relation.schema.index_of(&column.name);
        places.push(match position {
            Some(position) if is_writable(&relation.schema.columns[position].kind) => Some(position),
            Some(_) => {
                return Err(Error::refused(Code::ReadOnly, format!("column {name} holds headers and is read-only"))
                    .at(column.span));
            }
            None if column.name == "ROWTIME" => None,
            None if column.name == "ROWPARTITION" || column.name == "ROWOFFSET" => {
                return Err(Error::refused(
                    Code::ReadOnly,
                    format!("{name} is given by the topic, not by the statement"),
                )
                .at(column.span));
            }
            None => {
                let error = Error::refused(Code::UnknownColumn, format!("unknown column {name}")).at(column.span);
                let known = relation.schema.columns.iter().map(|column| column.name.as_str());
                return Err(match nearest(&column.name, known) {
                    Some(near) => error.hint(format!("Did you mean {}?", quote_identifier(near))),
                    None => error.detail(format!(
                        "{} {} has ({})",
                        relation.kind.as_str(),
                        quote_identifier(&relation.name),
                        relation.schema
                    )),
                });
            }
        });
    }
    Ok(places)
}

fn is_writable(kind: &ColumnKind) -> bool {
    matches!(kind, ColumnKind::Key | ColumnKind::Value)
}

/// The value of an expression that reads no column: an array of one row, and its type, if it has one.
fn constant(context: &Context, value: &Expr) -> Result<(ArrayRef, Option<SqlType>)> {
    let scope = Scope::empty();
    let bound = Binder::new(context.catalog, context.functions, &scope).bind(value)?;
    let Some(ty) = bound.ty else { return Ok((new_null_array(&SqlType::String.to_arrow(), 1), None)) };
    let schema = Arc::new(ArrowSchema::empty());
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let batch = RecordBatch::try_new_with_options(schema, vec![], &options)?;
    let expr = compile::simplify(bound.expr, &Arc::new(DFSchema::empty()));
    let expr = compile::physical(&expr, &DFSchema::empty(), &ty, String::new())?;
    let (result, failed) = row_errors::with_sink(1, || expr.physical.evaluate(&batch));
    if let Some(failure) = failed.into_iter().next() {
        return Err(Error::refused(Code::InvalidLiteral, failure.message).at(value.span));
    }
    let result = result.map_err(|error| {
        let text = error.strip_backtrace();
        Error::refused(Code::InvalidLiteral, "this value cannot be computed")
            .detail(text.lines().next().unwrap_or_default())
            .at(value.span)
    })?;
    Ok((result.to_array(1)?, Some(ty)))
}

fn coerced(context: &Context, value: &Expr, to: &SqlType, column: &str) -> Result<ArrayRef> {
    let (given, from) = constant(context, value)?;
    let Some(from) = from else { return Ok(new_null_array(&to.to_arrow(), 1)) };
    let column = quote_identifier(column);
    if !taken_for(&from, to) {
        return Err(Error::refused(Code::TypeMismatch, format!("column {column} is {}, found {}", a(to), a(&from)))
            .at(value.span));
    }
    let unreadable = || {
        Error::refused(Code::InvalidLiteral, format!("this text cannot be read as {}", a(to)))
            .detail(format!("column {column}"))
    };
    if (&from, to) == (&SqlType::String, &SqlType::Boolean) && given.is_valid(0) {
        // CAST takes any text for false; here a text must say so.
        let flag = number::parse_bool_exact(given.as_string::<i32>().value(0).trim());
        let flag = flag.ok_or_else(|| unreadable().at(value.span))?;
        return Ok(Arc::new(BooleanArray::from(vec![flag])));
    }
    if let SqlType::Decimal(precision, scale) = to
        && given.is_valid(0)
    {
        // CAST rounds; here digits behind the last place must be zeros.
        let text = cast_array(&given, &from, &SqlType::String, &mut Vec::new())?;
        let text = text.as_string::<i32>().value(0).trim();
        if decimal::parse::<i256>(text.as_bytes(), *precision, *scale, Rounding::Exact) == Err(DecimalError::Inexact) {
            let error = Error::refused(Code::InvalidLiteral, format!("the value does not fit column {column}"));
            let reason = DecimalError::Inexact.reason();
            return Err(error.detail(format!("the number {reason} for {to}")).at(value.span));
        }
    }
    let mut failures = Vec::new();
    let array = cast_array(&given, &from, to, &mut failures).map_err(|error| error.or_at(value.span))?;
    match failures.pop() {
        // A text stands for a number, and these are none that somebody types.
        None if from == SqlType::String && is_no_number(&array) => Err(unreadable().at(value.span)),
        None => Ok(array),
        Some(_) if from == SqlType::String => Err(unreadable().at(value.span)),
        Some((_, message)) => {
            Err(Error::refused(Code::InvalidLiteral, format!("the value does not fit column {column}"))
                .detail(message)
                .at(value.span))
        }
    }
}

/// Whether it is a `DOUBLE` that is infinite or not a number.
fn is_no_number(array: &ArrayRef) -> bool {
    array.as_primitive_opt::<Float64Type>().is_some_and(|array| array.is_valid(0) && !array.value(0).is_finite())
}

/// Whether a value of one type, typed by a user, is taken for a column of another.
fn taken_for(from: &SqlType, to: &SqlType) -> bool {
    if fits_implicitly(from, to) {
        return true;
    }
    match (from, to) {
        (SqlType::String, to) => !matches!(to, SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_)),
        (from, SqlType::String) => {
            !matches!(from, SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_) | SqlType::Bytes)
        }
        // A literal such as 1.5 is exact; a column with fewer digits takes it if it fits, which the cast finds out.
        (from, SqlType::Decimal(..)) => from.is_numeric() && *from != SqlType::Double,
        (SqlType::Array(from), SqlType::Array(to)) => taken_for(from, to),
        (SqlType::Map(k1, v1), SqlType::Map(k2, v2)) => taken_for(k1, k2) && taken_for(v1, v2),
        (SqlType::Struct(from), SqlType::Struct(to)) => from
            .iter()
            .all(|(name, from)| to.iter().find(|(other, _)| other == name).is_some_and(|(_, to)| taken_for(from, to))),
        _ => false,
    }
}

/// `ROWTIME`: milliseconds, or a timestamp as text.
fn time_of(context: &Context, value: &Expr) -> Result<Option<i64>> {
    let (array, from) = constant(context, value)?;
    let millis = match from {
        None => return Ok(None),
        Some(SqlType::String) if array.is_valid(0) => time::parse_timestamp(array.as_string::<i32>().value(0).trim()),
        Some(from @ (SqlType::Integer | SqlType::Bigint | SqlType::Timestamp)) if array.is_valid(0) => {
            let array = match from {
                SqlType::Integer => cast_array(&array, &from, &SqlType::Bigint, &mut Vec::new())?,
                _ => datafusion::arrow::compute::cast(&array, &SqlType::Bigint.to_arrow())?,
            };
            Some(array.as_primitive::<Int64Type>().value(0))
        }
        Some(_) => None,
    };
    match millis {
        Some(millis) if millis >= 0 => Ok(Some(millis)),
        _ => {
            Err(Error::refused(Code::InvalidLiteral, "ROWTIME needs milliseconds since 1970, or a timestamp in quotes")
                .at(value.span))
        }
    }
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("{n} {what}") } else { format!("{n} {what}s") }
}
