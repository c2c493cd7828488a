//! What stands before the line.

use std::borrow::Cow;

use reedline::{Prompt, PromptEditMode, PromptHistorySearch, PromptHistorySearchStatus};

use super::typed::{Open, Typed};

/// `alcedo> `, and on the lines that follow what is open: a quote, a parenthesis, a comment, or just the statement.
pub struct ShellPrompt {
    typed: Typed,
}

impl ShellPrompt {
    /// A prompt for the line that `typed` follows.
    pub fn new(typed: Typed) -> Self {
        ShellPrompt { typed }
    }
}

impl Prompt for ShellPrompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed("alcedo")
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("> ")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self.typed.open() {
            Open::Nothing => "   ...> ",
            Open::Parenthesis => "  (...> ",
            Open::Quote('\'') => "  '...> ",
            Open::Quote('"') => "  \"...> ",
            Open::Quote(_) => "  `...> ",
            Open::Comment => " /*...> ",
        })
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        let failing = match search.status {
            PromptHistorySearchStatus::Passing => "",
            PromptHistorySearchStatus::Failing => "failing ",
        };
        Cow::Owned(format!("({failing}search: {}) ", search.term))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lexemes::lexemes;

    #[test]
    fn all_continuations_are_as_wide_as_the_first_prompt() {
        let typed = Typed::default();
        let prompt = ShellPrompt::new(typed.clone());
        for (text, expected) in [("a", "   ...> "), ("(", "  (...> "), ("'", "  '...> "), ("\"", "  \"...> ")] {
            typed.see(text, &lexemes(text));
            assert_eq!(prompt.render_prompt_multiline_indicator(), expected);
            assert_eq!(expected.len(), "alcedo> ".len());
        }
    }
}
