//! What the outputs of the file have brought so far, and when.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::array_value_to_string;

use super::SINKS;
use crate::error::{Error, Result};
use crate::session::{CancelHandle, EndReason, RowEvent, RowStream};

/// Above this a score is an anomaly, as in the file.
pub const THRESHOLD: f64 = 3.0;

/// A row of the file's push query.
pub struct Arrived {
    /// The message's event id.
    pub id: i32,
    /// Its score, as text in full.
    pub text: String,
    /// Its score.
    pub score: f64,
    /// When it reached us.
    pub at: Instant,
}

/// The streams under way and what came. Dropping it stops them.
pub struct Live {
    receiver: Receiver<(usize, Instant, RowEvent)>,
    cancels: Vec<CancelHandle>,
    /// Whether each stream is a `PRINT`, in the order they were started; the last three read the sinks.
    prints: Vec<bool>,
    /// Rows of the push query, in the order they came.
    pub arrived: Vec<Arrived>,
    /// Records of the `PRINT`.
    pub printed: usize,
    /// Event ids of each sink, and rows of it.
    pub sinks: [(BTreeSet<i32>, usize); 3],
}

impl Live {
    /// Starts to listen to the streams: a thread each, so that every row gets its time when it comes.
    pub fn start(streams: Vec<RowStream>) -> Result<Live> {
        let cancels = streams.iter().map(RowStream::cancel_handle).collect();
        let prints = streams.iter().map(|stream| stream.columns.is_empty()).collect();
        let (sender, receiver) = sync_channel(64);
        for (number, stream) in streams.into_iter().enumerate() {
            let sender = sender.clone();
            let forward = move || {
                loop {
                    let Some(event) = stream.next(Duration::from_secs(3600)) else { continue };
                    let ended = matches!(event, RowEvent::End(_));
                    if sender.send((number, Instant::now(), event)).is_err() || ended {
                        return;
                    }
                }
            };
            let spawned = std::thread::Builder::new().name(format!("rows-{number}")).spawn(forward);
            spawned.map_err(|error| Error::external("a thread cannot be started").with_source(error))?;
        }
        Ok(Live { receiver, cancels, prints, arrived: Vec::new(), printed: 0, sinks: Default::default() })
    }

    /// Takes what comes within `wait`; whether something came.
    ///
    /// # Errors
    /// When a stream ended: none of them has an end.
    pub fn wait(&mut self, wait: Duration) -> Result<bool> {
        let (number, at, event) = match self.receiver.recv_timeout(wait) {
            Ok(came) => came,
            Err(RecvTimeoutError::Timeout) => return Ok(false),
            Err(RecvTimeoutError::Disconnected) => return Err(Error::internal("the rows of the demo ended")),
        };
        let first_sink = self.prints.len() - SINKS.len();
        match event {
            RowEvent::Lines(lines) => self.printed += lines.iter().filter(|line| line.starts_with("rowtime:")).count(),
            RowEvent::Batch(batch) if number >= first_sink => {
                let (ids, rows) = &mut self.sinks[number - first_sink];
                *rows += batch.num_rows();
                for row in 0..batch.num_rows() {
                    ids.insert(id_of(&batch, row)?);
                }
            }
            RowEvent::Batch(batch) => {
                for row in 0..batch.num_rows() {
                    let text = cell(&batch, 1, row)?;
                    let score = text.parse().unwrap_or(f64::NAN);
                    self.arrived.push(Arrived { id: id_of(&batch, row)?, text, score, at });
                }
            }
            RowEvent::End(EndReason::Failed(error)) => return Err(error),
            RowEvent::End(_) => return Err(Error::internal("a query of the demo ended early")),
        }
        Ok(true)
    }

    /// Rows above the threshold.
    pub fn anomalies(&self) -> usize {
        self.arrived.iter().filter(|row| row.score > THRESHOLD).count()
    }

    /// Whether every output has at least as many rows as `total` messages give.
    pub fn is_complete(&self, total: usize) -> bool {
        let anomalies = self.anomalies();
        let [all, again, above] = &self.sinks;
        self.arrived.len() >= total
            && all.1 >= total
            && again.1 >= total
            && above.1 >= anomalies
            && self.printed >= anomalies
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.cancels.iter().for_each(CancelHandle::cancel);
    }
}

fn id_of(batch: &RecordBatch, row: usize) -> Result<i32> {
    cell(batch, 0, row)?.parse().map_err(|_| Error::internal("a row of the demo has no event id"))
}

fn cell(batch: &RecordBatch, column: usize, row: usize) -> Result<String> {
    array_value_to_string(batch.column(column), row)
        .map_err(|error| Error::internal("a row of the demo cannot be shown").with_source(error))
}
