//! SQL types and their Arrow counterparts, and the columns of a relation.
//!
//! The types are ksqlDB's. Each has exactly one Arrow type, in which its columns live everywhere in the engine.

pub mod cast;
pub mod java_double;
pub mod text;

mod encoding;
mod schema;

pub use encoding::{FormatName, FormatSpec, SourceWindow, TimestampSpec, TopicSpec};
pub use schema::{Column, ColumnKind, Schema, quote_identifier};

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit};

/// A SQL type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SqlType {
    /// `BOOLEAN`.
    Boolean,
    /// `INTEGER`, 32 bits.
    Integer,
    /// `BIGINT`, 64 bits.
    Bigint,
    /// `DOUBLE`, IEEE 754 binary64.
    Double,
    /// `DECIMAL(precision, scale)`, exact; `1 <= precision`, `0 <= scale <= precision`.
    Decimal(u8, u8),
    /// `VARCHAR` or `STRING`, UTF-8.
    String,
    /// `BYTES`.
    Bytes,
    /// `TIME`, milliseconds of the day.
    Time,
    /// `DATE`, days since the epoch.
    Date,
    /// `TIMESTAMP`, milliseconds since the epoch, no zone.
    Timestamp,
    /// `ARRAY<T>`.
    Array(Box<SqlType>),
    /// `MAP<K, V>`.
    Map(Box<SqlType>, Box<SqlType>),
    /// `STRUCT<name T, ...>`.
    Struct(Vec<(String, SqlType)>),
}

impl SqlType {
    /// The Arrow type in which columns of this type live.
    pub fn to_arrow(&self) -> DataType {
        match self {
            SqlType::Boolean => DataType::Boolean,
            SqlType::Integer => DataType::Int32,
            SqlType::Bigint => DataType::Int64,
            SqlType::Double => DataType::Float64,
            SqlType::Decimal(precision, scale) if *precision <= 38 => DataType::Decimal128(*precision, *scale as i8),
            SqlType::Decimal(precision, scale) => DataType::Decimal256(*precision, *scale as i8),
            SqlType::String => DataType::Utf8,
            SqlType::Bytes => DataType::Binary,
            SqlType::Time => DataType::Time32(TimeUnit::Millisecond),
            SqlType::Date => DataType::Date32,
            SqlType::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, None),
            SqlType::Array(element) => DataType::List(Arc::new(Field::new("item", element.to_arrow(), true))),
            SqlType::Map(key, value) => {
                let entries = Fields::from(vec![
                    Field::new("key", key.to_arrow(), false),
                    Field::new("value", value.to_arrow(), true),
                ]);
                DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
            }
            SqlType::Struct(fields) => DataType::Struct(
                fields.iter().map(|(name, ty)| Field::new(name, ty.to_arrow(), true)).collect::<Fields>(),
            ),
        }
    }

    /// The SQL type of an Arrow type, or `None` when ksqlDB's type system has no place for it.
    ///
    /// Wider than the inverse of [`to_arrow`](Self::to_arrow): what functions of DataFusion return
    /// (views, small integers, 32-bit floats) maps to the type that holds all its values.
    pub fn from_arrow(data_type: &DataType) -> Option<SqlType> {
        Some(match data_type {
            DataType::Boolean => SqlType::Boolean,
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => SqlType::Integer,
            DataType::Int64 | DataType::UInt32 | DataType::UInt64 => SqlType::Bigint,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => SqlType::Double,
            DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
                SqlType::Decimal(*precision, u8::try_from(*scale).ok()?)
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => SqlType::String,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                SqlType::Bytes
            }
            DataType::Time32(_) | DataType::Time64(_) => SqlType::Time,
            DataType::Date32 | DataType::Date64 => SqlType::Date,
            DataType::Timestamp(_, _) => SqlType::Timestamp,
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                SqlType::Array(Box::new(SqlType::from_arrow(item.data_type())?))
            }
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) if fields.len() == 2 => SqlType::Map(
                    Box::new(SqlType::from_arrow(fields[0].data_type())?),
                    Box::new(SqlType::from_arrow(fields[1].data_type())?),
                ),
                _ => return None,
            },
            DataType::Struct(fields) => SqlType::Struct(
                fields
                    .iter()
                    .map(|field| Some((field.name().clone(), SqlType::from_arrow(field.data_type())?)))
                    .collect::<Option<_>>()?,
            ),
            _ => return None,
        })
    }

    /// Whether this is one of the four numeric types.
    pub fn is_numeric(&self) -> bool {
        matches!(self, SqlType::Integer | SqlType::Bigint | SqlType::Double | SqlType::Decimal(..))
    }
}

impl fmt::Display for SqlType {
    /// The type as it is written in SQL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SqlType::Boolean => f.write_str("BOOLEAN"),
            SqlType::Integer => f.write_str("INTEGER"),
            SqlType::Bigint => f.write_str("BIGINT"),
            SqlType::Double => f.write_str("DOUBLE"),
            SqlType::Decimal(precision, scale) => write!(f, "DECIMAL({precision}, {scale})"),
            SqlType::String => f.write_str("STRING"),
            SqlType::Bytes => f.write_str("BYTES"),
            SqlType::Time => f.write_str("TIME"),
            SqlType::Date => f.write_str("DATE"),
            SqlType::Timestamp => f.write_str("TIMESTAMP"),
            SqlType::Array(element) => write!(f, "ARRAY<{element}>"),
            SqlType::Map(key, value) => write!(f, "MAP<{key}, {value}>"),
            SqlType::Struct(fields) => {
                f.write_str("STRUCT<")?;
                for (i, (name, ty)) in fields.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}`{}` {ty}", name.replace('`', "``"))?;
                }
                f.write_str(">")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_survives_the_way_to_arrow_and_back() {
        let leaf = [
            SqlType::Boolean,
            SqlType::Integer,
            SqlType::Bigint,
            SqlType::Double,
            SqlType::Decimal(10, 2),
            SqlType::Decimal(50, 3),
            SqlType::String,
            SqlType::Bytes,
            SqlType::Time,
            SqlType::Date,
            SqlType::Timestamp,
        ];
        for ty in leaf {
            let nested = SqlType::Struct(vec![
                ("A".into(), SqlType::Array(Box::new(ty.clone()))),
                ("M".into(), SqlType::Map(Box::new(SqlType::String), Box::new(ty.clone()))),
            ]);
            assert_eq!(SqlType::from_arrow(&ty.to_arrow()), Some(ty));
            assert_eq!(SqlType::from_arrow(&nested.to_arrow()), Some(nested));
        }
    }

    #[test]
    fn types_print_as_sql() {
        let ty = SqlType::Struct(vec![("a b".into(), SqlType::Array(Box::new(SqlType::Decimal(4, 2))))]);
        assert_eq!(ty.to_string(), "STRUCT<`a b` ARRAY<DECIMAL(4, 2)>>");
    }
}
