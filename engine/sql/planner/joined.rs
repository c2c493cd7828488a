//! A join that could run becomes a plan: the key of its rows, what is read and kept of each side, and where rows meet.

use std::collections::HashSet;

use datafusion::logical_expr::Expr as LogicalExpr;

use super::Context;
use super::assemble::{named, read_of, scan};
use super::join::{Joined, Step};
use super::query::Item;
use crate::catalog::RelationKind;
use crate::error::{Code, Error, Result, Span};
use crate::plan::{CompiledExpr, JOIN_KEY, JoinPlan, JoinSide, JoinWindow, Repartition, SourceScan};
use crate::sql::ast;
use crate::sql::bind::coerce::{common_type, widen};
use crate::sql::bind::compile;
use crate::sql::bind::scope::ScopeColumn;
use crate::types::{FormatName, FormatSpec, SqlType, quote_identifier};

impl Joined {
    /// What of it does not run yet, if anything.
    pub fn missing(&self) -> Option<&'static str> {
        let sources = &self.scope.sources;
        if sources.iter().any(|source| source.relation.kind == RelationKind::Table) {
            Some("JOIN with a table")
        } else if sources.len() > 2 {
            Some("JOIN of more than two sources")
        } else if sources.iter().any(|source| source.relation.window.is_some()) {
            Some("JOIN of windowed streams")
        } else {
            None
        }
    }

    /// Marks the item that is the key of the result: the first of the columns that can be which is selected. In a topic the key
    /// is there in every row; whoever asked for rows sees the columns as they are.
    pub fn mark_key(&self, items: &mut [Item], persistent: bool) -> Result<()> {
        let field = |alias: &str, name: &str| {
            let source = self.scope.sources.iter().find(|source| source.alias == alias)?;
            source.columns.iter().find(|column| column.name == name).map(|column| column.field.clone())
        };
        let mut fields: Vec<String> = self.keys.iter().filter_map(|(alias, name)| field(alias, name)).collect();
        if fields.is_empty() {
            fields.push(JOIN_KEY.to_string());
        }
        for field in &fields {
            let mut found =
                items.iter().enumerate().filter(|(_, item)| item.field.as_ref() == Some(field)).map(|(at, _)| at);
            let Some(first) = found.next() else { continue };
            if let Some(second) = found.next().filter(|_| persistent) {
                let name = &items[first].sql;
                let error = Error::refused(Code::DuplicateName, format!("the key column {name} is selected twice"));
                return Err(error
                    .hint(format!("Copy it into the value with AS_VALUE({name}) AS ..."))
                    .at(items[second].span));
            }
            let item = &mut items[first];
            item.key_of = Some(item.sql.clone());
            if persistent && !self.is_always_there(field) {
                // Rows of the other side alone have the key too, in the type in which it is compared.
                item.expr = LogicalExpr::Column(datafusion::common::Column::new_unqualified(JOIN_KEY));
                item.ty = self.key_type();
            }
            return Ok(());
        }
        Ok(())
    }

    /// Whether the column of a field is there in every row of the result.
    fn is_always_there(&self, field: &str) -> bool {
        let Some(step) = self.steps.last() else { return true };
        match self.scope.sources.iter().position(|source| source.columns.iter().any(|column| column.field == field)) {
            _ if field == JOIN_KEY => true,
            // A row of the other side alone has none of this one.
            Some(source) => !step.kind.keeps(1 - source.min(1)),
            None => true,
        }
    }

    /// The type of what the last step compares.
    pub fn key_type(&self) -> SqlType {
        let Some([left, right]) = self.steps.last().map(|step| &step.sides) else { return SqlType::String };
        common_type(&left.ty, &right.ty).unwrap_or_else(|| left.ty.clone())
    }

    /// The key that is a column of its own, as `*` shows it.
    pub fn key_item(&self, span: Span) -> Item {
        Item {
            name: self.key_name.clone(),
            expr: LogicalExpr::Column(datafusion::common::Column::new_unqualified(JOIN_KEY)),
            ty: self.key_type(),
            sql: quote_identifier(&self.key_name),
            field: Some(JOIN_KEY.to_string()),
            key_of: None,
            after_field: false,
            implicit: false,
            span,
        }
    }

    /// The left side and the rest of the plan, for steps that read these fields.
    pub fn plan(&self, context: &Context, read: &HashSet<String>) -> Result<(SourceScan, JoinPlan)> {
        let ([left, right], [step]) = (&self.scope.sources[..], &self.steps[..]) else {
            return Err(Error::internal("a join of other than two sources"));
        };
        let within = step.within.as_ref().ok_or_else(|| Error::internal("two streams without a window"))?;
        let key_type = self.key_type();
        let mut scans = Vec::with_capacity(2);
        let mut sides = Vec::with_capacity(2);
        let (key_format, elsewhere) = self.partitioning(context, step, &key_type);
        let full = self.scope.df_schema()?;
        for (at, (source, compared)) in [left, right].into_iter().zip(&step.sides).enumerate() {
            let key = widen(compared.expr.clone(), Some(&compared.ty), &key_type);
            let key = compile::simplify(key, &full);
            let of_key = compile::fields_of(&key);
            // The expression names the fields of joined rows; the columns it finds stand where those of the scan do.
            let compiled = |scan: &SourceScan| -> Result<CompiledExpr> {
                let schema = named(&scan.read_schema(), &fields_read(scan, &source.columns))?;
                compile::physical(&key, &schema, &key_type, compared.sql.clone())
            };
            let side = scan(&source.relation, &read_of(&source.columns, &read.union(&of_key).cloned().collect()));
            let fields = fields_read(&side, &source.columns);
            let repartition = match elsewhere[at] {
                true => {
                    let scan = scan(&source.relation, &read_of(&source.columns, &of_key));
                    Some(Repartition { key: compiled(&scan)?, scan })
                }
                false => None,
            };
            sides.push(JoinSide {
                key: compiled(&side)?,
                compares: compared.column.as_deref().map_or(compared.sql.clone(), quote_identifier),
                keep: (0..fields.len()).filter(|at| read.contains(&fields[*at])).collect(),
                repartition,
            });
            scans.push(side);
        }
        let (Some(right_scan), Some(left_scan)) = (scans.pop(), scans.pop()) else {
            return Err(Error::internal("a join of other than two scans"));
        };
        let sides = sides.try_into().map_err(|_| Error::internal("a join of other than two sides"))?;
        let plan = JoinPlan {
            right: right_scan,
            kind: step.kind,
            window: JoinWindow {
                before: within.before.millis(),
                after: within.after.millis(),
                grace: within.grace.as_ref().map(ast::Duration::millis),
            },
            sides,
            key_type,
            key_format,
            shows_key: read.contains(JOIN_KEY),
        };
        Ok((left_scan, plan))
    }

    /// How keys are written where rows are by the join's key, and which sides have to get there through a topic.
    ///
    /// A side stays where it is when its records have what is compared as their whole key, in the type in which it is
    /// compared. Two that stay must write it alike. Two over one topic both stay or both go, so that what is committed for the
    /// topic holds for both.
    fn partitioning(&self, context: &Context, step: &Step, key_type: &SqlType) -> (FormatSpec, [bool; 2]) {
        let relation = |at: usize| &self.scope.sources[at].relation;
        let format = |at: usize| relation(at).key_format.clone();
        let stays = |at: usize| {
            let compared = &step.sides[at];
            let mut keys = relation(at).schema.key_columns();
            let only = if let (Some(only), None) = (keys.next(), keys.next()) { Some(&only.name) } else { None };
            only.is_some() && only == compared.column.as_ref() && compared.ty == *key_type
        };
        let of_one_topic = relation(0).topic.name == relation(1).topic.name;
        match (stays(0), stays(1)) {
            (true, true) if format(0) == format(1) => (format(0), [false, false]),
            (true, _) if !of_one_topic => (format(0), [false, true]),
            (false, true) if !of_one_topic => (format(1), [true, false]),
            _ => match format(0).name {
                FormatName::None => {
                    let default = context.defaults.key_format;
                    let none = default == FormatName::None;
                    (FormatSpec::new(if none { FormatName::Json } else { default }), [true, true])
                }
                _ => (format(0), [true, true]),
            },
        }
    }
}

/// The fields of the columns that a scan reads, in their order.
fn fields_read(scan: &SourceScan, columns: &[ScopeColumn]) -> Vec<String> {
    let read = columns.iter().zip(&scan.projection).filter(|(_, read)| **read);
    read.map(|(column, _)| column.field.clone()).collect()
}
