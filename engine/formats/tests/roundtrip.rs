//! Properties: what was written reads back the same, and no bytes at all can do harm.

use std::sync::Arc;

use datafusion::arrow::array::{Array, BinaryArray, Float64Array, Int32Array, Int64Array, StringArray};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Types without parts.
pub(super) fn flat() -> impl Strategy<Value = SqlType> {
    prop_oneof![
        Just(SqlType::Boolean),
        Just(SqlType::Integer),
        Just(SqlType::Bigint),
        Just(SqlType::Double),
        (1u8..=76)
            .prop_flat_map(|precision| (Just(precision), 0..=precision))
            .prop_map(|(precision, scale)| SqlType::Decimal(precision, scale)),
        Just(SqlType::String),
        Just(SqlType::Bytes),
        Just(SqlType::Time),
        Just(SqlType::Date),
        Just(SqlType::Timestamp),
    ]
}

pub(super) fn nested() -> impl Strategy<Value = SqlType> {
    flat().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|ty| SqlType::Array(Box::new(ty))),
            inner.clone().prop_map(|ty| SqlType::Map(Box::new(SqlType::String), Box::new(ty))),
            prop::collection::vec(inner, 0..4).prop_map(|types| {
                SqlType::Struct(types.into_iter().enumerate().map(|(i, ty)| (format!("F{i}"), ty)).collect())
            }),
        ]
    })
}

/// Text that is not empty: in DELIMITED empty text is null.
pub(super) fn words() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{1,12}", "\\PC{1,6}", "[\"\\\\,\n\r\t #]{1,6}"]
}

/// JSON of a value of the type, or `null`.
fn value(ty: &SqlType) -> BoxedStrategy<String> {
    let present = match ty {
        SqlType::Boolean => any::<bool>().prop_map(|value| value.to_string()).boxed(),
        SqlType::Integer | SqlType::Date => any::<i32>().prop_map(|value| value.to_string()).boxed(),
        SqlType::Bigint | SqlType::Timestamp => any::<i64>().prop_map(|value| value.to_string()).boxed(),
        SqlType::Time => (0..=86_400_000).prop_map(|value: i32| value.to_string()).boxed(),
        SqlType::Double => prop::num::f64::NORMAL.prop_map(|value| format!("{value:e}")).boxed(),
        SqlType::Decimal(precision, scale) => {
            let (whole, fraction) = (usize::from(precision - scale), usize::from(*scale));
            (any::<bool>(), prop::collection::vec(0u8..10, whole), prop::collection::vec(0u8..10, fraction))
                .prop_map(|(negative, whole, fraction)| {
                    let digits =
                        |digits: &[u8]| digits.iter().map(|&digit| char::from(b'0' + digit)).collect::<String>();
                    let whole = digits(&whole);
                    let whole = Some(whole.trim_start_matches('0')).filter(|whole| !whole.is_empty()).unwrap_or("0");
                    let (sign, point) = (if negative { "-" } else { "" }, if fraction.is_empty() { "" } else { "." });
                    format!("{sign}{whole}{point}{}", digits(&fraction))
                })
                .boxed()
        }
        SqlType::String => words().prop_map(|text| Value::String(text).to_string()).boxed(),
        SqlType::Bytes => prop::collection::vec(any::<u8>(), 1..9)
            .prop_map(|bytes| {
                let mut text = Vec::new();
                crate::types::text::base64::encode(&bytes, &mut text);
                format!("\"{}\"", String::from_utf8_lossy(&text))
            })
            .boxed(),
        SqlType::Array(element) => {
            prop::collection::vec(value(element), 0..4).prop_map(|items| format!("[{}]", items.join(", "))).boxed()
        }
        SqlType::Map(_, item) => prop::collection::btree_map(words(), value(item), 0..4)
            .prop_map(|entries| {
                let entries = entries.into_iter().map(|(key, item)| format!("{}:{item}", Value::String(key)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
            })
            .boxed(),
        SqlType::Struct(fields) => fields
            .iter()
            .map(|(name, ty)| {
                value(ty).prop_map({
                    let name = name.clone();
                    move |value| format!("\"{name}\":{value}")
                })
            })
            .collect::<Vec<_>>()
            .prop_map(|fields| format!("{{{}}}", fields.join(" , ")))
            .boxed(),
    };
    prop_oneof![1 => Just("null".to_string()), 6 => present].boxed()
}

/// A schema of value columns, and some records of it as JSON objects.
fn batch(ty: impl Strategy<Value = SqlType> + 'static) -> impl Strategy<Value = (Vec<Column>, Vec<String>)> {
    prop::collection::vec(ty, 2..5).prop_flat_map(|types| {
        let record =
            value(&SqlType::Struct(types.iter().enumerate().map(|(i, ty)| (format!("F{i}"), ty.clone())).collect()))
                .prop_map(|record| if record == "null" { "{}".to_string() } else { record });
        let columns: Vec<_> = types.into_iter().enumerate().map(|(i, ty)| Column::value(format!("F{i}"), ty)).collect();
        (Just(columns), prop::collection::vec(record, 0..6))
    })
}

/// Whether two JSON values are the same; whole numbers exactly, others to twelve digits, a missing field is null.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if a.is_i64() && b.is_i64() => a == b,
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            a == b || (a - b).abs() <= 1e-12 * a.abs()
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            let half = |a: &serde_json::Map<_, _>, b: &serde_json::Map<String, Value>| {
                a.iter().all(|(name, value)| same(value, b.get(name).unwrap_or(&Value::Null)))
            };
            half(a, b) && half(b, a)
        }
        _ => a == b,
    }
}

fn bytes_of(rows: &[Option<String>]) -> BytesColumn {
    super::rows(rows.iter().map(|row| row.as_ref().map(String::as_bytes)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn json_survives_and_another_reader_agrees((schema, records) in batch(nested())) {
        let options = FormatOptions::default();
        let (arrays, failures) = decode(Format::Json, &schema, options, &rows(records.iter().map(|record| record.as_bytes())));
        prop_assert_eq!(failures, []);
        let written = encode(Format::Json, &schema, options, &arrays);
        for (record, written) in records.iter().zip(&written) {
            let ours: Value = serde_json::from_str(written.as_deref().unwrap_or("null")).expect("what we write is JSON");
            let theirs: Value = serde_json::from_str(record).expect("the generator writes JSON");
            prop_assert!(same(&ours, &theirs), "{} {}", record, ours);
        }
        let (again, failures) = decode(Format::Json, &schema, options, &bytes_of(&written));
        prop_assert_eq!(failures, []);
        prop_assert_eq!(arrays, again);
    }

    #[test]
    fn delimited_survives((schema, records) in batch(flat()), delimiter in prop::sample::select(vec![',', ';', '|', '\t', ' ', 'x', '1', '-', '.', '=', '#', '\u{1}', 'é', '¦', '\u{ffff}'])) {
        let options = FormatOptions::default();
        let (arrays, _) = decode(Format::Json, &schema, options, &rows(records.iter().map(|record| record.as_bytes())));
        let format = Format::Delimited { delimiter };
        let written = encode(format, &schema, options, &arrays);
        let (again, failures) = decode(format, &schema, options, &bytes_of(&written));
        prop_assert_eq!(failures, []);
        prop_assert_eq!(arrays, again);
    }

    #[test]
    fn kafka_survives(
        numbers in prop::collection::vec(prop::option::of(any::<i64>()), 0..9),
        texts in prop::collection::vec(prop::option::of(any::<String>()), 0..9),
        bytes in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..9)), 0..9),
    ) {
        let integers: Int32Array = numbers.iter().map(|number| number.map(|number| number as i32)).collect();
        let doubles: Float64Array = numbers.iter().map(|number| number.map(|bits| f64::from_bits(bits as u64))).collect();
        let cases: [(SqlType, ArrayRef); 5] = [
            (SqlType::Integer, Arc::new(integers)),
            (SqlType::Bigint, Arc::new(Int64Array::from(numbers))),
            (SqlType::Double, Arc::new(doubles)),
            (SqlType::String, Arc::new(StringArray::from(texts))),
            (SqlType::Bytes, Arc::new(bytes.iter().map(Option::as_deref).collect::<BinaryArray>())),
        ];
        for (ty, array) in cases {
            for options in [FormatOptions::key(), FormatOptions::default()] {
                let schema = [Column::key("K", ty.clone())];
                let mut encoder = Encoder::new(Format::Kafka, &schema, options).expect("one column");
                let mut out = BytesColumn::new();
                encoder.encode(&[Arc::clone(&array)], array.len(), &mut out, &mut Vec::new()).expect("a column of the schema");
                let (again, failures) = decode(Format::Kafka, &schema, options, &out);
                prop_assert_eq!(failures, []);
                // Every NaN is one, whatever its bits are.
                let (before, after) = (array.to_data(), again[0].to_data());
                prop_assert_eq!(before.buffers(), after.buffers());
                prop_assert_eq!(array.logical_nulls(), again[0].logical_nulls());
            }
        }
    }

    #[test]
    fn keys_of_one_column_and_of_several_survive((schema, records) in batch(nested())) {
        let whole: Vec<Column> = schema.iter().map(|column| Column::key(column.name.clone(), column.ty.clone())).collect();
        let whole: Vec<Column> = whole.into_iter().filter(|column| Format::Json.check_keys(std::slice::from_ref(column)).is_ok()).collect();
        let values: Vec<Column> = whole.iter().map(|column| Column::value(column.name.clone(), column.ty.clone())).collect();
        let (arrays, _) = decode(Format::Json, &values, FormatOptions::default(), &rows(records.iter().map(|record| record.as_bytes())));
        for count in [1, whole.len()].into_iter().filter(|count| *count <= whole.len()) {
            let (keys, arrays) = (&whole[..count], &arrays[..count]);
            let written = encode(Format::Json, keys, FormatOptions::key(), arrays);
            let (again, failures) = decode(Format::Json, keys, FormatOptions::key(), &bytes_of(&written));
            prop_assert_eq!(failures, []);
            prop_assert_eq!(arrays, again);
        }
    }

    #[test]
    fn bare_json_survives(ty in nested(), seed in any::<prop::sample::Index>(), records in prop::collection::vec(words(), 3)) {
        // Whatever these records are for the type, what was read once reads the same again.
        let schema = [Column::value("V", ty)];
        let options = FormatOptions { wrap_single_value: false, ..FormatOptions::default() };
        let json = Value::String(records[seed.index(3)].clone()).to_string();
        let (arrays, _) = decode(Format::Json, &schema, options, &rows([json.as_bytes()]));
        let written = encode(Format::Json, &schema, options, &arrays);
        let (again, failures) = decode(Format::Json, &schema, options, &bytes_of(&written));
        prop_assert_eq!(failures, []);
        prop_assert_eq!(arrays, again);
    }

    #[test]
    fn no_bytes_harm_a_decoder_or_the_rows_beside_them(
        (schema, records) in batch(nested()),
        noise in prop::collection::vec(any::<u8>(), 0..40),
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(&b"{}[]\",:\\u0n-e. \xff"[..])), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let options = FormatOptions::default();
        let good = records.first().map_or("{}", String::as_str).as_bytes();
        let mut bad = records.last().map_or("{}", String::as_str).as_bytes().to_vec();
        for (at, byte) in edits {
            let at = at.index(bad.len());
            bad[at] = byte;
        }
        bad.truncate(cut.index(bad.len() + 1));
        for bad in [bad, noise] {
            let (arrays, failures) = decode(Format::Json, &schema, options, &rows([good, bad.as_slice(), good]));
            let (alone, _) = decode(Format::Json, &schema, options, &rows([good]));
            prop_assert!(failures.len() <= 1 && failures.iter().all(|failure| failure.row == 1));
            for (array, alone) in arrays.iter().zip(&alone) {
                prop_assert_eq!(&array.slice(0, 1), alone);
                prop_assert_eq!(&array.slice(2, 1), alone);
                prop_assert!(failures.is_empty() || array.is_null(1));
            }
            for ty in [SqlType::String, SqlType::Double, SqlType::Bytes, SqlType::Bigint] {
                let flat = [Column::value("A", ty.clone())];
                let _ = decode(CSV, &flat, options, &rows([bad.as_slice()]));
                let _ = decode(Format::Kafka, &flat, options, &rows([bad.as_slice()]));
                let _ = decode(Format::Json, &flat, FormatOptions::key(), &rows([bad.as_slice()]));
            }
            let two = columns([("A", SqlType::String), ("B", SqlType::Decimal(10, 2))]);
            let _ = decode(CSV, &two, options, &rows([bad.as_slice()]));
        }
    }
}
