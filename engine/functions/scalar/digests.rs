//! `MD5` and `UUID`.

use std::fmt::Write;
use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::config::ConfigOptions;
use datafusion::functions::crypto::md5;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

use super::plain::{Plain, strings};
use super::random::Source;
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::ScalarFunction;
use crate::types::SqlType;

/// Both functions.
pub fn functions() -> Vec<Arc<dyn ScalarFunction>> {
    let digest = Declaration::scalar(Category::String, "MD5", "The MD5 digest of a text.")
        .form(Variation::new(SqlType::String, "The digest of the text's UTF-8, in hexadecimal.").param(
            "s",
            SqlType::String,
            "The text.",
        ))
        .example("MD5('')", "d41d8cd98f00b204e9800998ecf8427e");
    let uuid = Declaration::scalar(Category::String, "UUID", "A universally unique identifier.")
        .form(Variation::new(SqlType::String, "A random identifier (version 4), another one for each row."))
        .form(Variation::new(SqlType::String, "The identifier of 16 bytes; NULL for any other number of them.").param(
            "bytes",
            SqlType::Bytes,
            "The bytes.",
        ))
        .example("UUID(TO_BYTES('00112233445566778899aabbccddeeff', 'hex'))", "00112233-4455-6677-8899-aabbccddeeff")
        .example("LEN(UUID())", "36")
        .volatile();
    vec![
        Plain::function(digest, |call| {
            let field = |data_type: &DataType| Arc::new(Field::new("md5", data_type.clone(), true));
            let result = md5().invoke_with_args(ScalarFunctionArgs {
                args: vec![ColumnarValue::Array(call.args[0].clone())],
                arg_fields: vec![field(&DataType::Utf8)],
                number_rows: call.rows,
                return_field: field(&DataType::Utf8View),
                config_options: Arc::new(ConfigOptions::default()),
            })?;
            Ok(datafusion::arrow::compute::cast(&result.into_array(call.rows)?, &DataType::Utf8)?)
        }),
        Plain::function(uuid, |call| {
            let mut source = Source::new();
            strings(call, "UUID", |row, out| {
                let bytes: [u8; 16] = match call.args.first() {
                    None => {
                        let random = (u128::from(source.next()) << 64) | u128::from(source.next());
                        let mut bytes = random.to_be_bytes();
                        // Version 4 and the variant of RFC 9562.
                        bytes[6] = (bytes[6] & 0x0f) | 0x40;
                        bytes[8] = (bytes[8] & 0x3f) | 0x80;
                        bytes
                    }
                    Some(_) if call.null_at(row) => return Ok(None),
                    Some(given) => match given.as_binary::<i32>().value(row).try_into() {
                        Ok(bytes) => bytes,
                        Err(_) => return Ok(None),
                    },
                };
                for (i, byte) in bytes.iter().enumerate() {
                    let dash = if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" };
                    let _ = write!(out, "{dash}{byte:02x}");
                }
                Ok(Some(()))
            })
        }),
    ]
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::{sql, sql_text};

    #[test]
    fn digests() {
        sql(&[
            ("MD5(CAST(NULL AS STRING))", "null"),
            ("MD5('hello')", "5d41402abc4b2a76b9719d911017c592"),
            ("MD5('ä')", "8419b71c87a225a2c70b50486fbee545"),
        ]);
    }

    #[test]
    fn identifiers_are_unique_and_say_their_version() {
        let (one, other) = (sql_text("UUID()"), sql_text("UUID()"));
        assert_ne!(one, other);
        assert!(one.len() == 36 && one.as_bytes()[14] == b'4' && b"89ab".contains(&one.as_bytes()[19]), "{one}");
        sql(&[
            ("UUID(TO_BYTES('00112233445566778899aabbccddeeff', 'hex'))", "00112233-4455-6677-8899-aabbccddeeff"),
            ("UUID(CAST(NULL AS BYTES))", "null"),
            ("UUID(TO_BYTES('00', 'hex'))", "null"),
        ]);
    }
}
