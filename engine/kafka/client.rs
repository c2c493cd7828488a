//! How to reach a cluster: address, the user's librdkafka properties, and our defaults.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::health::Health;
use super::native::{Client, Conf, Role};
use crate::error::{Error, Result};

/// Address and properties of a cluster. Clients made from clones of one value share its [`Health`].
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Comma-separated `host:port` addresses of brokers to ask first.
    pub bootstrap: String,
    /// librdkafka properties from a configuration file; see [`check`](Self::check) for those that are refused.
    pub properties: BTreeMap<String, String>,
    /// Name of this process in the broker's logs and quotas.
    pub client_id: String,
    /// Connection state, shared by all clients of this configuration.
    pub health: Arc<Health>,
}

/// Defaults of every client; a property of the configuration file wins over them.
const COMMON: &[(&str, &str)] = &[
    // A broker that comes back is found within two seconds; the default backs off to ten.
    ("reconnect.backoff.ms", "50"),
    ("reconnect.backoff.max.ms", "2000"),
    ("retry.backoff.ms", "50"),
    // Small requests (commits, heartbeats) must not wait for the acknowledgement of the last one.
    ("socket.nagle.disable", "true"),
    ("socket.keepalive.enable", "true"),
    // New partitions and moved leaders are seen within a minute.
    ("topic.metadata.refresh.interval.ms", "60000"),
    ("log.connection.close", "false"),
    // KIP-714 client metrics: nobody asked for them, and each client would push its own.
    ("enable.metrics.push", "false"),
    // Topics are created by statements; a typing mistake must not create one.
    ("allow.auto.create.topics", "false"),
];

/// Defaults of readers.
const CONSUMER: &[(&str, &str)] = &[
    // The default of one second leaves the queue dry while the fetcher sleeps, at a fraction of the speed.
    ("fetch.queue.backoff.ms", "2"),
    // An idle broker holds a fetch this long; a seek waits for the fetch under way.
    ("fetch.wait.max.ms", "100"),
    ("fetch.error.backoff.ms", "100"),
    // One bound for the bytes fetched ahead, whatever the number of partitions.
    ("queued.max.messages.kbytes", "32768"),
    ("queued.min.messages", "100000"),
    // A member that died is noticed in six seconds, the shortest session brokers allow by default.
    ("session.timeout.ms", "6000"),
    ("heartbeat.interval.ms", "1500"),
];

/// Defaults of writers.
const PRODUCER: &[(&str, &str)] = &[
    ("linger.ms", "5"),
    ("queue.buffering.max.kbytes", "65536"),
    ("queue.buffering.max.messages", "20000"),
    // The broker's and the topic's own limits decide, not the client's.
    ("message.max.bytes", "16777216"),
];

/// Properties that librdkafka lists only when they are set, for suggestions.
const WITHOUT_DEFAULT: &[&str] = &[
    "sasl.username",
    "sasl.password",
    "sasl.mechanism",
    "security.protocol",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.cipher.suites",
    "ssl.crl.location",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "client.rack",
];

/// Properties that would break the engine, each with what to do instead.
const REFUSED: &[(&str, &str)] = &[
    ("bootstrap.servers", "Give the broker's address with -b."),
    ("metadata.broker.list", "Give the broker's address with -b."),
    ("group.id", "Group names follow from the service id and the query id."),
    ("group.instance.id", "Group members are named by the engine."),
    ("group.protocol", "The engine uses the classic group protocol."),
    ("group.protocol.type", "The engine uses the classic group protocol."),
    (
        "partition.assignment.strategy",
        "Joins need the same partitions of their inputs in one process, which `range` gives.",
    ),
    ("enable.auto.commit", "Offsets are committed together with the output."),
    ("auto.commit.enable", "Offsets are committed together with the output."),
    ("enable.auto.offset.store", "Offsets are committed together with the output."),
    ("auto.offset.reset", "Use --from, or SET 'auto.offset.reset'."),
    ("isolation.level", "The engine reads committed records only, unless a statement asks for more."),
    ("enable.partition.eof", "The engine decides where it needs the end of a partition."),
    ("transactional.id", "Transactional ids follow from the service id and the query id."),
    ("enable.idempotence", "The engine always writes idempotently, so that a retry never repeats a record."),
    ("acks", "The engine waits for all in-sync replicas."),
    ("request.required.acks", "The engine waits for all in-sync replicas."),
    ("partitioner", "Keys go to the partitions that Kafka's Java clients would choose; joins rely on it."),
    ("delivery.report.only.error", "The engine decides which delivery reports it needs."),
    ("transaction.timeout.ms", "The timeout follows from the commit interval."),
    ("log.queue", "Log lines of the client go to the engine's own log."),
    ("plugin.library.paths", "Client plugins are not loaded."),
];

impl ClientConfig {
    /// A configuration without properties.
    pub fn new(bootstrap: impl Into<String>) -> ClientConfig {
        ClientConfig {
            bootstrap: bootstrap.into(),
            properties: BTreeMap::new(),
            client_id: "alcedo".into(),
            health: Arc::default(),
        }
    }

    /// Checks the properties without connecting: unknown names, values librdkafka does not take, and names that are
    /// the engine's own business are usage errors, each with a hint.
    pub fn check(&self) -> Result<()> {
        if self.bootstrap.trim().is_empty() {
            return Err(Error::usage("the broker's address is empty").hint("Give it as host:port."));
        }
        self.conf(Role::Consumer, &[]).map(drop)
    }

    /// librdkafka's configuration: our defaults, then the user's properties, then what the caller must have.
    pub(super) fn conf(&self, role: Role, needed: &[(&str, &str)]) -> Result<Conf> {
        let mut conf = Conf::new();
        let own = match role {
            Role::Consumer => CONSUMER,
            Role::Producer => PRODUCER,
        };
        let address = [("bootstrap.servers", self.bootstrap.as_str()), ("client.id", self.client_id.as_str())];
        let family = [("broker.address.family", "v4")];
        let family = if is_loopback_v4(&self.bootstrap) { &family[..] } else { &[] };
        for (name, value) in COMMON.iter().chain(own).chain(&address).chain(family) {
            conf.set(name, value).map_err(|text| Error::internal(format!("property `{name}`: {text}")))?;
        }
        for (name, value) in &self.properties {
            if let Some((_, instead)) = REFUSED.iter().find(|(refused, _)| refused == name) {
                return Err(Error::usage(format!("property `{name}` cannot be set")).hint(*instead));
            }
            conf.set(name, value).map_err(|text| wrong_property(&conf, name, &text))?;
        }
        for (name, value) in needed {
            conf.set(name, value).map_err(|text| Error::internal(format!("property `{name}`: {text}")))?;
        }
        Ok(conf)
    }

    /// A client with what the caller must have on top.
    pub(super) fn client(&self, role: Role, needed: &[(&str, &str)]) -> Result<Client> {
        Client::new(self.conf(role, needed)?, role, Arc::clone(&self.health))
    }
}

/// An error for a property librdkafka refused. Values may be secrets, so its text, which repeats them, is not used.
fn wrong_property(conf: &Conf, name: &str, _text: &str) -> Error {
    let names = conf.names();
    if names.iter().any(|known| known == name) {
        return Error::usage(format!("the value of property `{name}` is not one librdkafka takes"))
            .hint("librdkafka's CONFIGURATION.md lists the values of each property.");
    }
    let error = Error::usage(format!("librdkafka has no property `{name}`"));
    let nearest = names
        .iter()
        .map(String::as_str)
        .chain(WITHOUT_DEFAULT.iter().copied())
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .filter(|(distance, _)| *distance <= 3.max(name.len() / 4))
        .min();
    match nearest {
        Some((_, nearest)) => error.hint(format!("Did you mean `{nearest}`?")),
        None => error.hint("librdkafka's CONFIGURATION.md lists the properties."),
    }
}

/// Whether every address is a loopback IPv4 literal, for which trying IPv6 can only cost time.
fn is_loopback_v4(bootstrap: &str) -> bool {
    bootstrap.split(',').all(|address| {
        let host = address.trim().rsplit_once(':').map_or(address.trim(), |(host, _)| host);
        let host = host.rsplit_once("://").map_or(host, |(_, host)| host);
        host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Result<()> {
        let mut config = ClientConfig::new("127.0.0.1:9092");
        config.properties.insert(name.into(), value.into());
        config.check()
    }

    #[test]
    fn properties_that_would_break_the_engine_are_refused_by_name_with_a_hint() {
        for (name, _) in REFUSED {
            let error = with(name, "x").expect_err("refused");
            assert_eq!(error.message(), format!("property `{name}` cannot be set"));
            assert!(error.hint_text().is_some_and(|hint| hint.ends_with('.')));
            assert_eq!(error.exit_code(), 2);
        }
    }

    #[test]
    fn tls_sasl_and_every_compression_are_in_the_build() {
        let version = rdkafka::util::get_rdkafka_version().1;
        let config = ClientConfig::new("127.0.0.1:9092").conf(Role::Producer, &[]).expect("the defaults hold");
        let features = config.get("builtin.features").expect("librdkafka says what it was built with");
        let has = |feature: &str| features.split(',').any(|built| built.trim() == feature);
        for feature in ["gzip", "snappy", "ssl", "sasl_plain", "sasl_scram", "lz4", "zstd", "sasl_oauthbearer"] {
            assert!(has(feature), "librdkafka {version} lacks {feature}: {features}");
        }
    }

    #[test]
    fn any_other_property_of_librdkafka_is_taken() {
        for (name, value) in [("linger.ms", "20"), ("sasl.username", "u"), ("fetch.min.bytes", "10")] {
            assert!(with(name, value).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_misspelt_property_names_the_nearest_one() {
        let error = with("fetch.min.byte", "1").expect_err("unknown");
        assert_eq!(error.message(), "librdkafka has no property `fetch.min.byte`");
        assert_eq!(error.hint_text(), Some("Did you mean `fetch.min.bytes`?"));
    }

    #[test]
    fn a_wrong_value_is_not_repeated_in_the_error() {
        let error = with("security.protocol", "hunter2").expect_err("wrong value");
        assert!(!format!("{error} {:?}", error.hint_text()).contains("hunter2"));
    }

    #[test]
    fn only_loopback_literals_fix_the_address_family() {
        assert!(is_loopback_v4("127.0.0.1:9092"));
        assert!(is_loopback_v4("127.0.0.1:1, 127.0.0.2:2"));
        assert!(!is_loopback_v4("localhost:9092"));
        assert!(!is_loopback_v4("127.0.0.1:1,kafka:9092"));
        assert!(!is_loopback_v4("[::1]:9092"));
    }
}
