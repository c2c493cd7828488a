//! Statements that only change what names stand for: types, drops, added columns.

use crate::catalog::{Catalog, Relation, RelationKind};
use crate::error::{Code, Error, Result};
use crate::sql::ast::{ColumnDef, Ident, SourceKind, Statement, StatementKind};
use crate::sql::bind::columns;
use crate::types::{ColumnKind, quote_identifier};

/// Carries a statement out on a catalog.
///
/// # Errors
/// What the statement asks for cannot be, or it is no statement of this kind.
pub fn change_catalog(catalog: &mut Catalog, statement: &Statement, shown: &str) -> Result<()> {
    match &statement.kind {
        StatementKind::CreateType { if_not_exists, name, ty } => {
            let ty = columns::resolve_type(catalog, ty)?;
            catalog.add_type(&name.name, ty, *if_not_exists, name.span).map(drop)
        }
        StatementKind::DropType { if_exists, name } => {
            let exists = catalog.types().any(|(other, _)| other == name.name);
            if *if_exists && !exists { Ok(()) } else { catalog.drop_type(&name.name, name.span) }
        }
        StatementKind::DropSource { kind, if_exists, name, .. } => drop_source(catalog, *kind, *if_exists, name),
        StatementKind::AlterSource { kind, name, columns } => {
            let altered = alter_source(catalog, *kind, name, columns, shown)?;
            catalog.add_relation(altered, true, name.span)
        }
        _ => Err(Error::refused(Code::Misplaced, "this statement cannot stand here").at(statement.span)),
    }
}

/// Drops a stream or table; the query that made it ends with it when nobody else reads or writes it.
fn drop_source(catalog: &mut Catalog, kind: SourceKind, if_exists: bool, name: &Ident) -> Result<()> {
    if if_exists && catalog.find_relation(&name.name).is_none() {
        return Ok(());
    }
    let relation = of_kind(catalog, kind, name)?;
    let made_by = relation.sink_of.clone().filter(|id| catalog.writers_of(&name.name) == [id.as_str()]);
    if let Some(id) = made_by
        && catalog.readers_of(&name.name).is_empty()
    {
        catalog.drop_query(&id, name.span)?;
    }
    catalog.drop_relation(&name.name, name.span).map(drop)
}

/// The stream or table of a name, which must be of the kind that the statement says.
fn of_kind(catalog: &Catalog, kind: SourceKind, name: &Ident) -> Result<Relation> {
    let relation = catalog.relation(&name.name, name.span)?;
    let wanted = match kind {
        SourceKind::Stream => RelationKind::Stream,
        SourceKind::Table => RelationKind::Table,
    };
    if relation.kind != wanted {
        let (is, asked) = (relation.kind.as_str(), wanted.as_str());
        return Err(Error::refused(
            Code::WrongKind,
            format!("{} is a {is}, not a {asked}", quote_identifier(&name.name)),
        )
        .at(name.span));
    }
    Ok(Relation::clone(relation))
}

/// A stream or table with more columns.
pub fn alter_source(
    catalog: &Catalog,
    kind: SourceKind,
    name: &Ident,
    added: &[ColumnDef],
    shown: &str,
) -> Result<Relation> {
    let mut relation = of_kind(catalog, kind, name)?;
    let cannot = |why: &str| {
        Error::refused(Code::NotReplaceable, format!("{} cannot be altered", quote_identifier(&name.name)))
            .detail(why.to_string())
            .at(name.span)
    };
    if relation.read_only {
        return Err(cannot("it was created as a SOURCE"));
    }
    if relation.sink_of.is_some() {
        return Err(cannot("a query made it").hint("Write CREATE OR REPLACE with another SELECT."));
    }
    // The rules for declared columns hold; a stream's, because what is added is no key.
    let columns = columns::schema(catalog, SourceKind::Stream, added)?;
    for (column, written) in columns.columns.into_iter().zip(added) {
        if column.kind == ColumnKind::Key {
            return Err(Error::refused(Code::InvalidKey, "a key column cannot be added").at(written.span));
        }
        if relation.schema.index_of(&column.name).is_some() {
            let text =
                format!("{} has a column {} already", quote_identifier(&name.name), quote_identifier(&column.name));
            return Err(Error::refused(Code::DuplicateName, text).at(written.name.span));
        }
        relation.schema.columns.push(column);
    }
    // What made it is both statements, in this order.
    relation.statement = format!("{};\n{shown}", relation.statement.trim_end().trim_end_matches(';'));
    Ok(relation)
}
