//! Whether the cluster can be reached, as seen by all clients of one configuration.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hashbrown::HashSet;
use parking_lot::Mutex;

/// Connection state shared by every client made from one [`ClientConfig`](super::ClientConfig).
///
/// Written by librdkafka's threads on each change of a connection, which is rare; read without a lock.
#[derive(Default)]
pub struct Health {
    connections: Mutex<Connections>,
    up: AtomicUsize,
    ever_up: AtomicBool,
    losses: AtomicU64,
    /// Milliseconds since the epoch when the last connection was lost; 0 while there is one.
    down_since_ms: AtomicU64,
    last_error: Mutex<Option<(Instant, String)>>,
}

/// Connections that are up: client handle, host and port.
#[derive(Default)]
struct Connections(HashSet<(usize, String, i32)>);

/// What to show about the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// No broker has answered yet.
    Connecting,
    /// At least one connection is up.
    Up,
    /// All connections are lost, since this many milliseconds after the epoch; librdkafka keeps trying.
    Down {
        /// Milliseconds since the epoch.
        since_ms: u64,
    },
}

impl Health {
    /// The state now.
    pub fn connection_state(&self) -> Connection {
        if self.up.load(Ordering::Relaxed) > 0 {
            Connection::Up
        } else if !self.ever_up.load(Ordering::Relaxed) {
            Connection::Connecting
        } else {
            Connection::Down { since_ms: self.down_since_ms.load(Ordering::Relaxed) }
        }
    }

    /// Whether a connection is up.
    pub fn is_up(&self) -> bool {
        self.connection_state() == Connection::Up
    }

    /// How often the last connection was lost.
    pub fn losses(&self) -> u64 {
        self.losses.load(Ordering::Relaxed)
    }

    /// The last error text of any client, with the time it was noted.
    pub fn last_error(&self) -> Option<(Instant, String)> {
        self.last_error.lock().clone()
    }

    /// Keeps an error text.
    pub(super) fn note(&self, text: &str) {
        *self.last_error.lock() = Some((Instant::now(), text.to_string()));
    }

    /// A connection of a client went up, or is not up any more.
    pub(super) fn connection(&self, client: usize, host: &str, port: i32, up: bool) {
        let mut connections = self.connections.lock();
        let key = (client, host.to_string(), port);
        if up {
            connections.0.insert(key);
        } else {
            connections.0.remove(&key);
        }
        self.count(&connections, true);
    }

    /// A client is gone; that its connections go with it is no loss.
    pub(super) fn forget(&self, client: usize) {
        let mut connections = self.connections.lock();
        connections.0.retain(|(of, _, _)| *of != client);
        self.count(&connections, false);
    }

    fn count(&self, connections: &Connections, is_loss: bool) {
        let now = connections.0.len();
        let before = self.up.swap(now, Ordering::Relaxed);
        if now > 0 {
            self.ever_up.store(true, Ordering::Relaxed);
        } else if before > 0 {
            if is_loss {
                self.losses.fetch_add(1, Ordering::Relaxed);
            }
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.down_since_ms.store(since.as_millis() as u64, Ordering::Relaxed);
        }
    }
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Health").field("state", &self.connection_state()).field("losses", &self.losses()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_is_down_only_when_the_last_connection_of_any_client_is_lost() {
        let health = Health::default();
        assert_eq!(health.connection_state(), Connection::Connecting);
        health.connection(1, "a", 1, true);
        health.connection(2, "a", 1, true);
        health.connection(1, "a", 1, false);
        assert!(health.is_up());
        health.connection(2, "a", 1, false);
        assert!(matches!(health.connection_state(), Connection::Down { since_ms } if since_ms > 0));
        assert_eq!(health.losses(), 1);
        health.connection(2, "a", 1, true);
        assert!(health.is_up());
    }

    #[test]
    fn a_client_that_is_dropped_is_no_loss() {
        let health = Health::default();
        health.connection(1, "a", 1, true);
        health.forget(1);
        assert!(!health.is_up());
        assert_eq!(health.losses(), 0);
    }
}
