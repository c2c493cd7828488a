//! Text to plan; starts nothing.
//!
//! In the order a statement passes through: [`split`] cuts a file or a line of the shell into statements, [`variables`]
//! fills in `${name}` and `${env:NAME}`, [`tokens`] and [`parser`] make an [`ast`] of it. [`print`] is the way back, in
//! canonical form. [`diagnostic`] shows any error over the text it points into. Nothing here knows a catalog; names are
//! only names until they are bound.

pub mod ast;
pub mod diagnostic;
mod keywords;
pub mod parser;
pub mod print;
pub mod split;
pub mod tokens;
pub mod variables;

pub use parser::{parse_expression, parse_statement, parse_statements};
pub use print::strip_spans;
