//! A SQL file: every statement is planned before the first is carried out, so a mistake on the last line starts nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::include::Including;
use super::statement::{Planned, Planner};
use super::{Outcome, Session, environment, functions};
use crate::catalog::log::Entry;
use crate::config::Origin;
use crate::error::Error;
use crate::sql::ast::StatementKind;
use crate::sql::prepare::{Prepared, prepare};
use crate::sql::split::split;

/// A text of statements and what it is called in errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// The name of the file.
    pub name: String,
    /// The statements.
    pub text: String,
}

/// Why a file was not carried out to its end.
#[derive(Debug)]
pub struct ScriptError {
    /// What went wrong; its place is in the text of `source`.
    pub error: Error,
    /// The file it is about: one of those given, or one that `RUN SCRIPT` named.
    pub source: SourceText,
    /// Whether anything was started before it went wrong.
    pub started: bool,
    /// First lines of the statements that were not reached.
    pub not_reached: Vec<String>,
}

impl Session {
    /// Carries out files as one, and in them the files of `RUN SCRIPT`. Outcomes go to `outcome` as they come, each with its
    /// statement; push queries and `PRINT`s come last, so that everything they read is being written when they start.
    ///
    /// # Errors
    /// The first error. When it was found while planning, nothing was started.
    pub fn run(
        &mut self,
        sources: &[SourceText],
        outcome: &mut dyn FnMut(&str, Outcome) -> Result<(), Error>,
    ) -> Result<(), ScriptError> {
        let mut work: Work = Vec::new();
        {
            let mut planner = Planner::for_file(self);
            for source in sources {
                let including = Including::of(&source.name);
                plan_file(&mut planner, &Arc::new(source.clone()), &including, &mut work)?;
            }
        }
        // A stable partition: what streams rows goes behind everything else.
        let (rows, others): (Vec<_>, Vec<_>) = work.into_iter().partition(|(_, _, planned)| planned.streams_rows());
        let mut left: std::collections::VecDeque<_> = others.into_iter().chain(rows).collect();
        while let Some((source, prepared, planned)) = left.pop_front() {
            let shown = planned.shown.clone();
            let done = self.carry_out(planned).and_then(|done| outcome(&shown, done));
            if let Err(error) = done {
                return Err(ScriptError {
                    error: prepared.locate(error),
                    source: SourceText::clone(&source),
                    started: true,
                    not_reached: left.iter().map(|(_, _, planned)| first_line(&planned.shown)).collect(),
                });
            }
        }
        Ok(())
    }

    /// Brings back what an earlier session on the same topics left: functions, streams, connectors and running queries.
    ///
    /// An entry that fails is told as a notice and left out; the rest lives. Gives how many came back.
    pub fn restore(&mut self) -> usize {
        let entries: Vec<(String, Entry)> = {
            let log = self.engine.0.log.lock();
            log.entries().into_iter().map(|(key, entry)| (key.to_string(), entry.clone())).collect()
        };
        // Asked for once, and not for each statement.
        let topics = self.engine.0.admin.topics(std::time::Duration::from_secs(10)).unwrap_or_default();
        let topics: Arc<BTreeMap<String, i32>> =
            Arc::new(topics.into_iter().map(|topic| (topic.name, topic.partitions)).collect());
        let mut restored = 0;
        let mut left = entries;
        loop {
            let before = restored;
            let mut failed = Vec::new();
            for (key, entry) in left {
                match self.bring_back(&key, &entry, &topics) {
                    Ok(()) => restored += 1,
                    Err(error) => failed.push((key, entry, error)),
                }
            }
            // What was lost and made again stands behind those that need it.
            let again = restored > before && failed.iter().any(|(_, entry, _)| entry.function.is_none());
            let (waiting, hopeless): (Vec<_>, Vec<_>) =
                failed.into_iter().partition(|(_, entry, _)| again && entry.function.is_none());
            for (key, _, error) in hopeless {
                let text = format!("{} did not come back: {error}", key.replacen('/', " ", 1));
                self.engine.0.notices.warning("catalog", text);
            }
            if waiting.is_empty() {
                return restored;
            }
            left = waiting.into_iter().map(|(key, entry, _)| (key, entry)).collect();
        }
    }

    fn bring_back(&mut self, key: &str, entry: &Entry, topics: &Arc<BTreeMap<String, i32>>) -> Result<(), Error> {
        if let Some(kept) = &entry.function {
            return functions::restore(self, key, kept);
        }
        let ends = entry.statement.trim_end().ends_with(';');
        let text = format!("{}{}", entry.statement, if ends { "" } else { ";" });
        // It means what it meant under the settings of then; what the statements of this session say comes later.
        let own = self.settings.clone();
        let done = (entry.settings.iter())
            .try_for_each(|(name, value)| self.settings.set(Origin::Set, name, value).map(drop))
            .and_then(|()| {
                self.execute_with(&text, |session| Planner::restoring(session, topics, key, entry)).map(drop)
            });
        self.settings = own;
        done
    }
}

/// Statements ready to be carried out, each with the file it stands in.
type Work = Vec<(Arc<SourceText>, Prepared, Planned)>;

/// Plans the statements of a file, those of a file that it runs in its place.
fn plan_file(
    planner: &mut Planner<'_>,
    source: &Arc<SourceText>,
    including: &Including,
    work: &mut Work,
) -> Result<(), ScriptError> {
    let failed = |error: Error| ScriptError {
        error,
        source: SourceText::clone(source),
        started: false,
        not_reached: Vec::new(),
    };
    let folder = std::path::Path::new(&source.name).parent();
    for piece in &split(&source.text).pieces {
        let prepared = prepare(piece, planner.variables(), environment).map_err(failed)?;
        planner.paths_are_relative_to(folder);
        if let StatementKind::RunScript(file) = &prepared.statement.kind {
            let (inner, including) =
                including.open(&file.value).map_err(|error| failed(prepared.locate(error.or_at(file.span))))?;
            plan_file(planner, &Arc::new(inner), &including, work)?;
            continue;
        }
        let planned = planner.plan(&prepared).map_err(|error| failed(prepared.locate(error)))?;
        work.push((Arc::clone(source), prepared, planned));
    }
    Ok(())
}

impl Planned {
    /// Whether carrying it out gives rows as they come.
    pub(super) fn streams_rows(&self) -> bool {
        use super::statement::Action;
        matches!(self.action, Action::Push { .. } | Action::Print { .. })
    }
}

fn first_line(statement: &str) -> String {
    let line = statement.lines().next().unwrap_or_default().trim_end_matches('\\').trim_end();
    line.to_string()
}
