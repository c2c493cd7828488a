//! `SELECT ... [EMIT CHANGES] [LIMIT n]`; without `EMIT CHANGES` a scan of what a stream's topic holds.

use super::assemble::{Assembled, assemble};
use super::query::Item;
use super::{Context, query};
use crate::error::{Code, Error, Result};
use crate::plan::{OnError, QueryKind, QueryPlan};
use crate::sql::ast::Query;
use crate::types::{Column, Schema};

/// The plan of a query whose rows go to whoever asked.
pub fn push_query(context: &Context, query: &Query, query_id: String) -> Result<QueryPlan> {
    if let Some(partition_by) = &query.partition_by {
        return Err(Error::refused(
            Code::Misplaced,
            "PARTITION BY is for a query that writes a topic, a push query has no keys",
        )
        .at(partition_by.span));
    }
    let bound = query::bind(context, query, None)?;
    let limit = match query.limit {
        Some(limit) => Some(
            u64::try_from(limit.rows)
                .map_err(|_| Error::refused(Code::InvalidLiteral, "LIMIT needs a number of rows").at(limit.span))?,
        ),
        None => None,
    };
    let Assembled { source, mut join, steps } = assemble(context, &bound, &bound.items)?;
    // All partitions come to one task, so nothing has to go to another first.
    join.iter_mut().flat_map(|join| &mut join.sides).for_each(|side| side.repartition = None);
    let column = |item: &Item| match item.key_of {
        Some(_) => Column::key(&item.name, item.ty.clone()),
        None => Column::value(&item.name, item.ty.clone()),
    };
    let output = bound.items.iter().map(column).collect();
    let (kind, output) = (QueryKind::Push { limit }, Schema::new(output));
    Ok(QueryPlan { query_id, kind, source, join, steps, rekeyed: None, output, on_error: OnError::Skip })
}
