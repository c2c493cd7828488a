//! From an MQTT topic to a record's topic, key and headers.
//!
//! A rule is a topic filter, or a regular expression over the whole MQTT topic; the first that matches decides. Matching
//! costs more than anything else on the way of a message, and a device says the same few topics again and again, so each
//! connection remembers what became of the topics it saw: a known topic costs one hash and allocates nothing.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use regex::Regex;

use super::filter::Filter;
use super::template::Template;
use crate::ingest::deliver::Headers;

/// Header with the MQTT topic.
pub const HEADER_TOPIC: &str = "mqtt.topic";
/// Header with the QoS the message was sent at: `0`, `1` or `2`.
pub const HEADER_QOS: &str = "mqtt.qos";
/// Header with the retained flag: `true` or `false`.
pub const HEADER_RETAINED: &str = "mqtt.retained";
/// Header with the client id of the device, the assigned one if it had none.
pub const HEADER_CLIENT: &str = "mqtt.client";

/// Header with the content type that an MQTT 5 message gives for itself.
pub const HEADER_CONTENT_TYPE: &str = "mqtt.content.type";
/// What every header of ours begins with. A user property that does so too gets [`USER_PREFIX`] in its place, so that
/// what a device says can never pass for what the engine says.
const OWN_PREFIX: &str = "mqtt.";
const USER_PREFIX: &str = "mqtt.user.";

/// Which MQTT topics a rule takes.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// Those whose whole name matches.
    Regex(Regex),
    /// Those that the filter takes.
    Filter(Filter),
    /// All of them.
    Any,
}

impl Pattern {
    /// Whether it takes this topic.
    pub fn takes(&self, topic: &str) -> bool {
        match self {
            Pattern::Regex(pattern) => pattern.is_match(topic),
            Pattern::Filter(filter) => filter.matches(topic),
            Pattern::Any => true,
        }
    }
}

/// MQTT topics that go to one Kafka topic.
#[derive(Debug, Clone)]
pub struct TopicRule {
    /// The Kafka topic.
    pub topic: Arc<str>,
    /// Which MQTT topics.
    pub pattern: Pattern,
}

/// The rules of one connector.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// In order; the first match wins.
    pub topics: Vec<TopicRule>,
    /// The key of every record.
    pub key: Template,
    /// Headers made from the topic, by name, beside those that every record has.
    pub headers: Vec<(Arc<str>, Template)>,
}

impl Rules {
    fn find(&self, mqtt_topic: &str) -> Option<&TopicRule> {
        self.topics.iter().find(|rule| rule.pattern.takes(mqtt_topic))
    }

    /// The Kafka topics, each once.
    pub fn kafka_topics(&self) -> Vec<Arc<str>> {
        let mut topics: Vec<Arc<str>> = Vec::new();
        for rule in &self.topics {
            if !topics.contains(&rule.topic) {
                topics.push(rule.topic.clone());
            }
        }
        topics
    }
}

/// What an MQTT 5 message says about itself beside its payload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) content_type: Option<Bytes>,
    /// User properties, in order; a name may come more than once.
    pub(super) user: Vec<(String, Bytes)>,
}

impl Said {
    /// As record headers.
    fn headers(&self) -> impl Iterator<Item = (Cow<'static, str>, Bytes)> + '_ {
        let user = self.user.iter().map(|(name, value)| {
            let name = match name.strip_prefix(OWN_PREFIX) {
                Some(rest) => format!("{USER_PREFIX}{rest}"),
                None => name.clone(),
            };
            (Cow::Owned(name), value.clone())
        });
        let content = self.content_type.iter().map(|text| (Cow::Borrowed(HEADER_CONTENT_TYPE), text.clone()));
        user.chain(content)
    }
}

/// Where the messages of one MQTT topic go.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) topic: Arc<str>,
    pub(super) key: Option<Bytes>,
    mqtt_topic: Bytes,
    client: Option<Bytes>,
    /// Headers that the rules make from the topic.
    made: Vec<(Cow<'static, str>, Bytes)>,
    /// One set for each QoS and retained flag, built when it is first needed.
    headers: [Option<Headers>; 6],
}

impl Route {
    /// The headers of a message. What it says about itself comes first, so that a reader who takes the last header of
    /// a name gets ours.
    pub(super) fn headers(&mut self, qos: u8, retained: bool, said: Option<&Said>) -> Headers {
        let own = self.own_headers(qos, retained);
        match said {
            Some(said) => said.headers().chain(own.iter().cloned()).collect(),
            None => own,
        }
    }

    fn own_headers(&mut self, qos: u8, retained: bool) -> Headers {
        let slot = usize::from(qos.min(2)) * 2 + usize::from(retained);
        if let Some(headers) = &self.headers[slot] {
            return headers.clone();
        }
        let qos: &'static [u8] = [b"0", b"1", b"2"][usize::from(qos.min(2))];
        let retained: &'static [u8] = if retained { b"true" } else { b"false" };
        let fixed = [
            (Cow::Borrowed(HEADER_TOPIC), self.mqtt_topic.clone()),
            (Cow::Borrowed(HEADER_QOS), Bytes::from_static(qos)),
            (Cow::Borrowed(HEADER_RETAINED), Bytes::from_static(retained)),
        ];
        let client = self.client.iter().map(|client| (Cow::Borrowed(HEADER_CLIENT), client.clone()));
        let headers: Headers = fixed.into_iter().chain(client).chain(self.made.iter().cloned()).collect();
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
    /// The device's client id, where one is known.
    client: Option<Bytes>,
    known: HashMap<Bytes, Option<Box<Route>>, ahash::RandomState>,
}

impl Routes {
    pub(super) fn new(rules: Arc<Rules>, client: Option<&str>) -> Routes {
        let client = client.map(|client| Bytes::copy_from_slice(client.as_bytes()));
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
            let (rules, client) = (&self.rules, self.client.clone());
            let route = rules.find(text).map(|rule| {
                let id = client.clone().unwrap_or_default();
                let made = rules.headers.iter().filter_map(|(header, template)| {
                    Some((Cow::Owned(header.to_string()), template.render(&name, &id)?))
                });
                Box::new(Route {
                    topic: rule.topic.clone(),
                    key: rules.key.render(&name, &id),
                    mqtt_topic: name.clone(),
                    made: made.collect(),
                    client,
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

    fn rules(key: &str, headers: &[(&str, &str)]) -> Arc<Rules> {
        let template = |text: &str| Template::parse(text).expect("a template of the test");
        let regex = Regex::new("^(?:.*/hot)$").expect("a pattern of the test");
        let filter = Filter::parse("car/#").expect("a filter of the test");
        let topics = vec![
            TopicRule { topic: Arc::from("hot"), pattern: Pattern::Regex(regex) },
            TopicRule { topic: Arc::from("all"), pattern: Pattern::Filter(filter) },
        ];
        let headers = headers.iter().map(|(name, text)| (Arc::from(*name), template(text))).collect();
        Arc::new(Rules { topics, key: template(key), headers })
    }

    fn route(key: &str, topic: &str) -> Option<(String, Option<Bytes>)> {
        match Routes::new(rules(key, &[]), Some("c1")).find(topic.as_bytes()) {
            Found::Route(route) => Some((route.topic.to_string(), route.key.clone())),
            _ => None,
        }
    }

    fn texts(headers: &Headers) -> Vec<(&str, &str)> {
        let text = |value| std::str::from_utf8(value).expect("the headers of the test are text");
        headers.iter().map(|(name, value)| (name.as_ref(), text(value))).collect()
    }

    #[test]
    fn the_first_rule_that_takes_the_whole_topic_wins() {
        assert_eq!(route("topic", "car/7/hot").map(|found| found.0).as_deref(), Some("hot"));
        assert_eq!(route("topic", "car/7/cold").map(|found| found.0).as_deref(), Some("all"));
        assert!(route("topic", "xcar/7/cold").is_none());
        assert!(Pattern::Any.takes("$SYS/x"));
    }

    #[test]
    fn the_key_is_what_its_template_says() {
        let key = |rule| route(rule, "car/7/hot").and_then(|found| found.1);
        assert_eq!(key("topic").as_deref(), Some(&b"car/7/hot"[..]));
        assert_eq!(key("client").as_deref(), Some(&b"c1"[..]));
        assert_eq!(key("{level:2}@{client}").as_deref(), Some(&b"7@c1"[..]));
        assert_eq!(key("level:4"), None);
    }

    #[test]
    fn headers_say_topic_qos_retained_and_client_and_are_built_once() {
        let mut routes = Routes::new(rules("topic", &[]), Some("c1"));
        let Found::Route(route) = routes.find(b"car/1") else { panic!("a rule matches") };
        let headers = route.headers(1, true, None);
        assert_eq!(
            texts(&headers),
            [("mqtt.topic", "car/1"), ("mqtt.qos", "1"), ("mqtt.retained", "true"), ("mqtt.client", "c1")]
        );
        assert!(Arc::ptr_eq(&headers, &route.headers(1, true, None)));
        assert!(!Arc::ptr_eq(&headers, &route.headers(1, false, None)));
    }

    #[test]
    fn topic_levels_become_headers_and_one_that_is_missing_does_not() {
        let made = [("plant", "level:2"), ("line", "{level:2}/{level:3}"), ("none", "level:9")];
        let mut routes = Routes::new(rules("topic", &made), None);
        let Found::Route(route) = routes.find(b"car/7/cold") else { panic!("a rule matches") };
        assert_eq!(texts(&route.headers(0, false, None))[3..], [("plant", "7"), ("line", "7/cold")]);
    }

    #[test]
    fn what_a_message_says_about_itself_comes_first_and_never_passes_for_ours() {
        let mut routes = Routes::new(rules("topic", &[("plant", "level:1")]), None);
        let Found::Route(route) = routes.find(b"car/1") else { panic!("a rule matches") };
        let user = [("unit", "C"), ("plant", "forged"), ("mqtt.topic", "forged"), ("unit", "F")];
        let said = Said {
            content_type: Some(Bytes::from_static(b"text/plain")),
            user: user.map(|(name, value)| (name.to_string(), Bytes::from_static(value.as_bytes()))).to_vec(),
        };
        assert_eq!(
            texts(&route.headers(0, false, Some(&said))),
            [
                ("unit", "C"),
                ("plant", "forged"),
                ("mqtt.user.topic", "forged"),
                ("unit", "F"),
                ("mqtt.content.type", "text/plain"),
                ("mqtt.topic", "car/1"),
                ("mqtt.qos", "0"),
                ("mqtt.retained", "false"),
                ("plant", "car"),
            ]
        );
    }

    #[test]
    fn an_unmatched_topic_is_new_once_and_an_invalid_one_is_neither() {
        let mut routes = Routes::new(rules("topic", &[]), Some("c1"));
        assert!(matches!(routes.find(b"bus"), Found::Unmatched { first: true }));
        assert!(matches!(routes.find(b"bus"), Found::Unmatched { first: false }));
        for invalid in [&b"car/+"[..], b"car/#", b"car/\0", b"car/\xff"] {
            assert!(matches!(routes.find(invalid), Found::Invalid));
        }
    }
}
