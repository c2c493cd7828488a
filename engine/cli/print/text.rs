//! Text in cells of a terminal: how wide it is, where it is cut or folded, and what must not reach a terminal as it is.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many cells of a terminal a text takes. The text has no control characters; see [`visible`].
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// A text with the characters that would break a line, speak to a terminal or turn its direction made visible.
///
/// Line feed, carriage return and tab become `\n`, `\r` and `\t`, others `\u{1b}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if is_hidden(c) => shown.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Control characters, line and paragraph separators, marks and overrides of direction, the byte order mark.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The first part of `text` that is at most `limit` cells wide, and the rest. Takes at least one character.
fn split_at_width(text: &str, limit: usize) -> (&str, &str) {
    if text.len() <= limit && text.is_ascii() {
        return (text, "");
    }
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let next = at + c.len_utf8();
        // No text is wider than it has bytes. The width of a sequence is not the sum of its characters' widths.
        if end > 0 && next > limit && width(&text[..next]) > limit {
            break;
        }
        end = next;
    }
    text.split_at(end)
}

/// A text cut into pieces of at most `limit` cells, none left out; one empty piece for an empty text.
///
/// Pieces end behind a blank or a comma where the second half of the line has one. A character wider than `limit`, which
/// nothing can fold, stands alone.
pub fn fold(text: &str, limit: usize) -> Vec<&str> {
    let limit = limit.max(1);
    let mut pieces = Vec::new();
    let mut rest = text;
    loop {
        let (first, behind) = split_at_width(rest, limit);
        if behind.is_empty() {
            pieces.push(first);
            return pieces;
        }
        let end = match first.rfind([' ', ',']) {
            Some(at) if at + 1 > first.len() / 2 && limit >= 8 => at + 1,
            _ => first.len(),
        };
        pieces.push(&rest[..end]);
        rest = &rest[end..];
    }
}

/// A line of at most `limit` cells: what is too much is replaced by `…`. Sequences that set colours take no cell and stay.
pub fn cut(line: &str, limit: usize) -> String {
    if line.len() <= limit {
        return line.to_string();
    }
    let plain = without_colours(line);
    if width(&plain) <= limit {
        return line.to_string();
    }
    let (mut kept, mut used, mut is_cut) = (String::new(), 0, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            kept.push(c);
            for c in chars.by_ref() {
                kept.push(c);
                if c.is_ascii_alphabetic() {
                    break;
                }
            }
            continue;
        }
        let cells = c.width().unwrap_or(0);
        if !is_cut && used + cells < limit {
            kept.push(c);
            used += cells;
        } else if !is_cut {
            is_cut = true;
            if limit > 0 {
                kept.push('…');
            }
        }
    }
    kept
}

/// A line without the sequences that set colours.
pub fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => drop(chars.by_ref().find(char::is_ascii_alphabetic)),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_cannot_break_a_line_or_speak_to_a_terminal() {
        assert_eq!(visible("a\nb\t\r\u{1b}[0m"), "a\\nb\\t\\r\\u{1b}[0m");
        assert_eq!(visible("\u{9b}2J\u{202e}x\u{7f}"), "\\u{9b}2J\\u{202e}x\\u{7f}");
        assert!(matches!(visible("Zürich 温度 👩‍🚀"), Cow::Borrowed(_)));
    }

    #[test]
    fn text_folds_behind_blanks_where_it_can_and_anywhere_where_it_must() {
        assert_eq!(fold("", 4), [""]);
        assert_eq!(fold("abc", 4), ["abc"]);
        assert_eq!(fold("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(fold("one two three", 10), ["one two ", "three"]);
        assert_eq!(fold("温度計測", 5), ["温度", "計測"]);
        assert_eq!(fold("温", 1), ["温"]);
    }

    #[test]
    fn a_cut_line_keeps_its_colours_and_says_that_it_is_cut() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("\x1b[1mabcdefg\x1b[0m", 4), "\x1b[1mabc…\x1b[0m");
        assert_eq!(cut("\x1b[1mabc\x1b[0m", 4), "\x1b[1mabc\x1b[0m");
        assert_eq!(cut("温度計", 4), "温…");
    }

    proptest! {
        #[test]
        fn folding_loses_nothing_and_keeps_the_limit(text in "\\PC{0,60}", limit in 2usize..20) {
            let text = visible(&text).into_owned();
            let pieces = fold(&text, limit);
            prop_assert_eq!(pieces.concat(), text.as_str());
            prop_assert!(pieces.iter().all(|piece| width(piece) <= limit || piece.chars().count() == 1));
        }

        #[test]
        fn a_cut_line_is_never_too_wide(text in "\\PC{0,60}", limit in 1usize..20) {
            prop_assert!(width(&cut(&visible(&text), limit)) <= limit.max(1) + 1);
        }
    }
}
