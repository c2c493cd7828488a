//! Connectors that run in this process: `CREATE SOURCE CONNECTOR ... WITH ('connector.class' = 'mqtt-listener', ...)`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::engine::{Shared, Storage};
use crate::error::{Error, Result, Span};
use crate::ingest::mqtt::config::{ListenerConfig, Notice};
use crate::ingest::mqtt::listener::MqttListener;
use crate::ingest::to_kafka::KafkaDeliver;
use crate::kafka::NewTopic;
use crate::sql::ast::{ExprKind, Property};

/// A running connector.
pub struct RunningConnector {
    listener: MqttListener,
    runtime: tokio::runtime::Runtime,
}

impl RunningConnector {
    /// The addresses it listens on.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.listener.addrs().to_vec().into_iter()
    }

    /// Its counts, by name.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        self.listener.counters().list()
    }

    /// Stops taking messages, lets those under way be acknowledged, and ends.
    pub fn stop(self, patience: Duration) {
        self.listener.shutdown_blocking(patience);
        self.runtime.shutdown_timeout(patience);
    }
}

/// The properties of a `CREATE CONNECTOR` as texts.
pub fn properties_of(properties: &[Property]) -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    for property in properties {
        let value = match &property.value.kind {
            ExprKind::String(text) => text.clone(),
            ExprKind::Integer(number) => number.to_string(),
            ExprKind::Boolean(flag) => flag.to_string(),
            ExprKind::Decimal(text) => text.clone(),
            _ => return Err(Error::sql("a connector's property is a literal").at(property.value.span)),
        };
        texts.insert(property.name.value.to_ascii_lowercase(), value);
    }
    Ok(texts)
}

/// The configuration of a listener, checked without starting it.
pub fn listener_config(name: &str, properties: &BTreeMap<String, String>, span: Span) -> Result<ListenerConfig> {
    match properties.get("connector.class").map(String::as_str) {
        Some("mqtt-listener") => {}
        Some(class) => {
            return Err(Error::sql(format!("connector class '{class}' of {name} is not supported yet"))
                .hint("'mqtt-listener' accepts MQTT devices directly.")
                .at(span));
        }
        None => {
            return Err(Error::sql(format!("connector {name} has no 'connector.class'"))
                .hint("For example 'connector.class' = 'mqtt-listener'.")
                .at(span));
        }
    }
    ListenerConfig::from_properties(properties).map_err(|error| error.or_at(span))
}

/// Starts a listener; its topics are created where the embedded broker lacks them.
pub(super) fn start(shared: &Arc<Shared>, name: &str, config: ListenerConfig) -> Result<RunningConnector> {
    for rule in &config.rules.topics {
        ensure_topic(shared, name, &rule.topic)?;
    }
    let failed = |error: std::io::Error| Error::external("the threads of a connector cannot start").with_source(error);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("mqtt")
        .enable_all()
        .build()
        .map_err(failed)?;
    let deliver = Arc::new(KafkaDeliver::start(Arc::clone(&shared.producer))?);
    let (notices, subject) = (shared.notices.clone(), name.to_string());
    let in_memory = matches!(shared.storage, Storage::Memory(_));
    let config = config.on_notice(move |notice| match notice {
        Notice::FirstDevice if in_memory => notices.info(
            &subject,
            "a device connected; topics are in memory, so an acknowledgement means memory (--data DIR keeps them)",
        ),
        Notice::FirstDevice => {}
        Notice::UnmatchedTopic { topic } => {
            notices.warning(&subject, format!("no rule matches MQTT topic {topic}; its messages are dropped"));
        }
        Notice::Undelivered { client, error } => {
            notices.warning(
                &subject,
                format!("messages of device {client} could not be delivered, it is to send again: {error}"),
            );
        }
        Notice::Refused { client, error } => {
            notices.warning(&subject, format!("a message of device {client} was dropped: {error}"));
        }
    });
    let listener = MqttListener::start(config, deliver, runtime.handle())?;
    for address in listener.addrs() {
        shared.notices.info(name, format!("listens for MQTT devices on {address}"));
    }
    Ok(RunningConnector { listener, runtime })
}

fn ensure_topic(shared: &Shared, connector: &str, topic: &str) -> Result<()> {
    let wait = Duration::from_secs(10);
    if shared.admin.topic(topic, wait)?.is_some() {
        return Ok(());
    }
    if !shared.is_embedded() {
        return Err(Error::external(format!("topic {topic}, into which connector {connector} writes, does not exist"))
            .hint("Create the topic on the cluster first."));
    }
    shared.admin.create_topic(&NewTopic::new(topic, 1), wait)?;
    shared.notices.info(connector, format!("created topic {topic} with 1 partition"));
    Ok(())
}
