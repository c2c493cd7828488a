//! `REGEXP_EXTRACT` and its kin. Patterns are those of the `regex` crate: Java's without look-around and back references.

use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int32Type;
use regex::{Captures, Regex};

use super::plain::{Cell, Plain, fail, string_lists, strings};
use super::strings::texts;
use crate::functions::declaration::{Category, Declaration, ParamType, Variation};
use crate::functions::kernel::ScalarFunction;
use crate::types::SqlType;

/// The pattern of the last row, which nearly always is the next row's too.
#[derive(Default)]
struct Compiled {
    last: Option<(String, Regex)>,
}

impl Compiled {
    fn get(&mut self, pattern: &str) -> Result<&Regex, std::borrow::Cow<'static, str>> {
        if self.last.as_ref().is_none_or(|(text, _)| text != pattern) {
            let regex = Regex::new(pattern).map_err(|_| "the pattern is not a regular expression")?;
            self.last = Some((pattern.to_string(), regex));
        }
        match &self.last {
            Some((_, regex)) => Ok(regex),
            None => Err("the pattern is not a regular expression".into()),
        }
    }
}

/// All four functions.
pub fn functions() -> Vec<Arc<dyn ScalarFunction>> {
    const S: SqlType = SqlType::String;
    const PATTERN: &str = "The regular expression.";
    const GROUP: &str = "The group to take, 0 for the whole match.";
    let form = |returns: ParamType, what: &'static str| {
        Variation::new(returns, what).param("pattern", S, PATTERN).param("input", S, "The text.")
    };
    let extract = Declaration::scalar(Category::Regex, "REGEXP_EXTRACT", "The first part that a pattern matches.")
        .form(form(S.into(), "The first match; NULL when there is none."))
        .form(form(S.into(), "A group of the first match; NULL when there is none.").param(
            "group",
            SqlType::Integer,
            GROUP,
        ))
        .example("REGEXP_EXTRACT('(.*) (.*)', 'hello there', 2)", "there");
    let all = Declaration::scalar(Category::Regex, "REGEXP_EXTRACT_ALL", "All parts that a pattern matches.")
        .form(form(ParamType::array(S), "All matches in order."))
        .form(form(ParamType::array(S), "A group of each match, in order.").param("group", SqlType::Integer, GROUP))
        .example("REGEXP_EXTRACT_ALL('t.', 'test string')", "[te, t , tr]");
    let replace = Declaration::scalar(Category::Regex, "REGEXP_REPLACE", "Replaces what a pattern matches.")
        .form(
            Variation::new(S, "The text with each match replaced; NULL when any argument is.")
                .param("str", S, "The text.")
                .param("regexp", S, PATTERN)
                .param("newStr", S, "What to put there; $1 is the first group."),
        )
        .example("REGEXP_REPLACE('testabcab', '(ab)+', 'cat')", "testcatccat");
    let split = Declaration::scalar(Category::Regex, "REGEXP_SPLIT_TO_ARRAY", "Cuts a text where a pattern matches.")
        .form(
            Variation::new(ParamType::array(S), "The parts between the matches, empty ones too.")
                .param("input", S, "The text.")
                .param("pattern", S, PATTERN),
        )
        .example("REGEXP_SPLIT_TO_ARRAY('aabcda', '(ab|cd)')", "[a, , a]");
    vec![
        Plain::function(extract, |call| {
            let (patterns, inputs, mut compiled) = (texts(&call.args[0]), texts(&call.args[1]), Compiled::default());
            strings(call, "REGEXP_EXTRACT", |row, out| {
                if call.null_at(row) {
                    return Ok(None);
                }
                let regex = compiled.get(patterns.value(row))?;
                let Some(group) = group(call, row, regex)? else { return Ok(None) };
                let found = regex.captures(inputs.value(row)).and_then(|captures| captures.get(group));
                Ok(found.map(|found| out.push_str(found.as_str())))
            })
        }),
        Plain::function(all, |call| {
            let (patterns, inputs, mut compiled) = (texts(&call.args[0]), texts(&call.args[1]), Compiled::default());
            string_lists(call, "REGEXP_EXTRACT_ALL", |row, out| {
                if call.null_at(row) {
                    return Ok(None);
                }
                let regex = compiled.get(patterns.value(row))?;
                let Some(group) = group(call, row, regex)? else { return Ok(None) };
                regex
                    .captures_iter(inputs.value(row))
                    .for_each(|captures| out.append_option(captures.get(group).map(|found| found.as_str())));
                Ok(Some(()))
            })
        }),
        Plain::function(replace, |call| {
            let (inputs, patterns) = (texts(&call.args[0]), texts(&call.args[1]));
            let (new, mut compiled) = (texts(&call.args[2]), Compiled::default());
            strings(call, "REGEXP_REPLACE", |row, out| {
                if call.null_at(row) {
                    return Ok(None);
                }
                let (regex, text) = (compiled.get(patterns.value(row))?, inputs.value(row));
                let mut end = 0;
                for captures in regex.captures_iter(text) {
                    let Some(whole) = captures.get(0) else { continue };
                    out.push_str(&text[end..whole.start()]);
                    substitute(new.value(row), &captures, out)?;
                    end = whole.end();
                }
                out.push_str(&text[end..]);
                Ok(Some(()))
            })
        }),
        Plain::function(split, |call| {
            let (inputs, patterns, mut compiled) = (texts(&call.args[0]), texts(&call.args[1]), Compiled::default());
            string_lists(call, "REGEXP_SPLIT_TO_ARRAY", |row, out| {
                if call.null_at(row) {
                    return Ok(None);
                }
                if patterns.value(row).is_empty() {
                    // As Java's `String.split`: every character by itself.
                    let mut buffer = [0; 4];
                    inputs.value(row).chars().for_each(|c| out.append_value(c.encode_utf8(&mut buffer)));
                    return Ok(Some(()));
                }
                let regex = compiled.get(patterns.value(row))?;
                regex.split(inputs.value(row)).for_each(|part| out.append_value(part));
                Ok(Some(()))
            })
        }),
    ]
}

/// The group asked for; none that the pattern does not have.
fn group(call: &crate::functions::kernel::Call, row: usize, regex: &Regex) -> Cell<usize> {
    let group = call.args.get(2).map_or(0, |groups| groups.as_primitive::<Int32Type>().value(row));
    Ok(usize::try_from(group).ok().filter(|group| *group < regex.captures_len()))
}

/// Appends a replacement by Java's rules: `$n` and `${name}` are groups, a backslash takes what follows as it is.
fn substitute(replacement: &str, captures: &Captures, out: &mut String) -> Cell<()> {
    let mut rest = replacement.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some(c) => out.push(c),
                None => return fail("the replacement ends with a backslash"),
            },
            '$' if rest.peek() == Some(&'{') => {
                rest.next();
                let name: String = rest.by_ref().take_while(|c| *c != '}').collect();
                out.push_str(captures.name(&name).map_or("", |found| found.as_str()));
            }
            '$' => {
                let Some(mut group) = rest.peek().and_then(|c| c.to_digit(10)).map(|digit| digit as usize) else {
                    return fail("the replacement has a `$` without a group");
                };
                rest.next();
                if group >= captures.len() {
                    return fail("the replacement names a group that the pattern does not have");
                }
                // More digits belong to the number for as long as there is such a group.
                while let Some(digit) = rest.peek().and_then(|c| c.to_digit(10))
                    && group * 10 + (digit as usize) < captures.len()
                {
                    group = group * 10 + digit as usize;
                    rest.next();
                }
                out.push_str(captures.get(group).map_or("", |found| found.as_str()));
            }
            c => out.push(c),
        }
    }
    Ok(Some(()))
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::{sql, sql_fails};

    #[test]
    fn matches_and_groups_are_extracted() {
        sql(&[
            ("REGEXP_EXTRACT('h.l', 'hello')", "hel"),
            ("REGEXP_EXTRACT('x', 'hello')", "null"),
            ("REGEXP_EXTRACT('(h)', 'hello', 3)", "null"),
            ("REGEXP_EXTRACT('(h)', 'hello', -1)", "null"),
            ("REGEXP_EXTRACT(CAST(NULL AS STRING), 'hello')", "null"),
            ("REGEXP_EXTRACT_ALL('test.', 'nothing')", "[]"),
            ("REGEXP_EXTRACT_ALL('(\\w+) (\\w*)', 'a b c d', 2)", "[b, d]"),
            ("REGEXP_EXTRACT_ALL('(a)|b', 'ab', 1)", "[a, null]"),
            ("REGEXP_EXTRACT_ALL('a', CAST(NULL AS STRING))", "null"),
        ]);
        sql_fails(&[("REGEXP_EXTRACT('(', 'a')", "not a regular"), ("REGEXP_EXTRACT_ALL('(', 'a')", "not a regular")]);
    }

    #[test]
    fn matches_are_replaced_and_cut_at() {
        sql(&[
            ("REGEXP_REPLACE('baababaa', '(ab)+', 'cat')", "bacataa"),
            ("REGEXP_REPLACE('john smith', '(\\w+) (\\w+)', '$2, $1')", "smith, john"),
            ("REGEXP_REPLACE('a', 'a', '\\$1')", "$1"),
            ("REGEXP_REPLACE('a', CAST(NULL AS STRING), 'b')", "null"),
            ("REGEXP_SPLIT_TO_ARRAY('aabdcda', '(ab|cd)')", "[a, d, a]"),
            ("REGEXP_SPLIT_TO_ARRAY('zxy', '(ab|cd)')", "[zxy]"),
            ("REGEXP_SPLIT_TO_ARRAY('zxy', '')", "[z, x, y]"),
            ("REGEXP_SPLIT_TO_ARRAY(CAST(NULL AS STRING), 'a')", "null"),
        ]);
        sql_fails(&[("REGEXP_REPLACE('a', 'a', '$1')", "group"), ("REGEXP_REPLACE('a', 'a', '$')", "without a group")]);
    }
}
