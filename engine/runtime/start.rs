//! Where a query starts, as numbers.
//!
//! A committed offset always wins. Without one the policy decides, once, when the statement is accepted: its answer is
//! committed for the query's group, so that "latest" means the end at that moment also after a restart.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::{Code, Error, Result};
use crate::kafka::{Admin, PartitionOffset, TopicPartition};
use crate::types::text::time::parse_timestamp;

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
            StartPolicy::At(millis) => write!(f, "the first record at or after {millis} ms since the epoch"),
            StartPolicy::Offsets(offsets) => {
                let list: Vec<String> = offsets.iter().map(ToString::to_string).collect();
                write!(f, "offsets {}", list.join(", "))
            }
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
}

impl Start {
    /// One line for whoever started the query.
    pub fn describe(&self, topic: &str, policy: &StartPolicy) -> String {
        let partitions = match self.offsets.len() {
            1 => "1 partition".to_string(),
            n => format!("{n} partitions"),
        };
        let where_ = match self.resumed {
            0 => format!("starts at {policy} of topic {topic}"),
            n if n == self.offsets.len() => format!("goes on in topic {topic} where it was committed"),
            n => format!("goes on in {n} partitions of topic {topic} where it was committed, the others from {policy}"),
        };
        let ahead =
            if self.ahead == 1 { "1 offset ahead".to_string() } else { format!("{} offsets ahead", self.ahead) };
        format!("{where_} ({partitions}, {ahead})")
    }
}

/// Offsets by policy alone, for readers without a group.
pub fn by_policy(admin: &Admin, topic: &str, policy: &StartPolicy) -> Result<Start> {
    let marks = admin.topic_watermarks(topic, ANSWER)?;
    let partitions: Vec<TopicPartition> = marks.iter().map(|(at, _)| at.clone()).collect();
    let asked = match policy {
        StartPolicy::At(millis) => admin.offsets_at(&partitions, *millis, ANSWER)?,
        StartPolicy::Offsets(offsets) => {
            one_each(topic, offsets, partitions.len())?;
            offsets.clone()
        }
        _ => Vec::new(),
    };
    let mut start = Start { offsets: Vec::new(), resumed: 0, skipped: 0, ahead: 0 };
    for (number, (at, marks)) in marks.into_iter().enumerate() {
        let next = match policy {
            StartPolicy::Earliest => marks.earliest,
            StartPolicy::Latest => marks.latest,
            StartPolicy::At(_) | StartPolicy::Offsets(_) => asked[number],
        };
        start.skipped += (next - marks.earliest).max(0);
        start.ahead += (marks.latest - next).max(0);
        start.offsets.push((at, next));
    }
    Ok(start)
}

/// Offsets for a group: committed ones win, the others follow the policy and are committed now.
pub fn for_group(admin: &Admin, topic: &str, group: &str, policy: &StartPolicy) -> Result<Start> {
    let mut start = by_policy(admin, topic, policy)?;
    let partitions: Vec<TopicPartition> = start.offsets.iter().map(|(at, _)| at.clone()).collect();
    let committed = admin.committed(group, &partitions, ANSWER)?;
    let anything_committed = committed.iter().any(Option::is_some);
    let mut fresh = Vec::new();
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
    }
    start.ahead = start.ahead.max(0);
    // With something committed the group may be at work, and only its members may commit; they start new partitions at
    // their first record themselves.
    if !fresh.is_empty() && !anything_committed {
        admin.set_committed(group, &fresh, ANSWER)?;
    }
    Ok(start)
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

/// Where the records that can be read now end, by partition: what `--until-end` processes.
pub fn ends(admin: &Admin, topic: &str) -> Result<Vec<i64>> {
    Ok(admin.topic_watermarks(topic, ANSWER)?.into_iter().map(|(_, marks)| marks.stable).collect())
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
        let start = Start { offsets: vec![(at(0), 5), (at(1), 0)], resumed: 0, skipped: 0, ahead: 7 };
        assert_eq!(
            start.describe("t", &StartPolicy::Earliest),
            "starts at the earliest record of topic t (2 partitions, 7 offsets ahead)"
        );
        let start = Start { resumed: 2, ..start };
        assert!(start.describe("t", &StartPolicy::Latest).starts_with("goes on in topic t where it was committed"));
    }
}
