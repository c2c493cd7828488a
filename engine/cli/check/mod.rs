//! `alcedo check FILE…`: what is wrong in SQL files, what runs otherwise than in ksqlDB, what is not supported yet.
//!
//! Nothing is started and nothing is created. The findings are the command's result and go to standard output.
//!
//! - [`text`]: findings for people
//! - [`json`]: findings for programs

mod json;
mod text;

use std::fmt;
use std::io;

use super::args::{CheckArgs, CheckFormat};
use super::style::Paint;
use super::{run, setup};
use crate::error::{Error, Result};
use crate::session::{Checked, Engine, Note, Verdict};
use crate::sql::lexemes;

/// Checks the files, each in a session of its own; 1 when one of their statements does not run.
pub fn command(args: &CheckArgs) -> Result<u8> {
    let sources = run::read(&args.files)?;
    let session_args = super::args::SessionArgs {
        config: args.config.clone(),
        define: args.define.clone(),
        ..super::args::SessionArgs::default()
    };
    let engine = Engine::builder().settings(setup::settings(&session_args)?).plans_only().start()?;
    let sessions = engine.clone();
    // The process ends anyway; joining the threads of clients that never connected would take a second.
    std::mem::forget(engine);
    let paint = Paint::stdout();
    let mut total = Counts::default();
    for source in &sources {
        let mut session = sessions.session();
        setup::define(&mut session, &session_args)?;
        let checked = session.check(source);
        let counts = Counts::of(&checked);
        let mut out = io::stdout().lock();
        let written = match args.output {
            CheckFormat::Text => text::write(&mut out, &source.name, &checked, &counts, paint),
            CheckFormat::Json => json::write(&mut out, &checked),
        };
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            Err(error) => return Err(Error::external("the findings cannot be written").detail(error.to_string())),
            Ok(()) => {}
        }
        total.add(&counts);
    }
    match args.output {
        CheckFormat::Json => eprintln!("{total}"),
        CheckFormat::Text if sources.len() > 1 => println!("{} files: {total}", sources.len()),
        CheckFormat::Text => {}
    }
    Ok(if total.all_run() { 0 } else { 1 })
}

/// How many statements there are of each kind.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    statements: usize,
    ok: usize,
    errors: usize,
    unsupported: usize,
    not_checked: usize,
    differs: usize,
    warnings: usize,
}

impl Counts {
    fn of(checked: &[Checked]) -> Counts {
        let mut counts = Counts { statements: checked.len(), ..Counts::default() };
        for statement in checked {
            let count = match statement.verdict {
                Verdict::Ok => &mut counts.ok,
                Verdict::Error(_) => &mut counts.errors,
                Verdict::Unsupported(_) => &mut counts.unsupported,
                Verdict::NotChecked(_) => &mut counts.not_checked,
            };
            *count += 1;
            for note in &statement.notes {
                match note {
                    Note::Differs(_) => counts.differs += 1,
                    Note::Warning(_) => counts.warnings += 1,
                }
            }
        }
        counts
    }

    fn add(&mut self, other: &Counts) {
        self.statements += other.statements;
        self.ok += other.ok;
        self.errors += other.errors;
        self.unsupported += other.unsupported;
        self.not_checked += other.not_checked;
        self.differs += other.differs;
        self.warnings += other.warnings;
    }

    fn all_run(&self) -> bool {
        self.ok == self.statements
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        write!(f, "{} statement{}: {} ok", self.statements, plural(self.statements), self.ok)?;
        for (count, what) in [
            (self.errors, format!("error{}", plural(self.errors))),
            (self.unsupported, "not supported yet".to_string()),
            (self.not_checked, "not checked".to_string()),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        for (count, what) in [(self.warnings, "warning"), (self.differs, "difference")] {
            if count > 0 {
                write!(f, "; {count} {what}{}", plural(count))?;
            }
        }
        Ok(())
    }
}

/// The statement on one line, at most `cells` wide.
fn one_line(statement: &str, cells: usize) -> String {
    super::print::cut(&super::print::visible(&lexemes::one_line(statement)), cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_what_there_is() {
        let counts = Counts { statements: 1, ok: 1, ..Counts::default() };
        assert_eq!((counts.to_string(), counts.all_run()), ("1 statement: 1 ok".to_string(), true));
        let counts =
            Counts { statements: 6, ok: 2, errors: 1, unsupported: 2, not_checked: 1, differs: 1, warnings: 2 };
        assert_eq!(
            counts.to_string(),
            "6 statements: 2 ok, 1 error, 2 not supported yet, 1 not checked; 2 warnings; 1 difference"
        );
        assert!(!counts.all_run());
    }

    #[test]
    fn a_statement_stands_on_one_line() {
        assert_eq!(one_line("SELECT a \\\n  FROM b", 80), "SELECT a FROM b");
        assert_eq!(one_line("SELECT a\n  FROM b", 10), "SELECT a …");
    }
}
