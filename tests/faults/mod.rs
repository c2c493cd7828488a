//! What a failing broker does to the engine, by the fault hooks of the embedded one: requests are refused, delayed or cut
//! before or after they take effect, markers are held back, and the promises hold all the same.
//!
//! `hooks` tests the hooks themselves, `coordinator` is one client and one fault, `sweep` every request of a running query in turn, `markers` a commit whose
//! markers are late, `clock` what expires, on a clock that the tests move.

mod clock;
mod coordinator;
mod hooks;
mod markers;
mod query;
mod sweep;
