//! DELIMITED: one line of values with a delimiter between them, as in RFC 4180.
//!
//! What is quoted, what is null and how numbers look follows ksqlDB, which uses Apache Commons CSV's default format.

mod decode;
mod encode;

pub(super) use decode::DelimitedDecoder;
pub(super) use encode::DelimitedEncoder;
