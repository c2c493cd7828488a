//! The one statement splitter, for files and for the shell.
//!
//! Cuts a text at its semicolons and says whether what is left over is complete. It knows just enough of the lexis for
//! that: `--` and `/* */` comments, single quotes, double quotes and back-quotes (each doubled to escape itself), and a
//! backslash at a line's end, which is white space. It never fails; what is wrong inside a statement is the
//! parser's to say. [`tokens`](super::tokens) reads the same lexis in full; a property test holds the two together.

use super::regions::{RegionKind, regions};
use crate::error::Span;

/// The text of one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// From its first to its last token, without the semicolon and without white space and comments around it.
    pub text: &'a str,
    /// Its bytes in the text that was split.
    pub span: Span,
    /// Whether a semicolon ends it. Only the last piece may lack one.
    pub terminated: bool,
}

/// What the text ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// After a semicolon, or with nothing but white space and comments: nothing is missing.
    Complete,
    /// In a statement that no semicolon ends.
    NoSemicolon,
    /// In a string literal; the place is its opening quote.
    OpenString(Span),
    /// In a quoted name; the place is its opening quote.
    OpenName(Span),
    /// In a `/* */` comment; the place is its opening.
    OpenComment(Span),
}

/// A text cut into statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split<'a> {
    /// The statements, empty ones left out.
    pub pieces: Vec<Piece<'a>>,
    /// What the text ends in.
    pub ending: Ending,
}

impl Split<'_> {
    /// Whether nothing is missing; a shell asks for another line while this is false.
    pub fn is_complete(&self) -> bool {
        self.ending == Ending::Complete
    }
}

/// Cuts `text` at its semicolons.
pub fn split(text: &str) -> Split<'_> {
    let mut pieces = Vec::new();
    let mut ending = Ending::Complete;
    // First and one past the last byte of the statement so far that is neither white space nor comment.
    let mut content: Option<(usize, usize)> = None;
    let grow = |content: Option<(usize, usize)>, start, end| Some((content.map_or(start, |(first, _)| first), end));
    for region in regions(text) {
        let Span { start, end } = region.span;
        match region.kind {
            RegionKind::Comment if region.closed => {}
            RegionKind::Comment => ending = Ending::OpenComment(Span::new(start, start + 2)),
            RegionKind::Quoted(quote) => {
                content = grow(content, start, end);
                if !region.closed {
                    let opening = Span::new(start, start + 1);
                    ending = if quote == b'\'' { Ending::OpenString(opening) } else { Ending::OpenName(opening) };
                }
            }
            RegionKind::Code => {
                let mut at = start;
                while at < end {
                    let Some(c) = text[at..].chars().next() else { break };
                    let next = at + c.len_utf8();
                    if c == ';' {
                        if let Some((first, last)) = content.take() {
                            pieces.push(piece(text, first, last, true));
                        }
                    } else if c == '\\'
                        && let Some(after) = end_of_line_break(text, at)
                    {
                        at = after;
                        continue;
                    } else if !c.is_whitespace() {
                        content = grow(content, at, next);
                    }
                    at = next;
                }
            }
        }
    }
    if let Some((first, last)) = content {
        pieces.push(piece(text, first, last, false));
        if ending == Ending::Complete {
            ending = Ending::NoSemicolon;
        }
    }
    Split { pieces, ending }
}

/// Where the white space ends that a backslash at `at` makes: after the line's end, or at the end of the text.
/// `None` when something else than blanks follows the backslash on its line.
pub(super) fn end_of_line_break(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at + 1..];
    let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r']).len();
    match rest.as_bytes().get(blank) {
        None => Some(text.len()),
        Some(b'\n') => Some(at + 1 + blank + 1),
        Some(_) => None,
    }
}

fn piece(text: &str, first: usize, last: usize, terminated: bool) -> Piece<'_> {
    Piece { text: &text[first..last], span: Span::new(first, last), terminated }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        split(text).pieces.iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn semicolons_cut_only_outside_quotes_and_comments() {
        assert_eq!(texts("a ';' ; -- x;\n b \";\" `;``;` /* ; */ c;;\n"), ["a ';'", "b \";\" `;``;` /* ; */ c"]);
        assert_eq!(texts("a 'it''s;' b; c"), ["a 'it''s;' b", "c"]);
    }

    #[test]
    fn a_piece_has_its_place_in_the_whole_text() {
        let text = "-- é\n  SELECT 'ä';\n\n DROP x ;";
        for piece in split(text).pieces {
            assert_eq!(&text[piece.span.start..piece.span.end], piece.text);
        }
        assert_eq!(texts(text), ["SELECT 'ä'", "DROP x"]);
    }

    #[test]
    fn a_backslash_at_a_line_end_is_white_space() {
        assert_eq!(texts("a \\\n b \\ \r\n ; \\\n"), ["a \\\n b"]);
        assert!(split("\\").is_complete());
        assert_eq!(texts("a \\b"), ["a \\b"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(split("").ending, Ending::Complete);
        assert_eq!(split("a; -- b;").ending, Ending::Complete);
        assert_eq!(split("a; b").ending, Ending::NoSemicolon);
        assert_eq!(split("a 'b;").ending, Ending::OpenString(Span::new(2, 3)));
        assert_eq!(split("a `b;").ending, Ending::OpenName(Span::new(2, 3)));
        assert_eq!(split("a \"b;").ending, Ending::OpenName(Span::new(2, 3)));
        assert_eq!(split("a; /* b;").ending, Ending::OpenComment(Span::new(3, 5)));
        assert_eq!(split("/*/;").ending, Ending::OpenComment(Span::new(0, 2)));
    }
}
