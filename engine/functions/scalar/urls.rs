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

/// A URL, cut at its delimiters (RFC 2396, as `java.net.URI` reads it).
#[derive(Default)]
struct Url<'a> {
    scheme: Option<&'a str>,
    host: Option<&'a str>,
    port: Option<i32>,
    /// None of one like `mailto:a@b.c`, which is a scheme and a text.
    path: Option<&'a str>,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

const NO_URL: Cow<'static, str> = Cow::Borrowed("the text is not a URL");

impl<'a> Url<'a> {
    /// Reads a URL; one with characters that a URL cannot have is refused, and so is a scheme with nothing behind it.
    fn parse(text: &'a str) -> Result<Url<'a>, Cow<'static, str>> {
        let refused = |c: char| c.is_control() || c.is_whitespace() || "\"<>\\^`{|}".contains(c);
        let percents = text.match_indices('%').map(|(at, _)| text.as_bytes().get(at + 1..at + 3));
        let escaped = |digits: Option<&[u8]>| digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        if text.contains(refused) || !percents.into_iter().all(escaped) {
            return Err(NO_URL);
        }
        let (rest, fragment) = text.split_once('#').map_or((text, None), |(rest, fragment)| (rest, Some(fragment)));
        if fragment.is_some_and(|fragment| fragment.contains('#')) {
            return Err(NO_URL);
        }
        let (scheme, rest) = match rest.find(['/', '?', ':']) {
            Some(at) if rest[at..].starts_with(':') => (Some(&rest[..at]), &rest[at + 1..]),
            _ => (None, rest),
        };
        if let Some(scheme) = scheme {
            let starts = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
            if !starts || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) || rest.is_empty() {
                return Err(NO_URL);
            }
            if !rest.starts_with('/') {
                return Ok(Url { scheme: Some(scheme), fragment, ..Url::default() });
            }
        }
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (mut authority, mut path) = (None, rest);
        if let Some(behind) = rest.strip_prefix("//") {
            let end = behind.find('/').unwrap_or(behind.len());
            (authority, path) = (Some(&behind[..end]), &behind[end..]);
            if behind.is_empty() {
                return Err(NO_URL);
            }
        }
        if path.contains(['[', ']']) {
            return Err(NO_URL);
        }
        let (host, port) = authority.and_then(server).map_or((None, None), |(host, port)| (Some(host), port));
        Ok(Url { scheme, host, port, path: Some(path), query, fragment })
    }
}

/// Host and port of an authority; `None` for what names no server, as a host with an underscore.
fn server(authority: &str) -> Option<(&str, Option<i32>)> {
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let colon = place.rfind(':').filter(|colon| !place[*colon..].contains(']'));
    let (host, digits) = colon.map_or((place, ""), |at| (&place[..at], &place[at + 1..]));
    let port = if digits.is_empty() { None } else { Some(digits.parse().ok().filter(|port| *port >= 0)?) };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let numbers = || host.split('.').all(|part| part.parse::<u8>().is_ok()) && host.split('.').count() == 4;
    let is_label = |label: &str| {
        let inner = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    let top = name.rsplit('.').next().unwrap_or_default();
    let named = || name.split('.').all(is_label) && top.starts_with(|c: char| c.is_ascii_alphabetic());
    let valid = match address {
        Some(address) => address.split('%').next().is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()),
        None => named() || numbers(),
    };
    valid.then_some((host, port))
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
        ("URL_EXTRACT_PATH", "The path of a URL.", |url| owned(url.path), "http://a.com/b/c?d=e", "/b/c"),
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
            .form(form(S, "Its value, decoded, which may be empty; NULL when there is no such parameter.").param(
                "paramToExtract",
                S,
                "Its name.",
            ))
            .example("URL_EXTRACT_PARAMETER('http://a.com?b=c&d=e', 'd')", "e"),
        |call| {
            let (inputs, names) = (texts(&call.args[0]), texts(&call.args[1]));
            strings(call, "URL_EXTRACT_PARAMETER", |row, out| {
                if call.null_at(row) {
                    return Ok(None);
                }
                let Some(query) = Url::parse(inputs.value(row))?.query else { return Ok(None) };
                // As in ksqlDB the query is decoded before it is cut.
                let query = decoded(query, false)?;
                let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
                let found = pairs.find(|(name, _)| *name == names.value(row));
                Ok(found.map(|(_, value)| out.push_str(value)))
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
            ("URL_EXTRACT_HOST('http://a_b.com:80/')", "null"),
            ("URL_EXTRACT_HOST('http://10.0.0.1:80/')", "10.0.0.1"),
            ("URL_EXTRACT_PORT('http://a_b.com:80/')", "null"),
            ("URL_EXTRACT_PORT('http://a.com:x/')", "null"),
            ("URL_EXTRACT_PATH('mailto:a@b.c')", "null"),
            ("URL_EXTRACT_PATH('file:///a/b')", "/a/b"),
            ("URL_EXTRACT_PATH('')", ""),
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
        sql_fails(&[
            ("URL_EXTRACT_HOST('http://a b')", "not a URL"),
            ("URL_EXTRACT_HOST('http://a.com/%zz')", "not a URL"),
            ("URL_EXTRACT_HOST('1a:b')", "not a URL"),
            ("URL_EXTRACT_PATH('http:')", "not a URL"),
            ("URL_EXTRACT_PATH('http://')", "not a URL"),
        ]);
    }

    #[test]
    fn parameters() {
        sql(&[
            ("URL_EXTRACT_PARAMETER('http://a.com/?one=a&two=url%20encoded&three', 'two')", "url encoded"),
            ("URL_EXTRACT_PARAMETER('http://a.com/?one=a&three', 'three')", ""),
            ("URL_EXTRACT_PARAMETER('http://a.com/?a=b%26c=d', 'c')", "d"),
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
