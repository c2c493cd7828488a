//! `TO_JSON_STRING`: any value as JSON.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};

use super::plain::{Plain, strings};
use crate::functions::declaration::{Category, Declaration, ParamType, Variation};
use crate::functions::kernel::ScalarFunction;
use crate::types::SqlType;
use crate::types::cast::{cast_array, write_text};
use crate::types::text::json::Json;

/// The function.
pub fn function() -> Arc<dyn ScalarFunction> {
    let declaration = Declaration::scalar(Category::Json, "TO_JSON_STRING", "A value as JSON.")
        .form(
            Variation::new(
                SqlType::String,
                "The JSON; the text null for NULL, fields by their names, dates and times as ISO texts, bytes in Base64.",
            )
            .param("val", ParamType::Generic("T"), "The value."),
        )
        .example("TO_JSON_STRING(ARRAY[1, 2])", "[1,2]");
    Plain::function(declaration, |call| {
        let input = &call.args[0];
        let ty = SqlType::from_arrow(input.data_type()).unwrap_or(SqlType::String);
        strings(call, "TO_JSON_STRING", |row, out| {
            out.push_str(&json_of(input, &ty, row).to_string());
            Ok(Some(()))
        })
    })
}

fn json_of(array: &ArrayRef, ty: &SqlType, row: usize) -> Json {
    if array.is_null(row) {
        return Json::Null;
    }
    let text = |array: &ArrayRef, ty: &SqlType| {
        let mut text = Vec::new();
        write_text(array.as_ref(), ty, row, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    };
    match ty {
        SqlType::Boolean => Json::Bool(array.as_boolean().value(row)),
        SqlType::Double => {
            let shown = text(array, ty);
            // Numbers that JSON does not have are texts.
            if shown.starts_with(['N', 'I']) || shown.starts_with("-I") {
                Json::String(shown)
            } else {
                Json::Number(shown)
            }
        }
        SqlType::Integer | SqlType::Bigint | SqlType::Decimal(..) => Json::Number(text(array, ty)),
        SqlType::Timestamp => {
            // The text a cast gives, not that of a timestamp inside of others.
            let one = array.slice(row, 1);
            match cast_array(&one, ty, &SqlType::String, &mut Vec::new()) {
                Ok(shown) => Json::String(shown.as_string::<i32>().value(0).to_string()),
                Err(_) => Json::Null,
            }
        }
        SqlType::String | SqlType::Bytes | SqlType::Time | SqlType::Date => Json::String(text(array, ty)),
        SqlType::Array(element) => {
            let elements = array.as_list::<i32>().value(row);
            Json::Array((0..elements.len()).map(|at| json_of(&elements, element, at)).collect())
        }
        SqlType::Map(key, value) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let name = |at: usize| {
                let mut name = Vec::new();
                write_text(keys.as_ref(), key, at, &mut name);
                String::from_utf8_lossy(&name).into_owned()
            };
            sorted((0..entries.len()).map(|at| (name(at), json_of(values, value, at))))
        }
        SqlType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let field =
                |((name, ty), column): (&(String, SqlType), &ArrayRef)| (name.clone(), json_of(column, ty, row));
            sorted(fields.iter().zip(columns).map(field))
        }
    }
}

/// An object with its fields in the order of their names, as ksqlDB writes structs and maps here.
fn sorted(fields: impl Iterator<Item = (String, Json)>) -> Json {
    let mut fields: Vec<(String, Json)> = fields.collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    Json::Object(fields)
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::sql;

    #[test]
    fn values_have_a_json() {
        sql(&[
            ("TO_JSON_STRING(CAST(NULL AS INT))", "null"),
            ("TO_JSON_STRING(1e0)", "1.0"),
            ("TO_JSON_STRING(SQRT(-1))", "\"NaN\""),
            ("TO_JSON_STRING(1.50)", "1.50"),
            ("TO_JSON_STRING('a\"b')", "\"a\\\"b\""),
            ("TO_JSON_STRING(CAST('16:43:40' AS TIME))", "\"16:43:40\""),
            ("TO_JSON_STRING(CAST('1972-09-27' AS DATE))", "\"1972-09-27\""),
            ("TO_JSON_STRING(FROM_UNIXTIME(1))", "\"1970-01-01T00:00:00.001\""),
            ("TO_JSON_STRING(STRUCT(ID := 1, N := CAST(NULL AS INT)))", "{\"ID\":1,\"N\":null}"),
            ("TO_JSON_STRING(MAP('b' := ARRAY[TRUE, NULL], 'a' := NULL))", "{\"a\":null,\"b\":[true,null]}"),
            ("TO_JSON_STRING(STRUCT(B := 1, A := 2))", "{\"A\":2,\"B\":1}"),
            ("TO_JSON_STRING(NULL)", "null"),
            ("TO_JSON_STRING(TO_BYTES('!', 'utf8'))", "\"IQ==\""),
        ]);
    }
}
