//! The scalar functions, one or one small family a file, each with its declaration and its unit tests.
//!
//! `plain` makes a function of a declaration and a computation, and builds columns row by row; `decimals`, `places`, `strings`
//! and `values` hold what several functions share, `java_regex` patterns. `forms` declares what the binder resolves by
//! itself.

mod decimals;
mod forms;
mod json_path;
mod places;
mod plain;
mod strings;
mod values;

mod abs;
mod anomaly;
mod array_order;
mod array_sets;
mod arrays;
mod ceil;
mod chr;
mod coalesce;
mod concat;
mod concat_ws;
mod digests;
mod elt;
mod encode;
mod extremes;
mod floor;
mod geo_distance;
mod ifnull;
mod initcap;
mod instr;
mod java_regex;
mod json_functions;
mod lcase;
mod len;
mod maps;
mod mask;
mod nullif;
mod number_bytes;
mod pad;
mod random;
mod regexp;
mod replace;
mod round;
mod sign;
mod split;
mod substring;
mod time_numbers;
mod time_texts;
mod to_json;
mod trigonometry;
mod trim;
mod trunc;
mod ucase;
mod urls;

use std::sync::Arc;

use super::declaration::Declaration;
use super::kernel::ScalarFunction;

pub use values::{key as value_key, map_keys, signed_order};

/// All that are computed by a kernel.
pub fn all() -> Vec<Arc<dyn ScalarFunction>> {
    let mut functions: Vec<Arc<dyn ScalarFunction>> = vec![
        Arc::new(abs::Abs),
        Arc::new(anomaly::Anomaly),
        Arc::new(ceil::Ceil),
        Arc::new(coalesce::Coalesce),
        Arc::new(concat::Concat),
        Arc::new(floor::Floor),
        Arc::new(ifnull::Ifnull),
        Arc::new(lcase::Lcase),
        Arc::new(len::Len),
        round::function(),
        Arc::new(substring::Substring),
        Arc::new(trim::Trim),
        Arc::new(ucase::Ucase),
        chr::function(),
        concat_ws::function(),
        geo_distance::function(),
        initcap::function(),
        instr::function(),
        nullif::function(),
        random::function(),
        replace::function(),
        sign::function(),
        to_json::function(),
        trunc::function(),
    ];
    for family in [
        array_order::functions,
        array_sets::functions,
        arrays::functions,
        digests::functions,
        elt::functions,
        encode::functions,
        extremes::functions,
        json_functions::functions,
        maps::functions,
        mask::functions,
        number_bytes::functions,
        pad::functions,
        regexp::functions,
        split::functions,
        time_numbers::functions,
        time_texts::functions,
        trigonometry::functions,
        urls::functions,
    ] {
        functions.extend(family());
    }
    functions
}

/// Those that the binder resolves by itself.
pub fn special_forms() -> Vec<Declaration> {
    forms::declarations()
}

#[cfg(test)]
use super::tests as testing;
