//! What a task has to say about records it could not process as asked.

/// One bad record, or one expression that failed over a record. Never holds a value from the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The record's partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    /// What was wrong and where in the record.
    pub message: String,
}
