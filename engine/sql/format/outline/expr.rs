//! Expressions and types.

use super::super::super::ast::*;
use super::{Break, Builder, STEP};

impl Builder<'_> {
    /// Expressions with commas between them, as many on a line as fit.
    pub(super) fn operands(&mut self, exprs: &[Expr]) {
        let [first, rest @ ..] = exprs else { return };
        if let Some(last) = rest.last() {
            let group = self.group(self.at(first.span.start), self.at(last.span.end) - 1, true);
            rest.iter().for_each(|expr| self.break_at(self.at(expr.span.start), group, STEP));
        }
        exprs.iter().for_each(|expr| self.expr(expr));
    }

    /// Expressions in brackets.
    fn bracketed(&mut self, exprs: &[Expr], fill: bool) {
        if let Some(last) = exprs.last() {
            let items: Vec<usize> = exprs.iter().map(|expr| self.at(expr.span.start)).collect();
            self.bracket_of(&items, self.at(last.span.end), fill, false);
            exprs.iter().for_each(|expr| self.expr(expr));
        }
    }

    pub(super) fn expr(&mut self, expr: &Expr) {
        use ExprKind::*;
        match &expr.kind {
            Null | Boolean(_) | Decimal(_) | Double(_) | String(_) | Column { .. } | Star | Unit(_) => {}
            // The smallest BIGINT is one literal with its sign.
            Integer(value) => {
                if *value < 0 {
                    self.touch(self.at(expr.span.end) - 1);
                }
            }
            Unary { expr: operand, .. } => {
                let operand_at = self.at(operand.span.start);
                // Two signs in a row would begin a comment.
                if self.symbol(operand_at) != "-" {
                    self.touch(operand_at);
                }
                self.expr(operand);
            }
            Binary { .. } => self.chain(expr),
            Call { name, args } => {
                self.touch(self.at(name.span.end));
                self.bracketed(args, false);
            }
            Case { operand, arms, otherwise } => self.case(operand.as_deref(), arms, otherwise.as_deref()),
            Cast { expr: value, ty } => {
                // `DATE '...'` is a cast, too.
                if value.span.start < ty.span.start {
                    self.touch(self.at(value.span.start) - 1);
                    self.ty(ty);
                }
                self.expr(value);
            }
            Array(items) => self.bracketed(items, true),
            InList { expr: value, list, .. } => {
                self.expr(value);
                self.bracketed(list, true);
            }
            Map(entries) => {
                let places: Vec<_> = entries.iter().map(|(key, value)| key.span.to(value.span)).collect();
                self.constructor(expr, &places);
                for (key, value) in entries {
                    self.expr(key);
                    self.expr(value);
                }
            }
            Struct(fields) => {
                let places: Vec<_> = fields.iter().map(|(name, value)| name.span.to(value.span)).collect();
                self.constructor(expr, &places);
                fields.iter().for_each(|(_, value)| self.expr(value));
            }
            Field { base: inner, .. }
            | AtTimeZone { expr: inner, .. }
            | Not(inner)
            | IsNull { expr: inner, .. }
            | Lambda { body: inner, .. } => self.expr(inner),
            Subscript { base: left, index: right }
            | IsDistinct { left, right, .. }
            | Like { expr: left, pattern: right, .. } => {
                self.expr(left);
                self.expr(right);
            }
            Between { expr: value, low, high, .. } => {
                self.expr(value);
                self.expr(low);
                self.expr(high);
            }
        }
    }

    /// `MAP(...)` and `STRUCT(...)`.
    fn constructor(&mut self, expr: &Expr, entries: &[crate::error::Span]) {
        let mut word = self.at(expr.span.start);
        while self.symbol(word) == "(" {
            word += 1;
        }
        self.touch(word + 1);
        if let Some(last) = entries.last() {
            let items: Vec<usize> = entries.iter().map(|entry| self.at(entry.start)).collect();
            self.bracket(&items, self.at(last.end), false);
        }
    }

    /// A binary operator with those of the same level to its left, as they were typed without parentheses.
    fn chain(&mut self, expr: &Expr) {
        let mut operands = Vec::new();
        let mut operators = Vec::new();
        let mut node = expr;
        while let ExprKind::Binary { op, left, right } = &node.kind {
            operands.push(right.as_ref());
            operators.push(self.at(left.span.end));
            node = left;
            let goes_on = match &node.kind {
                ExprKind::Binary { op: inner, left, .. } => {
                    inner.level() == op.level() && node.span.start == left.span.start
                }
                _ => false,
            };
            if !goes_on {
                break;
            }
        }
        operands.push(node);
        let last = operands[0];
        let group = self.group(self.at(node.span.start), self.at(last.span.end) - 1, false);
        operators.iter().for_each(|operator| self.break_at(*operator, group, STEP));
        operands.iter().rev().for_each(|operand| self.expr(operand));
    }

    fn case(&mut self, operand: Option<&Expr>, arms: &[(Expr, Expr)], otherwise: Option<&Expr>) {
        let whens: Vec<usize> = arms.iter().map(|(when, _)| self.at(when.span.start) - 1).collect();
        let (Some(first), Some((_, last))) = (whens.first(), arms.last()) else { return };
        let case = operand.map_or(*first, |operand| self.at(operand.span.start)) - 1;
        let end = self.at(otherwise.unwrap_or(last).span.end);
        let group = self.group(case, end, false);
        whens.iter().for_each(|when| self.break_at(*when, group, STEP));
        if let Some(otherwise) = otherwise {
            self.break_at(self.at(otherwise.span.start) - 1, group, STEP);
        }
        self.out.breaks[end] = Some(Break { group, indent: 0, closes: true, unless_broken: None });
        let arms = arms.iter().flat_map(|(when, then)| [when, then]);
        operand.into_iter().chain(arms).chain(otherwise).for_each(|part| self.expr(part));
    }

    /// A type: its brackets touch what is around them.
    pub(super) fn ty(&mut self, ty: &TypeExpr) {
        for token in self.at(ty.span.start)..self.at(ty.span.end) {
            match self.symbol(token) {
                // `STRUCT< >` keeps its blank, without which it would be an operator.
                ">" if self.symbol(token - 1) != "<" => self.touch(token),
                "<" => {
                    self.touch(token);
                    if self.symbol(token + 1) != ">" {
                        self.touch(token + 1);
                    }
                }
                "(" => self.touch(token),
                _ => {}
            }
        }
        self.type_lists(ty);
    }

    fn type_lists(&mut self, ty: &TypeExpr) {
        match &ty.kind {
            TypeExprKind::Plain(_) | TypeExprKind::Named(_) => {}
            TypeExprKind::Array(element) => self.type_lists(element),
            TypeExprKind::Map(key, value) => {
                self.type_lists(key);
                self.type_lists(value);
            }
            TypeExprKind::Struct(fields) => {
                let Some((_, last)) = fields.last() else { return };
                let items: Vec<usize> = fields.iter().map(|(name, _)| self.at(name.span.start)).collect();
                self.bracket(&items, self.at(last.span.end), false);
                fields.iter().for_each(|(_, ty)| self.type_lists(ty));
            }
        }
    }
}
