//! Expressions.

use std::cell::RefCell;

use datafusion::logical_expr::{Expr as LogicalExpr, lit};

use super::scope::Scope;
use super::tables::BoundTable;
use super::{coerce, columns, lambda, literal, text};
use crate::catalog::{Catalog, nearest};
use crate::error::{Code, Error, Result, Span};
use crate::functions::FunctionRegistry;
use crate::functions::table::TableFunction;
use crate::sql::ast::{BinaryOp, Expr, ExprKind, Ident, TypeExpr};
use crate::sql::kernels;
use crate::types::cast::can_cast;
use crate::types::{SqlType, quote_identifier};

/// A typed expression. No type: an untyped `NULL`.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The expression; its columns are fields of the scope.
    pub expr: LogicalExpr,
    /// The type of its result.
    pub ty: Option<SqlType>,
}

impl Bound {
    /// A typed expression.
    pub fn new(expr: LogicalExpr, ty: SqlType) -> Self {
        Bound { expr, ty: Some(ty) }
    }

    /// The name of the type, for errors.
    pub fn type_name(&self) -> String {
        self.ty.as_ref().map_or_else(|| "NULL".to_string(), ToString::to_string)
    }

    /// The expression widened to a type.
    pub fn widen(self, to: &SqlType) -> LogicalExpr {
        coerce::widen(self.expr, self.ty.as_ref(), to)
    }
}

/// Binds the expressions of one statement.
pub struct Binder<'a> {
    /// User types.
    pub catalog: &'a Catalog,
    /// Functions.
    pub functions: &'a FunctionRegistry,
    /// Columns.
    pub scope: &'a Scope,
    /// The parameters of the lambdas whose bodies are being bound, the innermost last.
    pub(super) lambdas: Vec<lambda::Param>,
    /// The calls of table functions so far; `None` where there may be none.
    pub(super) tables: Option<RefCell<Vec<BoundTable>>>,
}

impl<'a> Binder<'a> {
    /// A binder for one scope.
    pub fn new(catalog: &'a Catalog, functions: &'a FunctionRegistry, scope: &'a Scope) -> Self {
        Binder { catalog, functions, scope, lambdas: Vec::new(), tables: None }
    }

    /// Lets expressions call table functions.
    pub fn with_tables(mut self) -> Self {
        self.tables = Some(RefCell::default());
        self
    }

    /// The table functions that expressions called.
    pub fn into_tables(self) -> Vec<BoundTable> {
        self.tables.map(RefCell::into_inner).unwrap_or_default()
    }

    /// The canonical text of an expression in this scope.
    pub fn text(&self, expr: &Expr) -> String {
        text::expr(expr, self.scope.sources.len() > 1)
    }

    /// The text of an expression and its type, for errors.
    pub(super) fn describe(&self, expr: &Expr, bound: &Bound) -> String {
        format!("{} ({})", self.text(expr), bound.type_name())
    }

    /// Binds an expression that must have a type.
    pub fn bind_typed(&self, expr: &Expr) -> Result<(LogicalExpr, SqlType)> {
        let bound = self.bind(expr)?;
        match bound.ty {
            Some(ty) => Ok((bound.expr, ty)),
            None => Err(Error::refused(Code::UntypedNull, "the type of NULL is not known here")
                .hint("Say which type is meant, for example CAST(NULL AS STRING).")
                .at(expr.span)),
        }
    }

    /// Binds a condition: `BOOLEAN`. `what` names it in the error, for example `WHERE`.
    pub fn bind_condition(&self, expr: &Expr, what: &str) -> Result<LogicalExpr> {
        self.condition(expr, self.bind(expr)?, what)
    }

    fn condition(&self, expr: &Expr, bound: Bound, what: &str) -> Result<LogicalExpr> {
        match bound.ty {
            None | Some(SqlType::Boolean) => Ok(bound.widen(&SqlType::Boolean)),
            Some(ty) => Err(Error::refused(Code::TypeMismatch, format!("{what} needs a BOOLEAN, found {ty}"))
                .detail(format!("the expression is {}", self.text(expr)))
                .at(expr.span)),
        }
    }

    /// Binds an expression.
    pub fn bind(&self, expr: &Expr) -> Result<Bound> {
        Ok(match &expr.kind {
            ExprKind::Null => Bound { expr: lit(datafusion::common::ScalarValue::Null), ty: None },
            ExprKind::Boolean(value) => Bound::new(lit(*value), SqlType::Boolean),
            ExprKind::Integer(value) => typed(literal::integer(*value)),
            ExprKind::Decimal(digits) => typed(self.decimal(digits, expr.span)?),
            ExprKind::Double(value) => Bound::new(lit(*value), SqlType::Double),
            ExprKind::String(value) => Bound::new(lit(value.as_str()), SqlType::String),
            ExprKind::Column { source, name } => self.column(source.as_ref(), name)?,
            ExprKind::Field { base, field } => self.field(base, field)?,
            ExprKind::Subscript { base, index } => self.subscript(base, index)?,
            ExprKind::Unary { minus, expr: operand } => self.unary(*minus, operand, expr.span)?,
            ExprKind::AtTimeZone { zone, .. } => {
                let place = Span::new(expr.span.start, zone.span.end);
                return Err(Error::unsupported("AT TIME ZONE", place).hint("Use CONVERT_TZ(time, from, to)."));
            }
            ExprKind::Not(operand) => {
                Bound::new(LogicalExpr::Not(Box::new(self.bind_condition(operand, "NOT")?)), SqlType::Boolean)
            }
            ExprKind::Binary { .. } => self.binary(expr)?,
            ExprKind::Between { negated, expr: value, low, high } => self.between(*negated, value, low, high)?,
            ExprKind::InList { negated, expr: value, list } => self.in_list(*negated, value, list)?,
            ExprKind::Like { negated, expr: value, pattern, escape } => self.like(*negated, value, pattern, *escape)?,
            ExprKind::IsNull { negated, expr: value } => {
                let value = Box::new(self.bind(value)?.expr);
                let test = if *negated { LogicalExpr::IsNotNull(value) } else { LogicalExpr::IsNull(value) };
                Bound::new(test, SqlType::Boolean)
            }
            ExprKind::IsDistinct { negated, left, right } => self.is_distinct(*negated, left, right)?,
            ExprKind::Case { operand, arms, otherwise } => {
                self.case(operand.as_deref(), arms, otherwise.as_deref(), expr.span)?
            }
            ExprKind::Cast { expr: value, ty } => self.cast(value, ty, expr.span)?,
            ExprKind::Call { name, args } => self.call(name, args, expr.span)?,
            ExprKind::Star => {
                return Err(Error::refused(Code::Misplaced, "`*` can only stand in COUNT(*)").at(expr.span));
            }
            ExprKind::Unit(unit) => {
                return Err(
                    Error::refused(Code::Misplaced, format!("the time unit {unit} cannot stand here")).at(expr.span)
                );
            }
            ExprKind::Lambda { .. } => {
                return Err(Error::refused(
                    Code::Misplaced,
                    "a lambda can only be an argument of TRANSFORM, FILTER or REDUCE",
                )
                .at(expr.span));
            }
            ExprKind::Array(items) => self.array(items, expr.span)?,
            ExprKind::Map(entries) => self.map(entries, expr.span)?,
            ExprKind::Struct(fields) => self.structure(fields)?,
        })
    }

    /// A binary operator. Chains lean to the left and may be long, so the way down the left side is a loop.
    fn binary(&self, expr: &Expr) -> Result<Bound> {
        let mut chain = Vec::new();
        let mut first = expr;
        while let ExprKind::Binary { op, left, right } = &first.kind {
            chain.push((*op, left.as_ref(), right.as_ref(), first.span));
            first = left;
        }
        let mut bound = self.bind(first)?;
        for (op, left, right, span) in chain.into_iter().rev() {
            let right = (right, self.bind(right)?);
            bound = match op {
                BinaryOp::And | BinaryOp::Or => self.logic(op, (left, bound), right)?,
                BinaryOp::Eq | BinaryOp::NotEq | BinaryOp::Lt | BinaryOp::LtEq | BinaryOp::Gt | BinaryOp::GtEq => {
                    self.compare(op, (left, bound), right, span)?
                }
                BinaryOp::Concat => self.concat(bound, right.1, span)?,
                BinaryOp::Plus | BinaryOp::Minus | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo => {
                    self.arithmetic(op, (left, bound), right, span)?
                }
            };
        }
        Ok(bound)
    }

    fn logic(&self, op: BinaryOp, (left, l): (&Expr, Bound), (right, r): (&Expr, Bound)) -> Result<Bound> {
        let what = op.text();
        let (l, r) = (self.condition(left, l, what)?, self.condition(right, r, what)?);
        Ok(Bound::new(if op == BinaryOp::And { l.and(r) } else { l.or(r) }, SqlType::Boolean))
    }

    fn column(&self, source: Option<&Ident>, name: &Ident) -> Result<Bound> {
        if let (None, Some(param)) = (source, self.lambdas.iter().rev().find(|param| param.name == name.name)) {
            let field = datafusion::common::Column::new_unqualified(&param.field);
            return Ok(Bound::new(LogicalExpr::Column(field), param.ty.clone()));
        }
        let column = self.scope.resolve(source, name)?;
        let field = datafusion::common::Column::new_unqualified(&column.field);
        Ok(Bound::new(LogicalExpr::Column(field), column.ty.clone()))
    }

    fn field(&self, base: &Expr, field: &Ident) -> Result<Bound> {
        let (value, ty) = self.bind_typed(base)?;
        let SqlType::Struct(fields) = &ty else {
            return Err(Error::refused(Code::TypeMismatch, format!("`->` needs a STRUCT, found {ty}"))
                .detail(format!("the expression is {}", self.text(base)))
                .at(base.span));
        };
        let Some(position) = fields.iter().position(|(name, _)| *name == field.name) else {
            let names = || fields.iter().map(|(name, _)| name.as_str());
            let error = Error::refused(
                Code::UnknownColumn,
                format!("{} has no field {}", self.text(base), quote_identifier(&field.name)),
            )
            .at(field.span);
            return Err(match nearest(&field.name, names()) {
                Some(near) => error.hint(format!("Did you mean {}?", quote_identifier(near))),
                None => {
                    error.detail(format!("it has {}", names().map(quote_identifier).collect::<Vec<_>>().join(", ")))
                }
            });
        };
        Ok(Bound::new(kernels::access::field(value, position), fields[position].1.clone()))
    }

    fn subscript(&self, base: &Expr, index: &Expr) -> Result<Bound> {
        let (value, ty) = self.bind_typed(base)?;
        let bound = self.bind(index)?;
        match ty {
            SqlType::Array(element) => match &bound.ty {
                Some(SqlType::Integer | SqlType::Bigint) => {
                    let index = bound.widen(&SqlType::Bigint);
                    Ok(Bound::new(kernels::access::element(value, index), *element))
                }
                _ => Err(Error::refused(
                    Code::TypeMismatch,
                    format!("an array is indexed by an INTEGER, found {}", bound.type_name()),
                )
                .at(index.span)),
            },
            SqlType::Map(key, element) => match &bound.ty {
                Some(found) if coerce::widens_to(found, &key) => {
                    let index = bound.widen(&key);
                    Ok(Bound::new(kernels::access::entry(value, index), *element))
                }
                _ => Err(Error::refused(
                    Code::TypeMismatch,
                    format!("this map is indexed by a {key}, found {}", bound.type_name()),
                )
                .at(index.span)),
            },
            ty => Err(Error::refused(Code::TypeMismatch, format!("only an ARRAY or a MAP can be indexed, found {ty}"))
                .detail(format!("the expression is {}", self.text(base)))
                .at(base.span)),
        }
    }

    fn cast(&self, value: &Expr, ty: &TypeExpr, span: Span) -> Result<Bound> {
        let to = columns::resolve_type(self.catalog, ty)?;
        let bound = self.bind(value)?;
        let expr = match &bound.ty {
            None => coerce::null_of(&to),
            Some(from) if *from == to => bound.expr,
            Some(from) if can_cast(from, &to) => kernels::cast::expr(bound.expr, from, &to),
            Some(from) => {
                return Err(Error::refused(Code::InvalidCast, format!("cannot cast {from} to {to}"))
                    .detail(format!("the expression is {}", self.text(value)))
                    .at(span));
            }
        };
        Ok(Bound::new(expr, to))
    }

    fn call(&self, name: &Ident, args: &[Expr], span: Span) -> Result<Bound> {
        // Copies a key column into the value: a function to the planner, nothing to compute.
        if name.name == "AS_VALUE" {
            let [arg] = args else {
                return Err(Error::refused(
                    Code::WrongArgumentTypes,
                    format!("AS_VALUE takes one argument, found {}", args.len()),
                )
                .at(span));
            };
            return self.bind(arg);
        }
        if let Some(function) = TableFunction::named(&name.name) {
            return self.table_call(function, args, name.span);
        }
        if lambda::takes_lambda(&name.name) {
            return self.lambda_call(name, args, span);
        }
        let argument = |arg: &Expr| match &arg.kind {
            // A function takes a time unit as its name.
            ExprKind::Unit(unit) => Ok(Bound::new(lit(unit.to_string()), SqlType::String)),
            ExprKind::Star => Err(Error::refused(Code::WrongArgumentTypes, format!("{} does not take `*`", name.name))
                .detail("`*` can only stand in COUNT(*)")
                .at(arg.span)),
            _ => self.bind(arg),
        };
        let bound = args.iter().map(argument).collect::<Result<Vec<_>>>()?;
        let types: Vec<Option<SqlType>> = bound.iter().map(|bound| bound.ty.clone()).collect();
        let resolved = self.functions.resolve(&name.name, &types, name.span)?;
        let args = bound
            .into_iter()
            .zip(&resolved.arg_types)
            .map(|(bound, to)| match &bound.ty {
                Some(from) if !from.is_numeric() && from != to => kernels::cast::expr(bound.expr, from, to),
                _ => bound.widen(to),
            })
            .collect();
        Ok(Bound::new(resolved.udf.call(args), resolved.return_type))
    }

    fn decimal(&self, digits: &str, span: Span) -> Result<(LogicalExpr, SqlType)> {
        literal::decimal(digits).ok_or_else(|| {
            Error::refused(Code::InvalidLiteral, format!("a DECIMAL holds at most {} digits", coerce::MAX_PRECISION))
                .hint("Write it with an exponent to have a DOUBLE.")
                .at(span)
        })
    }

    fn unary(&self, minus: bool, operand: &Expr, span: Span) -> Result<Bound> {
        if !minus {
            return self.numeric(operand, "+");
        }
        // A literal with its sign is one number: -2147483648 is an INTEGER, though 2147483648 is not.
        match &operand.kind {
            ExprKind::Integer(value) => return Ok(typed(literal::integer(value.wrapping_neg()))),
            ExprKind::Decimal(digits) => return Ok(typed(self.decimal(&format!("-{digits}"), span)?)),
            ExprKind::Double(value) => return Ok(Bound::new(lit(-value), SqlType::Double)),
            _ => {}
        }
        let bound = self.numeric(operand, "-")?;
        Ok(Bound { expr: LogicalExpr::Negative(Box::new(bound.expr)), ty: bound.ty })
    }

    fn numeric(&self, operand: &Expr, sign: &str) -> Result<Bound> {
        let (expr, ty) = self.bind_typed(operand)?;
        if !ty.is_numeric() {
            return Err(Error::refused(Code::TypeMismatch, format!("`{sign}` needs a number, found {ty}"))
                .detail(format!("the expression is {}", self.text(operand)))
                .at(operand.span));
        }
        Ok(Bound::new(expr, ty))
    }
}

fn typed((expr, ty): (LogicalExpr, SqlType)) -> Bound {
    Bound::new(expr, ty)
}
