//! The parser over whole texts.

pub mod oracle;
