//! Functions that the binder turns into something else than a call: `AS_VALUE`, and those that take lambdas. They are
//! declared here, so that they are listed and described like all others.

use crate::functions::declaration::{Category, Declaration, ParamType, Variation};
use crate::types::SqlType;

const T: ParamType = ParamType::Generic("T");
const U: ParamType = ParamType::Generic("U");
const K: ParamType = ParamType::Generic("K");
const V: ParamType = ParamType::Generic("V");
const S: ParamType = ParamType::Generic("S");

fn lambda(params: &[ParamType], returns: impl Into<ParamType>) -> ParamType {
    ParamType::Lambda(params.to_vec(), Box::new(returns.into()))
}

/// Their declarations.
pub fn declarations() -> Vec<Declaration> {
    let array = || ParamType::array(T);
    let map = || ParamType::map(K, V);
    vec![
        Declaration::scalar(Category::Other, "AS_VALUE", "Copies a key column into the value.")
            .form(Variation::new(T, "The column, no longer part of the key.").param("keyColumn", T, "The key column."))
            .example("AS_VALUE(1)", "1"),
        Declaration::scalar(Category::Lambda, "FILTER", "The elements or entries for which a condition is true.")
            .form(
                Variation::new(array(), "The elements for which it is true; NULL for NULL.")
                    .param("array", array(), "The array.")
                    .param("lambda", lambda(&[T], SqlType::Boolean), "The condition, of an element."),
            )
            .form(
                Variation::new(map(), "The entries for which it is true; NULL for NULL.")
                    .param("map", map(), "The map.")
                    .param("lambda", lambda(&[K, V], SqlType::Boolean), "The condition, of key and value."),
            )
            .example("FILTER(ARRAY[1, 5, 3], x => x > 2)", "[5, 3]"),
        Declaration::scalar(Category::Lambda, "TRANSFORM", "Elements or entries, each computed from the old one.")
            .form(
                Variation::new(ParamType::array(U), "What the lambda makes of each element; NULL for NULL.")
                    .param("array", array(), "The array.")
                    .param("lambda", lambda(&[T], U), "The new element."),
            )
            .form(
                Variation::new(ParamType::map(U, S), "What the lambdas make of each entry; NULL for NULL.")
                    .param("map", map(), "The map.")
                    .param("keyLambda", lambda(&[K, V], U), "The new key.")
                    .param("valueLambda", lambda(&[K, V], S), "The new value."),
            )
            .example("TRANSFORM(ARRAY[1, 5], x => x * 2)", "[2, 10]"),
        Declaration::scalar(Category::Lambda, "REDUCE", "One value out of all elements or entries.")
            .form(
                Variation::new(
                    S,
                    "The last state; the first one for NULL and for an array without elements, NULL when that is.",
                )
                .param("array", array(), "The array.")
                .param("state", S, "The first state.")
                .param("lambda", lambda(&[S, T], S), "The next state, of state and element."),
            )
            .form(
                Variation::new(
                    S,
                    "The last state; the first one for NULL and for a map without entries, NULL when that is.",
                )
                .param("map", map(), "The map.")
                .param("state", S, "The first state.")
                .param("lambda", lambda(&[S, K, V], S), "The next state, of state, key and value."),
            )
            .example("REDUCE(ARRAY[1, 2, 3], 0, (s, x) => s + x)", "6"),
    ]
}
