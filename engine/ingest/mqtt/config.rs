//! What a listener is told: the properties of `CREATE SOURCE CONNECTOR … WITH (…)`, checked.
//!
//! `listeners` and `topic.regex.list` are the names that Confluent's MQTT Proxy uses, with the same meaning.
//! A property that is not known is refused, because one that is silently ignored would be missed only in production.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use super::rules::{KeyRule, Rules, TopicRule};
use crate::error::{Error, Result};

/// The value of `connector.class` that names this listener.
pub const CONNECTOR_CLASS: &str = "mqtt-listener";

/// The largest packet a listener takes when it is not told: a megabyte, which leaves room for key and headers below the
/// limit of 1,048,588 bytes that a Kafka topic has by default.
pub const DEFAULT_MAX_PACKET_SIZE: u32 = 1_000_000;

/// The properties of the connector.
pub const PROPERTIES: [&str; 9] = [
    "connector.class",
    "listeners",
    "topic.regex.list",
    "key",
    "max.packet.size",
    "max.connections",
    "max.in.flight",
    "allow.remote",
    "delivery.timeout.ms",
];

/// Something worth telling the user, when it is not a matter of every message. Counters hold the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The first device is connected: the time to say what an acknowledgement means here.
    FirstDevice,
    /// No rule matches this MQTT topic; its messages are dropped. Said once for each topic.
    UnmatchedTopic {
        /// The MQTT topic.
        topic: String,
    },
    /// Records could not be delivered, and a device was disconnected so that it sends them again. Said each time that
    /// happens, which while a broker is down is once for each attempt of each device.
    Undelivered {
        /// The client id.
        client: String,
        /// What the producer said.
        error: String,
    },
    /// A record can never be delivered and was dropped. Said for each one.
    Refused {
        /// The client id.
        client: String,
        /// What the producer said.
        error: String,
    },
}

/// Where notices go. It is called from the connections' tasks and must not block.
#[derive(Clone, Default)]
pub struct NoticeHook(Option<Arc<dyn Fn(Notice) + Send + Sync>>);

impl NoticeHook {
    /// Calls `hook` for every notice.
    pub fn new(hook: impl Fn(Notice) + Send + Sync + 'static) -> NoticeHook {
        NoticeHook(Some(Arc::new(hook)))
    }

    pub(super) fn say(&self, notice: impl FnOnce() -> Notice) {
        if let Some(hook) = &self.0 {
            hook(notice());
        }
    }
}

impl fmt::Debug for NoticeHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "NoticeHook(set)" } else { "NoticeHook(none)" })
    }
}

/// The settings of a listener.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// Where to listen; port 0 takes a free one.
    pub listeners: Vec<SocketAddr>,
    /// Topics and keys.
    pub rules: Rules,
    /// The largest packet in bytes, headers included. MQTT 5 devices are told.
    pub max_packet_size: u32,
    /// Most connections at a time.
    pub max_connections: usize,
    /// Most messages of one connection that wait for their delivery. MQTT 5 devices are told (receive maximum).
    pub max_in_flight: u16,
    /// Whether to listen beyond this machine.
    pub allow_remote: bool,
    /// How long a message may wait for its delivery before its device is disconnected, so that it sends again.
    pub delivery_timeout: Duration,
    /// How long a socket may stay without a CONNECT.
    pub connect_timeout: Duration,
    /// Where notices go.
    pub notices: NoticeHook,
}

impl ListenerConfig {
    /// The defaults, for these addresses and rules.
    pub fn new(listeners: Vec<SocketAddr>, rules: Rules) -> ListenerConfig {
        ListenerConfig {
            listeners,
            rules,
            max_packet_size: DEFAULT_MAX_PACKET_SIZE,
            max_connections: 10_000,
            max_in_flight: 1_000,
            allow_remote: false,
            delivery_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            notices: NoticeHook::default(),
        }
    }

    /// Reads the properties of `CREATE SOURCE CONNECTOR`.
    ///
    /// # Errors
    /// Of kind SQL, for a property that is unknown (with the nearest name), missing or wrong, and for an address
    /// beyond this machine without `'allow.remote'='true'`.
    pub fn from_properties(properties: &BTreeMap<String, String>) -> Result<ListenerConfig> {
        for name in properties.keys() {
            if !PROPERTIES.contains(&name.as_str()) {
                return Err(unknown(name));
            }
        }
        let get = |name: &str| properties.get(name).map(|value| value.trim());
        if let Some(class) = get("connector.class")
            && class != CONNECTOR_CLASS
        {
            return Err(wrong("connector.class", class, "`mqtt-listener`"));
        }
        let need = |name: &str, example: &str| {
            get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
                Error::sql(format!("connector property `{name}` is missing"))
                    .hint(format!("Add '{name}'='{example}' to the WITH clause."))
            })
        };
        let listeners = addresses(need("listeners", "127.0.0.1:1883")?)?;
        let mut rules = Rules {
            topics: topic_rules(need("topic.regex.list", "temperature:.*temperature")?)?,
            ..Default::default()
        };
        if let Some(value) = get("key") {
            rules.key = key_rule(value)?;
        }
        let mut config = ListenerConfig::new(listeners, rules);
        if let Some(value) = get("max.packet.size") {
            config.max_packet_size = number("max.packet.size", value, 128, 268_435_455)? as u32;
        }
        if let Some(value) = get("max.connections") {
            config.max_connections = number("max.connections", value, 1, 1_000_000)? as usize;
        }
        if let Some(value) = get("max.in.flight") {
            config.max_in_flight = number("max.in.flight", value, 1, 65_535)? as u16;
        }
        if let Some(value) = get("delivery.timeout.ms") {
            config.delivery_timeout = Duration::from_millis(number("delivery.timeout.ms", value, 100, 86_400_000)?);
        }
        if let Some(value) = get("allow.remote") {
            config.allow_remote = match value {
                "true" => true,
                "false" => false,
                _ => return Err(wrong("allow.remote", value, "`true` or `false`")),
            };
        }
        config.check()?;
        Ok(config)
    }

    /// Sets where notices go.
    pub fn on_notice(mut self, hook: impl Fn(Notice) + Send + Sync + 'static) -> ListenerConfig {
        self.notices = NoticeHook::new(hook);
        self
    }

    /// Refuses an address beyond this machine that was not asked for.
    pub(super) fn check(&self) -> Result<()> {
        let remote = self.listeners.iter().find(|address| !address.ip().to_canonical().is_loopback());
        match remote {
            Some(address) if !self.allow_remote => {
                Err(Error::sql(format!("MQTT listener {address} is open to other machines"))
                    .detail("devices are not asked who they are, so anyone who reaches it can write")
                    .hint("Listen on 127.0.0.1, or add 'allow.remote'='true' if the network is trusted."))
            }
            _ => Ok(()),
        }
    }
}

fn unknown(name: &str) -> Error {
    let error = Error::sql(format!("unknown connector property `{name}`"));
    let nearest = PROPERTIES
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&name.to_lowercase(), known), known))
        .min()
        .filter(|(distance, known)| *distance <= known.len() / 3 + 1);
    match nearest {
        Some((_, known)) => error.hint(format!("Did you mean '{known}'?")),
        None => error.hint(format!("Known properties: {}.", PROPERTIES.join(", "))),
    }
}

fn wrong(name: &str, value: &str, expected: &str) -> Error {
    Error::sql(format!("connector property `{name}` cannot be `{value}`")).hint(format!("It takes {expected}."))
}

fn number(name: &str, value: &str, least: u64, most: u64) -> Result<u64> {
    let number = value.parse::<u64>().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| wrong(name, value, &format!("a whole number from {least} to {most}")))
}

fn key_rule(value: &str) -> Result<KeyRule> {
    match value {
        "topic" => Ok(KeyRule::Topic),
        "client" => Ok(KeyRule::Client),
        _ => value
            .strip_prefix("level:")
            .and_then(|level| level.trim().parse::<u16>().ok())
            .filter(|level| *level >= 1)
            .map(KeyRule::Level)
            .ok_or_else(|| wrong("key", value, "`topic`, `client`, or `level:N` with N counted from 1")),
    }
}

fn addresses(value: &str) -> Result<Vec<SocketAddr>> {
    let mut found = Vec::new();
    for text in value.split(',').map(str::trim) {
        let bare = text.strip_prefix("tcp://").or_else(|| text.strip_prefix("mqtt://")).unwrap_or(text);
        let resolved = bare.to_socket_addrs().ok().and_then(|mut list| list.next());
        found.push(resolved.ok_or_else(|| wrong("listeners", text, "`HOST:PORT`, several separated by commas"))?);
    }
    Ok(found)
}

/// Splits `topic:regex,topic:regex`. A part that does not begin like a topic belongs to the expression before it, so
/// that an expression may hold commas.
fn topic_rules(value: &str) -> Result<Vec<TopicRule>> {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    for part in value.split(',') {
        match part.split_once(':').filter(|(topic, _)| is_kafka_topic(topic.trim())) {
            Some((topic, pattern)) => pairs.push((topic.trim(), pattern.to_string())),
            None => match pairs.last_mut() {
                Some((_, pattern)) => {
                    pattern.push(',');
                    pattern.push_str(part);
                }
                None => {
                    return Err(wrong(
                        "topic.regex.list",
                        part.trim(),
                        "`KAFKA_TOPIC:REGEX`, several separated by commas",
                    ));
                }
            },
        }
    }
    pairs.into_iter().map(|(topic, pattern)| topic_rule(topic, pattern.trim())).collect()
}

fn topic_rule(topic: &str, pattern: &str) -> Result<TopicRule> {
    if pattern.is_empty() {
        return Err(Error::sql(format!("topic `{topic}` has no regular expression in `topic.regex.list`"))
            .hint("Write '.*' to take every MQTT topic."));
    }
    // The whole MQTT topic has to match, so a rule never catches more than it says.
    match Regex::new(&format!("^(?:{pattern})$")) {
        Ok(pattern) => Ok(TopicRule { topic: Arc::from(topic), pattern }),
        Err(error) => {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or("not a regular expression").trim_start_matches("error: ");
            Err(Error::sql(format!("`{pattern}` in `topic.regex.list` is not a regular expression"))
                .detail(reason.to_string()))
        }
    }
}

fn is_kafka_topic(name: &str) -> bool {
    (1..=249).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<ListenerConfig> {
        let mut properties = BTreeMap::from([
            ("listeners".to_string(), "127.0.0.1:0".to_string()),
            ("topic.regex.list".to_string(), "temperature:.*temperature".to_string()),
        ]);
        for (name, value) in pairs {
            properties.insert(name.to_string(), value.to_string());
        }
        ListenerConfig::from_properties(&properties)
    }

    fn refusal(pairs: &[(&str, &str)]) -> (String, String) {
        let error = read(pairs).expect_err("it is refused");
        (error.to_string(), error.hint_text().unwrap_or_default().to_string())
    }

    #[test]
    fn the_statement_of_the_mqtt_proxy_is_read() {
        let config = read(&[("connector.class", "mqtt-listener")]).expect("it is right");
        assert_eq!(config.listeners, ["127.0.0.1:0".parse().expect("an address")]);
        assert_eq!(&*config.rules.topics[0].topic, "temperature");
        assert!(config.rules.topics[0].pattern.is_match("car/engine/temperature"));
        assert!(!config.rules.topics[0].pattern.is_match("car/engine/temperature/x"));
        assert_eq!(config.rules.key, KeyRule::Topic);
        assert_eq!(config.max_packet_size, 1_000_000);
    }

    #[test]
    fn our_own_properties_are_read() {
        let config = read(&[
            ("key", "level:2"),
            ("max.packet.size", "2048"),
            ("max.connections", "5"),
            ("max.in.flight", "7"),
            ("delivery.timeout.ms", "1500"),
        ])
        .expect("it is right");
        assert_eq!(config.rules.key, KeyRule::Level(2));
        assert_eq!((config.max_packet_size, config.max_connections, config.max_in_flight), (2048, 5, 7));
        assert_eq!(config.delivery_timeout, Duration::from_millis(1500));
    }

    #[test]
    fn an_expression_may_hold_commas_and_several_rules_keep_their_order() {
        let config = read(&[("topic.regex.list", "a:x{1,2}/y, b:.*")]).expect("it is right");
        let rules: Vec<_> =
            config.rules.topics.iter().map(|rule| (rule.topic.to_string(), rule.pattern.to_string())).collect();
        assert_eq!(rules, [("a".into(), "^(?:x{1,2}/y)$".into()), ("b".into(), "^(?:.*)$".to_string())]);
    }

    #[test]
    fn an_unknown_property_is_refused_with_the_nearest_name() {
        let (text, hint) = refusal(&[("max.packetsize", "1")]);
        assert_eq!(text, "unknown connector property `max.packetsize`");
        assert_eq!(hint, "Did you mean 'max.packet.size'?");
        assert!(refusal(&[("producer.linger.ms", "1")]).1.starts_with("Known properties: connector.class, "));
    }

    #[test]
    fn wrong_values_name_the_property_and_what_it_takes() {
        assert_eq!(refusal(&[("key", "level:0")]).0, "connector property `key` cannot be `level:0`");
        assert_eq!(refusal(&[("max.in.flight", "0")]).1, "It takes a whole number from 1 to 65535.");
        assert_eq!(refusal(&[("listeners", "1883")]).0, "connector property `listeners` cannot be `1883`");
        assert_eq!(refusal(&[("connector.class", "mqtt")]).1, "It takes `mqtt-listener`.");
        let (text, _) = refusal(&[("topic.regex.list", "a:(")]);
        assert_eq!(text, "`(` in `topic.regex.list` is not a regular expression: unclosed group");
        assert!(refusal(&[("topic.regex.list", ".*")]).1.contains("KAFKA_TOPIC:REGEX"));
    }

    #[test]
    fn what_is_missing_is_named_with_an_example() {
        let error = ListenerConfig::from_properties(&BTreeMap::new()).expect_err("nothing is given");
        assert_eq!(error.to_string(), "connector property `listeners` is missing");
        assert_eq!(error.hint_text(), Some("Add 'listeners'='127.0.0.1:1883' to the WITH clause."));
    }

    #[test]
    fn a_bind_beyond_loopback_needs_the_flag() {
        assert!(
            refusal(&[("listeners", "0.0.0.0:0")]).0.starts_with("MQTT listener 0.0.0.0:0 is open to other machines")
        );
        assert!(refusal(&[("listeners", "127.0.0.1:0,[::]:0")]).0.contains("[::]:0"));
        assert!(read(&[("listeners", "0.0.0.0:0"), ("allow.remote", "true")]).is_ok());
        assert!(read(&[("listeners", "[::1]:0")]).is_ok());
    }
}
