//! JSON, RFC 8259, straight from bytes to columns and back: one pass, no document tree.
//!
//! `cursor` knows the syntax, `columns` the shape of the schema, `fields` which field of an object belongs to which
//! column; `decode` brings them together. `text` renders any JSON value as text for STRING columns. `encode` writes.
//!
//! Reading is as forgiving as ksqlDB is: numbers may be quoted, text columns take any value, names match without regard
//! to case. What is skipped is walked token by token, so a record that is cut short or has unbalanced brackets is
//! refused wherever that happens, while numbers and escapes in skipped values are not checked in detail.

mod columns;
mod cursor;
mod decode;
mod encode;
mod fields;
mod text;

pub(super) use decode::JsonDecoder;
pub(super) use encode::JsonEncoder;
#[cfg(test)]
pub(super) use text::escape;

/// How deep arrays and objects may be nested in a record.
const MAX_DEPTH: usize = 256;
