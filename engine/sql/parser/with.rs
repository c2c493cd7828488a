//! `WITH (name = literal, ...)`.

use super::super::ast::{Property, StringLit};
use super::super::tokens::TokenKind;
use super::Parser;
use crate::error::Result;

impl Parser<'_> {
    /// `[WITH (...)]`; empty when there is none.
    pub(super) fn with_clause(&mut self) -> Result<Vec<Property>> {
        if !self.eat("WITH") {
            return Ok(Vec::new());
        }
        self.expect_symbol("(")?;
        let properties = self.comma_list(Self::property)?;
        self.expect_symbol(")")?;
        Ok(properties)
    }

    /// `name = literal`; a bare name is folded, one in single quotes is taken as typed.
    fn property(&mut self) -> Result<Property> {
        let start = self.span();
        let name = if let TokenKind::String(value) = self.kind(0) {
            let name = StringLit { value: value.clone(), span: start };
            self.advance();
            name
        } else {
            let ident = self.ident("a property name")?;
            StringLit { value: ident.name, span: ident.span }
        };
        self.expect_symbol("=")?;
        let value = self.literal()?;
        Ok(Property { name, value, span: self.since(start) })
    }
}
