//! JSON against another reader: `serde_json` says what a document is, a few lines here say what it means for a type.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};

use super::roundtrip::{nested, same, words};
use super::*;
use crate::types::java_double;
use crate::types::text::decimal::{self, Rounding};

/// What a value means in a column of a type, as the JSON that the column is written as.
fn meaning(value: &Value, ty: &SqlType) -> Result<Value, ()> {
    Ok(match (ty, value) {
        (_, Value::Null) => Value::Null,
        (SqlType::Boolean, Value::Bool(_)) => value.clone(),
        (SqlType::Integer, _) => json!(whole(value, |text| text.parse::<i32>().ok().map(i64::from))? as i32),
        (SqlType::Bigint | SqlType::Timestamp, _) => json!(whole(value, |text| text.parse().ok())?),
        (SqlType::Time, _) => json!(
            Some(whole(value, |text| text.parse().ok())?).filter(|time| (0..=86_400_000).contains(time)).ok_or(())?
        ),
        (SqlType::Date, _) => json!(i32::try_from(whole(value, |text| text.parse().ok())?).map_err(drop)?),
        (SqlType::Double, Value::Number(number)) => json!(number.as_f64().ok_or(())? + 0.0),
        (SqlType::Double, Value::String(text)) => {
            let text = text.trim_matches(|c| c <= ' ');
            if !text.bytes().all(|b| b"0123456789+-.eE".contains(&b)) {
                return Err(());
            }
            let number = text.parse::<f64>().map_err(drop)?;
            if number.is_finite() { json!(number) } else { json!(java_double::to_string(number)) }
        }
        (SqlType::Decimal(precision, scale), Value::Number(_) | Value::String(_)) => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
            let mut out = Vec::new();
            if *precision <= 38 {
                let unscaled: i128 =
                    decimal::parse(text.as_bytes(), *precision, *scale, Rounding::Exact).map_err(drop)?;
                decimal::write(unscaled, *scale, &mut out);
            } else {
                let unscaled: datafusion::arrow::datatypes::i256 =
                    decimal::parse(text.as_bytes(), *precision, *scale, Rounding::Exact).map_err(drop)?;
                decimal::write(unscaled, *scale, &mut out);
            }
            serde_json::from_slice(&out).map_err(drop)?
        }
        (SqlType::String, _) => Value::String(text_of(value)),
        (SqlType::Bytes, Value::String(text)) => {
            let lax = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
            let engine = GeneralPurpose::new(&STANDARD, lax);
            let (mut rest, mut bytes) = (text.trim_start_matches(|c| c <= ' ').as_bytes(), Vec::new());
            while let Some((group, after)) = rest.split_first_chunk::<4>() {
                bytes.extend(engine.decode(group).map_err(drop)?);
                rest = after.trim_ascii_start();
            }
            if !rest.is_empty() {
                return Err(());
            }
            Value::String(engine.encode(bytes))
        }
        (SqlType::Array(element), Value::Array(items)) => {
            Value::Array(items.iter().map(|item| meaning(item, element)).collect::<Result<_, _>>()?)
        }
        (SqlType::Map(_, item), Value::Object(entries)) => Value::Object(
            entries.iter().map(|(key, value)| Ok((key.clone(), meaning(value, item)?))).collect::<Result<_, _>>()?,
        ),
        (SqlType::Struct(fields), Value::Object(object)) => {
            let mut found = Map::new();
            for (name, ty) in fields {
                let folded =
                    || object.iter().filter(|(other, _)| other.to_uppercase() == *name).map(|(_, value)| value);
                let value = object.get(name).or_else(|| folded().next_back()).unwrap_or(&Value::Null);
                found.insert(name.clone(), meaning(value, ty)?);
            }
            Value::Object(found)
        }
        _ => return Err(()),
    })
}

fn whole(value: &Value, of_text: impl Fn(&str) -> Option<i64>) -> Result<i64, ()> {
    match value {
        Value::Number(number) => Ok(match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number,
            (_, Some(number)) => number as i64,
            // The generator keeps to numbers whose whole part is exact.
            _ => number.as_f64().ok_or(())?.trunc() as i64,
        }),
        Value::String(text) => of_text(text).ok_or(()),
        _ => Err(()),
    }
}

/// A value as text: compact JSON, but lists as Java prints them.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(text_of).collect::<Vec<_>>().join(", ")),
        Value::Object(_) => compact(value),
        _ => compact(value),
    }
}

fn compact(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => {
            let mut out = Vec::new();
            decimal::write_as_big_decimal(number.to_string().as_bytes(), &mut out);
            String::from_utf8(out).expect("digits")
        }
        Value::Array(items) => format!("[{}]", items.iter().map(compact).collect::<Vec<_>>().join(",")),
        Value::Object(object) => {
            let fields = object.iter().map(|(name, value)| {
                let mut text = b"\"".to_vec();
                super::super::json::escape(name.as_bytes(), &mut text);
                format!("{}\":{}", String::from_utf8(text).expect("UTF-8"), compact(value))
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::String(text) => {
            let mut out = b"\"".to_vec();
            super::super::json::escape(text.as_bytes(), &mut out);
            format!("{}\"", String::from_utf8(out).expect("UTF-8"))
        }
        _ => value.to_string(),
    }
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(|number| json!(number)),
        any::<u64>().prop_map(|number| json!(number)),
        (-1000i64..1000).prop_map(|number| json!(number)),
        (-9.0e15..9.0e15).prop_filter_map("a number", |number: f64| Some(Value::Number(Number::from_f64(number)?))),
        (-1000i32..1000, 0u32..6).prop_map(|(number, places)| json!(f64::from(number) / f64::from(10u32.pow(places)))),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => words(),
        2 => number().prop_map(|number| number.to_string()),
        1 => "[0-9+\\-.eE]{0,6}",
        1 => "[A-Za-z0-9+/]{0,6}={0,2}",
    ]
}

/// Any document.
fn document() -> impl Strategy<Value = Value> {
    let leaf =
        prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::Bool), number(), text().prop_map(Value::String),];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(words(), inner, 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// A document that fits a type for the most part.
fn nearly(ty: &SqlType) -> BoxedStrategy<Value> {
    let fitting = match ty {
        SqlType::Array(element) => prop::collection::vec(nearly(element), 0..4).prop_map(Value::Array).boxed(),
        SqlType::Map(_, item) => prop::collection::btree_map(words(), nearly(item), 0..4)
            .prop_map(|entries| Value::Object(entries.into_iter().collect()))
            .boxed(),
        SqlType::Struct(fields) => {
            let fields = fields.iter().map(|(name, ty)| {
                let name = prop_oneof![3 => Just(name.clone()), 1 => Just(name.to_lowercase())];
                prop::option::weighted(0.9, (name, nearly(ty)))
            });
            (fields.collect::<Vec<_>>(), prop::collection::btree_map(words(), document(), 0..2))
                .prop_map(|(fields, others)| {
                    Value::Object(others.into_iter().chain(fields.into_iter().flatten()).collect())
                })
                .boxed()
        }
        SqlType::Boolean => any::<bool>().prop_map(Value::Bool).boxed(),
        SqlType::String => prop_oneof![3 => text().prop_map(Value::String), 1 => document()].boxed(),
        SqlType::Bytes => "([A-Za-z0-9+/]{4}){0,3}([A-Za-z0-9+/]{2}==)?".prop_map(Value::String).boxed(),
        SqlType::Time => (0..=86_400_000).prop_map(|time: i32| json!(time)).boxed(),
        SqlType::Date => any::<i32>().prop_map(|date| json!(date)).boxed(),
        SqlType::Decimal(precision, scale) => {
            let digits = 10f64.powi((i32::from(precision - scale)).min(9));
            (0.0..digits).prop_map(|number| json!(number.floor())).boxed()
        }
        _ => prop_oneof![4 => number(), 1 => number().prop_map(|number| Value::String(number.to_string()))].boxed(),
    };
    prop_oneof![1 => Just(Value::Null), 12 => fitting, 1 => document()].boxed()
}

/// A document as text, spaced and escaped as `style` wants it.
fn printed(value: &Value, style: &mut u64, out: &mut String) {
    fn next(style: &mut u64, bound: u64) -> u64 {
        *style = style.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*style >> 33) % bound
    }
    fn space(style: &mut u64, out: &mut String) {
        out.push_str(["", "", "", " ", "\n", "\t \r"][next(style, 6) as usize]);
    }
    fn string(text: &str, style: &mut u64, out: &mut String) {
        out.push('"');
        for character in text.chars() {
            match (character, next(style, 8)) {
                ('"' | '\\' | '/', 1..) if character != '/' || next(style, 2) == 0 => {
                    out.push('\\');
                    out.push(character);
                }
                ('\0'..='\u{1f}' | '"' | '\\', _) | (_, 0) => {
                    for half in character.encode_utf16(&mut [0; 2]) {
                        let digits = format!("\\u{half:04x}");
                        out.push_str(&if next(style, 2) == 0 {
                            digits
                        } else {
                            digits.to_uppercase().replace("\\U", "\\u")
                        });
                    }
                }
                _ => out.push(character),
            }
        }
        out.push('"');
    }
    space(style, out);
    match value {
        Value::String(text) => string(text, style, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                printed(item, style, out);
            }
            space(style, out);
            out.push(']');
        }
        Value::Object(object) => {
            out.push('{');
            for (i, (name, item)) in object.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                space(style, out);
                string(name, style, out);
                space(style, out);
                out.push(':');
                printed(item, style, out);
            }
            space(style, out);
            out.push('}');
        }
        _ => out.push_str(&value.to_string()),
    }
    space(style, out);
}

/// A schema, and documents for it that fit for the most part.
fn batch() -> impl Strategy<Value = (Vec<Column>, Vec<Value>)> {
    prop::collection::vec(nested(), 1..5).prop_flat_map(|types| {
        let fields = types.iter().enumerate().map(|(i, ty)| (format!("F{i}"), ty.clone()));
        let record = nearly(&SqlType::Struct(fields.clone().collect()));
        let columns: Vec<Column> = fields.map(|(name, ty)| Column::value(name, ty)).collect();
        (Just(columns), prop::collection::vec(record, 1..6))
    })
}

fn text_rows(records: &[Value], mut style: u64) -> (Vec<String>, BytesColumn) {
    let texts: Vec<String> = records
        .iter()
        .map(|record| {
            let mut text = String::new();
            printed(record, &mut style, &mut text);
            text
        })
        .collect();
    let column = rows(texts.iter().map(|text| text.as_bytes()));
    (texts, column)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_document_means_what_another_reader_says((schema, records) in batch(), style in any::<u64>()) {
        let options = FormatOptions::default();
        let (texts, batch) = text_rows(&records, style);
        let whole = SqlType::Struct(schema.iter().map(|column| (column.name.clone(), column.ty.clone())).collect());
        let (arrays, failures) = decode(Format::Json, &schema, options, &batch);
        let written = encode(Format::Json, &schema, options, &arrays);
        for (row, text) in texts.iter().enumerate() {
            let document: Value = serde_json::from_str(text).expect("what is printed is JSON");
            prop_assert!(same(&document, &records[row]), "{}", text);
            let failed = failures.iter().any(|failure| failure.row == row);
            match meaning(&records[row], &whole) {
                Ok(expected) => {
                    prop_assert!(!failed, "{} {:?}", text, failures);
                    let found: Value = serde_json::from_str(written[row].as_deref().unwrap_or("null")).expect("what we write is JSON");
                    let expected = if expected.is_null() { json!({}) } else { expected };
                    prop_assert!(same(&found, &expected), "{}: found {}, expected {}", text, found, expected);
                }
                Err(()) => prop_assert!(failed, "{} read as {:?}", text, written[row]),
            }
        }
    }

    #[test]
    fn a_bare_document_means_the_same_as_a_field(ty in nested(), seed in any::<u64>(), documents in prop::collection::vec(document(), 1..5)) {
        let schema = [Column::value("F0", ty)];
        let wrapped: Vec<Value> = documents.iter().map(|document| json!({ "F0": document })).collect();
        let bare = FormatOptions { wrap_single_value: false, ..FormatOptions::default() };
        let (in_field, failed_in_field) = decode(Format::Json, &schema, FormatOptions::default(), &text_rows(&wrapped, seed).1);
        let (alone, failed_alone) = decode(Format::Json, &schema, bare, &text_rows(&documents, seed).1);
        let rows = |failures: &[Failure]| failures.iter().map(|failure| failure.row).collect::<Vec<_>>();
        prop_assert_eq!(rows(&failed_in_field), rows(&failed_alone));
        prop_assert_eq!(in_field, alone);
    }

    #[test]
    fn a_row_depends_neither_on_its_neighbours_nor_on_the_cut_nor_on_what_else_is_asked_for(
        (schema, records) in batch(),
        style in any::<u64>(),
        noise in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        wanted in prop::collection::vec(any::<bool>(), 5),
    ) {
        let options = FormatOptions::default();
        let mut texts: Vec<Vec<u8>> = text_rows(&records, style).0.into_iter().map(String::into_bytes).collect();
        for (record, at, byte) in noise {
            let at_record = record.index(texts.len());
            let record = &mut texts[at_record];
            let at = at.index(record.len());
            record[at] = byte;
        }
        // The same records twice: what was learnt from the first round must not change the second.
        texts.extend(texts.clone());
        let whole = rows(texts.iter().map(Vec::as_slice));
        let (arrays, failures) = decode(Format::Json, &schema, options, &whole);
        for (row, text) in texts.iter().enumerate() {
            let (alone, failed) = decode(Format::Json, &schema, options, &rows([text.as_slice()]));
            for (array, alone) in arrays.iter().zip(&alone) {
                prop_assert_eq!(&array.slice(row, 1), alone);
            }
            let here: Vec<String> = failures.iter().filter(|failure| failure.row == row).map(Failure::message).collect();
            prop_assert_eq!(here, failed.iter().map(Failure::message).collect::<Vec<_>>());
        }

        let wanted = &wanted[..schema.len()];
        let mut decoder = Decoder::new(Format::Json, &schema, wanted, options).expect("a schema JSON holds");
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(texts.len() + 1)).chain([texts.len()]).collect();
        ends.sort_unstable();
        let mut start = 0;
        for end in ends {
            let mut failed = Vec::new();
            let part = decoder.decode(&rows(texts[start..end].iter().map(Vec::as_slice)), &mut failed).expect("a small batch");
            prop_assert!(failed.iter().all(|failure| failures.iter().any(|other| other.row == start + failure.row)));
            let columns = arrays.iter().zip(wanted).filter(|(_, wanted)| **wanted).map(|(array, _)| array);
            for (whole, part) in columns.zip(&part) {
                for row in (start..end).filter(|row| failures.iter().all(|failure| failure.row != *row)) {
                    prop_assert_eq!(&whole.slice(row, 1), &part.slice(row - start, 1));
                }
            }
            start = end;
        }
    }
}
