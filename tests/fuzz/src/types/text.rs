//! Texts of types, as far as errors need them.

#[path = "../../../../engine/types/text/visible.rs"]
pub mod visible;
