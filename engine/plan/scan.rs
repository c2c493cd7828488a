//! What a query reads, and which of its columns.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};

use crate::types::{ColumnKind, FormatSpec, Schema, SourceWindow, SqlType, TimestampSpec};

/// The columns every record has without declaring them, in the order in which they follow the declared ones:
/// event time in milliseconds, partition, offset.
pub const PSEUDO_COLUMNS: [(&str, SqlType); 3] =
    [("ROWTIME", SqlType::Bigint), ("ROWPARTITION", SqlType::Integer), ("ROWOFFSET", SqlType::Bigint)];

/// The columns that records of a windowed source have besides: the bounds of the window in the key, milliseconds since the
/// epoch. They follow [`PSEUDO_COLUMNS`].
pub const WINDOW_COLUMNS: [(&str, SqlType); 2] = [("WINDOWSTART", SqlType::Bigint), ("WINDOWEND", SqlType::Bigint)];

/// A scan of one stream or table.
#[derive(Debug, Clone)]
pub struct SourceScan {
    /// The stream or table.
    pub relation: String,
    /// Its topic.
    pub topic: String,
    /// Format of keys.
    pub key_format: FormatSpec,
    /// Format of values.
    pub value_format: FormatSpec,
    /// All declared columns: what a record must hold to be read at all.
    pub schema: Schema,
    /// For each declared column, then for each of [`PSEUDO_COLUMNS`], then for each of [`WINDOW_COLUMNS`] of a windowed
    /// source, whether the query reads it. Only these are decoded, and only these stand in the batch, in this order.
    pub projection: Vec<bool>,
    /// The column that carries the event time; the record's own time when there is none.
    pub timestamp: Option<TimestampSpec>,
    /// The windows in the keys, if they hold some.
    pub window: Option<SourceWindow>,
    /// Whether it is a table, whose records need a key.
    pub is_table: bool,
}

impl SourceScan {
    /// Names and types of the declared columns and then of the pseudo columns: what `projection` is parallel to.
    pub fn all_columns(&self) -> impl Iterator<Item = (&str, &SqlType)> {
        let declared = self.schema.columns.iter().map(|column| (column.name.as_str(), &column.ty));
        let windows = if self.window.is_some() { &WINDOW_COLUMNS[..] } else { &[] };
        declared.chain(PSEUDO_COLUMNS.iter().chain(windows).map(|(name, ty)| (*name, ty)))
    }

    /// The schema of the batches the steps start from: the columns that are read, all nullable.
    pub fn read_schema(&self) -> SchemaRef {
        let fields: Vec<Field> = self
            .all_columns()
            .zip(&self.projection)
            .filter(|(_, read)| **read)
            .map(|((name, ty), _)| Field::new(name, ty.to_arrow(), true))
            .collect();
        Arc::new(ArrowSchema::new(fields))
    }

    /// Whether the query reads headers of records as columns.
    pub fn reads_headers(&self) -> bool {
        let columns = self.schema.columns.iter().zip(&self.projection);
        columns
            .filter(|(_, read)| **read)
            .any(|(column, _)| matches!(column.kind, ColumnKind::Headers | ColumnKind::Header(_)))
    }

    /// Whether the query reads this pseudo column, by its position in [`PSEUDO_COLUMNS`] and the [`WINDOW_COLUMNS`] that
    /// follow them.
    pub fn reads_pseudo(&self, position: usize) -> bool {
        self.projection.get(self.schema.columns.len() + position).copied().unwrap_or(false)
    }
}
