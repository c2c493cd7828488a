//! The list of what may be typed: only what begins like the word so far, each once, written as it must be written.

use std::collections::HashSet;

use reedline::{Span as LineSpan, Suggestion};

use crate::error::Span;
use crate::sql::keywords::needs_quotes;
use crate::types::text::visible::{is_hidden, visible_lines};

/// The list while it grows.
pub struct Offers {
    /// What must be matched, in upper case unless it is quoted.
    prefix: String,
    quote: Option<char>,
    span: Span,
    lower_case: bool,
    lower_names: bool,
    list: Vec<Suggestion>,
    seen: HashSet<String>,
}

impl Offers {
    /// An empty list for a word that opens with `quote`, in place of the bytes of `span`. Keywords come in small letters
    /// when `lower_case`, plain names when `lower_names`.
    pub fn new(word: &str, quote: Option<char>, span: Span, lower_case: bool, lower_names: bool) -> Offers {
        let prefix = if quote.is_some() { word.to_string() } else { word.to_uppercase() };
        Offers { prefix, quote, span, lower_case, lower_names, list: Vec::new(), seen: HashSet::new() }
    }

    /// Whether a name begins like the word so far.
    pub fn matches(&self, name: &str) -> bool {
        match self.quote {
            Some(_) => name.starts_with(&self.prefix),
            None if name.is_ascii() => {
                name.len() >= self.prefix.len()
                    && name.as_bytes()[..self.prefix.len()].eq_ignore_ascii_case(self.prefix.as_bytes())
            }
            None => name.to_uppercase().starts_with(&self.prefix),
        }
    }

    /// Keywords and phrases of them.
    pub fn words(&mut self, words: &[&str]) {
        let mut sorted: Vec<&str> = words.to_vec();
        sorted.sort_unstable();
        sorted.into_iter().for_each(|word| self.word(word, ""));
    }

    /// A keyword, a phrase of keywords or a command.
    pub fn word(&mut self, word: &str, about: &str) {
        if self.quote.is_none() && self.matches(word) {
            let value = self.cased(word);
            self.push(value, about, true);
        }
    }

    /// A column or field, behind which a comma or an operator may follow at once.
    pub fn column(&mut self, name: &str, about: &str) {
        if let Some(value) = self.written(name) {
            self.push(value, about, false);
        }
    }

    /// A name: bare where that is enough, else in back-quotes.
    pub fn name(&mut self, name: &str, about: &str) {
        if let Some(value) = self.written(name) {
            self.push(value, about, true);
        }
    }

    /// The name of a source, for a column behind it.
    pub fn qualifier(&mut self, name: &str, relation: &str) {
        if let Some(value) = self.written(name) {
            self.push(value + ".", &format!("columns of {relation}"), false);
        }
    }

    /// A function.
    pub fn call(&mut self, name: &str, signatures: &str) {
        if self.quote.is_none() && self.matches(name) {
            let value = if needs_quotes(name) { format!("`{}`", name.replace('`', "``")) } else { self.cased(name) };
            self.push(value + "(", signatures, false);
        }
    }

    /// A form of the grammar, with its opening bracket.
    pub fn form(&mut self, form: &str, about: &str) {
        if self.quote.is_none() && self.matches(form) {
            let value = self.cased(form);
            self.push(value, about, false);
        }
    }

    /// A topic: bare where the lexis takes it, else as a string.
    pub fn topic(&mut self, topic: &str) {
        let mut chars = topic.chars();
        let bare = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !crate::sql::keywords::is_reserved(&topic.to_ascii_uppercase());
        match self.quote {
            None if bare && self.matches(topic) => self.push(topic.to_string(), "topic", true),
            _ => self.literal(topic, "topic"),
        }
    }

    /// A string.
    pub fn literal(&mut self, text: &str, about: &str) {
        if self.quote.is_none_or(|quote| quote == '\'') && self.matches(text) {
            self.push(format!("'{}'", text.replace('\'', "''")), about, true);
        }
    }

    /// The name of a property or setting with its equals sign; `quoted` when the lexis wants it so.
    pub fn property(&mut self, name: &str, quoted: bool, about: &str) {
        if !self.matches(name) {
            return;
        }
        match (quoted, self.quote) {
            (true, None | Some('\'')) => self.push(format!("'{name}'="), about, false),
            (false, None) => {
                let value = self.cased(name) + "=";
                self.push(value, about, false);
            }
            _ => {}
        }
    }

    /// The path of a file as it is.
    pub fn file(&mut self, path: &str) {
        self.push(path.to_string(), "", !path.ends_with('/'));
    }

    /// The path of a file as a string, which a folder leaves open.
    pub fn file_literal(&mut self, path: &str) {
        let path = path.replace('\'', "''");
        match path.ends_with('/') {
            true => self.push(format!("'{path}"), "", false),
            false => self.push(format!("'{path}'"), "", false),
        }
    }

    /// The list.
    pub fn done(self) -> Vec<Suggestion> {
        self.list
    }

    fn cased(&self, word: &str) -> String {
        if self.lower_case { word.to_lowercase() } else { word.to_string() }
    }

    /// A name as it must be written to be read back, if it begins like the word so far.
    fn written(&self, name: &str) -> Option<String> {
        if !self.matches(name) {
            return None;
        }
        match self.quote {
            Some('\'') => None,
            Some(quote) => Some(format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}")))),
            None if needs_quotes(name) => Some(format!("`{}`", name.replace('`', "``"))),
            None if self.lower_names => Some(name.to_lowercase()),
            None => Some(name.to_string()),
        }
    }

    fn push(&mut self, value: String, about: &str, append_whitespace: bool) {
        // What cannot be typed is not offered, and nothing in a name speaks to the terminal.
        if value.contains(is_hidden) || !self.seen.insert(value.clone()) {
            return;
        }
        self.list.push(Suggestion {
            value,
            description: (!about.is_empty()).then(|| visible_lines(about).into_owned()),
            span: LineSpan::new(self.span.start, self.span.end),
            append_whitespace,
            ..Suggestion::default()
        });
    }
}
