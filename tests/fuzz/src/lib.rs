//! The SQL front end of the engine by itself, compiled from the engine's own sources, for the fuzz targets.

#![allow(dead_code)]

#[path = "../../../engine"]
mod engine {
    pub mod error;
}

pub mod sql;
pub mod types;

pub use engine::error;
