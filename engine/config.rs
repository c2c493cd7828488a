//! Every setting: name, kind, default, one line of explanation, and where its value came from.
//!
//! Values come in five layers; a higher one wins: defaults, the file of `--config`, `ALCEDO_*` variables, flags,
//! `SET`. Names are ksqlDB's where it has the setting; its prefixes `ksql.streams.` and `ksql.` are understood.
//! Other names of ksqlDB and of Java's clients are translated, or refused with what stands for them: `java` is the table,
//! `stores` is about key stores and logins. What is left is a property of librdkafka and goes to the Kafka clients.

mod java;
mod stores;

use std::collections::BTreeMap;

use crate::error::{Code, Error, Result};

/// What values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// Any text.
    Text,
    /// A whole number within bounds, both inclusive.
    Integer(i64, i64),
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// A setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What values it takes.
    pub kind: SettingKind,
    /// Its default; empty means none.
    pub default: &'static str,
    /// What it is for.
    pub doc: &'static str,
}

/// Where a value came from; a later one in this list wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Built in.
    Default,
    /// The file of `--config`.
    ConfigFile,
    /// A variable `ALCEDO_...`.
    Environment,
    /// A flag of the command line.
    Flag,
    /// A `SET` statement.
    Set,
}

impl Origin {
    /// The word `SHOW PROPERTIES` prints.
    pub fn label(self) -> &'static str {
        match self {
            Origin::Default => "default",
            Origin::ConfigFile => "config file",
            Origin::Environment => "environment",
            Origin::Flag => "flag",
            Origin::Set => "SET",
        }
    }
}

/// All settings, by name.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "auto.offset.reset",
        kind: SettingKind::Text,
        default: "",
        doc: "where a query without committed offsets starts: earliest, latest or a time; earliest on the embedded broker, latest on a cluster",
    },
    Setting {
        name: "batch.rows",
        kind: SettingKind::Integer(1, 1_000_000),
        default: "8192",
        doc: "most records that are processed as one batch",
    },
    Setting {
        name: "bootstrap.servers",
        kind: SettingKind::Text,
        default: "",
        doc: "addresses of a Kafka cluster; without it the embedded broker is used",
    },
    Setting {
        name: "commit.interval.ms",
        kind: SettingKind::Integer(1, 3_600_000),
        default: "100",
        doc: "how often a persistent query commits, in milliseconds",
    },
    Setting {
        name: "extension.dir",
        kind: SettingKind::Text,
        default: "",
        doc: "folder in which CREATE FUNCTION builds and keeps libraries; in the user's cache folder when empty",
    },
    Setting {
        name: "logging.processing.rows.include",
        kind: SettingKind::Choice(&["false", "true"]),
        default: "false",
        doc: "whether entries of the processing log hold the values of bad records",
    },
    Setting {
        name: "logging.processing.stream.auto.create",
        kind: SettingKind::Choice(&["true", "false"]),
        default: "true",
        doc: "whether there is a stream over the processing log",
    },
    Setting {
        name: "logging.processing.stream.name",
        kind: SettingKind::Text,
        default: "KSQL_PROCESSING_LOG",
        doc: "name of the stream over the processing log",
    },
    Setting {
        name: "logging.processing.topic.auto.create",
        kind: SettingKind::Choice(&["true", "false"]),
        default: "true",
        doc: "whether the topic of the processing log is made where it is missing; without a topic there is no log",
    },
    Setting {
        name: "logging.processing.topic.name",
        kind: SettingKind::Text,
        default: "",
        doc: "topic of the processing log; <service.id>_ksql_processing_log when not said",
    },
    Setting {
        name: "persistence.default.format.key",
        kind: SettingKind::Choice(&["KAFKA", "JSON", "DELIMITED", "NONE"]),
        default: "KAFKA",
        doc: "key format of a stream that names none",
    },
    Setting {
        name: "persistence.default.format.value",
        kind: SettingKind::Choice(&["", "KAFKA", "JSON", "DELIMITED"]),
        default: "",
        doc: "value format of a stream that names none",
    },
    Setting {
        name: "persistence.wrap.single.values",
        kind: SettingKind::Choice(&["", "true", "false"]),
        default: "",
        doc: "whether a single JSON value column is a field of an object where a statement does not say WRAP_SINGLE_VALUE; when empty it is written as one, and a bare value is read too",
    },
    Setting {
        name: "processing.guarantee",
        kind: SettingKind::Choice(&["exactly_once_v2", "at_least_once"]),
        default: "exactly_once_v2",
        doc: "exactly_once_v2 writes outputs and positions in one Kafka transaction; at_least_once flushes outputs first",
    },
    Setting {
        name: "service.id",
        kind: SettingKind::Text,
        default: "default",
        doc: "processes with one service id share the work of each query; part of group and transaction names",
    },
    Setting {
        name: "session.timeout.ms",
        kind: SettingKind::Integer(1_000, 1_800_000),
        default: "6000",
        doc: "how long the group waits for a process that died, in milliseconds",
    },
    Setting {
        name: "transaction.timeout.ms",
        kind: SettingKind::Integer(1_000, 900_000),
        default: "60000",
        doc: "after how long the broker aborts the transaction of a process that died, in milliseconds",
    },
];

/// Settings that a running engine cannot change: everything it holds already stands on them.
pub const FIXED_AT_START: &[&str] = &[
    "bootstrap.servers",
    "logging.processing.rows.include",
    "logging.processing.stream.auto.create",
    "logging.processing.stream.name",
    "logging.processing.topic.auto.create",
    "logging.processing.topic.name",
    "service.id",
];

/// Prefixes of ksqlDB and Kafka Streams under which a setting is known too.
const PREFIXES: &[&str] = &["ksql.streams.", "ksql."];

/// Finds a setting by its name or by ksqlDB's name for it.
pub fn find(name: &str) -> Option<&'static Setting> {
    let exact = |name: &str| SETTINGS.iter().find(|setting| setting.name.eq_ignore_ascii_case(name));
    exact(name).or_else(|| PREFIXES.iter().find_map(|prefix| exact(name.strip_prefix(prefix)?)))
}

/// What a name meant that was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// A setting, by its own name or by one with ksqlDB's prefix.
    Setting(&'static str),
    /// Another name for this setting.
    StandsFor(&'static str),
    /// Something that has no meaning here; the text is a reason, to be read behind "because".
    Nothing(&'static str),
}

/// What a name means when it is set in a session.
///
/// # Errors
/// An unknown name, one that is not supported yet, or one of the connection; each says what to do instead.
pub fn meaning(name: &str) -> Result<Applied> {
    if let Some(setting) = find(name) {
        return Ok(Applied::Setting(setting.name));
    }
    match java::find(name) {
        Some(java::Counterpart::Setting(setting)) => Ok(Applied::StandsFor(setting)),
        Some(java::Counterpart::NoMeaning(reason)) => Ok(Applied::Nothing(reason)),
        Some(java::Counterpart::NotYet(hint)) => {
            Err(Error::refused(Code::Unsupported, format!("property '{name}' is not supported yet")).hint(hint))
        }
        Some(java::Counterpart::Refused(_)) if name.ends_with("sasl.jaas.config") => Err(of_the_connection(name, name)),
        Some(java::Counterpart::Refused(hint)) => {
            Err(Error::refused(Code::InvalidPropertyValue, format!("property '{name}' cannot be set")).hint(hint))
        }
        Some(java::Counterpart::Kafka(theirs) | java::Counterpart::KafkaAs(theirs, _)) => {
            Err(of_the_connection(name, theirs))
        }
        None if STORES.contains(&java::bare(name)) => Err(of_the_connection(name, java::bare(name))),
        None => Err(unknown_setting(name)),
    }
}

fn of_the_connection(name: &str, theirs: &str) -> Error {
    Error::refused(
        Code::InvalidPropertyValue,
        format!("property '{name}' is about the connection, which a session cannot change"),
    )
    .hint(format!("Write `{theirs}=...` into the file of --config."))
}

/// Properties of Java's clients that mean something only together.
const STORES: &[&str] = &[
    "sasl.jaas.config",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

/// Values of settings, with their origin.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    values: BTreeMap<(&'static str, Origin), String>,
    kafka: BTreeMap<String, String>,
}

impl Settings {
    /// Everything at its default.
    pub fn new() -> Self {
        Settings::default()
    }

    /// Sets a value in one layer; gives what the name meant. The error names the setting and says what it takes.
    pub fn set(&mut self, origin: Origin, name: &str, value: &str) -> Result<Applied> {
        let applied = meaning(name)?;
        if let Applied::Setting(known) | Applied::StandsFor(known) = applied
            && let Some(setting) = find(known)
        {
            if origin == Origin::Set && FIXED_AT_START.contains(&setting.name) {
                return Err(Error::refused(
                    Code::InvalidPropertyValue,
                    format!("setting '{}' is fixed when the engine starts", setting.name),
                )
                .hint("Give it as a flag, as an ALCEDO_* variable, or in the file of --config."));
            }
            let value = check(setting, value.trim())?;
            self.values.insert((setting.name, origin), value);
        }
        Ok(applied)
    }

    /// Removes a value from one layer; gives what the name meant.
    pub fn unset(&mut self, origin: Origin, name: &str) -> Result<Applied> {
        let applied = meaning(name)?;
        if let Applied::Setting(known) | Applied::StandsFor(known) = applied {
            self.values.remove(&(known, origin));
        }
        Ok(applied)
    }

    /// The value in force.
    ///
    /// Panics when there is no such setting: names in code come from [`SETTINGS`].
    pub fn get(&self, name: &str) -> &str {
        let setting = find(name).expect("only names of settings are asked for");
        let origin = self.origin(setting.name);
        self.values.get(&(setting.name, origin)).map_or(setting.default, String::as_str)
    }

    /// The value in force as a number. Panics when the setting is not an integer.
    pub fn integer(&self, name: &str) -> i64 {
        self.get(name).parse().expect("integers are checked when they are set")
    }

    /// Where the value in force came from.
    pub fn origin(&self, name: &str) -> Origin {
        [Origin::Set, Origin::Flag, Origin::Environment, Origin::ConfigFile]
            .into_iter()
            .find(|origin| find(name).is_some_and(|setting| self.values.contains_key(&(setting.name, *origin))))
            .unwrap_or(Origin::Default)
    }

    /// What `SET` statements say, without secrets: statements that are kept need it when they come back.
    pub fn said_by_set(&self) -> BTreeMap<String, String> {
        let values = self.values.iter().filter(|((name, origin), _)| *origin == Origin::Set && !is_secret(name));
        values.map(|((name, _), value)| (name.to_string(), value.clone())).collect()
    }

    /// Properties for the Kafka clients, as they were given.
    pub fn kafka(&self) -> &BTreeMap<String, String> {
        &self.kafka
    }

    /// Adds a property for the Kafka clients.
    pub fn set_kafka(&mut self, name: &str, value: &str) {
        self.kafka.insert(name.to_string(), value.to_string());
    }

    /// Reads `name=value` lines, ksqlDB's and Java's names among them; `#` and `!` start a comment, a backslash at the end of
    /// a line joins the next one. Gives what has no meaning here, a text for each.
    ///
    /// The error names `origin_name` and the line, and never a value.
    pub fn read_properties(&mut self, origin_name: &str, text: &str) -> Result<Vec<String>> {
        let mut notes = Vec::new();
        let (mut stores, mut lines_of) = (BTreeMap::new(), BTreeMap::new());
        for (number, line) in joined_lines(text) {
            let at = |error: Error| {
                let placed = Error::usage(format!("{origin_name}, line {number}: {}", error.message()));
                match error.hint_text() {
                    Some(hint) => placed.hint(hint),
                    None => placed,
                }
            };
            let Some((name, value)) = line.split_once('=') else {
                return Err(at(Error::usage("expected `name=value`")));
            };
            let (name, value) = (name.trim(), value.trim());
            if STORES.contains(&java::bare(name)) {
                stores.insert(java::bare(name).to_string(), value.to_string());
                lines_of.insert(java::bare(name).to_string(), number);
                continue;
            }
            match (find(name), java::find(name)) {
                (None, Some(java::Counterpart::Kafka(theirs))) => self.set_kafka(theirs, value),
                (None, Some(java::Counterpart::KafkaAs(theirs, write))) => {
                    let wrong = || at(Error::usage(format!("the value of property `{name}` is not one Java takes")));
                    self.set_kafka(theirs, &write(value).ok_or_else(wrong)?);
                }
                (None, None) if name.starts_with("ksql.") && !name.starts_with("ksql.streams.") => {
                    return Err(at(unknown_setting(name)));
                }
                (None, None) => self.set_kafka(java::bare(name), value),
                _ => {
                    if let Applied::Nothing(reason) = self.set(Origin::ConfigFile, name, value).map_err(at)? {
                        notes.push(format!(
                            "{origin_name}, line {number}: `{name}` has no meaning here, because {reason}"
                        ));
                    }
                }
            }
        }
        let translated = stores::translate(&mut stores).map_err(|error| {
            let number = lines_of.iter().find(|(name, _)| error.message().contains(&format!("`{name}`")));
            let place = number.map_or(String::new(), |(_, number)| format!(", line {number}"));
            let placed = Error::usage(format!("{origin_name}{place}: {}", error.message()));
            match error.hint_text() {
                Some(hint) => placed.hint(hint),
                None => placed,
            }
        })?;
        for (name, value) in translated {
            // What is said in librdkafka's own words wins.
            self.kafka.entry(name).or_insert(value);
        }
        Ok(notes)
    }

    /// Reads `ALCEDO_*` variables: `ALCEDO_COMMIT_INTERVAL_MS` is `commit.interval.ms`.
    ///
    /// Variables that name no setting are left alone; other parts of the program read some of their own.
    pub fn read_environment(&mut self, variables: impl Iterator<Item = (String, String)>) -> Result<()> {
        for (variable, value) in variables {
            let Some(name) = variable.strip_prefix("ALCEDO_") else { continue };
            let name = name.to_ascii_lowercase().replace('_', ".");
            if find(&name).is_some() {
                self.set(Origin::Environment, &name, &value)
                    .map_err(|error| Error::usage(format!("variable {variable}: {}", error.message())))?;
            }
        }
        Ok(())
    }

    /// Name, value and origin of every setting, for `SHOW PROPERTIES`; secrets among Kafka's properties are masked.
    pub fn list(&self) -> Vec<(String, String, &'static str)> {
        let ours = SETTINGS
            .iter()
            .map(|setting| (setting.name.to_string(), self.get(setting.name).to_string(), self.origin(setting.name)))
            .map(|(name, value, origin)| (name, value, origin.label()));
        let kafka = self.kafka.iter().map(|(name, value)| {
            let value = if is_secret(name) { MASK.to_string() } else { value.clone() };
            (name.clone(), value, Origin::ConfigFile.label())
        });
        ours.chain(kafka).collect()
    }
}

/// What a secret is shown as.
pub const MASK: &str = "********";

/// Whether the value of a property of this name, of a client's, a connector's or ours, is nobody's business: passwords,
/// tokens, private keys.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "passwd", "passphrase", "secret", "token", "credential", "pem", "jaas", "api.key", "apikey", "api_key"]
        .iter()
        .any(|word| name.contains(word))
}

/// The setting whose name is nearest to a misspelt one, if one is near.
pub fn nearest(name: &str) -> Option<&'static str> {
    let near = SETTINGS
        .iter()
        .map(|setting| (strsim::jaro_winkler(setting.name, name), setting.name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(similarity, _)| *similarity > 0.8);
    near.map(|(_, name)| name)
}

/// Lines that hold something, numbered from 1 by their first, with those that end in a backslash joined to the next.
fn joined_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if !goes_on && (trimmed.is_empty() || trimmed.starts_with(['#', '!'])) {
            continue;
        }
        let backslashes = trimmed.len() - trimmed.trim_end_matches('\\').len();
        let part = if backslashes % 2 == 1 { &trimmed[..trimmed.len() - 1] } else { trimmed };
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, line)) => line.push_str(part),
            None => lines.push((number + 1, part.to_string())),
        }
        goes_on = backslashes % 2 == 1;
    }
    lines
}

fn unknown_setting(name: &str) -> Error {
    let error = Error::refused(Code::UnknownProperty, format!("there is no setting '{name}'"));
    let near = nearest(name).or_else(|| {
        let close = java::names().map(|known| (strsim::jaro_winkler(known, name), known));
        close.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(similarity, _)| *similarity > 0.9).map(|(_, known)| known)
    });
    match near {
        Some(nearest) => error.hint(format!("Did you mean '{nearest}'?")),
        None => error.hint("SHOW PROPERTIES lists the settings."),
    }
}

/// Formats of ksqlDB that are understood and refused for now.
const LATER_FORMATS: [&str; 4] = ["AVRO", "PROTOBUF", "PROTOBUF_NOSR", "JSON_SR"];

fn check(setting: &Setting, value: &str) -> Result<String> {
    let refuse =
        |takes: String| Error::refused(Code::InvalidPropertyValue, format!("setting '{}' takes {takes}", setting.name));
    match setting.kind {
        SettingKind::Text => Ok(value.to_string()),
        SettingKind::Integer(low, high) => match value.parse::<i64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(number.to_string()),
            _ => Err(refuse(format!("a whole number from {low} to {high}"))),
        },
        SettingKind::Choice(words) => match words.iter().find(|word| word.eq_ignore_ascii_case(value)) {
            Some(word) => Ok(word.to_string()),
            // Kafka Streams' older names of the same guarantee.
            None if setting.name.starts_with("persistence.default.format.")
                && LATER_FORMATS.contains(&&*value.to_uppercase()) =>
            {
                Err(Error::refused(Code::Unsupported, format!("format {} is not supported yet", value.to_uppercase()))
                    .hint("Use JSON, DELIMITED or KAFKA."))
            }
            None if setting.name == "processing.guarantee" && value.starts_with("exactly_once") => {
                Ok("exactly_once_v2".to_string())
            }
            None => Err(refuse(format!("one of {}", words.join(", ")))),
        },
    }
}

/// Reads a size: digits with `kB`, `MB` or `GB` (powers of 1024), any case, or nothing behind.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let factor = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_layer_wins_and_says_so() {
        let mut settings = Settings::new();
        assert_eq!(
            (settings.get("commit.interval.ms"), settings.origin("commit.interval.ms")),
            ("100", Origin::Default)
        );
        settings.set(Origin::Set, "commit.interval.ms", "7").unwrap();
        settings.read_properties("a.conf", "# comment\ncommit.interval.ms = 20\nsasl.username=x\n").unwrap();
        assert_eq!(settings.integer("commit.interval.ms"), 7);
        settings.unset(Origin::Set, "commit.interval.ms").unwrap();
        assert_eq!(
            (settings.get("commit.interval.ms"), settings.origin("commit.interval.ms")),
            ("20", Origin::ConfigFile)
        );
        assert_eq!(settings.kafka()["sasl.username"], "x");
    }

    #[test]
    fn ksqldb_names_and_variables_are_understood() {
        let mut settings = Settings::new();
        settings.set(Origin::Set, "ksql.streams.auto.offset.reset", "earliest").unwrap();
        assert_eq!(settings.get("auto.offset.reset"), "earliest");
        let variables = [("ALCEDO_SERVICE_ID".to_string(), "plant".to_string()), ("HOME".into(), "/".into())];
        settings.read_environment(variables.into_iter()).unwrap();
        assert_eq!(settings.get("service.id"), "plant");
        settings.set(Origin::Set, "processing.guarantee", "exactly_once").unwrap();
        assert_eq!(settings.get("processing.guarantee"), "exactly_once_v2");
    }

    #[test]
    fn wrong_names_and_values_say_what_is_right() {
        let mut settings = Settings::new();
        let error = settings.set(Origin::Set, "commit.intervall.ms", "1").unwrap_err();
        assert_eq!(error.hint_text(), Some("Did you mean 'commit.interval.ms'?"));
        let error = settings.set(Origin::Set, "commit.interval.ms", "soon").unwrap_err();
        assert_eq!(error.message(), "setting 'commit.interval.ms' takes a whole number from 1 to 3600000");
        let error = settings.read_properties("a.conf", "\nnonsense").unwrap_err();
        assert_eq!(error.message(), "a.conf, line 2: expected `name=value`");
    }

    #[test]
    fn what_is_fixed_at_the_start_cannot_be_set_later() {
        let mut settings = Settings::new();
        settings.set(Origin::Flag, "service.id", "plant").unwrap();
        let error = settings.set(Origin::Set, "ksql.service.id", "other").unwrap_err();
        assert_eq!(error.message(), "setting 'service.id' is fixed when the engine starts");
        assert_eq!(settings.get("service.id"), "plant");
    }

    #[test]
    fn a_file_of_ksqldb_is_translated_and_what_means_nothing_is_told() {
        let mut settings = Settings::new();
        let text = "bootstrap.servers=k:9092\nlisteners.not.here=1\nsecurity.protocol=SASL_SSL\nksql.service.id=plant_\n\
            ksql.streams.num.stream.threads=4\nksql.streams.producer.linger.ms=20\nksql.streams.buffer.memory=1048576\n\
            sasl.mechanism=SCRAM-SHA-512\nsasl.jaas.config=org.ScramLoginModule required \\\n  username=\"u\" \\\n  password=\"p\";\n";
        let notes = settings.read_properties("k.properties", text).unwrap();
        assert_eq!(notes.len(), 1);
        assert!(
            notes[0]
                .starts_with("k.properties, line 5: `ksql.streams.num.stream.threads` has no meaning here, because")
        );
        assert_eq!((settings.get("service.id"), settings.get("bootstrap.servers")), ("plant_", "k:9092"));
        let kafka: Vec<(&str, &str)> = settings.kafka().iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let expected = [
            ("linger.ms", "20"),
            ("listeners.not.here", "1"),
            ("queue.buffering.max.kbytes", "1024"),
            ("sasl.mechanisms", "SCRAM-SHA-512"),
            ("sasl.password", "p"),
            ("sasl.username", "u"),
            ("security.protocol", "sasl_ssl"),
        ];
        assert_eq!(kafka, expected);
    }

    #[test]
    fn what_a_file_asks_for_in_vain_is_refused_by_name_and_line() {
        let refused = |text: &str| Settings::new().read_properties("f", text).unwrap_err();
        let error = refused("\nksql.schema.registry.url=http://r:8081\n");
        assert_eq!(error.message(), "f, line 2: property 'ksql.schema.registry.url' is not supported yet");
        let error = refused("#\nssl.truststore.location=/a/trust.jks\n");
        assert!(error.message().starts_with("f, line 2: property `ssl.truststore.location`"), "{error}");
        assert!(error.hint_text().is_some_and(|hint| hint.contains("keytool")));
        let error = refused("ksql.servise.id=x");
        assert_eq!(error.hint_text(), Some("Did you mean 'ksql.service.id'?"));
        let error = refused("send.buffer.bytes=hunter2");
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn a_set_says_what_stands_for_it() {
        let mut settings = Settings::new();
        let mut set = |name: &str, value: &str| settings.set(Origin::Set, name, value);
        assert_eq!(set("ksql.streams.commit.interval.ms", "2000").unwrap(), Applied::Setting("commit.interval.ms"));
        assert_eq!(set("ksql.streams.consumer.max.poll.records", "10").unwrap(), Applied::StandsFor("batch.rows"));
        assert!(matches!(set("ksql.streams.cache.max.bytes.buffering", "0").unwrap(), Applied::Nothing(_)));
        let error = set("ksql.query.pull.table.scan.enabled", "true").unwrap_err();
        assert_eq!(error.message(), "property 'ksql.query.pull.table.scan.enabled' is not supported yet");
        let error = set("sasl.mechanism", "PLAIN").unwrap_err();
        assert_eq!(error.hint_text(), Some("Write `sasl.mechanisms=...` into the file of --config."));
        assert_eq!(settings.integer("batch.rows"), 10);
        settings.unset(Origin::Set, "max.poll.records").unwrap();
        assert_eq!(settings.integer("batch.rows"), 8192);
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(parse_bytes("512MB"), Some(512 << 20));
        assert_eq!(parse_bytes("10 k"), Some(10 << 10));
        assert_eq!(parse_bytes("12"), Some(12));
        assert_eq!(parse_bytes("a lot"), None);
    }

    #[test]
    fn secrets_are_masked_in_the_list() {
        let mut settings = Settings::new();
        settings.set_kafka("sasl.password", "hunter2");
        assert!(settings.list().iter().all(|(_, value, _)| value != "hunter2"));
    }
}
