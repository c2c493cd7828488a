//! The facade every front end uses: an [`Engine`] that sessions share, and a [`Session`] that takes statements.
//!
//! - `engine`: where topics live, what runs, how it ends
//! - `statement`: a statement becomes a `statement::Planned` action, without touching anything
//! - `bounds`: where its query starts and ends
//! - `execute`: the action is carried out; one arm a statement
//! - `script`: a file: every statement is planned before the first is carried out; `include`: the file in a file
//! - `infer`: columns read off the records of a topic
//! - [`check`](Session::check): a file checked without carrying anything out
//! - `assert`: what a file says must be there
//! - `topics`, `own_topics`, `queries`, `insert`, [`print`], `connectors`: what the arms need
//! - `processing_log`: the stream of reports about bad records
//! - `functions`: functions from outside: made, dropped, brought back
//! - `show`, `describe`, `extended`: what there is, as text
//! - `outcome`: what a statement gave; `batches`: its rows for programs

mod assert;
mod batches;
mod bounds;
mod check;
mod connectors;
mod describe;
mod engine;
mod execute;
mod extended;
mod functions;
mod include;
mod infer;
mod insert;
mod outcome;
mod own_topics;
mod print;
mod processing_log;
mod queries;
mod script;
mod show;
mod statement;
mod topics;

pub use check::{Checked, Note, Verdict};
pub use connectors::CLASSES as CONNECTOR_CLASSES;
pub use engine::{Engine, EngineBuilder, QueryStats, Storage};
pub use include::Including;
pub use outcome::{CancelHandle, EndReason, Listing, Outcome, Progress, RowColumn, RowEvent, RowStream};
pub use script::{ScriptError, SourceText};

use std::path::PathBuf;

use crate::config::{Origin, Settings};
use crate::error::Result;
use crate::sql::prepare::prepare;
use crate::sql::split::split;
use crate::sql::variables::Variables;
use statement::Planner;

/// One user's session: settings and variables.
pub struct Session {
    engine: Engine,
    settings: Settings,
    variables: Variables,
    /// The folder that relative paths in statements start from; empty is the working directory.
    folder: PathBuf,
    /// Whether the user wants no statement to wait any longer.
    hurried: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Session {
    pub(super) fn new(engine: Engine) -> Session {
        let settings = engine.0.settings.clone();
        Session {
            engine,
            settings,
            variables: Variables::default(),
            folder: PathBuf::new(),
            hurried: Box::new(|| false),
        }
    }

    /// The engine behind the session.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Sets a variable for `${name}`.
    pub fn define(&mut self, name: &str, value: &str) -> Result<()> {
        self.variables.define(name, value)
    }

    /// Sets a setting for the statements that follow, as `SET` does.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        self.settings.set(Origin::Set, name, value).map(drop)
    }

    /// Says which file the statements that follow stand in: relative paths in them start from its folder.
    pub fn reads(&mut self, file: &Including) {
        self.folder = file.folder().to_path_buf();
    }

    /// Says how to learn that the user interrupts: a statement that waits for something (`ASSERT TOPIC ... TIMEOUT`) asks
    /// again and again, and then takes what it waits for as not come.
    pub fn hurry_when(&mut self, asked: impl Fn() -> bool + Send + Sync + 'static) {
        self.hurried = Box::new(asked);
    }

    /// The variables of `DEFINE`, by name.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter()
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Carries out statements in order, each before the next is looked at; stops at the first that fails.
    ///
    /// Places in errors are byte offsets in `sql`.
    pub fn execute(&mut self, sql: &str) -> Result<Vec<Outcome>> {
        self.execute_with(sql, |session| Planner::live(session))
    }

    fn execute_with(
        &mut self,
        sql: &str,
        planner: impl for<'a> Fn(&'a Session) -> Planner<'a>,
    ) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        for piece in &split(sql).pieces {
            let prepared = prepare(piece, &self.variables, environment)?;
            let planned = planner(self).plan(&prepared).map_err(|error| prepared.locate(error))?;
            outcomes.push(self.carry_out(planned).map_err(|error| prepared.locate(error))?);
        }
        Ok(outcomes)
    }
}

/// The value of an environment variable, for `${env:NAME}`.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
