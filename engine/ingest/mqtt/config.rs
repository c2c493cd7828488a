//! What a listener is told: the properties of `CREATE SOURCE CONNECTOR … WITH (…)`, checked.
//!
//! `listeners` and `topic.regex.list` are the names that Confluent's MQTT Proxy uses, with the same meaning; files and
//! authorities of TLS are named as librdkafka names its own. A property that is not known is refused, because one that is
//! silently ignored would be missed only in production.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use super::mapping;
use super::notice::{Notice, NoticeHook};
use super::rules::Rules;
use super::tls::{ClientAuth, Identity, NamedFile, ServerTls};
use super::users::UserSource;
use crate::error::{Code, Error, Result};
use crate::ingest::properties::Properties;

/// The value of `connector.class` that names this listener.
pub const CONNECTOR_CLASS: &str = "mqtt-listener";

/// The largest packet a connector takes when it is not told: a megabyte, which leaves room for key and headers below the
/// limit of 1,048,588 bytes that a Kafka topic has by default.
pub const DEFAULT_MAX_PACKET_SIZE: u32 = 1_000_000;

const CERTIFICATE: &str = "ssl.certificate.location";
const KEY: &str = "ssl.key.location";
const AUTHORITIES: &str = "ssl.ca.location";
const CLIENT_AUTH: &str = "ssl.client.auth";
const USERS: &str = "authentication.file";

/// The properties of the connector, without its class.
pub const PROPERTIES: [&str; 19] = [
    "listeners",
    mapping::TOPIC_FILTERS,
    mapping::TOPIC_EXPRESSIONS,
    mapping::KEY,
    mapping::HEADERS,
    "username",
    "password",
    USERS,
    "allow.anonymous",
    CERTIFICATE,
    KEY,
    AUTHORITIES,
    CLIENT_AUTH,
    "max.packet.size",
    "max.connections",
    "max.connection.rate",
    "max.in.flight",
    "delivery.timeout.ms",
    "connect.timeout.ms",
];

/// The settings of a listener.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// Where to listen; port 0 takes a free one.
    pub listeners: Vec<SocketAddr>,
    /// Topics, keys and headers.
    pub rules: Rules,
    /// Who may connect; anyone when not given.
    pub users: Option<UserSource>,
    /// Whether a device may connect without a name, though there are users, or though other machines reach the listener.
    pub allow_anonymous: bool,
    /// TLS; without it connections are plain.
    pub tls: Option<ServerTls>,
    /// The largest packet in bytes, headers included. MQTT 5 devices are told.
    pub max_packet_size: u32,
    /// Most connections at a time.
    pub max_connections: usize,
    /// Most sockets that are accepted in a second; more wait.
    pub max_connection_rate: u32,
    /// Most messages of one connection that wait for their delivery. MQTT 5 devices are told (receive maximum).
    pub max_in_flight: u16,
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
            users: None,
            allow_anonymous: false,
            tls: None,
            max_packet_size: DEFAULT_MAX_PACKET_SIZE,
            max_connections: 10_000,
            max_connection_rate: 1_000,
            max_in_flight: 1_000,
            delivery_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            notices: NoticeHook::default(),
        }
    }

    /// Reads the properties of `CREATE SOURCE CONNECTOR`. Files that they name are read when the listener starts.
    ///
    /// # Errors
    /// Of kind SQL, for a property that is unknown (with the nearest name), missing or wrong, and for an address
    /// beyond this machine that anyone could use.
    pub fn from_properties(properties: &Properties) -> Result<ListenerConfig> {
        properties.only(&PROPERTIES)?;
        let listeners = addresses(properties)?;
        let mut config = ListenerConfig::new(listeners, mapping::listener_rules(properties)?);
        config.users = users(properties)?;
        config.tls = tls(properties)?;
        config.allow_anonymous = properties.boolean("allow.anonymous", false)?;
        let number = |name: &str, otherwise: u64, most: u64| properties.number(name, otherwise, 1, most);
        let largest = u64::from(config.max_packet_size);
        config.max_packet_size = properties.number("max.packet.size", largest, 128, 268_435_455)? as u32;
        config.max_connections = number("max.connections", config.max_connections as u64, 1_000_000)? as usize;
        config.max_connection_rate =
            number("max.connection.rate", config.max_connection_rate.into(), 1_000_000)? as u32;
        config.max_in_flight = number("max.in.flight", config.max_in_flight.into(), 65_535)? as u16;
        let millis = |name: &str, otherwise: Duration, most: u64| {
            properties.millis(name, otherwise.as_millis() as u64, 100, most)
        };
        config.delivery_timeout = millis("delivery.timeout.ms", config.delivery_timeout, 86_400_000)?;
        config.connect_timeout = millis("connect.timeout.ms", config.connect_timeout, 600_000)?;
        config.check().map_err(|error| properties.at_value("listeners", error))?;
        Ok(config)
    }

    /// Sets where notices go.
    pub fn on_notice(mut self, hook: impl Fn(Notice) + Send + Sync + 'static) -> ListenerConfig {
        self.notices = NoticeHook::new(hook);
        self
    }

    /// Refuses an address beyond this machine where nobody is asked who he is, and that was not asked for.
    pub(super) fn check(&self) -> Result<()> {
        let certificates = self.tls.as_ref().and_then(|tls| tls.clients.as_ref());
        let asked = self.users.is_some() || certificates.is_some_and(|(_, auth)| *auth == ClientAuth::Required);
        if asked || self.allow_anonymous {
            return Ok(());
        }
        match self.remote() {
            Some(address) => Err(Error::refused(
                Code::InvalidPropertyValue,
                format!("MQTT listener {address} is open to other machines"),
            )
            .detail("devices are not asked who they are, so anyone who reaches it can write")
            .hint(
                "Add 'username' and 'password', or an 'authentication.file'; listen on 127.0.0.1; \
                     or add 'allow.anonymous'='true' if the network is trusted.",
            )),
            None => Ok(()),
        }
    }

    /// An address that other machines reach, if there is one.
    pub(super) fn remote(&self) -> Option<SocketAddr> {
        self.listeners.iter().find(|address| !address.ip().to_canonical().is_loopback()).copied()
    }
}

fn users(properties: &Properties) -> Result<Option<UserSource>> {
    let (user, password) = (properties.get("username"), properties.verbatim("password"));
    let pair = match (user, password) {
        (None, None) => None,
        (Some(_), None) => return Err(properties.missing("password", "…")),
        (None, Some(_)) => return Err(properties.missing("username", "device")),
        (Some(user), Some(password)) => {
            Some(UserSource::Pair { user: user.to_string(), password: password.to_string() })
        }
    };
    let file = properties.get(USERS).map(|path| UserSource::File(NamedFile::new(USERS, path)));
    if pair.is_some() && file.is_some() {
        let error = Error::refused(Code::ConflictingProperties, format!("'username' and '{USERS}' are both given"))
            .hint("Write the user into the file, or leave the file out.");
        return Err(properties.at_name(USERS, error));
    }
    Ok(pair.or(file))
}

fn tls(properties: &Properties) -> Result<Option<ServerTls>> {
    let file = |name: &'static str| properties.get(name).map(|path| NamedFile::new(name, path));
    let authorities = file(AUTHORITIES);
    // Who names authorities wants devices checked by them; the word only says how strictly.
    let strictly = if authorities.is_some() { "required" } else { "none" };
    let auth = match properties.one_of(CLIENT_AUTH, &["none", "requested", "required"], strictly)? {
        "requested" => ClientAuth::Requested,
        "required" => ClientAuth::Required,
        _ => ClientAuth::None,
    };
    let identity = match (file(CERTIFICATE), file(KEY)) {
        (Some(certificate), Some(key)) => Identity { certificate, key },
        (Some(_), None) => return Err(properties.missing(KEY, "server.key")),
        (None, None) if authorities.is_none() && auth == ClientAuth::None => return Ok(None),
        (None, _) => return Err(properties.missing(CERTIFICATE, "server.pem")),
    };
    if auth != ClientAuth::None && authorities.is_none() {
        return Err(properties.missing(AUTHORITIES, "devices-ca.pem"));
    }
    Ok(Some(ServerTls { identity, clients: authorities.map(|authorities| (authorities, auth)) }))
}

fn addresses(properties: &Properties) -> Result<Vec<SocketAddr>> {
    let mut found = Vec::new();
    for text in properties.need("listeners", "127.0.0.1:1883")?.split(',').map(str::trim) {
        let schemes = ["tcp://", "mqtt://", "ssl://", "mqtts://"];
        let bare = schemes.iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
        let resolved = bare.to_socket_addrs().ok().and_then(|mut list| list.next());
        found.push(resolved.ok_or_else(|| properties.wrong("listeners", "HOST:PORT, several separated by commas"))?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::mqtt::rules::Pattern;
    use crate::ingest::mqtt::template::Template;

    fn read(pairs: &[(&str, &str)]) -> Result<ListenerConfig> {
        let given = [("listeners", "127.0.0.1:0"), ("topic.regex.list", "temperature:.*temperature")];
        ListenerConfig::from_properties(&Properties::of(&[&given, pairs].concat()))
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
        assert!(config.rules.topics[0].pattern.takes("car/engine/temperature"));
        assert!(!config.rules.topics[0].pattern.takes("car/engine/temperature/x"));
        assert_eq!(config.rules.key, Template::default());
        assert_eq!(config.max_packet_size, 1_000_000);
    }

    #[test]
    fn our_own_properties_are_read() {
        let config = read(&[
            ("key", "level:2"),
            ("max.packet.size", "2048"),
            ("headers", "plant=level:1, device={level:2}/{client}"),
            ("max.connections", "5"),
            ("max.connection.rate", "50"),
            ("max.in.flight", "7"),
            ("delivery.timeout.ms", "1500"),
        ])
        .expect("it is right");
        assert_eq!(config.rules.key, Template::parse("level:2").expect("it is right"));
        let headers: Vec<_> = config.rules.headers.iter().map(|(name, _)| &**name).collect();
        assert_eq!(headers, ["plant", "device"]);
        assert_eq!(config.max_connection_rate, 50);
        assert_eq!((config.max_packet_size, config.max_connections, config.max_in_flight), (2048, 5, 7));
        assert_eq!(config.delivery_timeout, Duration::from_millis(1500));
    }

    fn rules(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let text = |pattern: &Pattern| match pattern {
            Pattern::Regex(pattern) => pattern.to_string(),
            Pattern::Filter(filter) => filter.to_string(),
            Pattern::Any => "any".to_string(),
        };
        let config = read(pairs).expect("it is right");
        config.rules.topics.iter().map(|rule| (rule.topic.to_string(), text(&rule.pattern))).collect()
    }

    #[test]
    fn an_expression_may_hold_commas_and_several_rules_keep_their_order() {
        let found = rules(&[("topic.regex.list", "a:x{1,2}/y, b:.*")]);
        assert_eq!(found, [("a".into(), "^(?:x{1,2}/y)$".into()), ("b".into(), "^(?:.*)$".to_string())]);
    }

    #[test]
    fn filters_are_tried_before_expressions() {
        let found = rules(&[("topic.filter.list", "temp:plant/+/temp, rest:#")]);
        assert_eq!(
            found,
            [
                ("temp".into(), "plant/+/temp".into()),
                ("rest".into(), "#".into()),
                ("temperature".into(), "^(?:.*temperature)$".to_string())
            ]
        );
        let (text, hint) = refusal(&[("topic.filter.list", "a:x/#/y")]);
        assert_eq!(text, "'x/#/y' in 'topic.filter.list' is not an MQTT topic filter: '#' stands only at the end");
        assert!(hint.starts_with("'+' stands for one level"), "{hint}");
    }

    #[test]
    fn an_unknown_property_is_refused_with_the_nearest_name() {
        let (text, hint) = refusal(&[("max.packetsize", "1")]);
        assert_eq!(text, "unknown connector property 'max.packetsize'");
        assert_eq!(hint, "Did you mean 'max.packet.size'?");
        assert!(refusal(&[("producer.linger.ms", "1")]).1.starts_with("Known properties: listeners, "));
    }

    #[test]
    fn wrong_values_name_the_property_and_what_it_takes() {
        let (text, hint) = refusal(&[("key", "level:0")]);
        assert_eq!(text, "connector property 'key' cannot be 'level:0': a level is a number counted from 1");
        assert!(hint.starts_with("It takes topic, client, level:N"), "{hint}");
        assert_eq!(refusal(&[("headers", "plant")]).0, "connector property 'headers' cannot be 'plant'");
        assert_eq!(refusal(&[("headers", "mqtt.qos=topic")]).1, "Choose another name.");
        assert_eq!(refusal(&[("max.in.flight", "0")]).1, "It takes a whole number from 1 to 65535.");
        assert_eq!(refusal(&[("listeners", "1883")]).0, "connector property 'listeners' cannot be '1883'");
        let (text, _) = refusal(&[("topic.regex.list", "a:(")]);
        assert_eq!(text, "'(' in 'topic.regex.list' is not a regular expression: unclosed group");
        assert!(refusal(&[("topic.regex.list", ".*")]).1.contains("KAFKA_TOPIC:REGEX"));
    }

    #[test]
    fn what_is_missing_is_named_with_an_example() {
        let error = ListenerConfig::from_properties(&Properties::default()).expect_err("nothing is given");
        assert_eq!(error.to_string(), "connector property 'listeners' is missing");
        assert_eq!(error.hint_text(), Some("Add 'listeners'='127.0.0.1:1883' to the WITH clause."));
    }

    #[test]
    fn a_bind_beyond_loopback_needs_authentication_or_the_flag() {
        let (text, hint) = refusal(&[("listeners", "0.0.0.0:0")]);
        assert!(text.starts_with("MQTT listener 0.0.0.0:0 is open to other machines"), "{text}");
        assert!(hint.contains("'allow.anonymous'='true'") && hint.contains("'authentication.file'"), "{hint}");
        assert!(refusal(&[("listeners", "127.0.0.1:0,[::]:0")]).0.contains("[::]:0"));
        let open = ("listeners", "0.0.0.0:0");
        let (certificate, key) = (("ssl.certificate.location", "c"), ("ssl.key.location", "k"));
        for allowed in [
            &[("allow.anonymous", "true")][..],
            &[("username", "u"), ("password", "p")],
            &[("authentication.file", "users")],
            &[certificate, key, ("ssl.ca.location", "ca")],
        ] {
            assert!(read(&[&[open], allowed].concat()).is_ok(), "{allowed:?}");
        }
        for refused in [
            &[certificate, key][..],
            &[certificate, key, ("ssl.ca.location", "ca"), ("ssl.client.auth", "requested")],
            &[("allow.anonymous", "false")],
        ] {
            assert!(refusal(&[&[open], refused].concat()).0.contains("is open to other machines"), "{refused:?}");
        }
        assert!(read(&[("listeners", "[::1]:0")]).is_ok());
    }

    #[test]
    fn halves_of_authentication_and_tls_are_refused() {
        assert_eq!(refusal(&[("username", "u")]).0, "connector property 'password' is missing");
        assert_eq!(refusal(&[("password", "p")]).0, "connector property 'username' is missing");
        assert_eq!(refusal(&[("ssl.key.location", "k")]).0, "connector property 'ssl.certificate.location' is missing");
        assert_eq!(refusal(&[("ssl.client.auth", "required")]).1.split('\'').nth(1), Some("ssl.certificate.location"));
        let both = [("username", "u"), ("password", "p"), ("authentication.file", "f")];
        assert_eq!(refusal(&both).0, "'username' and 'authentication.file' are both given");
    }

    #[test]
    fn a_password_is_not_shown() {
        let config = read(&[("username", "u"), ("password", "hunter2")]).expect("it is right");
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
