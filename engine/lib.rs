//! Alcedo: an embedded streaming SQL engine for sensor data, with anomaly detection built in.

pub mod config;
pub mod error;
pub mod notice;

pub mod record;
pub mod types;

pub mod anomaly;
pub mod broker;
pub mod formats;
pub mod ingest;
pub mod kafka;

pub mod catalog;
pub mod functions;
pub mod plan;

pub mod operators;
pub mod runtime;
pub mod session;
pub mod sql;
pub mod topology;

pub mod cli;
