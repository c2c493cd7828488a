//! Ways in beside Kafka: each takes readings from somewhere and hands them over as records of a topic.
//!
//! An edge never writes to a topic itself. It gives a record and a receipt to a [`Deliver`], and tells its own side
//! (a device, a file position) that a reading is safe only when the receipt comes back. That one rule is why nothing
//! a device was told is kept can be lost, whichever edge it came through.
//!
//! Reading order: [`deliver`] is the contract with Kafka, [`to_kafka`] fulfils it; [`connector`] is the contract with the
//! statements, [`properties`] what a statement says; [`worker`] runs a source in a thread of its own, with [`control`] and
//! [`positions`]; [`file`](mod@file) reads files that way, [`datagen`] makes readings; [`mqtt`] is the listener for devices and a small client; [`cars`] makes the
//! demo's readings.

pub mod deliver;
pub mod to_kafka;

pub mod connector;
pub mod properties;

pub mod control;
pub mod positions;
pub mod worker;

pub mod cars;
pub mod datagen;
pub mod file;
pub mod mqtt;

pub use deliver::{Deliver, Handover, Headers, IngestRecord, Receipt};
