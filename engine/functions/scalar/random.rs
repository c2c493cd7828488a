//! `RANDOM`: a number that nobody can tell ahead.

use std::sync::Arc;

use datafusion::arrow::datatypes::Float64Type;

use super::plain::{Plain, primitives};
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::ScalarFunction;
use crate::types::SqlType;

/// The function.
pub fn function() -> Arc<dyn ScalarFunction> {
    let declaration = Declaration::scalar(Category::Mathematical, "RANDOM", "A random number.")
        .form(Variation::new(SqlType::Double, "A number from 0 up to but not 1, another one for each row."))
        .example("RANDOM() < 1", "true")
        .volatile();
    Plain::function(declaration, |call| {
        let mut source = Source::new();
        primitives::<Float64Type>(call, "RANDOM", |_| Ok(Some((source.next() >> 11) as f64 / (1_u64 << 53) as f64)))
    })
}

/// SplitMix64, seeded for each batch by the hasher that the standard library seeds from the system.
pub(super) struct Source(u64);

impl Source {
    pub(super) fn new() -> Source {
        use std::hash::{BuildHasher, RandomState};
        Source(RandomState::new().hash_one(0_u8))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::{sql, sql_text};

    #[test]
    fn numbers_lie_below_one_and_differ() {
        let numbers: Vec<f64> = (0..100).map(|_| sql_text("RANDOM()").parse().expect("a number")).collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        assert!(numbers.windows(2).any(|pair| pair[0] != pair[1]));
        sql(&[("RANDOM() < 1", "true"), ("RANDOM() >= 0", "true"), ("RANDOM() IS NULL", "false")]);
    }
}
