//! What members of a group ask: joining, heartbeats, committed offsets.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

use super::super::groups::member::{Join, NotJoined};
use super::super::groups::offsets;
use super::super::node::Node;
use super::super::state::{Committed, Event, Offsets, State};
use super::super::wire::connection::Call;
use super::{code, text};

/// JoinGroup.
pub async fn join(node: &Node, call: &Call, request: JoinGroupRequest, version: i16) -> JoinGroupResponse {
    let session_timeout = i64::from(request.session_timeout_ms);
    let join = Join {
        member_id: request.member_id.to_string(),
        instance_id: request.group_instance_id.map(|id| id.to_string()),
        client_id: call.client_id.clone(),
        client_host: call.client_host.clone(),
        session_timeout,
        // Version 0 has only the one timeout.
        rebalance_timeout: if version == 0 { session_timeout } else { i64::from(request.rebalance_timeout_ms) },
        protocol_type: request.protocol_type.to_string(),
        protocols: request.protocols.iter().map(|one| (one.name.to_string(), own(&one.metadata))).collect(),
        id_required: version >= 4,
        can_skip_assignment: version >= 9,
    };
    let answer = node.groups.join(node.now(), request.group_id.as_str(), join);
    node.kick.notify_one();
    let answer = answer.await.unwrap_or_else(|_| {
        let member_id = request.member_id.to_string();
        Err(NotJoined { error: ResponseError::RebalanceInProgress, member_id })
    });
    let null_allowed = version >= 7;
    let name = |name: Option<String>| name.map(text).or((!null_allowed).then(StrBytes::new));
    match answer {
        Ok(joined) => {
            let member = |(id, instance_id, metadata): (String, Option<String>, Bytes)| {
                JoinGroupResponseMember::default()
                    .with_member_id(text(id))
                    .with_group_instance_id(instance_id.map(text))
                    .with_metadata(metadata)
            };
            JoinGroupResponse::default()
                .with_generation_id(joined.generation)
                .with_protocol_type(joined.protocol_type.map(text))
                .with_protocol_name(name(joined.protocol))
                .with_leader(text(joined.leader))
                .with_member_id(text(joined.member_id))
                .with_skip_assignment(joined.skip_assignment)
                .with_members(joined.members.into_iter().map(member).collect())
        }
        Err(NotJoined { error, member_id }) => JoinGroupResponse::default()
            .with_error_code(error.code())
            .with_generation_id(-1)
            .with_protocol_name(name(None))
            .with_member_id(text(member_id)),
    }
}

/// SyncGroup.
pub async fn sync(node: &Node, request: SyncGroupRequest) -> SyncGroupResponse {
    let assignments = request.assignments.iter().map(|one| (one.member_id.to_string(), own(&one.assignment))).collect();
    let protocol = (request.protocol_type.as_deref(), request.protocol_name.as_deref());
    let (group, member) =
        (request.group_id.as_str(), (request.member_id.as_str(), request.group_instance_id.as_deref()));
    let answer = node.groups.sync(node.now(), group, member, request.generation_id, protocol, assignments);
    node.kick.notify_one();
    match answer.await.unwrap_or(Err(ResponseError::RebalanceInProgress)) {
        Ok(synced) => SyncGroupResponse::default()
            .with_protocol_type(synced.protocol_type.map(text))
            .with_protocol_name(synced.protocol.map(text))
            .with_assignment(synced.assignment),
        Err(error) => SyncGroupResponse::default().with_error_code(error.code()),
    }
}

/// Bytes of our own: a slice of the request would keep all of it.
fn own(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

/// Heartbeat.
pub fn heartbeat(node: &Node, request: HeartbeatRequest) -> HeartbeatResponse {
    let (group, member) =
        (request.group_id.as_str(), (request.member_id.as_str(), request.group_instance_id.as_deref()));
    let beat = node.groups.heartbeat(node.now(), group, member, request.generation_id);
    HeartbeatResponse::default().with_error_code(code(&beat))
}

/// LeaveGroup: one member before version 3, several after.
pub fn leave(node: &Node, request: LeaveGroupRequest, version: i16) -> LeaveGroupResponse {
    let group = request.group_id.as_str();
    let response = if version < 3 {
        let left = node.groups.leave(node.now(), group, request.member_id.as_str(), None);
        LeaveGroupResponse::default().with_error_code(code(&left))
    } else {
        let leave = |member: leave_group_request::MemberIdentity| {
            let left = node.groups.leave(node.now(), group, &member.member_id, member.group_instance_id.as_deref());
            MemberResponse::default()
                .with_member_id(member.member_id)
                .with_group_instance_id(member.group_instance_id)
                .with_error_code(code(&left))
        };
        LeaveGroupResponse::default().with_members(request.members.into_iter().map(leave).collect())
    };
    node.kick.notify_one();
    response
}

/// OffsetCommit.
pub fn commit(node: &Node, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let mut kept = Offsets::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let metadata = asked.committed_metadata.map(|text| text.to_string()).unwrap_or_default();
            let checked = check(node, topic.name.as_str(), asked.partition_index, asked.committed_offset, &metadata);
            if checked.is_ok() {
                let leader_epoch = asked.committed_leader_epoch;
                let (offset, at_ms) = (asked.committed_offset, node.now());
                let committed = Committed { offset, leader_epoch, metadata, at_ms };
                kept.entry(topic.name.to_string()).or_default().insert(asked.partition_index, committed);
            }
            let answer = OffsetCommitResponsePartition::default().with_partition_index(asked.partition_index);
            partitions.push(answer.with_error_code(code(&checked)));
        }
        topics.push(OffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions));
    }
    let (group, member) =
        (request.group_id.as_str(), (request.member_id.as_str(), request.group_instance_id.as_deref()));
    let done = node.groups.commit(node.now(), group, member, request.generation_id_or_member_epoch, || {
        if kept.is_empty() {
            return Ok(());
        }
        let event = Event::Offsets { group: group.to_string(), offsets: kept };
        node.journal.lock().record(event).map_err(|_| ResponseError::CoordinatorNotAvailable)
    });
    if let Err(error) = done {
        for partition in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            partition.error_code = error.code();
        }
    }
    OffsetCommitResponse::default().with_topics(topics)
}

/// Checks one offset of a commit.
pub fn check(node: &Node, topic: &str, index: i32, offset: i64, metadata: &str) -> Result<(), ResponseError> {
    node.topics.partition(topic, index).ok_or(ResponseError::UnknownTopicOrPartition)?;
    offsets::check(offset, metadata)
}

/// A committed offset as it is answered: offset, leader epoch, text, error.
type Answered = (i64, i32, StrBytes, i16);

fn look_up(state: &State, group: &str, topic: &str, partition: i32, stable: bool) -> Answered {
    match offsets::fetch(state, group, topic, partition, stable) {
        Ok(Some(committed)) => (committed.offset, committed.leader_epoch, text(&committed.metadata), 0),
        Ok(None) => (-1, -1, StrBytes::new(), 0),
        Err(error) => (-1, -1, StrBytes::new(), error.code()),
    }
}

/// The partitions a group committed offsets of, or holds in a transaction.
fn all_partitions(state: &State, group: &str) -> Vec<(String, Vec<i32>)> {
    let view = |(topic, of_topic): (&String, &std::collections::BTreeMap<i32, Committed>)| {
        (topic.clone(), of_topic.keys().copied().collect())
    };
    state.offsets.get(group).map(|offsets| offsets.iter().map(view).collect()).unwrap_or_default()
}

/// OffsetFetch: one group before version 8, several after; no topics means all.
pub fn fetch(node: &Node, request: OffsetFetchRequest, version: i16) -> OffsetFetchResponse {
    let journal = node.journal.lock();
    let state = journal.state();
    let stable = request.require_stable;
    if version < 8 {
        let group = request.group_id.as_str();
        let asked: Vec<(String, Vec<i32>)> = match request.topics {
            None => all_partitions(state, group),
            Some(topics) => topics.into_iter().map(|one| (one.name.to_string(), one.partition_indexes)).collect(),
        };
        let topic = |(name, indexes): (String, Vec<i32>)| {
            let partition = |index| {
                let (offset, epoch, metadata, error) = look_up(state, group, &name, index, stable);
                OffsetFetchResponsePartition::default()
                    .with_partition_index(index)
                    .with_committed_offset(offset)
                    .with_committed_leader_epoch(epoch)
                    .with_metadata(Some(metadata))
                    .with_error_code(error)
            };
            let partitions = indexes.into_iter().map(partition).collect();
            OffsetFetchResponseTopic::default().with_name(TopicName(text(&name))).with_partitions(partitions)
        };
        return OffsetFetchResponse::default().with_topics(asked.into_iter().map(topic).collect());
    }
    let answer_group = |asked: offset_fetch_request::OffsetFetchRequestGroup| {
        let group = asked.group_id.as_str();
        let topics: Vec<(String, Vec<i32>)> = match asked.topics {
            None => all_partitions(state, group),
            Some(topics) => topics.into_iter().map(|one| (one.name.to_string(), one.partition_indexes)).collect(),
        };
        let topic = |(name, indexes): (String, Vec<i32>)| {
            let partition = |index| {
                let (offset, epoch, metadata, error) = look_up(state, group, &name, index, stable);
                OffsetFetchResponsePartitions::default()
                    .with_partition_index(index)
                    .with_committed_offset(offset)
                    .with_committed_leader_epoch(epoch)
                    .with_metadata(Some(metadata))
                    .with_error_code(error)
            };
            let partitions = indexes.into_iter().map(partition).collect();
            OffsetFetchResponseTopics::default().with_name(TopicName(text(&name))).with_partitions(partitions)
        };
        let topics = topics.into_iter().map(topic).collect();
        OffsetFetchResponseGroup::default().with_group_id(asked.group_id.clone()).with_topics(topics)
    };
    OffsetFetchResponse::default().with_groups(request.groups.into_iter().map(answer_group).collect())
}
