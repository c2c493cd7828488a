//! A push query: rows to whoever asked, for as long as they listen. No group, no commit, nothing left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant};

use datafusion::arrow::record_batch::RecordBatch;

use super::processing_log::ProcessingLog;
use super::query::{STACK, guarded, hold_back, nothing_comes};
use super::reports::Reporter;
use super::start::Start;
use super::status::{Counters, Shared, one_line};
use crate::error::{Error, Result};
use crate::kafka::{ClientConfig, Event, Reader, ReaderOptions, Reset, TopicPartition};
use crate::notice::Notices;
use crate::plan::{QueryKind, QueryPlan, SourceScan};
use crate::record::RawBatch;
use crate::topology::{JoinTask, Task, TaskOutput};

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
    /// The topics, each once, and where each is started.
    pub topics: Vec<(Arc<str>, Start)>,
    /// How to reach the cluster.
    pub client: ClientConfig,
    /// Most records of one poll.
    pub batch_rows: usize,
    /// Where it says things.
    pub notices: Notices,
}

/// What is made of records, and given to whoever listens.
pub trait Consume<T>: Send {
    /// Takes a batch; `emit` says whether anybody still listens. Gives whether the limit is reached.
    fn take(&mut self, batch: &RawBatch, emit: &mut dyn FnMut(T) -> bool) -> Result<bool>;

    /// Takes note that a partition was read to its end.
    fn at_end(&mut self, _: &TopicPartition, _: &mut dyn FnMut(T) -> bool) -> Result<bool> {
        Ok(false)
    }

    /// Takes note that nothing more will come.
    fn finish(&mut self, _: &mut dyn FnMut(T) -> bool) -> Result<bool> {
        Ok(false)
    }

    /// How much of a partition waits for others: rows, or KiB where those are more.
    fn waiting(&self, _: &TopicPartition) -> usize {
        0
    }
}

impl<T, F> Consume<T> for F
where
    F: FnMut(&RawBatch, &mut dyn FnMut(T) -> bool) -> Result<bool> + Send,
{
    fn take(&mut self, batch: &RawBatch, emit: &mut dyn FnMut(T) -> bool) -> Result<bool> {
        self(batch, emit)
    }
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
    let topics: Vec<&str> = spec.topics.iter().map(|(topic, _)| &**topic).collect();
    let reporter = Reporter::new(&spec.id, &topics.join(" and "), spec.notices.clone(), log);
    let headers = plan.scans().any(SourceScan::reads_headers);
    let work = match &plan.join {
        None => Work::Partitions(BTreeMap::new()),
        Some(_) => {
            let partitions = |scan: &SourceScan| {
                let of = spec.topics.iter().find(|(topic, _)| **topic == *scan.topic);
                of.map_or(0, |(_, start)| start.offsets.len() as i32)
            };
            let sides: Vec<i32> = plan.scans().map(partitions).collect();
            let [left, right] = sides[..] else { return Err(Error::internal("a join of other than two sides")) };
            Work::Join(Box::new(JoinTask::of_all(&plan, [left, right], shows_bytes)?))
        }
    };
    let (counters, left) = (Arc::clone(&shared), limit.unwrap_or(u64::MAX));
    let output = TaskOutput::default();
    let rows = Rows { plan, work, shows_bytes, output, reporter, left, shared: counters };
    start(spec, headers, shared, sender, limit == Some(0), rows)
}

/// The rows of a query.
struct Rows {
    plan: QueryPlan,
    work: Work,
    shows_bytes: bool,
    output: TaskOutput,
    reporter: Reporter,
    /// How many rows may still be sent.
    left: u64,
    shared: Arc<Shared>,
}

enum Work {
    /// A task for each partition.
    Partitions(BTreeMap<i32, Task>),
    /// One for all.
    Join(Box<JoinTask>),
}

impl Rows {
    /// Sends rows as far as the limit allows; whether more may come.
    fn send(
        shared: &Shared,
        left: &mut u64,
        rows: &mut Vec<RecordBatch>,
        emit: &mut dyn FnMut(RecordBatch) -> bool,
    ) -> bool {
        if *left == 0 {
            rows.clear();
            return false;
        }
        rows.drain(..).filter(|rows| rows.num_rows() > 0).all(|rows| {
            let rows = if rows.num_rows() as u64 > *left { rows.slice(0, *left as usize) } else { rows };
            *left -= rows.num_rows() as u64;
            Counters::add(&shared.counters.records_out, rows.num_rows() as u64);
            emit(rows) && *left > 0
        })
    }

    /// Joins what can be joined, and sends and reports what has come of it and of what was done before.
    fn settle(&mut self, emit: &mut dyn FnMut(RecordBatch) -> bool) -> Result<bool> {
        let (shared, left) = (&self.shared, &mut self.left);
        if let Work::Join(join) = &mut self.work {
            join.run(&mut self.output, &mut |_, rows| Ok(Rows::send(shared, left, rows, emit)))?;
        }
        Rows::send(shared, left, &mut self.output.rows, emit);
        Counters::add(&shared.counters.bad, self.output.bad);
        self.reporter.take(&mut self.output.reports, self.output.bad);
        self.output.clear();
        Ok(self.left == 0)
    }

    /// Tells a join something about each side that a topic is.
    fn each_side(
        &mut self,
        topic: &str,
        mut tell: impl FnMut(&mut JoinTask, usize, &mut TaskOutput) -> Result<()>,
    ) -> Result<()> {
        let Work::Join(join) = &mut self.work else { return Ok(()) };
        for (side, _) in self.plan.scans().enumerate().filter(|(_, scan)| scan.topic == *topic) {
            tell(join, side, &mut self.output)?;
        }
        Ok(())
    }
}

impl Consume<RecordBatch> for Rows {
    fn take(&mut self, batch: &RawBatch, emit: &mut dyn FnMut(RecordBatch) -> bool) -> Result<bool> {
        Counters::add(&self.shared.counters.records_in, batch.len() as u64);
        if let Work::Partitions(tasks) = &mut self.work {
            let task = match tasks.entry(batch.partition) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    let task = entry.insert(Task::new(&self.plan)?);
                    task.keep_bytes(self.shows_bytes);
                    task
                }
            };
            let (shared, left) = (&self.shared, &mut self.left);
            task.process_in_pieces(batch, &mut self.output, &mut |_, rows| Ok(Rows::send(shared, left, rows, emit)))?;
        }
        self.each_side(&batch.topic, |join, side, output| join.push(side, batch, output))?;
        self.settle(emit)
    }

    fn at_end(&mut self, at: &TopicPartition, emit: &mut dyn FnMut(RecordBatch) -> bool) -> Result<bool> {
        let complete = |join: &mut JoinTask, side: usize, _: &mut TaskOutput| {
            join.complete(side, at.partition);
            Ok(())
        };
        self.each_side(&at.topic, complete)?;
        self.settle(emit)
    }

    fn finish(&mut self, emit: &mut dyn FnMut(RecordBatch) -> bool) -> Result<bool> {
        if let Work::Join(join) = &mut self.work {
            join.complete_all();
        }
        self.settle(emit)
    }

    fn waiting(&self, at: &TopicPartition) -> usize {
        let Work::Join(join) = &self.work else { return 0 };
        let sides = self.plan.scans().enumerate().filter(|(_, scan)| scan.topic == *at.topic);
        let partition = at.partition;
        let waiting =
            sides.map(|(side, _)| join.waiting(side, partition).max(join.waiting_bytes(side, partition) / 1024));
        // One that is read by both sides is not held back for the one: the other waits for the same records.
        waiting.min().unwrap_or(0)
    }
}

/// Starts a thread that reads the topics and gives to `sender` what is made of their records.
pub fn start<T: Send + 'static>(
    spec: PushSpec,
    headers: bool,
    shared: Arc<Shared>,
    sender: SyncSender<Pushed<T>>,
    already_at_limit: bool,
    mut consumer: impl Consume<T> + 'static,
) -> Result<()> {
    let options = ReaderOptions { headers, ends: true, reset: Reset::Earliest, ..ReaderOptions::default() };
    let offsets: Vec<_> = spec.topics.iter().flat_map(|(_, start)| start.offsets.iter().cloned()).collect();
    let mut reader = Reader::assigned(&spec.client, options, &offsets)?;
    shared.set_waker(reader.waker());
    let name = spec.id.clone();
    let body = move || {
        let end = if already_at_limit {
            Pushed::Limit
        } else {
            match guarded(|| read(&spec, &shared, &mut reader, &sender, &mut consumer)) {
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
    consumer: &mut impl Consume<T>,
) -> Result<Pushed<T>> {
    let starts = || spec.topics.iter().map(|(_, start)| start);
    let mut positions: BTreeMap<TopicPartition, i64> =
        starts().flat_map(|start| start.offsets.iter().cloned()).collect();
    let mut told = None;
    // The partitions that are read up to where the query ends.
    let mut finished = BTreeSet::new();
    let mut silent_since = starts().any(|start| start.skipped > 0).then(Instant::now);
    loop {
        if shared.stop_requested() {
            return Ok(Pushed::Stopped);
        }
        let ends = shared.finish_offsets();
        let end_of = |at: &TopicPartition| ends.as_ref()?.get(&at.topic)?.get(at.partition as usize).copied();
        if ends.is_some() && positions.iter().all(|(at, next)| end_of(at).is_none_or(|end| *next >= end)) {
            let mut heard = true;
            let last = consumer.finish(&mut |rows| {
                heard = heard && send(shared, sender, Pushed::Rows(rows));
                heard
            })?;
            return Ok(if !heard {
                Pushed::Stopped
            } else if last {
                Pushed::Limit
            } else {
                Pushed::UntilEnd
            });
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
            let at = TopicPartition::new(Arc::clone(&batch.topic), batch.partition);
            let end = end_of(&at);
            let mut heard = true;
            let mut emit = |rows| {
                heard = heard && send(shared, sender, Pushed::Rows(rows));
                heard
            };
            let last = match (end, batch.offsets.last()) {
                (Some(end), Some(last)) if *last >= end => consumer.take(&batch.before(end), &mut emit)?,
                _ => consumer.take(batch, &mut emit)?,
            };
            if !heard {
                return Ok(Pushed::Stopped);
            }
            if last {
                return Ok(Pushed::Limit);
            }
            if let Some(offset) = batch.offsets.last() {
                positions.insert(at, offset + 1);
            }
        }
        let mut ended = Vec::new();
        let events: Vec<Event> = reader.events().collect();
        for event in events {
            match event {
                // More may have come since it was said.
                Event::End { at, next } if reader.position(&at) == Some(next) => {
                    positions.insert(at.clone(), next);
                    ended.push(at);
                }
                Event::End { .. } => {}
                Event::OutOfRange { at, wanted, .. } => {
                    spec.notices.warning(&spec.id, format!("offset {wanted} of {at} does not exist any more"));
                }
                Event::Failed { error, .. } => spec.notices.warning(&spec.id, one_line(&error)),
            }
        }
        // What stands behind the end is for nobody, so nothing is to be waited for there.
        for (at, next) in &positions {
            let is_there = end_of(at).is_some_and(|end| *next >= end);
            if is_there && finished.insert(at.clone()) && !ended.contains(at) {
                ended.push(at.clone());
            }
        }
        for at in &ended {
            let mut heard = true;
            let last = consumer.at_end(at, &mut |rows| {
                heard = heard && send(shared, sender, Pushed::Rows(rows));
                heard
            })?;
            if !heard || last {
                return Ok(if heard { Pushed::Limit } else { Pushed::Stopped });
            }
        }
        hold_back(reader, positions.keys(), false, &|at| consumer.waiting(at))?;
        if silent_since.is_some_and(|since| since.elapsed() >= Duration::from_secs(2)) {
            silent_since = None;
            let topics: Vec<&str> = spec.topics.iter().map(|(topic, _)| &**topic).collect();
            spec.notices.info(&spec.id, nothing_comes(&topics.join(" and ")));
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
