//! What a generator is told: its properties, checked.
//!
//! `kafka.topic`, `iterations` and `max.interval` are the names of Confluent's Datagen connector, with the same meaning; its
//! schemas and quickstarts are not made here.

use crate::error::{Code, Error, Result};
use crate::ingest::properties::Properties;
use crate::types::text::time::parse_timestamp;

/// The properties of the connector, without its class.
pub(super) const PROPERTIES: [&str; 15] = [
    "topic",
    "kafka.topic",
    "kind",
    "rate",
    "max.interval",
    "count",
    "iterations",
    "seed",
    "keys",
    "value.format",
    "anomalies",
    "season.readings",
    "timestamp.start",
    "timestamp.step.ms",
    "partitions",
];

/// What is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Readings of sensors: level, season, noise, anomalies.
    Sensor,
    /// The demo's cars: 210 readings as one text.
    Cars,
}

/// A generator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatagenConfig {
    /// The topic to write.
    pub topic: String,
    /// Partitions to create the topic with.
    pub partitions: Option<i32>,
    /// What is made.
    pub kind: Kind,
    /// Records a thousand seconds; 0 for as fast as it goes.
    pub rate_milli: u64,
    /// Records in all, over restarts too; 0 for no end.
    pub count: u64,
    /// Equal seeds give equal records.
    pub seed: u32,
    /// Number of sensors.
    pub keys: u64,
    /// Whether values are JSON objects; else DELIMITED.
    pub json: bool,
    /// Anomalies in ten thousand readings of a sensor, about.
    pub anomalies: u64,
    /// Readings of a sensor in a season; 0 for none.
    pub season: u64,
    /// The time of the first record in milliseconds since 1970, and of the steps between records in microseconds; `None` for the
    /// time of writing.
    pub times: Option<(i64, u64)>,
}

impl DatagenConfig {
    /// Reads the properties.
    ///
    /// # Errors
    /// Of kind SQL, at the property that is wrong.
    pub fn read(properties: &Properties) -> Result<DatagenConfig> {
        for name in
            ["quickstart", "schema.filename", "schema.string", "schema.keyfield", "template", "generate.timeout"]
        {
            if properties.has(name) {
                let error = Error::refused(
                    Code::UnknownProperty,
                    format!("connector property '{name}' of Confluent's Datagen is not supported"),
                )
                .hint(
                    "'kind'='sensor' or 'kind'='cars' says what is made; INSERT INTO … VALUES makes rows of any shape.",
                );
                return Err(properties.at_name(name, error));
            }
        }
        for name in ["key.converter", "value.converter", "value.converter.schemas.enable"] {
            if properties.has(name) {
                let error = Error::refused(
                    Code::UnknownProperty,
                    format!("connector property '{name}' is Kafka Connect's own"),
                )
                .hint("Keys are texts; 'value.format' is json or delimited.");
                return Err(properties.at_name(name, error));
            }
        }
        properties.only(&PROPERTIES)?;
        if properties.either(&["topic", "kafka.topic"])?.is_none() {
            return Err(properties.missing("kafka.topic", "readings"));
        }
        let topic = match properties.topic("topic")? {
            Some(topic) => topic,
            None => properties.topic("kafka.topic")?.unwrap_or_default(),
        };
        properties.either(&["count", "iterations"])?;
        let count = match properties.get("iterations") {
            None => properties.number("count", 0, 0, u64::MAX)?,
            // Confluent's connector has no end at -1.
            Some("-1") => 0,
            Some(_) => properties.number("iterations", 0, 1, u64::MAX)?,
        };
        let rate_milli = rate(properties)?;
        let kind = match properties.one_of("kind", &["sensor", "cars"], "sensor")? {
            "cars" => Kind::Cars,
            _ => Kind::Sensor,
        };
        if kind == Kind::Cars {
            for name in ["keys", "anomalies", "season.readings"] {
                if properties.has(name) {
                    let error = Error::refused(
                        Code::ConflictingProperties,
                        format!("connector property '{name}' means nothing with 'kind'='cars'"),
                    )
                    .hint("Leave it out, or say 'kind'='sensor'.");
                    return Err(properties.at_name(name, error));
                }
            }
        }
        Ok(DatagenConfig {
            topic,
            partitions: match properties.has("partitions") {
                true => Some(properties.number("partitions", 1, 1, 100_000)? as i32),
                false => None,
            },
            kind,
            rate_milli,
            count,
            seed: properties.number("seed", 1, 0, u64::from(u32::MAX))? as u32,
            keys: properties.number("keys", 10, 1, 1_000_000_000)?,
            json: properties.one_of("value.format", &["json", "delimited"], "json")? == "json",
            anomalies: properties.number("anomalies", 20, 0, 100)?,
            season: properties.number("season.readings", 1440, 0, u64::MAX)?,
            times: times(properties, rate_milli)?,
        })
    }
}

/// Records in a thousand seconds.
fn rate(properties: &Properties) -> Result<u64> {
    properties.either(&["rate", "max.interval"])?;
    if properties.get("max.interval").is_some() {
        return Ok((1_000_000 / properties.number("max.interval", 1000, 1, 1_000_000)?).max(1));
    }
    let Some(text) = properties.get("rate") else { return Ok(10_000) };
    match text.parse::<f64>() {
        Ok(rate) if rate == 0.0 || (0.001..=1e9).contains(&rate) => Ok((rate * 1000.0).round() as u64),
        _ => Err(properties.wrong("rate", "messages a second, from 0.001; 0 is as fast as it goes")),
    }
}

fn times(properties: &Properties, rate_milli: u64) -> Result<Option<(i64, u64)>> {
    let Some(text) = properties.get("timestamp.start") else {
        if properties.has("timestamp.step.ms") {
            return Err(properties.missing("timestamp.start", "2024-01-01T00:00:00Z"));
        }
        return Ok(None);
    };
    let start = text.parse::<i64>().ok().or_else(|| parse_timestamp(text)).filter(|start| *start >= 0);
    let Some(start) = start else {
        return Err(properties.wrong("timestamp.start", "milliseconds since 1970, or an ISO 8601 text"));
    };
    let by_rate = 1_000_000_000_u64.checked_div(rate_milli).unwrap_or(1_000);
    let step = match properties.has("timestamp.step.ms") {
        true => properties.number("timestamp.step.ms", 0, 0, 1_000_000_000)? * 1000,
        false => by_rate,
    };
    Ok(Some((start, step)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<DatagenConfig> {
        let mut all = vec![("connector.class", "datagen"), ("kafka.topic", "t")];
        all.extend(pairs);
        DatagenConfig::read(&Properties::of(&all))
    }

    #[test]
    fn defaults_and_the_names_of_confluents_connector() {
        let config = read(&[]).expect("it is right");
        assert_eq!((config.rate_milli, config.count, config.keys, config.times), (10_000, 0, 10, None));
        let config = read(&[("max.interval", "100"), ("iterations", "7"), ("tasks.max", "1")]).expect("it is right");
        assert_eq!((config.rate_milli, config.count), (10_000, 7));
        assert_eq!(read(&[("iterations", "-1")]).expect("endless").count, 0);
        assert_eq!(read(&[("rate", "0.5")]).expect("it is right").rate_milli, 500);
    }

    #[test]
    fn times_follow_from_the_start_and_the_step() {
        let times = |pairs: &[(&str, &str)]| read(pairs).expect("it is right").times;
        assert_eq!(times(&[("timestamp.start", "1000"), ("rate", "4")]), Some((1000, 250_000)));
        assert_eq!(times(&[("timestamp.start", "1970-01-02"), ("rate", "0")]), Some((86_400_000, 1000)));
        assert_eq!(times(&[("timestamp.start", "0"), ("timestamp.step.ms", "60000")]), Some((0, 60_000_000)));
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_to_do() {
        let refusal = |pairs: &[(&str, &str)]| {
            let error = read(pairs).expect_err("it is refused");
            (error.to_string(), error.hint_text().unwrap_or_default().to_string())
        };
        let (text, hint) = refusal(&[("quickstart", "users")]);
        assert!(text.contains("'quickstart'") && hint.contains("'kind'='sensor'"), "{text} {hint}");
        assert_eq!(refusal(&[("sed", "1")]).1, "Did you mean 'seed'?");
        assert!(refusal(&[("rate", "-1")]).1.contains("messages a second"));
        assert!(refusal(&[("kind", "cars"), ("keys", "3")]).0.contains("means nothing"));
        assert!(refusal(&[("timestamp.step.ms", "5")]).0.contains("'timestamp.start' is missing"));
        assert!(refusal(&[("count", "1"), ("iterations", "1")]).0.contains("mean the same"));
    }
}
