//! Alcedo: an embedded streaming SQL engine for sensor data, with anomaly detection built in.
//!
//! It reads Kafka topics and MQTT messages into Arrow batches, runs ksqlDB's SQL over them continuously, scores rows with
//! the vectorized `anomaly` function, and writes Kafka topics back. Without a cluster it starts its own small broker.
//!
//! ```no_run
//! use alcedo::{Engine, Outcome};
//!
//! # fn main() -> alcedo::Result<()> {
//! let engine = Engine::builder().start()?;
//! let mut session = engine.session();
//! session.execute("CREATE STREAM s (id INT, temp DOUBLE) WITH (kafka_topic='t', value_format='JSON', partitions=1);")?;
//! session.execute("INSERT INTO s VALUES (1, 31.5);")?;
//! for outcome in session.execute("SELECT * FROM s EMIT CHANGES LIMIT 1;")? {
//!     let Outcome::Rows(rows) = outcome else { continue };
//!     for batch in rows.batches() {
//!         println!("{:?}", batch?);
//!     }
//! }
//! engine.shutdown(std::time::Duration::from_secs(5))
//! # }
//! ```
//!
//! # The map
//!
//! In reading order; a module uses only those above it (`tests/tidy.rs` keeps it so).
//!
//! | layer | modules |
//! | --- | --- |
//! | 0 | [`error`], [`config`], [`notice`]: what went wrong; settings; what the engine says on its own |
//! | 1 | [`types`]: SQL types, schemas, casts |
//! | 2 | [`record`]: columns of undecoded records, batches of decoded ones |
//! | 3 | [`kafka`] the client, [`broker`] the embedded broker, [`formats`], [`anomaly`] models and scores, [`ingest`] MQTT, files, generated readings |
//! | 4 | [`functions`], [`plan`] what to run, [`catalog`] what there is by name |
//! | 5 | [`sql`] text to plan, [`operators`] state machines over batches |
//! | 6 | [`topology`] one stage on one partition, [`runtime`] threads, positions, commits |
//! | 7 | [`session`] the facade; [`testing`] cases with records in and out |
//! | 8 | [`cli`] |
//!
//! # Life of a record
//!
//! 1. `kafka/reader.rs`: librdkafka hands over a batch; copied column-wise into a [`record::RawBatch`]
//! 2. `runtime/query.rs`, `runtime/ownership.rs`: the query's thread gives it to the task of its partition
//! 3. `topology/input.rs`, `formats/`: bytes to Arrow columns, only those the plan reads; a bad record becomes a report,
//!    and with `ON_ERROR = 'dead_letter'` a record of its own topic (`topology/dead_letter.rs`)
//! 4. `operators/filter.rs`, `operators/project.rs`: expressions over the whole batch; `anomaly(...)` runs here
//! 5. `topology/output.rs`: rows to keys and values
//! 6. `kafka/writer.rs`: into the open transaction
//! 7. `runtime/ownership.rs`: positions into the same transaction, commit
//!
//! Of a join, `topology/join.rs` takes the rows of both topics by their times in step 3, `operators/join/` looks for partners
//! among those it keeps, and the records behind what it keeps go into the query's changelog with step 6.
//!
//! `ARCHITECTURE.md` has the invariants and the reasons.

#![forbid(missing_docs)]

/// Unit tests run with the binary's allocator, which is another one than that of functions in libraries.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod error;
pub mod config;
pub mod notice;

pub mod types;

pub mod record;

pub mod kafka;
pub mod broker;
pub mod formats;
pub mod anomaly;
pub mod ingest;

pub mod functions;
pub mod plan;
pub mod catalog;

pub mod sql;
pub mod operators;

pub mod topology;
pub mod runtime;

pub mod session;
pub mod testing;

pub mod cli;

pub use error::{Code, Error, Kind, Result, Span};
pub use session::{
    CancelHandle, Checked, EndReason, Engine, EngineBuilder, Listing, Note, Outcome, Progress, QueryStats, RowColumn,
    RowEvent, RowStream, ScriptError, Session, SourceText, Storage, Verdict,
};
