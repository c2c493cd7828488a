//! Answers that refuse a request with an error of a test's choice (see [`hooks`](super::super::hooks)): the code
//! stands wherever the answer has a place for one.

use bytes::Bytes;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, HeaderVersion};

/// A request that can be refused.
pub trait Refuse {
    /// Its answer.
    type Response: Encodable + HeaderVersion;

    /// The refusal; none when the answer has no place for an error.
    fn refuse(&self, version: i16, code: i16) -> Option<Self::Response>;
}

/// Refusals with one code in the answer itself.
macro_rules! at_the_top {
    ($($request:ty => $response:ty),* $(,)?) => {
        $(impl Refuse for $request {
            type Response = $response;

            fn refuse(&self, _: i16, code: i16) -> Option<Self::Response> {
                Some(<$response>::default().with_error_code(code))
            }
        })*
    };
}

at_the_top! {
    HeartbeatRequest => HeartbeatResponse,
    SyncGroupRequest => SyncGroupResponse,
    LeaveGroupRequest => LeaveGroupResponse,
    ListGroupsRequest => ListGroupsResponse,
    AddOffsetsToTxnRequest => AddOffsetsToTxnResponse,
    EndTxnRequest => EndTxnResponse,
    OffsetDeleteRequest => OffsetDeleteResponse,
    DescribeClusterRequest => DescribeClusterResponse,
    ListTransactionsRequest => ListTransactionsResponse,
}

/// Refusals with a code for each of the things that were asked for.
macro_rules! each {
    ($(($request:ty, $response:ty): $list:ident => $set:ident, |$asked:ident, $code:ident| $one:expr;)*) => {
        $(impl Refuse for $request {
            type Response = $response;

            fn refuse(&self, _: i16, $code: i16) -> Option<Self::Response> {
                Some(<$response>::default().$set(self.$list.iter().map(|$asked| $one).collect()))
            }
        })*
    };
}

each! {
    (ProduceRequest, ProduceResponse): topic_data => with_responses, |topic, code| {
        use produce_response::{PartitionProduceResponse, TopicProduceResponse};
        let one = |data: &produce_request::PartitionProduceData| {
            PartitionProduceResponse::default().with_index(data.index).with_error_code(code).with_base_offset(-1)
        };
        let partitions = topic.partition_data.iter().map(one).collect();
        TopicProduceResponse::default().with_name(topic.name.clone()).with_partition_responses(partitions)
    };
    (FetchRequest, FetchResponse): topics => with_responses, |topic, code| {
        use fetch_response::{FetchableTopicResponse, PartitionData};
        let one = |asked: &fetch_request::FetchPartition| {
            PartitionData::default()
                .with_partition_index(asked.partition)
                .with_error_code(code)
                .with_high_watermark(-1)
                .with_records(Some(Bytes::new()))
        };
        let partitions = topic.partitions.iter().map(one).collect();
        FetchableTopicResponse::default().with_topic(topic.topic.clone()).with_partitions(partitions)
    };
    (ListOffsetsRequest, ListOffsetsResponse): topics => with_topics, |topic, code| {
        use list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
        let one = |asked: &list_offsets_request::ListOffsetsPartition| {
            ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index).with_error_code(code)
        };
        let partitions = topic.partitions.iter().map(one).collect();
        ListOffsetsTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions)
    };
    (OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse): topics => with_topics, |topic, code| {
        use offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
        let one = |asked: &offset_for_leader_epoch_request::OffsetForLeaderPartition| {
            EpochEndOffset::default().with_partition(asked.partition).with_error_code(code)
        };
        let partitions = topic.partitions.iter().map(one).collect();
        OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone()).with_partitions(partitions)
    };
    (DeleteRecordsRequest, DeleteRecordsResponse): topics => with_topics, |topic, code| {
        use delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
        let one = |asked: &delete_records_request::DeleteRecordsPartition| {
            let answer = DeleteRecordsPartitionResult::default().with_partition_index(asked.partition_index);
            answer.with_error_code(code).with_low_watermark(-1)
        };
        let partitions = topic.partitions.iter().map(one).collect();
        DeleteRecordsTopicResult::default().with_name(topic.name.clone()).with_partitions(partitions)
    };
    (OffsetCommitRequest, OffsetCommitResponse): topics => with_topics, |topic, code| {
        use offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
        let one = |asked: &offset_commit_request::OffsetCommitRequestPartition| {
            OffsetCommitResponsePartition::default().with_partition_index(asked.partition_index).with_error_code(code)
        };
        let partitions = topic.partitions.iter().map(one).collect();
        OffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
    };
    (TxnOffsetCommitRequest, TxnOffsetCommitResponse): topics => with_topics, |topic, code| {
        use txn_offset_commit_response::{TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic};
        let one = |asked: &txn_offset_commit_request::TxnOffsetCommitRequestPartition| {
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(asked.partition_index)
                .with_error_code(code)
        };
        let partitions = topic.partitions.iter().map(one).collect();
        TxnOffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
    };
    (AddPartitionsToTxnRequest, AddPartitionsToTxnResponse):
        v3_and_below_topics => with_results_by_topic_v3_and_below, |topic, code| {
        use add_partitions_to_txn_response::{AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult};
        let one = |index: &i32| {
            AddPartitionsToTxnPartitionResult::default().with_partition_index(*index).with_partition_error_code(code)
        };
        let partitions = topic.partitions.iter().map(one).collect();
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name.clone())
            .with_results_by_partition(partitions)
    };
    (DescribeProducersRequest, DescribeProducersResponse): topics => with_topics, |topic, code| {
        use describe_producers_response::{PartitionResponse, TopicResponse};
        let one = |index: &i32| PartitionResponse::default().with_partition_index(*index).with_error_code(code);
        let partitions = topic.partition_indexes.iter().map(one).collect();
        TopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions)
    };
    (DescribeTransactionsRequest, DescribeTransactionsResponse):
        transactional_ids => with_transaction_states, |id, code| {
        describe_transactions_response::TransactionState::default()
            .with_transactional_id(id.clone())
            .with_error_code(code)
    };
    (DescribeGroupsRequest, DescribeGroupsResponse): groups => with_groups, |group, code| {
        describe_groups_response::DescribedGroup::default().with_group_id(group.clone()).with_error_code(code)
    };
    (DeleteGroupsRequest, DeleteGroupsResponse): groups_names => with_results, |group, code| {
        delete_groups_response::DeletableGroupResult::default().with_group_id(group.clone()).with_error_code(code)
    };
    (CreateTopicsRequest, CreateTopicsResponse): topics => with_topics, |topic, code| {
        create_topics_response::CreatableTopicResult::default()
            .with_name(topic.name.clone())
            .with_error_code(code)
            .with_configs(None)
    };
    (CreatePartitionsRequest, CreatePartitionsResponse): topics => with_results, |topic, code| {
        create_partitions_response::CreatePartitionsTopicResult::default()
            .with_name(topic.name.clone())
            .with_error_code(code)
    };
    (DescribeConfigsRequest, DescribeConfigsResponse): resources => with_results, |asked, code| {
        describe_configs_response::DescribeConfigsResult::default()
            .with_resource_type(asked.resource_type)
            .with_resource_name(asked.resource_name.clone())
            .with_error_code(code)
    };
    (AlterConfigsRequest, AlterConfigsResponse): resources => with_responses, |asked, code| {
        alter_configs_response::AlterConfigsResourceResponse::default()
            .with_resource_type(asked.resource_type)
            .with_resource_name(asked.resource_name.clone())
            .with_error_code(code)
    };
    (IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse): resources => with_responses, |asked, code| {
        incremental_alter_configs_response::AlterConfigsResourceResponse::default()
            .with_resource_type(asked.resource_type)
            .with_resource_name(asked.resource_name.clone())
            .with_error_code(code)
    };
}

impl Refuse for ApiVersionsRequest {
    type Response = ApiVersionsResponse;

    fn refuse(&self, _: i16, _: i16) -> Option<Self::Response> {
        None
    }
}

/// Topics that were asked for are refused; the brokers, without whom a client could not go on, are there.
pub fn refuse_topics(mut response: MetadataResponse, code: i16) -> Option<MetadataResponse> {
    for topic in &mut response.topics {
        topic.error_code = code;
        topic.partitions.clear();
    }
    (!response.topics.is_empty()).then_some(response)
}

impl Refuse for DeleteTopicsRequest {
    type Response = DeleteTopicsResponse;

    fn refuse(&self, _: i16, code: i16) -> Option<Self::Response> {
        use delete_topics_response::DeletableTopicResult;
        let result = || DeletableTopicResult::default().with_error_code(code);
        let named = self.topic_names.iter().map(|name| result().with_name(Some(name.clone())));
        let asked = self.topics.iter().map(|one| result().with_name(one.name.clone()).with_topic_id(one.topic_id));
        Some(DeleteTopicsResponse::default().with_responses(named.chain(asked).collect()))
    }
}

impl Refuse for InitProducerIdRequest {
    type Response = InitProducerIdResponse;

    fn refuse(&self, _: i16, code: i16) -> Option<Self::Response> {
        let nobody = InitProducerIdResponse::default().with_producer_id(ProducerId(-1)).with_producer_epoch(-1);
        Some(nobody.with_error_code(code))
    }
}

impl Refuse for JoinGroupRequest {
    type Response = JoinGroupResponse;

    fn refuse(&self, version: i16, code: i16) -> Option<Self::Response> {
        let name = (version < 7).then(Default::default);
        let answer = JoinGroupResponse::default().with_error_code(code).with_generation_id(-1).with_protocol_name(name);
        Some(answer.with_member_id(self.member_id.clone()))
    }
}

impl Refuse for FindCoordinatorRequest {
    type Response = FindCoordinatorResponse;

    fn refuse(&self, version: i16, code: i16) -> Option<Self::Response> {
        let nowhere = FindCoordinatorResponse::default();
        if version < 4 {
            return Some(nowhere.with_error_code(code).with_node_id(BrokerId(-1)).with_port(-1));
        }
        let one = |key: &kafka_protocol::protocol::StrBytes| {
            find_coordinator_response::Coordinator::default()
                .with_key(key.clone())
                .with_node_id(BrokerId(-1))
                .with_port(-1)
                .with_error_code(code)
        };
        Some(nowhere.with_coordinators(self.coordinator_keys.iter().map(one).collect()))
    }
}

impl Refuse for OffsetFetchRequest {
    type Response = OffsetFetchResponse;

    /// Version 1 has no code but those of the partitions.
    fn refuse(&self, version: i16, code: i16) -> Option<Self::Response> {
        match version {
            ..2 => None,
            2..8 => Some(OffsetFetchResponse::default().with_error_code(code)),
            _ => {
                let one = |asked: &offset_fetch_request::OffsetFetchRequestGroup| {
                    offset_fetch_response::OffsetFetchResponseGroup::default()
                        .with_group_id(asked.group_id.clone())
                        .with_error_code(code)
                };
                Some(OffsetFetchResponse::default().with_groups(self.groups.iter().map(one).collect()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::wire::answer::Answer;
    use crate::broker::wire::versions::SUPPORTED;

    fn check<R: Refuse + Default>(key: ApiKey) {
        let known = SUPPORTED.iter().find(|known| known.key == key).expect("a request that is answered");
        for version in known.min.max(key.valid_versions().min)..=known.max {
            if let Some(refusal) = R::default().refuse(version, 7) {
                assert!(Answer::encode(1, version, &refusal).is_ok(), "{key:?} version {version}");
            }
        }
    }

    macro_rules! check_all {
        ($($key:ident: $request:ty),* $(,)?) => { $(check::<$request>(ApiKey::$key);)* };
    }

    #[test]
    fn a_refusal_can_be_sent_in_every_version_of_every_request() {
        check_all! {
            Produce: ProduceRequest, Fetch: FetchRequest, ListOffsets: ListOffsetsRequest,
            OffsetCommit: OffsetCommitRequest, OffsetFetch: OffsetFetchRequest,
            FindCoordinator: FindCoordinatorRequest, JoinGroup: JoinGroupRequest, Heartbeat: HeartbeatRequest,
            LeaveGroup: LeaveGroupRequest, SyncGroup: SyncGroupRequest, DescribeGroups: DescribeGroupsRequest,
            ListGroups: ListGroupsRequest, CreateTopics: CreateTopicsRequest, DeleteTopics: DeleteTopicsRequest,
            DeleteRecords: DeleteRecordsRequest, InitProducerId: InitProducerIdRequest,
            OffsetForLeaderEpoch: OffsetForLeaderEpochRequest, AddPartitionsToTxn: AddPartitionsToTxnRequest,
            AddOffsetsToTxn: AddOffsetsToTxnRequest, EndTxn: EndTxnRequest, TxnOffsetCommit: TxnOffsetCommitRequest,
            DescribeConfigs: DescribeConfigsRequest, AlterConfigs: AlterConfigsRequest,
            CreatePartitions: CreatePartitionsRequest, DeleteGroups: DeleteGroupsRequest,
            IncrementalAlterConfigs: IncrementalAlterConfigsRequest, OffsetDelete: OffsetDeleteRequest,
            DescribeCluster: DescribeClusterRequest, DescribeProducers: DescribeProducersRequest,
            DescribeTransactions: DescribeTransactionsRequest, ListTransactions: ListTransactionsRequest,
        }
    }
}
