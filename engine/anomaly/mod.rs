//! Anomaly detection: models and their scores. Knows numbers and texts, no SQL.
//!
//! In reading order: [`text`] reads feature vectors packed into text; [`model`] makes an ONNX graph a checked model,
//! with a `tanh` of its own; [`score`](mod@score) runs whole batches through it; [`builtin`] holds the model inside the binary.
//! The SQL function `ANOMALY` is a thin layer over these, in `functions/scalar/anomaly.rs`.

pub mod text;

pub mod model;

mod tanh;

pub mod score;

pub mod builtin;

pub use builtin::car_autoencoder;
pub use model::{Model, Precision};
pub use score::{Features, Scores, score};
pub use text::{RowFault, Separators, parse_row};
