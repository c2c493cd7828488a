//! A persistent query: one thread, from its start to its last commit.
//!
//! The thread lives in turns. A turn joins the group, processes and commits until it is told to stop or something
//! fails; after a failure everything of the turn is thrown away, and the next one goes on from what was committed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::ownership::Ownership;
use super::processing_log::ProcessingLog;
use super::status::{BackOff, Ends, QueryState, Shared, one_line};
use crate::error::{Error, Kind, Result};
use crate::kafka::{ClientConfig, Event, Reader, ReaderOptions, Reset, TopicPartition};
use crate::notice::Notices;
use crate::plan::QueryPlan;
use crate::topology::OwnTopics;

/// Stack of a query's thread, in bytes: expressions are evaluated by recursion, as deep as the parser lets them nest.
pub(super) const STACK: usize = 16 << 20;

/// Rows of a topic that wait for those of another are held up to about so many, or so many KiB, by partition.
const MOST_WAITING: usize = 50_000;

/// How sure outputs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarantee {
    /// Outputs and positions in one transaction.
    ExactlyOnce,
    /// Outputs first, then positions: after a failure some outputs come twice.
    AtLeastOnce,
}

/// Everything a persistent query needs to run.
#[derive(Debug)]
pub struct QuerySpec {
    /// What it does.
    pub plan: Arc<QueryPlan>,
    /// The topics of its sources, each once.
    pub sources: Vec<Arc<str>>,
    /// Topics of its own.
    pub own: OwnTopics,
    /// Its consumer group; carries the service id and the query id.
    pub group: String,
    /// The transactional id of this process for this query; carries service id, query id and a part of its own.
    pub transactional_id: String,
    /// How to reach the cluster.
    pub client: ClientConfig,
    /// How sure outputs are.
    pub guarantee: Guarantee,
    /// How often it commits.
    pub commit_interval: Duration,
    /// After how long the broker aborts the transaction of a process that died.
    pub transaction_timeout: Duration,
    /// How long the group waits for a process that died.
    pub session_timeout: Duration,
    /// Most records of one poll.
    pub batch_rows: usize,
    /// Where it goes on when an offset is out of range.
    pub reset: Reset,
    /// Where it says things.
    pub notices: Notices,
    /// Where reports about bad records are written, if anywhere.
    pub log: Option<Arc<ProcessingLog>>,
    /// After how many failures in a row it gives up; `None` is never.
    pub tries: Option<u32>,
    /// Whether it starts behind records that it will not read, and so should say so when nothing comes.
    pub skips_earlier: bool,
    /// Whether it starts suspended.
    pub paused: bool,
}

/// A running persistent query. Dropping the handle stops it with a commit.
#[derive(Debug)]
pub struct QueryHandle {
    spec: Arc<QuerySpec>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl QueryHandle {
    /// Starts the query's thread.
    pub fn start(spec: QuerySpec) -> Result<QueryHandle> {
        let spec = Arc::new(spec);
        let shared = Arc::new(Shared::default());
        shared.request_pause(spec.paused);
        let (of_thread, shared_with_thread) = (Arc::clone(&spec), Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name(spec.plan.query_id.clone())
            .stack_size(STACK)
            .spawn(move || live(&of_thread, &shared_with_thread))
            .map_err(|error| Error::external("the thread of a query cannot be started").with_source(error))?;
        Ok(QueryHandle { spec, shared, thread: Some(thread) })
    }

    /// What it runs.
    pub fn spec(&self) -> &QuerySpec {
        &self.spec
    }

    /// Its state and counts, and what it can be told.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Asks it to commit and end, without waiting.
    pub fn request_stop(&self) {
        self.shared.request_stop();
    }

    /// Stops it with a commit; false when it could not commit in time.
    ///
    /// A second before the deadline its waits for a broker that is away are ended; what it had not committed then is
    /// processed again at the next start.
    pub fn stop(mut self, deadline: Instant) -> bool {
        self.shared.request_stop();
        let early = deadline.checked_sub(Duration::from_secs(1)).unwrap_or(deadline);
        let mut stopped = self.shared.wait_stopped(early);
        if !stopped && self.shared.interrupt() {
            self.shared.wait_stopped(deadline);
            return false;
        }
        stopped = stopped || self.shared.wait_stopped(deadline);
        if stopped && let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        stopped
    }
}

impl Drop for QueryHandle {
    fn drop(&mut self) {
        self.shared.request_stop();
    }
}

/// The whole life of a query's thread.
fn live(spec: &Arc<QuerySpec>, shared: &Arc<Shared>) {
    let mut back_off = BackOff::new();
    let mut failures = 0;
    let subject = spec.plan.query_id.as_str();
    if spec.paused {
        spec.notices.info(subject, format!("is paused; RESUME {subject}; lets it go on"));
    }
    while !shared.stop_requested() {
        if shared.pause_requested() {
            // A suspended query that has nothing in hand does without a place in its group.
            shared.set_state(QueryState::Paused);
            shared.wait_while_paused();
            if shared.stop_requested() || leaves_paused(spec, shared) {
                break;
            }
        }
        shared.set_state(QueryState::Starting);
        let commits_before = super::status::Counters::get(&shared.counters.commits);
        match guarded(|| turn(spec, shared)) {
            Ok(()) => break,
            Err(error) => {
                if let Some(log) = &spec.log {
                    log.write_failure(&spec.plan, &one_line(&error));
                }
                failures += 1;
                if super::status::Counters::get(&shared.counters.commits) > commits_before {
                    back_off.reset();
                    failures = 1;
                }
                // What only a person can change ends a query that has done nothing yet; later it may be a permission that
                // was taken and comes back.
                let hopeless = error.is_hopeless() && super::status::Counters::get(&shared.counters.commits) == 0;
                // `ON_ERROR = 'fail'`: the same record would end the next turn too.
                let asked_for = error.kind() == Kind::Data;
                if asked_for || hopeless || spec.tries.is_some_and(|tries| failures >= tries) {
                    spec.notices.error(subject, format!("gave up: {}", one_line(&error)));
                    shared.give_up(error);
                    break;
                }
                let why = one_line(&error);
                let pause = back_off.pause();
                let seconds = pause.as_secs_f64();
                spec.notices.warning(subject, format!("{why}; goes on from its last commit in {seconds:.1} s"));
                shared.set_state(QueryState::Retrying(why));
                shared.back_off(pause);
            }
        }
    }
    shared.set_state(QueryState::Stopped);
}

/// Whether a query that is told to process what there is and to end is suspended: it ends where it stands.
fn leaves_paused(spec: &QuerySpec, shared: &Shared) -> bool {
    let leaves = shared.pause_requested() && shared.finish_offsets().is_some();
    if leaves {
        spec.notices.info(&spec.plan.query_id, "is paused, and stays where it was".to_string());
    }
    leaves
}

/// Does a part of a query's work; a panic in it becomes a failure like any other: told, counted, tried again.
///
/// What the work held is thrown away either way, so nothing half done is seen afterwards.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Error::internal("the query panicked").detail(text.unwrap_or_else(|| "without a text".to_string())))
    })
}

/// One turn: join, process, commit, until told to stop (`Ok`) or until something fails.
fn turn(spec: &Arc<QuerySpec>, shared: &Arc<Shared>) -> Result<()> {
    let mut ownership = Ownership::new(Arc::clone(spec), Arc::clone(shared))?;
    let options = ReaderOptions { headers: true, ends: true, reset: spec.reset, ..ReaderOptions::default() };
    let mut client = spec.client.clone();
    client
        .properties
        .entry("session.timeout.ms".into())
        .or_insert_with(|| spec.session_timeout.as_millis().to_string());
    let topics = ownership.topics();
    let topics: Vec<&str> = topics.iter().map(AsRef::as_ref).collect();
    let mut reader = Reader::group(&client, options, &spec.group, &topics)?;
    shared.set_waker(reader.waker());
    let worked = work(spec, shared, &mut reader, &mut ownership);
    // Leaving gives the partitions back through `revoked`, which commits; after a failure it throws away instead.
    let left = match &worked {
        Ok(()) => reader.close(&mut ownership),
        Err(_) => {
            drop(reader);
            Ok(())
        }
    };
    ownership.finish_reports();
    worked.and(left)
}

fn work(spec: &QuerySpec, shared: &Shared, reader: &mut Reader, ownership: &mut Ownership) -> Result<()> {
    let mut silence = Silence::new(spec);
    let mut paused = false;
    let mut suspended: Vec<TopicPartition> = Vec::new();
    loop {
        if shared.stop_requested() {
            return Ok(());
        }
        if let Some(ends) = shared.finish_offsets()
            && (is_finished(&ends, spec, ownership, shared)? || leaves_paused(spec, shared))
        {
            return Ok(());
        }
        let wait = ownership.commit_due_in().unwrap_or(Duration::from_millis(200)).min(Duration::from_millis(200));
        reader.poll(spec.batch_rows, wait, ownership)?;
        let mut seen = false;
        for batch in reader.batches() {
            seen = true;
            ownership.process(batch)?;
        }
        if let Some(failure) = ownership.take_failure() {
            let group = reader.group_handle().clone();
            ownership.commit(&group, false)?;
            return Err(failure);
        }
        let mut ends = BTreeMap::new();
        for event in reader.events() {
            match event {
                Event::End { at, next } => {
                    ends.insert(at, next);
                }
                Event::OutOfRange { at, wanted, resumed } => out_of_range(spec, &at, wanted, resumed),
                Event::Failed { error, .. } => spec.notices.warning(&spec.plan.query_id, one_line(&error)),
            }
        }
        for (at, next) in ends {
            ownership.at_end(&at, next)?;
        }
        ownership.catch_up()?;
        hold_back(reader, ownership.owned(), paused, &|at| ownership.waiting(at))?;
        if ownership.commit_due_in().is_some_and(|due| due.is_zero()) {
            let group = reader.group_handle().clone();
            ownership.commit(&group, false)?;
        }
        if ownership.owned().next().is_some() && shared.state() == QueryState::Starting {
            shared.set_state(QueryState::Running);
        }
        silence.check(seen);
        let owned: Vec<TopicPartition> = match shared.pause_requested() || paused {
            true => reader.positions().into_iter().map(|(at, _)| at).collect(),
            false => Vec::new(),
        };
        // Partitions that come while the query is suspended are suspended too.
        if shared.pause_requested() && paused && owned != suspended {
            reader.pause(&owned)?;
            suspended.clone_from(&owned);
        }
        if shared.pause_requested() != paused {
            paused = !paused;
            if paused {
                reader.pause(&owned)?;
                suspended = owned;
                shared.set_state(QueryState::Paused);
            } else {
                reader.resume(&owned)?;
                shared.set_state(QueryState::Running);
            }
        }
    }
}

/// Stops reading partitions whose records wait for those of others, until fewer wait: what is held of them is bounded.
pub(super) fn hold_back<'a>(
    reader: &mut Reader,
    partitions: impl Iterator<Item = &'a TopicPartition>,
    suspended: bool,
    waiting: &dyn Fn(&TopicPartition) -> usize,
) -> Result<()> {
    let mut changes = [Vec::new(), Vec::new()];
    for at in partitions {
        let (waiting, paused) = (waiting(at), reader.is_paused(at));
        if waiting > MOST_WAITING && !paused {
            changes[0].push(at.clone());
        } else if waiting <= MOST_WAITING / 2 && paused && !suspended {
            changes[1].push(at.clone());
        }
    }
    let [pause, resume] = changes;
    reader.pause(&pause)?;
    reader.resume(&resume)
}

/// Whether every partition was processed to its end, and what goes through topics of the query's own too.
fn is_finished(ends: &Ends, spec: &QuerySpec, ownership: &mut Ownership, shared: &Shared) -> Result<bool> {
    if spec.own.repartition.iter().all(Option::is_none) {
        return reached(ends, &ownership.positions().collect(), ownership, shared);
    }
    // What is forwarded can be seen when it is committed; where it ends then is noted once, for more may be forwarded.
    if ownership.own_ends().is_none() {
        if !reached(ends, &ownership.committed().collect(), ownership, shared)? {
            return Ok(false);
        }
        ownership.note_own_ends()?;
    }
    // The other side may still wait for what has come through.
    let mut all = ends.clone();
    all.extend(ownership.own_ends().cloned().unwrap_or_default());
    reached(&all, &ownership.positions().collect(), ownership, shared)
}

/// Whether the partitions stand at their ends: ours where they are said to, others' by what the group committed.
fn reached(
    ends: &Ends,
    owned: &BTreeMap<&TopicPartition, i64>,
    ownership: &Ownership,
    shared: &Shared,
) -> Result<bool> {
    let (mut others, mut wanted) = (Vec::new(), Vec::new());
    for (topic, ends) in ends {
        for (partition, end) in ends.iter().enumerate().filter(|(_, end)| **end > 0) {
            let at = TopicPartition::new(Arc::clone(topic), partition as i32);
            match owned.get(&at) {
                Some(next) if next >= end => {}
                Some(_) => return Ok(false),
                None => {
                    others.push(at);
                    wanted.push(*end);
                }
            }
        }
    }
    if others.is_empty() {
        return Ok(true);
    }
    // The cluster is asked twice a second, not in each round.
    if !shared.ask_group_again() {
        return Ok(false);
    }
    let committed = ownership.committed_by_group(&others)?;
    Ok(committed.into_iter().zip(wanted).all(|(next, end)| next.unwrap_or(0) >= end))
}

fn out_of_range(spec: &QuerySpec, at: &TopicPartition, wanted: i64, resumed: Option<i64>) {
    let goes_on = match resumed {
        Some(next) => format!("goes on at offset {next}"),
        None => "stands still".to_string(),
    };
    let text = format!("offset {wanted} of {at} does not exist any more; {goes_on}");
    spec.notices.warning(&spec.plan.query_id, text);
}

/// Says once that nothing came for two seconds although the topic holds earlier records.
struct Silence<'a> {
    spec: &'a QuerySpec,
    since: Option<Instant>,
}

impl<'a> Silence<'a> {
    fn new(spec: &'a QuerySpec) -> Self {
        Silence { spec, since: spec.skips_earlier.then(Instant::now) }
    }

    fn check(&mut self, seen: bool) {
        if seen {
            self.since = None;
        }
        if self.since.is_some_and(|since| since.elapsed() >= Duration::from_secs(2)) {
            self.since = None;
            let topics = self.spec.sources.join(" and ");
            self.spec.notices.info(&self.spec.plan.query_id, nothing_comes(&topics));
        }
    }
}

/// What to say when a query that starts at the end of its topic sees nothing.
pub fn nothing_comes(topic: &str) -> String {
    format!(
        "no new record in 2 s; topic {topic} holds earlier ones, which `--from earliest` or \
         SET 'auto.offset.reset' = 'earliest'; before the query would read"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_a_query_is_a_failure_that_says_so() {
        let error = guarded::<()>(|| panic!("a broken invariant")).unwrap_err();
        assert_eq!(error.to_string(), "the query panicked: a broken invariant");
        assert_eq!(guarded(|| Ok(7)).unwrap(), 7);
    }
}
