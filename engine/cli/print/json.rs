//! A JSON object a row, its fields in the order of the columns. Characters that could speak to a terminal are escaped, which
//! JSON allows for any.

use std::fmt::Write as _;
use std::io::{self, Write};

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use datafusion::arrow::record_batch::RecordBatch;

use super::cell::text_of;
use super::text::is_hidden;
use crate::error::Error;
use crate::session::{Listing, RowColumn};
use crate::sql::diagnostic::location;
use crate::types::text::json::Json;

/// Writes the rows of a batch; a labelled row is `{"query": label, "row": {...}}`.
///
/// Columns of one name, which no `SELECT` gives, are all written, as JSON allows.
pub fn rows(out: &mut impl Write, label: &str, columns: &[RowColumn], batch: &RecordBatch) -> io::Result<()> {
    let names = columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>();
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        if !label.is_empty() {
            text.push_str("{\"query\":");
            quote(label, &mut text);
            text.push_str(",\"row\":");
        }
        fields(&mut text, names.iter().zip(batch.columns()), |text, values| value(values, row, text));
        text.push_str(if label.is_empty() { "\n" } else { "}\n" });
    }
    out.write_all(text.as_bytes())
}

/// Writes a listing, one object a row.
pub fn listing(out: &mut impl Write, listing: &Listing) -> io::Result<()> {
    let names = listing.columns.iter().map(|name| quoted(name)).collect::<Vec<_>>();
    let mut text = String::new();
    for row in &listing.rows {
        fields(&mut text, names.iter().zip(row), |text, cell| quote(cell, text));
        text.push('\n');
    }
    out.write_all(text.as_bytes())
}

/// The fields of an error: `code`, `message`, where there is one `detail` and `hint`.
pub fn error(error: &Error) -> Vec<(&'static str, Json)> {
    let mut fields: Vec<(&'static str, Json)> =
        vec![("code", error.code().as_str().into()), ("message", error.message().into())];
    if let Some(detail) = error.detail_text() {
        fields.push(("detail", detail.into()));
    }
    if let Some(hint) = error.hint_text() {
        fields.push(("hint", hint.into()));
    }
    fields
}

/// An error as a line: `{"error": {...}}`, with the file's name if it has one, and with `line` and `column` (both from 1) if
/// it has a place in `text`.
pub fn error_line(failed: &Error, text: &str, name: &str) -> String {
    let mut fields = error(failed);
    if !name.is_empty() {
        fields.push(("file", name.into()));
    }
    if let Some(span) = failed.span().filter(|span| span.start <= text.len() && !text.is_empty()) {
        let (line, column) = location(text, span.start);
        fields.push(("line", (line as u64).into()));
        fields.push(("column", (column as u64).into()));
    }
    let mut out = String::new();
    document(&Json::object([("error", Json::object(fields))]), &mut out);
    out
}

/// A document in one line, without a line feed.
pub fn document(value: &Json, out: &mut String) {
    match value {
        Json::String(text) => quote(text, out),
        Json::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { "," });
                document(item, out);
            }
            out.push(']');
        }
        Json::Object(named) => {
            let named: Vec<_> = named.iter().map(|(name, value)| (quoted(name), value)).collect();
            fields(out, named.iter().map(|(name, value)| (name, *value)), |out, value| document(value, out));
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {
            let _ = write!(out, "{value}");
        }
    }
}

/// An object of these fields, their names quoted already.
fn fields<'n, V>(
    text: &mut String,
    named: impl Iterator<Item = (&'n String, V)>,
    mut write: impl FnMut(&mut String, V),
) {
    text.push('{');
    for (i, (name, value)) in named.enumerate() {
        text.push_str(if i == 0 { "" } else { "," });
        text.push_str(name);
        text.push(':');
        write(text, value);
    }
    text.push('}');
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quote(text, &mut quoted);
    quoted
}

/// A text in quotes. What a terminal would take as a command is escaped, beyond what JSON asks for.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    // Most texts need nothing.
    if !text.contains(|c: char| c == '"' || c == '\\' || is_hidden(c)) {
        out.push_str(text);
        out.push('"');
        return;
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // None of them is beyond the sixteen bits of one escape.
            c if is_hidden(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A value. Numbers JSON cannot hold (NaN, infinities) become texts.
fn value(column: &ArrayRef, row: usize, out: &mut String) {
    if column.is_null(row) {
        return out.push_str("null");
    }
    match column.data_type() {
        DataType::Boolean => out.push_str(if column.as_boolean().value(row) { "true" } else { "false" }),
        DataType::Int32 => out.push_str(itoa::Buffer::new().format(column.as_primitive::<Int32Type>().value(row))),
        DataType::Int64 => out.push_str(itoa::Buffer::new().format(column.as_primitive::<Int64Type>().value(row))),
        DataType::Float64 => match column.as_primitive::<Float64Type>().value(row) {
            number if number.is_finite() => out.push_str(ryu::Buffer::new().format_finite(number)),
            _ => quote(&text_of(column, row).unwrap_or_default(), out),
        },
        DataType::Utf8 => quote(column.as_string::<i32>().value(row), out),
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            out.push('[');
            for item in 0..items.len() {
                out.push_str(if item == 0 { "" } else { "," });
                value(&items, item, out);
            }
            out.push(']');
        }
        DataType::Struct(declared) => {
            let names: Vec<String> = declared.iter().map(|field| quoted(field.name())).collect();
            let columns = column.as_struct().columns();
            fields(out, names.iter().zip(columns), |out, values| value(values, row, out));
        }
        DataType::Map(_, _) => {
            let entries = column.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let names: Vec<String> =
                (0..entries.len()).map(|i| quoted(&text_of(keys, i).unwrap_or_default())).collect();
            fields(out, names.iter().zip(0..), |out, i| value(values, i, out));
        }
        _ => quote(&text_of(column, row).unwrap_or_default(), out),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{Float64Array, Int32Array, StringArray, StructArray};
    use datafusion::arrow::datatypes::{Field, Schema};

    use super::*;
    use crate::error::{Code, Span};
    use crate::types::SqlType;

    #[test]
    fn an_error_is_a_line_that_programs_can_match_on() {
        let failed =
            Error::refused(Code::UnknownColumn, "unknown column X").hint("Did you mean Y?").at(Span::new(9, 10));
        assert_eq!(
            error_line(&failed, "SELECT\n  x", "a.sql"),
            r#"{"error":{"code":"unknown_column","message":"unknown column X","hint":"Did you mean Y?","file":"a.sql","line":2,"column":3}}"#
        );
        assert_eq!(error_line(&Error::usage("no"), "", ""), r#"{"error":{"code":"usage","message":"no"}}"#);
    }

    fn written(columns: Vec<(&str, ArrayRef)>) -> String {
        let shown = |(name, _): &(&str, ArrayRef)| RowColumn {
            name: name.to_string(),
            // The arrays say what they hold.
            ty: SqlType::String,
            is_key: false,
        };
        let shown: Vec<RowColumn> = columns.iter().map(shown).collect();
        let schema = columns.iter().map(|(name, values)| Field::new(*name, values.data_type().clone(), true));
        let schema = Arc::new(Schema::new(schema.collect::<Vec<_>>()));
        let batch = RecordBatch::try_new(schema, columns.into_iter().map(|(_, values)| values).collect());
        let mut out = Vec::new();
        rows(&mut out, "", &shown, &batch.expect("a batch")).expect("it is written");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn fields_stand_in_the_order_of_the_columns_and_of_the_declaration() {
        let number = |value| -> ArrayRef { Arc::new(Int32Array::from(vec![value])) };
        let nested = StructArray::from(vec![
            (Arc::new(Field::new("Z", DataType::Int32, true)), number(1)),
            (Arc::new(Field::new("A", DataType::Int32, true)), number(2)),
        ]);
        let text = written(vec![("Y", number(3)), ("B", Arc::new(nested)), ("A", number(4))]);
        assert_eq!(text, "{\"Y\":3,\"B\":{\"Z\":1,\"A\":2},\"A\":4}\n");
    }

    #[test]
    fn columns_of_one_name_are_all_there() {
        let number = |value| -> ArrayRef { Arc::new(Int32Array::from(vec![value])) };
        assert_eq!(written(vec![("A", number(1)), ("A", number(2))]), "{\"A\":1,\"A\":2}\n");
    }

    #[test]
    fn numbers_that_json_does_not_have_are_texts() {
        let values: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), Some(f64::NAN), Some(1e300), None]));
        let expected = "{\"D\":1.0}\n{\"D\":\"NaN\"}\n{\"D\":1e300}\n{\"D\":null}\n";
        assert_eq!(written(vec![("D", values)]), expected);
    }

    #[test]
    fn no_control_character_reaches_the_output_and_a_reader_gets_the_text_back() {
        let given = "a\u{1b}[0m\u{9b}b\u{7f}\n\"\\\u{202e}\u{feff}é👩";
        let text = written(vec![("T", Arc::new(StringArray::from(vec![given])))]);
        let expected = "{\"T\":\"a\\u001b[0m\\u009bb\\u007f\\n\\\"\\\\\\u202e\\ufeffé👩\"}\n";
        assert_eq!(text, expected);
        let read: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(read["T"], given);
    }

    #[test]
    fn a_listing_keeps_the_order_of_its_columns() {
        let mut given = Listing::new(&["Stream", "Format", "Kafka topic"]);
        given.push(["S".to_string(), "JSON".to_string(), "t".to_string()]);
        let mut out = Vec::new();
        listing(&mut out, &given).expect("it is written");
        let expected = "{\"Stream\":\"S\",\"Format\":\"JSON\",\"Kafka topic\":\"t\"}\n";
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }
}
