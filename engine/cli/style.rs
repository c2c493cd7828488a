//! Colours, where they are wanted: on a terminal, and never under `NO_COLOR`.

use std::io::IsTerminal;

use nu_ansi_term::{Color, Style};

/// How to paint the few things that are painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    colours: bool,
}

impl Paint {
    /// Colours for standard output when it is a terminal.
    pub fn stdout() -> Self {
        Paint { colours: std::io::stdout().is_terminal() && wanted() }
    }

    /// Colours for standard error when it is a terminal.
    pub fn stderr() -> Self {
        Paint { colours: std::io::stderr().is_terminal() && wanted() }
    }

    /// No colours.
    pub const fn plain() -> Self {
        Paint { colours: false }
    }

    /// Whether there are colours at all.
    pub fn has_colours(self) -> bool {
        self.colours
    }

    /// Headers, labels: less than the data.
    pub fn faint(self, text: &str) -> String {
        self.style(Style::new().dimmed(), text)
    }

    /// What went wrong.
    pub fn error(self, text: &str) -> String {
        self.style(Color::Red.bold(), text)
    }

    /// What deserves a look.
    pub fn warning(self, text: &str) -> String {
        self.style(Color::Yellow.normal(), text)
    }

    /// What matters.
    pub fn strong(self, text: &str) -> String {
        self.style(Style::new().bold(), text)
    }

    fn style(self, style: Style, text: &str) -> String {
        if self.colours { style.paint(text).to_string() } else { text.to_string() }
    }
}

/// Whether the environment lets us use colours (<https://no-color.org>; a dumb terminal has none).
fn wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}
