//! Calls that take lambdas: `TRANSFORM`, `FILTER`, `REDUCE`.
//!
//! A lambda's parameters are columns of their own while its body is bound; what else the body names, columns of the query
//! or parameters of a lambda around it, is captured and handed to the kernel beside the array or map.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema as ArrowSchema};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::Expr as LogicalExpr;

use super::compile;
use super::expr::{Binder, Bound};
use crate::error::{Code, Error, Result, Span};
use crate::sql::ast::{BinaryOp, Expr, ExprKind, Ident};
use crate::sql::kernels::lambda::{self, Body};
use crate::types::SqlType;
use crate::types::cast::widen;

/// A parameter of a lambda, while its body is bound.
#[derive(Debug, Clone)]
pub(super) struct Param {
    pub name: String,
    pub ty: SqlType,
    /// The name of its column; unlike any that a source has.
    pub field: String,
}

/// Functions that take lambdas.
pub(super) fn takes_lambda(name: &str) -> bool {
    matches!(name, "TRANSFORM" | "FILTER" | "REDUCE")
}

/// A lambda as written.
struct Written<'e> {
    params: &'e [Ident],
    body: &'e Expr,
    span: Span,
}

/// A bound body, not compiled yet.
struct Draft {
    expr: LogicalExpr,
    ty: SqlType,
    params: Vec<Param>,
    text: String,
    strict: bool,
}

impl Binder<'_> {
    pub(super) fn lambda_call(&self, name: &Ident, args: &[Expr], span: Span) -> Result<Bound> {
        let function = name.name.as_str();
        let wrong = || {
            let forms = match function {
                "FILTER" => "FILTER(array, x => condition) or FILTER(map, (k, v) => condition)",
                "TRANSFORM" => "TRANSFORM(array, x => element) or TRANSFORM(map, (k, v) => key, (k, v) => value)",
                _ => "REDUCE(array, state, (s, x) => next) or REDUCE(map, state, (s, k, v) => next)",
            };
            Error::refused(Code::WrongArgumentTypes, format!("{function} does not take these arguments"))
                .detail(format!("it takes {forms}"))
                .at(span)
        };
        let Some((first, rest)) = args.split_first() else { return Err(wrong()) };
        let (collection, ty) = self.bind_typed(first)?;
        let parts: Vec<SqlType> = match &ty {
            SqlType::Array(element) => vec![SqlType::clone(element)],
            SqlType::Map(key, value) => vec![SqlType::clone(key), SqlType::clone(value)],
            _ => {
                return Err(Error::refused(
                    Code::WrongArgumentTypes,
                    format!("{function} needs an ARRAY or a MAP, found {ty}"),
                )
                .detail(format!("the expression is {}", self.text(first)))
                .at(first.span));
            }
        };
        let lambdas = |args: &'_ [Expr]| -> Option<Vec<(Vec<Ident>, Expr, Span)>> {
            args.iter()
                .map(|arg| match &arg.kind {
                    ExprKind::Lambda { params, body } => Some((params.clone(), Expr::clone(body), arg.span)),
                    _ => None,
                })
                .collect()
        };
        let is_map = parts.len() == 2;
        match (function, rest.len()) {
            ("FILTER", 1) => {
                let written = lambdas(rest).ok_or_else(wrong)?;
                let draft = self.draft(&as_written(&written[0]), &parts)?;
                if draft.ty != SqlType::Boolean {
                    return Err(Error::refused(
                        Code::TypeMismatch,
                        format!("the lambda of FILTER needs a BOOLEAN, found {}", draft.ty),
                    )
                    .detail(format!("the expression is {}", draft.text))
                    .at(written[0].1.span));
                }
                let (captures, mut bodies) = self.compile(vec![draft])?;
                let body = bodies.pop().ok_or_else(wrong)?;
                Ok(Bound::new(lambda::filter(collection, captures, body), ty))
            }
            ("TRANSFORM", 1) if !is_map => {
                let written = lambdas(rest).ok_or_else(wrong)?;
                let draft = self.draft(&as_written(&written[0]), &parts)?;
                let ty = SqlType::Array(Box::new(draft.ty.clone()));
                let (captures, mut bodies) = self.compile(vec![draft])?;
                let body = bodies.pop().ok_or_else(wrong)?;
                Ok(Bound::new(lambda::transform_array(collection, captures, body), ty))
            }
            ("TRANSFORM", 2) if is_map => {
                let written = lambdas(rest).ok_or_else(wrong)?;
                let key = self.draft(&as_written(&written[0]), &parts)?;
                let value = self.draft(&as_written(&written[1]), &parts)?;
                let ty = SqlType::Map(Box::new(key.ty.clone()), Box::new(value.ty.clone()));
                let (captures, mut bodies) = self.compile(vec![key, value])?;
                let (value, key) = (bodies.pop().ok_or_else(wrong)?, bodies.pop().ok_or_else(wrong)?);
                Ok(Bound::new(lambda::transform_map(collection, captures, key, value), ty))
            }
            ("REDUCE", 2) => {
                let written = lambdas(&rest[1..]).ok_or_else(wrong)?;
                self.reduce(collection, &rest[0], &as_written(&written[0]), parts)
            }
            _ => Err(wrong()),
        }
    }

    fn reduce(&self, collection: LogicalExpr, state: &Expr, written: &Written, parts: Vec<SqlType>) -> Result<Bound> {
        let (first, state_type) = self.bind_typed(state)?;
        let first = Bound::new(first, state_type.clone());
        let mut ty = state_type;
        // The state has one type: the one that both the first state and the body's result widen to.
        loop {
            let mut types = vec![ty.clone()];
            types.extend(parts.iter().cloned());
            let draft = self.draft(written, &types)?;
            let common = widen(&ty, &draft.ty).ok_or_else(|| {
                Error::refused(
                    Code::TypeMismatch,
                    format!("the lambda of REDUCE needs a {ty}, the type of the state, found {}", draft.ty),
                )
                .detail(format!("the expression is {}", draft.text))
                .at(written.body.span)
            })?;
            if common != ty {
                ty = common;
                continue;
            }
            let body = Bound::new(draft.expr, draft.ty).widen(&ty);
            let draft = Draft { expr: body, ty: ty.clone(), ..draft };
            let (captures, mut bodies) = self.compile(vec![draft])?;
            let Some(body) = bodies.pop() else { return Err(Error::internal("a lambda without a body")) };
            return Ok(Bound::new(lambda::reduce(collection, first.widen(&ty), captures, body), ty));
        }
    }

    /// Binds a body with its parameters in sight.
    fn draft(&self, written: &Written, types: &[SqlType]) -> Result<Draft> {
        if written.params.len() != types.len() {
            let (found, wanted) = (written.params.len(), types.len());
            return Err(Error::refused(
                Code::WrongArgumentTypes,
                format!("the lambda has {found} parameters, expected {wanted}"),
            )
            .at(written.span));
        }
        let mut inner = Binder::new(self.catalog, self.functions, self.scope);
        inner.lambdas.clone_from(&self.lambdas);
        let mut params: Vec<Param> = Vec::with_capacity(types.len());
        for (name, ty) in written.params.iter().zip(types) {
            if params.iter().any(|param| param.name == name.name) {
                return Err(Error::refused(Code::DuplicateName, format!("the parameter {} is there twice", name.name))
                    .at(name.span));
            }
            let field = format!("{}=>{}", inner.lambdas.len() + params.len(), name.name);
            params.push(Param { name: name.name.clone(), ty: ty.clone(), field });
        }
        inner.lambdas.extend(params.iter().cloned());
        let (expr, ty) = inner.bind_typed(written.body)?;
        let strict = ty.is_numeric() && is_arithmetic(written.body);
        Ok(Draft { expr, ty, params, text: self.text(written.body), strict })
    }

    /// Compiles bodies over one list of columns: their parameters, then what any of them captures.
    fn compile(&self, drafts: Vec<Draft>) -> Result<(Vec<LogicalExpr>, Vec<Body>)> {
        let mut captured: Vec<String> = drafts.iter().flat_map(|draft| compile::fields_of(&draft.expr)).collect();
        captured.sort_unstable();
        captured.dedup();
        captured.retain(|field| drafts.iter().all(|draft| draft.params.iter().all(|param| param.field != *field)));
        let mut types = Vec::with_capacity(captured.len());
        for field in &captured {
            types.push(self.type_of_field(field).ok_or_else(|| Error::internal(format!("no column {field}")))?);
        }
        let mut bodies = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let params = draft.params.iter().map(|param| (&param.field, &param.ty));
            let fields: Vec<Field> = params
                .chain(captured.iter().zip(&types))
                .map(|(field, ty)| Field::new(field, ty.to_arrow(), true))
                .collect();
            let schema = Arc::new(ArrowSchema::new(fields));
            let df = Arc::new(DFSchema::try_from(ArrowSchema::clone(&schema))?);
            let expr = compile::simplify(draft.expr, &df);
            let compiled = compile::physical(&expr, &df, &draft.ty, draft.text)?;
            let Draft { ty, strict, .. } = draft;
            bodies.push(Body { physical: compiled.physical, schema, text: compiled.sql, ty, strict });
        }
        let captures = captured.into_iter().map(|field| LogicalExpr::Column(Column::new_unqualified(field)));
        Ok((captures.collect(), bodies))
    }

    fn type_of_field(&self, field: &str) -> Option<SqlType> {
        let param = self.lambdas.iter().find(|param| param.field == field).map(|param| param.ty.clone());
        let columns = || self.scope.sources.iter().flat_map(|source| &source.columns);
        param.or_else(|| columns().find(|column| column.field == field).map(|column| column.ty.clone()))
    }
}

/// Whether an expression is an operation on numbers. As in ksqlDB it fails where an operand is NULL, which a lambda must
/// know: its array is then NULL as a whole, not an array with a NULL.
fn is_arithmetic(expr: &Expr) -> bool {
    use BinaryOp::{Divide, Minus, Modulo, Multiply, Plus};
    match &expr.kind {
        ExprKind::Binary { op, .. } => matches!(op, Plus | Minus | Multiply | Divide | Modulo),
        ExprKind::Unary { expr, .. } => {
            !matches!(expr.kind, ExprKind::Integer(_) | ExprKind::Decimal(_) | ExprKind::Double(_))
        }
        _ => false,
    }
}

fn as_written((params, body, span): &(Vec<Ident>, Expr, Span)) -> Written<'_> {
    Written { params, body, span: *span }
}
