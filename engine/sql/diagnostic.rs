//! Errors over the text they point into, for people to read.
//!
//! ```text
//! error: unknown column `SPEDE`
//!  --> cars.sql:3:8
//!   |
//! 3 | SELECT spede FROM cars EMIT CHANGES;
//!   |        ^^^^^
//! detail: CARS has the columns ID and SPEED
//! hint: Did you mean SPEED?
//! ```
//!
//! Knows nothing of the grammar: any error with a span over any text will do.

use std::fmt::Write;

use nu_ansi_term::{Color, Style};
use unicode_width::UnicodeWidthChar;

use crate::error::{Error, Span};
use crate::types::text::visible::visible_lines;

/// Columns of the source line that are shown at most; a longer line is cut around the place of the error.
const WIDTH_MAX: usize = 120;
/// Columns of the source line that are shown at least, however narrow the terminal is.
const WIDTH_MIN: usize = 24;
const TAB: usize = 4;

/// Renders an error over its source text, with ANSI colours if `coloured`. Ends without a line break.
///
/// `name` is the text's name, a file's path for instance; empty for what was typed in a shell. Without a span, or with
/// one outside of the text, the place and the source line are left out. Nothing in the error, in its text or in names speaks
/// to a terminal.
pub fn render(error: &Error, text: &str, name: &str, coloured: bool) -> String {
    render_within(error, text, name, coloured, None)
}

/// [`render`] for a terminal of so many columns: the source line is cut to it, so that the carets stand below their place.
pub fn render_within(error: &Error, text: &str, name: &str, coloured: bool, columns: Option<usize>) -> String {
    let paint = |style: Style, text: &str| if coloured { style.paint(text).to_string() } else { text.to_string() };
    let frame = Color::Blue.bold();
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{} {}", paint(Color::Red.bold(), "error:"), visible_lines(error.message()));
    if let Some(span) = error.span().filter(|span| span.start <= text.len()) {
        let span = settle(text, span);
        let (line, column) = location(text, span.start);
        let number = line.to_string();
        // The line's number and bar stand before it, and a cut may add dots on both sides.
        let room = columns.map_or(WIDTH_MAX, |columns| columns.saturating_sub(number.len() + 3 + 6));
        let excerpt = Excerpt::new(text, span, room.clamp(WIDTH_MIN, WIDTH_MAX));
        let gutter = " ".repeat(number.len());
        let bar = paint(frame, "|");
        let place = match name {
            "" => format!("line {line}, column {column}"),
            name => format!("{}:{line}:{column}", visible_lines(name)),
        };
        let _ = writeln!(out, "{gutter}{} {place}", paint(frame, "-->"));
        let _ = writeln!(out, "{gutter} {bar}");
        let _ = writeln!(out, "{} {bar} {}", paint(frame, &number), excerpt.line);
        let carets = "^".repeat(excerpt.width);
        let _ = writeln!(out, "{gutter} {bar} {}{}", " ".repeat(excerpt.offset), paint(Color::Red.bold(), &carets));
    }
    if let Some(detail) = error.detail_text() {
        let _ = writeln!(out, "{} {}", paint(Style::new().bold(), "detail:"), visible_lines(detail));
    }
    if let Some(hint) = error.hint_text() {
        let _ = writeln!(out, "{} {}", paint(Color::Cyan.bold(), "hint:"), visible_lines(hint));
    }
    out.truncate(out.trim_end_matches('\n').len());
    out
}

/// Line and column of a byte offset, both from one; a column is a character. An offset inside a character counts as the
/// character's, one past the end as the end's.
pub fn location(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |n| n + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The candidate nearest to `name`, if one is near enough to be what was meant.
///
/// Near are names that differ in case only, or in at most a third of their letters (a swap of two neighbours counts
/// once); for names of one or two letters only the case may differ.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = name.to_uppercase();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let letters = folded.chars().count().min(candidate.chars().count());
            let distance = strsim::osa_distance(&folded, &candidate.to_uppercase());
            let allowed = if letters <= 2 { 0 } else { (letters / 3).max(1) };
            (distance <= allowed && candidate != name).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Moves a span to whole characters, and from the text's end back to its last word, where something is missing.
fn settle(text: &str, span: Span) -> Span {
    if span.start >= text.trim_end().len() {
        let end = text.trim_end().len();
        return Span::new(end, end);
    }
    Span::new(text.floor_char_boundary(span.start), text.ceil_char_boundary(span.end.max(span.start)))
}

/// A source line as it is shown, and where its carets stand.
struct Excerpt {
    line: String,
    /// Columns before the carets.
    offset: usize,
    /// How many carets.
    width: usize,
}

impl Excerpt {
    /// The line on which `span` starts, at most `width_max` columns of it; a span over several lines is marked up to the first
    /// line's end.
    fn new(text: &str, span: Span, width_max: usize) -> Self {
        let line_start = text[..span.start].rfind('\n').map_or(0, |n| n + 1);
        let line_end = text[span.start..].find('\n').map_or(text.len(), |n| span.start + n);
        let line = text[line_start..line_end].trim_end();
        // What each character is shown as, from which column on.
        let mut cells: Vec<(usize, String)> = Vec::new();
        let mut column = 0;
        let (mut offset, mut caret_end) = (None, None);
        for (at, c) in line.char_indices() {
            let at = line_start + at;
            if at >= span.start {
                offset.get_or_insert(column);
            }
            if at >= span.end {
                caret_end.get_or_insert(column);
            }
            let (shown, width) = match c {
                '\t' => (" ".repeat(TAB - column % TAB), TAB - column % TAB),
                // Control characters would speak to the terminal.
                c if c.is_control() => ("\u{fffd}".to_string(), 1),
                c => (c.to_string(), c.width().unwrap_or(0)),
            };
            cells.push((column, shown));
            column += width;
        }
        let offset = offset.unwrap_or(column);
        let caret_end = caret_end.unwrap_or(column).max(offset + 1);
        // A third of what is shown stands before the place.
        let first = if column > width_max { offset.saturating_sub(width_max / 3) } else { 0 };
        let last = first + width_max;
        let mut shown = String::new();
        if first > 0 {
            shown.push_str("...");
        }
        let lead = if first > 0 { 3 } else { 0 };
        let visible = cells.iter().skip_while(|(at, _)| *at < first).take_while(|(at, _)| *at < last);
        // A wide character may begin before the cut and end behind it.
        let shown_from = visible.clone().next().map_or(first, |(at, _)| *at);
        visible.for_each(|(_, cell)| shown.push_str(cell));
        if column > last {
            shown.push_str("...");
        }
        Excerpt {
            line: shown,
            offset: offset.saturating_sub(shown_from) + lead,
            width: caret_end.min(last).saturating_sub(offset).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str, span: Span) -> String {
        render(&Error::sql("wrong").at(span), text, "f.sql", false)
    }

    /// The source line and the carets, without the frame.
    fn excerpt(text: &str, span: Span) -> (String, String) {
        let out = rendered(text, span);
        let line =
            |n: usize| out.lines().nth(n).and_then(|line| line.split_once("| ")).map(|(_, line)| line.to_string());
        (line(3).expect("a source line"), line(4).expect("a caret line"))
    }

    #[test]
    fn an_error_shows_place_line_and_what_to_do() {
        let error = Error::sql("unknown column `X`").at(Span::new(10, 11)).detail("S has A").hint("Did you mean A?");
        assert_eq!(
            render(&error, "-- one\n\nS X FROM s;\n", "f.sql", false),
            "error: unknown column `X`\n --> f.sql:3:3\n  |\n3 | S X FROM s;\n  |   ^\ndetail: S has A\nhint: Did you mean A?"
        );
        assert_eq!(render(&Error::sql("wrong"), "x", "f", false), "error: wrong");
        assert_eq!(rendered("x", Span::new(7, 9)), "error: wrong");
    }

    #[test]
    fn carets_stand_under_what_is_meant_whatever_its_width() {
        assert_eq!(excerpt("\ta 'ä' b", Span::new(8, 9)), ("    a 'ä' b".into(), "          ^".into()));
        assert_eq!(excerpt("温度 = x", Span::new(9, 10)), ("温度 = x".into(), "       ^".into()));
        assert_eq!(excerpt("a 温度 b", Span::new(2, 8)), ("a 温度 b".into(), "  ^^^^".into()));
        assert_eq!(excerpt("a\u{1b}[31m b", Span::new(7, 8)).0, "a\u{fffd}[31m b");
    }

    #[test]
    fn a_span_over_lines_is_marked_on_the_first() {
        assert_eq!(excerpt("ab cd\nef", Span::new(3, 8)), ("ab cd".into(), "   ^^".into()));
    }

    #[test]
    fn what_is_missing_at_the_end_is_marked_behind_the_last_word() {
        let text = "SELECT a\n\n";
        assert_eq!(excerpt(text, Span::new(text.len(), text.len())), ("SELECT a".into(), "        ^".into()));
    }

    #[test]
    fn a_long_line_is_cut_around_its_error() {
        let text = format!("{}X{}", "a ".repeat(500), " b".repeat(500));
        let (line, carets) = excerpt(&text, Span::new(1000, 1001));
        assert!(line.len() <= WIDTH_MAX + 6);
        assert_eq!(line.find('X'), carets.find('^'));
        let error = Error::sql("wrong").at(Span::new(1000, 1001));
        let shown = render_within(&error, &text, "", false, Some(50));
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines.iter().all(|line| line.len() <= 50), "{shown}");
        assert_eq!(lines[3].find('X'), lines[4].find('^'), "{shown}");
    }

    #[test]
    fn nothing_in_an_error_or_its_text_speaks_to_a_terminal() {
        let error = Error::sql("no \u{1b}[2J").at(Span::new(0, 1)).detail("a\n\u{9b}b").hint("\u{7}");
        let shown = render(&error, "x\u{1b}", "f\u{1b}", false);
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
        assert!(shown.contains("detail: a\n\\u{9b}b"), "{shown}");
    }

    #[test]
    fn colours_do_not_change_the_text() {
        let error = Error::sql("wrong").at(Span::new(0, 1)).hint("Do.");
        let coloured = render(&error, "x y", "f", true);
        assert!(coloured.contains('\u{1b}'));
        let mut plain = String::new();
        for (i, part) in coloured.split('\u{1b}').enumerate() {
            plain.push_str(if i == 0 { part } else { part.split_once('m').map_or(part, |(_, rest)| rest) });
        }
        assert_eq!(plain, render(&error, "x y", "f", false));
    }

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        assert_eq!(location("", 0), (1, 1));
        assert_eq!(location("ä\nöx", 5), (2, 2));
        assert_eq!(location("ä", 1), (1, 1));
        assert_eq!(location("ab", 99), (1, 3));
    }

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["SPEED", "TEMPERATURE", "ID"];
        assert_eq!(nearest("SPEDE", names), Some("SPEED"));
        assert_eq!(nearest("temprature", names), Some("TEMPERATURE"));
        assert_eq!(nearest("id", names), Some("ID"));
        assert_eq!(nearest("IX", names), None);
        assert_eq!(nearest("PRESSURE", names), None);
    }
}
