//! Every setting: name, kind, default, one line of explanation, and where its value came from.
//!
//! Values come in five layers; a higher one wins: defaults, the file of `--config`, `ALCEDO_*` variables, flags,
//! `SET`. Names are ksqlDB's where it has the setting; its prefixes `ksql.streams.` and `ksql.` are understood.
//! A name that is no setting of ours but a property of librdkafka goes to the Kafka clients as it is.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

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

    /// Sets a value in one layer. The error names the setting and says what it takes.
    pub fn set(&mut self, origin: Origin, name: &str, value: &str) -> Result<()> {
        let Some(setting) = find(name) else {
            return Err(unknown_setting(name));
        };
        if origin == Origin::Set && FIXED_AT_START.contains(&setting.name) {
            return Err(Error::sql(format!("setting '{}' is fixed when the engine starts", setting.name))
                .hint("Give it as a flag, as an ALCEDO_* variable, or in the file of --config."));
        }
        let value = check(setting, value.trim())?;
        self.values.insert((setting.name, origin), value);
        Ok(())
    }

    /// Removes a value from one layer.
    pub fn unset(&mut self, origin: Origin, name: &str) -> Result<()> {
        let setting = find(name).ok_or_else(|| unknown_setting(name))?;
        self.values.remove(&(setting.name, origin));
        Ok(())
    }

    /// The value in force.
    ///
    /// Panics when there is no such setting: names in code come from [`SETTINGS`].
    pub fn get(&self, name: &str) -> &str {
        let setting = find(name).unwrap_or_else(|| panic!("no setting is called {name}"));
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

    /// Properties for the Kafka clients, as they were given.
    pub fn kafka(&self) -> &BTreeMap<String, String> {
        &self.kafka
    }

    /// Adds a property for the Kafka clients.
    pub fn set_kafka(&mut self, name: &str, value: &str) {
        self.kafka.insert(name.to_string(), value.to_string());
    }

    /// Reads `name=value` lines; `#` and `!` start a comment. What is no setting is taken as librdkafka's.
    ///
    /// The error names `origin_name` and the line.
    pub fn read_properties(&mut self, origin_name: &str, text: &str) -> Result<()> {
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') || line.starts_with('!') {
                continue;
            }
            let place = || format!("{origin_name}, line {}", number + 1);
            let Some((name, value)) = line.split_once('=') else {
                return Err(Error::usage(format!("{}: expected `name=value`", place())));
            };
            let (name, value) = (name.trim(), value.trim());
            if find(name).is_some() {
                self.set(Origin::ConfigFile, name, value)
                    .map_err(|error| Error::usage(format!("{}: {}", place(), error.message())))?;
            } else {
                self.set_kafka(name.strip_prefix("ksql.streams.").unwrap_or(name), value);
            }
        }
        Ok(())
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
            let value = if is_secret(name) { "********".to_string() } else { value.clone() };
            (name.clone(), value, Origin::ConfigFile.label())
        });
        ours.chain(kafka).collect()
    }
}

/// Whether the value of a property of this name is nobody's business: passwords, tokens, private keys.
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

fn unknown_setting(name: &str) -> Error {
    let error = Error::sql(format!("there is no setting '{name}'"));
    match nearest(name) {
        Some(nearest) => error.hint(format!("Did you mean '{nearest}'?")),
        None => error.hint("SHOW PROPERTIES lists the settings."),
    }
}

fn check(setting: &Setting, value: &str) -> Result<String> {
    let refuse = |takes: String| Error::sql(format!("setting '{}' takes {takes}", setting.name));
    match setting.kind {
        SettingKind::Text => Ok(value.to_string()),
        SettingKind::Integer(low, high) => match value.parse::<i64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(number.to_string()),
            _ => Err(refuse(format!("a whole number from {low} to {high}"))),
        },
        SettingKind::Choice(words) => match words.iter().find(|word| word.eq_ignore_ascii_case(value)) {
            Some(word) => Ok(word.to_string()),
            // Kafka Streams' older names of the same guarantee.
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
