//! The facade every front end uses.

mod outcome;

pub use outcome::{CancelHandle, EndReason, Listing, Outcome, RowColumn, RowEvent, RowStream};
