//! Which requests are answered, in which versions.
//!
//! The upper bounds stay below the versions that bring topic ids into Produce and Fetch, transactions version 2
//! (KIP-890) and the consumer group protocol of KIP-848. Produce is said to begin at 0 although it begins at 3, as
//! Apache Kafka does: older librdkafka looks for version 0 before it compresses.

use kafka_protocol::messages::ApiKey;

/// A request type and the versions of it that are answered.
#[derive(Debug, Clone, Copy)]
pub struct Supported {
    /// The request type.
    pub key: ApiKey,
    /// First version.
    pub min: i16,
    /// Last version.
    pub max: i16,
}

const fn supported(key: ApiKey, min: i16, max: i16) -> Supported {
    Supported { key, min, max }
}

/// All of them.
pub const SUPPORTED: &[Supported] = &[
    supported(ApiKey::Produce, 0, 11),
    supported(ApiKey::Fetch, 4, 12),
    supported(ApiKey::ListOffsets, 1, 8),
    supported(ApiKey::Metadata, 0, 12),
    supported(ApiKey::OffsetCommit, 2, 9),
    supported(ApiKey::OffsetFetch, 1, 9),
    supported(ApiKey::FindCoordinator, 0, 5),
    supported(ApiKey::JoinGroup, 0, 9),
    supported(ApiKey::Heartbeat, 0, 4),
    supported(ApiKey::LeaveGroup, 0, 5),
    supported(ApiKey::SyncGroup, 0, 5),
    supported(ApiKey::DescribeGroups, 0, 5),
    supported(ApiKey::ListGroups, 0, 5),
    supported(ApiKey::ApiVersions, 0, 4),
    supported(ApiKey::CreateTopics, 2, 7),
    supported(ApiKey::DeleteTopics, 1, 6),
    supported(ApiKey::DeleteRecords, 0, 2),
    supported(ApiKey::InitProducerId, 0, 5),
    supported(ApiKey::OffsetForLeaderEpoch, 2, 4),
    supported(ApiKey::AddPartitionsToTxn, 0, 3),
    supported(ApiKey::AddOffsetsToTxn, 0, 4),
    supported(ApiKey::EndTxn, 0, 4),
    supported(ApiKey::TxnOffsetCommit, 0, 4),
    supported(ApiKey::DescribeConfigs, 1, 4),
    supported(ApiKey::AlterConfigs, 0, 2),
    supported(ApiKey::CreatePartitions, 0, 3),
    supported(ApiKey::DeleteGroups, 0, 2),
    supported(ApiKey::IncrementalAlterConfigs, 0, 1),
    supported(ApiKey::OffsetDelete, 0, 0),
    supported(ApiKey::DescribeCluster, 0, 1),
    supported(ApiKey::DescribeProducers, 0, 0),
    supported(ApiKey::DescribeTransactions, 0, 0),
    supported(ApiKey::ListTransactions, 0, 1),
];

/// Whether this version of this request is answered.
pub fn is_supported(key: ApiKey, version: i16) -> bool {
    SUPPORTED.iter().any(|known| known.key == key && (known.min..=known.max).contains(&version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_promised_that_the_codec_cannot_read() {
        for known in SUPPORTED {
            let codec = known.key.valid_versions();
            assert!(known.max <= codec.max, "{:?}", known.key);
            assert!(known.min >= codec.min || known.key == ApiKey::Produce, "{:?}", known.key);
        }
    }
}
