//! MQTT in: devices connect to this process directly, without an MQTT broker, or this process subscribes to a broker
//! that exists; either way messages become records.
//!
//! The protocol is a state machine without a socket (sans-IO): bytes in, bytes out, records handed over. The glue around
//! it only moves bytes and time, so every rule is tested without a network, and a TLS stream would serve as well as TCP.
//! An acknowledgement (PUBACK, PUBREC) is written when the receipt of the record is back and never before, in the order
//! in which the messages came. Delivery is at least once; within a session a QoS 2 message that is sent again is not
//! delivered again.
//!
//! The packets that come once a connection are parsed and built by `mqtt-protocol-core`. The ones that come once a
//! message (PUBLISH and its acknowledgements) are parsed in place, without a copy, and that crate's connection state is
//! not used: it acknowledges a repeated QoS 2 message at once, even when the first one is not delivered yet.
//!
//! Reading order, each knowing only what stands before it:
//! - [`counters`], [`notice`]: what is counted and what is said
//! - [`filter`], [`template`], [`rules`]: MQTT topic to Kafka topic, key and headers
//! - [`tls`], [`users`]: who is who
//! - `mapping`, [`config`]: the `WITH` clause
//! - `wire`, `packets`, `pipe`: bytes; `session`: what outlives a connection; `inbox`: the half that receives, of both sides
//! - `protocol` (the listener's state machine), `registry` (client ids, takeover, kept sessions), `connection` and
//!   [`listener`] (the glue)
//! - [`client`]: the other side, which subscribes to a broker
//! - [`class`]: both as connectors
//! - [`publisher`]: a device, for the demo

pub mod counters;
pub mod notice;

pub mod filter;
pub mod template;
pub mod rules;

pub mod tls;
pub mod users;

mod mapping;
pub mod config;

mod wire;
mod packets;
mod pipe;
mod session;
mod inbox;

mod protocol;
mod registry;
mod connection;
pub mod listener;

pub mod client;

pub mod class;

pub mod publisher;

#[cfg(test)]
mod tests;

pub use config::ListenerConfig;
pub use counters::Counters;
pub use listener::MqttListener;
pub use notice::{Notice, NoticeHook};
pub use publisher::{PublishReport, Publisher};
