//! The one test binary: modules in reading order.

mod conformance;
