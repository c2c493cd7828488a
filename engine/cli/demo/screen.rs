//! Lines, and on a terminal a last row that shows how far it is.

use std::io::{self, Write};

use crate::cli::bottom::Bottom;
use crate::cli::print::cut;
use crate::cli::style::Paint;

/// Standard output. A reader that went away closes it, which is no error.
pub struct Screen {
    paint: Paint,
    /// The terminal's last row, where there is one to move the cursor to.
    bottom: Option<Bottom>,
    closed: bool,
}

impl Screen {
    /// Standard output as it is.
    pub fn new() -> Screen {
        Screen { paint: Paint::stdout(), bottom: Bottom::of_stdout(), closed: false }
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
        let mut out = io::stdout().lock();
        let written = out.write_all(format!("{text}\n").as_bytes()).and_then(|()| out.flush());
        self.closed |= written.is_err();
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
        let Some(bottom) = &mut self.bottom else { return };
        let cells = (rows * 20).checked_div(total).unwrap_or(0).min(20);
        let text = format!(
            "[{}{}] {acknowledged} acknowledged, {rows} of {total} scored, {anomalies} anomalies",
            "=".repeat(cells),
            " ".repeat(20 - cells)
        );
        self.closed |= bottom.show(&mut io::stdout().lock(), &[text]).is_err();
    }

    /// Gives the last row back.
    pub fn progress_done(&mut self) {
        if let Some(bottom) = &mut self.bottom {
            self.closed |= bottom.clear(&mut io::stdout().lock()).is_err();
        }
    }
}
