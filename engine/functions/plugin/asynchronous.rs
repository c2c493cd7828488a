//! Calls of Arroyo's asynchronous functions.
//!
//! A library of that kind has a runtime of its own on a thread of its own. Rows are sent to it one by one, several wait
//! there for their answers, and finished ones are drained. A call here sends all rows of a batch and returns when all are
//! answered, each in its place.
//!
//! The format has two ways to die: a row that takes too long, and a panic. Either ends the runtime with all rows that
//! wait in it, and does not say which row it was. So the rows without an answer are then asked one at a time, each death
//! followed by a fresh runtime: a row that kills it is null and reported. After a few of them the rest of the batch is
//! not asked any more, so that a service that is away costs a batch some timeouts and not one for each row.

use std::sync::Arc;
use std::thread::Thread;
use std::time::{Duration, Instant};

use datafusion::arrow::array::types::UInt64Type;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, new_null_array};
use datafusion::arrow::compute::interleave;
use datafusion::arrow::datatypes::DataType;
use parking_lot::Mutex;

use super::abi::{self, Context, Drained, Future, Handle, Poll, WakerCalls};
use super::call::{Callee, vector};
use super::convert::import;
use super::library::Asynchronous;
use super::sidecar::AsyncOptions;
use crate::functions::row_errors;

/// So many rows of a batch may kill the runtime before the rest of it is not asked any more.
const DEATHS: usize = 3;

/// How much later than its timeout a row's answer may arrive, on a busy machine.
const GRACE: Duration = Duration::from_secs(1);

/// An asynchronous function.
pub struct AsynchronousCall {
    name: String,
    symbols: Asynchronous,
    result: DataType,
    /// Of each argument: whether the function takes nulls.
    nullable: Vec<bool>,
    options: AsyncOptions,
    /// Runtimes that wait for a call. Each call has one for itself, so there are as many as calls at a time.
    idle: Mutex<Vec<Runtime>>,
}

impl AsynchronousCall {
    /// A function with these symbols.
    pub fn new(
        name: &str,
        symbols: Asynchronous,
        result: DataType,
        nullable: Vec<bool>,
        options: AsyncOptions,
    ) -> AsynchronousCall {
        let idle = Mutex::new(Vec::new());
        AsynchronousCall { name: name.to_string(), symbols, result, nullable, options, idle }
    }

    fn runtime(&self) -> Runtime {
        let idle = self.idle.lock().pop();
        idle.unwrap_or_else(|| Runtime::start(self.symbols, self.options))
    }

    /// Whether a row has a null that the function does not take.
    fn skips(&self, columns: &[ArrayRef], row: usize) -> bool {
        columns.iter().zip(&self.nullable).any(|(column, nullable)| !nullable && column.is_null(row))
    }

    fn report(&self, row: usize, rows: usize, text: &str) {
        row_errors::report(row, rows, || format!("{}: {text}", self.name));
    }
}

impl Callee for AsynchronousCall {
    fn call(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef, String> {
        let asked: Vec<usize> = (0..rows).filter(|row| !self.skips(columns, *row)).collect();
        let mut answers = Answers::new(&self.result, rows);
        let mut runtime = self.runtime();
        let mut end = runtime.ask(columns, &asked, &mut answers)?;
        if let End::Dead(_) = end {
            let mut deaths = 0;
            for row in asked {
                if answers.has(row) {
                    continue;
                }
                if deaths == DEATHS {
                    self.report(row, rows, &format!("not asked, as {DEATHS} rows of its batch got no answer"));
                    continue;
                }
                if let End::Dead(_) = end {
                    runtime = Runtime::start(self.symbols, self.options);
                }
                end = runtime.ask(columns, &[row], &mut answers)?;
                if let End::Dead(why) = end {
                    deaths += 1;
                    self.report(row, rows, why);
                }
            }
        }
        if let End::Complete = end {
            self.idle.lock().push(runtime);
        }
        answers.column()
    }
}

impl std::fmt::Debug for AsynchronousCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AsynchronousCall").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How asking some rows ended.
enum End {
    /// All have an answer.
    Complete,
    /// The runtime is gone, or does not answer any more; why.
    Dead(&'static str),
}

/// The answers of a batch as they come: columns of results, and where in them a row's is.
struct Answers {
    /// The first holds one null, for rows without an answer.
    columns: Vec<ArrayRef>,
    places: Vec<(usize, usize)>,
}

impl Answers {
    fn new(result: &DataType, rows: usize) -> Answers {
        Answers { columns: vec![new_null_array(result, 1)], places: vec![(0, 0); rows] }
    }

    fn has(&self, row: usize) -> bool {
        self.places[row].0 != 0
    }

    fn column(&self) -> Result<ArrayRef, String> {
        let columns: Vec<&dyn Array> = self.columns.iter().map(AsRef::as_ref).collect();
        interleave(&columns, &self.places).map_err(|_| "gave more than one column holds".into())
    }
}

/// A running runtime of the library; stopped when dropped.
struct Runtime {
    handle: Handle,
    symbols: Asynchronous,
    patience: Duration,
    /// The id of the next row; never used twice, so that a late answer is not taken for another row's.
    next_id: u64,
}

// SAFETY: the format's handle may be used from any thread, one at a time.
unsafe impl Send for Runtime {}

impl Runtime {
    fn start(symbols: Asynchronous, options: AsyncOptions) -> Runtime {
        let timeout = Duration::from_millis(options.timeout_ms);
        let micros = u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX);
        // SAFETY: a symbol of the format; it starts a thread and returns.
        let handle = unsafe { (symbols.start)(options.ordered, micros, options.allowed_in_flight.max(1)) };
        Runtime { handle, symbols, patience: timeout.saturating_add(GRACE), next_id: 0 }
    }

    /// Sends rows and waits for their answers.
    fn ask(&mut self, columns: &[ArrayRef], rows: &[usize], answers: &mut Answers) -> Result<End, String> {
        let first_id = self.next_id;
        self.next_id += rows.len() as u64;
        let mut asking =
            Asking { runtime: self, rows, first_id, answers, waiting: rows.len(), progress: Instant::now() };
        for (index, row) in rows.iter().enumerate() {
            let one: Vec<ArrayRef> = columns.iter().map(|column| column.slice(*row, 1)).collect();
            if let End::Dead(why) = asking.send(first_id + index as u64, &one)? {
                return Ok(End::Dead(why));
            }
        }
        asking.rest()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // SAFETY: the handle is used for the last time; its thread ends by itself.
        unsafe { (self.symbols.stop)(self.handle) }
    }
}

/// Rows that are being asked.
struct Asking<'a> {
    runtime: &'a Runtime,
    rows: &'a [usize],
    first_id: u64,
    answers: &'a mut Answers,
    /// Rows without an answer.
    waiting: usize,
    /// When the last answer came, or the last row was taken.
    progress: Instant,
}

impl Asking<'_> {
    /// Gives a row to the runtime, taking answers while that is not possible.
    fn send(&mut self, id: u64, columns: &[ArrayRef]) -> Result<End, String> {
        let waker = Arc::new(Unpark { waker: abi::Waker { calls: &UNPARK }, thread: std::thread::current() });
        // SAFETY: the handle is live, the columns are of the function's types, the vector is one it can free.
        let future = unsafe { (self.runtime.symbols.send)(self.runtime.handle, id, vector(columns)?) };
        let future = Polled(future);
        loop {
            match future.poll(&waker) {
                Poll::Ready(true) => {
                    self.progress = Instant::now();
                    return Ok(End::Complete);
                }
                Poll::Ready(false) | Poll::Panicked => {
                    // What was finished before the end can still be had.
                    self.drain()?;
                    return Ok(End::Dead(PANICKED));
                }
                Poll::Pending => {}
            }
            match self.drain()? {
                Some(why) => return Ok(End::Dead(why)),
                None if self.progress.elapsed() > self.runtime.patience => return Ok(End::Dead(SILENT)),
                None => std::thread::park_timeout(Duration::from_millis(1)),
            }
        }
    }

    /// Waits for the answers that are missing. The format cannot wake whoever waits for them, so this looks again and
    /// again, at once at first, then every 2 ms.
    fn rest(&mut self) -> Result<End, String> {
        let mut pause = Duration::from_micros(20);
        while self.waiting > 0 {
            let before = self.waiting;
            if let Some(why) = self.drain()? {
                return Ok(End::Dead(why));
            }
            if self.waiting < before {
                pause = Duration::from_micros(20);
            } else if self.progress.elapsed() > self.runtime.patience {
                return Ok(End::Dead(SILENT));
            } else {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(2));
            }
        }
        Ok(End::Complete)
    }

    /// Takes the answers that are there; why the runtime is dead, when it says so.
    fn drain(&mut self) -> Result<Option<&'static str>, String> {
        // SAFETY: the handle is live.
        let drained = match unsafe { (self.runtime.symbols.drain)(self.runtime.handle) } {
            Drained::None => return Ok(None),
            Drained::Failed => return Ok(Some(TIMED_OUT)),
            Drained::Rows(columns) => columns,
        };
        if drained.len != 2 || drained.start.is_null() {
            return Err("gave answers in another form than ids and results".into());
        }
        // SAFETY: two columns, which are moved out before their vector is freed; the library allocated it by `malloc`.
        let (ids, results) = unsafe {
            let columns = (drained.start.read(), drained.start.add(1).read());
            libc::free(drained.start.cast());
            columns
        };
        let rows = usize::try_from(ids.array.length).unwrap_or(0);
        // SAFETY: the columns were made by Arrow.
        let (ids, results) = unsafe {
            let declared = self.answers.columns[0].data_type().clone();
            (import(ids, &DataType::UInt64, rows, None)?, import(results, &declared, rows, None)?)
        };
        let column = self.answers.columns.len();
        self.answers.columns.push(results);
        for (index, id) in ids.as_primitive::<UInt64Type>().values().iter().enumerate() {
            let row = id.checked_sub(self.first_id).and_then(|at| self.rows.get(usize::try_from(at).ok()?));
            let row = *row.ok_or("gave an answer to a row that was not asked")?;
            if self.answers.has(row) {
                return Err("gave two answers to one row".into());
            }
            self.answers.places[row] = (column, index);
            self.waiting -= 1;
        }
        self.progress = Instant::now();
        Ok(None)
    }
}

const TIMED_OUT: &str = "no answer within its timeout";
const PANICKED: &str = "panicked; its message is on standard error";
const SILENT: &str = "no answer; it panicked, or holds its thread for longer than its timeout";

/// A future of the library; dropped by it.
struct Polled(Future);

impl Polled {
    fn poll(&self, waker: &Arc<Unpark>) -> Poll {
        let mut context = Context { waker: Arc::as_ptr(waker).cast() };
        // SAFETY: the future is live, is polled by one thread, and borrows the waker only for as long.
        unsafe { (self.0.poll)(self.0.state, &mut context) }
    }
}

impl Drop for Polled {
    fn drop(&mut self) {
        // SAFETY: dropped once.
        unsafe { (self.0.drop)(self.0.state) }
    }
}

/// A waker that unparks a thread, in the layout of `async-ffi`; behind an `Arc`, whose pointer it goes by.
#[repr(C)]
struct Unpark {
    waker: abi::Waker,
    thread: Thread,
}

// SAFETY: a pointer to an immutable static, and a thread's handle, which may be used from anywhere.
unsafe impl Send for Unpark {}
// SAFETY: as above.
unsafe impl Sync for Unpark {}

static UNPARK: WakerCalls = {
    // SAFETY of all four: the pointer is that of an `Arc<Unpark>`, which begins with its waker; `clone` adds to its
    // count what `wake` and `drop` take away.
    unsafe extern "C" fn clone(waker: *const abi::Waker) -> *const abi::Waker {
        unsafe { Arc::increment_strong_count(waker.cast::<Unpark>()) };
        waker
    }
    unsafe extern "C" fn wake(waker: *const abi::Waker) {
        unsafe { Arc::from_raw(waker.cast::<Unpark>()) }.thread.unpark();
    }
    unsafe extern "C" fn wake_by_ref(waker: *const abi::Waker) {
        unsafe { &*waker.cast::<Unpark>() }.thread.unpark();
    }
    unsafe extern "C" fn drop(waker: *const abi::Waker) {
        unsafe { Arc::decrement_strong_count(waker.cast::<Unpark>()) };
    }
    WakerCalls { clone, wake, wake_by_ref, drop }
};
