//! From an MQTT topic to a record's topic, key and headers.
//!
//! A rule is a regular expression over the whole MQTT topic; the first that matches decides. Matching costs more than
//! anything else on the way of a message, and a device says the same few topics again and again, so each connection
//! remembers what became of the topics it saw: a known topic costs one hash and allocates nothing.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use regex::Regex;

use crate::ingest::deliver::Headers;

/// Header with the MQTT topic.
pub const HEADER_TOPIC: &str = "mqtt.topic";
/// Header with the QoS the message was sent at: `0`, `1` or `2`.
pub const HEADER_QOS: &str = "mqtt.qos";
/// Header with the retained flag: `true` or `false`.
pub const HEADER_RETAINED: &str = "mqtt.retained";
/// Header with the client id of the device, the assigned one if it had none.
pub const HEADER_CLIENT: &str = "mqtt.client";

/// MQTT topics whose whole name matches go to one Kafka topic.
#[derive(Debug, Clone)]
pub struct TopicRule {
    /// The Kafka topic.
    pub topic: Arc<str>,
    /// What the whole MQTT topic has to match.
    pub pattern: Regex,
}

/// Which part of a message becomes the record's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyRule {
    /// The MQTT topic.
    #[default]
    Topic,
    /// The client id.
    Client,
    /// One level of the MQTT topic, counted from 1. A topic with fewer levels gives a record without a key.
    Level(u16),
}

/// The rules of one listener.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// In order; the first match wins.
    pub topics: Vec<TopicRule>,
    /// The key of every record.
    pub key: KeyRule,
}

impl Rules {
    fn find(&self, mqtt_topic: &str) -> Option<&TopicRule> {
        self.topics.iter().find(|rule| rule.pattern.is_match(mqtt_topic))
    }

    fn key(&self, mqtt_topic: &Bytes, client: &Bytes) -> Option<Bytes> {
        match self.key {
            KeyRule::Topic => Some(mqtt_topic.clone()),
            KeyRule::Client => Some(client.clone()),
            KeyRule::Level(level) => {
                let part = mqtt_topic.split(|byte| *byte == b'/').nth(usize::from(level) - 1)?;
                Some(mqtt_topic.slice_ref(part))
            }
        }
    }
}

/// Where the messages of one MQTT topic go.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) topic: Arc<str>,
    pub(super) key: Option<Bytes>,
    mqtt_topic: Bytes,
    client: Bytes,
    /// One set for each QoS and retained flag, built when it is first needed.
    headers: [Option<Headers>; 6],
}

impl Route {
    pub(super) fn headers(&mut self, qos: u8, retained: bool) -> Headers {
        let slot = usize::from(qos.min(2)) * 2 + usize::from(retained);
        if let Some(headers) = &self.headers[slot] {
            return headers.clone();
        }
        let qos: &'static [u8] = [b"0", b"1", b"2"][usize::from(qos.min(2))];
        let retained: &'static [u8] = if retained { b"true" } else { b"false" };
        let headers: Headers = Arc::new([
            (Cow::Borrowed(HEADER_TOPIC), self.mqtt_topic.clone()),
            (Cow::Borrowed(HEADER_QOS), Bytes::from_static(qos)),
            (Cow::Borrowed(HEADER_RETAINED), Bytes::from_static(retained)),
            (Cow::Borrowed(HEADER_CLIENT), self.client.clone()),
        ]);
        self.headers[slot] = Some(headers.clone());
        headers
    }
}

/// The answer for an MQTT topic.
#[derive(Debug)]
pub(super) enum Found<'a> {
    Route(&'a mut Route),
    /// No rule matches; `first` when this connection asks for the first time.
    Unmatched {
        first: bool,
    },
    /// No UTF-8, a NUL or a wildcard in it: MQTT allows none of these in the topic of a message.
    Invalid,
}

/// How many topics a connection remembers before it forgets all of them and begins again.
const REMEMBERED: usize = 1024;

/// The topics one connection has seen.
#[derive(Debug)]
pub(super) struct Routes {
    rules: Arc<Rules>,
    client: Bytes,
    known: HashMap<Bytes, Option<Box<Route>>, ahash::RandomState>,
}

impl Routes {
    pub(super) fn new(rules: Arc<Rules>, client: &str) -> Routes {
        let client = Bytes::copy_from_slice(client.as_bytes());
        Routes { rules, client, known: HashMap::default() }
    }

    /// Where messages of `mqtt_topic` go. `mqtt_topic` is not empty.
    pub(super) fn find(&mut self, mqtt_topic: &[u8]) -> Found<'_> {
        let known = self.known.contains_key(mqtt_topic);
        if !known {
            let Some(text) = valid_topic(mqtt_topic) else { return Found::Invalid };
            if self.known.len() >= REMEMBERED {
                self.known.clear();
            }
            // A copy, because a slice would keep the whole read buffer alive.
            let name = Bytes::copy_from_slice(mqtt_topic);
            let route = self.rules.find(text).map(|rule| {
                Box::new(Route {
                    topic: rule.topic.clone(),
                    key: self.rules.key(&name, &self.client),
                    mqtt_topic: name.clone(),
                    client: self.client.clone(),
                    headers: Default::default(),
                })
            });
            self.known.insert(name, route);
        }
        match self.known.get_mut(mqtt_topic) {
            Some(Some(route)) => Found::Route(route),
            Some(None) | None => Found::Unmatched { first: !known },
        }
    }
}

/// The text of a topic name that a message may carry (MQTT 5, 3.3.2.1 and 1.5.4).
pub(super) fn valid_topic(topic: &[u8]) -> Option<&str> {
    if topic.is_empty() || topic.iter().any(|byte| matches!(byte, 0 | b'+' | b'#')) {
        return None;
    }
    std::str::from_utf8(topic).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(key: KeyRule) -> Arc<Rules> {
        let rule = |topic: &str, pattern: &str| TopicRule {
            topic: Arc::from(topic),
            pattern: Regex::new(&format!("^(?:{pattern})$")).expect("a pattern of the test"),
        };
        Arc::new(Rules { topics: vec![rule("hot", ".*/hot"), rule("all", "car/.*")], key })
    }

    fn route(key: KeyRule, topic: &str) -> Option<(String, Option<Bytes>)> {
        match Routes::new(rules(key), "c1").find(topic.as_bytes()) {
            Found::Route(route) => Some((route.topic.to_string(), route.key.clone())),
            _ => None,
        }
    }

    #[test]
    fn the_first_rule_that_matches_the_whole_topic_wins() {
        assert_eq!(route(KeyRule::Topic, "car/7/hot").map(|found| found.0).as_deref(), Some("hot"));
        assert_eq!(route(KeyRule::Topic, "car/7/cold").map(|found| found.0).as_deref(), Some("all"));
        assert!(route(KeyRule::Topic, "xcar/7/cold").is_none());
    }

    #[test]
    fn the_key_is_the_topic_the_client_or_a_level() {
        let key = |rule| route(rule, "car/7/hot").and_then(|found| found.1);
        assert_eq!(key(KeyRule::Topic).as_deref(), Some(&b"car/7/hot"[..]));
        assert_eq!(key(KeyRule::Client).as_deref(), Some(&b"c1"[..]));
        assert_eq!(key(KeyRule::Level(2)).as_deref(), Some(&b"7"[..]));
        assert_eq!(key(KeyRule::Level(4)), None);
    }

    #[test]
    fn headers_say_topic_qos_retained_and_client_and_are_built_once() {
        let mut routes = Routes::new(rules(KeyRule::Topic), "c1");
        let Found::Route(route) = routes.find(b"car/1") else { panic!("a rule matches") };
        let headers = route.headers(1, true);
        let texts: Vec<_> = headers.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
        assert_eq!(
            texts,
            [
                ("mqtt.topic", &b"car/1"[..]),
                ("mqtt.qos", b"1"),
                ("mqtt.retained", b"true"),
                ("mqtt.client", b"c1")
            ]
        );
        assert!(Arc::ptr_eq(&headers, &route.headers(1, true)));
        assert!(!Arc::ptr_eq(&headers, &route.headers(1, false)));
    }

    #[test]
    fn an_unmatched_topic_is_new_once_and_an_invalid_one_is_neither() {
        let mut routes = Routes::new(rules(KeyRule::Topic), "c1");
        assert!(matches!(routes.find(b"bus"), Found::Unmatched { first: true }));
        assert!(matches!(routes.find(b"bus"), Found::Unmatched { first: false }));
        for invalid in [&b"car/+"[..], b"car/#", b"car/\0", b"car/\xff"] {
            assert!(matches!(routes.find(invalid), Found::Invalid));
        }
    }
}
