//! What to run, as a printable value.
//!
//! The planner makes a [`QueryPlan`] from a statement; the topology runs it. `EXPLAIN` prints the plan itself, so
//! what is shown is what runs. A plan holds compiled expressions but no state, no thread and no connection.
//!
//! - [`scan`]: what is read, and which of its columns
//! - [`join`]: what is joined with it
//! - [`expr`]: expressions, compiled, with their canonical text
//! - [`explain`]: the plan as a tree

pub mod explain;
pub mod expr;
pub mod join;
pub mod scan;

pub use expr::CompiledExpr;
pub use join::{JOIN_KEY, JoinKind, JoinPlan, JoinSide, JoinWindow, Repartition, joined_field};
pub use scan::{PSEUDO_COLUMNS, SourceScan, WINDOW_COLUMNS};

use crate::functions::table::TableFunction;
use crate::types::{ColumnKind, FormatSpec, Schema, SourceWindow, TimestampSpec, TopicSpec};

/// A query, ready to run.
#[derive(Debug, Clone)]
pub struct QueryPlan {
    /// Unique among running queries; derived from the sink's name, so that it survives edits around it.
    pub query_id: String,
    /// Where its rows go.
    pub kind: QueryKind,
    /// What it reads; the left side of a join.
    pub source: SourceScan,
    /// The join whose rows the steps start from; `None` when they start from those of the source.
    pub join: Option<JoinPlan>,
    /// What it does, in order. The rows after the last step have the columns of `output`.
    pub steps: Vec<Step>,
    /// The new keys of its rows (`PARTITION BY`): for each key column whether it comes of the value, so that a tombstone has
    /// none. `None` when rows keep the keys of their records; a record without a key leaves none then.
    pub rekeyed: Option<Vec<bool>>,
    /// The columns of its result; those of a sink, in the sink's order, for a persistent query.
    pub output: Schema,
    /// What becomes of a record that it cannot process.
    pub on_error: OnError,
}

/// What becomes of a record that cannot be read, computed or written. It is reported in any case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OnError {
    /// As in ksqlDB: a record that cannot be read is left out, an expression that fails makes its column null, one that
    /// fails in `WHERE` drops its row.
    #[default]
    Skip,
    /// The query stops before the record.
    Fail,
    /// Nothing of the record is written; the record itself goes to a topic, with headers that say why.
    DeadLetter(TopicSpec),
}

/// Where the rows of a query go.
#[derive(Debug, Clone)]
pub enum QueryKind {
    /// Into a topic, for as long as the query is not terminated.
    Persistent(SinkSpec),
    /// To whoever asked, until `LIMIT` rows were sent.
    Push {
        /// `LIMIT`.
        limit: Option<u64>,
    },
}

/// The topic a persistent query writes.
#[derive(Debug, Clone)]
pub struct SinkSpec {
    /// The stream or table that stands for the topic.
    pub relation: String,
    /// The topic. Partitions and replicas that are not given are those of the source's topic.
    pub topic: TopicSpec,
    /// Format of keys.
    pub key_format: FormatSpec,
    /// Format of values.
    pub value_format: FormatSpec,
    /// Columns, keys and values told apart by their kind.
    pub schema: Schema,
    /// The column whose value becomes the time of the record; the input's time when there is none.
    pub timestamp: Option<TimestampSpec>,
    /// The windows in its keys: those of the source, which is windowed too.
    pub window: Option<SourceWindow>,
}

/// One step of a query.
#[derive(Debug, Clone)]
pub enum Step {
    /// Keeps the rows for which a predicate is true.
    Filter {
        /// A `BOOLEAN` expression; null is not true.
        predicate: CompiledExpr,
        /// Positions of the columns that later steps read, ascending: only these are kept.
        keep: Vec<usize>,
    },
    /// Repeats each row for the values of table functions, whose columns follow those that are kept.
    Explode {
        /// The functions.
        calls: Vec<TableCall>,
        /// Positions of the columns that later steps read, ascending: only these are repeated.
        keep: Vec<usize>,
    },
    /// Computes the columns of the result.
    Project(Vec<(String, CompiledExpr)>),
}

/// A call of a table function.
#[derive(Debug, Clone)]
pub struct TableCall {
    /// The function.
    pub function: TableFunction,
    /// Its argument.
    pub argument: CompiledExpr,
    /// The name of the column of its values.
    pub name: String,
}

impl QueryPlan {
    /// All that it reads, the left side of a join first.
    pub fn scans(&self) -> impl Iterator<Item = &SourceScan> {
        std::iter::once(&self.source).chain(self.join.as_ref().map(|join| &join.right))
    }

    /// The topics of all that it reads, each once.
    pub fn topics(&self) -> Vec<&str> {
        let mut topics: Vec<&str> = Vec::with_capacity(2);
        for scan in self.scans() {
            if !topics.contains(&scan.topic.as_str()) {
                topics.push(&scan.topic);
            }
        }
        topics
    }

    /// For each column of the result whether it comes of the key of a record alone, its window among it.
    pub fn output_of_key(&self) -> Vec<bool> {
        let is_window = |at: usize| match self.steps.last() {
            Some(Step::Project(columns)) => {
                columns.get(at).is_some_and(|(_, expr)| WINDOW_COLUMNS.iter().any(|(name, _)| *name == expr.sql))
            }
            _ => false,
        };
        let columns = self.output.columns.iter().enumerate();
        columns.map(|(at, column)| column.kind == ColumnKind::Key || is_window(at)).collect()
    }

    /// A text that is equal for two plans exactly when they do the same: all of the plan but its id.
    pub fn fingerprint(&self) -> String {
        explain::body(self)
    }
}
