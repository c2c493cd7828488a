//! `CASE`, and the constructors of arrays, maps and structs: expressions of many parts with one type.

use datafusion::logical_expr::Case;
use datafusion::logical_expr::Expr as LogicalExpr;

use super::coerce;
use super::expr::{Binder, Bound};
use crate::error::{Code, Error, Result, Span};
use crate::sql::ast::{Expr, Ident};
use crate::sql::kernels;
use crate::types::SqlType;

impl Binder<'_> {
    pub(super) fn case(
        &self,
        operand: Option<&Expr>,
        arms: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
        span: Span,
    ) -> Result<Bound> {
        let mut whens = Vec::with_capacity(arms.len());
        let operand = match operand {
            None => {
                for (when, _) in arms {
                    whens.push(self.bind_condition(when, "WHEN")?);
                }
                None
            }
            Some(operand) => Some(self.case_operand(operand, arms, &mut whens)?),
        };
        let mut results = Vec::with_capacity(arms.len() + 1);
        let exprs: Vec<&Expr> = arms.iter().map(|(_, then)| then).chain(otherwise).collect();
        for then in &exprs {
            results.push(self.bind(then)?);
        }
        let ty = coerce::common_type_of(results.iter().map(|result| result.ty.as_ref()), |i| {
            Error::refused(Code::TypeMismatch, "the results of a CASE must have one type").at(exprs[i].span)
        })?;
        let Some(ty) = ty else {
            return Err(Error::refused(Code::UntypedNull, "all results of this CASE are NULL")
                .hint("Give one of them a type, for example CAST(NULL AS STRING).")
                .at(span));
        };
        let mut results = results.into_iter().map(|result| Box::new(result.widen(&ty)));
        let arms = whens.into_iter().map(Box::new).zip(results.by_ref().take(arms.len())).collect();
        let case = Case::new(operand.map(Box::new), arms, results.next());
        Ok(Bound::new(LogicalExpr::Case(case), ty))
    }

    /// The operand of a simple `CASE` and the values it is compared with, in one type.
    fn case_operand(&self, operand: &Expr, arms: &[(Expr, Expr)], whens: &mut Vec<LogicalExpr>) -> Result<LogicalExpr> {
        let value = self.bind(operand)?;
        let bound = arms.iter().map(|(when, _)| self.bind(when)).collect::<Result<Vec<_>>>()?;
        let types = std::iter::once(value.ty.as_ref()).chain(bound.iter().map(|bound| bound.ty.as_ref()));
        let common = coerce::common_type_of(types, |i| {
            Error::refused(Code::TypeMismatch, "WHEN must have the type of the CASE")
                .at(arms[i.saturating_sub(1)].0.span)
        })?;
        let Some(common) = common else {
            return Err(Error::refused(Code::UntypedNull, "a comparison with NULL is never true").at(operand.span));
        };
        whens.extend(bound.into_iter().map(|bound| bound.widen(&common)));
        Ok(value.widen(&common))
    }

    pub(super) fn array(&self, items: &[Expr], span: Span) -> Result<Bound> {
        let exprs: Vec<&Expr> = items.iter().collect();
        let met = self.meet(&exprs, |i, _, _| {
            Error::refused(Code::TypeMismatch, "the elements of an array must have one type").at(items[i].span)
        })?;
        let Some((ty, items)) = met else {
            return Err(Error::refused(Code::UntypedNull, "the type of this array is not known")
                .detail(if items.is_empty() { "it is empty" } else { "all elements are NULL" })
                .hint("CAST one element to a type.")
                .at(span));
        };
        let ty = SqlType::Array(Box::new(ty));
        Ok(Bound::new(kernels::construct::array(items, &ty), ty))
    }

    pub(super) fn map(&self, entries: &[(Expr, Expr)], span: Span) -> Result<Bound> {
        let (keys, values): (Vec<&Expr>, Vec<&Expr>) = entries.iter().map(|(key, value)| (key, value)).unzip();
        let keys = self.meet(&keys, |i, _, _| {
            Error::refused(Code::TypeMismatch, "the keys of a map must have one type").at(entries[i].0.span)
        })?;
        let values = self.meet(&values, |i, _, _| {
            Error::refused(Code::TypeMismatch, "the values of a map must have one type").at(entries[i].1.span)
        })?;
        let (Some((key_type, keys)), Some((value_type, values))) = (keys, values) else {
            return Err(Error::refused(Code::UntypedNull, "the type of this map is not known")
                .detail(if entries.is_empty() { "it is empty" } else { "all keys or all values are NULL" })
                .hint("CAST one of them to a type.")
                .at(span));
        };
        let parts = keys.into_iter().zip(values).flat_map(|(key, value)| [key, value]).collect();
        let ty = SqlType::Map(Box::new(key_type), Box::new(value_type));
        Ok(Bound::new(kernels::construct::map(parts, &ty), ty))
    }

    pub(super) fn structure(&self, fields: &[(Ident, Expr)]) -> Result<Bound> {
        let mut types = Vec::with_capacity(fields.len());
        let mut values = Vec::with_capacity(fields.len());
        for (i, (name, value)) in fields.iter().enumerate() {
            if fields[..i].iter().any(|(earlier, _)| earlier.name == name.name) {
                return Err(Error::refused(Code::DuplicateName, format!("the field {} is given twice", name.name))
                    .at(name.span));
            }
            let (expr, ty) = self.bind_typed(value)?;
            values.push(expr);
            types.push((name.name.clone(), ty));
        }
        let ty = SqlType::Struct(types);
        Ok(Bound::new(kernels::construct::structure(values, &ty), ty))
    }
}
