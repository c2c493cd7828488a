//! The types that cross to a library: their names in a sidecar, in Arrow, and in Arrow's C data interface.

use std::ffi::CStr;

use datafusion::arrow::datatypes::{DataType, TimeUnit};

use super::sidecar::Value;
use crate::error::{Code, Error, Result};

/// (name in a sidecar, Arrow's type, format in the C data interface).
const TYPES: &[(&str, DataType, &CStr)] = &[
    ("Boolean", DataType::Boolean, c"b"),
    ("Int8", DataType::Int8, c"c"),
    ("Int16", DataType::Int16, c"s"),
    ("Int32", DataType::Int32, c"i"),
    ("Int64", DataType::Int64, c"l"),
    ("UInt8", DataType::UInt8, c"C"),
    ("UInt16", DataType::UInt16, c"S"),
    ("UInt32", DataType::UInt32, c"I"),
    ("UInt64", DataType::UInt64, c"L"),
    ("Float32", DataType::Float32, c"f"),
    ("Float64", DataType::Float64, c"g"),
    ("Utf8", DataType::Utf8, c"u"),
    ("Binary", DataType::Binary, c"z"),
    ("Date32", DataType::Date32, c"tdD"),
    ("Time32", DataType::Time32(TimeUnit::Millisecond), c"ttm"),
    ("Timestamp", DataType::Timestamp(TimeUnit::Millisecond, None), c"tsm:"),
];

impl Value {
    /// Arrow's type of it.
    ///
    /// # Errors
    /// When no value of a type of this name crosses to a library.
    pub fn arrow_type(&self) -> Result<DataType> {
        TYPES.iter().find(|(name, ..)| *name == self.data_type).map(|(_, ty, _)| ty.clone()).ok_or_else(|| {
            let known: Vec<&str> = TYPES.iter().map(|(name, ..)| *name).collect();
            Error::refused(Code::InvalidLibrary, format!("{} is not a type of functions in libraries", self.data_type))
                .detail(format!("those are {}", known.join(", ")))
        })
    }

    /// The value of a format of the C data interface.
    pub(super) fn of_format(format: &str, nullable: bool) -> Option<Value> {
        let (name, ..) = TYPES.iter().find(|(_, _, known)| known.to_bytes() == format.as_bytes())?;
        Some(Value { data_type: (*name).to_string(), nullable })
    }
}

/// The format of a type in the C data interface; `None` for a type that does not cross.
pub(super) fn format_of(data_type: &DataType) -> Option<&'static CStr> {
    TYPES.iter().find(|(_, ty, _)| ty == data_type).map(|(_, _, format)| *format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_one_name_and_one_format() {
        for (name, data_type, format) in TYPES {
            let value = Value { data_type: (*name).to_string(), nullable: true };
            assert_eq!(value.arrow_type().expect("a known name"), *data_type);
            assert_eq!(format_of(data_type), Some(*format));
            assert_eq!(Value::of_format(format.to_str().expect("ASCII"), true), Some(value));
        }
        let error = Value { data_type: "Decimal".into(), nullable: true }.arrow_type().expect_err("no such type");
        assert!(error.to_string().starts_with("Decimal is not a type of functions in libraries: those are Boolean, "));
    }
}
