//! Persistent and push queries: started, stopped, suspended.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use super::engine::Shared;
use super::outcome::{Feed, RowColumn, RowStream};
use super::topics::Cleanup;
use super::{own_topics, processing_log, topics};
use crate::catalog::Catalog;
use crate::config::Settings;
use crate::error::{Error, Result, Span};
use crate::kafka::Reset;
use crate::plan::{OnError, QueryKind, QueryPlan};
use crate::runtime::push::{PushSpec, start_query};
use crate::runtime::query::{Guarantee, QueryHandle, QuerySpec};
use crate::runtime::start::{self as policies, StartPolicy};
use crate::runtime::status::{Ends, Shared as QueryShared};
use crate::sql::planner::PersistentPlan;
use crate::types::ColumnKind;

/// How long a query may take to commit when it is stopped.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Batches that wait for a slow reader of rows.
const BATCHES_AHEAD: usize = 4;

/// How often a query that processes to the end of its topics is tried.
const TRIES_TO_THE_END: u32 = 5;

/// The consumer group of a query.
pub(super) fn group_of(service: &str, query: &str) -> String {
    format!("alcedo-{service}-{query}")
}

/// What to say about a query that reads what it has written; nothing about any other.
pub(super) fn goes_in_circles(catalog: &Catalog, id: &str) -> Option<String> {
    let ids = catalog.circle_of(id)?;
    let through = if ids.len() > 1 { format!(", through {}", ids[1..].join(" and ")) } else { String::new() };
    Some(format!("reads what it writes{through}: a row that passes goes round without end"))
}

/// Readies a persistent query: its sink's topic and its start offsets. A query of the same id may still run.
pub(super) fn prepare(
    shared: &Shared,
    persistent: &PersistentPlan,
    policy: &StartPolicy,
    settings: &Settings,
) -> Result<QuerySpec> {
    let plan = &persistent.plan;
    let QueryKind::Persistent(sink) = &plan.kind else {
        return Err(Error::internal("a push query is not persistent"));
    };
    let mut counts = Vec::with_capacity(2);
    for scan in plan.scans() {
        match shared.admin.topic(&scan.topic, Duration::from_secs(10))? {
            Some(topic) => counts.push(topic.partitions),
            None => return Err(Error::external(format!("topic {} does not exist any more", scan.topic))),
        }
    }
    let partitions = match counts[..] {
        [left, right] => own_topics::partitions(plan, [left, right])?,
        _ => counts.first().copied().unwrap_or_default(),
    };
    let cleanup = persistent.sink.as_ref().map_or(Cleanup::Delete, Cleanup::of);
    topics::ensure(shared, &sink.topic, Some(&plan.source.topic), cleanup, &plan.query_id)?;
    if let OnError::DeadLetter(topic) = &plan.on_error {
        topics::ensure(shared, topic, Some(&plan.source.topic), Cleanup::Delete, &plan.query_id)?;
    }
    let log = processing_log::open(shared);
    let group = group_of(&shared.service, &plan.query_id);
    let sources: Vec<Arc<str>> = plan.topics().into_iter().map(Arc::from).collect();
    // Before anything is committed for it: a query that has committed something keeps what it has.
    let own = own_topics::of(shared, plan);
    let begun = || -> Result<bool> {
        for topic in &sources {
            if policies::has_begun(&shared.admin, topic, &group)? {
                return Ok(true);
            }
        }
        Ok(false)
    };
    own_topics::ensure(shared, plan, &own, partitions, &begun)?;
    let mut skips_earlier = false;
    for topic in &sources {
        let start = policies::for_group(&shared.admin, topic, &group, policy)?;
        shared.notices.info(&plan.query_id, start.describe(topic, policy));
        skips_earlier |= start.skipped > 0;
    }
    let guarantee = match settings.get("processing.guarantee") {
        "at_least_once" => Guarantee::AtLeastOnce,
        _ => Guarantee::ExactlyOnce,
    };
    let millis = |name: &str| Duration::from_millis(settings.integer(name).max(1) as u64);
    Ok(QuerySpec {
        sources,
        own,
        transactional_id: format!("{group}-{}", shared.instance),
        group,
        client: shared.client.clone(),
        guarantee,
        commit_interval: millis("commit.interval.ms"),
        transaction_timeout: millis("transaction.timeout.ms"),
        session_timeout: millis("session.timeout.ms"),
        batch_rows: settings.integer("batch.rows") as usize,
        reset: if *policy == StartPolicy::Latest { Reset::Latest } else { Reset::Earliest },
        notices: shared.notices.clone(),
        log,
        tries: shared.until_end.then_some(TRIES_TO_THE_END),
        skips_earlier,
        paused: false,
        plan: Arc::new(plan.clone()),
    })
}

/// Starts a query that is ready.
pub(super) fn start(shared: &Shared, spec: QuerySpec) -> Result<()> {
    let id = spec.plan.query_id.clone();
    let handle = QueryHandle::start(spec)?;
    shared.queries.lock().insert(id, handle);
    Ok(())
}

/// Stops a query with a commit.
pub(super) fn stop(shared: &Shared, id: &str) -> Result<()> {
    let Some(handle) = shared.queries.lock().remove(id) else { return Ok(()) };
    match handle.stop(Instant::now() + STOP_PATIENCE) {
        true => Ok(()),
        false => Err(Error::external(format!("query {id} could not commit in time"))
            .detail("it was told to stop and ends as soon as the broker answers")),
    }
}

/// Starts a push query.
pub(super) fn start_push(
    shared: &Shared,
    plan: QueryPlan,
    policy: &StartPolicy,
    until: Option<&StartPolicy>,
    (start_at, ends_at): (Span, Span),
    shown: &str,
    rows: usize,
) -> Result<RowStream> {
    let topics: Vec<Arc<str>> = plan.topics().into_iter().map(Arc::from).collect();
    let mut ends = until.map(|_| Ends::new());
    if let (Some(ends), Some(until)) = (&mut ends, until) {
        for topic in &topics {
            let of = policies::until(&shared.admin, topic, until).map_err(|error| error.or_at(ends_at))?;
            ends.insert(Arc::clone(topic), of);
        }
    }
    let mut starts = Vec::with_capacity(topics.len());
    for topic in &topics {
        let start = policies::by_policy(&shared.admin, topic, policy).map_err(|error| error.or_at(start_at))?;
        shared.notices.info(&plan.query_id, start.describe(topic, policy));
        starts.push((Arc::clone(topic), start));
    }
    let columns: Vec<RowColumn> = plan
        .output
        .columns
        .iter()
        .map(|column| RowColumn {
            name: column.name.clone(),
            ty: column.ty.clone(),
            is_key: column.kind == ColumnKind::Key,
        })
        .collect();
    let id = plan.query_id.clone();
    let query = Arc::new(QueryShared::default());
    let ends_by_itself = ends.is_some();
    if let Some(ends) = ends {
        query.finish_at(ends);
    }
    let (sender, receiver) = sync_channel(BATCHES_AHEAD);
    let spec = push_spec(shared, id.clone(), starts, rows);
    start_query(spec, plan, processing_log::opened(shared).as_ref(), Arc::clone(&query), sender)?;
    if !ends_by_itself {
        remember(shared, &query, topics);
    }
    Ok(RowStream::new(id, shown.to_string(), columns, Feed::Rows(receiver), query))
}

/// What a reader without a group needs.
pub(super) fn push_spec(
    shared: &Shared,
    id: String,
    topics: Vec<(Arc<str>, policies::Start)>,
    rows: usize,
) -> PushSpec {
    PushSpec { id, topics, client: shared.client.clone(), batch_rows: rows, notices: shared.notices.clone() }
}

/// Keeps a push query among those that `--until-end` and a shutdown have to end.
pub(super) fn remember(shared: &Shared, query: &Arc<QueryShared>, topics: Vec<Arc<str>>) {
    let mut pushes = shared.pushes.lock();
    pushes.retain(|(query, _)| Arc::strong_count(query) > 1);
    pushes.push((Arc::clone(query), topics));
}
