//! `INSERT INTO`.

use super::super::ast::StatementKind;
use super::Parser;
use crate::error::{Code, Error, Result};

impl Parser<'_> {
    /// What follows `INSERT`.
    pub(super) fn insert(&mut self) -> Result<StatementKind> {
        self.expect("INTO")?;
        let target = self.ident("a stream or table")?;
        if self.is_word(0, "WITH") {
            let properties = self.with_clause()?;
            return Ok(StatementKind::InsertSelect { target, properties, query: self.query()? });
        }
        if self.is_word(0, "SELECT") {
            return Ok(StatementKind::InsertSelect { target, properties: Vec::new(), query: self.query()? });
        }
        let columns = if self.is_symbol(0, "(") {
            self.column_names()?
        } else {
            for what in ["SELECT", "WITH", "("] {
                self.note(what);
            }
            Vec::new()
        };
        self.expect("VALUES")?;
        let start = self.span();
        let values = self.values()?;
        if self.is_symbol(0, ",") {
            return Err(Error::unsupported("more than one row in INSERT ... VALUES", self.span())
                .hint("Write one INSERT statement for each row."));
        }
        if !columns.is_empty() && columns.len() != values.len() {
            return Err(Error::refused(
                Code::SchemaMismatch,
                format!("{} columns but {} values", columns.len(), values.len()),
            )
            .at(self.since(start)));
        }
        Ok(StatementKind::InsertValues { target, columns, values })
    }

    /// `(e, ...)`, possibly empty.
    pub(super) fn values(&mut self) -> Result<Vec<super::super::ast::Expr>> {
        self.expect_symbol("(")?;
        self.entries(")", Self::value_expr)
    }
}
