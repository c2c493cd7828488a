//! The listener as a connector: `'connector.class' = 'mqtt-listener'`.
//!
//! Paused, it listens no more: devices are disconnected in order, and those that come find the port closed, keep their
//! messages and try again. Resumed, it listens on the addresses it had, so a port that the system chose stays.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Runtime;

use super::config::{CONNECTOR_CLASS, ListenerConfig};
use super::listener::MqttListener;
use super::notice::{Notice, NoticeHook};
use crate::error::{Error, Result};
use crate::ingest::connector::{ConnectorClass, ConnectorPlan, Host, LastError, RunningConnector, State, Target};
use crate::ingest::properties::Properties;
use crate::ingest::to_kafka::KafkaDeliver;
use crate::notice::Notices;

/// How long a pause waits for acknowledgements.
const PAUSE_PATIENCE: Duration = Duration::from_secs(3);

/// The class of the listener.
pub struct ListenerClass;

impl ConnectorClass for ListenerClass {
    fn name(&self) -> &'static str {
        CONNECTOR_CLASS
    }

    fn properties(&self) -> &'static [&'static str] {
        &super::config::PROPERTIES
    }

    fn about(&self) -> &'static str {
        "accepts MQTT devices directly, acknowledging after Kafka's delivery report"
    }

    fn plan(&self, properties: &Properties) -> Result<Box<dyn ConnectorPlan>> {
        Ok(Box::new(ListenerConfig::from_properties(properties)?))
    }
}

impl ConnectorPlan for ListenerConfig {
    fn targets(&self) -> Vec<Target> {
        self.rules.kafka_topics().iter().map(|topic| Target::new(&**topic)).collect()
    }

    fn start(self: Box<Self>, host: Host) -> Result<Arc<dyn RunningConnector>> {
        let runtime = runtime()?;
        let deliver = Arc::new(KafkaDeliver::start(Arc::clone(&host.producer))?);
        let last_error = Arc::new(Mutex::new(None));
        let config = ListenerConfig { notices: notices(&host, Arc::clone(&last_error)), ..*self };
        let connector = ListenerConnector {
            name: host.name.clone(),
            notices: host.notices.clone(),
            last_error,
            inner: Mutex::new(Inner { config, listener: None, runtime: Some(runtime), before: BTreeMap::new() }),
            deliver,
        };
        if !host.paused {
            connector.resume()?;
        }
        Ok(Arc::new(connector))
    }
}

/// A running listener, or one that was paused.
struct ListenerConnector {
    name: String,
    notices: Notices,
    deliver: Arc<KafkaDeliver>,
    last_error: Arc<Mutex<Option<LastError>>>,
    inner: Mutex<Inner>,
}

struct Inner {
    config: ListenerConfig,
    listener: Option<MqttListener>,
    /// `None` once it is stopped.
    runtime: Option<Runtime>,
    /// Counts of the listeners before the last pause.
    before: BTreeMap<&'static str, u64>,
}

impl RunningConnector for ListenerConnector {
    fn state(&self) -> State {
        if self.inner.lock().listener.is_some() { State::Running } else { State::Paused }
    }

    fn last_error(&self) -> Option<LastError> {
        self.last_error.lock().clone()
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        let inner = self.inner.lock();
        let Some(listener) = &inner.listener else { return inner.before.clone().into_iter().collect() };
        let before = |name| inner.before.get(name).copied().unwrap_or(0);
        listener.counters().list().into_iter().map(|(name, count)| (name, count + before(name))).collect()
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.inner.lock().listener.as_ref().map_or(Vec::new(), |listener| listener.addrs().to_vec())
    }

    fn pause(&self) -> Result<()> {
        self.close(PAUSE_PATIENCE);
        Ok(())
    }

    fn resume(&self) -> Result<()> {
        let mut inner = self.inner.lock();
        let Inner { config, listener, runtime: Some(runtime), .. } = &mut *inner else { return Ok(()) };
        if listener.is_some() {
            return Ok(());
        }
        let started = MqttListener::start(config.clone(), self.deliver.clone(), runtime.handle())?;
        for address in started.addrs() {
            self.notices.info(&self.name, format!("listens for MQTT devices on {address}"));
        }
        config.listeners = started.addrs().to_vec();
        *listener = Some(started);
        Ok(())
    }

    fn stop(&self, patience: Duration) {
        self.close(patience);
        let runtime = self.inner.lock().runtime.take();
        if let Some(runtime) = runtime {
            runtime.shutdown_timeout(patience);
        }
    }
}

impl ListenerConnector {
    /// Ends the listener in order, its counts kept. Its state is asked for meanwhile, so no lock is held.
    fn close(&self, patience: Duration) {
        let Some(listener) = self.inner.lock().listener.take() else { return };
        let counters = Arc::clone(listener.counters());
        listener.shutdown_blocking(patience);
        let mut inner = self.inner.lock();
        for (name, count) in counters.list() {
            *inner.before.entry(name).or_insert(0) += count;
        }
    }
}

/// The threads of a connector: one, because all it does is to move bytes.
pub(super) fn runtime() -> Result<Runtime> {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("mqtt").enable_all().build();
    built.map_err(|error| Error::external("the threads of a connector cannot start").with_source(error))
}

/// Notices told to the user, and the latest failure kept.
pub(super) fn notices(host: &Host, last_error: Arc<Mutex<Option<LastError>>>) -> NoticeHook {
    let (notices, subject, in_memory) = (host.notices.clone(), host.name.clone(), host.in_memory);
    NoticeHook::new(move |notice| {
        let text = notice.to_string();
        if notice.is_failure() {
            *last_error.lock() = Some(LastError::now(&Error::external(text.clone())));
        }
        match notice {
            Notice::FirstDevice if in_memory => notices.info(
                &subject,
                "a device connected; topics are in memory, so an acknowledgement means memory (--data DIR keeps them)",
            ),
            Notice::FirstDevice => {}
            notice if notice.is_warning() => notices.warning(&subject, text),
            _ => notices.info(&subject, text),
        }
    })
}
