//! The reference page of all functions, `REFERENCE.md` beside this file.
//!
//! It is generated from the declarations. A test keeps it current: when it fails, run it once with `ALCEDO_BLESS=1`.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::declaration::{Category, Declaration};
use super::registry::FunctionRegistry;

/// The page, in Markdown.
pub fn reference(registry: &FunctionRegistry) -> String {
    let mut chapters: BTreeMap<Category, Vec<&Declaration>> = BTreeMap::new();
    for declaration in registry.declarations() {
        chapters.entry(declaration.category).or_default().push(declaration);
    }
    let mut page = String::from(
        "# Functions\n\nGenerated from the declarations; `DESCRIBE FUNCTION name;` shows the same. A row for which a function \
         fails is NULL in\nits own column and reported. Unless a text says otherwise, a NULL argument gives NULL.\n",
    );
    for (category, declarations) in &chapters {
        let _ = write!(page, "\n## {}\n", title(*category));
        for declaration in declarations {
            one(declaration, &mut page);
        }
    }
    page
}

fn one(declaration: &Declaration, page: &mut String) {
    // Writing to a `String` cannot fail.
    let _ = write!(page, "\n### {}\n\n{}\n\n", declaration.name, declaration.description);
    for variation in &declaration.variations {
        let call = declaration.call_text(variation);
        let _ = writeln!(page, "- `{call}` → `{}`: {}", variation.returns, variation.description);
        for param in &variation.params {
            let _ = writeln!(page, "  - `{}`: {}", param.name, param.description);
        }
    }
    if !declaration.examples.is_empty() {
        page.push_str("\n```text\n");
        for example in &declaration.examples {
            let _ = writeln!(page, "{} -> {}", example.sql, example.result);
        }
        page.push_str("```\n");
    }
}

fn title(category: Category) -> &'static str {
    match category {
        Category::Anomaly => "Anomaly detection",
        Category::Mathematical => "Numbers",
        Category::String => "Texts and bytes",
        Category::Regex => "Regular expressions",
        Category::DateTime => "Dates and times",
        Category::Array => "Arrays",
        Category::Map => "Maps",
        Category::Json => "JSON in texts",
        Category::Url => "URLs",
        Category::Conditional => "Conditions",
        Category::Lambda => "Functions that take lambdas",
        Category::Conversion => "Conversions",
        Category::Aggregate => "Aggregates",
        Category::Table => "Table functions",
        Category::Other => "Others",
        Category::User => "Of the user",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/engine/functions/REFERENCE.md");
        let page = reference(&FunctionRegistry::builtin());
        if std::env::var_os("ALCEDO_BLESS").is_some() {
            std::fs::write(path, &page).expect("a file that can be written");
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == page, "engine/functions/REFERENCE.md is not current: run this test once with ALCEDO_BLESS=1");
    }

    #[test]
    fn all_functions_of_ksqldb_are_there() {
        let registry = FunctionRegistry::builtin();
        let names = "ABS CEIL FLOOR ROUND TRUNC SIGN GREATEST LEAST EXP LN SQRT CBRT LOG POWER SIN COS TAN COT ASIN ACOS ATAN SINH \
            COSH TANH DEGREES RADIANS ATAN2 PI RANDOM CONCAT CONCAT_WS LCASE UCASE INITCAP TRIM MD5 LEN LPAD RPAD SUBSTRING \
            INSTR REPLACE SPLIT SPLIT_TO_MAP CHR ELT FIELD ENCODE TO_BYTES FROM_BYTES MASK MASK_LEFT MASK_RIGHT \
            MASK_KEEP_LEFT MASK_KEEP_RIGHT UUID REGEXP_EXTRACT REGEXP_EXTRACT_ALL REGEXP_REPLACE REGEXP_SPLIT_TO_ARRAY \
            FORMAT_TIMESTAMP PARSE_TIMESTAMP FORMAT_DATE PARSE_DATE FORMAT_TIME PARSE_TIME FROM_UNIXTIME UNIX_TIMESTAMP \
            FROM_DAYS UNIX_DATE TIMESTAMPADD TIMESTAMPSUB DATEADD DATESUB TIMEADD TIMESUB CONVERT_TZ STRINGTOTIMESTAMP \
            TIMESTAMPTOSTRING STRINGTODATE DATETOSTRING ARRAY_CONCAT ARRAY_UNION ARRAY_INTERSECT ARRAY_EXCEPT \
            ARRAY_DISTINCT ARRAY_SORT ARRAY_REMOVE ARRAY_CONTAINS ARRAY_MIN ARRAY_MAX ARRAY_LENGTH ARRAY_JOIN SLICE \
            GENERATE_SERIES AS_MAP MAP_KEYS MAP_VALUES MAP_UNION ENTRIES EXTRACTJSONFIELD IS_JSON_STRING \
            JSON_ARRAY_CONTAINS JSON_ARRAY_LENGTH JSON_CONCAT JSON_ITEMS JSON_KEYS JSON_RECORDS TO_JSON_STRING \
            URL_ENCODE_PARAM URL_DECODE_PARAM URL_EXTRACT_FRAGMENT URL_EXTRACT_HOST URL_EXTRACT_PATH URL_EXTRACT_PROTOCOL \
            URL_EXTRACT_QUERY URL_EXTRACT_PARAMETER URL_EXTRACT_PORT COALESCE IFNULL NULLIF TRANSFORM FILTER REDUCE \
            INT_FROM_BYTES BIGINT_FROM_BYTES DOUBLE_FROM_BYTES AS_VALUE GEO_DISTANCE EXPLODE CUBE_EXPLODE";
        let missing: Vec<&str> = names.split_whitespace().filter(|name| registry.get(name).is_none()).collect();
        assert_eq!((names.split_whitespace().count(), missing), (131, vec![]));
    }
}
