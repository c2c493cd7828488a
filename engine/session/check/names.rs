//! What a statement declares and what it needs, by name.

use crate::error::Error;
use crate::sql::ast::{
    Assert, ColumnDef, Describe, Ident, Query, Relation, Statement, StatementKind, TypeExpr, TypeExprKind,
};
use crate::sql::tokens::{TokenKind, tokenize};

/// Functions of ksqlDB: one of them that is not here is not supported yet, another one is unknown.
const KSQLDB_FUNCTIONS: &str = "\
ABS ACOS ARRAY_CONCAT ARRAY_CONTAINS ARRAY_DISTINCT ARRAY_EXCEPT ARRAY_INTERSECT ARRAY_JOIN ARRAY_LENGTH ARRAY_MAX \
ARRAY_MIN ARRAY_REMOVE ARRAY_SORT ARRAY_UNION ASIN AS_MAP AS_VALUE ATAN ATAN2 ATTR AVG BIGINT_FROM_BYTES CBRT CEIL CHR \
COALESCE COLLECT_LIST COLLECT_SET CONCAT CONCAT_WS CONVERT_TZ CORRELATION COS COSH COT COUNT COUNT_DISTINCT \
CUBE_EXPLODE DATEADD DATESUB DATETOSTRING DEGREES DOUBLE_FROM_BYTES EARLIEST_BY_OFFSET ELT ENCODE ENTRIES EXP EXPLODE \
EXTRACTJSONFIELD FIELD FILTER FLOOR FORMAT_DATE FORMAT_TIME FORMAT_TIMESTAMP FROM_BYTES FROM_DAYS FROM_UNIXTIME \
GENERATE_SERIES GEO_DISTANCE GREATEST HISTOGRAM IFNULL INITCAP INSTR INT_FROM_BYTES IS_JSON_STRING \
JSON_ARRAY_CONTAINS JSON_ARRAY_LENGTH JSON_CONCAT JSON_ITEMS JSON_KEYS JSON_RECORDS LATEST_BY_OFFSET LCASE LEAST LEN \
LN LOG LPAD MAP_KEYS MAP_UNION MAP_VALUES MASK MASK_KEEP_LEFT MASK_KEEP_RIGHT MASK_LEFT MASK_RIGHT MAX MD5 MIN \
NULLIF PARSE_DATE PARSE_TIME PARSE_TIMESTAMP PI POWER RADIANS RANDOM REDUCE REGEXP_EXTRACT REGEXP_EXTRACT_ALL \
REGEXP_REPLACE REGEXP_SPLIT_TO_ARRAY REPLACE ROUND RPAD SIGN SIN SINH SLICE SPLIT SPLIT_TO_MAP SQRT STDDEV_SAMP \
STDDEV_SAMPLE STRINGTODATE STRINGTOTIMESTAMP SUBSTRING SUM SUM_LIST TAN TANH TIMEADD TIMESTAMPADD TIMESTAMPSUB \
TIMESTAMPTOSTRING TIMESUB TOPK TOPKDISTINCT TO_BYTES TO_JSON_STRING TRANSFORM TRIM TRUNC UCASE UNIX_DATE \
UNIX_TIMESTAMP URL_DECODE_PARAM URL_ENCODE_PARAM URL_EXTRACT_FRAGMENT URL_EXTRACT_HOST URL_EXTRACT_PARAMETER \
URL_EXTRACT_PATH URL_EXTRACT_PORT URL_EXTRACT_PROTOCOL URL_EXTRACT_QUERY UUID";

/// An error about an unknown function that ksqlDB has becomes one about a function that is not supported yet.
pub(super) fn as_ksqldb_has_it(error: Error) -> Error {
    let known = unknown_function(&error).filter(|name| {
        let name = name.to_ascii_uppercase();
        KSQLDB_FUNCTIONS.split_ascii_whitespace().any(|known| known == name)
    });
    match (known, error.span()) {
        (Some(name), Some(span)) => Error::unsupported(format_args!("function {name}"), span),
        _ => error,
    }
}

/// Names of one statement.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Streams, tables, types and connectors that it declares.
    pub declared: Vec<String>,
    /// Streams, tables, types and connectors that it needs.
    pub needed: Vec<String>,
    /// Ids of queries that it needs.
    pub queries: Vec<String>,
}

impl Names {
    /// The names of a statement.
    pub fn of(statement: &Statement) -> Names {
        let mut names = Names::default();
        names.take(statement);
        names
    }

    fn take(&mut self, statement: &Statement) {
        match &statement.kind {
            StatementKind::Query(query) => self.query(query),
            StatementKind::CreateSource(create) => {
                self.columns(&create.columns);
                self.declared.push(create.name.name.clone());
            }
            StatementKind::CreateAsSelect(create) => {
                self.query(&create.query);
                self.declared.push(create.name.name.clone());
            }
            StatementKind::InsertSelect { target, query, .. } => {
                self.need(target);
                self.query(query);
            }
            StatementKind::InsertValues { target, .. } => self.need(target),
            StatementKind::DropSource { name, .. }
            | StatementKind::DropType { name, .. }
            | StatementKind::DropConnector { name, .. }
            | StatementKind::PauseConnector(name)
            | StatementKind::ResumeConnector(name)
            | StatementKind::Describe(
                Describe::Source { name, .. } | Describe::Connector(name) | Describe::Function(name),
            ) => self.need(name),
            StatementKind::AlterSource { name, columns, .. } => {
                self.columns(columns);
                self.need(name);
            }
            StatementKind::CreateConnector { name, .. } => self.declared.push(name.name.clone()),
            StatementKind::CreateType { name, ty, .. } => {
                self.ty(ty);
                self.declared.push(name.name.clone());
            }
            StatementKind::ExplainQuery(id) => self.queries.push(id.name.clone()),
            StatementKind::Explain(inner) => {
                self.take(inner);
                self.declared.clear();
            }
            StatementKind::Terminate(id) | StatementKind::Pause(id) | StatementKind::Resume(id) => {
                self.queries.extend(id.iter().map(|id| id.name.clone()));
            }
            StatementKind::Assert(
                Assert::Values { source: name, .. }
                | Assert::NullValues { source: name, .. }
                | Assert::Source { name, .. },
            ) => self.need(name),
            _ => {}
        }
    }

    fn need(&mut self, name: &Ident) {
        self.needed.push(name.name.clone());
    }

    fn query(&mut self, query: &Query) {
        self.relation(&query.from);
    }

    fn relation(&mut self, relation: &Relation) {
        match relation {
            Relation::Source { name, .. } => self.need(name),
            Relation::Join(join) => {
                self.relation(&join.left);
                self.relation(&join.right);
            }
        }
    }

    fn columns(&mut self, columns: &[ColumnDef]) {
        columns.iter().for_each(|column| self.ty(&column.ty));
    }

    fn ty(&mut self, ty: &TypeExpr) {
        match &ty.kind {
            TypeExprKind::Plain(_) => {}
            TypeExprKind::Array(element) => self.ty(element),
            TypeExprKind::Map(key, value) => {
                self.ty(key);
                self.ty(value);
            }
            TypeExprKind::Struct(fields) => fields.iter().for_each(|(_, ty)| self.ty(ty)),
            TypeExprKind::Named(name) => self.need(name),
        }
    }
}

/// Whether `id` is that of the query that makes `name`, with or without ksqlDB's number behind it.
pub(super) fn is_query_of(id: &str, name: &str) -> bool {
    let id = id.to_ascii_uppercase();
    ["CSAS_", "CTAS_"].iter().filter_map(|prefix| id.strip_prefix(prefix)).any(|rest| {
        let number = rest.strip_prefix(name).and_then(|rest| rest.strip_prefix('_'));
        rest == name || number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// What a `CREATE` statement declares, by its first words alone: whether it is a function, and its name. For statements
/// that cannot be read to their end.
pub(super) fn declared_by_text(text: &str) -> Option<(bool, String)> {
    let tokens = tokenize(text).ok()?;
    let mut words = tokens.iter().map(|token| (&token.kind, &text[token.span.start..token.span.end]));
    if !words.next()?.1.eq_ignore_ascii_case("CREATE") {
        return None;
    }
    let before = ["OR", "REPLACE", "SOURCE", "SINK", "STREAM", "TABLE", "TYPE", "CONNECTOR", "IF", "NOT", "EXISTS"];
    let mut is_function = false;
    loop {
        match words.next()? {
            (TokenKind::Word, text) if text.eq_ignore_ascii_case("FUNCTION") => is_function = true,
            (TokenKind::Word, text) if before.iter().any(|known| text.eq_ignore_ascii_case(known)) => {}
            (TokenKind::Word, text) => return Some((is_function, text.to_uppercase())),
            (TokenKind::QuotedName(name), _) => return Some((is_function, name.clone())),
            _ => return None,
        }
    }
}

/// The function that an error says is unknown.
pub(super) fn unknown_function(error: &Error) -> Option<&str> {
    error.message().strip_prefix("unknown function ")
}
