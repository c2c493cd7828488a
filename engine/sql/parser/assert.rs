//! `ASSERT ...`, for statement files that test themselves.

use super::super::ast::{Assert, SourceKind, StatementKind};
use super::Parser;
use crate::error::Result;

impl Parser<'_> {
    /// What follows `ASSERT`.
    pub(super) fn assert(&mut self) -> Result<StatementKind> {
        let exists = !self.eat("NOT");
        if !exists {
            self.expect("EXISTS")?;
        }
        let assert = if self.eat("TOPIC") {
            Assert::Topic {
                exists,
                topic: self.resource("a topic")?,
                properties: self.with_clause()?,
                timeout: self.timeout()?,
            }
        } else if self.eat("SCHEMA") {
            let subject = if self.eat("SUBJECT") { Some(self.resource("a subject")?) } else { None };
            let id = if self.eat("ID") { Some(self.count("the id")?) } else { None };
            Assert::Schema { exists, subject, id, timeout: self.timeout()? }
        } else if exists && self.eat("VALUES") {
            let source = self.ident("a stream or table")?;
            let columns = if self.is_symbol(0, "(") { self.column_names()? } else { Vec::new() };
            self.expect("VALUES")?;
            Assert::Values { source, columns, values: self.values()? }
        } else if exists && self.eat("NULL") {
            self.expect("VALUES")?;
            let source = self.ident("a stream or table")?;
            let columns = if self.is_symbol(0, "(") { self.column_names()? } else { Vec::new() };
            self.expect("KEY")?;
            Assert::NullValues { source, columns, values: self.values()? }
        } else if exists && self.eat("STREAM") {
            self.assert_source(SourceKind::Stream)?
        } else if exists && self.eat("TABLE") {
            self.assert_source(SourceKind::Table)?
        } else {
            return Err(self.unexpected());
        };
        Ok(StatementKind::Assert(assert))
    }

    fn assert_source(&mut self, kind: SourceKind) -> Result<Assert> {
        let name = self.ident("a stream or table")?;
        Ok(Assert::Source { kind, name, columns: self.column_defs()?, properties: self.with_clause()? })
    }

    /// `[TIMEOUT n unit]`.
    fn timeout(&mut self) -> Result<Option<super::super::ast::Duration>> {
        if self.eat("TIMEOUT") { self.duration("the timeout").map(Some) } else { Ok(None) }
    }
}
