//! Topics that statements need: there, of the right shape, or made.

use std::collections::BTreeMap;
use std::time::Duration;

use super::engine::Shared;
use super::own_topics;
use crate::catalog::{Relation, RelationKind};
use crate::error::{Code, Error, Result};
use crate::ingest::connector::Target;
use crate::kafka::{NewTopic, TopicInfo};
use crate::plan::{OnError, QueryKind, QueryPlan};
use crate::sql::ast::Property;
use crate::types::TopicSpec;

/// How long the cluster gets to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Partitions of a topic that the embedded broker makes without being told how many.
const DEFAULT_PARTITIONS: i32 = 1;

/// A topic as far as statements ask for its shape: one that is there, or one that an earlier statement will have made.
enum Found {
    There(TopicInfo),
    Planned(i32),
}

impl Found {
    fn partitions(&self) -> i32 {
        match self {
            Found::There(topic) => topic.partitions,
            Found::Planned(partitions) => *partitions,
        }
    }
}

fn find(shared: &Shared, name: &str, made: &BTreeMap<String, i32>) -> Result<Option<Found>> {
    if let Some(partitions) = made.get(name) {
        return Ok(Some(Found::Planned(*partitions)));
    }
    Ok(shared.admin.topic(name, ANSWER)?.map(Found::There))
}

/// Partitions of a topic that is there or that an earlier statement will have made.
fn partitions_of(shared: &Shared, name: &str, made: &BTreeMap<String, i32>) -> Result<Option<i32>> {
    Ok(find(shared, name, made)?.map(|found| found.partitions()))
}

/// Checks the topic of a declared stream without making it.
pub(super) fn check_source(
    shared: &Shared,
    relation: &Relation,
    properties: &[Property],
    made: &mut BTreeMap<String, i32>,
) -> Result<()> {
    let spec = &relation.topic;
    match find(shared, &spec.name, made)? {
        Some(found) => same_shape(shared, spec, &found, properties),
        None if spec.partitions.is_some() || shared.is_embedded() => {
            made.insert(spec.name.clone(), spec.partitions.unwrap_or(DEFAULT_PARTITIONS));
            Ok(())
        }
        None => Err(Error::refused(Code::UnknownTopic, format!("topic {} does not exist", spec.name))
            .detail(
                "the cluster has no topic of this name, and the statement does not say how many partitions to create",
            )
            .hint("Create the topic, correct KAFKA_TOPIC, or add PARTITIONS = n to have it created.")),
    }
}

/// Checks the topics of a persistent query without making them.
pub(super) fn check_query(
    shared: &Shared,
    plan: &QueryPlan,
    properties: &[Property],
    made: &mut BTreeMap<String, i32>,
) -> Result<()> {
    let mut counts = Vec::with_capacity(2);
    for scan in plan.scans() {
        let Some(count) = partitions_of(shared, &scan.topic, made)? else {
            return Err(Error::refused(
                Code::UnknownTopic,
                format!("topic {} of {} does not exist", scan.topic, scan.relation),
            )
            .hint("It was there when the stream was created; create it again, or drop the stream."));
        };
        counts.push(count);
    }
    let source = match counts[..] {
        [left, right] => own_topics::partitions(plan, [left, right])?,
        _ => counts.first().copied().unwrap_or(DEFAULT_PARTITIONS),
    };
    let QueryKind::Persistent(sink) = &plan.kind else { return Ok(()) };
    if let OnError::DeadLetter(topic) = &plan.on_error {
        if topic.name == plan.source.topic || topic.name == sink.topic.name {
            return Err(Error::refused(
                Code::ConflictingProperties,
                format!("DEAD_LETTER_TOPIC {} is a topic of the query itself", topic.name),
            )
            .hint("Name a topic of its own."));
        }
        made.entry(topic.name.clone()).or_insert(source);
    }
    match find(shared, &sink.topic.name, made)? {
        Some(found) => same_shape(shared, &sink.topic, &found, properties),
        None => {
            made.insert(sink.topic.name.clone(), sink.topic.partitions.unwrap_or(source));
            Ok(())
        }
    }
}

/// Checks the topic of a `PRINT`.
pub(super) fn check_printed(shared: &Shared, name: &str, made: &BTreeMap<String, i32>) -> Result<()> {
    if partitions_of(shared, name, made)?.is_some() || shared.admin.is_nowhere() {
        return Ok(());
    }
    let known: Vec<String> =
        shared.admin.topics(ANSWER)?.into_iter().map(|topic| topic.name).chain(made.keys().cloned()).collect();
    let error = Error::refused(Code::UnknownTopic, format!("topic {name} does not exist"));
    // A bare name keeps its case here; a stream's topic is upper case unless it was named.
    let same_but_case = known.iter().find(|other| other.eq_ignore_ascii_case(name)).map(String::as_str);
    match same_but_case.or_else(|| crate::catalog::nearest(name, known.iter().map(String::as_str))) {
        Some(near) => Err(error.hint(format!("Did you mean '{near}'?"))),
        None => Err(error.hint("SHOW TOPICS; lists the topics.")),
    }
}

/// Checks the topic of a connector without making it.
pub(super) fn check_target(
    shared: &Shared,
    target: &Target,
    connector: &str,
    made: &mut BTreeMap<String, i32>,
) -> Result<()> {
    match partitions_of(shared, &target.topic, made)? {
        // A connector takes the topic as it is: PARTITIONS are for its creation.
        Some(_) => Ok(()),
        None if target.partitions.is_some() || shared.is_embedded() => {
            made.insert(target.topic.clone(), target.partitions.unwrap_or(DEFAULT_PARTITIONS));
            Ok(())
        }
        None => Err(no_target(target, connector)),
    }
}

/// Makes the topic of a connector when it is missing.
pub(super) fn ensure_target(shared: &Shared, target: &Target, connector: &str) -> Result<()> {
    if shared.admin.topic(&target.topic, ANSWER)?.is_some() {
        return Ok(());
    }
    if target.partitions.is_none() && !shared.is_embedded() {
        return Err(no_target(target, connector));
    }
    let partitions = target.partitions.unwrap_or(DEFAULT_PARTITIONS);
    shared.admin.create_topic(&NewTopic::new(&target.topic, partitions), ANSWER)?;
    let made = counted(partitions, "partition");
    shared.notices.info(connector, format!("created topic {} with {made}", target.topic));
    Ok(())
}

fn no_target(target: &Target, connector: &str) -> Error {
    Error::refused(
        Code::UnknownTopic,
        format!("topic {}, into which connector {connector} writes, does not exist", target.topic),
    )
    .hint("Create the topic on the cluster first, or declare a stream over it with PARTITIONS before the connector.")
}

/// Refuses what a statement asks of a topic that is there and is otherwise, at the property that asks it.
fn same_shape(shared: &Shared, spec: &TopicSpec, found: &Found, properties: &[Property]) -> Result<()> {
    let refused = |property: &str, has: String, says: String| {
        let error =
            Error::refused(Code::TopicMismatch, format!("topic {} has {has}, the statement says {says}", spec.name))
                .hint(format!("Leave {property} out to take the topic as it is, or name another topic."));
        match properties.iter().find(|given| given.name.value.eq_ignore_ascii_case(property)) {
            Some(given) => error.at(given.span),
            None => error,
        }
    };
    if let Some(wanted) = spec.partitions
        && wanted != found.partitions()
    {
        return Err(refused("PARTITIONS", counted(found.partitions(), "partition"), wanted.to_string()));
    }
    let Found::There(topic) = found else { return Ok(()) };
    // The embedded broker is one node, whatever is asked.
    if let Some(wanted) = spec.replicas.map(i32::from).filter(|_| !shared.is_embedded())
        && wanted != topic.replicas
    {
        return Err(refused("REPLICAS", counted(topic.replicas, "replica"), wanted.to_string()));
    }
    if let Some(wanted) = spec.retention_ms {
        let kept = shared.admin.topic_configs(&topic.name, ANSWER)?.remove("retention.ms").unwrap_or_default();
        if kept.parse() != Ok(wanted) {
            return Err(refused("RETENTION_MS", format!("retention.ms = {kept}"), wanted.to_string()));
        }
    }
    Ok(())
}

fn counted(n: i32, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// What goes from a topic that is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cleanup {
    /// Old records, as the cluster or `RETENTION_MS` says.
    Delete,
    /// All but the last value of each key.
    Compact,
    /// Both: the keys of windows are never written again.
    CompactAndDelete,
}

impl Cleanup {
    /// What suits a stream or table.
    pub(super) fn of(relation: &Relation) -> Cleanup {
        match (relation.kind, relation.window) {
            (RelationKind::Stream, _) => Cleanup::Delete,
            (RelationKind::Table, None) => Cleanup::Compact,
            (RelationKind::Table, Some(_)) => Cleanup::CompactAndDelete,
        }
    }

    /// The value of `cleanup.policy`; a cluster's own default stays for streams.
    fn policy(self) -> Option<&'static str> {
        match self {
            Cleanup::Delete => None,
            Cleanup::Compact => Some("compact"),
            Cleanup::CompactAndDelete => Some("compact,delete"),
        }
    }
}

/// Whether there is a topic of this name.
pub(super) fn is_there(shared: &Shared, name: &str) -> Result<bool> {
    Ok(shared.admin.topic(name, ANSWER)?.is_some())
}

/// Makes a topic of our own that is missing, without a notice.
pub(super) fn ensure_quietly(shared: &Shared, spec: &TopicSpec) -> Result<()> {
    if is_there(shared, &spec.name)? {
        return Ok(());
    }
    shared.admin.create_topic(&NewTopic::new(&spec.name, spec.partitions.unwrap_or(DEFAULT_PARTITIONS)), ANSWER)?;
    Ok(())
}

/// Makes a topic that is missing; `like` is the topic whose partitions and replicas count when the statement says none. One
/// that is there was looked at when the statement was planned.
pub(super) fn ensure(
    shared: &Shared,
    spec: &TopicSpec,
    like: Option<&str>,
    cleanup: Cleanup,
    subject: &str,
) -> Result<i32> {
    if let Some(topic) = shared.admin.topic(&spec.name, ANSWER)? {
        return Ok(topic.partitions);
    }
    let like = match like {
        Some(name) => shared.admin.topic(name, ANSWER)?,
        None => None,
    };
    if like.is_none() && spec.partitions.is_none() && !shared.is_embedded() {
        return Err(Error::refused(Code::UnknownTopic, format!("topic {} does not exist", spec.name))
            .hint("Create the topic, correct KAFKA_TOPIC, or add PARTITIONS = n to have it created."));
    }
    let partitions = spec.partitions.or(like.as_ref().map(|topic| topic.partitions)).unwrap_or(DEFAULT_PARTITIONS);
    let asked = spec.replicas.map(i32::from);
    let mut replicas = asked.or(like.as_ref().map(|topic| topic.replicas)).unwrap_or(-1);
    if shared.is_embedded() {
        if replicas > 1 {
            shared
                .notices
                .info(subject, format!("topic {} gets 1 replica: the embedded broker is one node", spec.name));
        }
        replicas = 1;
    }
    let mut topic = NewTopic::new(&spec.name, partitions);
    topic.replicas = replicas;
    if let Some(policy) = cleanup.policy() {
        topic = topic.config("cleanup.policy", policy);
    }
    if let Some(retention) = spec.retention_ms {
        topic = topic.config("retention.ms", retention);
    }
    shared.admin.create_topic(&topic, ANSWER)?;
    let made = counted(partitions, "partition");
    shared.notices.info(subject, format!("created topic {} with {made}", spec.name));
    Ok(partitions)
}
