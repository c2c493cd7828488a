//! What was typed, piped or read from a file, cut into statements and commands.
//!
//! Statements end at their semicolon, as the one splitter says. A command of the shell is a line of its own, where a
//! statement could begin; a short form (`\watch`) may also stand behind a statement that has no semicolon yet, and then
//! is about it.

use super::commands::{self, Call};
use crate::error::{Result, Span};
use crate::sql::lexemes::{LexemeKind, lexemes};
use crate::sql::split::{Ending, split};

/// A statement or a command.
#[derive(Debug)]
pub enum Unit {
    /// A statement, without its semicolon.
    Statement(Span),
    /// A command.
    Command {
        /// What it says.
        call: Result<Call>,
        /// Its bytes.
        span: Span,
        /// The statement before it that no semicolon ends.
        pending: Option<Span>,
    },
}

/// A text that may grow, and how much of it was taken.
#[derive(Debug, Default)]
pub struct Input {
    text: String,
    taken: usize,
}

impl Input {
    /// The whole of a text.
    pub fn new(text: impl Into<String>) -> Input {
        Input { text: text.into(), taken: 0 }
    }

    /// Everything so far; places of units are in it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds lines, the last one with its line break unless the input ends there.
    pub fn push(&mut self, lines: &str) {
        self.text.push_str(lines);
    }

    /// Takes what is complete; at the end of the input also a statement without its semicolon.
    pub fn take(&mut self, at_end: bool) -> Vec<Unit> {
        let mut units = Vec::new();
        'after_command: loop {
            let from = self.taken;
            let found = split(&self.text[from..]);
            let mut left = match found.ending {
                Ending::OpenComment(span) => from + span.start,
                _ => self.text.len(),
            };
            for piece in &found.pieces {
                let span = Span::new(from + piece.span.start, from + piece.span.end);
                if let Some(at) = command_in(piece.text) {
                    let start = span.start + at;
                    let end = self.text[start..].find('\n').map_or(self.text.len(), |n| start + n);
                    let before = self.text[span.start..start].trim_end();
                    let pending = (!before.is_empty()).then(|| Span::new(span.start, span.start + before.len()));
                    if let Some(call) = commands::parse(&self.text[start..end]) {
                        units.push(Unit::Command { call, span: Span::new(start, end), pending });
                        self.taken = end;
                        continue 'after_command;
                    }
                }
                if piece.terminated || at_end {
                    units.push(Unit::Statement(span));
                } else {
                    left = span.start;
                }
            }
            self.taken = left;
            return units;
        }
    }

    /// What the text that was not taken ends in.
    pub fn ending(&self) -> Ending {
        split(&self.text[self.taken..]).ending
    }
}

/// Where in a piece of text between semicolons a command begins: at its start, or at a backslash.
fn command_in(piece: &str) -> Option<usize> {
    let first_line = piece.lines().next().unwrap_or_default();
    if commands::parse(first_line).is_some() {
        return Some(0);
    }
    memchr::memchr(b'\\', piece.as_bytes())?;
    let backslashes = lexemes(piece).into_iter().filter(|lexeme| lexeme.kind == LexemeKind::Wrong);
    backslashes.map(|lexeme| lexeme.span.start).find(|at| {
        let follows = piece[*at..].strip_prefix('\\').and_then(|rest| rest.chars().next());
        follows.is_some_and(|c| c.is_ascii_alphabetic() || c == '?')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> (Vec<String>, Ending) {
        let mut input = Input::new(text);
        let units = input.take(false);
        let shown = units.iter().map(|unit| match unit {
            Unit::Statement(span) => text[span.start..span.end].to_string(),
            Unit::Command { call, pending, .. } => {
                let name = call.as_ref().map_or("?", |call| call.command.names[0]);
                let pending = pending.map_or("", |span| &text[span.start..span.end]);
                format!("[{pending}|{name}]")
            }
        });
        (shown.collect(), input.ending())
    }

    #[test]
    fn commands_stand_where_statements_could_begin() {
        let (found, ending) = units("SHOW STREAMS;\nhelp\nSHOW TOPICS;\n\\d s\nSELECT ");
        assert_eq!(found, ["SHOW STREAMS", "[|help]", "SHOW TOPICS", "[|\\d]"]);
        assert_eq!(ending, Ending::NoSemicolon);
        assert_eq!(units("SELECT help\nFROM s;").0, ["SELECT help\nFROM s"]);
        assert_eq!(units("-- help\nSHOW TOPICS; exit").0, ["SHOW TOPICS", "[|exit]"]);
    }

    #[test]
    fn quotes_in_a_command_open_nothing() {
        assert_eq!(units("\\i it's.sql\nSHOW TOPICS;").0, ["[|run script]", "SHOW TOPICS"]);
        assert_eq!(units("spool don't\nSHOW TOPICS;").0, ["[|spool]", "SHOW TOPICS"]);
    }

    #[test]
    fn a_short_form_is_about_the_statement_before_it() {
        assert_eq!(units("SHOW QUERIES \\watch 2").0, ["[SHOW QUERIES|\\watch]"]);
        assert_eq!(units("SHOW QUERIES\n\\e\n").0, ["[SHOW QUERIES|\\e]"]);
        assert_eq!(units("SHOW QUERIES; \\watch").0, ["SHOW QUERIES", "[|\\watch]"]);
        assert_eq!(units("SELECT '\\e' \\\n FROM s;").0, ["SELECT '\\e' \\\n FROM s"]);
        assert_eq!(units("a /* ; */ ; b /* ; */").1, Ending::NoSemicolon);
        assert_eq!(units("SHOW \\nonsense").0, ["[SHOW|?]"]);
    }

    #[test]
    fn lines_may_come_one_by_one() {
        let mut input = Input::default();
        input.push("SELECT 1;SELECT\n");
        assert_eq!(input.take(false).len(), 1);
        assert_eq!(input.take(false).len(), 0);
        input.push("2; SHOW");
        let units = input.take(false);
        let [Unit::Statement(span)] = units.as_slice() else { panic!("{units:?}") };
        assert_eq!(&input.text()[span.start..span.end], "SELECT\n2");
        assert!(matches!(input.take(true).as_slice(), [Unit::Statement(_)]));
        assert!(input.take(true).is_empty());
    }
}
