//! A windowed join of two streams.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};

use super::{CompiledExpr, SourceScan};
use crate::types::{FormatSpec, SqlType};

/// Kind of a join: which rows it gives besides those that found a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// `[INNER] JOIN`: none.
    Inner,
    /// `LEFT [OUTER] JOIN`: rows of the left side alone, the right columns null.
    Left,
    /// `RIGHT [OUTER] JOIN`: rows of the right side alone, the left columns null.
    Right,
    /// `FULL [OUTER] JOIN`: both.
    Full,
}

impl JoinKind {
    /// Whether a row of a side (0 is left) is a result when it finds no partner.
    pub const fn keeps(self, side: usize) -> bool {
        match self {
            JoinKind::Inner => false,
            JoinKind::Left => side == 0,
            JoinKind::Right => side == 1,
            JoinKind::Full => true,
        }
    }
}

impl fmt::Display for JoinKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JoinKind::Inner => "INNER",
            JoinKind::Left => "LEFT",
            JoinKind::Right => "RIGHT",
            JoinKind::Full => "FULL",
        })
    }
}

/// How far apart in event time the rows of two streams may be to meet, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinWindow {
    /// How much earlier the right row may be.
    pub before: i64,
    /// How much later the right row may be.
    pub after: i64,
    /// `GRACE PERIOD`: how long a row still waits for partners that come too late. `None`: nothing was said. Then partners are
    /// waited for as by default, and a row without one is a result of an outer join at once.
    pub grace: Option<i64>,
}

impl JoinWindow {
    /// Windows that say nothing of grace are open for a day in all, as in ksqlDB (Kafka Streams' `JoinWindows.of`).
    const DAY: i64 = 24 * 60 * 60 * 1000;

    /// How long a window waits, said or by default.
    pub fn grace_or_default(&self) -> i64 {
        self.grace.unwrap_or_else(|| (Self::DAY - self.before.saturating_mul(2)).max(0))
    }

    /// How much earlier and later a partner of a row of this side (0 is left) may be.
    pub const fn bounds(&self, side: usize) -> (i64, i64) {
        if side == 0 { (self.before, self.after) } else { (self.after, self.before) }
    }

    /// For how long behind the latest row of its side a row is kept: as long as a partner may come.
    pub fn retention(&self) -> i64 {
        self.before.saturating_add(self.after).saturating_add(self.grace_or_default())
    }
}

/// One side of a join.
#[derive(Debug, Clone)]
pub struct JoinSide {
    /// What is compared, over the columns that the scan reads.
    pub key: CompiledExpr,
    /// The name of the column that this is, or its text, whatever the source is called.
    pub compares: String,
    /// Positions of the columns of the scan that later steps read, ascending: only these are kept.
    pub keep: Vec<usize>,
    /// How its records get to where their partners are, when in its topic they are in other partitions: through a topic where
    /// they are by the join's key.
    pub repartition: Option<Repartition>,
}

/// How records get other keys before they are joined.
#[derive(Debug, Clone)]
pub struct Repartition {
    /// The source, of which only what the key needs is read.
    pub scan: SourceScan,
    /// What is compared, over the columns of this scan.
    pub key: CompiledExpr,
}

/// A join of the plan's source, on the left, with another stream.
#[derive(Debug, Clone)]
pub struct JoinPlan {
    /// The other stream.
    pub right: SourceScan,
    /// Which rows it gives.
    pub kind: JoinKind,
    /// Which rows meet.
    pub window: JoinWindow,
    /// The left side and the right one.
    pub sides: [JoinSide; 2],
    /// The type of what is compared, on both sides.
    pub key_type: SqlType,
    /// How keys are written where rows are repartitioned: as on the side that is not, so that equal keys meet.
    pub key_format: FormatSpec,
    /// Whether what was compared is a column of its own, after those of both sides.
    pub shows_key: bool,
}

impl JoinPlan {
    /// The columns behind the join: those that are kept of the left side, of the right one, and the key if it is shown.
    pub fn schema(&self, left: &SourceScan) -> SchemaRef {
        let mut fields = Vec::new();
        for (number, (scan, side)) in [left, &self.right].into_iter().zip(&self.sides).enumerate() {
            let read = scan.read_schema();
            for field in side.keep.iter().map(|at| read.field(*at)) {
                fields.push(Field::new(joined_field(number, field.name()), field.data_type().clone(), true));
            }
        }
        if self.shows_key {
            fields.push(Field::new(JOIN_KEY, self.key_type.to_arrow(), true));
        }
        Arc::new(ArrowSchema::new(fields))
    }
}

impl JoinPlan {
    /// What is kept of its rows hangs on this, as text: which records of which topics, and by what they are compared. A join
    /// that takes the place of one of another text cannot go on with what that kept.
    pub fn identity(&self, left: &SourceScan) -> String {
        let mut text = format!("{} as {}", self.key_type, self.key_format);
        for (scan, side) in [left, &self.right].into_iter().zip(&self.sides) {
            let through = if side.repartition.is_some() { "through a topic" } else { "as it is" };
            let SourceScan { topic, key_format, value_format, .. } = scan;
            text += &format!("; {topic} {through}, key {key_format}, value {value_format}, by {}", side.compares);
        }
        text
    }
}

/// The name of the field that holds what was compared.
pub const JOIN_KEY: &str = "key";

/// The name of the field of a source's column behind a join: two sources may have columns of the same name.
pub fn joined_field(source: usize, column: &str) -> String {
    format!("{source}.{column}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_without_grace_is_open_for_a_day() {
        let window = JoinWindow { before: 10_000, after: 5_000, grace: None };
        assert_eq!(window.grace_or_default(), 86_400_000 - 20_000);
        assert_eq!((window.bounds(0), window.bounds(1)), ((10_000, 5_000), (5_000, 10_000)));
        let window = JoinWindow { before: 86_400_000, after: 86_400_000, grace: None };
        assert_eq!(window.retention(), 2 * 86_400_000);
        assert_eq!(JoinWindow { grace: Some(7), ..window }.retention(), 2 * 86_400_000 + 7);
        assert!(JoinKind::Left.keeps(0) && !JoinKind::Left.keeps(1) && JoinKind::Full.keeps(1));
    }
}
