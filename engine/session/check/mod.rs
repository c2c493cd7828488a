//! A file checked without running anything: each statement is read, bound and planned on what the ones before it would
//! leave, and the check goes on after one that fails.
//!
//! What a failed statement would have declared is put in place as far as it can be known (a stream with its columns, a
//! type), so that what follows is checked against it. Where that cannot be known (the columns of a query that is not
//! supported yet), statements that need it are not checked, and say what they depend on.
//!
//! - [`names`]: what a statement declares and what it needs
//! - [`standin`]: what a failed statement would have left
//! - [`notes`]: what runs otherwise than in ksqlDB, and what deserves a look

mod names;
mod notes;
mod standin;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::statement::Planner;
use super::{Including, Session, SourceText, environment, infer};
use crate::error::{Error, Span};
use crate::sql::ast::{Statement, StatementKind};
use crate::sql::diagnostic::location;
use crate::sql::prepare::prepare;
use crate::sql::split::{Piece, split};
use names::Names;

/// One statement of a file, checked.
#[derive(Debug)]
pub struct Checked {
    /// The file it stands in.
    pub source: Arc<SourceText>,
    /// The statement as it may be shown.
    pub statement: String,
    /// Its bytes in the file.
    pub span: Span,
    /// What was found.
    pub verdict: Verdict,
    /// What there is to say besides.
    pub notes: Vec<Note>,
}

/// What a check found about a statement.
#[derive(Debug)]
pub enum Verdict {
    /// It runs.
    Ok,
    /// It is wrong. The error's place is in the file.
    Error(Error),
    /// It is right in ksqlDB and does not run here yet. The error's place is in the file.
    Unsupported(Error),
    /// It needs these names, which earlier statements would have declared had they run.
    NotChecked(Vec<String>),
}

/// Something to say about a statement that is no error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// It deserves a look.
    Warning(String),
    /// It runs otherwise than in ksqlDB.
    Differs(String),
}

/// Names that earlier statements would have declared, each with the line of the statement.
#[derive(Default)]
struct Undeclared {
    /// Nothing is known of these.
    missing: BTreeMap<String, usize>,
    /// These stand in the catalog in place of what a failed statement would have made.
    stand_ins: BTreeMap<String, usize>,
    /// Functions that statements of the file make, which a check does not.
    functions: BTreeSet<String>,
}

impl Session {
    /// Checks the statements of a file, in order, as if it were run; starts and creates nothing.
    ///
    /// Settings and variables of the session count, and are not changed.
    pub fn check(&self, source: &SourceText) -> Vec<Checked> {
        let mut checker =
            Checker { planner: Planner::for_file(self), undeclared: Undeclared::default(), found: Vec::new() };
        checker.file(&Arc::new(source.clone()), &Including::of(&source.name));
        checker.found
    }
}

/// What statements so far would leave, and what was found.
struct Checker<'a> {
    planner: Planner<'a>,
    undeclared: Undeclared,
    found: Vec<Checked>,
}

impl Checker<'_> {
    fn file(&mut self, source: &Arc<SourceText>, including: &Including) {
        for piece in &split(&source.text).pieces {
            let (source, span) = (Arc::clone(source), piece.span);
            let statement = piece.text.to_string();
            let mut checked = Checked { source, statement, span, verdict: Verdict::Ok, notes: Vec::new() };
            let inner = self.statement(piece, including, &mut checked);
            self.found.push(checked);
            if let Some((source, including)) = inner {
                self.file(&Arc::new(source), &including);
            }
        }
    }

    /// Checks one statement; gives the file that it runs in its place.
    fn statement(
        &mut self,
        piece: &Piece<'_>,
        including: &Including,
        checked: &mut Checked,
    ) -> Option<(SourceText, Including)> {
        let line = location(&checked.source.text, piece.span.start).0;
        let declared = names::declared_by_text(piece.text);
        if let Some((true, name)) = &declared {
            self.undeclared.functions.insert(name.to_uppercase());
        }
        let prepared = match prepare(piece, self.planner.variables(), environment) {
            Ok(prepared) => prepared,
            Err(error) => {
                if let Some((false, name)) = declared {
                    self.undeclared.missing.insert(name, line);
                }
                checked.verdict = verdict(error);
                return None;
            }
        };
        checked.statement = prepared.shown().to_string();
        let names = Names::of(&prepared.statement);
        let needed = self.undeclared.missing_of(&names);
        if !needed.is_empty() {
            self.undeclared.declare(&names, line);
            checked.verdict = Verdict::NotChecked(needed);
            return None;
        }
        if let Some(why) = not_planned(&prepared.statement) {
            // Names of functions are kept apart: they are found missing where they are called.
            if !matches!(prepared.statement.kind, StatementKind::CreateFunction(_)) {
                self.undeclared.declare(&names, line);
            }
            checked.notes.push(Note::Warning(why.to_string()));
            return None;
        }
        if let StatementKind::RunScript(file) = &prepared.statement.kind {
            match including.open(&file.value) {
                Ok(inner) => return Some(inner),
                Err(error) => checked.verdict = verdict(prepared.locate(error.or_at(file.span))),
            }
            return None;
        }
        let before = notes::Before::of(&self.planner);
        match self.planner.plan(&prepared) {
            Ok(planned) => {
                checked.notes = notes::of(&planned, &before, self.planner.catalog());
                names.declared.iter().for_each(|name| self.undeclared.forget(name));
            }
            Err(error)
                if names::unknown_function(&error).is_some_and(|name| self.undeclared.functions.contains(name)) =>
            {
                let name = names::unknown_function(&error).unwrap_or_default().to_string();
                self.undeclared.declare(&names, line);
                checked.verdict = Verdict::NotChecked(vec![name]);
            }
            Err(error) => {
                match standin::put(&mut self.planner, &prepared.statement) {
                    Some(name) => drop(self.undeclared.stand_ins.insert(name, line)),
                    None => self.undeclared.declare(&names, line),
                }
                checked.verdict = verdict(names::as_ksqldb_has_it(prepared.locate(error)));
            }
        }
        for name in &names.needed {
            if let Some(line) = self.undeclared.stand_ins.get(name).filter(|stand_in| **stand_in != line) {
                let text = format!("needs {name}, which the statement in line {line} does not create yet");
                checked.notes.push(Note::Warning(text));
            }
        }
        None
    }
}

impl Undeclared {
    /// What a statement needs of what nothing is known of.
    fn missing_of(&self, names: &Names) -> Vec<String> {
        let is_missing = |name: &&String| self.missing.contains_key(*name);
        let mut missing: Vec<String> = names.needed.iter().filter(is_missing).cloned().collect();
        let query = |id: &String| self.missing.keys().find(|name| names::is_query_of(id, name)).cloned();
        missing.extend(names.queries.iter().filter_map(query));
        missing.dedup();
        missing
    }

    fn declare(&mut self, names: &Names, line: usize) {
        for name in &names.declared {
            self.stand_ins.remove(name);
            self.missing.insert(name.clone(), line);
        }
    }

    fn forget(&mut self, name: &str) {
        self.missing.remove(name);
        self.stand_ins.remove(name);
    }
}

/// Why a statement is not planned: planning it would run something.
fn not_planned(statement: &Statement) -> Option<&'static str> {
    match &statement.kind {
        StatementKind::CreateFunction(_) => Some("a check builds and loads no function; what calls it is not checked"),
        StatementKind::CreateSource(create) if infer::is_asked(create).unwrap_or(false) => {
            Some("a check reads no records, so its columns are not known; what reads it is not checked")
        }
        _ => None,
    }
}

fn verdict(error: Error) -> Verdict {
    if error.is_unsupported() { Verdict::Unsupported(error) } else { Verdict::Error(error) }
}

#[cfg(test)]
mod tests;
