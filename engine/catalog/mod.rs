//! Names and what they stand for: streams, tables, queries, types, connectors.
//!
//! A [`Catalog`] is a value: cloning it copies a few pointers. Readers hold a snapshot; a statement works on a
//! clone, and [`SharedCatalog::change`] puts the clone in place only after everything succeeded, so a failed
//! statement leaves no trace. Nothing in here talks to a broker.
//!
//! - [`relation`]: one stream or table
//! - [`query`]: one persistent query, one connector
//! - [`log`]: the statements topic, from which a session comes back
//! - [`nearest`](mod@nearest): the name that was probably meant

pub mod log;
pub mod nearest;
pub mod query;
pub mod relation;
#[cfg(test)]
mod tests;

pub use nearest::nearest;
pub use query::{CatalogQuery, Connector};
pub use relation::{Relation, RelationKind};

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::error::{Code, Error, Result, Span};
use crate::types::{SqlType, quote_identifier};

/// Everything that has a name. A clone is four pointers; a change copies the map it touches.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    relations: Arc<BTreeMap<Arc<str>, Arc<Relation>>>,
    queries: Arc<BTreeMap<String, Arc<CatalogQuery>>>,
    types: Arc<BTreeMap<String, SqlType>>,
    connectors: Arc<BTreeMap<String, Arc<Connector>>>,
}

impl Catalog {
    /// An empty catalog.
    pub fn new() -> Self {
        Catalog::default()
    }

    /// Streams and tables, by name.
    pub fn relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.relations.values()
    }

    /// Persistent queries, by id.
    pub fn queries(&self) -> impl Iterator<Item = &Arc<CatalogQuery>> {
        self.queries.values()
    }

    /// User types, by name.
    pub fn types(&self) -> impl Iterator<Item = (&str, &SqlType)> {
        self.types.iter().map(|(name, ty)| (name.as_str(), ty))
    }

    /// Connectors, by name.
    pub fn connectors(&self) -> impl Iterator<Item = &Arc<Connector>> {
        self.connectors.values()
    }

    /// The stream or table of this exact name, if there is one.
    pub fn find_relation(&self, name: &str) -> Option<&Arc<Relation>> {
        self.relations.get(name)
    }

    /// The stream or table of this exact name. The error names the nearest one.
    pub fn relation(&self, name: &str, span: Span) -> Result<&Arc<Relation>> {
        self.relations.get(name).ok_or_else(|| {
            self.unknown(Code::UnknownSource, "stream or table", name, self.relations.keys().map(|name| &**name), span)
        })
    }

    /// The persistent query of this id. Ids are matched in upper case too, as they are often typed without quotes.
    pub fn query(&self, id: &str, span: Span) -> Result<&Arc<CatalogQuery>> {
        let found = self.queries.get(id).or_else(|| {
            self.queries.iter().find(|(candidate, _)| candidate.eq_ignore_ascii_case(id)).map(|(_, query)| query)
        });
        found
            .ok_or_else(|| self.unknown(Code::UnknownQuery, "query", id, self.queries.keys().map(String::as_str), span))
    }

    /// The user type of this name.
    pub fn user_type(&self, name: &str, span: Span) -> Result<&SqlType> {
        self.types
            .get(name)
            .ok_or_else(|| self.unknown(Code::UnknownType, "type", name, self.types.keys().map(String::as_str), span))
    }

    /// The connector of this name, if there is one.
    pub fn find_connector(&self, name: &str) -> Option<&Arc<Connector>> {
        self.connectors.get(name)
    }

    /// The connector of this name. The error names the nearest one.
    pub fn connector(&self, name: &str, span: Span) -> Result<&Arc<Connector>> {
        self.connectors.get(name).ok_or_else(|| {
            self.unknown(Code::UnknownConnector, "connector", name, self.connectors.keys().map(String::as_str), span)
        })
    }

    /// Ids of the queries that read this stream or table.
    pub fn readers_of(&self, relation: &str) -> Vec<&str> {
        self.queries.values().filter(|query| query.sources.iter().any(|s| s == relation)).map(|q| &*q.id).collect()
    }

    /// Ids of the queries that call this function.
    pub fn callers_of(&self, function: &str) -> Vec<&str> {
        self.queries.values().filter(|query| query.functions.iter().any(|f| f == function)).map(|q| &*q.id).collect()
    }

    /// Ids of the queries that write this stream or table.
    pub fn writers_of(&self, relation: &str) -> Vec<&str> {
        self.queries.values().filter(|query| query.sink == relation).map(|query| &*query.id).collect()
    }

    /// The queries through which what a query writes comes back to it, itself first; none when it does not.
    pub fn circle_of(&self, id: &str) -> Option<Vec<&str>> {
        let first = self.queries.get(id)?;
        let topic = |relation: &str| self.find_relation(relation).map(|relation| relation.topic.name.as_str());
        let reads = |query: &CatalogQuery, written: &str| query.sources.iter().any(|s| topic(s) == Some(written));
        let mut paths = vec![vec![&**first]];
        let mut seen = vec![first.id.as_str()];
        while let Some(path) = paths.pop() {
            let Some(written) = path.last().and_then(|last| topic(&last.sink)) else { continue };
            if reads(first, written) {
                return Some(path.iter().map(|query| query.id.as_str()).collect());
            }
            for next in self.queries.values().filter(|query| reads(query, written)) {
                if !seen.contains(&next.id.as_str()) {
                    seen.push(&next.id);
                    paths.push(path.iter().copied().chain([&**next]).collect());
                }
            }
        }
        None
    }

    /// What there was by name when streams and tables had these columns and no others yet.
    pub fn with_columns(&self, columns: &BTreeMap<String, Vec<String>>) -> Catalog {
        let mut then = self.clone();
        for (name, columns) in columns {
            if let Some(relation) = Arc::make_mut(&mut then.relations).get_mut(name.as_str()) {
                Arc::make_mut(relation).schema.columns.retain(|column| columns.contains(&column.name));
            }
        }
        then
    }

    /// Adds a stream or table, or replaces it when `replace`.
    pub fn add_relation(&mut self, relation: Relation, replace: bool, span: Span) -> Result<()> {
        if !replace && let Some(existing) = self.relations.get(relation.name.as_str()) {
            return Err(exists(existing.kind.as_str(), &relation.name, span)
                .hint("Write CREATE OR REPLACE to change it, or IF NOT EXISTS to keep it."));
        }
        Arc::make_mut(&mut self.relations).insert(relation.name.as_str().into(), Arc::new(relation));
        Ok(())
    }

    /// Removes a stream or table; refused while a query reads or writes it.
    pub fn drop_relation(&mut self, name: &str, span: Span) -> Result<Arc<Relation>> {
        let relation = self.relation(name, span)?.clone();
        let (readers, writers) = (self.readers_of(name), self.writers_of(name));
        if !readers.is_empty() || !writers.is_empty() {
            let mut in_use = Vec::new();
            if !readers.is_empty() {
                in_use.push(format!("read by {}", readers.join(", ")));
            }
            if !writers.is_empty() {
                in_use.push(format!("written by {}", writers.join(", ")));
            }
            let first = readers.first().or(writers.first()).copied().unwrap_or_default();
            let what = relation.kind.as_str();
            return Err(Error::refused(
                Code::InUse,
                format!("cannot drop {what} {}, it is in use", quote_identifier(name)),
            )
            .detail(in_use.join("; "))
            .hint(format!("TERMINATE {first}; first."))
            .at(span));
        }
        Arc::make_mut(&mut self.relations).remove(name);
        Ok(relation)
    }

    /// Adds a persistent query, or replaces it when `replace`.
    pub fn add_query(&mut self, query: CatalogQuery, replace: bool, span: Span) -> Result<()> {
        if !replace && self.queries.contains_key(&query.id) {
            return Err(exists("query", &query.id, span));
        }
        Arc::make_mut(&mut self.queries).insert(query.id.clone(), Arc::new(query));
        Ok(())
    }

    /// Removes a persistent query.
    pub fn drop_query(&mut self, id: &str, span: Span) -> Result<Arc<CatalogQuery>> {
        let query = self.query(id, span)?.clone();
        Arc::make_mut(&mut self.queries).remove(&query.id);
        Ok(query)
    }

    /// Adds a user type; one that exists stays as it is when `if_not_exists`. Returns whether it was added.
    pub fn add_type(&mut self, name: &str, ty: SqlType, if_not_exists: bool, span: Span) -> Result<bool> {
        if self.types.contains_key(name) {
            return if if_not_exists { Ok(false) } else { Err(exists("type", name, span)) };
        }
        Arc::make_mut(&mut self.types).insert(name.to_string(), ty);
        Ok(true)
    }

    /// Removes a user type. Columns declared with it keep what it stood for.
    pub fn drop_type(&mut self, name: &str, span: Span) -> Result<()> {
        self.user_type(name, span)?;
        Arc::make_mut(&mut self.types).remove(name);
        Ok(())
    }

    /// Adds a connector, or replaces it when `replace`.
    pub fn add_connector(&mut self, connector: Connector, replace: bool, span: Span) -> Result<()> {
        if !replace && self.connectors.contains_key(&connector.name) {
            return Err(exists("connector", &connector.name, span)
                .hint("Write CREATE OR REPLACE to change it, or IF NOT EXISTS to keep it."));
        }
        Arc::make_mut(&mut self.connectors).insert(connector.name.clone(), Arc::new(connector));
        Ok(())
    }

    /// Removes a connector.
    pub fn drop_connector(&mut self, name: &str, span: Span) -> Result<Arc<Connector>> {
        let connector = self.connector(name, span)?.clone();
        Arc::make_mut(&mut self.connectors).remove(name);
        Ok(connector)
    }

    /// Puts a relation and a query back to what they were in an earlier catalog, for a statement that failed half-way.
    pub fn put_back(&mut self, before: &Catalog, relation: Option<&str>, query: Option<&str>) {
        if let Some(name) = relation {
            match before.relations.get(name) {
                Some(relation) => Arc::make_mut(&mut self.relations).insert(name.into(), Arc::clone(relation)),
                None => Arc::make_mut(&mut self.relations).remove(name),
            };
        }
        if let Some(id) = query {
            match before.queries.get(id) {
                Some(query) => Arc::make_mut(&mut self.queries).insert(id.to_string(), Arc::clone(query)),
                None => Arc::make_mut(&mut self.queries).remove(id),
            };
        }
    }

    fn unknown<'a>(
        &self,
        code: Code,
        what: &str,
        name: &str,
        known: impl Iterator<Item = &'a str>,
        span: Span,
    ) -> Error {
        let error = Error::refused(code, format!("unknown {what} {}", quote_identifier(name))).at(span);
        match nearest(name, known) {
            Some(near) => error.hint(format!("Did you mean {}?", quote_identifier(near))),
            None => error,
        }
    }
}

fn exists(what: &str, name: &str, span: Span) -> Error {
    Error::refused(Code::AlreadyExists, format!("{what} {} exists already", quote_identifier(name))).at(span)
}

/// The catalog of a session, shared by everybody who reads it.
#[derive(Debug, Default)]
pub struct SharedCatalog {
    current: RwLock<Arc<Catalog>>,
}

impl SharedCatalog {
    /// The catalog as it is now; later changes do not show in it.
    pub fn snapshot(&self) -> Arc<Catalog> {
        self.current.read().clone()
    }

    /// Runs `change` on a copy and puts the copy in place if it succeeds. Changes exclude each other.
    pub fn change<T>(&self, change: impl FnOnce(&mut Catalog) -> Result<T>) -> Result<T> {
        let mut current = self.current.write();
        let mut next = Catalog::clone(&current);
        let value = change(&mut next)?;
        *current = Arc::new(next);
        Ok(value)
    }
}
