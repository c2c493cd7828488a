//! What a listener has seen, counted. Every way a packet or a connection can end has its own counter.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::ingest::deliver::Outcomes;

/// A number that only its name explains.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The value now.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    pub(super) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Relaxed);
    }

    /// Counts one, and gives the value before.
    pub(super) fn up(&self) -> u64 {
        self.0.fetch_add(1, Relaxed)
    }

    pub(super) fn down(&self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Why a connection ended, or never began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The device said DISCONNECT.
    Left,
    /// The socket closed without one.
    Lost,
    /// Another connection came with the same client id.
    TakenOver,
    /// Nothing came for one and a half times the keep-alive time.
    KeepAlive,
    /// No CONNECT came in time.
    ConnectTimeout,
    /// A packet larger than allowed.
    TooLarge,
    /// Bytes that are no MQTT packet.
    Malformed,
    /// A packet that MQTT does not allow here.
    Protocol,
    /// An unknown protocol version.
    Version,
    /// A client id that cannot be used.
    ClientId,
    /// Too many connections.
    Limit,
    /// A record could not be delivered.
    Undelivered,
    /// A record was not delivered in time.
    DeliveryTimeout,
    /// The listener stops.
    Shutdown,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counters of one listener. Reading one is a relaxed atomic load.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: Counter,)*
            /// How the deliveries ended: delivered, failed, refused.
            pub outcomes: Arc<Outcomes>,
        }

        impl Counters {
            /// All counters with their names, in a fixed order.
            pub fn list(&self) -> Vec<(&'static str, u64)> {
                let mut list = vec![$((stringify!($name), self.$name.get()),)*];
                list.push(("delivered", self.delivered()));
                list.push(("failed", self.failed()));
                list.push(("refused", self.refused()));
                list
            }
        }
    };
}

counters! {
    /// Sockets accepted.
    sockets,
    /// MQTT connections accepted.
    connections,
    /// MQTT connections open now.
    connections_open,
    /// Connections that went on with a session kept from before.
    sessions_resumed,
    /// Kept sessions that expired, or made room for newer ones.
    sessions_expired,
    /// Messages received, repeats included.
    messages,
    /// Payload bytes of those.
    payload_bytes,
    /// Bytes read from sockets.
    bytes,
    /// QoS 2 messages received again in one session and not delivered again.
    repeats,
    /// Messages to a topic that no rule matches.
    unmatched,
    /// Will messages published.
    wills,
    /// Topic filters of SUBSCRIBE packets, all refused.
    subscriptions_refused,
    /// Times a connection had to wait because the producer had no room.
    held_back,
    /// Connections ended by DISCONNECT.
    closed_by_device,
    /// Connections lost without a DISCONNECT.
    connections_lost,
    /// Connections closed because their client id came again.
    takeovers,
    /// Connections closed because their keep-alive time was over.
    keep_alive_expired,
    /// Sockets closed because no CONNECT came.
    connect_timeouts,
    /// Connections closed over too large a packet.
    packets_too_large,
    /// Connections closed over a malformed packet.
    packets_malformed,
    /// Connections closed over a packet that MQTT does not allow there.
    protocol_errors,
    /// Connections refused over their protocol version.
    versions_refused,
    /// Connections refused over their client id.
    client_ids_refused,
    /// Connections refused because there were too many.
    connections_refused,
    /// Connections closed because a record could not be delivered.
    closed_undelivered,
    /// Connections closed because a record was not delivered in time.
    delivery_timeouts,
    /// Connections closed by a shutdown.
    closed_by_shutdown,
}

impl Counters {
    /// Records delivered, will messages included.
    pub fn delivered(&self) -> u64 {
        self.outcomes.delivered.load(Relaxed)
    }

    /// Deliveries that failed; the device was not told that they are safe.
    pub fn failed(&self) -> u64 {
        self.outcomes.failed.load(Relaxed)
    }

    /// Records that can never be delivered, and were dropped.
    pub fn refused(&self) -> u64 {
        self.outcomes.refused.load(Relaxed)
    }

    pub(super) fn ended(&self, cause: Cause) {
        match cause {
            Cause::Left => &self.closed_by_device,
            Cause::Lost => &self.connections_lost,
            Cause::TakenOver => &self.takeovers,
            Cause::KeepAlive => &self.keep_alive_expired,
            Cause::ConnectTimeout => &self.connect_timeouts,
            Cause::TooLarge => &self.packets_too_large,
            Cause::Malformed => &self.packets_malformed,
            Cause::Protocol => &self.protocol_errors,
            Cause::Version => &self.versions_refused,
            Cause::ClientId => &self.client_ids_refused,
            Cause::Limit => &self.connections_refused,
            Cause::Undelivered => &self.closed_undelivered,
            Cause::DeliveryTimeout => &self.delivery_timeouts,
            Cause::Shutdown => &self.closed_by_shutdown,
        }
        .add(1);
    }
}
