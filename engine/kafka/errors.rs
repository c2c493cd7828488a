//! From librdkafka's error codes to errors that say what failed, whether waiting helps, and what to do.

use rdkafka::types::RDKafkaErrorCode as Code;

use super::native::{Resp, code_name};
use crate::error::Error;

/// What librdkafka said: the code, its text, and how it wants the error handled.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) code: Code,
    pub(super) text: String,
    pub(super) retriable: bool,
    pub(super) abortable: bool,
    pub(super) fatal: bool,
}

impl Fault {
    /// A bare response code.
    pub(super) fn of(code: Resp) -> Fault {
        let code = Code::from(code);
        Fault { code, text: String::new(), retriable: is_transient(code), abortable: false, fatal: false }
    }

    /// An error about `what` (as in "cannot read topic `t`").
    pub(super) fn error(&self, what: &str) -> Error {
        let found = if self.text.is_empty() { describe(self.code) } else { self.text.clone() };
        let error = Error::external(format!("cannot {what}")).detail(found);
        let error = match hint(self.code) {
            Some(hint) => error.hint(hint),
            None => error,
        };
        if needs_a_person(self.code) {
            error.hopeless()
        } else if (self.retriable || is_transient(self.code)) && !self.fatal {
            error.retryable()
        } else {
            error
        }
    }

    /// Whether another producer with the same transactional id has taken over, or the broker forgot ours.
    pub(super) fn is_fenced(&self) -> bool {
        matches!(
            self.code,
            Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::InvalidProducerIdMapping
        )
    }
}

/// Whether the same call may succeed later without anybody changing anything.
fn is_transient(code: Code) -> bool {
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::MessageTimedOut
            | Code::TimedOutQueue
            | Code::WaitingForCoordinator
            | Code::RequestTimedOut
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::BrokerNotAvailable
            | Code::ReplicaNotAvailable
            | Code::NetworkException
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::NotEnoughReplicas
            | Code::NotEnoughReplicasAfterAppend
            | Code::KafkaStorageError
            | Code::ConcurrentTransactions
            | Code::RebalanceInProgress
            | Code::UnstableOffsetCommit
            | Code::OffsetNotAvailable
            | Code::NotController
            | Code::PollExceeded
            | Code::QueueFull
            | Code::Retry
    )
}

/// Whether the same call fails until somebody grants a permission, corrects a setting or upgrades a broker.
fn needs_a_person(code: Code) -> bool {
    matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::UnsupportedVersion
            | Code::UnsupportedFeature
            | Code::InvalidTransactionTimeout
    )
}

/// librdkafka's description of a code, in the case and form of our texts.
fn describe(code: Code) -> String {
    let full = code.to_string();
    let name = code_name(code);
    // The display form is `Name (Description)`.
    let text = full.strip_prefix(&name).unwrap_or(&full).trim();
    let text = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(text);
    let text = text.strip_prefix("Local: ").or_else(|| text.strip_prefix("Broker: ")).unwrap_or(text);
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => name,
    }
}

/// What to do about a code, where we know.
fn hint(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::TopicAuthorizationFailed => {
            "The user lacks a permission on the topic: Read and Describe for sources, Write and Describe for sinks, \
             Create to create it."
        }
        Code::GroupAuthorizationFailed => {
            "The user lacks the permissions Read and Describe on the consumer group (Delete to drop it)."
        }
        Code::ClusterAuthorizationFailed => {
            "The user lacks a permission on the cluster: IdempotentWrite to produce on clusters before Kafka 3.0, \
             Create to create topics."
        }
        Code::TransactionalIdAuthorizationFailed => {
            "The user lacks the permissions Write and Describe on the transactional id; \
             SET 'processing.guarantee' = 'at_least_once' does without transactions."
        }
        Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism => {
            "Check `security.protocol`, `sasl.mechanism`, `sasl.username` and `sasl.password` in the configuration \
             file."
        }
        Code::SSL => "Check `security.protocol` and the `ssl.…` properties in the configuration file.",
        Code::Resolve => "Check the host name in the broker's address.",
        Code::BrokerTransportFailure | Code::AllBrokersDown | Code::BrokerNotAvailable => {
            "Check that the broker runs and that its address and port can be reached from here."
        }
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            "SHOW TOPICS lists the topics of the cluster."
        }
        Code::MessageSizeTooLarge => {
            "Raise `max.message.bytes` of the topic, and `message.max.bytes` in the configuration file."
        }
        Code::InvalidTransactionTimeout => {
            "The broker's `transaction.max.timeout.ms` is below the commit's timeout; raise it there."
        }
        Code::UnsupportedVersion | Code::UnsupportedFeature => {
            "The broker is too old for this, or forbids it; transactions need Kafka 2.5 or later, and \
             SET 'processing.guarantee' = 'at_least_once' does without them."
        }
        Code::InvalidReplicationFactor => "Ask for at most as many REPLICAS as there are brokers.",
        Code::PolicyViolation => "A policy of the cluster forbids it; its administrator knows which.",
        Code::NonEmptyGroup => "Another process still uses the group; stop it first.",
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => {
            "Another process with the same service id and query id has taken over."
        }
        Code::KafkaStorageError => "The broker cannot write its log; look at its disk.",
        _ => return None,
    })
}

/// No broker answered within the time given; `last` is the last connection error any client noted.
pub(super) fn unreachable(bootstrap: &str, seconds: u64, last: Option<String>) -> Error {
    let error = Error::external(format!("no broker answers at {bootstrap} (waited {seconds} s)"))
        .hint("Check that the broker runs and that its address and port can be reached from here.")
        .retryable();
    match last {
        Some(last) => error.detail(last),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_transaction_names_the_permission_and_the_setting_that_does_without() {
        let fault = Fault::of(Resp::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
        let error = fault.error("begin transactions as `svc-q`");
        assert_eq!(error.message(), "cannot begin transactions as `svc-q`");
        assert_eq!(error.detail_text(), Some("transactional Id authorization failed"));
        let hint = error.hint_text().unwrap_or_default();
        assert!(hint.contains("Write and Describe on the transactional id"), "{hint}");
        assert!(hint.contains("'processing.guarantee' = 'at_least_once'"), "{hint}");
        assert!(!error.is_retryable() && error.is_hopeless());
    }

    #[test]
    fn a_lost_connection_may_be_tried_again_but_a_fatal_error_may_not() {
        let lost = Fault::of(Resp::RD_KAFKA_RESP_ERR__TRANSPORT);
        assert!(lost.error("read topic `t`").is_retryable());
        assert!(!Fault { fatal: true, ..lost }.error("read topic `t`").is_retryable());
    }

    #[test]
    fn a_fenced_producer_is_told_from_other_failures() {
        assert!(Fault::of(Resp::RD_KAFKA_RESP_ERR__FENCED).is_fenced());
        assert!(!Fault::of(Resp::RD_KAFKA_RESP_ERR__TRANSPORT).is_fenced());
    }
}
