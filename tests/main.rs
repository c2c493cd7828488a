//! The one test binary: modules in reading order.

/// What a Kafka broker must do, asked of the embedded one and of Apache Kafka alike.
mod conformance;

/// The source checks itself.
mod tidy;
