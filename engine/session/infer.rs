//! `INFER_SCHEMA = true`: the columns of a JSON topic, read off the records it holds.
//!
//! What was settled on is kept as a plain declaration; later records never change it.

use std::fmt;
use std::time::{Duration, Instant};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::engine::Shared;
use super::print::Side;
use crate::error::{Code, Error, Result, Span};
use crate::kafka::{Event, Reader, ReaderOptions, TopicPartition};
use crate::sql::ast::{
    ColumnConstraint, ColumnDef, CreateSource, Expr, ExprKind, Ident, Property, SourceKind, Statement, StatementKind,
    StringLit, TypeExpr, TypeExprKind,
};
use crate::types::SqlType;

/// Most records that are looked at, the newest of each partition.
const SAMPLES: i64 = 1000;

/// How long the samples may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The name of the property.
const PROPERTY: &str = "INFER_SCHEMA";

/// The column of values that are no objects, as ksqlDB calls it.
const BARE: &str = "ROWVAL";

/// Whether a statement asks for its columns to be found.
pub(super) fn is_asked(create: &CreateSource) -> Result<bool> {
    let Some(property) = create.properties.iter().find(|property| is_it(property)) else { return Ok(false) };
    let asked = match &property.value.kind {
        ExprKind::Boolean(flag) => *flag,
        ExprKind::String(text) if text.eq_ignore_ascii_case("true") => true,
        ExprKind::String(text) if text.eq_ignore_ascii_case("false") => false,
        _ => {
            return Err(Error::refused(Code::InvalidPropertyValue, format!("{PROPERTY} is TRUE or FALSE"))
                .at(property.value.span));
        }
    };
    if asked && let Some(column) = create.columns.first() {
        return Err(Error::refused(
            Code::ConflictingProperties,
            format!("{PROPERTY} finds the columns, and the statement declares some"),
        )
        .hint(format!("Leave out the columns, or {PROPERTY}."))
        .at(column.span));
    }
    Ok(asked)
}

fn is_it(property: &Property) -> bool {
    property.name.value.eq_ignore_ascii_case(PROPERTY)
}

/// Whether an earlier statement is this one with columns that were found then.
pub(super) fn settles(before: &Statement, create: &CreateSource) -> bool {
    let StatementKind::CreateSource(before) = &before.kind else { return false };
    let bare = |create: &CreateSource| {
        let mut bare = create.clone();
        bare.columns.clear();
        // That a value is bare is found too.
        let is_found = |property: &Property| is_it(property) || property.name.value.eq_ignore_ascii_case(WRAP);
        bare.properties.retain(|property| !is_found(property));
        (bare.or_replace, bare.if_not_exists) = (false, false);
        let statement = Statement { kind: StatementKind::CreateSource(bare), span: NONE };
        statement.to_string()
    };
    bare(before) == bare(create)
}

/// What was found for a statement.
pub(super) struct Settled {
    /// The statement with its columns.
    pub create: CreateSource,
    /// What its records said, for whoever asked: how many there were, and what they did not agree on.
    pub basis: String,
}

/// The statement with the columns that the topic's records have.
///
/// # Errors
/// A format other than JSON, a topic that is not there or holds no JSON.
pub(super) fn settle(shared: &Shared, create: &CreateSource) -> Result<Settled> {
    let property = create.properties.iter().find(|property| is_it(property)).map_or(create.name.span, |p| p.span);
    let text = |name: &str| {
        let given = create.properties.iter().find(|property| property.name.value.eq_ignore_ascii_case(name))?;
        match &given.value.kind {
            ExprKind::String(text) => Some(text.as_str()),
            _ => None,
        }
    };
    let json = |name| text(name).is_none_or(|format: &str| format.eq_ignore_ascii_case("JSON"));
    if !json("VALUE_FORMAT") || !json("FORMAT") {
        return Err(Error::refused(
            Code::ConflictingProperties,
            format!("{PROPERTY} reads JSON, and the format is another"),
        )
        .at(property));
    }
    let Some(topic) = text("KAFKA_TOPIC") else {
        return Err(Error::refused(Code::MissingProperty, "KAFKA_TOPIC is missing")
            .hint("Write WITH (KAFKA_TOPIC = '...').")
            .at(create.name.span));
    };
    let keys = match text("KEY_FORMAT").or(text("FORMAT")).map(str::to_ascii_uppercase).as_deref() {
        None | Some("KAFKA") => Keys::Kafka(Side::values()),
        Some("JSON") => Keys::Json(Guess::Unknown),
        Some("DELIMITED") => Keys::Text(false),
        Some(_) => Keys::None,
    };
    let samples = read(shared, topic, keys).map_err(|error| error.or_at(property))?;
    let mut seen = Seen::default();
    samples.values.iter().for_each(|value| seen.look_at(value));
    let columns = seen.columns();
    if columns.is_empty() {
        let looked_at = match samples.read {
            0 => "it holds no record".to_string(),
            1 => "its only record was looked at".to_string(),
            read => format!("{read} of its newest records were looked at"),
        };
        return Err(Error::refused(Code::TopicMismatch, format!("{PROPERTY} finds no JSON in topic {topic}"))
            .detail(looked_at)
            .hint("Declare the columns, or run the statement when there are records.")
            .at(property));
    }
    let mut settled = create.clone();
    settled.properties.retain(|property| !is_it(property));
    settled.columns = columns;
    if seen.is_bare() {
        // What is written into the topic is to look like what is there.
        settled.properties.retain(|property| !property.name.value.eq_ignore_ascii_case(WRAP));
        settled.properties.push(Property {
            name: StringLit { value: WRAP.to_string(), span: NONE },
            value: Expr { kind: ExprKind::Boolean(false), span: NONE },
            span: NONE,
        });
    }
    if let Some(key) = samples.keys.ty(create.kind) {
        let constraint = match create.kind {
            SourceKind::Stream => ColumnConstraint::Key,
            SourceKind::Table => ColumnConstraint::PrimaryKey,
        };
        let name = if seen.objects.has("ROWKEY") { "KEY_TEXT" } else { "ROWKEY" };
        settled.columns.insert(0, column(name, false, key, Some(constraint)));
    }
    let plural = if samples.values.len() == 1 { "" } else { "s" };
    let mut basis = format!("{} record{plural}", samples.values.len());
    let fields = &seen.objects;
    for (what, names) in
        [("holds values of several kinds", fields.mixed()), ("is null in all of them", fields.unknown())]
    {
        if !names.is_empty() {
            basis += &format!(" ({} {what}, and is taken for a STRING)", names.join(", "));
        }
    }
    Ok(Settled { create: settled, basis })
}

/// The property that says that values are no objects.
const WRAP: &str = "WRAP_SINGLE_VALUE";

/// What was read of a topic.
struct Samples {
    /// How many records were looked at.
    read: usize,
    /// The values among them that are JSON.
    values: Vec<Sample>,
    keys: Keys,
}

/// What the keys of records have in common.
enum Keys {
    /// Bytes of Kafka's own serializers.
    Kafka(Side),
    Json(Guess),
    /// Texts; whether there were some.
    Text(bool),
    /// None, or of a format that does not tell.
    None,
}

impl Keys {
    fn see(&mut self, key: Option<&[u8]>) {
        // A stream with keys may have records without one.
        let Some(bytes) = key else { return };
        match self {
            Keys::Kafka(side) => side.see(Some(bytes)),
            Keys::Json(guess) => match serde_json::from_slice::<Sample>(bytes) {
                Ok(sample) => *guess = std::mem::replace(guess, Guess::Unknown).with(&sample),
                Err(_) => *self = Keys::None,
            },
            Keys::Text(seen) => match std::str::from_utf8(bytes) {
                Ok(_) => *seen = true,
                Err(_) => *self = Keys::None,
            },
            Keys::None => {}
        }
    }

    /// The type of the key column; a table has one in any case.
    fn ty(&self, kind: SourceKind) -> Option<TypeExpr> {
        let found = match self {
            Keys::Kafka(side) => side.sql_type().map(plain),
            Keys::Json(Guess::Unknown) | Keys::Text(false) | Keys::None => None,
            Keys::Json(guess) => Some(guess.ty()),
            Keys::Text(true) => Some(plain(SqlType::String)),
        };
        found.or_else(|| (kind == SourceKind::Table).then(|| plain(SqlType::String)))
    }
}

/// A value of a record, its fields in the order in which they were written.
enum Sample {
    Null,
    Boolean,
    Integer,
    Number,
    Text,
    List(Vec<Sample>),
    Object(Vec<(String, Sample)>),
}

impl<'de> Deserialize<'de> for Sample {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sample, D::Error> {
        deserializer.deserialize_any(Kinds)
    }
}

/// Takes down what kind of value comes.
struct Kinds;

impl<'de> Visitor<'de> for Kinds {
    type Value = Sample;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Sample, E> {
        Ok(Sample::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Sample, E> {
        Ok(Sample::Boolean)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Sample, E> {
        Ok(Sample::Integer)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Sample, E> {
        Ok(if i64::try_from(number).is_ok() { Sample::Integer } else { Sample::Number })
    }

    fn visit_f64<E>(self, _: f64) -> Result<Sample, E> {
        Ok(Sample::Number)
    }

    fn visit_str<E>(self, _: &str) -> Result<Sample, E> {
        Ok(Sample::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Sample, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Sample::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Sample, A::Error> {
        let mut object = Vec::new();
        while let Some(field) = fields.next_entry()? {
            object.push(field);
        }
        Ok(Sample::Object(object))
    }
}

/// The newest records of a topic.
fn read(shared: &Shared, topic: &str, keys: Keys) -> Result<Samples> {
    let marks = shared.admin.topic_watermarks(topic, PATIENCE)?;
    let each = (SAMPLES / marks.len().max(1) as i64).max(1);
    let from: Vec<(TopicPartition, i64)> = marks
        .iter()
        .filter(|(_, marks)| marks.stable > marks.earliest)
        .map(|(at, marks)| (at.clone(), marks.earliest.max(marks.stable - each)))
        .collect();
    let mut left: Vec<(TopicPartition, i64)> = marks
        .iter()
        .filter(|(_, marks)| marks.stable > marks.earliest)
        .map(|(at, marks)| (at.clone(), marks.stable))
        .collect();
    let mut samples = Samples { read: 0, values: Vec::new(), keys };
    if left.is_empty() {
        return Ok(samples);
    }
    let options = ReaderOptions { ends: true, ..ReaderOptions::default() };
    let mut reader = Reader::assigned(&shared.client, options, &from)?;
    let deadline = Instant::now() + PATIENCE;
    while !left.is_empty() && Instant::now() < deadline {
        reader.poll(SAMPLES as usize, Duration::from_millis(100), &mut ())?;
        for batch in reader.batches() {
            for row in 0..batch.len() {
                samples.read += 1;
                samples.keys.see(batch.keys.get(row));
                let value = batch.values.get(row).and_then(|value| serde_json::from_slice(value).ok());
                samples.values.extend(value);
            }
            let next = batch.offsets.last().map_or(0, |offset| offset + 1);
            left.retain(|(at, end)| at.partition != batch.partition || next < *end);
        }
        for event in reader.events() {
            if let Event::End { at, next } = event {
                left.retain(|(other, end)| *other != at || next < *end);
            }
        }
    }
    Ok(samples)
}

/// What records were seen: the fields of those that are objects, and what the others have in common.
#[derive(Default)]
struct Seen {
    objects: Found,
    bare: Guess,
}

/// The fields of the objects seen, in the order in which they were met.
#[derive(Default)]
struct Found {
    fields: Vec<(String, Guess)>,
}

/// What the values of one field have in common.
#[derive(Default)]
enum Guess {
    /// Only nulls so far.
    #[default]
    Unknown,
    Boolean,
    Integer,
    Number,
    Text,
    List(Box<Guess>),
    Object(Found),
    /// Values that no type but text holds together.
    Mixed,
}

impl Seen {
    fn look_at(&mut self, value: &Sample) {
        match value {
            Sample::Object(object) => self.objects.merge(object),
            _ => self.bare = std::mem::take(&mut self.bare).with(value),
        }
    }

    /// A column for each field; where no record is an object one for the whole value, which is read as it is then.
    fn columns(&self) -> Vec<ColumnDef> {
        match self.is_bare() {
            true => vec![column(BARE, false, self.bare.ty(), None)],
            false => self.objects.columns(),
        }
    }

    /// Whether the values are no objects.
    fn is_bare(&self) -> bool {
        self.objects.fields.is_empty() && !matches!(self.bare, Guess::Unknown)
    }
}

impl Found {
    fn merge(&mut self, object: &[(String, Sample)]) {
        for (name, value) in object {
            // Fields are looked up whatever their case, so names that differ by it only are one.
            let guess = match self.fields.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
                Some((_, guess)) => guess,
                None => {
                    self.fields.push((name.clone(), Guess::Unknown));
                    match self.fields.last_mut() {
                        Some((_, guess)) => guess,
                        None => continue,
                    }
                }
            };
            *guess = std::mem::take(guess).with(value);
        }
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// Columns whose values are of several kinds.
    fn mixed(&self) -> Vec<String> {
        self.names_of(|guess| matches!(guess, Guess::Mixed))
    }

    /// Columns of which nothing is known.
    fn unknown(&self) -> Vec<String> {
        self.names_of(|guess| matches!(guess, Guess::Unknown))
    }

    fn names_of(&self, wanted: impl Fn(&Guess) -> bool) -> Vec<String> {
        let named = self.named().into_iter().zip(&self.fields);
        named.filter(|(_, (_, guess))| wanted(guess)).map(|((name, _), _)| name.to_string()).collect()
    }

    fn columns(&self) -> Vec<ColumnDef> {
        self.named()
            .into_iter()
            .map(|(ident, ty)| ColumnDef { name: ident, ty, constraint: None, span: NONE })
            .collect()
    }

    fn named(&self) -> Vec<(Ident, TypeExpr)> {
        let named = self.fields.iter().map(|(name, guess)| {
            let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            (ident(name, !plain), guess.ty())
        });
        named.collect()
    }
}

impl Guess {
    /// What it becomes when this value is one of them too.
    fn with(self, value: &Sample) -> Guess {
        match value {
            Sample::Null => self,
            Sample::Boolean => self.or(Guess::Boolean),
            Sample::Integer => self.or(Guess::Integer),
            Sample::Number => self.or(Guess::Number),
            Sample::Text => self.or(Guess::Text),
            Sample::List(items) => {
                let inner = match self {
                    Guess::Unknown => Guess::Unknown,
                    Guess::List(inner) => *inner,
                    _ => return Guess::Mixed,
                };
                Guess::List(Box::new(items.iter().fold(inner, |guess, item| guess.with(item))))
            }
            Sample::Object(object) => {
                let mut found = match self {
                    Guess::Unknown => Found::default(),
                    Guess::Object(found) => found,
                    _ => return Guess::Mixed,
                };
                found.merge(object);
                Guess::Object(found)
            }
        }
    }

    /// The narrowest that holds both; text holds everything.
    fn or(self, other: Guess) -> Guess {
        match (&self, &other) {
            (Guess::Unknown, _) => other,
            (Guess::Boolean, Guess::Boolean) | (Guess::Integer, Guess::Integer) => self,
            (Guess::Integer | Guess::Number, Guess::Integer | Guess::Number) => Guess::Number,
            (Guess::Text, Guess::Text) => self,
            _ => Guess::Mixed,
        }
    }

    fn ty(&self) -> TypeExpr {
        match self {
            Guess::Boolean => plain(SqlType::Boolean),
            Guess::Integer => plain(SqlType::Bigint),
            Guess::Number => plain(SqlType::Double),
            Guess::Unknown | Guess::Text | Guess::Mixed => plain(SqlType::String),
            Guess::List(inner) => TypeExpr { kind: TypeExprKind::Array(Box::new(inner.ty())), span: NONE },
            // A struct has at least one field.
            Guess::Object(found) if found.fields.is_empty() => plain(SqlType::String),
            Guess::Object(found) => TypeExpr { kind: TypeExprKind::Struct(found.named()), span: NONE },
        }
    }
}

/// The place of what nobody wrote.
const NONE: Span = Span::new(0, 0);

fn plain(ty: SqlType) -> TypeExpr {
    TypeExpr { kind: TypeExprKind::Plain(ty), span: NONE }
}

fn ident(name: &str, quoted: bool) -> Ident {
    Ident { name: if quoted { name.to_string() } else { name.to_ascii_uppercase() }, quoted, span: NONE }
}

fn column(name: &str, quoted: bool, ty: TypeExpr, constraint: Option<ColumnConstraint>) -> ColumnDef {
    ColumnDef { name: ident(name, quoted), ty, constraint, span: NONE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(samples: &[&str]) -> String {
        let mut found = Seen::default();
        samples.iter().for_each(|sample| found.look_at(&serde_json::from_str(sample).unwrap()));
        found.columns().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn types_are_the_narrowest_that_hold_all_samples() {
        assert_eq!(
            declared(&[r#"{"a":1,"b":true,"c":"x","d":1,"e":null}"#, r#"{"a":2,"b":null,"c":"y","d":1.5}"#]),
            "A BIGINT, B BOOLEAN, C STRING, D DOUBLE, E STRING"
        );
        let mixed = [r#"{"a":1,"b":null}"#, r#"{"a":"x"}"#, r#"{"a":[1]}"#];
        assert_eq!(declared(&mixed), "A STRING, B STRING");
        let mut seen = Seen::default();
        mixed.iter().for_each(|sample| seen.look_at(&serde_json::from_str(sample).unwrap()));
        assert_eq!((seen.objects.mixed(), seen.objects.unknown()), (vec!["A".to_string()], vec!["B".to_string()]));
        assert_eq!(declared(&[r#"{"a":9223372036854775808}"#]), "A DOUBLE");
    }

    #[test]
    fn nested_values_become_arrays_and_structs() {
        assert_eq!(
            declared(&[r#"{"a":[],"b":{"x":1}}"#, r#"{"a":[1,2.5],"b":{"y":"z"},"c":{}}"#]),
            "A ARRAY<DOUBLE>, B STRUCT<X BIGINT, Y STRING>, C STRING"
        );
    }

    #[test]
    fn names_that_are_no_plain_names_are_quoted_and_case_does_not_make_two() {
        assert_eq!(
            declared(&[r#"{"some-id":1,"Temp":1}"#, r#"{"temp":2,"from":1}"#]),
            "`some-id` BIGINT, TEMP BIGINT, `FROM` BIGINT"
        );
    }

    #[test]
    fn values_that_are_no_objects_are_one_column() {
        assert_eq!(declared(&["23.5", "24", "null"]), "ROWVAL DOUBLE");
        assert_eq!(declared(&["[1]", "[2.5]"]), "ROWVAL ARRAY<DOUBLE>");
        assert_eq!(declared(&["[1]", "7"]), "ROWVAL STRING");
        assert_eq!(declared(&["7", r#"{"a":1}"#]), "A BIGINT", "objects are what a stream is made for");
        assert_eq!(declared(&["null"]), "");
    }
}
