//! A JSON object a row. Characters that could speak to a terminal are escaped, which JSON allows for any.

use std::io::{self, Write};

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use datafusion::arrow::record_batch::RecordBatch;
use serde::{Serialize, Serializer};
use serde_json::{Number, Value};

use super::cell::text_of;
use crate::session::{Listing, RowColumn};

/// A value of a row. Columns and fields keep their order, which is what a reader looks for.
enum Shown {
    Plain(Value),
    List(Vec<Shown>),
    Object(Vec<(String, Shown)>),
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Shown::Plain(value) => value.serialize(serializer),
            Shown::List(items) => items.serialize(serializer),
            Shown::Object(fields) => serializer.collect_map(fields.iter().map(|(name, value)| (name, value))),
        }
    }
}

/// Writes the rows of a batch; a labelled row is `{"query": label, "row": {...}}`.
pub fn rows(out: &mut impl Write, label: &str, columns: &[RowColumn], batch: &RecordBatch) -> io::Result<()> {
    for row in 0..batch.num_rows() {
        let values = columns.iter().zip(batch.columns());
        let object = Shown::Object(values.map(|(column, values)| (column.name.clone(), shown(values, row))).collect());
        let line = match label {
            "" => object,
            label => Shown::Object(vec![("query".into(), Shown::Plain(Value::from(label))), ("row".into(), object)]),
        };
        writeln!(out, "{}", escaped(&line))?;
    }
    Ok(())
}

/// Writes a listing, one object a row.
pub fn listing(out: &mut impl Write, listing: &Listing) -> io::Result<()> {
    for row in &listing.rows {
        let cells = listing.columns.iter().zip(row);
        let fields = cells.map(|(name, cell)| (name.clone(), Shown::Plain(Value::from(cell.as_str())))).collect();
        writeln!(out, "{}", escaped(&Shown::Object(fields)))?;
    }
    Ok(())
}

/// A value as text in which the control characters that JSON leaves alone (DEL and above) are escaped too.
pub fn escaped(value: &impl Serialize) -> String {
    // Keys are texts and numbers are finite, so nothing is left that JSON could not hold.
    let text = serde_json::to_string(value).unwrap_or_default();
    if !text.contains(|c: char| c.is_control()) {
        return text;
    }
    // Outside of texts JSON has no such characters.
    let escape = |c: char| if c.is_control() { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// A value as JSON. Numbers JSON cannot hold (NaN, infinities) become texts.
fn shown(column: &ArrayRef, row: usize) -> Shown {
    if column.is_null(row) {
        return Shown::Plain(Value::Null);
    }
    Shown::Plain(match column.data_type() {
        DataType::Boolean => Value::Bool(column.as_boolean().value(row)),
        DataType::Int32 => Value::from(column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => Value::from(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => match Number::from_f64(column.as_primitive::<Float64Type>().value(row)) {
            Some(number) => Value::Number(number),
            None => Value::from(text_of(column, row)),
        },
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            return Shown::List((0..items.len()).map(|item| shown(&items, item)).collect());
        }
        DataType::Struct(fields) => {
            let fields = fields.iter().zip(column.as_struct().columns());
            return Shown::Object(fields.map(|(field, values)| (field.name().clone(), shown(values, row))).collect());
        }
        DataType::Map(_, _) => {
            let entries = column.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let entry = |i| (text_of(keys, i).unwrap_or_default(), shown(values, i));
            return Shown::Object((0..entries.len()).map(entry).collect());
        }
        _ => Value::from(text_of(column, row)),
    })
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

    #[test]
    fn columns_and_fields_keep_their_order() {
        use std::sync::Arc;

        use datafusion::arrow::array::{Int32Array, StructArray};
        use datafusion::arrow::datatypes::Field;

        let number = |n: i32| Arc::new(Int32Array::from(vec![n])) as ArrayRef;
        let field = |name: &str| Arc::new(Field::new(name, DataType::Int32, true));
        let pair: ArrayRef = Arc::new(StructArray::from(vec![(field("z"), number(1)), (field("y"), number(2))]));
        let batch = RecordBatch::try_from_iter([("B", number(3)), ("A", pair)]).expect("one row");
        let column = |name: &str| RowColumn { name: name.into(), ty: crate::types::SqlType::Integer, is_key: false };
        let mut out = Vec::new();
        rows(&mut out, "q", &[column("B"), column("A")], &batch).expect("a vector takes everything");
        assert_eq!(String::from_utf8_lossy(&out), "{\"query\":\"q\",\"row\":{\"B\":3,\"A\":{\"z\":1,\"y\":2}}}\n");
    }
}
