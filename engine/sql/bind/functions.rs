//! Where function calls are looked up.

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

use crate::error::{Result, Span};
use crate::types::SqlType;

/// A scalar function chosen for a list of argument types.
#[derive(Debug, Clone)]
pub struct ResolvedScalar {
    /// The function.
    pub udf: Arc<ScalarUDF>,
    /// The types its arguments must be cast to.
    pub arg_types: Vec<SqlType>,
    /// The type of its result.
    pub return_type: SqlType,
}

/// Looks up functions by name and argument types.
pub trait Functions {
    /// The overload for these argument types; `None` stands for an untyped `NULL`.
    fn resolve(&self, name: &str, args: &[Option<SqlType>], span: Span) -> Result<ResolvedScalar>;
}
