//! What a statement that failed would have left, as far as the statement itself says it.

use crate::catalog::Relation;
use crate::error::Span;
use crate::session::statement::Planner;
use crate::sql::ast::{CreateSource, Expr, ExprKind, Property, Statement, StatementKind, StringLit};
use crate::sql::bind::columns;
use crate::sql::planner::{self, Context, Defaults};
use crate::types::ColumnKind;

/// Puts what the statement would have made into the planner's catalog; gives its name. `None` when that is not known.
pub(super) fn put(planner: &mut Planner, statement: &Statement) -> Option<String> {
    let catalog = planner.catalog().clone();
    let nowhere = Span::default();
    match &statement.kind {
        StatementKind::CreateSource(create) => {
            let create = plain(create);
            let functions = std::sync::Arc::clone(&planner.functions);
            let context =
                Context { catalog: &catalog, functions: &functions, defaults: Defaults::default(), statement: "" };
            let relation = planner::create_source(&context, &create).ok()?;
            planner.change_catalog(|catalog| catalog.add_relation(relation, true, nowhere));
            Some(create.name.name)
        }
        StatementKind::CreateType { name, ty, .. } => {
            let ty = columns::resolve_type(&catalog, ty).ok()?;
            planner.change_catalog(|catalog| catalog.add_type(&name.name, ty, true, nowhere).map(drop));
            Some(name.name.clone())
        }
        StatementKind::AlterSource { kind, name, columns } => {
            let mut relation = Relation::clone(catalog.find_relation(&name.name)?);
            let added = columns::schema(&catalog, *kind, columns).map(|schema| schema.columns);
            let mut added = match added {
                Ok(added) => added,
                // Columns that are added have no key among them, which a table would want.
                Err(_) => columns::schema(&catalog, crate::sql::ast::SourceKind::Stream, columns).ok()?.columns,
            };
            added.iter_mut().for_each(|column| column.kind = ColumnKind::Value);
            added.retain(|column| relation.schema.index_of(&column.name).is_none());
            relation.schema.columns.extend(added);
            planner.change_catalog(|catalog| catalog.add_relation(relation, true, nowhere));
            Some(name.name.clone())
        }
        _ => None,
    }
}

/// The same columns over the same topic in a format that holds everything.
fn plain(create: &CreateSource) -> CreateSource {
    let mut create = create.clone();
    let span = create.name.span;
    let literal = |text: &str| StringLit { value: text.to_string(), span };
    let property = |name: &str, value: &str| Property {
        name: literal(name),
        value: Expr { kind: ExprKind::String(value.to_string()), span },
        span,
    };
    create.properties.retain(|property| property.name.value.eq_ignore_ascii_case("KAFKA_TOPIC"));
    if create.properties.is_empty() {
        create.properties.push(property("KAFKA_TOPIC", &create.name.name));
    }
    create.properties.push(property("FORMAT", "JSON"));
    (create.or_replace, create.source) = (false, false);
    create
}
