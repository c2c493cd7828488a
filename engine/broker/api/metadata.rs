//! What there is and where: ApiVersions, Metadata, DescribeCluster, FindCoordinator. It is all here, on one node.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

use super::super::node::{NODE_ID, Node};
use super::super::topics::Topic;
use super::super::wire::connection::Call;
use super::super::wire::versions::SUPPORTED;
use super::text;

/// Stands for "operations this client may do were not asked for".
const NO_OPERATIONS: i32 = i32::MIN;

/// ApiVersions; `mismatch` when the request itself was of a version that is not spoken.
pub fn api_versions(mismatch: bool) -> ApiVersionsResponse {
    let view = |known: &super::super::wire::versions::Supported| {
        ApiVersion::default().with_api_key(known.key as i16).with_min_version(known.min).with_max_version(known.max)
    };
    ApiVersionsResponse::default()
        .with_error_code(if mismatch { ResponseError::UnsupportedVersion.code() } else { 0 })
        .with_api_keys(SUPPORTED.iter().map(view).collect())
}

/// Metadata; makes missing topics when both the client and the broker allow it.
pub fn metadata(node: &Node, call: &Call, request: MetadataRequest, version: i16) -> MetadataResponse {
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(NODE_ID))
        .with_host(text(call.local.ip().to_string()))
        .with_port(i32::from(call.local.port()));
    // Before version 1 an empty list asks for everything.
    let asked = request.topics.filter(|asked| version > 0 || !asked.is_empty());
    let may_create = (version < 4 || request.allow_auto_topic_creation) && node.config.auto_create_topics;
    let topics = match asked {
        None => node.topics.all().iter().map(|topic| describe(topic)).collect(),
        Some(asked) => asked.into_iter().map(|asked| find(node, asked, may_create)).collect(),
    };
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(text(&node.cluster_id)))
        .with_controller_id(BrokerId(NODE_ID))
        .with_topics(topics)
}

fn find(node: &Node, asked: metadata_request::MetadataRequestTopic, may_create: bool) -> MetadataResponseTopic {
    let Some(name) = asked.name else {
        return match node.topics.get_by_id(asked.topic_id.as_u128()) {
            Some(topic) => describe(&topic),
            None => MetadataResponseTopic::default()
                .with_error_code(ResponseError::UnknownTopicId.code())
                .with_topic_id(asked.topic_id),
        };
    };
    let found = match node.topics.get(name.as_str()) {
        Some(topic) => Ok(topic),
        None if may_create => create(node, name.as_str()),
        None => Err(ResponseError::UnknownTopicOrPartition),
    };
    match found {
        Ok(topic) => describe(&topic),
        Err(error) => MetadataResponseTopic::default()
            .with_error_code(error.code())
            .with_name(Some(name))
            .with_topic_authorized_operations(NO_OPERATIONS),
    }
}

fn create(node: &Node, name: &str) -> Result<Arc<Topic>, ResponseError> {
    let partitions = node.config.default_partitions;
    node.topics.create(&node.journal, name, partitions, 1, BTreeMap::new(), false).or_else(|(error, _)| {
        // Another client may have been faster.
        node.topics.get(name).ok_or(error)
    })
}

fn describe(topic: &Topic) -> MetadataResponseTopic {
    let partition = |index| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(BrokerId(NODE_ID))
            .with_leader_epoch(0)
            .with_replica_nodes(vec![BrokerId(NODE_ID)])
            .with_isr_nodes(vec![BrokerId(NODE_ID)])
    };
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(&topic.name))))
        .with_topic_id(topic.uuid().parse().unwrap_or_default())
        .with_partitions((0..topic.partition_count()).map(partition).collect())
        .with_topic_authorized_operations(NO_OPERATIONS)
}

/// DescribeCluster.
pub fn describe_cluster(node: &Node, call: &Call) -> DescribeClusterResponse {
    let broker = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(NODE_ID))
        .with_host(text(call.local.ip().to_string()))
        .with_port(i32::from(call.local.port()));
    DescribeClusterResponse::default()
        .with_cluster_id(text(&node.cluster_id))
        .with_controller_id(BrokerId(NODE_ID))
        .with_brokers(vec![broker])
}

/// FindCoordinator: for groups (0) and transactions (1); several keys at once from version 4 on.
pub fn find_coordinator(call: &Call, request: FindCoordinatorRequest, version: i16) -> FindCoordinatorResponse {
    let error = if matches!(request.key_type, 0 | 1) { 0 } else { ResponseError::InvalidRequest.code() };
    let (host, port) = (text(call.local.ip().to_string()), i32::from(call.local.port()));
    if version < 4 {
        return FindCoordinatorResponse::default()
            .with_error_code(error)
            .with_error_message(Some(StrBytes::new()))
            .with_node_id(BrokerId(NODE_ID))
            .with_host(host)
            .with_port(port);
    }
    let coordinator = |key| {
        Coordinator::default()
            .with_key(key)
            .with_node_id(BrokerId(NODE_ID))
            .with_host(host.clone())
            .with_port(port)
            .with_error_code(error)
            .with_error_message(Some(StrBytes::new()))
    };
    FindCoordinatorResponse::default()
        .with_coordinators(request.coordinator_keys.into_iter().map(coordinator).collect())
}
