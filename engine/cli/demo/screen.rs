//! Lines, and on a terminal a last row that shows how far it is.

use std::io::{self, IsTerminal, Write};

use crate::cli::style::Paint;

/// Standard output. A reader that went away closes it, which is no error.
pub struct Screen {
    paint: Paint,
    /// Whether there is a last row to move the cursor on.
    has_progress: bool,
    /// The last row as it stands.
    progress: String,
    closed: bool,
}

impl Screen {
    /// Standard output as it is.
    pub fn new() -> Screen {
        let dumb = std::env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
        let has_progress = io::stdout().is_terminal() && !dumb;
        Screen { paint: Paint::stdout(), has_progress, progress: String::new(), closed: false }
    }

    /// How to paint.
    pub fn paint(&self) -> Paint {
        self.paint
    }

    /// Whether nobody reads any more.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// A line above the last row.
    pub fn line(&mut self, text: &str) {
        let (clear, progress) = match self.progress.as_str() {
            "" => ("", ""),
            progress => ("\r\x1b[2K", progress),
        };
        let text = format!("{clear}{text}\n{progress}");
        self.write(&text);
    }

    /// A line that matters.
    pub fn strong(&mut self, text: &str) {
        self.line(&self.paint.strong(text));
    }

    /// A line that matters less.
    pub fn faint(&mut self, text: &str) {
        self.line(&self.paint.faint(text));
    }

    /// A statement and what it gave, within 80 columns.
    pub fn statement(&mut self, statement: &str, done: &str) {
        self.line(&format!("  {:<34}  {}", cut(statement, 34), self.paint.faint(&cut(done, 42))));
    }

    /// Draws the last row anew.
    pub fn progress(&mut self, acknowledged: usize, rows: usize, anomalies: usize, total: usize) {
        if !self.has_progress {
            return;
        }
        let cells = (rows * 20).checked_div(total).unwrap_or(0).min(20);
        let text = format!(
            "[{}{}] {acknowledged} acknowledged, {rows} of {total} scored, {anomalies} anomalies",
            "=".repeat(cells),
            " ".repeat(20 - cells)
        );
        let text: String = text.chars().take(79).collect();
        if text != self.progress {
            self.write(&format!("\r\x1b[2K{text}"));
            self.progress = text;
        }
    }

    /// Takes the last row away.
    pub fn progress_done(&mut self) {
        if !std::mem::take(&mut self.progress).is_empty() {
            self.write("\r\x1b[2K");
        }
    }

    fn write(&mut self, text: &str) {
        let mut out = io::stdout().lock();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            self.closed = true;
        }
    }
}

/// The text, at most `width` characters of it.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_string();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}
