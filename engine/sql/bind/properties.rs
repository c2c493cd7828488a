//! The `WITH` clause.

use super::coerce::a;
use super::text;
use crate::catalog::{Relation, RelationKind, nearest};
use crate::error::{Code, Error, Result, Span};
use crate::plan::OnError;
use crate::sql::ast::{Expr, ExprKind, Property, StringLit};
use crate::types::text::java_time::Pattern;
use crate::types::{
    Column, FormatName, FormatSpec, Schema, SourceWindow, SqlType, TimestampSpec, TopicSpec, quote_identifier,
};

/// Properties that a statement may set.
pub const KNOWN: [&str; 19] = [
    "KAFKA_TOPIC",
    "FORMAT",
    "KEY_FORMAT",
    "VALUE_FORMAT",
    "PARTITIONS",
    "REPLICAS",
    "RETENTION_MS",
    "TIMESTAMP",
    "TIMESTAMP_FORMAT",
    "WRAP_SINGLE_VALUE",
    "KEY_DELIMITER",
    "VALUE_DELIMITER",
    "WINDOW_TYPE",
    "WINDOW_SIZE",
    "QUERY_ID",
    "ON_ERROR",
    "DEAD_LETTER_TOPIC",
    "INFER_SCHEMA",
    "SOURCED_BY_CONNECTOR",
];

/// Properties of ksqlDB that are understood and refused, for now or for good.
const LATER: [&str; 8] = [
    "CLEANUP_POLICY",
    "KEY_SCHEMA_ID",
    "VALUE_SCHEMA_ID",
    "KEY_SCHEMA_FULL_NAME",
    "VALUE_SCHEMA_FULL_NAME",
    "VALUE_AVRO_SCHEMA_FULL_NAME",
    "KEY_PROTOBUF_NULLABLE_REPRESENTATION",
    "VALUE_PROTOBUF_NULLABLE_REPRESENTATION",
];

/// Formats of ksqlDB that are understood and refused for now.
const LATER_FORMATS: [&str; 5] = ["AVRO", "PROTOBUF", "PROTOBUF_NOSR", "JSON_SR", "THRIFT"];

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

/// The properties of one statement.
#[derive(Debug, Clone, Default)]
pub struct Properties {
    /// `KAFKA_TOPIC`, case kept.
    pub kafka_topic: Option<Spanned<String>>,
    /// `PARTITIONS`.
    pub partitions: Option<Spanned<i32>>,
    /// `REPLICAS`.
    pub replicas: Option<Spanned<i16>>,
    /// `RETENTION_MS`.
    pub retention_ms: Option<Spanned<i64>>,
    /// `KEY_FORMAT`, or `FORMAT`.
    pub key_format: Option<Spanned<FormatName>>,
    /// `VALUE_FORMAT`, or `FORMAT`.
    pub value_format: Option<Spanned<FormatName>>,
    /// `KEY_DELIMITER`.
    pub key_delimiter: Option<Spanned<char>>,
    /// `VALUE_DELIMITER`.
    pub value_delimiter: Option<Spanned<char>>,
    /// `WRAP_SINGLE_VALUE`.
    pub wrap_single_value: Option<Spanned<bool>>,
    /// `TIMESTAMP`: a column, folded to upper case unless quoted inside the text.
    pub timestamp: Option<Spanned<String>>,
    /// `TIMESTAMP_FORMAT`.
    pub timestamp_format: Option<Spanned<String>>,
    /// `KEY_FORMAT` alone.
    pub own_key_format: Option<Spanned<FormatName>>,
    /// `WINDOW_TYPE`, upper case.
    pub window_type: Option<Spanned<String>>,
    /// `WINDOW_SIZE`, milliseconds.
    pub window_size: Option<Spanned<i64>>,
    /// `QUERY_ID`.
    pub query_id: Option<Spanned<String>>,
    /// `ON_ERROR`, lower case.
    pub on_error: Option<Spanned<String>>,
    /// `DEAD_LETTER_TOPIC`, case kept.
    pub dead_letter_topic: Option<Spanned<String>>,
}

impl Properties {
    /// Reads a clause. Names are known in any case.
    pub fn read(clause: &[Property]) -> Result<Properties> {
        let mut properties = Properties::default();
        let mut seen: Vec<String> = Vec::with_capacity(clause.len());
        for property in clause {
            let name = property.name.value.to_ascii_uppercase();
            if seen.contains(&name) {
                return Err(
                    Error::refused(Code::DuplicateName, format!("property {name} is given twice")).at(property.span)
                );
            }
            properties.set(&name, property)?;
            seen.push(name);
        }
        for side in ["KEY_FORMAT", "VALUE_FORMAT"] {
            if seen.iter().any(|name| name == "FORMAT") && seen.iter().any(|name| name == side) {
                let at =
                    clause.iter().find(|p| p.name.value.eq_ignore_ascii_case(side)).map_or(Span::default(), |p| p.span);
                return Err(Error::refused(
                    Code::ConflictingProperties,
                    format!("FORMAT and {side} cannot both be given"),
                )
                .detail("FORMAT sets the formats of key and value")
                .hint("Write FORMAT alone, or KEY_FORMAT and VALUE_FORMAT.")
                .at(at));
            }
        }
        if let (Some(format), None) = (&properties.timestamp_format, &properties.timestamp) {
            return Err(Error::refused(
                Code::ConflictingProperties,
                "TIMESTAMP_FORMAT needs TIMESTAMP, the column it is the format of",
            )
            .at(format.span));
        }
        Ok(properties)
    }

    fn set(&mut self, name: &str, property: &Property) -> Result<()> {
        let span = property.value.span;
        match name {
            "KAFKA_TOPIC" => {
                let topic = text_of(name, &property.value)?;
                check_topic(&topic)?;
                self.kafka_topic = Some(topic);
            }
            "FORMAT" => {
                let format = format_of(name, &property.value)?;
                self.key_format = Some(format.clone());
                self.value_format = Some(format);
            }
            "KEY_FORMAT" => {
                self.key_format = Some(format_of(name, &property.value)?);
                self.own_key_format.clone_from(&self.key_format);
            }
            "WINDOW_TYPE" => {
                let written = text_of(name, &property.value)?;
                let value = written.value.to_uppercase();
                if !["SESSION", "TUMBLING", "HOPPING"].contains(&value.as_str()) {
                    return Err(Error::refused(
                        Code::InvalidPropertyValue,
                        format!("{name} needs SESSION, TUMBLING or HOPPING"),
                    )
                    .at(span));
                }
                self.window_type = Some(Spanned { value, span });
            }
            "WINDOW_SIZE" => self.window_size = Some(window_size(name, &property.value)?),
            "VALUE_FORMAT" => self.value_format = Some(format_of(name, &property.value)?),
            "PARTITIONS" => self.partitions = Some(positive(name, &property.value, i32::MAX)?),
            "REPLICAS" => self.replicas = Some(positive(name, &property.value, i16::MAX)?),
            "RETENTION_MS" => {
                let value = integer_of(name, &property.value)?;
                if value < -1 {
                    return Err(Error::refused(
                        Code::InvalidPropertyValue,
                        "RETENTION_MS needs milliseconds, or -1 for no end",
                    )
                    .at(span));
                }
                self.retention_ms = Some(Spanned { value, span });
            }
            "KEY_DELIMITER" => self.key_delimiter = Some(delimiter_of(name, &property.value)?),
            "VALUE_DELIMITER" => self.value_delimiter = Some(delimiter_of(name, &property.value)?),
            "WRAP_SINGLE_VALUE" => self.wrap_single_value = Some(boolean_of(name, &property.value)?),
            "TIMESTAMP" => {
                let written = text_of(name, &property.value)?;
                self.timestamp = Some(Spanned { value: fold(&written.value), span });
            }
            "TIMESTAMP_FORMAT" => {
                let format = text_of(name, &property.value)?;
                if let Err(reason) = Pattern::new(&format.value) {
                    return Err(Error::refused(Code::InvalidPropertyValue, "TIMESTAMP_FORMAT is no pattern")
                        .detail(reason)
                        .at(span));
                }
                self.timestamp_format = Some(format);
            }
            "QUERY_ID" => {
                let id = text_of(name, &property.value)?;
                let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                if id.value.is_empty() || !id.value.chars().all(allowed) {
                    return Err(Error::refused(
                        Code::InvalidPropertyValue,
                        "QUERY_ID needs letters, digits, `_` and `-` only",
                    )
                    .at(span));
                }
                self.query_id = Some(Spanned { value: id.value.to_uppercase(), span });
            }
            "ON_ERROR" => {
                let word = text_of(name, &property.value)?;
                let value = word.value.to_ascii_lowercase();
                if !["skip", "fail", "dead_letter"].contains(&value.as_str()) {
                    return Err(Error::refused(
                        Code::InvalidPropertyValue,
                        "ON_ERROR is one of 'skip', 'fail', 'dead_letter'",
                    )
                    .at(span));
                }
                self.on_error = Some(Spanned { value, span });
            }
            "DEAD_LETTER_TOPIC" => {
                let topic = text_of(name, &property.value)?;
                check_topic(&topic)?;
                self.dead_letter_topic = Some(topic);
            }
            // Whoever carries out the statement has replaced a TRUE by what it found.
            "INFER_SCHEMA" if boolean_of(name, &property.value)?.value => {
                return Err(Error::refused(
                    Code::ConflictingProperties,
                    "INFER_SCHEMA is for CREATE STREAM or TABLE over a topic",
                )
                .at(property.span));
            }
            "INFER_SCHEMA" => {}
            "CLEANUP_POLICY" => {
                return Err(Error::refused(
                    Code::ConflictingProperties,
                    "CLEANUP_POLICY is not given, it follows from what is made",
                )
                .detail("the topic of a stream is cleaned up by deleting, that of a table by compacting")
                .hint("Leave it out; RETENTION_MS says how long the records of a stream are kept.")
                .at(property.span));
            }
            // It says where the records come from, and nothing else.
            "SOURCED_BY_CONNECTOR" => drop(text_of(name, &property.value)?),
            _ if LATER.contains(&name) => {
                return Err(Error::unsupported(format_args!("property {name}"), property.span));
            }
            _ => return Err(unknown(&property.name)),
        }
        Ok(())
    }

    /// The format of keys: what is given, else `default`.
    pub fn key_spec(&self, default: &FormatSpec) -> Result<FormatSpec> {
        spec("KEY_DELIMITER", self.key_format.as_ref(), default, self.key_delimiter.as_ref())
    }

    /// The format of values: what is given, else `default`; without either an error at `span`.
    pub fn value_spec(&self, default: Option<&FormatSpec>, span: Span) -> Result<FormatSpec> {
        let given = self.value_format.as_ref();
        let Some(default) = default.cloned().or(given.map(|given| FormatSpec::new(given.value))) else {
            return Err(Error::refused(Code::MissingProperty, "VALUE_FORMAT is missing")
                .hint("Write WITH (VALUE_FORMAT = 'JSON'), or SET 'ksql.persistence.default.format.value'.")
                .at(span));
        };
        let mut spec = spec("VALUE_DELIMITER", given, &default, self.value_delimiter.as_ref())?;
        if let Some(wrap) = &self.wrap_single_value {
            spec.wrap_single = Some(wrap.value);
        }
        Ok(spec)
    }

    /// The topic: what is given, else `default`.
    pub fn topic(&self, default: &str) -> TopicSpec {
        TopicSpec {
            name: self.kafka_topic.as_ref().map_or_else(|| default.to_string(), |topic| topic.value.clone()),
            partitions: self.partitions.as_ref().map(|partitions| partitions.value),
            replicas: self.replicas.as_ref().map(|replicas| replicas.value),
            retention_ms: self.retention_ms.as_ref().map(|retention| retention.value),
        }
    }

    /// The windows in the keys, if the properties say that there are some.
    pub fn window(&self) -> Result<Option<SourceWindow>> {
        match (&self.window_type, &self.window_size) {
            (None, None) => Ok(None),
            (None, Some(size)) => {
                Err(Error::refused(Code::ConflictingProperties, "WINDOW_SIZE needs WINDOW_TYPE").at(size.span))
            }
            (Some(kind), Some(size)) if kind.value == "SESSION" => {
                Err(Error::refused(Code::ConflictingProperties, "WINDOW_SIZE is not for SESSION windows")
                    .detail("each says where it ends")
                    .at(size.span))
            }
            (Some(kind), None) if kind.value == "SESSION" => Ok(Some(SourceWindow::Session)),
            (Some(kind), None) => {
                Err(Error::refused(Code::MissingProperty, format!("{} windows need a WINDOW_SIZE", kind.value))
                    .hint("Write WINDOW_SIZE = '10 SECONDS'.")
                    .at(kind.span))
            }
            (Some(_), Some(size)) => Ok(Some(SourceWindow::Time(size.value))),
        }
    }

    /// What becomes of records that the query cannot process.
    pub fn on_error(&self) -> Result<OnError> {
        let word = self.on_error.as_ref().map_or("skip", |word| word.value.as_str());
        match (word, &self.dead_letter_topic) {
            ("dead_letter", Some(topic)) => Ok(OnError::DeadLetter(TopicSpec {
                name: topic.value.clone(),
                partitions: None,
                replicas: None,
                retention_ms: None,
            })),
            ("dead_letter", None) => {
                Err(Error::refused(Code::MissingProperty, "ON_ERROR = 'dead_letter' needs DEAD_LETTER_TOPIC")
                    .hint("For example DEAD_LETTER_TOPIC = 'readings_dead'.")
                    .at(self.on_error.as_ref().map_or(Span::default(), |word| word.span)))
            }
            (_, Some(topic)) => {
                Err(Error::refused(Code::ConflictingProperties, "DEAD_LETTER_TOPIC is for ON_ERROR = 'dead_letter'")
                    .at(topic.span))
            }
            ("fail", None) => Ok(OnError::Fail),
            (_, None) => Ok(OnError::Skip),
        }
    }

    /// Refuses `RETENTION_MS` for a table: its topic is compacted, and keeps the last value of each key. Windows pass.
    pub fn refuse_retention_of(&self, relation: &Relation) -> Result<()> {
        match &self.retention_ms {
            Some(retention) if relation.kind == RelationKind::Table && relation.window.is_none() => {
                Err(Error::refused(Code::ConflictingProperties, "RETENTION_MS is for streams and windowed tables")
                    .detail("the topic of a table keeps the last value of each key, however old")
                    .at(retention.span))
            }
            _ => Ok(()),
        }
    }

    /// Refuses what only a query has, for a statement that declares a stream or table.
    pub fn refuse_on_error(&self) -> Result<()> {
        match self.on_error.as_ref().or(self.dead_letter_topic.as_ref()) {
            Some(given) => {
                Err(Error::refused(Code::ConflictingProperties, "ON_ERROR and DEAD_LETTER_TOPIC belong to the query")
                    .hint("Write them in CREATE STREAM ... WITH (...) AS SELECT, or INSERT INTO ... WITH (...) SELECT.")
                    .at(given.span))
            }
            None => Ok(()),
        }
    }

    /// The column of event time, if one is given; it must be of a schema and of a type that is a time.
    pub fn timestamp(&self, schema: &Schema) -> Result<Option<TimestampSpec>> {
        let Some(Spanned { value: name, span }) = &self.timestamp else { return Ok(None) };
        let Some(position) = schema.index_of(name) else {
            let error = Error::refused(
                Code::UnknownColumn,
                format!("TIMESTAMP names an unknown column {}", quote_identifier(name)),
            )
            .at(*span);
            let names = schema.columns.iter().map(|column| column.name.as_str());
            return Err(match nearest(name, names) {
                Some(near) => error.hint(format!("Did you mean {}?", quote_identifier(near))),
                None => error,
            });
        };
        let format = self.timestamp_format.as_ref();
        match (&schema.columns[position].ty, format) {
            (SqlType::Bigint | SqlType::Timestamp, None) | (SqlType::String, Some(_)) => {}
            (SqlType::String, None) => {
                return Err(Error::refused(
                    Code::InvalidPropertyValue,
                    format!("TIMESTAMP column {} is a STRING", quote_identifier(name)),
                )
                .hint("Say how to read it, for example TIMESTAMP_FORMAT = 'yyyy-MM-dd HH:mm:ss'.")
                .at(*span));
            }
            (ty @ (SqlType::Bigint | SqlType::Timestamp), Some(format)) => {
                return Err(Error::refused(
                    Code::ConflictingProperties,
                    format!("TIMESTAMP_FORMAT is for a STRING, {} is a {ty}", quote_identifier(name)),
                )
                .at(format.span));
            }
            (ty, _) => {
                return Err(Error::refused(
                    Code::InvalidPropertyValue,
                    format!("TIMESTAMP column {} is a {ty}", quote_identifier(name)),
                )
                .detail("expected a BIGINT, a TIMESTAMP, or a STRING with TIMESTAMP_FORMAT")
                .at(*span));
            }
        }
        Ok(Some(TimestampSpec { column: name.clone(), format: format.map(|format| format.value.clone()) }))
    }
}

fn spec(
    what: &str,
    given: Option<&Spanned<FormatName>>,
    default: &FormatSpec,
    delimiter: Option<&Spanned<char>>,
) -> Result<FormatSpec> {
    // Options go with their format: those of another format mean nothing to this one.
    let mut spec = match given {
        Some(given) if given.value != default.name => FormatSpec::new(given.value),
        _ => default.clone(),
    };
    if let Some(delimiter) = delimiter {
        if spec.name != FormatName::Delimited {
            return Err(Error::refused(
                Code::ConflictingProperties,
                format!("{what} is for DELIMITED, the format is {}", spec.name),
            )
            .at(delimiter.span));
        }
        spec.delimiter = Some(delimiter.value);
    }
    Ok(spec)
}

/// Where a statement says what its formats must hold.
pub struct FormatPlaces<'a> {
    /// Its properties.
    pub properties: &'a Properties,
    /// Its columns by name, each with its place.
    pub columns: Vec<(&'a str, Span)>,
    /// The name of what it makes.
    pub name: Span,
}

impl FormatPlaces<'_> {
    /// Where these columns are; `None` where the statement does not write them.
    fn of_columns(&self, columns: &[&Column]) -> Option<Span> {
        let named = |name: &str| self.columns.iter().find(|(other, _)| *other == name).map(|(_, span)| *span);
        columns.iter().filter_map(|column| named(&column.name)).reduce(Span::to)
    }
}

/// Refuses what a format cannot hold.
pub fn check_formats(schema: &Schema, key: &FormatSpec, value: &FormatSpec, places: &FormatPlaces) -> Result<()> {
    let refuse = |text: String, at: Option<Span>| {
        Error::refused(Code::UnsupportedFormatType, text).at(at.unwrap_or(places.name))
    };
    let (keys, values): (Vec<_>, Vec<_>) = (schema.key_columns().collect(), schema.value_columns().collect());
    let properties = places.properties;
    let (key_at, value_at) =
        (properties.key_format.as_ref().map(|f| f.span), properties.value_format.as_ref().map(|f| f.span));
    if value.name == FormatName::None {
        return Err(refuse("the value format cannot be NONE".to_string(), value_at));
    }
    if key.name == FormatName::None && !keys.is_empty() {
        let text = "key format NONE is for a source without key columns".to_string();
        return Err(refuse(text, key_at.or(places.of_columns(&keys))));
    }
    for (side, format, columns) in [("key", key, &keys), ("value", value, &values)] {
        if format.name == FormatName::Kafka && columns.len() > 1 {
            let text = format!("the {side} format KAFKA holds one column, found {}", columns.len());
            return Err(refuse(text, places.of_columns(columns)).hint("JSON and DELIMITED hold several."));
        }
    }
    for (side, format, columns) in [("key", key, &keys), ("value", value, &values)] {
        if let Some(column) = columns.iter().find(|column| !holds(format.name, &column.ty)) {
            let text = format!("the {side} format {} cannot hold {}", format.name, a(&column.ty));
            return Err(
                refuse(text, places.of_columns(&[column])).detail(format!("column {}", quote_identifier(&column.name)))
            );
        }
    }
    let wrap_at = properties.wrap_single_value.as_ref().map(|wrap| wrap.span);
    match value.wrap_single {
        Some(_) if values.len() != 1 => {
            let text = "WRAP_SINGLE_VALUE is for a single value column".to_string();
            Err(refuse(text, wrap_at).detail(format!("found {}", values.len())))
        }
        Some(true) if value.name != FormatName::Json => {
            Err(refuse(format!("the value format {} cannot wrap a single value", value.name), wrap_at.or(value_at)))
        }
        _ => Ok(()),
    }
}

fn holds(format: FormatName, ty: &SqlType) -> bool {
    match format {
        FormatName::None => true,
        // The keys of an object are texts.
        FormatName::Json => match ty {
            SqlType::Array(element) => holds(format, element),
            SqlType::Map(key, value) => **key == SqlType::String && holds(format, value),
            SqlType::Struct(fields) => fields.iter().all(|(_, ty)| holds(format, ty)),
            _ => true,
        },
        FormatName::Delimited => !matches!(ty, SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_)),
        FormatName::Kafka => {
            matches!(ty, SqlType::Integer | SqlType::Bigint | SqlType::Double | SqlType::String | SqlType::Bytes)
        }
    }
}

fn unknown(name: &StringLit) -> Error {
    let error = Error::refused(Code::UnknownProperty, format!("unknown property {}", name.value)).at(name.span);
    match nearest(&name.value, KNOWN.into_iter().chain(LATER)) {
        Some(near) => error.hint(format!("Did you mean {near}?")),
        None => error.hint(format!("The properties are {}.", KNOWN[..12].join(", "))),
    }
}

fn wrong(name: &str, expected: &str, value: &Expr) -> Error {
    Error::refused(Code::InvalidPropertyValue, format!("{name} needs {expected}, found {}", text::expr(value, true)))
        .at(value.span)
}

fn text_of(name: &str, value: &Expr) -> Result<Spanned<String>> {
    match &value.kind {
        ExprKind::String(text) => Ok(Spanned { value: text.clone(), span: value.span }),
        _ => Err(wrong(name, "a text in single quotes", value)),
    }
}

fn integer_of(name: &str, value: &Expr) -> Result<i64> {
    let number = match &value.kind {
        ExprKind::Integer(number) => Some(*number),
        ExprKind::Unary { minus: true, expr } => match expr.kind {
            ExprKind::Integer(number) => number.checked_neg(),
            _ => None,
        },
        ExprKind::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| wrong(name, "a whole number", value))
}

fn positive<T: TryFrom<i64> + Into<i64> + Copy>(name: &str, value: &Expr, most: T) -> Result<Spanned<T>> {
    let number = integer_of(name, value)?;
    match T::try_from(number) {
        Ok(small) if number > 0 => Ok(Spanned { value: small, span: value.span }),
        _ => {
            Err(Error::refused(Code::InvalidPropertyValue, format!("{name} needs a number from 1 to {}", most.into()))
                .at(value.span))
        }
    }
}

fn boolean_of(name: &str, value: &Expr) -> Result<Spanned<bool>> {
    let flag = match &value.kind {
        ExprKind::Boolean(flag) => Some(*flag),
        ExprKind::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        ExprKind::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    };
    match flag {
        Some(flag) => Ok(Spanned { value: flag, span: value.span }),
        None => Err(wrong(name, "TRUE or FALSE", value)),
    }
}

fn format_of(name: &str, value: &Expr) -> Result<Spanned<FormatName>> {
    let written = text_of(name, value)?;
    if let Some(format) = FormatName::parse(&written.value) {
        return Ok(Spanned { value: format, span: value.span });
    }
    let upper = written.value.to_uppercase();
    if LATER_FORMATS.contains(&upper.as_str()) {
        return Err(Error::unsupported(format_args!("format {upper}"), value.span));
    }
    let error = Error::refused(Code::InvalidPropertyValue, format!("unknown format {}", written.value)).at(value.span);
    let names = FormatName::ALL.map(FormatName::as_str);
    Err(match nearest(&written.value, names) {
        Some(near) => error.hint(format!("Did you mean {near}?")),
        None => error.hint(format!("The formats are {}.", names.join(", "))),
    })
}

/// A number and a unit of time in a text, as milliseconds.
fn window_size(name: &str, value: &Expr) -> Result<Spanned<i64>> {
    let written = text_of(name, value)?;
    let wrong = || {
        Error::refused(Code::InvalidPropertyValue, format!("{name} needs a number and a unit of time"))
            .hint("Write '10 SECONDS'.")
            .at(value.span)
    };
    let mut words = written.value.split_whitespace();
    let (Some(number), Some(unit), None) = (words.next(), words.next(), words.next()) else { return Err(wrong()) };
    let number: i64 = number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
    let unit = match unit.to_uppercase().trim_end_matches('S') {
        "MILLISECOND" => 1,
        "SECOND" => 1_000,
        "MINUTE" => 60_000,
        "HOUR" => 3_600_000,
        "DAY" => 86_400_000,
        _ => return Err(wrong()),
    };
    Ok(Spanned { value: number.checked_mul(unit).ok_or_else(wrong)?, span: value.span })
}

fn delimiter_of(name: &str, value: &Expr) -> Result<Spanned<char>> {
    let written = text_of(name, value)?;
    let mut chars = written.value.chars();
    let delimiter = match written.value.to_ascii_uppercase().as_str() {
        "TAB" => '\t',
        "SPACE" => ' ',
        _ => match (chars.next(), chars.next()) {
            // A quote keeps its own meaning.
            (Some(c), None) if !c.is_whitespace() && c != '"' => c,
            _ => {
                return Err(Error::refused(
                    Code::InvalidPropertyValue,
                    format!("{name} needs one character, which is not a quote"),
                )
                .hint("Write 'TAB' or 'SPACE' for these two.")
                .at(value.span));
            }
        },
    };
    Ok(Spanned { value: delimiter, span: value.span })
}

fn check_topic(topic: &Spanned<String>) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name = &topic.value;
    if name.is_empty() || name.len() > 249 || name == "." || name == ".." || !name.chars().all(allowed) {
        return Err(Error::refused(Code::InvalidPropertyValue, "KAFKA_TOPIC is no name of a topic")
            .detail("a topic has 1 to 249 of the letters a-z and A-Z, digits, `.`, `_` and `-`")
            .at(topic.span));
    }
    Ok(())
}

/// A column name inside a text: upper case, unless it stands in quotes.
fn fold(name: &str) -> String {
    for quote in ['`', '"'] {
        if let Some(inner) = name.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner.to_string();
        }
    }
    name.to_uppercase()
}
