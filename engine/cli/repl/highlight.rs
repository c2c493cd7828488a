//! Colours of the line, from the tokens that the parser will see. What is not closed, and what is no token, is red.

use nu_ansi_term::{Color, Style};
use reedline::{Highlighter, StyledText};

use super::commands;
use super::complete::Names;
use super::typed::Typed;
use crate::error::Span;
use crate::sql::keywords::is_keyword;
use crate::sql::lexemes::{Lexeme, LexemeKind, lexemes};
use crate::sql::tokens::TokenKind;

/// What a part of the line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Names, operators, white space.
    Plain,
    /// A word of the grammar, or a command.
    Keyword,
    /// A function that there is.
    Function,
    /// A string.
    String,
    /// A name in quotes.
    QuotedName,
    /// A number.
    Number,
    /// A comment.
    Comment,
    /// Not closed, or no token.
    Wrong,
}

impl Part {
    /// How it looks.
    pub fn style(self) -> Style {
        match self {
            Part::Plain | Part::QuotedName => Style::new(),
            Part::Keyword => Style::new().bold().fg(Color::Blue),
            Part::Function => Style::new().fg(Color::Cyan),
            Part::String => Style::new().fg(Color::Green),
            Part::Number => Style::new().fg(Color::Magenta),
            Part::Comment => Style::new().dimmed(),
            Part::Wrong => Style::new().fg(Color::Red).underline(),
        }
    }
}

/// Colours what is typed, and lets `typed` know of it.
pub struct SqlHighlighter {
    names: Box<dyn Names>,
    typed: Typed,
}

impl SqlHighlighter {
    /// A highlighter that knows these functions.
    pub fn new(names: Box<dyn Names>, typed: Typed) -> Self {
        SqlHighlighter { names, typed }
    }
}

impl Highlighter for SqlHighlighter {
    fn highlight(&self, line: &str, _cursor: usize) -> StyledText {
        let lexemes = lexemes(line);
        self.typed.see(line, &lexemes);
        let mut styled = StyledText::new();
        for (part, span) in parts(line, &lexemes, &|name| self.names.has_function(name)) {
            styled.push((part.style(), line[span.start..span.end].to_string()));
        }
        styled
    }
}

/// The line as parts, which cover it without gaps.
fn parts(line: &str, lexemes: &[Lexeme], is_function: &dyn Fn(&str) -> bool) -> Vec<(Part, Span)> {
    let mut parts = Vec::with_capacity(lexemes.len() * 2 + 1);
    let mut at = 0;
    if let Some(command) = command_at_start(line) {
        parts.push((Part::Plain, Span::new(0, command.start)));
        parts.push((Part::Keyword, command));
        parts.push((Part::Plain, Span::new(command.end, line.len())));
        return parts;
    }
    for (n, lexeme) in lexemes.iter().enumerate() {
        let span = lexeme.span;
        if at < span.start {
            parts.push((Part::Plain, Span::new(at, span.start)));
        }
        let text = &line[span.start..span.end];
        let part = match &lexeme.kind {
            LexemeKind::Comment => Part::Comment,
            LexemeKind::Wrong if text == "\\" => Part::Keyword,
            LexemeKind::Wrong | LexemeKind::Open => Part::Wrong,
            LexemeKind::Token(TokenKind::Word) => {
                let calls =
                    matches!(lexemes.get(n + 1), Some(next) if next.kind == LexemeKind::Token(TokenKind::Symbol("(")));
                let word = text.to_ascii_uppercase();
                if calls && is_function(&word) {
                    Part::Function
                } else if is_keyword(&word) {
                    Part::Keyword
                } else {
                    Part::Plain
                }
            }
            LexemeKind::Token(TokenKind::QuotedName(_)) => Part::QuotedName,
            LexemeKind::Token(TokenKind::String(_)) => Part::String,
            LexemeKind::Token(TokenKind::Integer | TokenKind::Decimal | TokenKind::Double) => Part::Number,
            LexemeKind::Token(TokenKind::Symbol(_) | TokenKind::End) => Part::Plain,
        };
        parts.push((part, span));
        at = span.end;
    }
    if at < line.len() {
        parts.push((Part::Plain, Span::new(at, line.len())));
    }
    parts
}

/// The name of the command that a line of one line is.
fn command_at_start(line: &str) -> Option<Span> {
    let start = line.len() - line.trim_start().len();
    let call = commands::parse(line).filter(|_| !line.contains('\n'))?.ok()?;
    let typed = &line[start..];
    let name = call.command.names.iter().find(|name| {
        let first = name.split(' ').next().unwrap_or(name);
        typed.get(..first.len()).is_some_and(|head| head.eq_ignore_ascii_case(first)) && commands::parse(name).is_some()
    })?;
    let words = name.split(' ').count();
    let mut end = start;
    for _ in 0..words {
        end += line[end..].len() - line[end..].trim_start().len();
        end += line[end..].find(|c: char| c.is_whitespace() || c == ';').unwrap_or(line.len() - end);
    }
    Some(Span::new(start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> Vec<(Part, &str)> {
        let parts = parts(line, &lexemes(line), &|name| name == "ABS");
        let whole: String = parts.iter().map(|(_, span)| &line[span.start..span.end]).collect();
        assert_eq!(whole, line, "nothing is lost");
        let shown = parts.into_iter().map(|(part, span)| (part, &line[span.start..span.end]));
        shown.filter(|(_, text)| !text.trim().is_empty()).collect()
    }

    #[test]
    fn tokens_have_their_parts() {
        use Part::*;
        assert_eq!(
            shown("select ABS(id), abs, 1.5, 'a' from `s` -- c"),
            [
                (Keyword, "select"),
                (Function, "ABS"),
                (Plain, "("),
                (Plain, "id"),
                (Plain, ")"),
                (Plain, ","),
                (Plain, "abs"),
                (Plain, ","),
                (Number, "1.5"),
                (Plain, ","),
                (String, "'a'"),
                (Keyword, "from"),
                (QuotedName, "`s`"),
                (Comment, "-- c"),
            ]
        );
    }

    #[test]
    fn an_open_quote_is_seen_up_to_the_end() {
        assert_eq!(
            shown("WHERE a = 'b OR c"),
            [(Part::Keyword, "WHERE"), (Part::Plain, "a"), (Part::Plain, "="), (Part::Wrong, "'b OR c"),]
        );
        assert_eq!(shown("a # b")[1], (Part::Wrong, "#"));
    }

    #[test]
    fn commands_are_keywords() {
        assert_eq!(shown("  run script a.sql"), [(Part::Keyword, "run script"), (Part::Plain, " a.sql")]);
        assert_eq!(shown("\\d s"), [(Part::Keyword, "\\d"), (Part::Plain, " s")]);
        assert_eq!(shown("\\q"), [(Part::Keyword, "\\q")]);
    }

    #[test]
    fn the_line_reaches_the_prompt() {
        let typed = Typed::default();
        let highlighter = SqlHighlighter::new(Box::new(crate::cli::repl::complete::fixed::none()), typed.clone());
        highlighter.highlight("SELECT (", 8);
        assert_eq!(typed.open(), super::super::typed::Open::Parenthesis);
        assert!(!typed.is_blank());
    }
}
