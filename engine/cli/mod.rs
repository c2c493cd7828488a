//! The terminal: arguments as typed, and one file per command.
//!
//! Rows go to standard output, everything else to standard error. Exit codes: 0 done or stopped by a signal,
//! 1 an error in the SQL, 2 usage, 3 runtime or connection, 130 a second interrupt.

pub mod args;
pub mod print;
pub mod style;
