//! `DESCRIBE`.

use super::connectors;
use super::engine::Shared;
use super::extended;
use super::outcome::{Listing, Outcome};
use crate::catalog::{Relation, RelationKind};
use crate::error::Result;
use crate::plan::{PSEUDO_COLUMNS, WINDOW_COLUMNS};
use crate::sql::ast::{Describe, SourceKind};
use crate::types::{ColumnKind, FormatSpec, Schema, SourceWindow, quote_identifier};

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
    let windows = if relation.window.is_some() { &WINDOW_COLUMNS[..] } else { &[] };
    for (name, ty) in PSEUDO_COLUMNS.iter().chain(windows) {
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
    let kind = relation.kind.as_str().to_uppercase();
    let source = if relation.read_only { "SOURCE " } else { "" };
    let columns: Vec<String> = relation
        .schema
        .columns
        .iter()
        .map(|column| {
            let one = Schema::new(vec![column.clone()]).to_string();
            match (relation.kind, &column.kind) {
                (RelationKind::Table, ColumnKind::Key) => format!("{} PRIMARY KEY", one.trim_end_matches(" KEY")),
                _ => one,
            }
        })
        .collect();
    let (name, columns) = (quote_identifier(&relation.name), columns.join(", "));
    format!("CREATE {source}{kind} {name} ({columns}) WITH ({});", with.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::functions::FunctionRegistry;
    use crate::sql::ast::StatementKind;
    use crate::sql::planner::{Context, Defaults, create_source};

    fn relation(text: &str) -> Relation {
        let StatementKind::CreateSource(create) = crate::sql::parse_statement(text).expect("it parses").kind else {
            panic!("{text}")
        };
        let (catalog, functions) = (Catalog::new(), FunctionRegistry::builtin());
        let context =
            Context { catalog: &catalog, functions: &functions, defaults: Defaults::default(), statement: "" };
        create_source(&context, &create).expect("it binds")
    }

    #[test]
    fn the_statement_of_a_relation_makes_the_same_again() {
        for text in [
            "CREATE SOURCE STREAM s (k INT KEY, `v w` STRUCT<a INT, `b` STRING>, h BYTES HEADER('it''s')) \
             WITH (kafka_topic='t', value_format='JSON', key_format='DELIMITED', key_delimiter='|');",
            "CREATE TABLE t (k INT PRIMARY KEY, seen STRING) \
             WITH (kafka_topic='t', format='JSON', timestamp='seen', timestamp_format='yyyy''T''');",
            "CREATE TABLE t (a INT PRIMARY KEY, b INT PRIMARY KEY, v INT) WITH (kafka_topic='t', format='JSON', \
             wrap_single_value=false, window_type='HOPPING', window_size='5 SECONDS');",
        ] {
            let first = relation(text);
            let again = relation(&create_statement(&first));
            assert_eq!(again.fingerprint(), first.fingerprint(), "{}", create_statement(&first));
        }
    }
}
