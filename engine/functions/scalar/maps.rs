//! `AS_MAP`, `MAP_KEYS`, `MAP_VALUES`, `MAP_UNION` and `ENTRIES`.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, MapFieldNames, StructArray, UInt32Array, new_null_array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{concat, take};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result as DfResult};

use super::plain::{Plain, picked_lists, span};
use super::values::{key, map_keys};
use crate::functions::declaration::{Category, Declaration, ParamType, Returns, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::types::SqlType;

const K: ParamType = ParamType::Generic("K");
const V: ParamType = ParamType::Generic("V");

/// The names that the parts of a map have in the engine's layout.
pub(super) fn entry_names() -> MapFieldNames {
    MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() }
}

/// All five functions.
pub fn functions() -> Vec<Arc<dyn ScalarFunction>> {
    let as_map = Declaration::scalar(Category::Map, "AS_MAP", "A map of keys and values.")
        .form(
            Variation::new(
                ParamType::map(SqlType::String, V),
                "The keys with the values at their positions, NULL where there is none; a key that is NULL reads null.",
            )
            .param("keys", ParamType::array(SqlType::String), "The keys.")
            .param("values", ParamType::array(V), "The values."),
        )
        .example("AS_MAP(ARRAY['a', 'b'], ARRAY[1, 2])", "{a=1, b=2}");
    let of_map = |name: &'static str, what: &'static str, returns: ParamType| {
        Declaration::scalar(Category::Map, name, what).form(
            Variation::new(returns, "In the order of the map; NULL for NULL.").param(
                "map",
                ParamType::map(K, V),
                "The map.",
            ),
        )
    };
    let union = Declaration::scalar(Category::Map, "MAP_UNION", "The entries of two maps.")
        .form(
            Variation::new(
                ParamType::map(K, V),
                "The entries of both, of equal keys the second one's; a map that is NULL counts as empty.",
            )
            .param("map1", ParamType::map(K, V), "A map.")
            .param("map2", ParamType::map(K, V), "Another map."),
        )
        .example("MAP_UNION(MAP('a' := 1, 'b' := 2), MAP('b' := 3))", "{a=1, b=3}");
    let entries = Declaration::scalar(Category::Map, "ENTRIES", "The entries of a map as an array of structs.")
        .form(
            Variation::new(
                Returns::Computed {
                    shown: "ARRAY<STRUCT<`K` VARCHAR, `V` V>>",
                    of: |args| {
                        let value = match &args[0] {
                            SqlType::Map(_, value) => SqlType::clone(value),
                            other => other.clone(),
                        };
                        let fields = vec![("K".to_string(), SqlType::String), ("V".to_string(), value)];
                        SqlType::Array(Box::new(SqlType::Struct(fields)))
                    },
                },
                "A struct of key and value for each entry; NULL for NULL.",
            )
            .param("map", ParamType::map(SqlType::String, V), "The map.")
            .param("sorted", SqlType::Boolean, "Whether by key; in the order of the map otherwise."),
        )
        .example("ENTRIES(MAP('b' := 2, 'a' := 1), TRUE)", "[Struct{K=a,V=1}, Struct{K=b,V=2}]");
    vec![
        Plain::function(as_map, self::as_map),
        Plain::function(
            of_map("MAP_KEYS", "The keys of a map.", ParamType::array(K)).example("MAP_KEYS(MAP('a' := 1))", "[a]"),
            |call| part(call, |map| map.keys().clone()),
        ),
        Plain::function(
            of_map("MAP_VALUES", "The values of a map.", ParamType::array(V))
                .example("MAP_VALUES(MAP('a' := 1))", "[1]"),
            |call| part(call, |map| map.values().clone()),
        ),
        Plain::function(union, map_union),
        Plain::function(entries, self::entries),
    ]
}

fn part(call: &Call, part: impl Fn(&MapArray) -> ArrayRef) -> DfResult<ArrayRef> {
    let map = call.args[0].as_map();
    let DataType::List(field) = &call.returns else {
        return Err(DataFusionError::Internal(format!("a part of a map cannot be {}", call.returns)));
    };
    Ok(Arc::new(ListArray::try_new(field.clone(), map.offsets().clone(), part(map), map.nulls().cloned())?))
}

/// A map array of the type the call returns, whose entries are picked by position; rows that are not valid have none.
fn picked_map(
    call: &Call,
    keys: &ArrayRef,
    values: &ArrayRef,
    (key_picks, value_picks): (Vec<u32>, Vec<Option<u32>>),
    lengths: Vec<usize>,
    valid: Vec<bool>,
) -> DfResult<ArrayRef> {
    let DataType::Map(field, sorted) = &call.returns else {
        return Err(DataFusionError::Internal(format!("a map cannot be {}", call.returns)));
    };
    let DataType::Struct(fields) = field.data_type() else {
        return Err(DataFusionError::Internal(format!("entries of a map cannot be {}", field.data_type())));
    };
    let column = |array: &ArrayRef, picks: UInt32Array| -> DfResult<ArrayRef> {
        if array.is_empty() {
            return Ok(new_null_array(array.data_type(), picks.len()));
        }
        Ok(take(array, &picks, None)?)
    };
    let columns = vec![column(keys, key_picks.into())?, column(values, value_picks.into())?];
    let entries = StructArray::try_new(fields.clone(), columns, None)?;
    let nulls = NullBuffer::from(valid);
    let nulls = (nulls.null_count() > 0).then_some(nulls);
    Ok(Arc::new(MapArray::try_new(field.clone(), OffsetBuffer::from_lengths(lengths), entries, nulls, *sorted)?))
}

fn as_map(call: &Call) -> DfResult<ArrayRef> {
    let (keys, values) = (call.args[0].as_list::<i32>(), call.args[1].as_list::<i32>());
    let names = map_keys(keys.values());
    let (mut picked_keys, mut picked_values) = (Vec::new(), Vec::new());
    let (mut lengths, mut valid) = (Vec::with_capacity(call.rows), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let start = picked_keys.len();
        let ok = !call.null_at(row);
        if ok {
            // Of equal keys the last one stays, at the place of the first.
            let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
            let behind = span(values, row).map(|at| Some(at as u32)).chain(std::iter::repeat(None));
            for (key_at, value_at) in span(keys, row).zip(behind) {
                let place = *places.entry(key(&names, key_at)).or_insert(picked_keys.len());
                if place == picked_keys.len() {
                    picked_keys.push(key_at as u32);
                    picked_values.push(value_at);
                } else {
                    picked_values[place] = value_at;
                }
            }
        }
        lengths.push(picked_keys.len() - start);
        valid.push(ok);
    }
    picked_map(call, &names, values.values(), (picked_keys, picked_values), lengths, valid)
}

fn map_union(call: &Call) -> DfResult<ArrayRef> {
    let (left, right) = (call.args[0].as_map(), call.args[1].as_map());
    let keys = concat(&[left.keys().as_ref(), right.keys().as_ref()])?;
    let values = concat(&[left.values().as_ref(), right.values().as_ref()])?;
    let shift = left.keys().len();
    let range = |map: &MapArray, row: usize| {
        let offsets = map.value_offsets();
        if map.is_valid(row) { offsets[row] as usize..offsets[row + 1] as usize } else { 0..0 }
    };
    let (mut picked_keys, mut picked_values) = (Vec::new(), Vec::new());
    let (mut lengths, mut valid) = (Vec::with_capacity(call.rows), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let start = picked_keys.len();
        let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
        for at in range(left, row).chain(range(right, row).map(|at| at + shift)) {
            let place = *places.entry(key(&keys, at)).or_insert(picked_keys.len());
            if place == picked_keys.len() {
                picked_keys.push(at as u32);
                picked_values.push(Some(at as u32));
            } else {
                picked_values[place] = Some(at as u32);
            }
        }
        lengths.push(picked_keys.len() - start);
        valid.push(left.is_valid(row) || right.is_valid(row));
    }
    picked_map(call, &keys, &values, (picked_keys, picked_values), lengths, valid)
}

fn entries(call: &Call) -> DfResult<ArrayRef> {
    let (map, sorted) = (call.args[0].as_map(), call.args[1].as_boolean());
    let structs = match &call.returns {
        DataType::List(field) => match field.data_type() {
            DataType::Struct(fields) => {
                let columns = vec![map.keys().clone(), map.values().clone()];
                Arc::new(StructArray::try_new_with_length(fields.clone(), columns, None, map.keys().len())?) as ArrayRef
            }
            other => return Err(DataFusionError::Internal(format!("an entry cannot be {other}"))),
        },
        other => return Err(DataFusionError::Internal(format!("entries cannot be {other}"))),
    };
    let keys = map.keys().as_string::<i32>();
    picked_lists(call, "ENTRIES", &structs, |row, picks| {
        if call.null_at(row) {
            return Ok(None);
        }
        let start = picks.len();
        picks.extend(map.value_offsets()[row] as u32..map.value_offsets()[row + 1] as u32);
        if sorted.value(row) {
            picks[start..].sort_by(|a, b| keys.value(*a as usize).cmp(keys.value(*b as usize)));
        }
        Ok(Some(()))
    })
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::sql;

    #[test]
    fn keys_and_values_make_a_map_and_come_out_of_it() {
        sql(&[
            ("AS_MAP(ARRAY['a', 'b', 'c'], ARRAY[1, 2])", "{a=1, b=2, c=null}"),
            ("AS_MAP(ARRAY['a', NULL], ARRAY[1, 2, 3])", "{a=1, null=2}"),
            ("AS_MAP(ARRAY['a', 'a'], ARRAY[1, NULL])", "{a=null}"),
            ("AS_MAP(CAST(NULL AS ARRAY<STRING>), ARRAY[1])", "null"),
            ("MAP_KEYS(MAP('x' := 1, 'y' := NULL))", "[x, y]"),
            ("MAP_KEYS(CAST(NULL AS MAP<STRING, INT>))", "null"),
            ("MAP_KEYS(SPLIT_TO_MAP('', ',', ':'))", "[]"),
            ("MAP_VALUES(MAP('x' := 1, 'y' := NULL))", "[1, null]"),
            ("MAP_VALUES(CAST(NULL AS MAP<STRING, INT>))", "null"),
            ("MAP_VALUES(MAP('x' := ARRAY[1]))", "[[1]]"),
        ]);
    }

    #[test]
    fn the_second_map_wins() {
        sql(&[
            ("MAP_UNION(CAST(NULL AS MAP<STRING, INT>), MAP('a' := 1))", "{a=1}"),
            ("MAP_UNION(CAST(NULL AS MAP<STRING, INT>), CAST(NULL AS MAP<STRING, INT>))", "null"),
            ("MAP_UNION(MAP('a' := 1), MAP('a' := CAST(NULL AS INT)))", "{a=null}"),
        ]);
    }

    #[test]
    fn entries_are_structs() {
        sql(&[
            ("ENTRIES(CAST(NULL AS MAP<STRING, INT>), TRUE)", "null"),
            ("ENTRIES(MAP('b' := 2, 'a' := 1), FALSE)[1]->K", "b"),
            ("ENTRIES(MAP('b' := 2, 'a' := 1), TRUE)[2]->V", "2"),
        ]);
    }
}
