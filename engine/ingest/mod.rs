//! ingest: see ARCHITECTURE.md.

pub mod cars;
