//! The `SELECT` that all queries share: what it reads, keeps and computes.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::logical_expr::Expr as LogicalExpr;

use super::Context;
use super::join::Joined;
use super::stateful::{self, Sink};
use crate::catalog::{Relation, RelationKind};
use crate::error::{Code, Error, Result, Span};
use crate::plan::{JOIN_KEY, PSEUDO_COLUMNS, WINDOW_COLUMNS};
use crate::sql::ast::{self, Expr, ExprKind, Query, SelectItem};
use crate::sql::bind::{Binder, BoundTable, Scope, columns, compile};
use crate::types::{ColumnKind, SqlType, quote_identifier};

/// One column of a query's result.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub name: String,
    pub expr: LogicalExpr,
    pub ty: SqlType,
    /// Canonical text.
    pub sql: String,
    /// The field this is when it is nothing but a column; a copy of one, `AS_VALUE`, is another column.
    pub field: Option<String>,
    /// The key column of the source this is, untouched.
    pub key_of: Option<String>,
    /// Named after a field of a struct: gives way to a column of the same name.
    pub after_field: bool,
    /// Not written: a key of `PARTITION BY` that `*` stands for.
    pub implicit: bool,
    pub span: Span,
}

/// A query whose names and types are known.
pub(super) struct BoundQuery {
    pub relation: Arc<Relation>,
    pub scope: Scope,
    pub filter: Option<(LogicalExpr, String)>,
    pub items: Vec<Item>,
    /// Whether it takes whatever columns the source has.
    pub has_wildcard: bool,
    /// The expressions of `PARTITION BY`, without any for `PARTITION BY NULL`.
    pub partition: Option<Vec<PartitionKey>>,
    /// The calls of table functions in the items.
    pub tables: Vec<BoundTable>,
    /// The join whose rows it reads; `None` when it reads those of `relation`.
    pub join: Option<Joined>,
}

impl BoundQuery {
    /// The fields that its expressions may name.
    pub fn full_schema(&self) -> Result<DFSchemaRef> {
        let scope = self.scope.df_schema()?;
        let Some(joined) = self.join.as_ref().filter(|joined| !joined.keys.is_empty()) else { return Ok(scope) };
        // The key of a join can be named by no text, but it may stand for a column of one side.
        let key = Field::new(JOIN_KEY, joined.key_type().to_arrow(), true);
        let fields = scope.as_arrow().fields().iter().cloned().chain([Arc::new(key)]);
        Ok(Arc::new(DFSchema::try_from(Schema::new(fields.collect::<Vec<_>>()))?))
    }
}

/// An expression of `PARTITION BY`.
#[derive(Debug, Clone)]
pub(super) struct PartitionKey {
    /// Its canonical text.
    pub sql: String,
    /// The field it is when it is nothing but a column: in a join, which may be named in several ways.
    pub field: Option<String>,
    /// Whether it reads a column that is not in the key.
    pub of_value: bool,
    pub span: Span,
}

/// Binds a query. `sink`: what it makes if it is persistent; then its columns get names that a topic can keep.
pub(super) fn bind(context: &Context, query: &Query, sink: Option<Sink>) -> Result<BoundQuery> {
    let persistent = sink.is_some();
    let join = stateful::check(context, query, sink)?;
    let scope = match (&join, &query.from) {
        (Some(joined), _) => joined.scope.clone(),
        (None, ast::Relation::Source { name, alias, .. }) => {
            let relation = context.catalog.relation(&name.name, name.span)?.clone();
            if relation.kind == RelationKind::Table {
                refuse_over_table(query, &relation, name.span, persistent)?;
            }
            Scope::single(relation, alias.as_ref())
        }
        (None, ast::Relation::Join(join)) => return Err(Error::unsupported("JOIN", join.span)),
    };
    let relation = match scope.sources.first() {
        Some(first) => Arc::clone(&first.relation),
        None => return Err(Error::internal("a query without a source")),
    };
    let binder = Binder::new(context.catalog, context.functions, &scope);
    let filter = match &query.filter {
        Some(filter) => Some((binder.bind_condition(filter, "WHERE")?, binder.text(filter))),
        None => None,
    };
    let partition = query.partition_by.as_ref().map(|keys| partition_keys(&binder, query, &keys.exprs)).transpose()?;
    let selecting = Binder::new(context.catalog, context.functions, &scope).with_tables();
    let mut items = Vec::with_capacity(query.items.len());
    for item in &query.items {
        match item {
            SelectItem::Wildcard { source, span } => {
                if let Some(keys) = &partition {
                    // The new keys come first, also those that are no columns, and the old ones last.
                    let prefixed = |item: &Item| match (&join, &item.expr) {
                        (Some(_), LogicalExpr::Column(column)) => named_by_source(&scope, column).unwrap_or_default(),
                        _ => item.name.clone(),
                    };
                    items.extend(keys.iter().map(|(_, item)| Item {
                        span: *span,
                        name: prefixed(item),
                        ..item.clone()
                    }));
                }
                if let (Some(joined), None, None) = (&join, source, &partition)
                    && joined.keys.is_empty()
                {
                    items.push(joined.key_item(*span));
                }
                wildcard(&scope, source.as_ref(), *span, persistent, partition.is_some(), &mut items)?;
            }
            SelectItem::StructAll { base, span } => struct_all(&selecting, base, *span, &mut items)?,
            SelectItem::Expr { expr, alias } => items.push(one(&selecting, expr, alias.as_ref())?),
        }
    }
    let tables = selecting.into_tables();
    if let Some(first) = tables.first()
        && relation.kind == RelationKind::Table
    {
        return Err(Error::refused(
            Code::Misplaced,
            format!("{} works on the rows of a stream", first.function.name()),
        )
        .detail(format!("{} is a table", quote_identifier(&relation.name)))
        .at(query.projection_span()));
    }
    number_fields(&mut items);
    name_the_unnamed(&scope, &mut items);
    check_names(&items, persistent)?;
    if let (Some(joined), None) = (&join, &partition) {
        joined.mark_key(&mut items, persistent)?;
    }
    let partition = partition.map(|keys| keys.into_iter().map(|(key, _)| key).collect());
    let has_wildcard = query.items.iter().any(|item| matches!(item, SelectItem::Wildcard { .. }));
    Ok(BoundQuery { relation, scope, filter, items, has_wildcard, partition, tables, join })
}

/// What a query over a table cannot have, or not yet.
fn refuse_over_table(query: &Query, relation: &Relation, span: Span, persistent: bool) -> Result<()> {
    if let Some(partition_by) = &query.partition_by {
        return Err(Error::refused(Code::Misplaced, "PARTITION BY gives a stream other keys, a table keeps its own")
            .detail(format!("{} is a table", quote_identifier(&relation.name)))
            .hint("GROUP BY makes a table with another key.")
            .at(partition_by.span));
    }
    if let Some(filter) = &query.filter {
        // A row that does not fit any more takes the earlier one away, so it must be known whether that one did.
        return Err(Error::unsupported("WHERE over a table", filter.span));
    }
    if !persistent && query.emit.is_none() {
        return Err(Error::unsupported("a query over the rows that a table has now", span)
            .hint("SELECT ... EMIT CHANGES gives every change of them."));
    }
    Ok(())
}

/// The keys of `PARTITION BY`, each with the column that `*` stands for; none for `PARTITION BY NULL`.
fn partition_keys(binder: &Binder, query: &Query, exprs: &[Expr]) -> Result<Vec<(PartitionKey, Item)>> {
    if let [Expr { kind: ExprKind::Null, .. }] = exprs {
        return Ok(Vec::new());
    }
    let mut keys: Vec<(PartitionKey, Item)> = Vec::with_capacity(exprs.len());
    for expr in exprs {
        let (bound, ty) = binder.bind_typed(expr).map_err(|error| {
            // A name that only the result has.
            let is_alias = |item: &SelectItem| match (item, &expr.kind) {
                (SelectItem::Expr { alias: Some(alias), .. }, ExprKind::Column { source: None, name }) => {
                    alias.name == name.name
                }
                _ => false,
            };
            match query.items.iter().any(is_alias) {
                true => error.hint("PARTITION BY reads the columns of the source, not the aliases of the projection."),
                false => error,
            }
        })?;
        let sql = binder.text(expr);
        if keys.iter().any(|(key, _)| key.sql == sql) {
            return Err(Error::refused(Code::DuplicateName, format!("PARTITION BY names {sql} twice")).at(expr.span));
        }
        if columns::holds_map(&ty) {
            return Err(Error::refused(Code::InvalidKey, format!("a key cannot hold a MAP, found {ty}"))
                .detail("equal maps may be written differently, so they would not meet")
                .at(expr.span));
        }
        let name = match &expr.kind {
            ExprKind::Column { name, .. } => name.name.clone(),
            ExprKind::Field { field, .. } => field.name.clone(),
            _ => String::new(),
        };
        let is_key = |field: &String| {
            let columns = binder.scope.sources.iter().flat_map(|source| &source.relation.schema.columns);
            columns.into_iter().any(|column| column.name == *field && column.kind == ColumnKind::Key)
        };
        let of_value = compile::fields_of(&bound).iter().any(|field| !is_key(field));
        let field = field_of(expr, &bound);
        let key = PartitionKey { sql: sql.clone(), field: field.clone(), of_value, span: expr.span };
        let (key_of, span) = (None, expr.span);
        keys.push((key, Item { name, expr: bound, ty, sql, field, key_of, after_field: false, implicit: true, span }));
    }
    Ok(keys)
}

fn one(binder: &Binder, expr: &Expr, alias: Option<&ast::Ident>) -> Result<Item> {
    let (bound, ty) = binder.bind_typed(expr)?;
    let column = match &expr.kind {
        ExprKind::Column { name, .. } => Some(&name.name),
        _ => None,
    };
    check_reserved(expr, alias, false)?;
    let name = match (alias, &expr.kind) {
        (Some(alias), _) => alias.name.clone(),
        (None, ExprKind::Column { name, .. }) => match &bound {
            LogicalExpr::Column(column) if binder.scope.is_shared(&name.name) => {
                named_by_source(binder.scope, column).unwrap_or_else(|| name.name.clone())
            }
            _ => name.name.clone(),
        },
        (None, ExprKind::Field { field, .. }) => field.name.clone(),
        // Named later, when the other names are known.
        _ => String::new(),
    };
    let only = match &binder.scope.sources[..] {
        [only] => Some(&only.relation.schema),
        // Which column is the key of a join is for the join to say.
        _ => None,
    };
    let is_key = |name: &&String| only.is_some_and(|schema| schema.key_columns().any(|key| key.name == **name));
    Ok(Item {
        name,
        field: field_of(expr, &bound),
        expr: bound,
        ty,
        sql: binder.text(expr),
        key_of: column.filter(is_key).cloned(),
        after_field: alias.is_none() && matches!(expr.kind, ExprKind::Field { .. }),
        implicit: false,
        span: alias.map_or(expr.span, |alias| expr.span.to(alias.span)),
    })
}

/// The field of an expression that is nothing but a column.
fn field_of(expr: &Expr, bound: &LogicalExpr) -> Option<String> {
    match (&expr.kind, bound) {
        (ExprKind::Column { .. }, LogicalExpr::Column(column)) => Some(column.name.clone()),
        _ => None,
    }
}

/// The name of a column of a join where it could be taken for another's: that of its source before its own.
fn named_by_source(scope: &Scope, column: &datafusion::common::Column) -> Option<String> {
    scope.sources.iter().find_map(|source| {
        let found = source.columns.iter().find(|found| found.field == column.name)?;
        let name =
            if found.field == JOIN_KEY { found.name.clone() } else { format!("{}_{}", source.alias, found.name) };
        Some(name)
    })
}

/// The columns of the sources, those of their keys first, or last when the result has others.
fn wildcard(
    scope: &Scope,
    source: Option<&ast::Ident>,
    span: Span,
    persistent: bool,
    keys_last: bool,
    items: &mut Vec<Item>,
) -> Result<()> {
    let joined = scope.sources.len() > 1;
    let sources = match source {
        Some(source) => std::slice::from_ref(scope.source(source)?),
        None => &scope.sources[..],
    };
    for source in sources {
        let before = items.len();
        let declared = &source.relation.schema.columns;
        let is_key = |at: usize| declared.get(at).is_some_and(|column| column.kind == ColumnKind::Key);
        // What has windows in its keys shows them where rows go to whoever asked; in a topic they stay in the key.
        let is_window =
            |at: usize| at >= declared.len() && WINDOW_COLUMNS.iter().any(|(n, _)| *n == source.columns[at].name);
        // As in ksqlDB, the rows of a join that get other keys show where they came from.
        let shows_place = joined && keys_last;
        let is_place =
            |at: usize| at >= declared.len() && PSEUDO_COLUMNS.iter().any(|(n, _)| *n == source.columns[at].name);
        let places = 0..source.columns.len();
        let keys = places.clone().filter(|at| is_key(*at));
        let windows = places.clone().filter(|at| !persistent && is_window(*at));
        let values = (0..declared.len()).filter(|at| !is_key(*at));
        let place = places.filter(|at| shows_place && is_place(*at));
        for at in keys.chain(windows).chain(values).chain(place) {
            let column = &source.columns[at];
            let field = datafusion::common::Column::new_unqualified(&column.field);
            let (alias, name) = (quote_identifier(&source.alias), quote_identifier(&column.name));
            items.push(Item {
                name: if joined { format!("{}_{}", source.alias, column.name) } else { column.name.clone() },
                expr: LogicalExpr::Column(field),
                ty: column.ty.clone(),
                sql: if joined { format!("{alias}.{name}") } else { name },
                field: Some(column.field.clone()),
                key_of: is_key(at).then(|| column.name.clone()),
                after_field: false,
                implicit: false,
                span,
            });
        }
        if keys_last {
            let columns = items.split_off(before);
            let is_there =
                |item: &Item, items: &[Item]| items.iter().any(|other| other.implicit && other.field == item.field);
            let (keys, values): (Vec<Item>, Vec<Item>) = columns.into_iter().partition(|item| item.key_of.is_some());
            for item in values.into_iter().chain(keys) {
                if !is_there(&item, items) {
                    items.push(item);
                }
            }
        }
        if joined {
            items[before..].iter_mut().for_each(|item| item.key_of = None);
        }
    }
    Ok(())
}

fn struct_all(binder: &Binder, base: &Expr, span: Span, items: &mut Vec<Item>) -> Result<()> {
    let (value, ty) = binder.bind_typed(base)?;
    let SqlType::Struct(fields) = ty else {
        return Err(Error::refused(Code::TypeMismatch, format!("`->*` needs a STRUCT, found {ty}")).at(base.span));
    };
    let text = binder.text(base);
    for (position, (name, ty)) in fields.into_iter().enumerate() {
        items.push(Item {
            sql: format!("{text}->{}", quote_identifier(&name)),
            field: None,
            name,
            expr: crate::sql::kernels::access::field(value.clone(), position),
            ty,
            key_of: None,
            after_field: true,
            implicit: false,
            span,
        });
    }
    Ok(())
}

/// Numbers the columns named after a field whose name another column has: `B`, `B_1`, `B_2`.
fn number_fields(items: &mut [Item]) {
    for i in 0..items.len() {
        let is_taken = |name: &str, items: &[Item]| {
            items.iter().enumerate().any(|(j, other)| other.name == name && (j < i || (j > i && !other.after_field)))
        };
        if items[i].after_field && is_taken(&items[i].name, items) {
            let name = items[i].name.clone();
            let free = (1..).map(|n| format!("{name}_{n}")).find(|name| !is_taken(name, items));
            items[i].name = free.unwrap_or(name);
        }
    }
}

/// Gives the columns without a name one: `KSQL_COL_0`, `KSQL_COL_1`, ..., without those the source has already.
fn name_the_unnamed(scope: &Scope, items: &mut [Item]) {
    let mut next = 0;
    let taken: Vec<String> = items.iter().map(|item| item.name.clone()).filter(|name| !name.is_empty()).collect();
    for item in items.iter_mut().filter(|item| item.name.is_empty()) {
        item.name = loop {
            let name = format!("KSQL_COL_{next}");
            next += 1;
            let of_source = scope.sources.iter().any(|source| source.relation.schema.index_of(&name).is_some());
            if !of_source && !taken.contains(&name) {
                break name;
            }
        };
    }
}

/// Refuses an alias that is reserved, and with `unnamed` also a column of a reserved name that is selected without an alias.
pub(super) fn check_reserved(expr: &Expr, alias: Option<&ast::Ident>, unnamed: bool) -> Result<()> {
    let name = match (alias, &expr.kind) {
        (Some(alias), _) => alias,
        (None, ExprKind::Column { name, .. }) if unnamed => name,
        _ => return Ok(()),
    };
    if !columns::RESERVED.contains(&name.name.as_str()) {
        return Ok(());
    }
    let text = format!("{} is a reserved name, a column cannot have it", name.name);
    let error = Error::refused(Code::ReservedName, text).at(name.span);
    Err(if alias.is_none() { error.hint(format!("Give it another: {} AS ...", name.name)) } else { error })
}

fn check_names(items: &[Item], persistent: bool) -> Result<()> {
    for (i, item) in items.iter().enumerate() {
        let name = quote_identifier(&item.name);
        if persistent && !item.implicit && columns::RESERVED.contains(&item.name.as_str()) {
            return Err(Error::refused(
                Code::ReservedName,
                format!("{name} is a reserved name, a column cannot have it"),
            )
            .hint(format!("Give it another: {name} AS ..."))
            .at(item.span));
        }
        if items[..i].iter().any(|earlier| earlier.name == item.name) {
            return Err(Error::refused(Code::DuplicateName, format!("two columns are named {name}"))
                .hint("Give one of them an alias.")
                .at(item.span));
        }
    }
    Ok(())
}
