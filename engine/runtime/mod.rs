//! The only place that spawns: threads that move records between Kafka and tasks.
//!
//! - [`start`]: where a query starts, as numbers
//! - [`query`]: a persistent query, a thread from its start to its last commit
//! - [`ownership`]: what a process holds of it: partitions, tasks, one transaction a commit
//! - [`catch_up`]: whether what goes through a topic of its own has come through
//! - [`push`]: a push query: rows to whoever asked, no group, nothing left behind
//! - [`status`]: what running queries tell and can be told ([`rate`]: how fast); [`reports`]: bad records, told briefly;
//!   [`processing_log`]: the same as records of a topic
//! - [`watch`]: says when the cluster is lost and when it is back

pub mod catch_up;
pub mod ownership;
pub mod processing_log;
pub mod push;
pub mod rate;
pub mod query;
pub mod reports;
pub mod start;
pub mod status;
pub mod watch;
