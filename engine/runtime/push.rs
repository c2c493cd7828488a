//! A push query: rows to whoever asked, for as long as they listen. No group, no commit, nothing left behind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant};

use datafusion::arrow::record_batch::RecordBatch;

use super::processing_log::ProcessingLog;
use super::query::{STACK, guarded, nothing_comes};
use super::reports::Reporter;
use super::start::Start;
use super::status::{Counters, Shared, one_line};
use crate::error::{Error, Result};
use crate::kafka::{ClientConfig, Event, Reader, ReaderOptions, Reset};
use crate::notice::Notices;
use crate::plan::{QueryKind, QueryPlan};
use crate::record::RawBatch;
use crate::topology::{Task, TaskOutput};

/// How often a reader notes how far behind it is: as often as somebody would look.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// What a reader without a group gives to whoever listens.
#[derive(Debug)]
pub enum Pushed<T> {
    /// Rows or lines.
    Rows(T),
    /// `LIMIT` was reached.
    Limit,
    /// Everything up to the given ends was read.
    UntilEnd,
    /// It was told to stop.
    Stopped,
    /// It failed for good.
    Failed(Error),
}

/// Everything a reader without a group needs.
pub struct PushSpec {
    /// A short name.
    pub id: String,
    /// The topic.
    pub topic: Arc<str>,
    /// Where it starts.
    pub start: Start,
    /// How to reach the cluster.
    pub client: ClientConfig,
    /// Most records of one poll.
    pub batch_rows: usize,
    /// Where it says things.
    pub notices: Notices,
}

/// Starts a push query on a thread of its own; its rows and its end go to `sender`, reports about bad records to `log`.
pub fn start_query(
    spec: PushSpec,
    plan: QueryPlan,
    log: Option<&Arc<ProcessingLog>>,
    shared: Arc<Shared>,
    sender: SyncSender<Pushed<RecordBatch>>,
) -> Result<()> {
    let limit = match plan.kind {
        QueryKind::Push { limit } => limit,
        QueryKind::Persistent(_) => return Err(Error::internal("a persistent query is not pushed")),
    };
    let shows_bytes = log.is_some_and(|log| log.shows_bytes());
    let log = log.map(|log| log.of_query(&plan, &spec.notices));
    let mut tasks: BTreeMap<i32, Task> = BTreeMap::new();
    let mut output = TaskOutput::default();
    let mut reporter = Reporter::new(&spec.id, &spec.topic, spec.notices.clone(), log);
    let mut left = limit.unwrap_or(u64::MAX);
    let for_process = Arc::clone(&shared);
    let headers = plan.source.reads_headers();
    let process = move |batch: &RawBatch, emit: &mut dyn FnMut(RecordBatch) -> bool| -> Result<bool> {
        let task = match tasks.entry(batch.partition) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let task = entry.insert(Task::new(&plan)?);
                task.keep_bytes(shows_bytes);
                task
            }
        };
        // Sends rows as far as the limit allows; whether more may come.
        let mut send = |rows: &mut Vec<RecordBatch>| {
            rows.drain(..).filter(|rows| rows.num_rows() > 0).all(|rows| {
                let rows = if rows.num_rows() as u64 > left { rows.slice(0, left as usize) } else { rows };
                left -= rows.num_rows() as u64;
                Counters::add(&for_process.counters.records_out, rows.num_rows() as u64);
                emit(rows) && left > 0
            })
        };
        task.process_in_pieces(batch, &mut output, &mut |_, rows| Ok(send(rows)))?;
        send(&mut output.rows);
        Counters::add(&for_process.counters.records_in, batch.len() as u64);
        Counters::add(&for_process.counters.bad, output.bad);
        reporter.take(&mut output.reports, output.bad);
        output.clear();
        Ok(left == 0)
    };
    start(spec, headers, shared, sender, limit == Some(0), process)
}

/// Starts a thread that reads the topic. `process` is given each batch and where to send what it makes of it, which says
/// whether anybody still listens; the result is whether the limit is reached.
pub fn start<T: Send + 'static>(
    spec: PushSpec,
    headers: bool,
    shared: Arc<Shared>,
    sender: SyncSender<Pushed<T>>,
    already_at_limit: bool,
    mut process: impl FnMut(&RawBatch, &mut dyn FnMut(T) -> bool) -> Result<bool> + Send + 'static,
) -> Result<()> {
    let options = ReaderOptions { headers, ends: true, reset: Reset::Earliest, ..ReaderOptions::default() };
    let mut reader = Reader::assigned(&spec.client, options, &spec.start.offsets)?;
    shared.set_waker(reader.waker());
    let name = spec.id.clone();
    let body = move || {
        let end = if already_at_limit {
            Pushed::Limit
        } else {
            match guarded(|| read(&spec, &shared, &mut reader, &sender, &mut process)) {
                Ok(end) => end,
                Err(error) => Pushed::Failed(error),
            }
        };
        let _ = sender.send(end);
        shared.set_state(super::status::QueryState::Stopped);
    };
    std::thread::Builder::new()
        .name(name)
        .stack_size(STACK)
        .spawn(body)
        .map(drop)
        .map_err(|error| Error::external("the thread of a query cannot be started").with_source(error))
}

fn read<T>(
    spec: &PushSpec,
    shared: &Shared,
    reader: &mut Reader,
    sender: &SyncSender<Pushed<T>>,
    process: &mut impl FnMut(&RawBatch, &mut dyn FnMut(T) -> bool) -> Result<bool>,
) -> Result<Pushed<T>> {
    let mut positions: BTreeMap<i32, i64> = spec.start.offsets.iter().map(|(at, next)| (at.partition, *next)).collect();
    let mut told = None;
    let mut silent_since = (spec.start.skipped > 0).then(Instant::now);
    loop {
        if shared.stop_requested() {
            return Ok(Pushed::Stopped);
        }
        let ends = shared.finish_offsets();
        let ends = ends.as_ref().and_then(|ends| ends.get(&spec.topic));
        if let Some(ends) = ends {
            let reached = |(partition, next): (&i32, &i64)| ends.get(*partition as usize).is_none_or(|end| next >= end);
            if positions.iter().all(reached) {
                return Ok(Pushed::UntilEnd);
            }
        }
        reader.poll(spec.batch_rows, Duration::from_millis(200), &mut ())?;
        if told.is_none_or(|told: Instant| told.elapsed() >= TELL_EVERY)
            && let Some(records) = reader.behind()
        {
            told = Some(Instant::now());
            shared.set_behind(records);
        }
        for batch in reader.batches() {
            silent_since = None;
            // What stands behind the end is for nobody, also when it came in the same fetch.
            let end = ends.and_then(|ends| ends.get(batch.partition as usize).copied());
            let mut heard = true;
            let mut emit = |rows| {
                heard = heard && send(shared, sender, Pushed::Rows(rows));
                heard
            };
            let last = match (end, batch.offsets.last()) {
                (Some(end), Some(last)) if *last >= end => process(&batch.before(end), &mut emit)?,
                _ => process(batch, &mut emit)?,
            };
            if !heard {
                return Ok(Pushed::Stopped);
            }
            if last {
                return Ok(Pushed::Limit);
            }
            if let Some(offset) = batch.offsets.last() {
                positions.insert(batch.partition, offset + 1);
            }
        }
        for event in reader.events() {
            match event {
                Event::End { at, next } => {
                    positions.insert(at.partition, next);
                }
                Event::OutOfRange { at, wanted, .. } => {
                    spec.notices.warning(&spec.id, format!("offset {wanted} of {at} does not exist any more"));
                }
                Event::Failed { error, .. } => spec.notices.warning(&spec.id, one_line(&error)),
            }
        }
        if silent_since.is_some_and(|since| since.elapsed() >= Duration::from_secs(2)) {
            silent_since = None;
            spec.notices.info(&spec.id, nothing_comes(&spec.topic));
        }
    }
}

/// Sends, waiting while the listener is busy; false when it is gone or the query was told to stop.
fn send<T>(shared: &Shared, sender: &SyncSender<Pushed<T>>, mut event: Pushed<T>) -> bool {
    loop {
        match sender.try_send(event) {
            Ok(()) => return true,
            Err(TrySendError::Disconnected(_)) => return false,
            Err(TrySendError::Full(back)) => {
                if shared.stop_requested() {
                    return false;
                }
                event = back;
                shared.wait_briefly();
            }
        }
    }
}
