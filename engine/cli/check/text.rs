//! Findings for people: a line a statement, and below it what there is to say.

use std::io::{self, Write};

use super::{Counts, one_line};
use crate::cli::bottom::stdout_columns;
use crate::cli::print::visible;
use crate::cli::style::Paint;
use crate::error::Error;
use crate::session::{Checked, Note, SourceText, Verdict};
use crate::sql::diagnostic::{location, render_within};

/// Cells of a statement that are shown.
const STATEMENT: usize = 60;

/// Writes the findings of the file `name`, and of files that it runs, and their summary.
pub(super) fn write(
    out: &mut impl Write,
    name: &str,
    checked: &[Checked],
    counts: &Counts,
    paint: Paint,
) -> io::Result<()> {
    let place = |statement: &Checked| {
        let source = &statement.source;
        format!("{}:{}", visible(&source.name), location(&source.text, statement.span.start).0)
    };
    let widest = checked.iter().map(|statement| place(statement).len()).max().unwrap_or(0);
    for statement in checked {
        let (word, painted) = match &statement.verdict {
            Verdict::Ok => ("ok", paint.good("ok")),
            Verdict::Error(_) => ("error", paint.error("error")),
            Verdict::Unsupported(_) => ("unsupported", paint.warning("unsupported")),
            Verdict::NotChecked(_) => ("not checked", paint.warning("not checked")),
        };
        let place = format!("{:<widest$}", place(statement));
        let padding = " ".repeat(11 - word.len());
        writeln!(out, "{} {painted}{padding}  {}", paint.faint(&place), one_line(&statement.statement, STATEMENT))?;
        match &statement.verdict {
            Verdict::Ok => {}
            Verdict::Error(error) | Verdict::Unsupported(error) => {
                indented(out, &shown(error, &statement.source, paint))?
            }
            Verdict::NotChecked(names) => writeln!(out, "    depends on {}", visible(&names.join(", ")))?,
        }
        for note in &statement.notes {
            match note {
                Note::Warning(text) => writeln!(out, "    {} {}", paint.warning("warning:"), visible(text))?,
                Note::Differs(text) => writeln!(out, "    {} {}", paint.strong("differs:"), visible(text))?,
            }
        }
    }
    writeln!(out, "{}", paint.strong(&format!("{}: {counts}", visible(name))))
}

fn shown(error: &Error, source: &SourceText, paint: Paint) -> String {
    // What follows is set in by four columns.
    let columns = stdout_columns().map(|columns| columns.saturating_sub(4));
    render_within(error, &source.text, &source.name, paint.has_colours(), columns)
}

fn indented(out: &mut impl Write, text: &str) -> io::Result<()> {
    text.lines().try_for_each(|line| writeln!(out, "    {line}"))
}
