//! Nobody types: statements from `-e`, `-f` or a pipe. No prompt and no hints; the first error ends it.

use std::io::{self, BufRead};

use super::input::Input;
use super::shell::{Flow, Shell};
use crate::cli::args::Given;
use crate::error::{Error, Result};
use crate::session::Including;

/// Carries out what was given on the command line, in its order; gives the exit code.
pub fn given(shell: &mut Shell<'_>, given: &[Given]) -> Result<u8> {
    for part in given {
        let flow = match part {
            Given::Statements(sql) => shell.text("", sql, &Including::nothing()),
            Given::File(path) => shell.file(path)?,
        };
        if let Some(code) = code(flow) {
            return Ok(code);
        }
    }
    Ok(0)
}

/// Carries out what comes on standard input, each statement as soon as it is whole; gives the exit code.
///
/// Places in errors count from the start of the input.
pub fn pipe(shell: &mut Shell<'_>) -> Result<u8> {
    let unreadable = |error: io::Error| Error::external("standard input cannot be read").with_source(error);
    let mut stdin = io::stdin().lock();
    let mut input = Input::default();
    let mut line = String::new();
    loop {
        line.clear();
        let ended = stdin.read_line(&mut line).map_err(unreadable)? == 0;
        input.push(&line);
        let may_end = ended || line.contains([';', '\\']) || super::commands::parse(&line).is_some();
        if !may_end {
            continue;
        }
        let units = input.take(ended);
        let flow = shell.units(units, "", input.text(), &Including::nothing());
        if let Some(code) = code(flow) {
            return Ok(code);
        }
        if ended {
            return Ok(0);
        }
    }
}

/// The exit code, when nothing is to follow.
fn code(flow: Flow) -> Option<u8> {
    match flow {
        Flow::Next => None,
        Flow::Leave | Flow::Stopped => Some(0),
        Flow::Failed(code) => Some(code),
    }
}
