//! Rules from properties: `topic.filter.list`, `topic.regex.list`, `key`, `headers`.
//!
//! The list of expressions is Confluent's MQTT Proxy's, with the same meaning; the list of filters is written the same
//! way, with MQTT's own wildcards. Filters are tried before expressions, each list in its order.

use std::sync::Arc;

use regex::Regex;

use super::filter::Filter;
use super::rules::{Pattern, Rules, TopicRule};
use super::template::Template;
use crate::error::{Code, Error, Result};
use crate::ingest::properties::{Properties, is_topic};

/// The properties that make rules.
pub(super) const TOPIC_FILTERS: &str = "topic.filter.list";
pub(super) const TOPIC_EXPRESSIONS: &str = "topic.regex.list";
pub(super) const KEY: &str = "key";
pub(super) const HEADERS: &str = "headers";

/// Reads the rules of a listener. At least one list has to be there.
pub(super) fn listener_rules(properties: &Properties) -> Result<Rules> {
    let mut rules = templates(properties)?;
    if let Some(list) = properties.get(TOPIC_FILTERS) {
        rules.topics.extend(filters(properties, list)?);
    }
    if let Some(list) = properties.get(TOPIC_EXPRESSIONS) {
        let pairs = pairs(properties, TOPIC_EXPRESSIONS, list, "KAFKA_TOPIC:REGEX, several separated by commas")?;
        for (topic, pattern) in pairs {
            let pattern = expression(pattern.trim()).map_err(|error| properties.at_value(TOPIC_EXPRESSIONS, error))?;
            rules.topics.push(TopicRule { topic, pattern });
        }
    }
    if rules.topics.is_empty() {
        return Err(properties
            .missing(TOPIC_FILTERS, "temperature:plant/+/temp")
            .detail(format!("it, or '{TOPIC_EXPRESSIONS}', says which MQTT topics go to which Kafka topic")));
    }
    Ok(rules)
}

/// Reads key and headers; the topics are left empty.
pub(super) fn templates(properties: &Properties) -> Result<Rules> {
    let mut rules = Rules::default();
    if let Some(text) = properties.get(KEY) {
        rules.key = template(properties, KEY, text)?;
    }
    for part in properties.get(HEADERS).unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let takes = "NAME=TEMPLATE, several separated by commas, such as 'plant=level:2'";
        let pair = part.split_once('=').map(|(name, text)| (name.trim(), text.trim()));
        let Some((name, text)) = pair.filter(|(name, _)| !name.is_empty()) else {
            return Err(properties.wrong(HEADERS, takes));
        };
        if name.starts_with("mqtt.") {
            let error = Error::refused(Code::InvalidPropertyValue, format!("header '{name}' cannot be set"))
                .detail("names that begin with 'mqtt.' are the connector's own")
                .hint("Choose another name.");
            return Err(properties.at_value(HEADERS, error));
        }
        rules.headers.push((Arc::from(name), template(properties, HEADERS, text)?));
    }
    Ok(rules)
}

/// Reads `KAFKA_TOPIC:FILTER,KAFKA_TOPIC:FILTER`.
pub(super) fn filters(properties: &Properties, list: &str) -> Result<Vec<TopicRule>> {
    let pairs = pairs(properties, TOPIC_FILTERS, list, "KAFKA_TOPIC:FILTER, several separated by commas")?;
    let rule = |(topic, text): (Arc<str>, String)| {
        let filter = filter(properties, TOPIC_FILTERS, &text)?;
        Ok(TopicRule { topic, pattern: Pattern::Filter(filter) })
    };
    pairs.into_iter().map(rule).collect()
}

/// Reads one filter of the property `name`.
pub(super) fn filter(properties: &Properties, name: &str, text: &str) -> Result<Filter> {
    let text = text.trim();
    Filter::parse(text).map_err(|reason| {
        let error =
            Error::refused(Code::InvalidPropertyValue, format!("'{text}' in '{name}' is not an MQTT topic filter"))
                .detail(reason)
                .hint("'+' stands for one level, '#' at the end for all below, as in plant/+/temp and plant/#.");
        properties.at_value(name, error)
    })
}

fn template(properties: &Properties, name: &str, text: &str) -> Result<Template> {
    Template::parse(text).map_err(|reason| {
        let error =
            Error::refused(Code::InvalidPropertyValue, format!("connector property '{name}' cannot be '{text}'"))
                .detail(reason)
                .hint("It takes topic, client, level:N with N counted from 1, or a text such as {level:2}-{level:3}.");
        properties.at_value(name, error)
    })
}

/// Splits `topic:rest,topic:rest`. A part that does not begin like a topic belongs to what is before it, so that an
/// expression or a filter may hold commas.
fn pairs(properties: &Properties, name: &str, list: &str, takes: &str) -> Result<Vec<(Arc<str>, String)>> {
    let mut pairs: Vec<(Arc<str>, String)> = Vec::new();
    for part in list.split(',') {
        let pair = part.split_once(':').map(|(topic, rest)| (topic.trim(), rest));
        match pair.filter(|(topic, _)| is_topic(topic)) {
            Some((topic, rest)) => pairs.push((Arc::from(topic), rest.to_string())),
            None => match pairs.last_mut() {
                Some((_, before)) => {
                    before.push(',');
                    before.push_str(part);
                }
                None => return Err(properties.wrong(name, takes)),
            },
        }
    }
    if let Some((topic, _)) = pairs.iter().find(|(_, rest)| rest.trim().is_empty()) {
        let all = if name == TOPIC_FILTERS { "#" } else { ".*" };
        let error =
            Error::refused(Code::MissingProperty, format!("Kafka topic {topic} has no MQTT topics in '{name}'"))
                .hint(format!("Write {topic}:{all} to take them all."));
        return Err(properties.at_value(name, error));
    }
    Ok(pairs)
}

/// The whole MQTT topic has to match, so a rule never catches more than it says.
fn expression(pattern: &str) -> Result<Pattern> {
    Regex::new(&format!("^(?:{pattern})$")).map(Pattern::Regex).map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or("not a regular expression").trim_start_matches("error: ");
        Error::refused(
            Code::InvalidPropertyValue,
            format!("'{pattern}' in '{TOPIC_EXPRESSIONS}' is not a regular expression"),
        )
        .detail(reason.to_string())
    })
}
