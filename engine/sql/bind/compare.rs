//! Comparisons, and what is built from them: `BETWEEN`, `IN`, `LIKE`, `IS DISTINCT FROM`.
//!
//! A comparison is true or false, never null: with a null operand it is false, `<>` included. So a comparison is bound
//! as `(a = b) IS TRUE`, and `NOT` of it is true where an operand is null. `LIKE` is none: of a null it is null.

use datafusion::logical_expr::expr::{InList, Like};
use datafusion::logical_expr::{Expr as LogicalExpr, Operator, binary_expr};

use super::coerce;
use super::coerce::common_type;
use super::expr::{Binder, Bound};
use crate::error::{Code, Error, Result, Span};
use crate::sql::ast::{BinaryOp, Expr, ExprKind};
use crate::sql::kernels;
use crate::types::SqlType;

impl Binder<'_> {
    pub(super) fn compare(
        &self,
        op: BinaryOp,
        left: (&Expr, Bound),
        right: (&Expr, Bound),
        span: Span,
    ) -> Result<Bound> {
        let ordered = !matches!(op, BinaryOp::Eq | BinaryOp::NotEq);
        let (l, r, ty) = self.operands(op.text(), left, right, ordered, span)?;
        let operator = match op {
            BinaryOp::Eq => Operator::Eq,
            BinaryOp::NotEq => Operator::NotEq,
            BinaryOp::Lt => Operator::Lt,
            BinaryOp::LtEq => Operator::LtEq,
            BinaryOp::Gt => Operator::Gt,
            _ => Operator::GtEq,
        };
        Ok(Bound::new(LogicalExpr::IsTrue(Box::new(comparison(l, operator, r, &ty))), SqlType::Boolean))
    }

    /// The two sides of a comparison, in the type both widen to.
    fn operands(
        &self,
        op: &str,
        (left, l): (&Expr, Bound),
        (right, r): (&Expr, Bound),
        ordered: bool,
        span: Span,
    ) -> Result<(LogicalExpr, LogicalExpr, SqlType)> {
        let (Some(lt), Some(rt)) = (&l.ty, &r.ty) else {
            return Err(Error::refused(Code::TypeMismatch, "a comparison with NULL is never true")
                .detail(format!("found {} {op} {}", self.text(left), self.text(right)))
                .hint("Use IS NULL, IS NOT NULL or IS DISTINCT FROM.")
                .at(span));
        };
        let mismatch = || {
            Error::refused(
                Code::TypeMismatch,
                format!("cannot compare {} with {}", self.describe(left, &l), self.describe(right, &r)),
            )
            .detail(format!("the operator is `{op}`"))
            .at(span)
        };
        let (l, r) = match (lt, rt) {
            (point, SqlType::String) if self.is_point_in_time(left, point) => {
                let r = self.point_in_time(right, &r, point).ok_or_else(mismatch)??;
                (l.clone(), r)
            }
            (SqlType::String, point) if self.is_point_in_time(right, point) => {
                let l = self.point_in_time(left, &l, point).ok_or_else(mismatch)??;
                (l, r.clone())
            }
            _ => (l.clone(), r.clone()),
        };
        // A date beside a timestamp is the start of its day.
        let at_midnight = |date: Bound| {
            let expr = kernels::cast::expr(date.expr, &SqlType::Date, &SqlType::Timestamp);
            Bound::new(expr, SqlType::Timestamp)
        };
        let (l, r) = match (&l.ty, &r.ty) {
            (Some(SqlType::Date), Some(SqlType::Timestamp)) => (at_midnight(l), r),
            (Some(SqlType::Timestamp), Some(SqlType::Date)) => (l, at_midnight(r)),
            _ => (l, r),
        };
        let (Some(lt), Some(rt)) = (&l.ty, &r.ty) else { return Err(mismatch()) };
        let ty = common_type(lt, rt).ok_or_else(mismatch)?;
        let no_order =
            matches!(ty, SqlType::Boolean | SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_)) && ordered;
        if no_order {
            return Err(Error::refused(Code::TypeMismatch, format!("`{op}` cannot be applied to {ty}"))
                .detail(format!("the operands are {} and {}", self.text(left), self.text(right)))
                .hint("Values of this type are only equal or not: use = or <>.")
                .at(span));
        }
        Ok((l.widen(&ty), r.widen(&ty), ty))
    }

    /// Whether a text beside this operand is read as a point in time: it is one by type, or a pseudo column that is.
    fn is_point_in_time(&self, expr: &Expr, ty: &SqlType) -> bool {
        match ty {
            SqlType::Timestamp | SqlType::Date | SqlType::Time => true,
            SqlType::Bigint => match &expr.kind {
                ExprKind::Column { source, name } => {
                    matches!(name.name.as_str(), "ROWTIME" | "WINDOWSTART" | "WINDOWEND")
                        && self.scope.resolve(source.as_ref(), name).is_ok_and(|column| column.pseudo)
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// A text literal as a point in time; `None` for a text that is not a literal where only a literal will do.
    fn point_in_time(&self, expr: &Expr, bound: &Bound, like: &SqlType) -> Option<Result<Bound>> {
        match &expr.kind {
            ExprKind::String(text) => {
                Some(kernels::cast::point_in_time(text, like).map(|value| Bound::new(value, like.clone())).ok_or_else(
                    || {
                        let what = if *like == SqlType::Bigint { &SqlType::Timestamp } else { like };
                        Error::refused(Code::InvalidLiteral, format!("this text cannot be read as a {what}"))
                            .hint("Write ISO 8601, for example '2020-05-26T23:59:58.000'; a TIMESTAMP may stop early.")
                            .at(expr.span)
                    },
                ))
            }
            _ if *like == SqlType::Bigint => None,
            _ => Some(Ok(Bound::new(kernels::cast::expr(bound.expr.clone(), &SqlType::String, like), like.clone()))),
        }
    }

    pub(super) fn between(&self, negated: bool, value: &Expr, low: &Expr, high: &Expr) -> Result<Bound> {
        let span = value.span.to(high.span);
        let bound = self.bind(value)?;
        let above = self.compare(BinaryOp::GtEq, (value, bound.clone()), (low, self.bind(low)?), span)?;
        let below = self.compare(BinaryOp::LtEq, (value, bound), (high, self.bind(high)?), span)?;
        Ok(negate(negated, above.expr.and(below.expr)))
    }

    pub(super) fn is_distinct(&self, negated: bool, left: &Expr, right: &Expr) -> Result<Bound> {
        let span = left.span.to(right.span);
        let (mut l, mut r) = (self.bind(left)?, self.bind(right)?);
        // Nulls are comparable here, so an untyped one takes the other's type.
        match (&l.ty, &r.ty) {
            (None, None) => (l.ty, r.ty) = (Some(SqlType::Boolean), Some(SqlType::Boolean)),
            (None, Some(ty)) => l = Bound::new(coerce::null_of(ty), ty.clone()),
            (Some(ty), None) => r = Bound::new(coerce::null_of(ty), ty.clone()),
            _ => {}
        }
        if let (ExprKind::Null, ExprKind::Null) = (&left.kind, &right.kind) {
            (l.expr, r.expr) = (coerce::null_of(&SqlType::Boolean), coerce::null_of(&SqlType::Boolean));
        }
        let (l, r, ty) = self.operands("IS DISTINCT FROM", (left, l), (right, r), false, span)?;
        let operator = if negated { Operator::IsNotDistinctFrom } else { Operator::IsDistinctFrom };
        Ok(Bound::new(comparison(l, operator, r, &ty), SqlType::Boolean))
    }

    pub(super) fn in_list(&self, negated: bool, value: &Expr, list: &[Expr]) -> Result<Bound> {
        if self.bind(value)?.ty.is_none() {
            return Err(Error::refused(Code::TypeMismatch, "NULL is in no list").hint("Use IS NULL.").at(value.span));
        }
        // A NULL in the list is equal to nothing.
        let items = list.iter().filter(|item| !matches!(item.kind, ExprKind::Null));
        let exprs: Vec<&Expr> = std::iter::once(value).chain(items).collect();
        let met = self.meet(&exprs, |i, _, ty| {
            Error::refused(Code::TypeMismatch, format!("{} cannot be compared with {ty}", self.text(exprs[i])))
                .at(exprs[i].span)
        })?;
        let Some((common, mut exprs)) = met else { return Err(Error::internal("a value without a type")) };
        let target = exprs.remove(0);
        let nested = matches!(common, SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_));
        let found = if nested || exprs.is_empty() {
            exprs
                .into_iter()
                .map(|item| comparison(target.clone(), Operator::Eq, item, &common))
                .reduce(LogicalExpr::or)
                .unwrap_or_else(|| coerce::null_of(&SqlType::Boolean))
        } else {
            LogicalExpr::InList(InList::new(Box::new(target), exprs, false))
        };
        Ok(negate(negated, LogicalExpr::IsTrue(Box::new(found))))
    }

    pub(super) fn like(&self, negated: bool, value: &Expr, pattern: &Expr, escape: Option<char>) -> Result<Bound> {
        let side = |expr: &Expr| -> Result<LogicalExpr> {
            let bound = self.bind(expr)?;
            match &bound.ty {
                None | Some(SqlType::String) => Ok(bound.widen(&SqlType::String)),
                Some(ty) => Err(Error::refused(Code::TypeMismatch, format!("LIKE needs a STRING, found {ty}"))
                    .detail(format!("the expression is {}", self.text(expr)))
                    .at(expr.span)),
            }
        };
        let (value, pattern) = (side(value)?, kernels::like::pattern(side(pattern)?, escape));
        let like = Like::new(false, Box::new(value), Box::new(pattern), None, false);
        Ok(negate(negated, LogicalExpr::Like(like)))
    }
}

fn negate(negated: bool, expr: LogicalExpr) -> Bound {
    Bound::new(if negated { LogicalExpr::Not(Box::new(expr)) } else { expr }, SqlType::Boolean)
}

/// `left op right` of two operands of one type; null with a null operand, unless the operator is one of `IS DISTINCT`.
fn comparison(left: LogicalExpr, op: Operator, right: LogicalExpr, ty: &SqlType) -> LogicalExpr {
    match ty {
        SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_) => kernels::nested::comparison(left, op, right),
        SqlType::Double | SqlType::Bytes => kernels::ordered::comparison(left, op, right),
        _ => binary_expr(left, op, right),
    }
}
