//! `ASSERT [NOT EXISTS] TOPIC`: waits for a topic to be there, or not to be.

use std::time::{Duration, Instant};

use super::engine::Shared;
use crate::error::{Error, Result, Span};
use crate::kafka::TopicInfo;
use crate::sql::ast::{Assert, Property};
use crate::sql::bind::properties::Properties;

/// How long it waits when nothing else is said, as in ksqlDB.
const PATIENCE: Duration = Duration::from_secs(1);

/// Pause between two looks: the cluster tells nobody when its topics change.
const LOOK: Duration = Duration::from_millis(20);

/// How long the cluster gets to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// A topic that must be there, or must not.
#[derive(Debug, Clone)]
pub(super) struct TopicAssertion {
    topic: String,
    exists: bool,
    partitions: Option<i32>,
    replicas: Option<i32>,
    patience: Duration,
    span: Span,
}

/// What a statement asserts.
///
/// # Errors
/// What is for files of `alcedo test`, what needs a schema registry, and properties that a topic is not asked for.
pub(super) fn plan(assert: &Assert, span: Span) -> Result<TopicAssertion> {
    let (exists, topic, properties, timeout) = match assert {
        Assert::Topic { exists, topic, properties, timeout } => (*exists, topic, properties, timeout),
        Assert::Schema { .. } => return Err(Error::unsupported("ASSERT SCHEMA", span)),
        Assert::Values { .. } | Assert::NullValues { .. } | Assert::Source { .. } => {
            return Err(Error::sql("this ASSERT is a statement of tests")
                .hint("alcedo test FILE; runs files with --@test: comments and compares what their queries give.")
                .at(span));
        }
    };
    let asked = |property: &&Property| {
        ["PARTITIONS", "REPLICAS"].iter().any(|known| property.name.value.eq_ignore_ascii_case(known))
    };
    if let Some(other) = properties.iter().find(|property| !asked(property)) {
        return Err(Error::sql(format!("ASSERT TOPIC does not look at {}", other.name.value))
            .detail("it looks at PARTITIONS and REPLICAS")
            .at(other.span));
    }
    if !exists && let Some(property) = properties.first() {
        return Err(Error::sql("a topic that must not exist has no properties").at(property.span));
    }
    let read = Properties::read(properties)?;
    let patience = timeout.map(|timeout| Duration::from_millis(timeout.millis().max(0).cast_unsigned()));
    Ok(TopicAssertion {
        topic: topic.name.clone(),
        exists,
        partitions: read.partitions.map(|partitions| partitions.value),
        replicas: read.replicas.map(|replicas| i32::from(replicas.value)),
        patience: patience.unwrap_or(PATIENCE),
        span: topic.span,
    })
}

impl TopicAssertion {
    /// Waits until it holds; gives one line that says so.
    ///
    /// # Errors
    /// It did not hold in time.
    pub(super) fn wait(&self, shared: &Shared) -> Result<String> {
        let deadline = Instant::now() + self.patience;
        loop {
            let found = shared.admin.topic(&self.topic, ANSWER)?;
            let Some(wrong) = self.wrong(found.as_ref()) else {
                let does = if self.exists { "exists" } else { "does not exist" };
                return Ok(format!("Topic {} {does}.", self.topic));
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let waited = format!("waited {} ms", self.patience.as_millis());
                return Err(Error::sql(wrong).detail(waited).at(self.span));
            }
            std::thread::sleep(left.min(LOOK));
        }
    }

    /// What is otherwise than it must be.
    fn wrong(&self, found: Option<&TopicInfo>) -> Option<String> {
        let name = &self.topic;
        let Some(found) = found else { return self.exists.then(|| format!("topic {name} does not exist")) };
        if !self.exists {
            return Some(format!("topic {name} exists"));
        }
        let differs = |what: &str, wanted: Option<i32>, has: i32| {
            let wanted = wanted.filter(|wanted| *wanted != has)?;
            Some(format!("topic {name} has {has} {what}, not {wanted}"))
        };
        differs("partitions", self.partitions, found.partitions)
            .or_else(|| differs("replicas", self.replicas, found.replicas))
    }
}
