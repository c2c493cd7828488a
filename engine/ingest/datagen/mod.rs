//! Readings made up, for trying things out: `'connector.class' = 'datagen'`.
//!
//! The same seed gives the same records, over restarts too: where it was is kept like the position in a file.
//!
//! Reading order: `config` (the `WITH` clause), `sensor` (the model behind `'kind' = 'sensor'`), `source` (records at a
//! rate). `'kind' = 'cars'` are the demo's readings, [`Cars`](super::cars::Cars).

mod config;
mod sensor;
mod source;

use std::sync::Arc;

pub use config::DatagenConfig;

use super::connector::{ConnectorClass, ConnectorPlan, Host, RunningConnector, Target};
use super::properties::Properties;
use super::worker::Worker;
use crate::error::Result;

/// The generator that many ksqlDB examples use.
const CONFLUENT: &str = "io.confluent.kafka.connect.datagen.DatagenConnector";

/// The class of generated readings.
pub struct DatagenClass;

impl ConnectorClass for DatagenClass {
    fn name(&self) -> &'static str {
        "datagen"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &[CONFLUENT]
    }

    fn properties(&self) -> &'static [&'static str] {
        &config::PROPERTIES
    }

    fn about(&self) -> &'static str {
        "makes sensor readings with labelled anomalies, the same ones for a seed, at a rate"
    }

    fn plan(&self, properties: &Properties) -> Result<Box<dyn ConnectorPlan>> {
        Ok(Box::new(DatagenConfig::read(properties)?))
    }
}

impl ConnectorPlan for DatagenConfig {
    fn targets(&self) -> Vec<Target> {
        vec![Target { topic: self.topic.clone(), partitions: self.partitions }]
    }

    fn is_finite(&self) -> bool {
        self.count > 0
    }

    fn start(self: Box<Self>, host: Host) -> Result<Arc<dyn RunningConnector>> {
        let topic = self.topic.clone();
        let source = source::DatagenSource::new(*self, host.name.clone(), host.notices.clone());
        let progress = source.progress();
        Worker::start(host, &topic, source, progress)
    }
}
