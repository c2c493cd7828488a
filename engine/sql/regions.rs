//! Where a text is code, where quoted, and where a comment: the one place that knows how each of them ends.
//!
//! Whoever cuts statements, fills in variables or makes tokens looks at a text through this, so that they agree.

use std::borrow::Cow;

use crate::error::Span;

/// A stretch of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Region {
    pub kind: RegionKind,
    /// Its bytes, with its quotes or the signs of its comment.
    pub span: Span,
    /// Whether it ends; the last one may be a string, a name or a comment that nothing closes.
    pub closed: bool,
}

/// What a stretch of a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RegionKind {
    /// Anything else.
    Code,
    /// In single quotes, double quotes or back-quotes; a doubled one is part of the text.
    Quoted(u8),
    /// `-- ...` without the end of its line, or `/* ... */`; these do not nest.
    Comment,
}

/// The regions of a text in order, without gaps.
pub(super) fn regions(text: &str) -> Regions<'_> {
    Regions { bytes: text.as_bytes(), at: 0 }
}

/// An iterator over regions.
pub(super) struct Regions<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Iterator for Regions<'_> {
    type Item = Region;

    fn next(&mut self) -> Option<Region> {
        let start = self.at;
        let rest = self.bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let (kind, end) = match rest {
            [quote @ (b'\'' | b'"' | b'`'), ..] => (RegionKind::Quoted(*quote), end_of_quoted(self.bytes, start)),
            [b'-', b'-', ..] => {
                let end = memchr::memchr(b'\n', rest).map_or(self.bytes.len(), |n| start + n);
                (RegionKind::Comment, Some(end))
            }
            [b'/', b'*', ..] => {
                (RegionKind::Comment, memchr::memmem::find(&rest[2..], b"*/").map(|n| start + 2 + n + 2))
            }
            _ => (RegionKind::Code, Some(end_of_code(self.bytes, start))),
        };
        self.at = end.unwrap_or(self.bytes.len());
        Some(Region { kind, span: Span::new(start, self.at), closed: end.is_some() })
    }
}

/// One past the closing quote of what opens at `at`.
fn end_of_quoted(bytes: &[u8], at: usize) -> Option<usize> {
    let quote = bytes[at];
    let mut from = at + 1;
    loop {
        let end = from + memchr::memchr(quote, &bytes[from..])?;
        if bytes.get(end + 1) != Some(&quote) {
            return Some(end + 1);
        }
        from = end + 2;
    }
}

/// Where the code at `at` ends: at a quote or a comment.
fn end_of_code(bytes: &[u8], at: usize) -> usize {
    let is_end = |at: usize| match bytes[at] {
        b'\'' | b'"' | b'`' => true,
        b'-' => bytes.get(at + 1) == Some(&b'-'),
        b'/' => bytes.get(at + 1) == Some(&b'*'),
        _ => false,
    };
    (at..bytes.len()).find(|at| is_end(*at)).unwrap_or(bytes.len())
}

/// The text with blanks in place of its comments, byte for byte; lines stay.
pub(super) fn without_comments(text: &str) -> Cow<'_, str> {
    let mut blanked: Option<String> = None;
    for region in regions(text).filter(|region| region.kind == RegionKind::Comment) {
        let out = blanked.get_or_insert_with(|| String::with_capacity(text.len()));
        out.push_str(&text[out.len()..region.span.start]);
        out.extend(region.span.text(text).bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
    }
    match blanked {
        Some(mut out) => {
            out.push_str(&text[out.len()..]);
            Cow::Owned(out)
        }
        None => Cow::Borrowed(text),
    }
}

/// The comment that nothing closes, if the text ends in one.
pub(super) fn open_comment(text: &str) -> Option<Span> {
    regions(text).last().filter(|last| last.kind == RegionKind::Comment && !last.closed).map(|last| last.span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_cover_the_text_without_gaps() {
        let text = "a 'b''c' -- d '\n\"e\"||/* f */g`h";
        let found: Vec<_> = regions(text).map(|region| (region.kind, region.span.text(text), region.closed)).collect();
        use RegionKind::*;
        assert_eq!(
            found,
            [
                (Code, "a ", true),
                (Quoted(b'\''), "'b''c'", true),
                (Code, " ", true),
                (Comment, "-- d '", true),
                (Code, "\n", true),
                (Quoted(b'"'), "\"e\"", true),
                (Code, "||", true),
                (Comment, "/* f */", true),
                (Code, "g", true),
                (Quoted(b'`'), "`h", false),
            ]
        );
        assert_eq!(regions("/*/").map(|region| region.closed).collect::<Vec<_>>(), [false]);
        assert_eq!(regions("").next(), None);
    }

    #[test]
    fn comments_become_blanks_of_their_length() {
        assert_eq!(without_comments("a/* ä\n*/b --c"), "a     \n  b    ");
        assert_eq!(without_comments("'--' b"), "'--' b");
        assert_eq!((without_comments("a /* b").as_ref(), open_comment("a /* b")), ("a     ", Some(Span::new(2, 6))));
    }
}
