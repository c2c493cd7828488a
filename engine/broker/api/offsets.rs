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

/// DeleteRecords. There is one copy of each record, so nobody is waited for.
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

#[cfg(test)]
mod tests {
    use super::super::super::config::{Config, Storage};
    use super::super::super::log::batch::Header;
    use super::super::super::log::batch::testing::batch;
    use super::super::text;
    use super::*;

    const BEYOND: i16 = 1;
    const UNKNOWN: i16 = 3;
    const POLICY: i16 = 44;

    fn node(storage: Storage) -> Node {
        let addr = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        Node::open(Config { storage, ..Config::default() }, addr).unwrap()
    }

    /// A node over a folder; dropping it is a kill: nothing is finished or forced to the disk.
    fn over(dir: &std::path::Path) -> Node {
        node(Storage::Dir(dir.to_path_buf()))
    }

    fn create(node: &Node, topic: &str, partitions: i32, configs: &[(&str, &str)]) {
        let configs = configs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        node.topics.create(&node.journal, topic, partitions, 1, configs, false).unwrap();
    }

    /// The offset of the last of so many records.
    fn append(node: &Node, count: usize) -> i64 {
        let (partition, rules) = node.topics.partition("t", 0).unwrap();
        let bytes = batch(None, false, &[(7, &[1; 200])]);
        let header = Header::read_produced(&bytes).unwrap();
        (0..count).fold(-1, |_, _| partition.append(&bytes, &header, rules).unwrap().base_offset)
    }

    /// Error and low watermark of one request's partitions.
    fn delete(node: &Node, asked: &[(&str, i32, i64)]) -> Vec<(i16, i64)> {
        let topic = |(name, partition, offset): &(&str, i32, i64)| {
            use delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
            let one = DeleteRecordsPartition::default().with_partition_index(*partition).with_offset(*offset);
            DeleteRecordsTopic::default().with_name(TopicName(text(*name))).with_partitions(vec![one])
        };
        let request = DeleteRecordsRequest::default().with_topics(asked.iter().map(topic).collect());
        let answer = delete_records(node, request);
        let parts = answer.topics.iter().flat_map(|topic| &topic.partitions);
        parts.map(|part| (part.error_code, part.low_watermark)).collect()
    }

    fn ends(node: &Node) -> (i64, i64) {
        let end = |asked| find(node, "t", 0, asked, true).unwrap().0;
        (end(EARLIEST), end(LATEST))
    }

    #[test]
    fn deleted_records_stay_deleted_after_a_kill() {
        let dir = tempfile::tempdir().unwrap();
        let broker = over(dir.path());
        create(&broker, "t", 1, &[("segment.bytes", "1024")]);
        append(&broker, 10);
        assert_eq!(delete(&broker, &[("t", 0, 6)]), [(0, 6)]);
        assert_eq!(delete(&broker, &[("t", 0, 3)]), [(0, 6)], "below the start it changes nothing");
        drop(broker);
        let broker = over(dir.path());
        assert_eq!(ends(&broker), (6, 10));
        assert_eq!(delete(&broker, &[("t", 0, -1)]), [(0, 10)]);
        drop(broker);
        let broker = over(dir.path());
        assert_eq!((ends(&broker), append(&broker, 1)), ((10, 10), 10));
    }

    #[test]
    fn in_memory_too_and_what_cannot_be_deleted_is_refused_one_by_one() {
        let broker = node(Storage::Memory { max_bytes: None });
        create(&broker, "t", 1, &[]);
        create(&broker, "compacted", 1, &[("cleanup.policy", "compact")]);
        create(&broker, "both", 1, &[("cleanup.policy", "compact,delete")]);
        append(&broker, 10);
        let asked = [
            ("t", 0, 11),
            ("t", 0, -2),
            ("t", 1, 0),
            ("nowhere", 0, 0),
            ("compacted", 0, 0),
            ("both", 0, -1),
            ("t", 0, 4),
        ];
        let wanted = [(BEYOND, -1), (BEYOND, -1), (UNKNOWN, -1), (UNKNOWN, -1), (POLICY, -1), (0, 0), (0, 4)];
        assert_eq!(delete(&broker, &asked), wanted);
        assert_eq!(ends(&broker), (4, 10));
    }

    #[test]
    fn whatever_changes_at_once_the_journal_says_where_the_partition_begins() {
        const ROUNDS: i64 = 5000;
        let broker = node(Storage::Memory { max_bytes: None });
        create(&broker, "t", 1, &[]);
        append(&broker, 2 * ROUNDS as usize);
        let (together, mut found) = (std::sync::Barrier::new(3), Vec::new());
        std::thread::scope(|scope| {
            for from in 1..=2 {
                let (broker, together) = (&broker, &together);
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        together.wait();
                        delete(broker, &[("t", 0, 2 * round + from)]);
                        together.wait();
                    }
                });
            }
            for round in 0..ROUNDS {
                together.wait();
                let change = |configs: &mut std::collections::BTreeMap<String, String>| {
                    configs.insert("retention.ms".into(), (1_000_000_000 + round).to_string());
                    Ok(())
                };
                broker.topics.configure(&broker.journal, "t", false, change).unwrap();
                together.wait();
                let noted = broker.journal.lock().state().topics["t"].starts.get(&0).copied();
                found.push((noted, ends(&broker).0));
            }
        });
        let wanted = |round: i64| (Some(2 * round + 2), 2 * round + 2);
        let wrong = (0..ROUNDS).zip(found).find(|(round, found)| *found != wanted(*round));
        assert_eq!(wrong, None, "round, then the start in the journal and the partition's");
    }
}
