//! Produce.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};

use super::super::log::batch::{BatchError, Header};
use super::super::node::Node;
use super::super::partition::Appended;

/// Appends every partition's batch. With one node, `acks` 1 and all mean the same: written to the log.
pub fn produce(node: &Node, request: ProduceRequest) -> ProduceResponse {
    let mut response = ProduceResponse::default();
    for topic in request.topic_data {
        let mut partitions = Vec::with_capacity(topic.partition_data.len());
        for data in &topic.partition_data {
            let answer = PartitionProduceResponse::default().with_index(data.index);
            let appended = match request.acks {
                -1..=1 => append(node, topic.name.as_str(), data),
                _ => Err(ResponseError::InvalidRequiredAcks),
            };
            partitions.push(match appended {
                Ok(appended) => answer
                    .with_base_offset(appended.base_offset)
                    .with_log_append_time_ms(appended.append_time)
                    .with_log_start_offset(appended.log_start),
                Err(error) => answer
                    .with_error_code(error.code())
                    .with_base_offset(-1)
                    .with_log_append_time_ms(-1)
                    .with_log_start_offset(-1),
            });
        }
        response
            .responses
            .push(TopicProduceResponse::default().with_name(topic.name).with_partition_responses(partitions));
    }
    node.keep_within_memory();
    response
}

fn append(node: &Node, topic: &str, data: &PartitionProduceData) -> Result<Appended, ResponseError> {
    let (partition, rules) = node.topics.partition(topic, data.index).ok_or(ResponseError::UnknownTopicOrPartition)?;
    let records = data.records.as_deref().unwrap_or_default();
    let header = Header::read_produced(records).map_err(|error| match error {
        BatchError::Crc | BatchError::Truncated => ResponseError::CorruptMessage,
        BatchError::Magic => ResponseError::UnsupportedForMessageFormat,
        BatchError::Fields => ResponseError::InvalidRecord,
    })?;
    partition.append(records, &header, rules)
}
