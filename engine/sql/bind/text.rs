//! Canonical text of expressions in a scope: equal texts over equal inputs mean equal results.

use crate::sql::ast::{Expr, ExprKind};

/// The text of an expression. Columns keep the source they were written with only where there are several, so that
/// `c.speed` and `speed` are one text over one source.
pub fn expr(expr: &Expr, several_sources: bool) -> String {
    if several_sources {
        return expr.to_string();
    }
    let mut bare = expr.clone();
    drop_sources(&mut bare);
    bare.to_string()
}

fn drop_sources(expr: &mut Expr) {
    if let ExprKind::Column { source, .. } = &mut expr.kind {
        *source = None;
    }
    expr.for_each_child_mut(&mut drop_sources);
}
