//! Trees without places, to be compared.

use super::super::ast::{Ident, Statement, StringLit, Visitor, walk};
use crate::error::Span;

/// Empties every span of a statement and every mark of a quoted name: two statements that say the same are equal then.
pub fn strip_spans(statement: &mut Statement) {
    walk(statement, &mut Strip);
}

struct Strip;

impl Visitor for Strip {
    fn span(&mut self, span: &mut Span) {
        *span = Span::default();
    }

    fn ident(&mut self, ident: &mut Ident) {
        ident.span = Span::default();
        ident.quoted = false;
    }

    fn string(&mut self, text: &mut StringLit) {
        text.span = Span::default();
    }
}
