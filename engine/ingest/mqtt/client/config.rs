//! What the client is told: the properties of `CREATE SOURCE CONNECTOR … WITH ('connector.class'='mqtt', …)`, checked.
//!
//! The names are those of Confluent's MQTT source connector, which a statement written for ksqlDB uses; what that one
//! leaves out is named alike. Stores of certificates are PEM files.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Code, Error, Result};
use crate::ingest::mqtt::config::DEFAULT_MAX_PACKET_SIZE;
use crate::ingest::mqtt::filter::covers;
use crate::ingest::mqtt::mapping;
use crate::ingest::mqtt::notice::{Notice, NoticeHook};
use crate::ingest::mqtt::packets::Login;
use crate::ingest::mqtt::rules::{Pattern, Rules, TopicRule};
use crate::ingest::mqtt::tls::{ClientTls, Identity, NamedFile};
use crate::ingest::properties::Properties;

/// The value of `connector.class` that names this client.
pub const CONNECTOR_CLASS: &str = "mqtt";
/// The class of Confluent's connector, whose statements run here.
pub const CONFLUENT_CLASS: &str = "io.confluent.connect.mqtt.MqttSourceConnector";

const URI: &str = "mqtt.server.uri";
const TOPICS: &str = "mqtt.topics";
const KAFKA_TOPIC: &str = "kafka.topic";
const USER: &str = "mqtt.username";
const PASSWORD: &str = "mqtt.password";
const VERSION: &str = "mqtt.version";
const CA: [&str; 2] = ["mqtt.ssl.ca.location", "mqtt.ssl.trust.store.path"];
const CERTIFICATE: [&str; 2] = ["mqtt.ssl.certificate.location", "mqtt.ssl.key.store.path"];
const KEY: &str = "mqtt.ssl.key.location";
const SERVER_NAME: &str = "mqtt.ssl.server.name";

/// The properties of the connector, without its class.
pub(super) const PROPERTIES: [&str; 26] = [
    URI,
    TOPICS,
    KAFKA_TOPIC,
    "mqtt.qos",
    USER,
    PASSWORD,
    "mqtt.client.id",
    "mqtt.clean.session.enabled",
    "mqtt.connect.timeout.seconds",
    "mqtt.keepalive.interval.seconds",
    "mqtt.session.expiry.seconds",
    "mqtt.reconnect.backoff.max.ms",
    VERSION,
    "mqtt.max.in.flight",
    "mqtt.max.packet.size",
    CA[0],
    CA[1],
    CERTIFICATE[0],
    CERTIFICATE[1],
    KEY,
    SERVER_NAME,
    mapping::TOPIC_FILTERS,
    mapping::KEY,
    mapping::HEADERS,
    "key.converter",
    "value.converter",
];

/// What Confluent's connector opens its stores with.
const PASSWORDS: [&str; 3] = ["mqtt.ssl.trust.store.password", "mqtt.ssl.key.store.password", "mqtt.ssl.key.password"];

/// An address of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether the connection is inside TLS.
    pub tls: bool,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Which version of MQTT to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// 5, and 3.1.1 with a broker that does not know 5.
    #[default]
    Either,
    /// 3.1.1 only.
    V311,
    /// 5 only.
    V5,
}

/// The settings of a client.
#[derive(Clone)]
pub struct ClientConfig {
    /// Tried in order until one accepts.
    pub servers: Vec<Server>,
    /// What is subscribed to.
    pub filters: Vec<String>,
    /// The quality of service asked for, 0 to 2.
    pub qos: u8,
    /// Where messages go, their keys and headers.
    pub rules: Rules,
    /// Under which id the broker keeps the session. Empty when the properties give none: then it is made of the service's
    /// and the connector's names, which are the same after a restart.
    pub client_id: Arc<str>,
    pub(in crate::ingest::mqtt) login: Option<Login>,
    /// Whether the session ends with each connection.
    pub clean: bool,
    /// Which version of MQTT.
    pub version: Version,
    /// How long a broker may take to accept a connection and the subscriptions.
    pub connect_timeout: Duration,
    /// How long the connection may be silent before it is tried.
    pub keep_alive: Duration,
    /// Seconds that an MQTT 5 broker is asked to keep the session; `u32::MAX` without end.
    pub session_expiry: u32,
    /// Most messages taken and not acknowledged. An MQTT 5 broker is told (receive maximum).
    pub max_in_flight: u16,
    /// The largest packet in bytes that becomes a record; larger ones are dropped and counted.
    pub max_packet_size: u32,
    /// The longest pause between two attempts to connect; the first is a tenth of a second.
    pub backoff_max: Duration,
    /// TLS, for the servers that use it.
    pub tls: ClientTls,
    /// Where notices go.
    pub notices: NoticeHook,
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("servers", &self.servers)
            .field("filters", &self.filters)
            .field("client_id", &self.client_id)
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}

impl ClientConfig {
    /// The defaults: QoS 1, a session that is kept.
    pub fn new(servers: Vec<Server>, filters: Vec<String>, rules: Rules, client_id: &str) -> ClientConfig {
        ClientConfig {
            servers,
            filters,
            qos: 1,
            rules,
            client_id: Arc::from(client_id),
            login: None,
            clean: false,
            version: Version::Either,
            connect_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(60),
            session_expiry: u32::MAX,
            max_in_flight: 1_000,
            max_packet_size: DEFAULT_MAX_PACKET_SIZE,
            backoff_max: Duration::from_secs(30),
            tls: ClientTls::default(),
            notices: NoticeHook::default(),
        }
    }

    /// Reads the properties of `CREATE SOURCE CONNECTOR`. Files that they name are read when the client starts.
    ///
    /// # Errors
    /// Of kind SQL, for a property that is unknown (with the nearest name), missing or wrong.
    pub fn from_properties(properties: &Properties) -> Result<ClientConfig> {
        of_others(properties)?;
        properties.only(&PROPERTIES)?;
        let servers = servers(properties)?;
        let (filters, rules) = subscriptions(properties)?;
        let id = properties.get("mqtt.client.id").unwrap_or_default();
        let mut config = ClientConfig::new(servers, filters, rules, id);
        config.login = login(properties)?;
        config.tls = tls(properties)?;
        config.qos = properties.number("mqtt.qos", config.qos.into(), 0, 2)? as u8;
        config.clean = properties.boolean("mqtt.clean.session.enabled", config.clean)?;
        config.version = match properties.get(VERSION) {
            None => Version::Either,
            Some("3.1.1" | "4") => Version::V311,
            Some("5" | "5.0") => Version::V5,
            Some(_) => return Err(properties.wrong(VERSION, "3.1.1 or 5; without it 5 is tried first")),
        };
        let seconds = |name: &str, otherwise: Duration, most: u64| {
            properties.number(name, otherwise.as_secs(), 1, most).map(Duration::from_secs)
        };
        config.connect_timeout = seconds("mqtt.connect.timeout.seconds", config.connect_timeout, 3_600)?;
        config.keep_alive = seconds("mqtt.keepalive.interval.seconds", config.keep_alive, 65_535)?;
        let forever = u64::from(u32::MAX);
        config.session_expiry = properties.number("mqtt.session.expiry.seconds", forever, 1, forever)? as u32;
        config.backoff_max = properties.millis("mqtt.reconnect.backoff.max.ms", 30_000, 100, 3_600_000)?;
        config.max_in_flight = properties.number("mqtt.max.in.flight", config.max_in_flight.into(), 1, 65_535)? as u16;
        let largest = u64::from(config.max_packet_size);
        config.max_packet_size = properties.number("mqtt.max.packet.size", largest, 128, 268_435_455)? as u32;
        Ok(config)
    }

    /// Sets where notices go.
    pub fn on_notice(mut self, hook: impl Fn(Notice) + Send + Sync + 'static) -> ClientConfig {
        self.notices = NoticeHook::new(hook);
        self
    }
}

/// Why a name that Confluent's connector or Kafka Connect knows is not one of ours.
fn elsewhere(name: &str) -> Option<&'static str> {
    match name {
        _ if name.starts_with("confluent.") => Some("It belongs to Confluent's licence; leave it out."),
        _ if name.starts_with("records.buffer.") => {
            Some("'mqtt.max.in.flight' bounds the messages under way; leave it out.")
        }
        _ if name.starts_with("transforms") || name.starts_with("predicates") => {
            Some("Messages are changed by a query: CREATE STREAM … AS SELECT …; leave it out.")
        }
        _ if name.starts_with("errors.") => {
            Some("A message that can never be a record is dropped, counted and told of; leave it out.")
        }
        "topic.regex.list" => Some("A broker takes topic filters: 'topic.filter.list'='temperature:plant/+/temp'."),
        _ => None,
    }
}

/// Refuses what Confluent's connector and Kafka Connect take and there is no need for here, with the reason; accepts what
/// they want said and is so here anyway.
fn of_others(properties: &Properties) -> Result<()> {
    for name in properties.texts().keys() {
        if let Some(hint) = elsewhere(name) {
            let error = Error::refused(Code::UnknownProperty, format!("connector property '{name}' is not supported"))
                .hint(hint);
            return Err(properties.at_name(name, error));
        }
    }
    if properties.get("tasks.max").is_some_and(|tasks| tasks != "1") {
        return Err(properties.wrong("tasks.max", "1: a connector has one connection"));
    }
    let string = "org.apache.kafka.connect.storage.StringConverter";
    let bytes = "org.apache.kafka.connect.converters.ByteArrayConverter";
    for (name, right, other) in [("key.converter", string, bytes), ("value.converter", bytes, string)] {
        if properties.get(name).is_some_and(|value| value != right && value != other) {
            return Err(properties.wrong(name, &format!("{right}: keys are text and messages are kept as they came")));
        }
    }
    for name in PASSWORDS {
        if properties.has(name) {
            let error = Error::refused(Code::UnknownProperty, format!("connector property '{name}' is not supported"))
                .detail("certificates and keys are read from PEM files, which have no password")
                .hint(
                    "Convert a Java store: keytool -importkeystore -srckeystore STORE -destkeystore store.p12 \
                     -deststoretype pkcs12; then openssl pkcs12 -in store.p12 -nodes -out store.pem.",
                );
            return Err(properties.at_name(name, error));
        }
    }
    Ok(())
}

/// What to subscribe to, and the rules for what comes.
fn subscriptions(properties: &Properties) -> Result<(Vec<String>, Rules)> {
    let mut rules = mapping::templates(properties)?;
    for (name, template) in [(mapping::KEY, &rules.key)]
        .into_iter()
        .chain(rules.headers.iter().map(|(_, template)| (mapping::HEADERS, template)))
    {
        if template.names_client() {
            let error = Error::refused(Code::InvalidPropertyValue, format!("'{name}' names the client"))
                .detail("a broker does not say which client published a message")
                .hint("Use topic or level:N.");
            return Err(properties.at_value(name, error));
        }
    }
    if let Some(list) = properties.get(mapping::TOPIC_FILTERS) {
        if let Some(name) = [TOPICS, KAFKA_TOPIC].into_iter().find(|name| properties.has(name)) {
            let error = Error::refused(
                Code::ConflictingProperties,
                format!("'{}' and '{name}' are both given", mapping::TOPIC_FILTERS),
            )
            .hint("The list names the MQTT topics and the Kafka topics; leave the other out.");
            return Err(properties.at_name(name, error));
        }
        rules.topics = mapping::filters(properties, list)?;
        let filters = rules.topics.iter().filter_map(|rule| match &rule.pattern {
            Pattern::Filter(filter) => Some(filter.to_string()),
            Pattern::Regex(_) | Pattern::Any => None,
        });
        return Ok((without_covered(filters.collect()), rules));
    }
    let topics = properties.need(TOPICS, "plant/+/temp")?;
    let mut filters = Vec::new();
    for text in topics.split(',').map(str::trim) {
        // A shared subscription names its group before the filter (MQTT 5, 4.8.2).
        let shared = text.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
        mapping::filter(properties, TOPICS, shared.map_or(text, |(_, filter)| filter))?;
        filters.push(text.to_string());
    }
    properties.need(KAFKA_TOPIC, "temperature")?;
    let topic = properties.topic(KAFKA_TOPIC)?.unwrap_or_default();
    rules.topics = vec![TopicRule { topic: Arc::from(topic), pattern: Pattern::Any }];
    Ok((without_covered(filters), rules))
}

/// Filters without those that another one covers: a broker may send a message once for each subscription that takes it
/// (MQTT 5, 3.3.4), and what is asked for twice would come twice. The rules still tell the messages apart.
fn without_covered(filters: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for filter in filters {
        if !kept.iter().any(|other| covers(other, &filter)) {
            kept.retain(|other| !covers(&filter, other));
            kept.push(filter);
        }
    }
    kept
}

fn login(properties: &Properties) -> Result<Option<Login>> {
    match (properties.get(USER), properties.verbatim(PASSWORD)) {
        (None, None) => Ok(None),
        // MQTT 3.1.1 has no password without a name.
        (None, Some(_)) => Err(properties.missing(USER, "alcedo")),
        (Some(user), password) => {
            let password = password.unwrap_or_default().as_bytes().to_vec();
            Ok(Some(Login { user: user.to_string(), password }))
        }
    }
}

fn tls(properties: &Properties) -> Result<ClientTls> {
    let file = |names: &[&'static str]| -> Result<Option<NamedFile>> {
        let path = properties.either(names)?;
        let name = names.iter().find(|name| properties.get(name).is_some());
        Ok(name.zip(path).map(|(name, path)| NamedFile::new(name, path)))
    };
    let identity = match (file(&CERTIFICATE)?, file(&[KEY])?) {
        (None, None) => None,
        (None, Some(_)) => return Err(properties.missing(CERTIFICATE[0], "client.pem")),
        // A store holds both.
        (Some(certificate), key) => Some(Identity { key: key.unwrap_or_else(|| certificate.clone()), certificate }),
    };
    let server_name = properties.get(SERVER_NAME).map(str::to_string);
    Ok(ClientTls { authorities: file(&CA)?, identity, server_name })
}

fn servers(properties: &Properties) -> Result<Vec<Server>> {
    let list = properties.need(URI, "tcp://localhost:1883")?;
    let read: Option<Vec<Server>> = list.split(',').map(|text| server(text.trim())).collect();
    read.ok_or_else(|| properties.wrong(URI, "tcp://HOST:PORT or ssl://HOST:PORT, several separated by commas"))
}

fn server(text: &str) -> Option<Server> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("tcp", text));
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "tcp" | "mqtt" => false,
        "ssl" | "tls" | "mqtts" => true,
        _ => return None,
    };
    let rest = rest.trim_end_matches('/');
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        None if tls => 8883,
        None => 1883,
        Some(port) => port.parse().ok()?,
    };
    let right = !host.is_empty() && !host.contains(['/', '@']);
    right.then(|| Server { host: host.to_string(), port, tls })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<ClientConfig> {
        let given = [(URI, "tcp://broker:1883"), (TOPICS, "plant/+/temp"), (KAFKA_TOPIC, "temperature")];
        // A value `-` takes a default of the test away.
        let removed = |name: &str| pairs.iter().any(|(other, value)| *other == name && *value == "-");
        let all = given.iter().chain(pairs).filter(|(name, _)| !removed(name)).copied();
        ClientConfig::from_properties(&Properties::of(&all.collect::<Vec<_>>()))
    }

    fn refusal(pairs: &[(&str, &str)]) -> (String, String) {
        let error = read(pairs).expect_err("it is refused");
        (error.to_string(), error.hint_text().unwrap_or_default().to_string())
    }

    #[test]
    fn a_statement_written_for_confluents_connector_is_read() {
        let config = read(&[
            ("mqtt.topics", "plant/+/temp, $share/alcedo/line/#"),
            ("mqtt.qos", "2"),
            ("connector.class", CONFLUENT_CLASS),
            ("mqtt.username", "u"),
            ("mqtt.password", " p "),
            ("mqtt.clean.session.enabled", "true"),
            ("mqtt.connect.timeout.seconds", "7"),
            ("mqtt.keepalive.interval.seconds", "9"),
            ("mqtt.ssl.trust.store.path", "ca.pem"),
            ("mqtt.ssl.key.store.path", "me.pem"),
            ("tasks.max", "1"),
            ("value.converter", "org.apache.kafka.connect.converters.ByteArrayConverter"),
        ])
        .expect("it is right");
        assert_eq!(config.servers, [Server { host: "broker".into(), port: 1883, tls: false }]);
        assert_eq!(config.filters, ["plant/+/temp", "$share/alcedo/line/#"]);
        assert_eq!((config.qos, config.clean, &*config.client_id), (2, true, ""));
        assert_eq!((config.connect_timeout.as_secs(), config.keep_alive.as_secs()), (7, 9));
        assert_eq!(&*config.rules.topics[0].topic, "temperature");
        assert_eq!(config.login.as_ref().map(|login| &login.password[..]), Some(&b" p "[..]));
        let identity = config.tls.identity.expect("there is one");
        assert_eq!(identity.key, identity.certificate, "a store holds both");
    }

    #[test]
    fn the_defaults_keep_the_session_and_acknowledge() {
        let config = read(&[]).expect("it is right");
        assert_eq!((config.qos, config.clean, config.session_expiry), (1, false, u32::MAX));
        assert_eq!((config.version, config.max_in_flight), (Version::Either, 1_000));
        assert!(config.login.is_none());
    }

    #[test]
    fn addresses_take_schemes_ports_and_brackets() {
        let servers = |text: &str| {
            let config = read(&[(URI, text)]).expect("it is right");
            config.servers.iter().map(|server| (server.to_string(), server.tls)).collect::<Vec<_>>()
        };
        assert_eq!(servers("broker"), [("broker:1883".to_string(), false)]);
        assert_eq!(
            servers("ssl://a, mqtts://[::1]:99, mqtt://10.0.0.1/"),
            [("a:8883".to_string(), true), ("[::1]:99".to_string(), true), ("10.0.0.1:1883".to_string(), false)]
        );
        for wrong in ["ws://a", "tcp://", "tcp://a:b", "tcp://user@a", "tcp://a:99999"] {
            assert_eq!(refusal(&[(URI, wrong)]).0, format!("connector property 'mqtt.server.uri' cannot be '{wrong}'"));
        }
    }

    #[test]
    fn a_list_of_filters_routes_to_several_topics() {
        let config = read(&[
            (TOPICS, "-"),
            (KAFKA_TOPIC, "-"),
            ("topic.filter.list", "temp:plant/+/temp, rest:plant/#, other:plants/+"),
            ("key", "level:2"),
            ("headers", "line=level:3"),
        ])
        .expect("it is right");
        assert_eq!(config.filters, ["plant/#", "plants/+"], "what is covered is not asked for twice");
        assert_eq!(
            config.rules.kafka_topics().iter().map(|topic| &**topic).collect::<Vec<_>>(),
            ["temp", "rest", "other"]
        );
        let (text, _) = refusal(&[("topic.filter.list", "temp:#")]);
        assert_eq!(text, "'topic.filter.list' and 'mqtt.topics' are both given");
    }

    #[test]
    fn what_is_wrong_is_named_with_what_to_do() {
        for (pairs, text, hint) in [
            (&[("mqtt.topic", "x")][..], "unknown connector property 'mqtt.topic'", "Did you mean 'mqtt.topics'?"),
            (&[(URI, "-")], "connector property 'mqtt.server.uri' is missing", "Add 'mqtt.server.uri'='tcp://"),
            (&[(KAFKA_TOPIC, "-")], "connector property 'kafka.topic' is missing", "Add 'kafka.topic'='temp"),
            (&[(KAFKA_TOPIC, "a b")], "connector property 'kafka.topic' cannot be 'a b'", "It takes a topic's name"),
            (&[(TOPICS, "a/#/b")], "'a/#/b' in 'mqtt.topics' is not an MQTT topic filter", "'+' stands"),
            (
                &[("mqtt.qos", "3")],
                "connector property 'mqtt.qos' cannot be '3'",
                "It takes a whole number from 0 to 2.",
            ),
            (&[("key", "client")], "'key' names the client", "Use topic or level:N."),
            (&[("tasks.max", "4")], "connector property 'tasks.max' cannot be '4'", "It takes 1: "),
            (&[("confluent.license", "x")], "connector property 'confluent.license' is not supported", "It belongs to"),
            (
                &[("mqtt.ssl.key.password", "hunter2")],
                "connector property 'mqtt.ssl.key.password' is not supported",
                "Convert a Java store: keytool",
            ),
            (&[(PASSWORD, "hunter2")], "connector property 'mqtt.username' is missing", "Add 'mqtt.username'"),
            (&[(VERSION, "3.1")], "connector property 'mqtt.version' cannot be '3.1'", "It takes 3.1.1 or 5"),
        ] {
            let found = refusal(pairs);
            assert!(found.0.starts_with(text), "{found:?}");
            assert!(found.1.starts_with(hint), "{found:?}");
            assert!(!format!("{found:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let config = read(&[(USER, "u"), (PASSWORD, "hunter2")]).expect("it is right");
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
