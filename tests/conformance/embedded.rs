//! The embedded broker, alone in a process of its own: `alcedo broker`.

use std::process::Command;
use std::time::Duration;

use super::handle::{BrokerHandle, Process, free_ports};

/// `alcedo broker` over a data folder of its own.
pub struct EmbeddedBroker {
    data: tempfile::TempDir,
    port: u16,
    process: Option<Process>,
}

impl EmbeddedBroker {
    /// A broker that is not started yet, over an empty data folder and on a free port.
    pub fn new() -> Result<EmbeddedBroker, String> {
        let data = tempfile::tempdir().map_err(|e| format!("cannot create a data folder: {e}"))?;
        Ok(EmbeddedBroker { data, port: free_ports(1), process: None })
    }
}

impl BrokerHandle for EmbeddedBroker {
    fn name(&self) -> &'static str {
        "embedded broker"
    }

    fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn start(&mut self) -> Result<(), String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alcedo"));
        command.arg("broker").arg("--data").arg(self.data.path()).arg("--listen").arg(self.bootstrap());
        self.process = Some(Process::start(command, &self.bootstrap(), Duration::from_secs(10))?);
        Ok(())
    }

    fn kill(&mut self) -> Result<(), String> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    fn stop(&mut self) -> Result<(), String> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let status = process.stop(Duration::from_secs(10))?;
        if status.success() { Ok(()) } else { Err(format!("SIGTERM ended it with {status}")) }
    }

    fn last_words(&self) -> String {
        self.process.as_ref().map(Process::last_words).unwrap_or_default()
    }
}
