//! Which breaks of an outline are taken, and the text that comes of it.
//!
//! A group stays on its line when it fits there with what follows it up to the next gap that may break, and holds
//! neither a comment that ends a line nor a line break that is kept. Broken, its items are indented by the line in
//! which it begins, so that brackets close where their line started.

use std::borrow::Cow;

use super::super::tokens::{Token, TokenKind};
use super::WIDTH;
use super::outline::{Break, Outline, STEP};
use super::source::{Comment, Source};

/// A statement on its way to a text.
pub(super) struct Layout<'a> {
    tokens: &'a [Token],
    outline: &'a Outline,
    /// By gap.
    comments: &'a [Vec<Comment>],
    /// Those before the semicolon; `None` without one.
    at_end: Option<&'a [Comment]>,
    newline: &'static str,
    texts: Vec<Cow<'a, str>>,
    /// By token: columns of all gaps and tokens before it, on one line.
    columns: Vec<usize>,
    /// By token: hard gaps up to its own.
    hard: Vec<usize>,
    /// By gap: the next one at or behind it that may break; the end if there is none.
    next_break: Vec<usize>,
    /// Groups around the current token, outermost first.
    open: Vec<Open>,
    /// By group, as far as they have been opened.
    broken: Vec<bool>,
    /// Groups not yet begun, the next one last.
    waiting: Vec<usize>,
    out: String,
    column: usize,
    line_indent: usize,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    group: usize,
    /// Indentation of the line in which it began.
    base: usize,
}

impl<'a> Layout<'a> {
    /// `tokens` are a statement's, without its semicolon; the first has no comments.
    pub fn new(
        source: &'a Source<'a>,
        tokens: &'a [Token],
        outline: &'a Outline,
        comments: &'a [Vec<Comment>],
        at_end: Option<&'a [Comment]>,
    ) -> Self {
        let text = |(at, token): (usize, &Token)| {
            let typed = token.span.text(source.text);
            let is_keyword = matches!(token.kind, TokenKind::Word) && !outline.names[at];
            match is_keyword && !source.holds_reference(token.span) {
                true => Cow::Owned(typed.to_ascii_uppercase()),
                false => Cow::Borrowed(typed),
            }
        };
        let texts: Vec<Cow<'a, str>> = tokens.iter().enumerate().map(text).collect();
        // Made in this order, outer ones are before inner ones that begin with the same token.
        let mut waiting: Vec<usize> = (0..outline.groups.len()).collect();
        waiting.sort_by_key(|group| std::cmp::Reverse((outline.groups[*group].first, *group)));
        let mut layout = Layout {
            tokens,
            outline,
            comments,
            at_end,
            newline: source.newline(),
            columns: vec![0; tokens.len() + 1],
            hard: vec![0; tokens.len() + 1],
            next_break: vec![tokens.len(); tokens.len() + 1],
            open: Vec::new(),
            broken: vec![false; outline.groups.len()],
            waiting,
            out: String::new(),
            column: 0,
            line_indent: 0,
            texts,
        };
        let ends_line = |comment: &Comment| !comment.is_inline();
        for (at, before) in comments.iter().enumerate().take(tokens.len()) {
            let is_hard = outline.hard[at] || before.iter().any(ends_line);
            layout.hard[at + 1] = layout.hard[at] + usize::from(is_hard);
            let token = layout.texts[at].chars().count();
            layout.columns[at + 1] = layout.columns[at] + layout.gap_columns(at) + token;
        }
        for at in (0..tokens.len()).rev() {
            let may_break = outline.breaks[at].is_some() || layout.hard[at + 1] > layout.hard[at];
            layout.next_break[at] = if may_break { at } else { layout.next_break[at + 1] };
        }
        layout
    }

    /// The text, with a semicolon if the statement has one.
    pub fn run(mut self) -> String {
        for at in 0..self.tokens.len() {
            while let Some(open) = self.open.last()
                && self.outline.groups[open.group].last < at
            {
                self.open.pop();
            }
            // The group whose first item this is begins in the line before the break, all others behind it.
            let owner = self.outline.breaks[at].map(|gap| gap.group);
            let mut beginning = self.beginning(at);
            if let Some(owner) = owner.filter(|owner| beginning.contains(owner)) {
                self.begin(owner, true);
                beginning.retain(|group| *group != owner);
            }
            self.gap(at);
            for group in beginning {
                self.begin(group, false);
            }
            let text = std::mem::take(&mut self.texts[at]);
            self.push(&text);
        }
        if let Some(comments) = self.at_end {
            if !comments.is_empty() {
                self.comments_in_gap(comments, false, false, 0, 0, false);
            }
            self.push(";");
        }
        self.out
    }

    /// The groups that begin with a token, outer ones first.
    fn beginning(&mut self, token: usize) -> Vec<usize> {
        let mut groups = Vec::new();
        while let Some(group) = self.waiting.pop_if(|group| self.outline.groups[*group].first == token) {
            groups.push(group);
        }
        groups
    }

    fn begin(&mut self, group: usize, owns_gap: bool) {
        // What is in a group on one line is on that line, too.
        let may_break = self.open.last().is_none_or(|open| self.broken[open.group]);
        self.broken[group] = may_break && !self.fits(group, owns_gap);
        self.open.push(Open { group, base: self.line_indent });
    }

    fn fits(&self, group: usize, owns_gap: bool) -> bool {
        let group = self.outline.groups[group];
        let first = if owns_gap { group.first } else { group.first + 1 };
        if self.hard[group.last + 1] > self.hard[first] {
            return false;
        }
        let gap = if owns_gap { 0 } else { self.gap_columns(group.first) };
        let width = self.columns[group.last + 1] - self.columns[group.first] - gap;
        self.column + width + self.trail(group.last + 1) <= WIDTH
    }

    /// Columns from a token up to the next gap that may break.
    fn trail(&self, token: usize) -> usize {
        let end = self.next_break[token];
        let semicolon = usize::from(end == self.tokens.len() && self.at_end.is_some());
        self.columns[end] - self.columns[token] + semicolon
    }

    /// Columns of a gap on one line, comments included.
    fn gap_columns(&self, at: usize) -> usize {
        let comments: usize = self.comments[at].iter().map(|comment| comment.text.chars().count() + 1).sum();
        comments + usize::from(self.outline.spaces[at])
    }

    /// Whether the break of a gap is taken.
    fn is_taken(&self, at: usize, gap: Break) -> bool {
        if !self.broken[gap.group] || gap.unless_broken.is_some_and(|group| self.broken[group]) {
            return false;
        }
        let group = self.outline.groups[gap.group];
        if !group.fill || gap.closes || at == group.first || self.hard[at + 1] > self.hard[at] {
            return true;
        }
        // The item up to the next break of the same group.
        let next = (at + 1..=group.last).find(|next| self.outline.breaks[*next].is_some_and(|n| n.group == gap.group));
        let end = match next {
            Some(next) => self.columns[next],
            None => self.columns[group.last + 1] + self.trail(group.last + 1),
        };
        self.column + (end - self.columns[at]) > WIDTH
    }

    /// What is before a token: nothing, a blank, or a new line, with the comments there.
    fn gap(&mut self, at: usize) {
        let gap = self.outline.breaks[at];
        let newline = gap.is_some_and(|gap| self.is_taken(at, gap));
        let base = |group: usize| self.open.iter().rev().find(|open| open.group == group).map_or(0, |open| open.base);
        let (indent, comment_indent) = match gap {
            Some(gap) if gap.closes => (base(gap.group) + gap.indent, base(gap.group) + gap.indent + STEP),
            Some(gap) => (base(gap.group) + gap.indent, base(gap.group) + gap.indent),
            None => {
                let inner = self.open.last().map_or(0, |open| open.base) + STEP;
                (inner, inner)
            }
        };
        let all = self.comments;
        let comments = &all[at];
        if !comments.is_empty() {
            let closes =
                gap.is_some_and(|gap| gap.closes) || matches!(self.tokens[at].kind, TokenKind::Symbol(")" | "]" | ","));
            self.comments_in_gap(comments, newline, closes, indent, comment_indent, true);
        } else if newline {
            self.line(indent);
        } else if self.outline.spaces[at] {
            self.push(" ");
        }
    }

    /// Comments before a token: each on its own line or behind what is there, as it was typed.
    fn comments_in_gap(
        &mut self,
        comments: &[Comment],
        newline: bool,
        closes: bool,
        indent: usize,
        comment_indent: usize,
        token_follows: bool,
    ) {
        let leads = newline && !closes && comments.iter().all(Comment::is_inline);
        // Whether the last of them is on a line that one of them began.
        let mut began = false;
        for (i, comment) in comments.iter().enumerate() {
            if comment.own_line || (leads && i == 0) {
                self.line(comment_indent);
                began = true;
            } else if comment.ends_line() || !self.out.ends_with(['(', '[']) {
                self.push(" ");
            }
            self.push(&comment.text);
        }
        let Some(last) = comments.last() else { return };
        if last.ends_line() || (newline && (closes || !began)) {
            self.line(indent);
        } else if token_follows && !closes {
            self.push(" ");
        }
    }

    fn line(&mut self, indent: usize) {
        self.out += self.newline;
        self.out.extend(std::iter::repeat_n(' ', indent));
        (self.column, self.line_indent) = (indent, indent);
    }

    fn push(&mut self, text: &str) {
        self.out += text;
        self.column = match text.rfind('\n') {
            Some(at) => text[at + 1..].chars().count(),
            None => self.column + text.chars().count(),
        };
    }
}
