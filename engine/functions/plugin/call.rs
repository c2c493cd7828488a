//! One call across the boundary: columns out, a column or a reason back.

use std::fmt::Debug;
use std::mem::MaybeUninit;

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::DataType;

use super::abi::{Column, Columns, DONE, FAILED, Function, Listen, Outcome, PANICKED, Run, RunResult, Said};
use super::convert::{export, import};

/// A function in a library. Its columns must be of the declared types and all of one length.
pub trait Callee: Debug + Send + Sync + 'static {
    /// Computes `rows` rows of the declared result.
    ///
    /// # Errors
    /// What the function said, or what is wrong with its result.
    fn call(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef, String>;
}

/// A synchronous function of Arroyo's format.
#[derive(Debug)]
pub struct ArroyoCall {
    /// Its symbol.
    pub run: Run,
    /// What gives the texts of its panics, where there is something.
    pub panics: Option<(Listen, Said)>,
    /// Its result's type.
    pub result: DataType,
}

impl Callee for ArroyoCall {
    fn call(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef, String> {
        let columns = vector(columns)?;
        if let Some((listen, _)) = self.panics {
            // SAFETY: a symbol of our own source, without arguments.
            unsafe { listen() }
        }
        // SAFETY: the columns are of the types that the function was built for, which is what its import relies on, and
        // the vector is one that its allocator can free.
        match unsafe { (self.run)(columns) } {
            // SAFETY: the column was made by Arrow.
            RunResult::Done(column) => unsafe { import(column, &self.result, rows, None) },
            RunResult::Failed => Err(self.panic_text()),
        }
    }
}

impl ArroyoCall {
    /// What to say about a call that panicked just now, on this thread.
    fn panic_text(&self) -> String {
        let Some((_, said)) = self.panics else {
            return "panicked; its message is on standard error".into();
        };
        let mut buffer = [0; 1024];
        // SAFETY: a symbol of our own source, and the buffer has that room.
        let len = unsafe { said(buffer.as_mut_ptr(), buffer.len()) };
        format!("panicked: {}", String::from_utf8_lossy(&buffer[..len.min(buffer.len())]))
    }
}

/// A vector of columns that the library frees.
///
/// It frees with its own global allocator, which is the system's, whatever ours is. So the memory comes from `malloc`.
pub(super) fn vector(columns: &[ArrayRef]) -> Result<Columns, String> {
    let exported = exported(columns)?;
    let (len, bytes) = (exported.len(), exported.len() * size_of::<Column>());
    // SAFETY: a plain allocation; `malloc` aligns to 16 bytes, a column needs 8.
    let start = unsafe { libc::malloc(bytes) }.cast::<Column>();
    if start.is_null() {
        return Err("cannot be called: no memory".into());
    }
    for (index, column) in exported.into_iter().enumerate() {
        // SAFETY: there is room for `len` columns.
        unsafe { start.add(index).write(column) };
    }
    Ok(Columns { start, len, capacity: len, error: false })
}

fn exported(columns: &[ArrayRef]) -> Result<Vec<Column>, String> {
    let column = |column: &ArrayRef| {
        export(column).ok_or_else(|| format!("cannot be called with {}, which does not cross", column.data_type()))
    };
    columns.iter().map(column).collect()
}

/// A vectorized function.
#[derive(Debug)]
pub struct VectorizedCall {
    /// Its description.
    pub function: &'static Function,
    /// Its result's type.
    pub result: DataType,
    /// Whether a row with a null argument is null.
    pub propagates: bool,
}

impl Callee for VectorizedCall {
    fn call(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef, String> {
        let nulls = match self.propagates {
            true => columns.iter().fold(None, |nulls, column| NullBuffer::union(nulls.as_ref(), column.nulls())),
            false => None,
        };
        let mut exported = exported(columns)?;
        let mut outcome = MaybeUninit::<Outcome>::uninit();
        // SAFETY: as many columns as are said, and the callee writes the outcome. The vector stays ours; columns that
        // the callee took are released in it, so that dropping it releases the rest.
        let outcome = unsafe {
            (self.function.call)(exported.as_mut_ptr(), exported.len(), outcome.as_mut_ptr());
            outcome.assume_init()
        };
        // SAFETY: the text is that of this outcome, and read once.
        let text = unsafe { text_of(&outcome) };
        match outcome.status {
            // SAFETY: the column was made by `alcedo-udf`.
            DONE => unsafe { import(outcome.result, &self.result, rows, nulls) },
            PANICKED => Err(format!("panicked: {text}")),
            FAILED => Err(text),
            other => Err(format!("ended in a way that is not known, {other}")),
        }
    }
}

/// The text of an outcome, which is given back.
///
/// # Safety
/// The outcome is a call's, and its text was not read before.
unsafe fn text_of(outcome: &Outcome) -> String {
    if outcome.text.is_null() {
        return String::new();
    }
    // SAFETY: that of this function.
    unsafe {
        let bytes = std::slice::from_raw_parts(outcome.text, outcome.text_len);
        let text = String::from_utf8_lossy(bytes).into_owned();
        if let Some(free) = outcome.free {
            free(outcome.text, outcome.text_len);
        }
        text
    }
}
