//! The shell: read, execute, print. Ctrl-C stops a running query and not the shell; twice, it leaves.
//!
//! - [`commands`]: the commands that are no SQL, in one table; [`help`]: what can be typed
//! - [`input`]: a text cut into statements and commands
//! - [`shell`]: carries them out; [`act`]: one arm a command; [`edit`]: the user's editor
//! - [`console`]: where results go
//! - [`batch`]: nobody types: `-e`, `-f`, a pipe
//! - [`editor`]: the line editor, of [`typed`], [`prompt`], [`validate`], [`highlight`], [`complete`], [`hint`]
//! - [`history`]: what was typed, without its [`secrets`]

mod act;
mod batch;
mod commands;
mod complete;
mod console;
mod edit;
mod editor;
mod help;
mod highlight;
mod hint;
mod history;
mod input;
mod prompt;
mod secrets;
mod shell;
mod typed;
mod validate;

pub use shell::write_outcome;

use std::io::{IsTerminal, Write};

use reedline::{EditCommand, ExternalPrinter, Signal};

use super::args::ReplArgs;
use super::notices::{Desk, whisper};
use super::print::Display;
use super::signals::Interrupts;
use super::style::Paint;
use super::{SHUTDOWN_PATIENCE, setup};
use crate::error::{Error, Result};
use crate::session::{Engine, Including, Session, Storage};
use complete::SessionNames;
use history::ShellHistory;
use prompt::ShellPrompt;
use shell::{Flow, Shell};
use typed::Typed;

/// `alcedo repl`.
pub fn command(args: &ReplArgs) -> Result<u8> {
    let interrupts = Interrupts::listen(|| std::process::exit(130))?;
    let desk = Desk::default();
    let engine = setup::builder(&args.session)?.notices(desk.notices()).start()?;
    let mut session = engine.session();
    setup::define(&mut session, &args.session)?;
    let restored = session.restore();
    whisper(concat!("alcedo ", env!("CARGO_PKG_VERSION")), &format!("  {}", setup::where_topics_live(&engine)));
    if restored > 0 {
        whisper("", &format!("{restored} statements of earlier sessions are back"));
    }
    let (given, display) = (&args.given.0, args.output.display());
    let code = if !given.is_empty() {
        batch::given(&mut Shell::new(&mut session, display, &interrupts), given)?
    } else if std::io::stdin().is_terminal() {
        whisper("", "statements end with `;`, `help` lists what can be typed, Tab completes");
        run(&mut session, display, &interrupts, &desk)?;
        0
    } else {
        from_pipe(&mut session, display, &interrupts)?
    };
    leave(&engine)?;
    Ok(code)
}

/// Says which persistent queries and connectors stop with the shell, and stops them with a commit.
pub fn leave(engine: &Engine) -> Result<()> {
    if let Some(running) = setup::what_runs(engine) {
        let keeps = match engine.storage() {
            Storage::Cluster(address) => {
                format!("`alcedo run FILE -b {address}` with their statements keeps them running")
            }
            Storage::Folder(folder) => format!("`alcedo repl --data {}` brings them back", folder.display()),
            Storage::Memory(_) => "`alcedo run FILE` with their statements keeps them running".to_string(),
        };
        // The terminal may be gone.
        let _ = writeln!(std::io::stderr(), "stopping {running}; {keeps}");
    }
    engine.shutdown(SHUTDOWN_PATIENCE)
}

/// Statements from a pipe: no prompt, and the first error ends it.
pub fn from_pipe(session: &mut Session, display: Display, interrupts: &Interrupts) -> Result<u8> {
    batch::pipe(&mut Shell::new(session, display, interrupts))
}

/// Reads statements from the terminal until the user leaves; what `desk` is told meanwhile stands above the line.
pub fn run(session: &mut Session, display: Display, interrupts: &Interrupts, desk: &Desk) -> Result<()> {
    let names = SessionNames::new(session);
    let typed = Typed::default();
    let (history, warning) = ShellHistory::open();
    let engine = session.engine().clone();
    let before = rustix::termios::tcgetattr(std::io::stdin()).ok();
    interrupts.at_end(move |signal| {
        // The editor has the terminal in a mode of its own.
        if let Some(before) = before {
            let _ = rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, &before);
        }
        let _ = leave(&engine);
        std::process::exit(128 + signal);
    });
    let mut shell = Shell::new(session, display, interrupts);
    shell.interactive = true;
    if let Some(warning) = warning {
        shell.console.say(&format!("warning: {warning}"));
    }
    let above = ExternalPrinter::default();
    let to_editor = above.sender();
    let mut editor = editor::editor(&names, history.clone(), &typed, Paint::stdout().has_colours());
    editor = editor.with_external_printer(above);
    let prompt = ShellPrompt::new(typed.clone());
    shell.history = Some(history);
    shell.names = Some(names);
    // Whether another Ctrl-C leaves.
    let mut leaving = false;
    loop {
        desk.typing(Some(to_editor.clone()));
        let read = editor.read_line(&prompt);
        desk.typing(None);
        match read {
            Ok(Signal::Success(text)) => {
                interrupts.take();
                let flow = shell.text("", &text, &Including::nothing());
                interrupts.take();
                leaving = flow == Flow::Stopped;
                if flow == Flow::Leave {
                    return Ok(());
                }
            }
            // On a line with something on it Ctrl-C throws that away, as in psql.
            Ok(Signal::CtrlC) if typed.is_blank() && leaving => return Ok(()),
            Ok(Signal::CtrlC) => {
                leaving = typed.is_blank();
                if leaving {
                    shell.console.whisper("Ctrl-C again, or Ctrl-D, leaves");
                }
            }
            Ok(Signal::HostCommand(what)) if what == editor::EDIT_LINE => {
                let line = editor.current_buffer_contents().to_string();
                match edit::edit(&line, interrupts) {
                    Ok(Some(text)) => {
                        let text = text.trim_end().to_string();
                        editor.run_edit_commands(&[EditCommand::Clear, EditCommand::InsertString(text)]);
                    }
                    Ok(None) => {}
                    Err(error) => shell.console.complain(shell.format, &error, "", ""),
                }
            }
            Ok(_) => return Ok(()),
            Err(error) => return Err(Error::external("the terminal cannot be read").with_source(error)),
        }
    }
}
