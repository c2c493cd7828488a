//! The broker as a whole: how it starts and stops, and what librdkafka makes of it.

mod clients;
mod lifecycle;
mod memory;

use std::time::{Duration, Instant};

use super::{Broker, Config, Storage};

/// A broker in memory.
fn in_memory() -> Broker {
    Broker::start_blocking(Config::default()).expect("a broker in memory starts")
}

/// A broker over a folder.
fn in_dir(dir: &std::path::Path) -> Broker {
    let config = Config { storage: Storage::Dir(dir.to_path_buf()), ..Config::default() };
    Broker::start_blocking(config).expect("a broker over a folder starts")
}

/// Waits until `done` gives something, and fails after twenty seconds.
fn eventually<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::yield_now();
    }
}
