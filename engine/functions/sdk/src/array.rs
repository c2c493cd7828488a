//! Arrays: columns of a batch in Arrow's layout, immutable once made, shared by reference count.

use std::any::Any;
use std::ffi::CStr;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A stretch of memory, and whoever keeps it alive.
pub(crate) struct Buffer<T> {
    start: *const T,
    len: usize,
    pub(crate) owner: Arc<dyn Any + Send + Sync>,
}

impl<T> Buffer<T> {
    /// # Safety
    /// `start` points to `len` elements, aligned, which do not change while `owner` lives.
    pub(crate) unsafe fn new(start: *const T, len: usize, owner: Arc<dyn Any + Send + Sync>) -> Buffer<T> {
        Buffer { start, len, owner }
    }
}

impl<T: Send + Sync + 'static> From<Vec<T>> for Buffer<T> {
    fn from(values: Vec<T>) -> Self {
        Buffer { start: values.as_ptr(), len: values.len(), owner: Arc::new(values) }
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: that of `new`; a `Vec` behind an `Arc` neither moves its elements nor changes them.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl<T> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Buffer { start: self.start, len: self.len, owner: self.owner.clone() }
    }
}

// SAFETY: the memory is only read, and its owner may be dropped on any thread.
unsafe impl<T: Sync> Send for Buffer<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Buffer<T> {}

/// One bit for each row.
#[derive(Clone)]
pub struct Bitmap {
    pub(crate) bytes: Buffer<u8>,
    /// Bits to skip at the beginning.
    pub(crate) offset: usize,
    len: usize,
}

impl Bitmap {
    pub(crate) fn new(bytes: Buffer<u8>, offset: usize, len: usize) -> Bitmap {
        assert!(bytes.len() * 8 >= offset + len, "a bitmap is as long as its column");
        Bitmap { bytes, offset, len }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bit of a row.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn get(&self, row: usize) -> bool {
        assert!(row < self.len, "row {row} of {}", self.len);
        let bit = self.offset + row;
        self.bytes[bit / 8] >> (bit % 8) & 1 == 1
    }

    /// How many bits are set.
    pub fn count(&self) -> usize {
        (0..self.len.div_ceil(8)).map(|index| self.byte(index).count_ones() as usize).sum()
    }

    /// Bits `8 * index` to `8 * index + 7`, those behind the last row cleared.
    fn byte(&self, index: usize) -> u8 {
        let (at, shift) = ((self.offset + 8 * index) / 8, self.offset % 8);
        let low = self.bytes[at] >> shift;
        let high = if shift == 0 { 0 } else { self.bytes.get(at + 1).map_or(0, |byte| byte << (8 - shift)) };
        let rest = self.len - 8 * index;
        (low | high) & if rest >= 8 { 0xff } else { (1 << rest) - 1 }
    }

    /// The bits both have.
    fn and(&self, other: &Bitmap) -> Bitmap {
        let bytes: Vec<u8> = (0..self.len.div_ceil(8)).map(|index| self.byte(index) & other.byte(index)).collect();
        Bitmap::new(bytes.into(), 0, self.len)
    }

    /// The same bits from bit 0 on.
    pub(crate) fn aligned(&self) -> Bitmap {
        if self.offset == 0 { self.clone() } else { self.and(self) }
    }
}

impl FromIterator<bool> for Bitmap {
    fn from_iter<I: IntoIterator<Item = bool>>(bits: I) -> Self {
        let (mut bytes, mut len) = (Vec::new(), 0);
        for bit in bits {
            if len % 8 == 0 {
                bytes.push(0);
            }
            bytes[len / 8] |= u8::from(bit) << (len % 8);
            len += 1;
        }
        Bitmap::new(bytes.into(), 0, len)
    }
}

/// Where a column has values; `None` when everywhere.
fn validity(valid: Bitmap) -> Option<Bitmap> {
    (valid.count() < valid.len()).then_some(valid)
}

/// Rows at which both columns have values.
fn both(a: Option<&Bitmap>, b: Option<&Bitmap>) -> Option<Bitmap> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.and(b)),
        (one, other) => one.or(other).cloned(),
    }
}

/// What every array has.
pub trait Array: Sized + 'static {
    /// The type, as Arrow's C data interface writes it.
    #[doc(hidden)]
    const FORMAT: &'static CStr;

    /// Number of rows.
    fn len(&self) -> usize;

    /// Where it has values; `None` when everywhere.
    fn validity(&self) -> Option<&Bitmap>;

    /// Whether there are no rows.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a row is NULL.
    fn is_null(&self, row: usize) -> bool {
        self.validity().is_some_and(|valid| !valid.get(row))
    }

    /// How many rows are NULL.
    fn null_count(&self) -> usize {
        self.validity().map_or(0, |valid| valid.len() - valid.count())
    }

    /// The buffers behind the validity.
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn into_parts(self) -> Parts;

    /// Makes it of buffers that came from the engine.
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn from_parts(parts: Parts) -> Self;
}

/// An array taken apart; which fields are used depends on its kind.
pub(crate) struct Parts {
    pub(crate) len: usize,
    pub(crate) valid: Option<Bitmap>,
    /// Values, or the bytes of texts; of booleans the bits.
    pub(crate) values: Buffer<u8>,
    /// First bit of booleans.
    pub(crate) bit_offset: usize,
    /// Beginnings of texts, one more than rows.
    pub(crate) offsets: Option<Buffer<i32>>,
}

/// A type whose values stand side by side in memory.
pub trait Element: Copy + Default + Send + Sync + fmt::Debug + 'static {
    /// The type, as Arrow's C data interface writes it.
    #[doc(hidden)]
    const FORMAT: &'static CStr;
}

/// A TIMESTAMP: milliseconds since the epoch.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// A DATE: days since the epoch.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date(pub i32);

/// A TIME: milliseconds of the day.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(pub i32);

macro_rules! elements {
    ($($ty:ty, $format:literal, $array:ident, $sql:literal;)*) => {$(
        impl Element for $ty {
            const FORMAT: &'static CStr = $format;
        }
        #[doc = concat!("A column of `", stringify!($ty), "`; in SQL ", $sql, ".")]
        pub type $array = PrimitiveArray<$ty>;
    )*};
}

elements! {
    i8, c"c", Int8Array, "INTEGER";
    i16, c"s", Int16Array, "INTEGER";
    i32, c"i", Int32Array, "INTEGER";
    i64, c"l", Int64Array, "BIGINT";
    u8, c"C", UInt8Array, "INTEGER";
    u16, c"S", UInt16Array, "INTEGER";
    u32, c"I", UInt32Array, "BIGINT";
    u64, c"L", UInt64Array, "BIGINT";
    f32, c"f", Float32Array, "DOUBLE";
    f64, c"g", Float64Array, "DOUBLE";
    Timestamp, c"tsm:", TimestampArray, "TIMESTAMP";
    Date, c"tdD", Date32Array, "DATE";
    Time, c"ttm", Time32Array, "TIME";
}

/// A column of values that stand side by side. A NULL has some value, too, which means nothing.
#[derive(Clone)]
pub struct PrimitiveArray<T> {
    values: Buffer<T>,
    valid: Option<Bitmap>,
}

impl<T: Element> PrimitiveArray<T> {
    /// The values of all rows.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The value of a row, or `None` for NULL.
    pub fn get(&self, row: usize) -> Option<T> {
        let value = self.values[row];
        (!self.is_null(row)).then_some(value)
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<T>> + '_ {
        (0..self.len()).map(|row| self.get(row))
    }

    /// Each value through a function, at NULLs, too; NULL stays NULL.
    pub fn map<U: Element>(&self, function: impl Fn(T) -> U) -> PrimitiveArray<U> {
        let values: Vec<U> = self.values.iter().map(|value| function(*value)).collect();
        PrimitiveArray { values: values.into(), valid: self.valid.clone() }
    }

    /// The values of two columns through a function, at NULLs, too; NULL where either is.
    ///
    /// # Panics
    /// When one is longer than the other, which arguments of one call never are.
    pub fn zip<U: Element, V: Element>(
        &self,
        other: &PrimitiveArray<U>,
        function: impl Fn(T, U) -> V,
    ) -> PrimitiveArray<V> {
        assert_eq!(self.len(), other.len(), "columns of one call are of one length");
        let values: Vec<V> = self.values.iter().zip(&*other.values).map(|(a, b)| function(*a, *b)).collect();
        PrimitiveArray { values: values.into(), valid: both(self.valid.as_ref(), other.valid.as_ref()) }
    }
}

impl<T: Element> Array for PrimitiveArray<T> {
    const FORMAT: &'static CStr = T::FORMAT;

    fn len(&self) -> usize {
        self.values.len()
    }

    fn validity(&self) -> Option<&Bitmap> {
        self.valid.as_ref()
    }

    #[allow(private_interfaces)]
    fn into_parts(self) -> Parts {
        let (start, bytes) = (self.values.start.cast(), self.values.len * size_of::<T>());
        // SAFETY: the same memory as bytes, with the same owner; elements are plain numbers without padding.
        let values = unsafe { Buffer::new(start, bytes, self.values.owner.clone()) };
        Parts { len: self.values.len, valid: self.valid, values, bit_offset: 0, offsets: None }
    }

    #[allow(private_interfaces)]
    fn from_parts(parts: Parts) -> Self {
        assert_eq!(parts.values.len, parts.len * size_of::<T>(), "as many bytes as the rows have");
        assert!(parts.values.start.cast::<T>().is_aligned(), "values are aligned");
        // SAFETY: aligned and long enough as just checked, and any bytes are a value of an element.
        let values = unsafe { Buffer::new(parts.values.start.cast(), parts.len, parts.values.owner.clone()) };
        PrimitiveArray { values, valid: parts.valid }
    }
}

impl<T: Element> From<Vec<T>> for PrimitiveArray<T> {
    fn from(values: Vec<T>) -> Self {
        PrimitiveArray { values: values.into(), valid: None }
    }
}

impl<T: Element> FromIterator<T> for PrimitiveArray<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        values.into_iter().collect::<Vec<T>>().into()
    }
}

impl<T: Element> FromIterator<Option<T>> for PrimitiveArray<T> {
    fn from_iter<I: IntoIterator<Item = Option<T>>>(rows: I) -> Self {
        let mut values = Vec::new();
        let valid: Bitmap = rows
            .into_iter()
            .map(|row| {
                values.push(row.unwrap_or_default());
                row.is_some()
            })
            .collect();
        PrimitiveArray { values: values.into(), valid: validity(valid) }
    }
}

/// A column of BOOLEAN.
#[derive(Clone)]
pub struct BooleanArray {
    values: Bitmap,
    valid: Option<Bitmap>,
}

impl BooleanArray {
    /// The value of a row, or `None` for NULL.
    pub fn get(&self, row: usize) -> Option<bool> {
        let value = self.values.get(row);
        (!self.is_null(row)).then_some(value)
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<bool>> + '_ {
        (0..self.len()).map(|row| self.get(row))
    }
}

impl Array for BooleanArray {
    const FORMAT: &'static CStr = c"b";

    fn len(&self) -> usize {
        self.values.len()
    }

    fn validity(&self) -> Option<&Bitmap> {
        self.valid.as_ref()
    }

    #[allow(private_interfaces)]
    fn into_parts(self) -> Parts {
        let values = self.values.aligned();
        Parts { len: values.len, valid: self.valid, values: values.bytes, bit_offset: 0, offsets: None }
    }

    #[allow(private_interfaces)]
    fn from_parts(parts: Parts) -> Self {
        BooleanArray { values: Bitmap::new(parts.values, parts.bit_offset, parts.len), valid: parts.valid }
    }
}

impl FromIterator<Option<bool>> for BooleanArray {
    fn from_iter<I: IntoIterator<Item = Option<bool>>>(rows: I) -> Self {
        let mut values = Vec::new();
        let valid: Bitmap = rows
            .into_iter()
            .map(|row| {
                values.push(row.unwrap_or_default());
                row.is_some()
            })
            .collect();
        BooleanArray { values: values.into_iter().collect(), valid: validity(valid) }
    }
}

impl FromIterator<bool> for BooleanArray {
    fn from_iter<I: IntoIterator<Item = bool>>(values: I) -> Self {
        BooleanArray { values: values.into_iter().collect(), valid: None }
    }
}

/// Rows of bytes, of any length each.
#[derive(Clone)]
struct Bytes {
    offsets: Buffer<i32>,
    bytes: Buffer<u8>,
    valid: Option<Bitmap>,
}

impl Bytes {
    fn get(&self, row: usize) -> Option<&[u8]> {
        let (start, end) = (self.offsets[row] as usize, self.offsets[row + 1] as usize);
        self.valid.as_ref().is_none_or(|valid| valid.get(row)).then(|| &self.bytes[start..end])
    }

    fn collect<B: AsRef<[u8]>>(rows: impl Iterator<Item = Option<B>>) -> Bytes {
        let (mut offsets, mut bytes) = (vec![0], Vec::new());
        let valid: Bitmap = rows
            .map(|row| {
                if let Some(row) = &row {
                    bytes.extend_from_slice(row.as_ref());
                }
                offsets.push(i32::try_from(bytes.len()).expect("the rows of a column hold at most 2 GiB"));
                row.is_some()
            })
            .collect();
        Bytes { offsets: offsets.into(), bytes: bytes.into(), valid: validity(valid) }
    }

    fn into_parts(self) -> Parts {
        let len = self.offsets.len - 1;
        Parts { len, valid: self.valid, values: self.bytes, bit_offset: 0, offsets: Some(self.offsets) }
    }

    fn from_parts(parts: Parts) -> Bytes {
        let offsets = parts.offsets.expect("a column of texts has offsets");
        assert_eq!(offsets.len, parts.len + 1, "one offset more than rows");
        Bytes { offsets, bytes: parts.values, valid: parts.valid }
    }
}

macro_rules! byte_arrays {
    ($($array:ident, $item:ty, $owned:ty, $format:literal, $read:expr, $doc:literal;)*) => {$(
        #[doc = $doc]
        #[derive(Clone)]
        pub struct $array(Bytes);

        impl $array {
            /// The value of a row, or `None` for NULL.
            pub fn get(&self, row: usize) -> Option<&$item> {
                self.0.get(row).map($read)
            }

            /// The rows in order.
            pub fn iter(&self) -> impl Iterator<Item = Option<&$item>> + '_ {
                (0..self.len()).map(|row| self.get(row))
            }
        }

        impl Array for $array {
            const FORMAT: &'static CStr = $format;

            fn len(&self) -> usize {
                self.0.offsets.len - 1
            }

            fn validity(&self) -> Option<&Bitmap> {
                self.0.valid.as_ref()
            }

            #[allow(private_interfaces)]
            fn into_parts(self) -> Parts {
                self.0.into_parts()
            }

            #[allow(private_interfaces)]
            fn from_parts(parts: Parts) -> Self {
                $array(Bytes::from_parts(parts))
            }
        }

        impl<'a> FromIterator<Option<&'a $item>> for $array {
            fn from_iter<I: IntoIterator<Item = Option<&'a $item>>>(rows: I) -> Self {
                $array(Bytes::collect(rows.into_iter()))
            }
        }

        impl FromIterator<Option<$owned>> for $array {
            fn from_iter<I: IntoIterator<Item = Option<$owned>>>(rows: I) -> Self {
                $array(Bytes::collect(rows.into_iter()))
            }
        }
    )*};
}

byte_arrays! {
    // SAFETY of the reader: a column of Arrow's type `u` holds UTF-8, which its maker answers for.
    StringArray, str, String, c"u", |bytes| unsafe { std::str::from_utf8_unchecked(bytes) },
        "A column of texts; in SQL VARCHAR.";
    BinaryArray, [u8], Vec<u8>, c"z", |bytes| bytes, "A column of bytes; in SQL BYTES.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_were_collected() {
        let rows = [Some(1.5), None, Some(-2.0)];
        let array: Float64Array = rows.into_iter().collect();
        assert_eq!((array.iter().collect::<Vec<_>>(), array.null_count()), (rows.to_vec(), 1));
        let texts = [Some("a"), None, Some(""), Some("ä€")];
        assert_eq!(texts.into_iter().collect::<StringArray>().iter().collect::<Vec<_>>(), texts);
        let flags: Vec<Option<bool>> = (0..19).map(|row| (row % 5 != 0).then_some(row % 3 == 0)).collect();
        assert_eq!(flags.iter().copied().collect::<BooleanArray>().iter().collect::<Vec<_>>(), flags);
        assert!([1, 2].into_iter().collect::<Int32Array>().validity().is_none());
    }

    #[test]
    fn a_null_of_either_side_is_one_of_the_result() {
        let a: Float64Array = [Some(2.0), None, Some(3.0)].into_iter().collect();
        let b: Int32Array = [Some(4), Some(5), None].into_iter().collect();
        let product = a.zip(&b, |a, b| a * f64::from(b));
        assert_eq!(product.iter().collect::<Vec<_>>(), [Some(8.0), None, None]);
        assert_eq!(a.map(f64::sqrt).get(1), None);
    }

    #[test]
    fn a_bitmap_that_begins_within_a_byte_reads_and_counts_right() {
        let bits: Vec<bool> = (0..29).map(|bit| bit % 3 == 0).collect();
        let whole: Bitmap = bits.iter().copied().collect();
        for offset in 0..9 {
            let part = Bitmap::new(whole.bytes.clone(), offset, bits.len() - offset);
            let expected = &bits[offset..];
            assert_eq!((0..part.len()).map(|row| part.get(row)).collect::<Vec<_>>(), expected);
            assert_eq!(part.count(), expected.iter().filter(|bit| **bit).count());
            let aligned = part.aligned();
            assert_eq!((0..part.len()).map(|row| aligned.get(row)).collect::<Vec<_>>(), expected);
        }
    }
}
