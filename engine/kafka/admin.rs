//! Topics: create, delete, describe, list, purge, and wait until the cluster shows them. All calls have a deadline.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_int};
use std::time::{Duration, Instant};

use rdkafka::bindings as ffi;
use rdkafka::bindings::rd_kafka_admin_op_t as Op;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::TopicPartition;
use super::client::ClientConfig;
use super::errors::{Fault, unreachable};
use super::native::{
    Client, Event, PartitionList, Queue, Resp, Role, check, cstring, elements, millis, partition_of, text_of,
};
use super::offsets::AGAIN_AFTER;
use super::produce::TopicHandle;
use crate::error::{Error, Result};

/// A client for questions and orders; positions and groups are in `offsets`.
pub struct Admin {
    pub(super) client: Client,
    bootstrap: String,
}

/// A topic to create.
#[derive(Debug, Clone)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Number of partitions.
    pub partitions: i32,
    /// Number of replicas of each partition; -1 for the cluster's default.
    pub replicas: i32,
    /// Topic configuration, such as `cleanup.policy` and `retention.ms`.
    pub configs: BTreeMap<String, String>,
}

impl NewTopic {
    /// A topic with the cluster's default replication and configuration.
    pub fn new(name: impl Into<String>, partitions: i32) -> NewTopic {
        NewTopic { name: name.into(), partitions, replicas: -1, configs: BTreeMap::new() }
    }

    /// Adds a configuration.
    pub fn config(mut self, name: &str, value: impl ToString) -> NewTopic {
        self.configs.insert(name.into(), value.to_string());
        self
    }
}

/// What the cluster says about a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub name: String,
    /// Number of partitions.
    pub partitions: i32,
    /// Number of replicas of the first partition.
    pub replicas: i32,
    /// Whether every partition has a leader, so that it can be read and written.
    pub is_ready: bool,
}

impl Admin {
    /// Makes a client; connects when first asked something. With an empty address it never does; see
    /// [`is_nowhere`](Self::is_nowhere).
    pub fn new(config: &ClientConfig) -> Result<Admin> {
        // The group is never joined. Without one, librdkafka (2.12) follows a null pointer when a broker answers a question
        // about any group's offsets with "not coordinator", as a cluster does that has just started (its issue 5040).
        let client = config.client(Role::Consumer, &[("group.id", &config.client_id)])?;
        Ok(Admin { client, bootstrap: config.bootstrap.clone() })
    }

    /// Whether this is a client without an address, for what only plans: it knows of no topic and asks nobody.
    pub fn is_nowhere(&self) -> bool {
        self.bootstrap.is_empty()
    }

    /// Makes a client and waits until a broker answers; an error names the address and the last connection error.
    pub fn connect(config: &ClientConfig, wait: Duration) -> Result<Admin> {
        let admin = Admin::new(config)?;
        admin.metadata(None, wait, |_| ())?;
        Ok(admin)
    }

    /// All topics, by name, internal ones (`__…`) included.
    pub fn topics(&self, wait: Duration) -> Result<Vec<TopicInfo>> {
        if self.is_nowhere() {
            return Ok(Vec::new());
        }
        let mut topics = self.metadata(None, wait, |topics| topics.iter().map(info).collect::<Vec<_>>())?;
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// A topic, or `None` when there is none of this name.
    pub fn topic(&self, name: &str, wait: Duration) -> Result<Option<TopicInfo>> {
        if self.is_nowhere() {
            return Ok(None);
        }
        let handle = TopicHandle::new(&self.client, name)?;
        let deadline = Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let (code, info) = self.metadata(Some(&handle), left, |topics| match topics.first() {
                Some(topic) => (Code::from(topic.err), Some(info(topic))),
                None => (Code::UnknownTopicOrPartition, None),
            })?;
            let has_partitions = info.as_ref().is_some_and(|topic| topic.partitions > 0);
            match code {
                Code::UnknownTopicOrPartition | Code::UnknownTopic => return Ok(None),
                Code::NoError => return Ok(info),
                Code::LeaderNotAvailable if has_partitions => return Ok(info),
                // A topic that is being made, or a broker that cannot tell for now: neither a topic nor none.
                Code::LeaderNotAvailable if Instant::now() + AGAIN_AFTER < deadline => {
                    std::thread::park_timeout(AGAIN_AFTER);
                }
                code => return Err(fault(code).error(&format!("describe topic `{name}`"))),
            }
        }
    }

    /// Creates a topic and waits until it can be used; gives false when there is one of this name already, whatever
    /// its shape.
    pub fn create_topic(&self, topic: &NewTopic, wait: Duration) -> Result<bool> {
        let what = format!("create topic `{}`", topic.name);
        let deadline = Instant::now() + wait;
        let name = cstring(&topic.name)?;
        let mut configs = Vec::with_capacity(topic.configs.len());
        for (name, value) in &topic.configs {
            configs.push((cstring(name)?, cstring(value)?));
        }
        let mut text = [0 as c_char; 256];
        // SAFETY: all pointers outlive the calls; the topic object is destroyed once, results live as long as the
        // event.
        let code = unsafe {
            let new = ffi::rd_kafka_NewTopic_new(
                name.as_ptr(),
                topic.partitions,
                topic.replicas,
                text.as_mut_ptr(),
                text.len(),
            );
            if new.is_null() {
                return Err(Error::external(format!("cannot {what}")).detail(text_of(text.as_ptr())));
            }
            for (name, value) in &configs {
                ffi::rd_kafka_NewTopic_set_config(new, name.as_ptr(), value.as_ptr());
            }
            let mut topics = [new];
            let answer = self.ask(Op::RD_KAFKA_ADMIN_OP_CREATETOPICS, wait, &what, |rk, options, queue| {
                ffi::rd_kafka_CreateTopics(rk, topics.as_mut_ptr(), 1, options, queue);
            });
            ffi::rd_kafka_NewTopic_destroy(new);
            let event = answer?;
            let result = ffi::rd_kafka_event_CreateTopics_result(event.raw());
            let mut count = 0;
            topic_result(ffi::rd_kafka_CreateTopics_result_topics(result, &mut count), count)
        };
        match code {
            Ok(()) => {}
            Err(fault) if fault.code == Code::TopicAlreadyExists => return Ok(false),
            Err(fault) => return Err(fault.error(&what)),
        }
        self.wait_for_topic(&topic.name, topic.partitions, deadline.saturating_duration_since(Instant::now()))?;
        Ok(true)
    }

    /// Waits until the cluster shows a topic with at least this many partitions, each with a leader.
    pub fn wait_for_topic(&self, name: &str, partitions: i32, wait: Duration) -> Result<TopicInfo> {
        let found = self.until(name, wait, |topic| {
            topic.as_ref().is_some_and(|topic| topic.is_ready && topic.partitions >= partitions)
        })?;
        found.ok_or_else(|| {
            Error::external(format!("topic `{name}` cannot be used"))
                .detail(format!("the cluster does not show it with {partitions} partitions after {wait:?}"))
                .retryable()
        })
    }

    /// Deletes a topic and waits until the cluster does not show it any more; gives false when there is none.
    pub fn delete_topic(&self, name: &str, wait: Duration) -> Result<bool> {
        let what = format!("delete topic `{name}`");
        let deadline = Instant::now() + wait;
        let text = cstring(name)?;
        // SAFETY: as in `create_topic`.
        let code = unsafe {
            let mut topics = [ffi::rd_kafka_DeleteTopic_new(text.as_ptr())];
            let answer = self.ask(Op::RD_KAFKA_ADMIN_OP_DELETETOPICS, wait, &what, |rk, options, queue| {
                ffi::rd_kafka_DeleteTopics(rk, topics.as_mut_ptr(), 1, options, queue);
            });
            ffi::rd_kafka_DeleteTopic_destroy(topics[0]);
            let event = answer?;
            let result = ffi::rd_kafka_event_DeleteTopics_result(event.raw());
            let mut count = 0;
            topic_result(ffi::rd_kafka_DeleteTopics_result_topics(result, &mut count), count)
        };
        match code {
            Ok(()) => {}
            Err(fault) if matches!(fault.code, Code::UnknownTopicOrPartition | Code::UnknownTopic) => return Ok(false),
            Err(fault) => return Err(fault.error(&what)),
        }
        self.until(name, deadline.saturating_duration_since(Instant::now()), Option::is_none)?;
        Ok(true)
    }

    /// Raises the number of a topic's partitions to `total`.
    pub fn create_partitions(&self, name: &str, total: i32, wait: Duration) -> Result<()> {
        let what = format!("give topic `{name}` {total} partitions");
        let topic = cstring(name)?;
        let mut text = [0 as c_char; 256];
        // SAFETY: as in `create_topic`.
        let code = unsafe {
            let new =
                ffi::rd_kafka_NewPartitions_new(topic.as_ptr(), total.max(0) as usize, text.as_mut_ptr(), text.len());
            if new.is_null() {
                return Err(Error::external(format!("cannot {what}")).detail(text_of(text.as_ptr())));
            }
            let mut all = [new];
            let answer = self.ask(Op::RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, wait, &what, |rk, options, queue| {
                ffi::rd_kafka_CreatePartitions(rk, all.as_mut_ptr(), 1, options, queue);
            });
            ffi::rd_kafka_NewPartitions_destroy(new);
            let event = answer?;
            let result = ffi::rd_kafka_event_CreatePartitions_result(event.raw());
            let mut count = 0;
            topic_result(ffi::rd_kafka_CreatePartitions_result_topics(result, &mut count), count)
        };
        code.map_err(|fault| fault.error(&what))?;
        self.wait_for_topic(name, total, wait).map(drop)
    }

    /// Deletes the records of each partition below its offset, the first that stays; -1 stands for the end of the log. What
    /// is below already, by retention or an earlier call, is no error. The error names the first partition that was refused
    /// (it has no such offset, or its topic is only compacted); the records of the others are deleted all the same.
    pub fn delete_records(&self, below: &[(TopicPartition, i64)], wait: Duration) -> Result<()> {
        if below.is_empty() {
            return Ok(());
        }
        let what = "delete records";
        let list = PartitionList::at(below)?;
        // SAFETY: as in `create_topic`; the object copies the list, and the partitions live as long as the event.
        unsafe {
            let mut all = [ffi::rd_kafka_DeleteRecords_new(list.raw())];
            let answer = self.ask(Op::RD_KAFKA_ADMIN_OP_DELETERECORDS, wait, what, |rk, options, queue| {
                ffi::rd_kafka_DeleteRecords(rk, all.as_mut_ptr(), 1, options, queue);
            });
            ffi::rd_kafka_DeleteRecords_destroy(all[0]);
            let event = answer?;
            let result = ffi::rd_kafka_event_DeleteRecords_result(event.raw());
            for element in elements(ffi::rd_kafka_DeleteRecords_result_offsets(result)) {
                check(element.err).map_err(|fault| refused_purge(&fault, &partition_of(element), below))?;
            }
        }
        Ok(())
    }

    /// The configuration of a topic: every setting with its value, defaults included.
    pub fn topic_configs(&self, name: &str, wait: Duration) -> Result<BTreeMap<String, String>> {
        let what = format!("read the configuration of topic `{name}`");
        let text = cstring(name)?;
        // SAFETY: as in `create_topic`; entries live as long as the event.
        unsafe {
            let kind = ffi::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
            let mut resources = [ffi::rd_kafka_ConfigResource_new(kind, text.as_ptr())];
            let answer = self.ask(Op::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, wait, &what, |rk, options, queue| {
                ffi::rd_kafka_DescribeConfigs(rk, resources.as_mut_ptr(), 1, options, queue);
            });
            ffi::rd_kafka_ConfigResource_destroy(resources[0]);
            let event = answer?;
            let result = ffi::rd_kafka_event_DescribeConfigs_result(event.raw());
            let mut count = 0;
            let found = ffi::rd_kafka_DescribeConfigs_result_resources(result, &mut count);
            if count == 0 {
                return Ok(BTreeMap::new());
            }
            check(ffi::rd_kafka_ConfigResource_error(*found)).map_err(|fault| fault.error(&what))?;
            let mut count = 0;
            let entries = ffi::rd_kafka_ConfigResource_configs(*found, &mut count);
            let entries = (0..count).map(|at| *entries.add(at));
            Ok(entries
                .map(|entry| {
                    (text_of(ffi::rd_kafka_ConfigEntry_name(entry)), text_of(ffi::rd_kafka_ConfigEntry_value(entry)))
                })
                .collect())
        }
    }

    /// Asks for a topic until `done`, at most `wait`; `None` when that did not come.
    fn until(
        &self,
        name: &str,
        wait: Duration,
        done: impl Fn(&Option<TopicInfo>) -> bool,
    ) -> Result<Option<TopicInfo>> {
        let deadline = Instant::now() + wait;
        let mut pause = Duration::from_millis(2);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let topic = self.topic(name, left.max(Duration::from_millis(100)))?;
            if done(&topic) {
                return Ok(topic);
            }
            if left.is_zero() {
                return Ok(None);
            }
            // The cluster spreads its metadata by itself and tells nobody when it has.
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }

    /// Asks for metadata and gives the topics to `read`.
    fn metadata<T>(
        &self,
        only: Option<&TopicHandle>,
        wait: Duration,
        read: impl FnOnce(&[ffi::rd_kafka_metadata_topic]) -> T,
    ) -> Result<T> {
        let topic = only.map_or(std::ptr::null_mut(), TopicHandle::raw);
        let mut metadata: *const ffi::rd_kafka_metadata = std::ptr::null();
        // SAFETY: handle and topic are alive; the metadata is ours, and destroyed after it was read.
        unsafe {
            let all = c_int::from(only.is_none());
            let code = ffi::rd_kafka_metadata(self.client.rk(), all, topic, &mut metadata, millis(wait));
            self.client.serve();
            match check(code) {
                Ok(()) => {}
                Err(fault) if is_unanswered(&fault) => return Err(self.unreachable(wait)),
                Err(fault) => return Err(fault.error("read the cluster's metadata")),
            }
            let (first, count) = ((*metadata).topics, (*metadata).topic_cnt.max(0) as usize);
            let read = read(if count == 0 { &[] } else { std::slice::from_raw_parts(first, count) });
            ffi::rd_kafka_metadata_destroy(metadata);
            Ok(read)
        }
    }

    /// Sends an admin request and waits for its answer; an error of the request as a whole is returned.
    pub(super) fn ask(
        &self,
        op: Op,
        wait: Duration,
        what: &str,
        send: impl FnOnce(*mut ffi::rd_kafka_t, *const ffi::rd_kafka_AdminOptions_t, *mut ffi::rd_kafka_queue_t),
    ) -> Result<Event> {
        let queue = self.send(op, wait, None, send);
        self.answer(&queue, wait, what)
    }

    /// Sends an admin request; its answer comes to the queue.
    pub(super) fn send(
        &self,
        op: Op,
        wait: Duration,
        isolation: Option<ffi::rd_kafka_IsolationLevel_t>,
        send: impl FnOnce(*mut ffi::rd_kafka_t, *const ffi::rd_kafka_AdminOptions_t, *mut ffi::rd_kafka_queue_t),
    ) -> Queue {
        let queue = Queue::new(&self.client);
        // SAFETY: handle, options and queue are alive; the request copies the options.
        unsafe {
            let options = ffi::rd_kafka_AdminOptions_new(self.client.rk(), op);
            let wait = millis(wait).max(1);
            ffi::rd_kafka_AdminOptions_set_request_timeout(options, wait, std::ptr::null_mut(), 0);
            if matches!(
                op,
                Op::RD_KAFKA_ADMIN_OP_CREATETOPICS
                    | Op::RD_KAFKA_ADMIN_OP_CREATEPARTITIONS
                    | Op::RD_KAFKA_ADMIN_OP_DELETERECORDS
            ) {
                ffi::rd_kafka_AdminOptions_set_operation_timeout(options, wait, std::ptr::null_mut(), 0);
            }
            if let Some(isolation) = isolation {
                let error = ffi::rd_kafka_AdminOptions_set_isolation_level(options, isolation);
                if !error.is_null() {
                    ffi::rd_kafka_error_destroy(error);
                }
            }
            send(self.client.rk(), options, queue.raw());
            ffi::rd_kafka_AdminOptions_destroy(options);
        }
        queue
    }

    /// Waits for the answer to a request. librdkafka answers every request, at the latest when its time is over.
    pub(super) fn answer(&self, queue: &Queue, wait: Duration, what: &str) -> Result<Event> {
        let event = queue.poll(wait + Duration::from_secs(1)).ok_or_else(|| self.unreachable(wait))?;
        self.client.serve();
        match event.error() {
            Ok(()) => Ok(event),
            Err(fault) if is_unanswered(&fault) => Err(self.unreachable(wait)),
            Err(fault) => Err(fault.error(what)),
        }
    }

    fn unreachable(&self, wait: Duration) -> Error {
        let last = self.client.shared.health.last_error().map(|(_, text)| text);
        unreachable(&self.bootstrap, wait.as_secs(), last)
    }
}

fn is_unanswered(fault: &Fault) -> bool {
    matches!(
        fault.code,
        Code::BrokerTransportFailure | Code::OperationTimedOut | Code::AllBrokersDown | Code::TimedOutQueue
    )
}

fn fault(code: Code) -> Fault {
    Fault { code, ..Fault::of(Resp::RD_KAFKA_RESP_ERR_NO_ERROR) }
}

/// Why the records of a partition could not be deleted.
fn refused_purge(fault: &Fault, partition: &TopicPartition, below: &[(TopicPartition, i64)]) -> Error {
    let offset = below.iter().find(|(at, _)| at == partition).map_or(-1, |(_, offset)| *offset);
    let upto = if offset < 0 { String::new() } else { format!(" below offset {offset}") };
    let error = fault.error(&format!("delete the records of {partition}{upto}"));
    match fault.code {
        Code::OffsetOutOfRange => error.hint("The partition ends before this offset: was its topic created anew?"),
        Code::PolicyViolation => error.hint("Only a topic whose `cleanup.policy` has `delete` lets go of records."),
        _ => error,
    }
}

/// A topic of a metadata answer.
fn info(topic: &ffi::rd_kafka_metadata_topic) -> TopicInfo {
    let count = topic.partition_cnt.max(0) as usize;
    // SAFETY: name and partitions live as long as the metadata the topic is part of.
    let (name, partitions) = unsafe {
        let partitions = if count == 0 { &[] } else { std::slice::from_raw_parts(topic.partitions, count) };
        (text_of(topic.topic), partitions)
    };
    TopicInfo {
        name,
        partitions: topic.partition_cnt,
        replicas: partitions.first().map_or(0, |first| first.replica_cnt),
        is_ready: count > 0 && partitions.iter().all(|partition| partition.leader >= 0),
    }
}

/// The outcome for the one topic of a request.
///
/// # Safety
/// `results` are `count` results of an event that is alive.
unsafe fn topic_result(results: *mut *const ffi::rd_kafka_topic_result_t, count: usize) -> Result<(), Fault> {
    if count == 0 {
        return Ok(());
    }
    // SAFETY: the caller's promise.
    unsafe {
        let code = ffi::rd_kafka_topic_result_error(*results);
        let text = text_of(ffi::rd_kafka_topic_result_error_string(*results));
        check(code).map_err(|fault| Fault { text, ..fault })
    }
}
