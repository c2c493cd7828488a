//! The sans-IO core: what a query does to the records of one partition.
//!
//! A [`Task`] is one stage of a query on one partition: a synchronous, deterministic state machine. Raw records in, raw
//! records (or rows) out; no clock, no thread, no socket. The Kafka runtime, tests and the test driver run the same task.
//!
//! - `input`: bytes to columns, event time, what could not be read
//! - `output`: columns to bytes
//! - `report`, `notes`, `dead_letter`: what is said of a record that cannot be processed, and where it goes
//! - `headers`, `windows`: what records and keys hold besides
//! - `task`: all of it, with the operators in between
//! - `join`, `forward`, `changelog`: the same for two topics whose rows meet, how records get to where they do, and what is
//!   written down of those that are kept
//! - [`tasks`]: all tasks of a query that one process runs

mod changelog;
mod dead_letter;
mod forward;
mod headers;
mod input;
mod join;
mod notes;
mod output;
mod report;
mod task;
pub mod tasks;
#[cfg(test)]
mod tests;
mod windows;

pub use changelog::Changelog;
pub use join::JoinTask;
pub use output::{SingleRecord, encode_row};
pub use report::{Report, Stage};
pub use task::{Take, Task, TaskOutput};
pub use tasks::{OwnTopics, Tasks};
