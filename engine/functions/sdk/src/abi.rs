//! What stands in memory between a library and the engine: Arrow's C data interface, and a library's description.
//!
//! The engine has a mirror of these types. A change of any of them raises [`ABI`].

use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::atomic::AtomicPtr;

/// The version of this interface.
pub const ABI: u32 = 1;

/// `struct ArrowArray` of Arrow's C data interface.
#[repr(C)]
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

/// `struct ArrowSchema` of Arrow's C data interface.
#[repr(C)]
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

/// An array with its type. Whoever holds it releases it.
#[repr(C)]
pub struct Column {
    pub array: ArrowArray,
    pub schema: ArrowSchema,
}

/// The schema's flag for a column that may hold nulls.
pub const NULLABLE: i64 = 2;

/// A text of the library's own, valid for as long as it is loaded.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Text {
    pub start: *const u8,
    pub len: usize,
}

impl Text {
    /// The text as it crosses.
    pub const fn new(text: &'static str) -> Text {
        Text { start: text.as_ptr(), len: text.len() }
    }
}

/// An argument or a result.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Parameter {
    pub name: Text,
    /// The type, as Arrow's C data interface writes it.
    pub format: Text,
}

/// How a call ended.
#[repr(C)]
pub struct Outcome {
    /// [`DONE`], [`FAILED`] or [`PANICKED`].
    pub status: u32,
    /// The result, when it is done.
    pub result: Column,
    /// UTF-8 text of the error or the panic, to be given back to `free`; null when it is done.
    pub text: *mut u8,
    pub text_len: usize,
    pub free: Option<unsafe extern "C" fn(*mut u8, usize)>,
}

/// The function computed its rows.
pub const DONE: u32 = 0;
/// The function returned an error.
pub const FAILED: u32 = 1;
/// The function panicked.
pub const PANICKED: u32 = 2;

/// Calls a function: takes `count` columns, leaving them released, and fills the outcome, which is not initialized.
pub type Call = unsafe extern "C" fn(columns: *mut Column, count: usize, outcome: *mut Outcome);

/// A function, as the library describes it.
#[repr(C)]
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
    pub call: Call,
    /// The next function of the library, or null.
    pub next: AtomicPtr<Function>,
}

// SAFETY: texts, parameters and code are immutable statics; `next` is atomic.
unsafe impl Sync for Function {}

/// A library, as the symbol `__alcedo_udf` describes it.
#[repr(C)]
pub struct Library {
    pub abi: u32,
    /// Name and version of this crate.
    pub kit: Text,
    /// Its first function, or null.
    pub first: *const Function,
}

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
            // SAFETY: `release` is set, so this is the one holder of what it releases; it clears the field.
            unsafe { release(self) }
        }
    }
}

impl ArrowSchema {
    /// The schema of a flat column; owns nothing, as the format is a static text.
    pub const fn of(format: &'static std::ffi::CStr) -> ArrowSchema {
        unsafe extern "C" fn release(schema: *mut ArrowSchema) {
            // SAFETY: the holder calls this with its own schema.
            unsafe { (*schema).release = None }
        }
        ArrowSchema {
            format: format.as_ptr(),
            name: c"".as_ptr(),
            metadata: ptr::null(),
            flags: NULLABLE,
            n_children: 0,
            children: ptr::null_mut(),
            dictionary: ptr::null_mut(),
            release: Some(release),
            private_data: ptr::null_mut(),
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
