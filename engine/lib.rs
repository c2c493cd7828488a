//! Alcedo: an embedded streaming SQL engine for sensor data, with anomaly detection built in.

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

pub mod cli;
