//! The statements topic: what was created, so that it can be created again.
//!
//! A compacted topic of one partition, keyed by kind and name; a tombstone takes an entry away. Entries hold the statement
//! as it may be shown (values of the environment left out) and a number that keeps them in the order of their creation.
//! An entry that cannot be read is named and skipped, the rest lives.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kafka::{Admin, ClientConfig, NewTopic, Producer, Record, replay};

/// Format of the entries; an entry of another format is skipped.
const VERSION: u32 = 1;

/// How long the cluster gets to answer.
const ANSWER: Duration = Duration::from_secs(30);

/// One thing that was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    version: u32,
    /// Its place in the order of creation.
    pub sequence: u64,
    /// The statement, as it may be shown.
    pub statement: String,
    /// The statement in canonical form, to tell a change from a new layout of the text.
    pub canonical: String,
    /// Whether a connector was paused by a statement, and stays so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// What `SET` had said when it was carried out, such as a default format.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// Of a query: the columns that streams and tables had which its meaning hangs on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Vec<String>>,
    /// Of a function: where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<KeptFunction>,
}

/// Where a function came from, so that it can come back without being built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFunction {
    /// The path that was named, absolute; empty when it held a value of the environment.
    pub path: String,
    /// SHA-256 of the source.
    pub source_sha256: String,
    /// The file name of the library, which says what is in it.
    pub library: String,
}

/// What a statement means besides its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meaning {
    /// What `SET` had said.
    pub settings: BTreeMap<String, String>,
    /// Of a query: the columns that streams and tables had which its meaning hangs on.
    pub columns: BTreeMap<String, Vec<String>>,
}

/// The log of one service.
#[derive(Debug)]
pub struct StatementLog {
    topic: String,
    entries: BTreeMap<String, Entry>,
    /// Entries not written yet: a session that only looks at topics leaves none behind.
    unwritten: Vec<String>,
    exists: bool,
}

/// The key of a stream or table.
pub fn relation_key(name: &str) -> String {
    format!("relation/{name}")
}

/// The key of a persistent query.
pub fn query_key(id: &str) -> String {
    format!("query/{id}")
}

/// The key of a user type.
pub fn type_key(name: &str) -> String {
    format!("type/{name}")
}

/// The key of a statement that added columns to a stream or table.
pub fn alteration_key(relation: &str, columns: &[&str]) -> String {
    format!("alteration/{relation}/{}", columns.join(","))
}

/// The key of a function.
pub fn function_key(name: &str) -> String {
    format!("function/{name}")
}

/// The key of a connector.
pub fn connector_key(name: &str) -> String {
    format!("connector/{name}")
}

impl StatementLog {
    /// Reads the log of a service; keys of entries that cannot be read are given to `corrupt`.
    pub fn read(client: &ClientConfig, admin: &Admin, service: &str, corrupt: &mut dyn FnMut(&str)) -> Result<Self> {
        let topic = format!("_alcedo_{service}_statements");
        let mut log = StatementLog { topic, entries: BTreeMap::new(), unwritten: Vec::new(), exists: false };
        let topic = log.topic.clone();
        log.exists = replay(client, admin, &topic, ANSWER, &mut |key, value| log.apply(key, value, corrupt))?;
        Ok(log)
    }

    fn apply(&mut self, key: Option<&[u8]>, value: Option<&[u8]>, corrupt: &mut dyn FnMut(&str)) {
        let key = String::from_utf8_lossy(key.unwrap_or_default()).into_owned();
        match value.map(serde_json::from_slice::<Entry>) {
            None => drop(self.entries.remove(&key)),
            Some(Ok(entry)) if entry.version == VERSION => drop(self.entries.insert(key, entry)),
            Some(_) => corrupt(&key),
        }
    }

    /// The entry of a key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// All entries with their keys, functions first, each kind in the order of its creation: nothing that a function
    /// needs is in here, and a query may call one that was created again after it.
    pub fn entries(&self) -> Vec<(&str, &Entry)> {
        let mut entries: Vec<_> = self.entries.iter().map(|(key, entry)| (key.as_str(), entry)).collect();
        entries.sort_by_key(|(_, entry)| (entry.function.is_none(), entry.sequence));
        entries
    }

    /// Keeps a statement under its key; it is written by the next [`flush`](Self::flush).
    pub fn put(&mut self, key: &str, statement: &str, canonical: &str) {
        self.put_entry(key, statement, canonical, Meaning::default(), None);
    }

    /// Keeps a statement with what it means besides its text; written by the next [`flush`](Self::flush).
    pub fn put_with(&mut self, key: &str, statement: &str, canonical: &str, meaning: Meaning) {
        self.put_entry(key, statement, canonical, meaning, None);
    }

    /// Keeps the statement of a function under its key; written by the next [`flush`](Self::flush).
    pub fn put_function(&mut self, key: &str, statement: &str, function: KeptFunction) {
        self.put_entry(key, statement, statement, Meaning::default(), Some(function));
    }

    fn put_entry(
        &mut self,
        key: &str,
        statement: &str,
        canonical: &str,
        Meaning { settings, columns }: Meaning,
        function: Option<KeptFunction>,
    ) {
        let last = self.entries.values().map(|entry| entry.sequence).max().unwrap_or(0);
        let sequence = self.entries.get(key).map_or(last + 1, |entry| entry.sequence);
        let paused = self.is_paused(key);
        let (statement, canonical) = (statement.to_string(), canonical.to_string());
        let entry = Entry { version: VERSION, sequence, statement, canonical, paused, settings, columns, function };
        if self.entries.get(key) != Some(&entry) {
            self.entries.insert(key.to_string(), entry);
            self.unwritten.push(key.to_string());
        }
    }

    /// Whether the entry of a key says that it is paused.
    pub fn is_paused(&self, key: &str) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.paused)
    }

    /// Keeps whether something is paused; written by the next [`flush`](Self::flush).
    pub fn set_paused(&mut self, key: &str, paused: bool) {
        if let Some(entry) = self.entries.get_mut(key)
            && entry.paused != paused
        {
            entry.paused = paused;
            self.unwritten.push(key.to_string());
        }
    }

    /// Puts an entry back to what it was, for a statement that failed; not written.
    pub fn put_back(&mut self, key: &str, before: Option<Entry>) {
        match before {
            Some(entry) => self.entries.insert(key.to_string(), entry),
            None => self.entries.remove(key),
        };
        self.unwritten.retain(|unwritten| unwritten != key);
    }

    /// Takes away what belongs to a stream or table besides its own entry: what was added to it.
    ///
    /// Gives what was taken, to be [put back](Self::put_back) when the statement fails.
    pub fn remove_alterations(&mut self, relation: &str) -> Vec<(String, Entry)> {
        let prefix = alteration_key(relation, &[]);
        let keys: Vec<String> = self.entries.keys().filter(|key| key.starts_with(&prefix)).cloned().collect();
        let taken = keys.into_iter().filter_map(|key| self.entries.remove(&key).map(|entry| (key, entry)));
        let taken: Vec<(String, Entry)> = taken.collect();
        self.unwritten.extend(taken.iter().map(|(key, _)| key.clone()));
        taken
    }

    /// Takes an entry away; written by the next [`flush`](Self::flush).
    pub fn remove(&mut self, key: &str) {
        if self.entries.remove(key).is_some() {
            self.unwritten.push(key.to_string());
        }
    }

    /// Writes what is unwritten and waits until the cluster has it; creates the topic when there is none.
    pub fn flush(&mut self, admin: &Admin, producer: &Producer) -> Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        if !self.exists {
            let topic = NewTopic::new(&self.topic, 1).config("cleanup.policy", "compact");
            admin.create_topic(&topic, ANSWER)?;
            self.exists = true;
        }
        let mut deliveries = Vec::new();
        // What is taken away comes last: a crash in between leaves too much, and nothing that was acknowledged is lost.
        self.unwritten.sort_by_key(|key| !self.entries.contains_key(key));
        for key in &self.unwritten {
            let value = match self.entries.get(key) {
                Some(entry) => Some(serde_json::to_vec(entry).map_err(|error| Error::internal(error.to_string()))?),
                None => None,
            };
            let record = Record {
                topic: &self.topic,
                key: Some(key.as_bytes()),
                value: value.as_deref(),
                timestamp: -1,
                ..Record::default()
            };
            deliveries.push(producer.send(record)?);
        }
        for delivery in deliveries {
            delivery.wait()?;
        }
        self.unwritten.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> StatementLog {
        StatementLog { topic: "t".into(), entries: BTreeMap::new(), unwritten: Vec::new(), exists: false }
    }

    #[test]
    fn a_replaced_entry_keeps_its_place_and_a_removed_one_is_a_tombstone() {
        let mut log = empty();
        log.put("relation/A", "CREATE A", "CREATE A");
        log.put("query/B", "CREATE B", "CREATE B");
        log.put("relation/A", "CREATE A again", "CREATE A again");
        let order: Vec<_> = log.entries().into_iter().map(|(key, _)| key.to_string()).collect();
        assert_eq!(order, ["relation/A", "query/B"]);
        log.unwritten.clear();
        log.put("query/B", "CREATE B", "CREATE B");
        assert!(log.unwritten.is_empty(), "an unchanged statement is not written again");
        log.remove("query/B");
        assert_eq!(log.unwritten, ["query/B"]);
    }

    #[test]
    fn functions_come_before_what_may_call_them_and_survive_the_topic() {
        let function =
            KeptFunction { path: "/a/f.rs".into(), source_sha256: "00".into(), library: "udf-f-0.so".into() };
        let mut log = empty();
        log.put("query/B", "CREATE B", "CREATE B");
        log.put_function(&function_key("F"), "CREATE FUNCTION F FROM '/a/f.rs'", function.clone());
        let order: Vec<_> = log.entries().into_iter().map(|(key, _)| key.to_string()).collect();
        assert_eq!(order, ["function/F", "query/B"]);
        let written = serde_json::to_vec(log.get("function/F").expect("it was put")).expect("it can be written");
        let mut again = empty();
        again.apply(Some(b"function/F"), Some(&written), &mut |key| panic!("{key}"));
        assert_eq!(again.get("function/F").and_then(|entry| entry.function.clone()), Some(function));
    }

    #[test]
    fn what_is_paused_stays_so_when_it_is_made_again_and_not_when_it_was_dropped() {
        let mut log = empty();
        log.put("connector/C", "CREATE C", "CREATE C");
        log.set_paused("connector/C", true);
        log.put("connector/C", "CREATE C again", "CREATE C again");
        assert!(log.is_paused("connector/C"));
        let entry = serde_json::to_string(log.get("connector/C").expect("it is there")).expect("it is JSON");
        assert!(entry.contains(r#""paused":true"#));
        log.remove("connector/C");
        log.put("connector/C", "CREATE C", "CREATE C");
        assert!(!log.is_paused("connector/C"));
        let entry = serde_json::to_string(log.get("connector/C").expect("it is there")).expect("it is JSON");
        assert!(!entry.contains("paused"), "entries of queries are as they were: {entry}");
    }

    #[test]
    fn a_corrupt_entry_is_named_and_the_rest_lives() {
        let mut log = empty();
        let good = br#"{"version":1,"sequence":1,"statement":"s","canonical":"s"}"#;
        let mut named = Vec::new();
        let mut corrupt = |key: &str| named.push(key.to_string());
        log.apply(Some(b"relation/A"), Some(good), &mut corrupt);
        log.apply(Some(b"relation/B"), Some(b"{not json"), &mut corrupt);
        log.apply(
            Some(b"relation/C"),
            Some(br#"{"version":9,"sequence":1,"statement":"","canonical":""}"#),
            &mut corrupt,
        );
        assert_eq!(named, ["relation/B", "relation/C"]);
        assert!(log.get("relation/A").is_some());
    }
}
