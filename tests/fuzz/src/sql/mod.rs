//! The modules of `engine/sql/` that need nothing but each other.

#[path = "../../../../engine/sql/ast/mod.rs"]
pub mod ast;
#[path = "../../../../engine/sql/diagnostic.rs"]
pub mod diagnostic;
#[path = "../../../../engine/sql/format/mod.rs"]
pub mod format;
#[path = "../../../../engine/sql/keywords.rs"]
pub mod keywords;
#[path = "../../../../engine/sql/lexemes.rs"]
pub mod lexemes;
#[path = "../../../../engine/sql/parser/mod.rs"]
pub mod parser;
#[path = "../../../../engine/sql/print/mod.rs"]
pub mod print;
#[path = "../../../../engine/sql/tests/properties.rs"]
pub mod properties;
#[path = "../../../../engine/sql/regions.rs"]
mod regions;
#[path = "../../../../engine/sql/split.rs"]
pub mod split;
#[path = "../../../../engine/sql/tokens.rs"]
pub mod tokens;
#[path = "../../../../engine/sql/variables.rs"]
pub mod variables;

pub use parser::{parse_expression, parse_statement, parse_statements};
pub use print::strip_spans;
