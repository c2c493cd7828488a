//! Each line of a table is a rule: an expression, its type, and its values over the four rows of [`rows`].

use std::sync::Arc;

use datafusion::arrow::array::builder::{Int32Builder, ListBuilder, MapBuilder, StringBuilder};
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    StructArray, TimestampMillisecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use super::*;
use crate::catalog::{Catalog, Relation, RelationKind};
use crate::error::Error;
use crate::functions::FunctionRegistry;
use crate::operators::RowReport;
use crate::operators::eval::evaluate;
use crate::record::Batch;
use crate::sql::parser::parse_expression;
use crate::types::{Column, FormatName, FormatSpec, Schema, SqlType, TopicSpec};

fn relation() -> Arc<Relation> {
    use SqlType::*;
    let columns = [
        ("I", Integer),
        ("B", Bigint),
        ("D", Double),
        ("S", String),
        ("T", Boolean),
        ("DEC", Decimal(4, 2)),
        ("TS", Timestamp),
        ("A", Array(Box::new(Integer))),
        ("M", Map(Box::new(String), Box::new(Integer))),
        ("ST", Struct(vec![("F".into(), Integer), ("G".into(), String)])),
    ];
    Arc::new(Relation {
        name: "CARS".into(),
        kind: RelationKind::Stream,
        schema: Schema::new(columns.into_iter().map(|(name, ty)| Column::value(name, ty)).collect()),
        topic: TopicSpec::named("cars"),
        key_format: FormatSpec::new(FormatName::Kafka),
        value_format: FormatSpec::new(FormatName::Json),
        timestamp: None,
        window: None,
        read_only: false,
        sink_of: None,
        statement: std::string::String::new(),
    })
}

/// Four rows; the third is all null.
fn rows() -> RecordBatch {
    let mut array = ListBuilder::new(Int32Builder::new()).with_field(Field::new("item", DataType::Int32, true));
    array.append_value([Some(10), Some(20), None]);
    array.append_value([Some(30)]);
    array.append_null();
    array.append_value([]);
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    map.keys().append_value("a");
    map.values().append_value(1);
    map.keys().append_value("b");
    map.values().append_value(2);
    map.append(true).unwrap();
    map.append(true).unwrap();
    map.append(false).unwrap();
    map.append(true).unwrap();
    let map: ArrayRef = Arc::new(map.finish());
    let map_type = SqlType::Map(Box::new(SqlType::String), Box::new(SqlType::Integer)).to_arrow();
    let map = datafusion::arrow::compute::cast(&map, &map_type).unwrap();
    let fields = vec![Field::new("F", DataType::Int32, true), Field::new("G", DataType::Utf8, true)];
    let structure = StructArray::new(
        fields.into(),
        vec![
            Arc::new(Int32Array::from(vec![Some(1), None, Some(99), Some(4)])),
            Arc::new(StringArray::from(vec![Some("x"), Some("y"), None, Some("z")])),
        ],
        Some(vec![true, true, false, true].into()),
    );
    let decimal = Decimal128Array::from(vec![Some(1050), Some(-5), None, Some(0)]).with_precision_and_scale(4, 2);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![Some(7), Some(-7), None, Some(i32::MAX)])),
        Arc::new(Int64Array::from(vec![Some(2), Some(0), None, Some(-1)])),
        Arc::new(Float64Array::from(vec![Some(1.5), Some(-0.5), None, Some(3.0)])),
        Arc::new(StringArray::from(vec![Some("abc"), Some("12"), None, Some("a%c")])),
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, Some(true)])),
        Arc::new(decimal.unwrap()),
        Arc::new(TimestampMillisecondArray::from(vec![Some(0), Some(1_590_537_598_000), None, Some(5)])),
        Arc::new(array.finish()),
        map,
        Arc::new(structure),
        Arc::new(Int64Array::from(vec![1_000, 2_000, 3_000, 4_000])),
        Arc::new(Int32Array::from(vec![0, 0, 0, 0])),
        Arc::new(Int64Array::from(vec![10, 11, 12, 13])),
    ];
    let schema = Scope::single(relation(), None).df_schema().unwrap();
    RecordBatch::try_new(Arc::clone(schema.inner()), columns).unwrap()
}

struct Outcome {
    ty: SqlType,
    values: Vec<String>,
    reports: Vec<RowReport>,
}

fn run(text: &str) -> Result<Outcome, Error> {
    let (catalog, functions) = (Catalog::new(), FunctionRegistry::builtin());
    let scope = Scope::single(relation(), None);
    let expr = parse_expression(text)?;
    let binder = Binder::new(&catalog, &functions, &scope);
    let (bound, ty) = binder.bind_typed(&expr)?;
    let schema = scope.df_schema()?;
    let compiled = compile::physical(&compile::simplify(bound, &schema), &schema, &ty, binder.text(&expr))?;
    let mut reports = Vec::new();
    let column = evaluate(&compiled, &Batch::new(rows()), "X", &mut reports, &mut Vec::new())?;
    assert_eq!(column.data_type(), &ty.to_arrow(), "{text}");
    let options = FormatOptions::new().with_null("null");
    let formatter = ArrayFormatter::try_new(&column, &options)?;
    let values = (0..column.len()).map(|row| formatter.value(row).to_string()).collect();
    Ok(Outcome { ty, values, reports })
}

/// The expression has this type and these values, and reports these rows.
#[track_caller]
fn check_reports(text: &str, ty: &str, values: &str, reported: &[usize]) {
    let outcome = run(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(outcome.ty.to_string(), ty, "type of {text}");
    assert_eq!(outcome.values.join(" | "), values, "values of {text}");
    let records: Vec<usize> = outcome.reports.iter().map(|report| report.record).collect();
    assert_eq!(records, reported, "reports of {text}: {:?}", outcome.reports);
}

#[track_caller]
fn check(text: &str, ty: &str, values: &str) {
    check_reports(text, ty, values, &[]);
}

#[track_caller]
fn refused(text: &str, message: &str, at: &str) {
    match run(text) {
        Ok(outcome) => panic!("{text} is accepted as {}", outcome.ty),
        Err(error) => {
            assert_eq!(error.message(), message, "{text}");
            let span = error.span().unwrap_or_else(|| panic!("{text}: no place"));
            assert_eq!(&text[span.start..span.end], at, "place in {text}");
        }
    }
}

#[test]
fn literals_have_the_narrowest_type_that_holds_them() {
    check("2147483647", "INTEGER", "2147483647 | 2147483647 | 2147483647 | 2147483647");
    check("2147483648", "BIGINT", "2147483648 | 2147483648 | 2147483648 | 2147483648");
    check("-2147483648", "INTEGER", "-2147483648 | -2147483648 | -2147483648 | -2147483648");
    check("1.20", "DECIMAL(3, 2)", "1.20 | 1.20 | 1.20 | 1.20");
    check("-0.005", "DECIMAL(4, 3)", "-0.005 | -0.005 | -0.005 | -0.005");
    check("1e1", "DOUBLE", "10.0 | 10.0 | 10.0 | 10.0");
    check("'it''s'", "STRING", "it's | it's | it's | it's");
    check("TRUE", "BOOLEAN", "true | true | true | true");
}

#[test]
fn arithmetic_widens_and_integers_wrap_around() {
    check("i + 1", "INTEGER", "8 | -6 | null | -2147483648");
    check("i + b", "BIGINT", "9 | -7 | null | 2147483646");
    check("i * 0.5", "DECIMAL(13, 1)", "3.5 | -3.5 | null | 1073741823.5");
    check("i + d", "DOUBLE", "8.5 | -7.5 | null | 2147483650.0");
    check("dec + d", "DOUBLE", "12.0 | -0.55 | null | 3.0");
    check("dec + dec", "DECIMAL(5, 2)", "21.00 | -0.10 | null | 0.00");
    check("dec + b", "DECIMAL(22, 2)", "12.50 | -0.05 | null | -1.00");
    check("dec * dec", "DECIMAL(9, 4)", "110.2500 | 0.0025 | null | 0.0000");
    check("-dec", "DECIMAL(4, 2)", "-10.50 | 0.05 | null | 0.00");
    check("s + '!'", "STRING", "abc! | 12! | null | a%c!");
    check("2 * 3 + 4", "INTEGER", "10 | 10 | 10 | 10");
    check("6 % 4 / 2 * 6", "INTEGER", "6 | 6 | 6 | 6");
}

#[test]
fn division_is_javas_and_a_zero_divisor_nulls_and_reports_its_row_only() {
    check("i / 2", "INTEGER", "3 | -3 | null | 1073741823");
    check("i % 4", "INTEGER", "3 | -3 | null | 3");
    check_reports("i / b", "BIGINT", "3 | null | null | -2147483647", &[1]);
    check_reports("i % b", "BIGINT", "1 | null | null | 0", &[1]);
    check_reports("1 / 0", "INTEGER", "null | null | null | null", &[0, 1, 2, 3]);
    check("d / 0", "DOUBLE", "inf | -inf | null | inf");
    check_reports("1.5 / dec", "DECIMAL(9, 6)", "0.142857 | -30.000000 | null | null", &[3]);
    check_reports("1.5 % dec", "DECIMAL(3, 2)", "1.50 | 0.00 | null | null", &[3]);
    check_reports("(1 / b) + i", "BIGINT", "7 | null | null | 2147483646", &[1]);
}

#[test]
fn decimals_beyond_38_digits_are_computed_at_256_bits() {
    check("CAST(1 AS DECIMAL(30, 0)) * CAST(b AS DECIMAL(30, 0))", "DECIMAL(61, 0)", "2 | 0 | null | -1");
}

#[test]
fn a_comparison_with_a_null_operand_is_false_and_never_null() {
    check("i = 7", "BOOLEAN", "true | false | false | false");
    check("i <> 7", "BOOLEAN", "false | true | false | true");
    check("NOT i = 7", "BOOLEAN", "false | true | true | true");
    check("i = i", "BOOLEAN", "true | true | false | true");
    check("NOT (i <> i)", "BOOLEAN", "true | true | true | true");
    check("i > b", "BOOLEAN", "true | false | false | true");
    check("d = 1.5", "BOOLEAN", "true | false | false | false");
    check("dec >= 0", "BOOLEAN", "true | false | false | true");
    check("s < 'b'", "BOOLEAN", "true | true | false | true");
    check("t = TRUE", "BOOLEAN", "true | false | false | true");
    check("i BETWEEN 0 AND 10", "BOOLEAN", "true | false | false | false");
    check("i NOT BETWEEN 0 AND 10", "BOOLEAN", "false | true | true | true");
}

#[test]
fn distinctness_compares_nulls() {
    check("i IS DISTINCT FROM 7", "BOOLEAN", "false | true | true | true");
    check("i IS NOT DISTINCT FROM NULL", "BOOLEAN", "false | false | true | false");
    check("i IS NULL", "BOOLEAN", "false | false | true | false");
    check("NULL IS NULL", "BOOLEAN", "true | true | true | true");
    check("s IS NOT NULL", "BOOLEAN", "true | true | false | true");
}

#[test]
fn a_text_beside_a_point_in_time_is_read_as_one() {
    check("ts > '2020-05'", "BOOLEAN", "false | true | false | false");
    check("rowtime >= '1970-01-01T00:00:03'", "BOOLEAN", "false | false | true | true");
    check("CAST(ts AS DATE) = ts", "BOOLEAN", "true | false | false | false");
    check("ts > CAST(ts AS DATE)", "BOOLEAN", "false | true | false | true");
    refused(
        "ts = CAST(ts AS TIME)",
        "cannot compare TS (TIMESTAMP) with CAST(TS AS TIME) (TIME)",
        "ts = CAST(ts AS TIME)",
    );
    refused("ts > 'yesterday'", "this text cannot be read as a TIMESTAMP", "'yesterday'");
    refused("b > '2020'", "cannot compare B (BIGINT) with '2020' (STRING)", "b > '2020'");
}

#[test]
fn in_and_like_are_two_valued_too() {
    check("i IN (7, 8)", "BOOLEAN", "true | false | false | false");
    check("i NOT IN (7, 8)", "BOOLEAN", "false | true | true | true");
    check("i IN (NULL, 7)", "BOOLEAN", "true | false | false | false");
    check("i IN (b, '7', 2.5)", "BOOLEAN", "true | false | false | false");
    check("t IN ('yE')", "BOOLEAN", "true | false | false | true");
    check("s IN (12, 'abc')", "BOOLEAN", "true | true | false | false");
    check("s IN (NULL)", "BOOLEAN", "false | false | false | false");
    check("'a\\c' LIKE 'a\\_'", "BOOLEAN", "true | true | true | true");
}

#[test]
fn like_is_null_of_a_null() {
    check("s LIKE 'a%'", "BOOLEAN", "true | false | null | true");
    check("s NOT LIKE 'a%'", "BOOLEAN", "false | true | null | false");
    check("s LIKE 'a!%_' ESCAPE '!'", "BOOLEAN", "false | false | null | true");
    check("s LIKE s", "BOOLEAN", "true | true | null | true");
    check_reports("'a' LIKE s || '!' ESCAPE '!'", "BOOLEAN", "null | null | null | null", &[0, 1, 2, 3]);
}

#[test]
fn doubles_compare_as_numbers() {
    check("d * 0 = 0", "BOOLEAN", "true | true | false | true");
    check("d * 0 < 0e0", "BOOLEAN", "false | false | false | false");
    for op in ["=", "<>", "<", "<=", ">", ">="] {
        check(&format!("SQRT(-1) {op} d"), "BOOLEAN", "false | false | false | false");
        check(&format!("d {op} SQRT(-1)"), "BOOLEAN", "false | false | false | false");
    }
    check("d >= 1.5e0", "BOOLEAN", "true | false | false | true");
    check("1.5e0 > d", "BOOLEAN", "false | true | false | false");
    check("d IS DISTINCT FROM 3e0", "BOOLEAN", "true | true | true | false");
    check("d IS NOT DISTINCT FROM NULL", "BOOLEAN", "false | false | true | false");
}

#[test]
fn bytes_compare_with_their_signs() {
    check("TO_BYTES('ff', 'hex') < TO_BYTES('00', 'hex')", "BOOLEAN", "true | true | true | true");
    check("TO_BYTES('61', 'hex') < TO_BYTES('6162', 'hex')", "BOOLEAN", "true | true | true | true");
    check("TO_BYTES('61', 'hex') = TO_BYTES('a', 'utf8')", "BOOLEAN", "true | true | true | true");
}

#[test]
fn logic_binds_as_in_sql() {
    check("NOT 4 > 11", "BOOLEAN", "true | true | true | true");
    check("TRUE OR FALSE AND TRUE", "BOOLEAN", "true | true | true | true");
    check("t AND i > 0", "BOOLEAN", "true | false | false | true");
    check("t OR i < 0", "BOOLEAN", "true | true | null | true");
    // The right side is not computed where the left decides, so there is nothing to report.
    check("b <> 0 AND i / b > 1", "BOOLEAN", "true | false | false | false");
    // A part that fails makes the whole null.
    check_reports("i / b > 1 AND b <> 0", "BOOLEAN", "true | null | false | false", &[1]);
}

#[test]
fn case_computes_only_the_arm_it_takes() {
    check("CASE WHEN b = 0 THEN 0 ELSE i / b END", "BIGINT", "3 | 0 | null | -2147483647");
    check("CASE WHEN i > 0 THEN 'up' WHEN i < 0 THEN NULL ELSE '?' END", "STRING", "up | null | ? | up");
    check("CASE i WHEN 7 THEN 1 WHEN -7 THEN 2.5 END", "DECIMAL(11, 1)", "1.0 | 2.5 | null | null");
    check_reports("CASE WHEN i < 0 THEN i / b ELSE 5 END", "BIGINT", "5 | null | 5 | 5", &[1]);
    refused("CASE WHEN i > 0 THEN 1 ELSE 'x' END", "the results of a CASE must have one type", "'x'");
    refused("CASE WHEN i > 0 THEN NULL END", "all results of this CASE are NULL", "CASE WHEN i > 0 THEN NULL END");
    refused("CASE WHEN i THEN 1 END", "WHEN needs a BOOLEAN, found INTEGER", "i");
}

#[test]
fn a_cast_that_fails_nulls_and_reports_its_row_only() {
    check_reports("CAST(s AS INTEGER)", "INTEGER", "null | 12 | null | null", &[0, 3]);
    check("CAST(d AS INTEGER)", "INTEGER", "1 | 0 | null | 3");
    check("CAST(i AS STRING)", "STRING", "7 | -7 | null | 2147483647");
    check("CAST(d AS STRING)", "STRING", "1.5 | -0.5 | null | 3.0");
    check("CAST(i AS BIGINT)", "BIGINT", "7 | -7 | null | 2147483647");
    check("CAST(NULL AS DOUBLE)", "DOUBLE", "null | null | null | null");
    check_reports("CASE WHEN i > 0 THEN CAST(s AS INT) ELSE 0 END", "INTEGER", "null | 0 | 0 | null", &[0, 3]);
    refused("CAST(i AS ARRAY<INT>)", "cannot cast INTEGER to ARRAY<INTEGER>", "CAST(i AS ARRAY<INT>)");
}

#[test]
fn arrays_are_one_based_and_what_is_not_there_is_null() {
    check("a[1]", "INTEGER", "10 | 30 | null | null");
    check("a[-1]", "INTEGER", "null | 30 | null | null");
    check("a[0]", "INTEGER", "null | null | null | null");
    check("m['b']", "INTEGER", "2 | null | null | null");
    check("st->f", "INTEGER", "1 | null | null | 4");
    check("st->g = 'z'", "BOOLEAN", "false | false | false | true");
    refused("i[1]", "only an ARRAY or a MAP can be indexed, found INTEGER", "i");
    refused("a['x']", "an array is indexed by an INTEGER, found STRING", "'x'");
    refused("st->ff", "ST has no field FF", "ff");
}

#[test]
fn constructors_build_what_they_say() {
    check("ARRAY[i, 1]", "ARRAY<INTEGER>", "[7, 1] | [-7, 1] | [null, 1] | [2147483647, 1]");
    check("ARRAY[i, b][1]", "BIGINT", "7 | -7 | null | 2147483647");
    check("MAP('a' := i, 'b' := 2)['a']", "INTEGER", "7 | -7 | null | 2147483647");
    check("STRUCT(x := i, y := s)->y", "STRING", "abc | 12 | null | a%c");
    check("a = ARRAY[10, 20, NULL]", "BOOLEAN", "true | false | false | false");
    check("a <> ARRAY[30]", "BOOLEAN", "true | false | false | true");
    check("m = MAP('b' := 2, 'a' := 1)", "BOOLEAN", "true | false | false | false");
    check("st IS DISTINCT FROM STRUCT(f := 1, g := 'x')", "BOOLEAN", "false | true | true | true");
    check("a IN (ARRAY[30], ARRAY[1])", "BOOLEAN", "false | true | false | false");
    check("a IN (ARRAY['10', '20', NULL], ARRAY[b])", "BOOLEAN", "true | false | false | false");
    check("st IN (STRUCT(f := '4', g := 'z'))", "BOOLEAN", "false | false | false | true");
    refused("i IN ('seven')", "this text cannot be read as an INTEGER", "'seven'");
    refused("ARRAY[]", "the type of this array is not known", "ARRAY[]");
    refused("ARRAY[1, TRUE]", "the elements of an array must have one type", "TRUE");
    refused("ARRAY[1, 'x']", "this text cannot be read as an INTEGER", "'x'");
    refused("ARRAY[s, i]", "the elements of an array must have one type", "i");
}

#[test]
fn literals_of_a_list_take_its_type() {
    check(
        "ARRAY['a', 1, TRUE, 2.50, -3]",
        "ARRAY<STRING>",
        "[a, 1, true, 2.50, -3] | [a, 1, true, 2.50, -3] | [a, 1, true, 2.50, -3] | [a, 1, true, 2.50, -3]",
    );
    check("ARRAY[1, '2', '3.5'][3]", "DECIMAL(11, 1)", "3.5 | 3.5 | 3.5 | 3.5");
    check("ARRAY[i, '-1', NULL][2]", "INTEGER", "-1 | -1 | -1 | -1");
    check("ARRAY[2, '1e3'][2]", "DECIMAL(10, 0)", "1000 | 1000 | 1000 | 1000");
    check("ARRAY[t, 'yes'][2]", "BOOLEAN", "true | true | true | true");
    check("ARRAY['2020', ts][1] = '2020-01-01'", "BOOLEAN", "true | true | true | true");
    check("MAP('a' := 1, 2 := '3')['2']", "INTEGER", "3 | 3 | 3 | 3");
    check("ARRAY[ARRAY[1], ARRAY['2']][2][1]", "INTEGER", "2 | 2 | 2 | 2");
    check("ARRAY[STRUCT(a := 1), STRUCT(a := '2', b := 3)][2]->b", "INTEGER", "3 | 3 | 3 | 3");
}

#[test]
fn a_key_of_a_map_that_is_null_reads_null() {
    check("MAP(s := 1)['null']", "INTEGER", "null | null | 1 | null");
    check_reports("MAP(i := 1)[7]", "INTEGER", "1 | null | null | null", &[2]);
}

#[test]
fn pseudo_columns_are_columns() {
    check("rowtime + rowoffset", "BIGINT", "1010 | 2011 | 3012 | 4013");
    check("cars.rowpartition", "INTEGER", "0 | 0 | 0 | 0");
}

#[test]
fn wrong_types_are_named_with_their_place() {
    refused("i + s", "`+` cannot be applied to INTEGER and STRING", "i + s");
    refused("-s", "`-` needs a number, found STRING", "s");
    refused("i AND t", "AND needs a BOOLEAN, found INTEGER", "i");
    refused("i = 'x'", "cannot compare I (INTEGER) with 'x' (STRING)", "i = 'x'");
    refused("t < FALSE", "`<` cannot be applied to BOOLEAN", "t < FALSE");
    refused("i = NULL", "a comparison with NULL is never true", "i = NULL");
    refused("s LIKE 1", "LIKE needs a STRING, found INTEGER", "1");
    refused("i IN (1, s)", "S cannot be compared with INTEGER", "s");
    refused("NULL", "the type of NULL is not known here", "NULL");
}

#[test]
fn a_misspelt_name_suggests_the_nearest() {
    refused("dce + 1", "unknown column DCE", "dce");
    assert_eq!(run("dce + 1").err().and_then(|e| e.hint_text().map(str::to_string)), Some("Did you mean DEC?".into()));
    refused("trucks.i", "unknown source TRUCKS", "trucks");
    refused("anomally(s)", "unknown function ANOMALLY", "anomally");
    let hint = run("anomally(s)").err().and_then(|error| error.hint_text().map(str::to_string));
    assert_eq!(hint, Some("Did you mean ANOMALY?".into()));
}

#[test]
fn canonical_text_names_a_source_only_where_there_are_several() {
    let expr = parse_expression("c.x + abs( c.Y[ 1 ] ) > 3").unwrap();
    assert_eq!(text::expr(&expr, false), "X + ABS(Y[1]) > 3");
    assert_eq!(text::expr(&expr, true), "C.X + ABS(C.Y[1]) > 3");
}

#[test]
fn the_longest_expression_the_parser_takes_can_be_bound_and_computed() {
    for op in ["+", "OR"] {
        let term = if op == "+" { "i" } else { "i = 3" };
        let per_term = if op == "+" { 1 } else { 2 };
        let terms = vec![term; crate::sql::parser::OPERATORS_MAX / per_term];
        let outcome = run(&terms.join(&format!(" {op} "))).unwrap_or_else(|error| panic!("{op}: {error}"));
        assert_eq!(outcome.values.len(), 4);
    }
    let deep = "(".repeat(90) + "i" + &" + 1)".repeat(90);
    assert_eq!(run(&deep).map(|outcome| outcome.values[0].clone()).unwrap(), "97");
}
