//! The only place that spawns: threads that move records between Kafka and tasks.

pub mod reports;
pub mod status;
