//! The scalar functions, one a file, each with its declaration and its unit tests.
//!
//! `decimals` and `strings` hold what several of them share.

mod decimals;
mod strings;

mod abs;
mod anomaly;
mod ceil;
mod coalesce;
mod concat;
mod floor;
mod ifnull;
mod lcase;
mod len;
mod round;
mod substring;
mod trim;
mod ucase;

use std::sync::Arc;

use super::kernel::ScalarFunction;

/// All of them.
pub fn all() -> Vec<Arc<dyn ScalarFunction>> {
    vec![
        Arc::new(abs::Abs),
        Arc::new(anomaly::Anomaly),
        Arc::new(ceil::Ceil),
        Arc::new(coalesce::Coalesce),
        Arc::new(concat::Concat),
        Arc::new(floor::Floor),
        Arc::new(ifnull::Ifnull),
        Arc::new(lcase::Lcase),
        Arc::new(len::Len),
        Arc::new(round::Round),
        Arc::new(substring::Substring),
        Arc::new(trim::Trim),
        Arc::new(ucase::Ucase),
    ]
}

#[cfg(test)]
mod testing;
