//! A verdict for people and for programs.

use std::fmt::Write;

use super::case::Case;
use super::suite::{Outcome, Verdict};
use crate::types::text::json::Json;

/// One line of JSON.
pub fn json_line(case: &Case, verdict: &Verdict) -> String {
    let text = |value: &str| Json::String(value.to_string());
    let (result, reason) = match &verdict.outcome {
        Outcome::Pass => ("pass", verdict.refusal.as_deref().unwrap_or_default()),
        Outcome::Fail(reason) => ("fail", reason.as_str()),
        Outcome::Skip(reason) => ("skip", reason.as_str()),
    };
    let fields = vec![
        ("file", text(&case.file)),
        ("case", text(&case.name)),
        ("format", text(&case.format)),
        ("config", text(&case.config)),
        ("kind", text(verdict.kind.as_str())),
        ("result", text(result)),
        ("reason", text(reason)),
        ("message_matches", verdict.message_matches.map_or(Json::Null, Json::Bool)),
        ("code", verdict.code.map_or(Json::Null, |code| text(code.as_str()))),
        ("reason_checked", verdict.reason_checked.map_or(Json::Null, Json::Bool)),
    ];
    Json::Object(fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect()).to_string()
}

/// Most characters of a record that are shown.
const WIDTH: usize = 76;

/// A failed case: its name, why, and the records side by side, the first that differ marked with `>`.
pub fn failure(case: &Case, verdict: &Verdict) -> String {
    let Outcome::Fail(reason) = &verdict.outcome else { return String::new() };
    let mut text = format!("FAIL {}\n     {reason}\n", case.title());
    if verdict.table.is_empty() {
        return text;
    }
    let cut = |cell: &str| -> String {
        if cell.chars().count() <= WIDTH {
            return cell.to_string();
        }
        cell.chars().take(WIDTH - 3).chain("...".chars()).collect()
    };
    let rows: Vec<[String; 2]> = verdict.table.iter().map(|[left, right]| [cut(left), cut(right)]).collect();
    let width = rows.iter().map(|[left, _]| left.chars().count()).max().unwrap_or(0).max("expected".len());
    let _ = writeln!(text, "     {:width$} | found", "expected");
    for (i, [left, right]) in rows.iter().enumerate() {
        let mark = if verdict.marked == Some(i) { '>' } else { ' ' };
        let _ = writeln!(text, "   {mark} {left:width$} | {right}");
    }
    text
}
