//! Apache Kafka as the broker: the source of truth for every check.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::handle::{BrokerHandle, Process, free_ports};

/// One Kafka node, run by `tests/scripts/kafka.sh` from the jars in `ALCEDO_TEST_KAFKA`.
pub struct ApacheKafka {
    jars: PathBuf,
    data: tempfile::TempDir,
    port: u16,
    process: Option<Process>,
}

impl ApacheKafka {
    /// A node that is not started yet, over an empty data folder and on free ports.
    pub fn new(jars: &Path) -> Result<ApacheKafka, String> {
        let data = tempfile::tempdir().map_err(|e| format!("cannot create a data folder: {e}"))?;
        Ok(ApacheKafka { jars: jars.to_owned(), data, port: free_ports(2), process: None })
    }
}

impl BrokerHandle for ApacheKafka {
    fn name(&self) -> &'static str {
        "Apache Kafka"
    }

    fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn start(&mut self) -> Result<(), String> {
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/kafka.sh"));
        command.arg("run").arg(self.port.to_string()).arg(self.data.path()).env("ALCEDO_TEST_KAFKA", &self.jars);
        self.process = Some(Process::start(command, "Kafka Server started", Duration::from_secs(60))?);
        Ok(())
    }

    fn kill(&mut self) -> Result<(), String> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    fn stop(&mut self) -> Result<(), String> {
        self.process.take().map_or(Ok(()), |mut process| process.stop(Duration::from_secs(20)).map(drop))
    }

    fn keeps_the_whole_window(&self) -> bool {
        false
    }

    fn last_words(&self) -> String {
        self.process.as_ref().map(Process::last_words).unwrap_or_default()
    }
}
