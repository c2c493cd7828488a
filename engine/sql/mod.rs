//! Text to plan; starts nothing.

pub mod ast;
