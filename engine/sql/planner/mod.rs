//! A statement becomes a plan, or a change of the catalog. Nothing here runs or creates anything.
//!
//! Every function takes a [`Context`] and gives a value; the session decides what to do with it, and changes the catalog
//! only after everything it needs from outside (a topic, a started query) is there.
//!
//! - `source`: `CREATE STREAM | TABLE`
//! - `query`: the `SELECT` both kinds of queries share
//! - `stateful`: what is wrong with queries that do not run yet; `join`, `group`: sources that meet, rows that meet; `joined`: a join becomes a plan
//! - `assemble`: a bound query becomes steps, and the columns it reads are found
//! - `persistent`: `CREATE STREAM ... AS SELECT`, `INSERT INTO ... SELECT`
//! - `push`: `SELECT ... EMIT CHANGES`
//! - `insert`: `INSERT INTO ... VALUES`
//! - `assert`: `ASSERT STREAM | TABLE`
//! - `change`: types, drops, added columns

mod assemble;
mod assert;
mod change;
mod group;
mod insert;
mod join;
mod joined;
mod persistent;
mod push;
mod query;
mod source;
mod stateful;
#[cfg(test)]
mod tests;

pub use assert::assert_source;
pub use change::{alter_source, change_catalog};
pub use insert::{InsertRow, TypedValues, insert_values, typed_values};
pub use persistent::{PersistentPlan, create_as_select, insert_query_id, insert_query_ordinal, insert_select};
pub use push::push_query;
pub use source::create_source;

use crate::catalog::Catalog;
use crate::functions::FunctionRegistry;
use crate::types::FormatName;

/// What planning a statement needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Names, as of the statement.
    pub catalog: &'a Catalog,
    /// Functions.
    pub functions: &'a FunctionRegistry,
    /// Defaults set by properties.
    pub defaults: Defaults,
    /// The statement as typed, secrets masked: what the catalog keeps.
    pub statement: &'a str,
}

/// Formats of a source that does not name its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defaults {
    /// `ksql.persistence.default.format.key`.
    pub key_format: FormatName,
    /// `ksql.persistence.default.format.value`.
    pub value_format: Option<FormatName>,
    /// `ksql.persistence.wrap.single.values`.
    pub wrap_single_values: Option<bool>,
    /// `ksql.new.query.planner.enabled`: key columns in the order in which they are selected, not that of the source.
    pub keys_as_selected: bool,
}

impl Default for Defaults {
    fn default() -> Self {
        Defaults {
            key_format: FormatName::Kafka,
            value_format: None,
            wrap_single_values: None,
            keys_as_selected: false,
        }
    }
}
