//! Why a function in a library did not give a column.

use std::fmt;

use datafusion::common::DataFusionError;

/// What went wrong in one call, told by the function or seen by the host. It names the function, and quotes no values
/// but those the function's author put into a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    function: String,
    text: String,
}

impl Failure {
    pub(super) fn new(function: &str, text: impl Into<String>) -> Failure {
        Failure { function: function.to_uppercase(), text: text.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.function, self.text)
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for DataFusionError {
    fn from(failure: Failure) -> Self {
        DataFusionError::External(Box::new(failure))
    }
}
