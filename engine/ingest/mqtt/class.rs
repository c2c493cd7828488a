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

use super::config::{CONNECTOR_CLASS, ListenerConfig, Notice};
use super::listener::MqttListener;
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

    fn about(&self) -> &'static str {
        "accepts MQTT devices directly, acknowledging after Kafka's delivery report"
    }

    fn plan(&self, properties: &Properties) -> Result<Box<dyn ConnectorPlan>> {
        Ok(Box::new(ListenerConfig::from_properties(&properties.texts())?))
    }
}

impl ConnectorPlan for ListenerConfig {
    fn targets(&self) -> Vec<Target> {
        self.rules.topics.iter().map(|rule| Target::new(&*rule.topic)).collect()
    }

    fn start(self: Box<Self>, host: Host) -> Result<Arc<dyn RunningConnector>> {
        let failed =
            |error: std::io::Error| Error::external("the threads of a connector cannot start").with_source(error);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("mqtt")
            .enable_all()
            .build()
            .map_err(failed)?;
        let deliver = Arc::new(KafkaDeliver::start(Arc::clone(&host.producer))?);
        let last_error = Arc::new(Mutex::new(None));
        let config = with_notices(*self, &host, Arc::clone(&last_error));
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

/// The configuration with its notices told to the user, and the latest failure kept.
fn with_notices(config: ListenerConfig, host: &Host, last_error: Arc<Mutex<Option<LastError>>>) -> ListenerConfig {
    let (notices, subject, in_memory) = (host.notices.clone(), host.name.clone(), host.in_memory);
    let failed = move |text: String| {
        *last_error.lock() = Some(LastError::now(&Error::external(text)));
    };
    config.on_notice(move |notice| match notice {
        Notice::FirstDevice if in_memory => notices.info(
            &subject,
            "a device connected; topics are in memory, so an acknowledgement means memory (--data DIR keeps them)",
        ),
        Notice::FirstDevice => {}
        Notice::UnmatchedTopic { topic } => {
            notices.warning(&subject, format!("no rule matches MQTT topic {topic}; its messages are dropped"));
        }
        Notice::Undelivered { client, error } => {
            let text = format!("messages of device {client} could not be delivered, it is to send again: {error}");
            failed(text.clone());
            notices.warning(&subject, text);
        }
        Notice::Refused { client, error } => {
            let text = format!("a message of device {client} was dropped: {error}");
            failed(text.clone());
            notices.warning(&subject, text);
        }
    })
}
