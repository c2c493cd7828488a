//! DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, of topics; the broker's own settings are shown, not changed.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as IncrementalResponse;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

use super::super::node::{NODE_ID, Node};
use super::super::topic_config::{self, Kind, SETTINGS};
use super::super::topics::Refusal;
use super::text;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SOURCE_TOPIC: i8 = 1;
const SOURCE_STATIC: i8 = 4;
const SOURCE_DEFAULT: i8 = 5;

/// DescribeConfigs.
pub fn describe(node: &Node, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let view = |asked: describe_configs_request::DescribeConfigsResource| {
        let wanted = |name: &str| {
            asked
                .configuration_keys
                .as_ref()
                .is_none_or(|keys| keys.is_empty() || keys.iter().any(|key| **key == *name))
        };
        let answer = DescribeConfigsResult::default()
            .with_resource_type(asked.resource_type)
            .with_resource_name(asked.resource_name.clone());
        let configs = match asked.resource_type {
            TOPIC => node
                .topics
                .get(&asked.resource_name)
                .map(|topic| of_topic(&topic.configs(), request.include_synonyms))
                .ok_or(ResponseError::UnknownTopicOrPartition),
            BROKER if *asked.resource_name == *NODE_ID.to_string() || asked.resource_name.is_empty() => {
                Ok(of_broker(node))
            }
            _ => Err(ResponseError::InvalidRequest),
        };
        match configs {
            Ok(configs) => answer.with_configs(configs.into_iter().filter(|one| wanted(&one.name)).collect()),
            Err(error) => answer.with_error_code(error.code()).with_error_message(Some(text(error.to_string()))),
        }
    };
    DescribeConfigsResponse::default().with_results(request.resources.into_iter().map(view).collect())
}

fn of_topic(configs: &BTreeMap<String, String>, synonyms: bool) -> Vec<DescribeConfigsResourceResult> {
    let view = |setting: &topic_config::Setting| {
        let own = configs.get(setting.name);
        let (value, source) = match own {
            Some(value) => (value.as_str(), SOURCE_TOPIC),
            None => (setting.default, SOURCE_DEFAULT),
        };
        let mut result = shown(setting.name, value, source).with_config_type(setting.kind.code());
        if synonyms {
            let synonym = |value: &str, source| {
                let synonym = DescribeConfigsSynonym::default().with_name(text(setting.name));
                synonym.with_value(Some(text(value))).with_source(source)
            };
            result.synonyms.extend(own.map(|value| synonym(value, SOURCE_TOPIC)));
            result.synonyms.push(synonym(setting.default, SOURCE_DEFAULT));
        }
        result
    };
    SETTINGS.iter().map(view).collect()
}

fn of_broker(node: &Node) -> Vec<DescribeConfigsResourceResult> {
    let config = &node.config;
    [
        ("auto.create.topics.enable", config.auto_create_topics.to_string()),
        ("group.initial.rebalance.delay.ms", config.group_initial_rebalance_delay.as_millis().to_string()),
        ("listeners", format!("PLAINTEXT://{}", node.addr)),
        ("log.segment.bytes", config.segment_bytes.to_string()),
        ("log.retention.check.interval.ms", config.upkeep_interval.as_millis().to_string()),
        ("num.partitions", config.default_partitions.to_string()),
        ("offsets.retention.minutes", (config.offsets_retention.as_secs() / 60).to_string()),
        ("producer.id.expiration.ms", config.producer_id_expiration.as_millis().to_string()),
        ("transaction.max.timeout.ms", config.transaction_max_timeout.as_millis().to_string()),
        ("transactional.id.expiration.ms", config.transactional_id_expiration.as_millis().to_string()),
    ]
    .into_iter()
    .map(|(name, value)| shown(name, &value, SOURCE_STATIC).with_read_only(true).with_config_type(2))
    .collect()
}

fn shown(name: &str, value: &str, source: i8) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult::default()
        .with_name(text(name))
        .with_value(Some(text(value)))
        .with_config_source(source)
}

/// Changes a resource's settings, which has to be a topic.
fn change(
    node: &Node,
    resource_type: i8,
    name: &str,
    only_check: bool,
    change: impl FnOnce(&mut BTreeMap<String, String>) -> Result<(), String>,
) -> (i16, Option<StrBytes>) {
    let done: Result<(), Refusal> = match resource_type {
        TOPIC => node.topics.configure(&node.journal, name, only_check, change),
        _ => Err((ResponseError::InvalidRequest, "only topics can be configured while the broker runs".into())),
    };
    match done {
        Ok(()) => (0, None),
        Err((error, reason)) => (error.code(), Some(text(reason))),
    }
}

/// AlterConfigs: the settings given are all there are afterwards.
pub fn alter(node: &Node, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let alter = |asked: alter_configs_request::AlterConfigsResource| {
        let (kind, name) = (asked.resource_type, asked.resource_name.clone());
        let (error, reason) = change(node, kind, &name, request.validate_only, |configs| {
            configs.clear();
            for config in asked.configs {
                if let Some(value) = config.value {
                    configs.insert(config.name.to_string(), value.to_string());
                }
            }
            Ok(())
        });
        AlterConfigsResourceResponse::default()
            .with_error_code(error)
            .with_error_message(reason)
            .with_resource_type(kind)
            .with_resource_name(name)
    };
    AlterConfigsResponse::default().with_responses(request.resources.into_iter().map(alter).collect())
}

/// IncrementalAlterConfigs (KIP-339): set, delete, and for lists append and subtract.
pub fn alter_incrementally(node: &Node, request: IncrementalAlterConfigsRequest) -> IncrementalAlterConfigsResponse {
    let alter = |asked: incremental_alter_configs_request::AlterConfigsResource| {
        let (kind, name) = (asked.resource_type, asked.resource_name.clone());
        let (error, reason) = change(node, kind, &name, request.validate_only, |configs| {
            for config in asked.configs {
                let value = config.value.as_deref().map(str::to_string);
                apply(configs, &config.name, config.config_operation, value)?;
            }
            Ok(())
        });
        IncrementalResponse::default()
            .with_error_code(error)
            .with_error_message(reason)
            .with_resource_type(kind)
            .with_resource_name(name)
    };
    IncrementalAlterConfigsResponse::default().with_responses(request.resources.into_iter().map(alter).collect())
}

fn apply(
    configs: &mut BTreeMap<String, String>,
    name: &str,
    operation: i8,
    value: Option<String>,
) -> Result<(), String> {
    let setting = topic_config::find(name).ok_or_else(|| format!("unknown topic config name: {name}"))?;
    let list = |configs: &BTreeMap<String, String>| -> Vec<String> {
        let value = configs.get(name).map_or(setting.default, String::as_str);
        value.split(',').map(|word| word.trim().to_string()).filter(|word| !word.is_empty()).collect()
    };
    let value = match (operation, value) {
        (1, _) => {
            configs.remove(name);
            return Ok(());
        }
        (_, None) => return Err(format!("no value for configuration {name}")),
        (_, Some(value)) => value,
    };
    let new = match operation {
        0 => value,
        2 | 3 if !matches!(setting.kind, Kind::Words(_)) => return Err(format!("{name} is not a list")),
        2 => {
            let mut words = list(configs);
            words.extend(value.split(',').map(str::to_string).filter(|word| !list(configs).contains(word)));
            words.join(",")
        }
        3 => {
            let gone: Vec<&str> = value.split(',').collect();
            let words: Vec<String> = list(configs).into_iter().filter(|word| !gone.contains(&word.as_str())).collect();
            words.join(",")
        }
        _ => return Err(format!("unknown operation {operation} on configuration {name}")),
    };
    configs.insert(name.to_string(), new);
    Ok(())
}
