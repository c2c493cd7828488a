//! anomaly: see ARCHITECTURE.md.
