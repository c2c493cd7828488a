//! Where a query starts, as numbers.
//!
//! A committed offset always wins. Without one the policy decides, once, when the statement is accepted: its answer is
//! committed for the query's group, so that "latest" means the end at that moment also after a restart.
//!
//! A query can also go on where a consumer group of others stood, such as that of a query of ksqlDB: once nobody is in that
//! group any more, or both would write the same outputs.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::status::Ends;
use crate::catalog::nearest;
use crate::error::{Code, Error, Result};
use crate::kafka::{Admin, PartitionOffset, TopicPartition, Watermarks};
use crate::types::text::time::{parse_timestamp, write_timestamp};

/// How long the cluster gets to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Where a query without committed offsets starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartPolicy {
    /// The first record there is.
    Earliest,
    /// The end.
    Latest,
    /// The first record at or after a time, milliseconds since the epoch.
    At(i64),
    /// An offset for each partition, in their order.
    Offsets(Vec<i64>),
    /// Where another consumer group stood.
    Group {
        /// The group.
        name: String,
        /// For partitions for which the group has committed nothing.
        otherwise: Box<StartPolicy>,
    },
}

impl StartPolicy {
    /// Reads `earliest`, `latest` or a time: `2026-01-31`, `2026-01-31T12:00:00[.123][Z|+01:00]`, or milliseconds.
    pub fn parse(text: &str) -> Result<StartPolicy> {
        match text.trim().to_ascii_lowercase().as_str() {
            "earliest" | "beginning" => return Ok(StartPolicy::Earliest),
            "latest" | "end" => return Ok(StartPolicy::Latest),
            _ => {}
        }
        if let Ok(millis) = text.trim().parse::<i64>()
            && millis >= 0
        {
            return Ok(StartPolicy::At(millis));
        }
        match parse_timestamp(&text.trim().replacen(' ', "T", 1)) {
            Some(millis) => Ok(StartPolicy::At(millis)),
            None => Err(Error::refused(Code::InvalidLiteral, "a start is `earliest`, `latest` or a time")
                .hint("A time looks like 2026-01-31T12:00:00, in UTC unless it names an offset.")),
        }
    }
}

impl fmt::Display for StartPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartPolicy::Earliest => f.write_str("the earliest record"),
            StartPolicy::Latest => f.write_str("the end"),
            StartPolicy::At(millis) => {
                let mut time = Vec::new();
                write_timestamp(*millis, &mut time);
                write!(f, "the first record at or after {} UTC", String::from_utf8_lossy(&time))
            }
            StartPolicy::Offsets(offsets) => {
                let list: Vec<String> = offsets.iter().map(ToString::to_string).collect();
                write!(f, "offsets {}", list.join(", "))
            }
            StartPolicy::Group { name, .. } => write!(f, "the place of group {name}"),
        }
    }
}

/// Where a query starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The next offset to read, by partition.
    pub offsets: Vec<(TopicPartition, i64)>,
    /// How many of the partitions go on from a committed offset.
    pub resumed: usize,
    /// Records that are kept before the start, as far as offsets tell.
    pub skipped: i64,
    /// Records from the start to the end, as far as offsets tell.
    pub ahead: i64,
    /// Partitions for which the group that the query follows has committed nothing.
    pub unknown: Vec<i32>,
}

impl Start {
    /// One line for whoever started the query.
    pub fn describe(&self, topic: &str, policy: &StartPolicy) -> String {
        let partitions = match self.offsets.len() {
            1 => "1 partition".to_string(),
            n => format!("{n} partitions"),
        };
        let where_ = match self.resumed {
            0 if matches!(policy, StartPolicy::Group { .. }) => return self.describe_followed(topic, policy),
            0 => format!("starts at {policy} of topic {topic}"),
            n if n == self.offsets.len() => format!("goes on in topic {topic} where it was committed"),
            n => {
                format!("goes on in {n} partitions of topic {topic} where it was committed, and reads the others whole")
            }
        };
        let ahead =
            if self.ahead == 1 { "1 offset ahead".to_string() } else { format!("{} offsets ahead", self.ahead) };
        format!("{where_} ({partitions}, {ahead})")
    }

    /// The same for a query that goes on where another group stood: the offsets as a statement would name them.
    fn describe_followed(&self, topic: &str, policy: &StartPolicy) -> String {
        let offsets: Vec<String> = self.offsets.iter().map(|(_, next)| next.to_string()).collect();
        let ahead = if self.ahead == 1 { "1 offset".to_string() } else { format!("{} offsets", self.ahead) };
        let text = format!("starts at {policy} in topic {topic}: OFFSETS ({}), {ahead} ahead", offsets.join(", "));
        let StartPolicy::Group { otherwise, .. } = policy else { return text };
        let partitions: Vec<String> = self.unknown.iter().map(ToString::to_string).collect();
        match partitions.as_slice() {
            [] => text,
            [one] => format!("{text}; it has committed nothing for partition {one}, which starts at {otherwise}"),
            many => {
                let many = many.join(", ");
                format!("{text}; it has committed nothing for partitions {many}, which start at {otherwise}")
            }
        }
    }
}

/// Offsets by policy alone, for readers without a group.
pub fn by_policy(admin: &Admin, topic: &str, policy: &StartPolicy) -> Result<Start> {
    let partitions = admin.topic_partitions(topic, ANSWER)?;
    let mut start = Start { offsets: Vec::new(), resumed: 0, skipped: 0, ahead: 0, unknown: Vec::new() };
    let asked: Vec<Option<i64>> = match policy {
        StartPolicy::At(millis) => admin.offsets_at(&partitions, *millis, ANSWER)?.into_iter().map(Some).collect(),
        StartPolicy::Offsets(offsets) => {
            one_each(topic, offsets, partitions.len())?;
            offsets.iter().copied().map(Some).collect()
        }
        StartPolicy::Group { name, .. } => followed(admin, topic, name, &partitions)?,
        StartPolicy::Earliest | StartPolicy::Latest => vec![None; partitions.len()],
    };
    let rest = match policy {
        StartPolicy::Group { otherwise, .. } if asked.iter().any(Option::is_none) => {
            Some(by_policy(admin, topic, otherwise)?)
        }
        _ => None,
    };
    // The ends are asked for last, so that they are behind what was found before.
    let marks = admin.watermarks(&partitions, ANSWER)?;
    for (number, (at, marks)) in partitions.into_iter().zip(marks).enumerate() {
        let next = match (asked[number], &rest, policy) {
            (Some(offset), ..) if offset > marks.latest => return Err(beyond(&at, offset, marks.latest, policy)),
            // What stood between is gone.
            (Some(offset), ..) => offset.max(marks.earliest),
            (None, Some(rest), _) => {
                start.unknown.push(at.partition);
                rest.offsets.get(number).map_or(marks.earliest, |(_, next)| *next)
            }
            (None, None, StartPolicy::Latest) => marks.latest,
            (None, None, _) => marks.earliest,
        };
        start.skipped += (next - marks.earliest).max(0);
        start.ahead += (marks.latest - next).max(0);
        start.offsets.push((at, next));
    }
    Ok(start)
}

/// Offsets for a group: committed ones win, the others follow the policy and are committed now.
pub fn for_group(admin: &Admin, topic: &str, group: &str, policy: &StartPolicy) -> Result<Start> {
    let (start, fresh) = settle(admin, topic, group, policy)?;
    admin.set_committed(group, &fresh, ANSWER)?;
    Ok(start)
}

/// Whether a group has committed anything for a topic.
pub fn has_begun(admin: &Admin, topic: &str, group: &str) -> Result<bool> {
    let partitions = admin.topic_partitions(topic, ANSWER)?;
    Ok(admin.committed(group, &partitions, ANSWER)?.iter().any(Option::is_some))
}

/// Whether a query of this group could start; what is asked of the cluster changes nothing. A topic that is not there may be
/// made by an earlier statement, but nobody has stood in it.
pub fn check_for_group(admin: &Admin, topic: &str, group: &str, policy: &StartPolicy) -> Result<()> {
    if admin.topic(topic, ANSWER)?.is_some() {
        return settle(admin, topic, group, policy).map(drop);
    }
    match policy {
        StartPolicy::Group { name, .. } => {
            Err(Error::refused(Code::TopicMismatch, format!("group {name} has committed nothing for topic {topic}"))
                .detail("there is no such topic"))
        }
        _ => Ok(()),
    }
}

/// Where a query of a group starts, and what is to be committed for that.
fn settle(admin: &Admin, topic: &str, group: &str, policy: &StartPolicy) -> Result<(Start, Vec<PartitionOffset>)> {
    let partitions = admin.topic_partitions(topic, ANSWER)?;
    let committed = admin.committed(group, &partitions, ANSWER)?;
    let anything_committed = committed.iter().any(Option::is_some);
    let mut start = match policy {
        // It has its own place already, and the policy is history.
        _ if anything_committed => by_policy(admin, topic, &StartPolicy::Earliest)?,
        StartPolicy::Group { name, .. } => {
            refuse_members(admin, name)?;
            let start = by_policy(admin, topic, policy)?;
            // Nobody came in between and went on.
            refuse_members(admin, name)?;
            start
        }
        _ => by_policy(admin, topic, policy)?,
    };
    let mut fresh = Vec::new();
    let committed = committed.into_iter().chain(std::iter::repeat(None));
    for ((at, next), committed) in start.offsets.iter_mut().zip(committed) {
        match committed {
            Some(offset) => {
                start.ahead -= offset.next.max(0) - *next;
                *next = offset.next;
                start.resumed += 1;
            }
            None => {
                // A partition that was added to a running query's topic is read whole.
                if anything_committed {
                    *next = 0;
                }
                fresh.push(PartitionOffset { at: at.clone(), next: *next, metadata: String::new() });
            }
        }
    }
    if start.resumed > 0 {
        start.skipped = 0;
        // With something committed the group may be at work, and only its members may commit; they start new partitions
        // at their first record themselves.
        fresh.clear();
    }
    start.ahead = start.ahead.max(0);
    Ok((start, fresh))
}

/// What another group has committed, for good.
fn followed(admin: &Admin, topic: &str, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>> {
    let committed = admin.committed_for_good(group, partitions, ANSWER)?;
    if committed.iter().any(Option::is_some) {
        return Ok(committed.into_iter().map(|offset| offset.map(|offset| offset.next)).collect());
    }
    let error = Error::refused(Code::TopicMismatch, format!("group {group} has committed nothing for topic {topic}"));
    let groups = admin.groups(ANSWER).unwrap_or_default();
    let others = groups.iter().map(String::as_str).filter(|other| *other != group);
    Err(match nearest(group, others) {
        Some(near) => error.hint(format!("Did you mean '{near}'?")),
        None => error.hint(
            "The group of a query of ksqlDB is _confluent-ksql-<ksql.service.id>query_<query id>, and TERMINATE deletes it.",
        ),
    })
}

/// Refuses a group that somebody is in: it goes on while the new query would do the same work.
fn refuse_members(admin: &Admin, group: &str) -> Result<()> {
    match admin.group_members(group, ANSWER)? {
        Some(members) if members.is_empty() => Ok(()),
        Some(members) => {
            let count = if members.len() == 1 { "1 member".to_string() } else { format!("{} members", members.len()) };
            Err(Error::refused(Code::InUse, format!("group {group} has {count}"))
                .detail(format!("whoever is in it goes on, and both would write the same: {}", members.join(", ")))
                .hint(
                    "Stop them first. Those of a stopped ksqlDB server go when their session ends, after \
                     session.timeout.ms (45 s, if nothing else was said).",
                ))
        }
        None => {
            Err(Error::refused(Code::TopicMismatch, format!("there is no group {group} whose members can be told"))
                .detail("where it stood may be known, but not whether somebody goes on from there")
                .hint(
                    "The group of a query of ksqlDB is _confluent-ksql-<ksql.service.id>query_<query id>; \
                 START AT OFFSETS (n, ...) starts without a group.",
                ))
        }
    }
}

/// The error for an offset behind the end of its partition.
fn beyond(at: &TopicPartition, offset: i64, end: i64, policy: &StartPolicy) -> Error {
    let error = match policy {
        StartPolicy::Group { name, .. } => {
            Error::refused(Code::TopicMismatch, format!("group {name} stood at offset {offset} of {at}"))
                .hint("The topic was made again since then; name where to start with START AT OFFSETS (n, ...).")
        }
        _ => Error::refused(Code::TopicMismatch, format!("OFFSETS names {offset} for {at}"))
            .hint("Write LATEST, or an offset that is there."),
    };
    error.detail(format!("which ends at {end}"))
}

/// Where a query that is to end does so, by partition. A time in the future has no offset yet, and is refused.
pub fn until(admin: &Admin, topic: &str, policy: &StartPolicy) -> Result<Vec<i64>> {
    let marks = admin.topic_watermarks(topic, ANSWER)?;
    match policy {
        StartPolicy::Earliest => Ok(marks.iter().map(|(_, marks)| marks.earliest).collect()),
        StartPolicy::Latest => Ok(marks.iter().map(|(_, marks)| marks.stable).collect()),
        StartPolicy::At(millis) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
            if *millis > now {
                return Err(Error::refused(Code::InvalidLiteral, "UNTIL names a time in the future")
                    .detail("where a topic will be then is not known")
                    .hint("Leave UNTIL out and end the query when it has seen enough, or LIMIT its rows."));
            }
            let partitions: Vec<TopicPartition> = marks.iter().map(|(at, _)| at.clone()).collect();
            let at_time = admin.offsets_at(&partitions, *millis, ANSWER)?;
            Ok(at_time.into_iter().zip(marks).map(|(offset, (_, marks))| offset.min(marks.stable)).collect())
        }
        StartPolicy::Offsets(offsets) => {
            one_each(topic, offsets, marks.len())?;
            Ok(offsets.clone())
        }
        StartPolicy::Group { .. } => Err(Error::internal("a query does not end where a group stood")),
    }
}

/// Refuses a list of offsets that is not one for each partition.
fn one_each(topic: &str, offsets: &[i64], partitions: usize) -> Result<()> {
    if offsets.len() == partitions {
        return Ok(());
    }
    Err(Error::refused(
        Code::InvalidLiteral,
        format!("OFFSETS names {}, topic {topic} has {partitions} partitions", offsets.len()),
    )
    .hint("Write one offset for each partition, in their order."))
}

/// Where the records that can be read now end: what `--until-end` processes.
pub fn ends(admin: &Admin, topics: &[Arc<str>]) -> Result<Ends> {
    ends_by(admin, topics, |marks| marks.stable)
}

/// Where topics end, with what stands in transactions whose end is not written there yet: a commit is answered before it is.
pub fn ends_of_all(admin: &Admin, topics: &[Arc<str>]) -> Result<Ends> {
    ends_by(admin, topics, |marks| marks.latest)
}

fn ends_by(admin: &Admin, topics: &[Arc<str>], end: impl Fn(Watermarks) -> i64) -> Result<Ends> {
    let ends = |topic: &Arc<str>| -> Result<_> {
        let marks = admin.topic_watermarks(topic, ANSWER)?;
        Ok((Arc::clone(topic), marks.into_iter().map(|(_, marks)| end(marks)).collect()))
    };
    topics.iter().map(ends).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_a_word_or_a_time() {
        assert_eq!(StartPolicy::parse("Earliest").unwrap(), StartPolicy::Earliest);
        assert_eq!(StartPolicy::parse("latest").unwrap(), StartPolicy::Latest);
        assert_eq!(StartPolicy::parse("1970-01-02").unwrap(), StartPolicy::At(86_400_000));
        assert_eq!(StartPolicy::parse("1970-01-01T01:00:00.5+01:00").unwrap(), StartPolicy::At(500));
        assert_eq!(StartPolicy::parse("1700000000000").unwrap(), StartPolicy::At(1_700_000_000_000));
        assert_eq!(StartPolicy::parse("soon").unwrap_err().exit_code(), 1);
    }

    #[test]
    fn the_description_says_what_was_resumed() {
        let at = |partition| TopicPartition::new("t", partition);
        let start = Start { offsets: vec![(at(0), 5), (at(1), 0)], resumed: 0, skipped: 0, ahead: 7, unknown: vec![] };
        assert_eq!(
            start.describe("t", &StartPolicy::Earliest),
            "starts at the earliest record of topic t (2 partitions, 7 offsets ahead)"
        );
        let start = Start { resumed: 2, ..start };
        assert!(start.describe("t", &StartPolicy::Latest).starts_with("goes on in topic t where it was committed"));
        let policy = StartPolicy::Group { name: "g".into(), otherwise: Box::new(StartPolicy::Earliest) };
        assert!(start.describe("t", &policy).starts_with("goes on in topic t where it was committed"));
        let start = Start { resumed: 0, unknown: vec![1], ..start };
        assert_eq!(
            start.describe("t", &policy),
            "starts at the place of group g in topic t: OFFSETS (5, 0), 7 offsets ahead; \
             it has committed nothing for partition 1, which starts at the earliest record"
        );
    }
}
