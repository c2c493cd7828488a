//! What may be typed next. Keywords and the kinds of names that fit come from the parser itself
//! ([`parser::next`](crate::sql::parser::next)), names from what there is.
//!
//! - [`place`]: where the cursor is
//! - [`scope`]: the streams that the statement names, and their columns
//! - [`names`]: what there is by name
//! - [`values`]: properties, settings and what they may be set to
//! - [`files`]: names of files
//! - [`offers`]: the list that grows

mod files;
mod names;
mod offers;
mod place;
mod scope;
mod values;

#[cfg(test)]
pub use names::fixed;
pub use names::{Names, SessionNames};

use reedline::{Completer, CompletionResult, Suggestion};

use super::commands::{COMMANDS, Takes};
use super::help;
use crate::error::Span;
use crate::functions::Declaration;
use crate::sql::parser::{Next, next};
use crate::types::SqlType;
use offers::Offers;
use place::Place;
use scope::{Scope, columns, name_of};

/// Beyond so many, columns of streams that the statement does not name are not offered.
const STRAY_COLUMNS_MAX: usize = 100;

/// Words that may follow where a statement is not understood.
const ANYWHERE: &[&str] = &[
    "AND",
    "AS",
    "BETWEEN",
    "BY",
    "CHANGES",
    "CREATE",
    "EMIT",
    "FROM",
    "GROUP BY",
    "HAVING",
    "IN",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "ON",
    "OR",
    "PARTITION BY",
    "SELECT",
    "STREAM",
    "TABLE",
    "VALUES",
    "WHERE",
    "WINDOW",
    "WITH",
    "WITHIN",
];

/// Words that begin an expression or are one.
const OPERANDS: &[&str] = &["CASE", "FALSE", "NOT", "NULL", "TRUE"];

/// Forms of the grammar that look like functions.
const FORMS: &[(&str, &str)] = &[
    ("CAST(", "CAST(value AS type)"),
    ("ARRAY[", "ARRAY[value, ...]"),
    ("MAP(", "MAP(key := value, ...)"),
    ("STRUCT(", "STRUCT(field := value, ...)"),
];

/// Completes statements and commands.
pub struct SqlCompleter {
    names: Box<dyn Names>,
}

impl SqlCompleter {
    /// A completer that knows these names.
    pub fn new(names: Box<dyn Names>) -> Self {
        SqlCompleter { names }
    }

    /// What may stand at byte `pos` of `line`, the likeliest first.
    pub fn suggestions(&self, line: &str, pos: usize) -> Vec<Suggestion> {
        if let Some(offers) = self.command(line, pos) {
            return offers.done();
        }
        let Some(place) = Place::of(line, pos) else { return Vec::new() };
        let mut offers =
            Offers::new(place.word, place.quote, place.span, place.is_lower_case(), place.has_lower_names());
        match next(place.before) {
            Some(next) => self.statement(&place, &next, &mut offers),
            None => {
                self.expression(&place, &mut offers);
                offers.words(ANYWHERE);
            }
        }
        if place.lexemes.is_empty() {
            for command in COMMANDS.iter().filter(|command| !command.names[0].starts_with('\\')) {
                offers.word(command.names[0], command.about);
            }
        }
        offers.done()
    }

    /// What the parser would take here.
    fn statement(&self, place: &Place<'_>, next: &Next, offers: &mut Offers) {
        let catalog = self.names.catalog();
        for kind in &next.kinds {
            match *kind {
                "an expression" | "an operand" => self.expression(place, offers),
                "a column name" | "a name" => self.column_names(place, offers),
                "a field name" => self.fields(place, offers),
                "a stream or table" => {
                    for relation in catalog.relations() {
                        let about = format!("{} over {}", relation.kind.as_str(), relation.topic.name);
                        offers.name(&relation.name, &about);
                    }
                }
                "a connector" => catalog.connectors().for_each(|c| offers.name(&c.name, "connector")),
                "a query's id" => catalog.queries().for_each(|query| offers.name(&query.id, &query.statement)),
                "a function" => {
                    for declaration in self.names.functions().declarations() {
                        offers.name(&declaration.name, &declaration.description);
                    }
                }
                "a topic" => self.names.topics().iter().for_each(|topic| offers.topic(topic)),
                "a variable's name" => self.names.variables().iter().for_each(|name| offers.name(name, "variable")),
                "a property name" => values::properties(place, offers),
                "a literal" => values::property(place, offers, || self.names.topics()),
                "a property's name in single quotes" => values::settings(place, offers),
                "a value in single quotes" => values::setting(place, offers),
                "a file name in single quotes" => {
                    files::matching(place.word).into_iter().for_each(|file| offers.file_literal(&file));
                }
                _ => {}
            }
        }
        if place.follows(1, "EXPLAIN") {
            catalog.queries().for_each(|query| offers.name(&query.id, &query.statement));
        }
        offers.words(&next.words);
    }

    /// Columns of what the statement reads, functions, and the words of expressions.
    fn expression(&self, place: &Place<'_>, offers: &mut Offers) {
        if place.follows(1, ".") || place.follows(1, "->") {
            return if place.follows(1, ".") { self.column_names(place, offers) } else { self.fields(place, offers) };
        }
        let catalog = self.names.catalog();
        let scope = Scope::read(place.statement, &crate::sql::lexemes::lexemes(place.statement));
        for source in &scope.sources {
            let called = source.alias.as_ref().unwrap_or(&source.name);
            let Some(relation) = catalog.find_relation(&source.name) else { continue };
            for (name, ty) in columns(relation) {
                offers.column(name, &format!("{ty}, column of {called}"));
            }
        }
        if scope.sources.len() > 1 {
            for source in &scope.sources {
                offers.qualifier(source.alias.as_ref().unwrap_or(&source.name), &source.name);
            }
        }
        if scope.sources.is_empty() && place.begins_with_select() {
            // FROM comes last in the order of typing: any column that begins like this may be meant.
            let mut left = STRAY_COLUMNS_MAX;
            for relation in catalog.relations() {
                for column in &relation.schema.columns {
                    if left > 0 && offers.matches(&column.name) {
                        offers.column(&column.name, &format!("{}, column of {}", column.ty, relation.name));
                        left -= 1;
                    }
                }
            }
        }
        for declaration in self.names.functions().declarations() {
            if offers.matches(&declaration.name) {
                offers.call(&declaration.name, &signatures(declaration));
            }
        }
        for (form, about) in FORMS {
            offers.form(form, about);
        }
        offers.words(OPERANDS);
    }

    /// Columns of the source before the point, or of what an `INSERT INTO` or `ASSERT` names.
    fn column_names(&self, place: &Place<'_>, offers: &mut Offers) {
        let catalog = self.names.catalog();
        let scope = Scope::read(place.statement, &crate::sql::lexemes::lexemes(place.statement));
        let relation = if place.follows(1, ".") {
            let n = place.lexemes.len();
            let source = n.checked_sub(2).and_then(|n| name_of(place.before, &place.lexemes[n]));
            source.and_then(|source| scope.source(&catalog, &source))
        } else if (place.follows(1, "(") || place.follows(1, ",")) && place.begins(&["INSERT"]) {
            scope.target.as_ref().and_then(|target| catalog.find_relation(target))
        } else {
            None
        };
        let Some(relation) = relation else { return };
        let pseudo = place.follows(1, ".");
        let declared = relation.schema.columns.len();
        for (name, ty) in columns(relation).take(if pseudo { usize::MAX } else { declared }) {
            offers.column(name, &ty.to_string());
        }
    }

    /// Fields of the struct before the arrow.
    fn fields(&self, place: &Place<'_>, offers: &mut Offers) {
        let mut path = Vec::new();
        let mut at = place.lexemes.len();
        // Back over `name -> name ->`, as far as it goes.
        while place.follows(place.lexemes.len() - at + 1, "->") && at >= 2 {
            let Some(name) = name_of(place.before, &place.lexemes[at - 2]) else { return };
            path.push(name);
            at -= 2;
        }
        let source = (at >= 2 && place.follows(place.lexemes.len() - at + 1, "."))
            .then(|| name_of(place.before, &place.lexemes[at - 2]))
            .flatten();
        let Some(column) = path.pop() else { return };
        let catalog = self.names.catalog();
        let scope = Scope::read(place.statement, &crate::sql::lexemes::lexemes(place.statement));
        let mut ty = scope.column(&catalog, source.as_deref(), &column);
        while let (Some(SqlType::Struct(fields)), Some(name)) = (&ty, path.pop()) {
            ty = fields.iter().find(|(field, _)| *field == name).map(|(_, ty)| ty.clone());
        }
        if let Some(SqlType::Struct(fields)) = ty {
            fields.iter().for_each(|(name, ty)| offers.column(name, &ty.to_string()));
        }
    }

    /// The name or the argument of a command, when the line of the cursor is one.
    fn command(&self, line: &str, pos: usize) -> Option<Offers> {
        let typed = &line[..line.floor_char_boundary(pos)];
        let start = typed.rfind('\n').map_or(0, |n| n + 1);
        let text = typed[start..].trim_start();
        let start = typed.len() - text.len();
        let place = Span::new(start, typed.len());
        if text.starts_with('\\') && !text.contains(char::is_whitespace) {
            let mut offers = Offers::new(text, None, place, true, true);
            for command in COMMANDS {
                command.names.iter().filter(|n| n.starts_with('\\')).for_each(|name| offers.word(name, command.about));
            }
            return Some(offers);
        }
        let takes = COMMANDS.iter().find_map(|command| {
            let name = command.names.iter().find(|name| {
                text.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name))
                    && text[name.len()..].starts_with(char::is_whitespace)
            })?;
            Some((command.takes, text[name.len()..].trim_start()))
        });
        let (takes, argument) = takes?;
        let span = Span::new(typed.len() - argument.len(), typed.len());
        let mut offers = Offers::new(argument, None, span, true, true);
        match takes {
            // A file name in quotes is a statement's.
            Takes::File if argument.starts_with('\'') => return None,
            Takes::File => files::matching(argument).into_iter().for_each(|file| offers.file(&file)),
            Takes::Words(words) => words.iter().for_each(|word| offers.word(word, "")),
            Takes::Relation => {
                let catalog = self.names.catalog();
                catalog.relations().for_each(|relation| offers.name(&relation.name, relation.kind.as_str()));
            }
            Takes::Function => {
                for declaration in self.names.functions().declarations() {
                    offers.name(&declaration.name, &declaration.description);
                }
            }
            Takes::HelpTopic => {
                help::topics().for_each(|(topic, about)| offers.word(topic, about));
                for declaration in self.names.functions().declarations() {
                    offers.name(&declaration.name, &declaration.description);
                }
            }
            Takes::Nothing | Takes::Number => {}
        }
        Some(offers)
    }
}

impl Place<'_> {
    /// Whether what is typed is a query or holds one.
    fn begins_with_select(&self) -> bool {
        (1..=self.lexemes.len()).any(|back| self.follows(back, "SELECT"))
    }
}

/// The forms of a function, as they are called and what they give.
fn signatures(declaration: &Declaration) -> String {
    let forms = declaration.variations.iter();
    let shown: Vec<String> =
        forms.map(|variation| format!("{} -> {}", declaration.call_text(variation), variation.returns)).collect();
    match shown.is_empty() {
        true => declaration.description.to_string(),
        // The menu shows a description as one paragraph.
        false => shown.join("; "),
    }
}

impl Completer for SqlCompleter {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        CompletionResult::fresh(self.suggestions(line, pos))
    }
}

#[cfg(test)]
mod tests;
