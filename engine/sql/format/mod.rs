//! SQL texts laid out: statements on lines of sensible length, with everything between and inside of them kept.
//!
//! [`print`](mod@super::print) makes the canonical text of a tree, in which nothing is left of how a statement was typed.
//! Here the tokens of a text are put out again, each once and in their order; what changes is the white space between
//! them and the case of keywords. Names, numbers, texts, parentheses, comments and `${variables}` stay as they were
//! typed, and at most one blank line between statements. The tree says where a line may break and which words are
//! names (`outline`), `layout` which breaks are taken.
//!
//! A statement with clauses on lines of its own keeps a line for each of them; one on a single line stays there while it
//! fits. A list whose first item stands on a new line keeps a line for each item. What is laid out again stays as it
//! is. The result is read again and compared, token by token: a statement that would come out as another one, which
//! would be our mistake, is left as it was typed, and so is one in which a variable stands where the grammar has a word
//! of its own (`EMIT ${what}`).

mod layout;
mod outline;
mod source;

#[cfg(test)]
mod tests;

use super::ast::Statement;
use super::parser::parse_template;
use super::tokens::{Token, TokenKind, tokenize};
use crate::error::{Error, Result, Span};
use source::{Comment, Source};

/// How many characters a line may hold.
pub const WIDTH: usize = 100;

/// A text of statements, laid out; it ends in a line break unless it is empty.
///
/// Errors have their place in `text`: the first statement that cannot be read.
pub fn format(text: &str) -> Result<String> {
    let source = Source::read(text)?;
    let mut out = Page { text: String::new(), newline: source.newline() };
    // Comments that stand before the next statement.
    let mut pending: Vec<Comment> = Vec::new();
    let mut first = 0;
    for at in 0..source.tokens.len() {
        let ends = match source.tokens[at].kind {
            TokenKind::Symbol(";") => true,
            TokenKind::End => false,
            _ => continue,
        };
        append(&mut pending, source.comments_before(first).cloned().collect());
        if first < at {
            let (laid_out, behind) = statement(&source, first, at, ends)?;
            out.statement(&std::mem::take(&mut pending), source.blank_line_before(first), &laid_out);
            pending = behind;
        }
        first = at + 1;
    }
    out.comments(&pending, false);
    if !out.text.is_empty() {
        out.text += out.newline;
    }
    Ok(out.text)
}

/// One statement's text laid out for display, without its semicolon; as it is when it cannot be read.
pub fn statement_text(text: &str) -> String {
    let laid_out = format(text).unwrap_or_else(|_| text.to_string());
    laid_out.trim_end().trim_end_matches(';').trim_end().to_string()
}

/// Puts comments behind others that stood before another token.
fn append(comments: &mut Vec<Comment>, mut others: Vec<Comment>) {
    if let (Some(last), Some(first)) = (comments.last(), others.first_mut()) {
        first.own_line |= last.ends_line();
    }
    comments.append(&mut others);
}

/// Lays out the statement of the tokens `first..last`, with its semicolon if it has one, and gives the comments that go
/// behind it.
fn statement(source: &Source<'_>, first: usize, last: usize, ends: bool) -> Result<(String, Vec<Comment>)> {
    let tokens = &source.tokens[first..last];
    let mut comments: Vec<Vec<Comment>> =
        (first + 1..last).map(|at| source.comments_before(at).cloned().collect()).collect();
    comments.insert(0, Vec::new());
    // A comment that ends a line before a comma goes behind it, where the line ends then.
    for at in (1..tokens.len().saturating_sub(1)).rev() {
        if matches!(tokens[at].kind, TokenKind::Symbol(",")) && !comments[at].iter().all(Comment::is_inline) {
            let mut moved = std::mem::take(&mut comments[at]);
            append(&mut moved, std::mem::take(&mut comments[at + 1]));
            comments[at + 1] = moved;
        }
    }
    // And one before the semicolon that ends its line goes behind that.
    let mut at_end: Vec<Comment> = source.comments_before(last).cloned().collect();
    let stays = if ends { at_end.iter().rposition(|comment| comment.own_line).map_or(0, |last| last + 1) } else { 0 };
    let mut behind = at_end.split_off(stays);
    if ends && behind.iter().all(Comment::is_inline) {
        at_end.append(&mut behind);
    }
    let as_typed = || {
        let end = if ends { source.tokens[last].span.end } else { source.tokens[last - 1].span.end };
        let behind = if ends { Vec::new() } else { source.comments_before(last).cloned().collect() };
        Ok((source.text[source.tokens[first].span.start..end].to_string(), behind))
    };
    let mut own = tokens.to_vec();
    let end = tokens[tokens.len() - 1].span.end;
    own.push(Token { kind: TokenKind::End, span: Span::new(end, end) });
    let tree = match parse_template(source.text, own, &source.references) {
        Ok(tree) => tree,
        Err(error) if about_reference(&error, source) => return as_typed(),
        Err(error) => return Err(error),
    };
    let laid_out = lay_out(source, tokens, tree, &comments, if ends { Some(&at_end) } else { None });
    match is_same(source, first, if ends { last + 1 } else { last }, &laid_out) {
        true => Ok((laid_out, behind)),
        false => as_typed(),
    }
}

fn lay_out(
    source: &Source<'_>,
    tokens: &[Token],
    mut tree: Statement,
    comments: &[Vec<Comment>],
    at_end: Option<&[Comment]>,
) -> String {
    let outline = outline::outline(source, tokens, &mut tree);
    layout::Layout::new(source, tokens, &outline, comments, at_end).run()
}

/// Whether an error is about a word that a variable stands in.
fn about_reference(error: &Error, source: &Source<'_>) -> bool {
    error.span().is_some_and(|place| source.holds_reference(place))
}

/// Whether a text has the tokens `first..last`, keywords in any case.
fn is_same(source: &Source<'_>, first: usize, last: usize, text: &str) -> bool {
    let Ok((masked, _)) = super::variables::placeholders(text) else { return false };
    let Ok(tokens) = tokenize(&masked) else { return false };
    let before = &source.tokens[first..last];
    tokens.len() == before.len() + 1
        && before.iter().zip(&tokens).all(|(before, after)| {
            let texts = [before.span.text(source.text), after.span.text(text)];
            match (&before.kind, &after.kind) {
                (TokenKind::Word, TokenKind::Word) => texts[0].eq_ignore_ascii_case(texts[1]),
                (old, new) => old == new && texts[0] == texts[1],
            }
        })
}

/// The text so far.
struct Page {
    text: String,
    newline: &'static str,
}

impl Page {
    /// Begins a line, after a blank one if asked for; the first line needs neither.
    fn line(&mut self, blank: bool) {
        if !self.text.is_empty() {
            self.text += self.newline;
            if blank {
                self.text += self.newline;
            }
        }
    }

    /// Comments between statements. Those that all stand on the line of the statement behind them stay there.
    fn comments(&mut self, comments: &[Comment], statement_follows: bool) {
        let lead = statement_follows && comments.iter().all(Comment::is_inline);
        for (i, comment) in comments.iter().enumerate() {
            if comment.own_line || (lead && i == 0) {
                self.line(comment.blank_before);
            } else if !self.text.is_empty() {
                self.text.push(' ');
            }
            self.text += &comment.text;
        }
    }

    fn statement(&mut self, before: &[Comment], blank: bool, text: &str) {
        self.comments(before, true);
        match before.last() {
            Some(last) if !last.ends_line() => self.text.push(' '),
            _ => self.line(blank),
        }
        self.text += text;
    }
}
