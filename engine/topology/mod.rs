//! The sans-IO core: what a query does to the records of one partition.
//!
//! A [`Task`] is one stage of a query on one partition: a synchronous, deterministic state machine. Raw records in, raw
//! records (or rows) out; no clock, no thread, no socket. The Kafka runtime, tests and the test driver run the same task.

mod report;

pub use report::Report;
