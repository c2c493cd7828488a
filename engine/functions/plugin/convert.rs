//! Columns to and from a library, without copying values.
//!
//! A library may be built on another Arrow than ours, which dies on types it does not know. So a column goes out only as
//! exactly the type that was declared ([`laid_out`]), and one that comes in is checked before anyone sees it
//! ([`import`]): type, length, nulls, offsets, UTF-8.

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;
use std::sync::Arc;

use datafusion::arrow::array::types::{
    ArrowPrimitiveType, BinaryType, ByteArrayType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, TimestampMillisecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type, Utf8Type,
};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, GenericByteArray, PrimitiveArray, new_empty_array, new_null_array,
};
use datafusion::arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit};

use super::abi::{ArrowArray, ArrowSchema, Column, NULLABLE};
use super::value::format_of;

/// A column in the one layout that its declared type has. Other layouts of the same values are cast: views, large
/// offsets, dictionaries, runs. Another type is refused, as is a layout that cannot hold the values.
pub fn laid_out(column: &ArrayRef, declared: &DataType) -> Result<ArrayRef, String> {
    let found = column.data_type();
    if found == declared {
        return Ok(column.clone());
    }
    if *found == DataType::Null {
        return Ok(new_null_array(declared, column.len()));
    }
    if !is_layout_of(found, declared) {
        return Err(format!("is {found}, not {declared}"));
    }
    let column = cast(column, declared).map_err(|_| format!("cannot be laid out as {declared}"))?;
    if column.data_type() != declared {
        return Err(format!("is {} after its cast, not {declared}", column.data_type()));
    }
    Ok(column)
}

/// Whether a type holds the values of a declared one in another way.
fn is_layout_of(found: &DataType, declared: &DataType) -> bool {
    match found {
        DataType::Dictionary(_, values) => **values == *declared || is_layout_of(values, declared),
        DataType::RunEndEncoded(_, values) => {
            values.data_type() == declared || is_layout_of(values.data_type(), declared)
        }
        DataType::Utf8View | DataType::LargeUtf8 => *declared == DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary | DataType::FixedSizeBinary(_) => *declared == DataType::Binary,
        _ => false,
    }
}

/// What an exported array keeps alive until it is released.
struct Kept {
    pointers: [*const c_void; 3],
    _buffers: [Option<Buffer>; 3],
}

/// Hands a column over, by reference to its buffers. `None` for a type that does not cross.
pub fn export(column: &dyn Array) -> Option<Column> {
    let format = format_of(column.data_type())?;
    // Bits are handed over from a whole byte on, values from the first row on, so that the offset is always 0.
    let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
    let validity = nulls.map(|nulls| nulls.inner().sliced());
    let (first, second) = buffers(column)?;
    let pointer = |buffer: &Option<Buffer>| buffer.as_ref().map_or(std::ptr::null(), |b| b.as_ptr().cast::<c_void>());
    let count = if second.is_some() { 3 } else { 2 };
    let kept = [validity, Some(first), second];
    let pointers = [pointer(&kept[0]), pointer(&kept[1]), pointer(&kept[2])];
    let kept = Box::into_raw(Box::new(Kept { pointers, _buffers: kept }));
    let mut array = ArrowArray::released();
    array.length = i64::try_from(column.len()).ok()?;
    array.null_count = i64::try_from(nulls.map_or(0, NullBuffer::null_count)).ok()?;
    array.n_buffers = count;
    // SAFETY: just allocated; `release` is the only one that frees it.
    array.buffers = unsafe { (&raw mut (*kept).pointers).cast() };
    array.release = Some(release_array);
    array.private_data = kept.cast();
    Some(Column { array, schema: schema_of(format) })
}

/// The buffers behind the validity, beginning with the first row.
fn buffers(column: &dyn Array) -> Option<(Buffer, Option<Buffer>)> {
    fn primitive<T: ArrowPrimitiveType>(column: &dyn Array) -> Option<(Buffer, Option<Buffer>)> {
        Some((column.as_primitive::<T>().values().inner().clone(), None))
    }
    fn bytes<T: ByteArrayType<Offset = i32>>(column: &dyn Array) -> Option<(Buffer, Option<Buffer>)> {
        let array = column.as_bytes::<T>();
        Some((array.offsets().inner().inner().clone(), Some(array.values().clone())))
    }
    match column.data_type() {
        DataType::Boolean => Some((column.as_boolean().values().sliced(), None)),
        DataType::Utf8 => bytes::<Utf8Type>(column),
        DataType::Binary => bytes::<BinaryType>(column),
        DataType::Int8 => primitive::<Int8Type>(column),
        DataType::Int16 => primitive::<Int16Type>(column),
        DataType::Int32 => primitive::<Int32Type>(column),
        DataType::Int64 => primitive::<Int64Type>(column),
        DataType::UInt8 => primitive::<UInt8Type>(column),
        DataType::UInt16 => primitive::<UInt16Type>(column),
        DataType::UInt32 => primitive::<UInt32Type>(column),
        DataType::UInt64 => primitive::<UInt64Type>(column),
        DataType::Float32 => primitive::<Float32Type>(column),
        DataType::Float64 => primitive::<Float64Type>(column),
        DataType::Date32 => primitive::<Date32Type>(column),
        DataType::Time32(TimeUnit::Millisecond) => primitive::<Time32MillisecondType>(column),
        DataType::Timestamp(TimeUnit::Millisecond, None) => primitive::<TimestampMillisecondType>(column),
        _ => None,
    }
}

unsafe extern "C" fn release_array(array: *mut ArrowArray) {
    // SAFETY: called once by whoever holds the array, which `export` made.
    unsafe {
        drop(Box::from_raw((*array).private_data.cast::<Kept>()));
        (*array).release = None;
    }
}

unsafe extern "C" fn release_schema(schema: *mut ArrowSchema) {
    // SAFETY: called by whoever holds the schema; there is nothing to free.
    unsafe { (*schema).release = None }
}

fn schema_of(format: &'static CStr) -> ArrowSchema {
    ArrowSchema {
        format: format.as_ptr(),
        name: c"".as_ptr(),
        metadata: std::ptr::null(),
        flags: NULLABLE,
        n_children: 0,
        children: std::ptr::null_mut(),
        dictionary: std::ptr::null_mut(),
        release: Some(release_schema),
        private_data: std::ptr::null_mut(),
    }
}

/// A library's array; released when the last buffer of it is dropped. Libraries are never unloaded, so what releases
/// it is there.
struct Foreign {
    _array: ArrowArray,
}

// SAFETY: the C data interface lets an array be released on any thread, and its memory is only read.
unsafe impl Send for Foreign {}
// SAFETY: as above.
unsafe impl Sync for Foreign {}

/// Takes a column over, of the declared type and number of rows; rows that `nulls` names are null, too.
///
/// # Errors
/// What is wrong with it. Then it is released.
///
/// # Safety
/// The column follows the C data interface as far as that cannot be checked: pointers lead to as many bytes as the
/// type and the length say.
pub unsafe fn import(
    column: Column,
    declared: &DataType,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, String> {
    let Column { array, schema } = column;
    if array.release.is_none() || schema.format.is_null() {
        return Err("gave no result".into());
    }
    // SAFETY: a format is a text that ends with a zero byte.
    let format = unsafe { CStr::from_ptr(schema.format) };
    if Some(format) != format_of(declared) {
        return Err(format!("gave a result of Arrow's type `{}`, not {declared}", format.to_string_lossy()));
    }
    let (Ok(length), Ok(offset)) = (usize::try_from(array.length), usize::try_from(array.offset)) else {
        return Err("gave a result of negative length".into());
    };
    if length != rows {
        return Err(format!("gave {length} rows for {rows}"));
    }
    let is_bytes = matches!(declared, DataType::Utf8 | DataType::Binary);
    let expected = if is_bytes { 3 } else { 2 };
    if array.n_buffers != expected || array.n_children != 0 || !array.dictionary.is_null() || array.buffers.is_null() {
        return Err("gave a result with another number of buffers than its type has".into());
    }
    if rows == 0 {
        return Ok(new_empty_array(declared));
    }
    // SAFETY: the array has as many buffers, as just checked.
    let pointer = |index: usize| unsafe { (*array.buffers.add(index)).cast::<u8>().cast_mut() };
    let (validity, first) = (pointer(0), pointer(1));
    let last = if is_bytes { pointer(2) } else { std::ptr::null_mut() };
    let null_count = array.null_count;
    let parts = Memory { owner: Arc::new(Foreign { _array: array }), offset, rows };
    // SAFETY: that of this function, for every buffer below.
    unsafe {
        let own = parts.nulls(validity, null_count)?;
        let nulls = NullBuffer::union(own.as_ref(), nulls.as_ref());
        parts.column(declared, nulls, first, last)
    }
}

/// The buffers of one array that came in.
struct Memory {
    owner: Arc<Foreign>,
    offset: usize,
    rows: usize,
}

impl Memory {
    /// # Safety
    /// `start` is null or leads to `len` bytes that the owner keeps.
    unsafe fn buffer(&self, start: *mut u8, len: usize) -> Result<Buffer, String> {
        match NonNull::new(start) {
            _ if len == 0 => Ok(Buffer::from(Vec::<u8>::new())),
            None => Err("gave a result without its values".into()),
            // SAFETY: that of this function.
            Some(start) => Ok(unsafe { Buffer::from_custom_allocation(start, len, self.owner.clone()) }),
        }
    }

    /// # Safety
    /// That of [`import`].
    unsafe fn bits(&self, start: *mut u8) -> Result<BooleanBuffer, String> {
        // SAFETY: as many bits as rows stand behind the ones that are skipped.
        let bytes = unsafe { self.buffer(start, (self.offset + self.rows).div_ceil(8))? };
        Ok(BooleanBuffer::new(bytes, self.offset, self.rows))
    }

    /// # Safety
    /// That of [`import`].
    unsafe fn nulls(&self, validity: *mut u8, null_count: i64) -> Result<Option<NullBuffer>, String> {
        if validity.is_null() {
            return if null_count > 0 { Err("gave nulls without saying where".into()) } else { Ok(None) };
        }
        // SAFETY: that of this function.
        let nulls = NullBuffer::new(unsafe { self.bits(validity)? });
        if null_count >= 0 && usize::try_from(null_count).ok() != Some(nulls.null_count()) {
            return Err(format!("gave {} nulls and said that there are {null_count}", nulls.null_count()));
        }
        Ok((nulls.null_count() > 0).then_some(nulls))
    }

    /// # Safety
    /// That of [`import`].
    unsafe fn values<T>(&self, start: *mut u8, count: usize) -> Result<ScalarBuffer<T>, String>
    where
        T: datafusion::arrow::datatypes::ArrowNativeType,
    {
        let width = size_of::<T>();
        // SAFETY: the values of the rows stand behind those that are skipped.
        let buffer = unsafe { self.buffer(start.wrapping_add(self.offset * width), count * width)? };
        // Alignment is recommended by the interface, not promised.
        let buffer = if buffer.as_ptr().cast::<T>().is_aligned() { buffer } else { Buffer::from(buffer.as_slice()) };
        Ok(ScalarBuffer::new(buffer, 0, count))
    }

    /// # Safety
    /// That of [`import`].
    unsafe fn primitive<T: ArrowPrimitiveType>(
        &self,
        nulls: Option<NullBuffer>,
        first: *mut u8,
    ) -> Result<ArrayRef, String> {
        // SAFETY: that of this function.
        let values = unsafe { self.values::<T::Native>(first, self.rows)? };
        Ok(Arc::new(PrimitiveArray::<T>::new(values, nulls)))
    }

    /// # Safety
    /// That of [`import`].
    unsafe fn bytes<T: ByteArrayType<Offset = i32>>(
        &self,
        nulls: Option<NullBuffer>,
        first: *mut u8,
        last: *mut u8,
    ) -> Result<ArrayRef, String> {
        // SAFETY: a column of texts has one offset more than rows.
        let offsets = unsafe { self.values::<i32>(first, self.rows + 1)? };
        if offsets[0] < 0 || offsets.windows(2).any(|pair| pair[0] > pair[1]) {
            return Err("gave texts whose beginnings do not rise".into());
        }
        let end = offsets[self.rows].unsigned_abs() as usize;
        // SAFETY: texts end where the last offset says.
        let values = unsafe { self.buffer(last, end)? };
        GenericByteArray::<T>::try_new(OffsetBuffer::new(offsets), values, nulls)
            .map(|array| Arc::new(array) as ArrayRef)
            .map_err(|_| "gave text that is not UTF-8".into())
    }

    /// # Safety
    /// That of [`import`].
    unsafe fn column(
        &self,
        declared: &DataType,
        nulls: Option<NullBuffer>,
        first: *mut u8,
        last: *mut u8,
    ) -> Result<ArrayRef, String> {
        // SAFETY: that of this function, in every arm.
        unsafe {
            match declared {
                DataType::Boolean => Ok(Arc::new(BooleanArray::new(self.bits(first)?, nulls))),
                DataType::Utf8 => self.bytes::<Utf8Type>(nulls, first, last),
                DataType::Binary => self.bytes::<BinaryType>(nulls, first, last),
                DataType::Int8 => self.primitive::<Int8Type>(nulls, first),
                DataType::Int16 => self.primitive::<Int16Type>(nulls, first),
                DataType::Int32 => self.primitive::<Int32Type>(nulls, first),
                DataType::Int64 => self.primitive::<Int64Type>(nulls, first),
                DataType::UInt8 => self.primitive::<UInt8Type>(nulls, first),
                DataType::UInt16 => self.primitive::<UInt16Type>(nulls, first),
                DataType::UInt32 => self.primitive::<UInt32Type>(nulls, first),
                DataType::UInt64 => self.primitive::<UInt64Type>(nulls, first),
                DataType::Float32 => self.primitive::<Float32Type>(nulls, first),
                DataType::Float64 => self.primitive::<Float64Type>(nulls, first),
                DataType::Date32 => self.primitive::<Date32Type>(nulls, first),
                DataType::Time32(TimeUnit::Millisecond) => self.primitive::<Time32MillisecondType>(nulls, first),
                DataType::Timestamp(TimeUnit::Millisecond, None) => {
                    self.primitive::<TimestampMillisecondType>(nulls, first)
                }
                other => Err(format!("gave a result of type {other}, which does not cross")),
            }
        }
    }
}
