//! What a broker is told when it starts.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use super::hooks::Hooks;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Where the topics live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In memory, gone when the broker stops.
    Memory {
        /// Bytes of record batches kept over all topics; the oldest are dropped beyond it. `None` keeps everything.
        max_bytes: Option<u64>,
    },
    /// In files under this folder, made when missing.
    Dir(PathBuf),
}

/// When written batches are forced to the disk.
///
/// An acknowledged batch is always in the file, so it survives the process; this is about losing power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// The operating system decides.
    Never,
    /// All files written to since the last time, this often.
    Interval(Duration),
    /// Before every acknowledgement.
    EachBatch,
}

/// Receives the broker's few messages to its operator: one line, lower case, no full stop.
pub type Warn = Arc<dyn Fn(&str) + Send + Sync>;

/// Everything that can be set; `Config::default()` is an in-memory broker on a free loopback port.
#[derive(Clone)]
pub struct Config {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the topics live.
    pub storage: Storage,
    /// When written batches are forced to the disk; means nothing in memory.
    pub fsync: Fsync,
    /// Allows an address other machines can reach. There is no authentication.
    pub allow_non_loopback: bool,
    /// Creates a topic when a client that allows it asks for one that is missing.
    pub auto_create_topics: bool,
    /// Partitions of a topic whose creator did not say.
    pub default_partitions: i32,
    /// How long the first rebalance of an empty group waits for more members.
    pub group_initial_rebalance_delay: Duration,
    /// Size at which a new segment file begins, unless the topic says otherwise.
    pub segment_bytes: u64,
    /// The longest transaction timeout a producer may ask for.
    pub transaction_max_timeout: Duration,
    /// How long a group's offsets stay once it has no members, and nothing is committed any more.
    pub offsets_retention: Duration,
    /// How long a partition remembers the sequence numbers of a producer that is silent.
    pub producer_id_expiration: Duration,
    /// How long a transactional id that is not used is remembered.
    pub transactional_id_expiration: Duration,
    /// How often topics are looked over for what retention, compaction and expiry let go of. With a manual clock, it is
    /// whenever that is advanced.
    pub upkeep_interval: Duration,
    /// Threads that serve connections.
    pub threads: usize,
    /// Receives warnings; they also go to `tracing`.
    pub warn: Option<Warn>,
    /// The time that everything expires by.
    pub clock: Clock,
    /// Faults for tests; see [`hooks`](super::hooks).
    pub hooks: Option<Hooks>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            storage: Storage::Memory { max_bytes: None },
            fsync: Fsync::Never,
            allow_non_loopback: false,
            auto_create_topics: true,
            default_partitions: 1,
            group_initial_rebalance_delay: Duration::ZERO,
            segment_bytes: 64 << 20,
            transaction_max_timeout: Duration::from_secs(15 * 60),
            offsets_retention: DAY * 7,
            producer_id_expiration: DAY,
            transactional_id_expiration: DAY * 7,
            upkeep_interval: Duration::from_secs(1),
            threads: 2,
            warn: None,
            clock: Clock::system(),
            hooks: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("storage", &self.storage)
            .field("fsync", &self.fsync)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Tells the operator.
    pub(super) fn warn(&self, message: &str) {
        tracing::warn!(target: "alcedo::broker", "{message}");
        if let Some(warn) = &self.warn {
            warn(message);
        }
    }
}
