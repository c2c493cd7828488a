//! What a file source is told: its properties, checked.
//!
//! `file`, `topic` and `batch.size` are the names of Kafka Connect's FileStreamSource, with the same meaning; under its class
//! name the defaults are its own too: plain lines, following the file.

use crate::error::{Code, Error, Result};
use crate::ingest::properties::Properties;

/// The properties of the connector, without its class.
pub(super) const PROPERTIES: [&str; 16] = [
    "file",
    "topic",
    "kafka.topic",
    "format",
    "value.format",
    "key",
    "key.in.value",
    "timestamp",
    "follow",
    "csv.delimiter",
    "csv.header",
    "csv.columns",
    "partitions",
    "max.line.bytes",
    "batch.size",
    "key.converter",
];

/// The longest line when nothing is said: below what a topic takes by default, with room for key and headers.
const MAX_LINE: u64 = 1_000_000;

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Fields with a delimiter between them.
    Csv(CsvConfig),
    /// A JSON object; it goes on as it is.
    Ndjson,
    /// Text; it goes on as it is.
    Lines,
}

/// How CSV is read and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvConfig {
    /// The byte between fields.
    pub delimiter: u8,
    /// Whether the first line names the columns.
    pub has_header: bool,
    /// Names of the columns; `None` to take them from the first line.
    pub columns: Option<Vec<String>>,
    /// Whether values are JSON objects; else DELIMITED.
    pub json: bool,
    /// Whether the key's column stays in the value.
    pub key_in_value: bool,
}

/// A file source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileConfig {
    /// A path, with `*` and `?` in its last part, or a folder.
    pub file: String,
    /// The topic to write.
    pub topic: String,
    /// Partitions to create the topic with.
    pub partitions: Option<i32>,
    /// What a line is.
    pub format: Format,
    /// The column or field whose text becomes the key.
    pub key: Option<String>,
    /// The column or field that becomes the record's time.
    pub timestamp: Option<String>,
    /// Whether to wait for more at the end.
    pub follow: bool,
    /// The longest line in bytes; a longer one is bad.
    pub max_line: usize,
    /// Most records in a batch.
    pub batch: usize,
}

impl FileConfig {
    /// Reads the properties.
    ///
    /// # Errors
    /// Of kind SQL, at the property that is wrong.
    pub fn read(properties: &Properties) -> Result<FileConfig> {
        for (name, hint) in [
            ("value.converter", "'value.format' says what a value becomes: json or delimited."),
            ("transforms", "A query over the topic does that: CREATE STREAM … AS SELECT."),
        ] {
            if properties.has(name) {
                let error = Error::refused(
                    Code::UnknownProperty,
                    format!("connector property '{name}' is Kafka Connect's own"),
                )
                .hint(hint);
                return Err(properties.at_name(name, error));
            }
        }
        properties.only(&PROPERTIES)?;
        let converter = properties.get("key.converter");
        if converter.is_some_and(|converter| !converter.ends_with("StringConverter")) {
            return Err(properties.wrong("key.converter", "StringConverter: keys are texts"));
        }
        let is_connect = properties.get("connector.class").is_some_and(|class| !class.eq_ignore_ascii_case("file"));
        let file = properties.need("file", "readings.csv")?.to_string();
        if properties.either(&["topic", "kafka.topic"])?.is_none() {
            return Err(properties.missing("topic", "readings"));
        }
        let topic = match properties.topic("topic")? {
            Some(topic) => topic,
            None => properties.topic("kafka.topic")?.unwrap_or_default(),
        };
        let format = match (properties.get("format"), is_connect) {
            (None, true) => "lines",
            (None, false) => by_extension(&file),
            _ => properties.one_of("format", &["csv", "ndjson", "lines"], "csv")?,
        };
        let key = properties.get("key").map(ToString::to_string);
        let timestamp = properties.get("timestamp").map(ToString::to_string);
        let json = properties.one_of("value.format", &["json", "delimited"], "json")? == "json";
        let config = FileConfig {
            topic,
            partitions: match properties.has("partitions") {
                true => Some(properties.number("partitions", 1, 1, 100_000)? as i32),
                false => None,
            },
            format: match format {
                "csv" => Format::Csv(csv(properties, json)?),
                "ndjson" => Format::Ndjson,
                _ => Format::Lines,
            },
            key,
            timestamp,
            follow: properties.boolean("follow", is_connect)?,
            max_line: properties.number("max.line.bytes", MAX_LINE, 16, 64 << 20)? as usize,
            batch: properties.number("batch.size", 5_000, 1, 1_000_000)? as usize,
            file,
        };
        config.check(properties)?;
        Ok(config)
    }

    /// Refuses properties that say nothing for the format.
    fn check(&self, properties: &Properties) -> Result<()> {
        let (format, idle): (_, &[&str]) = match &self.format {
            Format::Csv(csv) => {
                if let Some(columns) = &csv.columns {
                    for (name, column) in [("key", &self.key), ("timestamp", &self.timestamp)] {
                        if column.as_ref().is_some_and(|column| !columns.contains(column)) {
                            return Err(
                                properties.wrong(name, &format!("a column of the file: {}", columns.join(", ")))
                            );
                        }
                    }
                }
                return Ok(());
            }
            Format::Ndjson => ("ndjson", &["key.in.value", "csv.delimiter", "csv.header", "csv.columns"]),
            Format::Lines => (
                "lines",
                &["key", "timestamp", "value.format", "key.in.value", "csv.delimiter", "csv.header", "csv.columns"],
            ),
        };
        if let Some(name) = idle.iter().find(|name| properties.has(name)) {
            let error = Error::refused(
                Code::ConflictingProperties,
                format!("connector property '{name}' means nothing with 'format'='{format}'"),
            )
            .hint("Leave it out, or say 'format'='csv'.");
            return Err(properties.at_name(name, error));
        }
        if matches!(self.format, Format::Ndjson)
            && properties.get("value.format").is_some_and(|to| !to.eq_ignore_ascii_case("json"))
        {
            return Err(properties.wrong("value.format", "json: the objects of a file go on as they are"));
        }
        Ok(())
    }
}

fn by_extension(file: &str) -> &'static str {
    let name = file.to_ascii_lowercase();
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    if ends(&[".csv", ".tsv"]) {
        "csv"
    } else if ends(&[".ndjson", ".jsonl", ".json"]) {
        "ndjson"
    } else {
        "lines"
    }
}

fn csv(properties: &Properties, json: bool) -> Result<CsvConfig> {
    let otherwise = if properties.get("file").is_some_and(|file| file.to_ascii_lowercase().ends_with(".tsv")) {
        b'\t'
    } else {
        b','
    };
    let delimiter = match properties.verbatim("csv.delimiter") {
        None | Some("") => otherwise,
        Some(word) if word.eq_ignore_ascii_case("tab") => b'\t',
        Some(word) if word.eq_ignore_ascii_case("space") => b' ',
        Some(text) => match text.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => *byte,
            _ => return Err(properties.wrong("csv.delimiter", "one character, TAB or SPACE")),
        },
    };
    let columns: Option<Vec<String>> =
        properties.get("csv.columns").map(|names| names.split(',').map(|name| name.trim().to_string()).collect());
    if let Some(names) = &columns
        && let Some(twice) = repeated(names)
    {
        return Err(
            properties.wrong("csv.columns", &format!("each name once; '{twice}' comes twice, or a name is empty"))
        );
    }
    let has_header = properties.boolean("csv.header", columns.is_none())?;
    if !has_header && columns.is_none() {
        return Err(properties.missing("csv.columns", "sensor,celsius"));
    }
    Ok(CsvConfig { delimiter, has_header, columns, json, key_in_value: properties.boolean("key.in.value", false)? })
}

/// The first name that is empty or comes twice.
pub(super) fn repeated(names: &[String]) -> Option<&str> {
    let twice = |(at, name): (usize, &String)| name.is_empty() || names[..at].contains(name);
    names.iter().enumerate().find(|pair| twice(*pair)).map(|(_, name)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<FileConfig> {
        FileConfig::read(&Properties::of(pairs))
    }

    fn refusal(pairs: &[(&str, &str)]) -> (String, String) {
        let mut all = vec![("connector.class", "file"), ("file", "a.csv"), ("topic", "t")];
        all.retain(|(name, _)| !pairs.iter().any(|(other, _)| other == name));
        all.extend(pairs);
        let error = read(&all).expect_err("it is refused");
        (error.to_string(), error.hint_text().unwrap_or_default().to_string())
    }

    #[test]
    fn the_statement_of_kafka_connect_is_read_with_its_defaults() {
        let config = read(&[
            ("connector.class", "FileStreamSource"),
            ("tasks.max", "1"),
            ("file", "/tmp/test.csv"),
            ("topic", "t"),
        ]);
        let config = config.expect("it is right");
        assert_eq!((config.format, config.follow), (Format::Lines, true));
    }

    #[test]
    fn the_format_follows_from_the_extension() {
        let format = |file| read(&[("connector.class", "file"), ("file", file), ("topic", "t")]).expect("right").format;
        assert!(matches!(format("a.CSV"), Format::Csv(csv) if csv.delimiter == b',' && csv.has_header && csv.json));
        assert!(matches!(format("a.tsv"), Format::Csv(csv) if csv.delimiter == b'\t'));
        assert_eq!(format("a.jsonl"), Format::Ndjson);
        assert_eq!(format("messages.log"), Format::Lines);
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_to_do() {
        assert_eq!(refusal(&[("topic", "")]).0, "connector property 'topic' is missing");
        assert_eq!(refusal(&[("folow", "true")]).1, "Did you mean 'follow'?");
        assert!(refusal(&[("csv.delimiter", ",,")]).1.contains("TAB"));
        assert_eq!(refusal(&[("csv.header", "false")]).0, "connector property 'csv.columns' is missing");
        assert!(refusal(&[("csv.columns", "a,b,a")]).1.contains("'a' comes twice"));
        assert!(refusal(&[("csv.columns", "a,b"), ("key", "c")]).1.contains("a, b"));
        assert!(refusal(&[("format", "lines"), ("key", "k")]).0.contains("means nothing"));
        assert!(refusal(&[("format", "ndjson"), ("value.format", "delimited")]).1.contains("json"));
        assert!(refusal(&[("value.converter", "x")]).1.contains("value.format"));
        assert!(refusal(&[("kafka.topic", "u")]).0.contains("mean the same"));
    }
}
