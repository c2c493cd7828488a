//! The shell: read, execute, print. Ctrl-C stops a running query and not the shell.

mod history;
mod prompt;
mod validate;
mod words;

use std::io::{self, Write};

use reedline::{FileBackedHistory, Reedline, Signal};

use super::args::OutputFormat;
use super::print;
use super::rows::{self, End};
use super::signals::Interrupts;
use super::style::Paint;
use crate::error::{Error, Result};
use crate::session::{Outcome, Session};
use crate::sql::diagnostic;
use words::Word;

/// How many statements the history keeps.
const HISTORY_ENTRIES: usize = 10_000;

/// Reads statements from the terminal until the user leaves.
pub fn run(session: &mut Session, format: OutputFormat, interrupts: &Interrupts) -> Result<()> {
    let mut editor = Reedline::create().with_validator(Box::new(validate::StatementValidator));
    if let Some(path) = history::path()
        && let Ok(history) = FileBackedHistory::with_file(HISTORY_ENTRIES, path)
    {
        editor = editor.with_history(Box::new(history));
    }
    let prompt = prompt::ShellPrompt;
    loop {
        match editor.read_line(&prompt) {
            Ok(Signal::Success(text)) => {
                interrupts.take();
                if !handle(session, &text, format, interrupts)? {
                    return Ok(());
                }
            }
            // Ctrl-C at the prompt throws the line away, as in psql.
            Ok(Signal::CtrlC) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(Error::external("the terminal cannot be read").with_source(error)),
        }
    }
}

/// Executes what was typed; false means leave.
fn handle(session: &mut Session, text: &str, format: OutputFormat, interrupts: &Interrupts) -> Result<bool> {
    match words::parse(text) {
        Some(Word::Exit) => return Ok(false),
        Some(Word::Help) => {
            println!("{}", words::HELP);
            return Ok(true);
        }
        Some(Word::Clear) => {
            print!("\x1b[2J\x1b[H");
            let _ = io::stdout().flush();
            return Ok(true);
        }
        Some(Word::Version) => {
            println!("alcedo {}", env!("CARGO_PKG_VERSION"));
            return Ok(true);
        }
        None => {}
    }
    if text.trim().is_empty() {
        return Ok(true);
    }
    match session.execute(text) {
        Ok(outcomes) => {
            for outcome in outcomes {
                if let Err(error) = show(outcome, format, interrupts) {
                    eprintln!("{}", diagnostic::render(&error, text, "", Paint::stderr().has_colours()));
                }
            }
        }
        Err(error) => eprintln!("{}", diagnostic::render(&error, text, "", Paint::stderr().has_colours())),
    }
    Ok(true)
}

/// Prints one outcome; rows until they end or the user interrupts.
pub fn show(outcome: Outcome, format: OutputFormat, interrupts: &Interrupts) -> Result<()> {
    let paint = Paint::stdout();
    let written = match outcome {
        Outcome::Done(text) => writeln!(io::stdout(), "{text}"),
        Outcome::Text(text) => writeln!(io::stdout(), "{}", text.trim_end()),
        Outcome::Listing(listing) => print::listing(&mut io::stdout().lock(), &listing, format, paint),
        Outcome::Rows(stream) => {
            eprintln!("{}", Paint::stderr().faint("rows follow as they come; Ctrl-C stops the query"));
            match rows::drive(vec![stream], io::stdout(), format, paint, interrupts)? {
                End::Done => {}
                End::Interrupted | End::OutputClosed => {
                    interrupts.take();
                    eprintln!("{}", Paint::stderr().faint("query stopped"));
                }
            }
            Ok(())
        }
    };
    written.map_err(|error| Error::external("the output cannot be written").detail(error.to_string()))
}
