//! `CREATE STREAM ... AS SELECT` and `INSERT INTO ... SELECT`.

use super::assemble::assemble;
use super::query::{BoundQuery, Item};
use super::source::default_wrapping;
use super::{Context, query};
use crate::catalog::{CatalogQuery, Relation, RelationKind};
use crate::error::{Error, Result, Span};
use crate::plan::{OnError, QueryKind, QueryPlan, SinkSpec};
use crate::sql::ast::{CreateAsSelect, Ident, Property, Query, SourceKind};
use crate::sql::bind::coerce::widen;
use crate::sql::bind::properties::{Properties, check_formats};
use crate::types::cast::fits_implicitly;
use crate::types::{Column, ColumnKind, FormatName, FormatSpec, Schema, quote_identifier};

/// A persistent query and what it adds to the catalog.
#[derive(Debug, Clone)]
pub struct PersistentPlan {
    /// What to run.
    pub plan: QueryPlan,
    /// The stream it makes; `None` when it writes one that exists.
    pub sink: Option<Relation>,
    /// The query itself.
    pub query: CatalogQuery,
}

/// Plans `CREATE STREAM s [WITH (...)] AS SELECT ...`. Whether the name is free is for the catalog to say.
pub fn create_as_select(context: &Context, create: &CreateAsSelect) -> Result<PersistentPlan> {
    let (name, span) = (&create.name.name, create.name.span);
    if create.kind == SourceKind::Table {
        return Err(Error::unsupported("CREATE TABLE ... AS SELECT", span));
    }
    refuse_limit(&create.query)?;
    let bound = query::bind(context, &create.query, true)?;
    let items = keys_first(&bound, name, create.query.span)?;
    let schema = Schema::new(items.iter().map(|item| column(item, &item.name)).collect());
    if schema.value_columns().next().is_none() {
        return Err(Error::sql("the projection has no value columns")
            .detail("all its columns go into the key")
            .hint("Copy a key column into the value: AS_VALUE(column) AS other_name.")
            .at(create.query.span));
    }
    let properties = Properties::read(&create.properties)?;
    let source = &bound.relation;
    let inherited_key = match source.key_format.name {
        FormatName::None if schema.key_columns().next().is_some() => FormatSpec::new(context.defaults.key_format),
        _ => source.key_format.clone(),
    };
    let key_format = properties.key_spec(&inherited_key)?;
    let inherited_value = FormatSpec { wrap_single: None, ..source.value_format.clone() };
    let mut value_format = properties.value_spec(Some(&inherited_value), span)?;
    default_wrapping(context, &mut value_format, schema.value_columns().count());
    check_formats(&schema, &key_format, &value_format, span)?;
    let sink = SinkSpec {
        relation: name.clone(),
        topic: properties.topic(name),
        timestamp: properties.timestamp(&schema)?,
        key_format,
        value_format,
        schema,
    };
    let query_id = match &properties.query_id {
        Some(id) => id.value.clone(),
        None => format!("CSAS_{name}"),
    };
    let relation = Relation {
        name: name.clone(),
        kind: RelationKind::Stream,
        schema: sink.schema.clone(),
        topic: sink.topic.clone(),
        key_format: sink.key_format.clone(),
        value_format: sink.value_format.clone(),
        timestamp: sink.timestamp.clone(),
        read_only: false,
        sink_of: Some(query_id.clone()),
        statement: context.statement.to_string(),
    };
    finish(context, &bound, &items, query_id, sink, properties.on_error()?, Some(relation))
}

/// Plans `INSERT INTO s [WITH (QUERY_ID = '...')] SELECT ...`.
///
/// Without a `QUERY_ID` the id is that of [`insert_query_id`] with `ordinal`: the how-many-th such statement of the
/// same target and source this is, from 1.
pub fn insert_select(
    context: &Context,
    target: &Ident,
    properties: &[Property],
    query: &Query,
    ordinal: usize,
) -> Result<PersistentPlan> {
    refuse_limit(query)?;
    let relation = context.catalog.relation(&target.name, target.span)?.clone();
    if relation.kind == RelationKind::Table {
        return Err(
            Error::sql(format!("{} is a table, INSERT INTO ... SELECT writes a stream", shown(target))).at(target.span)
        );
    }
    if relation.read_only {
        return Err(read_only(target));
    }
    let properties = Properties::read(properties)?;
    let bound = query::bind(context, query, true)?;
    let items = keys_first(&bound, &target.name, query.span)?;
    let items = fit(&relation, items, target)?;
    let query_id = match &properties.query_id {
        Some(id) => id.value.clone(),
        None => insert_query_id(&target.name, &bound.relation.name, ordinal),
    };
    let sink = SinkSpec {
        relation: relation.name.clone(),
        topic: relation.topic.clone(),
        key_format: relation.key_format.clone(),
        value_format: relation.value_format.clone(),
        schema: Schema::new(items.iter().map(|item| column(item, &item.name)).collect()),
        timestamp: relation.timestamp.clone(),
    };
    finish(context, &bound, &items, query_id, sink, properties.on_error()?, None)
}

/// The id of an `INSERT INTO target SELECT ... FROM source`: stable when statements around it change.
pub fn insert_query_id(target: &str, source: &str, ordinal: usize) -> String {
    match ordinal {
        0 | 1 => format!("INSERTQUERY_{target}_{source}"),
        n => format!("INSERTQUERY_{target}_{source}_{n}"),
    }
}

pub(super) fn read_only(target: &Ident) -> Error {
    Error::sql(format!("{} is read-only", shown(target))).detail("it was created as a SOURCE").at(target.span)
}

fn shown(ident: &Ident) -> String {
    quote_identifier(&ident.name)
}

fn refuse_limit(query: &Query) -> Result<()> {
    if let Some(until) = &query.until {
        return Err(
            Error::sql("UNTIL is for a query whose rows go to whoever asked, a persistent one goes on").at(until.span)
        );
    }
    match query.limit {
        Some(limit) => Err(Error::unsupported("LIMIT in a persistent query", limit.span)),
        None => Ok(()),
    }
}

fn column(item: &Item, name: &str) -> Column {
    let kind = if item.key_of.is_some() { ColumnKind::Key } else { ColumnKind::Value };
    Column { name: name.to_string(), ty: item.ty.clone(), kind }
}

/// The items with those of the key first. Every key column of the source must be there, untouched, once.
fn keys_first(query: &BoundQuery, sink: &str, span: Span) -> Result<Vec<Item>> {
    for key in query.relation.schema.key_columns() {
        let mut found = query.items.iter().filter(|item| item.key_of.as_ref() == Some(&key.name));
        let name = quote_identifier(&key.name);
        if found.next().is_none() {
            return Err(Error::sql(format!("the key column {name} is missing from the projection"))
                .detail(format!(
                    "{} keeps the key of {}",
                    quote_identifier(sink),
                    quote_identifier(&query.relation.name)
                ))
                .hint(format!("Write SELECT {name}, ..."))
                .at(span));
        }
        if let Some(second) = found.next() {
            return Err(Error::sql(format!("the key column {name} is selected twice"))
                .hint(format!("Copy it into the value with AS_VALUE({name}) AS ..."))
                .at(second.span));
        }
    }
    let mut items = query.items.clone();
    // A stable sort: both groups keep the order of the projection.
    items.sort_by_key(|item| item.key_of.is_none());
    Ok(items)
}

/// The items as the columns of an existing stream: the same names, types that widen to its own.
fn fit(target: &Relation, items: Vec<Item>, name: &Ident) -> Result<Vec<Item>> {
    let mut wanted: Vec<&Column> = target.schema.key_columns().collect();
    wanted.extend(target.schema.value_columns());
    let listed = |columns: Vec<String>| columns.join(", ");
    let mismatch = |span: Span, what: String| {
        let have = items.iter().map(|item| column(item, &item.name)).collect();
        let want = wanted.iter().copied().cloned().collect();
        Error::sql(format!("the columns of the SELECT are not those of {}", shown(name)))
            .detail(format!("{what}; found ({}), expected ({})", Schema::new(have), Schema::new(want)))
            .at(span)
    };
    if items.len() != wanted.len() {
        let missing: Vec<String> = wanted
            .iter()
            .filter(|column| items.iter().all(|item| item.name != column.name))
            .map(|column| quote_identifier(&column.name))
            .collect();
        let extra: Vec<String> = items
            .iter()
            .filter(|item| wanted.iter().all(|column| column.name != item.name))
            .map(|item| quote_identifier(&item.name))
            .collect();
        let what = match (missing.is_empty(), extra.is_empty()) {
            (false, _) => format!("missing {}", listed(missing)),
            (_, false) => format!("too many: {}", listed(extra)),
            _ => "their numbers differ".to_string(),
        };
        return Err(mismatch(name.span, what));
    }
    let mut fitted = Vec::with_capacity(items.len());
    for (item, column) in items.iter().zip(&wanted) {
        let is_key = column.kind == ColumnKind::Key;
        if item.name != column.name || is_key != item.key_of.is_some() || !fits_implicitly(&item.ty, &column.ty) {
            let what = format!(
                "{} {} stands where {} {} is expected",
                quote_identifier(&item.name),
                item.ty,
                quote_identifier(&column.name),
                column.ty
            );
            return Err(mismatch(item.span, what));
        }
        let expr = widen(item.expr.clone(), Some(&item.ty), &column.ty);
        fitted.push(Item { expr, ty: column.ty.clone(), ..item.clone() });
    }
    Ok(fitted)
}

fn finish(
    context: &Context,
    bound: &BoundQuery,
    items: &[Item],
    query_id: String,
    sink: SinkSpec,
    on_error: OnError,
    relation: Option<Relation>,
) -> Result<PersistentPlan> {
    let (source, steps) = assemble(bound, items)?;
    let sink_name = sink.relation.clone();
    let output = sink.schema.clone();
    let kind = QueryKind::Persistent(sink);
    let plan = QueryPlan { query_id: query_id.clone(), kind, source, steps, output, on_error };
    let query = CatalogQuery {
        id: query_id,
        sources: vec![bound.relation.name.clone()],
        sink: sink_name,
        statement: context.statement.to_string(),
        fingerprint: plan.fingerprint(),
    };
    Ok(PersistentPlan { plan, sink: relation, query })
}
