//! Vectorized SQL functions for Alcedo: arrays in, arrays out, in a library that is loaded at run time.
//!
//! ```
//! use alcedo_udf::{Error, Float64Array, udf};
//!
//! /// The difference of two readings, per second.
//! #[udf(nulls = "propagate")]
//! fn rate(before: &Float64Array, after: &Float64Array, seconds: &Float64Array) -> Result<Float64Array, Error> {
//!     if seconds.values().contains(&0.0) {
//!         return Err(Error::new("the time between two readings cannot be 0"));
//!     }
//!     Ok(after.zip(before, |after, before| after - before).zip(seconds, |change, seconds| change / seconds))
//! }
//! ```
//!
//! Build it as a `cdylib`, and `CREATE FUNCTION rate FROM 'src/lib.rs';` makes it callable. A library may hold any number
//! of functions; each takes at least one array, by reference, and returns an array or a `Result` of one, of as many rows.
//!
//! # Rules
//! - A function sees a part of a stream at a time, cut anywhere: each row of the result may depend on the same row of
//!   the arguments only, or results differ from run to run.
//! - `#[udf(nulls = "propagate")]`: a row with a NULL argument is NULL, whatever the function computed for it. Without it,
//!   nulls are the function's own business.
//! - `#[udf(volatile)]`: equal arguments may give different results, so calls are never computed ahead.
//! - `#[udf(name = "...")]`: another name in SQL. The doc comment is what `DESCRIBE FUNCTION` shows.
//! - An error fails the rows it was called with; the engine calls again with fewer, until only the rows that fail are
//!   left out. Its text reaches the user, so it should not quote values. A panic is caught and told as an error.
//! - The library must be built with `panic = "unwind"`.
//!
//! # In reading order
//! [`Float64Array`] and its kin (`array`), [`Error`], then what the macro uses (`abi`, `glue`). This crate depends on no
//! other but its macro: arrays cross by Arrow's C data interface, so any version of Arrow may stand on the other side.

mod array;
mod error;

#[doc(hidden)]
pub mod abi;
#[doc(hidden)]
pub mod glue;

pub use alcedo_udf_macros::udf;
pub use array::{
    Array, BinaryArray, Bitmap, BooleanArray, Date, Date32Array, Element, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, PrimitiveArray, StringArray, Time, Time32Array, Timestamp, TimestampArray,
    UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
pub use error::Error;

/// What the macro refuses.
///
/// ```compile_fail
/// #[alcedo_udf::udf]
/// fn nothing_in() -> alcedo_udf::Int64Array {
///     vec![1].into()
/// }
/// ```
/// ```compile_fail
/// #[alcedo_udf::udf]
/// fn by_value(values: alcedo_udf::Int64Array) -> alcedo_udf::Int64Array {
///     values
/// }
/// ```
/// ```compile_fail
/// #[alcedo_udf::udf]
/// fn no_array(values: &alcedo_udf::Int64Array) -> i64 {
///     values.get(0).unwrap_or(0)
/// }
/// ```
/// ```compile_fail
/// #[alcedo_udf::udf(nulls = "whatever")]
/// fn unknown_option(values: &alcedo_udf::Int64Array) -> alcedo_udf::Int64Array {
///     values.clone()
/// }
/// ```
/// The same without what was wrong:
/// ```
/// #[alcedo_udf::udf(nulls = "pass", volatile, name = "SAME")]
/// fn same(values: &alcedo_udf::Int64Array) -> alcedo_udf::Int64Array {
///     values.clone()
/// }
/// ```
#[cfg(doctest)]
struct Refused;
