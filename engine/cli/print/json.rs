//! A JSON object a row. Characters that could speak to a terminal are escaped, which JSON allows for any.

use std::io::{self, Write};

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use datafusion::arrow::record_batch::RecordBatch;
use serde_json::{Map, Number, Value};

use super::cell::text_of;
use crate::session::{Listing, RowColumn};

/// Writes the rows of a batch; a labelled row is `{"query": label, "row": {...}}`.
pub fn rows(out: &mut impl Write, label: &str, columns: &[RowColumn], batch: &RecordBatch) -> io::Result<()> {
    for row in 0..batch.num_rows() {
        let object: Map<String, Value> = columns
            .iter()
            .zip(batch.columns())
            .map(|(column, values)| (column.name.clone(), value_of(values, row)))
            .collect();
        let line = match label {
            "" => Value::Object(object),
            label => serde_json::json!({ "query": label, "row": object }),
        };
        writeln!(out, "{}", escaped(&line))?;
    }
    Ok(())
}

/// Writes a listing, one object a row.
pub fn listing(out: &mut impl Write, listing: &Listing) -> io::Result<()> {
    for row in &listing.rows {
        let object: Map<String, Value> =
            listing.columns.iter().zip(row).map(|(name, cell)| (name.clone(), Value::String(cell.clone()))).collect();
        writeln!(out, "{}", escaped(&Value::Object(object)))?;
    }
    Ok(())
}

/// A value as text in which the control characters that JSON leaves alone (DEL and above) are escaped too.
pub fn escaped(value: &Value) -> String {
    let text = value.to_string();
    if !text.contains(|c: char| c.is_control()) {
        return text;
    }
    // Outside of texts JSON has no such characters.
    let escape = |c: char| if c.is_control() { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// A value as JSON. Numbers JSON cannot hold (NaN, infinities) become texts.
pub fn value_of(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Boolean => Value::Bool(column.as_boolean().value(row)),
        DataType::Int32 => Value::from(column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => Value::from(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => match Number::from_f64(column.as_primitive::<Float64Type>().value(row)) {
            Some(number) => Value::Number(number),
            None => Value::from(text_of(column, row)),
        },
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            Value::Array((0..items.len()).map(|item| value_of(&items, item)).collect())
        }
        DataType::Struct(fields) => {
            let columns = column.as_struct().columns();
            Value::Object(
                fields
                    .iter()
                    .zip(columns)
                    .map(|(field, values)| (field.name().clone(), value_of(values, row)))
                    .collect(),
            )
        }
        DataType::Map(_, _) => {
            let entries = column.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let entry = |i| (text_of(keys, i).unwrap_or_default(), value_of(values, i));
            Value::Object((0..entries.len()).map(entry).collect())
        }
        _ => Value::from(text_of(column, row)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_reaches_the_output() {
        let value = Value::from("a\u{1b}[0m\u{9b}b\u{7f}\n");
        assert_eq!(escaped(&value), "\"a\\u001b[0m\\u009bb\\u007f\\n\"");
        assert_eq!(serde_json::from_str::<Value>(&escaped(&value)).unwrap(), value);
    }
}
