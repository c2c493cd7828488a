//! Tests of SQL: cases with statements, records that go in and records that must come out.
//!
//! They run through the same planner and the same sans-IO task as a query on a cluster, without a broker, a thread or a
//! clock, so thousands of cases take seconds. `alcedo test` is the front end.
//!
//! - [`case`]: the cases of a file, in the format of ksqlDB's query tests
//! - [`script`]: those of an SQL file, with `ASSERT` statements
//! - [`driver`]: statements in, plans kept, records through the tasks
//! - [`running`]: a query of it
//! - [`records`]: the records of a case to bytes and back, as the formats of their topics say
//! - [`compare`]: what was expected against what came
//! - [`reason`]: whether a refusal is the one expected
//! - [`suite`]: one case from start to verdict
//! - [`report`]: a verdict for people and for programs

pub mod case;
pub mod compare;
pub mod driver;
pub mod reason;
pub mod records;
pub mod report;
pub mod running;
pub mod script;
pub mod suite;

pub use case::{Case, read_file};
pub use driver::Mode;
pub use suite::{Kind, Outcome, Verdict, run};
