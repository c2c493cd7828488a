//! The side channel on which a kernel reports the rows it could not compute.
//!
//! A kernel has one result, a column; it answers null for a row it cannot compute and reports the row here. Whoever
//! evaluates on the same thread collects the reports right after. Bounded, so that a stream of nothing but bad rows
//! costs counting, not memory.

use std::borrow::Cow;
use std::cell::RefCell;

/// How many reports are kept between two collections; more are only counted.
const KEPT: usize = 1024;

/// A row that could not be computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// Its position in the batch.
    pub row: usize,
    /// What was wrong, without a value from the data.
    pub message: Cow<'static, str>,
}

#[derive(Default)]
struct Channel {
    kept: Vec<RowError>,
    dropped: u64,
}

thread_local! {
    static CHANNEL: RefCell<Channel> = RefCell::default();
}

/// Reports a row of the batch that is being computed.
pub fn report(row: usize, message: impl Into<Cow<'static, str>>) {
    CHANNEL.with_borrow_mut(|channel| {
        if channel.kept.len() < KEPT {
            channel.kept.push(RowError { row, message: message.into() });
        } else {
            channel.dropped += 1;
        }
    });
}

/// Takes the reports since the last call, and how many more there were that were not kept.
pub fn take() -> (Vec<RowError>, u64) {
    CHANNEL.with_borrow_mut(|channel| (std::mem::take(&mut channel.kept), std::mem::take(&mut channel.dropped)))
}

/// Whether anything was reported since the last [`take`].
pub fn any() -> bool {
    CHANNEL.with_borrow(|channel| !channel.kept.is_empty())
}
