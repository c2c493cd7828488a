//! Logical to physical: constants folded, columns found in the batch.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, cast};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::create_physical_expr;

use crate::error::Result;
use crate::functions::row_errors;
use crate::plan::CompiledExpr;
use crate::sql::kernels;
use crate::types::SqlType;

/// Folds the constants of an expression and applies DataFusion's rewrites. The type does not change.
///
/// A constant that cannot be computed stays as it is, so that every row reports it.
pub fn simplify(expr: Expr, schema: &DFSchemaRef) -> Expr {
    let context = SimplifyContext::builder().with_schema(Arc::clone(schema)).build();
    let (simplified, failed) = row_errors::with_sink(1, || ExprSimplifier::new(context).simplify(expr.clone()));
    match simplified {
        Ok(simplified) if failed.is_empty() => simplified,
        _ => expr,
    }
}

/// The names of the fields an expression reads.
pub fn fields_of(expr: &Expr) -> HashSet<String> {
    expr.column_refs().into_iter().map(|column| column.name.clone()).collect()
}

/// Makes a simplified expression executable over batches of a schema that has at least the fields it reads.
pub fn physical(expr: &Expr, schema: &DFSchema, ty: &SqlType, sql: String) -> Result<CompiledExpr> {
    let (props, context) = (ExecutionProps::new(), PhysicalPlanningContext::default());
    let mut physical = create_physical_expr(expr, schema, &props, &context)?;
    // A function of DataFusion may answer in a type of the same family, for example a view of text.
    if physical.data_type(schema.as_arrow())? != ty.to_arrow() {
        physical = create_physical_expr(&cast(expr.clone(), ty.to_arrow()), schema, &props, &context)?;
    }
    Ok(CompiledExpr { physical, sql, ty: ty.clone(), lazy: is_lazy(expr)?, absorbs: absorbs(expr)? })
}

/// Whether an expression has parts that count for some rows only.
fn is_lazy(expr: &Expr) -> Result<bool> {
    Ok(expr.exists(|part| {
        Ok(match part {
            Expr::Case(_) => true,
            Expr::BinaryExpr(binary) => matches!(binary.op, Operator::And | Operator::Or),
            Expr::ScalarFunction(call) => call.func.short_circuits(),
            _ => false,
        })
    })?)
}

/// Whether an expression has a part whose failure ends there; see [`CompiledExpr::absorbs`].
fn absorbs(expr: &Expr) -> Result<bool> {
    let is_function =
        |expr: &Expr| matches!(expr, Expr::ScalarFunction(call) if kernels::is_function(call.func.name()));
    Ok(expr.exists(|part| {
        Ok(match part {
            Expr::ScalarFunction(call) => {
                let name = call.func.name();
                kernels::absorbs(name) || kernels::is_function(name) && call.args.iter().any(is_function)
            }
            _ => false,
        })
    })?)
}

/// A condition whose null counts as false anyway: drops `IS TRUE` where it only turns a null into false.
pub fn without_is_true(expr: Expr) -> Expr {
    match expr {
        Expr::IsTrue(inner) => without_is_true(*inner),
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            Expr::BinaryExpr(BinaryExpr {
                left: Box::new(without_is_true(*left)),
                op,
                right: Box::new(without_is_true(*right)),
            })
        }
        other => other,
    }
}
