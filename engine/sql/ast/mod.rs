//! Statements as data. Every node knows its place in the source text.
//!
//! The whole grammar of ksqlDB has a place here, also what later layers refuse. Names are folded to upper
//! case by the parser unless they were quoted.

mod expr;
mod query;
mod walk;

pub use expr::{BinaryOp, Expr, ExprKind, level};
pub use query::{
    Duration, Emit, ExprList, Join, JoinKind, Limit, Position, Query, Relation, SelectItem, TimeUnit, TopicBound,
    Window, WindowKind, Within,
};
pub use walk::{Visitor, walk};

use crate::error::Span;
use crate::types::SqlType;

/// A name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ident {
    /// The name, folded to upper case unless quoted.
    pub name: String,
    /// Whether it was written in back-quotes or double quotes.
    pub quoted: bool,
    /// Its place.
    pub span: Span,
}

/// One statement, without its semicolon.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// What it says.
    pub kind: StatementKind,
    /// Its place, without the semicolon.
    pub span: Span,
}

/// What a statement says.
#[derive(Debug, Clone, PartialEq)]
pub enum StatementKind {
    /// `SELECT ...`: a pull query without `EMIT`, a push query with it.
    Query(Query),
    /// `CREATE STREAM | TABLE s (columns) WITH (...)`.
    CreateSource(CreateSource),
    /// `CREATE STREAM | TABLE s WITH (...) AS SELECT ...`.
    CreateAsSelect(CreateAsSelect),
    /// `INSERT INTO s [WITH (...)] SELECT ...`.
    InsertSelect {
        /// The sink.
        target: Ident,
        /// `WITH (...)`.
        properties: Vec<Property>,
        /// The query.
        query: Query,
    },
    /// `INSERT INTO s [(columns)] VALUES (...)`.
    InsertValues {
        /// The stream or table.
        target: Ident,
        /// The columns named, empty when none are.
        columns: Vec<Ident>,
        /// One value a column.
        values: Vec<Expr>,
    },
    /// `DROP STREAM | TABLE [IF EXISTS] s [DELETE TOPIC]`.
    DropSource {
        /// Stream or table.
        kind: SourceKind,
        /// `IF EXISTS`.
        if_exists: bool,
        /// What to drop.
        name: Ident,
        /// `DELETE TOPIC`.
        delete_topic: bool,
    },
    /// `ALTER STREAM | TABLE s ADD [COLUMN] c type, ...`.
    AlterSource {
        /// Stream or table.
        kind: SourceKind,
        /// What to alter.
        name: Ident,
        /// The columns to add.
        columns: Vec<ColumnDef>,
    },
    /// `CREATE [OR REPLACE] SOURCE | SINK CONNECTOR [IF NOT EXISTS] c WITH (...)`.
    CreateConnector {
        /// `OR REPLACE`.
        or_replace: bool,
        /// `SOURCE` (else `SINK`).
        source: bool,
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// Its name.
        name: Ident,
        /// `WITH (...)`.
        properties: Vec<Property>,
    },
    /// `DROP CONNECTOR [IF EXISTS] c`.
    DropConnector {
        /// `IF EXISTS`.
        if_exists: bool,
        /// Its name.
        name: Ident,
    },
    /// `CREATE FUNCTION f FROM 'path'`.
    CreateFunction(CreateFunction),
    /// `DROP FUNCTION [IF EXISTS] f`.
    DropFunction {
        /// `IF EXISTS`.
        if_exists: bool,
        /// Its name.
        name: Ident,
    },
    /// `PAUSE CONNECTOR c`.
    PauseConnector(Ident),
    /// `RESUME CONNECTOR c`.
    ResumeConnector(Ident),
    /// `CREATE TYPE [IF NOT EXISTS] n AS type`.
    CreateType {
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// Its name.
        name: Ident,
        /// The type it stands for.
        ty: TypeExpr,
    },
    /// `DROP TYPE [IF EXISTS] n`.
    DropType {
        /// `IF EXISTS`.
        if_exists: bool,
        /// Its name.
        name: Ident,
    },
    /// `LIST | SHOW ...`.
    Show(Show),
    /// `DESCRIBE ...`.
    Describe(Describe),
    /// `PRINT topic [FROM BEGINNING] [INTERVAL | SAMPLE n] [LIMIT n]`.
    Print {
        /// The topic; a bare name keeps the case it was typed in.
        topic: Ident,
        /// `FROM BEGINNING`.
        from_beginning: bool,
        /// `INTERVAL n`: every n-th record.
        interval: Option<i64>,
        /// `LIMIT n`.
        limit: Option<i64>,
    },
    /// `EXPLAIN query-id`.
    ExplainQuery(Ident),
    /// `EXPLAIN statement`.
    Explain(Box<Statement>),
    /// `TERMINATE id | ALL`; `None` is `ALL`.
    Terminate(Option<Ident>),
    /// `PAUSE id | ALL`; `None` is `ALL`.
    Pause(Option<Ident>),
    /// `RESUME id | ALL`; `None` is `ALL`.
    Resume(Option<Ident>),
    /// `SET 'name' = 'value'`.
    Set {
        /// The property, as typed.
        name: StringLit,
        /// Its value.
        value: StringLit,
    },
    /// `UNSET 'name'`.
    Unset(StringLit),
    /// `ALTER SYSTEM 'name' = 'value'`.
    AlterSystem {
        /// The property.
        name: StringLit,
        /// Its value.
        value: StringLit,
    },
    /// `DEFINE name = 'value'`.
    Define {
        /// The variable.
        name: Ident,
        /// Its text.
        value: StringLit,
    },
    /// `UNDEFINE name`.
    Undefine(Ident),
    /// `RUN SCRIPT 'file'`.
    RunScript(StringLit),
    /// `ASSERT ...`.
    Assert(Assert),
}

/// A string literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StringLit {
    /// Its text, escapes resolved.
    pub value: String,
    /// Its place, quotes included.
    pub span: Span,
}

/// Stream or table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// Facts in a row.
    Stream,
    /// The latest value per key.
    Table,
}

/// `CREATE [OR REPLACE] [SOURCE] STREAM | TABLE [IF NOT EXISTS] s [(columns)] [WITH (...)]`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateSource {
    /// Stream or table.
    pub kind: SourceKind,
    /// `OR REPLACE`.
    pub or_replace: bool,
    /// `SOURCE`: read-only.
    pub source: bool,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// Its name.
    pub name: Ident,
    /// Its columns, empty when none are declared.
    pub columns: Vec<ColumnDef>,
    /// `WITH (...)`.
    pub properties: Vec<Property>,
}

/// `CREATE [OR REPLACE] STREAM | TABLE [IF NOT EXISTS] s [WITH (...)] AS SELECT ...`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateAsSelect {
    /// Stream or table.
    pub kind: SourceKind,
    /// `OR REPLACE`.
    pub or_replace: bool,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// Its name.
    pub name: Ident,
    /// `WITH (...)`.
    pub properties: Vec<Property>,
    /// The query.
    pub query: Query,
}

/// `CREATE [OR REPLACE] FUNCTION [IF NOT EXISTS] f FROM 'path'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateFunction {
    /// `OR REPLACE`.
    pub or_replace: bool,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// Its name.
    pub name: Ident,
    /// Where it comes from: a source file, a folder with a `Cargo.toml`, or a library.
    pub path: StringLit,
}

/// A declared column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDef {
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub ty: TypeExpr,
    /// What stands behind the type.
    pub constraint: Option<ColumnConstraint>,
    /// Its place.
    pub span: Span,
}

/// What stands behind a declared column's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnConstraint {
    /// `KEY`.
    Key,
    /// `PRIMARY KEY`.
    PrimaryKey,
    /// `HEADERS`.
    Headers,
    /// `HEADER('name')`.
    Header(String),
}

/// A type as written; names of user types are not resolved yet.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeExpr {
    /// What it says.
    pub kind: TypeExprKind,
    /// Its place.
    pub span: Span,
}

/// What a type says.
#[derive(Debug, Clone, PartialEq)]
pub enum TypeExprKind {
    /// A type without parts (`DECIMAL(p, s)` included).
    Plain(SqlType),
    /// `ARRAY<T>`.
    Array(Box<TypeExpr>),
    /// `MAP<K, V>`.
    Map(Box<TypeExpr>, Box<TypeExpr>),
    /// `STRUCT<name T, ...>`.
    Struct(Vec<(Ident, TypeExpr)>),
    /// A user type, by name.
    Named(Ident),
}

/// `name = literal` in a `WITH` clause.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// The name, upper case when bare, as typed when in quotes.
    pub name: StringLit,
    /// The value, a literal.
    pub value: Expr,
    /// Its place.
    pub span: Span,
}

/// `LIST | SHOW ...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    /// `PROPERTIES`.
    Properties,
    /// `[ALL] TOPICS [EXTENDED]`.
    Topics {
        /// `ALL`: hidden ones too.
        all: bool,
        /// `EXTENDED`.
        extended: bool,
    },
    /// `STREAMS [EXTENDED]`.
    Streams {
        /// `EXTENDED`.
        extended: bool,
    },
    /// `TABLES [EXTENDED]`.
    Tables {
        /// `EXTENDED`.
        extended: bool,
    },
    /// `FUNCTIONS`.
    Functions,
    /// `[SOURCE | SINK] CONNECTORS`; `Some(true)` is `SOURCE`.
    Connectors(Option<bool>),
    /// `CONNECTOR PLUGINS`.
    ConnectorPlugins,
    /// `TYPES`.
    Types,
    /// `VARIABLES`.
    Variables,
    /// `QUERIES [EXTENDED]`.
    Queries {
        /// `EXTENDED`.
        extended: bool,
    },
}

/// `DESCRIBE ...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Describe {
    /// `DESCRIBE source [EXTENDED]`.
    Source {
        /// The stream or table.
        name: Ident,
        /// `EXTENDED`.
        extended: bool,
    },
    /// `DESCRIBE STREAMS | TABLES [EXTENDED]`.
    All {
        /// Streams or tables.
        kind: SourceKind,
        /// `EXTENDED`.
        extended: bool,
    },
    /// `DESCRIBE FUNCTION name`.
    Function(Ident),
    /// `DESCRIBE CONNECTOR name`.
    Connector(Ident),
}

/// `ASSERT ...`.
#[derive(Debug, Clone, PartialEq)]
pub enum Assert {
    /// `[NOT EXISTS] TOPIC t [WITH (...)] [TIMEOUT n unit]`.
    Topic {
        /// Whether it must exist.
        exists: bool,
        /// The topic.
        topic: Ident,
        /// `WITH (...)`.
        properties: Vec<Property>,
        /// `TIMEOUT`.
        timeout: Option<Duration>,
    },
    /// `[NOT EXISTS] SCHEMA [SUBJECT s] [ID n] [TIMEOUT n unit]`.
    Schema {
        /// Whether it must exist.
        exists: bool,
        /// `SUBJECT`.
        subject: Option<Ident>,
        /// `ID`.
        id: Option<i64>,
        /// `TIMEOUT`.
        timeout: Option<Duration>,
    },
    /// `VALUES s [(columns)] VALUES (...)`.
    Values {
        /// The source.
        source: Ident,
        /// The columns named.
        columns: Vec<Ident>,
        /// One value a column.
        values: Vec<Expr>,
    },
    /// `NULL VALUES s [(columns)] KEY (...)`.
    NullValues {
        /// The source.
        source: Ident,
        /// The columns named.
        columns: Vec<Ident>,
        /// One value a key column.
        values: Vec<Expr>,
    },
    /// `STREAM | TABLE s [(columns)] [WITH (...)]`.
    Source {
        /// Stream or table.
        kind: SourceKind,
        /// The source.
        name: Ident,
        /// Its columns.
        columns: Vec<ColumnDef>,
        /// `WITH (...)`.
        properties: Vec<Property>,
    },
}
