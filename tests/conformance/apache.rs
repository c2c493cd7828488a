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
    properties: String,
    process: Option<Process>,
}

impl ApacheKafka {
    /// A node that is not started yet, over an empty data folder and on free ports.
    pub fn new(jars: &Path) -> Result<ApacheKafka, String> {
        let data = tempfile::tempdir().map_err(|e| format!("cannot create a data folder: {e}"))?;
        Ok(ApacheKafka { jars: jars.to_owned(), data, port: free_ports(2), properties: String::new(), process: None })
    }

    /// Adds lines to the node's properties; before its start.
    pub fn with_properties(mut self, lines: &str) -> ApacheKafka {
        self.properties = lines.to_owned();
        self
    }

    /// Runs one of Kafka's command line tools.
    pub fn tool(&self, name: &str, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/kafka.sh"));
        command.arg("tool").arg(name).args(arguments).env("ALCEDO_TEST_KAFKA", &self.jars);
        let output = command.output().map_err(|error| format!("{name}: {error}"))?;
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Ok(said) } else { Err(format!("{name}: {said}")) }
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
        command.env("KAFKA_PROPERTIES", &self.properties);
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

    fn notes_the_start_at_once(&self) -> bool {
        false
    }

    fn last_words(&self) -> String {
        self.process.as_ref().map(Process::last_words).unwrap_or_default()
    }
}
