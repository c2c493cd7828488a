//! Cases in SQL files: statements, `INSERT INTO ... VALUES` as the records that go in, `ASSERT` as what must come of them.
//!
//! A case begins with `--@test: name`. `--@expected.error:` and `--@expected.message:` say that its last statement must be
//! refused, or its last `ASSERT` fail. A file without `--@test:` is one case. Every statement takes effect before the
//! next one: a record that is inserted has passed all queries when the next statement is read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use datafusion::arrow::array::{Array, ArrayRef};

use super::case::{Case, Exception};
use super::driver::{Driver, Mode, Record};
use crate::error::{Code, Error, Result, Span};
use crate::functions::value_key;
use crate::plan::{OnError, QueryKind, QueryPlan, SourceScan};
use crate::record::RawBatch;
use crate::sql::ast::{Assert, Ident, StatementKind, StringLit};
use crate::sql::planner;
use crate::topology::{Task, TaskOutput};
use crate::types::{Column, ColumnKind, Schema, SqlType, quote_identifier};

/// The cases of a file.
///
/// # Errors
/// A file that cannot be read.
pub fn read(path: &Path) -> Result<Vec<Case>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::usage(format!("{} cannot be read", path.display())).detail(error.to_string()))?;
    let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let mut cases: Vec<Case> = Vec::new();
    let mut blank = Case::empty(&file, "the whole file");
    blank.is_script = true;
    blank.folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    for line in text.lines() {
        let directive = |name: &str| line.trim().strip_prefix("--@").and_then(|rest| rest.strip_prefix(name));
        if let Some(name) = directive("test:") {
            cases.push(Case { name: name.trim().to_string(), ..blank.clone() });
            continue;
        }
        let Some(case) = cases.last_mut() else {
            // Comments before the first case belong to none; statements make the file a case of its own.
            if !line.trim().is_empty() && !line.trim_start().starts_with("--") {
                cases.push(Case { statements: vec![format!("{line}\n")], ..blank.clone() });
            }
            continue;
        };
        if let Some(class) = directive("expected.error:") {
            case.exception.get_or_insert_with(Exception::default).class = class.trim().to_string();
        } else if let Some(message) = directive("expected.message:") {
            case.exception.get_or_insert_with(Exception::default).message = message.trim().to_string();
        } else {
            // One text: the statements are cut when they run, as those of any file.
            match case.statements.first_mut() {
                Some(text) => *text += &format!("{line}\n"),
                None => case.statements.push(format!("{line}\n")),
            }
        }
    }
    Ok(cases)
}

/// A statement of a case that failed.
#[derive(Debug)]
pub struct Failure {
    /// Why, with its place in the statement.
    pub error: Error,
    /// The statement.
    pub statement: String,
    /// Which one it is, from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
    /// For an `ASSERT` of a record, its columns.
    pub columns: Columns,
}

/// The columns of a record that an `ASSERT` is about, with the values that they must have and those that they have.
#[derive(Debug, Default)]
pub struct Columns {
    /// A line a column, what was expected beside what was found.
    pub table: Vec<[String; 2]>,
    /// The first that differs.
    pub marked: Option<usize>,
}

impl Columns {
    /// What was expected of a record that is not there.
    fn missing(&mut self, schema: &Schema, expected: &[Value], found: &str) {
        self.table = expected.iter().map(|value| [line(schema, value.0, &value.1), String::new()]).collect();
        if let Some([_, right]) = self.table.first_mut() {
            *right = found.to_string();
        }
        self.marked = Some(0);
    }
}

/// A value and the position of its column in the schema.
type Value = (usize, ArrayRef);

/// Runs the statements of a text one after the other, records through all queries after each. `RUN SCRIPT` reads a file
/// whose path starts at `folder`.
///
/// # Errors
/// The first statement that is refused, or does not hold.
pub fn run(driver: &mut Driver, text: &str, folder: &Path, mode: Mode) -> Result<(), Box<Failure>> {
    let pieces = crate::sql::split::split(text).pieces;
    let mut read = BTreeMap::new();
    for (i, piece) in pieces.iter().enumerate() {
        let one = &text[piece.span.start..piece.span.end];
        let mut columns = Columns::default();
        let done = match crate::sql::parse_statement(one).map(|statement| statement.kind) {
            Ok(StatementKind::Assert(assert)) => check(driver, &assert, &mut read, &mut columns),
            Ok(StatementKind::RunScript(file)) => include(driver, folder, &file).and_then(|()| driver.pump(mode)),
            _ => driver.execute(one).and_then(|()| driver.pump(mode)),
        };
        let (statement, number, of) = (one.to_string(), i + 1, pieces.len());
        done.map_err(|error| Box::new(Failure { error, statement, number, of, columns }))?;
    }
    Ok(())
}

/// Carries out the statements of another file. What it refuses is told at the statement that names it.
fn include(driver: &mut Driver, folder: &Path, file: &StringLit) -> Result<()> {
    let unreadable = |error: std::io::Error| {
        Error::refused(Code::InvalidFile, format!("file {} cannot be read", file.value))
            .detail(error.to_string())
            .at(file.span)
    };
    let text = std::fs::read_to_string(folder.join(&file.value)).map_err(unreadable)?;
    driver.execute(&text).map_err(|error| error.hint(format!("It is in {}.", file.value)).at(file.span))
}

/// `read`: how many records of each topic earlier asserts have read.
fn check(driver: &Driver, assert: &Assert, read: &mut BTreeMap<String, usize>, shown: &mut Columns) -> Result<()> {
    match assert {
        Assert::Values { source, columns, values } => {
            let (record, relation) = next(driver, source, read)?;
            let (expected, rowtime) =
                planner::typed_values(&driver.context(), &relation, columns, values, source.span)?;
            let Some(record) = record else {
                shown.missing(&relation.schema, &expected, "no record");
                return Err(nothing(source));
            };
            if record.value.is_none() {
                shown.missing(&relation.schema, &expected, "a tombstone");
                return Err(Error::refused(Code::AssertionFailed, "the next record is a tombstone").at(source.span));
            }
            if let Some(time) = rowtime.filter(|time| *time != record.timestamp) {
                shown.table = vec![[format!("ROWTIME = {time}"), format!("ROWTIME = {}", record.timestamp)]];
                shown.marked = Some(0);
                let text = format!("the ROWTIME of the record is {}, expected {time}", record.timestamp);
                return Err(Error::refused(Code::AssertionFailed, text).at(source.span));
            }
            compare(&relation, &record, &expected, source.span, shown)
        }
        Assert::NullValues { source, columns, values } => {
            let (record, relation) = next(driver, source, read)?;
            let keys: Vec<Ident> = match columns.is_empty() {
                false => columns.clone(),
                true => relation
                    .schema
                    .key_columns()
                    .map(|key| Ident { name: key.name.clone(), quoted: true, span: source.span })
                    .collect(),
            };
            let (expected, _) = planner::typed_values(&driver.context(), &relation, &keys, values, source.span)?;
            let Some(record) = record else {
                shown.missing(&relation.schema, &expected, "no record");
                return Err(nothing(source));
            };
            if record.value.is_some() {
                shown.missing(&relation.schema, &expected, "a record with a value");
                return Err(Error::refused(Code::AssertionFailed, "the next record is no tombstone").at(source.span));
            }
            compare(&relation, &record, &expected, source.span, shown)
        }
        Assert::Source { kind, name, columns, properties } => {
            planner::assert_source(&driver.context(), *kind, name, columns, properties)
        }
        Assert::Topic { exists, topic, .. } => {
            let found = driver.layout(&topic.name).is_some();
            let text = if found { "there is a topic" } else { "there is no topic" };
            if found == *exists {
                Ok(())
            } else {
                Err(Error::refused(Code::AssertionFailed, format!("{text} {}", topic.name)).at(topic.span))
            }
        }
        // Its place is the whole statement, which only the caller knows.
        Assert::Schema { .. } => Err(Error::refused(Code::Unsupported, "ASSERT SCHEMA is not supported yet")),
    }
}

type Found = (Option<Record>, std::sync::Arc<crate::catalog::Relation>);

/// The next record of a stream or table that no assert has read.
fn next(driver: &Driver, source: &Ident, read: &mut BTreeMap<String, usize>) -> Result<Found> {
    let relation = driver.catalog().relation(&source.name, source.span)?.clone();
    let position = read.entry(relation.topic.name.clone()).or_insert(0);
    let record = driver.written(&relation.topic.name).get(*position).cloned();
    *position += usize::from(record.is_some());
    Ok((record, relation))
}

fn nothing(source: &Ident) -> Error {
    Error::refused(Code::AssertionFailed, format!("there is no further record in {}", quote_identifier(&source.name)))
        .at(source.span)
}

/// Compares columns of a record, by their positions in the schema, with the values they must have.
fn compare(
    relation: &crate::catalog::Relation,
    record: &Record,
    expected: &[Value],
    span: Span,
    shown: &mut Columns,
) -> Result<()> {
    let schema = &relation.schema;
    let source = SourceScan {
        relation: relation.name.clone(),
        topic: relation.topic.name.clone(),
        key_format: relation.key_format.clone(),
        value_format: relation.value_format.clone(),
        schema: schema.clone(),
        projection: vec![true; schema.columns.len()],
        timestamp: None,
        window: relation.window,
        is_table: false,
    };
    let plan = QueryPlan {
        query_id: "ASSERT".to_string(),
        kind: QueryKind::Push { limit: None },
        source,
        join: None,
        steps: Vec::new(),
        rekeyed: None,
        output: schema.clone(),
        on_error: OnError::Skip,
    };
    let mut raw = RawBatch::new(relation.topic.name.as_str().into(), 0);
    record.headers.iter().for_each(|(name, value)| raw.headers.push(name, value.as_deref()));
    raw.push(0, record.timestamp, record.key.as_deref(), record.value.as_deref());
    let mut output = TaskOutput::default();
    Task::new(&plan)?.process(&raw, &mut output)?;
    let Some(rows) = output.rows.pop().filter(|rows| rows.num_rows() == 1) else {
        return Err(Error::refused(Code::AssertionFailed, "the next record cannot be read").at(span));
    };
    let differs = |(position, value): &Value| value_key(rows.column(*position), 0) != value_key(value, 0);
    let Some(marked) = expected.iter().position(differs) else { return Ok(()) };
    let both =
        |(position, value): &Value| [line(schema, *position, value), line(schema, *position, rows.column(*position))];
    shown.table = expected.iter().map(both).collect();
    shown.marked = Some(marked);
    let (position, value) = &expected[marked];
    let column = &schema.columns[*position];
    let kind = if column.kind == ColumnKind::Key { "key column" } else { "column" };
    let text = format!("{kind} {} of the next record differs", quote_identifier(&column.name));
    let (wanted, found) = (text_of(column, value), text_of(column, rows.column(*position)));
    Err(Error::refused(Code::AssertionFailed, text).detail(format!("expected {wanted}, found {found}")).at(span))
}

/// A column and its value, as a line of text.
fn line(schema: &Schema, position: usize, value: &ArrayRef) -> String {
    let column = &schema.columns[position];
    format!("{} = {}", quote_identifier(&column.name), text_of(column, value))
}

/// A value as a statement would have it, as far as that tells values apart: `NULL` is none, `'NULL'` a text.
fn text_of(column: &Column, value: &ArrayRef) -> String {
    if value.is_null(0) {
        return "NULL".to_string();
    }
    let mut text = Vec::new();
    crate::types::cast::write_text(value.as_ref(), &column.ty, 0, &mut text);
    let text = String::from_utf8_lossy(&text);
    if column.ty == SqlType::String { format!("'{text}'") } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: &str = "CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON');
        CREATE STREAM t AS SELECT k, v + 1 AS w FROM s; CREATE STREAM u AS SELECT k, w * 2 AS x FROM t WHERE w > 1;
        INSERT INTO s (rowtime, k, v) VALUES (7, 'a', 1);";

    fn outcome(statements: &str) -> Result<(), (String, usize)> {
        outcome_in(Mode::Whole, statements)
    }

    fn outcome_in(mode: Mode, statements: &str) -> Result<(), (String, usize)> {
        let mut driver = Driver::new(&[]).expect("no properties");
        run(&mut driver, &format!("{CHAIN}{statements}"), Path::new(""), mode)
            .map_err(|failure| (failure.error.to_string(), failure.number))
    }

    #[test]
    fn records_pass_all_queries_before_the_next_statement() {
        let good = "ASSERT VALUES t (rowtime, k, w) VALUES (7, 'a', 2); ASSERT VALUES u (x) VALUES (4);
            INSERT INTO s VALUES ('b', 0); INSERT INTO s VALUES ('c', 5); ASSERT VALUES u (k, x) VALUES ('c', 12);
            ASSERT STREAM u (k STRING KEY, x INT) WITH (kafka_topic='U', value_format='JSON');";
        for mode in [Mode::Whole, Mode::Single, Mode::Restart] {
            assert_eq!(outcome_in(mode, good), Ok(()), "{mode:?}");
        }
    }

    #[test]
    fn a_difference_is_named_with_its_statement() {
        let differs = outcome("ASSERT VALUES t (k, w) VALUES ('a', 3);");
        assert_eq!(differs, Err(("column W of the next record differs: expected 3, found 2".to_string(), 5)));
        let late = outcome("ASSERT VALUES t (rowtime) VALUES (8);");
        assert_eq!(late, Err(("the ROWTIME of the record is 7, expected 8".to_string(), 5)));
        let none = outcome("ASSERT VALUES t (w) VALUES (2); ASSERT VALUES t (w) VALUES (2);");
        assert_eq!(none, Err(("there is no further record in T".to_string(), 6)));
        let tombstone = outcome("ASSERT NULL VALUES t KEY ('a');");
        assert_eq!(tombstone, Err(("the next record is no tombstone".to_string(), 5)));
        let text = outcome("INSERT INTO s VALUES (NULL, 8); ASSERT VALUES t (k) VALUES ('NULL');");
        assert_eq!(text, Err(("key column K of the next record differs: expected 'NULL', found 'a'".to_string(), 6)));
        let kind = outcome("ASSERT TABLE t (k STRING PRIMARY KEY, w INT) WITH (kafka_topic='T', value_format='JSON');");
        assert_eq!(kind, Err(("the type of T is not as expected: expected table, found stream".to_string(), 5)));
    }
}
