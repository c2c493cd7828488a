//! `INT_FROM_BYTES`, `BIGINT_FROM_BYTES`, `DOUBLE_FROM_BYTES`.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray};
use datafusion::arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use datafusion::common::Result as DfResult;

use super::plain::{Plain, fail, primitives};
use super::strings::texts;
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::types::SqlType;

/// All three functions.
pub fn functions() -> Vec<Arc<dyn ScalarFunction>> {
    let declare = |name: &'static str, ty: SqlType, bytes: usize, example: &'static str, result: &'static str| {
        let form =
            || {
                Variation::new(ty.clone(), format!("The number; NULL for any other number of bytes than {bytes}."))
                    .param("value", SqlType::Bytes, "The bytes.")
            };
        Declaration::scalar(Category::Conversion, name, format!("The number that {bytes} bytes stand for."))
            .form(form())
            .form(form().param("byteOrder", SqlType::String, "BIG_ENDIAN, which is the default, or LITTLE_ENDIAN."))
            .example(example, result)
    };
    vec![
        Plain::function(
            declare("INT_FROM_BYTES", SqlType::Integer, 4, "INT_FROM_BYTES(TO_BYTES('000007e5', 'hex'))", "2021"),
            |call| convert::<Int32Type, 4>(call, "INT_FROM_BYTES", i32::from_be_bytes),
        ),
        Plain::function(
            declare(
                "BIGINT_FROM_BYTES",
                SqlType::Bigint,
                8,
                "BIGINT_FROM_BYTES(TO_BYTES('000000012a05f200', 'hex'))",
                "5000000000",
            ),
            |call| convert::<Int64Type, 8>(call, "BIGINT_FROM_BYTES", i64::from_be_bytes),
        ),
        Plain::function(
            declare(
                "DOUBLE_FROM_BYTES",
                SqlType::Double,
                8,
                "DOUBLE_FROM_BYTES(TO_BYTES('3ff8000000000000', 'hex'))",
                "1.5",
            ),
            |call| convert::<Float64Type, 8>(call, "DOUBLE_FROM_BYTES", f64::from_be_bytes),
        ),
    ]
}

fn convert<T: ArrowPrimitiveType, const N: usize>(
    call: &Call,
    name: &str,
    read: fn([u8; N]) -> T::Native,
) -> DfResult<ArrayRef> {
    let (values, orders) = (call.args[0].as_binary::<i32>(), call.args.get(1).map(texts));
    primitives::<T>(call, name, |row| {
        if call.null_at(row) {
            return Ok(None);
        }
        let Ok(mut bytes) = <[u8; N]>::try_from(values.value(row)) else {
            return fail(format!("the number of bytes is not {N}"));
        };
        match orders.map_or("BIG_ENDIAN", |orders| orders.value(row)) {
            order if order.eq_ignore_ascii_case("BIG_ENDIAN") => {}
            order if order.eq_ignore_ascii_case("LITTLE_ENDIAN") => bytes.reverse(),
            _ => return fail("the byte order is neither BIG_ENDIAN nor LITTLE_ENDIAN"),
        }
        Ok(Some(read(bytes)))
    })
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::{sql, sql_fails};

    #[test]
    fn bytes_are_numbers() {
        sql(&[
            ("INT_FROM_BYTES(TO_BYTES('5QcAAA==', 'base64'), 'LITTLE_ENDIAN')", "2021"),
            ("INT_FROM_BYTES(TO_BYTES('ffffffff', 'hex'), 'big_endian')", "-1"),
            ("INT_FROM_BYTES(CAST(NULL AS BYTES))", "null"),
            ("BIGINT_FROM_BYTES(TO_BYTES('APIFKgEAAAA=', 'base64'), 'LITTLE_ENDIAN')", "5000000000"),
            ("BIGINT_FROM_BYTES(CAST(NULL AS BYTES), 'BIG_ENDIAN')", "null"),
            ("DOUBLE_FROM_BYTES(TO_BYTES('gvXJm/2mgEA=', 'base64'), 'LITTLE_ENDIAN')", "532.8738323"),
            ("DOUBLE_FROM_BYTES(CAST(NULL AS BYTES))", "null"),
        ]);
        sql_fails(&[
            ("INT_FROM_BYTES(TO_BYTES('00', 'hex'))", "not 4"),
            ("BIGINT_FROM_BYTES(TO_BYTES('00000000', 'hex'))", "not 8"),
            ("DOUBLE_FROM_BYTES(TO_BYTES('0000000000000000', 'hex'), 'x')", "byte order"),
        ]);
    }
}
