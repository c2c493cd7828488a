//! One stream or table.

use std::fmt;

use crate::types::{FormatSpec, Schema, SourceWindow, TimestampSpec, TopicSpec, quote_identifier};

/// Stream or table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelationKind {
    /// Facts in a row.
    Stream,
    /// The latest value per key.
    Table,
}

impl RelationKind {
    /// The word for it, lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            RelationKind::Stream => "stream",
            RelationKind::Table => "table",
        }
    }
}

/// A stream or table over a topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    /// Its name.
    pub name: String,
    /// Stream or table.
    pub kind: RelationKind,
    /// Its columns, without pseudo columns.
    pub schema: Schema,
    /// Its topic, case kept, and what was asked of it.
    pub topic: TopicSpec,
    /// Format of keys.
    pub key_format: FormatSpec,
    /// Format of values.
    pub value_format: FormatSpec,
    /// The column that carries the event time.
    pub timestamp: Option<TimestampSpec>,
    /// The windows in its keys, if they hold some.
    pub window: Option<SourceWindow>,
    /// `SOURCE`: nothing may be inserted, and dropping it keeps the topic.
    pub read_only: bool,
    /// The query that made it, for a `CREATE ... AS SELECT`.
    pub sink_of: Option<String>,
    /// The statement that made it, as typed, secrets masked.
    pub statement: String,
}

impl Relation {
    /// A text that is equal for two relations exactly when they read and write the same: all but the statement's text.
    pub fn fingerprint(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = if self.read_only { "source " } else { "" };
        write!(f, "{source}{} {} ({})", self.kind.as_str(), quote_identifier(&self.name), self.schema)?;
        write!(f, " topic {} key {} value {}", self.topic, self.key_format, self.value_format)?;
        if let Some(timestamp) = &self.timestamp {
            write!(f, " time {timestamp}")?;
        }
        if let Some(window) = &self.window {
            write!(f, " windows {window}")?;
        }
        if let Some(query) = &self.sink_of {
            write!(f, " of {query}")?;
        }
        Ok(())
    }
}
