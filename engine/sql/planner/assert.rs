//! `ASSERT STREAM | TABLE s (columns) WITH (...)`: what is declared must be what is there.
//!
//! As in ksqlDB's test tool everything that a declaration says is compared, defaults included: the kind, the columns with
//! their order, the topic, the formats with their options, and where the time is.

use std::fmt::Display;

use super::{Context, create_source};
use crate::error::{Code, Error, Result, Span};
use crate::sql::ast::{ColumnDef, CreateSource, Ident, Property, SourceKind};
use crate::types::quote_identifier;

/// Whether a stream or table is as it would be if it were declared like this.
///
/// # Errors
/// It is another, which the error describes; or there is none, or it could not be declared like this.
pub fn assert_source(
    context: &Context,
    kind: SourceKind,
    name: &Ident,
    columns: &[ColumnDef],
    properties: &[Property],
) -> Result<()> {
    let relation = context.catalog.relation(&name.name, name.span)?;
    let declared = CreateSource {
        kind,
        or_replace: false,
        source: false,
        if_not_exists: false,
        name: name.clone(),
        columns: columns.to_vec(),
        properties: properties.to_vec(),
    };
    let expected = create_source(context, &declared)?;
    let columns_at = match (columns.first(), columns.last()) {
        (Some(first), Some(last)) => first.span.to(last.span),
        _ => name.span,
    };
    let property_at = |names: &[&str]| {
        let named = |property: &&Property| names.iter().any(|name| property.name.value.eq_ignore_ascii_case(name));
        properties.iter().find(named).map_or(name.span, |property| property.value.span)
    };
    let wrong = |what: &str, expected: &dyn Display, found: &dyn Display, span: Span| {
        let text = format!("the {what} of {} is not as expected", quote_identifier(&name.name));
        Err(Error::refused(Code::AssertionFailed, text).detail(format!("expected {expected}, found {found}")).at(span))
    };
    if expected.kind != relation.kind {
        return wrong("type", &expected.kind.as_str(), &relation.kind.as_str(), name.span);
    }
    if expected.schema != relation.schema {
        return wrong("schema", &expected.schema, &relation.schema, columns_at);
    }
    if expected.topic.name != relation.topic.name {
        let at = property_at(&["KAFKA_TOPIC"]);
        return wrong("kafka topic", &expected.topic.name, &relation.topic.name, at);
    }
    if expected.key_format != relation.key_format {
        let at = property_at(&["KEY_FORMAT", "KEY_DELIMITER", "FORMAT"]);
        return wrong("key format", &expected.key_format, &relation.key_format, at);
    }
    if expected.value_format != relation.value_format {
        let at = property_at(&["VALUE_FORMAT", "VALUE_DELIMITER", "FORMAT", "WRAP_SINGLE_VALUE"]);
        return wrong("value format", &expected.value_format, &relation.value_format, at);
    }
    if expected.timestamp != relation.timestamp {
        let shown = |spec: &Option<crate::types::TimestampSpec>| {
            spec.as_ref().map_or_else(|| "none".to_string(), ToString::to_string)
        };
        let (expected, found) = (shown(&expected.timestamp), shown(&relation.timestamp));
        return wrong("timestamp", &expected, &found, property_at(&["TIMESTAMP", "TIMESTAMP_FORMAT"]));
    }
    if expected.window != relation.window {
        let shown = |window: &Option<crate::types::SourceWindow>| match window {
            None => "none".to_string(),
            Some(crate::types::SourceWindow::Session) => "sessions".to_string(),
            Some(crate::types::SourceWindow::Time(size)) => format!("{size} ms"),
        };
        let (expected, found) = (shown(&expected.window), shown(&relation.window));
        return wrong("window", &expected, &found, property_at(&["WINDOW_TYPE", "WINDOW_SIZE"]));
    }
    Ok(())
}
