//! What a task has to say about records it could not process as asked.

use std::sync::Arc;

/// What could not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The key does not read as declared.
    ReadKey,
    /// The value does not read as declared.
    ReadValue,
    /// The record, or the result, has no event time.
    Time,
    /// An expression failed over the record.
    Compute,
    /// The result cannot be written in the sink's format.
    Write,
}

impl Stage {
    /// The word for it, lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Stage::ReadKey | Stage::ReadValue => "read",
            Stage::Time => "timestamp",
            Stage::Compute => "compute",
            Stage::Write => "write",
        }
    }
}

/// One bad record, or one expression that failed over a record. `message` never holds a value from the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The record's topic.
    pub topic: Arc<str>,
    /// The record's partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    /// What could not be done.
    pub stage: Stage,
    /// What was wrong and where in the record.
    pub message: String,
    /// The bytes it is about, when the task was asked to keep them: the key of the record if that could not be read, else
    /// its value.
    pub bytes: Option<Vec<u8>>,
}
