//! Values of any type: as keys of a set, as keys of a map, and in their order.

use datafusion::arrow::array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};
use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, DynComparator, PrimitiveArray, StringArray, make_comparator};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::{DataType, ToByteSlice};
use datafusion::common::Result as DfResult;

/// Appends bytes that are equal for two values of one type exactly when the values are: doubles by their bits, as Java's
/// `Double.equals`, and maps whatever the order of their entries. Panics when `row` is out of range.
pub fn write_key(array: &ArrayRef, row: usize, out: &mut Vec<u8>) {
    if array.is_null(row) {
        out.push(0);
        return;
    }
    out.push(1);
    let sized = |bytes: &[u8], out: &mut Vec<u8>| {
        out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(bytes);
    };
    match array.data_type() {
        DataType::Boolean => out.push(u8::from(array.as_boolean().value(row))),
        DataType::Int32 => out.extend_from_slice(array.as_primitive::<Int32Type>().value(row).to_byte_slice()),
        DataType::Int64 => out.extend_from_slice(array.as_primitive::<Int64Type>().value(row).to_byte_slice()),
        DataType::Float64 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            let value = if value.is_nan() { f64::NAN } else { value };
            out.extend_from_slice(value.to_bits().to_byte_slice());
        }
        DataType::Date32 => out.extend_from_slice(array.as_primitive::<Date32Type>().value(row).to_byte_slice()),
        DataType::Time32(_) => {
            out.extend_from_slice(array.as_primitive::<Time32MillisecondType>().value(row).to_byte_slice());
        }
        DataType::Timestamp(..) => {
            out.extend_from_slice(array.as_primitive::<TimestampMillisecondType>().value(row).to_byte_slice());
        }
        DataType::Decimal128(..) => {
            out.extend_from_slice(array.as_primitive::<Decimal128Type>().value(row).to_byte_slice());
        }
        DataType::Decimal256(..) => {
            out.extend_from_slice(&array.as_primitive::<Decimal256Type>().value(row).to_le_bytes());
        }
        DataType::Utf8 => sized(array.as_string::<i32>().value(row).as_bytes(), out),
        DataType::Binary => sized(array.as_binary::<i32>().value(row), out),
        DataType::List(_) => {
            let elements = array.as_list::<i32>().value(row);
            out.extend_from_slice(&(elements.len() as u32).to_le_bytes());
            (0..elements.len()).for_each(|element| write_key(&elements, element, out));
        }
        DataType::Struct(_) => {
            array.as_struct().columns().iter().for_each(|column| write_key(column, row, out));
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let mut keys: Vec<Vec<u8>> = (0..entries.len())
                .map(|entry| {
                    let mut key = Vec::new();
                    entries.columns().iter().for_each(|column| write_key(column, entry, &mut key));
                    key
                })
                .collect();
            keys.sort_unstable();
            out.extend_from_slice(&(keys.len() as u32).to_le_bytes());
            keys.iter().for_each(|key| sized(key, out));
        }
        // No column of the engine has another type.
        _ => {}
    }
}

/// The key of one value.
pub fn key(array: &ArrayRef, row: usize) -> Vec<u8> {
    let mut key = Vec::new();
    write_key(array, row, &mut key);
    key
}

/// The order of the values of two columns of one type, neither null; `None` for types without one. As in Java NaN is
/// above all other doubles and zero above minus zero, and bytes have signs.
pub fn order(left: &ArrayRef, right: &ArrayRef) -> DfResult<Option<DynComparator>> {
    Ok(match left.data_type() {
        DataType::List(_) | DataType::Map(..) | DataType::Struct(_) => None,
        DataType::Float64 => {
            let one_nan = |array: &ArrayRef| -> PrimitiveArray<Float64Type> {
                array.as_primitive::<Float64Type>().unary(|value| if value.is_nan() { f64::NAN } else { value })
            };
            let (left, right) = (one_nan(left), one_nan(right));
            Some(Box::new(move |a, b| left.value(a).total_cmp(&right.value(b))))
        }
        DataType::Binary => {
            let (left, right) = (left.as_binary::<i32>().clone(), right.as_binary::<i32>().clone());
            Some(Box::new(move |a, b| signed_order(left.value(a), right.value(b))))
        }
        _ => Some(make_comparator(left, right, SortOptions::default())?),
    })
}

/// The order of byte strings as Java's `ByteBuffer.compareTo` has it: byte by byte, each from -128 to 127.
pub fn signed_order(left: &[u8], right: &[u8]) -> Ordering {
    match left.iter().zip(right).position(|(a, b)| a != b) {
        Some(at) => (left[at] as i8).cmp(&(right[at] as i8)),
        None => left.len().cmp(&right.len()),
    }
}

/// Values about to become keys of a map. A key cannot be NULL in Arrow, and in JSON it reads `null`; so does it here, where
/// the keys are texts. Other nulls stay, and whoever builds the map fails their rows.
pub fn map_keys(keys: &ArrayRef) -> ArrayRef {
    match keys.as_string_opt::<i32>() {
        Some(texts) if texts.null_count() > 0 => {
            Arc::new(texts.iter().map(|text| Some(text.unwrap_or("null"))).collect::<StringArray>())
        }
        _ => keys.clone(),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Float64Array, MapBuilder, StringArray, StringBuilder};

    use super::*;

    #[test]
    fn equal_values_have_equal_keys_and_others_do_not() {
        let doubles: ArrayRef =
            Arc::new(Float64Array::from(vec![Some(0.0), Some(-0.0), Some(f64::NAN), Some(-f64::NAN), None]));
        assert_ne!(key(&doubles, 0), key(&doubles, 1));
        assert_eq!(key(&doubles, 2), key(&doubles, 3));
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some(""), None]));
        assert_ne!(key(&texts, 0), key(&texts, 1));
        assert_eq!(key(&doubles, 4), key(&texts, 1));
    }

    #[test]
    fn the_order_is_java_s() {
        let doubles: ArrayRef =
            Arc::new(Float64Array::from(vec![f64::NEG_INFINITY, -0.0, 0.0, f64::INFINITY, -f64::NAN]));
        let by = order(&doubles, &doubles).expect("an order").expect("doubles have one");
        assert!((1..5).all(|at| by(at - 1, at) == Ordering::Less));
        assert_eq!(signed_order(b"\xff", b"\x00"), Ordering::Less);
        assert_eq!(signed_order(b"a", b"ab"), Ordering::Less);
        assert_eq!(signed_order(b"a", b"a"), Ordering::Equal);
        let lists: ArrayRef = Arc::new(datafusion::arrow::array::ListArray::new_null(
            Arc::new(datafusion::arrow::datatypes::Field::new("item", DataType::Int32, true)),
            1,
        ));
        assert!(order(&lists, &lists).expect("no failure").is_none());
    }

    #[test]
    fn a_null_that_becomes_a_key_reads_null() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
        assert_eq!(map_keys(&texts).as_string::<i32>(), &StringArray::from(vec!["a", "null"]));
        let doubles: ArrayRef = Arc::new(Float64Array::from(vec![None, Some(1.0)]));
        assert_eq!(map_keys(&doubles).null_count(), 1);
    }

    #[test]
    fn the_order_of_entries_does_not_matter() {
        let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for entries in [[("a", "1"), ("b", "2")], [("b", "2"), ("a", "1")], [("a", "2"), ("b", "1")]] {
            for (name, value) in entries {
                maps.keys().append_value(name);
                maps.values().append_value(value);
            }
            maps.append(true).expect("whole entries");
        }
        let maps: ArrayRef = Arc::new(maps.finish());
        assert_eq!(key(&maps, 0), key(&maps, 1));
        assert_ne!(key(&maps, 0), key(&maps, 2));
    }
}
