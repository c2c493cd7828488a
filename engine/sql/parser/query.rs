//! `SELECT ...`.
//!
//! The order of the clauses is fixed: `WINDOW` stands before `WHERE`, and `PARTITION BY` between `GROUP BY` and
//! `HAVING`. `EMIT`, `PARTITION` and `ESCAPE` are free words and could be aliases; they are read as the clause they
//! begin when what follows them says so.

use super::super::ast::{
    Emit, ExprList, Ident, Join, JoinKind, Limit, Position, Query, Relation, SelectItem, TopicBound,
};
use super::super::tokens::TokenKind;
use super::Parser;
use crate::error::{Code, Error, Result, Span};

/// The clauses behind `FROM`, in their order.
const CLAUSES: &[&str] = &["WINDOW", "WHERE", "GROUP", "PARTITION", "HAVING", "EMIT", "LIMIT"];

impl Parser<'_> {
    /// A query, from its `SELECT` on.
    pub(super) fn query(&mut self) -> Result<Query> {
        let start = self.expect("SELECT")?;
        if self.is_word(0, "DISTINCT") {
            return Err(Error::unsupported("SELECT DISTINCT", self.span()).hint("GROUP BY the columns instead."));
        }
        let items = self.comma_list(Self::select_item)?;
        self.expect("FROM")?;
        let from = self.relation()?;
        let start_at = self.start_at()?;
        let until = self.until()?;
        let window = if self.eat("WINDOW") { Some(self.window()?) } else { None };
        let filter = if self.eat("WHERE") { Some(self.expr()?) } else { None };
        let group_by = self.expr_list_clause("GROUP")?;
        let partition_by = self.expr_list_clause("PARTITION")?;
        let having = if self.eat("HAVING") { Some(self.expr()?) } else { None };
        let emit = self.emit()?;
        let limit = self.limit()?;
        let (start, span) = (start_at, self.since(start));
        let query =
            Query { items, from, start, until, window, filter, group_by, partition_by, having, emit, limit, span };
        self.reject_late_clause(&query)?;
        Ok(query)
    }

    fn select_item(&mut self) -> Result<SelectItem> {
        let start = self.span();
        if self.is_symbol(0, "*") {
            return Ok(SelectItem::Wildcard { source: None, span: self.advance() });
        }
        if self.is_name(0) && self.is_symbol(1, ".") && self.is_symbol(2, "*") {
            let source = Some(self.ident("a source's name")?);
            self.advance();
            self.advance();
            return Ok(SelectItem::Wildcard { source, span: self.since(start) });
        }
        let expr = self.expr()?;
        if self.is_symbol(0, "->") && self.is_symbol(1, "*") {
            if self.fields_of != Some(start) {
                return Err(Error::refused(Code::Syntax, "`->*` stands behind a name, a call or parentheses")
                    .at(self.span())
                    .hint("Put what is before it in parentheses, or select it alone."));
            }
            self.advance();
            self.advance();
            return Ok(SelectItem::StructAll { base: expr, span: self.since(start) });
        }
        self.note(",");
        self.note("FROM");
        let alias = self.alias("a column name")?;
        Ok(SelectItem::Expr { expr, alias })
    }

    /// `[[AS] alias]`.
    fn alias(&mut self, what: &'static str) -> Result<Option<Ident>> {
        if self.is_word(0, "AS") {
            self.advance();
            return self.ident(what).map(Some);
        }
        self.note_possible(&["AS"]);
        if !self.is_name(0) || self.begins_clause() {
            return Ok(None);
        }
        self.bare_alias(what).map(Some)
    }

    /// Whether a free word here begins a clause, and so is no alias.
    fn begins_clause(&self) -> bool {
        let ends = |ahead| matches!(self.kind(ahead), TokenKind::End | TokenKind::Symbol(";"));
        (self.is_word(0, "EMIT") && (self.is_name(1) || ends(1)))
            || (self.is_word(0, "PARTITION") && self.is_word(1, "BY"))
            || (self.is_word(0, "START") && self.is_word(1, "AT"))
            || (self.is_word(0, "UNTIL")
                && (self.is_name(1)
                    || matches!(self.kind(1), TokenKind::String(_))
                    || self.is_word(1, "GROUP") && matches!(self.kind(2), TokenKind::String(_))))
    }

    /// `[START AT place | GROUP 'name']`.
    fn start_at(&mut self) -> Result<Option<TopicBound>> {
        let start = self.span();
        if !self.eat("START") {
            return Ok(None);
        }
        self.expect("AT")?;
        let at = match self.eat("GROUP") {
            true => Position::Group(self.string("the name of a consumer group")?.value),
            false => self.position()?,
        };
        Ok(Some(TopicBound { at, span: self.since(start) }))
    }

    /// `[UNTIL place]`.
    fn until(&mut self) -> Result<Option<TopicBound>> {
        let start = self.span();
        if !self.eat("UNTIL") {
            return Ok(None);
        }
        let at = self.position()?;
        Ok(Some(TopicBound { at, span: self.since(start) }))
    }

    /// `EARLIEST | LATEST | OFFSETS (n, ...) | 'time'`.
    fn position(&mut self) -> Result<Position> {
        if self.eat("EARLIEST") {
            return Ok(Position::Earliest);
        }
        if self.eat("LATEST") {
            return Ok(Position::Latest);
        }
        if self.eat("OFFSETS") {
            self.expect_symbol("(")?;
            let offsets = self.comma_list(|parser| parser.count("an offset"))?;
            self.expect_symbol(")")?;
            return Ok(Position::Offsets(offsets));
        }
        Ok(Position::Time(self.string("a time")?.value))
    }

    /// `source [JOIN source ON ...]...`; joins lean to the left.
    fn relation(&mut self) -> Result<Relation> {
        let start = self.span();
        self.operators = 0;
        let mut left = self.source_relation()?;
        while let Some(kind) = self.join_kind()? {
            self.count_operator(self.span())?;
            let joins_before = self.operators;
            let right = self.source_relation()?;
            let within = if self.eat("WITHIN") { Some(self.within()?) } else { None };
            self.expect("ON")?;
            let on = self.expr()?;
            if self.is_word(0, "WITHIN") && within.is_none() {
                return Err(Error::refused(Code::Syntax, "WITHIN must come before ON").at(self.span()));
            }
            self.operators = joins_before;
            left = Relation::Join(Box::new(Join { left, right, kind, within, on, span: self.since(start) }));
        }
        Ok(left)
    }

    fn source_relation(&mut self) -> Result<Relation> {
        let start = self.span();
        if self.is_symbol(0, "(") && self.is_word(1, "SELECT") {
            return Err(Error::unsupported("a subquery", start)
                .hint("Give the inner query a name of its own with CREATE STREAM or TABLE ... AS SELECT."));
        }
        let name = self.ident("a stream or table")?;
        self.note_possible(CLAUSES);
        self.note_possible(&["JOIN", "INNER", "LEFT", "RIGHT", "FULL", "WITHIN", "ON"]);
        let alias = self.alias("an alias")?;
        Ok(Relation::Source { name, alias, span: self.since(start) })
    }

    /// `[INNER | LEFT [OUTER] | ...] JOIN`, if it is next.
    fn join_kind(&mut self) -> Result<Option<JoinKind>> {
        let kind = if self.is_word(0, "JOIN") {
            JoinKind::Inner
        } else if self.is_word(0, "INNER") {
            self.advance();
            JoinKind::Inner
        } else {
            let outer = [("LEFT", JoinKind::Left), ("RIGHT", JoinKind::Right), ("FULL", JoinKind::Full)];
            let Some((_, kind)) = outer.into_iter().find(|(keyword, _)| self.is_word(0, keyword)) else {
                self.note_possible(&["JOIN", "INNER", "LEFT", "RIGHT", "FULL"]);
                return Ok(None);
            };
            self.advance();
            self.eat("OUTER");
            kind
        };
        self.expect("JOIN")?;
        Ok(Some(kind))
    }

    /// `GROUP | PARTITION BY e, ...`, also with the whole list in parentheses.
    fn expr_list_clause(&mut self, keyword: &'static str) -> Result<Option<ExprList>> {
        let start = self.span();
        if !self.eat(keyword) {
            return Ok(None);
        }
        self.expect("BY")?;
        let exprs = match self.attempt(Self::parenthesised_exprs) {
            Ok(exprs) => exprs,
            Err(_) => self.comma_list(Self::value_expr)?,
        };
        Ok(Some(ExprList { exprs, span: self.since(start) }))
    }

    /// `(e, ...)` with nothing behind it that would make the parenthesis part of an expression.
    fn parenthesised_exprs(&mut self) -> Result<Vec<super::super::ast::Expr>> {
        self.expect_symbol("(")?;
        let exprs = self.entries(")", Self::value_expr)?;
        let ends = match self.kind(0) {
            TokenKind::End | TokenKind::Symbol(";") => true,
            _ => CLAUSES.iter().any(|clause| self.is_word(0, clause)),
        };
        if ends { Ok(exprs) } else { Err(self.unexpected()) }
    }

    fn emit(&mut self) -> Result<Option<Emit>> {
        let start = self.span();
        if !self.eat("EMIT") {
            return Ok(None);
        }
        let is_final = if self.eat("CHANGES") {
            false
        } else if self.eat("FINAL") {
            true
        } else {
            return Err(self.unexpected());
        };
        Ok(Some(Emit { is_final, span: self.since(start) }))
    }

    /// `[LIMIT n]`.
    fn limit(&mut self) -> Result<Option<Limit>> {
        let start = self.span();
        if !self.eat("LIMIT") {
            return Ok(None);
        }
        let rows = self.count("the limit")?;
        Ok(Some(Limit { rows, span: self.since(start) }))
    }

    /// The error for a clause that stands behind one it must precede.
    fn reject_late_clause(&mut self, query: &Query) -> Result<()> {
        let Some(late) = CLAUSES.iter().position(|clause| self.is_word(0, clause)) else { return Ok(()) };
        let span = self.span();
        let present: [Option<Span>; 7] = [
            query.window.map(|window| window.span),
            query.filter.as_ref().map(|filter| filter.span),
            query.group_by.as_ref().map(|list| list.span),
            query.partition_by.as_ref().map(|list| list.span),
            query.having.as_ref().map(|having| having.span),
            query.emit.map(|emit| emit.span),
            query.limit.map(|limit| limit.span),
        ];
        if present[late].is_some() {
            return Err(Error::refused(Code::Syntax, format!("a second {}", clause_name(late))).at(span));
        }
        match (late + 1..CLAUSES.len()).find(|later| present[*later].is_some()) {
            Some(later) => Err(Error::refused(
                Code::Syntax,
                format!("{} must come before {}", clause_name(late), clause_name(later)),
            )
            .at(span)),
            None => Ok(()),
        }
    }
}

fn clause_name(clause: usize) -> &'static str {
    match CLAUSES[clause] {
        "GROUP" => "GROUP BY",
        "PARTITION" => "PARTITION BY",
        name => name,
    }
}
