//! What tools ask about groups: list, describe, delete, forget offsets.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use kafka_protocol::messages::*;

use super::super::groups::{Description, MemberDescription};
use super::super::node::Node;
use super::super::state::Event;
use super::{code, text};

/// ListGroups: those with members, and those with committed offsets.
pub fn list(node: &Node, request: ListGroupsRequest) -> ListGroupsResponse {
    let mut groups: BTreeMap<String, (String, &'static str)> = BTreeMap::new();
    for group in node.journal.lock().state().offsets.keys() {
        groups.insert(group.clone(), ("consumer".into(), "Empty"));
    }
    for (id, protocol_type, state) in node.groups.list() {
        groups.insert(id, (protocol_type, state));
    }
    let wanted = |state: &str| {
        request.states_filter.is_empty() || request.states_filter.iter().any(|one| one.eq_ignore_ascii_case(state))
    };
    let classic =
        request.types_filter.is_empty() || request.types_filter.iter().any(|one| one.eq_ignore_ascii_case("classic"));
    let view = |(id, (protocol_type, state)): (String, (String, &'static str))| {
        ListedGroup::default()
            .with_group_id(GroupId(text(id)))
            .with_protocol_type(text(protocol_type))
            .with_group_state(text(state))
            .with_group_type(text("classic"))
    };
    let listed = groups.into_iter().filter(|(_, (_, state))| classic && wanted(state)).map(view).collect();
    ListGroupsResponse::default().with_groups(listed)
}

/// DescribeGroups.
pub fn describe(node: &Node, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
    let view = |id: GroupId| {
        let described = node.groups.describe(id.as_str()).unwrap_or_else(|| {
            let known = node.journal.lock().state().offsets.contains_key(id.as_str());
            match known {
                true => Description { state: "Empty", protocol_type: "consumer".into(), ..Description::default() },
                false => Description { state: "Dead", ..Description::default() },
            }
        });
        let member = |member: MemberDescription| {
            DescribedGroupMember::default()
                .with_member_id(text(member.id))
                .with_group_instance_id(member.instance_id.map(text))
                .with_client_id(text(member.client_id))
                .with_client_host(text(member.client_host))
                .with_member_metadata(member.subscription)
                .with_member_assignment(member.assignment)
        };
        DescribedGroup::default()
            .with_group_id(id)
            .with_group_state(text(described.state))
            .with_protocol_type(text(described.protocol_type))
            .with_protocol_data(text(described.protocol))
            .with_members(described.members.into_iter().map(member).collect())
    };
    DescribeGroupsResponse::default().with_groups(request.groups.into_iter().map(view).collect())
}

/// DeleteGroups: only those without members.
pub fn delete(node: &Node, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let delete = |group: GroupId| {
        let done = node.groups.while_empty(group.as_str(), || {
            let mut journal = node.journal.lock();
            if !journal.state().offsets.contains_key(group.as_str()) {
                return Err(ResponseError::GroupIdNotFound);
            }
            let event = Event::GroupDeleted { group: group.to_string() };
            journal.record(event).map_err(|_| ResponseError::CoordinatorNotAvailable)
        });
        DeletableGroupResult::default().with_group_id(group.clone()).with_error_code(code(&done))
    };
    DeleteGroupsResponse::default().with_results(request.groups_names.into_iter().map(delete).collect())
}

/// OffsetDelete: only of groups without members.
pub fn delete_offsets(node: &Node, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let group = request.group_id.as_str();
    let wanted = |topic: &offset_delete_request::OffsetDeleteRequestTopic| {
        let name = topic.name.to_string();
        topic.partitions.iter().map(move |one| (name.clone(), one.partition_index)).collect::<Vec<_>>()
    };
    let partitions: Vec<(String, i32)> = request.topics.iter().flat_map(wanted).collect();
    let done = node.groups.while_empty(group, || {
        let mut journal = node.journal.lock();
        if !journal.state().offsets.contains_key(group) {
            return Err(ResponseError::GroupIdNotFound);
        }
        let event = Event::OffsetsDeleted { group: group.to_string(), partitions };
        journal.record(event).map_err(|_| ResponseError::CoordinatorNotAvailable)
    });
    if done.is_err() {
        return OffsetDeleteResponse::default().with_error_code(code(&done));
    }
    let view = |topic: offset_delete_request::OffsetDeleteRequestTopic| {
        let partition = |one: &offset_delete_request::OffsetDeleteRequestPartition| {
            OffsetDeleteResponsePartition::default().with_partition_index(one.partition_index)
        };
        let partitions = topic.partitions.iter().map(partition).collect();
        OffsetDeleteResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
    };
    OffsetDeleteResponse::default().with_topics(request.topics.into_iter().map(view).collect())
}
