//! Everything one running broker is made of, shared by its connections and its timer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::alarm::Alarm;
use super::config::{Config, Fsync, Storage};
use super::folder::Folder;
use super::groups::Groups;
use super::journal::{Journal, OpenError};
use super::partition::Limits;
use super::random;
use super::state::Event;
use super::topics::Topics;
use super::transactions::Transactions;
use crate::error::{Error, Result};

/// The only node's id.
pub const NODE_ID: i32 = 1;
/// A tick is never further away than this, so that a moved wall clock does no lasting harm.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// A broker's state.
pub struct Node {
    /// What it was told.
    pub config: Config,
    /// Where it listens.
    pub addr: SocketAddr,
    /// The cluster's id.
    pub cluster_id: String,
    /// The topics.
    pub topics: Arc<Topics>,
    /// Everything durable besides records.
    pub journal: Arc<Mutex<Journal>>,
    /// The groups.
    pub groups: Groups,
    /// The transaction coordinator.
    pub transactions: Transactions,
    /// Wakes the timer when a deadline may have come nearer.
    pub kick: Notify,
    /// The broker is about to end: long work is to end too.
    pub stopping: AtomicBool,
    pub(super) started_ms: i64,
    limits: Arc<Limits>,
    pub(super) alarm: Arc<Alarm>,
    warned_full: AtomicBool,
    shrinking: Mutex<()>,
    _folder: Option<Folder>,
}

impl Node {
    /// Opens the storage.
    pub fn open(config: Config, addr: SocketAddr) -> Result<Self> {
        let in_memory = matches!(config.storage, Storage::Memory { .. });
        let alarm = Arc::new(Alarm::new(config.warn.clone(), config.clock.clone()));
        let limits = Arc::new(Limits {
            fsync: config.fsync,
            in_memory,
            held: AtomicU64::new(0),
            alarm: Arc::clone(&alarm),
            clock: config.clock.clone(),
        });
        let (folder, mut journal) = match &config.storage {
            Storage::Memory { .. } => (None, Journal::in_memory()),
            Storage::Dir(path) => {
                let folder = Folder::open(path)?;
                let journal = open_journal(&folder, config.fsync == Fsync::EachBatch, Arc::clone(&alarm))?;
                (Some(folder), journal)
            }
        };
        let failed = |error: std::io::Error| {
            Error::external("the broker's files cannot be opened").detail(error.to_string()).with_source(error)
        };
        if journal.state().cluster_id.is_empty() {
            let id = random::uuid().replace('-', "")[..22].to_string();
            journal.record(Event::Cluster { id }).map_err(failed)?;
        }
        let segment_bytes = match &config.storage {
            // Memory is given back a segment at a time.
            Storage::Memory { max_bytes } => max_bytes.map_or(1 << 20, |max| (max / 16).clamp(1 << 14, 1 << 20)),
            Storage::Dir(_) => config.segment_bytes,
        };
        let dir = folder.as_ref().map(Folder::topics);
        let (topics, cut) = Topics::open(journal.state(), dir, Arc::clone(&limits), segment_bytes).map_err(failed)?;
        if cut > 0 {
            config.warn(&format!("cut {cut} bytes of unfinished writes off the ends of topics"));
        }
        let (topics, journal) = (Arc::new(topics), Arc::new(Mutex::new(journal)));
        let max_timeout = config.transaction_max_timeout.as_millis() as i64;
        let (clock, hooks) = (config.clock.clone(), config.hooks.clone());
        let transactions = Transactions::open(Arc::clone(&journal), Arc::clone(&topics), max_timeout, clock, hooks);
        let cluster_id = journal.lock().state().cluster_id.clone();
        Ok(Node {
            groups: Groups::new(config.group_initial_rebalance_delay.as_millis() as i64),
            addr,
            cluster_id,
            topics,
            journal,
            transactions,
            kick: Notify::new(),
            stopping: AtomicBool::new(false),
            started_ms: config.clock.now_ms(),
            limits,
            alarm,
            warned_full: AtomicBool::new(false),
            shrinking: Mutex::new(()),
            _folder: folder,
            config,
        })
    }

    /// The time, in milliseconds since 1970.
    pub fn now(&self) -> i64 {
        self.config.clock.now_ms()
    }

    /// Keeps in-memory topics under their cap. The first time, the operator hears of it before anything is dropped.
    pub fn keep_within_memory(&self) {
        let Storage::Memory { max_bytes: Some(max) } = self.config.storage else { return };
        if self.limits.held.load(Ordering::Relaxed) <= max {
            return;
        }
        // One thread at a time; the others' batches are counted by the one at work or by the next.
        let Some(_guard) = self.shrinking.try_lock() else { return };
        if !self.warned_full.swap(true, Ordering::Relaxed) {
            let max = max >> 20;
            self.config
                .warn(&format!("in-memory topics have reached {max} MB: the oldest records are dropped from now on"));
        }
        self.topics.shrink_to(max);
    }

    /// Runs timers until the broker stops: session ends, rebalances, transaction timeouts.
    pub async fn run_timers(&self) {
        let mut advances = self.config.clock.watch();
        loop {
            let now = self.now();
            let next = self.groups.next_deadline().into_iter().chain(self.transactions.next_deadline(now)).min();
            let sleep = next.map_or(LONGEST_SLEEP, |at| Duration::from_millis((at - now).max(1) as u64));
            tokio::select! {
                () = advances.wait(sleep.min(LONGEST_SLEEP)) => {}
                () = self.kick.notified() => continue,
                () = self.markers_released() => {}
            }
            let now = self.now();
            self.groups.tick(now);
            if self.transactions.next_deadline(now).is_some_and(|at| at <= now + 1000) {
                self.transactions.tick(now);
            }
        }
    }

    /// Waits until a test lets markers be written again: for ever without hooks.
    async fn markers_released(&self) {
        match &self.config.hooks {
            Some(hooks) => hooks.markers_released().await,
            None => std::future::pending().await,
        }
    }

    /// Forces what was written to the disk at intervals, when that is the policy.
    pub async fn run_fsync(self: Arc<Self>) {
        let Fsync::Interval(interval) = self.config.fsync else { return };
        loop {
            tokio::time::sleep(interval.max(Duration::from_millis(1))).await;
            let node = Arc::clone(&self);
            let done = tokio::task::spawn_blocking(move || node.sync()).await;
            if let Ok(Err(error)) = done {
                self.config.warn(&format!("writing to the disk failed: {error}"));
            }
        }
    }

    fn sync(&self) -> std::io::Result<()> {
        for topic in self.topics.all() {
            for partition in topic.partitions() {
                if let Some(file) = partition.take_dirty() {
                    file.sync_data()?;
                }
            }
        }
        self.journal.lock().sync()
    }

    /// Clean end: everything on the disk.
    pub fn close(&self) {
        if self.limits.in_memory {
            return;
        }
        let mut result = self.journal.lock().sync();
        for topic in self.topics.all() {
            for partition in topic.partitions() {
                result = result.and(partition.close());
            }
        }
        if let Err(error) = result {
            self.config.warn(&format!("writing to the disk failed while stopping: {error}"));
        }
    }
}

fn open_journal(folder: &Folder, sync_each: bool, alarm: Arc<Alarm>) -> Result<Journal> {
    let path = folder.journal();
    Journal::open(&path, sync_each, alarm).map_err(|error| match error {
        OpenError::Format => Error::external(format!("{} is of an unknown format", path.display()))
            .hint("Use the version of alcedo that wrote it, or name another folder."),
        OpenError::Io(error) => Error::external(format!("cannot open {}", path.display()))
            .detail(error.to_string())
            .hint("Name a folder that this user may write to, on a disk with space left.")
            .with_source(error),
    })
}
