//! The parser over whole texts.

mod oracle;
