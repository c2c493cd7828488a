//! Findings for programs: one JSON object a statement.
//!
//! `file`, `line` and `column` (both from 1, of the statement), `statement` (as it may be shown), `verdict` (`ok`, `error`,
//! `unsupported`, `not_checked`). Of an error also `message`, and where there is one `detail`, `hint` and `at` with `line`
//! and `column`; of a statement that was not checked `depends_on`. `notes` is a list of objects with `kind` (`warning`,
//! `differs`) and `text`.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::session::{Checked, Note, Verdict};
use crate::sql::diagnostic::location;

/// Writes the findings of one file.
pub(super) fn write(out: &mut impl Write, checked: &[Checked]) -> io::Result<()> {
    for statement in checked {
        let source = &*statement.source;
        let (line, column) = location(&source.text, statement.span.start);
        let mut object = Map::new();
        object.insert("file".into(), json!(source.name));
        object.insert("line".into(), json!(line));
        object.insert("column".into(), json!(column));
        object.insert("statement".into(), json!(statement.statement));
        match &statement.verdict {
            Verdict::Ok => drop(object.insert("verdict".into(), json!("ok"))),
            Verdict::Error(error) => fill(&mut object, "error", error, &source.text),
            Verdict::Unsupported(error) => fill(&mut object, "unsupported", error, &source.text),
            Verdict::NotChecked(names) => {
                object.insert("verdict".into(), json!("not_checked"));
                object.insert("depends_on".into(), json!(names));
            }
        }
        let note = |note: &Note| match note {
            Note::Warning(text) => json!({ "kind": "warning", "text": text }),
            Note::Differs(text) => json!({ "kind": "differs", "text": text }),
        };
        object.insert("notes".into(), statement.notes.iter().map(note).collect());
        writeln!(out, "{}", Value::Object(object))?;
    }
    Ok(())
}

fn fill(object: &mut Map<String, Value>, verdict: &str, error: &Error, text: &str) {
    object.insert("verdict".into(), json!(verdict));
    object.insert("message".into(), json!(error.message()));
    if let Some(detail) = error.detail_text() {
        object.insert("detail".into(), json!(detail));
    }
    if let Some(hint) = error.hint_text() {
        object.insert("hint".into(), json!(hint));
    }
    if let Some(span) = error.span() {
        let (line, column) = location(text, span.start);
        object.insert("at".into(), json!({ "line": line, "column": column }));
    }
}
