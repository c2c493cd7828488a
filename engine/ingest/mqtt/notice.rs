//! What an MQTT connector says on its own, when it is not a matter of every message. Counters hold the rest.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Something worth telling the user. `Display` is the sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The first device is connected: the time to say what an acknowledgement means here.
    FirstDevice,
    /// No rule takes this MQTT topic; its messages are dropped. Said once for each topic.
    UnmatchedTopic {
        /// The MQTT topic.
        topic: String,
    },
    /// Records could not be delivered, and the connection was closed so that they are sent again. Said each time that
    /// happens, which while Kafka is down is once for each attempt of each device.
    Undelivered {
        /// The client id.
        client: String,
        /// What the producer said.
        error: String,
    },
    /// A record can never be delivered and was dropped. Said for each one.
    Refused {
        /// The client id.
        client: String,
        /// What the producer said.
        error: String,
    },
    /// A message is larger than allowed and was dropped. Said for each one.
    TooLarge {
        /// The MQTT topic.
        topic: String,
        /// The packet's size in bytes.
        bytes: u64,
        /// The largest size allowed.
        most: u32,
    },
    /// User names and passwords come over connections that anyone on the way can read.
    PlainPasswords,
    /// The file of users cannot be read any more; those read before stay in force.
    UsersUnreadable {
        /// What the system said.
        error: String,
    },
    /// Our client is connected to a broker and subscribed. Said when it was not before.
    Connected {
        /// The broker, as `host:port`.
        broker: String,
        /// `3.1.1` or `5`.
        version: &'static str,
        /// Whether the broker had kept the session.
        resumed: bool,
    },
    /// Our client has no connection. Said once until there is one, and when the reason changes.
    Disconnected {
        /// What happened, and where.
        error: String,
        /// When the next attempt is made.
        again: Duration,
    },
    /// The broker had forgotten the session of a client that was connected before: what was published meanwhile, it did
    /// not keep for us.
    SessionLost {
        /// The broker, as `host:port`.
        broker: String,
    },
    /// The broker granted a lower quality of service than was asked for.
    LowerQos {
        /// The topic filter.
        filter: String,
        /// What it granted.
        granted: u8,
    },
}

impl Notice {
    /// Whether it tells of something wrong.
    pub fn is_warning(&self) -> bool {
        !matches!(self, Notice::FirstDevice | Notice::Connected { .. })
    }
}

impl Notice {
    /// Whether it is about something that went wrong while the connector ran, and not about how it was set up.
    pub fn is_failure(&self) -> bool {
        let set_up = matches!(self, Notice::UnmatchedTopic { .. } | Notice::PlainPasswords | Notice::LowerQos { .. });
        self.is_warning() && !set_up
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::FirstDevice => write!(f, "a device connected"),
            Notice::UnmatchedTopic { topic } => {
                write!(f, "no rule matches MQTT topic {topic}; its messages are dropped")
            }
            Notice::Undelivered { client, error } => {
                write!(f, "messages of {client} could not be delivered, they are to be sent again: {error}")
            }
            Notice::Refused { client, error } => write!(f, "a message of {client} was dropped: {error}"),
            Notice::TooLarge { topic, bytes, most } => {
                write!(f, "a message of {bytes} bytes to MQTT topic {topic} was dropped, {most} are allowed")
            }
            Notice::PlainPasswords => write!(
                f,
                "passwords come over connections without TLS; add 'ssl.certificate.location' and 'ssl.key.location'"
            ),
            Notice::UsersUnreadable { error } => {
                write!(f, "the users read before stay in force: {error}")
            }
            Notice::Connected { broker, version, resumed } => {
                let session = if *resumed { "the session goes on" } else { "a new session" };
                write!(f, "connected to MQTT broker {broker} (MQTT {version}, {session})")
            }
            Notice::Disconnected { error, again } => {
                write!(f, "{error}; trying again in {:.1} s", again.as_secs_f64())
            }
            Notice::SessionLost { broker } => {
                write!(f, "MQTT broker {broker} had forgotten the session; messages published meanwhile may be missing")
            }
            Notice::LowerQos { filter, granted } => {
                write!(f, "the MQTT broker grants only QoS {granted} for {filter}")
            }
        }
    }
}

/// Where notices go. It is called from the connections' tasks and must not block.
#[derive(Clone, Default)]
pub struct NoticeHook(Option<Arc<dyn Fn(Notice) + Send + Sync>>);

impl NoticeHook {
    /// Calls `hook` for every notice.
    pub fn new(hook: impl Fn(Notice) + Send + Sync + 'static) -> NoticeHook {
        NoticeHook(Some(Arc::new(hook)))
    }

    pub(super) fn say(&self, notice: impl FnOnce() -> Notice) {
        if let Some(hook) = &self.0 {
            hook(notice());
        }
    }
}

impl fmt::Debug for NoticeHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "NoticeHook(set)" } else { "NoticeHook(none)" })
    }
}
