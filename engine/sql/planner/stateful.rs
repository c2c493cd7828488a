//! Queries whose rows meet other rows: joins, groups, windows. Joins of two streams run, the others not yet; what is wrong with
//! one is said all the same, and that it is not built only of those with which nothing is wrong.

use super::join::Joined;
use super::query::check_reserved;
use super::{Context, group, join};
use crate::catalog::RelationKind;
use crate::error::{Code, Error, Result, Span};
use crate::sql::ast::{Property, Query, Relation, SelectItem, SourceKind};
use crate::sql::bind::aggregates::first_aggregate;
use crate::sql::bind::properties::{FormatPlaces, Properties, check_formats};
use crate::sql::bind::{Binder, Scope};
use crate::types::{Column, FormatName, FormatSpec, Schema, SqlType, quote_identifier};

/// What a persistent query makes.
#[derive(Clone, Copy)]
pub(super) struct Sink<'a> {
    pub name: &'a str,
    /// Where the statement names it.
    pub span: Span,
    /// What the statement says it is; `None` for one that is there.
    pub kind: Option<SourceKind>,
    /// The properties of what is made; `None` for a stream that is there.
    pub properties: Option<&'a [Property]>,
}

/// What a query joins, if it does. Refuses one that needs state which is not built, after looking for what is wrong with it.
pub(super) fn check(context: &Context, query: &Query, sink: Option<Sink>) -> Result<Option<Joined>> {
    let joined = match &query.from {
        Relation::Join(join) => Some(join::analyze(context, join)?),
        Relation::Source { .. } => None,
    };
    if let Some((name, call)) = query.filter.as_ref().and_then(|filter| first_aggregate(context.functions, filter)) {
        let text = format!("WHERE cannot use {}, an aggregate function", name.name);
        return Err(Error::refused(Code::InvalidAggregation, text)
            .detail("rows are filtered before they are grouped")
            .hint("A condition on groups belongs into HAVING.")
            .at(call.span));
    }
    let grouped = group::is_grouped(context, query);
    let is_final = query.emit.filter(|emit| emit.is_final);
    if let (Some(emit), None) = (is_final, &query.window) {
        return Err(Error::refused(Code::InvalidWindow, "EMIT FINAL is for windows")
            .detail("nothing else is ever final")
            .hint("Write WINDOW and GROUP BY, or EMIT CHANGES.")
            .at(emit.span));
    }
    let scope = match (&joined, &query.from) {
        (Some(joined), _) => joined.scope.clone(),
        (None, Relation::Source { name, alias, .. }) if grouped => {
            Scope::single(context.catalog.relation(&name.name, name.span)?.clone(), alias.as_ref())
        }
        _ => return Ok(None),
    };
    let binder = Binder::new(context.catalog, context.functions, &scope);
    if let Some(filter) = &query.filter {
        binder.bind_condition(filter, "WHERE")?;
    }
    check_names(&scope, query, sink.is_some())?;
    if grouped {
        let keys = group::analyze(context, query, &scope, sink.map(|sink| sink.name))?;
        if let Some(properties) = sink.and_then(|sink| sink.properties) {
            check_key_format(context, &scope, &keys, properties)?;
        }
    } else {
        let selecting = Binder::new(context.catalog, context.functions, &scope).with_tables();
        for item in &query.items {
            match item {
                SelectItem::Expr { expr, .. } => drop(selecting.bind_typed(expr)?),
                SelectItem::StructAll { base, .. } => drop(selecting.bind_typed(base)?),
                SelectItem::Wildcard { .. } => {}
            }
        }
        query.partition_by.iter().flat_map(|by| &by.exprs).try_for_each(|expr| binder.bind(expr).map(drop))?;
        if let (Some(joined), Some(sink), None) = (&joined, sink, &query.partition_by) {
            join::check_key(joined, query, sink.name)?;
        }
    }
    if let Some(sink) = sink {
        // A group has one row at any time, which changes.
        let is_table = grouped || joined.as_ref().is_some_and(|joined| joined.kind == RelationKind::Table);
        check_kind(sink, is_table)?;
    }
    match joined {
        Some(joined) if !grouped && joined.missing().is_none() => Ok(Some(joined)),
        joined => Err(not_built(query, joined.and_then(|joined| joined.missing()))),
    }
}

/// Refuses a statement that makes a stream of what is a table, or a table of what is a stream.
fn check_kind(sink: Sink, is_table: bool) -> Result<()> {
    let (gives, wants) = match (sink.kind, is_table) {
        (Some(SourceKind::Stream) | None, true) => ("table", "stream"),
        (Some(SourceKind::Table), false) => ("stream", "table"),
        _ => return Ok(()),
    };
    let error = Error::refused(Code::WrongKind, format!("the query gives a {gives}, not a {wants}")).at(sink.span);
    Err(match sink.kind {
        Some(_) => error.hint(format!("Write CREATE {} ... AS SELECT.", gives.to_uppercase())),
        None => error.detail(format!("{} is a stream", quote_identifier(sink.name))),
    })
}

/// Names that a select list cannot have, and sources of `source.*` that are not there.
fn check_names(scope: &Scope, query: &Query, persistent: bool) -> Result<()> {
    for item in &query.items {
        match item {
            SelectItem::Wildcard { source: Some(source), .. } => drop(scope.source(source)?),
            SelectItem::Wildcard { source: None, .. } | SelectItem::StructAll { .. } => {}
            // A column that several sources have gets the name of its own before it.
            SelectItem::Expr { expr, alias } => {
                check_reserved(expr, alias.as_ref(), persistent && scope.sources.len() == 1)?;
            }
        }
    }
    Ok(())
}

/// Whether the format of keys can hold what is grouped by.
fn check_key_format(context: &Context, scope: &Scope, keys: &[group::GroupKey], properties: &[Property]) -> Result<()> {
    let properties = Properties::read(properties)?;
    let inherited = match scope.sources[0].relation.key_format.clone() {
        none if none.name == FormatName::None => FormatSpec::new(context.defaults.key_format),
        format => format,
    };
    // What the value holds is for the aggregates to say.
    let value = Column::value("", SqlType::String);
    let schema = Schema::new(keys.iter().map(|key| Column::key(&key.name, key.ty.clone())).chain([value]).collect());
    let columns = keys.iter().map(|key| (key.name.as_str(), key.span)).collect();
    let places = FormatPlaces {
        properties: &properties,
        columns,
        name: keys.first().map_or_else(Default::default, |key| key.span),
    };
    check_formats(&schema, &properties.key_spec(&inherited)?, &FormatSpec::new(FormatName::Json), &places)
}

/// The first part of a query that needs state.
fn not_built(query: &Query, of_join: Option<&str>) -> Error {
    if let (Relation::Join(join), Some(what)) = (&query.from, of_join) {
        return Error::unsupported(what, join.span);
    }
    if let Some(window) = &query.window {
        return Error::unsupported("WINDOW", window.span);
    }
    match &query.group_by {
        Some(group_by) => Error::unsupported("GROUP BY", group_by.span),
        None => Error::unsupported("an aggregate function", query.projection_span()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Defaults, create_as_select, create_source};
    use super::*;
    use crate::catalog::Catalog;
    use crate::functions::FunctionRegistry;
    use crate::sql::ast::StatementKind;

    const WITH: &str = "WITH (kafka_topic='x', format='JSON'";

    fn catalog(functions: &FunctionRegistry) -> Catalog {
        let mut catalog = Catalog::new();
        for declared in [
            format!("STREAM s (id INT KEY, a INT, b STRING, m MAP<STRING, INT>) {WITH});"),
            format!("STREAM r (id INT KEY, a BIGINT, c STRING) {WITH});"),
            format!("TABLE t (id INT PRIMARY KEY, d STRING, f INT) {WITH});"),
            format!("TABLE u (id INT PRIMARY KEY, e STRING) {WITH});"),
            format!("TABLE two (k1 INT PRIMARY KEY, k2 INT PRIMARY KEY, e STRING, f INT) {WITH});"),
            format!("TABLE v (id INT PRIMARY KEY, f INT) {WITH});"),
            format!("STREAM w (id INT KEY, a INT) {WITH}, window_type='TUMBLING', window_size='1 SECOND');"),
            format!("STREAM x (id INT KEY, a INT) {WITH}, window_type='SESSION');"),
            format!("STREAM n (id INT KEY, a INT) {WITH});"),
            format!("STREAM y (id INT KEY, a INT) {WITH}, window_type='TUMBLING', window_size='1 SECOND');"),
        ] {
            let text = format!("CREATE {declared}");
            let before = catalog.clone();
            let context = Context { catalog: &before, functions, defaults: Defaults::default(), statement: &text };
            let statement = crate::sql::parse_statement(&text).expect("a statement");
            let StatementKind::CreateSource(create) = statement.kind else { panic!("a declaration") };
            let relation = create_source(&context, &create).expect("a good one");
            catalog.add_relation(relation, false, create.name.span).expect("a free name");
        }
        catalog
    }

    /// The code of what a `CREATE STREAM | TABLE o AS` is refused with, and the text at its place.
    fn refusals(kind: &str, queries: &[&str]) -> Vec<(Code, String)> {
        refusals_with(kind, "", queries)
    }

    fn refusals_with(kind: &str, with: &str, queries: &[&str]) -> Vec<(Code, String)> {
        let functions = FunctionRegistry::builtin();
        let catalog = catalog(&functions);
        let one = |query: &&str| {
            let text = format!("CREATE {kind} o{with} AS {query};");
            let context =
                Context { catalog: &catalog, functions: &functions, defaults: Defaults::default(), statement: &text };
            let StatementKind::CreateAsSelect(create) = crate::sql::parse_statement(&text).expect("a statement").kind
            else {
                panic!("a query")
            };
            let error = create_as_select(&context, &create).expect_err(query);
            let span = error.span().unwrap_or_else(|| panic!("{query}: no place"));
            (error.code(), text[span.start..span.end].to_string())
        };
        queries.iter().map(one).collect()
    }

    fn check(kind: &str, expected: &[(&str, Code, &str)]) {
        let queries: Vec<&str> = expected.iter().map(|(query, ..)| *query).collect();
        for (found, (query, code, at)) in refusals(kind, &queries).into_iter().zip(expected) {
            assert_eq!(found, (*code, at.to_string()), "{query}");
        }
    }

    #[test]
    fn a_join_is_refused_for_what_is_wrong_with_it() {
        use Code::*;
        check(
            "STREAM",
            &[
                ("SELECT * FROM s JOIN nope WITHIN 1 DAY ON s.id = nope.id", UnknownSource, "nope"),
                ("SELECT * FROM s JOIN r WITHIN 1 DAY ON s.id = r.nope", UnknownColumn, "nope"),
                ("SELECT * FROM s JOIN r WITHIN 1 DAY ON q.id = r.id", UnknownSource, "q"),
                ("SELECT * FROM s JOIN r WITHIN 1 DAY ON id = r.id", AmbiguousColumn, "id"),
                ("SELECT * FROM s JOIN r ON s.id = r.id", InvalidJoin, "r"),
                (
                    "SELECT * FROM s JOIN r WITHIN 1 DAY ON s.id = r.id AND s.a = r.a",
                    InvalidJoin,
                    "s.id = r.id AND s.a = r.a",
                ),
                ("SELECT * FROM s JOIN r WITHIN 1 DAY ON s.id > r.id", InvalidJoin, "s.id > r.id"),
                ("SELECT * FROM s JOIN r WITHIN 1 DAY ON s.id = 0", InvalidJoin, "0"),
                ("SELECT * FROM s JOIN r WITHIN 1 DAY ON s.id = s.a", InvalidJoin, "s.id = s.a"),
                ("SELECT * FROM s JOIN r WITHIN 1 DAY ON s.b = r.id", InvalidJoin, "s.b = r.id"),
                ("SELECT * FROM s JOIN s z WITHIN 1 DAY ON s.id = z.id", InvalidJoin, "s z"),
                ("SELECT * FROM s JOIN t WITHIN 1 DAY ON s.id = t.id", InvalidJoin, "1 DAY"),
                ("SELECT * FROM s FULL JOIN t ON s.id = t.id", InvalidJoin, "t"),
                ("SELECT * FROM t JOIN s ON s.id = t.id", InvalidJoin, "s"),
                ("SELECT * FROM s JOIN t ON s.a = t.f", InvalidJoin, "s.a = t.f"),
                ("SELECT * FROM s JOIN two ON s.id = two.k1", InvalidJoin, "s.id = two.k1"),
                ("SELECT * FROM w JOIN s WITHIN 1 DAY ON w.id = s.id", InvalidJoin, "s"),
                ("SELECT * FROM w JOIN x WITHIN 1 DAY ON w.id = x.id", InvalidJoin, "x"),
                ("SELECT a FROM s JOIN r WITHIN 1 DAY ON s.id = r.id", AmbiguousColumn, "a"),
                ("SELECT z.* FROM s JOIN r WITHIN 1 DAY ON s.id = r.id", UnknownSource, "z"),
                ("SELECT s.b, r.c FROM s JOIN r WITHIN 1 DAY ON s.id = r.id", MissingKey, "s.b, r.c"),
                ("SELECT s.id, r.c FROM s FULL JOIN r WITHIN 1 DAY ON s.id = r.id", MissingKey, "s.id, r.c"),
                ("SELECT s.*, r.* FROM s JOIN r WITHIN 1 DAY ON ABS(s.id) = ABS(r.id)", MissingKey, "s.*, r.*"),
                ("SELECT s.id, COUNT(*) FROM s JOIN t ON s.id = t.id", InvalidAggregation, "s.id"),
            ],
        );
        check(
            "TABLE",
            &[
                ("SELECT * FROM t JOIN u ON t.id = u.e", InvalidJoin, "t.id = u.e"),
                ("SELECT * FROM t RIGHT JOIN u ON t.f = u.id", InvalidJoin, "u"),
                ("SELECT d, e FROM t JOIN u ON t.f = u.id", MissingKey, "d, e"),
                ("SELECT * FROM t JOIN u ON t.id = u.id JOIN two ON t.f = two.f", InvalidJoin, "t.f = two.f"),
                ("SELECT * FROM two JOIN t ON two.f = t.id JOIN u ON two.f = u.id", InvalidJoin, "two.f = u.id"),
                ("SELECT d, e FROM v JOIN t ON v.f = t.id JOIN u ON v.id = u.id", MissingKey, "d, e"),
                ("SELECT k1, t.d FROM two JOIN t ON two.f = t.id", MissingKey, "k1, t.d"),
            ],
        );
    }

    #[test]
    fn a_grouping_is_refused_for_what_is_wrong_with_it() {
        use Code::*;
        check(
            "TABLE",
            &[
                ("SELECT a, COUNT(*) FROM s GROUP BY nope", UnknownColumn, "nope"),
                ("SELECT a, COUNT(*) FROM s GROUP BY SUM(a)", InvalidAggregation, "SUM(a)"),
                ("SELECT a, COUNT(*) FROM s GROUP BY a, s.a", DuplicateName, "s.a"),
                ("SELECT m, COUNT(*) FROM s GROUP BY m", InvalidKey, "m"),
                ("SELECT a FROM s GROUP BY a", InvalidAggregation, "GROUP BY a"),
                ("SELECT b, COUNT(*) FROM s GROUP BY a", InvalidAggregation, "b"),
                ("SELECT a - id, COUNT(*) FROM s GROUP BY id - a", InvalidAggregation, "a - id"),
                ("SELECT *, COUNT(*) FROM s GROUP BY a", InvalidAggregation, "*"),
                ("SELECT a, SUM(COUNT(*)) FROM s GROUP BY a", InvalidAggregation, "COUNT(*)"),
                ("SELECT a, SUM(nope) FROM s GROUP BY a", UnknownColumn, "nope"),
                ("SELECT a, COUNT(*) FROM s WHERE COUNT(*) > 1 GROUP BY a", InvalidAggregation, "COUNT(*)"),
                ("SELECT a, COUNT(*) FROM s GROUP BY a HAVING b = 'x'", InvalidAggregation, "b"),
                ("SELECT a, COUNT(*) FROM s", InvalidAggregation, "a"),
                ("SELECT COUNT(*) FROM s GROUP BY a", MissingKey, "a"),
                ("SELECT a, a AS z, COUNT(*) FROM s GROUP BY a", DuplicateName, "a AS z"),
                ("SELECT a FROM s GROUP BY a HAVING COUNT(*) > 1", InvalidSchema, "a"),
                (
                    "SELECT a, MIN(windowstart) FROM s WINDOW TUMBLING (SIZE 1 DAY) GROUP BY a",
                    InvalidWindow,
                    "windowstart",
                ),
                (
                    "SELECT a, COUNT(*) FROM s WINDOW TUMBLING (SIZE 1 DAY) GROUP BY a, windowstart",
                    InvalidWindow,
                    "windowstart",
                ),
                (
                    "SELECT a, windowstart, COUNT(*) FROM s WINDOW TUMBLING (SIZE 1 DAY) GROUP BY a",
                    ReservedName,
                    "windowstart",
                ),
                ("SELECT a FROM s EMIT FINAL", InvalidWindow, "EMIT FINAL"),
            ],
        );
        check("STREAM", &[("SELECT a, COUNT(*) FROM s GROUP BY a", WrongKind, "o")]);
        check("TABLE", &[("SELECT s.id, r.c FROM s JOIN r WITHIN 1 DAY ON s.id = r.id", WrongKind, "o")]);
        let array = "SELECT ARRAY[a] AS k, COUNT(*) FROM s GROUP BY ARRAY[a]";
        let found = refusals_with("TABLE", " WITH (key_format='KAFKA')", &[array]);
        assert_eq!(found, [(UnsupportedFormatType, "ARRAY[a] AS k".to_string())]);
    }

    #[test]
    fn what_nothing_is_wrong_with_is_refused_for_now() {
        let queries = [
            "SELECT t.id, b, d FROM s LEFT JOIN t ON s.a = t.id",
            "SELECT s.id, d, e FROM s JOIN t ON s.id = t.id JOIN u ON s.id = u.id",
            "SELECT s.id, s.a, n.a FROM s JOIN r WITHIN 1 DAY ON s.id = r.id JOIN n WITHIN 1 DAY ON r.id = n.id",
            "SELECT w.id, y.a FROM w JOIN y WITHIN 1 DAY ON w.id = y.id",
        ];
        assert!(refusals("STREAM", &queries).iter().all(|(code, _)| *code == Code::Unsupported));
        let queries = [
            "SELECT t.id, d, e FROM t JOIN u ON t.f = u.id",
            "SELECT t.id, d, e FROM t FULL JOIN u ON t.id = u.id JOIN two ON t.id = two.k1",
            "SELECT a, COUNT(*) FROM s GROUP BY a",
            "SELECT s.id, COUNT(*) FROM s JOIN t ON s.id = t.id GROUP BY s.id",
            "SELECT a + 1, COUNT(*), windowstart AS ws FROM s WINDOW SESSION (1 DAY) GROUP BY a + 1 HAVING SUM(a) > 1",
            "SELECT ABS(a) + 1 AS n, a, MAX(b) FROM s GROUP BY a EMIT CHANGES",
        ];
        let found = refusals("TABLE", &queries);
        assert_eq!(found[0], (Code::Unsupported, "t JOIN u ON t.f = u.id".to_string()));
        // A table with two key columns cannot be joined on one of them.
        assert_eq!(found[1].0, Code::InvalidJoin);
        assert!(found[2..].iter().all(|(code, _)| *code == Code::Unsupported), "{found:?}");
    }
}
