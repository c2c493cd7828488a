//! Statements and commands carried out one after another, whether they were typed, piped or read from a file.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::complete::SessionNames;
use super::console::Console;
use super::history::ShellHistory;
use super::input::{Input, Unit};
use super::{commands, secrets, validate};
use crate::cli::args::OutputFormat;
use crate::cli::bottom::stdout_columns;
use crate::cli::print::{self, ChartOptions, Display};
use crate::cli::rows::{self, End};
use crate::cli::signals::Interrupts;
use crate::cli::style::Paint;
use crate::error::{Error, Result, Span};
use crate::session::{Including, Outcome, Session, SourceText};
use crate::sql::split::{Piece, split};

/// What comes after a statement or command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The next one.
    Next,
    /// Nothing: the user wants to leave.
    Leave,
    /// The user stopped what was running; what was to follow it is not carried out.
    Stopped,
    /// It failed and was told; the number is the exit code.
    Failed(u8),
}

/// The shell: a session, and how its results are shown.
pub struct Shell<'a> {
    pub(super) session: &'a mut Session,
    pub(super) interrupts: &'a Interrupts,
    pub(super) console: Console,
    pub(super) format: OutputFormat,
    /// What a chart shows, in that format.
    pub(super) chart: ChartOptions,
    pub(super) timing: bool,
    /// Whether somebody types; then hints are given that nobody in a pipe wants.
    pub(super) interactive: bool,
    /// The last statement, for `\e` and `\watch`.
    pub(super) last: Option<String>,
    /// What was typed; only where somebody types.
    pub(super) history: Option<ShellHistory>,
    /// What completion knows; only where somebody types.
    pub(super) names: Option<SessionNames>,
}

impl<'a> Shell<'a> {
    /// A shell in which nobody types.
    pub fn new(session: &'a mut Session, display: Display, interrupts: &'a Interrupts) -> Shell<'a> {
        let asked = interrupts.clone();
        session.hurry_when(move || asked.requested());
        Shell {
            session,
            interrupts,
            console: Console::default(),
            format: display.mode,
            chart: display.chart,
            timing: false,
            interactive: false,
            last: None,
            history: None,
            names: None,
        }
    }

    /// Carries out a whole text. `name` is shown with errors; empty for what was typed.
    pub fn text(&mut self, name: &str, text: &str, including: &Including) -> Flow {
        let mut input = Input::new(text);
        let units = input.take(true);
        self.units(units, name, input.text(), including)
    }

    /// Carries out what was taken from a text, up to the first that does not go well.
    pub fn units(&mut self, units: Vec<Unit>, name: &str, text: &str, including: &Including) -> Flow {
        for unit in units {
            if self.interrupts.requested() {
                return Flow::Stopped;
            }
            let flow = match unit {
                Unit::Statement(span) => self.statement(span, name, text, including),
                Unit::Command { call, span, pending } => {
                    let pending = pending.map(|span| text[span.start..span.end].to_string());
                    let done = call.and_then(|call| self.act(&call, pending, including));
                    // A command is one thing; a place in a statement that it made is of no use.
                    match done.unwrap_or_else(|error| self.failed(error.at(span), text, name)) {
                        // Usage of a command is a mistake in the text, not in the command line of the process.
                        Flow::Failed(2) => Flow::Failed(1),
                        flow => flow,
                    }
                }
            };
            if flow != Flow::Next {
                return flow;
            }
        }
        Flow::Next
    }

    /// Carries out one statement of a text.
    fn statement(&mut self, span: Span, name: &str, text: &str, including: &Including) -> Flow {
        let statement = &text[span.start..span.end];
        self.last = Some(statement.to_string());
        self.console.note_statement(&secrets::hidden(&format!("{statement};")));
        let begun = Instant::now();
        let piece = Piece { text: statement, span, terminated: true };
        let flow = match self.session.script_of(&piece) {
            Ok(Some(file)) => match self.script(&file.value, including) {
                Ok(flow) => return flow,
                Err(error) => self.failed(error.or_at(file.span), text, name),
            },
            Err(error) => self.failed(error, text, name),
            Ok(None) => match self.execute_in(statement, including) {
                Ok(flow) => flow,
                Err(error) => {
                    // The place counts from the start of the whole text.
                    let error = match error.span() {
                        Some(at) => error.at(Span::new(at.start + span.start, at.end + span.start)),
                        None => error,
                    };
                    self.failed(resembles_a_command(error, statement, span), text, name)
                }
            },
        };
        if self.timing {
            let text = took(begun.elapsed());
            self.console.say(&text);
        }
        if let Some(names) = &self.names {
            names.refresh(self.session);
        }
        flow
    }

    /// Executes a statement that stands in a file.
    fn execute_in(&mut self, statement: &str, including: &Including) -> Result<Flow> {
        self.session.reads(including);
        let flow = self.execute(statement);
        self.session.reads(&Including::nothing());
        flow
    }

    /// Executes a statement and shows what it gives.
    pub(super) fn execute(&mut self, statement: &str) -> Result<Flow> {
        for outcome in self.session.execute(statement)? {
            let flow = self.show(outcome)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    /// Shows what a statement gave; rows until they end or the user interrupts.
    fn show(&mut self, outcome: Outcome) -> Result<Flow> {
        let stream = match outcome {
            Outcome::Rows(stream) => stream,
            other => {
                write_to(other, self.format, &mut self.console)?;
                return Ok(Flow::Next);
            }
        };
        if self.interactive {
            self.console.whisper("rows follow as they come; Ctrl-C stops the query");
        }
        let display = Display { mode: self.format, chart: self.chart.clone() };
        let interrupts = self.interrupts;
        let out = self.console.out();
        match rows::drive(vec![stream], out, display, Paint::stdout(), interrupts, &|| Ok(()))? {
            End::Done => Ok(Flow::Next),
            End::Interrupted => {
                if self.interactive {
                    self.interrupts.take();
                    self.console.whisper("query stopped; Ctrl-C again leaves");
                }
                Ok(Flow::Stopped)
            }
            End::OutputClosed => Ok(if self.interactive { Flow::Stopped } else { Flow::Leave }),
        }
    }

    /// Carries out a file, whose name is relative to the file that runs it.
    pub(super) fn script(&mut self, file: &str, including: &Including) -> Result<Flow> {
        let (SourceText { name, text }, including) = including.open(file)?;
        Ok(self.text(&name, &text, &including))
    }

    /// Carries out a file that was named on the command line.
    pub fn file(&mut self, file: &PathBuf) -> Result<Flow> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|error| Error::usage(format!("file {name} cannot be read")).detail(error.to_string()))?;
        Ok(self.text(&name, &text, &Including::of(&name)))
    }

    /// Tells an error.
    pub(super) fn failed(&mut self, error: Error, text: &str, name: &str) -> Flow {
        self.console.complain(self.format, &error, text, name);
        Flow::Failed(error.exit_code())
    }
}

/// An error at a statement's first word gets a hint when that word resembles a command.
fn resembles_a_command(error: Error, statement: &str, span: Span) -> Error {
    let first = split(statement).pieces.first().map_or("", |piece| piece.text);
    let first = first.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    let at_first = error.span().is_some_and(|at| at.start == span.start && at.end == span.start + first.len());
    match commands::nearest_word(first).filter(|_| at_first && validate::stray_word(first).is_some()) {
        Some(near) => error.hint(format!("Did you mean {near}?")),
        None => error,
    }
}

/// A duration as `\timing` shows it.
fn took(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 1.0 => format!("Time: {:.1} ms", seconds * 1000.0),
        seconds if seconds < 60.0 => format!("Time: {seconds:.2} s"),
        seconds => format!("Time: {} min {:.0} s", seconds as u64 / 60, seconds % 60.0),
    }
}

/// Writes an outcome that is no rows. A reader that went away is no error.
pub fn write_outcome(outcome: Outcome, format: OutputFormat) -> Result<()> {
    write_to(outcome, format, &mut Console::default())
}

/// Writes what was rendered at once: many short lines would be as many writes.
fn write_whole(console: &mut Console, rendered: io::Result<()>, shown: &[u8]) -> Result<()> {
    match rendered.and_then(|()| console.out().write_all(shown)).and_then(|()| console.out().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::external("the output cannot be written").detail(error.to_string()))
        }
        _ => Ok(()),
    }
}

fn write_to(outcome: Outcome, format: OutputFormat, console: &mut Console) -> Result<()> {
    match outcome {
        Outcome::Done(text) => {
            console.say(&text);
            Ok(())
        }
        Outcome::Text(text) => {
            let mut shown = Vec::new();
            let rendered = print::text(&mut shown, &text, stdout_columns());
            write_whole(console, rendered, &shown)
        }
        Outcome::Listing(listing) => {
            let mut shown = Vec::new();
            let rendered = print::listing(&mut shown, &listing, format, Paint::stdout());
            write_whole(console, rendered, &shown)
        }
        Outcome::Rows(_) => Err(Error::internal("rows are not written at once")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_fits() {
        assert_eq!(took(Duration::from_micros(12_340)), "Time: 12.3 ms");
        assert_eq!(took(Duration::from_millis(1_500)), "Time: 1.50 s");
        assert_eq!(took(Duration::from_secs(61)), "Time: 1 min 1 s");
    }

    #[test]
    fn a_word_like_a_command_is_named() {
        let error = |statement: &str, place: Span| {
            resembles_a_command(Error::sql("expected a statement").at(place), statement, Span::new(3, 9))
        };
        assert_eq!(error("hlep me", Span::new(3, 7)).hint_text(), Some("Did you mean help?"));
        assert_eq!(error("hlep me", Span::new(4, 7)).hint_text(), None);
        assert_eq!(error("select", Span::new(3, 9)).hint_text(), None);
    }
}
