//! Statements in, plans kept, records through the tasks: an engine without a broker, a thread or a clock.

use std::collections::BTreeMap;

use super::case::Exception;
use super::records::Layout;
use crate::catalog::{Catalog, Relation};
use crate::error::{Error, Result};
use crate::functions::FunctionRegistry;
use crate::plan::{QueryKind, QueryPlan, SinkSpec};
use crate::record::{OutBatch, RawBatch};
use crate::sql::ast::StatementKind;
use crate::sql::planner::{self, Context, Defaults};
use crate::sql::prepare::{Prepared, prepare};
use crate::sql::split::split;
use crate::sql::variables::Variables;
use crate::topology::{Task, TaskOutput, encode_row};
use crate::types::{FormatName, SourceWindow};

/// How records are cut into batches. The outputs must not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Each record alone.
    Single,
    /// All records of a topic together.
    #[default]
    Whole,
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

/// What there is after the statements so far.
pub struct Driver {
    catalog: Catalog,
    functions: FunctionRegistry,
    defaults: Defaults,
    variables: Variables,
    queries: Vec<QueryPlan>,
    /// The tasks of queries that run after each statement, and how many records of its topic each has read.
    tasks: BTreeMap<String, (Option<Task>, usize)>,
    /// What was written to each topic, by `INSERT INTO ... VALUES` and by queries.
    written: BTreeMap<String, Vec<Record>>,
    /// How the records of each topic are laid out, by the first stream or table over it.
    layouts: BTreeMap<String, Layout>,
    topic_prefix: String,
    /// Whether a query over a stream meets a time it cannot use.
    fail_on_time: bool,
}

impl Driver {
    /// An empty engine with properties.
    ///
    /// # Errors
    /// A property whose value cannot be read.
    pub fn new(properties: &[(String, String)]) -> Result<Driver> {
        let mut driver = Driver {
            catalog: Catalog::new(),
            functions: FunctionRegistry::builtin(),
            defaults: Defaults::default(),
            variables: Variables::default(),
            queries: Vec::new(),
            tasks: BTreeMap::new(),
            written: BTreeMap::new(),
            layouts: BTreeMap::new(),
            topic_prefix: String::new(),
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
        let catalog = self.catalog.clone();
        let context = Context {
            catalog: &catalog,
            functions: &self.functions,
            defaults: self.defaults,
            statement: prepared.shown(),
        };
        match &prepared.statement.kind {
            StatementKind::CreateSource(create) => {
                if create.if_not_exists && catalog.find_relation(&create.name.name).is_some() {
                    return Ok(());
                }
                let relation = planner::create_source(&context, create)?;
                self.remember(&relation);
                self.catalog.add_relation(relation, create.or_replace, create.name.span)
            }
            StatementKind::CreateAsSelect(create) => {
                if create.if_not_exists && catalog.find_relation(&create.name.name).is_some() {
                    return Ok(());
                }
                let plan = planner::create_as_select(&context, create)?;
                self.start(plan, create.or_replace, create.name.span)
            }
            StatementKind::InsertSelect { target, properties, query } => {
                let ordinal = 1 + self.queries.len();
                let plan = planner::insert_select(&context, target, properties, query, ordinal)?;
                self.start(plan, false, target.span)
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
                Err(Error::sql("RUN SCRIPT is a command of the shell, a test has no other files").at(span))
            }
            _ => planner::change_catalog(&mut self.catalog, &prepared.statement, prepared.shown()),
        }
    }

    fn start(&mut self, plan: planner::PersistentPlan, replace: bool, span: crate::error::Span) -> Result<()> {
        let planner::PersistentPlan { plan, sink, query } = plan;
        let mut plan = plan;
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
        self.catalog.add_query(query, replace, span)?;
        self.queries.retain(|query| query.query_id != plan.query_id);
        // A query that replaces another goes on where that one was; a new one starts with what comes.
        let written = self.written.get(&plan.source.topic).map_or(0, Vec::len);
        self.tasks.entry(plan.query_id.clone()).or_insert((None, written)).0 = None;
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

    /// Runs all queries, in the order of their statements: each over the records of `inputs` on its topic, then over what
    /// was written there before it. Returns how many records could not be read or computed.
    ///
    /// # Errors
    /// A bug of ours; or a record that a property wants to be an error.
    pub fn run(&mut self, inputs: &BTreeMap<String, Vec<Record>>, mode: Mode) -> Result<u64> {
        let mut bad = 0;
        for plan in self.queries.clone() {
            // A query that was terminated with its stream runs no more.
            if self.catalog.query(&plan.query_id, Default::default()).is_err() {
                continue;
            }
            let QueryKind::Persistent(sink) = &plan.kind else { continue };
            let topic = &plan.source.topic;
            let records: Vec<Record> =
                [inputs.get(topic), self.written.get(topic)].into_iter().flatten().flatten().cloned().collect();
            let mut task = Task::new(&plan, 0)?;
            let mut result = TaskOutput::default();
            let size = if mode == Mode::Single { 1 } else { records.len().max(1) };
            let mut raw = RawBatch::new(topic.as_str().into(), 0);
            for (number, chunk) in records.chunks(size).enumerate() {
                raw.clear();
                for (i, record) in chunk.iter().enumerate() {
                    record.headers.iter().for_each(|(name, value)| raw.headers.push(name, value.as_deref()));
                    let offset = (number * size + i) as i64;
                    raw.push(offset, record.timestamp, record.key.as_deref(), record.value.as_deref());
                }
                result.clear();
                task.process(&raw, &mut result)?;
                bad += result.bad;
                if let Some(report) = result.reports.first().filter(|r| self.fail_on_time && r.message.contains("time"))
                {
                    return Err(Error::data(report.message.clone()));
                }
                let log = self.written.entry(sink.topic.name.clone()).or_default();
                log.extend(records_of(&result.records));
            }
        }
        Ok(bad)
    }

    /// Runs all queries over what was written since they ran last, until nothing is left.
    ///
    /// # Errors
    /// A bug of ours.
    pub fn pump(&mut self) -> Result<()> {
        loop {
            let mut moved = false;
            for plan in &self.queries {
                if self.catalog.query(&plan.query_id, Default::default()).is_err() {
                    continue;
                }
                let QueryKind::Persistent(sink) = &plan.kind else { continue };
                let (task, position) = self.tasks.entry(plan.query_id.clone()).or_default();
                let records = self.written.get(&plan.source.topic).map_or(&[][..], |records| &records[*position..]);
                if records.is_empty() {
                    continue;
                }
                let task = match task {
                    Some(task) => task,
                    None => task.insert(Task::new(plan, 0)?),
                };
                let mut raw = RawBatch::new(plan.source.topic.as_str().into(), 0);
                for (i, record) in records.iter().enumerate() {
                    record.headers.iter().for_each(|(name, value)| raw.headers.push(name, value.as_deref()));
                    let offset = (*position + i) as i64;
                    raw.push(offset, record.timestamp, record.key.as_deref(), record.value.as_deref());
                }
                *position += records.len();
                let mut result = TaskOutput::default();
                task.process(&raw, &mut result)?;
                self.written.entry(sink.topic.name.clone()).or_default().extend(records_of(&result.records));
                moved = true;
            }
            if !moved {
                return Ok(());
            }
        }
    }

    /// What planning needs to know, as of now.
    pub fn context(&self) -> Context<'_> {
        Context { catalog: &self.catalog, functions: &self.functions, defaults: self.defaults, statement: "" }
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

fn records_of(out: &OutBatch) -> impl Iterator<Item = Record> {
    (0..out.len()).map(|row| Record {
        key: out.keys.get(row).map(<[u8]>::to_vec),
        value: out.values.get(row).map(<[u8]>::to_vec),
        timestamp: out.timestamps[row],
        headers: out.headers.get(row).map(|(name, value)| (name.to_string(), value.map(<[u8]>::to_vec))).collect(),
    })
}
