//! The shell: read, execute, print. Ctrl-C stops a running query and not the shell.

mod history;
mod prompt;
mod validate;
mod words;

use std::io::{self, IsTerminal, Write};

use reedline::{FileBackedHistory, Reedline, Signal};

use super::args::{OutputFormat, ReplArgs};
use super::rows::{self, End};
use super::signals::Interrupts;
use super::style::Paint;
use super::{SHUTDOWN_PATIENCE, complain, print, setup};
use crate::error::{Error, Result, Span};
use crate::session::{Engine, Outcome, Session, Storage};
use crate::sql::split::split;
use words::Word;

/// How many statements the history keeps.
const HISTORY_ENTRIES: usize = 10_000;

/// `alcedo repl`.
pub fn command(args: &ReplArgs) -> Result<u8> {
    let interrupts = Interrupts::listen(|| std::process::exit(130))?;
    let engine = setup::builder(&args.session)?.start()?;
    let mut session = engine.session();
    setup::define(&mut session, &args.session)?;
    let restored = session.restore();
    let paint = Paint::stderr();
    eprintln!("alcedo {}  {}", env!("CARGO_PKG_VERSION"), paint.faint(&setup::where_topics_live(&engine)));
    if restored > 0 {
        eprintln!("{}", paint.faint(&format!("{restored} statements of earlier sessions are back")));
    }
    let code = if std::io::stdin().is_terminal() {
        eprintln!("{}", paint.faint("statements end with `;`, `help` lists what can be typed"));
        run(&mut session, args.output, &interrupts)?;
        0
    } else {
        from_pipe(&mut session, args.output, &interrupts)?
    };
    leave(&engine)?;
    Ok(code)
}

/// Says which persistent queries stop with the shell, and stops them with a commit.
pub fn leave(engine: &Engine) -> Result<()> {
    let running = engine.running_queries();
    if !running.is_empty() {
        let keeps = match engine.storage() {
            Storage::Cluster(address) => {
                format!("`alcedo run FILE -b {address}` with their statements keeps them running")
            }
            Storage::Folder(folder) => format!("`alcedo repl --data {}` brings them back", folder.display()),
            Storage::Memory(_) => "`alcedo run FILE` with their statements keeps them running".to_string(),
        };
        eprintln!("stopping {}; {keeps}", running.join(", "));
    }
    engine.shutdown(SHUTDOWN_PATIENCE)
}

/// Statements from a pipe: no prompt, and the first error ends it.
pub fn from_pipe(session: &mut Session, format: OutputFormat, interrupts: &Interrupts) -> Result<u8> {
    let text = io::read_to_string(io::stdin())
        .map_err(|error| Error::external("standard input cannot be read").with_source(error))?;
    for piece in &split(&text).pieces {
        let outcomes = session.execute(piece.text);
        let shown = outcomes
            .and_then(|outcomes| outcomes.into_iter().try_for_each(|outcome| show(outcome, format, interrupts)));
        if let Err(error) = shown {
            // The place counts from the start of the pipe, as in a file.
            let offset = piece.span.start;
            let error = match error.span() {
                Some(span) => error.at(Span::new(span.start + offset, span.end + offset)),
                None => error,
            };
            complain(&error, &text, "");
            return Ok(error.exit_code());
        }
    }
    Ok(0)
}

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
                    complain(&error, text, "");
                }
            }
        }
        Err(error) => complain(&error, text, ""),
    }
    Ok(true)
}

/// Prints one outcome; rows until they end or the user interrupts.
pub fn show(outcome: Outcome, format: OutputFormat, interrupts: &Interrupts) -> Result<()> {
    match outcome {
        Outcome::Rows(stream) => {
            eprintln!("{}", Paint::stderr().faint("rows follow as they come; Ctrl-C stops the query"));
            match rows::drive(vec![stream], io::stdout(), format, Paint::stdout(), interrupts, &|| Ok(()))? {
                End::Done => {}
                End::Interrupted | End::OutputClosed => {
                    interrupts.take();
                    eprintln!("{}", Paint::stderr().faint("query stopped"));
                }
            }
            Ok(())
        }
        other => write_outcome(other, format),
    }
}

/// Writes an outcome that is no rows. A reader that went away is no error.
pub fn write_outcome(outcome: Outcome, format: OutputFormat) -> Result<()> {
    let paint = Paint::stdout();
    let written = match outcome {
        Outcome::Done(text) => {
            eprintln!("{text}");
            Ok(())
        }
        Outcome::Text(text) => writeln!(io::stdout(), "{}", text.trim_end()),
        Outcome::Listing(listing) => print::listing(&mut io::stdout().lock(), &listing, format, paint),
        Outcome::Rows(_) => Err(io::Error::other("rows are not written at once")),
    };
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::external("the output cannot be written").detail(error.to_string()))
        }
        _ => Ok(()),
    }
}
