//! Rules of JSON, read and written.

use datafusion::arrow::array::types::{Float64Type, Int32Type};
use datafusion::arrow::array::{Array, AsArray};

use super::*;

const WRAPPED: FormatOptions = FormatOptions { wrap_single_value: true, is_key: false, takes_bare: false };
const BARE: FormatOptions = FormatOptions { wrap_single_value: false, is_key: false, takes_bare: false };
const EITHER: FormatOptions = FormatOptions { wrap_single_value: true, is_key: false, takes_bare: true };

fn bare(ty: SqlType, json: &str) -> Result<String, String> {
    one(Format::Json, ty, BARE, json).map_err(|failure| failure.message())
}

fn field(ty: SqlType, json: &str) -> Result<String, Failure> {
    one(Format::Json, ty, WRAPPED, json)
}

fn array(ty: SqlType) -> SqlType {
    SqlType::Array(Box::new(ty))
}

fn map(value: SqlType) -> SqlType {
    SqlType::Map(Box::new(SqlType::String), Box::new(value))
}

#[test]
fn fields_are_found_in_any_order_and_case_and_others_are_ignored() {
    let schema = columns([("ID", SqlType::Integer), ("NAME", SqlType::String), ("quoted", SqlType::Double)]);
    let records = rows([
        &br#"{"ID":1,"NAME":"a","quoted":1.5}"#[..],
        br#"{"quoted":2.5,"x":{"y":[1,{"z":"}"}]},"name":"b","id":2}"#,
        br#" { "Name" : "c" , "QUOTED" : 9 } "#,
        br#"{}"#,
        br#"{"ID":5,"NAME":"e","quoted":5.5} trailing bytes"#,
    ]);
    let (arrays, failures) = decode(Format::Json, &schema, WRAPPED, &records);
    assert_eq!(failures, []);
    let ids: Vec<_> = arrays[0].as_primitive::<Int32Type>().iter().collect();
    assert_eq!(ids, [Some(1), Some(2), None, None, Some(5)]);
    let names: Vec<_> = arrays[1].as_string::<i32>().iter().collect();
    assert_eq!(names, [Some("a"), Some("b"), Some("c"), None, Some("e")]);
    // A quoted lower-case name matches exactly only.
    let quoted: Vec<_> = arrays[2].as_primitive::<Float64Type>().iter().collect();
    assert_eq!(quoted, [Some(1.5), Some(2.5), None, None, Some(5.5)]);
}

#[test]
fn a_field_that_was_predicted_may_be_spaced_or_placed_otherwise_in_the_next_record() {
    let schema = columns([("A", SqlType::Integer), ("B", SqlType::Integer)]);
    let records = rows([
        &br#"{"a":1,"b":2}"#[..],
        br#"{"a":   3 , "b":4 }"#,
        br#"{"b":6,"a":5}"#,
        br#"{"ab":0,"a":7,"b":8}"#,
        br#"{"a":9,"bc":0}"#,
        br#"{"a":11"b":12}"#,
    ]);
    let (arrays, failures) = decode(Format::Json, &schema, WRAPPED, &records);
    assert_eq!(failures.iter().map(|failure| failure.row).collect::<Vec<_>>(), [5]);
    let values = |i: usize| arrays[i].as_primitive::<Int32Type>().iter().collect::<Vec<_>>();
    assert_eq!(values(0), [Some(1), Some(3), Some(5), Some(7), Some(9), None]);
    assert_eq!(values(1), [Some(2), Some(4), Some(6), Some(8), None, None]);
}

#[test]
fn structs_in_a_list_are_whole_again_after_a_record_that_failed_in_one() {
    let ty = array(SqlType::Struct(vec![("F".into(), SqlType::Integer), ("G".into(), SqlType::Integer)]));
    let schema = columns([("A", ty.clone())]);
    let records = rows([&br#"{"A":[{"F":1},{"G":2,"F":[]}]}"#[..], br#"{"A":[{"G":3},{"F":4,"G":5}]}"#]);
    let (arrays, failures) = decode(Format::Json, &schema, WRAPPED, &records);
    assert_eq!(failures.len(), 1);
    assert_eq!(text(&arrays[0], &ty, 1), "[Struct{G=3}, Struct{F=4,G=5}]");
}

#[test]
fn of_several_fields_for_one_column_the_exact_name_wins_else_the_last() {
    for (json, value) in [
        (r#"{"A":1,"A":2}"#, "2"),
        (r#"{"a":1,"A":2}"#, "2"),
        (r#"{"A":1,"a":2}"#, "1"),
        (r#"{"A":null,"a":2}"#, "null"),
        (r#"{"\u0061":3}"#, "3"),
    ] {
        assert_eq!(field(SqlType::Integer, json).as_deref(), Ok(value), "{json}");
    }
    let schema = columns([("a", SqlType::Integer), ("A", SqlType::Integer)]);
    let (arrays, _) = decode(Format::Json, &schema, WRAPPED, &rows([&br#"{"a":7}"#[..]]));
    assert_eq!(arrays[0].as_primitive::<Int32Type>().value(0), 7);
    assert_eq!(arrays[1].as_primitive::<Int32Type>().value(0), 7);
}

#[test]
fn a_bad_record_is_one_failure_and_its_neighbours_live() {
    let schema = columns([("X", SqlType::Integer), ("Y", SqlType::String)]);
    let good = br#"{"X":1,"Y":"ok"}"#;
    for bad in [
        &br#"{"X": }"#[..],
        br#"{"X":5"#,
        br#"hello"#,
        br#"{"X":"abc"}"#,
        br#"{"X":1,"Y":"half"#,
        br#"{"Y":"kept?","X":[1]}"#,
        br#"{"X":1,"other":[1,2}"#,
        br#"[1]"#,
        br#""#,
        b"{\"Y\":\"\xff\"}",
        b"{\"other\":\"\xff\"}",
        b"{\"Y\":\"tab\there\"}",
        br#"{"X":01}"#,
        br#"{"X":1,}"#,
        br#"{"Y":"\u12"}"#,
        br#"{"X":tru}"#,
    ] {
        let (arrays, failures) = decode(Format::Json, &schema, WRAPPED, &rows([good, bad, good]));
        let shown = String::from_utf8_lossy(bad);
        assert_eq!(failures.iter().map(|failure| failure.row).collect::<Vec<_>>(), [1], "{shown}");
        assert_eq!(
            arrays[0].as_primitive::<Int32Type>().iter().collect::<Vec<_>>(),
            [Some(1), None, Some(1)],
            "{shown}"
        );
        assert_eq!(arrays[1].as_string::<i32>().iter().collect::<Vec<_>>(), [Some("ok"), None, Some("ok")], "{shown}");
    }
}

#[test]
fn two_objects_in_one_record_are_one_row_of_the_first() {
    assert_eq!(field(SqlType::Integer, r#"{"A":1}{"A":2}"#).as_deref(), Ok("1"));
}

#[test]
fn failures_say_what_where_and_never_the_value() {
    let failure = field(SqlType::Integer, r#"{"A":"secret"}"#).expect_err("no integer");
    assert_eq!(failure.message(), "the text is not a valid INTEGER at $.A, byte 5");
    assert_eq!(failure.path(), "$.A");
    let nested = SqlType::Struct(vec![("B".into(), array(map(SqlType::Boolean)))]);
    let failure = field(nested, r#"{"A":{"b":[{},{"secret":1}]}}"#).expect_err("no boolean");
    assert_eq!(failure.message(), "expected BOOLEAN, found a number at $.A.B[1].*, byte 24");
    assert_eq!(field(SqlType::Integer, "[1]").expect_err("no object").path(), "$");
}

#[test]
fn the_word_null_where_an_object_is_expected_is_no_record() {
    let schema = columns([("A", SqlType::Integer)]);
    let batch = rows([None, Some(&b"null"[..]), Some(b" null "), Some(b"{}"), Some(b"nul")]);
    let nulls = |options: FormatOptions| {
        let mut decoder = Decoder::new(Format::Json, &schema, &[true], options).expect("JSON");
        let mut failures = Vec::new();
        let arrays = decoder.decode(&batch, &mut failures).expect("a batch");
        assert_eq!(failures.last().map(|failure| failure.row), Some(4));
        assert_eq!(arrays[0].null_count(), 5);
        decoder.null_records().to_vec()
    };
    assert_eq!(nulls(WRAPPED), [1, 2]);
    assert_eq!(nulls(EITHER), [1, 2]);
    // Where the value is bare, it is the value that is null.
    assert_eq!(nulls(BARE), [0; 0]);
}

#[test]
fn a_single_column_takes_a_bare_value_where_nobody_said_that_it_is_wrapped() {
    let either = |ty: SqlType, json: &str| one(Format::Json, ty, EITHER, json).map_err(|failure| failure.message());
    for (ty, json, value) in [
        (SqlType::Double, "23.5", "23.5"),
        (SqlType::Double, r#" {"a": 23.5}"#, "23.5"),
        (SqlType::Double, r#""23.5""#, "23.5"),
        (SqlType::String, r#""on""#, "on"),
        (SqlType::Boolean, "true", "true"),
        (array(SqlType::Integer), "[1,null]", "[1, null]"),
        // An object is always the record.
        (map(SqlType::Integer), r#"{"A":{"x":1}}"#, "{x=1}"),
        (map(SqlType::Integer), r#"{"x":1}"#, "null"),
    ] {
        assert_eq!(either(ty, json).as_deref(), Ok(value), "{json}");
    }
    assert!(either(SqlType::Double, "23.5x").expect_err("no number").contains("the end of the number"));
    assert!(either(SqlType::Double, "").expect_err("nothing").contains("empty"));
    assert!(field(SqlType::Double, "23.5").expect_err("wrapped").message().contains("expected an object"));
    let schema = columns([("A", SqlType::Double)]);
    let mut decoder = Decoder::new(Format::Json, &schema, &[false], EITHER).expect("JSON");
    let mut failures = Vec::new();
    assert!(decoder.decode(&rows([&b"1"[..], b"2x", b"{}"]), &mut failures).expect("nothing is wanted").is_empty());
    assert_eq!(failures.iter().map(|failure| failure.row).collect::<Vec<_>>(), [1]);
    let two = columns([("A", SqlType::Double), ("B", SqlType::Double)]);
    assert_eq!(decode(Format::Json, &two, EITHER, &rows([&b"1"[..]])).1.len(), 1, "of which column would it be?");
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    assert_eq!(field(SqlType::Integer, "\u{feff}{\"A\":1}").as_deref(), Ok("1"));
    assert_eq!(bare(SqlType::Integer, "\u{feff} 1").as_deref(), Ok("1"));
    assert!(field(SqlType::Integer, " \u{feff}{\"A\":1}").is_err());
}

#[test]
fn halves_of_a_character_in_two_records_are_no_character() {
    let schema = columns([("A", SqlType::String)]);
    let batch = rows([&b"\"x\xc3"[..], b"\xa9\"", "\"é\"".as_bytes()]);
    let (arrays, failures) = decode(Format::Json, &schema, BARE, &batch);
    assert_eq!(failures.iter().map(|failure| failure.row).collect::<Vec<_>>(), [0, 1]);
    assert!(failures.iter().all(|failure| failure.message().contains("not UTF-8")));
    assert_eq!(arrays[0].as_string::<i32>().iter().collect::<Vec<_>>(), [None, None, Some("é")]);
}

#[test]
fn numbers_narrow_as_java_narrows_them() {
    for (json, value) in [
        ("2147483648", "-2147483648"),
        ("1.9", "1"),
        ("-1.9", "-1"),
        ("1e3", "1000"),
        ("123e-1", "12"),
        ("1e-400", "0"),
        ("1e400", "0"),
        ("18446744073709551617", "1"),
        ("-0", "0"),
        (r#""-12""#, "-12"),
    ] {
        assert_eq!(bare(SqlType::Integer, json).as_deref(), Ok(value), "{json}");
    }
    assert_eq!(bare(SqlType::Bigint, "9223372036854775808").as_deref(), Ok("-9223372036854775808"));
    assert_eq!(bare(SqlType::Bigint, "998877665544332211").as_deref(), Ok("998877665544332211"));
    for bad in
        ["true", "[]", "{}", r#""""#, r#"" 1""#, r#""1.0""#, r#""2147483648""#, "1x", "-", "+1", ".5", "1.", "NaN"]
    {
        assert!(bare(SqlType::Integer, bad).is_err(), "{bad}");
    }
}

#[test]
fn doubles_read_exactly_and_from_text() {
    for (json, value) in [
        ("21.5", "21.5"),
        ("1", "1.0"),
        ("0.1", "0.1"),
        ("-0.0", "0.0"),
        ("1e400", "Infinity"),
        ("123456789012345678901234567890", "1.2345678901234568E29"),
        ("4.9E-324", "4.9E-324"),
        (r#""NaN""#, "NaN"),
        (r#"" -Infinity ""#, "-Infinity"),
        (r#""1e3""#, "1000.0"),
    ] {
        assert_eq!(bare(SqlType::Double, json).as_deref(), Ok(value), "{json}");
    }
}

#[test]
fn decimals_must_fit_without_rounding() {
    let decimal = |json: &str| bare(SqlType::Decimal(4, 2), json);
    for (json, value) in [
        ("10.1", "10.10"),
        ("-0.5", "-0.50"),
        ("1e1", "10.00"),
        (r#""3.10""#, "3.10"),
        ("1.100000000000000000000", "1.10"),
    ] {
        assert_eq!(decimal(json).as_deref(), Ok(value), "{json}");
    }
    assert!(decimal("100").expect_err("too large").contains("too many digits before the point for DECIMAL(4, 2)"));
    assert!(decimal("1.001").expect_err("too fine").contains("too many digits after the point"));
    assert!(decimal(r#""x""#).expect_err("no number").contains("is not a decimal number"));
    let wide = SqlType::Decimal(50, 2);
    assert_eq!(
        bare(wide, "123456789012345678901234567890123456789012.5").as_deref(),
        Ok("123456789012345678901234567890123456789012.50")
    );
}

#[test]
fn text_columns_take_any_value() {
    for (json, value) in [
        (r#""a\"b""#, "a\"b"),
        (r#""\ud83d\ude00""#, "😀"),
        ("10.10", "10.10"),
        ("true", "true"),
        (r#"{"a" : 1e3}"#, r#"{"a":1E+3}"#),
        (r#"[1,"b",null]"#, "[1, b, null]"),
        ("", ""),
    ] {
        assert_eq!(bare(SqlType::String, json).as_deref(), Ok(value), "{json}");
    }
    assert_eq!(bare(array(SqlType::String), "[1,2,3]").as_deref(), Ok("[1, 2, 3]"));
}

#[test]
fn booleans_are_only_booleans() {
    assert_eq!(bare(SqlType::Boolean, "true").as_deref(), Ok("true"));
    for bad in [r#""true""#, "1", "[]", "trueish"] {
        assert!(bare(SqlType::Boolean, bad).is_err(), "{bad}");
    }
}

#[test]
fn times_are_numbers_within_their_range() {
    assert_eq!(bare(SqlType::Time, "5000").as_deref(), Ok("00:00:05"));
    assert_eq!(bare(SqlType::Time, r#""5000""#).as_deref(), Ok("00:00:05"));
    assert!(bare(SqlType::Time, "86400001").expect_err("no time").contains("out of the range of TIME"));
    assert!(bare(SqlType::Time, "-1").is_err());
    assert_eq!(bare(SqlType::Date, "18383").as_deref(), Ok("2020-05-01"));
    assert!(bare(SqlType::Date, "99999999999").is_err());
    assert_eq!(bare(SqlType::Timestamp, "0").as_deref(), Ok("1970-01-01 00:00:00.0"));
}

#[test]
fn bytes_are_base64() {
    // The text of bytes is their Base64.
    assert_eq!(bare(SqlType::Bytes, r#""dmFyaWF0aW9ucw==""#).as_deref(), Ok("dmFyaWF0aW9ucw=="));
    assert_eq!(bare(SqlType::Bytes, r#""\u0064mFyaWF0aW9ucw==""#).as_deref(), Ok("dmFyaWF0aW9ucw=="));
    assert_eq!(bare(SqlType::Bytes, "\"ew==\\r\\new==\"").as_deref(), Ok("e3s="));
    assert!(bare(SqlType::Bytes, r#""ew""#).is_err());
    assert!(bare(SqlType::Bytes, r#""*""#).is_err());
    assert!(bare(SqlType::Bytes, "1").is_err());
}

#[test]
fn nested_values_keep_nulls_and_their_shape() {
    let record = SqlType::Struct(vec![("F".into(), SqlType::Double), ("G".into(), array(SqlType::Integer))]);
    assert_eq!(bare(record.clone(), r#"{"g":[1,null],"f":45.67,"h":0}"#).as_deref(), Ok("Struct{F=45.67,G=[1, null]}"));
    assert_eq!(bare(record.clone(), "{}").as_deref(), Ok("Struct{}"));
    assert_eq!(
        bare(array(record.clone()), r#"[{"F":1},null,{"G":[]}]"#).as_deref(),
        Ok("[Struct{F=1.0}, null, Struct{G=[]}]")
    );
    assert_eq!(
        bare(map(array(SqlType::Boolean)), r#"{"a":[true],"b":null,"c":[]}"#).as_deref(),
        Ok("{a=[true], b=null, c=[]}")
    );
    for (ty, bad) in [
        (array(SqlType::Integer), "{}"),
        (map(SqlType::Integer), "[]"),
        (record, r#""text""#),
        (array(SqlType::Integer), "[1"),
    ] {
        assert!(bare(ty, bad).is_err(), "{bad}");
    }
}

#[test]
fn of_equal_keys_in_a_map_the_last_wins() {
    assert_eq!(bare(map(SqlType::Integer), r#"{"a":1,"b":2,"\u0061":3}"#).as_deref(), Ok("{b=2, a=3}"));
    let many: String = (0..50).map(|i| format!("\"k{}\":{i},", i % 7)).collect();
    let text = bare(map(SqlType::Integer), &format!("{{{}}}", many.trim_end_matches(','))).expect("a map");
    assert_eq!(text, "{k1=43, k2=44, k3=45, k4=46, k5=47, k6=48, k0=49}");
}

#[test]
fn nesting_is_bounded() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(bare(SqlType::String, &deep(200)).is_ok());
    assert!(bare(SqlType::String, &deep(100_000)).expect_err("too deep").contains("nested deeper than 256"));
    assert!(field(SqlType::Integer, &format!(r#"{{"x":{}}}"#, deep(100_000))).is_err());
}

#[test]
fn only_wanted_columns_come_out_and_only_they_are_checked() {
    let schema = columns([("A", SqlType::Integer), ("B", SqlType::Integer), ("C", SqlType::Integer)]);
    let mut decoder = Decoder::new(Format::Json, &schema, &[true, false, true], WRAPPED).expect("JSON");
    let mut failures = Vec::new();
    let batch = rows([&br#"{"A":1,"B":"no number","C":3}"#[..]]);
    let arrays = decoder.decode(&batch, &mut failures).expect("a batch");
    assert_eq!(failures, []);
    let values: Vec<_> = arrays.iter().map(|array| array.as_primitive::<Int32Type>().value(0)).collect();
    assert_eq!(values, [1, 3]);
}

#[test]
fn a_decoder_starts_each_batch_afresh() {
    let schema = columns([("A", SqlType::String), ("B", array(SqlType::Integer))]);
    let mut decoder = Decoder::new(Format::Json, &schema, &[true, true], WRAPPED).expect("JSON");
    for batch in 0..3 {
        let json = format!(r#"{{"A":"{batch}","B":[{batch}]}}"#);
        let arrays = decoder.decode(&rows([json.as_bytes(), b"{", b"{}"]), &mut Vec::new()).expect("a batch");
        assert_eq!(text(&arrays[0], &SqlType::String, 0), batch.to_string());
        assert_eq!(text(&arrays[1], &schema[1].ty, 0), format!("[{batch}]"));
        assert_eq!((arrays[0].len(), arrays[0].null_count()), (3, 2));
    }
}

#[test]
fn single_keys_are_bare_and_several_are_an_object() {
    let one = [Column::key("K", SqlType::Integer)];
    let (arrays, _) = decode(Format::Json, &one, FormatOptions::key(), &rows([&b"33"[..]]));
    assert_eq!(arrays[0].as_primitive::<Int32Type>().value(0), 33);
    let two = [Column::key("K1", SqlType::Integer), Column::key("K2", SqlType::String)];
    let (arrays, failures) = decode(Format::Json, &two, FormatOptions::key(), &rows([&br#"{"k1":1,"K2":"x"}"#[..]]));
    assert_eq!(failures, []);
    assert_eq!(encode(Format::Json, &two, FormatOptions::key(), &arrays), [Some(r#"{"K1":1,"K2":"x"}"#.to_string())]);
}

#[test]
fn every_column_is_written_in_jacksons_manner() {
    let schema = columns([
        ("B", SqlType::Boolean),
        ("D", SqlType::Double),
        ("E", SqlType::Decimal(6, 4)),
        ("S", SqlType::String),
        ("Y", SqlType::Bytes),
        ("a \"b\"", SqlType::Integer),
        ("M", map(array(SqlType::Integer))),
        ("R", SqlType::Struct(vec![("F".into(), SqlType::Date), ("G".into(), SqlType::String)])),
    ]);
    let records = rows([
        &br#"{"B":true,"D":1e10,"E":10.0,"S":"a\"\\\/\n\u0001\u00e9","Y":"ew==","a \"b\"":-1,"M":{"k":[1,null],"l":null},"R":{"F":1}}"#[..],
        br#"{"D":"NaN"}"#,
    ]);
    let (arrays, failures) = decode(Format::Json, &schema, WRAPPED, &records);
    assert_eq!(failures, []);
    let written = encode(Format::Json, &schema, WRAPPED, &arrays);
    assert_eq!(
        written[0].as_deref(),
        Some(
            r#"{"B":true,"D":1.0E10,"E":10.0000,"S":"a\"\\/\n\u0001é","Y":"ew==","a \"b\"":-1,"M":{"k":[1,null],"l":null},"R":{"F":1,"G":null}}"#
        )
    );
    assert_eq!(
        written[1].as_deref(),
        Some(r#"{"B":null,"D":"NaN","E":null,"S":null,"Y":null,"a \"b\"":null,"M":null,"R":null}"#)
    );
}

#[test]
fn a_bare_null_is_a_null_record_and_a_wrapped_one_is_not() {
    let schema = columns([("A", SqlType::Integer)]);
    let (arrays, _) = decode(Format::Json, &schema, BARE, &rows([Some(&b"1"[..]), None]));
    assert_eq!(encode(Format::Json, &schema, BARE, &arrays), [Some("1".to_string()), None]);
    let wrapped = encode(Format::Json, &schema, WRAPPED, &arrays);
    assert_eq!(wrapped, [Some(r#"{"A":1}"#.to_string()), Some(r#"{"A":null}"#.to_string())]);
}

/// Records that differ by an edit or two, in one batch: whatever was learnt from one must not show in another.
#[test]
fn in_a_flood_of_damaged_records_each_is_read_as_if_it_were_alone() {
    let schema = columns([
        ("ID", SqlType::Bigint),
        ("TEMP", SqlType::Double),
        ("NOTE", SqlType::String),
        ("TAGS", map(array(SqlType::Integer))),
        ("AT", SqlType::Struct(vec![("X".into(), SqlType::Decimal(9, 3)), ("Y".into(), SqlType::Bytes)])),
    ]);
    let good = r#"{"id":17,"temp":-2.5e1,"note":"a \"b\" é","x":[1,{"y":null}],"tags":{"k":[1,null]},"at":{"x":1.5,"y":"ew=="}}"#;
    let mut state = 7u64;
    let mut random = move |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let alphabet = b"{}[]\",:\\u0n-e. \xffdtf9\x00\n";
    let records: Vec<Vec<u8>> = (0..4000)
        .map(|_| {
            let mut record = good.as_bytes().to_vec();
            for _ in 0..random(3) {
                let at = random(record.len());
                match random(4) {
                    0 => record.truncate(at),
                    1 => drop(record.remove(at)),
                    2 => record.insert(at, alphabet[random(alphabet.len())]),
                    _ => record[at] = alphabet[random(alphabet.len())],
                }
                if record.is_empty() {
                    break;
                }
            }
            record
        })
        .collect();
    let (arrays, failures) = decode(Format::Json, &schema, WRAPPED, &rows(records.iter().map(Vec::as_slice)));
    let mut failures = failures.iter().peekable();
    let (mut good, mut bad) = (0, 0);
    for (row, record) in records.iter().enumerate() {
        let (alone, failed) = decode(Format::Json, &schema, WRAPPED, &rows([record.as_slice()]));
        let here = failures.next_if(|failure| failure.row == row);
        assert_eq!(
            here.map(Failure::message),
            failed.first().map(Failure::message),
            "{}",
            String::from_utf8_lossy(record)
        );
        for (array, alone) in arrays.iter().zip(&alone) {
            assert_eq!(&array.slice(row, 1), alone, "{}", String::from_utf8_lossy(record));
        }
        *(if here.is_some() { &mut bad } else { &mut good }) += 1;
    }
    assert!(good > 1000 && bad > 1000, "{good} {bad}: both must be there");
}
