//! What a statement gives back: what every front end prints.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use datafusion::arrow::record_batch::RecordBatch;

use crate::error::Error;
use crate::runtime::push::Pushed;
use crate::runtime::status::Shared;
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

impl Listing {
    /// An empty listing with these columns.
    pub fn new(columns: &[&str]) -> Self {
        Listing { columns: columns.iter().map(ToString::to_string).collect(), ..Listing::default() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: impl IntoIterator<Item = String>) {
        self.rows.push(row.into_iter().collect());
    }
}

/// A column of a stream of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: SqlType,
    /// Whether it is a key column of the source, untouched.
    pub is_key: bool,
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

/// Where the events of a stream of rows come from.
pub(super) enum Feed {
    Rows(Receiver<Pushed<RecordBatch>>),
    Lines(Receiver<Pushed<Vec<String>>>),
}

/// Rows of a running push query or `PRINT`. Dropping it stops the query.
pub struct RowStream {
    /// A short name to tell rows of several queries apart: the query's id.
    pub label: String,
    /// The statement, as it may be shown.
    pub statement: String,
    /// The columns; empty for `PRINT`.
    pub columns: Vec<RowColumn>,
    feed: Feed,
    cancel: CancelHandle,
}

impl RowStream {
    pub(super) fn new(
        label: String,
        statement: String,
        columns: Vec<RowColumn>,
        feed: Feed,
        shared: Arc<Shared>,
    ) -> Self {
        RowStream { label, statement, columns, feed, cancel: CancelHandle(shared) }
    }

    /// The next event; `None` when none came in time. A query that is gone without a word counts as cancelled.
    pub fn next(&self, timeout: Duration) -> Option<RowEvent> {
        match &self.feed {
            Feed::Rows(receiver) => event(receiver.recv_timeout(timeout), RowEvent::Batch),
            Feed::Lines(receiver) => event(receiver.recv_timeout(timeout), RowEvent::Lines),
        }
    }

    /// How far the query is, to be asked from another thread.
    pub fn progress(&self) -> Progress {
        Progress(Arc::clone(&self.cancel.0))
    }

    /// A handle that stops the query from another thread.
    pub fn cancel_handle(&self) -> CancelHandle {
        self.cancel.clone()
    }
}

fn event<T>(received: Result<Pushed<T>, RecvTimeoutError>, rows: impl Fn(T) -> RowEvent) -> Option<RowEvent> {
    Some(match received {
        Ok(Pushed::Rows(batch)) => rows(batch),
        Ok(Pushed::Limit) => RowEvent::End(EndReason::Limit),
        Ok(Pushed::UntilEnd) => RowEvent::End(EndReason::UntilEnd),
        Ok(Pushed::Stopped) | Err(RecvTimeoutError::Disconnected) => RowEvent::End(EndReason::Cancelled),
        Ok(Pushed::Failed(error)) => RowEvent::End(EndReason::Failed(error)),
        Err(RecvTimeoutError::Timeout) => return None,
    })
}

impl fmt::Debug for RowStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowStream").field("label", &self.label).field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl Drop for RowStream {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// How far a push query or `PRINT` is.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Shared>);

impl Progress {
    /// Records between the query's position and the ends of its partitions as the reader last heard of them, transaction
    /// markers among them; `None` before it has heard of any.
    pub fn behind(&self) -> Option<u64> {
        self.0.behind()
    }
}

/// Stops a running query.
#[derive(Debug, Clone)]
pub struct CancelHandle(Arc<Shared>);

impl CancelHandle {
    /// Asks the query to stop. It does so at once, unless it is waiting for a broker.
    pub fn cancel(&self) {
        self.0.request_stop();
    }

    /// Whether the query was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.stop_requested()
    }
}
