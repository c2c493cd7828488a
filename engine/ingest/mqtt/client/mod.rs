//! MQTT in, from a broker that exists: this process subscribes, and the broker's messages become records.
//!
//! The broker keeps a session for us and sends a message of QoS 1 or 2 until we acknowledge it, which we do when its
//! record is delivered and never before, in the order in which the messages came. So nothing that the broker has accepted
//! for our session is lost when it restarts, when we do, or when Kafka is away. Delivery is at least once.
//!
//! The receiving half is the listener's own (`inbox`): acknowledgement in order, QoS 2 exchanges and bounds are the same
//! whoever publishes. `rumqttc` is not used, though it can acknowledge by hand: ARCHITECTURE.md says what was seen.
//!
//! Reading order: [`config`] (the `WITH` clause), `packets` (CONNECT to SUBACK), `protocol` (the state machine, without a
//! socket), `dial` (addresses and TLS), `forget` (the end
//! of a session), [`run`] (connections one after the other, and what a user may tell it),
//! [`class`] (the client as a connector).

pub mod config;

mod packets;
mod protocol;
mod dial;

mod forget;

pub mod run;
pub mod class;

#[cfg(test)]
mod tests;

pub use config::ClientConfig;
pub use run::{MqttClient, Status};
