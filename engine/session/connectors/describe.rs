//! `SHOW CONNECTORS`, `SHOW CONNECTOR PLUGINS` and `DESCRIBE CONNECTOR`.

use std::time::SystemTime;

use super::super::engine::Shared;
use super::super::outcome::Listing;
use super::{classes, compare};
use crate::catalog::Connector;
use crate::config::MASK;
use crate::error::{Result, Span};
use crate::ingest::connector::DELIVERED;
use crate::ingest::properties::Properties;
use crate::types::quote_identifier;

/// `SHOW [SOURCE | SINK] CONNECTORS`.
pub(in crate::session) fn show(shared: &Shared, only: Option<bool>) -> Listing {
    let mut listing = Listing::new(&[
        "Connector Name",
        "Type",
        "Class",
        "Status",
        "Delivered",
        "Per second",
        "Listens on",
        "Last error",
    ]);
    let catalog = shared.catalog.snapshot();
    for connector in catalog.connectors().filter(|connector| only.is_none_or(|source| source == connector.source)) {
        let live = shared.connectors.get(&connector.name);
        let of = |text: &dyn Fn(&super::live::Live) -> String| live.as_ref().map_or(String::new(), text);
        listing.push([
            quote_identifier(&connector.name),
            kind(connector).to_string(),
            class_of(connector),
            live.as_ref().map_or("STOPPED".to_string(), |live| live.running.state().to_string()),
            of(&|live| live.delivered().to_string()),
            of(&|live| rate(live.rate())),
            of(&|live| live.running.addresses().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
            of(&|live| live.running.last_error().map_or(String::new(), |last| last.text)),
        ]);
    }
    listing
}

/// `SHOW CONNECTOR PLUGINS`.
pub(in crate::session) fn plugins() -> Listing {
    let mut listing = Listing::new(&["Class", "Type", "What it does", "Also as"]);
    for class in classes::CLASSES {
        let row =
            [class.name().to_string(), "SOURCE".to_string(), class.about().to_string(), class.aliases().join(" ")];
        listing.push(row);
    }
    listing
}

/// `DESCRIBE CONNECTOR name`.
pub(in crate::session) fn describe(shared: &Shared, name: &str, span: Span) -> Result<Listing> {
    let catalog = shared.catalog.snapshot();
    let connector = catalog.connector(name, span)?;
    let mut listing = Listing::new(&["What", "Value"]);
    listing.title = format!("Connector {}", quote_identifier(&connector.name));
    let mut row = |what: &str, value: String| listing.push([what.to_string(), value]);
    row("class", class_of(connector));
    row("type", kind(connector).to_string());
    let live = shared.connectors.get(&connector.name);
    row("state", live.as_ref().map_or("STOPPED".to_string(), |live| live.running.state().to_string()));
    for topic in targets(connector) {
        row("topic", topic);
    }
    if let Some(live) = &live {
        live.running.addresses().iter().for_each(|at| row("listens on", at.to_string()));
        live.running.facts().into_iter().for_each(|(what, value)| row(what, value));
        row("delivered", live.delivered().to_string());
        row("delivered per second", rate(live.rate()));
        for (what, count) in live.running.counts().into_iter().filter(|(what, _)| *what != DELIVERED) {
            row(&what.replace('_', " "), count.to_string());
        }
        if let Some(last) = live.running.last_error() {
            row("last error", format!("{} ago: {}", ago(last.at), last.text));
        }
    }
    for (name, value) in shown_properties(connector) {
        row(&format!("'{name}'"), value);
    }
    Ok(listing)
}

fn kind(connector: &Connector) -> &'static str {
    if connector.source { "SOURCE" } else { "SINK" }
}

/// Our name of its class, whatever name the statement used.
fn class_of(connector: &Connector) -> String {
    let asked =
        connector.properties.iter().find(|(name, _)| name == "connector.class").map(|(_, class)| class.as_str());
    let asked = asked.unwrap_or_default().trim();
    classes::find(asked).map_or(asked, |class| class.name()).to_string()
}

fn targets(connector: &Connector) -> Vec<String> {
    let pairs: Vec<(&str, &str)> =
        connector.properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let properties = Properties::of(&pairs);
    let plan = super::plan(&connector.name, &properties, false, Span::default());
    let mut topics: Vec<String> =
        plan.map_or(Vec::new(), |plan| plan.targets().into_iter().map(|target| target.topic).collect());
    topics.sort();
    topics.dedup();
    topics
}

/// The properties as the statement shows them; those of a class that are secrets by its own word are masked too.
fn shown_properties(connector: &Connector) -> Vec<(String, String)> {
    let class = classes::find(&class_of(connector));
    let secrets = class.map_or(&[][..], |class| class.secrets());
    let shown = compare::shown_properties(&connector.statement);
    let names = connector.properties.iter().map(|(name, _)| name);
    names
        .map(|name| {
            let value = shown.as_ref().and_then(|shown| shown.get(name)).filter(|_| !secrets.contains(&name.as_str()));
            (name.clone(), value.map_or(MASK.to_string(), Clone::clone))
        })
        .collect()
}

fn rate(rate: f64) -> String {
    if rate >= 100.0 || rate == 0.0 { format!("{rate:.0}") } else { format!("{rate:.1}") }
}

/// The time since a moment, in its largest unit.
fn ago(at: SystemTime) -> String {
    let seconds = SystemTime::now().duration_since(at).map_or(0, |since| since.as_secs());
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_one_decimal_when_they_are_small() {
        assert_eq!([rate(0.0), rate(0.25), rate(99.94), rate(310_000.4)], ["0", "0.2", "99.9", "310000"]);
    }

    #[test]
    fn a_secret_is_masked_even_when_the_statement_cannot_be_read() {
        let connector = Connector {
            name: "C".into(),
            source: true,
            properties: vec![("connector.class".into(), "mqtt-listener".into()), ("key".into(), "hunter2".into())],
            statement: "CREATE SOURCE CONNECTOR c WITH ('key'=${env:KEY})".into(),
        };
        assert!(shown_properties(&connector).iter().all(|(_, value)| !value.contains("hunter2")));
    }
}
