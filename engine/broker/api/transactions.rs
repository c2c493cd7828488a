//! Producer ids and transactions on the wire.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::*;

use super::super::node::Node;
use super::super::state::{Committed, Offsets, Txn};
use super::super::transactions::Claim;
use super::{code, groups, text};

/// Clients learned the word "fenced" late: before `since`, a stale epoch is an invalid one.
fn fenced(error: ResponseError, version: i16, since: i16) -> ResponseError {
    if error == ResponseError::ProducerFenced && version < since { ResponseError::InvalidProducerEpoch } else { error }
}

/// InitProducerId.
pub fn init(node: &Node, request: InitProducerIdRequest, version: i16) -> InitProducerIdResponse {
    let given = (request.producer_id.0 >= 0).then_some((request.producer_id.0, request.producer_epoch));
    let result = match &request.transactional_id {
        None => node.transactions.init_idempotent(),
        Some(id) => node.transactions.init(id.as_str(), request.transaction_timeout_ms, given),
    };
    node.kick.notify_one();
    match result {
        Ok((producer_id, epoch)) => {
            InitProducerIdResponse::default().with_producer_id(ProducerId(producer_id)).with_producer_epoch(epoch)
        }
        Err(error) => InitProducerIdResponse::default()
            .with_error_code(fenced(error, version, 4).code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1),
    }
}

/// AddPartitionsToTxn.
pub fn add_partitions(node: &Node, request: AddPartitionsToTxnRequest, version: i16) -> AddPartitionsToTxnResponse {
    let claim = Claim {
        id: request.v3_and_below_transactional_id.as_str(),
        producer_id: request.v3_and_below_producer_id.0,
        epoch: request.v3_and_below_producer_epoch,
    };
    let mut asked = Vec::new();
    for topic in &request.v3_and_below_topics {
        asked.extend(topic.partitions.iter().map(|&index| (topic.name.to_string(), index)));
    }
    let result = node.transactions.add_partitions(node.now(), claim, &asked);
    node.kick.notify_one();
    let mut verdicts = match result {
        Ok(verdicts) => verdicts,
        Err(error) => vec![Some(fenced(error, version, 2)); asked.len()],
    }
    .into_iter();
    let mut results = Vec::new();
    for topic in &request.v3_and_below_topics {
        let partition = |&index: &i32| {
            let error = verdicts.next().flatten().map_or(0, |error| error.code());
            AddPartitionsToTxnPartitionResult::default().with_partition_index(index).with_partition_error_code(error)
        };
        let partitions = topic.partitions.iter().map(partition).collect();
        let result = AddPartitionsToTxnTopicResult::default().with_name(topic.name.clone());
        results.push(result.with_results_by_partition(partitions));
    }
    AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results)
}

/// AddOffsetsToTxn.
pub fn add_offsets(node: &Node, request: AddOffsetsToTxnRequest, version: i16) -> AddOffsetsToTxnResponse {
    let claim = Claim {
        id: request.transactional_id.as_str(),
        producer_id: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    let done = node.transactions.add_offsets(node.now(), claim, request.group_id.as_str());
    node.kick.notify_one();
    AddOffsetsToTxnResponse::default().with_error_code(code(&done.map_err(|error| fenced(error, version, 2))))
}

/// TxnOffsetCommit.
pub fn commit_offsets(node: &Node, request: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse {
    let mut kept = Offsets::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let (index, offset) = (asked.partition_index, asked.committed_offset);
            let metadata = asked.committed_metadata.map(|text| text.to_string()).unwrap_or_default();
            let checked = groups::check(node, topic.name.as_str(), index, offset, &metadata);
            if checked.is_ok() {
                let (leader_epoch, at_ms) = (asked.committed_leader_epoch, node.now());
                let committed = Committed { offset, leader_epoch, metadata, at_ms };
                kept.entry(topic.name.to_string()).or_default().insert(index, committed);
            }
            let answer = TxnOffsetCommitResponsePartition::default().with_partition_index(index);
            partitions.push(answer.with_error_code(code(&checked)));
        }
        topics.push(TxnOffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions));
    }
    let claim = Claim {
        id: request.transactional_id.as_str(),
        producer_id: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    let member = (request.member_id.as_str(), request.group_instance_id.as_deref());
    let generation = request.generation_id;
    let group = request.group_id.as_str();
    let done = node.transactions.commit_offsets(node.now(), claim, &node.groups, group, member, generation, kept);
    if let Err(error) = done {
        for partition in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            partition.error_code = error.code();
        }
    }
    TxnOffsetCommitResponse::default().with_topics(topics)
}

/// EndTxn.
pub fn end(node: &Node, request: EndTxnRequest, version: i16) -> EndTxnResponse {
    let claim = Claim {
        id: request.transactional_id.as_str(),
        producer_id: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    let done = node.transactions.end(claim, request.committed).map_err(|error| fenced(error, version, 2));
    node.kick.notify_one();
    EndTxnResponse::default().with_error_code(code(&done))
}

/// DescribeProducers.
pub fn producers(node: &Node, request: DescribeProducersRequest) -> DescribeProducersResponse {
    let view = |topic: describe_producers_request::TopicRequest| {
        let partition = |&index: &i32| {
            let answer = PartitionResponse::default().with_partition_index(index);
            let Some((partition, _)) = node.topics.partition(topic.name.as_str(), index) else {
                return answer.with_error_code(ResponseError::UnknownTopicOrPartition.code());
            };
            let producer = |active: super::super::producers::Active| {
                ProducerState::default()
                    .with_producer_id(ProducerId(active.id))
                    .with_producer_epoch(i32::from(active.epoch))
                    .with_last_sequence(active.last_sequence)
                    .with_last_timestamp(active.last_timestamp)
                    .with_coordinator_epoch(0)
                    .with_current_txn_start_offset(active.open)
            };
            answer.with_active_producers(partition.producers().into_iter().map(producer).collect())
        };
        let partitions = topic.partition_indexes.iter().map(partition).collect();
        TopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions)
    };
    DescribeProducersResponse::default().with_topics(request.topics.into_iter().map(view).collect())
}

/// DescribeTransactions.
pub fn describe(node: &Node, request: DescribeTransactionsRequest) -> DescribeTransactionsResponse {
    use describe_transactions_response::{TopicData, TransactionState};
    let all = node.transactions.list();
    let view = |id: TransactionalId| {
        let Some((_, txn)) = all.iter().find(|(known, _)| known == id.as_str()) else {
            return TransactionState::default()
                .with_transactional_id(id)
                .with_error_code(ResponseError::TransactionalIdNotFound.code());
        };
        let mut topics: Vec<TopicData> = Vec::new();
        for (topic, index) in &txn.partitions {
            match topics.last_mut() {
                Some(last) if last.topic.as_str() == topic => last.partitions.push(*index),
                _ => topics.push(TopicData::default().with_topic(TopicName(text(topic))).with_partitions(vec![*index])),
            }
        }
        TransactionState::default()
            .with_transactional_id(id)
            .with_transaction_state(text(txn.phase.name()))
            .with_transaction_timeout_ms(txn.timeout_ms)
            .with_transaction_start_time_ms(if txn.started_ms > 0 { txn.started_ms } else { -1 })
            .with_producer_id(ProducerId(txn.producer_id))
            .with_producer_epoch(txn.epoch)
            .with_topics(topics)
    };
    DescribeTransactionsResponse::default()
        .with_transaction_states(request.transactional_ids.into_iter().map(view).collect())
}

/// ListTransactions.
pub fn list(node: &Node, request: ListTransactionsRequest) -> ListTransactionsResponse {
    use list_transactions_response::TransactionState;
    let now = node.now();
    let wanted = |txn: &Txn| {
        let state = request.state_filters.is_empty()
            || request.state_filters.iter().any(|state| state.as_str() == txn.phase.name());
        let producer = request.producer_id_filters.is_empty()
            || request.producer_id_filters.iter().any(|id| id.0 == txn.producer_id);
        state && producer && (request.duration_filter < 0 || now - txn.started_ms > request.duration_filter)
    };
    let all = node.transactions.list();
    let view = |(id, txn): &(String, Txn)| {
        TransactionState::default()
            .with_transactional_id(TransactionalId(text(id)))
            .with_producer_id(ProducerId(txn.producer_id))
            .with_transaction_state(text(txn.phase.name()))
    };
    let states = all.iter().filter(|(_, txn)| wanted(txn)).map(view).collect();
    ListTransactionsResponse::default().with_transaction_states(states)
}
