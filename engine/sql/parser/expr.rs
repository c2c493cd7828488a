//! Expressions: a Pratt parser of our own.
//!
//! sqlparser's expression parser is not used. It keeps no place for most nodes, and carets need one for each; and the
//! dialect has forms it does not know: lambdas, `->` as field access, `MAP(k := v)`, `STRUCT(f := v)`, `ARRAY[...]`,
//! time units as arguments.
//!
//! Operators bind by their [`level`](super::super::ast::level). A sign before a literal is an operator like any
//! other, except for the smallest `BIGINT`, whose digits alone would not fit.

use super::super::ast::level::{AT_TIME_ZONE, CONCAT, NOT, OR, PREDICATE, PRIMARY, SIGN};
use super::super::ast::{BinaryOp, Expr, ExprKind};
use super::super::tokens::TokenKind;
use super::Parser;
use crate::error::{Code, Error, Result, Span};

/// Digits of the smallest `BIGINT`, which has no positive counterpart.
const BIGINT_MIN_DIGITS: &str = "9223372036854775808";

/// What may stand between two operands, or behind one.
#[derive(Clone, Copy)]
enum Infix {
    Binary(BinaryOp),
    /// `[NOT] BETWEEN | IN | LIKE`, or `IS`.
    Predicate(Predicate, bool),
}

#[derive(Clone, Copy)]
enum Predicate {
    Between,
    In,
    Like,
    Is,
}

impl Parser<'_> {
    /// An expression.
    pub(super) fn expr(&mut self) -> Result<Expr> {
        self.operators = 0;
        self.expr_at(OR)
    }

    /// An expression without `AND`, `OR`, `NOT` and predicates, unless in parentheses.
    pub(super) fn value_expr(&mut self) -> Result<Expr> {
        self.operators = 0;
        self.expr_at(CONCAT)
    }

    /// A literal, as a value in a `WITH` clause.
    pub(super) fn literal(&mut self) -> Result<Expr> {
        let start = self.span();
        let number = matches!(self.kind(1), TokenKind::Integer | TokenKind::Decimal | TokenKind::Double);
        if self.is_symbol(0, "-") && (number || self.is_reference(1)) {
            return self.sign(start, true);
        }
        if self.is_reference(0) {
            let kind = ExprKind::String(self.source(start).to_string());
            self.advance();
            return Ok(Expr { kind, span: start });
        }
        match self.literal_kind()? {
            Some(kind) => Ok(Expr { kind, span: start }),
            None => {
                self.note("a literal");
                let error = self.unexpected();
                Err(if self.word(0).is_some() {
                    error.hint("Texts are written in single quotes: 'JSON'.")
                } else {
                    error
                })
            }
        }
    }

    /// An expression whose outermost operator binds at least as tightly as `min`.
    pub(super) fn expr_at(&mut self, min: u8) -> Result<Expr> {
        self.enter()?;
        let (mut left, mut level) = self.operand(min)?;
        while let Some(infix) = self.infix() {
            let binds = match infix {
                Infix::Binary(op) => op.level(),
                Infix::Predicate(..) => PREDICATE,
            };
            if binds < min {
                break;
            }
            let place = self.span();
            if binds == PREDICATE && level == PREDICATE {
                return Err(Error::refused(Code::Syntax, "comparisons do not chain")
                    .at(place)
                    .hint("Join two comparisons with AND, or put one in parentheses."));
            }
            if binds > level {
                break;
            }
            self.count_operator(place)?;
            self.advance();
            left = match infix {
                Infix::Binary(op) => {
                    let right = self.expr_at(binds + 1)?;
                    let span = left.span.to(right.span);
                    Expr { kind: ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) }, span }
                }
                Infix::Predicate(predicate, negated) => self.predicate(left, predicate, negated)?,
            };
            level = binds;
        }
        self.leave();
        Ok(left)
    }

    /// What joins the operand just read to what follows; nothing is taken.
    fn infix(&mut self) -> Option<Infix> {
        use BinaryOp::*;
        if let TokenKind::Symbol(symbol) = self.kind(0) {
            return Some(Infix::Binary(match *symbol {
                "=" => Eq,
                "<>" => NotEq,
                "<" => Lt,
                "<=" => LtEq,
                ">" => Gt,
                ">=" => GtEq,
                "+" => Plus,
                "-" => Minus,
                "*" => Multiply,
                "/" => Divide,
                "%" => Modulo,
                "||" => Concat,
                _ => return None,
            }));
        }
        let predicate = |ahead| {
            [("BETWEEN", Predicate::Between), ("IN", Predicate::In), ("LIKE", Predicate::Like)]
                .into_iter()
                .find(|(keyword, _)| self.is_word(ahead, keyword))
                .map(|(_, predicate)| predicate)
        };
        if self.is_word(0, "AND") {
            Some(Infix::Binary(And))
        } else if self.is_word(0, "OR") {
            Some(Infix::Binary(Or))
        } else if let Some(found) = predicate(0) {
            Some(Infix::Predicate(found, false))
        } else if self.is_word(0, "IS") {
            Some(Infix::Predicate(Predicate::Is, false))
        } else if self.is_word(0, "NOT")
            && let Some(found) = predicate(1)
        {
            Some(Infix::Predicate(found, true))
        } else {
            self.note_possible(&["AND", "OR", "BETWEEN", "IN", "LIKE", "IS", "NOT"]);
            None
        }
    }

    /// The rest of a predicate, its first word taken.
    fn predicate(&mut self, left: Expr, predicate: Predicate, negated: bool) -> Result<Expr> {
        if negated {
            self.advance();
        }
        let start = left.span;
        let expr = Box::new(left);
        let kind = match predicate {
            Predicate::Between => {
                let low = Box::new(self.expr_at(CONCAT)?);
                self.expect("AND")?;
                let high = Box::new(self.expr_at(CONCAT)?);
                ExprKind::Between { negated, expr, low, high }
            }
            Predicate::In => {
                self.expect_symbol("(")?;
                self.reject_subquery()?;
                let list = self.comma_list(|parser| parser.expr_at(OR))?;
                self.expect_symbol(")")?;
                ExprKind::InList { negated, expr, list }
            }
            Predicate::Like => {
                let pattern = Box::new(self.expr_at(CONCAT)?);
                let literal = matches!(self.kind(1), TokenKind::String(_)) || self.is_reference(1);
                let escape = if self.is_word(0, "ESCAPE") && literal {
                    self.advance();
                    Some(self.escape_character()?)
                } else {
                    self.note_possible(&["ESCAPE"]);
                    None
                };
                ExprKind::Like { negated, expr, pattern, escape }
            }
            Predicate::Is => {
                let negated = self.eat("NOT");
                if self.eat("NULL") {
                    ExprKind::IsNull { negated, expr }
                } else if self.eat("DISTINCT") {
                    self.expect("FROM")?;
                    ExprKind::IsDistinct { negated, left: expr, right: Box::new(self.expr_at(CONCAT)?) }
                } else {
                    return Err(self.unexpected());
                }
            }
        };
        Ok(Expr { kind, span: self.since(start) })
    }

    fn escape_character(&mut self) -> Result<char> {
        let literal = self.string("an escape character in single quotes")?;
        let mut chars = literal.value.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => Ok(c),
            (Some(c), _) if self.holds_reference(literal.span) => Ok(c),
            _ => Err(Error::refused(Code::InvalidLiteral, "ESCAPE takes exactly one character").at(literal.span)),
        }
    }

    /// An operand with its signs, and how tightly it binds.
    fn operand(&mut self, min: u8) -> Result<(Expr, u8)> {
        let start = self.span();
        if self.is_symbol(0, "-") {
            return Ok((self.sign(start, true)?, SIGN));
        }
        if self.is_symbol(0, "+") {
            return Ok((self.sign(start, false)?, SIGN));
        }
        if self.is_word(0, "NOT") {
            if min > NOT {
                self.note("an operand");
                return Err(self.unexpected().hint("Put a NOT inside of an operand in parentheses."));
            }
            self.count_operator(start)?;
            self.advance();
            let operand = self.expr_at(NOT)?;
            let span = start.to(operand.span);
            return Ok((Expr { kind: ExprKind::Not(Box::new(operand)), span }, NOT));
        }
        let mut expr = self.primary()?;
        loop {
            if self.is_symbol(0, "[") {
                self.count_operator(self.span())?;
                self.advance();
                let index = Box::new(self.expr_at(CONCAT)?);
                self.expect_symbol("]")?;
                expr = Expr { kind: ExprKind::Subscript { base: Box::new(expr), index }, span: self.since(start) };
            } else if self.is_symbol(0, "->") && self.is_symbol(1, "*") {
                self.fields_of = Some(start);
                return Ok((expr, PRIMARY));
            } else if self.is_symbol(0, "->") {
                self.count_operator(self.span())?;
                self.advance();
                let field = self.ident("a field name")?;
                expr = Expr { kind: ExprKind::Field { base: Box::new(expr), field }, span: self.since(start) };
            } else {
                break;
            }
        }
        if !self.is_word(0, "AT") || !self.is_word(1, "TIME") {
            return Ok((expr, PRIMARY));
        }
        while self.is_word(0, "AT") && self.is_word(1, "TIME") {
            self.count_operator(self.span())?;
            self.advance();
            self.advance();
            self.expect("ZONE")?;
            let zone = self.string("a time zone in single quotes")?;
            expr = Expr { kind: ExprKind::AtTimeZone { expr: Box::new(expr), zone }, span: self.since(start) };
        }
        Ok((expr, AT_TIME_ZONE))
    }

    fn sign(&mut self, start: Span, minus: bool) -> Result<Expr> {
        self.count_operator(start)?;
        self.advance();
        let digits = self.span();
        if minus
            && matches!(self.kind(0), TokenKind::Integer)
            && self.source(digits).trim_start_matches('0') == BIGINT_MIN_DIGITS
        {
            self.advance();
            return Ok(Expr { kind: ExprKind::Integer(i64::MIN), span: start.to(digits) });
        }
        let expr = Box::new(self.expr_at(SIGN)?);
        Ok(Expr { span: start.to(expr.span), kind: ExprKind::Unary { minus, expr } })
    }
}
