//! Calls of table functions: a step of the plan computes them, so an expression only names the column of their values.

use datafusion::common::Column;
use datafusion::logical_expr::Expr as LogicalExpr;

use super::expr::{Binder, Bound};
use crate::error::{Code, Error, Result, Span};
use crate::functions::table::TableFunction;
use crate::sql::ast::Expr;
use crate::types::SqlType;

/// A call of a table function.
#[derive(Debug, Clone)]
pub struct BoundTable {
    /// The function.
    pub function: TableFunction,
    /// Its argument.
    pub argument: LogicalExpr,
    /// The type of its argument.
    pub argument_type: SqlType,
    /// The type of its values.
    pub ty: SqlType,
    /// The name of the column of its values; unlike any that a source has.
    pub field: String,
    /// The canonical text of its argument.
    pub sql: String,
}

impl Binder<'_> {
    /// A call of a table function: the column of its values. Only a select list may have one.
    pub(super) fn table_call(&self, function: TableFunction, args: &[Expr], span: Span) -> Result<Bound> {
        let name = function.name();
        let Some(tables) = &self.tables else {
            return Err(Error::refused(
                Code::Misplaced,
                format!("{name} makes several rows of one, so it can only stand in a select list"),
            )
            .at(span));
        };
        let before = tables.borrow().len();
        let bound = args.iter().map(|arg| self.bind(arg)).collect::<Result<Vec<_>>>()?;
        if tables.borrow().len() > before {
            return Err(Error::refused(
                Code::Misplaced,
                format!("{name} cannot take the rows of another table function"),
            )
            .at(span));
        }
        let types: Vec<Option<SqlType>> = bound.iter().map(|bound| bound.ty.clone()).collect();
        let (argument_type, ty) = function.resolve(&types, span)?;
        let (Some(argument), Some(arg)) = (bound.into_iter().next(), args.first()) else {
            return Err(Error::internal(format!("{name} resolved without an argument")));
        };
        let field = format!("=>{name}#{before}");
        tables.borrow_mut().push(BoundTable {
            function,
            argument: argument.widen(&argument_type),
            argument_type,
            ty: ty.clone(),
            field: field.clone(),
            sql: self.text(arg),
        });
        Ok(Bound::new(LogicalExpr::Column(Column::new_unqualified(field)), ty))
    }
}
