//! Trees without places, to be compared.

use super::super::ast::{
    Assert, ColumnDef, Describe, Duration, Expr, ExprKind, ExprList, Ident, Property, Query, Relation, SelectItem,
    Statement, StatementKind, StringLit, TypeExpr, TypeExprKind, Window, WindowKind, Within,
};
use crate::error::Span;

/// Empties every span of a statement and every mark of a quoted name: two statements that say the same are equal then.
pub fn strip_spans(statement: &mut Statement) {
    use StatementKind::*;
    statement.span = Span::default();
    match &mut statement.kind {
        Query(query) => strip_query(query),
        CreateSource(create) => {
            ident(&mut create.name);
            columns(&mut create.columns);
            properties(&mut create.properties);
        }
        CreateAsSelect(create) => {
            ident(&mut create.name);
            properties(&mut create.properties);
            strip_query(&mut create.query);
        }
        InsertSelect { target, properties: with, query } => {
            ident(target);
            properties(with);
            strip_query(query);
        }
        InsertValues { target, columns, values } => {
            ident(target);
            columns.iter_mut().for_each(ident);
            values.iter_mut().for_each(expr);
        }
        AlterSource { name, columns: added, .. } => {
            ident(name);
            columns(added);
        }
        CreateConnector { name, properties: with, .. } => {
            ident(name);
            properties(with);
        }
        CreateType { name, ty, .. } => {
            ident(name);
            type_expr(ty);
        }
        DropSource { name, .. } | DropConnector { name, .. } | DropType { name, .. } => ident(name),
        PauseConnector(name) | ResumeConnector(name) => ident(name),
        Show(_) => {}
        Describe(describe) => strip_describe(describe),
        Print { topic, .. } => ident(topic),
        ExplainQuery(id) | Undefine(id) => ident(id),
        Explain(statement) => strip_spans(statement),
        Terminate(id) | Pause(id) | Resume(id) => id.iter_mut().for_each(ident),
        Set { name, value } | AlterSystem { name, value } => {
            string(name);
            string(value);
        }
        Unset(text) | RunScript(text) => string(text),
        Define { name, value } => {
            ident(name);
            string(value);
        }
        Assert(assert) => strip_assert(assert),
    }
}

fn strip_describe(describe: &mut Describe) {
    match describe {
        Describe::Source { name, .. } | Describe::Function(name) | Describe::Connector(name) => ident(name),
        Describe::All { .. } => {}
    }
}

fn strip_assert(assert: &mut Assert) {
    match assert {
        Assert::Topic { topic, properties: with, timeout, .. } => {
            ident(topic);
            properties(with);
            timeout.iter_mut().for_each(duration);
        }
        Assert::Schema { subject, timeout, .. } => {
            subject.iter_mut().for_each(ident);
            timeout.iter_mut().for_each(duration);
        }
        Assert::Values { source, columns, values } | Assert::NullValues { source, columns, values } => {
            ident(source);
            columns.iter_mut().for_each(ident);
            values.iter_mut().for_each(expr);
        }
        Assert::Source { name, columns: declared, properties: with, .. } => {
            ident(name);
            columns(declared);
            properties(with);
        }
    }
}

fn strip_query(query: &mut Query) {
    query.span = Span::default();
    for item in &mut query.items {
        match item {
            SelectItem::Wildcard { source, span } => {
                source.iter_mut().for_each(ident);
                *span = Span::default();
            }
            SelectItem::StructAll { base, span } => {
                expr(base);
                *span = Span::default();
            }
            SelectItem::Expr { expr: selected, alias } => {
                expr(selected);
                alias.iter_mut().for_each(ident);
            }
        }
    }
    relation(&mut query.from);
    for bound in [&mut query.start, &mut query.until].into_iter().flatten() {
        bound.span = Span::default();
    }
    query.window.iter_mut().for_each(window);
    query.filter.iter_mut().for_each(expr);
    query.group_by.iter_mut().for_each(expr_list);
    query.partition_by.iter_mut().for_each(expr_list);
    query.having.iter_mut().for_each(expr);
    if let Some(emit) = &mut query.emit {
        emit.span = Span::default();
    }
    if let Some(limit) = &mut query.limit {
        limit.span = Span::default();
    }
}

fn relation(relation_: &mut Relation) {
    match relation_ {
        Relation::Source { name, alias, span } => {
            ident(name);
            alias.iter_mut().for_each(ident);
            *span = Span::default();
        }
        Relation::Join(join) => {
            join.span = Span::default();
            relation(&mut join.left);
            relation(&mut join.right);
            join.within.iter_mut().for_each(within);
            expr(&mut join.on);
        }
    }
}

fn within(within: &mut Within) {
    within.span = Span::default();
    duration(&mut within.before);
    duration(&mut within.after);
    within.grace.iter_mut().for_each(duration);
}

fn window(window: &mut Window) {
    window.span = Span::default();
    match &mut window.kind {
        WindowKind::Tumbling(size) | WindowKind::Session(size) => duration(size),
        WindowKind::Hopping(size, advance) => {
            duration(size);
            duration(advance);
        }
    }
    window.retention.iter_mut().for_each(duration);
    window.grace.iter_mut().for_each(duration);
}

fn duration(duration: &mut Duration) {
    duration.span = Span::default();
}

fn expr_list(list: &mut ExprList) {
    list.span = Span::default();
    list.exprs.iter_mut().for_each(expr);
}

fn ident(ident: &mut Ident) {
    ident.span = Span::default();
    ident.quoted = false;
}

fn string(literal: &mut StringLit) {
    literal.span = Span::default();
}

fn columns(columns: &mut [ColumnDef]) {
    for column in columns {
        column.span = Span::default();
        ident(&mut column.name);
        type_expr(&mut column.ty);
    }
}

fn properties(properties: &mut [Property]) {
    for property in properties {
        property.span = Span::default();
        string(&mut property.name);
        expr(&mut property.value);
    }
}

fn type_expr(ty: &mut TypeExpr) {
    ty.span = Span::default();
    match &mut ty.kind {
        TypeExprKind::Plain(_) => {}
        TypeExprKind::Array(element) => type_expr(element),
        TypeExprKind::Map(key, value) => {
            type_expr(key);
            type_expr(value);
        }
        TypeExprKind::Struct(fields) => {
            for (name, ty) in fields {
                ident(name);
                type_expr(ty);
            }
        }
        TypeExprKind::Named(name) => ident(name),
    }
}

fn expr(node: &mut Expr) {
    use ExprKind::*;
    node.span = Span::default();
    match &mut node.kind {
        Null | Boolean(_) | Integer(_) | Decimal(_) | Double(_) | String(_) | Star | Unit(_) => {}
        Column { source, name } => {
            source.iter_mut().for_each(ident);
            ident(name);
        }
        Field { base, field } => {
            expr(base);
            ident(field);
        }
        Subscript { base, index } => {
            expr(base);
            expr(index);
        }
        Unary { expr: inner, .. } | Not(inner) | IsNull { expr: inner, .. } => expr(inner),
        Binary { left, right, .. } | IsDistinct { left, right, .. } => {
            expr(left);
            expr(right);
        }
        Between { expr: value, low, high, .. } => {
            expr(value);
            expr(low);
            expr(high);
        }
        InList { expr: value, list, .. } => {
            expr(value);
            list.iter_mut().for_each(expr);
        }
        Like { expr: value, pattern, .. } => {
            expr(value);
            expr(pattern);
        }
        Case { operand, arms, otherwise } => {
            operand.iter_mut().for_each(|operand| expr(operand));
            for (condition, result) in arms {
                expr(condition);
                expr(result);
            }
            otherwise.iter_mut().for_each(|otherwise| expr(otherwise));
        }
        Cast { expr: value, ty } => {
            expr(value);
            type_expr(ty);
        }
        Call { name, args } => {
            ident(name);
            args.iter_mut().for_each(expr);
        }
        Lambda { params, body } => {
            params.iter_mut().for_each(ident);
            expr(body);
        }
        Array(items) => items.iter_mut().for_each(expr),
        Map(entries) => {
            for (key, value) in entries {
                expr(key);
                expr(value);
            }
        }
        Struct(fields) => {
            for (name, value) in fields {
                ident(name);
                expr(value);
            }
        }
    }
}
