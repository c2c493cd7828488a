//! What stands in memory between the engine and a library: a mirror of three published layouts.
//!
//! - Arrow's C data interface: [`ArrowArray`], [`ArrowSchema`].
//! - Arroyo's plugin format as of `arroyo-udf-plugin` 0.2 (with `async-ffi` 0.5): [`Columns`], [`RunResult`], [`Run`]
//!   and what the asynchronous functions use.
//! - Ours, of `alcedo-udf`, whose `abi.rs` is the other side: [`Library`], [`Function`], [`Outcome`].
//!
//! Sizes are asserted below; `udfs/` is built and called by the tests, which shows that fields stand where they should.

use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::atomic::AtomicPtr;

/// `struct ArrowArray` of Arrow's C data interface. Whoever holds it releases it.
#[repr(C)]
#[derive(Debug)]
pub struct ArrowArray {
    pub length: i64,
    pub null_count: i64,
    pub offset: i64,
    pub n_buffers: i64,
    pub n_children: i64,
    pub buffers: *mut *const c_void,
    pub children: *mut *mut ArrowArray,
    pub dictionary: *mut ArrowArray,
    pub release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    pub private_data: *mut c_void,
}

/// `struct ArrowSchema` of Arrow's C data interface. Whoever holds it releases it.
#[repr(C)]
#[derive(Debug)]
pub struct ArrowSchema {
    pub format: *const c_char,
    pub name: *const c_char,
    pub metadata: *const c_char,
    pub flags: i64,
    pub n_children: i64,
    pub children: *mut *mut ArrowSchema,
    pub dictionary: *mut ArrowSchema,
    pub release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    pub private_data: *mut c_void,
}

/// The schema's flag for a column that may hold nulls.
pub const NULLABLE: i64 = 2;

/// An array with its type; Arroyo's `FfiArraySchema`.
#[repr(C)]
#[derive(Debug)]
pub struct Column {
    pub array: ArrowArray,
    pub schema: ArrowSchema,
}

/// A vector of columns that one side allocated and the other frees, by `malloc` and `free`; Arroyo's `FfiArrays`.
#[repr(C)]
pub struct Columns {
    pub start: *mut Column,
    pub len: usize,
    pub capacity: usize,
    /// Always false, never read.
    pub error: bool,
}

/// What `__run` returns.
#[allow(dead_code, reason = "made on the other side")]
#[repr(C)]
pub enum RunResult {
    Done(Column),
    Failed,
}

/// Arroyo's synchronous function, symbol `__run`. It frees the vector.
pub type Run = unsafe extern "C-unwind" fn(Columns) -> RunResult;

/// `__alcedo_listen()` of [`ADDITION`](super::ADDITION).
pub type Listen = unsafe extern "C" fn();
/// `__alcedo_said(buffer, capacity)` of [`ADDITION`](super::ADDITION): bytes of UTF-8 written.
pub type Said = unsafe extern "C" fn(*mut u8, usize) -> usize;

/// The runtime of an asynchronous function.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Handle(pub *mut c_void);

/// What `__drain_results` returns: ids (`UInt64`) and results, a vector the engine frees.
#[allow(dead_code, reason = "made on the other side")]
#[repr(C)]
pub enum Drained {
    Rows(Columns),
    None,
    Failed,
}

/// A future of `async-ffi`, version 2 of its interface.
#[repr(C)]
pub struct Future {
    pub state: *mut c_void,
    pub poll: unsafe extern "C" fn(*mut c_void, *mut Context) -> Poll,
    pub drop: unsafe extern "C" fn(*mut c_void),
}

/// What polling a future of a boolean gives.
#[allow(dead_code, reason = "made on the other side")]
#[repr(C, u8)]
pub enum Poll {
    Ready(bool),
    Pending,
    Panicked,
}

/// What a future is polled with.
#[repr(C)]
pub struct Context {
    pub waker: *const Waker,
}

/// A waker: any struct that begins with this.
#[repr(C)]
pub struct Waker {
    pub calls: *const WakerCalls,
}

/// What can be done with a waker. A context's own is only borrowed: it is cloned or woken by reference.
#[repr(C)]
pub struct WakerCalls {
    pub clone: unsafe extern "C" fn(*const Waker) -> *const Waker,
    pub wake: unsafe extern "C" fn(*const Waker),
    pub wake_by_ref: unsafe extern "C" fn(*const Waker),
    pub drop: unsafe extern "C" fn(*const Waker),
}

/// `__start(ordered, timeout in microseconds, rows in flight)`.
pub type Start = unsafe extern "C-unwind" fn(bool, u64, u32) -> Handle;
/// `__send(runtime, id, one row)`: false when the runtime is gone. It frees the vector.
pub type SendRow = unsafe extern "C-unwind" fn(Handle, u64, Columns) -> Future;
/// `__drain_results(runtime)`.
pub type Drain = unsafe extern "C-unwind" fn(Handle) -> Drained;
/// `__stop_runtime(runtime)`.
pub type Stop = unsafe extern "C-unwind" fn(Handle);

/// The version of `alcedo-udf`'s interface that this is.
pub const VECTORIZED: u32 = 1;

/// A text of a library's own.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Text {
    pub start: *const u8,
    pub len: usize,
}

/// An argument or a result of a vectorized function.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    pub name: Text,
    /// The type, as Arrow's C data interface writes it.
    pub format: Text,
}

/// How a call of a vectorized function ended.
#[repr(C)]
pub struct Outcome {
    /// [`DONE`], [`FAILED`] or [`PANICKED`].
    pub status: u32,
    pub result: Column,
    /// UTF-8 text of the error or the panic, given back to `free`.
    pub text: *mut u8,
    pub text_len: usize,
    pub free: Option<unsafe extern "C" fn(*mut u8, usize)>,
}

pub const DONE: u32 = 0;
pub const FAILED: u32 = 1;
pub const PANICKED: u32 = 2;

/// A vectorized function, as its library describes it. The description never changes.
#[repr(C)]
#[derive(Debug)]
pub struct Function {
    pub name: Text,
    pub description: Text,
    pub version: Text,
    pub parameters: *const Parameter,
    pub parameter_count: usize,
    pub result: Parameter,
    /// 0: a null is passed to the function; 1: a row with a null argument is null.
    pub nulls: u32,
    /// 0: equal arguments give equal results; 1: they may not.
    pub volatile: u32,
    /// Takes the columns, leaving them released; the vector stays the engine's.
    pub call: unsafe extern "C" fn(columns: *mut Column, count: usize, outcome: *mut Outcome),
    pub next: AtomicPtr<Function>,
}

// SAFETY: a description is made of statics of a library that is never closed; only `next` changes, atomically.
unsafe impl Sync for Function {}

/// A library of vectorized functions, from the symbol `__alcedo_udf`.
#[repr(C)]
pub struct Library {
    pub abi: u32,
    pub kit: Text,
    pub first: *const Function,
}

/// The symbol `__alcedo_udf`.
pub type Describe = unsafe extern "C" fn() -> Library;

const _: () = {
    assert!(size_of::<ArrowArray>() == 80 && size_of::<ArrowSchema>() == 72 && size_of::<Column>() == 152);
    assert!(size_of::<Columns>() == 32 && size_of::<RunResult>() == 160 && size_of::<Drained>() == 40);
    assert!(size_of::<Handle>() == 8 && size_of::<Future>() == 24 && size_of::<Poll>() == 2);
    assert!(size_of::<Outcome>() == 184 && size_of::<Function>() == 120 && size_of::<Library>() == 32);
    assert!(align_of::<Column>() == 8 && align_of::<Outcome>() == 8 && align_of::<Function>() == 8);
};

impl ArrowArray {
    /// An array that was given away.
    pub const fn released() -> ArrowArray {
        ArrowArray {
            length: 0,
            null_count: 0,
            offset: 0,
            n_buffers: 0,
            n_children: 0,
            buffers: ptr::null_mut(),
            children: ptr::null_mut(),
            dictionary: ptr::null_mut(),
            release: None,
            private_data: ptr::null_mut(),
        }
    }
}

impl Drop for ArrowArray {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: with `release` set, this is the one holder of what it releases.
            unsafe { release(self) }
        }
    }
}

impl Drop for ArrowSchema {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: as for the array.
            unsafe { release(self) }
        }
    }
}
