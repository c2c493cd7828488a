//! Text of which nothing can speak to a terminal: what names, records and files hold is shown, and never carried out.

use std::borrow::Cow;

/// A text with the characters that would break a line, speak to a terminal or turn its direction made visible.
///
/// Line feed, carriage return and tab become `\n`, `\r` and `\t`, others `\u{1b}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    text.chars().for_each(|c| push(c, &mut shown));
    Cow::Owned(shown)
}

/// A text of several lines in which line feeds stay, tabs become blanks, and the rest is as in [`visible`].
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| c != '\n' && is_hidden(c)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => shown.push('\n'),
            '\t' => shown.push_str("    "),
            // An end of a line as other systems write it.
            '\r' if chars.peek() == Some(&'\n') => {}
            c => push(c, &mut shown),
        }
    }
    Cow::Owned(shown)
}

/// Control characters, line and paragraph separators, marks and overrides of direction, the byte order mark.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn push(c: char, shown: &mut String) {
    match c {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        c if is_hidden(c) => shown.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        c => shown.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_cannot_break_a_line_or_speak_to_a_terminal() {
        assert_eq!(visible("a\nb\t\r\u{1b}[0m"), "a\\nb\\t\\r\\u{1b}[0m");
        assert_eq!(visible("\u{9b}2J\u{202e}x\u{7f}"), "\\u{9b}2J\\u{202e}x\\u{7f}");
        assert!(matches!(visible("Zürich 温度 👩‍🚀"), Cow::Borrowed(_)));
    }

    #[test]
    fn line_feeds_of_a_text_of_lines_stay_and_nothing_else_does() {
        assert_eq!(visible_lines("a\r\n\tb\u{1b}[2J\rc\n"), "a\n    b\\u{1b}[2J\\rc\n");
        assert!(matches!(visible_lines("a\nb\n"), Cow::Borrowed(_)));
    }
}
