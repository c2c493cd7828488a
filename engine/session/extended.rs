//! `EXTENDED`: what a stream, a topic or a query is, who reads and writes it, how fast, and how far behind.

use std::fmt::Write;
use std::time::Duration;

use super::describe::{columns, create_statement};
use super::engine::Shared;
use super::outcome::Listing;
use crate::catalog::{Catalog, CatalogQuery, Relation, RelationKind};
use crate::error::Result;
use crate::kafka::{PartitionOffset, TopicInfo};
use crate::runtime::status::Counters;
use crate::sql::format::statement_text;
use crate::types::quote_identifier;
use crate::types::text::time::write_timestamp;

/// How long the cluster gets to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// All streams, or all tables, one after the other.
pub(super) fn relations(shared: &Shared, kind: RelationKind) -> Result<String> {
    let catalog = shared.catalog.snapshot();
    let all = catalog.relations().filter(|relation| relation.kind == kind);
    let texts = all.map(|one| relation(shared, &catalog, one)).collect::<Result<Vec<_>>>()?;
    Ok(match texts.is_empty() {
        true => format!("There is no {}.", kind.as_str()),
        false => texts.join("\n"),
    })
}

/// One stream or table: its columns, its topic, its queries.
pub(super) fn relation(shared: &Shared, catalog: &Catalog, relation: &Relation) -> Result<String> {
    let mut text = String::new();
    let listing = columns(relation);
    let _ = writeln!(text, "{}", listing.title);
    for row in &listing.rows {
        let _ = writeln!(text, "  {}", row.join("  ").trim_end());
    }
    let topic = match shared.admin.topic(&relation.topic.name, ANSWER)? {
        Some(topic) => format!("{} ({})", topic.name, shape(&topic)),
        None => format!("{} (does not exist)", relation.topic.name),
    };
    line(&mut text, "topic", &topic);
    line(&mut text, "formats", &format!("key {}, value {}", relation.key_format, relation.value_format));
    let time = relation.timestamp.as_ref().map_or("that of the record".to_string(), ToString::to_string);
    line(&mut text, "time", &time);
    line(&mut text, "statement", &statement_text(&create_statement(relation)));
    for (what, ids) in
        [("written by", catalog.writers_of(&relation.name)), ("read by", catalog.readers_of(&relation.name))]
    {
        if !ids.is_empty() {
            line(&mut text, what, &ids.join(", "));
        }
        for id in ids {
            if let Ok(query) = catalog.query(id, Default::default()) {
                text += &one_query(shared, query)?;
            }
        }
    }
    Ok(text)
}

/// All persistent queries, one after the other.
pub(super) fn queries(shared: &Shared) -> Result<String> {
    let catalog = shared.catalog.snapshot();
    let texts = catalog.queries().map(|query| one_query(shared, query)).collect::<Result<Vec<_>>>()?;
    Ok(if texts.is_empty() { "There is no query.".to_string() } else { texts.join("\n") })
}

/// One persistent query: its state, its counts, and its place in each partition of its source.
fn one_query(shared: &Shared, query: &CatalogQuery) -> Result<String> {
    let mut text = format!("Query {}\n", query.id);
    let running = {
        let queries = shared.queries.lock();
        queries.get(&query.id).map(|handle| {
            (std::sync::Arc::clone(handle.shared()), handle.spec().sources.clone(), handle.spec().group.clone())
        })
    };
    line(&mut text, "statement", &statement_text(&query.statement));
    line(&mut text, "reads", &names(&query.sources));
    line(&mut text, "writes", &quote_identifier(&query.sink));
    let Some((status, topics, group)) = running else {
        line(&mut text, "state", "STOPPED");
        return Ok(text);
    };
    line(&mut text, "state", &status.state().to_string());
    let counters = &status.counters;
    let get = Counters::get;
    let records_in = get(&counters.records_in);
    let counts = format!(
        "{records_in} in, {} out, {} bad, {} commit{}; {:.1} a second in",
        get(&counters.records_out),
        get(&counters.bad),
        get(&counters.commits),
        if get(&counters.commits) == 1 { "" } else { "s" },
        counters.rate_in.look(records_in),
    );
    line(&mut text, "records", &counts);
    if let Ok(millis @ 1..) = i64::try_from(get(&counters.last_time_ms)) {
        let mut time = Vec::new();
        write_timestamp(millis, &mut time);
        line(&mut text, "last event", &String::from_utf8_lossy(&time));
    }
    if let Some(error) = status.last_error() {
        line(&mut text, "last failure", &error);
    }
    let (mut lag, mut places) = (0, String::new());
    for topic in &topics {
        let marks = shared.admin.topic_watermarks(topic, ANSWER)?;
        let partitions: Vec<_> = marks.iter().map(|(at, _)| at.clone()).collect();
        let committed = shared.admin.committed(&group, &partitions, ANSWER)?;
        let of = if topics.len() > 1 { format!("topic {topic}, ") } else { String::new() };
        for ((at, marks), committed) in marks.iter().zip(&committed) {
            let next = committed.as_ref().map_or(marks.earliest, |PartitionOffset { next, .. }| *next);
            let behind = (marks.stable - next).max(0);
            lag += behind;
            let _ = writeln!(
                places,
                "    {of}partition {}: from {} to {}, committed {next}, {behind} behind",
                at.partition, marks.earliest, marks.stable
            );
        }
    }
    line(&mut text, "lag", &format!("{lag} in group {group}"));
    Ok(text + &places)
}

/// Topics with what they hold and who reads them.
pub(super) fn topics(shared: &Shared, all: bool) -> Result<Listing> {
    let mut listing =
        Listing::new(&["Topic", "Partitions", "Replicas", "Cleanup", "Offsets kept", "Streams and tables", "Read by"]);
    let catalog = shared.catalog.snapshot();
    for topic in shared.admin.topics(ANSWER)? {
        // Kafka's own topics and ours are hidden, as in ksqlDB.
        if !all && topic.name.starts_with('_') {
            continue;
        }
        let kept: i64 =
            shared.admin.topic_watermarks(&topic.name, ANSWER)?.iter().map(|(_, m)| m.latest - m.earliest).sum();
        let cleanup = shared.admin.topic_configs(&topic.name, ANSWER)?.remove("cleanup.policy").unwrap_or_default();
        let over: Vec<String> = catalog
            .relations()
            .filter(|relation| relation.topic.name == topic.name)
            .map(|relation| relation.name.clone())
            .collect();
        let readers: Vec<&str> = over.iter().flat_map(|relation| catalog.readers_of(relation)).collect();
        listing.push([
            topic.name,
            topic.partitions.to_string(),
            topic.replicas.to_string(),
            cleanup,
            kept.to_string(),
            names(&over),
            readers.join(", "),
        ]);
    }
    Ok(listing)
}

fn shape(topic: &TopicInfo) -> String {
    let counted = |count: i32, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    format!("{}, {}", counted(topic.partitions, "partition"), counted(topic.replicas, "replica"))
}

fn names(names: &[String]) -> String {
    names.iter().map(|name| quote_identifier(name)).collect::<Vec<_>>().join(", ")
}

/// A labelled line; further lines of the value stand below its first.
fn line(text: &mut String, label: &str, value: &str) {
    let _ = writeln!(text, "  {label}: {}", value.replace('\n', "\n    "));
}
