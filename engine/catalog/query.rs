//! One persistent query, one connector.

use std::collections::BTreeMap;

/// A persistent query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogQuery {
    /// Its id.
    pub id: String,
    /// The streams and tables it reads.
    pub sources: Vec<String>,
    /// The functions its statement calls, in upper case.
    pub functions: Vec<String>,
    /// The stream or table it writes.
    pub sink: String,
    /// The statement that made it, as typed, secrets masked.
    pub statement: String,
    /// The columns that streams and tables had when it was planned, of those that its meaning hangs on: the sources of
    /// `*`, and what `INSERT INTO` writes. They may get more later.
    pub columns: BTreeMap<String, Vec<String>>,
    /// What it does, as text: equal texts mean an unchanged query.
    pub fingerprint: String,
    /// What it joins, as text: what it keeps is of use for another query only when their texts are equal. `None`: it keeps
    /// nothing.
    pub joins: Option<String>,
}

/// A connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connector {
    /// Its name.
    pub name: String,
    /// Whether it brings data in (else it takes data out).
    pub source: bool,
    /// Its properties, as typed, secrets resolved.
    pub properties: Vec<(String, String)>,
    /// The statement that made it, as typed, secrets masked.
    pub statement: String,
}
