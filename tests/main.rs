//! The one test binary: modules in reading order.

/// The source checks itself.
mod tidy;
