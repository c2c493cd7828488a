//! `SELECT ... [EMIT CHANGES] [LIMIT n]`; without `EMIT CHANGES` a scan of what a stream's topic holds.

use super::assemble::assemble;
use super::{Context, query};
use crate::error::{Error, Result};
use crate::plan::{OnError, QueryKind, QueryPlan};
use crate::sql::ast::Query;
use crate::types::{Column, Schema};

/// The plan of a query whose rows go to whoever asked.
pub fn push_query(context: &Context, query: &Query, query_id: String) -> Result<QueryPlan> {
    let bound = query::bind(context, query, false)?;
    let limit = match query.limit {
        Some(limit) => Some(
            u64::try_from(limit.rows)
                .ok()
                .filter(|rows| *rows > 0)
                .ok_or_else(|| Error::sql("LIMIT needs a number of rows, at least 1").at(limit.span))?,
        ),
        None => None,
    };
    let (source, steps) = assemble(&bound, &bound.items)?;
    let output = bound.items.iter().map(|item| Column::value(&item.name, item.ty.clone())).collect();
    let (kind, output) = (QueryKind::Push { limit }, Schema::new(output));
    Ok(QueryPlan { query_id, kind, source, steps, output, on_error: OnError::Skip })
}
