//! Lines that stand on the terminal's last rows while others scroll above them.
//!
//! The terminal does the scrolling: a scroll region (DECSTBM) ends above the lines, so that rows, and what other threads
//! say on standard error, pass by without a redraw. Every update is one write between a saved and a restored cursor.
//! The cursor must stand at the start of a line whenever lines are first shown or become more.
//!
//! A process that is stopped (Ctrl-Z) gives the rows back before and takes them again when it goes on in the foreground.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use parking_lot::Mutex;

use super::print::cut;
use super::style::is_dumb;

/// What the thread of the signals has to know. It is locked while something is written that it must not come between.
static TERMINAL: Mutex<Terminal> = Mutex::new(Terminal { in_force: false, suspended: false, anew: false });

/// The terminal, of which a process has one.
struct Terminal {
    /// Whether a scroll region is in force.
    in_force: bool,
    /// Whether the process is about to be stopped; then nothing is shown.
    suspended: bool,
    /// Whether others had the terminal, so that nothing that stood there can be relied on.
    anew: bool,
}

/// How long an end that runs no destructor waits for a writer that a terminal holds up.
const PATIENCE: Duration = Duration::from_millis(100);

/// Width and height when the terminal does not say.
const UNKNOWN: (usize, usize) = (80, 24);

/// Columns of the terminal that standard output is; `None` for a pipe or a file.
pub fn stdout_columns() -> Option<usize> {
    io::stdout().is_terminal().then(|| size().0)
}

/// Columns of the terminal that standard error is; `None` for a pipe or a file.
pub fn stderr_columns() -> Option<usize> {
    io::stderr().is_terminal().then(|| size_of(terminal_size::terminal_size_of(io::stderr())).0)
}

/// Columns and rows of the terminal that standard output is.
fn size() -> (usize, usize) {
    size_of(terminal_size::terminal_size_of(io::stdout()))
}

fn size_of(known: Option<(terminal_size::Width, terminal_size::Height)>) -> (usize, usize) {
    let known = known.map(|(width, height)| (usize::from(width.0), usize::from(height.0)));
    known.filter(|(columns, rows)| *columns > 0 && *rows > 0).unwrap_or(UNKNOWN)
}

/// The last rows of the terminal that standard output is.
#[derive(Debug)]
pub struct Bottom {
    columns: usize,
    rows: usize,
    /// As they stand; as many as rows are taken from the region.
    lines: Vec<String>,
}

impl Bottom {
    /// `None` unless standard output is a terminal whose cursor can be moved.
    pub fn of_stdout() -> Option<Bottom> {
        let usable = io::stdout().is_terminal() && std::env::var_os("TERM").is_some() && !is_dumb();
        usable.then(|| Bottom { columns: size().0, rows: size().1, lines: Vec::new() })
    }

    /// Columns of the terminal, as of the last [`show`](Self::show).
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How many lines can be shown and leave room for others above them.
    pub fn room(&self) -> usize {
        self.rows.saturating_sub(4).max(1)
    }

    /// Shows these lines, each cut at the terminal's width, below everything else; writes nothing when they stand there.
    ///
    /// Rows once taken stay taken until [`clear`](Self::clear). A terminal of fewer than four rows shows none, and in the
    /// background nothing is shown.
    pub fn show(&mut self, out: &mut impl Write, lines: &[String]) -> io::Result<()> {
        let mut terminal = TERMINAL.lock();
        if terminal.suspended || !in_foreground() {
            return Ok(());
        }
        let mut text = String::new();
        if std::mem::take(&mut terminal.anew) {
            if terminal.in_force {
                text.push_str(RELEASE);
            }
            self.lines.clear();
        }
        text.push_str(&self.update(size(), lines));
        if text.is_empty() {
            return Ok(());
        }
        terminal.in_force = !self.lines.is_empty();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Gives the rows back, empty.
    pub fn clear(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        self.lines.clear();
        let mut terminal = TERMINAL.lock();
        // Whoever stopped the process gave them back already.
        if !std::mem::take(&mut terminal.in_force) {
            return Ok(());
        }
        out.write_all(RELEASE.as_bytes())?;
        out.flush()
    }

    /// What to write so that `lines` stand at the bottom of a terminal of this size.
    fn update(&mut self, size: (usize, usize), lines: &[String]) -> String {
        let mut text = String::new();
        if size != (self.columns, self.rows) {
            // The terminal has moved things on its own; only that the lines stand below the cursor is sure.
            if !self.lines.is_empty() {
                text.push_str(RELEASE);
            }
            (self.columns, self.rows) = size;
            self.lines.clear();
        }
        if self.rows < 4 || lines.is_empty() && self.lines.is_empty() {
            return text;
        }
        let mut lines: Vec<String> = lines.iter().take(self.room()).map(|line| cut(line, self.columns)).collect();
        lines.resize(lines.len().max(self.lines.len()), String::new());
        if lines.len() > self.lines.len() {
            // Line feeds scroll the region up as far as the cursor stands in the way, and not further.
            let more = lines.len() - self.lines.len();
            let last = self.rows - lines.len();
            let _ = write!(text, "{}\x1b[{more}A\x1b7\x1b[1;{last}r\x1b8", "\n".repeat(more));
            self.lines.clear();
        }
        if lines != self.lines {
            text.push_str("\x1b7");
            for (i, line) in lines.iter().enumerate() {
                if self.lines.get(i) != Some(line) {
                    let row = self.rows - lines.len() + i + 1;
                    let _ = write!(text, "\x1b[{row};1H\x1b[2K{line}");
                }
            }
            text.push_str("\x1b8");
            self.lines = lines;
        }
        text
    }
}

impl Drop for Bottom {
    fn drop(&mut self) {
        let _ = self.clear(&mut io::stdout().lock());
    }
}

/// Ends the scroll region, which would move the cursor, and empties the cursor's row and what is below. Rows are written
/// whole, so that what stands on the cursor's row is the terminal's echo of `^C`.
const RELEASE: &str = "\x1b7\x1b[r\x1b8\r\x1b[J";

/// Whether the terminal is ours; the shell that started us has it while we run in the background.
fn in_foreground() -> bool {
    // Where nothing says so, nobody else has it.
    std::fs::read_to_string("/proc/self/stat").ok().and_then(|stat| has_terminal(&stat)).unwrap_or(true)
}

/// Whether Linux's `/proc/PID/stat` tells of a process of the terminal's foreground group; `None` without a terminal.
fn has_terminal(stat: &str) -> Option<bool> {
    // Behind the name, which may hold anything: state, parent, group, session, terminal, the terminal's foreground group.
    let fields: Vec<i64> = stat.rsplit(')').next()?.split_whitespace().skip(1).flat_map(str::parse).take(5).collect();
    match fields[..] {
        [_, group, _, _, foreground] if foreground > 0 => Some(group == foreground),
        _ => None,
    }
}

/// Leaves the terminal as it was found, for an end that runs no destructor.
pub fn release_now() {
    if let Some(mut terminal) = TERMINAL.try_lock_for(PATIENCE) {
        terminal.release();
    }
}

/// Leaves the terminal as it was found, and alone until [`resume`]: the process is about to be stopped.
pub fn suspend() {
    let mut terminal = TERMINAL.lock();
    terminal.suspended = true;
    terminal.release();
}

/// Lets lines be shown again, from scratch.
pub fn resume() {
    let mut terminal = TERMINAL.lock();
    (terminal.suspended, terminal.anew) = (false, true);
}

impl Terminal {
    fn release(&mut self) {
        if std::mem::take(&mut self.in_force) {
            let mut out = io::stdout();
            let _ = out.write_all(RELEASE.as_bytes()).and_then(|()| out.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bottom() -> Bottom {
        Bottom { columns: 10, rows: 8, lines: Vec::new() }
    }

    #[test]
    fn the_last_row_is_taken_once_and_written_only_when_it_changes() {
        let mut bottom = bottom();
        let first = bottom.update((10, 8), &["a".to_string()]);
        assert_eq!(first, "\n\x1b[1A\x1b7\x1b[1;7r\x1b8\x1b7\x1b[8;1H\x1b[2Ka\x1b8");
        assert_eq!(bottom.update((10, 8), &["a".to_string()]), "");
        assert_eq!(bottom.update((10, 8), &["b".to_string()]), "\x1b7\x1b[8;1H\x1b[2Kb\x1b8");
        // What is dropped with lines gives its rows back, which no test is to do.
        bottom.lines.clear();
    }

    #[test]
    fn a_line_never_passes_the_edge_and_a_small_terminal_shows_none() {
        let mut bottom = bottom();
        assert!(bottom.update((10, 8), &["0123456789abc".to_string()]).contains("\x1b[2K012345678…\x1b8"));
        bottom.lines.clear();
        assert_eq!(bottom.update((10, 3), &["a".to_string()]), "");
    }

    #[test]
    fn linux_says_who_has_the_terminal() {
        assert_eq!(has_terminal("7 (a) b) S 1 7 5 34816 7 4194304 1"), Some(true));
        assert_eq!(has_terminal("7 (a) S 1 7 5 34816 5 4194304 1"), Some(false));
        assert_eq!(has_terminal("7 (a) S 1 7 7 0 -1 4194304 1"), None);
        assert_eq!(has_terminal(""), None);
    }

    #[test]
    fn another_size_gives_the_rows_back_and_takes_new_ones() {
        let mut bottom = bottom();
        bottom.update((10, 8), &["a".to_string()]);
        let text = bottom.update((20, 6), &["a".to_string()]);
        assert!(text.starts_with(RELEASE) && text.contains("\x1b[1;5r") && text.contains("\x1b[6;1H"), "{text:?}");
        bottom.lines.clear();
    }
}
