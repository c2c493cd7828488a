//! Text to plan; starts nothing.
//!
//! In the order a statement passes through: [`split`] cuts a file or a line of the shell into statements, [`variables`]
//! fills in `${name}` and `${env:NAME}`, [`tokens`] and [`parser`] make an [`ast`] of it; [`prepare`] does these steps
//! for one statement and leads errors back to what was typed. [`print`](mod@print) is the way back, in canonical form, and
//! [`format`](mod@format) lays out what people typed. [`bind`]
//! finds what its names mean and types its expressions, with [`kernels`] for the operators that DataFusion does not
//! compute as ksqlDB does; [`planner`] makes a plan of it, or a change of the catalog. [`diagnostic`] shows any error
//! over the text it points into. A shell has two doors of its own: [`lexemes`] reads what is not finished, and
//! [`parser::next`] says what may come next.

pub mod ast;
pub mod bind;
pub mod diagnostic;
pub mod format;
pub mod kernels;
pub mod keywords;
pub mod lexemes;
pub mod parser;
pub mod planner;
pub mod prepare;
pub mod print;
mod regions;
pub mod split;
pub mod tokens;
pub mod variables;

#[cfg(test)]
mod tests;

pub use parser::{parse_expression, parse_statement, parse_statements};
pub use print::strip_spans;
