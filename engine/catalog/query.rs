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
    /// Of a query with `*`: the columns that each source had when it was planned, which are those it stands for, whatever
    /// is added to the source later.
    pub wildcards: BTreeMap<String, Vec<String>>,
    /// What it does, as text: equal texts mean an unchanged query.
    pub fingerprint: String,
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
