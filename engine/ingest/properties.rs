//! The properties of a `CREATE CONNECTOR`, with their places in the statement, and what reading them has in common.
//!
//! A property that is not known is refused, because one that is silently ignored would be missed only in production.
//! Errors name the property and what it takes, and show a value only when its name does not make it a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::config::{MASK, is_secret};
use crate::error::{Code, Error, Result, Span};

/// Properties that say nothing about what a connector does, and that every class takes.
const COMMON: [&str; 3] = ["connector.class", "name", "tasks.max"];

/// One property: its value and its places.
#[derive(Clone)]
struct Entry {
    /// The name as it was typed.
    typed: String,
    value: String,
    name_at: Span,
    value_at: Span,
}

/// The properties of one connector, by name in lower case.
#[derive(Clone, Default)]
pub struct Properties {
    entries: BTreeMap<String, Entry>,
    /// The place of the connector's name, for what is missing.
    at: Span,
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, entry): (&String, &Entry)| {
            (name.clone(), if is_secret(name) { MASK.into() } else { entry.value.clone() })
        };
        f.debug_map().entries(self.entries.iter().map(shown)).finish()
    }
}

impl Properties {
    /// No properties yet; `at` is where a missing one is reported.
    pub fn new(at: Span) -> Properties {
        Properties { entries: BTreeMap::new(), at }
    }

    /// Properties without places, for tests and for programs.
    pub fn of(pairs: &[(&str, &str)]) -> Properties {
        let mut properties = Properties::default();
        for (name, value) in pairs {
            properties.put(name, value, Span::default(), Span::default());
        }
        properties
    }

    /// Adds one; its name counts in any case of letters.
    pub fn put(&mut self, name: &str, value: &str, name_at: Span, value_at: Span) {
        let entry = Entry { typed: name.to_string(), value: value.to_string(), name_at, value_at };
        self.entries.insert(name.to_ascii_lowercase(), entry);
    }

    /// Names in lower case and values.
    pub fn texts(&self) -> BTreeMap<String, String> {
        self.entries.iter().map(|(name, entry)| (name.clone(), entry.value.clone())).collect()
    }

    /// The value of a property, without white space around it, if it is given and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entries.get(name).map(|entry| entry.value.trim()).filter(|value| !value.is_empty())
    }

    /// Whether the property is given, be it empty.
    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// The value as it was typed, white space included.
    pub fn verbatim(&self, name: &str) -> Option<&str> {
        self.entries.get(name).map(|entry| entry.value.as_str())
    }

    /// The value under one of several names that mean the same; two of them are an error.
    pub fn either(&self, names: &[&str]) -> Result<Option<&str>> {
        let mut given = names.iter().filter(|name| self.get(name).is_some());
        let (first, second) = (given.next(), given.next());
        match (first, second) {
            (Some(first), Some(second)) => Err(self.at_name(
                second,
                Error::refused(
                    Code::ConflictingProperties,
                    format!("'{first}' and '{second}' mean the same, and both are given"),
                )
                .hint("Leave one out."),
            )),
            (first, _) => Ok(first.and_then(|name| self.get(name))),
        }
    }

    /// Refuses a name that is neither in `known` nor common to all connectors, naming the nearest.
    pub fn only(&self, known: &[&str]) -> Result<()> {
        for name in self.entries.keys() {
            if known.contains(&name.as_str()) || COMMON.contains(&name.as_str()) {
                continue;
            }
            return Err(self.unknown(name, known));
        }
        Ok(())
    }

    fn unknown(&self, name: &str, known: &[&str]) -> Error {
        let typed = self.entries.get(name).map_or(name, |entry| &entry.typed);
        let error = Error::refused(Code::UnknownProperty, format!("unknown connector property '{typed}'"));
        let nearest = known
            .iter()
            .chain(&COMMON)
            .map(|known| (strsim::damerau_levenshtein(name, known), known))
            .min()
            .filter(|(distance, known)| *distance <= known.len() / 3 + 1);
        let error = match nearest {
            Some((_, known)) => error.hint(format!("Did you mean '{known}'?")),
            None => error.hint(format!("Known properties: {}.", known.join(", "))),
        };
        self.at_name(name, error)
    }

    /// The value of a property that must be given; the error shows an example.
    pub fn need(&self, name: &str, example: &str) -> Result<&str> {
        self.get(name).ok_or_else(|| self.missing(name, example))
    }

    /// The error of a property that is missing.
    pub fn missing(&self, name: &str, example: &str) -> Error {
        Error::refused(Code::MissingProperty, format!("connector property '{name}' is missing"))
            .hint(format!("Add '{name}'='{example}' to the WITH clause."))
            .at(self.at)
    }

    /// The error of a property that cannot have its value; `takes` goes on from "It takes".
    pub fn wrong(&self, name: &str, takes: &str) -> Error {
        let shown = match self.get(name).unwrap_or_default() {
            _ if is_secret(name) => "this value".to_string(),
            value => format!("'{value}'"),
        };
        let error =
            Error::refused(Code::InvalidPropertyValue, format!("connector property '{name}' cannot be {shown}"))
                .hint(format!("It takes {takes}."));
        self.at_value(name, error)
    }

    /// A boolean, `otherwise` when it is not given.
    pub fn boolean(&self, name: &str, otherwise: bool) -> Result<bool> {
        match self.get(name) {
            None => Ok(otherwise),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(self.wrong(name, "true or false")),
        }
    }

    /// A whole number from `least` to `most`, `otherwise` when it is not given.
    pub fn number(&self, name: &str, otherwise: u64, least: u64, most: u64) -> Result<u64> {
        let Some(text) = self.get(name) else { return Ok(otherwise) };
        let number = text.parse::<u64>().ok().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| match most {
            u64::MAX => self.wrong(name, &format!("a whole number from {least}")),
            most => self.wrong(name, &format!("a whole number from {least} to {most}")),
        })
    }

    /// Milliseconds from `least` to `most`, `otherwise` when not given.
    pub fn millis(&self, name: &str, otherwise: u64, least: u64, most: u64) -> Result<Duration> {
        self.number(name, otherwise, least, most).map(Duration::from_millis)
    }

    /// One of several words in any case of letters, as the word is written in `words`.
    pub fn one_of<'w>(&self, name: &str, words: &[&'w str], otherwise: &'w str) -> Result<&'w str> {
        let Some(text) = self.get(name) else { return Ok(otherwise) };
        let found = words.iter().find(|word| word.eq_ignore_ascii_case(text)).copied();
        found.ok_or_else(|| {
            let (last, first) = words.split_last().unwrap_or((&"", &[]));
            self.wrong(
                name,
                &if first.is_empty() { last.to_string() } else { format!("{} or {last}", first.join(", ")) },
            )
        })
    }

    /// A Kafka topic's name, if the property is given.
    pub fn topic(&self, name: &str) -> Result<Option<String>> {
        match self.get(name) {
            Some(topic) if !is_topic(topic) => {
                Err(self.wrong(name, "a topic's name: letters, digits, '.', '_' and '-', at most 249 of them"))
            }
            topic => Ok(topic.map(ToString::to_string)),
        }
    }

    /// The same error, at the name of a property.
    pub fn at_name(&self, name: &str, error: Error) -> Error {
        error.or_at(self.entries.get(name).map_or(self.at, |entry| entry.name_at))
    }

    /// The same error, at the value of a property.
    pub fn at_value(&self, name: &str, error: Error) -> Error {
        error.or_at(self.entries.get(name).map_or(self.at, |entry| entry.value_at))
    }
}

/// Whether Kafka takes this as a topic's name.
pub fn is_topic(name: &str) -> bool {
    (1..=249).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<T: fmt::Debug>(result: Result<T>) -> (String, String) {
        let error = result.expect_err("it is refused");
        (error.to_string(), error.hint_text().unwrap_or_default().to_string())
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest_at_its_place() {
        let mut properties = Properties::new(Span::new(1, 2));
        properties.put("Connector.Class", "file", Span::new(10, 20), Span::new(21, 25));
        properties.put("Kafka.Topik", "t", Span::new(30, 40), Span::new(41, 42));
        let error = properties.only(&["kafka.topic", "file"]).expect_err("it is unknown");
        assert_eq!(error.message(), "unknown connector property 'Kafka.Topik'");
        assert_eq!(error.hint_text(), Some("Did you mean 'kafka.topic'?"));
        assert_eq!(error.span(), Some(Span::new(30, 40)));
        let (_, hint) = refusal(Properties::of(&[("x", "1")]).only(&["kafka.topic", "file"]));
        assert_eq!(hint, "Known properties: kafka.topic, file.");
    }

    #[test]
    fn values_are_read_with_their_bounds() {
        let properties = Properties::of(&[("n", "7"), ("b", "TRUE"), ("w", "Json"), ("bad", "x"), ("t", "a/b")]);
        assert_eq!(properties.number("n", 1, 0, 9).expect("in bounds"), 7);
        assert_eq!(properties.number("missing", 1, 0, 9).expect("the default"), 1);
        assert!(properties.boolean("b", false).expect("a boolean"));
        assert_eq!(properties.one_of("w", &["csv", "json"], "csv").expect("a word"), "json");
        assert_eq!(refusal(properties.number("bad", 1, 0, 9)).1, "It takes a whole number from 0 to 9.");
        assert_eq!(refusal(properties.one_of("bad", &["a", "b"], "a")).1, "It takes a or b.");
        assert!(refusal(properties.topic("t")).0.contains("'t' cannot be 'a/b'"));
        assert_eq!(refusal(properties.need("file", "data.csv")).1, "Add 'file'='data.csv' to the WITH clause.");
    }

    #[test]
    fn two_names_of_one_thing_are_not_both_given() {
        let properties = Properties::of(&[("topic", "a"), ("kafka.topic", "b"), ("other", "c")]);
        assert!(refusal(properties.either(&["kafka.topic", "topic"])).0.contains("mean the same"));
        assert_eq!(properties.either(&["none", "other"]).expect("one"), Some("c"));
    }

    #[test]
    fn a_secret_is_shown_nowhere() {
        let properties = Properties::of(&[("mqtt.password", "hunter2"), ("qos", "9")]);
        assert!(!format!("{properties:?}").contains("hunter2"));
        assert!(!refusal::<()>(Err(properties.wrong("mqtt.password", "text"))).0.contains("hunter2"));
        assert!(format!("{properties:?}").contains('9'));
    }
}
