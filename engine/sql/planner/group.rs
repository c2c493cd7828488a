//! What a grouped query groups by, and whether everything it selects is the same for a whole group.
//!
//! Aggregates do not run yet. Whether a grouping could run does not depend on that, so a wrong one is refused for what is
//! wrong with it. The rules are ksqlDB's: what is selected is an aggregate, something grouped by, or computed from these.

use super::Context;
use crate::error::{Code, Error, Result, Span};
use crate::sql::ast::{Expr, ExprKind, Ident, Query, SelectItem};
use crate::sql::bind::aggregates::{children, first_aggregate, is_aggregate};
use crate::sql::bind::{Binder, Scope, columns};
use crate::types::{SqlType, quote_identifier};

/// A column of the key of a grouped query.
pub(super) struct GroupKey {
    /// Its name in the result; empty when it has none of its own.
    pub name: String,
    pub ty: SqlType,
    /// Where it is selected.
    pub span: Span,
}

/// Whether a query computes over several rows.
pub(super) fn is_grouped(context: &Context, query: &Query) -> bool {
    let aggregates = |expr: &Expr| first_aggregate(context.functions, expr).is_some();
    query.group_by.is_some()
        || query.window.is_some()
        || query.having.is_some()
        || query.items.iter().any(|item| matches!(item, SelectItem::Expr { expr, .. } if aggregates(expr)))
}

/// Says whether a grouping can be one, and what the key of its result is. `sink` is what a persistent query makes.
pub(super) fn analyze(context: &Context, query: &Query, scope: &Scope, sink: Option<&str>) -> Result<Vec<GroupKey>> {
    let grouping = Grouping::new(context, query, scope)?;
    let mut aggregates = false;
    for item in &query.items {
        if let SelectItem::Expr { expr, .. } = item {
            aggregates |= grouping.check(expr)?;
        }
    }
    if let Some(having) = &query.having {
        grouping.refuse_bounds(having)?;
        aggregates |= grouping.check(having)?;
    }
    if let (Some(group_by), false) = (&query.group_by, aggregates) {
        return Err(invalid("GROUP BY without an aggregate function".to_string(), group_by.span)
            .detail("neither the projection nor HAVING computes anything over a group")
            .hint("Select COUNT(*), for example."));
    }
    for item in &query.items {
        grouping.check_item(item)?;
    }
    if let Some(having) = &query.having
        && let Some(loose) = grouping.ungrouped(having)
    {
        return Err(invalid(format!("{} in HAVING is not grouped by", grouping.binder.text(&loose)), loose.span)
            .hint("A condition on single rows belongs into WHERE."));
    }
    if query.group_by.is_none() {
        return Err(invalid("aggregates need a GROUP BY".to_string(), query.projection_span())
            .detail("a table has a key for each of its rows")
            .hint("GROUP BY 1 makes one group of everything."));
    }
    match sink {
        Some(sink) => grouping.keys(sink),
        None => Ok(Vec::new()),
    }
}

fn invalid(text: String, span: Span) -> Error {
    Error::refused(Code::InvalidAggregation, text).at(span)
}

struct Grouping<'a> {
    context: &'a Context<'a>,
    query: &'a Query,
    binder: Binder<'a>,
    /// What is grouped by, each with its canonical text.
    by: Vec<(&'a Expr, String)>,
}

impl<'a> Grouping<'a> {
    fn new(context: &'a Context<'a>, query: &'a Query, scope: &'a Scope) -> Result<Grouping<'a>> {
        let binder = Binder::new(context.catalog, context.functions, scope);
        let mut grouping = Grouping { context, query, binder, by: Vec::new() };
        for expr in query.group_by.iter().flat_map(|by| &by.exprs) {
            if let Some((name, call)) = first_aggregate(context.functions, expr) {
                return Err(invalid(format!("GROUP BY cannot use {}, an aggregate function", name.name), call.span)
                    .detail("groups are there before anything is computed over them"));
            }
            grouping.refuse_bounds(expr)?;
            let (_, ty) = grouping.binder.bind_typed(expr)?;
            if columns::holds_map(&ty) {
                return Err(Error::refused(Code::InvalidKey, format!("a key cannot hold a MAP, found {ty}"))
                    .detail("equal maps may be written differently, so they would not meet")
                    .at(expr.span));
            }
            let text = grouping.canonical(expr);
            if grouping.by.iter().any(|(_, other)| *other == text) {
                let shown = grouping.binder.text(expr);
                return Err(Error::refused(Code::DuplicateName, format!("GROUP BY names {shown} twice")).at(expr.span));
            }
            grouping.by.push((expr, text));
        }
        Ok(grouping)
    }

    /// The text of an expression in which every column has its source.
    fn canonical(&self, expr: &Expr) -> String {
        let mut expr = expr.clone();
        self.qualify(&mut expr);
        expr.to_string()
    }

    fn qualify(&self, expr: &mut Expr) {
        if let ExprKind::Column { source: source @ None, name } = &mut expr.kind {
            let sources = &self.binder.scope.sources;
            let owner = sources.iter().find(|source| source.columns.iter().any(|column| column.name == name.name));
            *source = owner.map(|owner| Ident { name: owner.alias.clone(), quoted: true, span: name.span });
        }
        expr.for_each_child_mut(&mut |child| self.qualify(child));
    }

    fn is_by(&self, expr: &Expr) -> bool {
        let text = self.canonical(expr);
        self.by.iter().any(|(_, other)| *other == text)
    }

    /// Whether an expression is a bound of the windows that this query makes.
    fn is_bound(&self, expr: &Expr) -> bool {
        let is = |name: &str| name == "WINDOWSTART" || name == "WINDOWEND";
        self.query.window.is_some() && matches!(&expr.kind, ExprKind::Column { name, .. } if is(&name.name))
    }

    /// Refuses the bounds of windows where there are none yet.
    fn refuse_bounds(&self, expr: &Expr) -> Result<()> {
        if self.is_bound(expr) {
            let name = self.binder.text(expr);
            return Err(Error::refused(Code::InvalidWindow, format!("{name} is known in the projection only"))
                .detail("rows are put into windows after they are grouped")
                .at(expr.span));
        }
        children(expr).iter().try_for_each(|child| self.refuse_bounds(child))
    }

    /// Binds what an expression is made of, aggregates apart; gives whether there are some.
    fn check(&self, expr: &Expr) -> Result<bool> {
        if first_aggregate(self.context.functions, expr).is_none() {
            if !self.is_bound(expr) {
                self.binder.bind(expr)?;
            }
            return Ok(false);
        }
        let inner = children(expr);
        if let ExprKind::Call { name, .. } = &expr.kind
            && is_aggregate(self.context.functions, &name.name)
        {
            for arg in &inner {
                if let Some((inner, call)) = first_aggregate(self.context.functions, arg) {
                    let text = format!("{} cannot be computed over {}", name.name, inner.name);
                    return Err(invalid(text, call.span).detail("aggregates do not nest"));
                }
                self.refuse_bounds(arg)?;
                if !matches!(arg.kind, ExprKind::Star) {
                    self.binder.bind(arg)?;
                }
            }
            return Ok(true);
        }
        inner.iter().try_for_each(|child| self.check(child).map(drop))?;
        Ok(true)
    }

    /// The first part of an expression that is neither grouped by, nor inside of an aggregate, nor a constant.
    fn ungrouped(&self, expr: &Expr) -> Option<Expr> {
        if self.is_by(expr) || self.is_bound(expr) {
            return None;
        }
        match &expr.kind {
            ExprKind::Call { name, .. } if is_aggregate(self.context.functions, &name.name) => None,
            ExprKind::Column { .. } => Some(expr.clone()),
            _ => children(expr).iter().find_map(|child| self.ungrouped(child)),
        }
    }

    fn check_item(&self, item: &SelectItem) -> Result<()> {
        let loose = |text: String, span: Span| {
            Err(invalid(format!("{text} is neither an aggregate nor grouped by"), span)
                .detail("it may differ within a group")
                .hint("Add it to GROUP BY, or take it out of the projection."))
        };
        match item {
            SelectItem::Expr { expr, .. } => match self.ungrouped(expr) {
                Some(_) => loose(self.binder.text(expr), expr.span),
                None => Ok(()),
            },
            SelectItem::StructAll { base, span } => match self.ungrouped(base) {
                Some(_) => loose(self.binder.text(base), *span),
                None => Ok(()),
            },
            SelectItem::Wildcard { source, span } => {
                for from in &self.binder.scope.sources {
                    if source.as_ref().is_some_and(|source| source.name != from.alias) {
                        continue;
                    }
                    for column in &from.relation.schema.columns {
                        let ident = |name: &str| Ident { name: name.to_string(), quoted: true, span: *span };
                        let kind = ExprKind::Column { source: Some(ident(&from.alias)), name: ident(&column.name) };
                        if !self.is_by(&Expr { kind, span: *span }) {
                            return loose(quote_identifier(&column.name), *span);
                        }
                    }
                }
                Ok(())
            }
        }
    }

    /// The columns of the key, which the projection must have, each once.
    fn keys(&self, sink: &str) -> Result<Vec<GroupKey>> {
        let mut keys = Vec::with_capacity(self.by.len());
        let has_star = self.query.items.iter().any(|item| matches!(item, SelectItem::Wildcard { .. }));
        for (expr, text) in &self.by {
            let (_, ty) = self.binder.bind_typed(expr)?;
            let mut selected = self.query.items.iter().filter_map(|item| match item {
                SelectItem::Expr { expr, alias } if self.canonical(expr) == *text => Some((expr, alias, item.span())),
                _ => None,
            });
            let shown = self.binder.text(expr);
            let Some((first, alias, span)) = selected.next() else {
                if has_star {
                    continue;
                }
                return Err(Error::refused(
                    Code::MissingKey,
                    format!("{shown} of GROUP BY is missing from the projection"),
                )
                .detail(format!("it becomes a key column of {}", quote_identifier(sink)))
                .hint(format!("Write SELECT {shown}, ..."))
                .at(expr.span));
            };
            if let Some((_, _, second)) = selected.next() {
                return Err(Error::refused(
                    Code::DuplicateName,
                    format!("the key column {shown} is in the projection more than once"),
                )
                .hint(format!("Copy it into the value with AS_VALUE({shown}) AS ..."))
                .at(second));
            }
            let name = match (alias, &first.kind) {
                (Some(alias), _) => alias.name.clone(),
                (None, ExprKind::Column { name, .. } | ExprKind::Field { field: name, .. }) => name.name.clone(),
                _ => String::new(),
            };
            keys.push(GroupKey { name, ty, span });
        }
        if !has_star && keys.len() == self.query.items.len() {
            return Err(Error::refused(Code::InvalidSchema, "the projection has no value columns")
                .detail("all its columns go into the key")
                .hint("Copy a key column into the value: AS_VALUE(column) AS other_name.")
                .at(self.query.projection_span()));
        }
        Ok(keys)
    }
}
