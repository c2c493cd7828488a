//! The terminal: arguments as typed, and one file per command.
//!
//! Rows go to standard output, everything else to standard error. Exit codes: 0 done or stopped by a signal,
//! 1 an error in the SQL (of a check also what is not supported yet), 2 usage, 3 runtime or connection, 130 a second
//! interrupt.

pub mod args;
mod bottom;
mod broker;
mod check;
mod completions;
mod demo;
mod fmt;
mod notices;
pub mod print;
mod repl;
mod rows;
mod run;
mod setup;
mod signals;
pub mod style;
mod test;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use print::OutputMode;
use style::Paint;

use crate::error::Error;
use crate::sql::diagnostic;

/// How long everything may take to end.
pub(crate) const SHUTDOWN_PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = match &arguments.command {
        None => arguments.repl.output.format,
        Some(Command::Repl(args)) => args.output.format,
        Some(Command::Run(args)) => args.output.format,
        _ => OutputMode::Table,
    };
    let done = match arguments.command {
        None => repl::command(&arguments.repl),
        Some(Command::Repl(args)) => repl::command(&args),
        Some(Command::Run(args)) => run::command(&args),
        Some(Command::Demo(args)) => demo::command(&args),
        Some(Command::Broker(args)) => broker::command(&args),
        Some(Command::Test(args)) => test::command(&args),
        Some(Command::Check(args)) => check::command(&args),
        Some(Command::Fmt(args)) => fmt::command(&args),
        Some(Command::Completions(args)) => completions::command(&args),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            complain(output, &error, "", "");
            ExitCode::from(error.exit_code())
        }
    }
}

/// Shows an error on standard error, over its text when it has a place in one; as a line of JSON where rows are that.
fn complain(output: OutputMode, error: &Error, text: &str, name: &str) {
    eprintln!("{}", complaint(output, error, text, name));
}

/// An error as it is shown.
fn complaint(output: OutputMode, error: &Error, text: &str, name: &str) -> String {
    match output {
        OutputMode::Json => print::json::error_line(error, text, name),
        _ => {
            let coloured = Paint::stderr().has_colours();
            diagnostic::render_within(error, text, name, coloured, bottom::stderr_columns())
        }
    }
}
