//! Kafka's framing over TCP: one task per connection, requests in order, answers in order.
//!
//! [`versions`] is what the broker says it speaks, [`shape`] checks what is claimed to have come, [`connection`] reads
//! frames and writes answers, [`answer`] is an answer as parts, so that record batches go from the log to the socket
//! without another copy.

pub mod answer;
pub mod connection;
pub mod shape;
pub mod versions;
