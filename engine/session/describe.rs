//! `DESCRIBE`.

use std::fmt::Write;

use super::connectors;
use super::engine::Shared;
use super::extended;
use super::outcome::{Listing, Outcome};
use crate::catalog::{Relation, RelationKind};
use crate::error::Result;
use crate::plan::PSEUDO_COLUMNS;
use crate::sql::ast::{Describe, SourceKind};
use crate::types::{ColumnKind, FormatSpec, SourceWindow, quote_identifier};

/// What one thing is.
pub(super) fn describe(shared: &Shared, what: &Describe) -> Result<Outcome> {
    let catalog = shared.catalog.snapshot();
    match what {
        Describe::Source { name, extended: false } => Ok(columns(catalog.relation(&name.name, name.span)?).into()),
        Describe::Source { name, .. } => {
            Ok(Outcome::Text(extended::relation(shared, &catalog, catalog.relation(&name.name, name.span)?)?))
        }
        Describe::All { kind, extended } => {
            let kind = match kind {
                SourceKind::Stream => RelationKind::Stream,
                SourceKind::Table => RelationKind::Table,
            };
            if *extended {
                return Ok(Outcome::Text(extended::relations(shared, kind)?));
            }
            let all = catalog.relations().filter(|relation| relation.kind == kind);
            let text = |listing: Listing| {
                let rows: Vec<String> =
                    listing.rows.iter().map(|row| format!("  {}", row.join("  ").trim_end())).collect();
                format!("{}\n{}\n", listing.title, rows.join("\n"))
            };
            Ok(Outcome::Text(all.map(|one| text(columns(one))).collect::<Vec<_>>().join("\n")))
        }
        Describe::Function(name) => Ok(Outcome::Text(shared.functions.snapshot().describe(&name.name, name.span)?)),
        Describe::Connector(name) => Ok(connectors::describe::describe(shared, &name.name, name.span)?.into()),
    }
}

pub(super) fn columns(relation: &Relation) -> Listing {
    let mut listing = Listing::new(&["Field", "Type", ""]);
    let kind = match relation.kind {
        RelationKind::Stream => "Stream",
        RelationKind::Table => "Table",
    };
    listing.title = format!("{kind} {} over topic {}", quote_identifier(&relation.name), relation.topic.name);
    for column in &relation.schema.columns {
        let role = match &column.kind {
            ColumnKind::Value => String::new(),
            ColumnKind::Key if relation.kind == RelationKind::Table => "primary key".to_string(),
            ColumnKind::Key => "key".to_string(),
            ColumnKind::Headers => "headers".to_string(),
            ColumnKind::Header(name) => format!("header '{name}'"),
        };
        listing.push([quote_identifier(&column.name), column.ty.to_string(), role]);
    }
    for (name, ty) in PSEUDO_COLUMNS {
        listing.push([name.to_string(), ty.to_string(), "pseudo column".to_string()]);
    }
    listing
}

/// The `CREATE` statement that declares a relation over its topic as it is now.
pub(super) fn create_statement(relation: &Relation) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut with = vec![format!("KAFKA_TOPIC = {}", quoted(&relation.topic.name))];
    let mut format = |side: &str, spec: &FormatSpec| {
        with.push(format!("{side}_FORMAT = {}", quoted(spec.name.as_str())));
        if let Some(delimiter) = spec.delimiter {
            let named = match delimiter {
                '\t' => "TAB".to_string(),
                ' ' => "SPACE".to_string(),
                other => other.to_string(),
            };
            with.push(format!("{side}_DELIMITER = {}", quoted(&named)));
        }
    };
    format("KEY", &relation.key_format);
    format("VALUE", &relation.value_format);
    if let Some(wrap) = relation.value_format.wrap_single {
        with.push(format!("WRAP_SINGLE_VALUE = {wrap}"));
    }
    if let Some(timestamp) = &relation.timestamp {
        with.push(format!("TIMESTAMP = {}", quoted(&quote_identifier(&timestamp.column))));
        if let Some(format) = &timestamp.format {
            with.push(format!("TIMESTAMP_FORMAT = {}", quoted(format)));
        }
    }
    match relation.window {
        None => {}
        Some(SourceWindow::Session) => with.push("WINDOW_TYPE = 'SESSION'".to_string()),
        Some(SourceWindow::Time(size)) => {
            with.push("WINDOW_TYPE = 'TUMBLING'".to_string());
            with.push(format!("WINDOW_SIZE = '{size} MILLISECONDS'"));
        }
    }
    let mut text = String::new();
    let kind = relation.kind.as_str().to_uppercase();
    let _ = write!(text, "CREATE {kind} {} ({})", quote_identifier(&relation.name), relation.schema);
    let _ = write!(text, " WITH ({});", with.join(", "));
    text
}
