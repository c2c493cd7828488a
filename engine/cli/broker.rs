//! `alcedo broker`: the embedded broker alone.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use super::args::{BrokerArgs, MEMORY_TOPICS_BYTES};
use super::print::visible;
use super::signals::Interrupts;
use crate::broker::{Broker, Config, Storage};
use crate::error::Result;

/// Runs the broker until a signal; prints its address on standard output when it is ready.
pub fn command(args: &BrokerArgs) -> Result<u8> {
    let interrupts = Interrupts::listen(|| std::process::exit(130))?;
    let storage = match &args.data {
        Some(folder) => Storage::Dir(folder.clone()),
        None => Storage::Memory { max_bytes: Some(args.memory_topics.unwrap_or(MEMORY_TOPICS_BYTES)) },
    };
    let config = Config {
        listen: args.listen,
        storage,
        allow_non_loopback: args.allow_remote,
        warn: Some(Arc::new(|text: &str| eprintln!("warning: {}", visible(text)))),
        ..Config::default()
    };
    let broker = Broker::start_blocking(config)?;
    let place = match &args.data {
        Some(folder) => format!("topics in {}", folder.display()),
        None => "topics in memory".to_string(),
    };
    // Whoever started us may have stopped listening; that is no reason to end.
    let _ = writeln!(std::io::stdout(), "broker listens on {} ({place}); Ctrl-C stops it", broker.addr());
    let _ = std::io::stdout().flush();
    while !interrupts.wait(Duration::from_secs(3600)) {}
    broker.shutdown_blocking();
    Ok(0)
}
