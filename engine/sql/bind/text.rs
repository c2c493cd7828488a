//! Canonical text of expressions and types: one spelling per meaning, readable as SQL.

use std::fmt::Write;

use crate::sql::ast::{BinaryOp, Expr, ExprKind, Ident, TimeUnit, TypeExpr, TypeExprKind};
use crate::types::quote_identifier;

/// The text of an expression. Operands that are operators themselves stand in parentheses, so precedence never matters.
/// With `qualify` a column keeps the source it was written with.
pub fn expr(expr: &Expr, qualify: bool) -> String {
    let mut out = String::new();
    Writer { out: &mut out, qualify }.expr(expr);
    out
}

/// The text of an operator.
pub const fn operator(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Or => "OR",
        BinaryOp::And => "AND",
        BinaryOp::Eq => "=",
        BinaryOp::NotEq => "<>",
        BinaryOp::Lt => "<",
        BinaryOp::LtEq => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::GtEq => ">=",
        BinaryOp::Plus => "+",
        BinaryOp::Minus => "-",
        BinaryOp::Multiply => "*",
        BinaryOp::Divide => "/",
        BinaryOp::Modulo => "%",
        BinaryOp::Concat => "||",
    }
}

struct Writer<'a> {
    out: &'a mut String,
    qualify: bool,
}

impl Writer<'_> {
    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn ident(&mut self, ident: &Ident) {
        self.push(&quote_identifier(&ident.name));
    }

    fn string(&mut self, text: &str) {
        self.push(&format!("'{}'", text.replace('\'', "''")));
    }

    fn list<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) {
        for (i, expr) in exprs.into_iter().enumerate() {
            if i > 0 {
                self.push(", ");
            }
            self.expr(expr);
        }
    }

    /// An operand: in parentheses if it is an operator.
    fn operand(&mut self, expr: &Expr) {
        let bare = matches!(
            expr.kind,
            ExprKind::Null
                | ExprKind::Boolean(_)
                | ExprKind::Integer(_)
                | ExprKind::Decimal(_)
                | ExprKind::Double(_)
                | ExprKind::String(_)
                | ExprKind::Column { .. }
                | ExprKind::Field { .. }
                | ExprKind::Subscript { .. }
                | ExprKind::Case { .. }
                | ExprKind::Cast { .. }
                | ExprKind::Call { .. }
                | ExprKind::Array(_)
                | ExprKind::Map(_)
                | ExprKind::Struct(_)
        );
        if bare {
            self.expr(expr);
        } else {
            self.push("(");
            self.expr(expr);
            self.push(")");
        }
    }

    fn expr(&mut self, expr: &Expr) {
        let not = |negated: &bool| if *negated { "NOT " } else { "" };
        match &expr.kind {
            ExprKind::Null => self.push("NULL"),
            ExprKind::Boolean(value) => self.push(if *value { "TRUE" } else { "FALSE" }),
            ExprKind::Integer(value) => self.push(&value.to_string()),
            ExprKind::Decimal(text) => self.push(text),
            ExprKind::Double(value) => self.push(&format!("{value:E}")),
            ExprKind::String(text) => self.string(text),
            ExprKind::Column { source, name } => {
                if let (Some(source), true) = (source, self.qualify) {
                    self.ident(source);
                    self.push(".");
                }
                self.ident(name);
            }
            ExprKind::Field { base, field } => {
                self.operand(base);
                self.push("->");
                self.ident(field);
            }
            ExprKind::Subscript { base, index } => {
                self.operand(base);
                self.push("[");
                self.expr(index);
                self.push("]");
            }
            ExprKind::Unary { minus, expr } => {
                self.push(if *minus { "-" } else { "+" });
                self.operand(expr);
            }
            ExprKind::Not(expr) => {
                self.push("NOT ");
                self.operand(expr);
            }
            ExprKind::Binary { op, left, right } => {
                self.operand(left);
                self.push(&format!(" {} ", operator(*op)));
                self.operand(right);
            }
            ExprKind::Between { negated, expr, low, high } => {
                self.operand(expr);
                self.push(&format!(" {}BETWEEN ", not(negated)));
                self.operand(low);
                self.push(" AND ");
                self.operand(high);
            }
            ExprKind::InList { negated, expr, list } => {
                self.operand(expr);
                self.push(&format!(" {}IN (", not(negated)));
                self.list(list);
                self.push(")");
            }
            ExprKind::Like { negated, expr, pattern, escape } => {
                self.operand(expr);
                self.push(&format!(" {}LIKE ", not(negated)));
                self.operand(pattern);
                if let Some(escape) = escape {
                    self.push(" ESCAPE ");
                    self.string(&escape.to_string());
                }
            }
            ExprKind::IsNull { negated, expr } => {
                self.operand(expr);
                self.push(&format!(" IS {}NULL", not(negated)));
            }
            ExprKind::IsDistinct { negated, left, right } => {
                self.operand(left);
                self.push(&format!(" IS {}DISTINCT FROM ", not(negated)));
                self.operand(right);
            }
            ExprKind::Case { operand, arms, otherwise } => {
                self.push("CASE");
                if let Some(operand) = operand {
                    self.push(" ");
                    self.operand(operand);
                }
                for (when, then) in arms {
                    self.push(" WHEN ");
                    self.expr(when);
                    self.push(" THEN ");
                    self.expr(then);
                }
                if let Some(otherwise) = otherwise {
                    self.push(" ELSE ");
                    self.expr(otherwise);
                }
                self.push(" END");
            }
            ExprKind::Cast { expr, ty } => {
                self.push("CAST(");
                self.expr(expr);
                self.push(" AS ");
                self.ty(ty);
                self.push(")");
            }
            ExprKind::Call { name, args } => {
                self.ident(name);
                self.push("(");
                self.list(args);
                self.push(")");
            }
            ExprKind::Star => self.push("*"),
            ExprKind::Unit(unit) => self.push(unit_name(*unit)),
            ExprKind::Lambda { params, body } => {
                self.push("(");
                for (i, param) in params.iter().enumerate() {
                    if i > 0 {
                        self.push(", ");
                    }
                    self.ident(param);
                }
                self.push(") => ");
                self.operand(body);
            }
            ExprKind::Array(items) => {
                self.push("ARRAY[");
                self.list(items);
                self.push("]");
            }
            ExprKind::Map(entries) => {
                self.push("MAP(");
                for (i, (key, value)) in entries.iter().enumerate() {
                    if i > 0 {
                        self.push(", ");
                    }
                    self.expr(key);
                    self.push(" := ");
                    self.expr(value);
                }
                self.push(")");
            }
            ExprKind::Struct(fields) => {
                self.push("STRUCT(");
                for (i, (name, value)) in fields.iter().enumerate() {
                    if i > 0 {
                        self.push(", ");
                    }
                    self.ident(name);
                    self.push(" := ");
                    self.expr(value);
                }
                self.push(")");
            }
        }
    }

    fn ty(&mut self, ty: &TypeExpr) {
        match &ty.kind {
            TypeExprKind::Plain(ty) => {
                let _ = write!(self.out, "{ty}");
            }
            TypeExprKind::Array(element) => {
                self.push("ARRAY<");
                self.ty(element);
                self.push(">");
            }
            TypeExprKind::Map(key, value) => {
                self.push("MAP<");
                self.ty(key);
                self.push(", ");
                self.ty(value);
                self.push(">");
            }
            TypeExprKind::Struct(fields) => {
                self.push("STRUCT<");
                for (i, (name, ty)) in fields.iter().enumerate() {
                    if i > 0 {
                        self.push(", ");
                    }
                    self.ident(name);
                    self.push(" ");
                    self.ty(ty);
                }
                self.push(">");
            }
            TypeExprKind::Named(name) => self.ident(name),
        }
    }
}

/// The word for a time unit, plural, as in the arguments of `TIMESTAMPADD`.
pub const fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Day => "DAYS",
        TimeUnit::Hour => "HOURS",
        TimeUnit::Minute => "MINUTES",
        TimeUnit::Second => "SECONDS",
        TimeUnit::Millisecond => "MILLISECONDS",
    }
}
