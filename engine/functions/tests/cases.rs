//! Cases of every function, in tables: null, edge and typical ones, each run in four ways.
//!
//! A table is a text file of this folder, one for each family:
//!
//! ```text
//! # ABS
//! null     ABS(CAST(NULL AS INT)) -> null
//! edge     CEIL(CAST(9.9 AS DECIMAL(2, 1))) -> ! does not fit
//! typical  ABS(-3) -> 3
//! ```
//!
//! Behind the arrow stands the value as text, or behind `!` a part of what is reported when there is none. Each case is
//! computed of constants, and then with the arguments of the function as columns: in one batch with all cases of the
//! function that have the same types, between rows of nulls; in a slice of that batch; and in a batch of its row alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, new_null_array};
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::{Field, Schema as ArrowSchema};
use datafusion::common::DFSchema;

use super::{REGISTRY, evaluate, render};
use crate::catalog::{Catalog, Relation, RelationKind};
use crate::functions::FunctionKind;
use crate::functions::table::TableFunction;
use crate::operators::eval;
use crate::record::Batch;
use crate::sql::ast::{Expr, ExprKind, Ident};
use crate::sql::bind::scope::{ScopeColumn, ScopeSource};
use crate::sql::bind::{Binder, Scope, compile};
use crate::sql::parse_expression;
use crate::types::{FormatName, FormatSpec, Schema, SqlType, TopicSpec};

const TABLES: [(&str, &str); 11] = [
    ("numbers", include_str!("cases/numbers.txt")),
    ("texts", include_str!("cases/texts.txt")),
    ("patterns", include_str!("cases/patterns.txt")),
    ("times", include_str!("cases/times.txt")),
    ("arrays", include_str!("cases/arrays.txt")),
    ("maps", include_str!("cases/maps.txt")),
    ("json", include_str!("cases/json.txt")),
    ("urls", include_str!("cases/urls.txt")),
    ("bytes", include_str!("cases/bytes.txt")),
    ("conditions", include_str!("cases/conditions.txt")),
    ("others", include_str!("cases/others.txt")),
];

#[derive(Debug, Clone)]
struct Case {
    function: String,
    class: String,
    sql: String,
    expected: String,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (table, text) in TABLES {
        let mut function = String::new();
        for (number, line) in text.lines().enumerate() {
            let place = || format!("cases/{table}.txt, line {}: {line}", number + 1);
            if line.trim().is_empty() {
                continue;
            }
            if let Some(name) = line.strip_prefix("# ") {
                function = name.to_string();
                continue;
            }
            let (class, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{}", place()));
            assert!(["null", "edge", "typical"].contains(&class), "{}", place());
            let (sql, expected) = match rest.trim_start().strip_suffix(" ->") {
                Some(sql) => (sql, ""),
                None => rest.trim_start().rsplit_once(" -> ").unwrap_or_else(|| panic!("{}", place())),
            };
            assert!(sql.contains(&function), "{}", place());
            cases.push(Case {
                function: function.clone(),
                class: class.into(),
                sql: sql.into(),
                expected: expected.into(),
            });
        }
    }
    cases
}

#[test]
fn every_function_has_a_case_of_each_class() {
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for case in cases() {
        seen.entry(case.function).or_default().insert(case.class);
    }
    let mut missing = Vec::new();
    for declaration in REGISTRY.declarations().filter(|declaration| declaration.kind != FunctionKind::Aggregate) {
        let classes = seen.remove(&*declaration.name).unwrap_or_default();
        for class in ["null", "edge", "typical"] {
            // What takes nothing takes no NULL.
            let takes = declaration.variations.iter().any(|form| !form.params.is_empty());
            if !classes.contains(class) && (takes || class != "null") {
                missing.push(format!("{} {class}", declaration.name));
            }
        }
    }
    assert!(missing.is_empty(), "no cases: {}", missing.join(", "));
    assert!(seen.is_empty(), "cases of no function: {:?}", seen.keys());
}

#[test]
fn constants_give_what_the_tables_say() {
    let wrong: Vec<String> = cases()
        .into_iter()
        .filter_map(|case| {
            let outcome = match table_call(&case) {
                Some((function, argument, ty)) => Ok(expanded(function, &argument, &ty).remove(0)),
                None => evaluate(&case.sql),
            };
            verdict(&case, outcome.map_err(|error| error.to_string()))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Why a case is not as its table says, if it is not.
fn verdict(case: &Case, outcome: Result<(String, Vec<String>), String>) -> Option<String> {
    let found = match &outcome {
        Ok((value, reports)) => match case.expected.strip_prefix("! ") {
            Some(part) if value == "null" && reports.iter().any(|report| report.contains(part)) => return None,
            None if *value == case.expected && reports.is_empty() => return None,
            _ => format!("{value} {reports:?}"),
        },
        Err(error) => error.clone(),
    };
    Some(format!("{} is {found}, not {}", case.sql, case.expected))
}

/// The function and the argument of a case of a table function.
fn table_call(case: &Case) -> Option<(TableFunction, ArrayRef, SqlType)> {
    table_argument(&case.function, &case.sql)
}

/// The function and the argument of a call of a table function, and the type of its values.
fn table_argument(function: &str, sql: &str) -> Option<(TableFunction, ArrayRef, SqlType)> {
    let function = TableFunction::named(function)?;
    let expr = parse_expression(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let ExprKind::Call { args, .. } = &expr.kind else { panic!("{sql} is no call") };
    let (argument, ty) = constant(&args[0]);
    let (_, ty) = function.resolve(&[Some(ty)], expr.span).unwrap_or_else(|error| panic!("{sql}: {error}"));
    Some((function, argument, ty))
}

/// The value of an example of a function: of a table function, the array of all it gives.
pub fn example_text(function: &str, sql: &str) -> String {
    match table_argument(function, sql) {
        Some((function, argument, ty)) => expanded(function, &argument, &ty).remove(0).0,
        None => super::sql_text(sql),
    }
}

/// What a table function makes of each row, as the text of an array; `ty` is the type of the values.
fn expanded(function: TableFunction, argument: &ArrayRef, ty: &SqlType) -> Vec<(String, Vec<String>)> {
    let lists = argument.as_list::<i32>();
    let of_row = |row: usize| match function.count(lists, row) {
        Err(reason) => ("null".to_string(), vec![reason]),
        Ok(count) => {
            let picks: Vec<(u32, u32)> = (0..count as u32).map(|value| (row as u32, value)).collect();
            let values = function.values(lists, &picks).expect("values");
            let texts: Vec<String> = (0..count).map(|at| render(&values, ty, at)).collect();
            (format!("[{}]", texts.join(", ")), vec![])
        }
    };
    (0..lists.len()).map(of_row).collect()
}

/// The value of an expression of constants, as a column of one row.
fn constant(expr: &Expr) -> (ArrayRef, SqlType) {
    let (catalog, scope) = (Catalog::new(), Scope::empty());
    let (bound, ty) = Binder::new(&catalog, &REGISTRY, &scope).bind_typed(expr).expect("a constant");
    let compiled = compile::physical(&bound, &DFSchema::empty(), &ty, String::new()).expect("a plan");
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let batch = RecordBatch::try_new_with_options(Arc::new(ArrowSchema::empty()), vec![], &options).expect("a row");
    let value = compiled.physical.evaluate(&batch).and_then(|value| value.into_array(1)).expect("a value");
    (value, ty)
}

/// The arguments of the first call of a function in an expression.
fn arguments<'e>(expr: &'e mut Expr, function: &str) -> Option<&'e mut Vec<Expr>> {
    if matches!(&expr.kind, ExprKind::Call { name, .. } if name.name == function) {
        let ExprKind::Call { args, .. } = &mut expr.kind else { return None };
        return Some(args);
    }
    match &mut expr.kind {
        ExprKind::Call { args, .. } => args.iter_mut().find_map(|arg| arguments(arg, function)),
        ExprKind::Binary { left, right, .. } => arguments(left, function).or_else(|| arguments(right, function)),
        ExprKind::Unary { expr, .. }
        | ExprKind::Not(expr)
        | ExprKind::Cast { expr, .. }
        | ExprKind::IsNull { expr, .. }
        | ExprKind::Field { base: expr, .. }
        | ExprKind::Subscript { base: expr, .. } => arguments(expr, function),
        _ => None,
    }
}

/// Cases of one function whose arguments have the same types: one expression over columns.
struct Group {
    expr: Expr,
    types: Vec<SqlType>,
    cases: Vec<Case>,
    /// The arguments of each case, columns of one row.
    rows: Vec<Vec<ArrayRef>>,
}

/// A case as an expression over columns, and their values.
fn over_columns(case: &Case) -> (Expr, Vec<SqlType>, Vec<ArrayRef>) {
    let mut expr = parse_expression(&case.sql).unwrap_or_else(|error| panic!("{}: {error}", case.sql));
    let (mut types, mut values) = (Vec::new(), Vec::new());
    let args =
        arguments(&mut expr, &case.function).unwrap_or_else(|| panic!("{} calls no {}", case.sql, case.function));
    for arg in args {
        if matches!(arg.kind, ExprKind::Null | ExprKind::Unit(_) | ExprKind::Lambda { .. } | ExprKind::Star) {
            continue;
        }
        let (value, ty) = constant(arg);
        let name = Ident { name: format!("C{}", types.len()), quoted: false, span: arg.span };
        *arg = Expr { kind: ExprKind::Column { source: None, name }, span: arg.span };
        types.push(ty);
        values.push(value);
    }
    (expr, types, values)
}

fn scope_of(types: &[SqlType]) -> Scope {
    let relation = Relation {
        name: "CASES".into(),
        kind: RelationKind::Stream,
        schema: Schema::new(vec![]),
        topic: TopicSpec::named("cases"),
        key_format: FormatSpec::new(FormatName::Kafka),
        value_format: FormatSpec::new(FormatName::Json),
        timestamp: None,
        window: None,
        read_only: false,
        sink_of: None,
        statement: String::new(),
    };
    let column = |(i, ty): (usize, &SqlType)| {
        let name = format!("C{i}");
        ScopeColumn { name: name.clone(), ty: ty.clone(), field: name, pseudo: false }
    };
    let columns = types.iter().enumerate().map(column).collect();
    Scope { sources: vec![ScopeSource { relation: Arc::new(relation), alias: "CASES".into(), columns }] }
}

#[test]
fn columns_give_what_constants_give() {
    let mut groups: BTreeMap<(String, String), Group> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in cases() {
        if let Some((function, argument, ty)) = table_call(&case) {
            let nulls = new_null_array(argument.data_type(), 1);
            let column = concat(&[nulls.as_ref(), argument.as_ref(), nulls.as_ref()]).expect("one type");
            let rows = expanded(function, &column, &ty);
            assert_eq!(rows.len(), 3, "{}", case.sql);
            wrong.extend(verdict(&case, Ok(rows[1].clone())));
            wrong.extend(verdict(&case, Ok(expanded(function, &column.slice(1, 2), &ty)[0].clone())));
            continue;
        }
        let (expr, types, values) = over_columns(&case);
        if types.is_empty() {
            continue;
        }
        let key = (case.function.clone(), format!("{:?} {types:?}", crate::sql::bind::text::expr(&expr, false)));
        let group = groups.entry(key).or_insert_with(|| Group { expr, types, cases: vec![], rows: vec![] });
        group.cases.push(case);
        group.rows.push(values);
    }
    for group in groups.values() {
        run(group, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn run(group: &Group, wrong: &mut Vec<String>) {
    let (catalog, scope) = (Catalog::new(), scope_of(&group.types));
    let binder = Binder::new(&catalog, &REGISTRY, &scope);
    let (bound, ty) = match binder.bind_typed(&group.expr) {
        Ok(bound) => bound,
        Err(error) => return wrong.push(format!("{}: {error}", group.cases[0].sql)),
    };
    let schema = scope.df_schema().expect("columns");
    let compiled = compile::physical(&compile::simplify(bound, &schema), &schema, &ty, String::new()).expect("a plan");
    let fields: Vec<Field> =
        group.types.iter().enumerate().map(|(i, ty)| Field::new(format!("C{i}"), ty.to_arrow(), true)).collect();
    let column = |i: usize| {
        let nulls = new_null_array(&group.types[i].to_arrow(), 1);
        let mut parts = vec![nulls.as_ref()];
        parts.extend(group.rows.iter().map(|row| row[i].as_ref()));
        parts.push(nulls.as_ref());
        concat(&parts).expect("one type")
    };
    let columns = (0..group.types.len()).map(column).collect();
    let batch = RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), columns).expect("columns as declared");
    let rows = batch.num_rows();
    let mut slices = vec![(0, rows), (1, rows - 1)];
    slices.extend((0..group.cases.len()).map(|i| (i + 1, 1)));
    for (from, length) in slices {
        let (mut reports, mut failed) = (Vec::new(), Vec::new());
        let slice = Batch::new(batch.slice(from, length));
        let column = eval::evaluate(&compiled, &slice, "X", &mut reports, &mut failed).expect("a column");
        for (i, case) in group.cases.iter().enumerate() {
            let Some(row) = (i + 1).checked_sub(from).filter(|row| *row < length) else { continue };
            let of_row = reports.iter().filter(|report| report.record == row).map(|report| report.message.clone());
            let outcome = (render(&column, &ty, row), of_row.collect());
            wrong.extend(verdict(case, Ok(outcome)).map(|text| format!("rows {from} to {}: {text}", from + length)));
        }
    }
}
