//! Errors of single rows, beside the result of a vectorized function.
//!
//! A function sees a whole column at once and returns a whole column; when it returns an error, the batch has failed.
//! One bad row must not do that, so a function nulls the row and reports it here, and whoever evaluates the batch
//! collects the reports:
//!
//! ```
//! use alcedo::functions::row_errors;
//! let (result, errors) = row_errors::with_sink(3, || {
//!     row_errors::report(1, 3, || "field 4 at byte 17 is not a number".to_string());
//!     42
//! });
//! assert_eq!((result, errors[0].row), (42, Some(1)));
//! ```
//!
//! The channel is a thread-local one, which costs nothing when there is nothing to report. It rests on an invariant:
//! **the evaluation of a batch neither leaves the thread nor yields it.** Tasks are single-threaded state machines and
//! `PhysicalExpr` evaluation is a plain call, so it holds.
//!
//! Rows are counted within the batch a function was called with. `CASE`, `AND` and `OR` evaluate their branches on the
//! rows that need them only, as a smaller batch, whose row numbers mean nothing outside. So a report says how many rows
//! its call had, and becomes a report without a row number when that is not the number of the batch's rows.

use std::cell::RefCell;

/// A row that a function could not compute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// Which row of the batch, or `None` when the function saw only some of its rows.
    pub row: Option<usize>,
    /// What was wrong; names the function, and no value.
    pub message: String,
}

struct Sink {
    rows: usize,
    errors: Vec<RowError>,
}

thread_local! {
    static SINK: RefCell<Option<Sink>> = const { RefCell::new(None) };
}

/// Evaluates something over a batch of `rows` rows and returns what it reported beside its result.
///
/// Sinks nest: the inner one takes the reports while it is open.
pub fn with_sink<T>(rows: usize, evaluate: impl FnOnce() -> T) -> (T, Vec<RowError>) {
    /// Puts the outer sink back, also when the evaluation panics.
    struct Outer(Option<Sink>);
    impl Drop for Outer {
        fn drop(&mut self) {
            SINK.set(self.0.take());
        }
    }
    let outer = Outer(SINK.replace(Some(Sink { rows, errors: Vec::new() })));
    let result = evaluate();
    let errors = SINK.take().map(|sink| sink.errors).unwrap_or_default();
    drop(outer);
    (result, errors)
}

/// Reports a row that became null because the function failed on it; `rows` is how many rows the call had.
///
/// Without a sink, as in constant folding, the report is dropped and its text never made.
pub fn report(row: usize, rows: usize, message: impl FnOnce() -> String) {
    SINK.with_borrow_mut(|sink| {
        if let Some(sink) = sink {
            let row = (rows == sink.rows).then_some(row);
            sink.errors.push(RowError { row, message: message() });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report_one(row: usize, rows: usize) {
        report(row, rows, || format!("row {row}"));
    }

    #[test]
    fn reports_reach_the_sink_that_is_open_and_no_other() {
        report_one(0, 1);
        let (inner, outer) = with_sink(5, || {
            report_one(4, 5);
            let ((), inner) = with_sink(2, || report_one(1, 2));
            report_one(2, 5);
            inner
        });
        assert_eq!(inner.iter().map(|error| error.row).collect::<Vec<_>>(), [Some(1)]);
        assert_eq!(outer.iter().map(|error| error.row).collect::<Vec<_>>(), [Some(4), Some(2)]);
        assert_eq!(with_sink(1, || ()).1, []);
    }

    #[test]
    fn a_call_on_some_of_the_rows_reports_without_a_row_number() {
        let ((), errors) = with_sink(5, || report_one(1, 3));
        assert_eq!(errors, [RowError { row: None, message: "row 1".into() }]);
    }

    #[test]
    fn a_panic_closes_the_sink() {
        let caught = std::panic::catch_unwind(|| with_sink(1, || panic!("on purpose")));
        assert!(caught.is_err());
        report(0, 1, || unreachable!("nobody listens"));
    }
}
