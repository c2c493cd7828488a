//! Functions over JSON in texts: `EXTRACTJSONFIELD`, `IS_JSON_STRING`, `JSON_ARRAY_CONTAINS` and their kin.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, MapBuilder, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use datafusion::common::Result as DfResult;

use super::json_path::Path;
use super::maps::entry_names;
use super::plain::{Plain, booleans, fail, primitives, string_lists, strings};
use super::strings::texts;
use crate::functions::declaration::{Category, Declaration, ParamType, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::functions::row_errors;
use crate::types::SqlType;
use crate::types::text::json::Json;

const S: SqlType = SqlType::String;
const NOT_JSON: &str = "the text is not JSON";

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
                        "The text of what is at the path, or its JSON when it has parts; NULL for nothing.",
                    )
                    .param("path", S, "Where it is: $.field, $.array[0], $[\"a field\"]."),
                )
                .example("EXTRACTJSONFIELD('{\"a\": {\"b\": [1, 2]}}', '$.a.b[1]')", "2"),
            extract,
        ),
        Plain::function(
            declare("IS_JSON_STRING", "Whether a text is JSON.")
                .form(of_text(SqlType::Boolean.into(), "Whether it can be read; false for NULL."))
                .example("IS_JSON_STRING('[1, 2')", "false"),
            |call| {
                let inputs = texts(&call.args[0]);
                booleans(call, "IS_JSON_STRING", |row| {
                    Ok(Some(inputs.is_valid(row) && Json::parse(inputs.value(row).as_bytes()).is_ok()))
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
                    match Json::parse(inputs.value(row).as_bytes()) {
                        Ok(Json::Array(items)) => Ok(Some(items.len() as i32)),
                        Ok(_) => Ok(None),
                        Err(_) => fail(NOT_JSON),
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
                        values.push(Json::parse(texts(arg).value(row).as_bytes()).map_err(|_| NOT_JSON)?);
                    }
                    out.push_str(&joined(values).to_string());
                    Ok(Some(()))
                })
            },
        ),
        Plain::function(
            declare("JSON_ITEMS", "The elements of a JSON array.")
                .form(of_text(ParamType::array(S), "The JSON of each element; NULL for what is no array."))
                .example("JSON_ITEMS('[1, \"b\", [2]]')", "[1, \"b\", [2]]"),
            |call| {
                let inputs = texts(&call.args[0]);
                string_lists(call, "JSON_ITEMS", |row, out| {
                    if inputs.is_null(row) {
                        return Ok(None);
                    }
                    match Json::parse(inputs.value(row).as_bytes()) {
                        Ok(Json::Array(items)) => items.iter().for_each(|item| out.append_value(item.to_string())),
                        Ok(_) => return Ok(None),
                        Err(_) => return fail(NOT_JSON),
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
                    match Json::parse(inputs.value(row).as_bytes()) {
                        Ok(Json::Object(fields)) => {
                            last_of_each(fields).iter().for_each(|(name, _)| out.append_value(name));
                        }
                        Ok(_) => return Ok(None),
                        Err(_) => return fail(NOT_JSON),
                    }
                    Ok(Some(()))
                })
            },
        ),
        Plain::function(
            declare("JSON_RECORDS", "The fields of a JSON object as a map.")
                .form(of_text(ParamType::map(S, S), "Names and the JSON of their values; NULL for what is no object."))
                .example("JSON_RECORDS('{\"a\": 1, \"b\": [2]}')", "{a=1, b=[2]}"),
            records,
        ),
    ]
}

fn array_contains() -> Arc<dyn ScalarFunction> {
    let mut declaration =
        Declaration::scalar(Category::Json, "JSON_ARRAY_CONTAINS", "Whether a value is in a JSON array.");
    for ty in [SqlType::Boolean, SqlType::Integer, SqlType::Bigint, SqlType::Double, SqlType::String] {
        declaration = declaration.form(
            Variation::new(SqlType::Boolean, "Whether an element is the value; false for what is no array.")
                .param("json", S, "The text.")
                .param("val", ty, "The value, which may be NULL."),
        );
    }
    let declaration = declaration.example("JSON_ARRAY_CONTAINS('[1, 2]', 2)", "true");
    Plain::function(declaration, |call| {
        let (inputs, wanted) = (texts(&call.args[0]), &call.args[1]);
        booleans(call, "JSON_ARRAY_CONTAINS", |row| {
            if inputs.is_null(row) {
                return Ok(Some(false));
            }
            let Ok(Json::Array(items)) = Json::parse(inputs.value(row).as_bytes()) else { return Ok(Some(false)) };
            let number = |items: &[Json], value: f64, whole: bool| {
                items.iter().any(|item| match item {
                    Json::Number(text) => text.parse() == Ok(value) && whole != text.contains(['.', 'e', 'E']),
                    _ => false,
                })
            };
            Ok(Some(match wanted.data_type() {
                _ if wanted.is_null(row) => items.contains(&Json::Null),
                DataType::Boolean => items.contains(&Json::Bool(wanted.as_boolean().value(row))),
                DataType::Int32 => number(&items, f64::from(wanted.as_primitive::<Int32Type>().value(row)), true),
                DataType::Int64 => {
                    let value = wanted.as_primitive::<Int64Type>().value(row);
                    items.iter().any(|item| item.as_i64() == Some(value))
                }
                DataType::Float64 => number(&items, wanted.as_primitive::<Float64Type>().value(row), false),
                _ => items.iter().any(|item| item.as_str() == Some(texts(wanted).value(row))),
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

fn joined(values: Vec<Json>) -> Json {
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
        // What stands behind the value does not matter, as in ksqlDB.
        let json = Json::parse_prefix(inputs.value(row).as_bytes()).map_err(|_| NOT_JSON)?;
        let found = last.as_ref().and_then(|(_, path)| path.find(&json));
        match found {
            None | Some(Json::Null) => return Ok(None),
            Some(Json::String(text) | Json::Number(text)) => out.push_str(text),
            Some(value) => out.push_str(&value.to_string()),
        }
        Ok(Some(()))
    })
}

fn records(call: &Call) -> DfResult<ArrayRef> {
    let inputs = texts(&call.args[0]);
    let mut maps = MapBuilder::new(Some(entry_names()), StringBuilder::new(), StringBuilder::new());
    for row in 0..call.rows {
        let json = inputs.is_valid(row).then(|| Json::parse(inputs.value(row).as_bytes()));
        let valid = match json {
            Some(Ok(Json::Object(fields))) => {
                for (name, value) in last_of_each(fields) {
                    maps.keys().append_value(name);
                    maps.values().append_value(value.to_string());
                }
                true
            }
            Some(Err(_)) => {
                row_errors::report(row, call.rows, || format!("JSON_RECORDS: {NOT_JSON}"));
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
            ("JSON_ITEMS('{}')", "null"),
            ("JSON_ITEMS('[]')", "[]"),
            ("JSON_ITEMS(CAST(NULL AS STRING))", "null"),
            ("JSON_KEYS('[]')", "null"),
            ("JSON_KEYS('{}')", "[]"),
            ("JSON_KEYS('{\"a\":1,\"a\":2}')", "[a]"),
            ("JSON_KEYS(CAST(NULL AS STRING))", "null"),
            ("JSON_RECORDS('1')", "null"),
            ("JSON_RECORDS('{\"a\":\"x\"}')", "{a=\"x\"}"),
            ("JSON_RECORDS(CAST(NULL AS STRING))", "null"),
        ]);
        sql_fails(&[
            ("JSON_ARRAY_LENGTH('[')", "not JSON"),
            ("JSON_ITEMS('[')", "not JSON"),
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
        ]);
        sql_fails(&[("JSON_CONCAT('[', '1')", "not JSON")]);
    }
}
