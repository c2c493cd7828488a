//! What came and what became of it, counted. Every way a packet or a connection can end has its own counter.

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

    pub(super) fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
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
    /// An unknown user, or a wrong password.
    Login,
    /// A record could not be delivered.
    Undelivered,
    /// A record was not delivered in time.
    DeliveryTimeout,
    /// The listener stops.
    Shutdown,
}

macro_rules! counters {
    ($(#[$about:meta])* $kind:ident { $($(#[$doc:meta])* $name:ident,)* } and { $($(#[$part_doc:meta])* $part:ident: $part_kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Default)]
        pub struct $kind {
            $($(#[$doc])* pub $name: Counter,)*
            $($(#[$part_doc])* pub $part: $part_kind,)*
        }

        impl $kind {
            /// All counters with their names, in a fixed order.
            pub fn list(&self) -> Vec<(&'static str, u64)> {
                #[allow(unused_mut)]
                let mut list = vec![$((stringify!($name), self.$name.get()),)*];
                $(list.extend(self.$part.list());)*
                list
            }
        }
    };
}

counters! {
    /// What became of the messages that came, whichever way they came. Reading one is a relaxed atomic load.
    Received {
        /// Messages received, repeats included.
        messages,
        /// Payload bytes of those.
        payload_bytes,
        /// Messages marked as sent again by the other side.
        duplicates,
        /// QoS 2 messages received again in one session and not delivered again.
        repeats,
        /// Messages to a topic that no rule matches, dropped.
        unmatched,
        /// Messages larger than allowed, dropped.
        dropped_too_large,
        /// Times a connection had to wait because the producer had no room.
        held_back,
    } and {
        /// How the deliveries ended: delivered, failed, refused.
        outcomes: Arc<Outcomes>,
    }
}

counters! {
    /// The counters of one listener. Reading one is a relaxed atomic load.
    Counters {
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
        /// Bytes read from sockets, as they are inside TLS.
        bytes,
        /// Will messages published.
        wills,
        /// Topic filters of SUBSCRIBE packets, all refused.
        subscriptions_refused,
        /// Times that accepting waited because sockets came faster than allowed.
        accepts_delayed,
        /// TLS handshakes that failed.
        tls_failures,
        /// Connections refused over their user name or password.
        logins_refused,
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
    } and {
        /// The messages.
        received: Arc<Received>,
    }
}

counters! {
    /// The counters of one client. Reading one is a relaxed atomic load.
    ClientCounters {
        /// Connections that were accepted by a broker.
        connections,
        /// Those after the first.
        reconnects,
        /// Attempts that came to no connection.
        connect_failures,
        /// Connections on which the broker still had the session.
        sessions_resumed,
        /// Connections on which the broker had forgotten a session that it was to keep.
        sessions_lost,
        /// Bytes read from the broker, as they are inside TLS.
        bytes,
        /// Messages taken and not acknowledged, now.
        outstanding,
    } and {
        /// The messages.
        received: Arc<Received>,
    }
}

impl Outcomes {
    /// Their counts with their names, in a fixed order.
    pub fn list(&self) -> Vec<(&'static str, u64)> {
        let load = |count: &AtomicU64| count.load(Relaxed);
        vec![("delivered", load(&self.delivered)), ("failed", load(&self.failed)), ("refused", load(&self.refused))]
    }
}

impl Received {
    /// Records delivered, will messages included.
    pub fn delivered(&self) -> u64 {
        self.outcomes.delivered.load(Relaxed)
    }

    /// Deliveries that failed; the other side was not told that they are safe.
    pub fn failed(&self) -> u64 {
        self.outcomes.failed.load(Relaxed)
    }

    /// Records that can never be delivered, and were dropped.
    pub fn refused(&self) -> u64 {
        self.outcomes.refused.load(Relaxed)
    }
}

impl Counters {
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
            Cause::Login => &self.logins_refused,
            Cause::Undelivered => &self.closed_undelivered,
            Cause::DeliveryTimeout => &self.delivery_timeouts,
            Cause::Shutdown => &self.closed_by_shutdown,
        }
        .add(1);
    }
}
