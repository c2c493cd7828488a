//! What a statement gives back: what every front end prints.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use datafusion::arrow::record_batch::RecordBatch;

use crate::error::Error;
use crate::types::SqlType;

/// What one statement gave.
#[derive(Debug)]
pub enum Outcome {
    /// Something was done; one line says what.
    Done(String),
    /// A listing (`SHOW ...`): columns and rows of text.
    Listing(Listing),
    /// A text of several lines (`DESCRIBE FUNCTION`, `EXPLAIN`).
    Text(String),
    /// Rows that come as they come (`SELECT ... EMIT CHANGES`, `PRINT`).
    Rows(RowStream),
}

/// A table of text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// What it is a list of; empty when the columns say it all.
    pub title: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows, each as wide as `columns`.
    pub rows: Vec<Vec<String>>,
}

/// A column of a stream of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: SqlType,
}

/// An event of a stream of rows.
#[derive(Debug)]
pub enum RowEvent {
    /// Rows, in the columns of the stream.
    Batch(RecordBatch),
    /// Lines of a `PRINT`.
    Lines(Vec<String>),
    /// The stream is over; no further event comes.
    End(EndReason),
}

/// Why a stream of rows ended.
#[derive(Debug)]
pub enum EndReason {
    /// `LIMIT` was reached.
    Limit,
    /// What the topics held is processed (`--until-end`).
    UntilEnd,
    /// It was cancelled.
    Cancelled,
    /// It failed.
    Failed(Error),
}

/// Rows of a running push query or `PRINT`. Dropping it stops the query.
#[derive(Debug)]
pub struct RowStream {
    /// A short name to tell rows of several queries apart: the query's id.
    pub label: String,
    /// The statement, as it may be shown.
    pub statement: String,
    /// The columns; empty for `PRINT`.
    pub columns: Vec<RowColumn>,
    events: Receiver<RowEvent>,
    cancel: CancelHandle,
}

impl RowStream {
    /// A stream fed through `events`; the feeder stops when `cancel` says so or when the receiver is gone.
    pub fn new(
        label: String,
        statement: String,
        columns: Vec<RowColumn>,
        events: Receiver<RowEvent>,
        cancel: CancelHandle,
    ) -> Self {
        RowStream { label, statement, columns, events, cancel }
    }

    /// The next event; `None` when none came in time. A feeder that is gone without a word counts as cancelled.
    pub fn next(&self, timeout: Duration) -> Option<RowEvent> {
        match self.events.recv_timeout(timeout) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(RowEvent::End(EndReason::Cancelled)),
        }
    }

    /// A handle that stops the query from another thread.
    pub fn cancel_handle(&self) -> CancelHandle {
        self.cancel.clone()
    }
}

impl Drop for RowStream {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Stops a running query.
#[derive(Debug, Clone, Default)]
pub struct CancelHandle(Arc<AtomicBool>);

impl CancelHandle {
    /// Asks the query to stop. It does so within a fraction of a second.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the query was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
