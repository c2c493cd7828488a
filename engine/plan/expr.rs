//! Expressions, compiled, with their canonical text.

use std::fmt;
use std::sync::Arc;

use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

use crate::types::SqlType;

/// An expression that can be evaluated over a batch.
#[derive(Clone)]
pub struct CompiledExpr {
    /// The expression; its columns are positions in the batch it is meant for.
    pub physical: Arc<dyn PhysicalExpr>,
    /// Its text, in canonical form: equal texts over equal inputs mean equal results.
    pub sql: String,
    /// The type of its result.
    pub ty: SqlType,
    /// Whether some of its parts count for some rows only (`CASE`, `AND`, `OR`, ...). Such a part may have been computed
    /// for more rows than needed it, or for fewer, so its reports have no sure place in the batch.
    pub lazy: bool,
    /// Whether it has a part that is null by itself when it fails, while the rest goes on, as in ksqlDB: the result of a `CAST`,
    /// an element of an array, a map or a struct that is made, an argument of a function that is a function. Anywhere else a
    /// part that fails makes the whole result null.
    pub absorbs: bool,
}

impl CompiledExpr {
    /// The position of the column this is, when it is nothing but a column.
    pub fn as_column(&self) -> Option<usize> {
        self.physical.downcast_ref::<Column>().map(Column::index)
    }
}

impl fmt::Debug for CompiledExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.sql, self.ty)
    }
}
