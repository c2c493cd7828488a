//! Rules of KAFKA and NONE, read and written.

use datafusion::arrow::array::types::{Float64Type, Int32Type, Int64Type};
use datafusion::arrow::array::{Array, AsArray};

use super::*;

fn key(ty: SqlType, records: &[&[u8]]) -> (ArrayRef, Vec<String>) {
    let schema = [Column::key("K", ty)];
    let (mut arrays, failures) = decode(Format::Kafka, &schema, FormatOptions::key(), &rows(records.iter().copied()));
    (arrays.remove(0), failures.into_iter().map(|failure| failure.message()).collect())
}

#[test]
fn numbers_are_big_endian_and_of_their_own_length() {
    let (ints, failures) = key(SqlType::Integer, &[&[0, 0, 1, 0], &[1], &[0xff; 4]]);
    assert_eq!(ints.as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [Some(256), None, Some(-1)]);
    assert_eq!(failures, ["expected 4 bytes, found 1 at $.K"]);
    let (longs, failures) = key(SqlType::Bigint, &[&7i64.to_be_bytes(), &[0; 4]]);
    assert_eq!(longs.as_primitive::<Int64Type>().value(0), 7);
    assert_eq!(failures, ["expected 8 bytes, found 4 at $.K"]);
    let (doubles, _) = key(SqlType::Double, &[&1.5f64.to_be_bytes()]);
    assert_eq!(doubles.as_primitive::<Float64Type>().value(0), 1.5);
}

#[test]
fn text_is_utf8_and_may_be_empty() {
    let (texts, failures) = key(SqlType::String, &["é".as_bytes(), b"", b"a\xff"]);
    assert_eq!(texts.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("é"), Some(""), Some("a\u{fffd}")]);
    assert_eq!(failures, [""; 0]);
}

#[test]
fn null_is_a_null_record() {
    let schema = columns([("A", SqlType::Bytes)]);
    let batch = rows([Some(&b"\x00\xff"[..]), None, Some(b"")]);
    let (arrays, failures) = decode(Format::Kafka, &schema, FormatOptions::default(), &batch);
    assert_eq!(failures, []);
    assert_eq!(arrays[0].null_count(), 1);
    let mut out = BytesColumn::new();
    let mut encoder = Encoder::new(Format::Kafka, &schema, FormatOptions::default()).expect("one column");
    encoder.encode(&arrays, 3, &mut out, &mut Vec::new()).expect("a column of the schema");
    assert_eq!(out, batch);
}

#[test]
fn no_columns_are_null_records_and_read_as_nothing() {
    let mut out = BytesColumn::new();
    for format in [Format::None, Format::Kafka] {
        let mut decoder = Decoder::new(format, &[], &[], FormatOptions::key()).expect("no columns");
        assert!(decoder.decode(&rows([&b"ignored"[..]]), &mut Vec::new()).expect("nothing").is_empty());
        let mut encoder = Encoder::new(format, &[], FormatOptions::key()).expect("no columns");
        out.clear();
        encoder.encode(&[], 2, &mut out, &mut Vec::new()).expect("nothing");
        assert_eq!(out, rows([None::<&[u8]>, None]));
    }
}
