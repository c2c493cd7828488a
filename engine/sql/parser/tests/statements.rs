//! What statements are read as.

use super::super::super::ast::*;
use super::super::{parse_expression, parse_statement, parse_statements};
use crate::error::Span;

fn kind(text: &str) -> StatementKind {
    parse_statement(text).unwrap_or_else(|error| panic!("{error}\n{text}")).kind
}

fn query(text: &str) -> Query {
    match kind(text) {
        StatementKind::Query(query) => query,
        other => panic!("{other:?}"),
    }
}

fn expr(text: &str) -> Expr {
    parse_expression(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn the_car_demo_is_read_as_its_users_typed_it() {
    let text = "CREATE STREAM carsensor (eventid INTEGER, sensorinput VARCHAR) \\\n\
        WITH (kafka_topic='temperature', value_format='DELIMITED');\n\
        SELECT eventid, ANOMALY(sensorinput) FROM carsensor EMIT CHANGES;\n\
        -- kept\n\
        CREATE STREAM ae WITH (kafka_topic='out', value_format='DELIMITED') AS \\\n\
        SELECT eventid, CAST(ANOMALY(sensorinput) AS DOUBLE) AS anomaly FROM carsensor;\n\
        CREATE STREAM high AS SELECT * FROM ae WHERE anomaly > 3 EMIT CHANGES;\n\
        PRINT 'out' FROM BEGINNING; LIST FUNCTIONS; DESCRIBE FUNCTION ANOMALY;";
    let statements = parse_statements(text).expect("all are good");
    assert_eq!(statements.len(), 7);
    for statement in &statements {
        let source = &text[statement.span.start..statement.span.end];
        assert!(!source.ends_with(';') && !source.starts_with(char::is_whitespace));
    }
    assert_eq!(statements[5].kind, StatementKind::Show(Show::Functions));
}

#[test]
fn list_is_show() {
    for rest in [
        "PROPERTIES",
        "TOPICS",
        "ALL TOPICS EXTENDED",
        "STREAMS EXTENDED",
        "TABLES",
        "FUNCTIONS",
        "CONNECTORS",
        "SOURCE CONNECTORS",
        "CONNECTOR PLUGINS",
        "TYPES",
        "VARIABLES",
        "QUERIES EXTENDED",
    ] {
        assert_eq!(kind(&format!("list {rest}")), kind(&format!("SHOW {rest}")));
    }
}

#[test]
fn bare_names_fold_to_upper_case_and_quoted_ones_stay() {
    let StatementKind::DropSource { name, .. } = kind("drop stream foo_1") else { panic!() };
    assert_eq!((name.name.as_str(), name.quoted, name.span), ("FOO_1", false, Span::new(12, 17)));
    let StatementKind::DropSource { name, .. } = kind("drop stream \"foo\"") else { panic!() };
    assert_eq!((name.name.as_str(), name.quoted), ("foo", true));
}

#[test]
fn a_topic_to_print_keeps_its_case() {
    for (text, topic) in [("PRINT my_Topic", "my_Topic"), ("PRINT 'a-b'", "a-b"), ("PRINT `x y`", "x y")] {
        let StatementKind::Print { topic: found, .. } = kind(text) else { panic!() };
        assert_eq!(found.name, topic);
    }
}

#[test]
fn free_keywords_are_names_and_aliases() {
    let query =
        query("SELECT date, time type, source.key AS value, day, emit FROM emit partition WHERE id = 1 EMIT CHANGES");
    assert_eq!(query.items.len(), 5);
    assert!(query.emit.is_some());
    let Relation::Source { alias: Some(alias), .. } = query.from else { panic!() };
    assert_eq!(alias.name, "PARTITION");
}

#[test]
fn emit_and_partition_begin_clauses_where_they_can() {
    assert!(query("SELECT a FROM s EMIT CHANGES").emit.is_some());
    assert!(query("SELECT a FROM s PARTITION BY a").partition_by.is_some());
    assert!(parse_statement("SELECT a FROM s EMIT;").is_err());
    let Relation::Join(join) = query("SELECT a FROM s JOIN r WITHIN 1 HOUR ON a = b EMIT FINAL").from else { panic!() };
    assert_eq!(join.within.map(|within| (within.before, within.after)).map(|(b, a)| b == a), Some(true));
}

#[test]
fn group_by_takes_its_list_in_parentheses_too() {
    let n = |text: &str| query(text).group_by.map(|list| list.exprs.len());
    assert_eq!(n("SELECT a FROM s GROUP BY a, b EMIT CHANGES"), Some(2));
    assert_eq!(n("SELECT a FROM s GROUP BY (a, b) EMIT CHANGES"), Some(2));
    assert_eq!(n("SELECT a FROM s GROUP BY (a + b) * 2, c"), Some(2));
    assert_eq!(n("SELECT a FROM s GROUP BY ()"), Some(0));
    assert_eq!(n("SELECT a FROM s GROUP BY (a = b)"), Some(1));
}

#[test]
fn units_are_arguments_only_where_they_can_be() {
    let args = |text: &str| match expr(text).kind {
        ExprKind::Call { args, .. } => args,
        other => panic!("{other:?}"),
    };
    assert_eq!(args("TIMESTAMPADD(day, day, x)")[0].kind, ExprKind::Unit(TimeUnit::Day));
    assert!(matches!(args("TIMESTAMPADD(day, day, x)")[1].kind, ExprKind::Column { .. }));
    assert!(matches!(args("ABS(day)")[0].kind, ExprKind::Column { .. }));
    assert_eq!(args("F(x, HOURS)")[1].kind, ExprKind::Unit(TimeUnit::Hour));
}

#[test]
fn numbers_keep_their_kind() {
    assert_eq!(expr("2147483648").kind, ExprKind::Integer(2_147_483_648));
    assert_eq!(expr("1.50").kind, ExprKind::Decimal("1.50".into()));
    assert_eq!(expr("1e3").kind, ExprKind::Double(1000.0));
    assert_eq!(expr("-9223372036854775808").kind, ExprKind::Integer(i64::MIN));
    assert!(matches!(expr("-5").kind, ExprKind::Unary { minus: true, .. }));
    assert!(parse_expression("9223372036854775808").is_err());
    assert!(parse_expression("-9223372036854775809").is_err());
    assert!(parse_expression("1e999").is_err());
}

#[test]
fn every_node_knows_its_place() {
    let text = "(a + 1) * TRIM(`b`)->c[2]";
    let e = expr(text);
    assert_eq!(e.span, Span::new(0, text.len()));
    let ExprKind::Binary { left, right, .. } = e.kind else { panic!() };
    let source = |span: Span| &text[span.start..span.end];
    assert_eq!(source(left.span), "(a + 1)");
    assert_eq!(source(right.span), "TRIM(`b`)->c[2]");
    let ExprKind::Subscript { base, index } = right.kind else { panic!() };
    assert_eq!((source(base.span), source(index.span)), ("TRIM(`b`)->c", "2"));
    let ExprKind::Field { base, field } = base.kind else { panic!() };
    assert_eq!((source(base.span), source(field.span)), ("TRIM(`b`)", "c"));
}

#[test]
fn column_may_be_the_name_of_an_added_column() {
    let added = |text: &str| match kind(text) {
        StatementKind::AlterSource { columns, .. } => columns.into_iter().map(|c| c.name.name).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(added("ALTER STREAM s ADD COLUMN a INT, ADD b INT"), ["A", "B"]);
    assert_eq!(added("ALTER STREAM s ADD column INT"), ["COLUMN"]);
}

#[test]
fn explain_takes_a_statement_or_a_query_id() {
    assert!(matches!(kind("EXPLAIN ctas_x_1"), StatementKind::ExplainQuery(_)));
    assert!(matches!(kind("EXPLAIN show;"), StatementKind::ExplainQuery(_)));
    let StatementKind::Explain(inner) = kind("EXPLAIN SELECT a FROM s;") else { panic!() };
    assert_eq!(inner.span, Span::new(8, 23));
}

#[test]
fn with_takes_every_form_of_literal() {
    let StatementKind::CreateSource(create) =
        kind("CREATE STREAM s WITH (a='x', `b`=-1, 'c.d'=true, e=1.5, f=1e3, g=null)")
    else {
        panic!()
    };
    let names: Vec<_> = create.properties.iter().map(|property| property.name.value.as_str()).collect();
    assert_eq!(names, ["A", "b", "c.d", "E", "F", "G"]);
    assert!(parse_statement("CREATE STREAM s WITH (a=b)").is_err());
}
