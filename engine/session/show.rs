//! `SHOW` and `LIST`.

use std::time::Duration;

use super::connectors;
use super::engine::Shared;
use super::extended;
use super::outcome::{Listing, Outcome};
use crate::catalog::RelationKind;
use crate::config::Settings;
use crate::error::Result;
use crate::kafka::Connection;
use crate::runtime::status::Counters;
use crate::sql::ast::Show;
use crate::sql::lexemes::one_line;
use crate::sql::variables::Variables;
use crate::types::quote_identifier;

/// What there is.
pub(super) fn show(shared: &Shared, settings: &Settings, variables: &Variables, what: &Show) -> Result<Outcome> {
    match what {
        Show::Streams { extended: true } => Ok(Outcome::Text(extended::relations(shared, RelationKind::Stream)?)),
        Show::Tables { extended: true } => Ok(Outcome::Text(extended::relations(shared, RelationKind::Table)?)),
        Show::Queries { extended: true } => Ok(Outcome::Text(extended::queries(shared)?)),
        Show::Topics { all, extended: true } => Ok(extended::topics(shared, *all)?.into()),
        _ => Ok(listing(shared, settings, variables, what)?.into()),
    }
}

fn listing(shared: &Shared, settings: &Settings, variables: &Variables, what: &Show) -> Result<Listing> {
    match what {
        Show::Properties => Ok(properties(settings)),
        Show::Topics { all, .. } => topics(shared, *all),
        Show::Streams { .. } => Ok(relations(shared, RelationKind::Stream)),
        Show::Tables { .. } => Ok(relations(shared, RelationKind::Table)),
        Show::Functions => Ok(functions(shared)),
        Show::Queries { .. } => Ok(queries(shared)),
        Show::Connectors(only) => Ok(connectors::describe::show(shared, *only)),
        Show::Variables => {
            let mut listing = Listing::new(&["Variable", "Value"]);
            variables.iter().for_each(|(name, value)| listing.push([name.to_string(), value.to_string()]));
            Ok(listing)
        }
        Show::Types => {
            let mut listing = Listing::new(&["Type", "Stands for"]);
            let catalog = shared.catalog.snapshot();
            catalog.types().for_each(|(name, ty)| listing.push([quote_identifier(name), ty.to_string()]));
            Ok(listing)
        }
        Show::ConnectorPlugins => Ok(connectors::describe::plugins()),
    }
}

fn properties(settings: &Settings) -> Listing {
    let mut listing = Listing::new(&["Property", "Value", "Origin"]);
    for (name, value, origin) in settings.list() {
        listing.push([name, value, origin.to_string()]);
    }
    listing
}

fn topics(shared: &Shared, all: bool) -> Result<Listing> {
    let mut listing = Listing::new(&["Topic", "Partitions", "Replicas"]);
    for topic in shared.admin.topics(Duration::from_secs(10))? {
        // Kafka's own topics and ours are hidden, as in ksqlDB.
        if all || !topic.name.starts_with('_') {
            listing.push([topic.name, topic.partitions.to_string(), topic.replicas.to_string()]);
        }
    }
    Ok(listing)
}

fn relations(shared: &Shared, kind: RelationKind) -> Listing {
    let name = match kind {
        RelationKind::Stream => "Stream",
        RelationKind::Table => "Table",
    };
    let mut listing = Listing::new(&[name, "Topic", "Key format", "Value format"]);
    let catalog = shared.catalog.snapshot();
    for relation in catalog.relations().filter(|relation| relation.kind == kind) {
        listing.push([
            quote_identifier(&relation.name),
            relation.topic.name.clone(),
            relation.key_format.to_string(),
            relation.value_format.to_string(),
        ]);
    }
    listing
}

fn functions(shared: &Shared) -> Listing {
    let mut listing = Listing::new(&["Function", "Type", "Category", "Origin"]);
    for function in shared.functions.snapshot().list() {
        let (kind, category) = (function.kind.to_string(), function.category.to_string());
        listing.push([function.name, kind, category, function.door.to_string()]);
    }
    listing
}

fn queries(shared: &Shared) -> Listing {
    let mut listing = Listing::new(&["Query", "State", "Sink", "In", "Out", "Bad", "Statement"]);
    let catalog = shared.catalog.snapshot();
    let running = shared.queries.lock();
    for query in catalog.queries() {
        let count = |pick: &dyn Fn(&Counters) -> u64| {
            running.get(&query.id).map_or(String::new(), |handle| pick(&handle.shared().counters).to_string())
        };
        let lost = matches!(shared.client.health.connection_state(), Connection::Down { .. });
        let state = running.get(&query.id).map_or("STOPPED".to_string(), |handle| {
            let state = handle.shared().state().to_string();
            if lost { format!("{state}, no broker") } else { state }
        });
        listing.push([
            query.id.clone(),
            state,
            quote_identifier(&query.sink),
            count(&|counters| Counters::get(&counters.records_in)),
            count(&|counters| Counters::get(&counters.records_out)),
            count(&|counters| Counters::get(&counters.bad)),
            cut(&query.statement),
        ]);
    }
    listing
}

/// A statement on one line; long ones are cut.
fn cut(statement: &str) -> String {
    let folded = one_line(statement);
    match folded.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &folded[..end]),
        None => folded,
    }
}
