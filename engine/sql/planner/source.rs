//! `CREATE STREAM | TABLE s (columns) WITH (...)`.

use super::Context;
use super::persistent::{check_replacement, source_replaced};
use crate::catalog::{Relation, RelationKind};
use crate::error::{Code, Error, Result};
use crate::sql::ast::{CreateSource, SourceKind};
use crate::sql::bind::columns;
use crate::sql::bind::properties::{FormatPlaces, Properties, check_formats};
use crate::types::FormatSpec;

/// The relation a statement declares. Whether its topic is there, and whether the name is free, is for others to say.
pub fn create_source(context: &Context, create: &CreateSource) -> Result<Relation> {
    let schema = columns::schema(context.catalog, create.kind, &create.columns)?;
    let properties = Properties::read(&create.properties)?;
    let span = create.name.span;
    let existing = context.catalog.find_relation(&create.name.name);
    if create.or_replace && (create.source || existing.is_some_and(|existing| existing.read_only)) {
        return Err(source_replaced(&create.name));
    }
    if properties.kafka_topic.is_none() {
        return Err(Error::refused(Code::MissingProperty, "KAFKA_TOPIC is missing")
            .hint("Write WITH (KAFKA_TOPIC = '...').")
            .at(span));
    }
    if let Some(id) = &properties.query_id {
        return Err(Error::refused(Code::ConflictingProperties, "QUERY_ID is for a statement with a query").at(id.span));
    }
    properties.refuse_on_error()?;
    let key_format = properties.key_spec(&FormatSpec::new(context.defaults.key_format))?;
    let default = context.defaults.value_format.map(FormatSpec::new);
    let mut value_format = properties.value_spec(default.as_ref(), span)?;
    if schema.columns.is_empty() {
        return Err(Error::refused(Code::InvalidSchema, "no columns are declared")
            .detail(format!("{} does not say which columns a record has", value_format.name))
            .at(span));
    }
    let kind = match create.kind {
        SourceKind::Stream => RelationKind::Stream,
        SourceKind::Table => RelationKind::Table,
    };
    default_wrapping(context, &mut value_format, schema.value_columns().count());
    let columns = create.columns.iter().map(|column| (column.name.name.as_str(), column.span)).collect();
    check_formats(&schema, &key_format, &value_format, &FormatPlaces { properties: &properties, columns, name: span })?;
    let relation = Relation {
        name: create.name.name.clone(),
        kind,
        topic: properties.topic(&create.name.name),
        timestamp: properties.timestamp(&schema)?,
        window: properties.window()?,
        schema,
        key_format,
        value_format,
        read_only: create.source,
        sink_of: None,
        statement: context.statement.to_string(),
    };
    if create.or_replace {
        check_replacement(context, &create.name, &relation)?;
    }
    properties.refuse_retention_of(&relation)?;
    Ok(relation)
}

/// Applies the default for wrapping where it says anything: one value column in a format that has the choice.
pub(super) fn default_wrapping(context: &Context, format: &mut FormatSpec, values: usize) {
    let has_choice = values == 1 && format.name == crate::types::FormatName::Json;
    if format.wrap_single.is_none() && has_choice {
        format.wrap_single = context.defaults.wrap_single_values;
    }
}
