//! The topics of a query's own: where what a join keeps is kept, and where records get the keys they are joined by.
//!
//! They are made with the query and go with it, and nobody else reads or writes them. A query that begins anew finds none: what
//! one of the same id has left behind, because it could not be deleted, is deleted first.

use std::time::Duration;

use super::engine::Shared;
use crate::error::{Code, Error, Result};
use crate::kafka::NewTopic;
use crate::plan::QueryPlan;
use crate::topology::OwnTopics;

/// How long the cluster gets to answer, or to delete a topic.
const ANSWER: Duration = Duration::from_secs(30);

/// The longest record that is written to such a topic: what the client sends at most. Records of sources are kept in them with
/// a few bytes more.
const LONGEST_RECORD: &str = "16777216";

/// Size of a file of a topic through which records go; what is processed stays until its file is full. That of Kafka Streams.
const SEGMENT_BYTES: i64 = 50 * 1024 * 1024;

/// The names of the topics that a query needs.
pub(super) fn of(shared: &Shared, plan: &QueryPlan) -> OwnTopics {
    OwnTopics::of(plan, &prefix(shared, &plan.query_id))
}

fn prefix(shared: &Shared, id: &str) -> String {
    format!("_alcedo_{}_query_{}", name_of(&shared.service), name_of(id))
}

/// A name in which every character may stand in the name of a topic; other names become others.
fn name_of(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => text.push(char::from(byte)),
            _ => text += &format!(".{byte:02x}"),
        }
    }
    text
}

/// How many partitions a join has, whose sources have so many. Refuses one whose partners are not in the same partitions.
pub(super) fn partitions(plan: &QueryPlan, [left, right]: [i32; 2]) -> Result<i32> {
    let Some(join) = &plan.join else { return Ok(left) };
    match [&join.sides[0], &join.sides[1]].map(|side| side.repartition.is_some()) {
        [true, true] => Ok(left.max(right)),
        [false, true] => Ok(left),
        [true, false] => Ok(right),
        [false, false] if left == right => Ok(left),
        [false, false] => {
            let names = [&plan.source, &join.right].map(|scan| crate::types::quote_identifier(&scan.relation));
            Err(Error::refused(
                Code::InvalidJoin,
                format!("{} has {left} partitions, {} has {right}", names[0], names[1]),
            )
            .detail("equal keys are not in partitions of the same number, so their rows would not meet")
            .hint(format!(
                "Write one of them again: CREATE STREAM ... WITH (PARTITIONS = {left}) AS SELECT * FROM {};",
                names[1]
            )))
        }
    }
}

/// Makes the topics that are missing. `begun` says whether the query has ever run; if it has not, what they hold is not its.
/// It is asked again before anything is deleted, since another process may have begun it meanwhile.
pub(super) fn ensure(
    shared: &Shared,
    plan: &QueryPlan,
    own: &OwnTopics,
    partitions: i32,
    begun: &dyn Fn() -> Result<bool>,
) -> Result<()> {
    if own.all().next().is_none() {
        return Ok(());
    }
    let like = shared.admin.topic(&plan.source.topic, ANSWER)?;
    let replicas = if shared.is_embedded() { 1 } else { like.map_or(-1, |topic| topic.replicas) };
    for name in own.all() {
        match shared.admin.topic(name, ANSWER)? {
            Some(topic) if topic.partitions == partitions && is_empty(shared, name)? => continue,
            Some(_) if !begun()? => drop(shared.admin.delete_topic(name, ANSWER)?),
            Some(topic) if topic.partitions == partitions => continue,
            Some(topic) => {
                return Err(Error::external(format!(
                    "topic {name} has {} partitions, the sources of {} ask for {partitions}",
                    topic.partitions, plan.query_id
                ))
                .detail("a source has got more partitions since the query was created")
                .hint("TERMINATE the query and create it again."));
            }
            None => {}
        }
        let mut topic = NewTopic::new(name.to_string(), partitions);
        topic.replicas = replicas;
        topic = topic.config("max.message.bytes", LONGEST_RECORD);
        topic = match own.changelog.as_ref() == Some(name) {
            // What is not needed any more is said by a tombstone.
            true => topic.config("cleanup.policy", "compact"),
            // What is processed is deleted by the query, and files go when they are full.
            false => topic
                .config("cleanup.policy", "delete")
                .config("retention.ms", -1)
                .config("segment.bytes", SEGMENT_BYTES),
        };
        shared.admin.create_topic(&topic, ANSWER)?;
    }
    Ok(())
}

fn is_empty(shared: &Shared, name: &str) -> Result<bool> {
    Ok(shared.admin.topic_watermarks(name, ANSWER)?.iter().all(|(_, marks)| marks.latest == 0))
}

/// Deletes those of a query that is gone; `own` are those it ran with, if it ran.
pub(super) fn delete(shared: &Shared, id: &str, own: Option<OwnTopics>) -> Result<()> {
    let guessed = own.is_none();
    let own = own.unwrap_or_else(|| OwnTopics::any(&prefix(shared, id)));
    for name in own.all() {
        if !guessed || shared.admin.topic(name, ANSWER)?.is_some() {
            shared.admin.delete_topic(name, ANSWER)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_gives_a_name_of_its_own() {
        assert_eq!(name_of("CSAS_HOT-2"), "CSAS_HOT-2");
        assert_eq!(name_of("a.b"), "a.2eb");
        assert_eq!(name_of("a b"), "a.20b");
        assert_ne!(name_of("é"), name_of("è"));
    }
}
