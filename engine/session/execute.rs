//! Actions carried out, one arm each. What can fail outside happens first, the catalog changes last: a statement that fails
//! leaves no trace.

use super::engine::Shared;
use super::outcome::{Listing, Outcome};
use super::statement::{Action, Planned};
use super::topics::Cleanup;
use super::{Session, connectors, describe, functions, insert, own_topics, print, queries, show, topics};
use crate::catalog::Catalog;
use crate::catalog::log::{Meaning, query_key, relation_key, type_key};
use crate::config::{Applied, Origin};
use crate::error::{Code, Error, Result};
use crate::plan::explain;
use crate::runtime::start::check_for_group;
use crate::sql::format::statement_text;
use crate::types::quote_identifier;

impl Session {
    /// Carries out a planned statement.
    pub(super) fn carry_out(&mut self, planned: Planned) -> Result<Outcome> {
        let Planned { action, span, shown, canonical, settings, restores } = planned;
        let said = Meaning { settings, ..Meaning::default() };
        let shared = &self.engine.0;
        Ok(match action {
            Action::Nothing(why) => Outcome::Done(why),
            Action::CreateRelation { relation, replace, has_topic } => {
                let (name, kind) = (relation.name.clone(), relation.kind.as_str());
                if !has_topic {
                    topics::ensure(shared, &relation.topic, None, Cleanup::of(&relation), &name)?;
                }
                let before = shared.catalog.snapshot();
                shared.catalog.change(|catalog| catalog.add_relation(relation, replace, span))?;
                // On a cluster, sessions that only look at topics leave nothing behind; what they declared is written with
                // their first query.
                let now = shared.is_embedded();
                // What was added to the one before is in this one, or is not wanted.
                let anew = replace && !restores;
                let added = if anew { shared.log.lock().remove_alterations(&name) } else { Vec::new() };
                if let Err(error) = keep(shared, &relation_key(&name), [&shown, &canonical], said, now) {
                    let mut log = shared.log.lock();
                    added.into_iter().for_each(|(key, entry)| log.put_back(&key, Some(entry)));
                    drop(log);
                    put_back(shared, &before, Some(&name), None)?;
                    return Err(error);
                }
                Outcome::Done(format!("Created {kind} {}.", quote_identifier(&name)))
            }
            Action::StartQuery { plan, replace, policy, start_at, settings } => {
                let id = plan.query.id.clone();
                if let Some(at) = start_at {
                    // Its topic may have been made by a statement that was planned with it.
                    let group = queries::group_of(&shared.service, &id);
                    for scan in plan.plan.scans() {
                        check_for_group(&shared.admin, &scan.topic, &group, &policy).map_err(|e| e.or_at(at))?;
                    }
                }
                let before = shared.catalog.snapshot();
                // All that can be refused comes before a query that is replaced is stopped.
                let mut ready = queries::prepare(shared, &plan, &policy, &settings)?;
                ready.paused = shared.log.lock().is_paused(&query_key(&id));
                shared.catalog.change(|catalog| {
                    if let Some(sink) = &plan.sink {
                        catalog.add_relation(sink.clone(), replace, span)?;
                    }
                    catalog.add_query(plan.query.clone(), replace, span)
                })?;
                let meaning = Meaning { columns: plan.query.columns.clone(), ..said };
                let started = keep(shared, &query_key(&id), [&shown, &canonical], meaning, true)
                    .and_then(|()| queries::stop(shared, &id))
                    .and_then(|()| queries::start(shared, ready));
                if let Err(error) = started {
                    put_back(shared, &before, plan.sink.as_ref().map(|sink| sink.name.as_str()), Some(&id))?;
                    return Err(error);
                }
                if let Some(text) = queries::goes_in_circles(&shared.catalog.snapshot(), &id) {
                    shared.notices.warning(&id, text);
                }
                Outcome::Done(format!("Created query {id}."))
            }
            Action::Push { plan, policy, until, places } => {
                let rows = self.settings.integer("batch.rows") as usize;
                Outcome::Rows(queries::start_push(shared, *plan, &policy, until.as_ref(), places, &shown, rows)?)
            }
            Action::Print { topic, policy, interval, limit } => {
                Outcome::Rows(print::start_print(shared, &topic, policy, interval, limit, &shown)?)
            }
            Action::Insert(row) => {
                insert::insert(shared, &row)?;
                Outcome::Done(format!("Inserted 1 row into {}.", quote_identifier(&row.relation.name)))
            }
            Action::DropRelation { name, delete_topic } => {
                // The query that made it ends with it; the statement was planned on that.
                let catalog = shared.catalog.snapshot();
                let made_by = catalog.find_relation(&name).and_then(|relation| relation.sink_of.clone());
                if let Some(id) = made_by.filter(|id| catalog.writers_of(&name) == [id.as_str()]) {
                    self.terminate(&id)?;
                }
                let relation = shared.catalog.change(|catalog| catalog.drop_relation(&name, span))?;
                let mut log = shared.log.lock();
                log.remove(&relation_key(&name));
                log.remove_alterations(&name);
                log.flush(&shared.admin, &shared.producer)?;
                let mut text = format!("Dropped {} {}", relation.kind.as_str(), quote_identifier(&name));
                if delete_topic {
                    shared.admin.delete_topic(&relation.topic.name, std::time::Duration::from_secs(10))?;
                    text += &format!(" and deleted topic {}", relation.topic.name);
                }
                Outcome::Done(text + ".")
            }
            Action::CreateType { name, ty } => {
                let text = format!("Created type {} as {ty}.", quote_identifier(&name));
                let key = type_key(&name);
                shared.catalog.change(|catalog| catalog.add_type(&name, ty, false, span))?;
                if let Err(error) = keep(shared, &key, [&shown, &canonical], said, shared.is_embedded()) {
                    shared.catalog.change(|catalog| catalog.drop_type(&name, span))?;
                    return Err(error);
                }
                Outcome::Done(text)
            }
            Action::DropType(name) => {
                shared.catalog.change(|catalog| catalog.drop_type(&name, span))?;
                let dropped = format!("Dropped type {}", quote_identifier(&name));
                let users = users_of(&shared.catalog.snapshot(), &name);
                if !users.is_empty() {
                    // Their statements are kept as typed, so the type must be there when they are carried out again.
                    let users = users.join(", ");
                    return Ok(Outcome::Done(format!(
                        "{dropped}; it comes back with {users}, whose statements name it."
                    )));
                }
                let mut log = shared.log.lock();
                log.remove(&type_key(&name));
                log.flush(&shared.admin, &shared.producer)?;
                Outcome::Done(dropped + ".")
            }
            Action::Alter { relation, key } => {
                let (name, kind) = (relation.name.clone(), relation.kind.as_str());
                let before = shared.catalog.snapshot();
                shared.catalog.change(|catalog| catalog.add_relation(relation, true, span))?;
                if let Err(error) = keep(shared, &key, [&shown, &canonical], said, shared.is_embedded()) {
                    put_back(shared, &before, Some(&name), None)?;
                    return Err(error);
                }
                Outcome::Done(format!("Altered {kind} {}.", quote_identifier(&name)))
            }
            Action::Terminate(ids) => {
                for id in &ids {
                    self.terminate(id)?;
                }
                Outcome::Done(counted("Terminated", &ids))
            }
            Action::Pause(ids) => {
                pause(shared, &ids, true)?;
                Outcome::Done(counted("Paused", &ids))
            }
            Action::Resume(ids) => {
                pause(shared, &ids, false)?;
                Outcome::Done(counted("Resumed", &ids))
            }
            Action::CreateConnector(new) => {
                Outcome::Done(connectors::create(shared, &self.settings, new, &shown, &canonical, span)?)
            }
            Action::DropConnector(name) => Outcome::Done(connectors::drop_connector(shared, &name, span)?),
            Action::PauseConnector { name, paused } => Outcome::Done(connectors::pause(shared, &name, paused)?),
            Action::CreateFunction(new) => Outcome::Done(functions::create(shared, *new, span)?),
            Action::DropFunction(name) => Outcome::Done(functions::drop(shared, &name)?),
            Action::Set { name, value } => Outcome::Done(match self.settings.set(Origin::Set, &name, &value)? {
                Applied::Setting(_) => format!("Set '{name}' to '{value}'."),
                Applied::StandsFor(ours) => format!("Set '{ours}' to '{value}'; '{name}' stands for it."),
                Applied::Nothing(reason) => format!("'{name}' has no meaning here, because {reason}."),
            }),
            Action::Unset(name) => Outcome::Done(match self.settings.unset(Origin::Set, &name)? {
                Applied::Setting(ours) | Applied::StandsFor(ours) => {
                    format!("Unset '{name}'; it is '{}' now.", self.settings.get(ours))
                }
                Applied::Nothing(reason) => format!("'{name}' has no meaning here, because {reason}."),
            }),
            Action::Define { name, value } => {
                self.variables.define(&name, value)?;
                Outcome::Done(format!("Defined ${{{name}}}."))
            }
            Action::Undefine(name) => {
                self.variables.undefine(&name);
                Outcome::Done(format!("Undefined ${{{name}}}."))
            }
            Action::AssertTopic(topic) => topic.hold(shared, &self.hurried)?,
            Action::Show(what) => show::show(shared, &self.settings, &self.variables, &what)?,
            Action::Describe(what) => describe::describe(shared, &what)?,
            Action::Explain(text) => Outcome::Text(text),
            Action::ExplainQuery(id) => {
                let queries = shared.queries.lock();
                let handle = queries
                    .get(&id)
                    .ok_or_else(|| Error::refused(Code::UnknownQuery, format!("query {id} does not run")).at(span))?;
                let plan = explain::explain(&handle.spec().plan);
                let statement = shared.catalog.snapshot().query(&id, span)?.statement.clone();
                Outcome::Text(format!("{}\n\n{plan}", statement_text(&statement)))
            }
        })
    }

    /// Stops a query for good: its offsets go, its sink stays as a stream of its own.
    fn terminate(&self, id: &str) -> Result<()> {
        let shared = &self.engine.0;
        let own = shared.queries.lock().get(id).map(|handle| handle.spec().own.clone());
        queries::stop(shared, id)?;
        let query = shared.catalog.change(|catalog| catalog.drop_query(id, Default::default()))?;
        let mut log = shared.log.lock();
        log.remove(&query_key(id));
        if let Some(sink) =
            shared.catalog.snapshot().find_relation(&query.sink).filter(|r| r.sink_of.as_deref() == Some(id))
        {
            let statement = describe::create_statement(sink);
            log.put(&relation_key(&sink.name), &statement, &statement);
        }
        log.flush(&shared.admin, &shared.producer)?;
        let group = queries::group_of(&shared.service, id);
        shared.admin.delete_group(&group, std::time::Duration::from_secs(10))?;
        own_topics::delete(shared, id, own)
    }
}

/// Suspends queries or lets them go on, and keeps that for the next session.
fn pause(shared: &Shared, ids: &[String], paused: bool) -> Result<()> {
    let queries = shared.queries.lock();
    queries.iter().filter(|(id, _)| ids.contains(id)).for_each(|(_, query)| query.shared().request_pause(paused));
    drop(queries);
    let mut log = shared.log.lock();
    ids.iter().for_each(|id| log.set_paused(&query_key(id), paused));
    log.flush(&shared.admin, &shared.producer)
}

/// Keeps a statement in the statements topic, `now` or with the next that is written at once; a failure keeps nothing.
fn keep(shared: &Shared, key: &str, [shown, canonical]: [&str; 2], meaning: Meaning, now: bool) -> Result<()> {
    let mut log = shared.log.lock();
    let before = log.get(key).cloned();
    log.put_with(key, shown, canonical, meaning);
    if now && let Err(error) = log.flush(&shared.admin, &shared.producer) {
        log.put_back(key, before);
        return Err(error);
    }
    Ok(())
}

/// Takes back what a statement changed in the catalog before it failed.
fn put_back(shared: &Shared, before: &Catalog, relation: Option<&str>, query: Option<&str>) -> Result<()> {
    shared.catalog.change(|catalog| {
        catalog.put_back(before, relation, query);
        Ok(())
    })
}

/// Streams, tables and queries whose statements name a type.
fn users_of(catalog: &Catalog, name: &str) -> Vec<String> {
    let names = |statement: &str| {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        statement.split(|c| !word(c)).any(|found| found.eq_ignore_ascii_case(name))
    };
    let relations = catalog.relations().filter(|relation| names(&relation.statement));
    let queries = catalog.queries().filter(|query| names(&query.statement));
    relations.map(|relation| quote_identifier(&relation.name)).chain(queries.map(|query| query.id.clone())).collect()
}

fn counted(what: &str, ids: &[String]) -> String {
    match ids {
        [] => "There is no query.".to_string(),
        [one] => format!("{what} query {one}."),
        many => format!("{what} {} queries: {}.", many.len(), many.join(", ")),
    }
}

impl From<Listing> for Outcome {
    fn from(listing: Listing) -> Outcome {
        Outcome::Listing(listing)
    }
}
