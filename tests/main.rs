//! The one test binary: modules in reading order.

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// Runs the binary in a folder of its own.
mod harness;

/// The binary as its users see it.
mod cli;

/// What a Kafka broker must do, asked of the embedded one and of Apache Kafka alike.
mod conformance;

/// A persistent query that is killed again and again loses nothing and repeats nothing.
mod kill;

/// What a failing broker does to the engine: nothing that its promises exclude.
mod faults;

/// The MQTT client against a broker that others made.
mod mqtt;

/// What is understood and not built yet.
mod refusals;

/// The engine inside a program.
mod library;

/// The demo, as a newcomer runs it.
mod demo;

/// ksqlDB's query tests, where they are at hand.
mod oracle;

/// Every code block of the README is run, and the examples with them.
mod readme;

/// A batch of ten times the rows costs no more allocations.
mod allocations;

/// The source checks itself.
mod tidy;
