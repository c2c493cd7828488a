//! SQL types as the parser knows them: what Arrow makes of them is no matter of the front end.

pub mod text;

use std::fmt;

/// A SQL type; see `engine/types/mod.rs`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SqlType {
    Boolean,
    Integer,
    Bigint,
    Double,
    Decimal(u8, u8),
    String,
    Bytes,
    Time,
    Date,
    Timestamp,
}

impl fmt::Display for SqlType {
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
        }
    }
}
