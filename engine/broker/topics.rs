//! The topics that exist: names, ids, partitions, settings.
//!
//! The journal says which topics there are; this holds them open. Making, changing and deleting topics is rare and
//! goes through one lock, looking one up is frequent and shares a lock with all other lookups.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kafka_protocol::ResponseError;
use parking_lot::{Mutex, RwLock};

use super::journal::Journal;
use super::partition::{Limits, Partition, Rules};
use super::state::{Event, State, TopicMeta};
use super::{random, topic_config};

/// Most partitions a topic may have.
const MAX_PARTITIONS: i32 = 10_000;

/// An open topic.
#[derive(Debug)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id; a topic made again has another.
    pub id: u128,
    inner: RwLock<Inner>,
}

#[derive(Debug)]
struct Inner {
    partitions: Vec<Arc<Partition>>,
    configs: BTreeMap<String, String>,
    rules: Rules,
}

impl Topic {
    /// The id as a UUID is written.
    pub fn uuid(&self) -> String {
        random::as_uuid(self.id)
    }

    /// A partition and what the topic demands of a batch.
    pub fn partition(&self, index: i32) -> Option<(Arc<Partition>, Rules)> {
        let inner = self.inner.read();
        let partition = inner.partitions.get(usize::try_from(index).ok()?)?;
        Some((Arc::clone(partition), inner.rules))
    }

    /// All partitions, in order.
    pub fn partitions(&self) -> Vec<Arc<Partition>> {
        self.inner.read().partitions.clone()
    }

    /// Number of partitions.
    pub fn partition_count(&self) -> i32 {
        self.inner.read().partitions.len() as i32
    }

    /// Settings that differ from the defaults.
    pub fn configs(&self) -> BTreeMap<String, String> {
        self.inner.read().configs.clone()
    }
}

/// Why a topic cannot be made or changed: the protocol's error and a line for people.
pub type Refusal = (ResponseError, String);

/// All topics.
#[derive(Debug)]
pub struct Topics {
    by_name: RwLock<HashMap<String, Arc<Topic>>>,
    /// Held while a topic is made, changed or deleted, or begins at another offset.
    change: Mutex<()>,
    dir: Option<PathBuf>,
    limits: Arc<Limits>,
    segment_bytes: u64,
}

impl Topics {
    /// Opens every topic of `state`; also the bytes that were cut off torn logs. Folders no topic owns are removed.
    pub fn open(
        state: &State,
        dir: Option<PathBuf>,
        limits: Arc<Limits>,
        segment_bytes: u64,
    ) -> io::Result<(Self, u64)> {
        let topics = Topics { by_name: RwLock::default(), change: Mutex::new(()), dir, limits, segment_bytes };
        if let Some(dir) = &topics.dir {
            std::fs::create_dir_all(dir)?;
            remove_orphans(dir, state)?;
        }
        let mut cut = 0;
        for (name, meta) in &state.topics {
            let (topic, torn) = topics.open_topic(name, meta)?;
            cut += torn;
            topics.by_name.write().insert(name.clone(), Arc::new(topic));
        }
        Ok((topics, cut))
    }

    fn open_topic(&self, name: &str, meta: &TopicMeta) -> io::Result<(Topic, u64)> {
        let mut partitions = Vec::new();
        let mut cut = 0;
        for index in 0..meta.partitions {
            let (partition, torn) = self.open_partition(name, meta, index)?;
            cut += torn;
            partitions.push(Arc::new(partition));
        }
        let rules = topic_config::rules(&meta.configs, self.segment_bytes, self.limits.in_memory);
        let inner = Inner { partitions, configs: meta.configs.clone(), rules };
        let id = u128::from_str_radix(&meta.id, 16).unwrap_or_default();
        Ok((Topic { name: name.to_string(), id, inner: RwLock::new(inner) }, cut))
    }

    fn open_partition(&self, name: &str, meta: &TopicMeta, index: i32) -> io::Result<(Partition, u64)> {
        let dir = self.dir.as_ref().map(|dir| dir.join(folder_name(name, &meta.id)).join(index.to_string()));
        let start = meta.starts.get(&index).copied().unwrap_or(0);
        Partition::open(dir, start, Arc::clone(&self.limits))
    }

    /// The topic of that name.
    pub fn get(&self, name: &str) -> Option<Arc<Topic>> {
        self.by_name.read().get(name).cloned()
    }

    /// The topic of that id.
    pub fn get_by_id(&self, id: u128) -> Option<Arc<Topic>> {
        self.by_name.read().values().find(|topic| topic.id == id).cloned()
    }

    /// A partition and its rules.
    pub fn partition(&self, topic: &str, index: i32) -> Option<(Arc<Partition>, Rules)> {
        self.by_name.read().get(topic)?.partition(index)
    }

    /// All topics, by name.
    pub fn all(&self) -> Vec<Arc<Topic>> {
        let mut all: Vec<_> = self.by_name.read().values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Makes a topic, or only checks whether it could be made.
    pub fn create(
        &self,
        journal: &Mutex<Journal>,
        name: &str,
        partitions: i32,
        replicas: i16,
        configs: BTreeMap<String, String>,
        only_check: bool,
    ) -> Result<Arc<Topic>, Refusal> {
        check_name(name)?;
        if !(1..=MAX_PARTITIONS).contains(&partitions) {
            let text = format!("number of partitions must be from 1 to {MAX_PARTITIONS}");
            return Err((ResponseError::InvalidPartitions, text));
        }
        if replicas < 1 {
            return Err((ResponseError::InvalidReplicationFactor, "replication factor must be at least 1".into()));
        }
        for (name, value) in &configs {
            topic_config::check(name, value).map_err(|text| (ResponseError::InvalidConfig, text))?;
        }
        let _change = self.change.lock();
        if self.get(name).is_some() {
            return Err((ResponseError::TopicAlreadyExists, format!("topic '{name}' already exists")));
        }
        let id = format!("{:032x}", random::uuid_bits());
        let meta = TopicMeta { id, partitions, replicas, configs, starts: BTreeMap::new() };
        let (topic, _) = self.open_topic(name, &meta).map_err(failed)?;
        let topic = Arc::new(topic);
        if !only_check {
            journal.lock().record(Event::Topic { name: name.to_string(), meta }).map_err(failed)?;
            self.by_name.write().insert(name.to_string(), Arc::clone(&topic));
        }
        Ok(topic)
    }

    /// Deletes a topic and everything in it.
    pub fn delete(&self, journal: &Mutex<Journal>, name: &str) -> Result<(), Refusal> {
        let _change = self.change.lock();
        let topic = self.get(name).ok_or_else(|| unknown(name))?;
        journal.lock().record(Event::TopicDeleted { name: name.to_string() }).map_err(failed)?;
        self.by_name.write().remove(name);
        for partition in topic.partitions() {
            partition.retire();
        }
        if let Some(dir) = &self.dir {
            // What stays is removed on the next start.
            let _ = std::fs::remove_dir_all(dir.join(folder_name(name, &format!("{:032x}", topic.id))));
        }
        Ok(())
    }

    /// Gives a topic more partitions, or only checks whether it could have them.
    pub fn grow(&self, journal: &Mutex<Journal>, name: &str, count: i32, only_check: bool) -> Result<(), Refusal> {
        let _change = self.change.lock();
        let topic = self.get(name).ok_or_else(|| unknown(name))?;
        let now = topic.partition_count();
        if count <= now || count > MAX_PARTITIONS {
            let text = format!("topic '{name}' has {now} partitions, the new number must be larger");
            return Err((ResponseError::InvalidPartitions, text));
        }
        if only_check {
            return Ok(());
        }
        let mut meta = self.meta(journal, name)?;
        meta.partitions = count;
        let mut added = Vec::new();
        for index in now..count {
            added.push(Arc::new(self.open_partition(name, &meta, index).map_err(failed)?.0));
        }
        journal.lock().record(Event::Topic { name: name.to_string(), meta }).map_err(failed)?;
        topic.inner.write().partitions.extend(added);
        Ok(())
    }

    /// Changes a topic's settings: `change` turns the old ones into the new.
    pub fn configure(
        &self,
        journal: &Mutex<Journal>,
        name: &str,
        only_check: bool,
        change: impl FnOnce(&mut BTreeMap<String, String>) -> Result<(), String>,
    ) -> Result<(), Refusal> {
        let _change = self.change.lock();
        let topic = self.get(name).ok_or_else(|| unknown(name))?;
        let mut meta = self.meta(journal, name)?;
        let invalid = |text| (ResponseError::InvalidConfig, text);
        change(&mut meta.configs).map_err(invalid)?;
        for (name, value) in &meta.configs {
            topic_config::check(name, value).map_err(invalid)?;
        }
        if only_check {
            return Ok(());
        }
        let configs = meta.configs.clone();
        journal.lock().record(Event::Topic { name: name.to_string(), meta }).map_err(failed)?;
        let mut inner = topic.inner.write();
        inner.rules = topic_config::rules(&configs, self.segment_bytes, self.limits.in_memory);
        inner.configs = configs;
        Ok(())
    }

    /// Deletes the records of a partition below `offset` (-1: all); the first offset that can be read now. An offset below
    /// that changes nothing.
    pub fn delete_records(
        &self,
        journal: &Mutex<Journal>,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<i64, ResponseError> {
        // Of two at once the later event in the journal would win, and an event must not meet a topic made again meanwhile.
        let _change = self.change.lock();
        let (log, rules) = self.partition(topic, partition).ok_or(ResponseError::UnknownTopicOrPartition)?;
        if !rules.deletes {
            return Err(ResponseError::PolicyViolation);
        }
        let bounds = log.bounds()?;
        let offset = if offset == -1 { bounds.end } else { offset };
        if offset < 0 || offset > bounds.end {
            return Err(ResponseError::OffsetOutOfRange);
        }
        if offset > bounds.start {
            let event = Event::LogStart { topic: topic.to_string(), partition, offset };
            journal.lock().record(event).map_err(|_| ResponseError::KafkaStorageError)?;
        }
        log.delete_before(offset)
    }

    /// Deletes the segments that the topics' rules let go of at `now`, in milliseconds.
    pub fn retain(&self, journal: &Mutex<Journal>, now: i64) {
        for topic in self.all() {
            for index in 0..topic.partition_count() {
                let Some((partition, rules)) = topic.partition(index) else { continue };
                let Some(offset) = partition.expired(&rules, now) else { continue };
                // The offset first: should all records go, nothing else would say where the log goes on.
                // A failure is told by whoever failed, and tried again in the next round.
                let _ = self.delete_records(journal, &topic.name, index, offset);
            }
        }
    }

    fn meta(&self, journal: &Mutex<Journal>, name: &str) -> Result<TopicMeta, Refusal> {
        journal.lock().state().topics.get(name).cloned().ok_or_else(|| unknown(name))
    }

    /// In-memory topics beyond `max` bytes lose their oldest segments. Says whether anything was dropped.
    pub fn shrink_to(&self, max: u64) -> bool {
        let held = || self.limits.held.load(std::sync::atomic::Ordering::Relaxed);
        let mut dropped = false;
        while held() > max {
            let partitions: Vec<_> = self.all().iter().flat_map(|topic| topic.partitions()).collect();
            let oldest = |even_open: bool| {
                let with_stamp = |partition: &Arc<Partition>| {
                    partition.droppable(even_open).map(|stamp| (stamp, Arc::clone(partition)))
                };
                partitions.iter().filter_map(with_stamp).min_by_key(|(stamp, _)| *stamp)
            };
            // Records of an open transaction go last: without them it could not be read after its commit.
            let Some((stamp, partition)) = oldest(false).or_else(|| oldest(true)) else { break };
            partition.drop_oldest(stamp);
            dropped = true;
        }
        dropped
    }
}

fn unknown(name: &str) -> Refusal {
    (ResponseError::UnknownTopicOrPartition, format!("topic '{name}' does not exist"))
}

fn failed(error: io::Error) -> Refusal {
    (ResponseError::KafkaStorageError, format!("the change could not be written: {error}"))
}

/// Kafka's rule for topic names.
fn check_name(name: &str) -> Result<(), Refusal> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name == "." || name == ".." || name.len() > 249 || !name.chars().all(legal) {
        let text = "a topic name has 1 to 249 letters, digits, '.', '_' and '-'";
        return Err((ResponseError::InvalidTopicException, text.into()));
    }
    Ok(())
}

/// The folder of a topic: readable, unique even for topics made again, short enough for every file system.
fn folder_name(name: &str, id: &str) -> String {
    format!("{}.{id}", &name[..name.len().min(200)])
}

fn remove_orphans(dir: &Path, state: &State) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let owned = name
            .to_str()
            .and_then(|name| name.rsplit_once('.'))
            .is_some_and(|(_, id)| state.topics.values().any(|meta| meta.id == id));
        // Only what a deleted topic left behind: other folders are none of ours.
        let ours = name
            .to_str()
            .and_then(|name| name.rsplit_once('.'))
            .is_some_and(|(_, id)| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()));
        if ours && !owned {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_kafkas_rule() {
        for good in ["a", "A.b_c-9", &"x".repeat(249)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "ä", "a b", &"x".repeat(250)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
