//! Text to plan; starts nothing.
//!
//! - [`ast`]: statements as data
//! - [`bind`]: names and types: what each expression, column and property means
//! - [`kernels`]: the operators of the dialect that DataFusion's own do not compute as ksqlDB does
//! - [`planner`]: a bound statement becomes a plan, or a change of the catalog

pub mod ast;
pub mod bind;
pub mod kernels;
pub mod planner;
