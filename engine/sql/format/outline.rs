//! Where a statement's lines may break, which tokens touch, and which words are names: read off its tree.
//!
//! A gap is what is before a token, and has the token's number. A group is a run of tokens that is put on one line or
//! broken as a whole; groups nest, and an outer one is made before those inside of it. The tree knows no token, but
//! every node its place: the sign of an operator is the token behind its left side, a keyword the one before its operand.

mod expr;

use super::super::ast::*;
use super::super::tokens::{Token, TokenKind};
use super::source::Source;

/// What a statement's tree says about its tokens.
pub(super) struct Outline {
    pub groups: Vec<Group>,
    /// By gap.
    pub breaks: Vec<Option<Break>>,
    /// By gap: whether there is a blank when the line does not break.
    pub spaces: Vec<bool>,
    /// By gap: whether it breaks every group it lies in.
    pub hard: Vec<bool>,
    /// By token: whether it is a name, to be left in its case.
    pub names: Vec<bool>,
}

/// Tokens that are broken into lines together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    pub first: usize,
    /// The last token, inclusive.
    pub last: usize,
    /// Whether each line takes as many items as fit; else each break is taken when one is.
    pub fill: bool,
}

/// A gap in which a line may break.
#[derive(Debug, Clone, Copy)]
pub(super) struct Break {
    pub group: usize,
    /// Columns, beyond the line in which the group begins.
    pub indent: usize,
    /// Whether it is before what closes the group.
    pub closes: bool,
    /// A group that must have stayed on one line; else there is a blank.
    pub unless_broken: Option<usize>,
}

/// The whole statement.
pub(super) const ROOT: usize = 0;
/// One step of indentation.
pub(super) const STEP: usize = 2;

/// The outline of a statement.
pub(super) fn outline(source: &Source<'_>, tokens: &[Token], tree: &mut Statement) -> Outline {
    let mut names = Names { tokens, names: vec![false; tokens.len()] };
    walk(tree, &mut names);
    let mut spaces = vec![false; tokens.len()];
    for at in 1..tokens.len() {
        spaces[at] = has_space(&tokens[at - 1].kind, &tokens[at].kind);
    }
    let mut builder = Builder {
        source,
        tokens,
        out: Outline {
            groups: Vec::new(),
            breaks: vec![None; tokens.len()],
            spaces,
            hard: vec![false; tokens.len()],
            names: names.names,
        },
    };
    builder.group(0, tokens.len() - 1, false);
    builder.statement(tree);
    builder.out
}

/// Whether a blank stands between two tokens, apart from what the tree knows better.
fn has_space(before: &TokenKind, after: &TokenKind) -> bool {
    use TokenKind::Symbol;
    !matches!(after, Symbol("," | ")" | "[" | "]" | "." | "->")) && !matches!(before, Symbol("(" | "[" | "." | "->"))
}

/// Marks the words that are names.
struct Names<'a> {
    tokens: &'a [Token],
    names: Vec<bool>,
}

impl Names<'_> {
    fn mark(&mut self, span: crate::error::Span) {
        let at = self.tokens.partition_point(|token| token.span.start < span.start);
        if self.tokens.get(at).is_some_and(|token| token.span == span) {
            self.names[at] = true;
        }
    }
}

impl Visitor for Names<'_> {
    fn ident(&mut self, ident: &mut Ident) {
        self.mark(ident.span);
    }

    fn string(&mut self, text: &mut StringLit) {
        self.mark(text.span);
    }
}

struct Builder<'a> {
    source: &'a Source<'a>,
    tokens: &'a [Token],
    out: Outline,
}

impl Builder<'_> {
    fn statement(&mut self, statement: &Statement) {
        match &statement.kind {
            StatementKind::Query(query) => self.query(query, 0),
            StatementKind::CreateSource(create) => {
                let columns = self.columns(&create.columns);
                self.properties(&create.properties, columns);
            }
            StatementKind::CreateAsSelect(create) => {
                self.properties(&create.properties, None);
                self.query_behind(&create.query);
            }
            StatementKind::InsertSelect { properties, query, .. } => {
                self.properties(properties, None);
                self.query_behind(query);
            }
            StatementKind::InsertValues { columns, values, .. }
            | StatementKind::Assert(
                Assert::Values { columns, values, .. } | Assert::NullValues { columns, values, .. },
            ) => self.values(columns, values),
            StatementKind::AlterSource { columns, .. } => {
                for column in columns {
                    let name = self.at(column.span.start);
                    // `ADD name` or `ADD COLUMN name`; a column may itself be called `COLUMN`.
                    let add = if self.is_word(name - 1, "ADD") { name - 1 } else { name - 2 };
                    self.root_break(add, STEP);
                    self.ty(&column.ty);
                }
            }
            StatementKind::CreateConnector { properties, .. } => self.properties(properties, None),
            StatementKind::CreateType { ty, .. } => self.ty(ty),
            StatementKind::Explain(inner) => self.statement(inner),
            StatementKind::Assert(Assert::Topic { properties, .. }) => self.properties(properties, None),
            StatementKind::Assert(Assert::Source { columns, properties, .. }) => {
                let columns = self.columns(columns);
                self.properties(properties, columns);
            }
            _ => {}
        }
    }

    /// The query of a statement that writes its rows somewhere.
    fn query_behind(&mut self, query: &Query) {
        self.root_break(self.at(query.span.start), STEP);
        self.query(query, STEP);
    }

    fn query(&mut self, query: &Query, indent: usize) {
        let place = |item: &SelectItem| match item {
            SelectItem::Wildcard { span, .. } | SelectItem::StructAll { span, .. } => *span,
            SelectItem::Expr { expr, alias: None } => expr.span,
            SelectItem::Expr { expr, alias: Some(alias) } => expr.span.to(alias.span),
        };
        let items: Vec<usize> = query.items.iter().map(|item| self.at(place(item).start)).collect();
        let end = query.items.last().map_or(0, |item| place(item).end);
        let from = self.at(end);
        self.list(&items, from - 1, false);
        for item in &query.items {
            match item {
                SelectItem::Wildcard { .. } => {}
                SelectItem::StructAll { base: expr, .. } | SelectItem::Expr { expr, .. } => self.expr(expr),
            }
        }
        self.root_break(from, indent);
        self.relation(&query.from, indent + STEP);
        for bound in [&query.start, &query.until].into_iter().flatten() {
            self.root_break(self.at(bound.span.start), indent);
        }
        if let Some(window) = &query.window {
            self.root_break(self.at(window.span.start) - 1, indent);
            self.window(window);
        }
        let conditions = [&query.filter, &query.having];
        for condition in conditions.into_iter().flatten() {
            self.root_break(self.at(condition.span.start) - 1, indent);
            self.expr(condition);
        }
        for list in [&query.group_by, &query.partition_by].into_iter().flatten() {
            self.root_break(self.at(list.span.start), indent);
            self.operands(&list.exprs);
        }
        let ends = [query.emit.map(|emit| emit.span), query.limit.map(|limit| limit.span)];
        for span in ends.into_iter().flatten() {
            self.root_break(self.at(span.start), indent);
        }
    }

    fn relation(&mut self, relation: &Relation, indent: usize) {
        let Relation::Join(join) = relation else { return };
        self.relation(&join.left, indent);
        let left = match &join.left {
            Relation::Source { span, .. } => *span,
            Relation::Join(join) => join.span,
        };
        let first = self.at(left.end);
        self.root_break(first, indent);
        let on = self.at(join.on.span.start) - 1;
        let group = self.group(first, self.at(join.on.span.end) - 1, false);
        if let Some(within) = &join.within {
            self.break_at(self.at(within.span.start) - 1, group, STEP);
        }
        self.break_at(on, group, STEP);
        self.expr(&join.on);
    }

    fn window(&mut self, window: &Window) {
        // A window may have a name, which nothing refers to and the tree leaves out.
        let first = self.at(window.span.start);
        self.out.names[first] |= self.symbol(first + 1) != "(";
        let mut items = match &window.kind {
            WindowKind::Tumbling(size) => vec![self.at(size.span.start) - 1],
            WindowKind::Hopping(size, advance) => {
                vec![self.at(size.span.start) - 1, self.at(advance.span.start) - 2]
            }
            WindowKind::Session(gap) => vec![self.at(gap.span.start)],
        };
        items.extend(window.retention.map(|retention| self.at(retention.span.start) - 1));
        items.extend(window.grace.map(|grace| self.at(grace.span.start) - 2));
        self.bracket(&items, self.at(window.span.end) - 1, false);
    }

    /// `(column type, ...)`.
    fn columns(&mut self, columns: &[ColumnDef]) -> Option<usize> {
        let items: Vec<usize> = columns.iter().map(|column| self.at(column.span.start)).collect();
        let close = self.at(columns.last()?.span.end);
        let group = self.bracket(&items, close, true);
        for column in columns {
            self.ty(&column.ty);
            if let Some(ColumnConstraint::Header(_)) = column.constraint {
                self.touch(self.at(column.span.end) - 3);
            }
        }
        group
    }

    /// `WITH (...)`, on a line of its own behind columns.
    fn properties(&mut self, properties: &[Property], columns: Option<usize>) {
        let Some(last) = properties.last() else { return };
        let items: Vec<usize> = properties.iter().map(|property| self.at(property.span.start)).collect();
        if let Some(columns) = columns {
            self.root_break_unless(items[0] - 2, columns);
        }
        self.bracket(&items, self.at(last.span.end), true);
        properties.iter().for_each(|property| self.expr(&property.value));
    }

    /// `[(names)] VALUES | KEY (values)`.
    fn values(&mut self, columns: &[Ident], values: &[Expr]) {
        let names = columns.last().and_then(|last| {
            let items: Vec<usize> = columns.iter().map(|column| self.at(column.span.start)).collect();
            self.bracket_of(&items, self.at(last.span.end), true, false)
        });
        if let Some(last) = values.last() {
            let items: Vec<usize> = values.iter().map(|value| self.at(value.span.start)).collect();
            if let Some(names) = names {
                self.root_break_unless(items[0] - 2, names);
            }
            self.bracket_of(&items, self.at(last.span.end), true, false);
            values.iter().for_each(|value| self.expr(value));
        }
    }

    // ---- groups and breaks ----

    /// The first token at or behind a place.
    fn at(&self, place: usize) -> usize {
        self.tokens.partition_point(|token| token.span.start < place)
    }

    fn symbol(&self, token: usize) -> &'static str {
        match self.tokens.get(token).map(|token| &token.kind) {
            Some(TokenKind::Symbol(symbol)) => symbol,
            _ => "",
        }
    }

    fn is_word(&self, token: usize, word: &str) -> bool {
        self.tokens.get(token).is_some_and(|token| token.span.text(self.source.text).eq_ignore_ascii_case(word))
    }

    /// The token touches the one before it.
    fn touch(&mut self, token: usize) {
        self.out.spaces[token] = false;
    }

    fn group(&mut self, first: usize, last: usize, fill: bool) -> usize {
        self.out.groups.push(Group { first, last, fill });
        self.out.groups.len() - 1
    }

    fn break_at(&mut self, gap: usize, group: usize, indent: usize) {
        self.out.breaks[gap] = Some(Break { group, indent, closes: false, unless_broken: None });
    }

    /// A break between clauses, taken where it was taken before.
    fn root_break(&mut self, gap: usize, indent: usize) {
        self.break_at(gap, ROOT, indent);
        self.keep_newline(gap);
    }

    /// A break between clauses behind a list that closes on a line of its own when it is broken.
    fn root_break_unless(&mut self, gap: usize, list: usize) {
        self.out.breaks[gap] = Some(Break { group: ROOT, indent: STEP, closes: false, unless_broken: Some(list) });
        self.keep_newline(gap);
    }

    fn keep_newline(&mut self, gap: usize) {
        if gap > 0 && self.source.newline_before(&self.tokens[gap], &self.tokens[gap - 1]) {
            self.out.hard[gap] = true;
        }
    }

    /// Items up to the token `last`, each on a line of its own when they do not fit on one.
    fn list(&mut self, items: &[usize], last: usize, fill: bool) {
        let Some(first) = items.first() else { return };
        let group = self.group(*first, last, fill);
        items.iter().for_each(|item| self.break_at(*item, group, STEP));
        self.keep_newline(*first);
    }

    /// Items in brackets; `keeps` that the first one stands on a new line.
    fn bracket(&mut self, items: &[usize], close: usize, keeps: bool) -> Option<usize> {
        self.bracket_of(items, close, false, keeps)
    }

    fn bracket_of(&mut self, items: &[usize], close: usize, fill: bool, keeps: bool) -> Option<usize> {
        let first = *items.first()?;
        let group = self.group(first, close, fill);
        items.iter().for_each(|item| self.break_at(*item, group, STEP));
        self.out.breaks[close] = Some(Break { group, indent: 0, closes: true, unless_broken: None });
        if keeps {
            self.keep_newline(first);
        }
        Some(group)
    }
}
