//! The columns a name can mean.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema as ArrowSchema};
use datafusion::common::{DFSchema, DFSchemaRef};

use crate::catalog::{Relation, nearest};
use crate::error::{Code, Error, Result};
use crate::plan::{PSEUDO_COLUMNS, WINDOW_COLUMNS, joined_field};
use crate::sql::ast::Ident;
use crate::types::{SqlType, quote_identifier};

/// One column that can be named.
#[derive(Debug, Clone)]
pub struct ScopeColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: SqlType,
    /// The name of its field in the batches expressions are evaluated on.
    pub field: String,
    /// Whether it is one of the columns every record has undeclared.
    pub pseudo: bool,
}

/// One source of a query.
#[derive(Debug, Clone)]
pub struct ScopeSource {
    /// The stream or table.
    pub relation: Arc<Relation>,
    /// What the statement calls it.
    pub alias: String,
    /// Its columns, then the pseudo columns.
    pub columns: Vec<ScopeColumn>,
}

/// The sources of a query, whose columns its expressions may name.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// The sources, in the order in which they are joined.
    pub sources: Vec<ScopeSource>,
}

impl Scope {
    /// The scope of a query without sources: only constants.
    pub fn empty() -> Self {
        Scope::default()
    }

    /// The scope of a query over one source.
    pub fn single(relation: Arc<Relation>, alias: Option<&Ident>) -> Self {
        let alias = alias.map_or(&relation.name, |alias| &alias.name).clone();
        let declared = relation.schema.columns.iter().map(|c| (c.name.as_str(), &c.ty, false));
        let windows = if relation.window.is_some() { &WINDOW_COLUMNS[..] } else { &[] };
        let pseudo = PSEUDO_COLUMNS.iter().chain(windows).map(|(name, ty)| (*name, ty, true));
        let columns = declared
            .chain(pseudo)
            .map(|(name, ty, pseudo)| ScopeColumn {
                name: name.to_string(),
                ty: ty.clone(),
                field: name.to_string(),
                pseudo,
            })
            .collect();
        Scope { sources: vec![ScopeSource { relation, alias, columns }] }
    }

    /// Adds a source that is joined. The fields of all sources have the number of theirs before their names then.
    pub fn join(&mut self, relation: Arc<Relation>, alias: Option<&Ident>) {
        self.sources.extend(Scope::single(relation, alias).sources);
        for (number, source) in self.sources.iter_mut().enumerate() {
            source.columns.iter_mut().for_each(|column| column.field = joined_field(number, &column.name));
        }
    }

    /// Whether a column of this name is in more than one source.
    pub fn is_shared(&self, name: &str) -> bool {
        let has = |source: &&ScopeSource| source.columns.iter().any(|column| column.name == name);
        self.sources.iter().filter(has).count() > 1
    }

    /// The column of a name, qualified or not. The error names the nearest column and what was searched.
    pub fn resolve(&self, source: Option<&Ident>, name: &Ident) -> Result<&ScopeColumn> {
        let sources = match source {
            Some(qualifier) => std::slice::from_ref(self.source(qualifier)?),
            None => &self.sources[..],
        };
        let mut found = sources.iter().flat_map(|s| s.columns.iter()).filter(|column| column.name == name.name);
        let Some(column) = found.next() else { return Err(unknown_column(sources, source, name)) };
        if found.next().is_some() {
            let owners: Vec<String> = sources
                .iter()
                .filter(|source| source.columns.iter().any(|column| column.name == name.name))
                .map(|source| quote_identifier(&source.alias))
                .collect();
            return Err(Error::refused(
                Code::AmbiguousColumn,
                format!("column {} is ambiguous", quote_identifier(&name.name)),
            )
            .detail(format!("it is in {}", owners.join(" and ")))
            .hint(format!("Write {}.{}.", owners[0], quote_identifier(&name.name)))
            .at(name.span));
        }
        Ok(column)
    }

    /// The source of an alias.
    pub fn source(&self, qualifier: &Ident) -> Result<&ScopeSource> {
        self.sources.iter().find(|source| source.alias == qualifier.name).ok_or_else(|| {
            let known = self.sources.iter().map(|source| source.alias.as_str());
            let error =
                Error::refused(Code::UnknownSource, format!("unknown source {}", quote_identifier(&qualifier.name)))
                    .at(qualifier.span);
            match nearest(&qualifier.name, known).or(match &self.sources[..] {
                [only] => Some(only.alias.as_str()),
                _ => None,
            }) {
                Some(near) => error.hint(format!("Did you mean {}?", quote_identifier(near))),
                None => error,
            }
        })
    }

    /// The columns as a DataFusion schema, all nullable.
    pub fn df_schema(&self) -> Result<DFSchemaRef> {
        let fields: Vec<Field> = self
            .sources
            .iter()
            .flat_map(|source| &source.columns)
            .map(|column| Field::new(&column.field, column.ty.to_arrow(), true))
            .collect();
        Ok(Arc::new(DFSchema::try_from(ArrowSchema::new(fields))?))
    }
}

fn unknown_column(sources: &[ScopeSource], qualifier: Option<&Ident>, name: &Ident) -> Error {
    let shown = match qualifier {
        Some(source) => format!("{}.{}", quote_identifier(&source.name), quote_identifier(&name.name)),
        None => quote_identifier(&name.name),
    };
    let error = Error::refused(Code::UnknownColumn, format!("unknown column {shown}")).at(name.span);
    let columns = || sources.iter().flat_map(|source| &source.columns);
    if let Some(near) = nearest(&name.name, columns().map(|column| column.name.as_str())) {
        return error.hint(format!("Did you mean {}?", quote_identifier(near)));
    }
    // Double quotes are identifiers here; the habit of other dialects is a text in double quotes.
    let declared: Vec<String> =
        columns().filter(|column| !column.pseudo).take(20).map(|column| quote_identifier(&column.name)).collect();
    match sources {
        [] => error.detail("no column can be named here"),
        [source] => {
            let kind = source.relation.kind.as_str();
            error.detail(format!("{kind} {} has {}", quote_identifier(&source.relation.name), declared.join(", ")))
        }
        _ => error.detail(format!("the sources have {}", declared.join(", "))),
    }
}
