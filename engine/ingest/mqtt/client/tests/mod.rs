//! The client's rules, each told by a test.
//!
//! `protocol` runs the state machine alone, with times of its choosing; `brokers` runs the whole client against a broker
//! that is only a socket. What a real broker does is in `tests/mqtt`.

mod brokers;
mod protocol;

use super::config::{ClientConfig, Server};
use crate::ingest::mqtt::rules::{Pattern, Rules, TopicRule};

/// Everything under `car/` into topic `cars`, with the client id `me`.
fn config(port: u16) -> ClientConfig {
    let server = Server { host: "127.0.0.1".to_string(), port, tls: false };
    let rule = TopicRule { topic: "cars".into(), pattern: Pattern::Any };
    let rules = Rules { topics: vec![rule], ..Default::default() };
    ClientConfig::new(vec![server], vec!["car/#".to_string()], rules, "me")
}
