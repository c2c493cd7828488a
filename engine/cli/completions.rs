//! `alcedo completions bash|zsh|fish`: a script for standard output.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::args::{Arguments, CompletedShell, CompletionsArgs};
use crate::error::{Error, Result};

/// Writes the script.
pub fn command(args: &CompletionsArgs) -> Result<u8> {
    let shell = match args.shell {
        CompletedShell::Bash => Shell::Bash,
        CompletedShell::Zsh => Shell::Zsh,
        CompletedShell::Fish => Shell::Fish,
    };
    // The generator panics when it cannot write; a vector always takes it.
    let mut script = Vec::new();
    generate(shell, &mut Arguments::command(), "alcedo", &mut script);
    let mut out = std::io::stdout();
    match out.write_all(&script).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::external("the script cannot be written").detail(error.to_string()))
        }
        _ => Ok(0),
    }
}
