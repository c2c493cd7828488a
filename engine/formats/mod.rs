//! Record bytes to Arrow columns and back.
//!
//! [`Format`] says which schemas a format can hold; a [`Decoder`] turns a column of keys or values into one Arrow
//! array for each column a query reads, an [`Encoder`] does the reverse. Both work on whole batches, keep their buffers,
//! and are bound to one schema, so that everything that depends on types is decided once.
//!
//! A record that cannot be read is null in all columns and one [`Failure`]; it never touches its neighbours, and
//! nothing in its bytes can make a decoder panic. Bytes beyond the first JSON document or the first line are ignored,
//! and of columns that are not asked for only the structure is read, so a value that is wrong in one of those goes
//! unnoticed: that is what makes reading three of two hundred columns cheap. What a column holds depends neither on which
//! others are asked for nor on how the records are cut into batches.
//!
//! Above this module a record has rows and columns; below it, in `record`, it has bytes.

mod cell;
mod decoder;
mod delimited;
mod encoder;
mod failure;
mod format;
mod json;
mod kafka;
mod leaf;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use failure::Failure;
pub use format::{Format, FormatOptions};

#[cfg(test)]
mod tests;
