//! What the broker answers: one file per family of requests, each a plain function from request to response.
//!
//! [`handle`] reads the header, picks the function, encodes its response. Only Fetch, JoinGroup and SyncGroup wait.

mod configs;
mod fetch;
mod group_admin;
mod groups;
mod metadata;
mod offsets;
mod produce;
mod refusal;
mod topics;
mod transactions;

use bytes::{Buf, Bytes};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, StrBytes};

use self::refusal::Refuse;
use super::hooks::Strike;
use super::node::Node;
use super::wire::answer::Answer;
use super::wire::connection::Call;
use super::wire::shape;
use super::wire::versions::is_supported;

/// Why a connection has to be closed.
type Fatal = Box<dyn std::error::Error + Send + Sync>;

/// Answers one request; no answer when the client asked for none. An error closes the connection.
pub async fn handle(node: &Node, call: &mut Call, frame: Bytes) -> Result<Option<Answer>, Fatal> {
    if frame.len() < 8 {
        return Err(format!("a request of {} bytes", frame.len()).into());
    }
    let mut peek = &frame[..];
    let (code, version) = (peek.get_i16(), peek.get_i16());
    let correlation = peek.get_i32();
    let key = ApiKey::try_from(code).map_err(|()| format!("unknown request type {code}"))?;
    if !is_supported(key, version) {
        if key == ApiKey::ApiVersions {
            // KIP-511: the oldest form of the answer, which every client can read, with what we do speak.
            return Ok(Some(Answer::encode(correlation, 0, &metadata::api_versions(true))?));
        }
        return Err(format!("{key:?} version {version} is not supported").into());
    }
    let mut body = frame;
    let header = RequestHeader::decode(&mut body, key.request_header_version(version))?;
    if !shape::holds(key, version, &body) {
        return Err(format!("a {key:?} request whose lengths contradict each other").into());
    }
    call.client_id = header.client_id.map(|id| id.to_string()).unwrap_or_default();
    let strike = match &node.config.hooks {
        None => Strike::default(),
        Some(hooks) => hooks.strike(key, &call.client_id),
    };
    strike.carry_out(false).await?;

    /// Refuses the request if a fault says so, and then gives the answer: at once, or in place of the right one.
    macro_rules! refusal {
        ($request:expr, $effect:expr) => {
            if let Some((code, takes_effect)) = strike.refusal() {
                let refusal = $request.refuse(version, code).ok_or("a fault of a test cuts it");
                if takes_effect {
                    $effect;
                }
                let refusal = refusal?;
                strike.carry_out(true).await?;
                return Ok(Some(Answer::encode(correlation, version, &refusal)?));
            }
        };
    }
    /// Decodes the request and encodes what the function makes of it.
    macro_rules! answer {
        ($request:ty, $respond:expr) => {{
            let request = <$request>::decode(&mut body, version)?;
            #[allow(clippy::redundant_closure_call)]
            {
                refusal!(request, ($respond)(request));
                let response = ($respond)(request);
                Answer::encode(correlation, version, &response)?
            }
        }};
    }
    /// The same for a function that waits.
    macro_rules! answer_later {
        ($request:ty, $respond:expr) => {{
            let request = <$request>::decode(&mut body, version)?;
            refusal!(request, ($respond)(request).await);
            let response = ($respond)(request).await;
            Answer::encode(correlation, version, &response)?
        }};
    }
    let answer = match key {
        ApiKey::Produce => {
            let request = ProduceRequest::decode(&mut body, version)?;
            let acks = request.acks;
            refusal!(request, produce::produce(node, request));
            let response = produce::produce(node, request);
            if acks == 0 {
                return Ok(None);
            }
            Answer::encode(correlation, version, &response)?
        }
        ApiKey::Fetch => {
            let request = FetchRequest::decode(&mut body, version)?;
            refusal!(request, fetch::fetch(node, request.clone(), correlation, version).await);
            fetch::fetch(node, request, correlation, version).await
        }
        ApiKey::ListOffsets => answer!(ListOffsetsRequest, |r| offsets::list_offsets(node, r, version)),
        ApiKey::OffsetForLeaderEpoch => answer!(OffsetForLeaderEpochRequest, |r| offsets::leader_epochs(node, r)),
        ApiKey::DeleteRecords => answer!(DeleteRecordsRequest, |r| offsets::delete_records(node, r)),
        ApiKey::Metadata => {
            let request = MetadataRequest::decode(&mut body, version)?;
            let response = match strike.refusal() {
                None => metadata::metadata(node, call, request, version),
                Some((code, takes_effect)) => {
                    let may_create = takes_effect && request.allow_auto_topic_creation;
                    let request = request.with_allow_auto_topic_creation(may_create);
                    refusal::refuse_topics(metadata::metadata(node, call, request, version), code)
                        .ok_or("a fault of a test cuts it")?
                }
            };
            Answer::encode(correlation, version, &response)?
        }
        ApiKey::ApiVersions => answer!(ApiVersionsRequest, |_| metadata::api_versions(false)),
        ApiKey::DescribeCluster => answer!(DescribeClusterRequest, |_| metadata::describe_cluster(node, call)),
        ApiKey::FindCoordinator => {
            answer!(FindCoordinatorRequest, |r| metadata::find_coordinator(call, r, version))
        }
        ApiKey::JoinGroup => answer_later!(JoinGroupRequest, |r| groups::join(node, call, r, version)),
        ApiKey::SyncGroup => answer_later!(SyncGroupRequest, |r| groups::sync(node, r)),
        ApiKey::Heartbeat => answer!(HeartbeatRequest, |r| groups::heartbeat(node, r)),
        ApiKey::LeaveGroup => answer!(LeaveGroupRequest, |r| groups::leave(node, r, version)),
        ApiKey::OffsetCommit => answer!(OffsetCommitRequest, |r| groups::commit(node, r)),
        ApiKey::OffsetFetch => answer!(OffsetFetchRequest, |r| groups::fetch(node, r, version)),
        ApiKey::OffsetDelete => answer!(OffsetDeleteRequest, |r| group_admin::delete_offsets(node, r)),
        ApiKey::DescribeGroups => answer!(DescribeGroupsRequest, |r| group_admin::describe(node, r)),
        ApiKey::ListGroups => answer!(ListGroupsRequest, |r| group_admin::list(node, r)),
        ApiKey::DeleteGroups => answer!(DeleteGroupsRequest, |r| group_admin::delete(node, r)),
        ApiKey::InitProducerId => answer!(InitProducerIdRequest, |r| transactions::init(node, r, version)),
        ApiKey::AddPartitionsToTxn => {
            answer!(AddPartitionsToTxnRequest, |r| transactions::add_partitions(node, r, version))
        }
        ApiKey::AddOffsetsToTxn => answer!(AddOffsetsToTxnRequest, |r| transactions::add_offsets(node, r, version)),
        ApiKey::TxnOffsetCommit => answer!(TxnOffsetCommitRequest, |r| transactions::commit_offsets(node, r)),
        ApiKey::EndTxn => answer!(EndTxnRequest, |r| transactions::end(node, r, version)),
        ApiKey::DescribeProducers => answer!(DescribeProducersRequest, |r| transactions::producers(node, r)),
        ApiKey::DescribeTransactions => answer!(DescribeTransactionsRequest, |r| transactions::describe(node, r)),
        ApiKey::ListTransactions => answer!(ListTransactionsRequest, |r| transactions::list(node, r)),
        ApiKey::CreateTopics => answer!(CreateTopicsRequest, |r| topics::create(node, r)),
        ApiKey::DeleteTopics => answer!(DeleteTopicsRequest, |r| topics::delete(node, r)),
        ApiKey::CreatePartitions => answer!(CreatePartitionsRequest, |r| topics::grow(node, r)),
        ApiKey::DescribeConfigs => answer!(DescribeConfigsRequest, |r| configs::describe(node, r)),
        ApiKey::AlterConfigs => answer!(AlterConfigsRequest, |r| configs::alter(node, r)),
        ApiKey::IncrementalAlterConfigs => {
            answer!(IncrementalAlterConfigsRequest, |r| configs::alter_incrementally(node, r))
        }
        _ => return Err(format!("{key:?} is not supported").into()),
    };
    strike.carry_out(true).await?;
    Ok(Some(answer))
}

/// An error's number; 0 for none.
fn code<T>(result: &Result<T, ResponseError>) -> i16 {
    result.as_ref().err().map_or(0, ResponseError::code)
}

/// An owned text for a response.
fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}
