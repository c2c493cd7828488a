//! `MASK` and its kin: letters and digits replaced, so that a text shows its shape and not what it says.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::Int32Type;
use datafusion::common::Result as DfResult;
use regex::Regex;

use super::plain::{Cell, Plain, fail, strings};
use super::strings::{texts, utf16_length};
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::{Call, ScalarFunction};
use crate::types::SqlType;

/// Which characters are masked, by their position; both counts from the front.
type Masked = fn(position: usize, length: usize, n: usize) -> bool;

/// All five functions.
pub fn functions() -> Vec<Arc<dyn ScalarFunction>> {
    let some = [
        (
            "MASK_LEFT",
            "Masks the first characters of a text.",
            (|position, _, n| position < n) as Masked,
            ("MASK_LEFT('My Test $123', 5)", "Xx-Xxst $123"),
        ),
        (
            "MASK_RIGHT",
            "Masks the last characters of a text.",
            |position, length, n| position + n >= length,
            ("MASK_RIGHT('My Test $123', 5)", "My Test--nnn"),
        ),
        (
            "MASK_KEEP_LEFT",
            "Masks all but the first characters of a text.",
            |position, _, n| position >= n,
            ("MASK_KEEP_LEFT('My Test $123', 5)", "My Texx--nnn"),
        ),
        (
            "MASK_KEEP_RIGHT",
            "Masks all but the last characters of a text.",
            |position, length, n| position + n < length,
            ("MASK_KEEP_RIGHT('My Test $123', 5)", "Xx-Xxxx $123"),
        ),
    ];
    let whole = Declaration::scalar(Category::String, "MASK", "Masks the characters of a text.")
        .form(Variation::new(SqlType::String, STANDARD).param("input", SqlType::String, "The text."))
        .form(with_masks(Variation::new(SqlType::String, OWN).param("input", SqlType::String, "The text.")))
        .example("MASK('My Test $123')", "Xx-Xxxx--nnn");
    let mut functions = vec![Plain::function(whole, |call| mask(call, "MASK", 1, |_, _, _| true))];
    for (name, what, masked, (sql, result)) in some {
        const COUNT: &str = "How many characters are meant.";
        let form = |what: &'static str| {
            Variation::new(SqlType::String, what).param("input", SqlType::String, "The text.").param(
                "numChars",
                SqlType::Integer,
                COUNT,
            )
        };
        let declaration = Declaration::scalar(Category::String, name, what)
            .form(form(STANDARD))
            .form(with_masks(form(OWN)))
            .example(sql, result);
        functions.push(Plain::function(declaration, move |call| mask(call, name, 2, masked)));
    }
    functions
}

const STANDARD: &str = "Capitals become X, small letters x, digits n, everything else -.";
const OWN: &str = "Each kind of character becomes its mask, one character; NULL leaves the kind as it is.";

fn with_masks(form: Variation) -> Variation {
    form.param("upper", SqlType::String, "Mask of capitals.")
        .param("lower", SqlType::String, "Mask of small letters.")
        .param("digit", SqlType::String, "Mask of digits.")
        .param("other", SqlType::String, "Mask of everything else.")
}

/// Which mask a character takes, by its general category: capitals, small letters, decimal digits, everything else.
fn kind(c: char) -> usize {
    static CATEGORIES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        [r"^\p{Lu}", r"^\p{Ll}", r"^\p{Nd}"].iter().filter_map(|class| Regex::new(class).ok()).collect()
    });
    match c {
        'A'..='Z' => 0,
        'a'..='z' => 1,
        '0'..='9' => 2,
        c if c.is_ascii() => 3,
        c => CATEGORIES.iter().position(|class| class.is_match(c.encode_utf8(&mut [0; 4]))).unwrap_or(3),
    }
}

/// `first`: the argument of the first mask, if there are some.
fn mask(call: &Call, name: &str, first: usize, masked: Masked) -> DfResult<ArrayRef> {
    let inputs = texts(&call.args[0]);
    let counts = (first == 2).then(|| call.args[1].as_primitive::<Int32Type>());
    strings(call, name, |row, out| -> Cell<()> {
        if inputs.is_null(row) || counts.is_some_and(|counts| counts.is_null(row)) {
            return Ok(None);
        }
        let Ok(count) = usize::try_from(counts.map_or(0, |counts| counts.value(row))) else {
            return fail("the number of characters is negative");
        };
        let replacement = |kind: usize| -> Cell<char> {
            match call.args.get(first + kind) {
                None => Ok(['X', 'x', 'n', '-'].get(kind).copied()),
                Some(mask) if mask.is_null(row) => Ok(None),
                Some(mask) => {
                    let mut chars = texts(mask).value(row).chars();
                    match (chars.next().filter(|c| c.len_utf16() == 1), chars.next()) {
                        (Some(mask), None) => Ok(Some(mask)),
                        _ => fail("a mask is not a single character"),
                    }
                }
            }
        };
        let masks = [replacement(0)?, replacement(1)?, replacement(2)?, replacement(3)?];
        let length = utf16_length(inputs.value(row));
        let mut position = 0;
        for c in inputs.value(row).chars() {
            if masked(position, length, count) {
                out.push(masks[kind(c)].unwrap_or(c));
                // The second unit of a character beyond U+FFFF is masked by itself, as something else.
                if c.len_utf16() > 1 {
                    out.extend(masks[3]);
                }
            } else {
                out.push(c);
            }
            position += c.len_utf16();
        }
        Ok(Some(()))
    })
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::{sql, sql_fails};

    #[test]
    fn characters_are_masked_by_their_kind() {
        sql(&[
            ("MASK('AbC#$123xy')", "XxX--nnnxx"),
            ("MASK('AbC123', 'Q', NULL, '9', '*')", "QbQ999"),
            ("MASK(CAST(NULL AS STRING))", "null"),
            ("MASK('')", ""),
            ("MASK('ÄßǅªⅫ²٣')", "Xx----n"),
            ("MASK('😀𝐀')", "--X-"),
            ("MASK('a😀', NULL, 'l', NULL, NULL)", "l😀"),
        ]);
    }

    #[test]
    fn parts_are_masked_or_kept() {
        sql(&[
            ("MASK_LEFT('Ab1', 0)", "Ab1"),
            ("MASK_LEFT('Ab1', 9, 'U', 'l', '0', '?')", "Ul0"),
            ("MASK_LEFT(CAST(NULL AS STRING), 1)", "null"),
            ("MASK_RIGHT('Ab1', 2)", "Axn"),
            ("MASK_RIGHT('Ab1', 9)", "Xxn"),
            ("MASK_RIGHT('Ab1', CAST(NULL AS INT))", "null"),
            ("MASK_KEEP_LEFT('Ab1', 1)", "Axn"),
            ("MASK_KEEP_LEFT('Ab1', 9)", "Ab1"),
            ("MASK_KEEP_LEFT(CAST(NULL AS STRING), 1)", "null"),
            ("MASK_KEEP_RIGHT('Ab1', 1)", "Xx1"),
            ("MASK_KEEP_RIGHT('Ab1', 0)", "Xxn"),
            ("MASK_KEEP_RIGHT(CAST(NULL AS STRING), 1)", "null"),
        ]);
        sql_fails(&[("MASK('a', 'XX', 'x', 'n', '-')", "single"), ("MASK('a', '', 'x', 'n', '-')", "single")]);
        sql_fails(&[("MASK_LEFT('a', -1)", "negative"), ("MASK_KEEP_RIGHT('a', -1)", "negative")]);
    }
}
