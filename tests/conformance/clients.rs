//! Clients that we did not write: `tests/scripts/clients.sh` with kcat and Kafka's console tools.

use std::process::Command;

use super::client::{Outcome, Step, ensure};
use super::handle::BrokerHandle;

/// Topics, records, groups, offsets and settings through the Java client, every compression through an older librdkafka.
pub fn kcat_and_the_console_tools(broker: &mut dyn BrokerHandle) -> Outcome {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/clients.sh");
    let output = Command::new(script).arg(broker.bootstrap()).output().step(script)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
