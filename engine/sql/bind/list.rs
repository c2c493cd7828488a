//! Lists of expressions that become one type: the elements of an array, the keys and the values of a map, `IN`.
//!
//! The first element that is not NULL says what family the others must be of, and each may widen the type. A literal is
//! read more freely than an expression: a text stands for the number, boolean or point in time that it reads as, also
//! inside of a constructor, and among texts a number or boolean is its text.

use datafusion::logical_expr::Expr as LogicalExpr;

use super::expr::{Binder, Bound};
use super::{coerce, literal};
use crate::error::{Code, Error, Result};
use crate::sql::ast::{Expr, ExprKind};
use crate::sql::kernels;
use crate::types::SqlType;
use crate::types::cast::can_cast;
use crate::types::text::number;

impl Binder<'_> {
    /// The type in which expressions meet, and each of them in that type; `None` when all are NULL. `mismatch` makes the
    /// error for an expression, by its position, its type and that of those before it.
    pub(super) fn meet(
        &self,
        exprs: &[&Expr],
        mismatch: impl Fn(usize, &SqlType, &SqlType) -> Error,
    ) -> Result<Option<(SqlType, Vec<LogicalExpr>)>> {
        let bound = exprs.iter().map(|expr| self.bind(expr)).collect::<Result<Vec<_>>>()?;
        let mut common: Option<SqlType> = None;
        for (i, (expr, bound)) in exprs.iter().zip(&bound).enumerate() {
            let Some(ty) = &bound.ty else { continue };
            common = Some(match common {
                None => ty.clone(),
                Some(so_far) => self
                    .met(expr, ty, &so_far)?
                    .ok_or_else(|| mismatch(i, ty, &so_far).detail(format!("found {ty}, expected {so_far}")))?,
            });
        }
        let Some(common) = common else { return Ok(None) };
        let converted = exprs.iter().zip(bound).map(|(expr, bound)| self.converted(expr, bound, &common));
        Ok(Some((common.clone(), converted.collect::<Result<_>>()?)))
    }

    /// The type of a list with one more expression; `None` when the expression is of another family.
    fn met(&self, expr: &Expr, ty: &SqlType, so_far: &SqlType) -> Result<Option<SqlType>> {
        Ok(match (&expr.kind, so_far) {
            (ExprKind::Array(items), SqlType::Array(element)) => {
                self.met_all(items, element)?.map(|element| SqlType::Array(Box::new(element)))
            }
            (ExprKind::Map(entries), SqlType::Map(key, value)) => {
                let key = self.met_all(entries.iter().map(|(key, _)| key), key)?;
                let value = self.met_all(entries.iter().map(|(_, value)| value), value)?;
                key.zip(value).map(|(key, value)| SqlType::Map(Box::new(key), Box::new(value)))
            }
            (ExprKind::Struct(fields), SqlType::Struct(types)) => {
                let mut types = types.clone();
                for (name, value) in fields {
                    let Some(ty) = self.bind(value)?.ty else { continue };
                    match types.iter_mut().find(|(other, _)| *other == name.name) {
                        None => types.push((name.name.clone(), ty)),
                        Some((_, so_far)) => match self.met(value, &ty, so_far)? {
                            Some(met) => *so_far = met,
                            None => return Ok(None),
                        },
                    }
                }
                Some(SqlType::Struct(types))
            }
            (ExprKind::String(text), SqlType::Boolean) => {
                number::parse_bool_exact(text.trim()).ok_or_else(|| unreadable(expr, so_far))?;
                Some(SqlType::Boolean)
            }
            (ExprKind::String(text), so_far) if so_far.is_numeric() => {
                let number = literal::number_in_text(text).ok_or_else(|| unreadable(expr, so_far))?;
                let ty = self.bind(&Expr { kind: number, span: expr.span })?.ty;
                ty.and_then(|ty| coerce::common_type(so_far, &ty))
            }
            _ if is_literal(expr) && *so_far == SqlType::String && can_cast(ty, so_far) => Some(SqlType::String),
            _ => coerce::common_type(so_far, ty).or_else(|| match (ty, so_far) {
                (SqlType::String, target) | (target, SqlType::String) if reads_texts(target) => Some(target.clone()),
                _ => None,
            }),
        })
    }

    fn met_all<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>, so_far: &SqlType) -> Result<Option<SqlType>> {
        let mut common = so_far.clone();
        for expr in exprs {
            let Some(ty) = self.bind(expr)?.ty else { continue };
            match self.met(expr, &ty, &common)? {
                Some(met) => common = met,
                None => return Ok(None),
            }
        }
        Ok(Some(common))
    }

    /// An expression in the type that the list has.
    fn converted(&self, expr: &Expr, bound: Bound, to: &SqlType) -> Result<LogicalExpr> {
        let unreadable = || unreadable(expr, to);
        match (&bound.ty, &expr.kind) {
            (None, _) => Ok(coerce::null_of(to)),
            (Some(from), _) if from == to => Ok(bound.expr),
            (Some(SqlType::String), ExprKind::String(text)) if to.is_numeric() => {
                let number = literal::number_in_text(text).ok_or_else(unreadable)?;
                Ok(self.bind(&Expr { kind: number, span: expr.span })?.widen(to))
            }
            (Some(SqlType::String), ExprKind::String(text)) if matches!(to, SqlType::Boolean) => {
                let value = number::parse_bool_exact(text.trim()).ok_or_else(unreadable)?;
                Ok(datafusion::logical_expr::lit(value))
            }
            (Some(SqlType::String), ExprKind::String(text)) if *to != SqlType::Bytes => {
                kernels::cast::point_in_time(text, to).ok_or_else(unreadable)
            }
            (Some(from), _) if coerce::common_type(from, to).as_ref() == Some(to) => Ok(bound.widen(to)),
            (Some(from), _) if can_cast(from, to) => Ok(kernels::cast::expr(bound.expr, from, to)),
            (Some(from), _) => {
                Err(Error::refused(Code::InvalidCast, format!("cannot cast {from} to {to}")).at(expr.span))
            }
        }
    }
}

/// Whether texts are read as values of a type without a `CAST`.
fn reads_texts(ty: &SqlType) -> bool {
    matches!(ty, SqlType::Timestamp | SqlType::Date | SqlType::Time | SqlType::Bytes)
}

fn is_literal(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Unary { expr, .. } => {
            matches!(expr.kind, ExprKind::Integer(_) | ExprKind::Decimal(_) | ExprKind::Double(_))
        }
        ExprKind::Boolean(_) | ExprKind::Integer(_) | ExprKind::Decimal(_) | ExprKind::Double(_) => true,
        kind => matches!(kind, ExprKind::String(_)),
    }
}

fn unreadable(expr: &Expr, ty: &SqlType) -> Error {
    Error::refused(Code::InvalidLiteral, format!("this text cannot be read as {}", coerce::a(ty))).at(expr.span)
}
