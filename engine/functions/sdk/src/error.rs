//! What a function failed with: a text, which crosses to the engine and its user.

use std::fmt;

/// Why a function could not compute its rows. Any error converts into it by `?`.
pub struct Error(String);

impl Error {
    /// An error with this text: what was found and what is wanted, without values of the data.
    pub fn new(text: impl fmt::Display) -> Error {
        Error(text.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// `Error` itself is no `std::error::Error`, which is what makes room for this conversion.
impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Error(error.to_string())
    }
}
