//! The grey text behind the cursor: how the line went on the last time, which the right arrow takes; or else what the
//! function at the cursor still wants, which is only shown.

use nu_ansi_term::Style;
use reedline::{Hinter, History, SearchQuery};

use super::complete::Names;
use crate::sql::lexemes::{Lexeme, LexemeKind, lexemes};
use crate::sql::tokens::TokenKind;

/// Hints from the history and from the signatures of functions.
pub struct ShellHinter {
    names: Box<dyn Names>,
    from_history: String,
}

impl ShellHinter {
    /// A hinter that knows these functions.
    pub fn new(names: Box<dyn Names>) -> Self {
        ShellHinter { names, from_history: String::new() }
    }
}

impl Hinter for ShellHinter {
    fn handle(&mut self, line: &str, pos: usize, history: &dyn History, coloured: bool, _cwd: &str) -> String {
        self.from_history.clear();
        // Without colours a hint cannot be told from what was typed.
        if !coloured || line.trim().is_empty() || pos < line.len() {
            return String::new();
        }
        let query = SearchQuery::last_with_prefix(line.to_string(), history.session());
        let found = history.search(query).unwrap_or_default();
        if let Some(rest) = found.first().and_then(|item| item.command_line.get(line.len()..)) {
            self.from_history = rest.to_string();
        }
        let hint = match self.from_history.as_str() {
            "" => arguments(line, &*self.names).unwrap_or_default(),
            rest => rest.to_string(),
        };
        if hint.is_empty() { hint } else { Style::new().dimmed().paint(hint).to_string() }
    }

    fn complete_hint(&self) -> String {
        self.from_history.clone()
    }

    fn next_hint_token(&self) -> String {
        let end = self.from_history.char_indices().skip_while(|(_, c)| c.is_whitespace());
        let end = end.skip_while(|(_, c)| !c.is_whitespace()).map(|(at, _)| at).next();
        self.from_history[..end.unwrap_or(self.from_history.len())].to_string()
    }
}

/// The parameters that the innermost open call at the line's end still wants, when an argument could begin there.
fn arguments(line: &str, names: &dyn Names) -> Option<String> {
    let lexemes = lexemes(line);
    let begins = matches!(&lexemes.last()?.kind, LexemeKind::Token(TokenKind::Symbol("(" | ",")));
    if !begins {
        return None;
    }
    let (name, n_args) = open_call(line, &lexemes)?;
    let functions = names.functions();
    let declaration = functions.get(name)?;
    let forms = || declaration.variations.iter().filter(|form| form.param_for(n_args).is_some());
    // The longest form shows the most, the first of several; what a shorter one does without stands in brackets.
    let form = forms().rev().max_by_key(|form| form.params.len())?;
    let least = forms().map(|form| form.params.len()).min()?;
    let last = form.params.len() - 1;
    let first = n_args.min(last);
    let mut shown = String::new();
    for (n, param) in form.params.iter().enumerate().skip(first) {
        let optional = n >= least && n > first;
        let repeated = if form.variadic && n == last { ", ..." } else { "" };
        shown += if optional { "[" } else { "" };
        shown += if n > first { ", " } else { "" };
        shown += &format!("{} {}{repeated}", param.name, param.ty);
        shown += if optional { "]" } else { "" };
    }
    let blank = if line.ends_with(',') { " " } else { "" };
    Some(format!("{blank}{shown})"))
}

/// The name of the innermost call that is open at the end, and how many arguments stand before it.
fn open_call<'a>(line: &'a str, lexemes: &[Lexeme]) -> Option<(&'a str, usize)> {
    let (mut depth, mut commas) = (0usize, 0);
    for (n, lexeme) in lexemes.iter().enumerate().rev() {
        match &lexeme.kind {
            LexemeKind::Token(TokenKind::Symbol(")" | "]")) => depth += 1,
            LexemeKind::Token(TokenKind::Symbol("[")) if depth > 0 => depth -= 1,
            LexemeKind::Token(TokenKind::Symbol("(")) if depth > 0 => depth -= 1,
            LexemeKind::Token(TokenKind::Symbol("(")) => {
                let name = lexemes.get(n.checked_sub(1)?)?;
                let is_word = name.kind == LexemeKind::Token(TokenKind::Word);
                return is_word.then(|| (&line[name.span.start..name.span.end], commas));
            }
            LexemeKind::Token(TokenKind::Symbol("[" | ";")) => return None,
            LexemeKind::Token(TokenKind::Symbol(",")) if depth == 0 => commas += 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use reedline::{FileBackedHistory, HistoryItem};

    use super::super::complete::fixed;
    use super::*;

    fn hinter() -> ShellHinter {
        ShellHinter::new(Box::new(fixed::none()))
    }

    #[test]
    fn the_last_entry_that_begins_so_is_the_hint_and_can_be_taken() {
        let mut history = FileBackedHistory::new(10).expect("in memory");
        for entry in ["SHOW STREAMS;", "SHOW TOPICS; -- now", "SELECT 1;"] {
            history.save(HistoryItem::from_command_line(entry)).expect("in memory");
        }
        let mut hinter = hinter();
        let hint = hinter.handle("SHOW ", 5, &history, true, "");
        assert!(hint.contains("TOPICS; -- now") && hint.starts_with('\x1b'), "{hint:?}");
        assert_eq!(hinter.complete_hint(), "TOPICS; -- now");
        assert_eq!(hinter.next_hint_token(), "TOPICS;");
        assert_eq!(hinter.handle("SHOW ", 5, &history, false, ""), "", "without colours nothing is shown");
        assert_eq!(hinter.complete_hint(), "", "and nothing is taken");
        hinter.handle("SHOW ", 5, &history, true, "");
        hinter.handle("", 0, &history, true, "");
        assert_eq!(hinter.complete_hint(), "");
    }

    #[test]
    fn a_call_shows_what_it_still_wants() {
        let hint = |line: &str| arguments(line, &fixed::none());
        assert_eq!(hint("SELECT SUBSTRING(").as_deref(), Some("str VARCHAR, pos INT[, length INT])"));
        assert_eq!(hint("SELECT SUBSTRING(ABS(a),").as_deref(), Some(" pos INT[, length INT])"));
        assert_eq!(hint("SELECT ABS(a, "), None, "too many already");
        for line in ["SELECT a", "SELECT (", "SELECT ARRAY[1, ", "SELECT NONSENSE(", "SELECT ABS(a), "] {
            assert_eq!(hint(line), None, "{line}");
        }
    }

    #[test]
    fn arguments_are_shown_and_not_taken() {
        let history = FileBackedHistory::new(10).expect("in memory");
        let mut hinter = hinter();
        assert!(hinter.handle("SELECT ABS(", 11, &history, true, "").contains(')'));
        assert_eq!(hinter.complete_hint(), "");
    }
}
