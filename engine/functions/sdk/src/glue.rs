//! What `#[udf]` generates calls to: arguments in, results out, panics caught, functions listed.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CStr, c_void};
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Once};
use std::{mem, ptr};

use crate::abi::{
    ABI, ArrowArray, ArrowSchema, Column, DONE, FAILED, Function, Library, Outcome, PANICKED, Parameter, Text,
};
use crate::array::{Array, Bitmap, Buffer, Parts};
use crate::error::Error;

/// The functions of this library, as a list through their `next`.
static FIRST: AtomicPtr<Function> = AtomicPtr::new(ptr::null_mut());

/// Lists a function; called once for each when the library is loaded.
pub fn register(function: &'static Function) {
    let this = ptr::from_ref(function).cast_mut();
    let mut first = FIRST.load(Ordering::Acquire);
    loop {
        function.next.store(first, Ordering::Release);
        match FIRST.compare_exchange_weak(first, this, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return,
            Err(now) => first = now,
        }
    }
}

/// What this library holds.
#[unsafe(no_mangle)]
pub extern "C" fn __alcedo_udf() -> Library {
    let kit = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    Library { abi: ABI, kit: Text::new(kit), first: FIRST.load(Ordering::Acquire) }
}

/// What a function may return.
pub trait Returned {
    /// The column of it.
    type Column: Array;
    /// The column, or why there is none.
    fn returned(self) -> Result<Self::Column, Error>;
}

impl<A: Array> Returned for A {
    type Column = A;

    fn returned(self) -> Result<A, Error> {
        Ok(self)
    }
}

impl<A: Array, E: Display> Returned for Result<A, E> {
    type Column = A;

    fn returned(self) -> Result<A, Error> {
        self.map_err(Error::new)
    }
}

/// An argument's entry of a description.
pub const fn parameter<A: Array>(name: &'static str) -> Parameter {
    parameter_of(name, A::FORMAT)
}

/// The result's entry of a description.
pub const fn result<R: Returned>() -> Parameter {
    parameter_of("", <R::Column as Array>::FORMAT)
}

const fn parameter_of(name: &'static str, format: &'static CStr) -> Parameter {
    let bytes = format.to_bytes();
    Parameter { name: Text::new(name), format: Text { start: bytes.as_ptr(), len: bytes.len() } }
}

/// The arguments of a call, taken one after the other.
pub struct Arguments<'a> {
    columns: &'a mut [Column],
    taken: usize,
}

impl Arguments<'_> {
    /// The next argument.
    ///
    /// # Errors
    /// When there is none, or it is of another type, which the engine does not let happen.
    pub fn take<A: Array>(&mut self) -> Result<A, Error> {
        let index = self.taken;
        self.taken += 1;
        let column = self.columns.get_mut(index).ok_or_else(|| Error::new("called with too few arguments"))?;
        // SAFETY: a column that the engine gave has a format, which ends with a zero byte.
        let format = unsafe { CStr::from_ptr(column.schema.format) };
        if format != A::FORMAT {
            let (wanted, found) = (A::FORMAT.to_string_lossy(), format.to_string_lossy());
            return Err(Error::new(format!("argument {} is of Arrow's type {found}, not {wanted}", index + 1)));
        }
        let array = mem::replace(&mut column.array, ArrowArray::released());
        // SAFETY: the format says what its buffers are, and it was taken out, so it is released once.
        Ok(A::from_parts(unsafe { taken_apart(array, A::FORMAT) }))
    }
}

/// A column's memory, released when the last of its buffers is dropped.
struct Foreign {
    _array: ArrowArray,
}

// SAFETY: the C data interface lets an array be released on any thread; its memory is only read.
unsafe impl Send for Foreign {}
// SAFETY: as above.
unsafe impl Sync for Foreign {}

/// # Safety
/// The array is a live one of the given type.
unsafe fn taken_apart(array: ArrowArray, format: &CStr) -> Parts {
    let (len, offset) = (array.length as usize, array.offset as usize);
    let buffer = |index: usize| -> *const u8 {
        // SAFETY: an array of this type has the buffer.
        unsafe { (*array.buffers.add(index)).cast() }
    };
    let (valid, first) = (buffer(0), buffer(1));
    let format = format.to_bytes();
    let is_bytes = format == b"u" || format == b"z";
    let last = if is_bytes { buffer(2) } else { ptr::null() };
    let owner: Arc<dyn Any + Send + Sync> = Arc::new(Foreign { _array: array });
    let memory = |start: *const u8, len: usize| {
        // Nothing may stand behind a pointer to no bytes.
        if len == 0 {
            return Buffer::from(Vec::new());
        }
        // SAFETY: the type says how long the buffer is, and the owner keeps it.
        unsafe { Buffer::new(start, len, owner.clone()) }
    };
    let bits = |start: *const u8| memory(start, (offset + len).div_ceil(8));
    let valid = (!valid.is_null()).then(|| Bitmap::new(bits(valid), offset, len));
    if is_bytes {
        let offsets: Buffer<i32> = if len == 0 {
            vec![0].into()
        } else {
            // SAFETY: one more offset than rows, behind those that are skipped.
            unsafe { Buffer::new(first.cast::<i32>().add(offset), len + 1, owner.clone()) }
        };
        let bytes = memory(last, offsets.last().map_or(0, |end| *end as usize));
        return Parts { len, valid, values: bytes, bit_offset: 0, offsets: Some(offsets) };
    }
    if format == b"b" {
        return Parts { len, valid, values: bits(first), bit_offset: offset, offsets: None };
    }
    let width = width_of(format);
    // SAFETY: the values begin behind those that are skipped.
    let start = if len == 0 { first } else { unsafe { first.add(offset * width) } };
    let values = if len == 0 { EMPTY.into() } else { memory(start, len * width) };
    Parts { len, valid, values, bit_offset: 0, offsets: None }
}

/// Bytes of a value of a type whose values stand side by side.
fn width_of(format: &[u8]) -> usize {
    match format {
        b"c" | b"C" => 1,
        b"s" | b"S" => 2,
        b"i" | b"I" | b"f" | b"tdD" | b"ttm" => 4,
        _ => 8,
    }
}

/// No values, at an address that fits any of them.
struct Empty;
const EMPTY: Empty = Empty;

impl From<Empty> for Buffer<u8> {
    fn from(_: Empty) -> Self {
        static ALIGNED: [u64; 1] = [0];
        // SAFETY: no bytes are read.
        unsafe { Buffer::new(ALIGNED.as_ptr().cast(), 0, Arc::new(())) }
    }
}

/// What an exported array keeps alive.
struct Kept {
    pointers: [*const c_void; 3],
    _parts: Parts,
}

/// Hands an array over to the engine.
fn exported<A: Array>(array: A) -> Column {
    unsafe extern "C" fn release(array: *mut ArrowArray) {
        // SAFETY: the holder calls this once, with the array that `exported` made.
        unsafe {
            drop(Box::from_raw((*array).private_data.cast::<Kept>()));
            (*array).release = None;
        }
    }
    let nulls = array.null_count();
    let mut parts = array.into_parts();
    parts.valid = if nulls == 0 { None } else { parts.valid.map(|valid| valid.aligned()) };
    let valid = parts.valid.as_ref().map_or(ptr::null(), |valid| valid.bytes.as_ptr().cast());
    let values: *const c_void = parts.values.as_ptr().cast();
    let (pointers, count) = match &parts.offsets {
        Some(offsets) => ([valid, offsets.as_ptr().cast(), values], 3),
        None => ([valid, values, ptr::null()], 2),
    };
    let length = parts.len as i64;
    let kept = Box::into_raw(Box::new(Kept { pointers, _parts: parts }));
    let mut array = ArrowArray::released();
    array.length = length;
    array.null_count = nulls as i64;
    array.n_buffers = count;
    // SAFETY: just allocated, and freed by `release` only.
    array.buffers = unsafe { (&raw mut (*kept).pointers).cast() };
    array.release = Some(release);
    array.private_data = kept.cast();
    Column { array, schema: ArrowSchema::of(A::FORMAT) }
}

thread_local! {
    /// `Some` during a call: what its panic said.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps the text of a panic within a call, instead of printing it.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let within = PANIC.with_borrow_mut(|said| {
                if let Some(said) = said {
                    let text = info.payload_as_str().unwrap_or("panicked");
                    *said = match info.location() {
                        Some(place) => format!("{text} ({}:{})", place.file(), place.line()),
                        None => text.to_string(),
                    };
                }
                said.is_some()
            });
            if !within {
                others(info);
            }
        }));
    });
}

/// One call: what `Function::call` does.
///
/// # Safety
/// `columns` points to `count` columns, `outcome` to memory for one; it is overwritten.
pub unsafe fn call<R: Returned>(
    columns: *mut Column,
    count: usize,
    outcome: *mut Outcome,
    body: impl FnOnce(&mut Arguments<'_>) -> Result<R, Error>,
) {
    listen();
    PANIC.set(Some(String::new()));
    // Nothing of the function's outlives a panic but statics of its own, which are its own business.
    let result = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: that of this function.
        let columns = unsafe { std::slice::from_raw_parts_mut(columns, count) };
        body(&mut Arguments { columns, taken: 0 })?.returned().map(exported)
    }));
    let said = PANIC.take().unwrap_or_default();
    let (status, result, text) = match result {
        Ok(Ok(column)) => (DONE, column, None),
        Ok(Err(error)) => (FAILED, nothing(), Some(error.to_string())),
        Err(_) => (PANICKED, nothing(), Some(said)),
    };
    let (text, text_len, free) = match text {
        None => (ptr::null_mut(), 0, None),
        Some(text) => {
            let text = Box::leak(text.into_bytes().into_boxed_slice());
            (text.as_mut_ptr(), text.len(), Some(free as unsafe extern "C" fn(*mut u8, usize)))
        }
    };
    // SAFETY: that of this function.
    unsafe { outcome.write(Outcome { status, result, text, text_len, free }) };
}

fn nothing() -> Column {
    let mut schema = ArrowSchema::of(c"n");
    schema.release = None;
    Column { array: ArrowArray::released(), schema }
}

unsafe extern "C" fn free(text: *mut u8, len: usize) {
    // SAFETY: called once, with what `call` leaked.
    drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(text, len)) });
}
