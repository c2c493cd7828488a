//! A member of a group, and what it asks and is answered.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;

/// A JoinGroup request.
#[derive(Debug, Clone)]
pub struct Join {
    /// The member's id, empty when it has none yet.
    pub member_id: String,
    /// Its instance id (KIP-345).
    pub instance_id: Option<String>,
    /// The client's own name.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// How long it may be silent, in milliseconds.
    pub session_timeout: i64,
    /// How long it may take to join again, in milliseconds.
    pub rebalance_timeout: i64,
    /// `consumer` for consumers.
    pub protocol_type: String,
    /// Assignors it can use, best first, with its subscription for each.
    pub protocols: Vec<(String, Bytes)>,
    /// Whether a newcomer has to come back with the id it is given (KIP-394).
    pub id_required: bool,
    /// Whether the client knows that a leader may find the assignment made (KIP-814).
    pub can_skip_assignment: bool,
}

impl Join {
    /// Whether the topics it wants are those that `member` wants. What else a consumer's subscription carries, such as the
    /// partitions it had, differs from join to join.
    pub fn wants_the_same(&self, member: &Member) -> bool {
        let of = |protocols: &[(String, Bytes)]| -> Vec<(String, Option<Vec<Vec<u8>>>)> {
            protocols.iter().map(|(name, bytes)| (name.clone(), topics(bytes))).collect()
        };
        let (mine, others) = (of(&self.protocols), of(&member.protocols));
        let readable = self.protocol_type == "consumer" && mine.iter().all(|(_, topics)| topics.is_some());
        if readable { mine == others } else { self.protocols == member.protocols }
    }
}

/// The topics of a consumer's subscription, sorted (Kafka's embedded consumer protocol: version, then names).
fn topics(subscription: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (count, mut rest) = subscription.get(2..)?.split_first_chunk::<4>()?;
    let mut topics = Vec::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let (len, after) = rest.split_first_chunk::<2>()?;
        let len = usize::from(u16::from_be_bytes(*len));
        topics.push(after.get(..len)?.to_vec());
        rest = &after[len..];
    }
    topics.sort_unstable();
    Some(topics)
}

/// The answer to a join.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Joined {
    /// The generation joined.
    pub generation: i32,
    /// The group's protocol type.
    pub protocol_type: Option<String>,
    /// The assignor that was chosen.
    pub protocol: Option<String>,
    /// The member that makes the assignment.
    pub leader: String,
    /// The member's own id.
    pub member_id: String,
    /// For the leader: every member's id, instance id and subscription.
    pub members: Vec<(String, Option<String>, Bytes)>,
    /// The leader takes over a generation that is assigned already (KIP-814).
    pub skip_assignment: bool,
}

/// A refusal to join; a newcomer that must come back learns its id from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotJoined {
    /// Why.
    pub error: ResponseError,
    /// The id to use.
    pub member_id: String,
}

/// The answer to a sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    /// The group's protocol type.
    pub protocol_type: Option<String>,
    /// The assignor that was chosen.
    pub protocol: Option<String>,
    /// What the leader assigned to this member.
    pub assignment: Bytes,
}

/// Where the answer to a join goes.
pub type JoinReply = oneshot::Sender<Result<Joined, NotJoined>>;
/// Where the answer to a sync goes.
pub type SyncReply = oneshot::Sender<Result<Synced, ResponseError>>;

/// A member.
#[derive(Debug)]
pub struct Member {
    /// Its id.
    pub id: String,
    /// Its instance id.
    pub instance_id: Option<String>,
    /// The client's own name.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// How long it may be silent, in milliseconds.
    pub session_timeout: i64,
    /// How long it may take to join again, in milliseconds.
    pub rebalance_timeout: i64,
    /// Its assignors and subscriptions.
    pub protocols: Vec<(String, Bytes)>,
    /// What the leader assigned to it.
    pub assignment: Bytes,
    /// When its session ends unless it is heard from, in milliseconds.
    pub deadline: i64,
    /// Waits for the generation to begin.
    pub joining: Option<JoinReply>,
    /// Waits for the assignment.
    pub syncing: Option<SyncReply>,
    /// Has asked for the assignment of this generation.
    pub synced: bool,
}

impl Member {
    /// A member that is joining.
    pub fn new(id: String, join: Join, reply: JoinReply, now: i64) -> Self {
        Member {
            id,
            instance_id: join.instance_id,
            client_id: join.client_id,
            client_host: join.client_host,
            session_timeout: join.session_timeout,
            rebalance_timeout: join.rebalance_timeout,
            protocols: join.protocols,
            assignment: Bytes::new(),
            deadline: now + join.session_timeout,
            joining: Some(reply),
            syncing: None,
            synced: false,
        }
    }

    /// Heard from.
    pub fn alive(&mut self, now: i64) {
        self.deadline = now + self.session_timeout;
    }

    /// Whether the member waits for an answer: it is not silent then.
    pub fn is_waiting(&self) -> bool {
        self.joining.is_some() || self.syncing.is_some()
    }

    /// Its subscription under an assignor.
    pub fn subscription(&self, protocol: &str) -> Bytes {
        self.protocols.iter().find(|(name, _)| name == protocol).map(|(_, bytes)| bytes.clone()).unwrap_or_default()
    }

    /// Answers a waiting join.
    pub fn answer_join(&mut self, answer: Result<Joined, NotJoined>) {
        if let Some(reply) = self.joining.take() {
            // A client that hung up does not get its answer.
            let _ = reply.send(answer);
        }
    }

    /// Answers a waiting sync.
    pub fn answer_sync(&mut self, answer: Result<Synced, ResponseError>) {
        if let Some(reply) = self.syncing.take() {
            let _ = reply.send(answer);
        }
    }
}
