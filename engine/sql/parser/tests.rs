//! The parser over whole texts.

mod bounds;
mod errors;
mod grammar;
pub mod oracle;
mod statements;
