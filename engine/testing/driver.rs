//! Statements in, plans kept, records through the tasks: an engine without a broker, a thread or a clock.
//!
//! It can start again like a process that was killed: what it knows is made anew from the statements that it kept, the way
//! a session keeps them, and every task begins without what it had in memory. What is on topics stays.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::case::Exception;
use super::records::Layout;
use super::running::{Results, Running};
use crate::catalog::log::{alteration_key, query_key, relation_key, type_key};
use crate::catalog::{Catalog, CatalogQuery, Relation};
use crate::error::{Code, Error, Result, Span};
use crate::functions::FunctionRegistry;
use crate::plan::{QueryKind, QueryPlan, SinkSpec};
use crate::sql::ast::StatementKind;
use crate::sql::planner::{self, Context, Defaults, PersistentPlan};
use crate::sql::prepare::{Prepared, prepare};
use crate::sql::split::split;
use crate::sql::variables::Variables;
use crate::topology::encode_row;
use crate::types::{FormatName, SourceWindow};

/// How records are cut into batches, and what happens between them. The outputs must not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Each record alone.
    Single,
    /// All records of a topic together.
    #[default]
    Whole,
    /// Each record alone, and a new start before each.
    Restart,
}

/// A record on a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its time, milliseconds since the epoch.
    pub timestamp: i64,
    /// Its headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// The functions of every driver.
pub(super) fn functions() -> &'static Arc<FunctionRegistry> {
    static FUNCTIONS: LazyLock<Arc<FunctionRegistry>> = LazyLock::new(|| Arc::new(FunctionRegistry::builtin()));
    &FUNCTIONS
}

/// What there is after the statements so far.
pub struct Driver {
    catalog: Catalog,
    defaults: Defaults,
    variables: Variables,
    queries: Vec<QueryPlan>,
    /// The statements that made what there is: each under what it made, with its place in the order of creation.
    kept: BTreeMap<String, Kept>,
    /// The queries that run after each statement.
    running: BTreeMap<String, Running>,
    /// What was written to each topic, by `INSERT INTO ... VALUES` and by queries.
    written: BTreeMap<String, Vec<Record>>,
    /// How the records of each topic are laid out, by the first stream or table over it.
    layouts: BTreeMap<String, Layout>,
    topic_prefix: String,
    /// The columns that streams and tables have for the next statement, of one that is carried out again.
    columns: BTreeMap<String, Vec<String>>,
    /// Whether a query over a stream meets a time it cannot use.
    fail_on_time: bool,
}

/// A statement that a new start carries out again.
#[derive(Debug, Clone)]
struct Kept {
    sequence: usize,
    statement: String,
    /// Defaults that held for it.
    defaults: Defaults,
    /// The columns that streams and tables had which its meaning hangs on.
    columns: BTreeMap<String, Vec<String>>,
}

impl Driver {
    /// An empty engine with properties.
    ///
    /// # Errors
    /// A property whose value cannot be read.
    pub fn new(properties: &[(String, String)]) -> Result<Driver> {
        let mut driver = Driver {
            catalog: Catalog::new(),
            defaults: Defaults::default(),
            variables: Variables::default(),
            queries: Vec::new(),
            kept: BTreeMap::new(),
            running: BTreeMap::new(),
            written: BTreeMap::new(),
            layouts: BTreeMap::new(),
            topic_prefix: String::new(),
            columns: BTreeMap::new(),
            fail_on_time: false,
        };
        properties.iter().try_for_each(|(name, value)| driver.set(name, value))?;
        Ok(driver)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let format = || FormatName::parse(value).ok_or_else(|| Error::usage(format!("{name} names an unknown format")));
        match name {
            "ksql.persistence.default.format.key" => self.defaults.key_format = format()?,
            "ksql.persistence.default.format.value" => self.defaults.value_format = Some(format()?),
            "ksql.persistence.wrap.single.values" => {
                self.defaults.wrap_single_values = value.parse().ok();
            }
            "ksql.new.query.planner.enabled" => self.defaults.keys_as_selected = value.eq_ignore_ascii_case("true"),
            "ksql.output.topic.name.prefix" => self.topic_prefix = value.to_string(),
            "ksql.timestamp.throw.on.invalid" => self.fail_on_time = value.eq_ignore_ascii_case("true"),
            // The others change what has no place here: threads, stores, the planner of another engine.
            _ => {}
        }
        Ok(())
    }

    /// What there is by name.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// How the records of a topic are laid out, if a statement said so.
    pub fn layout(&self, topic: &str) -> Option<&Layout> {
        self.layouts.get(topic)
    }

    /// Carries out the statements of a text. An error has its place in `text`; those before it are carried out.
    pub fn execute(&mut self, text: &str) -> Result<()> {
        for piece in &split(text).pieces {
            let prepared = prepare(piece, &self.variables, |name| std::env::var(name).ok())?;
            self.statement(&prepared).map_err(|error| prepared.locate(error))?;
        }
        Ok(())
    }

    fn statement(&mut self, prepared: &Prepared) -> Result<()> {
        let span = prepared.statement.span;
        let catalog = self.catalog.with_columns(&self.columns);
        let context =
            Context { catalog: &catalog, functions: functions(), defaults: self.defaults, statement: prepared.shown() };
        match &prepared.statement.kind {
            StatementKind::CreateSource(create) => {
                if create.if_not_exists && catalog.find_relation(&create.name.name).is_some() {
                    return Ok(());
                }
                let relation = planner::create_source(&context, create)?;
                self.remember(&relation);
                self.catalog.add_relation(relation, create.or_replace, create.name.span)?;
                if create.or_replace {
                    let added = alteration_key(&create.name.name, &[]);
                    self.kept.retain(|key, _| !key.starts_with(&added));
                }
                self.keep(relation_key(&create.name.name), prepared.shown());
                Ok(())
            }
            StatementKind::CreateAsSelect(create) => {
                if create.if_not_exists && catalog.find_relation(&create.name.name).is_some() {
                    return Ok(());
                }
                let plan = planner::create_as_select(&context, create)?;
                self.start(plan, create.or_replace, create.name.span, prepared.shown())
            }
            StatementKind::InsertSelect { target, properties, query } => {
                let plan = planner::insert_select(&context, target, properties, query, 1)?;
                let same = |other: &&Arc<CatalogQuery>| {
                    other.sink == plan.query.sink
                        && other.sources == plan.query.sources
                        && other.id.starts_with("INSERT")
                };
                let ordinal = 1 + catalog.queries().filter(same).count();
                let plan = planner::insert_select(&context, target, properties, query, ordinal)?;
                self.start(plan, false, target.span, prepared.shown())
            }
            StatementKind::InsertValues { target, columns, values } => {
                let row = planner::insert_values(&context, target, columns, values)?;
                let relation = &row.relation;
                let sink = SinkSpec {
                    relation: relation.name.clone(),
                    topic: relation.topic.clone(),
                    key_format: relation.key_format.clone(),
                    value_format: relation.value_format.clone(),
                    schema: relation.schema.clone(),
                    timestamp: relation.timestamp.clone(),
                    window: None,
                };
                let record = encode_row(&sink, &row.columns, row.rowtime).map_err(|error| error.or_at(span))?;
                let timestamp = record.timestamp.unwrap_or(0);
                let record = Record { key: record.key, value: record.value, timestamp, headers: Vec::new() };
                self.written.entry(relation.topic.name.clone()).or_default().push(record);
                Ok(())
            }
            StatementKind::Set { name, value } => self.set(&name.value, &value.value),
            StatementKind::Unset(_) => Ok(()),
            StatementKind::Define { name, value } => self.variables.define(&name.name, value.value.clone()),
            StatementKind::Undefine(name) => {
                self.variables.undefine(&name.name);
                Ok(())
            }
            StatementKind::RunScript(_) => {
                Err(Error::refused(Code::Misplaced, "RUN SCRIPT is a command of the shell, a test has no other files")
                    .at(span))
            }
            _ => {
                planner::change_catalog(&mut self.catalog, &prepared.statement, prepared.shown())?;
                self.keep_change(&prepared.statement.kind, prepared.shown());
                Ok(())
            }
        }
    }

    /// Keeps a statement under what it made. One that replaces another takes its place in the order.
    fn keep(&mut self, key: String, statement: &str) {
        self.keep_with(key, statement, BTreeMap::new());
    }

    fn keep_with(&mut self, key: String, statement: &str, columns: BTreeMap<String, Vec<String>>) {
        let next = self.kept.values().map(|kept| kept.sequence + 1).max().unwrap_or(0);
        let sequence = self.kept.get(&key).map_or(next, |before| before.sequence);
        let statement = format!("{};", statement.trim_end().trim_end_matches(';'));
        self.kept.insert(key, Kept { sequence, statement, defaults: self.defaults, columns });
    }

    /// Keeps what a statement changed that is no stream, table or query, and forgets what it dropped.
    fn keep_change(&mut self, kind: &StatementKind, statement: &str) {
        match kind {
            StatementKind::CreateType { name, .. } => self.keep(type_key(&name.name), statement),
            StatementKind::AlterSource { name, columns, .. } => {
                let added: Vec<&str> = columns.iter().map(|column| column.name.name.as_str()).collect();
                self.keep(alteration_key(&name.name, &added), statement);
            }
            StatementKind::DropSource { name, .. } => {
                let altered = alteration_key(&name.name, &[]);
                let catalog = &self.catalog;
                let is_left = |id: &str| catalog.query(id, Span::default()).is_ok();
                self.kept.retain(|key, _| {
                    let ended = key.strip_prefix("query/").is_some_and(|id| !is_left(id));
                    *key != relation_key(&name.name) && !key.starts_with(&altered) && !ended
                });
            }
            // A dropped type stays: statements that are carried out again may name it.
            _ => {}
        }
    }

    /// Starts again: everything is made anew from the statements that were kept; topics and positions stay.
    ///
    /// # Errors
    /// A statement is refused now, or makes something else than before.
    fn restart(&mut self) -> Result<()> {
        let mut again = Driver::new(&[])?;
        again.topic_prefix.clone_from(&self.topic_prefix);
        let mut kept: Vec<&Kept> = self.kept.values().collect();
        kept.sort_by_key(|kept| kept.sequence);
        for kept in kept {
            again.defaults = kept.defaults;
            again.columns.clone_from(&kept.columns);
            again.execute(&kept.statement)?;
        }
        let another = |what: &str, name: &str| Error::internal(format!("{what} {name} came back as another"));
        for relation in self.catalog.relations() {
            let same = again.catalog.find_relation(&relation.name).is_some_and(|other| {
                (&other.schema, &other.topic, &other.key_format, &other.value_format)
                    == (&relation.schema, &relation.topic, &relation.key_format, &relation.value_format)
            });
            if !same {
                return Err(another(relation.kind.as_str(), &relation.name));
            }
        }
        for plan in &mut self.queries {
            if self.catalog.query(&plan.query_id, Span::default()).is_err() {
                continue;
            }
            match again.queries.iter().find(|other| other.query_id == plan.query_id) {
                Some(other) if other.fingerprint() == plan.fingerprint() => plan.clone_from(other),
                _ => return Err(another("query", &plan.query_id)),
            }
        }
        self.catalog = again.catalog;
        for plan in &self.queries {
            self.running.get_mut(&plan.query_id).map_or(Ok(()), |running| running.restart(plan))?;
        }
        Ok(())
    }

    fn start(&mut self, plan: PersistentPlan, replace: bool, span: Span, shown: &str) -> Result<()> {
        let PersistentPlan { mut plan, sink, query } = plan;
        if let Some(mut sink) = sink {
            if sink.topic.name == sink.name && !self.topic_prefix.is_empty() {
                sink.topic.name = format!("{}{}", self.topic_prefix, sink.name);
                if let QueryKind::Persistent(spec) = &mut plan.kind {
                    spec.topic.name.clone_from(&sink.topic.name);
                }
            }
            self.remember(&sink);
            self.catalog.add_relation(sink, replace, span)?;
        }
        let columns = query.columns.clone();
        self.catalog.add_query(query, replace, span)?;
        self.queries.retain(|query| query.query_id != plan.query_id);
        // A query that replaces another goes on where that one was; a new one starts with what comes.
        match self.running.get_mut(&plan.query_id) {
            Some(running) => running.restart(&plan)?,
            None => {
                let mut running = Running::new(&plan)?;
                for topic in plan.topics() {
                    running.start_at(topic, self.written(topic).len());
                }
                self.running.insert(plan.query_id.clone(), running);
            }
        }
        self.keep_with(query_key(&plan.query_id), shown, columns);
        self.queries.push(plan);
        Ok(())
    }

    fn remember(&mut self, relation: &Relation) {
        self.layouts.entry(relation.topic.name.clone()).or_insert_with(|| Layout {
            key_format: relation.key_format.clone(),
            value_format: relation.value_format.clone(),
            schema: relation.schema.clone(),
            windowed: relation.window.map(|window| window == SourceWindow::Session),
        });
    }

    /// Runs all queries, in the order of their statements: each over the records of `inputs` on its topics, in their order,
    /// then over what was written there before it. Returns how many records could not be read or computed.
    ///
    /// # Errors
    /// A bug of ours; or a record that a property wants to be an error.
    pub fn run(&mut self, inputs: &[(String, Record)], mode: Mode) -> Result<u64> {
        let mut bad = 0;
        for mut plan in self.queries.clone() {
            // A query that was terminated with its stream runs no more.
            if self.catalog.query(&plan.query_id, Span::default()).is_err() {
                continue;
            }
            let QueryKind::Persistent(sink) = &plan.kind else { continue };
            let out = sink.topic.name.clone();
            let first = plan.clone();
            let topics = first.topics();
            let mut records: Vec<(&str, Record)> = Vec::new();
            for (topic, record) in inputs.iter().filter(|(topic, _)| topics.contains(&topic.as_str())) {
                records.push((topic, record.clone()));
            }
            for topic in &topics {
                records.extend(self.written(topic).iter().map(|record| (*topic, record.clone())));
            }
            let mut running = Running::new(&plan)?;
            for (topic, chunk) in chunks(&records, mode) {
                if mode == Mode::Restart {
                    self.restart()?;
                    if let Some(again) = self.queries.iter().find(|again| again.query_id == plan.query_id) {
                        plan.clone_from(again);
                    }
                    running.restart(&plan)?;
                }
                let mut results = Results::default();
                running.feed(topic, &chunk, &mut results)?;
                bad += results.bad;
                if let Some(message) = results.messages.iter().find(|text| self.fail_on_time && text.contains("time")) {
                    return Err(Error::data(message.clone()));
                }
                self.written.entry(out.clone()).or_default().extend(results.records);
            }
        }
        Ok(bad)
    }

    /// Runs all queries over what was written since they ran last, until nothing is left.
    ///
    /// # Errors
    /// A bug of ours.
    pub fn pump(&mut self, mode: Mode) -> Result<()> {
        loop {
            let mut moved = false;
            for at in 0..self.queries.len() {
                moved |= self.turn(at, mode)?;
            }
            if !moved {
                return Ok(());
            }
        }
    }

    /// Runs one query over what it has not read; gives whether there was anything.
    fn turn(&mut self, at: usize, mode: Mode) -> Result<bool> {
        let id = self.queries[at].query_id.clone();
        if self.catalog.query(&id, Span::default()).is_err() {
            return Ok(false);
        }
        // A new start makes another plan of it.
        let plan = self.queries[at].clone();
        let mut records: Vec<(&str, Record)> = Vec::new();
        for topic in plan.topics() {
            let position = self.running.get(&id).map_or(0, |running| running.position(topic));
            let unread = self.written(topic).iter().skip(position).cloned();
            records.extend(unread.map(|record| (topic, record)));
        }
        for (topic, chunk) in chunks(&records, mode) {
            if mode == Mode::Restart {
                self.restart()?;
            }
            let plan = &self.queries[at];
            let QueryKind::Persistent(sink) = &plan.kind else { return Ok(false) };
            let Some(running) = self.running.get_mut(&id) else { return Ok(false) };
            let mut results = Results::default();
            running.feed(topic, &chunk, &mut results)?;
            self.written.entry(sink.topic.name.clone()).or_default().extend(results.records);
        }
        Ok(!records.is_empty())
    }

    /// What planning needs to know, as of now.
    pub fn context(&self) -> Context<'_> {
        Context { catalog: &self.catalog, functions: functions(), defaults: self.defaults, statement: "" }
    }

    /// What was written to a topic.
    pub fn written(&self, topic: &str) -> &[Record] {
        self.written.get(topic).map_or(&[], Vec::as_slice)
    }

    /// Whether an exception is one that only records can raise.
    pub fn is_of_records(exception: &Exception) -> bool {
        exception.class.ends_with("StreamsException")
    }
}

/// Cuts records into batches, each of records of one topic that follow one another.
fn chunks<'a>(records: &[(&'a str, Record)], mode: Mode) -> Vec<(&'a str, Vec<Record>)> {
    let together = |(a, _): &(&str, Record), (b, _): &(&str, Record)| mode == Mode::Whole && a == b;
    let chunks = records.chunk_by(together).filter_map(|chunk| chunk.first().map(|(topic, _)| (*topic, chunk)));
    chunks.map(|(topic, chunk)| (topic, chunk.iter().map(|(_, record)| record.clone()).collect())).collect()
}
