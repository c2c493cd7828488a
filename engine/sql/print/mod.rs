//! Statements back to text, in canonical form.
//!
//! Keywords are in upper case, each clause of a query stands on a line of its own, names are quoted only when they must
//! be, parentheses stand only where they change the meaning. What is printed is read back as the same statement, apart
//! from places and from which names were quoted; [`strip_spans`] makes two trees comparable that way.
//!
//! Values of `${env:NAME}` are in the tree as any other text: to keep a statement whose variables were filled in, keep
//! [`Substituted::shown`](super::variables::Substituted::shown), not what this prints.

mod expr;
mod query;
mod strip;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(super) use tests::generate;

use std::fmt::{self, Display, Formatter};

use super::ast::{
    Assert, ColumnConstraint, ColumnDef, CreateAsSelect, CreateFunction, CreateSource, Describe, Duration, Ident,
    Property, Show, SourceKind, Statement, StatementKind, StringLit, TimeUnit, TypeExpr, TypeExprKind,
};
use expr::Operands;

use super::keywords::needs_quotes;

pub use strip::strip_spans;

impl Display for Statement {
    /// The statement in canonical form, without a semicolon.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        use StatementKind::*;
        match &self.kind {
            Query(query) => query.fmt(f),
            CreateSource(create) => create.fmt(f),
            CreateAsSelect(create) => create.fmt(f),
            InsertSelect { target, properties, query } => {
                write!(f, "INSERT INTO {target}")?;
                with_clause(f, "\n", properties)?;
                write!(f, "\n{query}")
            }
            InsertValues { target, columns, values } => {
                write!(f, "INSERT INTO {target}{} VALUES ({})", column_names(columns), Operands(values))
            }
            DropSource { kind, if_exists, name, delete_topic } => {
                write!(f, "DROP {kind} {}{name}", text_if(*if_exists, "IF EXISTS "))?;
                f.write_str(text_if(*delete_topic, " DELETE TOPIC"))
            }
            AlterSource { kind, name, columns } => {
                write!(f, "ALTER {kind} {name}")?;
                for (i, column) in columns.iter().enumerate() {
                    write!(f, "{}ADD COLUMN {column}", if i == 0 { " " } else { ", " })?;
                }
                Ok(())
            }
            CreateConnector { or_replace, source, if_not_exists, name, properties } => {
                let kind = if *source { "SOURCE" } else { "SINK" };
                let replace = text_if(*or_replace, "OR REPLACE ");
                write!(f, "CREATE {replace}{kind} CONNECTOR {}{name}", text_if(*if_not_exists, "IF NOT EXISTS "))?;
                with_clause(f, "\n", properties)
            }
            DropConnector { if_exists, name } => {
                write!(f, "DROP CONNECTOR {}{name}", text_if(*if_exists, "IF EXISTS "))
            }
            CreateFunction(create) => create.fmt(f),
            DropFunction { if_exists, name } => write!(f, "DROP FUNCTION {}{name}", text_if(*if_exists, "IF EXISTS ")),
            PauseConnector(name) => write!(f, "PAUSE CONNECTOR {name}"),
            ResumeConnector(name) => write!(f, "RESUME CONNECTOR {name}"),
            CreateType { if_not_exists, name, ty } => {
                write!(f, "CREATE TYPE {}{name} AS {ty}", text_if(*if_not_exists, "IF NOT EXISTS "))
            }
            DropType { if_exists, name } => write!(f, "DROP TYPE {}{name}", text_if(*if_exists, "IF EXISTS ")),
            Show(show) => write!(f, "SHOW {show}"),
            Describe(describe) => write!(f, "DESCRIBE {describe}"),
            Print { topic, from_beginning, interval, limit } => {
                write!(f, "PRINT {}", Quoted(&topic.name))?;
                f.write_str(text_if(*from_beginning, " FROM BEGINNING"))?;
                if let Some(interval) = interval {
                    write!(f, " INTERVAL {interval}")?;
                }
                match limit {
                    Some(limit) => write!(f, " LIMIT {limit}"),
                    None => Ok(()),
                }
            }
            ExplainQuery(id) => write!(f, "EXPLAIN {id}"),
            Explain(statement) => write!(f, "EXPLAIN {statement}"),
            Terminate(id) => write!(f, "TERMINATE {}", id_or_all(id)),
            Pause(id) => write!(f, "PAUSE {}", id_or_all(id)),
            Resume(id) => write!(f, "RESUME {}", id_or_all(id)),
            Set { name, value } => write!(f, "SET {name} = {value}"),
            Unset(name) => write!(f, "UNSET {name}"),
            AlterSystem { name, value } => write!(f, "ALTER SYSTEM {name} = {value}"),
            // A variable's name is never quoted.
            Define { name, value } => write!(f, "DEFINE {} = {value}", name.name),
            Undefine(name) => write!(f, "UNDEFINE {}", name.name),
            RunScript(file) => write!(f, "RUN SCRIPT {file}"),
            Assert(assert) => write!(f, "ASSERT {assert}"),
        }
    }
}

impl Display for CreateSource {
    /// `CREATE ...`, without a semicolon.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CREATE {}{}{} ",
            text_if(self.or_replace, "OR REPLACE "),
            text_if(self.source, "SOURCE "),
            self.kind
        )?;
        write!(f, "{}{}", text_if(self.if_not_exists, "IF NOT EXISTS "), self.name)?;
        if !self.columns.is_empty() {
            write!(f, " ({})", comma(&self.columns))?;
        }
        with_clause(f, "\n", &self.properties)
    }
}

impl Display for CreateAsSelect {
    /// `CREATE ... AS SELECT ...`, without a semicolon.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "CREATE {}{} ", text_if(self.or_replace, "OR REPLACE "), self.kind)?;
        write!(f, "{}{}", text_if(self.if_not_exists, "IF NOT EXISTS "), self.name)?;
        with_clause(f, "\n", &self.properties)?;
        write!(f, "\nAS {}", self.query)
    }
}

impl Display for CreateFunction {
    /// `CREATE FUNCTION ...`, without a semicolon.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "CREATE {}FUNCTION ", text_if(self.or_replace, "OR REPLACE "))?;
        write!(f, "{}{} FROM {}", text_if(self.if_not_exists, "IF NOT EXISTS "), self.name, self.path)
    }
}

impl Display for ColumnDef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.ty)?;
        match &self.constraint {
            None => Ok(()),
            Some(ColumnConstraint::Key) => f.write_str(" KEY"),
            Some(ColumnConstraint::PrimaryKey) => f.write_str(" PRIMARY KEY"),
            Some(ColumnConstraint::Headers) => f.write_str(" HEADERS"),
            Some(ColumnConstraint::Header(name)) => write!(f, " HEADER({})", Quoted(name)),
        }
    }
}

impl Display for TypeExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TypeExprKind::Plain(ty) => ty.fmt(f),
            TypeExprKind::Array(element) => write!(f, "ARRAY<{element}>"),
            TypeExprKind::Map(key, value) => write!(f, "MAP<{key}, {value}>"),
            // Without the blank `<>` would be read as an operator.
            TypeExprKind::Struct(fields) if fields.is_empty() => f.write_str("STRUCT< >"),
            TypeExprKind::Struct(fields) => {
                f.write_str("STRUCT<")?;
                for (i, (name, ty)) in fields.iter().enumerate() {
                    write!(f, "{}{name} {ty}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(">")
            }
            TypeExprKind::Named(name) => name.fmt(f),
        }
    }
}

impl Display for Show {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (what, extended) = match self {
            Show::Properties => ("PROPERTIES", false),
            Show::Topics { all: false, extended } => ("TOPICS", *extended),
            Show::Topics { all: true, extended } => ("ALL TOPICS", *extended),
            Show::Streams { extended } => ("STREAMS", *extended),
            Show::Tables { extended } => ("TABLES", *extended),
            Show::Functions => ("FUNCTIONS", false),
            Show::Connectors(None) => ("CONNECTORS", false),
            Show::Connectors(Some(true)) => ("SOURCE CONNECTORS", false),
            Show::Connectors(Some(false)) => ("SINK CONNECTORS", false),
            Show::ConnectorPlugins => ("CONNECTOR PLUGINS", false),
            Show::Types => ("TYPES", false),
            Show::Variables => ("VARIABLES", false),
            Show::Queries { extended } => ("QUERIES", *extended),
        };
        write!(f, "{what}{}", text_if(extended, " EXTENDED"))
    }
}

impl Display for Describe {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Describe::Source { name, extended } => write!(f, "{name}{}", text_if(*extended, " EXTENDED")),
            Describe::All { kind, extended } => write!(f, "{kind}S{}", text_if(*extended, " EXTENDED")),
            Describe::Function(name) => write!(f, "FUNCTION {name}"),
            Describe::Connector(name) => write!(f, "CONNECTOR {name}"),
        }
    }
}

impl Display for Assert {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Assert::Topic { exists, topic, properties, timeout } => {
                write!(f, "{}TOPIC {}", text_if(!exists, "NOT EXISTS "), Quoted(&topic.name))?;
                with_clause(f, " ", properties)?;
                timeout_clause(f, timeout)
            }
            Assert::Schema { exists, subject, id, timeout } => {
                write!(f, "{}SCHEMA", text_if(!exists, "NOT EXISTS "))?;
                if let Some(subject) = subject {
                    write!(f, " SUBJECT {}", Quoted(&subject.name))?;
                }
                if let Some(id) = id {
                    write!(f, " ID {id}")?;
                }
                timeout_clause(f, timeout)
            }
            Assert::Values { source, columns, values } => {
                write!(f, "VALUES {source}{} VALUES ({})", column_names(columns), Operands(values))
            }
            Assert::NullValues { source, columns, values } => {
                write!(f, "NULL VALUES {source}{} KEY ({})", column_names(columns), Operands(values))
            }
            Assert::Source { kind, name, columns, properties } => {
                write!(f, "{kind} {name}")?;
                if !columns.is_empty() {
                    write!(f, " ({})", comma(columns))?;
                }
                with_clause(f, " ", properties)
            }
        }
    }
}

impl Display for SourceKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SourceKind::Stream => "STREAM",
            SourceKind::Table => "TABLE",
        })
    }
}

impl Display for Ident {
    /// The name, in back-quotes when it would not be read back as itself without.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if needs_quotes(&self.name) { write!(f, "`{}`", self.name.replace('`', "``")) } else { f.write_str(&self.name) }
    }
}

impl Display for StringLit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Quoted(&self.value).fmt(f)
    }
}

impl Display for Property {
    /// `name = value`; a name that folding would change is in single quotes.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if needs_quotes(&self.name.value) {
            self.name.fmt(f)?
        } else {
            f.write_str(&self.name.value)?
        }
        write!(f, " = {}", self.value)
    }
}

impl Display for Duration {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.n, self.unit)
    }
}

impl Display for TimeUnit {
    /// The unit in its plural.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimeUnit::Day => "DAYS",
            TimeUnit::Hour => "HOURS",
            TimeUnit::Minute => "MINUTES",
            TimeUnit::Second => "SECONDS",
            TimeUnit::Millisecond => "MILLISECONDS",
        })
    }
}

/// A text as a string literal.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.replace('\'', "''"))
    }
}

/// Items with commas between them.
struct Comma<'a, T>(&'a [T]);

fn comma<T: Display>(items: &[T]) -> Comma<'_, T> {
    Comma(items)
}

impl<T: Display> Display for Comma<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, item) in self.0.iter().enumerate() {
            write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

fn text_if(condition: bool, text: &'static str) -> &'static str {
    if condition { text } else { "" }
}

/// ` (a, b)`, or nothing.
fn column_names(names: &[Ident]) -> String {
    if names.is_empty() { String::new() } else { format!(" ({})", comma(names)) }
}

fn id_or_all(id: &Option<Ident>) -> String {
    id.as_ref().map_or_else(|| "ALL".to_string(), Ident::to_string)
}

fn with_clause(f: &mut Formatter<'_>, before: &str, properties: &[Property]) -> fmt::Result {
    if properties.is_empty() { Ok(()) } else { write!(f, "{before}WITH ({})", comma(properties)) }
}

fn timeout_clause(f: &mut Formatter<'_>, timeout: &Option<Duration>) -> fmt::Result {
    match timeout {
        Some(timeout) => write!(f, " TIMEOUT {timeout}"),
        None => Ok(()),
    }
}
