//! The columns of a relation.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};

use super::SqlType;

/// Where in a record a column lives.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// In the record's value.
    Value,
    /// In the record's key; `PRIMARY KEY` of a table, `KEY` of a stream.
    Key,
    /// All headers of the record, `ARRAY<STRUCT<key STRING, value BYTES>>`; read-only.
    Headers,
    /// The last header of this name, `BYTES`; read-only.
    Header(String),
}

/// A column of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name, folded to upper case unless it was quoted.
    pub name: String,
    /// Its type.
    pub ty: SqlType,
    /// Where in a record it lives.
    pub kind: ColumnKind,
}

impl Column {
    /// A column in the record's value.
    pub fn value(name: impl Into<String>, ty: SqlType) -> Self {
        Column { name: name.into(), ty, kind: ColumnKind::Value }
    }

    /// A column in the record's key.
    pub fn key(name: impl Into<String>, ty: SqlType) -> Self {
        Column { name: name.into(), ty, kind: ColumnKind::Key }
    }
}

/// The columns of a relation, in the order in which they were declared. Names are unique.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    /// The columns.
    pub columns: Vec<Column>,
}

impl Schema {
    /// A schema of these columns.
    pub fn new(columns: Vec<Column>) -> Self {
        Schema { columns }
    }

    /// Position of the column of this exact name.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The columns of the record's key.
    pub fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.kind == ColumnKind::Key)
    }

    /// The columns of the record's value.
    pub fn value_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.kind == ColumnKind::Value)
    }

    /// The same columns as an Arrow schema, all nullable.
    pub fn to_arrow(&self) -> SchemaRef {
        let fields: Vec<Field> =
            self.columns.iter().map(|column| Field::new(&column.name, column.ty.to_arrow(), true)).collect();
        Arc::new(ArrowSchema::new(fields))
    }
}

/// A name as it must be written to be read back unchanged: bare when folding keeps it, else in back-quotes.
pub fn quote_identifier(name: &str) -> String {
    let mut chars = name.chars();
    let bare = chars.next().is_some_and(|c| c.is_ascii_uppercase() || c == '_')
        && chars.all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    if bare { name.to_string() } else { format!("`{}`", name.replace('`', "``")) }
}

impl fmt::Display for Schema {
    /// The columns as they are written in a `CREATE` statement.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, column) in self.columns.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{} {}", quote_identifier(&column.name), column.ty)?;
            match &column.kind {
                ColumnKind::Value => {}
                ColumnKind::Key => f.write_str(" KEY")?,
                ColumnKind::Headers => f.write_str(" HEADERS")?,
                ColumnKind::Header(name) => write!(f, " HEADER('{}')", name.replace('\'', "''"))?,
            }
        }
        Ok(())
    }
}
