//! Colours and signs, where they are wanted: colours on a terminal and never under `NO_COLOR`, box and block characters
//! unless the locale says that they cannot be shown.

use std::io::IsTerminal;

use nu_ansi_term::{Color, Style};

/// How to paint the few things that are painted, and which signs to draw with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    colours: bool,
    ascii: bool,
}

impl Paint {
    /// Colours for standard output when it is a terminal.
    pub fn stdout() -> Self {
        Paint { colours: std::io::stdout().is_terminal() && wanted(), ascii: !unicode() }
    }

    /// Colours for standard error when it is a terminal.
    pub fn stderr() -> Self {
        Paint { colours: std::io::stderr().is_terminal() && wanted(), ascii: !unicode() }
    }

    /// No colours.
    pub const fn plain() -> Self {
        Paint { colours: false, ascii: false }
    }

    /// No colours, and signs of ASCII only.
    pub const fn ascii() -> Self {
        Paint { colours: false, ascii: true }
    }

    /// The same signs without colours, for what is painted as a whole.
    pub const fn plain_as(paint: Paint) -> Self {
        Paint { colours: false, ascii: paint.ascii }
    }

    /// Colours wherever it is written to.
    #[cfg(test)]
    pub(super) const fn coloured() -> Self {
        Paint { colours: true, ascii: false }
    }

    /// Whether there are colours at all.
    pub fn has_colours(self) -> bool {
        self.colours
    }

    /// The signs to draw with.
    pub fn signs(self) -> &'static Signs {
        if self.ascii { &ASCII } else { &UNICODE }
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

    /// What is as it should be.
    pub fn good(self, text: &str) -> String {
        self.style(Color::Green.normal(), text)
    }

    /// What matters.
    pub fn strong(self, text: &str) -> String {
        self.style(Style::new().bold(), text)
    }

    fn style(self, style: Style, text: &str) -> String {
        if self.colours && !text.is_empty() { style.paint(text).to_string() } else { text.to_string() }
    }
}

/// Signs to draw with, each one cell wide.
#[derive(Debug, PartialEq, Eq)]
pub struct Signs {
    /// Between two columns.
    pub bar: &'static str,
    /// Between two columns of a line that goes on with folded cells.
    pub bar_folded: &'static str,
    /// Behind a cell that goes on in the next line.
    pub fold: &'static str,
    /// Before the columns of a row that stand below its first ones.
    pub below: &'static str,
    /// A horizontal line, and where it crosses a column's.
    pub rule: &'static str,
    /// Where a horizontal line crosses a vertical one.
    pub cross: &'static str,
    /// More than is shown.
    pub more: &'static str,
    /// Between the parts of a status line.
    pub dot: &'static str,
    /// A whole cell of a bar, and half of one.
    pub full: &'static str,
    /// Half a cell of a bar.
    pub half: &'static str,
    /// Where the threshold of a bar is.
    pub mark: &'static str,
    /// The levels of a sparkline, lowest first.
    pub levels: [char; 8],
}

const UNICODE: Signs = Signs {
    bar: "│",
    bar_folded: "┊",
    fold: "…",
    below: "↳",
    rule: "─",
    cross: "┼",
    more: "…",
    dot: "·",
    full: "█",
    half: "▌",
    mark: "│",
    levels: ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
};

const ASCII: Signs = Signs {
    bar: "|",
    bar_folded: ":",
    fold: "~",
    below: ">",
    rule: "-",
    cross: "+",
    more: "~",
    dot: "|",
    full: "#",
    half: "=",
    mark: "|",
    levels: ['_', '.', '-', ':', '=', '+', '*', '#'],
};

/// Whether the environment lets us use colours (<https://no-color.org>; a dumb terminal has none).
fn wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && !is_dumb()
}

/// Whether the terminal takes no control sequences.
pub(super) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb")
}

/// Whether box and block characters can be shown: unless a locale is set and is none of UTF-8. Where none is set, as in
/// most containers, the terminal outside knows better than `C` does.
fn unicode() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    locale_has_unicode(["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).as_deref())
}

fn locale_has_unicode(locale: Option<&str>) -> bool {
    locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;

    #[test]
    fn every_sign_takes_one_cell() {
        for signs in [&UNICODE, &ASCII] {
            let texts = [signs.bar, signs.bar_folded, signs.fold, signs.below, signs.rule, signs.cross, signs.more];
            for sign in texts.into_iter().chain([signs.dot, signs.full, signs.half, signs.mark]) {
                assert_eq!(sign.width(), 1, "{sign}");
            }
            assert!(signs.levels.iter().all(|level| level.to_string().width() == 1));
        }
    }

    #[test]
    fn a_locale_without_utf_8_gets_ascii() {
        assert!(
            locale_has_unicode(None) && locale_has_unicode(Some("de_CH.UTF-8")) && locale_has_unicode(Some("C.utf8"))
        );
        assert!(!locale_has_unicode(Some("C")) && !locale_has_unicode(Some("en_US.ISO-8859-1")));
    }
}
