//! Findings for programs: one JSON object a statement.
//!
//! `file`, `line` and `column` (both from 1, of the statement), `statement` (as it may be shown), `verdict` (`ok`, `error`,
//! `unsupported`, `not_checked`). Of an error also `code`, `message`, and where there is one `detail`, `hint` and `at` with `line`
//! and `column`; of a statement that was not checked `depends_on`. `notes` is a list of objects with `kind` (`warning`,
//! `differs`) and `text`.

use std::io::{self, Write};

use crate::cli::print::write_json;
use crate::error::Error;
use crate::session::{Checked, Note, Verdict};
use crate::sql::diagnostic::location;
use crate::types::text::json::Json;

/// The fields of an object, in their order.
type Fields = Vec<(&'static str, Json)>;

/// Writes the findings of one file.
pub(super) fn write(out: &mut impl Write, checked: &[Checked]) -> io::Result<()> {
    for statement in checked {
        let source = &*statement.source;
        let mut fields: Fields = vec![("file", source.name.as_str().into())];
        fields.extend(place(&source.text, statement.span.start));
        fields.push(("statement", statement.statement.as_str().into()));
        match &statement.verdict {
            Verdict::Ok => fields.push(("verdict", "ok".into())),
            Verdict::Error(error) => fill(&mut fields, "error", error, &source.text),
            Verdict::Unsupported(error) => fill(&mut fields, "unsupported", error, &source.text),
            Verdict::NotChecked(names) => {
                fields.push(("verdict", "not_checked".into()));
                fields.push(("depends_on", Json::Array(names.iter().map(|name| name.as_str().into()).collect())));
            }
        }
        let note = |note: &Note| {
            let (kind, text) = match note {
                Note::Warning(text) => ("warning", text),
                Note::Differs(text) => ("differs", text),
            };
            Json::object([("kind", kind.into()), ("text", text.as_str().into())])
        };
        fields.push(("notes", Json::Array(statement.notes.iter().map(note).collect())));
        write_json(out, &Json::object(fields))?;
    }
    Ok(())
}

fn fill(fields: &mut Fields, verdict: &str, error: &Error, text: &str) {
    fields.push(("verdict", verdict.into()));
    fields.extend(super::super::print::json::error(error));
    if let Some(span) = error.span() {
        fields.push(("at", Json::object(place(text, span.start))));
    }
}

/// Line and column of a byte of a text.
fn place(text: &str, at: usize) -> [(&'static str, Json); 2] {
    let (line, column) = location(text, at);
    [("line", (line as u64).into()), ("column", (column as u64).into())]
}
