//! The listener's rules, each told by a test.
//!
//! `protocol` runs the state machine alone, with times of its choosing. `devices` talks to a real listener over TCP with
//! sockets of its own, byte by byte; `clients` with the client that users have. `bytes` throws anything at it.

pub(super) mod fake;

mod access;
mod bytes;
mod clients;
mod devices;
mod protocol;
