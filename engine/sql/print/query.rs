//! Queries: each clause on a line of its own.

use std::fmt::{self, Display, Formatter};

use super::super::ast::level::PRIMARY;
use super::super::ast::{ExprList, JoinKind, Position, Query, Relation, SelectItem, Window, WindowKind, Within};
use super::comma;
use super::expr::{Operands, at_level};

impl Display for Query {
    /// `SELECT ...`, a line for each clause.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "SELECT {}\nFROM {}", comma(&self.items), self.from)?;
        if let Some(start) = &self.start {
            write!(f, "\nSTART AT {}", start.at)?;
        }
        if let Some(until) = &self.until {
            write!(f, "\nUNTIL {}", until.at)?;
        }
        if let Some(window) = &self.window {
            write!(f, "\nWINDOW {window}")?;
        }
        if let Some(filter) = &self.filter {
            write!(f, "\nWHERE {filter}")?;
        }
        if let Some(list) = &self.group_by {
            write!(f, "\nGROUP BY {list}")?;
        }
        if let Some(list) = &self.partition_by {
            write!(f, "\nPARTITION BY {list}")?;
        }
        if let Some(having) = &self.having {
            write!(f, "\nHAVING {having}")?;
        }
        if let Some(emit) = &self.emit {
            f.write_str(if emit.is_final { "\nEMIT FINAL" } else { "\nEMIT CHANGES" })?;
        }
        match &self.limit {
            Some(limit) => write!(f, "\nLIMIT {}", limit.rows),
            None => Ok(()),
        }
    }
}

impl Display for Position {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Position::Earliest => f.write_str("EARLIEST"),
            Position::Latest => f.write_str("LATEST"),
            Position::Time(time) => write!(f, "'{}'", time.replace('\'', "''")),
            Position::Offsets(offsets) => write!(f, "OFFSETS ({})", comma(offsets)),
            Position::Group(name) => write!(f, "GROUP '{}'", name.replace('\'', "''")),
        }
    }
}

impl Display for SelectItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            SelectItem::Wildcard { source: None, .. } => f.write_str("*"),
            SelectItem::Wildcard { source: Some(source), .. } => write!(f, "{source}.*"),
            SelectItem::StructAll { base, .. } => write!(f, "{}->*", at_level(base, PRIMARY)),
            SelectItem::Expr { expr, alias: None } => expr.fmt(f),
            SelectItem::Expr { expr, alias: Some(alias) } => write!(f, "{expr} AS {alias}"),
        }
    }
}

impl Display for ExprList {
    /// The expressions of a `GROUP BY` or `PARTITION BY` clause.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.exprs.is_empty() { f.write_str("()") } else { Operands(&self.exprs).fmt(f) }
    }
}

impl Display for Relation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Relation::Source { name, alias: None, .. } => name.fmt(f),
            Relation::Source { name, alias: Some(alias), .. } => write!(f, "{name} AS {alias}"),
            Relation::Join(join) => {
                let kind = match join.kind {
                    JoinKind::Inner => "INNER JOIN",
                    JoinKind::Left => "LEFT JOIN",
                    JoinKind::Right => "RIGHT JOIN",
                    JoinKind::Full => "FULL JOIN",
                };
                write!(f, "{}\n{kind} {}", join.left, join.right)?;
                if let Some(within) = &join.within {
                    write!(f, " WITHIN {within}")?;
                }
                write!(f, " ON {}", join.on)
            }
        }
    }
}

impl Display for Within {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if (self.before.n, self.before.unit) == (self.after.n, self.after.unit) {
            self.before.fmt(f)?;
        } else {
            write!(f, "({}, {})", self.before, self.after)?;
        }
        match &self.grace {
            Some(grace) => write!(f, " GRACE PERIOD {grace}"),
            None => Ok(()),
        }
    }
}

impl Display for Window {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            WindowKind::Tumbling(size) => write!(f, "TUMBLING (SIZE {size}")?,
            WindowKind::Hopping(size, advance) => write!(f, "HOPPING (SIZE {size}, ADVANCE BY {advance}")?,
            WindowKind::Session(gap) => write!(f, "SESSION ({gap}")?,
        }
        if let Some(retention) = &self.retention {
            write!(f, ", RETENTION {retention}")?;
        }
        if let Some(grace) = &self.grace {
            write!(f, ", GRACE PERIOD {grace}")?;
        }
        f.write_str(")")
    }
}
