//! How the columns of a relation lie in the records of a topic.
//!
//! Shared vocabulary of the catalog, which remembers it, the plan, which says it, and the formats, which do it.

use std::fmt;

/// A serialization format, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FormatName {
    /// One JSON document a record.
    Json,
    /// One line of separated values a record.
    Delimited,
    /// Kafka's own serializers: one column, no structure.
    Kafka,
    /// Nothing: a key that is not there.
    None,
}

impl FormatName {
    /// The formats that can be named, in the order in which an error lists them.
    pub const ALL: [FormatName; 4] = [FormatName::Json, FormatName::Delimited, FormatName::Kafka, FormatName::None];

    /// The name as it is written in a `WITH` clause.
    pub const fn as_str(self) -> &'static str {
        match self {
            FormatName::Json => "JSON",
            FormatName::Delimited => "DELIMITED",
            FormatName::Kafka => "KAFKA",
            FormatName::None => "NONE",
        }
    }

    /// The format of a name, in any case.
    pub fn parse(name: &str) -> Option<FormatName> {
        FormatName::ALL.into_iter().find(|format| format.as_str().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for FormatName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A format and its options, of a key or of a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FormatSpec {
    /// The format.
    pub name: FormatName,
    /// Separator of `DELIMITED`; a comma when none is given.
    pub delimiter: Option<char>,
    /// Whether a single column is written inside an object; `None` is the format's own habit.
    pub wrap_single: Option<bool>,
}

impl FormatSpec {
    /// A format without options.
    pub const fn new(name: FormatName) -> Self {
        FormatSpec { name, delimiter: None, wrap_single: None }
    }
}

impl fmt::Display for FormatSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if let Some(delimiter) = self.delimiter {
            write!(f, " delimiter {delimiter:?}")?;
        }
        match self.wrap_single {
            Some(true) => f.write_str(" wrapped"),
            Some(false) => f.write_str(" unwrapped"),
            None => Ok(()),
        }
    }
}

/// Which column carries a record's event time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TimestampSpec {
    /// The column: `BIGINT` (milliseconds), `TIMESTAMP`, or `STRING` with a format.
    pub column: String,
    /// How to read a text: a pattern of `java.time.format.DateTimeFormatter`.
    pub format: Option<String>,
}

impl fmt::Display for TimestampSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::quote_identifier(&self.column))?;
        if let Some(format) = &self.format {
            write!(f, " format '{}'", format.replace('\'', "''"))?;
        }
        Ok(())
    }
}

/// The windows in the keys of a topic that a windowed aggregation wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceWindow {
    /// Sessions, which say where they end.
    Session,
    /// Tumbling or hopping windows of this size, milliseconds.
    Time(i64),
}

impl fmt::Display for SourceWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceWindow::Session => f.write_str("session"),
            SourceWindow::Time(size) => write!(f, "of {size} ms"),
        }
    }
}

/// What is asked of a topic that may have to be created.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TopicSpec {
    /// Its name, case kept.
    pub name: String,
    /// `PARTITIONS`; `None` leaves it to the source's count, or means that the topic must exist.
    pub partitions: Option<i32>,
    /// `REPLICAS`; `None` is the source's or the broker's default.
    pub replicas: Option<i16>,
    /// `RETENTION_MS`, milliseconds.
    pub retention_ms: Option<i64>,
}

impl TopicSpec {
    /// A topic of which nothing but the name is asked.
    pub fn named(name: impl Into<String>) -> Self {
        TopicSpec { name: name.into(), partitions: None, replicas: None, retention_ms: None }
    }
}

impl fmt::Display for TopicSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(partitions) = self.partitions {
            write!(f, " partitions {partitions}")?;
        }
        if let Some(replicas) = self.replicas {
            write!(f, " replicas {replicas}")?;
        }
        if let Some(retention) = self.retention_ms {
            write!(f, " retention {retention} ms")?;
        }
        Ok(())
    }
}
