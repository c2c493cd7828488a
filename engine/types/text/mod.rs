//! Values of SQL types as text, by Java's rules.
//!
//! Casts, formats and literals all turn text into values and back; what `Integer.parseInt`, `Double.parseDouble`,
//! `BigDecimal` and `java.time` accept and print is what SQL files written for ksqlDB rely on, so those rules live
//! here, once, over bytes and without allocation.

pub mod base64;
pub mod decimal;
pub mod java_date;
pub mod java_time;
pub mod json;
pub mod number;
pub mod time;
pub mod visible;
pub mod zone;
