//! Declared columns and types.

use crate::catalog::Catalog;
use crate::error::{Code, Error, Result};
use crate::sql::ast::{ColumnConstraint, ColumnDef, SourceKind, TypeExpr, TypeExprKind};
use crate::types::{Column, ColumnKind, Schema, SqlType, quote_identifier};

/// Names no column may have, as every record has them anyway, or every row of a window.
pub const RESERVED: [&str; 5] = ["ROWTIME", "ROWPARTITION", "ROWOFFSET", "WINDOWSTART", "WINDOWEND"];

/// A type, its user types replaced by what they stand for.
pub fn resolve_type(catalog: &Catalog, ty: &TypeExpr) -> Result<SqlType> {
    Ok(match &ty.kind {
        TypeExprKind::Plain(ty) => ty.clone(),
        TypeExprKind::Array(element) => SqlType::Array(Box::new(resolve_type(catalog, element)?)),
        TypeExprKind::Map(key, value) => {
            SqlType::Map(Box::new(resolve_type(catalog, key)?), Box::new(resolve_type(catalog, value)?))
        }
        TypeExprKind::Struct(fields) => {
            let mut resolved: Vec<(String, SqlType)> = Vec::with_capacity(fields.len());
            for (name, ty) in fields {
                if resolved.iter().any(|(earlier, _)| *earlier == name.name) {
                    return Err(Error::refused(
                        Code::DuplicateName,
                        format!("field {} is declared twice", quote_identifier(&name.name)),
                    )
                    .at(name.span));
                }
                resolved.push((name.name.clone(), resolve_type(catalog, ty)?));
            }
            SqlType::Struct(resolved)
        }
        TypeExprKind::Named(name) => catalog.user_type(&name.name, name.span)?.clone(),
    })
}

/// The schema of declared columns.
pub fn schema(catalog: &Catalog, kind: SourceKind, columns: &[ColumnDef]) -> Result<Schema> {
    let mut schema = Schema::default();
    for column in columns {
        let name = &column.name.name;
        if RESERVED.contains(&name.as_str()) {
            return Err(Error::refused(
                Code::ReservedName,
                format!("{name} is a reserved name, a column cannot have it"),
            )
            .at(column.name.span));
        }
        if schema.index_of(name).is_some() {
            return Err(Error::refused(
                Code::DuplicateName,
                format!("column {} is declared twice", quote_identifier(name)),
            )
            .at(column.name.span));
        }
        let ty = resolve_type(catalog, &column.ty)?;
        let kind = match (&column.constraint, kind) {
            (None, _) => ColumnKind::Value,
            (Some(ColumnConstraint::Key), SourceKind::Stream)
            | (Some(ColumnConstraint::PrimaryKey), SourceKind::Table) => ColumnKind::Key,
            (Some(ColumnConstraint::Key), SourceKind::Table) => {
                return Err(Error::refused(
                    Code::InvalidKey,
                    format!("column {}: the key of a table is its PRIMARY KEY", quote_identifier(name)),
                )
                .hint("Write PRIMARY KEY instead of KEY.")
                .at(column.span));
            }
            (Some(ColumnConstraint::PrimaryKey), SourceKind::Stream) => {
                return Err(Error::refused(
                    Code::InvalidKey,
                    format!("column {}: a stream has no PRIMARY KEY", quote_identifier(name)),
                )
                .detail("keys of a stream are not unique")
                .hint("Write KEY instead of PRIMARY KEY.")
                .at(column.span));
            }
            (Some(ColumnConstraint::Headers), _) => ColumnKind::Headers,
            (Some(ColumnConstraint::Header(header)), _) => ColumnKind::Header(header.clone()),
        };
        check_header(&kind, &ty, column)?;
        if kind == ColumnKind::Key && holds_map(&ty) {
            return Err(Error::refused(
                Code::InvalidKey,
                format!("key column {} cannot hold a MAP", quote_identifier(name)),
            )
            .detail("equal maps may be written differently, so they would not meet")
            .at(column.span));
        }
        schema.columns.push(Column { name: name.clone(), ty, kind });
    }
    let whole_headers = schema.columns.iter().filter(|column| column.kind == ColumnKind::Headers).count();
    let one_header = schema.columns.iter().any(|column| matches!(column.kind, ColumnKind::Header(_)));
    if (whole_headers > 1 || (whole_headers == 1 && one_header))
        && let (Some(first), Some(last)) = (columns.first(), columns.last())
    {
        return Err(Error::refused(Code::InvalidSchema, "a column of all HEADERS stands alone")
            .detail("another column holds headers too")
            .at(first.span.to(last.span)));
    }
    if kind == SourceKind::Table
        && schema.key_columns().next().is_none()
        && let (Some(first), Some(last)) = (columns.first(), columns.last())
    {
        return Err(Error::refused(Code::InvalidSchema, "a table needs a PRIMARY KEY")
            .hint("Write PRIMARY KEY behind the type of a column.")
            .at(first.span.to(last.span)));
    }
    Ok(schema)
}

fn check_header(kind: &ColumnKind, ty: &SqlType, column: &ColumnDef) -> Result<()> {
    let expected = match kind {
        ColumnKind::Header(_) => SqlType::Bytes,
        ColumnKind::Headers => SqlType::Array(Box::new(SqlType::Struct(vec![
            ("KEY".to_string(), SqlType::String),
            ("VALUE".to_string(), SqlType::Bytes),
        ]))),
        _ => return Ok(()),
    };
    if *ty == expected {
        return Ok(());
    }
    Err(Error::refused(Code::InvalidSchema, format!("a column of headers has the type {expected}, found {ty}"))
        .at(column.ty.span))
}

/// Whether a type is a map or has one inside.
pub fn holds_map(ty: &SqlType) -> bool {
    match ty {
        SqlType::Map(..) => true,
        SqlType::Array(element) => holds_map(element),
        SqlType::Struct(fields) => fields.iter().any(|(_, ty)| holds_map(ty)),
        _ => false,
    }
}
