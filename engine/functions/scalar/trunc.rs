//! `TRUNC`: toward zero, with so many decimals.

use std::sync::Arc;

use datafusion::arrow::array::ArrowNativeTypeOp;

use super::places::{self, Places, Texts};
use crate::functions::declaration::{Category, Declaration};
use crate::functions::kernel::ScalarFunction;

struct Trunc;

/// The function.
pub fn function() -> Arc<dyn ScalarFunction> {
    let declaration = Declaration::scalar(Category::Mathematical, Trunc::NAME, "Cuts decimals off.")
        .example("TRUNC(2.7e0)", "2")
        .example("TRUNC(-12345.678, 1)", "-12345.600");
    let texts = Texts {
        whole: "The number without its decimals.",
        places: "The number with so many decimals, the others cut off.",
        decimals: "How many decimals to keep; -1 keeps tens, -2 hundreds.",
    };
    places::function::<Trunc>(declaration, texts)
}

impl Places for Trunc {
    const NAME: &'static str = "TRUNC";

    fn whole(value: f64) -> i64 {
        value as i64
    }

    fn digits(_negative: bool, kept: u64, _rest: u64, _half: u64) -> u64 {
        kept
    }

    fn multiple<N: ArrowNativeTypeOp>(unscaled: N, unit: N) -> N {
        unscaled.sub_wrapping(unscaled.mod_wrapping(unit))
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::sql;

    #[test]
    fn numbers_are_cut_toward_zero() {
        sql(&[
            ("TRUNC(CAST(NULL AS DOUBLE))", "null"),
            ("TRUNC(1.9e0, CAST(NULL AS INT))", "null"),
            ("TRUNC(-1.9e0)", "-1"),
            ("TRUNC(5)", "5"),
            ("TRUNC(1.999e0, 2)", "1.99"),
            ("TRUNC(-1.999e0, 2)", "-1.99"),
            ("TRUNC(1234.5e0, -2)", "1200.0"),
            ("TRUNC(12e0, -2)", "0.0"),
            ("TRUNC(SQRT(-1), 2)", "null"),
            ("TRUNC(-1.99)", "-1"),
            ("TRUNC(1.99, 1)", "1.90"),
            ("TRUNC(199.99, -2)", "100.00"),
            ("TRUNC(1.99, 9)", "1.99"),
        ]);
    }
}
