//! Arithmetic: `+ - * / %` and the joining of texts.
//!
//! Integers wrap around and divide toward zero, as in Java. The type of a decimal result follows SQL's rules for
//! precision and scale; a decimal with a double gives a double.

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::{Expr as LogicalExpr, Operator, binary_expr, cast};

use super::coerce::{decimal, decimal_parts};
use super::expr::{Binder, Bound};
use crate::error::{Code, Error, Result, Span};
use crate::sql::ast::{BinaryOp, Expr};
use crate::sql::kernels;
use crate::types::SqlType;

impl Binder<'_> {
    pub(super) fn arithmetic(
        &self,
        op: BinaryOp,
        (left, l): (&Expr, Bound),
        (right, r): (&Expr, Bound),
        span: Span,
    ) -> Result<Bound> {
        let (Some(lt), Some(rt)) = (l.ty.clone(), r.ty.clone()) else {
            return Err(Error::refused(Code::UntypedNull, format!("`{}` with NULL is always NULL", op.text()))
                .hint("Say which type is meant, for example CAST(NULL AS INTEGER).")
                .at(span));
        };
        if op == BinaryOp::Plus && lt == SqlType::String && rt == SqlType::String {
            return Ok(join_texts(l.expr, r.expr));
        }
        if !lt.is_numeric() || !rt.is_numeric() {
            let error =
                Error::refused(Code::TypeMismatch, format!("`{}` cannot be applied to {lt} and {rt}", op.text()))
                    .detail(format!("the operands are {} and {}", self.text(left), self.text(right)))
                    .at(span);
            return Err(match lt == SqlType::String || rt == SqlType::String {
                true => error.hint("CAST one of them to the type of the other."),
                false => error,
            });
        }
        if lt == SqlType::Double || rt == SqlType::Double {
            let (l, r) = (l.widen(&SqlType::Double), r.widen(&SqlType::Double));
            return Ok(Bound::new(binary_expr(l, operator(op), r), SqlType::Double));
        }
        if matches!(lt, SqlType::Decimal(..)) || matches!(rt, SqlType::Decimal(..)) {
            return Ok(decimals(op, l, &lt, r, &rt));
        }
        let ty = if lt == SqlType::Bigint || rt == SqlType::Bigint { SqlType::Bigint } else { SqlType::Integer };
        let (l, r) = (l.widen(&ty), r.widen(&ty));
        let expr = match op {
            BinaryOp::Divide => kernels::divide::quotient(l, r),
            BinaryOp::Modulo => kernels::divide::remainder(l, r),
            _ => binary_expr(l, operator(op), r),
        };
        Ok(Bound::new(expr, ty))
    }

    /// `left || right`: the function `CONCAT` where there is one, which skips nulls; else null with a null operand.
    pub(super) fn concat(&self, l: Bound, r: Bound, span: Span) -> Result<Bound> {
        let types = [l.ty.clone(), r.ty.clone()];
        if types.iter().flatten().any(|ty| !matches!(ty, SqlType::String | SqlType::Bytes)) || l.ty != r.ty {
            return Err(Error::refused(
                Code::TypeMismatch,
                format!("`||` needs two texts, found {} and {}", l.type_name(), r.type_name()),
            )
            .hint("CAST the other operand to STRING.")
            .at(span));
        }
        match self.functions.resolve("CONCAT", &types, span) {
            Ok(concat) => Ok(Bound::new(concat.udf.call(vec![l.expr, r.expr]), concat.return_type)),
            Err(_) if l.ty == Some(SqlType::String) => Ok(join_texts(l.expr, r.expr)),
            Err(error) => Err(error),
        }
    }
}

fn join_texts(left: LogicalExpr, right: LogicalExpr) -> Bound {
    Bound::new(binary_expr(left, Operator::StringConcat, right), SqlType::String)
}

/// Arithmetic of two exact numbers of which at least one is a decimal.
fn decimals(op: BinaryOp, left: Bound, lt: &SqlType, right: Bound, rt: &SqlType) -> Bound {
    let (Some((p1, s1)), Some((p2, s2))) = (decimal_parts(lt), decimal_parts(rt)) else {
        unreachable!("callers pass exact numbers");
    };
    let result = match op {
        BinaryOp::Multiply => decimal(p1 + p2 + 1, s1 + s2),
        BinaryOp::Divide => {
            let scale = (s1 + p2 + 1).max(6);
            decimal(p1 - s1 + s2 + scale, scale)
        }
        BinaryOp::Modulo => {
            let scale = s1.max(s2);
            decimal((p1 - s1).min(p2 - s2) + scale, scale)
        }
        _ => {
            let scale = s1.max(s2);
            decimal(scale + (p1 - s1).max(p2 - s2) + 1, scale)
        }
    };
    // Arrow computes at the width of its operands, so both take the width of the result.
    let wide = matches!(result.to_arrow(), DataType::Decimal256(..)) || p1.max(p2) > 38;
    let operand = |bound: Bound, precision: u16, scale: u16| {
        let exact = bound.widen(&decimal(precision, scale));
        if wide { cast(exact, DataType::Decimal256(precision as u8, scale as i8)) } else { exact }
    };
    let (l, r) = (operand(left, p1, s1), operand(right, p2, s2));
    let expr = match op {
        BinaryOp::Divide => kernels::divide::decimal_quotient(l, r, result.to_arrow()),
        _ => binary_expr(l, operator(op), r),
    };
    Bound::new(expr, result)
}

const fn operator(op: BinaryOp) -> Operator {
    match op {
        BinaryOp::Or => Operator::Or,
        BinaryOp::And => Operator::And,
        BinaryOp::Eq => Operator::Eq,
        BinaryOp::NotEq => Operator::NotEq,
        BinaryOp::Lt => Operator::Lt,
        BinaryOp::LtEq => Operator::LtEq,
        BinaryOp::Gt => Operator::Gt,
        BinaryOp::GtEq => Operator::GtEq,
        BinaryOp::Plus => Operator::Plus,
        BinaryOp::Minus => Operator::Minus,
        BinaryOp::Multiply => Operator::Multiply,
        BinaryOp::Divide => Operator::Divide,
        BinaryOp::Modulo => Operator::Modulo,
        BinaryOp::Concat => Operator::StringConcat,
    }
}
