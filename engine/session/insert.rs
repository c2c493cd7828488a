//! `INSERT INTO ... VALUES`: one record, written and acknowledged.

use super::engine::Shared;
use crate::error::{Error, Result};
use crate::kafka::Record;
use crate::plan::SinkSpec;
use crate::sql::planner::InsertRow;
use crate::topology::{SingleRecord, encode_row};

/// Writes the row and waits until the cluster has it.
pub(super) fn insert(shared: &Shared, row: &InsertRow) -> Result<()> {
    let relation = &row.relation;
    let sink = SinkSpec {
        relation: relation.name.clone(),
        topic: relation.topic.clone(),
        key_format: relation.key_format.clone(),
        value_format: relation.value_format.clone(),
        schema: relation.schema.clone(),
        timestamp: relation.timestamp.clone(),
        window: None,
    };
    let SingleRecord { key, value, timestamp } = encode_row(&sink, &row.columns, row.rowtime)?;
    let record = Record {
        topic: &relation.topic.name,
        key: key.as_deref(),
        value: value.as_deref(),
        timestamp: timestamp.unwrap_or(-1),
        ..Record::default()
    };
    shared.producer.send(record)?.wait().map(drop).map_err(|error| {
        Error::external(format!("the record could not be written to topic {}", relation.topic.name))
            .detail(error.to_string())
    })
}
