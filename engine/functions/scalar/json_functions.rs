//! Functions over JSON in texts: `EXTRACTJSONFIELD`, `IS_JSON_STRING`, `JSON_ARRAY_CONTAINS` and their kin.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, MapBuilder, StringBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use datafusion::common::Result as DfResult;

use super::json_path::Path;
use super::maps::entry_names;
use super::plain::{Cell, Plain, booleans, fail, primitives, string_lists, strings};
use super::strings::texts;
use crate::functions::declaration::{Category, Declaration, ParamType, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::functions::row_errors;
use crate::types::SqlType;
use crate::types::text::decimal;
use crate::types::text::json::Json;

const S: SqlType = SqlType::String;
const NOT_JSON: &str = "the text is not JSON";

/// The first value of a text; none of a text of white space.
fn parse(text: &str) -> Cell<Json> {
    Json::parse_first(text.as_bytes()).map_err(|_| Cow::Borrowed(NOT_JSON))
}

/// All of them but `TO_JSON_STRING`.
pub fn functions() -> Vec<Arc<dyn ScalarFunction>> {
    let declare = |name: &'static str, what: &'static str| Declaration::scalar(Category::Json, name, what);
    let of_text = |returns: ParamType, what: &'static str| Variation::new(returns, what).param("json", S, "The text.");
    vec![
        Plain::function(
            declare("EXTRACTJSONFIELD", "A part of a JSON text.")
                .form(
                    of_text(
                        S.into(),
                        "The text of what is at the path, its JSON when it is no text; NULL for nothing.",
                    )
                    .param("path", S, "Where it is: $.field, $.array[0], $[\"a field\"]."),
                )
                .example("EXTRACTJSONFIELD('{\"a\": {\"b\": [1, 2]}}', '$.a.b[1]')", "2"),
            extract,
        ),
        Plain::function(
            declare("IS_JSON_STRING", "Whether a text is JSON.")
                .form(of_text(SqlType::Boolean.into(), "Whether it starts with a JSON value; false for NULL."))
                .example("IS_JSON_STRING('[1, 2')", "false"),
            |call| {
                let inputs = texts(&call.args[0]);
                booleans(call, "IS_JSON_STRING", |row| {
                    Ok(Some(inputs.is_valid(row) && parse(inputs.value(row)).is_ok_and(|value| value.is_some())))
                })
            },
        ),
        array_contains(),
        Plain::function(
            declare("JSON_ARRAY_LENGTH", "The number of elements of a JSON array.")
                .form(of_text(SqlType::Integer.into(), "The number; NULL for what is no array."))
                .example("JSON_ARRAY_LENGTH('[1, [2, 3]]')", "2"),
            |call| {
                let inputs = texts(&call.args[0]);
                primitives::<Int32Type>(call, "JSON_ARRAY_LENGTH", |row| {
                    if inputs.is_null(row) {
                        return Ok(None);
                    }
                    match parse(inputs.value(row))? {
                        Some(Json::Array(items)) => Ok(Some(items.len() as i32)),
                        _ => Ok(None),
                    }
                })
            },
        ),
        Plain::function(
            declare("JSON_CONCAT", "Several JSON texts as one.")
                .form(
                    Variation::new(
                        S,
                        "Objects are merged, the last field of a name wins; anything else is joined as arrays.",
                    )
                    .param("json", S, "A text.")
                    .repeated(),
                )
                .example("JSON_CONCAT('{\"a\": 1}', '{\"b\": 2}')", "{\"a\":1,\"b\":2}")
                .example("JSON_CONCAT('[1]', '2')", "[1,2]"),
            |call| {
                strings(call, "JSON_CONCAT", |row, out| {
                    if call.null_at(row) || call.args.is_empty() {
                        return Ok(None);
                    }
                    let mut values = Vec::with_capacity(call.args.len());
                    for arg in &call.args {
                        match parse(texts(arg).value(row))? {
                            Some(value) => values.push(value),
                            None => return Ok(None),
                        }
                    }
                    write(joined(values), Numbers::Plain, out);
                    Ok(Some(()))
                })
            },
        ),
        Plain::function(
            declare("JSON_ITEMS", "The elements of a JSON array.")
                .form(of_text(ParamType::array(S), "The JSON of each element; what is no array fails."))
                .example("JSON_ITEMS('[1, \"b\", [2]]')", "[1, \"b\", [2]]"),
            |call| {
                let inputs = texts(&call.args[0]);
                let mut text = String::new();
                string_lists(call, "JSON_ITEMS", |row, out| {
                    if inputs.is_null(row) {
                        return Ok(None);
                    }
                    let Some(Json::Array(items)) = parse(inputs.value(row))? else {
                        return fail("the text is no JSON array");
                    };
                    for item in items {
                        text.clear();
                        write(item, Numbers::Exponents, &mut text);
                        out.append_value(&text);
                    }
                    Ok(Some(()))
                })
            },
        ),
        Plain::function(
            declare("JSON_KEYS", "The names of the fields of a JSON object.")
                .form(of_text(ParamType::array(S), "The names in their order; NULL for what is no object."))
                .example("JSON_KEYS('{\"a\": 1, \"b\": 2}')", "[a, b]"),
            |call| {
                let inputs = texts(&call.args[0]);
                string_lists(call, "JSON_KEYS", |row, out| {
                    if inputs.is_null(row) {
                        return Ok(None);
                    }
                    match parse(inputs.value(row))? {
                        Some(Json::Object(fields)) => {
                            last_of_each(fields).iter().for_each(|(name, _)| out.append_value(name));
                            Ok(Some(()))
                        }
                        _ => Ok(None),
                    }
                })
            },
        ),
        Plain::function(
            declare("JSON_RECORDS", "The fields of a JSON object as a map.")
                .form(of_text(
                    ParamType::map(S, S),
                    "Names and values, a text as it is and anything else as JSON; NULL for what is no object.",
                ))
                .example("JSON_RECORDS('{\"a\": 1, \"b\": [2]}')", "{a=1, b=[2]}"),
            records,
        ),
    ]
}

fn array_contains() -> Arc<dyn ScalarFunction> {
    let declaration = Declaration::scalar(Category::Json, "JSON_ARRAY_CONTAINS", "Whether a value is in a JSON array.")
        .form(
            Variation::new(
                SqlType::Boolean,
                "Whether an element is the value, a whole number for INT and BIGINT; false for what is no array.",
            )
            .param("json", S, "The text.")
            .param("val", ParamType::Generic("T"), "The value, which may be NULL."),
        )
        .example("JSON_ARRAY_CONTAINS('[1, 2]', 2)", "true");
    Plain::function(declaration, |call| {
        let (inputs, wanted) = (texts(&call.args[0]), &call.args[1]);
        booleans(call, "JSON_ARRAY_CONTAINS", |row| {
            if inputs.is_null(row) {
                return Ok(Some(false));
            }
            let Ok(Some(Json::Array(items))) = Json::parse_first(inputs.value(row).as_bytes()) else {
                return Ok(Some(false));
            };
            let whole = |text: &str| !text.contains(['.', 'e', 'E']);
            let integer = |value: i64| {
                items.iter().any(|item| matches!(item, Json::Number(text) if whole(text) && text.parse() == Ok(value)))
            };
            let real = |value: f64| {
                items.iter().any(|item| matches!(item, Json::Number(text) if !whole(text) && text.parse() == Ok(value)))
            };
            Ok(Some(match wanted.data_type() {
                _ if wanted.is_null(row) => items.contains(&Json::Null),
                DataType::Boolean => items.contains(&Json::Bool(wanted.as_boolean().value(row))),
                DataType::Int32 => integer(i64::from(wanted.as_primitive::<Int32Type>().value(row))),
                DataType::Int64 => integer(wanted.as_primitive::<Int64Type>().value(row)),
                DataType::Float64 => real(wanted.as_primitive::<Float64Type>().value(row)),
                DataType::Decimal128(..) | DataType::Decimal256(..) => {
                    let doubles =
                        cast(&wanted.slice(row, 1), &DataType::Float64).map_err(|_| "the value is out of range")?;
                    real(doubles.as_primitive::<Float64Type>().value(0))
                }
                DataType::Utf8 => items.iter().any(|item| item.as_str() == Some(texts(wanted).value(row))),
                // JSON has no values of the other types.
                _ => false,
            }))
        })
    })
}

/// The fields of an object, of equal names the last one at the place of the first.
fn last_of_each(fields: Vec<(String, Json)>) -> Vec<(String, Json)> {
    let mut kept: Vec<(String, Json)> = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        match kept.iter_mut().find(|(other, _)| *other == name) {
            Some(field) => field.1 = value,
            None => kept.push((name, value)),
        }
    }
    kept
}

fn joined(mut values: Vec<Json>) -> Json {
    if values.len() == 1 {
        return values.remove(0);
    }
    if values.iter().all(|value| matches!(value, Json::Object(_))) {
        let fields = values.into_iter().flat_map(|value| match value {
            Json::Object(fields) => fields,
            _ => Vec::new(),
        });
        return Json::Object(last_of_each(fields.collect()));
    }
    let items = values.into_iter().flat_map(|value| match value {
        Json::Array(items) => items,
        other => vec![other],
    });
    Json::Array(items.collect())
}

/// How numbers with a point or an exponent are written.
#[derive(Clone, Copy, PartialEq)]
enum Numbers {
    /// With an exponent where Java's `BigDecimal` has one.
    Exponents,
    /// Never with one.
    Plain,
}

/// Appends a value as ksqlDB's JSON library writes it: of equal names the last field, numbers as decimals.
fn write(value: Json, numbers: Numbers, out: &mut String) {
    out.push_str(&canonical(value, numbers).to_string());
}

fn canonical(value: Json, numbers: Numbers) -> Json {
    match value {
        Json::Number(text) if !text.contains(['.', 'e', 'E']) => {
            Json::Number(if text == "-0" { "0".to_string() } else { text })
        }
        Json::Number(text) => {
            let mut out = Vec::with_capacity(text.len());
            decimal::write_as_big_decimal(text.as_bytes(), &mut out);
            let shown = String::from_utf8(out).unwrap_or(text);
            Json::Number(if numbers == Numbers::Plain { without_exponent(&shown) } else { shown })
        }
        Json::Array(items) => Json::Array(items.into_iter().map(|item| canonical(item, numbers)).collect()),
        Json::Object(fields) => Json::Object(
            last_of_each(fields).into_iter().map(|(name, value)| (name, canonical(value, numbers))).collect(),
        ),
        other => other,
    }
}

/// The longest run of zeros that a number gets for its exponent.
const ZEROS_MAX: i64 = 1_000;

/// A decimal without its exponent; as it is when it would be very long.
fn without_exponent(text: &str) -> String {
    let Some((mantissa, exponent)) = text.split_once('E') else { return text.to_string() };
    let Some(exponent) = exponent.parse::<i64>().ok().filter(|exponent| exponent.abs() <= ZEROS_MAX) else {
        return text.to_string();
    };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let point = whole.len() as i64 + exponent;
    if point <= 0 {
        return format!("{sign}0.{}{digits}", "0".repeat(-point as usize));
    }
    let point = point as usize;
    if point >= digits.len() {
        return format!("{sign}{digits}{}", "0".repeat(point - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..point], &digits[point..])
}

fn extract(call: &Call) -> DfResult<ArrayRef> {
    let (inputs, paths) = (texts(&call.args[0]), texts(&call.args[1]));
    let mut last: Option<(String, Path)> = None;
    strings(call, "EXTRACTJSONFIELD", |row, out| {
        if call.null_at(row) {
            return Ok(None);
        }
        let text = paths.value(row);
        if last.as_ref().is_none_or(|(known, _)| known != text) {
            last = Some((text.to_string(), Path::parse(text)?));
        }
        let Some(json) = parse(inputs.value(row))? else { return Ok(None) };
        match last.as_ref().and_then(|(_, path)| path.find(&json)) {
            None => return Ok(None),
            Some(Json::String(text)) => out.push_str(text),
            // A JSON null too is something: its text.
            Some(value) => write(value.clone(), Numbers::Exponents, out),
        }
        Ok(Some(()))
    })
}

fn records(call: &Call) -> DfResult<ArrayRef> {
    let inputs = texts(&call.args[0]);
    let mut maps = MapBuilder::new(Some(entry_names()), StringBuilder::new(), StringBuilder::new());
    let mut text = String::new();
    for row in 0..call.rows {
        let json = if inputs.is_valid(row) { parse(inputs.value(row)) } else { Ok(None) };
        let valid = match json {
            Ok(Some(Json::Object(fields))) => {
                for (name, value) in last_of_each(fields) {
                    text.clear();
                    match value {
                        Json::String(value) => text.push_str(&value),
                        value => write(value, Numbers::Exponents, &mut text),
                    }
                    maps.keys().append_value(name);
                    maps.values().append_value(&text);
                }
                true
            }
            Err(reason) => {
                row_errors::report(row, call.rows, || format!("JSON_RECORDS: {reason}"));
                false
            }
            _ => false,
        };
        maps.append(valid)?;
    }
    Ok(Arc::new(maps.finish()))
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::{sql, sql_fails};

    #[test]
    fn parts_are_extracted() {
        sql(&[
            ("EXTRACTJSONFIELD('{\"a\": 1.50}', '$.a')", "1.50"),
            ("EXTRACTJSONFIELD('{\"a\": {\"b\": \"x\"}}', '$.a')", "{\"b\":\"x\"}"),
            ("EXTRACTJSONFIELD('{\"a\": true}', '$.a')", "true"),
            ("EXTRACTJSONFIELD('{\"a\": null}', '$.a')", "null"),
            ("EXTRACTJSONFIELD('{\"a\": 1}', '$.b')", "null"),
            ("EXTRACTJSONFIELD('{\"a\": null}', '$.a') IS NULL", "false"),
            ("EXTRACTJSONFIELD('{\"a\": 1e5, \"b\": [1E-10, 1]}', '$.a')", "1E+5"),
            ("EXTRACTJSONFIELD('{\"a\": 1e5, \"b\": [1E-10, 1]}', '$.b')", "[1E-10,1]"),
            ("EXTRACTJSONFIELD('', '$.a')", "null"),
            ("EXTRACTJSONFIELD('{\"a\": \"x\"}', '$')", "{\"a\":\"x\"}"),
            ("EXTRACTJSONFIELD('[1]', '$[4]')", "null"),
            ("EXTRACTJSONFIELD('{\"@type\": \"UDF\"}}', '$.@type')", "UDF"),
            ("EXTRACTJSONFIELD(CAST(NULL AS STRING), '$.a')", "null"),
        ]);
        sql_fails(&[("EXTRACTJSONFIELD('{', '$.a')", "not JSON"), ("EXTRACTJSONFIELD('{}', 'a')", "path")]);
    }

    #[test]
    fn arrays_and_objects_are_told_apart() {
        sql(&[
            ("IS_JSON_STRING('\"a\"')", "true"),
            ("IS_JSON_STRING('a')", "false"),
            ("IS_JSON_STRING(CAST(NULL AS STRING))", "false"),
            ("JSON_ARRAY_LENGTH('{}')", "null"),
            ("JSON_ARRAY_LENGTH(CAST(NULL AS STRING))", "null"),
            ("JSON_ARRAY_LENGTH('[]')", "0"),
            ("JSON_ITEMS('[]')", "[]"),
            ("JSON_ITEMS(CAST(NULL AS STRING))", "null"),
            ("JSON_KEYS('[]')", "null"),
            ("JSON_KEYS('{}')", "[]"),
            ("JSON_KEYS('{\"a\":1,\"a\":2}')", "[a]"),
            ("JSON_KEYS(CAST(NULL AS STRING))", "null"),
            ("JSON_RECORDS('1')", "null"),
            ("JSON_RECORDS('{\"a\":\"x\",\"b\":null}')", "{a=x, b=null}"),
            ("JSON_RECORDS('')", "null"),
            ("JSON_KEYS('{} {')", "[]"),
            ("IS_JSON_STRING('')", "false"),
            ("IS_JSON_STRING('[1] 2')", "true"),
            ("JSON_ARRAY_LENGTH(' ')", "null"),
            ("JSON_RECORDS(CAST(NULL AS STRING))", "null"),
        ]);
        sql_fails(&[
            ("JSON_ARRAY_LENGTH('[')", "not JSON"),
            ("JSON_ITEMS('[')", "not JSON"),
            ("JSON_ITEMS('{}')", "no JSON array"),
            ("JSON_KEYS('{')", "not JSON"),
            ("JSON_RECORDS('{')", "not JSON"),
        ]);
    }

    #[test]
    fn values_are_found_by_their_kind() {
        sql(&[
            ("JSON_ARRAY_CONTAINS('[1.0]', 1)", "false"),
            ("JSON_ARRAY_CONTAINS('[1.0]', 1e0)", "true"),
            ("JSON_ARRAY_CONTAINS('[\"1\"]', 1)", "false"),
            ("JSON_ARRAY_CONTAINS('[true]', TRUE)", "true"),
            ("JSON_ARRAY_CONTAINS('[5000000000]', 5000000000)", "true"),
            ("JSON_ARRAY_CONTAINS('[null]', CAST(NULL AS STRING))", "true"),
            ("JSON_ARRAY_CONTAINS('[null]', NULL)", "true"),
            ("JSON_ARRAY_CONTAINS('[1.50]', 1.5)", "true"),
            ("JSON_ARRAY_CONTAINS('[1, [2]]', 2)", "false"),
            ("JSON_ARRAY_CONTAINS('[[1]]', ARRAY[1])", "false"),
            ("JSON_ARRAY_CONTAINS('{}', 1)", "false"),
            ("JSON_ARRAY_CONTAINS(CAST(NULL AS STRING), 1)", "false"),
        ]);
    }

    #[test]
    fn texts_are_joined() {
        sql(&[
            ("JSON_CONCAT('{\"a\": {\"5\": 6}}', '{\"a\": {\"3\": 4}}')", "{\"a\":{\"3\":4}}"),
            ("JSON_CONCAT('[1, 2]', '[3, 4]')", "[1,2,3,4]"),
            ("JSON_CONCAT('null', 'null')", "[null,null]"),
            ("JSON_CONCAT('{\"a\":1}', '2')", "[{\"a\":1},2]"),
            ("JSON_CONCAT('1', CAST(NULL AS STRING))", "null"),
            ("JSON_CONCAT('1', '')", "null"),
            ("JSON_CONCAT('1')", "1"),
            ("JSON_CONCAT('[1e3, -2.5E-3, 12.5e1]', '[]')", "[1000,-0.0025,125]"),
        ]);
        sql_fails(&[("JSON_CONCAT('[', '1')", "not JSON")]);
    }
}
