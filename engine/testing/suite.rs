//! One case from start to verdict.

use super::case::{Case, CaseRecord, Exception, ExpectedSource};
use super::compare::difference;
use super::driver::{Driver, Mode, Record, functions};
use super::records::{Layout, Side, from_base64, with_window};
use super::{reason, script};
use crate::catalog::Catalog;
use crate::error::{Code, Error, Result};
use crate::functions::FunctionRegistry;
use crate::sql::ast::{ColumnConstraint, Expr, Query, Relation, SelectItem, StatementKind};
use crate::sql::bind::aggregates::first_aggregate;
use crate::sql::{bind, parse_statements};
use crate::types::text::json::Json;
use crate::types::{Column, ColumnKind, FormatName, Schema, SourceWindow};

/// What kind of case it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Every record by itself.
    Stateless,
    /// Records meet other records: aggregates, joins, windows, new keys.
    Stateful,
    /// Must be refused; about statements that are stateless.
    Refused,
    /// Must be refused; about statements that are stateful.
    RefusedStateful,
}

impl Kind {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Stateless => "stateless",
            Kind::Stateful => "stateful",
            Kind::Refused => "refused",
            Kind::RefusedStateful => "refused-stateful",
        }
    }
}

/// How a case went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As expected.
    Pass,
    /// Otherwise; the reason in a line.
    Fail(String),
    /// Not run; the reason.
    Skip(String),
}

/// The verdict on one case.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// How it went.
    pub outcome: Outcome,
    /// What kind of case it is.
    pub kind: Kind,
    /// For a refused case, whether the refusal shares the key words of the message expected.
    pub message_matches: Option<bool>,
    /// Expected and actual records of the topic that differs, side by side, the first difference marked.
    pub table: Vec<[String; 2]>,
    /// The row of `table` that differs first.
    pub marked: Option<usize>,
    /// For a refused case, why and where the last statement was refused.
    pub refusal: Option<String>,
    /// For a refused case, the code of the refusal.
    pub code: Option<Code>,
    /// For a refused case, whether the message expected says what the reason must be; if it does not, any refusal of the
    /// last statement passes that names its place and is no lack of ours.
    pub reason_checked: Option<bool>,
}

impl Verdict {
    fn new(kind: Kind, outcome: Outcome) -> Verdict {
        Verdict {
            outcome,
            kind,
            message_matches: None,
            table: Vec::new(),
            marked: None,
            refusal: None,
            code: None,
            reason_checked: None,
        }
    }

    /// The verdict on a last statement that was refused, as it must be.
    fn refused(kind: Kind, exception: &Exception, error: &Error, statement: &str) -> Verdict {
        let (outcome, checked) = if error.is_unsupported() {
            let missing = missing_format(error);
            (missing.unwrap_or_else(|| Outcome::Fail(format!("refused for now only: {error}"))), None)
        } else if exception.class.ends_with("AssertionError") && error.code() != Code::AssertionFailed {
            (Outcome::Fail(format!("an assertion must fail, and the statement is refused: {error}")), Some(true))
        } else {
            match reason::judge(&exception.message, error, statement) {
                Ok(checked) => (Outcome::Pass, Some(checked)),
                Err(reason) => (Outcome::Fail(reason), Some(true)),
            }
        };
        let place = error.span().and_then(|span| statement.get(span.start..span.end)).unwrap_or_default();
        Verdict {
            message_matches: Some(shares_words(&exception.message, error)),
            refusal: Some(format!("{error}, at `{place}`")),
            code: Some(error.code()),
            reason_checked: checked,
            ..Verdict::new(kind, outcome)
        }
    }
}

/// Runs a case.
pub fn run(case: &Case, mode: Mode) -> Verdict {
    let kind = kind_of(case);
    if !case.enabled {
        return Verdict::new(kind, Outcome::Skip("the file disables it".to_string()));
    }
    if case.is_rest {
        return Verdict::new(kind, Outcome::Skip("it is made of requests to a server".to_string()));
    }
    if case.is_script {
        return scripted(case, kind, mode);
    }
    match &case.exception {
        Some(_) => refused(case, kind, mode),
        None => positive(case, kind, mode),
    }
}

/// Formats this engine does not have; a case that needs one is not run.
const MISSING_FORMATS: [&str; 4] = ["AVRO", "PROTOBUF", "PROTOBUF_NOSR", "JSON_SR"];

fn missing_format(error: &Error) -> Option<Outcome> {
    let format =
        MISSING_FORMATS.iter().find(|format| error.message() == format!("format {format} is not supported yet"))?;
    Some(Outcome::Skip(format!("format {format} is missing")))
}

fn positive(case: &Case, kind: Kind, mode: Mode) -> Verdict {
    let fail = |error: Error| {
        let reason = Outcome::Fail(format!("refused: {error}"));
        Verdict::new(kind, missing_format(&error).unwrap_or(reason))
    };
    let mut driver = match Driver::new(&case.properties) {
        Ok(driver) => driver,
        Err(error) => return fail(error),
    };
    if let Err(error) = driver.execute(&case.statements.join("\n")) {
        return fail(error);
    }
    if let Some(wrong) = case.sources.iter().find_map(|source| check_source(driver.catalog(), source)) {
        return Verdict::new(kind, Outcome::Fail(wrong));
    }
    let inputs = inputs_of(case, &driver);
    let bad = match driver.run(&inputs, mode) {
        Ok(bad) => bad,
        Err(error) => return fail(error),
    };
    let mut topics: Vec<&str> = Vec::new();
    for output in &case.outputs {
        if !topics.contains(&output.topic.as_str()) {
            topics.push(&output.topic);
        }
    }
    for topic in topics {
        let expected: Vec<&CaseRecord> = case.outputs.iter().filter(|output| output.topic == topic).collect();
        let layout = layout_of(case, &driver, topic);
        let actual: Vec<Shown> = driver.written(topic).iter().map(|record| Shown::new(record, &layout)).collect();
        if let Some(verdict) = check_topic(kind, topic, &expected, &actual, &layout, bad) {
            return verdict;
        }
    }
    Verdict::new(kind, Outcome::Pass)
}

fn refused(case: &Case, kind: Kind, mode: Mode) -> Verdict {
    let exception = case.exception.clone().unwrap_or_default();
    let mut driver = match Driver::new(&case.properties) {
        Ok(driver) => driver,
        Err(error) => return Verdict::new(kind, Outcome::Fail(error.to_string())),
    };
    let mut error = None;
    for (i, statement) in case.statements.iter().enumerate() {
        if let Err(found) = driver.execute(statement) {
            if i + 1 < case.statements.len() {
                let skip = missing_format(&found);
                let reason = format!("statement {} of {} was refused: {found}", i + 1, case.statements.len());
                return Verdict::new(kind, skip.unwrap_or(Outcome::Fail(reason)));
            }
            error = Some(found);
        }
    }
    if error.is_none() && Driver::is_of_records(&exception) {
        let inputs = inputs_of(case, &driver);
        error = driver.run(&inputs, mode).err();
        if let Some(found) = error {
            // A record has no place in a statement; that the input is refused is all that there is to say.
            let mut verdict = Verdict::new(kind, Outcome::Pass);
            verdict.message_matches = Some(shares_words(&exception.message, &found));
            verdict.code = Some(found.code());
            verdict.reason_checked = Some(found.code() == Code::BadRecord);
            return verdict;
        }
    }
    let last = case.statements.last().map_or("", String::as_str);
    match error {
        Some(error) => Verdict::refused(kind, &exception, &error, last),
        None => Verdict::new(kind, Outcome::Fail("the last statement was accepted".to_string())),
    }
}

/// A case of an SQL file.
fn scripted(case: &Case, kind: Kind, mode: Mode) -> Verdict {
    let fail = |reason: String| Verdict::new(kind, Outcome::Fail(reason));
    let mut driver = match Driver::new(&case.properties) {
        Ok(driver) => driver,
        Err(error) => return fail(error.to_string()),
    };
    let text = case.statements.first().map_or("", String::as_str);
    match (script::run(&mut driver, text, &case.folder, mode), &case.exception) {
        (Ok(()), None) => Verdict::new(kind, Outcome::Pass),
        (Ok(()), Some(_)) => fail("every statement was accepted".to_string()),
        (Err(failure), Some(exception)) if failure.number == failure.of => {
            Verdict::refused(kind, exception, &failure.error, &failure.statement)
        }
        (Err(failure), _) => {
            let reason = format!("statement {} of {}: {}", failure.number, failure.of, failure.error);
            let outcome = missing_format(&failure.error).unwrap_or(Outcome::Fail(reason));
            let script::Columns { table, marked } = failure.columns;
            Verdict { table, marked, ..Verdict::new(kind, outcome) }
        }
    }
}

/// Whether at least a third of the words of a message that say something stand in an error's texts.
fn shares_words(expected: &str, error: &Error) -> bool {
    let ours = format!(
        "{} {} {}",
        error.message(),
        error.detail_text().unwrap_or_default(),
        error.hint_text().unwrap_or_default()
    )
    .to_uppercase();
    let first = expected.lines().next().unwrap_or_default().to_uppercase();
    let words: Vec<&str> =
        first.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| word.len() > 3).collect();
    let shared = words.iter().filter(|word| ours.contains(**word)).count();
    words.is_empty() || 3 * shared >= words.len()
}

fn layout_of(case: &Case, driver: &Driver, topic: &str) -> Layout {
    if let Some(layout) = driver.layout(topic) {
        return layout.clone();
    }
    let spec = case.topics.iter().find(|(name, ..)| name == topic);
    let format = |text: Option<&Option<String>>, default| {
        text.and_then(|text| FormatName::parse(text.as_deref().unwrap_or_default())).unwrap_or(default)
    };
    Layout::unknown(
        format(spec.map(|(_, key, _)| key), FormatName::Kafka),
        format(spec.map(|(_, _, value)| value), FormatName::Json),
    )
}

fn inputs_of(case: &Case, driver: &Driver) -> Vec<(String, Record)> {
    let mut inputs = Vec::with_capacity(case.inputs.len());
    for input in &case.inputs {
        let layout = layout_of(case, driver, &input.topic);
        let key = layout.encode(Side::Key, &input.key);
        let key = match &input.window {
            Some(window) => key.map(|key| with_window(key, window)),
            None => key,
        };
        let headers =
            input.headers.iter().map(|(name, value)| (name.clone(), value.as_deref().map(from_base64))).collect();
        let value = layout.encode(Side::Value, &input.value);
        let timestamp = input.timestamp.unwrap_or(0);
        inputs.push((input.topic.clone(), Record { key, value, timestamp, headers }));
    }
    inputs
}

/// A record the way a case writes it.
struct Shown {
    key: Json,
    value: Json,
    window: Option<(i64, Option<i64>)>,
    timestamp: i64,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Shown {
    fn new(record: &Record, layout: &Layout) -> Shown {
        let mut key = record.key.as_deref();
        let mut window = None;
        let number = |bytes: &[u8]| bytes.try_into().map(i64::from_be_bytes).unwrap_or_default();
        if let (Some(session), Some(bytes)) = (layout.windowed, key) {
            let tail = if session { 16 } else { 8 };
            if let Some(at) = bytes.len().checked_sub(tail) {
                let (plain, rest) = bytes.split_at(at);
                window = Some(match session {
                    true => (number(&rest[8..]), Some(number(&rest[..8]))),
                    false => (number(rest), None),
                });
                key = Some(plain);
            }
        }
        Shown {
            key: layout.decode(Side::Key, key),
            value: layout.decode(Side::Value, record.value.as_deref()),
            window,
            timestamp: record.timestamp,
            headers: record.headers.clone(),
        }
    }
}

fn check_topic(
    kind: Kind,
    topic: &str,
    expected: &[&CaseRecord],
    actual: &[Shown],
    layout: &Layout,
    bad: u64,
) -> Option<Verdict> {
    let (key_type, value_type) = (layout.whole_type(Side::Key), layout.whole_type(Side::Value));
    let one = |wanted: &CaseRecord, found: &Shown| -> Option<String> {
        if let Some(difference) = difference(&wanted.key, &found.key, key_type.as_ref(), "key") {
            return Some(difference);
        }
        if let Some(difference) = difference(&wanted.value, &found.value, value_type.as_ref(), "value") {
            return Some(difference);
        }
        let window = wanted.window.as_ref().map(|window| (window.start, window.session.then_some(window.end)));
        if window != found.window {
            return Some("window: it differs".to_string());
        }
        if let Some(time) = wanted.timestamp.filter(|time| *time != found.timestamp) {
            return Some(format!("timestamp: expected {time}, found {}", found.timestamp));
        }
        let headers: Vec<(String, Option<Vec<u8>>)> =
            wanted.headers.iter().map(|(name, value)| (name.clone(), value.as_deref().map(from_base64))).collect();
        (headers != found.headers).then(|| "headers: they differ".to_string())
    };
    let mut marked = expected.iter().zip(actual).enumerate().find_map(|(i, (w, f))| Some((i, one(w, f)?)));
    if marked.is_none() && expected.len() != actual.len() {
        let what = format!("{} records expected, {} found", expected.len(), actual.len());
        marked = Some((expected.len().min(actual.len()), what));
    }
    let (row, what) = marked?;
    let reports = if bad > 0 { format!(" ({bad} reports of bad records)") } else { String::new() };
    let mut verdict = Verdict::new(kind, Outcome::Fail(format!("topic {topic}, record {}: {what}{reports}", row + 1)));
    let rows = expected.len().max(actual.len());
    verdict.marked = Some(row);
    verdict.table = (0..rows)
        .map(|row| {
            let left = expected.get(row).map_or_else(String::new, |record| {
                let time = record.timestamp.map_or_else(String::new, |time| format!(" @{time}"));
                format!("{} {}{time}", record.key, record.value)
            });
            let right = actual
                .get(row)
                .map_or_else(String::new, |found| format!("{} {} @{}", found.key, found.value, found.timestamp));
            [left, right]
        })
        .collect();
    Some(verdict)
}

/// What is wrong with a stream or table that must exist, if anything is.
fn check_source(catalog: &Catalog, expected: &ExpectedSource) -> Option<String> {
    let name = &expected.name;
    let Some(relation) = catalog.find_relation(name) else { return Some(format!("there is no {name}")) };
    if relation.kind.as_str() != expected.kind {
        return Some(format!("{name} is a {}, expected a {}", relation.kind.as_str(), expected.kind));
    }
    let differs =
        |what: &str, wanted: &str, found: &str| Some(format!("the {what} of {name}: expected {wanted}, found {found}"));
    for (what, wanted, found) in [
        ("key format", &expected.key_format, &relation.key_format),
        ("value format", &expected.value_format, &relation.value_format),
    ] {
        if let Some(wanted) = wanted.as_ref().filter(|wanted| !wanted.eq_ignore_ascii_case(found.name.as_str())) {
            return differs(what, wanted, found.name.as_str());
        }
    }
    if let Some(features) = &expected.value_features {
        let has = |feature: &str| features.iter().any(|other| other == feature);
        let wanted = if has("WRAP_SINGLES") { Some(true) } else { has("UNWRAP_SINGLES").then_some(false) };
        if wanted != relation.value_format.wrap_single {
            return differs("wrapping", &format!("{wanted:?}"), &format!("{:?}", relation.value_format.wrap_single));
        }
    }
    if let Some((kind, size)) = &expected.window {
        let same = match relation.window {
            Some(SourceWindow::Session) => kind == "SESSION",
            Some(SourceWindow::Time(found)) => kind != "SESSION" && size.is_none_or(|size| size == found),
            None => false,
        };
        if !same {
            return differs("windows", kind, &format!("{:?}", relation.window));
        }
    }
    if let Some(wanted) = expected.read_only.filter(|wanted| *wanted != relation.read_only) {
        return differs("being a SOURCE", &wanted.to_string(), &relation.read_only.to_string());
    }
    let schema = expected.schema.as_ref()?;
    let wanted = match columns_of(catalog, schema) {
        Ok(wanted) => wanted,
        Err(error) => return Some(format!("the expected schema of {name} cannot be read: {error}")),
    };
    let sorted = |schema: &Schema| {
        let mut columns = schema.columns.clone();
        columns.sort_by_key(|column| column.kind != ColumnKind::Key);
        Schema::new(columns)
    };
    let (wanted, found) = (sorted(&wanted), sorted(&relation.schema));
    (wanted != found).then(|| format!("the columns of {name}: expected {wanted}, found {found}"))
}

/// Columns as written; that their names may be declared by nobody does not matter here.
fn columns_of(catalog: &Catalog, schema: &str) -> Result<Schema> {
    let statement = parse_statements(&format!("CREATE STREAM x ({schema});"))?.pop();
    let Some(StatementKind::CreateSource(create)) = statement.map(|statement| statement.kind) else {
        return Err(Error::internal("an expected schema is no list of columns"));
    };
    let columns = create.columns.iter().map(|column| {
        let ty = bind::columns::resolve_type(catalog, &column.ty)?;
        let kind = match &column.constraint {
            Some(ColumnConstraint::Key | ColumnConstraint::PrimaryKey) => ColumnKind::Key,
            Some(ColumnConstraint::Headers) => ColumnKind::Headers,
            Some(ColumnConstraint::Header(name)) => ColumnKind::Header(name.clone()),
            None => ColumnKind::Value,
        };
        Ok(Column { name: column.name.name.clone(), ty, kind })
    });
    Ok(Schema::new(columns.collect::<Result<_>>()?))
}

/// What kind of case its statements make it.
fn kind_of(case: &Case) -> Kind {
    let text = case.statements.join("\n");
    let stateful =
        crate::sql::split::split(&text).pieces.iter().any(|piece| match crate::sql::parse_statement(piece.text) {
            Ok(statement) => match &statement.kind {
                StatementKind::CreateAsSelect(create) => is_stateful(&create.query, functions()),
                StatementKind::InsertSelect { query, .. } | StatementKind::Query(query) => {
                    is_stateful(query, functions())
                }
                _ => false,
            },
            Err(_) => false,
        });
    match (case.exception.is_some(), stateful) {
        (false, false) => Kind::Stateless,
        (false, true) => Kind::Stateful,
        (true, false) => Kind::Refused,
        (true, true) => Kind::RefusedStateful,
    }
}

fn is_stateful(query: &Query, functions: &FunctionRegistry) -> bool {
    let aggregates = |expr: &Expr| first_aggregate(functions, expr).is_some();
    matches!(query.from, Relation::Join(_))
        || query.group_by.is_some()
        || query.partition_by.is_some()
        || query.window.is_some()
        || query.having.is_some()
        || query.items.iter().any(|item| matches!(item, SelectItem::Expr { expr, .. } if aggregates(expr)))
}
