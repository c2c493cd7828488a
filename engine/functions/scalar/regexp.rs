//! `REGEXP_EXTRACT` and its kin. Patterns are Java's, as far as `java_regex` has them.

use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int32Type;
use regex::{Captures, Regex};

use super::java_regex;
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
            self.last = Some((pattern.to_string(), java_regex::compile(pattern)?));
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
    const PATTERN: &str =
        "The regular expression, Java's without look-around, back references and possessive quantifiers.";
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
                java_regex::matches(regex, inputs.value(row))
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
                let names: Vec<&str> = regex.capture_names().flatten().collect();
                let mut end = 0;
                for captures in java_regex::matches(regex, text) {
                    let Some(whole) = captures.get(0) else { continue };
                    out.push_str(&text[end..whole.start()]);
                    substitute(new.value(row), &names, &captures, out)?;
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
                let regex = compiled.get(patterns.value(row))?;
                parts_of(regex, inputs.value(row)).into_iter().for_each(|part| out.append_value(part));
                Ok(Some(()))
            })
        }),
    ]
}

/// The parts of a text between matches. A pattern that can match nothing at all splits as Java's `String.split` does: not
/// before the first character, and without empty parts at the end. Any other keeps all parts.
fn parts_of<'t>(regex: &Regex, text: &'t str) -> Vec<&'t str> {
    let matches_nothing = regex.find("").is_some_and(|found| found.is_empty());
    let (mut parts, mut end) = (Vec::new(), 0);
    for found in java_regex::matches(regex, text).filter_map(|captures| captures.get(0)) {
        if found.is_empty() && (found.start() == 0 || (!matches_nothing && found.start() == text.len())) {
            continue;
        }
        parts.push(&text[end..found.start()]);
        end = found.end();
    }
    let untouched = parts.is_empty();
    parts.push(&text[end..]);
    while matches_nothing && !untouched && parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    parts
}

/// The group asked for; none that the pattern does not have.
fn group(call: &crate::functions::kernel::Call, row: usize, regex: &Regex) -> Cell<usize> {
    let group = call.args.get(2).map_or(0, |groups| groups.as_primitive::<Int32Type>().value(row));
    Ok(usize::try_from(group).ok().filter(|group| *group < regex.captures_len()))
}

/// Appends a replacement by Java's rules: `$n` and `${name}` are groups, a backslash takes what follows as it is.
fn substitute(replacement: &str, names: &[&str], captures: &Captures, out: &mut String) -> Cell<()> {
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
                match names.iter().position(|known| *known == name) {
                    Some(_) => out.push_str(captures.name(&name).map_or("", |found| found.as_str())),
                    None => return fail("the replacement names a group that the pattern does not have"),
                }
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
            ("REGEXP_REPLACE('abc', 'b*', '-')", "-a--c-"),
            ("REGEXP_REPLACE('ab', '(?<x>a)', '${x}!')", "a!b"),
            ("REGEXP_REPLACE('a', CAST(NULL AS STRING), 'b')", "null"),
            ("REGEXP_SPLIT_TO_ARRAY('aabdcda', '(ab|cd)')", "[a, d, a]"),
            ("REGEXP_SPLIT_TO_ARRAY('zxy', '(ab|cd)')", "[zxy]"),
            ("REGEXP_SPLIT_TO_ARRAY('zxy', '')", "[z, x, y]"),
            ("REGEXP_SPLIT_TO_ARRAY('', '')", "[]"),
            ("ARRAY_LENGTH(REGEXP_SPLIT_TO_ARRAY('', ''))", "1"),
            ("REGEXP_SPLIT_TO_ARRAY('axbxx', 'x*')", "[a, , b]"),
            ("REGEXP_SPLIT_TO_ARRAY('xax', 'x')", "[, a, ]"),
            ("REGEXP_SPLIT_TO_ARRAY('a b', '\\b')", "[a,  , b]"),
            ("REGEXP_SPLIT_TO_ARRAY(CAST(NULL AS STRING), 'a')", "null"),
        ]);
        sql_fails(&[("REGEXP_REPLACE('a', 'a', '${x}')", "group"), ("REGEXP_REPLACE('a', 'a++', '')", "possessive")]);
        sql_fails(&[("REGEXP_REPLACE('a', 'a', '$1')", "group"), ("REGEXP_REPLACE('a', 'a', '$')", "without a group")]);
    }
}
