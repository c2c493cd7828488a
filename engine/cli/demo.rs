//! `alcedo demo`: connected cars, from MQTT to scored rows, in one process.

use super::args::DemoArgs;
use crate::error::{Error, Result};

/// Runs the demo.
pub fn command(_args: &DemoArgs) -> Result<u8> {
    Err(Error::usage("the demo is not here yet"))
}
