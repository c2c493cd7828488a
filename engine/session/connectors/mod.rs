//! The connector statements: classes, what runs, and each statement carried out.
//!
//! - [`classes`]: the registry of `connector.class`
//! - [`live`]: the connectors that run
//! - [`compare`]: whether two statements make the same connector
//! - [`describe`]: `SHOW CONNECTORS`, `DESCRIBE CONNECTOR`
//!
//! A connector is stopped before another one takes its place, because both may need the same port or the same transactional
//! id. When the new one does not start, the old one is started again, from its properties in the catalog.

pub(super) mod classes;
pub(super) mod compare;
pub(super) mod describe;
pub(super) mod live;

pub use classes::CLASSES;

use std::sync::Arc;
use std::time::Duration;

use super::engine::{Shared, Storage};
use super::topics;
use crate::catalog::Connector;
use crate::catalog::log::connector_key;
use crate::config::Settings;
use crate::error::{Code, Error, Result, Span};
use crate::ingest::connector::{ConnectorPlan, Host, RunningConnector};
use crate::ingest::properties::Properties;
use crate::sql::ast::{ExprKind, Ident, Property};
use crate::types::quote_identifier;

/// How long a connector may take to end in order.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// A connector that could be started.
pub(super) struct NewConnector {
    pub connector: Connector,
    pub plan: Box<dyn ConnectorPlan>,
    /// Whether it may take the place of one of the same name.
    pub replace: bool,
}

/// The properties of a `CREATE CONNECTOR` as texts, with their places.
pub(super) fn properties_of(name: &Ident, properties: &[Property]) -> Result<Properties> {
    let mut read = Properties::new(name.span);
    for property in properties {
        let value = match &property.value.kind {
            ExprKind::String(text) | ExprKind::Decimal(text) => text.clone(),
            ExprKind::Integer(number) => number.to_string(),
            ExprKind::Boolean(flag) => flag.to_string(),
            _ => {
                return Err(Error::refused(
                    Code::InvalidPropertyValue,
                    format!("connector property '{}' is not a literal", property.name.value),
                )
                .hint("Write the value in single quotes.")
                .at(property.value.span));
            }
        };
        if read.has(&property.name.value) {
            return Err(Error::refused(
                Code::DuplicateName,
                format!("connector property '{}' is given twice", property.name.value),
            )
            .at(property.name.span));
        }
        read.put(&property.name.value, &value, property.name.span, property.value.span);
    }
    Ok(read)
}

/// Reads the properties without touching anything; `probe` also looks for what should be there now.
pub(super) fn plan(name: &str, properties: &Properties, probe: bool, span: Span) -> Result<Box<dyn ConnectorPlan>> {
    let checked = || {
        let plan = classes::class_of(name, properties)?.plan(properties)?;
        if probe {
            plan.probe(properties)?;
        }
        Ok(plan)
    };
    checked().map_err(|error: Error| error.or_at(span))
}

/// Starts a connector and keeps it; the statement log and the catalog know it afterwards.
pub(super) fn create(
    shared: &Arc<Shared>,
    settings: &Settings,
    new: NewConnector,
    shown: &str,
    canonical: &str,
    span: Span,
) -> Result<String> {
    let NewConnector { connector, plan, replace } = new;
    let name = connector.name.clone();
    let key = connector_key(&name);
    let paused = shared.log.lock().is_paused(&key);
    let before = shared.catalog.snapshot().find_connector(&name).cloned();
    if before.is_some() && !replace {
        shared.catalog.change(|catalog| catalog.add_connector(connector.clone(), false, span))?;
    }
    stop(shared, &name);
    let started = start(shared, settings, &name, plan, paused).and_then(|running| {
        shared.connectors.insert(&name, running);
        let mut log = shared.log.lock();
        let kept = log.get(&key).cloned();
        log.put(&key, shown, canonical);
        log.flush(&shared.admin, &shared.producer).inspect_err(|_| log.put_back(&key, kept))
    });
    if let Err(error) = started {
        stop(shared, &name);
        if let Some(before) = before {
            restart(shared, settings, &before, paused);
        }
        return Err(error);
    }
    shared.catalog.change(|catalog| catalog.add_connector(connector, true, span))?;
    let quoted = quote_identifier(&name);
    let done = if before.is_some() { "Replaced" } else { "Created" };
    Ok(match paused {
        true => format!(
            "{done} connector {quoted}; it is paused, as it was before. RESUME CONNECTOR {quoted}; lets it go on."
        ),
        false => format!("{done} connector {quoted}."),
    })
}

/// Starts a connector again that had to make room for one that did not start.
fn restart(shared: &Arc<Shared>, settings: &Settings, connector: &Connector, paused: bool) {
    let mut properties = Properties::default();
    for (name, value) in &connector.properties {
        properties.put(name, value, Span::default(), Span::default());
    }
    let again = plan(&connector.name, &properties, false, Span::default())
        .and_then(|plan| start(shared, settings, &connector.name, plan, paused));
    match again {
        Ok(running) => shared.connectors.insert(&connector.name, running),
        Err(error) => {
            shared.notices.error(&connector.name, format!("could not be started again: {error}"));
        }
    }
}

fn start(
    shared: &Arc<Shared>,
    settings: &Settings,
    name: &str,
    plan: Box<dyn ConnectorPlan>,
    paused: bool,
) -> Result<Arc<dyn RunningConnector>> {
    for target in plan.targets() {
        topics::ensure_target(shared, &target, name)?;
    }
    plan.start(Host {
        name: name.to_string(),
        service: shared.service.clone(),
        client: shared.client.clone(),
        admin: Arc::clone(&shared.admin),
        producer: Arc::clone(&shared.producer),
        in_memory: matches!(shared.storage, Storage::Memory(_)),
        exactly_once: settings.get("processing.guarantee") != "at_least_once",
        paused,
        notices: shared.notices.clone(),
    })
}

fn stop(shared: &Shared, name: &str) {
    if let Some(live) = shared.connectors.remove(name) {
        live.running.stop(STOP_PATIENCE);
    }
}

/// Ends a connector for good. Its topics stay.
pub(super) fn drop_connector(shared: &Shared, name: &str, span: Span) -> Result<String> {
    let key = connector_key(name);
    shared.catalog.snapshot().connector(name, span)?;
    {
        let mut log = shared.log.lock();
        let kept = log.get(&key).cloned();
        log.remove(&key);
        if let Err(error) = log.flush(&shared.admin, &shared.producer) {
            log.put_back(&key, kept);
            return Err(error);
        }
    }
    if let Some(live) = shared.connectors.remove(name) {
        live.running.stop(STOP_PATIENCE);
        if let Err(error) = live.running.forget() {
            let text = format!("is dropped, but one of the same name would go on where it was: {error}");
            shared.notices.warning(name, text);
        }
    }
    shared.catalog.change(|catalog| catalog.drop_connector(name, span))?;
    Ok(format!("Dropped connector {}.", quote_identifier(name)))
}

/// Pauses a connector or lets it go on; kept, so that it holds after a restart too.
pub(super) fn pause(shared: &Shared, name: &str, paused: bool) -> Result<String> {
    let quoted = quote_identifier(name);
    let Some(live) = shared.connectors.get(name) else {
        return Err(Error::external(format!("connector {quoted} does not run"))
            .hint("DROP it and CREATE it again; an earlier notice says why it did not come back."));
    };
    let state = live.running.state();
    if state.is_over() {
        return Err(Error::refused(
            Code::NotReplaceable,
            format!("connector {quoted} is {}", state.to_string().to_lowercase()),
        )
        .hint("Only a connector that brings records can be paused; CREATE OR REPLACE starts it again."));
    }
    let switch = |paused: bool| if paused { live.running.pause() } else { live.running.resume() };
    switch(paused)?;
    let mut log = shared.log.lock();
    let key = connector_key(name);
    let before = log.get(&key).cloned();
    log.set_paused(&key, paused);
    if let Err(error) = log.flush(&shared.admin, &shared.producer) {
        log.put_back(&key, before);
        drop(log);
        switch(!paused)?;
        return Err(error);
    }
    Ok(format!("{} connector {quoted}.", if paused { "Paused" } else { "Resumed" }))
}
