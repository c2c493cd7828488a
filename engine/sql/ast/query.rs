//! Queries: what is selected, from what, how it is windowed and emitted.

use super::{Expr, Ident};
use crate::error::Span;
pub use crate::plan::JoinKind;

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// What is selected.
    pub items: Vec<SelectItem>,
    /// What it is selected from.
    pub from: Relation,
    /// `START AT ...`.
    pub start: Option<TopicBound>,
    /// `UNTIL ...`.
    pub until: Option<TopicBound>,
    /// `WINDOW ...`.
    pub window: Option<Window>,
    /// `WHERE ...`.
    pub filter: Option<Expr>,
    /// `GROUP BY ...`.
    pub group_by: Option<ExprList>,
    /// `PARTITION BY ...`.
    pub partition_by: Option<ExprList>,
    /// `HAVING ...`.
    pub having: Option<Expr>,
    /// `EMIT CHANGES | FINAL`.
    pub emit: Option<Emit>,
    /// `LIMIT n`.
    pub limit: Option<Limit>,
    /// Its place.
    pub span: Span,
}

impl Query {
    /// The place of what is selected.
    pub fn projection_span(&self) -> Span {
        self.items.iter().map(SelectItem::span).reduce(Span::to).unwrap_or(self.span)
    }
}

/// Where in its topic a query starts or ends.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicBound {
    /// The place in the topic.
    pub at: Position,
    /// Its place in the text.
    pub span: Span,
}

/// A place in every partition of a topic.
#[derive(Debug, Clone, PartialEq)]
pub enum Position {
    /// `EARLIEST`: the first record.
    Earliest,
    /// `LATEST`: behind the last record.
    Latest,
    /// `'2026-01-31T12:00:00'`: the first record at or after a time.
    Time(String),
    /// `OFFSETS (n, ...)`: an offset for each partition, in their order.
    Offsets(Vec<i64>),
    /// `GROUP 'name'`: where a consumer group stood; only of `START AT`.
    Group(String),
}

/// Expressions of a `GROUP BY` or `PARTITION BY` clause.
#[derive(Debug, Clone, PartialEq)]
pub struct ExprList {
    /// The expressions.
    pub exprs: Vec<Expr>,
    /// The place of the clause.
    pub span: Span,
}

/// `LIMIT n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How many rows.
    pub rows: i64,
    /// Its place.
    pub span: Span,
}

/// `EMIT ...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emit {
    /// `FINAL` (else `CHANGES`).
    pub is_final: bool,
    /// Its place.
    pub span: Span,
}

/// One item of a select list.
#[derive(Debug, Clone, PartialEq)]
pub enum SelectItem {
    /// `*` or `source.*`.
    Wildcard {
        /// The source before the dot.
        source: Option<Ident>,
        /// Its place.
        span: Span,
    },
    /// `expr->*`: all fields of a struct.
    StructAll {
        /// The struct.
        base: Expr,
        /// Its place.
        span: Span,
    },
    /// `expr [[AS] alias]`.
    Expr {
        /// The expression.
        expr: Expr,
        /// The alias.
        alias: Option<Ident>,
    },
}

impl SelectItem {
    /// Its place, with its alias.
    pub fn span(&self) -> Span {
        match self {
            SelectItem::Wildcard { span, .. } | SelectItem::StructAll { span, .. } => *span,
            SelectItem::Expr { expr, alias: None } => expr.span,
            SelectItem::Expr { expr, alias: Some(alias) } => expr.span.to(alias.span),
        }
    }
}

/// What a query reads.
#[derive(Debug, Clone, PartialEq)]
pub enum Relation {
    /// `name [[AS] alias]`.
    Source {
        /// The stream or table.
        name: Ident,
        /// The alias.
        alias: Option<Ident>,
        /// Its place.
        span: Span,
    },
    /// `left JOIN right [WITHIN ...] ON ...`.
    Join(Box<Join>),
}

impl Relation {
    /// Its place.
    pub fn span(&self) -> Span {
        match self {
            Relation::Source { span, .. } => *span,
            Relation::Join(join) => join.span,
        }
    }
}

/// A join.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// The left side.
    pub left: Relation,
    /// The right side.
    pub right: Relation,
    /// Its kind.
    pub kind: JoinKind,
    /// `WITHIN ...`.
    pub within: Option<Within>,
    /// `ON ...`.
    pub on: Expr,
    /// Its place.
    pub span: Span,
}

/// `WITHIN n unit | (before, after) [GRACE PERIOD n unit]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Within {
    /// How much earlier the right row may be.
    pub before: Duration,
    /// How much later the right row may be.
    pub after: Duration,
    /// `GRACE PERIOD`.
    pub grace: Option<Duration>,
    /// Its place.
    pub span: Span,
}

/// `n unit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration {
    /// How many.
    pub n: i64,
    /// Of what.
    pub unit: TimeUnit,
    /// Its place.
    pub span: Span,
}

impl Duration {
    /// In milliseconds; the parser has seen that it fits.
    pub const fn millis(&self) -> i64 {
        self.n.saturating_mul(self.unit.millis())
    }
}

/// Unit of a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// `DAY | DAYS`.
    Day,
    /// `HOUR | HOURS`.
    Hour,
    /// `MINUTE | MINUTES`.
    Minute,
    /// `SECOND | SECONDS`.
    Second,
    /// `MILLISECOND | MILLISECONDS`.
    Millisecond,
}

impl TimeUnit {
    /// Milliseconds in one.
    pub const fn millis(self) -> i64 {
        match self {
            TimeUnit::Day => 86_400_000,
            TimeUnit::Hour => 3_600_000,
            TimeUnit::Minute => 60_000,
            TimeUnit::Second => 1_000,
            TimeUnit::Millisecond => 1,
        }
    }
}

/// `WINDOW ...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its kind and size.
    pub kind: WindowKind,
    /// `RETENTION n unit`.
    pub retention: Option<Duration>,
    /// `GRACE PERIOD n unit`.
    pub grace: Option<Duration>,
    /// Its place.
    pub span: Span,
}

/// Kind and size of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    /// `TUMBLING (SIZE n unit)`.
    Tumbling(Duration),
    /// `HOPPING (SIZE n unit, ADVANCE BY n unit)`.
    Hopping(Duration, Duration),
    /// `SESSION (n unit)`: the gap.
    Session(Duration),
}
