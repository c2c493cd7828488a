//! Statements as data. Every node knows its place in the source text.
//!
//! The whole grammar of ksqlDB has a place here, also what later layers refuse. Names are folded to upper
//! case by the parser unless they were quoted.

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
    /// `CREATE SOURCE | SINK CONNECTOR [IF NOT EXISTS] c WITH (...)`.
    CreateConnector {
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

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// What is selected.
    pub items: Vec<SelectItem>,
    /// What it is selected from.
    pub from: Relation,
    /// `WINDOW ...`.
    pub window: Option<Window>,
    /// `WHERE ...`.
    pub filter: Option<Expr>,
    /// `GROUP BY ...`.
    pub group_by: Option<ExprList>,
    /// `PARTITION BY ...`.
    pub partition_by: Option<ExprList>,
    /// `HAVING ...`.
    pub having: Option<Expr>,
    /// `EMIT CHANGES | FINAL`.
    pub emit: Option<Emit>,
    /// `LIMIT n`.
    pub limit: Option<Limit>,
    /// Its place.
    pub span: Span,
}

/// Expressions of a `GROUP BY` or `PARTITION BY` clause.
#[derive(Debug, Clone, PartialEq)]
pub struct ExprList {
    /// The expressions.
    pub exprs: Vec<Expr>,
    /// The place of the clause.
    pub span: Span,
}

/// `LIMIT n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How many rows.
    pub rows: i64,
    /// Its place.
    pub span: Span,
}

/// `EMIT ...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emit {
    /// `FINAL` (else `CHANGES`).
    pub is_final: bool,
    /// Its place.
    pub span: Span,
}

/// One item of a select list.
#[derive(Debug, Clone, PartialEq)]
pub enum SelectItem {
    /// `*` or `source.*`.
    Wildcard {
        /// The source before the dot.
        source: Option<Ident>,
        /// Its place.
        span: Span,
    },
    /// `expr->*`: all fields of a struct.
    StructAll {
        /// The struct.
        base: Expr,
        /// Its place.
        span: Span,
    },
    /// `expr [[AS] alias]`.
    Expr {
        /// The expression.
        expr: Expr,
        /// The alias.
        alias: Option<Ident>,
    },
}

/// What a query reads.
#[derive(Debug, Clone, PartialEq)]
pub enum Relation {
    /// `name [[AS] alias]`.
    Source {
        /// The stream or table.
        name: Ident,
        /// The alias.
        alias: Option<Ident>,
        /// Its place.
        span: Span,
    },
    /// `left JOIN right [WITHIN ...] ON ...`.
    Join(Box<Join>),
}

/// A join.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// The left side.
    pub left: Relation,
    /// The right side.
    pub right: Relation,
    /// Its kind.
    pub kind: JoinKind,
    /// `WITHIN ...`.
    pub within: Option<Within>,
    /// `ON ...`.
    pub on: Expr,
    /// Its place.
    pub span: Span,
}

/// Kind of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// `[INNER] JOIN`.
    Inner,
    /// `LEFT [OUTER] JOIN`.
    Left,
    /// `RIGHT [OUTER] JOIN`.
    Right,
    /// `FULL [OUTER] JOIN`.
    Full,
}

/// `WITHIN n unit | (before, after) [GRACE PERIOD n unit]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Within {
    /// How much earlier the right row may be.
    pub before: Duration,
    /// How much later the right row may be.
    pub after: Duration,
    /// `GRACE PERIOD`.
    pub grace: Option<Duration>,
    /// Its place.
    pub span: Span,
}

/// `n unit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration {
    /// How many.
    pub n: i64,
    /// Of what.
    pub unit: TimeUnit,
    /// Its place.
    pub span: Span,
}

/// Unit of a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// `DAY | DAYS`.
    Day,
    /// `HOUR | HOURS`.
    Hour,
    /// `MINUTE | MINUTES`.
    Minute,
    /// `SECOND | SECONDS`.
    Second,
    /// `MILLISECOND | MILLISECONDS`.
    Millisecond,
}

/// `WINDOW ...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its kind and size.
    pub kind: WindowKind,
    /// `RETENTION n unit`.
    pub retention: Option<Duration>,
    /// `GRACE PERIOD n unit`.
    pub grace: Option<Duration>,
    /// Its place.
    pub span: Span,
}

/// Kind and size of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    /// `TUMBLING (SIZE n unit)`.
    Tumbling(Duration),
    /// `HOPPING (SIZE n unit, ADVANCE BY n unit)`.
    Hopping(Duration, Duration),
    /// `SESSION (n unit)`: the gap.
    Session(Duration),
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

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it says.
    pub kind: ExprKind,
    /// Its place.
    pub span: Span,
}

/// What an expression says.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// `NULL`.
    Null,
    /// `TRUE | FALSE`.
    Boolean(bool),
    /// Digits: an `INTEGER` when it fits, else a `BIGINT`.
    Integer(i64),
    /// Digits with a point and no exponent: a `DECIMAL`; the text without sign.
    Decimal(String),
    /// Digits with an exponent.
    Double(f64),
    /// `'text'`.
    String(String),
    /// `name` or `source.name`.
    Column {
        /// The source before the dot.
        source: Option<Ident>,
        /// The column.
        name: Ident,
    },
    /// `base->field`.
    Field {
        /// The struct.
        base: Box<Expr>,
        /// The field.
        field: Ident,
    },
    /// `base[index]`, of an array (one-based, negative from the end) or a map.
    Subscript {
        /// The array or map.
        base: Box<Expr>,
        /// The position or key.
        index: Box<Expr>,
    },
    /// `-e`, `+e`.
    Unary {
        /// Whether it is a minus.
        minus: bool,
        /// The operand.
        expr: Box<Expr>,
    },
    /// `NOT e`.
    Not(Box<Expr>),
    /// `left op right`.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// The left operand.
        left: Box<Expr>,
        /// The right operand.
        right: Box<Expr>,
    },
    /// `e [NOT] BETWEEN low AND high`.
    Between {
        /// `NOT`.
        negated: bool,
        /// The value.
        expr: Box<Expr>,
        /// Lower bound, inclusive.
        low: Box<Expr>,
        /// Upper bound, inclusive.
        high: Box<Expr>,
    },
    /// `e [NOT] IN (list)`.
    InList {
        /// `NOT`.
        negated: bool,
        /// The value.
        expr: Box<Expr>,
        /// The candidates.
        list: Vec<Expr>,
    },
    /// `e [NOT] LIKE pattern [ESCAPE 'c']`.
    Like {
        /// `NOT`.
        negated: bool,
        /// The text.
        expr: Box<Expr>,
        /// The pattern.
        pattern: Box<Expr>,
        /// The escape character.
        escape: Option<char>,
    },
    /// `e IS [NOT] NULL`.
    IsNull {
        /// `NOT`.
        negated: bool,
        /// The value.
        expr: Box<Expr>,
    },
    /// `left IS [NOT] DISTINCT FROM right`.
    IsDistinct {
        /// `NOT`.
        negated: bool,
        /// The left operand.
        left: Box<Expr>,
        /// The right operand.
        right: Box<Expr>,
    },
    /// `CASE [operand] WHEN .. THEN .. [ELSE ..] END`.
    Case {
        /// The operand of the simple form.
        operand: Option<Box<Expr>>,
        /// Conditions (or values) and results.
        arms: Vec<(Expr, Expr)>,
        /// `ELSE`.
        otherwise: Option<Box<Expr>>,
    },
    /// `CAST(e AS type)`.
    Cast {
        /// The value.
        expr: Box<Expr>,
        /// The target.
        ty: TypeExpr,
    },
    /// `name(args)`; `COUNT(*)` has one argument, [`ExprKind::Star`].
    Call {
        /// The function.
        name: Ident,
        /// Its arguments.
        args: Vec<Expr>,
    },
    /// `*` as the argument of `COUNT`.
    Star,
    /// A time unit as an argument (`TIMESTAMPADD(HOURS, ...)`).
    Unit(TimeUnit),
    /// `x => e`, `(x, y) => e`.
    Lambda {
        /// The parameters.
        params: Vec<Ident>,
        /// The body.
        body: Box<Expr>,
    },
    /// `ARRAY[...]`.
    Array(Vec<Expr>),
    /// `MAP(k := v, ...)`.
    Map(Vec<(Expr, Expr)>),
    /// `STRUCT(f := v, ...)`.
    Struct(Vec<(Ident, Expr)>),
}

/// A binary operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `OR`.
    Or,
    /// `AND`.
    And,
    /// `=`.
    Eq,
    /// `<>`, `!=`.
    NotEq,
    /// `<`.
    Lt,
    /// `<=`.
    LtEq,
    /// `>`.
    Gt,
    /// `>=`.
    GtEq,
    /// `+`, of numbers and texts.
    Plus,
    /// `-`.
    Minus,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `%`.
    Modulo,
    /// `||`.
    Concat,
}

impl Expr {
    /// Calls `visit` on each expression right inside of this one, in the order in which they are written.
    pub fn for_each_child_mut(&mut self, visit: &mut impl FnMut(&mut Expr)) {
        use ExprKind::*;
        match &mut self.kind {
            Null | Boolean(_) | Integer(_) | Decimal(_) | Double(_) | String(_) | Column { .. } | Star | Unit(_) => {}
            Field { base: inner, .. }
            | Unary { expr: inner, .. }
            | Not(inner)
            | IsNull { expr: inner, .. }
            | Cast { expr: inner, .. }
            | Lambda { body: inner, .. } => visit(inner),
            Subscript { base: left, index: right }
            | Binary { left, right, .. }
            | IsDistinct { left, right, .. }
            | Like { expr: left, pattern: right, .. } => {
                visit(left);
                visit(right);
            }
            Between { expr, low, high, .. } => {
                visit(expr);
                visit(low);
                visit(high);
            }
            InList { expr, list, .. } => {
                visit(expr);
                list.iter_mut().for_each(visit);
            }
            Case { operand, arms, otherwise } => {
                operand.iter_mut().for_each(|operand| visit(operand));
                for (when, then) in arms {
                    visit(when);
                    visit(then);
                }
                otherwise.iter_mut().for_each(|otherwise| visit(otherwise));
            }
            Call { args: items, .. } | Array(items) => items.iter_mut().for_each(visit),
            Map(entries) => {
                for (key, value) in entries {
                    visit(key);
                    visit(value);
                }
            }
            Struct(fields) => fields.iter_mut().for_each(|(_, value)| visit(value)),
        }
    }
}
