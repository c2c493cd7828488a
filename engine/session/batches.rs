//! Rows for programs: a push query as an iterator, or as a stream, of Arrow record batches.

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{ArrayRef, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream::poll_fn;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::outcome::{CancelHandle, EndReason, RowEvent, RowStream};
use crate::error::{Error, Result};

/// How long a wait for rows lasts before it is looked whether anyone still wants them.
const STEP: Duration = Duration::from_millis(100);

/// Batches between the query and an asynchronous reader.
const BATCHES_AHEAD: usize = 2;

impl RowStream {
    /// The columns as an Arrow schema, all nullable; a `PRINT` has one column of text, `line`.
    pub fn schema(&self) -> SchemaRef {
        if self.columns.is_empty() {
            return Arc::new(Schema::new(vec![Field::new("line", DataType::Utf8, false)]));
        }
        let field = |column: &super::RowColumn| Field::new(&column.name, column.ty.to_arrow(), true);
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    /// The batches in order, each waited for as long as it takes. Ends when the query ends, by its `LIMIT`, by
    /// [`CancelHandle::cancel`] from another thread, or with the engine; a query that failed gives its error last.
    pub fn batches(&self) -> impl Iterator<Item = Result<RecordBatch>> + '_ {
        let schema = self.schema();
        let mut is_over = false;
        std::iter::from_fn(move || {
            while !is_over {
                let Some(event) = self.next(STEP) else { continue };
                is_over = matches!(event, RowEvent::End(_));
                if let Some(batch) = batch_of(event, &schema) {
                    is_over |= batch.is_err();
                    return Some(batch);
                }
            }
            None
        })
    }

    /// The batches as DataFusion's kind of stream, for any executor; dropping it stops the query. A failure of the query is
    /// a [`DataFusionError::External`] that holds an [`Error`].
    ///
    /// # Errors
    /// When the system has no thread left for it.
    pub fn into_batch_stream(self) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let guard = Cancel(self.cancel_handle());
        let (sender, mut receiver): (_, Receiver<Result<RecordBatch>>) = channel(BATCHES_AHEAD);
        std::thread::Builder::new()
            .name("batches".to_string())
            .spawn(move || pump(self, &sender))
            .map_err(|error| Error::external("the thread that hands over rows cannot start").with_source(error))?;
        let batches = poll_fn(move |context| {
            let _stops_the_query_when_dropped = &guard;
            receiver
                .poll_recv(context)
                .map(|batch| batch.map(|batch| batch.map_err(|error| DataFusionError::External(Box::new(error)))))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

/// Hands batches over until the query ends or nobody takes them any more.
fn pump(rows: RowStream, sender: &Sender<Result<RecordBatch>>) {
    for batch in rows.batches() {
        if sender.blocking_send(batch).is_err() {
            return;
        }
    }
}

/// Stops a query when dropped: the pump may be waiting for rows that never come.
struct Cancel(CancelHandle);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The rows of an event; `None` for an end that is no failure.
fn batch_of(event: RowEvent, schema: &SchemaRef) -> Option<Result<RecordBatch>> {
    match event {
        RowEvent::Batch(batch) => Some(Ok(batch)),
        RowEvent::Lines(lines) => {
            let column: ArrayRef = Arc::new(StringArray::from(lines));
            let batch = RecordBatch::try_new(Arc::clone(schema), vec![column]);
            Some(batch.map_err(|error| Error::internal("lines do not make a batch").with_source(error)))
        }
        RowEvent::End(EndReason::Failed(error)) => Some(Err(error)),
        RowEvent::End(EndReason::Limit | EndReason::UntilEnd | EndReason::Cancelled) => None,
    }
}
