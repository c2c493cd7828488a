//! `SPLIT` and `SPLIT_TO_MAP`: a text, or bytes, at a delimiter.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, ListBuilder, MapBuilder, StringBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result as DfResult;

use super::maps::entry_names;
use super::plain::{Plain, string_lists};
use super::strings::texts;
use crate::functions::declaration::{Category, Declaration, ParamType, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::types::SqlType;

/// Both functions.
pub fn functions() -> Vec<Arc<dyn ScalarFunction>> {
    const S: SqlType = SqlType::String;
    const B: SqlType = SqlType::Bytes;
    const PARTS: &str = "The parts between the delimiters, empty ones too; every character by itself when it is empty.";
    let split = Declaration::scalar(Category::String, "SPLIT", "Cuts a text, or bytes, at a delimiter.")
        .form(Variation::new(ParamType::array(S), PARTS).param("string", S, "The text.").param(
            "delimiter",
            S,
            "Where to cut.",
        ))
        .form(Variation::new(ParamType::array(B), PARTS).param("bytes", B, "The bytes.").param(
            "delimiter",
            B,
            "Where to cut.",
        ))
        .example("SPLIT('a.b.c', '.')", "[a, b, c]");
    let to_map = Declaration::scalar(Category::String, "SPLIT_TO_MAP", "Cuts a text into a map.")
        .form(
            Variation::new(
                ParamType::map(S, S),
                "The entries, without those that have no value, of equal keys the last; NULL for delimiters that are empty or equal.",
            )
            .param("input", S, "The text.")
            .param("entryDelimiter", S, "What stands between two entries.")
            .param("kvDelimiter", S, "What stands between key and value."),
        )
        .example("SPLIT_TO_MAP('a:1/b:2', '/', ':')", "{a=1, b=2}");
    vec![
        Plain::function(split, |call| match call.args[0].data_type() {
            DataType::Utf8 => {
                let (inputs, delimiters) = (texts(&call.args[0]), texts(&call.args[1]));
                string_lists(call, "SPLIT", |row, out| {
                    if call.null_at(row) {
                        return Ok(None);
                    }
                    let (text, delimiter) = (inputs.value(row), delimiters.value(row));
                    if delimiter.is_empty() && !text.is_empty() {
                        let mut buffer = [0; 4];
                        text.chars().for_each(|c| out.append_value(c.encode_utf8(&mut buffer)));
                    } else if text.is_empty() {
                        out.append_value("");
                    } else {
                        text.split(delimiter).for_each(|part| out.append_value(part));
                    }
                    Ok(Some(()))
                })
            }
            _ => split_bytes(call),
        }),
        Plain::function(to_map, split_to_map),
    ]
}

fn split_bytes(call: &Call) -> DfResult<ArrayRef> {
    let (inputs, delimiters) = (call.args[0].as_binary::<i32>(), call.args[1].as_binary::<i32>());
    let mut column = ListBuilder::new(BinaryBuilder::new());
    for row in 0..call.rows {
        if call.null_at(row) {
            column.append(false);
            continue;
        }
        let (mut rest, delimiter) = (inputs.value(row), delimiters.value(row));
        if delimiter.is_empty() && !rest.is_empty() {
            rest.chunks(1).for_each(|byte| column.values().append_value(byte));
            column.append(true);
            continue;
        }
        while !delimiter.is_empty()
            && let Some(at) = memchr::memmem::find(rest, delimiter)
        {
            column.values().append_value(&rest[..at]);
            rest = &rest[at + delimiter.len()..];
        }
        column.values().append_value(rest);
        column.append(true);
    }
    Ok(Arc::new(column.finish()))
}

fn split_to_map(call: &Call) -> DfResult<ArrayRef> {
    let mut maps = MapBuilder::new(Some(entry_names()), StringBuilder::new(), StringBuilder::new());
    let (inputs, between, inside) = (texts(&call.args[0]), texts(&call.args[1]), texts(&call.args[2]));
    for row in 0..call.rows {
        let usable = !call.null_at(row)
            && !between.value(row).is_empty()
            && !inside.value(row).is_empty()
            && between.value(row) != inside.value(row);
        if usable {
            let mut entries: Vec<(&str, &str)> = Vec::new();
            for entry in inputs.value(row).split(between.value(row)).filter(|entry| !entry.is_empty()) {
                // What stands behind a second delimiter is no part of the value.
                let mut parts = entry.split(inside.value(row));
                let (Some(key), Some(value)) = (parts.next(), parts.next()) else { continue };
                match entries.iter_mut().find(|(other, _)| *other == key) {
                    Some(entry) => entry.1 = value,
                    None => entries.push((key, value)),
                }
            }
            for (key, value) in entries {
                maps.keys().append_value(key);
                maps.values().append_value(value);
            }
        }
        maps.append(usable)?;
    }
    Ok(Arc::new(maps.finish()))
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::sql;

    #[test]
    fn texts_are_cut_at_every_delimiter() {
        sql(&[
            ("SPLIT('..a..', '.')", "[, , a, , ]"),
            ("SPLIT('', '.')", "[]"),
            ("ARRAY_LENGTH(SPLIT('', '.'))", "1"),
            ("SPLIT('abc', '')", "[a, b, c]"),
            ("SPLIT('a--b', '--')", "[a, b]"),
            ("SPLIT(CAST(NULL AS STRING), '.')", "null"),
            ("SPLIT('a', CAST(NULL AS STRING))", "null"),
            ("SPLIT(TO_BYTES('a.b', 'utf8'), TO_BYTES('.', 'utf8'))", "[YQ==, Yg==]"),
            ("SPLIT(TO_BYTES('ab', 'utf8'), TO_BYTES('', 'utf8'))", "[YQ==, Yg==]"),
        ]);
    }

    #[test]
    fn entries_without_a_value_are_left_out() {
        sql(&[
            ("SPLIT_TO_MAP('apple := red, b, apple := green', ', ', ' := ')", "{apple=green}"),
            ("SPLIT_TO_MAP('a:1:2/b', '/', ':')", "{a=1}"),
            ("SPLIT_TO_MAP('a:1', ':', ':')", "null"),
            ("SPLIT_TO_MAP('', '/', ':')", "{}"),
            ("SPLIT_TO_MAP(CAST(NULL AS STRING), '/', ':')", "null"),
            ("SPLIT_TO_MAP('a:1', '', ':')", "null"),
        ]);
    }
}
