//! The plan as a tree, last step first, as `EXPLAIN` shows it.

use std::fmt::Write;

use super::{JoinPlan, OnError, QueryKind, QueryPlan, SourceScan, Step};
use crate::types::{FormatSpec, quote_identifier};

/// The whole plan, with its id.
pub fn explain(plan: &QueryPlan) -> String {
    let kind = match &plan.kind {
        QueryKind::Persistent(_) => "persistent query",
        QueryKind::Push { .. } => "push query",
    };
    format!("{kind} {}\n{}", plan.query_id, body(plan))
}

/// The plan without its id.
pub fn body(plan: &QueryPlan) -> String {
    let mut out = String::new();
    let mut depth = 0;
    match &plan.kind {
        QueryKind::Persistent(sink) => {
            let topic = &sink.topic;
            line(&mut out, &mut depth, &format!("Sink {} into topic {topic}", quote_identifier(&sink.relation)));
            detail(&mut out, depth, "formats", &formats(&sink.key_format, &sink.value_format));
            detail(&mut out, depth, "columns", &sink.schema.to_string());
            if plan.rekeyed.is_some() && plan.join.is_none() {
                detail(&mut out, depth, "keys", "by PARTITION BY");
            }
            if let Some(timestamp) = &sink.timestamp {
                detail(&mut out, depth, "time", &timestamp.to_string());
            }
        }
        QueryKind::Push { limit } => {
            let limit = limit.map(|rows| format!(" limit {rows}")).unwrap_or_default();
            line(&mut out, &mut depth, &format!("Send{limit}"));
            detail(&mut out, depth, "columns", &plan.output.to_string());
        }
    }
    for step in plan.steps.iter().rev() {
        match step {
            Step::Filter { predicate, .. } => {
                line(&mut out, &mut depth, "Filter");
                detail(&mut out, depth, "where", &predicate.sql);
            }
            Step::Explode { calls, .. } => {
                line(&mut out, &mut depth, "Explode");
                for call in calls {
                    let text = format!("{}({})", call.function.name(), call.argument.sql);
                    detail(&mut out, depth, &quote_identifier(&call.name), &text);
                }
            }
            Step::Project(columns) => {
                line(&mut out, &mut depth, "Project");
                for (name, expr) in columns {
                    detail(&mut out, depth, &quote_identifier(name), &format!("{} {}", expr.sql, expr.ty));
                }
            }
        }
    }
    match &plan.join {
        Some(join) => both_sides(&mut out, &mut depth, plan, join),
        None => scan(&mut out, &mut depth, &plan.source),
    }
    match &plan.on_error {
        OnError::Skip => {}
        OnError::Fail => detail(&mut out, depth, "bad records", "end the query"),
        OnError::DeadLetter(topic) => detail(&mut out, depth, "bad records", &format!("into topic {topic}")),
    }
    out
}

/// A join, and below it one side after the other.
fn both_sides(out: &mut String, depth: &mut usize, plan: &QueryPlan, join: &JoinPlan) {
    line(out, depth, &format!("{} JOIN", join.kind));
    let [left, right] = &join.sides;
    detail(out, *depth, "on", &format!("{} = {} {}", left.key.sql, right.key.sql, join.key_type));
    let window = &join.window;
    let grace = match window.grace {
        Some(grace) => format!("{grace} ms"),
        None => format!("{} ms by default", window.grace_or_default()),
    };
    let within = format!("{} ms before, {} ms after, grace {grace}", window.before, window.after);
    detail(out, *depth, "within", &within);
    let base = "   ".repeat(*depth - 1);
    for (number, (source, side)) in plan.scans().zip(&join.sides).enumerate() {
        let (mut text, mut below) = (String::new(), 0);
        if side.repartition.is_some() {
            line(&mut text, &mut below, "Repartition");
            detail(&mut text, below, "by", &format!("{} as {}", side.key.sql, join.key_format));
        }
        scan(&mut text, &mut below, source);
        let [first, others] = if number == 0 { ["├─ ", "│  "] } else { ["└─ ", "   "] };
        for (number, text) in text.lines().enumerate() {
            let _ = writeln!(out, "{base}{}{text}", if number == 0 { first } else { others });
        }
    }
}

fn scan(out: &mut String, depth: &mut usize, scan: &SourceScan) {
    line(out, depth, &format!("Scan {} from topic {}", quote_identifier(&scan.relation), scan.topic));
    detail(out, *depth, "formats", &formats(&scan.key_format, &scan.value_format));
    detail(out, *depth, "columns", &scan.schema.to_string());
    let read: Vec<String> = scan
        .all_columns()
        .zip(&scan.projection)
        .filter(|(_, read)| **read)
        .map(|((name, _), _)| quote_identifier(name))
        .collect();
    let read = if read.is_empty() { "no column".to_string() } else { read.join(", ") };
    detail(out, *depth, "reads", &read);
    if let Some(timestamp) = &scan.timestamp {
        detail(out, *depth, "time", &timestamp.to_string());
    }
    if let Some(window) = &scan.window {
        detail(out, *depth, "windows", &window.to_string());
    }
}

fn formats(key: &FormatSpec, value: &FormatSpec) -> String {
    format!("key {key}, value {value}")
}

/// One node, one level deeper than the one before.
fn line(out: &mut String, depth: &mut usize, text: &str) {
    let _ = match *depth {
        0 => writeln!(out, "{text}"),
        depth => writeln!(out, "{}└─ {text}", "   ".repeat(depth - 1)),
    };
    *depth += 1;
}

/// One property of the node above.
fn detail(out: &mut String, depth: usize, label: &str, text: &str) {
    let _ = writeln!(out, "{}{label}: {text}", "   ".repeat(depth));
}
