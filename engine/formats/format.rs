//! The formats, and which schemas each of them can hold.

use std::fmt;

use crate::error::{Code, Error, Result};
use crate::types::{Column, SqlType};

/// How the keys or the values of a topic are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JSON, RFC 8259.
    Json,
    /// One line of delimiter-separated values.
    Delimited {
        /// The character between two values.
        delimiter: char,
    },
    /// The wire forms of Kafka's own serializers; one column.
    Kafka,
    /// No columns: marks the keys of a stream that has none.
    None,
}

/// How a schema is laid out in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormatOptions {
    /// Whether a single value column is a field of an object (`{"V": 1}`) rather than the whole value (`1`).
    pub wrap_single_value: bool,
    /// Whether this is the key; a single key column is never wrapped.
    pub is_key: bool,
    /// Whether a single value column that is a field of an object is also read from a bare value. What a device sends as
    /// `23.5` has only one meaning then; objects, and `null`, mean what they mean without this.
    pub takes_bare: bool,
}

impl Default for FormatOptions {
    fn default() -> Self {
        FormatOptions { wrap_single_value: true, is_key: false, takes_bare: false }
    }
}

impl FormatOptions {
    /// The options of a record's key.
    pub fn key() -> Self {
        FormatOptions { wrap_single_value: false, is_key: true, takes_bare: false }
    }

    /// Whether a schema of so many columns is written as one bare value.
    pub fn is_bare(&self, columns: usize) -> bool {
        columns == 1 && (self.is_key || !self.wrap_single_value)
    }
}

impl Format {
    /// The format of that name, in any case. `delimiter` is the text of `KEY_DELIMITER` or `VALUE_DELIMITER`, one
    /// character or `TAB` or `SPACE`.
    ///
    /// Errors name an unknown format, a delimiter that is none, or a format that takes no delimiter.
    pub fn from_sql(name: &str, delimiter: Option<&str>) -> Result<Format> {
        let upper = name.to_ascii_uppercase();
        let format = match upper.as_str() {
            "JSON" => Format::Json,
            "DELIMITED" => Format::Delimited { delimiter: delimiter.map_or(Ok(','), parse_delimiter)? },
            "KAFKA" => Format::Kafka,
            "NONE" => Format::None,
            "JSON_SR" | "AVRO" | "PROTOBUF" | "PROTOBUF_NOSR" => {
                return Err(Error::refused(Code::Unsupported, format!("format {upper} is not supported yet"))
                    .hint("Use JSON, DELIMITED or KAFKA."));
            }
            _ => {
                return Err(Error::refused(Code::InvalidPropertyValue, format!("unknown format `{name}`"))
                    .hint("The formats are JSON, DELIMITED, KAFKA and NONE."));
            }
        };
        if delimiter.is_some() && !matches!(format, Format::Delimited { .. }) {
            return Err(Error::refused(Code::ConflictingProperties, format!("format {format} takes no delimiter"))
                .hint("Leave out KEY_DELIMITER and VALUE_DELIMITER, or use the format DELIMITED."));
        }
        Ok(format)
    }

    /// Its name in SQL.
    pub fn name(&self) -> &'static str {
        match self {
            Format::Json => "JSON",
            Format::Delimited { .. } => "DELIMITED",
            Format::Kafka => "KAFKA",
            Format::None => "NONE",
        }
    }

    /// Whether columns of this type can be read and written.
    pub fn supports(&self, ty: &SqlType) -> bool {
        self.unsupported_part(ty).is_none()
    }

    /// The first part of a type that the format cannot hold, in words.
    fn unsupported_part(&self, ty: &SqlType) -> Option<String> {
        use SqlType::*;
        match (self, ty) {
            (Format::Json, Array(element)) => self.unsupported_part(element),
            (Format::Json, Map(key, _)) if **key != String => Some(format!("keys of type {key} in a MAP")),
            (Format::Json, Map(_, value)) => self.unsupported_part(value),
            (Format::Json, Struct(fields)) => fields.iter().find_map(|(_, ty)| self.unsupported_part(ty)),
            (Format::Json, _) => None,
            (Format::Delimited { .. }, Array(_) | Map(..) | Struct(_)) => Some(format!("type {}", base_name(ty))),
            (Format::Delimited { .. }, _) => None,
            (Format::Kafka, Integer | Bigint | Double | String | Bytes) => None,
            (Format::Kafka, _) => Some(format!("type {}", base_name(ty))),
            (Format::None, _) => Some(format!("type {}", base_name(ty))),
        }
    }

    /// Checks the key columns of a schema.
    ///
    /// Errors name a type the format does not hold, a key that holds a map, or too many columns.
    pub fn check_keys(&self, columns: &[Column]) -> Result<()> {
        for column in columns {
            if holds_map(&column.ty) {
                return Err(Error::refused(Code::InvalidKey, format!("key column `{}` holds a MAP", column.name))
                    .detail("equal maps may be written in different orders, so they cannot serve as keys"));
            }
        }
        self.check(columns)
    }

    /// Checks the value columns of a schema and settles how a single one is written: `wrap_single_value` is what the
    /// statement asks for, if it does; the result is what holds.
    ///
    /// Errors name a type the format does not hold, too many columns, or a `WRAP_SINGLE_VALUE` that cannot be had.
    pub fn check_values(&self, columns: &[Column], wrap_single_value: Option<bool>) -> Result<bool> {
        self.check(columns)?;
        let Some(wrap) = wrap_single_value else {
            return Ok(matches!(self, Format::Json));
        };
        if wrap && !matches!(self, Format::Json) {
            return Err(Error::refused(
                Code::UnsupportedFormatType,
                format!("format {self} cannot wrap a single value"),
            )
            .hint("Leave out WRAP_SINGLE_VALUE."));
        }
        if columns.len() != 1 {
            return Err(Error::refused(
                Code::UnsupportedFormatType,
                format!("WRAP_SINGLE_VALUE is for a single value column, found {}", columns.len()),
            ));
        }
        Ok(wrap)
    }

    fn check(&self, columns: &[Column]) -> Result<()> {
        match self {
            Format::None if !columns.is_empty() => {
                return Err(Error::refused(Code::UnsupportedFormatType, "format NONE is for keys without columns")
                    .detail(format!("found {}", names(columns))));
            }
            Format::Kafka if columns.len() > 1 => {
                return Err(Error::refused(Code::UnsupportedFormatType, "format KAFKA holds a single column")
                    .detail(format!("found {}", names(columns)))
                    .hint("Use JSON or DELIMITED for several columns."));
            }
            _ => {}
        }
        for column in columns {
            if let Some(part) = self.unsupported_part(&column.ty) {
                return Err(Error::refused(
                    Code::UnsupportedFormatType,
                    format!("format {self} does not support {part}"),
                )
                .detail(format!("column `{}` is {}", column.name, column.ty)));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn parse_delimiter(text: &str) -> Result<char> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        _ if text.eq_ignore_ascii_case("TAB") => Ok('\t'),
        _ if text.eq_ignore_ascii_case("SPACE") => Ok(' '),
        (Some(delimiter), None) if !delimiter.is_whitespace() && delimiter != '"' => Ok(delimiter),
        _ => Err(Error::refused(Code::InvalidPropertyValue, "the delimiter must be one character")
            .hint("For a tab or a space write 'TAB' or 'SPACE'; a quote cannot delimit.")),
    }
}

fn base_name(ty: &SqlType) -> String {
    let text = ty.to_string();
    text.split(['<', '(']).next().unwrap_or_default().to_string()
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| format!("`{}` {}", column.name, column.ty)).collect::<Vec<_>>().join(", ")
}

fn holds_map(ty: &SqlType) -> bool {
    match ty {
        SqlType::Map(..) => true,
        SqlType::Array(element) => holds_map(element),
        SqlType::Struct(fields) => fields.iter().any(|(_, ty)| holds_map(ty)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: fmt::Debug>(result: Result<T>) -> String {
        result.expect_err("it is refused").to_string()
    }

    #[test]
    fn names_are_read_in_any_case_and_delimiters_by_name() {
        let delimited = |text| Format::from_sql("delimited", Some(text));
        assert_eq!(Format::from_sql("Json", None).expect("a format"), Format::Json);
        assert_eq!(delimited("TAB").expect("a delimiter"), Format::Delimited { delimiter: '\t' });
        assert_eq!(delimited("|").expect("a delimiter"), Format::Delimited { delimiter: '|' });
        assert_eq!(delimited("é").expect("a delimiter"), Format::Delimited { delimiter: 'é' });
        for bad in [" ", "\t", "", "||", "\n", "\""] {
            assert!(message(delimited(bad)).contains("one character"));
        }
        assert_eq!(message(Format::from_sql("JSON", Some("|"))), "format JSON takes no delimiter");
        assert_eq!(message(Format::from_sql("FOO", None)), "unknown format `FOO`");
        assert_eq!(message(Format::from_sql("avro", None)), "format AVRO is not supported yet");
    }

    #[test]
    fn schemas_a_format_cannot_hold_are_refused_by_name() {
        let array = Column::value("A", SqlType::Array(Box::new(SqlType::Integer)));
        let map = Column::key("K", SqlType::Map(Box::new(SqlType::Integer), Box::new(SqlType::Double)));
        let two = [Column::key("A", SqlType::Integer), Column::key("B", SqlType::Integer)];
        let delimited = Format::Delimited { delimiter: ',' };
        assert!(
            message(delimited.check_values(std::slice::from_ref(&array), None)).contains("does not support type ARRAY")
        );
        assert!(message(Format::Kafka.check_keys(&two)).contains("holds a single column"));
        assert!(message(Format::Kafka.check_keys(&[Column::key("K", SqlType::Boolean)])).contains("type BOOLEAN"));
        assert!(message(Format::None.check_keys(&two)).contains("without columns"));
        assert!(message(Format::Json.check_keys(std::slice::from_ref(&map))).contains("holds a MAP"));
        assert!(message(Format::Json.check_values(std::slice::from_ref(&map), None)).contains("keys of type INTEGER"));
        assert!(Format::Json.check_values(&[array], None).expect("JSON holds arrays"));
    }

    #[test]
    fn wrapping_is_a_choice_of_json_with_one_column() {
        let one = [Column::value("A", SqlType::Integer)];
        let two = [Column::value("A", SqlType::Integer), Column::value("B", SqlType::Integer)];
        assert!(!Format::Json.check_values(&one, Some(false)).expect("unwrapped JSON"));
        assert!(!Format::Kafka.check_values(&one, Some(false)).expect("KAFKA is never wrapped"));
        assert!(message(Format::Kafka.check_values(&one, Some(true))).contains("cannot wrap"));
        assert!(message(Format::Json.check_values(&two, Some(false))).contains("single value column"));
        assert!(Format::Json.check_values(&two, None).expect("several columns are an object"));
    }
}
