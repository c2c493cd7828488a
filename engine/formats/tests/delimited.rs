//! Rules of DELIMITED, read and written.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::array::types::Int32Type;

use super::*;

fn value(ty: SqlType, record: &str) -> Result<String, String> {
    one(CSV, ty, FormatOptions::default(), record).map_err(|failure| failure.message())
}

/// A batch of text records, decoded and written again.
fn rewritten<const N: usize>(schema: [(&str, SqlType); N], records: &[&str]) -> Vec<Option<String>> {
    let schema = columns(schema);
    let batch = rows(records.iter().map(|record| record.as_bytes()));
    let (arrays, failures) = decode(CSV, &schema, FormatOptions::default(), &batch);
    assert_eq!(failures, []);
    encode(CSV, &schema, FormatOptions::default(), &arrays)
}

#[test]
fn the_demo_line_is_a_number_and_a_text() {
    let schema = columns([("EVENTID", SqlType::Integer), ("SENSORINPUT", SqlType::String)]);
    let (arrays, failures) = decode(CSV, &schema, FormatOptions::default(), &rows([&b"1,2.10# 2.13# 2.19"[..]]));
    assert_eq!(failures, []);
    assert_eq!(arrays[0].as_primitive::<Int32Type>().value(0), 1);
    assert_eq!(arrays[1].as_string::<i32>().value(0), "2.10# 2.13# 2.19");
}

#[test]
fn the_number_of_values_must_be_that_of_the_columns() {
    let schema = columns([("A", SqlType::Integer), ("B", SqlType::String)]);
    let batch = rows([&b"1,x"[..], b"2", b"3,x,y", b"4,", b"5,x,"]);
    let (arrays, failures) = decode(CSV, &schema, FormatOptions::default(), &batch);
    let messages: Vec<_> = failures.iter().map(|failure| (failure.row, failure.message())).collect();
    let expected = [
        (1, "expected 2 values, found 1 at $, byte 1"),
        (2, "expected 2 values, found 3 at $, byte 5"),
        (4, "expected 2 values, found 3 at $, byte 4"),
    ];
    assert_eq!(messages, expected.map(|(row, message)| (row, message.to_string())));
    assert_eq!(arrays[0].as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [Some(1), None, None, Some(4), None]);
    assert_eq!(arrays[1].as_string::<i32>().iter().collect::<Vec<_>>(), [Some("x"), None, None, None, None]);
}

#[test]
fn only_the_first_line_counts_and_empty_lines_before_it_do_not() {
    for record in ["x", "x\n", "x\r\n", "\r\n\nx\ny,z", "\"x\"\r\ny"] {
        assert_eq!(value(SqlType::String, record).as_deref(), Ok("x"), "{record:?}");
    }
    for record in ["", "\n", "\r\n\r\n"] {
        assert!(value(SqlType::String, record).expect_err("no line").contains("the record is empty"));
    }
}

#[test]
fn quotes_hold_delimiters_lines_and_doubled_quotes() {
    let schema = columns([("A", SqlType::String), ("B", SqlType::String)]);
    let batch = rows([
        &br#""a,b","c
d""#[..],
        br#""say ""hi""","" "#,
        br#" "x",y"z"#,
        br#""open,1"#,
        br#""x"y,1"#,
    ]);
    let (arrays, failures) = decode(CSV, &schema, FormatOptions::default(), &batch);
    let a: Vec<_> = arrays[0].as_string::<i32>().iter().collect();
    assert_eq!(a, [Some("a,b"), Some("say \"hi\""), Some(" \"x\""), None, None]);
    let b: Vec<_> = arrays[1].as_string::<i32>().iter().collect();
    assert_eq!(b, [Some("c\nd"), None, Some("y\"z"), None, None]);
    assert_eq!(failures.iter().map(|failure| failure.row).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn values_read_as_java_reads_them() {
    assert_eq!(value(SqlType::Integer, "\"22\"").as_deref(), Ok("22"));
    assert_eq!(value(SqlType::Double, " 1.5 ").as_deref(), Ok("1.5"));
    assert_eq!(value(SqlType::Boolean, "TRUE").as_deref(), Ok("true"));
    assert_eq!(value(SqlType::Boolean, "t").as_deref(), Ok("false"));
    assert_eq!(value(SqlType::Decimal(4, 2), ".12").as_deref(), Ok("0.12"));
    assert_eq!(value(SqlType::Timestamp, "0").as_deref(), Ok("1970-01-01 00:00:00.0"));
    assert_eq!(value(SqlType::Bytes, "ew==").as_deref(), Ok("ew=="));
    assert_eq!(value(SqlType::Date, "-10").as_deref(), Ok("1969-12-22"));
    assert_eq!(value(SqlType::Integer, " 1"), Err("the value is not a valid INTEGER at $.A, byte 0".to_string()));
    assert_eq!(
        value(SqlType::Decimal(4, 2), "1.234"),
        Err("the number has too many digits after the point for DECIMAL(4, 2) at $.A, byte 0".to_string())
    );
    assert!(value(SqlType::Time, "86400001").is_err());
}

#[test]
fn other_delimiters_take_the_commas_place() {
    let schema = columns([("A", SqlType::String), ("B", SqlType::Integer)]);
    for (name, record) in [(";", "a,b;1"), ("TAB", "a b\t1"), ("SPACE", "a\t \"1\"")] {
        let format = Format::from_sql("DELIMITED", Some(name)).expect("a delimiter");
        let (arrays, failures) = decode(format, &schema, FormatOptions::default(), &rows([record.as_bytes()]));
        assert_eq!(failures, []);
        assert_eq!(arrays[1].as_primitive::<Int32Type>().value(0), 1);
    }
}

#[test]
fn columns_that_are_not_wanted_are_counted_but_not_read() {
    let schema = columns([("A", SqlType::Integer), ("B", SqlType::Integer)]);
    let mut decoder = Decoder::new(CSV, &schema, &[false, true], FormatOptions::default()).expect("flat columns");
    let mut failures = Vec::new();
    let arrays = decoder.decode(&rows([Some(&b"x,2"[..]), None, Some(b"3")]), &mut failures).expect("a batch");
    assert_eq!(arrays.len(), 1);
    assert_eq!(arrays[0].as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [Some(2), None, None]);
    assert_eq!(failures.len(), 1);
}

#[test]
fn what_is_no_utf8_becomes_the_replacement_character() {
    let schema = columns([("A", SqlType::String), ("B", SqlType::Integer)]);
    let batch = rows([&b"ab\xff,1"[..], "é,2".as_bytes(), b"\xe2\x82,3", b"\"\xff\"\"\",4"]);
    let (arrays, failures) = decode(CSV, &schema, FormatOptions::default(), &batch);
    assert_eq!(failures, []);
    let texts: Vec<_> = arrays[0].as_string::<i32>().iter().flatten().collect();
    assert_eq!(texts, ["ab\u{fffd}", "é", "\u{fffd}", "\u{fffd}\""]);
    assert_eq!(arrays[1].as_primitive::<Int32Type>().values(), &[1, 2, 3, 4]);
}

#[test]
fn a_delimiter_may_be_any_character() {
    let schema = columns([("A", SqlType::String), ("B", SqlType::String), ("C", SqlType::Integer)]);
    let format = Format::Delimited { delimiter: 'é' };
    // `è` and `ö` share the first byte of `é`.
    let batch = rows(["aèéb é1".as_bytes(), "\"éö\"éöööööööööööööööööééé".as_bytes(), "xéyé2\nz".as_bytes()]);
    let (arrays, failures) = decode(format, &schema, FormatOptions::default(), &batch);
    assert_eq!(failures.iter().map(|failure| failure.row).collect::<Vec<_>>(), [1]);
    let a: Vec<_> = arrays[0].as_string::<i32>().iter().collect();
    assert_eq!(a, [Some("aè"), None, Some("x")]);
    assert_eq!(arrays[2].as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [Some(1), None, Some(2)]);
    let written = encode(format, &schema, FormatOptions::default(), &arrays);
    assert_eq!(written[0].as_deref(), Some("aèé\"b \"é1"), "a space at the end is quoted, `è` is not");
}

#[test]
fn base64_has_no_white_space_and_may_lack_its_padding() {
    assert_eq!(value(SqlType::Bytes, "Zm8").as_deref(), Ok("Zm8="));
    assert!(value(SqlType::Bytes, "Zm9v Zg==").is_err());
}

#[test]
fn quotes_are_written_where_the_first_value_or_a_reader_needs_them() {
    let decimals = rewritten([("V", SqlType::Decimal(33, 16))], &["-12345.12", ".12", "\"0\""]);
    assert_eq!(
        decimals,
        [
            Some("\"-12345.1200000000000000\"".to_string()),
            Some("0.1200000000000000".to_string()),
            Some("0.0000000000000000".to_string()),
        ]
    );
    let two = [("A", SqlType::Bigint), ("B", SqlType::Double)];
    assert_eq!(rewritten(two.clone(), &["-1,-1e10"]), [Some("\"-1\",-1.0E10".to_string())]);
    assert_eq!(rewritten(two, &[",4.9E-324"]), [Some(",4.9E-324".to_string())]);
    let texts = |record: &str| rewritten([("A", SqlType::String), ("B", SqlType::String)], &[record])[0].clone();
    for (record, written) in [
        ("a b,c d", "a b,c d"),
        ("\"a,b\",\"c\"\"d\"", "\"a,b\",\"c\"\"d\""),
        ("_a,_b", "\"_a\",_b"),
        ("é,é", "\"é\",é"),
        ("a ,b ", "\"a \",\"b \""),
        ("#a,#b", "\"#a\",\"#b\""),
        ("\"a\nb\",\"c\rd\"", "\"a\nb\",\"c\rd\""),
        (",", ","),
    ] {
        assert_eq!(texts(record).as_deref(), Some(written), "{record}");
    }
}

#[test]
fn empty_text_is_quoted_only_at_the_start_of_the_line() {
    let schema = columns([("A", SqlType::String), ("B", SqlType::String)]);
    let empty: ArrayRef = std::sync::Arc::new(datafusion::arrow::array::StringArray::from(vec![""]));
    let written = encode(CSV, &schema, FormatOptions::default(), &[empty.clone(), empty]);
    assert_eq!(written, [Some("\"\",".to_string())]);
}
