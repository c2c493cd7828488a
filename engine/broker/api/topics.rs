//! CreateTopics, DeleteTopics, CreatePartitions.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::*;

use super::super::node::Node;
use super::super::topic_config::SETTINGS;
use super::super::topics::Refusal;
use super::text;

/// CreateTopics. Any replication factor is taken: one node holds the one copy there is.
pub fn create(node: &Node, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let create = |asked: CreatableTopic| {
        let partitions = match (asked.num_partitions, asked.assignments.len()) {
            (-1, 0) => node.config.default_partitions,
            (-1, assigned) => assigned as i32,
            (count, _) => count,
        };
        let replicas = match (asked.replication_factor, asked.assignments.first()) {
            (-1, Some(first)) => first.broker_ids.len() as i16,
            (-1, None) => 1,
            (count, _) => count,
        };
        let mut configs = BTreeMap::new();
        for config in asked.configs {
            if let Some(value) = config.value {
                configs.insert(config.name.to_string(), value.to_string());
            }
        }
        let name = asked.name.as_str();
        let answer = CreatableTopicResult::default().with_name(asked.name.clone());
        match node.topics.create(&node.journal, name, partitions, replicas, configs, request.validate_only) {
            Ok(topic) => answer
                .with_topic_id(topic.uuid().parse().unwrap_or_default())
                .with_num_partitions(partitions)
                .with_replication_factor(replicas)
                .with_configs(Some(shown(&topic.configs()))),
            Err((error, reason)) => answer
                .with_error_code(error.code())
                .with_error_message(Some(text(reason)))
                .with_num_partitions(-1)
                .with_replication_factor(-1)
                .with_configs(None),
        }
    };
    CreateTopicsResponse::default().with_topics(request.topics.into_iter().map(create).collect())
}

fn shown(configs: &BTreeMap<String, String>) -> Vec<CreatableTopicConfigs> {
    let view = |setting: &super::super::topic_config::Setting| {
        let own = configs.get(setting.name);
        CreatableTopicConfigs::default()
            .with_name(text(setting.name))
            .with_value(Some(text(own.map_or(setting.default, |value| value))))
            .with_config_source(if own.is_some() { 1 } else { 5 })
    };
    SETTINGS.iter().map(view).collect()
}

/// DeleteTopics, by name or from version 6 on by id.
pub fn delete(node: &Node, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let mut responses = Vec::new();
    for name in request.topic_names {
        let done = node.topics.delete(&node.journal, name.as_str());
        responses.push(deleted(DeletableTopicResult::default().with_name(Some(name)), done));
    }
    for asked in request.topics {
        let answer = DeletableTopicResult::default().with_topic_id(asked.topic_id);
        let name = match &asked.name {
            Some(name) => Some(name.to_string()),
            None => node.topics.get_by_id(asked.topic_id.as_u128()).map(|topic| topic.name.clone()),
        };
        let done = match &name {
            Some(name) => node.topics.delete(&node.journal, name),
            None => Err((ResponseError::UnknownTopicId, "no topic has this id".into())),
        };
        responses.push(deleted(answer.with_name(name.map(|name| TopicName(text(name)))), done));
    }
    DeleteTopicsResponse::default().with_responses(responses)
}

fn deleted(answer: DeletableTopicResult, done: Result<(), Refusal>) -> DeletableTopicResult {
    match done {
        Ok(()) => answer,
        Err((error, reason)) => answer.with_error_code(error.code()).with_error_message(Some(text(reason))),
    }
}

/// CreatePartitions.
pub fn grow(node: &Node, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let grow = |asked: create_partitions_request::CreatePartitionsTopic| {
        let done = node.topics.grow(&node.journal, asked.name.as_str(), asked.count, request.validate_only);
        let answer = CreatePartitionsTopicResult::default().with_name(asked.name);
        match done {
            Ok(()) => answer,
            Err((error, reason)) => answer.with_error_code(error.code()).with_error_message(Some(text(reason))),
        }
    };
    CreatePartitionsResponse::default().with_results(request.topics.into_iter().map(grow).collect())
}
