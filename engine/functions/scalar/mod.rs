//! The scalar functions, one a file, each with its declaration and its unit tests.

mod anomaly;

use std::sync::Arc;

use super::kernel::ScalarFunction;

/// All of them.
pub fn all() -> Vec<Arc<dyn ScalarFunction>> {
    vec![Arc::new(anomaly::Anomaly)]
}

#[cfg(test)]
mod testing;
