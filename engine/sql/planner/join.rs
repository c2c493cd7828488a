//! What a `FROM` clause joins: sources by name, conditions by what they compare, and the key that the result has.
//!
//! Two streams are joined; joins with tables and of several sources do not run yet. Whether one could run does not depend on
//! that, so a wrong join is refused for what is wrong with it. The rules are ksqlDB's: a condition is one equality between
//! one side each; streams meet within a window; a table is joined on its primary key, from the right, or on a foreign key as
//! the first step.

use datafusion::logical_expr::Expr as LogicalExpr;

use super::Context;
use crate::catalog::{Relation, RelationKind};
use crate::error::{Code, Error, Result, Span};
use crate::plan::JOIN_KEY;
use crate::sql::ast::{self, BinaryOp, Expr, ExprKind, Ident, Join, JoinKind, Within};
use crate::sql::bind::coerce::common_type;
use crate::sql::bind::scope::ScopeColumn;
use crate::sql::bind::{Binder, Scope, columns};
use crate::types::{ColumnKind, FormatName, SourceWindow, SqlType, quote_identifier};

/// The key of a join whose key is no column of a source; with a number behind it where a source has a column of that name.
const ROWKEY: &str = "ROWKEY";

/// A join that could run.
pub(super) struct Joined {
    /// All sources, in the order in which they are joined.
    pub scope: Scope,
    /// Stream or table.
    pub kind: RelationKind,
    /// The columns that may be the key of the result, each as its alias and name; the projection must have one of them.
    /// None: the key is a column of its own.
    pub keys: Vec<(String, String)>,
    /// The name of the column that is the key then.
    pub key_name: String,
    /// Whether the key is that of the left table, with all its columns, as for a join on a foreign key.
    pub of_left: bool,
    /// What is done, one source after the other.
    pub steps: Vec<Step>,
    pub span: Span,
}

/// One more source.
pub(super) struct Step {
    pub kind: JoinKind,
    pub within: Option<Within>,
    /// What is compared, of a source before it and of its own.
    pub sides: [Compared; 2],
}

impl Step {
    /// Whether one of its sides is this.
    fn compares(&self, sql: &str) -> bool {
        self.sides.iter().any(|side| side.sql == sql)
    }
}

/// What is compared.
#[derive(Clone)]
pub(super) struct Compared {
    pub expr: LogicalExpr,
    pub ty: SqlType,
    pub sql: String,
    /// The column it is, if it is one.
    pub column: Option<String>,
}

/// One side of a condition.
struct Side<'a> {
    expr: &'a Expr,
    ty: SqlType,
    source: usize,
    column: Option<String>,
    compared: Compared,
}

/// Resolves a join and says whether it can be one.
pub(super) fn analyze(context: &Context, join: &Join) -> Result<Joined> {
    let mut steps = Vec::new();
    let (first, alias) = flatten(join, &mut steps)?;
    let relation = |name: &Ident| context.catalog.relation(&name.name, name.span).cloned();
    let mut scope = Scope::single(relation(first)?, alias);
    for step in &steps {
        let ast::Relation::Source { name, alias, span } = &step.right else {
            return Err(Error::unsupported("a join in parentheses", step.right.span()));
        };
        let right = relation(name)?;
        if scope.sources.iter().any(|source| source.relation.name == right.name) {
            let name = quote_identifier(&right.name);
            return Err(invalid(format!("{name} cannot be joined to itself"), *span)
                .hint("Make a second stream or table over the same topic, and join that."));
        }
        scope.join(right, alias.as_ref());
    }
    if let Some(source) = scope.sources.iter().find(|source| source.relation.value_format.name == FormatName::Kafka) {
        let name = quote_identifier(&source.relation.name);
        return Err(Error::refused(Code::UnsupportedFormatType, "the value format KAFKA has no joins".to_string())
            .detail(format!("the values of {name} are in it"))
            .hint(format!("Make a stream of {name} in another format, and join that."))
            .at(join.span));
    }
    let mut kind = scope.sources[0].relation.kind;
    let (mut keys, mut of_left, mut key_type) = (Vec::new(), false, SqlType::String);
    let mut done = Vec::with_capacity(steps.len());
    for (at, step) in steps.iter().enumerate() {
        let right = at + 1;
        let (left_side, right_side) = condition(context, &scope, right, step)?;
        of_left = kinds(&scope, kind, &left_side, &right_side, step, at > 0)?;
        windows(&scope, &left_side, &right_side, step)?;
        if scope.sources[right].relation.kind == RelationKind::Stream {
            kind = RelationKind::Stream;
        }
        let compared_before = |side: &Side| done.iter().any(|step: &Step| step.compares(&side.compared.sql));
        let same = compared_before(&left_side);
        keys = if of_left { Vec::new() } else { key_columns(&scope, keys, same, &left_side, &right_side, step.kind) };
        key_type = common_type(&left_side.ty, &right_side.ty).unwrap_or(left_side.ty);
        let sides = [left_side.compared, right_side.compared];
        done.push(Step { kind: step.kind, within: step.within, sides });
    }
    let taken = |name: &str| scope.sources.iter().flat_map(|source| &source.columns).any(|column| column.name == name);
    let names = std::iter::once(ROWKEY.to_string()).chain((1..).map(|number| format!("{ROWKEY}_{number}")));
    let key_name = names.into_iter().find(|name| !taken(name)).unwrap_or_default();
    if keys.is_empty() && !of_left {
        // What is compared is no column, or may be missing on both sides: the key is a column of its own.
        let column = ScopeColumn { name: key_name.clone(), ty: key_type, field: JOIN_KEY.to_string(), pseudo: true };
        scope.sources[0].columns.push(column);
    }
    Ok(Joined { scope, kind, keys, key_name, of_left, steps: done, span: join.span })
}

fn invalid(text: String, span: Span) -> Error {
    Error::refused(Code::InvalidJoin, text).at(span)
}

/// The first source, and the steps that join one more each.
fn flatten<'a>(join: &'a Join, steps: &mut Vec<&'a Join>) -> Result<(&'a Ident, Option<&'a Ident>)> {
    let first = match &join.left {
        ast::Relation::Source { name, alias, .. } => (name, alias.as_ref()),
        ast::Relation::Join(inner) => flatten(inner, steps)?,
    };
    steps.push(join);
    Ok(first)
}

/// The two sides of a condition: that of the sources so far, that of the one that is joined.
fn condition<'a>(context: &Context, scope: &Scope, right: usize, step: &'a Join) -> Result<(Side<'a>, Side<'a>)> {
    let ExprKind::Binary { op, left, right: other } = &step.on.kind else {
        return Err(invalid("ON needs a comparison".to_string(), step.on.span).hint("Write ON a.x = b.y."));
    };
    match op {
        BinaryOp::Eq => {}
        BinaryOp::And | BinaryOp::Or => {
            return Err(invalid("ON takes one comparison".to_string(), step.on.span)
                .detail("sources are joined on one value of each")
                .hint("Compare one of them, and the others in WHERE."));
        }
        _ => {
            return Err(invalid("sources are joined by equality".to_string(), step.on.span).hint("Write ON a.x = b.y."));
        }
    }
    // Sources that are joined later are not there yet.
    let seen = Scope { sources: scope.sources[..=right].to_vec() };
    let binder = Binder::new(context.catalog, context.functions, &seen);
    let side = |expr: &'a Expr| -> Result<Side<'a>> {
        let (bound, ty) = binder.bind_typed(expr)?;
        let mut sources = Vec::new();
        sources_of(&seen, expr, &mut sources)?;
        let [source] = sources[..] else {
            let found = if sources.is_empty() { "none" } else { "several" };
            return Err(invalid("each side of ON reads the columns of one source".to_string(), expr.span)
                .detail(format!("{} reads those of {found}", binder.text(expr))));
        };
        if columns::holds_map(&ty) {
            return Err(Error::refused(Code::InvalidKey, format!("a key cannot hold a MAP, found {ty}"))
                .detail("the result of a join has what is compared as its key")
                .at(expr.span));
        }
        let column = match &expr.kind {
            ExprKind::Column { name, .. } => Some(name.name.clone()),
            _ => None,
        };
        let sql = binder.text(expr);
        let compared = Compared { expr: bound, ty: ty.clone(), sql, column: column.clone() };
        Ok(Side { expr, ty, source, column, compared })
    };
    let (a, b) = (side(left)?, side(other)?);
    let name = |side: &Side| quote_identifier(&seen.sources[side.source].alias);
    if a.source == b.source {
        return Err(invalid("ON compares a source with itself".to_string(), step.on.span)
            .detail(format!("both sides are about {}", name(&a))));
    }
    let (l, r) = if a.source == right { (b, a) } else { (a, b) };
    if r.source != right {
        let joined = quote_identifier(&seen.sources[right].alias);
        return Err(invalid(format!("ON leaves out {joined}, which it joins"), step.on.span).detail(format!(
            "it compares {} with {}",
            name(&l),
            name(&r)
        )));
    }
    if common_type(&l.ty, &r.ty).is_none() || (l.ty != r.ty && !(l.ty.is_numeric() && r.ty.is_numeric())) {
        return Err(invalid("the sides of ON have different types".to_string(), step.on.span)
            .detail(format!("{} is {}, {} is {}", binder.text(l.expr), l.ty, binder.text(r.expr), r.ty))
            .hint("CAST one of them to the type of the other."));
    }
    Ok((l, r))
}

/// Which sources an expression reads.
fn sources_of(scope: &Scope, expr: &Expr, found: &mut Vec<usize>) -> Result<()> {
    if let ExprKind::Column { source, name } = &expr.kind {
        // A parameter of a lambda is no column; binding has refused what is neither.
        let owner = match source {
            Some(source) => Some(scope.source(source)?.alias.clone()),
            None => scope
                .sources
                .iter()
                .find(|source| source.columns.iter().any(|column| column.name == name.name))
                .map(|source| source.alias.clone()),
        };
        let at = owner.and_then(|owner| scope.sources.iter().position(|source| source.alias == owner));
        if let Some(at) = at.filter(|at| !found.contains(at)) {
            found.push(at);
        }
    }
    let mut failed = Ok(());
    let mut expr = expr.clone();
    expr.for_each_child_mut(&mut |child| {
        if failed.is_ok() {
            failed = sources_of(scope, child, found);
        }
    });
    failed
}

/// Whether these kinds of sources can be joined this way; gives whether it is a join on a foreign key.
fn kinds(
    scope: &Scope,
    left_kind: RelationKind,
    left: &Side,
    right: &Side,
    step: &Join,
    follows: bool,
) -> Result<bool> {
    use RelationKind::{Stream, Table};
    let (l, r) = (&scope.sources[left.source].relation, &scope.sources[right.source].relation);
    let within = |what: &str| match &step.within {
        Some(within) => Err(invalid(format!("WITHIN is for two streams, not for {what}"), within.span)
            .detail("a table has one row a key at any time")),
        None => Ok(()),
    };
    match (left_kind, r.kind) {
        (Stream, Stream) => match step.within {
            Some(_) => Ok(false),
            None => Err(invalid("two streams are joined WITHIN a time".to_string(), step.right.span())
                .hint("Write JOIN b WITHIN 10 SECONDS ON ...")),
        },
        (Stream, Table) => {
            within("a stream and a table")?;
            if matches!(step.kind, JoinKind::Right | JoinKind::Full) {
                return Err(invalid(format!("a stream and a table have no {} join", step.kind), step.right.span())
                    .detail("a row of the table alone makes no row of the stream"));
            }
            if !is_primary_key(r, right) {
                return Err(not_the_key(r, right, step));
            }
            Ok(false)
        }
        (Table, Stream) => Err(invalid("a table is on the right of a stream".to_string(), step.right.span())
            .detail(format!("{} is a table, {} is a stream", quote_identifier(&l.name), quote_identifier(&r.name)))
            .hint("Write the stream first: FROM stream JOIN table ON ...")),
        (Table, Table) => {
            within("two tables")?;
            if !is_primary_key(r, right) {
                return Err(not_the_key(r, right, step));
            }
            if is_primary_key(l, left) {
                return Ok(false);
            }
            if follows {
                return Err(invalid(
                    "a join on a foreign key is the first step of its query".to_string(),
                    step.on.span,
                )
                .detail(format!("{} is not the primary key of {}", left.expr, quote_identifier(&l.name)))
                .hint("Make a table of the joins before it, and join that."));
            }
            if matches!(step.kind, JoinKind::Right | JoinKind::Full) {
                return Err(invalid(format!("a foreign key has no {} join", step.kind), step.right.span())
                    .detail(format!("{} is not the primary key of {}", left.expr, quote_identifier(&l.name))));
            }
            if l.window.is_some() || r.window.is_some() {
                return Err(invalid("windowed tables have no foreign keys".to_string(), step.on.span));
            }
            Ok(true)
        }
    }
}

fn is_primary_key(relation: &Relation, side: &Side) -> bool {
    let mut keys = relation.schema.key_columns();
    matches!((keys.next(), keys.next()), (Some(only), None) if Some(&only.name) == side.column.as_ref())
}

fn not_the_key(relation: &Relation, side: &Side, step: &Join) -> Error {
    let keys: Vec<String> = relation.schema.key_columns().map(|key| quote_identifier(&key.name)).collect();
    let name = quote_identifier(&relation.name);
    invalid(format!("table {name} is joined on its primary key"), step.on.span).detail(format!(
        "that is {}, found {}",
        keys.join(", "),
        side.expr
    ))
}

/// Whether the windows in the keys of the sources meet.
fn windows(scope: &Scope, left: &Side, right: &Side, step: &Join) -> Result<()> {
    let (l, r) = (&scope.sources[left.source].relation, &scope.sources[right.source].relation);
    let is_session = |window: SourceWindow| window == SourceWindow::Session;
    match (l.window, r.window) {
        (None, None) => return Ok(()),
        (Some(a), Some(b)) if is_session(a) == is_session(b) => {}
        (Some(_), Some(_)) => {
            return Err(invalid("sessions are joined with sessions only".to_string(), step.right.span())
                .detail("the windows of the two sources never have the same bounds"));
        }
        (a, _) => {
            let (with, without) = if a.is_some() { (l, r) } else { (r, l) };
            return Err(invalid("a windowed source is joined with windowed ones only".to_string(), step.right.span())
                .detail(format!(
                    "{} has windows in its keys, {} has none",
                    quote_identifier(&with.name),
                    quote_identifier(&without.name)
                )));
        }
    }
    // Another key would lose the window.
    for (relation, side) in [(l, left), (r, right)] {
        if !is_primary_key(relation, side) {
            return Err(invalid("a windowed source is joined on its key".to_string(), side.expr.span).detail(format!(
                "{} is not the key of {}",
                side.expr,
                quote_identifier(&relation.name)
            )));
        }
    }
    Ok(())
}

/// The columns that are the key of the result after one more step.
fn key_columns(
    scope: &Scope,
    so_far: Vec<(String, String)>,
    compared_before: bool,
    left: &Side,
    right: &Side,
    kind: JoinKind,
) -> Vec<(String, String)> {
    if kind == JoinKind::Full {
        return Vec::new();
    }
    let column = |side: &Side| side.column.clone().map(|name| (scope.sources[side.source].alias.clone(), name));
    // What was equal to the left side before stays so.
    let mut keys = if compared_before { so_far } else { column(left).into_iter().collect() };
    keys.extend(column(right));
    keys
}

/// Refuses a projection without the key of a join.
pub(super) fn check_key(joined: &Joined, query: &ast::Query, sink: &str) -> Result<()> {
    let span = query.projection_span();
    let selected = |alias: &str, column: &str| {
        query.items.iter().any(|item| match item {
            ast::SelectItem::Wildcard { source, .. } => source.as_ref().is_none_or(|source| source.name == alias),
            ast::SelectItem::StructAll { .. } => false,
            ast::SelectItem::Expr { expr, .. } => match &expr.kind {
                ExprKind::Column { source: Some(source), name } => source.name == alias && name.name == column,
                ExprKind::Column { source: None, name } => name.name == column,
                _ => false,
            },
        })
    };
    let missing = |what: String, hint: String| {
        Err(Error::refused(Code::MissingKey, format!("{what} is missing from the projection"))
            .detail(format!("it becomes the key of {}", quote_identifier(sink)))
            .hint(format!("Write SELECT {hint}, ..."))
            .at(span))
    };
    if joined.of_left {
        let left = &joined.scope.sources[0];
        for key in left.relation.schema.columns.iter().filter(|column| column.kind == ColumnKind::Key) {
            let written = query.items.iter().filter(|item| is_column(item, &left.alias, &key.name)).collect::<Vec<_>>();
            let name = format!("{}.{}", quote_identifier(&left.alias), quote_identifier(&key.name));
            if let [_, second, ..] = written[..] {
                let text = format!("the key column {name} is selected twice");
                return Err(Error::refused(Code::DuplicateName, text)
                    .hint(format!("Copy it into the value with AS_VALUE({name}) AS ..."))
                    .at(second.span()));
            }
            if !selected(&left.alias, &key.name) {
                return missing(format!("the primary key {name}"), name);
            }
        }
        return Ok(());
    }
    if joined.keys.is_empty() {
        // `*` has it; by name it stands alone.
        let all = query.items.iter().any(|item| matches!(item, ast::SelectItem::Wildcard { source: None, .. }));
        let name = &joined.key_name;
        if !all && !selected("", name) {
            return missing(name.clone(), name.clone()).map_err(|error: Error| {
                error.detail("what is compared is no column of either source, so the key has its own")
            });
        }
        return Ok(());
    }
    if joined.keys.iter().any(|(alias, column)| selected(alias, column)) {
        return Ok(());
    }
    let names: Vec<String> = joined
        .keys
        .iter()
        .map(|(alias, column)| format!("{}.{}", quote_identifier(alias), quote_identifier(column)))
        .collect();
    missing(names.join(" or "), names[0].clone())
}

fn is_column(item: &ast::SelectItem, alias: &str, column: &str) -> bool {
    match item {
        ast::SelectItem::Expr { expr, .. } => match &expr.kind {
            ExprKind::Column { source, name } => {
                name.name == column && source.as_ref().is_none_or(|source| source.name == alias)
            }
            _ => false,
        },
        _ => false,
    }
}
