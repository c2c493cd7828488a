//! Expressions: parentheses only where the operators' levels demand them.
//!
//! The levels are those that the parser reads by.

use std::fmt::{self, Display, Formatter};

use super::super::ast::level::{AT_TIME_ZONE, CONCAT, NOT, PREDICATE, PRIMARY, SIGN};
use super::super::ast::{BinaryOp, Expr, ExprKind};
use super::super::parser::time_unit;
use super::{Quoted, comma};

/// An expression in a place that takes operators of this level or tighter ones.
pub(super) struct AtLevel<'a>(&'a Expr, u8);

/// `expr`, in parentheses if it binds more loosely than `level`.
pub(super) fn at_level(expr: &Expr, level: u8) -> AtLevel<'_> {
    AtLevel(expr, level)
}

impl Display for AtLevel<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if level(self.0) < self.1 { write!(f, "({})", self.0) } else { self.0.fmt(f) }
    }
}

/// Expressions with commas between them, in a place that takes no predicates outside of parentheses.
pub(super) struct Operands<'a>(pub(super) &'a [Expr]);

impl Display for Operands<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, expr) in self.0.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { ", " }, at_level(expr, CONCAT))?;
        }
        Ok(())
    }
}

impl Display for Expr {
    /// The expression in canonical form.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        use ExprKind::*;
        match &self.kind {
            Null => f.write_str("NULL"),
            Boolean(true) => f.write_str("TRUE"),
            Boolean(false) => f.write_str("FALSE"),
            Integer(value) => value.fmt(f),
            Decimal(text) => f.write_str(text),
            Double(value) => write!(f, "{value:E}"),
            String(text) => Quoted(text).fmt(f),
            Column { source: None, name } => name.fmt(f),
            Column { source: Some(source), name } => write!(f, "{source}.{name}"),
            Field { base, field } => write!(f, "{}->{field}", at_level(base, PRIMARY)),
            Subscript { base, index } => write!(f, "{}[{}]", at_level(base, PRIMARY), at_level(index, CONCAT)),
            // Two signs in a row would begin a comment.
            Unary { minus, expr } => {
                write!(f, "{}{}", if *minus { "-" } else { "+" }, at_level(expr, PRIMARY))
            }
            AtTimeZone { expr, zone } => write!(f, "{} AT TIME ZONE {zone}", at_level(expr, AT_TIME_ZONE)),
            Not(expr) => write!(f, "NOT {}", at_level(expr, NOT)),
            Binary { .. } => chain(self, f),
            Between { negated, expr, low, high } => {
                write!(f, "{} {}BETWEEN ", at_level(expr, CONCAT), not(*negated))?;
                write!(f, "{} AND {}", at_level(low, CONCAT), at_level(high, CONCAT))
            }
            InList { negated, expr, list } => {
                write!(f, "{} {}IN ({})", at_level(expr, CONCAT), not(*negated), comma(list))
            }
            Like { negated, expr, pattern, escape } => {
                write!(f, "{} {}LIKE {}", at_level(expr, CONCAT), not(*negated), at_level(pattern, CONCAT))?;
                match escape {
                    Some(escape) => write!(f, " ESCAPE {}", Quoted(&escape.to_string())),
                    None => Ok(()),
                }
            }
            IsNull { negated, expr } => write!(f, "{} IS {}NULL", at_level(expr, CONCAT), not(*negated)),
            IsDistinct { negated, left, right } => {
                write!(f, "{} IS {}DISTINCT FROM ", at_level(left, CONCAT), not(*negated))?;
                at_level(right, CONCAT).fmt(f)
            }
            Case { operand, arms, otherwise } => {
                f.write_str("CASE")?;
                if let Some(operand) = operand {
                    write!(f, " {}", at_level(operand, CONCAT))?;
                }
                for (condition, result) in arms {
                    write!(f, " WHEN {condition} THEN {result}")?;
                }
                if let Some(otherwise) = otherwise {
                    write!(f, " ELSE {otherwise}")?;
                }
                f.write_str(" END")
            }
            Cast { expr, ty } => write!(f, "CAST({expr} AS {ty})"),
            Call { name, args } => {
                write!(f, "{name}(")?;
                for (i, arg) in args.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    match &arg.kind {
                        // A column called like a time unit would be read as the unit.
                        Column { source: None, name } if time_unit(&name.name).is_some() => {
                            write!(f, "`{}`", name.name)?
                        }
                        _ => arg.fmt(f)?,
                    }
                }
                f.write_str(")")
            }
            Star => f.write_str("*"),
            Unit(unit) => unit.fmt(f),
            Lambda { params, body } => match params.as_slice() {
                [param] => write!(f, "{param} => {body}"),
                params => write!(f, "({}) => {body}", comma(params)),
            },
            Array(items) => write!(f, "ARRAY[{}]", comma(items)),
            Map(entries) => {
                f.write_str("MAP(")?;
                for (i, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{key} := {value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Struct(fields) => {
                f.write_str("STRUCT(")?;
                for (i, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}{name} := {value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
        }
    }
}

/// A binary operator. Chains lean to the left and may be long, so the way down the left side is a loop.
fn chain(mut expr: &Expr, f: &mut Formatter<'_>) -> fmt::Result {
    let mut links = Vec::new();
    while let ExprKind::Binary { op, left, right } = &expr.kind {
        links.push((*op, right.as_ref()));
        expr = left;
        // Comparisons do not chain; all other operators lean to the left.
        let left_level = if op.level() == PREDICATE { CONCAT } else { op.level() };
        if level(left) < left_level {
            write!(f, "({left})")?;
            return links_after(&links, f);
        }
    }
    expr.fmt(f)?;
    links_after(&links, f)
}

fn links_after(links: &[(BinaryOp, &Expr)], f: &mut Formatter<'_>) -> fmt::Result {
    for (op, right) in links.iter().rev() {
        write!(f, " {} {}", op.text(), at_level(right, op.level() + 1))?;
    }
    Ok(())
}

/// How tightly the outermost operator of an expression binds.
fn level(expr: &Expr) -> u8 {
    match &expr.kind {
        ExprKind::Binary { op, .. } => op.level(),
        ExprKind::Not(_) => NOT,
        ExprKind::Between { .. }
        | ExprKind::InList { .. }
        | ExprKind::Like { .. }
        | ExprKind::IsNull { .. }
        | ExprKind::IsDistinct { .. } => PREDICATE,
        ExprKind::Unary { .. } => SIGN,
        ExprKind::AtTimeZone { .. } => AT_TIME_ZONE,
        // Only the smallest BIGINT, which is printed with its sign.
        ExprKind::Integer(value) if *value < 0 => SIGN,
        _ => PRIMARY,
    }
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}
