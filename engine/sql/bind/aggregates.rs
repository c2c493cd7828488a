//! Which calls compute over several rows.

use crate::functions::{FunctionKind, FunctionRegistry};
use crate::sql::ast::{Expr, ExprKind, Ident};

/// ksqlDB's aggregate functions, by name.
const AGGREGATES: [&str; 18] = [
    "ATTR",
    "AVG",
    "COLLECT_LIST",
    "COLLECT_SET",
    "CORRELATION",
    "COUNT",
    "COUNT_DISTINCT",
    "EARLIEST_BY_OFFSET",
    "HISTOGRAM",
    "LATEST_BY_OFFSET",
    "MAX",
    "MIN",
    "STDDEV_SAMP",
    "STDDEV_SAMPLE",
    "SUM",
    "SUM_LIST",
    "TOPK",
    "TOPKDISTINCT",
];

/// Whether a function computes over several rows.
pub fn is_aggregate(functions: &FunctionRegistry, name: &str) -> bool {
    AGGREGATES.contains(&name)
        || functions.get(name).is_some_and(|declaration| declaration.kind == FunctionKind::Aggregate)
}

/// The first call of an aggregate function in an expression, the expression itself included: its name and the call.
pub fn first_aggregate(functions: &FunctionRegistry, expr: &Expr) -> Option<(Ident, Expr)> {
    if let ExprKind::Call { name, .. } = &expr.kind
        && is_aggregate(functions, &name.name)
    {
        return Some((name.clone(), expr.clone()));
    }
    children(expr).iter().find_map(|child| first_aggregate(functions, child))
}

/// The expressions directly inside of one.
pub fn children(expr: &Expr) -> Vec<Expr> {
    let mut children = Vec::new();
    expr.clone().for_each_child_mut(&mut |child| children.push(child.clone()));
    children
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aggregate_is_found_however_deep() {
        let functions = FunctionRegistry::builtin();
        let found = |text: &str| {
            let expr = crate::sql::parse_expression(text).expect("an expression");
            first_aggregate(&functions, &expr).map(|(name, _)| name.name)
        };
        assert_eq!(found("ABS(a) + 1"), None);
        assert_eq!(found("ABS(1 + max(a))").as_deref(), Some("MAX"));
        assert_eq!(found("CASE WHEN a THEN COUNT(*) END").as_deref(), Some("COUNT"));
    }
}
