//! ListOffsets, OffsetForLeaderEpoch, DeleteRecords: questions about where a partition begins, ends, or has a time.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::*;

use super::super::node::Node;
use super::code;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;

/// ListOffsets.
pub fn list_offsets(node: &Node, request: ListOffsetsRequest, version: i16) -> ListOffsetsResponse {
    let committed = request.isolation_level == 1;
    let answer_topic = |topic: list_offsets_request::ListOffsetsTopic| {
        let answer = |asked: &list_offsets_request::ListOffsetsPartition| {
            let found = find(node, topic.name.as_str(), asked.partition_index, asked.timestamp, committed);
            let (offset, timestamp) = *found.as_ref().unwrap_or(&(-1, -1));
            ListOffsetsPartitionResponse::default()
                .with_partition_index(asked.partition_index)
                .with_error_code(code(&found))
                .with_offset(offset)
                .with_timestamp(timestamp)
                .with_leader_epoch(if offset >= 0 && version >= 4 { 0 } else { -1 })
        };
        let partitions = topic.partitions.iter().map(answer).collect();
        ListOffsetsTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions)
    };
    ListOffsetsResponse::default().with_topics(request.topics.into_iter().map(answer_topic).collect())
}

/// Offset and timestamp for one question; -1 and -1 when no record is that late.
fn find(node: &Node, topic: &str, index: i32, asked: i64, committed: bool) -> Result<(i64, i64), ResponseError> {
    let (partition, _) = node.topics.partition(topic, index).ok_or(ResponseError::UnknownTopicOrPartition)?;
    let bounds = partition.bounds()?;
    match asked {
        LATEST => Ok((if committed { bounds.stable } else { bounds.end }, -1)),
        EARLIEST | EARLIEST_LOCAL => Ok((bounds.start, -1)),
        MAX_TIMESTAMP => {
            let max = partition.max_timestamp();
            if max == i64::MIN {
                return Ok((-1, -1));
            }
            Ok(partition.find_timestamp(max, committed)?.unwrap_or((-1, -1)))
        }
        timestamp if timestamp >= 0 => Ok(partition.find_timestamp(timestamp, committed)?.unwrap_or((-1, -1))),
        _ => Err(ResponseError::InvalidRequest),
    }
}

/// OffsetForLeaderEpoch. There has only ever been one leader, of epoch 0.
pub fn leader_epochs(node: &Node, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
    let answer_topic = |topic: offset_for_leader_epoch_request::OffsetForLeaderTopic| {
        let answer = |asked: &offset_for_leader_epoch_request::OffsetForLeaderPartition| {
            let partition = node.topics.partition(topic.topic.as_str(), asked.partition);
            let bounds = match partition {
                None => Err(ResponseError::UnknownTopicOrPartition),
                Some(_) if asked.current_leader_epoch > 0 => Err(ResponseError::UnknownLeaderEpoch),
                Some((partition, _)) => partition.bounds(),
            };
            let answer = EpochEndOffset::default().with_partition(asked.partition).with_error_code(code(&bounds));
            match bounds {
                Ok(bounds) if asked.leader_epoch == 0 => answer.with_leader_epoch(0).with_end_offset(bounds.end),
                _ => answer.with_leader_epoch(-1).with_end_offset(-1),
            }
        };
        let partitions = topic.partitions.iter().map(answer).collect();
        OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone()).with_partitions(partitions)
    };
    OffsetForLeaderEpochResponse::default().with_topics(request.topics.into_iter().map(answer_topic).collect())
}

/// DeleteRecords.
pub fn delete_records(node: &Node, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let answer_topic = |topic: delete_records_request::DeleteRecordsTopic| {
        let answer = |asked: &delete_records_request::DeleteRecordsPartition| {
            let (name, index) = (topic.name.as_str(), asked.partition_index);
            let low = node.topics.delete_records(&node.journal, name, index, asked.offset);
            DeleteRecordsPartitionResult::default()
                .with_partition_index(index)
                .with_error_code(code(&low))
                .with_low_watermark(low.unwrap_or(-1))
        };
        let partitions = topic.partitions.iter().map(answer).collect();
        DeleteRecordsTopicResult::default().with_name(topic.name.clone()).with_partitions(partitions)
    };
    DeleteRecordsResponse::default().with_topics(request.topics.into_iter().map(answer_topic).collect())
}
