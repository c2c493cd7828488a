//! What the checks do with librdkafka, in few words: topics, a producer that keeps its delivery reports, readers.

use std::future::Future;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, NoCustomPartitioner, Producer as _, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};

use super::wire::Wire;

/// What a check comes to: nothing, or what was wrong.
pub type Outcome<T = ()> = Result<T, String>;

/// The longest that any single step may take. Only a broken broker needs it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Fails the check with a formatted text unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(format!($($text)+));
        }
    };
}
pub(crate) use ensure;

/// Names the step that failed.
pub trait Step<T> {
    /// Turns any error into `step: error`.
    fn step(self, step: &str) -> Outcome<T>;
}

impl<T, E: std::fmt::Display> Step<T> for Result<T, E> {
    fn step(self, step: &str) -> Outcome<T> {
        self.map_err(|e| format!("{step}: {e}"))
    }
}

/// A name that no other check of this process uses.
pub fn fresh(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{what}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Repeats `attempt` until it gives something, for at most [`PATIENCE`].
pub fn until<T>(what: &str, mut attempt: impl FnMut() -> Outcome<Option<T>>) -> Outcome<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt()? {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5)); // The interval between two looks at a condition.
    }
}

/// Runs one asynchronous call of the admin client to its end.
pub fn wait<F: Future>(future: F) -> F::Output {
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers needs nothing");
    runtime.block_on(future)
}

/// Common to every client: quick reconnects, because these checks kill brokers.
pub fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("reconnect.backoff.ms", "20")
        .set("reconnect.backoff.max.ms", "100")
        .set("retry.backoff.ms", "20")
        .set("topic.metadata.refresh.fast.interval.ms", "20");
    config
}

// ---- topics ----

/// An admin client.
pub fn admin(bootstrap: &str) -> Outcome<AdminClient<DefaultClientContext>> {
    config(bootstrap).create().step("admin client")
}

/// The options of every admin call: wait for the effect.
pub fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE))
}

/// Asks for one topic and returns the broker's answer.
pub fn try_create(
    bootstrap: &str,
    topic: &str,
    partitions: i32,
    configs: &[(&str, &str)],
) -> Outcome<Result<(), RDKafkaErrorCode>> {
    let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    for (name, value) in configs {
        new = new.set(name, value);
    }
    let answers = wait(admin(bootstrap)?.create_topics([&new], &options())).step("create topic")?;
    match answers.into_iter().next() {
        Some(answer) => Ok(answer.map(drop).map_err(|(_, code)| code)),
        None => Err(format!("create topic {topic}: an answer without a topic")),
    }
}

/// Creates a topic and waits until every partition has a leader.
pub fn create_with(bootstrap: &str, topic: &str, partitions: i32, configs: &[(&str, &str)]) -> Outcome {
    try_create(bootstrap, topic, partitions, configs)?.step(&format!("create topic {topic}"))?;
    await_partitions(bootstrap, topic, partitions)
}

/// A fresh topic with default settings.
pub fn new_topic(bootstrap: &str, what: &str, partitions: i32) -> Outcome<String> {
    let topic = fresh(what);
    create_with(bootstrap, &topic, partitions, &[])?;
    Ok(topic)
}

/// Waits until the metadata shows this many partitions with a leader.
pub fn await_partitions(bootstrap: &str, topic: &str, partitions: i32) -> Outcome {
    let consumer = reader(bootstrap, &[])?;
    until(&format!("{partitions} partitions of {topic} with a leader"), || {
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).step("metadata")?;
        let led = metadata.topics().iter().flat_map(|t| t.partitions()).filter(|p| p.leader() >= 0).count();
        Ok((led == partitions as usize).then_some(()))
    })
}

/// Low and high watermark of a partition.
pub fn watermarks(bootstrap: &str, topic: &str, partition: i32) -> Outcome<(i64, i64)> {
    reader(bootstrap, &[])?.fetch_watermarks(topic, partition, PATIENCE).step("watermarks")
}

// ---- producing ----

/// One delivery report.
#[derive(Clone, Debug)]
pub struct Report {
    /// The number that the record was sent with.
    pub id: usize,
    /// Where it went.
    pub partition: i32,
    /// Its offset; -1001 when it was not stored.
    pub offset: i64,
    /// Why it was not stored.
    pub error: Option<RDKafkaErrorCode>,
}

/// Collects delivery reports.
#[derive(Default)]
pub struct Reports(Mutex<Vec<Report>>);

impl Reports {
    /// Takes what has come in since the last call.
    pub fn take(&self) -> Vec<Report> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, id: usize) {
        let (message, error) = match result {
            Ok(message) => (message, None),
            Err((error, message)) => (message, error.rdkafka_error_code()),
        };
        let report = Report { id, partition: message.partition(), offset: message.offset(), error };
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(report);
    }
}

/// A producer that keeps its delivery reports.
pub struct Producer {
    /// The client itself, for calls that need no help.
    pub inner: BaseProducer<Reports, NoCustomPartitioner>,
    bootstrap: String,
    transactional_id: Option<String>,
}

/// A record to send; its number comes back in the report.
pub type Out<'a> = BaseRecord<'a, [u8], [u8], usize>;

/// The record number `id` for a partition.
pub fn out(topic: &str, partition: i32, id: usize) -> Out<'_> {
    keyed(topic, id).partition(partition)
}

/// A record to write into the partition of its key, known by a number.
pub fn keyed(topic: &str, id: usize) -> Out<'_> {
    BaseRecord::with_opaque_to(topic, id)
}

impl Producer {
    /// An idempotent producer unless `extra` says otherwise.
    pub fn new(bootstrap: &str, extra: &[(&str, &str)]) -> Outcome<Producer> {
        let mut config = config(bootstrap);
        config.set("enable.idempotence", "true").set("linger.ms", "1");
        for (name, value) in extra {
            config.set(*name, *value);
        }
        let inner = config.create_with_context(Reports::default()).step("producer")?;
        let transactional_id =
            extra.iter().find(|(name, _)| *name == "transactional.id").map(|(_, id)| (*id).to_owned());
        Ok(Producer { inner, bootstrap: bootstrap.to_owned(), transactional_id })
    }

    /// A transactional producer, initialised.
    pub fn transactional(bootstrap: &str, id: &str, extra: &[(&str, &str)]) -> Outcome<Producer> {
        let mut all = vec![("transactional.id", id)];
        all.extend_from_slice(extra);
        let producer = Producer::new(bootstrap, &all)?;
        producer.inner.init_transactions(PATIENCE).step("init transactions")?;
        Ok(producer)
    }

    /// Queues a record; when the queue is full, serves reports until there is room.
    pub fn send(&self, mut record: Out<'_>) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.inner.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    ensure!(Instant::now() < deadline, "the producer's queue stays full");
                    self.inner.poll(Duration::from_millis(10));
                    record = back;
                }
                Err((error, _)) => return Err(format!("send: {error}")),
            }
        }
    }

    /// Queues a text for a partition.
    pub fn put(&self, topic: &str, partition: i32, value: &str) -> Outcome {
        self.send(out(topic, partition, 0).payload(value.as_bytes()))
    }

    /// Waits until everything is acknowledged; fails when a record was not.
    pub fn flush(&self) -> Outcome<Vec<Report>> {
        // The client's own flush looks ten times a second; this one returns with the last report.
        let (mut left, mut deadline) = (self.inner.in_flight_count(), Instant::now() + PATIENCE);
        while left > 0 {
            self.inner.poll(Duration::from_millis(1));
            if self.inner.in_flight_count() < left {
                deadline = Instant::now() + PATIENCE;
            }
            left = self.inner.in_flight_count();
            ensure!(Instant::now() < deadline, "flush: {left} records are not acknowledged");
        }
        let reports = self.inner.context().take();
        match reports.iter().find_map(|report| report.error) {
            Some(code) => Err(format!("a record was not delivered: {code}")),
            None => Ok(reports),
        }
    }

    /// Queues texts for a partition and waits for their acknowledgement.
    pub fn put_all<S: AsRef<str>>(&self, topic: &str, partition: i32, values: &[S]) -> Outcome<Vec<Report>> {
        for (id, value) in values.iter().enumerate() {
            self.send(out(topic, partition, id).payload(value.as_ref().as_bytes()))?;
        }
        self.flush()
    }

    /// Begins a transaction.
    pub fn begin(&self) -> Outcome {
        self.inner.begin_transaction().step("begin transaction")
    }

    /// Commits the transaction; every record must have been acknowledged. Returns when readers can see it.
    pub fn commit(&self) -> Outcome {
        self.flush()?;
        self.inner.commit_transaction(PATIENCE).step("commit transaction")?;
        self.await_markers()
    }

    /// Aborts the transaction. What is queued is sent first: librdkafka would wait for reports that nobody serves.
    pub fn abort(&self) -> Outcome {
        self.flush()?;
        self.inner.abort_transaction(PATIENCE).step("abort transaction")?;
        self.await_markers()
    }

    /// A commit is decided, and its call returns, before its markers are in the partitions.
    fn await_markers(&self) -> Outcome {
        let id = self.transactional_id.as_deref().ok_or("not a transactional producer")?;
        let mut wire = Wire::connect(&self.bootstrap)?;
        until("the end of a transaction", || {
            let state = wire.transaction_state(id)?;
            Ok(state.filter(|state| state.starts_with("Complete") || state == "Empty").map(drop))
        })
    }
}

// ---- reading ----

/// One record as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Got {
    pub partition: i32,
    pub offset: i64,
    pub timestamp: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Got {
    fn from(message: &BorrowedMessage<'_>) -> Got {
        let headers = message.headers().map(|headers| {
            headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
        });
        Got {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
        }
    }

    /// The value as text.
    pub fn text(&self) -> String {
        self.value.as_deref().map(|v| String::from_utf8_lossy(v).into_owned()).unwrap_or_default()
    }
}

/// The values as texts, in the order they were read.
pub fn texts(records: &[Got]) -> Vec<String> {
    records.iter().map(Got::text).collect()
}

/// Which records a reader may see.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Isolation {
    Committed,
    Uncommitted,
}

impl Isolation {
    /// The value of `isolation.level`.
    pub fn level(self) -> &'static str {
        match self {
            Isolation::Committed => "read_committed",
            Isolation::Uncommitted => "read_uncommitted",
        }
    }
}

/// A consumer that assigns partitions by hand, commits nothing and does not hide a lost offset.
pub fn reader(bootstrap: &str, extra: &[(&str, &str)]) -> Outcome<BaseConsumer> {
    let mut config = config(bootstrap);
    config
        .set("group.id", "reader-by-hand")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", "50")
        .set("fetch.error.backoff.ms", "20")
        .set("fetch.queue.backoff.ms", "5");
    for (name, value) in extra {
        config.set(*name, *value);
    }
    config.create().step("consumer")
}

/// Reads partitions `0..partitions` from offset 0 to their ends.
pub fn read(bootstrap: &str, topic: &str, partitions: i32, isolation: Isolation) -> Outcome<Vec<Got>> {
    read_from(bootstrap, topic, partitions, 0, isolation)
}

/// Reads partitions `0..partitions` from an offset to their ends.
pub fn read_from(bootstrap: &str, topic: &str, partitions: i32, from: i64, isolation: Isolation) -> Outcome<Vec<Got>> {
    let mut records = Vec::new();
    read_with(bootstrap, topic, partitions, from, &[("isolation.level", isolation.level())], |message| {
        records.push(Got::from(message));
    })?;
    Ok(records)
}

/// Reads partitions `0..partitions` from an offset to their ends and hands every message on.
pub fn read_with(
    bootstrap: &str,
    topic: &str,
    partitions: i32,
    from: i64,
    extra: &[(&str, &str)],
    mut each: impl FnMut(&BorrowedMessage<'_>),
) -> Outcome {
    let consumer = reader(bootstrap, extra)?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment.add_partition_offset(topic, partition, Offset::Offset(from)).step("assignment")?;
    }
    consumer.assign(&assignment).step("assign")?;
    let mut open = partitions;
    let mut deadline = Instant::now() + PATIENCE;
    while open > 0 {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                each(&message);
                deadline = Instant::now() + PATIENCE;
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(format!("read {topic}: {error}")),
            None => ensure!(Instant::now() < deadline, "read {topic}: {open} partitions did not come to their end"),
        }
    }
    Ok(())
}

// ---- group members ----

/// Keeps the rebalances that a member saw.
#[derive(Default)]
pub struct Rebalances(Mutex<Vec<Change>>);

/// One rebalance callback.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Assigned(usize),
    Revoked(usize),
}

impl Rebalances {
    /// Everything so far.
    pub fn all(&self) -> Vec<Change> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

impl ClientContext for Rebalances {}

impl ConsumerContext for Rebalances {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let change = match rebalance {
            Rebalance::Assign(partitions) => Change::Assigned(partitions.count()),
            Rebalance::Revoke(partitions) => Change::Revoked(partitions.count()),
            Rebalance::Error(_) => return,
        };
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(change);
    }
}

/// A member of a group, subscribed to one topic.
pub type Member = BaseConsumer<Rebalances>;

/// Joins a group; commits only when told to.
pub fn member(bootstrap: &str, group: &str, topic: &str, extra: &[(&str, &str)]) -> Outcome<Member> {
    let mut config = config(bootstrap);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", "30000")
        .set("heartbeat.interval.ms", "300")
        .set("fetch.wait.max.ms", "50")
        .set("fetch.error.backoff.ms", "20")
        .set("fetch.queue.backoff.ms", "5");
    for (name, value) in extra {
        config.set(*name, *value);
    }
    let member: Member = config.create_with_context(Rebalances::default()).step("group member")?;
    member.subscribe(&[topic]).step("subscribe")?;
    Ok(member)
}

/// Polls the members in turn until `done` holds; what they read meanwhile goes to `each`.
pub fn poll_until(
    what: &str,
    members: &[&Member],
    mut each: impl FnMut(usize, &BorrowedMessage<'_>),
    mut done: impl FnMut() -> Outcome<bool>,
) -> Outcome {
    let deadline = Instant::now() + PATIENCE;
    while !done()? {
        ensure!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        for (index, member) in members.iter().enumerate() {
            match member.poll(Duration::from_millis(10)) {
                Some(Ok(message)) => each(index, &message),
                Some(Err(error)) => return Err(format!("{what}: {error}")),
                None => {}
            }
        }
    }
    Ok(())
}

/// How many partitions a member has now.
pub fn assigned(member: &Member) -> Outcome<usize> {
    Ok(member.assignment().step("assignment")?.count())
}

/// The committed offset of a group for one partition, if any; never waits for a pending transaction.
pub fn committed(bootstrap: &str, group: &str, topic: &str, partition: i32) -> Outcome<Option<i64>> {
    let consumer = reader(bootstrap, &[("group.id", group), ("isolation.level", "read_uncommitted")])?;
    let answer = until("the group's coordinator", || {
        let mut asked = TopicPartitionList::new();
        asked.add_partition(topic, partition);
        match consumer.committed_offsets(asked, PATIENCE) {
            Ok(answer) => Ok(Some(answer)),
            // After a restart, until the coordinator has read its log.
            Err(error) if starting(&error) => Ok(None),
            Err(error) => Err(format!("committed offsets: {error}")),
        }
    })?;
    match answer.find_partition(topic, partition).map(|found| found.offset()) {
        Some(Offset::Offset(offset)) => Ok(Some(offset)),
        Some(Offset::Invalid) => Ok(None),
        other => Err(format!("committed offset of {topic} {partition}: {other:?}")),
    }
}

/// Whether a coordinator is still starting.
fn starting(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator};
    let code = error.rdkafka_error_code();
    matches!(code, Some(CoordinatorLoadInProgress | CoordinatorNotAvailable | NotCoordinator))
}

/// A list with one position.
pub fn at(topic: &str, partition: i32, offset: i64) -> Outcome<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(offset)).step("position")?;
    Ok(list)
}
