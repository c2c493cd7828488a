//! One way through a statement, for whoever needs each of its names, texts and places, whatever they belong to.

use super::{
    Assert, ColumnDef, Describe, Duration, Expr, ExprKind, ExprList, Ident, Property, Query, Relation, SelectItem,
    Statement, StatementKind, StringLit, TypeExpr, TypeExprKind, Window, WindowKind, Within,
};
use crate::error::Span;

/// What is called on the way; each does nothing unless it is written.
pub trait Visitor {
    /// The place of a node that is neither a name nor a text.
    fn span(&mut self, _span: &mut Span) {}
    /// A name.
    fn ident(&mut self, _ident: &mut Ident) {}
    /// A text: a property's name (also a bare one), a path, a value.
    fn string(&mut self, _text: &mut StringLit) {}
}

/// Goes through a statement and all its parts.
pub fn walk(statement: &mut Statement, visitor: &mut impl Visitor) {
    Walk(visitor).statement(statement);
}

struct Walk<'a, V>(&'a mut V);

impl<V: Visitor> Walk<'_, V> {
    fn statement(&mut self, statement: &mut Statement) {
        use StatementKind::*;
        self.0.span(&mut statement.span);
        match &mut statement.kind {
            Query(query) => self.query(query),
            CreateSource(create) => {
                self.0.ident(&mut create.name);
                self.columns(&mut create.columns);
                self.properties(&mut create.properties);
            }
            CreateAsSelect(create) => {
                self.0.ident(&mut create.name);
                self.properties(&mut create.properties);
                self.query(&mut create.query);
            }
            InsertSelect { target, properties, query } => {
                self.0.ident(target);
                self.properties(properties);
                self.query(query);
            }
            InsertValues { target, columns, values } => {
                self.0.ident(target);
                self.idents(columns);
                self.exprs(values);
            }
            AlterSource { name, columns, .. } => {
                self.0.ident(name);
                self.columns(columns);
            }
            CreateConnector { name, properties, .. } => {
                self.0.ident(name);
                self.properties(properties);
            }
            CreateFunction(create) => {
                self.0.ident(&mut create.name);
                self.0.string(&mut create.path);
            }
            CreateType { name, ty, .. } => {
                self.0.ident(name);
                self.ty(ty);
            }
            DropSource { name, .. }
            | DropConnector { name, .. }
            | DropFunction { name, .. }
            | DropType { name, .. } => {
                self.0.ident(name);
            }
            PauseConnector(name) | ResumeConnector(name) | ExplainQuery(name) | Undefine(name) => self.0.ident(name),
            Show(_) => {}
            Describe(describe) => self.describe(describe),
            Print { topic, .. } => self.0.ident(topic),
            Explain(statement) => self.statement(statement),
            Terminate(id) | Pause(id) | Resume(id) => self.idents(id.as_mut_slice()),
            Set { name, value } | AlterSystem { name, value } => {
                self.0.string(name);
                self.0.string(value);
            }
            Unset(text) | RunScript(text) => self.0.string(text),
            Define { name, value } => {
                self.0.ident(name);
                self.0.string(value);
            }
            Assert(assert) => self.assert(assert),
        }
    }

    fn describe(&mut self, describe: &mut Describe) {
        match describe {
            Describe::Source { name, .. } | Describe::Function(name) | Describe::Connector(name) => self.0.ident(name),
            Describe::All { .. } => {}
        }
    }

    fn assert(&mut self, assert: &mut Assert) {
        match assert {
            Assert::Topic { topic, properties, timeout, .. } => {
                self.0.ident(topic);
                self.properties(properties);
                self.durations(timeout.as_mut_slice());
            }
            Assert::Schema { subject, timeout, .. } => {
                self.idents(subject.as_mut_slice());
                self.durations(timeout.as_mut_slice());
            }
            Assert::Values { source, columns, values } | Assert::NullValues { source, columns, values } => {
                self.0.ident(source);
                self.idents(columns);
                self.exprs(values);
            }
            Assert::Source { name, columns, properties, .. } => {
                self.0.ident(name);
                self.columns(columns);
                self.properties(properties);
            }
        }
    }

    fn query(&mut self, query: &mut Query) {
        self.0.span(&mut query.span);
        for item in &mut query.items {
            match item {
                SelectItem::Wildcard { source, span } => {
                    self.0.span(span);
                    self.idents(source.as_mut_slice());
                }
                SelectItem::StructAll { base, span } => {
                    self.0.span(span);
                    self.expr(base);
                }
                SelectItem::Expr { expr, alias } => {
                    self.expr(expr);
                    self.idents(alias.as_mut_slice());
                }
            }
        }
        self.relation(&mut query.from);
        for bound in [&mut query.start, &mut query.until].into_iter().flatten() {
            self.0.span(&mut bound.span);
        }
        query.window.iter_mut().for_each(|window| self.window(window));
        self.exprs(query.filter.as_mut_slice());
        for list in [&mut query.group_by, &mut query.partition_by].into_iter().flatten() {
            let ExprList { exprs, span } = list;
            self.0.span(span);
            self.exprs(exprs);
        }
        self.exprs(query.having.as_mut_slice());
        query.emit.iter_mut().for_each(|emit| self.0.span(&mut emit.span));
        query.limit.iter_mut().for_each(|limit| self.0.span(&mut limit.span));
    }

    fn relation(&mut self, relation: &mut Relation) {
        match relation {
            Relation::Source { name, alias, span } => {
                self.0.span(span);
                self.0.ident(name);
                self.idents(alias.as_mut_slice());
            }
            Relation::Join(join) => {
                self.0.span(&mut join.span);
                self.relation(&mut join.left);
                self.relation(&mut join.right);
                if let Some(Within { before, after, grace, span }) = &mut join.within {
                    self.0.span(span);
                    self.durations(&mut [before, after]);
                    self.durations(grace.as_mut_slice());
                }
                self.expr(&mut join.on);
            }
        }
    }

    fn window(&mut self, window: &mut Window) {
        self.0.span(&mut window.span);
        match &mut window.kind {
            WindowKind::Tumbling(size) | WindowKind::Session(size) => self.0.span(&mut size.span),
            WindowKind::Hopping(size, advance) => self.durations(&mut [size, advance]),
        }
        self.durations(window.retention.as_mut_slice());
        self.durations(window.grace.as_mut_slice());
    }

    fn durations<D: std::borrow::BorrowMut<Duration>>(&mut self, durations: &mut [D]) {
        durations.iter_mut().for_each(|duration| self.0.span(&mut duration.borrow_mut().span));
    }

    fn idents(&mut self, idents: &mut [Ident]) {
        idents.iter_mut().for_each(|ident| self.0.ident(ident));
    }

    fn columns(&mut self, columns: &mut [ColumnDef]) {
        for column in columns {
            self.0.span(&mut column.span);
            self.0.ident(&mut column.name);
            self.ty(&mut column.ty);
        }
    }

    fn properties(&mut self, properties: &mut [Property]) {
        for property in properties {
            self.0.span(&mut property.span);
            self.0.string(&mut property.name);
            self.expr(&mut property.value);
        }
    }

    fn ty(&mut self, ty: &mut TypeExpr) {
        self.0.span(&mut ty.span);
        match &mut ty.kind {
            TypeExprKind::Plain(_) => {}
            TypeExprKind::Array(element) => self.ty(element),
            TypeExprKind::Map(key, value) => {
                self.ty(key);
                self.ty(value);
            }
            TypeExprKind::Struct(fields) => {
                for (name, ty) in fields {
                    self.0.ident(name);
                    self.ty(ty);
                }
            }
            TypeExprKind::Named(name) => self.0.ident(name),
        }
    }

    fn exprs(&mut self, exprs: &mut [Expr]) {
        exprs.iter_mut().for_each(|expr| self.expr(expr));
    }

    fn expr(&mut self, expr: &mut Expr) {
        self.0.span(&mut expr.span);
        match &mut expr.kind {
            ExprKind::Column { source, name } => {
                self.idents(source.as_mut_slice());
                self.0.ident(name);
            }
            ExprKind::Field { field, .. } => self.0.ident(field),
            ExprKind::AtTimeZone { zone, .. } => self.0.string(zone),
            ExprKind::Cast { ty, .. } => self.ty(ty),
            ExprKind::Call { name, .. } => self.0.ident(name),
            ExprKind::Lambda { params, .. } => self.idents(params),
            ExprKind::Struct(fields) => fields.iter_mut().for_each(|(name, _)| self.0.ident(name)),
            _ => {}
        }
        expr.for_each_child_mut(&mut |child: &mut Expr| self.expr(child));
    }
}
