//! Committed offsets: reading them from the journal's state, and the checks every commit passes.

use kafka_protocol::ResponseError;

use crate::broker::state::{Committed, State};

/// Longest text a client may commit beside an offset.
const MAX_METADATA: usize = 4096;

/// Checks one offset of a commit.
pub fn check(offset: i64, metadata: &str) -> Result<(), ResponseError> {
    if metadata.len() > MAX_METADATA {
        return Err(ResponseError::OffsetMetadataTooLarge);
    }
    // Negative offsets mean something to a reader's position, never to a group.
    if offset < 0 { Err(ResponseError::InvalidCommitOffsetSize) } else { Ok(()) }
}

/// What a group committed for a partition. With `stable`, an offset in an open transaction is an error to wait out.
pub fn fetch<'a>(
    state: &'a State,
    group: &str,
    topic: &str,
    partition: i32,
    stable: bool,
) -> Result<Option<&'a Committed>, ResponseError> {
    if stable && state.is_pending(group, topic, partition) {
        return Err(ResponseError::UnstableOffsetCommit);
    }
    Ok(state.offsets.get(group).and_then(|topics| topics.get(topic)).and_then(|of_topic| of_topic.get(&partition)))
}
