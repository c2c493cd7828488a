//! A line with a JSON object to a record: the value is the line as it stands, key and time are taken from its fields.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::csv::time_of;
use crate::record::OutBatch;

/// Makes records of objects.
#[derive(Debug)]
pub(super) struct NdjsonRecords {
    key: Option<String>,
    timestamp: Option<String>,
}

/// The two fields that matter, of one object.
#[derive(Default)]
struct Picked {
    key: Option<Value>,
    timestamp: Option<Value>,
}

/// Reads an object and keeps only what is asked for.
struct Pick<'a>(&'a NdjsonRecords);

impl<'de> DeserializeSeed<'de> for Pick<'_> {
    type Value = Picked;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Picked, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Pick<'_> {
    type Value = Picked;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Picked, A::Error> {
        let mut picked = Picked::default();
        while let Some(is) = map.next_key_seed(Name(self.0))? {
            match is {
                Is { key: false, timestamp: false } => drop(map.next_value::<IgnoredAny>()?),
                Is { key, timestamp } => {
                    let value: Value = map.next_value()?;
                    if timestamp {
                        picked.timestamp = Some(value.clone());
                    }
                    if key {
                        picked.key = Some(value);
                    }
                }
            }
        }
        Ok(picked)
    }
}

/// What a field is for.
struct Is {
    key: bool,
    timestamp: bool,
}

/// Reads a field's name without keeping it.
struct Name<'a>(&'a NdjsonRecords);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Is;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Is, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Is;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Is, E> {
        Ok(Is { key: self.0.key.as_deref() == Some(name), timestamp: self.0.timestamp.as_deref() == Some(name) })
    }
}

impl NdjsonRecords {
    /// Records whose key and time are the fields of these names.
    pub(super) fn new(key: Option<&str>, timestamp: Option<&str>) -> NdjsonRecords {
        NdjsonRecords { key: key.map(ToString::to_string), timestamp: timestamp.map(ToString::to_string) }
    }

    /// Adds the record of a line.
    ///
    /// # Errors
    /// Why the line is bad, without its text; nothing is added then.
    pub(super) fn add(&self, line: &[u8], batch: &mut OutBatch) -> Result<(), String> {
        let mut reader = serde_json::Deserializer::from_slice(line);
        let picked = Pick(self).deserialize(&mut reader).and_then(|picked| reader.end().map(|()| picked));
        // The parser's own text may quote the line.
        let picked = picked.map_err(|error| match error.is_data() {
            true => "it is not a JSON object".to_string(),
            false => format!("it is not JSON, at column {}", error.column()),
        })?;
        let timestamp = match &self.timestamp {
            None => -1,
            Some(name) => match &picked.timestamp {
                Some(Value::Number(number)) => number.as_i64().filter(|milliseconds| *milliseconds >= 0),
                Some(Value::String(text)) => time_of(text.as_bytes()),
                _ => None,
            }
            .ok_or_else(|| format!("field {name} is no time: milliseconds since 1970, or an ISO 8601 text"))?,
        };
        let text;
        let key = match &picked.key {
            None | Some(Value::Null) => None,
            Some(Value::String(key)) => Some(key.as_str()),
            Some(Value::Array(_) | Value::Object(_)) => {
                return Err(format!("field {} is no text and no number", self.key.as_deref().unwrap_or_default()));
            }
            Some(key) => {
                text = key.to_string();
                Some(text.as_str())
            }
        };
        batch.push(timestamp, key.map(str::as_bytes), Some(line));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_goes_on_as_it_stands_with_key_and_time_from_its_fields() {
        let records = NdjsonRecords::new(Some("id"), Some("at"));
        let mut batch = OutBatch::default();
        let line = br#" {"id":"a\"b", "x":[1,{"id":2}],"at":"1970-01-01T00:00:01Z"} "#;
        records.add(line, &mut batch).expect("it is right");
        records.add(br#"{"at":5,"id":7}"#, &mut batch).expect("it is right");
        records.add(br#"{"at":5,"id":null}"#, &mut batch).expect("it is right");
        assert_eq!(batch.keys.iter().collect::<Vec<_>>(), [Some(&b"a\"b"[..]), Some(b"7"), None]);
        assert_eq!(batch.timestamps, [1000, 5, 5]);
        assert_eq!(batch.values.get(0), Some(&line[..]));
    }

    #[test]
    fn a_bad_line_adds_nothing_and_says_why_without_its_text() {
        let records = NdjsonRecords::new(Some("id"), Some("at"));
        let mut batch = OutBatch::default();
        for (line, why) in [
            (&br#"{"at":1"#[..], "it is not JSON, at column 7"),
            (br#"[1,2]"#, "it is not a JSON object"),
            (br#"{"at":1} x"#, "it is not JSON, at column 10"),
            (br#"{"id":"a"}"#, "field at is no time: milliseconds since 1970, or an ISO 8601 text"),
            (br#"{"at":1,"id":{}}"#, "field id is no text and no number"),
        ] {
            assert_eq!(records.add(line, &mut batch).expect_err("it is bad"), why);
        }
        assert!(batch.is_empty());
    }
}
