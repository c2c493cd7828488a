//! Files in: `'connector.class' = 'file'`, lines of CSV, NDJSON or plain text files as records of a topic.
//!
//! Each line is in its topic exactly once, whatever dies in between: its position is in the transaction of its record.
//!
//! Reading order: `config` (the `WITH` clause), `cut` (bytes to lines), `csv` and `ndjson` (a line to a record),
//! `place` (how far a file was read, and whether it is still the same), `list` (which files), `source` (the thread's
//! side), `report` (what is said of bad lines).

mod config;
mod csv;
mod cut;
mod list;
mod ndjson;
mod place;
mod report;
mod source;

use std::sync::Arc;

pub use config::FileConfig;

use super::connector::{ConnectorClass, ConnectorPlan, Host, RunningConnector, Target};
use super::properties::Properties;
use super::worker::Worker;
use crate::error::Result;

/// Kafka Connect's own file source, whose property names are taken too.
const FILE_STREAM_SOURCE: &str = "org.apache.kafka.connect.file.FileStreamSourceConnector";

/// The class of files.
pub struct FileClass;

impl ConnectorClass for FileClass {
    fn name(&self) -> &'static str {
        "file"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &[FILE_STREAM_SOURCE]
    }

    fn properties(&self) -> &'static [&'static str] {
        &config::PROPERTIES
    }

    fn about(&self) -> &'static str {
        "reads lines of CSV, NDJSON or text files, once each, to their end or following them"
    }

    fn plan(&self, properties: &Properties) -> Result<Box<dyn ConnectorPlan>> {
        Ok(Box::new(FileConfig::read(properties)?))
    }
}

impl ConnectorPlan for FileConfig {
    fn targets(&self) -> Vec<Target> {
        vec![Target { topic: self.topic.clone(), partitions: self.partitions }]
    }

    fn is_finite(&self) -> bool {
        !self.follow
    }

    fn probe(&self, properties: &Properties) -> Result<()> {
        list::probe(&self.file).map_err(|error| properties.at_value("file", error))?;
        source::probe_columns(self, properties)
    }

    fn start(self: Box<Self>, host: Host) -> Result<Arc<dyn RunningConnector>> {
        let topic = self.topic.clone();
        let source = source::FileSource::new(*self, host.name.clone(), host.notices.clone());
        let progress = source.progress();
        Worker::start(host, &topic, source, progress)
    }
}
