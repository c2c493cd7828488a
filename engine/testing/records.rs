//! The records of a case to bytes and back.
//!
//! A case writes keys and values the way a person reads them: JSON as it is, lines of DELIMITED in a string, the one value
//! of KAFKA bare. What the bytes are is for the format and the columns of the topic to say.

use super::case::Window;
use crate::types::text::base64;
use crate::types::text::json::Json;
use crate::types::{Column, ColumnKind, FormatName, FormatSpec, Schema, SqlType, java_double};

/// How the records of a topic are laid out.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Format of keys.
    pub key_format: FormatSpec,
    /// Format of values.
    pub value_format: FormatSpec,
    /// Columns.
    pub schema: Schema,
    /// Whether keys carry a session; `None` when they carry no window.
    pub windowed: Option<bool>,
}

/// Key or value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Of a record's key.
    Key,
    /// Of a record's value.
    Value,
}

impl Layout {
    /// A topic of which nothing is known but its formats.
    pub fn unknown(key_format: FormatName, value_format: FormatName) -> Layout {
        let (key_format, value_format) = (FormatSpec::new(key_format), FormatSpec::new(value_format));
        Layout { key_format, value_format, schema: Schema::default(), windowed: None }
    }

    fn format(&self, side: Side) -> &FormatSpec {
        if side == Side::Key { &self.key_format } else { &self.value_format }
    }

    /// The columns of one side.
    pub fn columns(&self, side: Side) -> Vec<&Column> {
        let kind = if side == Side::Key { ColumnKind::Key } else { ColumnKind::Value };
        self.schema.columns.iter().filter(|column| column.kind == kind).collect()
    }

    /// The type of one side as a whole: that of a single bare column, else a struct of all columns; `None` when nothing
    /// is known.
    pub fn whole_type(&self, side: Side) -> Option<SqlType> {
        let columns = self.columns(side);
        let bare = match (side, self.format(side).name) {
            (_, FormatName::Kafka) | (Side::Key, _) => true,
            (Side::Value, _) => self.value_format.wrap_single == Some(false),
        };
        match columns.as_slice() {
            [] => None,
            [only] if bare => Some(only.ty.clone()),
            several => {
                Some(SqlType::Struct(several.iter().map(|column| (column.name.clone(), column.ty.clone())).collect()))
            }
        }
    }

    /// The bytes of one side of a record as a case writes it; `None` is a record without it.
    pub fn encode(&self, side: Side, value: &Json) -> Option<Vec<u8>> {
        if *value == Json::Null {
            return None;
        }
        match self.format(side).name {
            FormatName::None => None,
            FormatName::Json => Some(value.to_string().into_bytes()),
            FormatName::Delimited => Some(plain(value).into_bytes()),
            FormatName::Kafka => {
                let text = plain(value);
                let number = || text.parse::<f64>().unwrap_or(0.0);
                Some(match self.columns(side).first().map(|column| &column.ty) {
                    Some(SqlType::Integer) => text.parse().unwrap_or(number() as i32).to_be_bytes().to_vec(),
                    Some(SqlType::Bigint) => text.parse().unwrap_or(number() as i64).to_be_bytes().to_vec(),
                    Some(SqlType::Double) => number().to_be_bytes().to_vec(),
                    _ => text.into_bytes(),
                })
            }
        }
    }

    /// What bytes say, the way a case writes it.
    pub fn decode(&self, side: Side, bytes: Option<&[u8]>) -> Json {
        let Some(bytes) = bytes else { return Json::Null };
        let text = || String::from_utf8_lossy(bytes).into_owned();
        match self.format(side).name {
            FormatName::None => Json::Null,
            FormatName::Json => Json::parse(bytes).unwrap_or_else(|_| Json::String(text())),
            FormatName::Delimited => Json::String(text()),
            FormatName::Kafka => {
                let number = match self.columns(side).first().map(|column| &column.ty) {
                    Some(SqlType::Integer) => bytes.try_into().ok().map(|b| i32::from_be_bytes(b).to_string()),
                    Some(SqlType::Bigint) => bytes.try_into().ok().map(|b| i64::from_be_bytes(b).to_string()),
                    Some(SqlType::Double) => {
                        bytes.try_into().ok().map(|b| java_double::to_string(f64::from_be_bytes(b)))
                    }
                    _ => return Json::String(text()),
                };
                number.map_or_else(|| Json::String(text()), Json::Number)
            }
        }
    }
}

fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

/// A key with its window, as Kafka Streams writes it: the start behind the key, and for a session the end before it.
pub fn with_window(mut key: Vec<u8>, window: &Window) -> Vec<u8> {
    if window.session {
        key.extend_from_slice(&window.end.to_be_bytes());
    }
    key.extend_from_slice(&window.start.to_be_bytes());
    key
}

/// The bytes of a text in Base64; none when it is not.
pub fn from_base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    if !base64::decode(text.as_bytes(), &mut bytes) {
        bytes.clear();
    }
    bytes
}
