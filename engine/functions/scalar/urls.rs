//! Parts of URLs, and the encoding of their parameters.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::datatypes::Int32Type;

use super::plain::{Plain, fail, primitives, strings};
use super::strings::texts;
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::ScalarFunction;
use crate::types::SqlType;

const S: SqlType = SqlType::String;

/// A URL, cut at its delimiters (RFC 3986, appendix B).
struct Url<'a> {
    scheme: Option<&'a str>,
    host: Option<&'a str>,
    port: Option<i32>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Url<'a> {
    /// Reads a URL; one with characters that a URL cannot have is refused.
    fn parse(text: &'a str) -> Result<Url<'a>, Cow<'static, str>> {
        let refused = |c: char| c.is_ascii_control() || " \"<>\\^`{|}".contains(c);
        if text.contains(refused) {
            return Err("the text is not a URL".into());
        }
        let (rest, fragment) = text.split_once('#').map_or((text, None), |(rest, fragment)| (rest, Some(fragment)));
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let is_scheme = |scheme: &&str| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        };
        let (scheme, rest) = match rest.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, rest),
        };
        let (mut host, mut port, mut path) = (None, None, rest);
        if let Some(behind) = rest.strip_prefix("//") {
            let end = behind.find('/').unwrap_or(behind.len());
            let authority = behind[..end].rsplit_once('@').map_or(&behind[..end], |(_, authority)| authority);
            path = &behind[end..];
            let colon = authority.rfind(':').filter(|colon| !authority[*colon..].contains(']'));
            let (name, digits) = colon.map_or((authority, ""), |at| (&authority[..at], &authority[at + 1..]));
            host = Some(name).filter(|name| !name.is_empty());
            port = digits.parse().ok();
        }
        Ok(Url { scheme, host, port, path, query, fragment })
    }
}

/// A text with its `%xx` resolved; `plus`: and `+` as a space.
fn decoded(text: &str, plus: bool) -> Result<String, Cow<'static, str>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'%' => {
                let digits = rest.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
                let value = digits.and_then(|digits| std::str::from_utf8(digits).ok());
                let value = value.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                bytes.push(value.ok_or("a `%` is not followed by two hexadecimal digits")?);
                rest = &rest[2..];
            }
            b'+' if plus => bytes.push(b' '),
            byte => bytes.push(*byte),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

type Part = fn(&Url) -> Result<Option<String>, Cow<'static, str>>;

fn owned(part: Option<&str>) -> Result<Option<String>, Cow<'static, str>> {
    part.map(|part| decoded(part, false)).transpose()
}

/// All nine functions.
pub fn functions() -> Vec<Arc<dyn ScalarFunction>> {
    let parts: [(&'static str, &'static str, Part, &'static str, &'static str); 5] = [
        ("URL_EXTRACT_FRAGMENT", "The fragment of a URL.", |url| owned(url.fragment), "http://a.com/#top", "top"),
        (
            "URL_EXTRACT_HOST",
            "The host of a URL.",
            |url| Ok(url.host.map(str::to_string)),
            "http://u@a.com:8080/b",
            "a.com",
        ),
        ("URL_EXTRACT_PATH", "The path of a URL.", |url| owned(Some(url.path)), "http://a.com/b/c?d=e", "/b/c"),
        (
            "URL_EXTRACT_PROTOCOL",
            "The protocol of a URL.",
            |url| Ok(url.scheme.map(str::to_string)),
            "https://a.com/b",
            "https",
        ),
        ("URL_EXTRACT_QUERY", "The query of a URL.", |url| owned(url.query), "http://a.com/b?c=d&e", "c=d&e"),
    ];
    let form = |returns: SqlType, what: &'static str| Variation::new(returns, what).param("input", S, "The URL.");
    let mut functions: Vec<Arc<dyn ScalarFunction>> = Vec::new();
    for (name, what, part, url, result) in parts {
        let declaration = Declaration::scalar(Category::Url, name, what)
            .form(form(S, "That part, decoded; NULL when the URL has none."))
            .example(format!("{name}('{url}')"), result);
        functions.push(Plain::function(declaration, move |call| {
            let inputs = texts(&call.args[0]);
            strings(call, name, |row, out| {
                if call.null_at(row) {
                    return Ok(None);
                }
                Ok(part(&Url::parse(inputs.value(row))?)?.map(|part| out.push_str(&part)))
            })
        }));
    }
    functions.push(Plain::function(
        Declaration::scalar(Category::Url, "URL_EXTRACT_PORT", "The port of a URL.")
            .form(form(SqlType::Integer, "The port; NULL when the URL names none."))
            .example("URL_EXTRACT_PORT('http://a.com:8080/b')", "8080"),
        |call| {
            let inputs = texts(&call.args[0]);
            primitives::<Int32Type>(call, "URL_EXTRACT_PORT", |row| {
                if call.null_at(row) {
                    return Ok(None);
                }
                Ok(Url::parse(inputs.value(row))?.port)
            })
        },
    ));
    functions.push(Plain::function(
        Declaration::scalar(Category::Url, "URL_EXTRACT_PARAMETER", "A parameter of a URL's query.")
            .form(form(S, "Its value, decoded; NULL when there is none.").param("paramToExtract", S, "Its name."))
            .example("URL_EXTRACT_PARAMETER('http://a.com?b=c&d=e', 'd')", "e"),
        |call| {
            let (inputs, names) = (texts(&call.args[0]), texts(&call.args[1]));
            strings(call, "URL_EXTRACT_PARAMETER", |row, out| {
                if call.null_at(row) {
                    return Ok(None);
                }
                let url = Url::parse(inputs.value(row))?;
                for pair in url.query.unwrap_or_default().split('&') {
                    let (name, value) = pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value)));
                    if decoded(name, false)? == names.value(row) {
                        let Some(value) = value else { return Ok(None) };
                        out.push_str(&decoded(value, false)?);
                        return Ok(Some(()));
                    }
                }
                Ok(None)
            })
        },
    ));
    functions.push(Plain::function(
        Declaration::scalar(Category::Url, "URL_DECODE_PARAM", "A parameter of a URL as what it stands for.")
            .form(form(S, "The text, `+` as a space and %xx as bytes of UTF-8."))
            .example("URL_DECODE_PARAM('%3Ffoo+%24bar')", "?foo $bar"),
        |call| {
            let inputs = texts(&call.args[0]);
            strings(call, "URL_DECODE_PARAM", |row, out| {
                if call.null_at(row) {
                    return Ok(None);
                }
                match decoded(inputs.value(row), true) {
                    Ok(text) => out.push_str(&text),
                    Err(reason) => return fail(reason),
                }
                Ok(Some(()))
            })
        },
    ));
    functions.push(Plain::function(
        Declaration::scalar(Category::Url, "URL_ENCODE_PARAM", "A text as a parameter of a URL.")
            .form(
                Variation::new(S, "Letters, digits and -_.* as they are, spaces as `+`, all other bytes as %xx.")
                    .param("input", S, "The text."),
            )
            .example("URL_ENCODE_PARAM('?foo $bar')", "%3Ffoo+%24bar"),
        |call| {
            let inputs = texts(&call.args[0]);
            strings(call, "URL_ENCODE_PARAM", |row, out| {
                use std::fmt::Write;
                if call.null_at(row) {
                    return Ok(None);
                }
                for byte in inputs.value(row).bytes() {
                    match byte {
                        b' ' => out.push('+'),
                        b'-' | b'_' | b'.' | b'*' => out.push(char::from(byte)),
                        byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
                        byte => {
                            let _ = write!(out, "%{byte:02X}");
                        }
                    }
                }
                Ok(Some(()))
            })
        },
    ));
    functions
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::{sql, sql_fails};

    #[test]
    fn parts_of_urls() {
        sql(&[
            ("URL_EXTRACT_FRAGMENT('http://a.com')", "null"),
            ("URL_EXTRACT_FRAGMENT('http://a.com/?q#a%20b')", "a b"),
            ("URL_EXTRACT_FRAGMENT(CAST(NULL AS STRING))", "null"),
            ("URL_EXTRACT_HOST('http://[::1]:80/')", "[::1]"),
            ("URL_EXTRACT_HOST('a/b')", "null"),
            ("URL_EXTRACT_HOST(CAST(NULL AS STRING))", "null"),
            ("URL_EXTRACT_PATH('http://a.com')", ""),
            ("URL_EXTRACT_PATH('http://a.com/x%2Fy')", "/x/y"),
            ("URL_EXTRACT_PATH(CAST(NULL AS STRING))", "null"),
            ("URL_EXTRACT_PORT('http://a.com')", "null"),
            ("URL_EXTRACT_PORT('http://u@a.com:8080/p')", "8080"),
            ("URL_EXTRACT_PORT(CAST(NULL AS STRING))", "null"),
            ("URL_EXTRACT_PROTOCOL('www.a.com')", "null"),
            ("URL_EXTRACT_PROTOCOL('mailto:a@b.c')", "mailto"),
            ("URL_EXTRACT_PROTOCOL(CAST(NULL AS STRING))", "null"),
            ("URL_EXTRACT_QUERY('http://a.com?query#fragment')", "query"),
            ("URL_EXTRACT_QUERY('http://a.com')", "null"),
            ("URL_EXTRACT_QUERY(CAST(NULL AS STRING))", "null"),
        ]);
        sql_fails(&[("URL_EXTRACT_HOST('http://a b')", "not a URL")]);
    }

    #[test]
    fn parameters() {
        sql(&[
            ("URL_EXTRACT_PARAMETER('http://a.com/?one=a&two=url%20encoded&three', 'two')", "url encoded"),
            ("URL_EXTRACT_PARAMETER('http://a.com/?one=a&three', 'three')", "null"),
            ("URL_EXTRACT_PARAMETER('http://a.com/', 'x')", "null"),
            ("URL_EXTRACT_PARAMETER(CAST(NULL AS STRING), 'x')", "null"),
            ("URL_DECODE_PARAM('hello%26world')", "hello&world"),
            ("URL_DECODE_PARAM('')", ""),
            ("URL_DECODE_PARAM(CAST(NULL AS STRING))", "null"),
            ("URL_ENCODE_PARAM('a-b_c.d*e~')", "a-b_c.d*e%7E"),
            ("URL_ENCODE_PARAM('ä')", "%C3%A4"),
            ("URL_ENCODE_PARAM(CAST(NULL AS STRING))", "null"),
        ]);
        sql_fails(&[("URL_DECODE_PARAM('%')", "hexadecimal"), ("URL_DECODE_PARAM('%zz')", "hexadecimal")]);
    }
}
