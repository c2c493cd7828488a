//! The engine: where topics live, what runs, what there is by name. Sessions share it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Session;
use super::connectors::live::Connectors;
use crate::broker::{Broker, Config as BrokerConfig, Storage as BrokerStorage};
use crate::catalog::log::StatementLog;
use crate::catalog::{Catalog, SharedCatalog};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::functions::{FunctionRegistry, SharedFunctions};
use crate::kafka::{Admin, ClientConfig, Producer};
use crate::notice::Notices;
use crate::plan::{OnError, QueryKind};
use crate::runtime::processing_log::ProcessingLog;
use crate::runtime::query::QueryHandle;
use crate::runtime::start;
use crate::runtime::status::{Ends, Shared as QueryShared};

/// How long a cluster may take to answer for the first time.
const REACHABLE_WITHIN: Duration = Duration::from_secs(10);

/// Where topics live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// A Kafka cluster, by `host:port` addresses.
    Cluster(String),
    /// The embedded broker, in memory; at most so many bytes of records when a bound is given.
    Memory(Option<u64>),
    /// The embedded broker, in files of a folder.
    Folder(PathBuf),
}

/// Everything an engine starts with; see [`Engine::builder`].
#[derive(Debug)]
pub struct EngineBuilder {
    storage: Storage,
    listen: SocketAddr,
    allow_remote: bool,
    settings: Settings,
    notices: Notices,
    functions: FunctionRegistry,
    until_end: bool,
    plans_only: bool,
}

impl EngineBuilder {
    /// Where topics live; in memory when not said.
    pub fn storage(mut self, storage: Storage) -> Self {
        self.storage = storage;
        self
    }

    /// The address of the embedded broker; a free loopback port when not said.
    pub fn listen(mut self, listen: SocketAddr) -> Self {
        self.listen = listen;
        self
    }

    /// Lets the embedded broker listen beyond this machine. It has no authentication.
    pub fn allow_remote(mut self, allow: bool) -> Self {
        self.allow_remote = allow;
        self
    }

    /// Settings in force.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Where the engine says things; nowhere when not said.
    pub fn notices(mut self, notices: Notices) -> Self {
        self.notices = notices;
        self
    }

    /// Queries end when they have processed what the topics hold; see [`Engine::finish`].
    pub fn until_end(mut self, until_end: bool) -> Self {
        self.until_end = until_end;
        self
    }

    /// Starts nothing: no broker, no connection. The engine plans statements for [`Session::check`]; carrying one out
    /// fails or waits in vain.
    pub fn plans_only(mut self) -> Self {
        self.plans_only = true;
        self
    }

    /// Adds a scalar function of the program's own, called with whole columns.
    ///
    /// Its signature decides what it takes, and may name any Arrow type: arguments and results are cast where SQL has
    /// another. NULLs reach it as they are. Unless it is volatile, a call with constants is computed once, when the
    /// statement is planned. An `Err` nulls and reports the rows that cause it; it never ends a query.
    ///
    /// # Errors
    /// When there is a function of this name, whatever its case.
    pub fn register_udf(mut self, udf: datafusion::logical_expr::ScalarUDF) -> Result<Self> {
        self.functions.register_udf(udf)?;
        Ok(self)
    }

    /// Adds an aggregate function of the program's own. `SHOW FUNCTIONS` and `DESCRIBE FUNCTION` know it; a statement
    /// that calls it is refused by name until queries can group.
    ///
    /// # Errors
    /// When there is a function of this name, whatever its case.
    pub fn register_udaf(mut self, udaf: datafusion::logical_expr::AggregateUDF) -> Result<Self> {
        self.functions.register_udaf(udaf)?;
        Ok(self)
    }

    /// Starts the engine: the embedded broker, or a connection to the cluster.
    ///
    /// # Errors
    /// A folder in use or of an unknown format, a taken port, a cluster that does not answer within 10 s.
    pub fn start(self) -> Result<Engine> {
        let EngineBuilder { storage, listen, allow_remote, settings, notices, functions, until_end, plans_only } = self;
        let (broker, address) = match &storage {
            _ if plans_only => (None, String::new()),
            Storage::Cluster(address) => (None, address.clone()),
            embedded => {
                let warn = notices.clone();
                let config = BrokerConfig {
                    listen,
                    allow_non_loopback: allow_remote,
                    storage: match embedded {
                        Storage::Folder(folder) => BrokerStorage::Dir(folder.clone()),
                        _ => BrokerStorage::Memory { max_bytes: memory_bound(embedded) },
                    },
                    warn: Some(Arc::new(move |text: &str| warn.warning("broker", text))),
                    ..BrokerConfig::default()
                };
                let broker = Broker::start_blocking(config)?;
                let address = broker.addr().to_string();
                (Some(broker), address)
            }
        };
        let mut client = ClientConfig::new(address);
        client.properties = settings.kafka().clone();
        let mut checked = client.clone();
        if plans_only {
            checked.bootstrap = "localhost:9092".to_string();
        }
        checked.check().map_err(|error| {
            let near = settings.kafka().keys().find(|name| error.message().contains(&format!("`{name}`")));
            match near.and_then(|name| crate::config::nearest(name)) {
                Some(near) => error.hint(format!("Did you mean '{near}'?")),
                None => error,
            }
        })?;
        let admin =
            Arc::new(if plans_only { Admin::new(&client)? } else { Admin::connect(&client, REACHABLE_WITHIN)? });
        let service = settings.get("service.id").to_string();
        let corrupt_to = notices.clone();
        let mut corrupt = |key: &str| {
            corrupt_to.warning("catalog", format!("entry {key} of the statements topic cannot be read and is skipped"));
        };
        let log = StatementLog::read(&client, &admin, &service, &mut corrupt)?;
        let producer = Arc::new(Producer::new(&client)?);
        let alive = Arc::new(());
        crate::runtime::watch::start(
            Arc::clone(&client.health),
            client.bootstrap.clone(),
            notices.clone(),
            Arc::downgrade(&alive),
        )?;
        let shared = Arc::new(Shared {
            alive: Mutex::new(Some(alive)),
            storage,
            settings,
            notices,
            functions: SharedFunctions::new(functions),
            catalog: SharedCatalog::default(),
            log: Mutex::new(log),
            processing_log: Mutex::new(None),
            queries: Mutex::new(BTreeMap::new()),
            pushes: Mutex::new(Vec::new()),
            connectors: Arc::default(),
            ordinal: AtomicU64::new(0),
            instance: instance_name(),
            service,
            until_end,
            admin,
            producer,
            client,
            broker: Mutex::new(broker),
        });
        super::processing_log::declare(&shared)?;
        if shared.is_embedded() && !plans_only {
            super::processing_log::open(&shared);
        }
        Ok(Engine(shared))
    }
}

fn memory_bound(storage: &Storage) -> Option<u64> {
    match storage {
        Storage::Memory(bound) => *bound,
        _ => None,
    }
}

/// A name that no other process of the service has: its process id and some random digits.
fn instance_name() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{}-{:08x}", std::process::id(), RandomState::new().hash_one(0u8) as u32)
}

/// An engine. Cheap to clone; [`shutdown`](Engine::shutdown) ends it for all clones.
#[derive(Clone)]
pub struct Engine(pub(super) Arc<Shared>);

/// A persistent query that runs, with the topics that it reads and writes.
struct Running {
    id: String,
    shared: Arc<QueryShared>,
    sources: Vec<Arc<str>>,
    /// Its sink, and where its dead letters go.
    sinks: Vec<String>,
}

/// A push query, and the topics it reads.
pub(super) type Push = (Arc<QueryShared>, Vec<Arc<str>>);

/// What sessions of one engine share.
pub(super) struct Shared {
    pub(super) storage: Storage,
    pub(super) settings: Settings,
    pub(super) notices: Notices,
    pub(super) functions: SharedFunctions,
    pub(super) catalog: SharedCatalog,
    pub(super) log: Mutex<StatementLog>,
    /// `None` until the first persistent query asks for it.
    pub(super) processing_log: Mutex<Option<Option<Arc<ProcessingLog>>>>,
    pub(super) queries: Mutex<BTreeMap<String, QueryHandle>>,
    /// Push queries and PRINTs that may still run, with their topics.
    pub(super) pushes: Mutex<Vec<Push>>,
    pub(super) connectors: Arc<Connectors>,
    pub(super) ordinal: AtomicU64,
    pub(super) instance: String,
    pub(super) service: String,
    pub(super) until_end: bool,
    pub(super) admin: Arc<Admin>,
    pub(super) producer: Arc<Producer>,
    pub(super) client: ClientConfig,
    broker: Mutex<Option<Broker>>,
    /// Until the shutdown begins, which ends connections on purpose.
    alive: Mutex<Option<Arc<()>>>,
}

impl Shared {
    /// Whether topics live on the embedded broker.
    pub(super) fn is_embedded(&self) -> bool {
        !matches!(self.storage, Storage::Cluster(_))
    }

    /// The next number for something that needs a name.
    pub(super) fn next_ordinal(&self) -> u64 {
        self.ordinal.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Where a query without committed offsets starts when nothing says otherwise: everything the embedded broker holds
    /// was meant for us, a cluster's topics may hold years.
    pub(super) fn default_start(&self) -> &'static str {
        if self.is_embedded() || self.until_end { "earliest" } else { "latest" }
    }
}

/// The error of a query that ended for good.
fn given_up(id: &str, why: &Error) -> Error {
    let detail = match why.detail_text() {
        Some(detail) => format!("{}: {detail}", why.message()),
        None => why.message().to_string(),
    };
    let error = Error::external(format!("query {id} gave up")).detail(detail);
    match why.hint_text() {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Counts of one persistent query, for a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryStats {
    /// The query's id.
    pub id: String,
    /// Its state.
    pub state: String,
    /// Records read.
    pub records_in: u64,
    /// Records written and committed.
    pub records_out: u64,
    /// Bad records and failed expressions.
    pub bad: u64,
    /// Commits.
    pub commits: u64,
}

impl Engine {
    /// An engine with everything at its default: topics in memory, on a free loopback port.
    pub fn builder() -> EngineBuilder {
        EngineBuilder {
            storage: Storage::Memory(None),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            allow_remote: false,
            settings: Settings::new(),
            notices: Notices::silent(),
            functions: FunctionRegistry::builtin(),
            until_end: false,
            plans_only: false,
        }
    }

    /// A session: its settings and variables are its own, everything else is shared.
    pub fn session(&self) -> Session {
        Session::new(self.clone())
    }

    /// Address of the broker, for other programs.
    pub fn address(&self) -> &str {
        &self.0.client.bootstrap
    }

    /// Where topics live.
    pub fn storage(&self) -> &Storage {
        &self.0.storage
    }

    /// What there is by name, as it is now.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.0.catalog.snapshot()
    }

    /// The functions that statements may call, as they are now.
    pub fn functions(&self) -> Arc<FunctionRegistry> {
        self.0.functions.snapshot()
    }

    /// Names of the topics, hidden ones included.
    ///
    /// # Errors
    /// When the cluster does not answer within `wait`.
    pub fn topics(&self, wait: Duration) -> Result<Vec<String>> {
        Ok(self.0.admin.topics(wait)?.into_iter().map(|topic| topic.name).collect())
    }

    /// Counts of all persistent queries, by id.
    pub fn stats(&self) -> Vec<QueryStats> {
        use crate::runtime::status::Counters;
        let queries = self.0.queries.lock();
        let stats = queries.iter().map(|(id, handle)| {
            let counters = &handle.shared().counters;
            QueryStats {
                id: id.clone(),
                state: handle.shared().state().to_string(),
                records_in: Counters::get(&counters.records_in),
                records_out: Counters::get(&counters.records_out),
                bad: Counters::get(&counters.bad),
                commits: Counters::get(&counters.commits),
            }
        });
        stats.collect()
    }

    /// Ids of the persistent queries that run.
    pub fn running_queries(&self) -> Vec<String> {
        self.0.queries.lock().keys().cloned().collect()
    }

    /// Names and addresses of the connectors that listen.
    pub fn listening(&self) -> Vec<(String, SocketAddr)> {
        self.0.connectors.addresses()
    }

    /// Names of the connectors that may still bring records.
    pub fn running_connectors(&self) -> Vec<String> {
        self.0.connectors.alive()
    }

    /// The failure of a connector that ended for good, if there is one. Queries go on without it.
    pub fn connector_failure(&self) -> Option<Error> {
        self.0.connectors.failure()
    }

    /// Lets every connector bring all there is, and then every query process what the topics hold and end with a commit, each
    /// after the queries it reads from; push queries last. Waits for the persistent ones; `keep_waiting` is asked ten times a
    /// second whether to go on.
    ///
    /// # Errors
    /// The failure of a query that gave up, by id, or of a connector.
    pub fn finish(&self, keep_waiting: &dyn Fn() -> bool) -> Result<()> {
        self.0.connectors.wait_finished(keep_waiting)?;
        let mut written = BTreeSet::new();
        for Running { id, shared, sources, sinks } in self.in_order() {
            shared.finish_at(self.ends(&sources, &written)?);
            while !shared.wait_stopped(Instant::now() + Duration::from_millis(100)) {
                if !keep_waiting() {
                    return Ok(());
                }
            }
            if let Some(why) = shared.gave_up() {
                return Err(given_up(&id, &why));
            }
            written.extend(sinks);
        }
        // Entries of the processing log are sent and not waited for; a push query over it is to see them all.
        self.0.producer.flush(Duration::from_secs(5));
        let pushes = std::mem::take(&mut *self.0.pushes.lock());
        for (shared, topics) in pushes {
            shared.finish_at(self.ends(&topics, &written)?);
        }
        Ok(())
    }

    /// Where topics end: those that queries of ours have written with all that these have committed, which is answered before
    /// readers of committed records can see it.
    fn ends(&self, topics: &[Arc<str>], written: &BTreeSet<String>) -> Result<Ends> {
        let (ours, others): (Vec<Arc<str>>, Vec<Arc<str>>) =
            topics.iter().cloned().partition(|topic| written.contains(&**topic));
        let mut ends = start::ends(&self.0.admin, &others)?;
        ends.extend(start::ends_of_all(&self.0.admin, &ours)?);
        Ok(ends)
    }

    /// The failure of a persistent query that ended for good, if there is one.
    pub fn failure(&self) -> Option<Error> {
        let queries = self.0.queries.lock();
        queries.iter().find_map(|(id, handle)| Some(given_up(id, &*handle.shared().gave_up()?)))
    }

    /// The running persistent queries, each behind those that write what it reads.
    fn in_order(&self) -> Vec<Running> {
        let catalog = self.0.catalog.snapshot();
        let queries = self.0.queries.lock();
        let mut left: Vec<&String> = queries.keys().collect();
        let mut ordered = Vec::new();
        while !left.is_empty() {
            let waits = |id: &String| {
                let Ok(query) = catalog.query(id, Default::default()) else { return false };
                let upstream = query.sources.iter().flat_map(|source| catalog.writers_of(source));
                upstream.into_iter().any(|writer| writer != id && left.iter().any(|other| *other == writer))
            };
            // Queries that feed each other in a circle have no order; they go as they are named.
            let next = left.iter().position(|id| !waits(id)).unwrap_or(0);
            let id = left.remove(next);
            let handle = &queries[id];
            let mut sinks = Vec::new();
            if let QueryKind::Persistent(sink) = &handle.spec().plan.kind {
                sinks.push(sink.topic.name.clone());
            }
            if let OnError::DeadLetter(topic) = &handle.spec().plan.on_error {
                sinks.push(topic.name.clone());
            }
            let (shared, sources) = (Arc::clone(handle.shared()), handle.spec().sources.clone());
            ordered.push(Running { id: id.clone(), shared, sources, sinks });
        }
        ordered
    }

    /// Asks every persistent query to commit and end, and waits for them, at most `patience`. They stay listed until
    /// [`shutdown`](Engine::shutdown), so that their final counts can be read.
    pub fn stop_queries(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let queries: Vec<_> = self.0.queries.lock().values().map(|handle| Arc::clone(handle.shared())).collect();
        queries.iter().for_each(|query| query.request_stop());
        for query in queries {
            query.wait_stopped(deadline);
        }
    }

    /// Ends everything within `patience`: connectors first, then every query with a commit, then the broker.
    ///
    /// # Errors
    /// Names the queries that could not commit in time; what they had not committed is processed again next time.
    pub fn shutdown(&self, patience: Duration) -> Result<()> {
        self.0.alive.lock().take();
        let deadline = Instant::now() + patience;
        for (shared, _) in self.0.pushes.lock().drain(..) {
            shared.request_stop();
        }
        self.0.connectors.stop_all(patience / 4);
        let queries = std::mem::take(&mut *self.0.queries.lock());
        queries.values().for_each(QueryHandle::request_stop);
        let late: Vec<String> =
            queries.into_iter().filter_map(|(id, handle)| (!handle.stop(deadline)).then_some(id)).collect();
        self.0.producer.flush(deadline.saturating_duration_since(Instant::now()));
        if let Some(broker) = self.0.broker.lock().take() {
            broker.shutdown_blocking();
        }
        match late.is_empty() {
            true => Ok(()),
            false => Err(Error::external(format!("no commit in time by {}", late.join(", ")))
                .detail("what was not committed is processed again at the next start")),
        }
    }
}
