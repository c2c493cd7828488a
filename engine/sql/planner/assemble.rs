//! A bound query becomes steps, and the columns it reads are found.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema as ArrowSchema};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::Expr;

use super::Context;
use super::query::{BoundQuery, Item};
use crate::catalog::{Relation, RelationKind};
use crate::error::Result;
use crate::plan::{JoinPlan, SourceScan, Step, TableCall};
use crate::sql::bind::scope::ScopeColumn;
use crate::sql::bind::{BoundTable, compile};
use crate::types::SqlType;

/// What a query whose result has these items, in this order, reads and does.
pub(super) struct Assembled {
    pub source: SourceScan,
    pub join: Option<JoinPlan>,
    pub steps: Vec<Step>,
}

/// The scans and the steps of a query whose result has these items, in this order.
pub(super) fn assemble(context: &Context, query: &BoundQuery, items: &[Item]) -> Result<Assembled> {
    let tables = &query.tables;
    let full = with_tables(query.full_schema()?.as_arrow(), tables)?;
    let filter = query
        .filter
        .as_ref()
        .map(|(filter, sql)| (compile::simplify(compile::without_is_true(filter.clone()), &full), sql))
        .filter(|(filter, _)| !matches!(filter, Expr::Literal(ScalarValue::Boolean(Some(true)), _)));
    let exprs: Vec<Expr> = items.iter().map(|item| compile::simplify(item.expr.clone(), &full)).collect();

    let arguments: Vec<Expr> = tables.iter().map(|table| compile::simplify(table.argument.clone(), &full)).collect();
    let mut later: HashSet<String> = exprs.iter().chain(&arguments).flat_map(compile::fields_of).collect();
    later.retain(|field| tables.iter().all(|table| table.field != *field));
    let mut read = later.clone();
    read.extend(filter.iter().flat_map(|(filter, _)| compile::fields_of(filter)));
    let (source, join) = match &query.join {
        Some(joined) => {
            let (left, join) = joined.plan(context, &read)?;
            (left, Some(join))
        }
        None => {
            let columns = query.scope.sources.first().map_or(&[][..], |source| &source.columns);
            (scan(&query.relation, &read_of(columns, &read)), None)
        }
    };
    let mut schema = join.as_ref().map_or_else(|| source.read_schema(), |join| join.schema(&source));
    let mut steps = Vec::with_capacity(2);
    if let Some((filter, sql)) = filter {
        let keep: Vec<usize> = (0..schema.fields().len()).filter(|i| later.contains(schema.field(*i).name())).collect();
        let predicate = compile::physical(&filter, &df_schema(&schema)?, &SqlType::Boolean, sql.clone())?;
        schema = Arc::new(schema.project(&keep)?);
        steps.push(Step::Filter { predicate, keep });
    }
    if !tables.is_empty() {
        let df = df_schema(&schema)?;
        let calls = tables.iter().zip(&arguments).map(|(table, argument)| {
            Ok(TableCall {
                function: table.function,
                argument: compile::physical(argument, &df, &table.argument_type, table.sql.clone())?,
                name: table.field.clone(),
            })
        });
        let calls = calls.collect::<Result<_>>()?;
        let read: HashSet<String> = exprs.iter().flat_map(compile::fields_of).collect();
        let keep: Vec<usize> = (0..schema.fields().len()).filter(|i| read.contains(schema.field(*i).name())).collect();
        schema = Arc::new(schema.project(&keep)?);
        steps.push(Step::Explode { calls, keep });
    }
    let df = with_tables(&schema, tables)?;
    let columns = items
        .iter()
        .zip(&exprs)
        .map(|(item, expr)| Ok((item.name.clone(), compile::physical(expr, &df, &item.ty, item.sql.clone())?)));
    steps.push(Step::Project(columns.collect::<Result<_>>()?));
    Ok(Assembled { source, join, steps })
}

/// The names of a source's columns whose fields are read.
pub(super) fn read_of<'a>(columns: &'a [ScopeColumn], fields: &HashSet<String>) -> HashSet<&'a str> {
    columns.iter().filter(|column| fields.contains(&column.field)).map(|column| column.name.as_str()).collect()
}

/// The scan of a stream or table of which these columns are read.
pub(super) fn scan(relation: &Relation, read: &HashSet<&str>) -> SourceScan {
    let mut scan = SourceScan {
        relation: relation.name.clone(),
        topic: relation.topic.name.clone(),
        key_format: relation.key_format.clone(),
        value_format: relation.value_format.clone(),
        schema: relation.schema.clone(),
        projection: Vec::new(),
        timestamp: relation.timestamp.clone(),
        window: relation.window,
        is_table: relation.kind == RelationKind::Table,
    };
    scan.projection = scan.all_columns().map(|(name, _)| read.contains(name)).collect();
    scan
}

/// The columns of a schema, then those of table functions.
fn with_tables(schema: &ArrowSchema, tables: &[BoundTable]) -> Result<Arc<DFSchema>> {
    let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
    fields.extend(tables.iter().map(|table| Arc::new(Field::new(&table.field, table.ty.to_arrow(), true))));
    Ok(Arc::new(DFSchema::try_from(ArrowSchema::new(fields))?))
}

/// The schema of a batch whose fields are called otherwise where expressions are bound.
pub(super) fn named(schema: &ArrowSchema, names: &[String]) -> Result<DFSchema> {
    let fields = schema.fields().iter().zip(names);
    let fields: Vec<Field> = fields.map(|(field, name)| field.as_ref().clone().with_name(name)).collect();
    Ok(DFSchema::try_from(ArrowSchema::new(fields))?)
}

fn df_schema(schema: &Arc<ArrowSchema>) -> Result<DFSchema> {
    Ok(DFSchema::try_from(ArrowSchema::clone(schema))?)
}
