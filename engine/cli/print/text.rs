//! Text in cells of a terminal: how wide it is, and where it is cut or folded.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub use crate::types::text::visible::{is_hidden, visible, visible_lines};

/// How many cells of a terminal a text takes. The text has no control characters; see [`visible`].
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
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

/// A text as lines of at most `columns` cells without control characters. What goes on in the next line is set in by a
/// little more than its line is, or below what stands behind its first colon: `Name        : text`.
pub fn paragraphs(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in visible_lines(text).lines() {
        let line = line.trim_end();
        if width(line) <= columns {
            lines.push(line.to_string());
            continue;
        }
        let blanks = line.len() - line.trim_start_matches(' ').len();
        let behind_colon = line.find(": ").filter(|at| line[..*at].ends_with("  ")).map(|at| width(&line[..at + 2]));
        let indent = behind_colon.unwrap_or(blanks + 2).min(columns / 2);
        // The first piece has all the room, so that the others are folded by themselves.
        let first = fold(line, columns)[0];
        lines.push(first.trim_end().to_string());
        let rest = fold(line[first.len()..].trim_start(), columns.saturating_sub(indent));
        lines.extend(rest.iter().map(|piece| format!("{:indent$}{}", "", piece.trim_end())));
    }
    lines
}

/// A text of which nothing speaks to a terminal, as `paragraphs` of one that has so many columns.
pub fn folded(text: &str, columns: Option<usize>) -> String {
    match columns {
        Some(columns) => paragraphs(text, columns).join("\n"),
        None => visible_lines(text).into_owned(),
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
    fn text_folds_behind_blanks_where_it_can_and_anywhere_where_it_must() {
        assert_eq!(fold("", 4), [""]);
        assert_eq!(fold("abc", 4), ["abc"]);
        assert_eq!(fold("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(fold("one two three", 10), ["one two ", "three"]);
        assert_eq!(fold("温度計測", 5), ["温度", "計測"]);
        assert_eq!(fold("温", 1), ["温"]);
    }

    #[test]
    fn lines_of_a_text_fold_below_themselves_and_keep_what_is_short() {
        assert_eq!(paragraphs("short\n  indented", 20), ["short", "  indented"]);
        assert_eq!(paragraphs("  one two three four", 14), ["  one two", "    three four"]);
        let columns = "Name   : one two three\nEscape : \x1b[2J";
        assert_eq!(paragraphs(columns, 18), ["Name   : one two", "         three", "Escape : \\u{1b}[2J"]);
        assert_eq!(paragraphs("", 10), [""; 0]);
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
        fn lines_of_a_text_are_never_too_wide(text in "\\PC{0,60}", limit in 8usize..30) {
            let lines = paragraphs(&text, limit);
            prop_assert!(lines.iter().all(|line| width(line) <= limit), "{:?}", lines);
        }

        #[test]
        fn a_cut_line_is_never_too_wide(text in "\\PC{0,60}", limit in 1usize..20) {
            prop_assert!(width(&cut(&visible(&text), limit)) <= limit.max(1) + 1);
        }
    }
}
