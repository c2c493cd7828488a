//! The streams and tables a statement names, and the columns they bring: read from the lexemes, because a statement
//! that is being typed has no tree yet.

use std::sync::Arc;

use crate::catalog::{Catalog, Relation};
use crate::plan::PSEUDO_COLUMNS;
use crate::sql::keywords::is_reserved;
use crate::sql::lexemes::{Lexeme, LexemeKind};
use crate::sql::tokens::TokenKind;
use crate::types::SqlType;

/// A stream or table behind `FROM` or `JOIN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// What it is called in the statement, when that is something else.
    pub alias: Option<String>,
}

/// What a statement names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// What it reads.
    pub sources: Vec<Source>,
    /// What an `INSERT INTO` or `ASSERT` writes or checks.
    pub target: Option<String>,
}

/// A name as it means something: folded unless quoted. `None` for what is no name.
pub fn name_of(text: &str, lexeme: &Lexeme) -> Option<String> {
    match &lexeme.kind {
        LexemeKind::Token(TokenKind::QuotedName(name)) => Some(name.clone()),
        LexemeKind::Token(TokenKind::Word) => {
            let name = text[lexeme.span.start..lexeme.span.end].to_ascii_uppercase();
            (!is_reserved(&name)).then_some(name)
        }
        _ => None,
    }
}

/// Whether a lexeme is this word, in any case.
pub fn is_word(text: &str, lexeme: &Lexeme, word: &str) -> bool {
    lexeme.kind == LexemeKind::Token(TokenKind::Word)
        && text[lexeme.span.start..lexeme.span.end].eq_ignore_ascii_case(word)
}

impl Scope {
    /// What the statement of these lexemes names.
    pub fn read(text: &str, lexemes: &[Lexeme]) -> Scope {
        let tokens: Vec<&Lexeme> = lexemes.iter().filter(|lexeme| lexeme.kind != LexemeKind::Comment).collect();
        let word = |n: usize, word: &str| tokens.get(n).is_some_and(|token| is_word(text, token, word));
        let name = |n: usize| tokens.get(n).and_then(|token| name_of(text, token));
        let mut scope = Scope::default();
        for n in 0..tokens.len() {
            if word(n, "INTO") {
                scope.target = name(n + 1);
            }
            let distinct = n > 0 && word(n - 1, "DISTINCT");
            if !(word(n, "JOIN") || word(n, "FROM") && !distinct) {
                continue;
            }
            let Some(source) = name(n + 1) else { continue };
            let alias = if word(n + 2, "AS") { name(n + 3) } else { name(n + 2) };
            // Free words that begin a clause here.
            let alias = alias.filter(|alias| !["EMIT", "PARTITION", "START", "UNTIL"].contains(&alias.as_str()));
            scope.sources.push(Source { name: source, alias });
        }
        scope
    }

    /// The source that goes by this name in the statement.
    pub fn source<'a>(&self, catalog: &'a Catalog, name: &str) -> Option<&'a Arc<Relation>> {
        let called = self.sources.iter().find(|source| source.alias.as_deref().unwrap_or(&source.name) == name);
        let called = called.or_else(|| self.sources.iter().find(|source| source.name == name));
        catalog.find_relation(called.map_or(name, |source| &source.name))
    }

    /// The type of a column of one of the sources, or of one in particular.
    pub fn column(&self, catalog: &Catalog, source: Option<&str>, column: &str) -> Option<SqlType> {
        let of = |relation: &Arc<Relation>| {
            let at = relation.schema.index_of(column)?;
            Some(relation.schema.columns[at].ty.clone())
        };
        match source {
            Some(source) => of(self.source(catalog, source)?),
            None => self.sources.iter().find_map(|source| of(catalog.find_relation(&source.name)?)),
        }
    }
}

/// Columns of a stream or table with their types, and those that every record has.
pub fn columns(relation: &Relation) -> impl Iterator<Item = (&str, &SqlType)> {
    static PSEUDO: [(&str, SqlType); 3] = PSEUDO_COLUMNS;
    let declared = relation.schema.columns.iter().map(|column| (column.name.as_str(), &column.ty));
    declared.chain(PSEUDO.iter().map(|(name, ty)| (*name, ty)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lexemes::lexemes;

    fn scope(text: &str) -> (Vec<(String, Option<String>)>, Option<String>) {
        let scope = Scope::read(text, &lexemes(text));
        (scope.sources.into_iter().map(|source| (source.name, source.alias)).collect(), scope.target)
    }

    #[test]
    fn sources_and_their_aliases_are_found_in_what_is_not_finished() {
        let named = |name: &str, alias: &str| (name.to_string(), (!alias.is_empty()).then(|| alias.to_string()));
        assert_eq!(scope("SELECT a. FROM s AS a LEFT JOIN `t` b ON").0, [named("S", "A"), named("t", "B")]);
        assert_eq!(scope("SELECT FROM s EMIT CHANGES").0, [named("S", "")]);
        assert_eq!(scope("SELECT a FROM s WHERE a IS DISTINCT FROM b").0, [named("S", "")]);
        assert_eq!(scope("SELECT a FROM").0, []);
        assert_eq!(scope("INSERT INTO t SELECT x FROM s"), (vec![named("S", "")], Some("T".into())));
    }
}
