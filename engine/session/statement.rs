//! A statement becomes an action, without touching anything: names are bound, the plan is made, what would be refused is
//! refused. A file plans all its statements this way, each on what the ones before it would leave, before the first is
//! carried out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::assert::{self, TopicAssert};
use super::connectors::{self, NewConnector};
use super::engine::{Engine, Shared};
use super::functions::{self, NewFunction};
use super::{Session, infer, queries, topics};
use crate::catalog::log::{Entry, alteration_key, connector_key, query_key, relation_key, type_key};
use crate::catalog::{Catalog, Connector, Relation, RelationKind};
use crate::config::{Origin, Settings};
use crate::error::{Code, Error, Result, Span};
use crate::functions::FunctionRegistry;
use crate::plan::{QueryPlan, explain};
use crate::runtime::start::{self, StartPolicy};
use crate::sql::ast::{Describe, Ident, Property, Query, Show, SourceKind, Statement, StatementKind, TopicBound};
use crate::sql::planner::{self, Context, Defaults, InsertRow, PersistentPlan};
use crate::sql::prepare::Prepared;
use crate::sql::variables::Variables;
use crate::types::{FormatName, SqlType, quote_identifier};

/// What a statement asks for, ready to be carried out.
pub(super) struct Planned {
    pub action: Action,
    /// The place of the statement's name or of the statement, for failures while it is carried out.
    pub span: Span,
    /// The statement as it may be shown.
    pub shown: String,
    /// The statement in canonical form.
    pub canonical: String,
    /// What `SET` had said before it.
    pub settings: BTreeMap<String, String>,
    /// Whether it comes from the statements topic.
    pub restores: bool,
}

pub(super) enum Action {
    /// Nothing to do; the text says why.
    Nothing(String),
    CreateRelation {
        relation: Relation,
        replace: bool,
        /// Whether its topic is known to be there.
        has_topic: bool,
    },
    StartQuery {
        plan: Box<PersistentPlan>,
        replace: bool,
        policy: StartPolicy,
        /// The place of `START AT`.
        start_at: Option<Span>,
        settings: Box<Settings>,
    },
    Push {
        plan: Box<QueryPlan>,
        policy: StartPolicy,
        /// Where it ends by itself, for a scan and after `UNTIL`.
        until: Option<StartPolicy>,
        /// The places of `START AT` and `UNTIL`, or that of the statement.
        places: (Span, Span),
    },
    Print {
        topic: String,
        policy: StartPolicy,
        interval: i64,
        limit: Option<i64>,
    },
    Insert(Box<InsertRow>),
    DropRelation {
        name: String,
        delete_topic: bool,
    },
    Terminate(Vec<String>),
    Pause(Vec<String>),
    Resume(Vec<String>),
    CreateType {
        name: String,
        ty: SqlType,
    },
    DropType(String),
    Alter {
        relation: Relation,
        key: String,
    },
    CreateConnector(NewConnector),
    DropConnector(String),
    CreateFunction(Box<NewFunction>),
    DropFunction(String),
    PauseConnector {
        name: String,
        paused: bool,
    },
    Set {
        name: String,
        value: String,
    },
    Unset(String),
    Define {
        name: String,
        value: String,
    },
    Undefine(String),
    AssertTopic(Box<TopicAssert>),
    Show(Show),
    Describe(Describe),
    Explain(String),
    ExplainQuery(String),
}

/// Plans statements on a catalog, settings and variables that it changes as the statements would.
pub(super) struct Planner<'a> {
    engine: &'a Engine,
    pub(super) catalog: Catalog,
    /// Functions, those of earlier statements included.
    pub(super) functions: Arc<FunctionRegistry>,
    /// The folder that relative paths in statements start from; the working folder when empty.
    pub(super) folder: PathBuf,
    /// Functions that earlier statements drop.
    pub(super) dropped: BTreeSet<String>,
    pub(super) settings: Settings,
    variables: Variables,
    /// Whether what an earlier run left in the statements topic must agree; only a file is the desired state.
    pub(super) compare: bool,
    /// Whether statements come from the statements topic: what they need outside may be away for now.
    restores: bool,
    /// Then the id of the query that it is, if it is one.
    kept_id: Option<String>,
    /// Then the columns that streams and tables had for it.
    columns: BTreeMap<String, Vec<String>>,
    /// Then the topics that are there.
    known: Arc<BTreeMap<String, i32>>,
    /// Topics that earlier statements will have made, with their partitions.
    topics: BTreeMap<String, i32>,
    /// How many `INSERT INTO target SELECT ... FROM source` there were, by both names.
    inserts: BTreeMap<(String, String), usize>,
}

impl<'a> Planner<'a> {
    /// A planner for the next statement of a session.
    pub fn live(session: &'a Session) -> Planner<'a> {
        let mut planner = Planner::for_file(session);
        planner.compare = false;
        planner
    }

    /// A planner for a statement that an earlier session left under `key`, where these topics are known to be there.
    pub fn restoring(
        session: &'a Session,
        topics: &Arc<BTreeMap<String, i32>>,
        key: &str,
        entry: &Entry,
    ) -> Planner<'a> {
        let kept_id = key.strip_prefix(&query_key("")).map(str::to_string);
        let columns = entry.columns.clone();
        Planner { restores: true, kept_id, columns, known: Arc::clone(topics), ..Planner::live(session) }
    }

    /// A planner for a whole file.
    pub fn for_file(session: &'a Session) -> Planner<'a> {
        Planner {
            engine: &session.engine,
            catalog: Catalog::clone(&session.engine.0.catalog.snapshot()),
            functions: session.engine.0.functions.snapshot(),
            folder: session.folder.clone(),
            dropped: BTreeSet::new(),
            settings: session.settings.clone(),
            variables: session.variables.clone(),
            compare: true,
            restores: false,
            kept_id: None,
            columns: BTreeMap::new(),
            known: Arc::default(),
            topics: BTreeMap::new(),
            inserts: BTreeMap::new(),
        }
    }

    /// The variables as they are after the statements so far.
    pub fn variables(&self) -> &Variables {
        &self.variables
    }

    /// What there is by name after the statements so far.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Changes what there is by name; what fails changes nothing.
    pub fn change_catalog(&mut self, change: impl FnOnce(&mut Catalog) -> Result<()>) {
        let mut next = self.catalog.clone();
        if change(&mut next).is_ok() {
            self.catalog = next;
        }
    }

    /// Topics that the statements so far will have made.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(String::as_str)
    }

    /// Says which folder relative paths in the statements that follow start from.
    pub fn paths_are_relative_to(&mut self, folder: Option<&Path>) {
        self.folder = folder.map(Path::to_path_buf).unwrap_or_default();
    }

    pub(super) fn shared(&self) -> &'a Shared {
        &self.engine.0
    }

    /// Plans one statement. Errors have their place in the statement's text.
    pub fn plan(&mut self, prepared: &Prepared) -> Result<Planned> {
        let statement = &prepared.statement;
        if let Some(settled) = self.inferred(statement)? {
            // What was settled on is what is kept, compared, and carried out again.
            let shown = format!("{settled};");
            let canonical = canonical(&shown);
            let action = self.action(&settled, &shown, &canonical)?;
            return Ok(self.planned(action, statement.span, shown, canonical));
        }
        let shown = prepared.shown().to_string();
        let canonical = canonical(&shown);
        let action = self.action(statement, &shown, &canonical)?;
        Ok(self.planned(action, statement.span, shown, canonical))
    }

    fn planned(&self, action: Action, span: Span, shown: String, canonical: String) -> Planned {
        Planned { action, span, shown, canonical, settings: self.settings.said_by_set(), restores: self.restores }
    }

    /// A statement with the columns that its topic's records have, for one that asks for that. One that was carried out
    /// before keeps what was settled on then.
    fn inferred(&self, statement: &Statement) -> Result<Option<Statement>> {
        let StatementKind::CreateSource(create) = &statement.kind else { return Ok(None) };
        if !infer::is_asked(create)? {
            return Ok(None);
        }
        let before = {
            let log = self.shared().log.lock();
            log.get(&relation_key(&create.name.name)).map(|before| before.canonical.clone())
        };
        if let Some(before) = before.and_then(|before| crate::sql::parse_statement(&before).ok())
            && infer::settles(&before, create)
        {
            return Ok(Some(before));
        }
        let infer::Settled { create: settled, basis } = infer::settle(self.shared(), create)?;
        let settled = Statement { kind: StatementKind::CreateSource(settled), span: statement.span };
        let text = settled.to_string();
        let folded = text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.shared().notices.info(&create.name.name, format!("from {basis}: {folded};"));
        Ok(Some(settled))
    }

    fn action(&mut self, statement: &Statement, shown: &str, canonical: &str) -> Result<Action> {
        let span = statement.span;
        let defaults = Defaults {
            key_format: FormatName::parse(self.settings.get("persistence.default.format.key"))
                .unwrap_or(FormatName::Kafka),
            value_format: FormatName::parse(self.settings.get("persistence.default.format.value")),
            wrap_single_values: self.settings.get("persistence.wrap.single.values").parse().ok(),
            keys_as_selected: false,
        };
        let catalog = self.catalog.with_columns(&self.columns);
        let functions = Arc::clone(&self.functions);
        let context = Context { catalog: &catalog, functions: &functions, defaults, statement: shown };
        Ok(match &statement.kind {
            StatementKind::CreateSource(create) => {
                if let Some(nothing) = self.exists_already(&create.name.name, create.if_not_exists) {
                    return Ok(nothing);
                }
                let relation = planner::create_source(&context, create)?;
                self.compare_with_log(&relation_key(&relation.name), canonical, create.or_replace, create.name.span)?;
                // A topic may have changed since a statement was accepted; the statement stays.
                let has_topic = self.known.contains_key(&relation.topic.name);
                if !has_topic {
                    topics::check_source(self.shared(), &relation, &create.properties, &mut self.topics)
                        .map_err(|e| e.or_at(create.name.span))?;
                }
                self.catalog.add_relation(relation.clone(), create.or_replace, create.name.span)?;
                Action::CreateRelation { relation, replace: create.or_replace, has_topic }
            }
            StatementKind::CreateAsSelect(create) => {
                if let Some(nothing) = self.exists_already(&create.name.name, create.if_not_exists) {
                    return Ok(nothing);
                }
                let plan = planner::create_as_select(&context, create)?;
                self.start_query(
                    plan,
                    &create.query,
                    &create.properties,
                    create.or_replace,
                    canonical,
                    create.name.span,
                )?
            }
            StatementKind::InsertSelect { target, properties, query } => {
                // The id counts the statements of the same pair; the source is known once the query is bound.
                let probe = planner::insert_select(&context, target, properties, query, 1)?;
                let pair = (target.name.clone(), probe.query.sources.first().cloned().unwrap_or_default());
                let id = |ordinal| planner::insert_query_id(&pair.0, &pair.1, ordinal);
                let ordinal = match &self.kept_id {
                    Some(kept) => planner::insert_query_ordinal(kept, &pair.0, &pair.1).unwrap_or(1),
                    // A file counts its own statements, so that they have the same ids when it runs again.
                    None if self.compare => {
                        let before = self.inserts.entry(pair).or_insert(0);
                        *before += 1;
                        *before
                    }
                    None => (1..).find(|ordinal| self.catalog.query(&id(*ordinal), target.span).is_err()).unwrap_or(1),
                };
                let plan = planner::insert_select(&context, target, properties, query, ordinal)?;
                self.start_query(plan, query, properties, false, canonical, target.span)?
            }
            StatementKind::InsertValues { target, columns, values } => {
                Action::Insert(Box::new(planner::insert_values(&context, target, columns, values)?))
            }
            StatementKind::Query(query) => {
                let id = format!("SELECT_{}", self.shared().next_ordinal());
                let plan = planner::push_query(&context, query, id)?;
                let (policy, until) = self.bounds(query)?;
                let place = |bound: &Option<TopicBound>| bound.as_ref().map_or(span, |bound| bound.span);
                let places = (place(&query.start), place(&query.until));
                let by_offset =
                    |policy: &StartPolicy| matches!(policy, StartPolicy::Offsets(_) | StartPolicy::Group { .. });
                if plan.join.is_some() && (by_offset(&policy) || until.as_ref().is_some_and(by_offset)) {
                    let place = if by_offset(&policy) { places.0 } else { places.1 };
                    return Err(Error::unsupported("START AT or UNTIL OFFSETS or GROUP for a join", place));
                }
                Action::Push { plan: Box::new(plan), policy, until, places }
            }
            StatementKind::Print { topic, from_beginning, interval, limit } => {
                let policy = if *from_beginning { StartPolicy::Earliest } else { self.print_policy()? };
                topics::check_printed(self.shared(), &topic.name, &self.topics).map_err(|e| e.or_at(topic.span))?;
                if *interval == Some(0) {
                    return Err(Error::refused(Code::InvalidLiteral, "INTERVAL needs a number, at least 1").at(span));
                }
                Action::Print { topic: topic.name.clone(), policy, interval: interval.unwrap_or(1), limit: *limit }
            }
            StatementKind::DropSource { kind, if_exists, name, delete_topic } => {
                let Some(relation) = self.catalog.find_relation(&name.name).cloned() else {
                    if *if_exists {
                        return Ok(Action::Nothing(format!("There is no {} to drop.", quote_identifier(&name.name))));
                    }
                    return Err(self
                        .catalog
                        .relation(&name.name, name.span)
                        .err()
                        .unwrap_or_else(|| Error::internal("a relation is there and is not")));
                };
                let wanted = match kind {
                    SourceKind::Stream => RelationKind::Stream,
                    SourceKind::Table => RelationKind::Table,
                };
                if relation.kind != wanted {
                    let (is, asked) = (relation.kind.as_str(), wanted.as_str());
                    return Err(Error::refused(
                        Code::WrongKind,
                        format!("{} is a {is}, not a {asked}", quote_identifier(&name.name)),
                    )
                    .hint(format!("DROP {} {};", is.to_uppercase(), quote_identifier(&name.name)))
                    .at(name.span));
                }
                if *delete_topic {
                    self.refuse_to_delete_topic(&relation, name.span)?;
                }
                planner::change_catalog(&mut self.catalog, statement, shown)?;
                Action::DropRelation { name: name.name.clone(), delete_topic: *delete_topic }
            }
            StatementKind::Terminate(id) => {
                let ids = self.query_ids(id.as_ref())?;
                for id in &ids {
                    self.catalog.drop_query(id, span)?;
                }
                Action::Terminate(ids)
            }
            StatementKind::Pause(id) => Action::Pause(self.query_ids(id.as_ref())?),
            StatementKind::Resume(id) => Action::Resume(self.query_ids(id.as_ref())?),
            StatementKind::CreateConnector { or_replace, source, if_not_exists, name, properties } => {
                let replace = *or_replace;
                self.create_connector(*source, replace, *if_not_exists, name, properties, shown, canonical)?
            }
            StatementKind::PauseConnector(name) | StatementKind::ResumeConnector(name) => {
                self.catalog.connector(&name.name, name.span)?;
                let paused = matches!(&statement.kind, StatementKind::PauseConnector(_));
                Action::PauseConnector { name: name.name.clone(), paused }
            }
            StatementKind::DropConnector { if_exists, name } => {
                if *if_exists && self.catalog.find_connector(&name.name).is_none() {
                    return Ok(Action::Nothing(format!("There is no connector {}.", quote_identifier(&name.name))));
                }
                self.catalog.drop_connector(&name.name, name.span)?;
                Action::DropConnector(name.name.clone())
            }
            StatementKind::CreateFunction(create) => functions::plan_create(self, create, shown)?,
            StatementKind::DropFunction { if_exists, name } => functions::plan_drop(self, name, *if_exists)?,
            StatementKind::Set { name, value } => {
                self.settings.set(Origin::Set, &name.value, &value.value).map_err(|error| error.or_at(name.span))?;
                if crate::config::find(&name.value).is_some_and(|setting| setting.name == "auto.offset.reset") {
                    StartPolicy::parse(&value.value).map_err(|error| error.or_at(value.span))?;
                }
                Action::Set { name: name.value.clone(), value: value.value.clone() }
            }
            StatementKind::Unset(name) => {
                self.settings.unset(Origin::Set, &name.value).map_err(|error| error.or_at(name.span))?;
                Action::Unset(name.value.clone())
            }
            StatementKind::Define { name, value } => {
                self.variables.define(&name.name, value.value.clone()).map_err(|error| error.or_at(name.span))?;
                Action::Define { name: name.name.clone(), value: value.value.clone() }
            }
            StatementKind::Undefine(name) => {
                self.variables.undefine(&name.name);
                Action::Undefine(name.name.clone())
            }
            StatementKind::Show(show) => Action::Show(show.clone()),
            StatementKind::Describe(describe) => {
                self.check_describe(describe)?;
                Action::Describe(describe.clone())
            }
            StatementKind::Explain(inner) => Action::Explain(self.explain(inner, &context)?),
            StatementKind::ExplainQuery(id) => {
                self.catalog.query(&id.name, id.span)?;
                Action::ExplainQuery(id.name.clone())
            }
            StatementKind::AlterSource { kind, name, columns } => {
                let relation = planner::alter_source(&catalog, *kind, name, columns, shown)?;
                let added: Vec<&str> = columns.iter().map(|column| column.name.name.as_str()).collect();
                self.catalog.add_relation(relation.clone(), true, name.span)?;
                Action::Alter { key: alteration_key(&relation.name, &added), relation }
            }
            StatementKind::CreateType { if_not_exists, name, .. } => {
                if *if_not_exists && catalog.types().any(|(other, _)| other == name.name) {
                    return Ok(Action::Nothing(format!("There is a type {} already.", quote_identifier(&name.name))));
                }
                planner::change_catalog(&mut self.catalog, statement, shown)?;
                self.compare_with_log(&type_key(&name.name), canonical, false, name.span)?;
                let ty = self.catalog.user_type(&name.name, name.span)?.clone();
                Action::CreateType { name: name.name.clone(), ty }
            }
            StatementKind::DropType { if_exists, name } => {
                if *if_exists && catalog.types().all(|(other, _)| other != name.name) {
                    return Ok(Action::Nothing(format!("There is no type {}.", quote_identifier(&name.name))));
                }
                planner::change_catalog(&mut self.catalog, statement, shown)?;
                Action::DropType(name.name.clone())
            }
            StatementKind::AlterSystem { .. } => return Err(Error::unsupported("ALTER SYSTEM", span)),
            StatementKind::RunScript(_) => {
                return Err(Error::refused(Code::Misplaced, "RUN SCRIPT is a statement of files and of the shell")
                    .hint("A program reads the file and gives its text to Session::run.")
                    .at(span));
            }
            StatementKind::Assert(assert) => assert::plan(assert, &context, span)?,
        })
    }

    fn create_connector(
        &mut self,
        source: bool,
        replace: bool,
        if_not_exists: bool,
        name: &Ident,
        properties: &[Property],
        shown: &str,
        canonical: &str,
    ) -> Result<Action> {
        let quoted = quote_identifier(&name.name);
        if !source {
            return Err(Error::unsupported("CREATE SINK CONNECTOR", name.span)
                .hint("A persistent query writes a topic; programs outside read it there."));
        }
        if let Some(existing) = self.catalog.find_connector(&name.name)
            && !replace
        {
            let before = self::canonical(&existing.statement);
            if if_not_exists || before == canonical {
                return Ok(Action::Nothing(format!("Connector {quoted} exists already; nothing was created.")));
            }
            return Err(Error::refused(
                Code::AlreadyExists,
                format!("connector {quoted} exists already, with other properties"),
            )
            .detail(connectors::compare::difference(&before, canonical))
            .hint("Write CREATE OR REPLACE to change it, or IF NOT EXISTS to keep it.")
            .at(name.span));
        }
        let read = connectors::properties_of(name, properties)?;
        // A check of the text alone looks for no file either.
        let probe = !self.restores && !self.shared().admin.is_nowhere();
        let plan = connectors::plan(&quoted, &read, probe, name.span)?;
        if self.shared().until_end && !plan.is_finite() {
            return Err(Error::refused(Code::Misplaced, format!("connector {quoted} never ends"))
                .detail("--until-end processes what there is and exits")
                .hint("Run the file without --until-end, or leave the connector out of it.")
                .at(name.span));
        }
        self.compare_with_log(&connector_key(&name.name), canonical, replace, name.span)?;
        for target in plan.targets() {
            topics::check_target(self.shared(), &target, &quoted, &mut self.topics).map_err(|e| e.or_at(name.span))?;
        }
        let connector = Connector {
            name: name.name.clone(),
            source,
            properties: read.texts().into_iter().collect(),
            statement: shown.to_string(),
        };
        self.catalog.add_connector(connector.clone(), replace, name.span)?;
        Ok(Action::CreateConnector(NewConnector { connector, plan, replace }))
    }

    fn exists_already(&self, name: &str, if_not_exists: bool) -> Option<Action> {
        let existing = self.catalog.find_relation(name).filter(|_| if_not_exists)?;
        let kind = existing.kind.as_str();
        Some(Action::Nothing(format!("There is a {kind} {} already; nothing was created.", quote_identifier(name))))
    }

    fn start_query(
        &mut self,
        plan: PersistentPlan,
        query: &Query,
        properties: &[Property],
        replace: bool,
        canonical: &str,
        span: Span,
    ) -> Result<Action> {
        self.compare_with_log(&query_key(&plan.query.id), canonical, replace, span)?;
        if !self.restores {
            topics::check_query(self.shared(), &plan.plan, properties, &mut self.topics)
                .map_err(|error| error.or_at(span))?;
        }
        if let Some(sink) = &plan.sink {
            self.catalog.add_relation(sink.clone(), replace, span)?;
        }
        self.catalog.add_query(plan.query.clone(), replace, span)?;
        let policy = match &query.start {
            Some(start) => self.place(start)?,
            None => self.start_policy()?,
        };
        if let (Some(at), Some(_), StartPolicy::Offsets(_) | StartPolicy::Group { .. }) =
            (&query.start, &plan.plan.join, &policy)
        {
            // Two topics have other offsets each.
            return Err(Error::unsupported("START AT OFFSETS or GROUP for a join", at.span));
        }
        let admin = &self.shared().admin;
        if let (Some(at), false) = (&query.start, admin.is_nowhere() || self.restores) {
            let group = queries::group_of(&self.shared().service, &plan.query.id);
            for scan in plan.plan.scans() {
                start::check_for_group(admin, &scan.topic, &group, &policy).map_err(|e| e.or_at(at.span))?;
            }
        }
        let start_at = query.start.as_ref().map(|start| start.span);
        let settings = Box::new(self.settings.clone());
        Ok(Action::StartQuery { plan: Box::new(plan), replace, policy, start_at, settings })
    }

    /// A topic is not deleted under others that stand for it.
    fn refuse_to_delete_topic(&self, relation: &Relation, span: Span) -> Result<()> {
        let topic = &relation.topic.name;
        if relation.read_only {
            return Err(Error::refused(Code::InUse, format!("topic {topic} cannot be deleted"))
                .detail(format!("{} was created as a SOURCE", quote_identifier(&relation.name)))
                .hint("Leave DELETE TOPIC out.")
                .at(span));
        }
        let others = self.catalog.relations().filter(|other| other.topic.name == *topic && other.name != relation.name);
        let others: Vec<String> = others.map(|other| quote_identifier(&other.name)).collect();
        if others.is_empty() {
            return Ok(());
        }
        Err(Error::refused(Code::InUse, format!("topic {topic} cannot be deleted"))
            .detail(format!("{} stands for it too", others.join(", ")))
            .hint("Leave DELETE TOPIC out, or DROP the others first.")
            .at(span))
    }

    fn query_ids(&self, id: Option<&Ident>) -> Result<Vec<String>> {
        match id {
            None => Ok(self.catalog.queries().map(|query| query.id.clone()).collect()),
            Some(id) => Ok(vec![self.catalog.query(&id.name, id.span)?.id.clone()]),
        }
    }

    /// A file says what is to be; what an earlier run of it left must agree, unless the statement says `OR REPLACE`.
    fn compare_with_log(&self, key: &str, canonical: &str, replace: bool, span: Span) -> Result<()> {
        if !self.compare || replace {
            return Ok(());
        }
        let log = self.shared().log.lock();
        let Some(before) = log.get(key).filter(|before| before.canonical != canonical) else { return Ok(()) };
        let what = key.replacen('/', " ", 1);
        let differs = match key.starts_with("connector/") {
            // Earlier versions kept the properties in the order they were typed in.
            true if self::canonical(&before.canonical) == canonical => return Ok(()),
            true => connectors::compare::difference(&before.canonical, canonical),
            false => difference(&before.canonical, canonical),
        };
        Err(Error::refused(Code::AlreadyExists, format!("{what} was created by another statement"))
            .detail(differs)
            .hint("Write CREATE OR REPLACE to change it, or give the new one another name.")
            .at(span))
    }

    fn check_describe(&self, describe: &Describe) -> Result<()> {
        match describe {
            Describe::Source { name, .. } => self.catalog.relation(&name.name, name.span).map(drop),
            Describe::Function(name) => self.functions.describe(&name.name, name.span).map(drop),
            Describe::Connector(name) => self.catalog.connector(&name.name, name.span).map(drop),
            Describe::All { .. } => Ok(()),
        }
    }

    fn explain(&self, inner: &Statement, context: &Context) -> Result<String> {
        let plan = match &inner.kind {
            StatementKind::CreateAsSelect(create) => planner::create_as_select(context, create)?.plan,
            StatementKind::InsertSelect { target, properties, query } => {
                planner::insert_select(context, target, properties, query, 1)?.plan
            }
            StatementKind::Query(query) => planner::push_query(context, query, "SELECT".to_string())?,
            _ => {
                return Err(Error::refused(Code::Misplaced, "only a query can be explained")
                    .hint("EXPLAIN takes a SELECT, a CREATE ... AS SELECT, or the id of a running query.")
                    .at(inner.span));
            }
        };
        Ok(explain::explain(&plan))
    }
}

/// The canonical form of a statement's shown text. A text with `${env:NAME}` outside of a string stays as it is.
///
/// `OR REPLACE` and `IF NOT EXISTS` say what to do with an earlier one, not what is made; they are no part of it.
fn canonical(shown: &str) -> String {
    let Ok(mut statement) = crate::sql::parse_statement(shown) else { return shown.trim().to_string() };
    match &mut statement.kind {
        StatementKind::CreateSource(create) => (create.or_replace, create.if_not_exists) = (false, false),
        StatementKind::CreateAsSelect(create) => (create.or_replace, create.if_not_exists) = (false, false),
        StatementKind::CreateFunction(create) => (create.or_replace, create.if_not_exists) = (false, false),
        StatementKind::CreateConnector { or_replace, if_not_exists, properties, .. } => {
            (*or_replace, *if_not_exists) = (false, false);
            connectors::compare::normalize(properties);
        }
        _ => {}
    }
    statement.to_string()
}

/// What changed between two statements: from the first to the last line that differs, of each.
fn difference(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let part =
        |lines: &[&str]| lines[head..lines.len() - tail].iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    format!("it was `{}`, it is now `{}`", part(&old), part(&new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_of_two_statements_is_the_lines_that_changed() {
        let before = "CREATE STREAM a AS\nSELECT id\nFROM s\nWHERE id > 3";
        let after = "CREATE STREAM a AS\nSELECT id\nFROM s\nWHERE id > 4";
        assert_eq!(difference(before, after), "it was `WHERE id > 3`, it is now `WHERE id > 4`");
    }

    #[test]
    fn layout_and_case_of_keywords_do_not_change_the_canonical_form() {
        assert_eq!(canonical("show   streams"), canonical("SHOW STREAMS"));
        assert_ne!(canonical("SHOW STREAMS"), canonical("SHOW TABLES"));
        assert_eq!(
            canonical("CREATE OR REPLACE STREAM a AS SELECT * FROM s"),
            canonical("CREATE STREAM a AS SELECT * FROM s")
        );
        assert_eq!(
            canonical("create or replace source connector c with ('B.x'='1', 'a'='2')"),
            canonical("CREATE SOURCE CONNECTOR IF NOT EXISTS C WITH ('a'='2', 'b.x'='1')")
        );
    }
}
