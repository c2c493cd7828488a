//! Functions: what they are called, what they take, what they compute.
//!
//! In reading order: [`declaration`] is what a function says about itself, [`resolve`] chooses a form for a call,
//! [`kernel`] makes a function DataFusion's, [`foreign`] takes in functions that are DataFusion's already, [`registry`]
//! holds all of them by name, [`describe`] prints one and [`reference`](mod@reference) all. [`row_errors`] is how a
//! vectorized function reports one bad row without failing its batch. [`scalar`] holds the functions themselves, one or one
//! small family a file, [`table`] those that make several rows of one. [`plugin`] opens libraries of functions, [`build`]
//! makes such libraries from source.
//!
//! Neighbours: the binder resolves calls here; operators evaluate them and collect the row errors. Nothing here knows
//! streams, queries or time.

pub mod declaration;

pub mod resolve;

pub mod kernel;

pub mod foreign;

pub mod plugin;

pub mod build;

pub mod registry;

pub mod describe;

pub mod reference;

pub mod row_errors;

pub mod scalar;

pub mod table;

#[cfg(test)]
mod tests;

pub use declaration::{Category, Declaration, Example, FunctionKind, Param, ParamType, Returns, Variation};
pub use kernel::{Call, ScalarFunction};
pub use registry::{Door, FunctionRegistry, FunctionSummary, ResolvedScalar, SharedFunctions};
pub use scalar::{map_keys, signed_order, value_key};
