//! What a task has to say about records it could not process as asked.

/// What could not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The key or the value does not read as declared, or the record has no event time.
    Read,
    /// An expression failed over the record.
    Compute,
    /// The result cannot be written in the sink's format.
    Write,
}

impl Stage {
    /// The word for it, lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Stage::Read => "read",
            Stage::Compute => "compute",
            Stage::Write => "write",
        }
    }
}

/// One bad record, or one expression that failed over a record. `message` never holds a value from the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The record's partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    /// What could not be done.
    pub stage: Stage,
    /// What was wrong and where in the record.
    pub message: String,
    /// The value of the record as it was read, when the task was asked to keep it.
    pub value: Option<Vec<u8>>,
}
