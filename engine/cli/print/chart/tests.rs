//! What is chosen, what is drawn, at 80 columns and without colours.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int32Array, StringArray};
use datafusion::arrow::datatypes::{Field, Schema};

use super::*;

fn column(name: &str, ty: SqlType, is_key: bool) -> RowColumn {
    RowColumn { name: name.to_string(), ty, is_key }
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn sensors() -> Vec<RowColumn> {
    vec![
        column("SENSOR", SqlType::String, true),
        column("N", SqlType::Integer, false),
        column("T", SqlType::Double, false),
    ]
}

fn readings(rows: &[(&str, Option<f64>)]) -> RecordBatch {
    batch(vec![
        ("SENSOR", Arc::new(StringArray::from(rows.iter().map(|row| row.0).collect::<Vec<_>>()))),
        ("N", Arc::new(Int32Array::from(vec![7; rows.len()]))),
        ("T", Arc::new(Float64Array::from(rows.iter().map(|row| row.1).collect::<Vec<_>>()))),
    ])
}

fn chart(statement: &str, options: &str) -> Chart {
    Chart::new("", &sensors(), statement, &ChartOptions::parse(options).unwrap()).unwrap()
}

#[test]
fn a_line_a_key_with_its_last_value_and_its_course() {
    let mut chart = chart("SELECT * FROM s EMIT CHANGES", "");
    chart.take(&readings(&[("a", Some(1.0)), ("b", Some(5.0)), ("a", Some(2.0)), ("a", None), ("a", Some(3.0))]));
    let lines = chart.lines(Some(40), None, Paint::plain());
    assert_eq!(lines, ["SENSOR     T  last 26 values", "a        3.0  ▁▅ █", "b        5.0  ▄"]);
    let lines = chart.lines(Some(40), None, Paint::ascii());
    assert_eq!(lines[1], "a        3.0  _= #");
}

#[test]
fn a_window_bounds_the_course_and_options_stand_between_blanks_or_commas() {
    let mut chart = chart("SELECT * FROM s EMIT CHANGES", "window=3,value=t, key=sensor");
    let rows: Vec<_> = [9.0, 1.0, 2.0, 3.0].into_iter().map(|value| ("a", Some(value))).collect();
    chart.take(&readings(&rows));
    assert_eq!(chart.lines(Some(40), None, Paint::plain()), ["SENSOR     T", "a        3.0  ▁▅█"]);
    for wrong in ["window=1", "window=121", "window=x", "windows=3"] {
        assert!(ChartOptions::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_threshold_of_the_where_clause_gives_a_bar_that_fits_80_columns() {
    let mut chart = chart("SELECT sensor, n, score(x) AS t FROM s WHERE n > 5 AND score(x) > 3 EMIT CHANGES", "");
    chart.take(&readings(&[("engine-1", Some(1.5)), ("engine-2", Some(4.5)), ("engine-3", Some(1e300))]));
    let lines = chart.lines(Some(80), None, Paint::plain());
    let expected = [
        "engine-1      1.5  ▄                             ██████      │",
        "engine-2      4.5  ▄                             ██████████████████        above",
    ];
    assert_eq!(lines[1..3], expected);
    assert!(lines[0].ends_with("0           3          6"), "{}", lines[0]);
    assert!(lines.iter().all(|line| width(line) <= 80 && !line.contains('\x1b')), "{lines:?}");
    let coloured = chart.lines(Some(80), None, Paint::coloured());
    assert!(coloured[2].contains('\x1b') && !coloured[1].contains('\x1b'));
}

#[test]
fn what_is_named_wins_over_what_would_be_chosen() {
    let mut chart = chart("SELECT * FROM s WHERE t > 3 EMIT CHANGES", "value=n key=* threshold=5");
    chart.take(&readings(&[("a", Some(1.0)), ("b", Some(5.0))]));
    let lines = chart.lines(None, None, Paint::plain());
    assert!(lines[1].starts_with("all rows     7  ▄▄") && lines[1].ends_with("above"), "{lines:?}");
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_score_that_is_text_is_a_number_when_it_reads_like_one() {
    let columns = [column("ID", SqlType::Integer, false), column("SCORE", SqlType::String, false)];
    let options = ChartOptions::default();
    let mut chart =
        Chart::new("", &columns, "SELECT id, f(x) AS score FROM s WHERE 2.5 < f(x) EMIT CHANGES", &options).unwrap();
    chart.take(&batch(vec![
        ("ID", Arc::new(Int32Array::from(vec![1, 2]))),
        ("SCORE", Arc::new(StringArray::from(vec!["3.5", "1.5"]))),
    ]));
    let lines = chart.lines(None, None, Paint::plain());
    assert!(lines[0].starts_with("ID   SCORE"), "{lines:?}");
    assert!(lines[1].starts_with("1") && lines[1].ends_with("above") && lines[2].starts_with("2"), "{lines:?}");
}

#[test]
fn keys_beyond_the_terminal_are_counted_and_all_stand_in_the_table_at_the_end() {
    let mut chart = chart("SELECT * FROM s EMIT CHANGES", "");
    let names: Vec<String> = (0..20).map(|i| format!("k{i}")).collect();
    let rows: Vec<(&str, Option<f64>)> = names.iter().map(|name| (name.as_str(), Some(1.0))).collect();
    chart.take(&readings(&rows));
    let lines = chart.lines(Some(80), Some(8), Paint::plain());
    assert_eq!((lines.len(), lines[7].as_str()), (8, "… 14 more keys"));
    assert_eq!(chart.lines(Some(80), None, Paint::plain()).len(), 21);
}

#[test]
fn the_keys_that_are_silent_for_longest_are_let_go() {
    let mut chart = chart("SELECT * FROM s EMIT CHANGES", "");
    let names: Vec<String> = (0..KEYS_MAX + 1).map(|i| format!("k{i}")).collect();
    let rows: Vec<(&str, Option<f64>)> = names.iter().map(|name| (name.as_str(), Some(1.0))).collect();
    chart.take(&readings(&rows[..KEYS_MAX]));
    chart.take(&readings(&[("k0", Some(2.0))]));
    chart.take(&readings(&rows[KEYS_MAX..]));
    assert_eq!(chart.series.len(), KEYS_MAX - KEYS_MAX / 4 + 1);
    assert!(chart.by_key.contains_key(&Some("k0".to_string())) && !chart.by_key.contains_key(&Some("k1".to_string())));
    let lines = chart.lines(Some(80), None, Paint::plain());
    assert_eq!(lines.last().map(String::as_str), Some("… 250 more keys"));
}

#[test]
fn control_characters_and_nulls_of_keys_are_made_visible() {
    let columns = [column("K", SqlType::String, true), column("V", SqlType::Double, false)];
    let mut chart = Chart::new("", &columns, "", &ChartOptions::default()).unwrap();
    chart.take(&batch(vec![
        ("K", Arc::new(StringArray::from(vec![Some("a\x1b[2J"), None, Some("NULL")]))),
        ("V", Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]))),
    ]));
    let lines = chart.lines(None, None, Paint::plain());
    assert!(lines[1].starts_with("a\\u{1b}[2J") && lines[2].starts_with("NULL ") && lines[3].starts_with("'NULL'"));
}

#[test]
fn wrong_options_say_what_is_right() {
    assert!(ChartOptions::parse("x=1").unwrap_err().hint_text().is_some_and(|hint| hint.contains("threshold=NUMBER")));
    assert!(ChartOptions::parse("threshold=high").is_err());
    let named = |options: &str| Chart::new("", &sensors(), "", &ChartOptions::parse(options).unwrap()).err().unwrap();
    assert_eq!(named("value=sensorr").hint_text(), Some("Did you mean SENSOR?"));
    let columns = [column("A", SqlType::Boolean, false)];
    let error = Chart::new("", &columns, "", &ChartOptions::default()).err().unwrap();
    assert_eq!(error.message(), "the rows have no column of numbers for a chart");
}
