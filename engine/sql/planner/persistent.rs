//! `CREATE STREAM ... AS SELECT` and `INSERT INTO ... SELECT`.

use std::collections::BTreeSet;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::Expr;

use super::assemble::{Assembled, assemble};
use super::query::{BoundQuery, Item};
use super::source::default_wrapping;
use super::stateful::Sink;
use super::{Context, query};
use crate::catalog::{CatalogQuery, Relation, RelationKind};
use crate::error::{Code, Error, Result, Span};
use crate::plan::{OnError, QueryKind, QueryPlan, SinkSpec};
use crate::sql::ast::{CreateAsSelect, Ident, Property, Query, SourceKind};
use crate::sql::bind::coerce::widen;
use crate::sql::bind::properties::{FormatPlaces, Properties, check_formats};
use crate::types::cast::fits_implicitly;
use crate::types::{Column, ColumnKind, FormatName, FormatSpec, Schema, SqlType, quote_identifier};

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
    refuse_limit(&create.query)?;
    let made = Sink { name, span, kind: Some(create.kind), properties: Some(&create.properties) };
    let bound = query::bind(context, &create.query, Some(made))?;
    let kind = bound.relation.kind;
    match (create.kind, kind) {
        (SourceKind::Table, RelationKind::Stream) => {
            return Err(Error::refused(Code::WrongKind, "the query gives a stream, not a table")
                .detail(format!("{} is a stream and nothing is grouped", quote_identifier(&bound.relation.name)))
                .hint("Write CREATE STREAM ... AS SELECT, or add a GROUP BY.")
                .at(span));
        }
        (SourceKind::Stream, RelationKind::Table) => {
            return Err(Error::refused(Code::WrongKind, "the query gives a table, not a stream")
                .detail(format!("{} is a table", quote_identifier(&bound.relation.name)))
                .hint("Write CREATE TABLE ... AS SELECT.")
                .at(span));
        }
        _ => {}
    }
    let items = keyed(context, &bound, name, create.query.projection_span())?;
    let schema = Schema::new(items.iter().map(|item| column(item, &item.name)).collect());
    if schema.value_columns().next().is_none() {
        return Err(Error::refused(Code::InvalidSchema, "the projection has no value columns")
            .detail("all its columns go into the key")
            .hint("Copy a key column into the value: AS_VALUE(column) AS other_name.")
            .at(create.query.projection_span()));
    }
    let properties = Properties::read(&create.properties)?;
    let source = &bound.relation;
    let has_keys = schema.key_columns().next().is_some();
    if let (false, Some(given)) = (has_keys, &properties.own_key_format)
        && given.value != FormatName::None
    {
        return Err(Error::refused(
            Code::ConflictingProperties,
            "KEY_FORMAT is given, and the stream has no key columns",
        )
        .hint("Leave KEY_FORMAT out, or have a key: PARTITION BY a column.")
        .at(given.span));
    }
    let inherited_key = match source.key_format.name {
        FormatName::None if has_keys => FormatSpec::new(context.defaults.key_format),
        // A key that is taken away leaves nothing to write.
        _ if !has_keys && bound.partition.is_some() => FormatSpec::new(FormatName::None),
        _ => source.key_format.clone(),
    };
    let key_format = properties.key_spec(&inherited_key)?;
    let inherited_value = FormatSpec { wrap_single: None, ..source.value_format.clone() };
    let mut value_format = properties.value_spec(Some(&inherited_value), span)?;
    default_wrapping(context, &mut value_format, schema.value_columns().count());
    let columns = items.iter().map(|item| (item.name.as_str(), item.span)).collect();
    check_formats(&schema, &key_format, &value_format, &FormatPlaces { properties: &properties, columns, name: span })?;
    let sink = SinkSpec {
        relation: name.clone(),
        topic: properties.topic(name),
        timestamp: properties.timestamp(&schema)?,
        key_format,
        value_format,
        schema,
        // New keys are not in a window.
        window: source.window.filter(|_| bound.partition.is_none()),
    };
    let query_id = match (&properties.query_id, create.kind) {
        (Some(id), _) => id.value.clone(),
        (None, SourceKind::Stream) => format!("CSAS_{name}"),
        (None, SourceKind::Table) => format!("CTAS_{name}"),
    };
    let relation = Relation {
        name: name.clone(),
        kind,
        schema: sink.schema.clone(),
        topic: sink.topic.clone(),
        key_format: sink.key_format.clone(),
        value_format: sink.value_format.clone(),
        timestamp: sink.timestamp.clone(),
        window: sink.window,
        read_only: false,
        sink_of: Some(query_id.clone()),
        statement: context.statement.to_string(),
    };
    if create.or_replace {
        check_replacement(context, &create.name, &relation)?;
    }
    properties.refuse_retention_of(&relation)?;
    let planned = finish(context, &bound, &items, query_id, sink, properties.on_error()?, Some(relation))?;
    let existing = context.catalog.query(&planned.query.id, span).ok().filter(|_| create.or_replace);
    if let Some(existing) = existing.filter(|existing| existing.joins != planned.query.joins) {
        let none = || "no join".to_string();
        let (old, new) = (existing.joins.clone(), planned.query.joins.clone());
        return Err(Error::refused(Code::NotReplaceable, format!("query {} cannot be replaced by this", existing.id))
            .detail(format!(
                "what it joins is changed: it was ({}), now ({})",
                old.unwrap_or_else(none),
                new.unwrap_or_else(none)
            ))
            .hint("What it keeps is of no use to the new one; DROP the stream and create it again.")
            .at(span));
    }
    Ok(planned)
}

/// What an `INSERT INTO ... SELECT` says of itself, for the stream it writes is there.
const OF_INSERT: [&str; 3] = ["QUERY_ID", "ON_ERROR", "DEAD_LETTER_TOPIC"];

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
        return Err(Error::refused(
            Code::WrongKind,
            format!("{} is a table, INSERT INTO ... SELECT writes a stream", shown(target)),
        )
        .at(target.span));
    }
    if relation.read_only {
        return Err(read_only(target));
    }
    if let Some(header) = relation.schema.columns.iter().find(|column| is_header(&column.kind)) {
        return Err(Error::refused(Code::ReadOnly, format!("{} cannot be written by a query", shown(target)))
            .detail(format!("its column {} holds headers, which are read-only", quote_identifier(&header.name)))
            .at(target.span));
    }
    if let Some(other) =
        properties.iter().find(|given| !OF_INSERT.iter().any(|own| given.name.value.eq_ignore_ascii_case(own)))
    {
        let text = format!("{} is not for INSERT INTO ... SELECT", other.name.value);
        return Err(Error::refused(Code::ConflictingProperties, text)
            .detail(format!(
                "the topic and the formats are those of {}; it takes {}",
                shown(target),
                OF_INSERT.join(", ")
            ))
            .at(other.span));
    }
    let into = Sink { name: &target.name, span: target.span, kind: None, properties: None };
    let bound = query::bind(context, query, Some(into))?;
    let properties = Properties::read(properties)?;
    if bound.relation.kind == RelationKind::Table {
        return Err(Error::refused(
            Code::WrongKind,
            format!("{} is a stream, and the query gives a table", shown(target)),
        )
        .detail(format!("{} is a table", quote_identifier(&bound.relation.name)))
        .at(query.from.span()));
    }
    let items = keyed(context, &bound, &target.name, query.projection_span())?;
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
        window: relation.window,
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

/// The ordinal that [`insert_query_id`] made an id with, if it made it for this pair.
pub fn insert_query_ordinal(id: &str, target: &str, source: &str) -> Option<usize> {
    match id.strip_prefix(&insert_query_id(target, source, 1))? {
        "" => Some(1),
        rest => rest.strip_prefix('_')?.parse().ok(),
    }
}

fn is_header(kind: &ColumnKind) -> bool {
    matches!(kind, ColumnKind::Headers | ColumnKind::Header(_))
}

/// Refuses `OR REPLACE` where those who read the old stream or table could not go on with the new one: its columns must
/// be there as they were, and others may follow them; the topic and how it is read stay.
pub(super) fn check_replacement(context: &Context, name: &Ident, new: &Relation) -> Result<()> {
    let Some(existing) = context.catalog.find_relation(&name.name) else { return Ok(()) };
    if existing.read_only {
        return Err(source_replaced(name));
    }
    let cannot = |why: String| {
        Error::refused(Code::NotReplaceable, format!("{} cannot be replaced by this", shown(name)))
            .detail(why)
            .hint("Columns may be added at the end; for anything else DROP it and create it again.")
            .at(name.span)
    };
    if existing.kind != new.kind {
        return Err(cannot(format!("it is a {}, and the new one a {}", existing.kind.as_str(), new.kind.as_str())));
    }
    let time =
        |relation: &Relation| relation.timestamp.as_ref().map_or("the record's".to_string(), ToString::to_string);
    for (what, old, new) in [
        ("topic", existing.topic.name.clone(), new.topic.name.clone()),
        ("key format", existing.key_format.to_string(), new.key_format.to_string()),
        ("value format", existing.value_format.to_string(), new.value_format.to_string()),
        ("time", time(existing), time(new)),
    ] {
        if old != new {
            return Err(cannot(format!("its {what} is changed from {old} to {new}")));
        }
    }
    let keys = |schema: &Schema| schema.key_columns().cloned().collect::<Vec<_>>();
    if keys(&existing.schema) != keys(&new.schema) {
        let (old, new) = (Schema::new(keys(&existing.schema)), Schema::new(keys(&new.schema)));
        return Err(cannot(format!(
            "the key columns are changed, missing or reordered: they were ({old}), now ({new})"
        )));
    }
    let mut new = new.schema.value_columns();
    for old in existing.schema.value_columns() {
        if new.next() != Some(old) {
            let column = quote_identifier(&old.name);
            return Err(cannot(format!("column {column} {} is changed, missing or elsewhere", old.ty)));
        }
    }
    Ok(())
}

/// A `SOURCE` stands for a topic of others, and replacing it would change what its readers rely on.
pub(super) fn source_replaced(name: &Ident) -> Error {
    Error::refused(Code::NotReplaceable, format!("{} cannot be replaced", shown(name)))
        .detail("CREATE OR REPLACE is not for a SOURCE")
        .hint("DROP it, and create it again.")
        .at(name.span)
}

pub(super) fn read_only(target: &Ident) -> Error {
    Error::refused(Code::ReadOnly, format!("{} is read-only", shown(target)))
        .detail("it was created as a SOURCE")
        .at(target.span)
}

fn shown(ident: &Ident) -> String {
    quote_identifier(&ident.name)
}

fn refuse_limit(query: &Query) -> Result<()> {
    if let Some(until) = &query.until {
        return Err(Error::refused(
            Code::Misplaced,
            "UNTIL is for a query whose rows go to whoever asked, a persistent one goes on",
        )
        .at(until.span));
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

/// The items with those of the key first: those of `PARTITION BY`, else the key columns of the source.
fn keyed(context: &Context, query: &BoundQuery, sink: &str, span: Span) -> Result<Vec<Item>> {
    let Some(keys) = &query.partition else { return keys_first(context, query, sink, span) };
    let mut places = Vec::with_capacity(keys.len());
    for key in keys {
        let is = |item: &Item| item.sql == key.sql || (key.field.is_some() && item.field == key.field);
        let mut found = query.items.iter().enumerate().filter(|(_, item)| is(item));
        let Some((place, first)) = found.next() else {
            return Err(Error::refused(
                Code::MissingKey,
                format!("{} of PARTITION BY is missing from the projection", key.sql),
            )
            .detail(format!("it becomes a key column of {}", quote_identifier(sink)))
            .hint(format!("Write SELECT {}, ...", key.sql))
            .at(key.span));
        };
        if let Some((_, second)) = found.next() {
            let names = format!("{} and {}", quote_identifier(&first.name), quote_identifier(&second.name));
            return Err(Error::refused(
                Code::DuplicateName,
                format!("the key column {} is in the projection more than once", key.sql),
            )
            .detail(format!("aliased as {names}"))
            .hint(format!("Copy it into the value with AS_VALUE({}) AS ...", key.sql))
            .at(second.span));
        }
        places.push(place);
    }
    let mut items: Vec<Item> = places
        .iter()
        .map(|place| Item { key_of: Some(query.items[*place].sql.clone()), ..query.items[*place].clone() })
        .collect();
    let values = query.items.iter().enumerate().filter(|(place, _)| !places.contains(place));
    items.extend(values.map(|(_, item)| Item { key_of: None, ..item.clone() }));
    Ok(items)
}

/// The items with the key columns of the source first. Every one must be there, untouched, once.
fn keys_first(context: &Context, query: &BoundQuery, sink: &str, span: Span) -> Result<Vec<Item>> {
    if query.join.is_some() {
        let mut items = query.items.clone();
        items.sort_by_key(|item| item.key_of.is_none());
        return Ok(items);
    }
    for key in query.relation.schema.key_columns() {
        let mut found = query.items.iter().filter(|item| item.key_of.as_ref() == Some(&key.name));
        let name = quote_identifier(&key.name);
        if found.next().is_none() {
            return Err(Error::refused(
                Code::MissingKey,
                format!("the key column {name} is missing from the projection"),
            )
            .detail(format!("{} keeps the key of {}", quote_identifier(sink), quote_identifier(&query.relation.name)))
            .hint(format!("Write SELECT {name}, ..."))
            .at(span));
        }
        if let Some(second) = found.next() {
            return Err(Error::refused(Code::DuplicateName, format!("the key column {name} is selected twice"))
                .hint(format!("Copy it into the value with AS_VALUE({name}) AS ..."))
                .at(second.span));
        }
    }
    let mut items = query.items.clone();
    // A stable sort: values keep the order of the projection, keys that of the source or of the projection.
    let position = |key: &String| query.relation.schema.index_of(key).filter(|_| !context.defaults.keys_as_selected);
    items.sort_by_key(|item| item.key_of.as_ref().map_or((1, None), |key| (0, position(key))));
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
        Error::refused(Code::SchemaMismatch, format!("the columns of the SELECT are not those of {}", shown(name)))
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
        // A whole number goes into any DECIMAL; one with too many digits fails its row.
        let fits = fits_implicitly(&item.ty, &column.ty)
            || matches!((&item.ty, &column.ty), (SqlType::Integer | SqlType::Bigint, SqlType::Decimal(..)));
        if item.name != column.name || is_key != item.key_of.is_some() || !fits {
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
    if let (Some(joined), OnError::Fail | OnError::DeadLetter(_)) = (&bound.join, &on_error) {
        // A row of a join comes of two records; which of them is to be mended nobody has said.
        return Err(Error::unsupported("ON_ERROR other than 'skip' for a join", joined.span));
    }
    let Assembled { source, join, steps } = assemble(context, bound, items)?;
    let sink_name = sink.relation.clone();
    let output = sink.schema.clone();
    let kind = QueryKind::Persistent(sink);
    let plan = QueryPlan {
        query_id: query_id.clone(),
        kind,
        source,
        join,
        steps,
        // The rows of a join have a key whether or not the records they came of had one.
        rekeyed: match &bound.partition {
            Some(keys) => Some(keys.iter().map(|key| key.of_value).collect()),
            None => bound.join.as_ref().map(|_| vec![true]),
        },
        output,
        on_error,
    };
    let target = if relation.is_none() { context.catalog.find_relation(&sink_name) } else { None };
    let relations = || bound.scope.sources.iter().map(|source| &source.relation);
    let settled = target.into_iter().chain(relations().filter(|_| bound.has_wildcard));
    let names = |relation: &Relation| relation.schema.columns.iter().map(|column| column.name.clone()).collect();
    let columns = settled.map(|relation| (relation.name.clone(), names(relation))).collect();
    let query = CatalogQuery {
        id: query_id,
        columns,
        sources: relations().map(|relation| relation.name.clone()).collect(),
        functions: functions_of(bound, items)?,
        sink: sink_name,
        statement: context.statement.to_string(),
        fingerprint: plan.fingerprint(),
        joins: plan.join.as_ref().map(|join| join.identity(&plan.source)),
    };
    Ok(PersistentPlan { plan, sink: relation, query })
}

/// The functions that a query calls, before constants are folded: the statement needs them to be planned again.
fn functions_of(bound: &BoundQuery, items: &[Item]) -> Result<Vec<String>> {
    let mut names = BTreeSet::new();
    let compared = bound.join.iter().flat_map(|joined| &joined.steps).flat_map(|step| &step.sides);
    let exprs = items.iter().map(|item| &item.expr).chain(bound.filter.iter().map(|(filter, _)| filter));
    for expr in exprs.chain(compared.map(|compared| &compared.expr)) {
        expr.apply(|part| {
            if let Expr::ScalarFunction(call) = part {
                names.insert(call.func.name().to_uppercase());
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    Ok(names.into_iter().collect())
}
