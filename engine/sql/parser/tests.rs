//! The parser over whole texts.

mod bounds;
mod errors;
pub mod oracle;
mod statements;
