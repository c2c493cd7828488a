//! Names and types: what each expression, column and property of a statement means.
//!
//! Expressions are typed by ksqlDB's rules, not DataFusion's: every conversion is written out as a cast, so that
//! DataFusion's own coercion finds nothing left to do. The result is a typed logical expression; [`compile`] folds its
//! constants and makes it executable.
//!
//! - [`scope`]: the columns a name can mean
//! - [`expr`]: expressions; [`arithmetic`], [`compare`] and [`conditional`] hold their families
//! - [`coerce`]: which types meet where, and the casts that make them meet
//! - [`aggregates`]: which calls compute over several rows
//! - `lambda`: calls that take lambdas
//! - `list`: expressions that become one type
//! - `tables`: calls of table functions
//! - [`literal`]: literals, and what a literal may stand for
//! - [`text`]: canonical text
//! - [`compile`]: logical to physical
//! - [`properties`], [`columns`]: the `WITH` clause and declared columns

pub mod aggregates;
pub mod arithmetic;
pub mod coerce;
pub mod columns;
pub mod compare;
pub mod compile;
pub mod conditional;
pub mod expr;
mod lambda;
mod list;
pub mod literal;
pub mod properties;
pub mod scope;
mod tables;
#[cfg(test)]
mod tests;
pub mod text;

pub use expr::{Binder, Bound};
pub use scope::Scope;
pub use tables::BoundTable;
