//! The model inside the binary.
//!
//! `models/car_autoencoder.md` says where it comes from and what it is good for.

use std::sync::{Arc, OnceLock};

use super::model::{Model, Precision};
use crate::error::Result;

/// The name of the default model.
pub const CAR_AUTOENCODER: &str = "car_autoencoder";

static ONNX_F64: &[u8] = include_bytes!("../../models/car_autoencoder.onnx");
static ONNX_F32: &[u8] = include_bytes!("../../models/car_autoencoder_f32.onnx");

/// The car demo's autoencoder, 210 readings a row; loaded at the first call and shared from then on.
///
/// # Errors
/// Never, as long as the embedded file is intact, which a test checks.
pub fn car_autoencoder(precision: Precision) -> Result<Arc<Model>> {
    static F64: OnceLock<Arc<Model>> = OnceLock::new();
    static F32: OnceLock<Arc<Model>> = OnceLock::new();
    let (slot, bytes) = match precision {
        Precision::F64 => (&F64, ONNX_F64),
        Precision::F32 => (&F32, ONNX_F32),
    };
    if let Some(model) = slot.get() {
        return Ok(model.clone());
    }
    // Two threads may both load it; one of the two is kept.
    let model = Arc::new(Model::from_onnx(bytes)?);
    Ok(slot.get_or_init(|| model).clone())
}
