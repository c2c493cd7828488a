//! The client as a connector: `'connector.class' = 'mqtt'`, also under the name of Confluent's.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Runtime;

use super::config::{CONFLUENT_CLASS, CONNECTOR_CLASS, ClientConfig};
use super::forget::forget;
use super::run::MqttClient;
use crate::error::Result;
use crate::ingest::connector::{ConnectorClass, ConnectorPlan, Host, LastError, RunningConnector, State, Target};
use crate::ingest::mqtt::class::{notices, runtime};
use crate::ingest::properties::Properties;
use crate::ingest::to_kafka::KafkaDeliver;

/// How long a broker may take to end the session of a connector that was dropped.
const FORGET_PATIENCE: Duration = Duration::from_secs(5);

/// The class of the client.
pub struct ClientClass;

impl ConnectorClass for ClientClass {
    fn name(&self) -> &'static str {
        CONNECTOR_CLASS
    }

    fn aliases(&self) -> &'static [&'static str] {
        &[CONFLUENT_CLASS]
    }

    fn properties(&self) -> &'static [&'static str] {
        &super::config::PROPERTIES
    }

    fn about(&self) -> &'static str {
        "subscribes to an MQTT broker, acknowledging after Kafka's delivery report"
    }

    fn plan(&self, properties: &Properties) -> Result<Box<dyn ConnectorPlan>> {
        Ok(Box::new(ClientConfig::from_properties(properties)?))
    }
}

impl ConnectorPlan for ClientConfig {
    fn targets(&self) -> Vec<Target> {
        self.rules.kafka_topics().iter().map(|topic| Target::new(&**topic)).collect()
    }

    fn start(self: Box<Self>, host: Host) -> Result<Arc<dyn RunningConnector>> {
        let runtime = runtime()?;
        let deliver = Arc::new(KafkaDeliver::start(Arc::clone(&host.producer))?);
        let last_error = Arc::new(Mutex::new(None));
        let mut config = ClientConfig { notices: notices(&host, Arc::clone(&last_error)), ..*self };
        if config.client_id.is_empty() {
            config.client_id = Arc::from(format!("alcedo-{}-{}", host.service, host.name));
        }
        if host.in_memory {
            let text = "topics are in memory, so what is acknowledged to the MQTT broker is gone when this process ends \
                        (--data DIR keeps them)";
            host.notices.info(&host.name, text);
        }
        let facts = vec![
            ("client id", config.client_id.to_string()),
            ("subscribed to", config.filters.join(", ")),
            ("quality of service", config.qos.to_string()),
        ];
        let client = MqttClient::start(config.clone(), deliver, host.paused, runtime.handle())?;
        Ok(Arc::new(ClientConnector { client, config, facts, last_error, runtime: Mutex::new(Some(runtime)) }))
    }
}

/// A running client.
struct ClientConnector {
    client: MqttClient,
    config: ClientConfig,
    facts: Vec<(&'static str, String)>,
    /// The latest failure with a record; those with the connection the client keeps.
    last_error: Arc<Mutex<Option<LastError>>>,
    /// `None` once it is stopped.
    runtime: Mutex<Option<Runtime>>,
}

impl RunningConnector for ClientConnector {
    fn state(&self) -> State {
        self.client.status().state
    }

    fn last_error(&self) -> Option<LastError> {
        let of_connection = self.client.status().last_error;
        let of_record = self.last_error.lock().clone();
        of_connection.into_iter().chain(of_record).max_by_key(|error| error.at)
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        self.client.counters().list()
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let broker = self.client.status().broker.map(|broker| ("broker", broker));
        broker.into_iter().chain(self.facts.iter().cloned()).collect()
    }

    fn pause(&self) -> Result<()> {
        self.client.pause();
        Ok(())
    }

    fn resume(&self) -> Result<()> {
        self.client.resume();
        Ok(())
    }

    fn stop(&self, patience: Duration) {
        let Some(runtime) = self.runtime.lock().take() else { return };
        self.client.stop(patience);
        runtime.shutdown_timeout(patience);
    }

    fn forget(&self) -> Result<()> {
        // A clean session ended with its connection.
        if self.config.clean { Ok(()) } else { forget(&self.config, FORGET_PATIENCE) }
    }
}
